//! A measured figure: a line of a table for people, an object for programs.

use serde::Serialize;

/// What a figure has to be.
#[derive(Debug, Clone, Copy)]
pub enum Goal {
    /// At most this.
    AtMost(f64),
    /// At least this.
    AtLeast(f64),
    /// At most so many times its baseline.
    Times(f64),
}

/// One figure.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    figure: &'static str,
    value: f64,
    unit: &'static str,
    baseline: Option<f64>,
    ratio: Option<f64>,
    goal: Option<String>,
    met: Option<bool>,
    /// What the baseline is, in words.
    #[serde(skip)]
    against: &'static str,
}

impl Figure {
    /// A figure that stands alone so far.
    pub fn new(figure: &'static str, value: f64, unit: &'static str) -> Self {
        Self {
            figure,
            value: rounded(value),
            unit,
            baseline: None,
            ratio: None,
            goal: None,
            met: None,
            against: "",
        }
    }

    /// What it is compared with, measured in the same run.
    #[must_use]
    pub fn beside(mut self, baseline: f64, what: &'static str) -> Self {
        self.baseline = Some(rounded(baseline));
        self.ratio = (baseline > 0.0).then(|| rounded(self.value / baseline));
        self.against = what;
        self
    }

    /// What it has to be. Name the baseline before a goal that is a multiple of it.
    #[must_use]
    pub fn wants(mut self, goal: Goal) -> Self {
        let (words, met) = match goal {
            Goal::AtMost(most) => (format!("<= {most}"), Some(self.value <= most)),
            Goal::AtLeast(least) => (format!(">= {least}"), Some(self.value >= least)),
            Goal::Times(most) => (
                format!("ratio <= {most}"),
                self.ratio.map(|ratio| ratio <= most),
            ),
        };
        self.goal = Some(words);
        self.met = met;
        self
    }
}

/// The one in the middle; none of nothing is infinite, so that it meets no goal.
pub fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    values.get(middle).copied().unwrap_or(f64::INFINITY)
}

/// Three digits after the point are more than any of it is good for.
fn rounded(value: f64) -> f64 {
    (value * 1000.0).round() / 1000.0
}

/// What one subject found.
#[derive(Debug, Default)]
pub struct Report {
    title: String,
    figures: Vec<Figure>,
    notes: Vec<String>,
}

impl Report {
    /// An empty one.
    pub fn new(title: String) -> Self {
        Self {
            title,
            ..Self::default()
        }
    }

    /// Adds a figure.
    pub fn add(&mut self, figure: Figure) {
        self.figures.push(figure);
    }

    /// Adds what has to be known beside the figures.
    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Prints it: one object a line, or a table.
    pub fn print(&self, json: bool) {
        if json {
            for figure in &self.figures {
                println!(
                    "{}",
                    serde_json::to_string(figure).expect("a figure is plain data")
                );
            }
            return;
        }
        println!("\n{}\n", self.title);
        let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |v| v.to_string());
        println!(
            "  {:<24}{:>12}  {:<6}{:>12}{:>8}  {:<12}{:<5}baseline is",
            "figure", "value", "unit", "baseline", "ratio", "goal", "met"
        );
        for figure in &self.figures {
            let met = match figure.met {
                Some(true) => "yes",
                Some(false) => "NO",
                None => "-",
            };
            println!(
                "  {:<24}{:>12}  {:<6}{:>12}{:>8}  {:<12}{met:<5}{}",
                figure.figure,
                figure.value,
                figure.unit,
                number(figure.baseline),
                number(figure.ratio),
                figure.goal.as_deref().unwrap_or("-"),
                figure.against,
            );
        }
        println!();
        for note in &self.notes {
            println!("  {note}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_is_one_object_with_its_baseline_ratio_and_goal() {
        let figure = Figure::new("abort_to_last_receipt", 40.0, "ms")
            .beside(20.0, "a bare echo")
            .wants(Goal::Times(3.0));
        let text = serde_json::to_string(&figure).unwrap_or_default();
        assert_eq!(
            text,
            r#"{"figure":"abort_to_last_receipt","value":40.0,"unit":"ms","baseline":20.0,"ratio":2.0,"goal":"ratio <= 3","met":true}"#
        );
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median(vec![9.0, 1.0, 5.0]), 5.0);
        assert_eq!(median(Vec::new()), f64::INFINITY);
    }

    #[test]
    fn a_goal_that_is_missed_is_said_to_be() {
        let met = |goal| Figure::new("f", 10.0, "s").wants(goal).met;
        assert_eq!(met(Goal::AtMost(9.9)), Some(false));
        assert_eq!(met(Goal::AtLeast(10.1)), Some(false));
        assert_eq!(met(Goal::Times(3.0)), None, "nothing to compare with");
    }
}
