//! Text on a terminal: how large it is, and lines that break between words and never inside a command.
//! What goes into a file or a pipe has no width, and is not for this.

use std::{io::IsTerminal, os::fd::AsFd};

use textwrap::{
    Options, WordSeparator, WordSplitter, WrapAlgorithm,
    core::{Word, display_width},
};

/// Columns and rows of a terminal, the usual ones where it does not say; none of what is not one.
pub fn size(stream: impl AsFd + IsTerminal) -> Option<(usize, usize)> {
    if !stream.is_terminal() {
        return None;
    }
    let or = |number: u16, usual: usize, least: usize| match number {
        0 => usual,
        number => usize::from(number).max(least),
    };
    let asked = rustix::termios::tcgetwinsize(stream).ok();
    Some(asked.map_or((80, 24), |size| {
        (or(size.ws_col, 80, 20), or(size.ws_row, 24, 6))
    }))
}

/// Text whose lines are at most so wide, but for a word or a command that is wider by itself: it stands
/// on a line of its own, whole, so that it can be copied. What is broken goes on below where it began,
/// or below what stands after its label.
pub fn wrap(text: &str, width: usize) -> String {
    let mut wrapped = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (line, end) = match line.strip_suffix('\n') {
            Some(line) => (line, "\n"),
            None => (line, ""),
        };
        if display_width(line) <= width {
            wrapped.push_str(line);
        } else {
            let begun = line.trim_start_matches(' ');
            let (indent, _) = line.split_at(line.len() - begun.len());
            let mut below = " ".repeat(hang(line, indent.len()).min(width / 3));
            // Whoever copies all lines of a command and its comment copies no second command.
            if line.contains(COMMENT) {
                below += "# ";
            }
            wrapped.push_str(&fill(begun, width, indent, &below));
        }
        wrapped.push_str(end);
    }
    wrapped
}

/// One line in lines of such a width: the first begins so, what goes on below it so.
pub fn fill(line: &str, width: usize, first: &str, below: &str) -> String {
    let options = Options::new(width)
        .initial_indent(first)
        .subsequent_indent(below)
        .word_separator(WordSeparator::Custom(words))
        .word_splitter(WordSplitter::NoHyphenation)
        .wrap_algorithm(WrapAlgorithm::FirstFit)
        .break_words(false);
    textwrap::fill(line, options)
}

/// Text whose commands have `fixed` for their spaces, on its way through what breaks lines at those.
pub fn unbroken(text: &str, fixed: &str) -> String {
    let lines = text.split_inclusive('\n').map(|line| {
        let words = words(line).map(|word| {
            let gap = word.whitespace;
            format!("{}{gap}", word.word.replace(' ', fixed))
        });
        words.collect::<String>()
    });
    lines.collect()
}

/// What stands between a command and what is said about it.
const COMMENT: &str = "   # ";

/// A label is not longer, with its indent.
const LABEL: usize = 16;

/// The column where a line's text begins, after its indent and a label with a gap of spaces.
fn hang(line: &str, indent: usize) -> usize {
    let label = line[indent..].find("  ");
    let after = label.map(|gap| line.len() - line[indent + gap..].trim_start().len());
    let column = after.map(|after| display_width(&line[..after]));
    column.filter(|column| *column <= LABEL).unwrap_or(indent)
}

/// The words of a line; a command is one.
fn words(line: &str) -> Box<dyn Iterator<Item = Word<'_>> + '_> {
    let mut from = 0;
    Box::new(std::iter::from_fn(move || {
        let rest = &line[from..];
        if rest.is_empty() {
            return None;
        }
        let end = command(&line[..from], rest).or_else(|| rest.find(' '));
        let after = rest[end.unwrap_or(rest.len())..].trim_start_matches(' ');
        let (word, _) = rest.split_at(rest.len() - after.len());
        from += word.len();
        Some(Word::from(word))
    }))
}

/// What a command that is told to type begins with.
const PROGRAMS: [&str; 3] = ["flagship ", "flagship-agent ", "flagship-hub "];
/// What stands before one that is not in backticks; in prose these words are names.
const BEFORE: [&str; 7] = [": ", ", ", "; ", "or ", "then ", "and ", "in: "];

