//! What a document tells people to type, and whether a transcript says what is kept of it.

/// The commands of a section: the lines of its `console` blocks that begin with `$ `, without comments.
pub fn commands(document: &str, heading: &str) -> Vec<String> {
    let lines = document.lines().skip_while(|line| *line != heading);
    let section = lines
        .skip(1)
        .take_while(|line| !line.starts_with("## "))
        .collect::<Vec<_>>();
    let mut found = Vec::new();
    let mut inside = false;
    for line in section {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| inside) {
            let command = command.split(" # ").next().unwrap_or_default();
            found.push(command.trim_end().to_owned());
        }
    }
    found
}

/// A text without what differs from one run to the next: moments, lengths of time, names that are drawn,
/// tokens, hashes, and how far columns are apart.
pub fn normalised(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let indent = line.len() - line.trim_start().len();
        out += &line[..indent];
        let columns: Vec<String> = line
            .split("  ")
            .map(str::trim)
            .filter(|column| !column.is_empty())
            .map(|column| {
                let mut words: Vec<String> = column.split(' ').map(word).collect();
                for place in 1..words.len() {
                    let counts = matches!(words[place].as_str(), "ms" | "entries,");
                    if counts && words[place - 1].chars().all(|c| c.is_ascii_digit()) {
                        words[place - 1] = "N".to_owned();
                    }
                }
                words.join(" ")
            })
            .collect();
        out += &columns.join("  ");
        out.push('\n');
    }
    out.replace("DATE TIME", "TIME")
}

/// One word, with the punctuation around it.
fn word(word: &str) -> String {
    let begin = word.len() - word.trim_start_matches(['(', '+']).len();
    let core = word[begin..].trim_end_matches([')', ',', ';', ':', '.', '…']);
    let end = &word[begin + core.len()..];
    let drawn = |prefix: &str| {
        let rest = core.strip_prefix(prefix);
        rest.is_some_and(|hex| hex.len() >= 5 && hex.chars().all(|c| c.is_ascii_hexdigit()))
    };
    let shape: String = core
        .chars()
        .map(|c| if c.is_ascii_digit() { '9' } else { c })
        .collect();
    let seen = match core {
        _ if core.starts_with("flagship_") && !core.contains(":") => "flagship_TOKEN",
        _ if core.starts_with("flt1.") => "flt1.TOKEN",
        _ if core.starts_with("sha256:") && core.len() > 60 => "sha256:HASH",
        _ if drawn("f-") => "f-FLEET",
        _ if drawn("a-") => "a-ABORT",
        _ if drawn("e-") => "e-TOKEN",
        _ if core.len() == 10 && drawn("") => "TOKEN",
        _ if shape.starts_with("9999-99-99T") => "TIME",
        _ if shape == "99:99:99Z" => "TIME",
        _ if shape == "9999-99-99" => "DATE",
        _ if is_length(core) => "AGE",
        _ => core,
    };
    format!("{}{seen}{end}", &word[..begin])
}

/// Whether a word is a length of time, as `35s` or `1m02s`.
fn is_length(word: &str) -> bool {
    let digits = word.starts_with(|c: char| c.is_ascii_digit());
    let units = word.chars().any(|c| "smhd".contains(c));
    digits
        && units
        && word
            .chars()
            .all(|c| c.is_ascii_digit() || ".smhd".contains(c))
}

/// Compares what was seen with what is kept. A kept line that begins with `? ` may be missing, or come
/// more than once, and with `*` at its end stands for all that begin so; every other has to be there, in
/// this order, and nothing else.
///
/// # Errors
/// Where they part, in words.
pub fn compare(kept: &str, seen: &str) -> Result<(), String> {
    let kept: Vec<&str> = kept.lines().collect();
    let mut next = 0;
    for (number, line) in seen.lines().enumerate() {
        let number = number + 1;
        let optional = kept[next..]
            .iter()
            .take_while(|want| want.starts_with("? "));
        let must = next + optional.count();
        if kept.get(must) == Some(&line) {
            next = must + 1;
            continue;
        }
        let Some(place) = (next..must).find(|place| may_be(kept[*place], line)) else {
            let want = kept.get(must).copied().unwrap_or("nothing more");
            return Err(format!(
                "line {number}, kept line {}:\n  kept  {want}\n  seen  {line}",
                must + 1
            ));
        };
        next = place;
    }
    match kept[next..].iter().find(|want| !want.starts_with("? ")) {
        Some(want) => Err(format!("this is kept and was not seen: {want}")),
        None => Ok(()),
    }
}

fn may_be(optional: &str, line: &str) -> bool {
    let Some(may) = optional.strip_prefix("? ") else {
        return false;
    };
    match may.strip_suffix('*') {
        Some(begin) => line.starts_with(begin),
        None => may == line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_of_one_section_are_found_without_their_comments() {
        let text = "## A\n```console\n$ no\n```\n## B\n```console\n$ one --x   # why\nsaid\n```\n\
                    ```yaml\n$ no\n```\n```console\n$ two\n```\n## C\n```console\n$ no\n```\n";
        assert_eq!(commands(text, "## B"), ["one --x", "two"]);
    }

    #[test]
    fn what_differs_between_runs_is_taken_out_and_nothing_else() {
        for (said, kept) in [
            (
                "  22:01:46Z  +1m02s   abort a-71c11e7a is lifted;",
                "  TIME  +AGE  abort a-ABORT is lifted;",
            ),
            (
                "eu-1   returned    170 ms  read back 0% from 1 proxy",
                "eu-1  returned  N ms  read back 0% from 1 proxy",
            ),
            (
                "until 2026-11-26 21:58:58Z; for 1.1.0 (4s)",
                "until TIME; for 1.1.0 (AGE)",
            ),
            ("0 of 1 cluster done", "0 of 1 cluster done"),
        ] {
            assert_eq!(normalised(said).trim_end(), kept);
        }
    }

    #[test]
    fn a_line_that_may_be_missing_may_and_every_other_may_not() {
        let kept = "a\n? b*\nc\n";
        for fits in ["a\nc\n", "a\nb\nc\n", "a\nb\nbb\nc\n"] {
            assert_eq!(compare(kept, fits), Ok(()));
        }
        for misses in [
            "a\n",
            "a\nb\n",
            "a\nx\nc\n",
            "a\nc\nc\n",
            "c\n",
            "a\nc\nb\n",
        ] {
            assert!(compare(kept, misses).is_err(), "{misses:?}");
        }
    }
}
