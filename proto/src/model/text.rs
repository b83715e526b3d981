//! Texts that people write: what in them is no letter, but does something to who reads them.

use serde_json::Value;

/// Whether a character moves a cursor, changes colours, turns letters around, or is a line of its own that
/// looks like the next one: a text with it shows another than what stands there. Newline and tab are such
/// too; where a text may have lines, the caller allows them.
///
/// Joiners are none of them: scripts are written with them.
pub fn is_deceptive(letter: char) -> bool {
    letter.is_control()
        || matches!(
            letter,
            '\u{061c}'
                | '\u{180e}'
                | '\u{200b}'
                | '\u{200e}'
                | '\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
                | '\u{fff9}'..='\u{fffb}'
                | '\u{e0000}'..='\u{e007f}'
        )
}

/// The same in a name, which two must not share by looks: joiners, soft hyphens and fillers too.
pub fn is_deceptive_in_name(letter: char) -> bool {
    let is_space = letter.is_whitespace() && letter != ' ';
    is_deceptive(letter)
        || is_space
        || matches!(
            letter,
            '\u{00ad}'
                | '\u{034f}'
                | '\u{115f}'
                | '\u{1160}'
                | '\u{17b4}'
                | '\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200c}'
                | '\u{200d}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fff8}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0080}'..='\u{e0fff}'
        )
}

/// Whether this can be somebody's name: 1 to 63 characters that are what they look like.
pub fn is_name(text: &str) -> bool {
    (1..=63).contains(&text.chars().count())
        && !text.chars().any(is_deceptive_in_name)
        && text.trim() == text
}

/// The first deceptive character in the texts of a document, with its place there (`a[1].b`); newlines and
/// tabs are none where texts have lines.
pub fn first_deceptive(document: &Value, has_lines: bool) -> Option<(String, char)> {
    let is_meant = |letter: char| has_lines && matches!(letter, '\n' | '\t' | '\r');
    let find = |text: &str| text.chars().find(|c| is_deceptive(*c) && !is_meant(*c));
    let inside = |name: String, value: &Value| {
        let (path, letter) = first_deceptive(value, has_lines)?;
        let gap = match path.chars().next() {
            None | Some('[') => "",
            Some(_) => ".",
        };
        Some((format!("{name}{gap}{path}"), letter))
    };
    match document {
        Value::String(text) => find(text).map(|letter| (String::new(), letter)),
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(index, item)| inside(format!("[{index}]"), item))
        }
        Value::Object(fields) => fields.iter().find_map(|(name, value)| match find(name) {
            Some(letter) => Some((String::new(), letter)),
            None => inside(name.clone(), value),
        }),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// A text in which every deceptive character is seen as such; it keeps its lines and tabs.
pub fn revealed(text: &str) -> String {
    let seen = |letter: char| match letter {
        '\n' | '\t' => letter,
        letter if is_deceptive(letter) => char::REPLACEMENT_CHARACTER,
        letter => letter,
    };
    text.replace("\r\n", "\n").chars().map(seen).collect()
}

/// The same on one line: for what must not be refused because of how it is written, such as the reason of
/// a stop.
pub fn on_one_line(text: &str) -> String {
    let lines = text.replace("\r\n", "\n").replace('\r', "\n");
    revealed(&lines).replace(['\n', '\t'], " ")
}

/// Why a deceptive character is refused: `U+202E is no letter: …`.
pub fn no_letter(letter: char) -> String {
    let point = u32::from(letter);
    format!("U+{point:04X} is no letter: it moves or hides others")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_turns_or_hides_is_deceptive_and_letters_of_any_script_are_not() {
        for letter in [
            '\u{1b}', '\n', '\u{9b}', '\u{202e}', '\u{2066}', '\u{200b}', '\u{2028}',
        ] {
            assert!(
                is_deceptive(letter) && is_deceptive_in_name(letter),
                "{letter:?}"
            );
        }
        for letter in "Ünïcode שלום مرحبا 日本 👩\u{200d}🚀 می\u{200c}خواهم …".chars()
        {
            assert!(!is_deceptive(letter), "{letter:?}");
        }
        assert!(is_deceptive_in_name('\u{200d}') && is_deceptive_in_name('\u{a0}'));
        assert!(is_name("anna") && !is_name("anna\u{e0101}") && !is_name("anna\u{1d173}"));
        assert!(no_letter('\u{202e}').starts_with("U+202E is no letter"));
    }

    #[test]
    fn a_reason_that_was_pasted_is_one_line_and_shows_what_would_deceive() {
        let pasted = "errors:\r\n\tat\u{202e} till\u{1b}[2J";
        assert_eq!(on_one_line(pasted), "errors:  at\u{fffd} till\u{fffd}[2J");
    }

    #[test]
    fn a_deceptive_character_is_found_in_a_document_with_its_place() {
        let document = serde_json::json!({"a": ["x", {"b": "two\nlines"}], "c": "x\u{202e}y"});
        assert_eq!(
            first_deceptive(&document, false),
            Some(("a[1].b".to_owned(), '\n'))
        );
        assert_eq!(
            first_deceptive(&document, true),
            Some(("c".to_owned(), '\u{202e}'))
        );
        let key = serde_json::json!({"\u{1b}[2J": 1});
        assert_eq!(first_deceptive(&key, true), Some((String::new(), '\u{1b}')));
    }
}