/// Where a command ends that begins here: at its backtick, or before what goes on about it.
fn command(before: &str, rest: &str) -> Option<usize> {
    let opened = rest.trim_start_matches(['(', '`']);
    let skipped = rest.len() - opened.len();
    if rest[..skipped].ends_with('`') {
        let close = skipped + opened.find('`')?;
        return Some(
            rest[close..]
                .find(' ')
                .map_or(rest.len(), |end| close + end),
        );
    }
    let stands =
        skipped > 0 || before.is_empty() || BEFORE.iter().any(|word| before.ends_with(word));
    if !stands || !PROGRAMS.iter().any(|program| opened.starts_with(program)) {
        return None;
    }
    let mut quoted = false;
    let end = opened.char_indices().find(|(at, letter)| {
        quoted ^= *letter == '\'';
        let ends = opened[..*at].ends_with([',', ';', '.', ')', ':']);
        *letter == ' ' && !quoted && (ends || opened[at + 1..].starts_with([' ', '(', '#']))
    });
    Some(end.map_or(rest.len(), |(at, _)| skipped + at))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BANNER: &str = "\
STOPPED  the whole fleet by abort a-7 of ann@example: errors at the till in all of Europe (since 10:00)
         to end it: flagship lift a-7 --reason …
";

    #[test]
    fn prose_breaks_between_words_and_goes_on_below_its_label() {
        assert_eq!(
            wrap(BANNER, 40),
            "\
STOPPED  the whole fleet by abort a-7 of
         ann@example: errors at the till
         in all of Europe (since 10:00)
         to end it:
         flagship lift a-7 --reason …
"
        );
        for width in [20, 40, 80] {
            let wrapped = wrap(BANNER, width);
            let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(flat(&wrapped), flat(BANNER), "no word is broken or lost");
            let prose = wrapped.lines().filter(|line| !line.contains("flagship"));
            let widest = prose.map(display_width).max();
            assert!(widest <= Some(width), "{width}\n{wrapped}");
        }
    }

    #[test]
    fn a_command_to_copy_stays_whole_and_alone_where_it_does_not_fit() {
        let told = "error: no hub is known; run `flagship login https://host:port --ca-hash sha256:1` (or give --hub)";
        let bare = "until then: flagship abort --fleet --reason 'errors, all over', then flagship status --all";
        for width in [20, 40] {
            let lines = wrap(told, width);
            let wanted = "`flagship login https://host:port --ca-hash sha256:1`";
            assert!(lines.lines().any(|line| line == wanted), "{width}\n{lines}");
            let lines = wrap(bare, width);
            let wanted = "flagship abort --fleet --reason 'errors, all over',";
            assert!(lines.lines().any(|line| line == wanted), "{width}\n{lines}");
        }
        assert!(
            wrap(told, 80).contains("run\n`flagship login"),
            "{}",
            wrap(told, 80)
        );
        let alone = "  flagship-agent ctl retreat --all --reason … --wait";
        assert_eq!(wrap(alone, 20), alone);
    }

    #[test]
    fn what_a_command_does_stands_behind_it_and_is_broken_without_it() {
        let told = "  flagship lift a-1 --reason …   # moves nothing by itself";
        assert_eq!(
            wrap(told, 40),
            "  flagship lift a-1 --reason …   # moves\n  # nothing by itself"
        );
        assert_eq!(
            unbroken("run `flagship init` once", "_"),
            "run `flagship_init` once"
        );
    }

    #[test]
    fn a_program_named_in_a_sentence_is_no_command() {
        let text = "the hub is version 2 and this flagship is version 1: use that of the hub";
        assert!(wrap(text, 20).lines().all(|line| line.len() <= 20));
    }

    #[test]
    fn a_long_name_stays_whole_and_colours_take_no_columns() {
        let name = "n".repeat(253);
        let wrapped = wrap(&format!("cluster {name} is not heard"), 40);
        assert_eq!(wrapped, format!("cluster\n{name}\nis not heard"));
        let painted = format!("\x1b[1;31m{}\x1b[0m", "word ".repeat(7).trim_end());
        assert_eq!(wrap(&painted, 40), painted);
        assert_eq!(wrap("one\n\ntwo", 20), "one\n\ntwo");
    }
}
