//! A page that was written for a wide terminal, on a narrow one: sentences flow again, what stands beside
//! a label goes on below itself, columns become narrower ones or blocks, and commands stay whole.

use flagship_proto::process::terminal::{fill, unbroken};

use super::{Look, table};

/// A page is never wider, so that it is read.
const WIDEST: usize = 108;

/// The page in lines that fit so many columns.
pub fn page(width: usize, text: &str) -> String {
    let width = width.min(WIDEST);
    let blocks: Vec<String> = text
        .trim_end_matches('\n')
        .split("\n\n")
        .map(|block| shaped(width, block))
        .collect();
    let end = if text.ends_with('\n') { "\n" } else { "" };
    blocks.join("\n\n") + end
}

fn shaped(width: usize, block: &str) -> String {
    if block.lines().all(|line| line.chars().count() <= width) {
        return block.to_owned();
    }
    if let Some(columns) = Columns::of(block) {
        return columns.shaped(width);
    }
    let mut lines = block.lines().peekable();
    let mut shaped = Vec::new();
    while let Some(line) = lines.next() {
        let indent = indent(line);
        let beside = beside(line);
        let below = if indent == 0 { Some(0) } else { beside };
        let mut whole = line.to_owned();
        while let Some(next) = lines.next_if(|next| Some(self::indent(next)) == below) {
            whole.push(' ');
            whole += next.trim_start();
        }
        shaped.push(match beside {
            Some(column) if column * 5 > width * 2 => {
                let (label, text) = split(&whole, column);
                let below = " ".repeat(indent + 2);
                let label = label.trim_end();
                format!("{label}\n{}", fill(text, width, &below, &below))
            }
            Some(column) => {
                let (label, text) = split(&whole, column);
                fill(text, width, label, &" ".repeat(column))
            }
            None => {
                let (space, text) = split(&whole, indent);
                fill(text, width, space, &" ".repeat(indent))
            }
        });
    }
    shaped.join("\n")
}

fn indent(line: &str) -> usize {
    line.chars().take_while(|c| *c == ' ').count()
}

/// The column of the text that stands beside an indented label, after a gap.
fn beside(line: &str) -> Option<usize> {
    let indent = indent(line);
    let begun = line.trim_start();
    let gap = begun.find("  ").filter(|_| indent > 0)?;
    let (label, rest) = begun.split_at(gap);
    Some(indent + label.chars().count() + self::indent(rest))
}

/// A line before and after a column.
fn split(line: &str, column: usize) -> (&str, &str) {
    let at = line.char_indices().nth(column);
    line.split_at(at.map_or(line.len(), |(at, _)| at))
}

/// A table as it is written: a head, and rows whose first cell is not empty.
struct Columns<'a> {
    head: Vec<&'a str>,
    rows: Vec<Vec<String>>,
}

impl<'a> Columns<'a> {
    /// A block with three columns or more, each of which begins where its head does.
    fn of(block: &'a str) -> Option<Self> {
        let mut lines = block.lines();
        let first = lines.next()?;
        let mut starts = vec![indent(first)];
        let letters: Vec<char> = first.chars().collect();
        let begins = |at: &usize| letters[at - 2..*at] == [' ', ' '] && letters[*at] != ' ';
        starts.extend((starts[0] + 2..letters.len()).filter(begins));
        if starts.len() < 3 || starts[0] == 0 {
            return None;
        }
        let cells = |line: &'a str| {
            let ends = starts.iter().skip(1).copied().chain([usize::MAX]);
            let cells = starts.iter().zip(ends).map(|(from, to)| {
                let (line, _) = split(line, to);
                split(line, *from).1.trim()
            });
            cells.collect::<Vec<_>>()
        };
        let is_between = |line: &str| {
            let before = |at: &usize| line.chars().nth(at - 1).is_none_or(|c| c == ' ');
            starts.iter().all(before)
        };
        let mut rows: Vec<Vec<String>> = Vec::new();
        for line in lines {
            let found = cells(line);
            if !is_between(line) {
                return None;
            }
            match rows.last_mut().filter(|_| found[0].is_empty()) {
                Some(row) => {
                    for (cell, more) in row.iter_mut().zip(found) {
                        *cell = format!("{cell} {more}").trim().to_owned();
                    }
                }
                None => rows.push(found.into_iter().map(str::to_owned).collect()),
            }
        }
        Some(Self {
            head: cells(first),
            rows,
        })
    }

    fn shaped(self, width: usize) -> String {
        let look = Look::plain(width - 2).whole();
        let mut text = String::new();
        for line in table(look, &self.head, self.rows).lines() {
            if !text.is_empty() {
                text.push('\n');
            }
            if !line.is_empty() {
                text += &fill(line, width, "  ", "    ");
            }
        }
        text
    }
}

/// Text that nothing breaks any more, on its way through what would: its spaces are others.
pub fn set(text: &str) -> String {
    text.replace(' ', FIXED)
}

/// Text whose commands nothing breaks, in the same way.
pub fn with_whole_commands(text: &str) -> String {
    unbroken(text, FIXED)
}

/// Such text as it is printed.
pub fn printed(text: &str) -> String {
    text.replace(FIXED, " ")
}

const FIXED: &str = "\u{a0}";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::topics::TOPICS;

    fn words(text: &str) -> Vec<String> {
        let words = text.split([' ', '\n']).filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    }

    #[test]
    fn sentences_flow_again_and_what_stands_beside_a_label_stays_there() {
        let text = "\
Unfinished canaries go back, and clusters that are
Done stay.

  label   what it means, in more words than
          fit a line
  flagship abort --fleet --reason 'errors everywhere' --wait

all of it
";
        assert_eq!(page(60, text), text);
        assert_eq!(
            page(30, text),
            "\
Unfinished canaries go back,
and clusters that are Done
stay.

  label   what it means, in
          more words than fit
          a line
  flagship abort --fleet --reason 'errors everywhere' --wait

all of it
"
        );
    }

    #[test]
    fn every_topic_is_read_in_twenty_columns_and_loses_no_word() {
        for topic in TOPICS {
            for width in [20, 40, 60, 80] {
                let shown = page(width, topic.text);
                let is_long = |line: &&str| line.chars().count() > width;
                for line in shown.lines().filter(is_long) {
                    let of_a_plan = topic.name == "plan";
                    let is_command = line.contains("flagship");
                    let is_word = words(line).len() == 1;
                    assert!(
                        of_a_plan || is_command || is_word,
                        "{} at {width}: {line}\n{shown}",
                        topic.name
                    );
                }
                if topic.name == "exit-codes" || topic.name == "limits" {
                    assert_eq!(words(&shown), words(topic.text), "{shown}");
                }
            }
        }
    }

    #[test]
    fn a_table_becomes_narrower_columns_and_then_blocks() {
        let text = "  verb    traffic     who goes on\n  abort   goes back   lift, then\n                      retry\n";
        assert_eq!(
            page(20, text),
            "  verb: abort\n  traffic: goes back\n  who goes on: lift,\n    then retry\n"
        );
        let stop = TOPICS.iter().find(|topic| topic.name == "stop").unwrap();
        let narrow = page(20, stop.text);
        assert!(narrow.contains("  verb: retreat\n"), "{narrow}");
        let wide = page(80, stop.text);
        assert!(wide.contains("  verb "), "{wide}");
    }
}
