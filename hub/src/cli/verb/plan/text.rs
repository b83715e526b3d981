//! The text of a new plan: every part that matters at the beginning, each with a word about it.

use flagship_proto::model::{PlanName, ProjectName, WaveName, WorkloadRef};

/// What a new plan is to say.
#[derive(Debug)]
pub(super) struct Draft {
    /// Whose it is.
    pub(super) project: ProjectName,
    /// What it is called.
    pub(super) name: PlanName,
    /// What it releases.
    pub(super) workload: WorkloadRef,
    /// In which order.
    pub(super) waves: Vec<Wave>,
    /// How long each wave but the last soaks.
    pub(super) soak: String,
}

/// A wave, and the labels of its clusters; none for whatever is left.
#[derive(Debug)]
pub(super) struct Wave {
    /// Its name.
    pub(super) name: WaveName,
    /// Labels with their values.
    pub(super) labels: Vec<(String, String)>,
}

impl Draft {
    /// The document.
    pub(super) fn text(&self) -> String {
        let Self {
            project,
            name,
            soak,
            ..
        } = self;
        let workload = self.workload.to_string();
        let mut parts = workload.split('/');
        let mut part = || parts.next().map(quoted).unwrap_or_default();
        let (namespace, kind, workload_name) = (part(), part(), part());
        let mut waves = String::new();
        for (place, wave) in self.waves.iter().enumerate() {
            let last = place + 1 == self.waves.len();
            waves += &format!("    - name: {}\n", quoted(wave.name.as_str()));
            waves += &match wave.labels.is_empty() {
                true => "      clusters: {}                 # whatever is left\n".to_owned(),
                false => format!(
                    "      clusters: {{matchLabels: {}}}\n",
                    labels(&wave.labels)
                ),
            };
            if !last {
                waves += &format!(
                    "      soak: {{for: {soak}}}             # then the next wave starts\n"
                );
            } else if self.waves.len() > 1 {
                waves += "      maxConcurrent: 50%           # of its clusters at once\n";
            }
        }
        format!(
            "\
# How {project}/{name} is released over the fleet. Check it with `flagship lint`, see what it changes
# with `flagship diff -f`, store it with `flagship apply -f`, then:
#   flagship start {project}/{name} --to-version VERSION --reason '…' --wait
apiVersion: flagship.dev/v1
kind: Plan
metadata:
  project: {project_text}
  name: {name_text}
spec:
  # The same name in every cluster that has it.
  workload: {{namespace: {namespace}, kind: {kind}, name: {workload_name}}}
  change:
    version: {{}}                    # flagship start says which
  # How one cluster moves its traffic: a Flagger Canary spec.
  canary:
    analysis:
      interval: 10s
      threshold: 3                 # failed checks until it goes back by itself
      stepWeights: [5, 20, 50]     # per cent of traffic, then all of it
      metrics:
        - name: request-success-rate
          interval: 30s
          thresholdRange: {{min: 99}}
        - name: request-duration   # the 99th percentile, in milliseconds
          interval: 30s
          thresholdRange: {{max: 500}}
  # A cluster belongs to the first wave that matches it; a wave waits until the one before has soaked.
  waves:
{waves}  # A cluster fails: halt (hold everything), retreatWave, or retreatAll (take Done clusters back too).
  onFailure: {{maxFailures: 0, then: retreatAll}}
  # Not a word from the hub for as long as a lease: nothing advances; hold, or retreat after a time.
  onDisconnect: {{lease: 30s, then: hold}}
  # A cluster that is not heard: wait for it, skip it after a time, or fail.
  unreachable: {{wait: 10m, then: skip}}
  deadline: 12h
",
            project_text = quoted(project.as_str()),
            name_text = quoted(name.as_str()),
        )
    }
}

/// A text that YAML reads as this text: quoted where it might be a number, a date or a word like `no`.
fn quoted(text: &str) -> String {
    let plain = text.len() > 3
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !matches!(
            text.to_ascii_lowercase().as_str(),
            "true" | "false" | "null"
        );
    if plain {
        text.to_owned()
    } else {
        serde_json::Value::from(text).to_string()
    }
}

fn labels(labels: &[(String, String)]) -> String {
    let pairs = labels.iter().map(|(key, value)| {
        let key = serde_json::Value::from(key.as_str());
        format!("{key}: {}", quoted(value))
    });
    format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
}

#[cfg(test)]
mod tests {
    use flagship_waves::{lint_offline, parse_plan};

    use super::*;

    fn draft(name: &str, waves: &[(&str, &[(&str, &str)])]) -> Draft {
        let waves = waves.iter().map(|(name, labels)| Wave {
            name: name.parse().unwrap(),
            labels: labels
                .iter()
                .map(|(k, v)| ((*k).into(), (*v).into()))
                .collect(),
        });
        Draft {
            project: "shop".parse().unwrap(),
            name: name.parse().unwrap(),
            workload: format!("shop/Deployment/{name}").parse().unwrap(),
            waves: waves.collect(),
            soak: "30m".into(),
        }
    }

    #[test]
    fn a_new_plan_passes_the_check_and_says_what_was_asked_for() {
        let eu: &[(&str, &str)] = &[("topology.io/region", "eu"), ("tier", "1")];
        for (name, waves) in [
            (
                "checkout",
                &[("pilot", &[("tier", "pilot")][..]), ("rest", &[])][..],
            ),
            ("no", &[("on", eu), ("all", &[])]),
            ("a-1", &[("all", &[])]),
        ] {
            let text = draft(name, waves).text();
            let found = lint_offline(&text);
            assert!(found.is_empty(), "{found:#?}\n{text}");
            let plan = parse_plan(&text).unwrap();
            assert_eq!(plan.id().to_string(), format!("shop/{name}"));
            assert_eq!(plan.spec.waves.len(), waves.len());
            let first = &plan.spec.waves[0].clusters.match_labels;
            assert_eq!(first.len(), waves[0].1.len(), "{text}");
        }
    }
}
