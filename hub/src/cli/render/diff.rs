//! What would change in a plan, as a unified diff of its text.

use similar::{ChangeTag, TextDiff};

use crate::cli::output::{Look, Tone};

/// Unchanged lines around each change.
const AROUND: usize = 3;

/// The diff of two texts; empty where they say the same.
pub fn unified(look: Look, (old_name, old): (&str, &str), (new_name, new): (&str, &str)) -> String {
    if old == new {
        return String::new();
    }
    let diff = TextDiff::from_lines(old, new);
    let mut text = look.paint(Tone::Strong, &format!("--- {old_name}")) + "\n";
    text += &(look.paint(Tone::Strong, &format!("+++ {new_name}")) + "\n");
    for group in diff.grouped_ops(AROUND) {
        let (Some(first), Some(last)) = (group.first(), group.last()) else {
            continue;
        };
        let old_lines = first.old_range().start..last.old_range().end;
        let new_lines = first.new_range().start..last.new_range().end;
        let place = format!(
            "@@ -{},{} +{},{} @@",
            (old_lines.start + 1).min(old_lines.end),
            old_lines.len(),
            (new_lines.start + 1).min(new_lines.end),
            new_lines.len()
        );
        text += &(look.paint(Tone::Busy, &place) + "\n");
        for change in group.iter().flat_map(|op| diff.iter_changes(op)) {
            let line = change.value().trim_end_matches(['\n', '\r']);
            text += &match change.tag() {
                ChangeTag::Equal => format!(" {line}"),
                ChangeTag::Delete => look.paint(Tone::Bad, &format!("-{line}")),
                ChangeTag::Insert => look.paint(Tone::Good, &format!("+{line}")),
            };
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diff_shows_what_goes_what_comes_and_three_lines_around() {
        let old = "a\nb\nc\nd\ne\nf\ng\nh\n";
        let new = old.replace("e\n", "E\nE2\n");
        let text = unified(Look::plain(80), ("stored", old), ("file", &new));
        assert_eq!(
            text,
            "--- stored\n+++ file\n@@ -2,7 +2,8 @@\n b\n c\n d\n-e\n+E\n+E2\n f\n g\n h\n"
        );
        assert_eq!(unified(Look::plain(80), ("a", old), ("b", old)), "");
    }

    #[test]
    fn a_new_plan_and_a_removed_one_are_diffs_with_nothing() {
        let look = Look::plain(80);
        let made = unified(look, ("/dev/null", ""), ("file", "a\n"));
        assert_eq!(made, "--- /dev/null\n+++ file\n@@ -0,0 +1,1 @@\n+a\n");
        let gone = unified(look, ("stored", "a\n"), ("/dev/null", ""));
        assert_eq!(gone, "--- stored\n+++ /dev/null\n@@ -1,1 +0,0 @@\n-a\n");
    }
}
