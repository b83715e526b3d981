//! Words from outside in the signs of each chat: reasons and names are text, and neither call people,
//! nor link, nor format. Each function follows one receiver's rules.

/// Between a sign and what would make it one; nobody sees it.
const NOTHING: char = '\u{200b}';

/// Slack: its own signs as it asks for them. With `verbatim` and without `link_names` nothing else calls
/// or links.
/// Source: Slack, "Formatting text for app surfaces".
pub(super) fn slack(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// Discord and adaptive cards read Markdown, in which a backslash makes any sign a letter.
/// Source: CommonMark 0.31, 2.4 "Backslash escapes".
pub(super) fn markdown(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        if "\\`*_~|[]<>#@".contains(letter) {
            safe.push('\\');
        }
        safe.push(letter);
    }
    safe
}

/// The same, cut to so many characters: never between a backslash and its sign.
pub(super) fn short_markdown(text: &str, most: usize) -> String {
    let mut kept = text.to_owned();
    loop {
        let safe = markdown(&kept);
        let Some(over) = safe.chars().count().checked_sub(most).filter(|n| *n > 0) else {
            return safe;
        };
        let left = kept
            .chars()
            .count()
            .saturating_sub(over.div_ceil(2).max(1) + 1);
        kept = kept.chars().take(left).chain(['…']).collect();
    }
}

/// Rocket.Chat and the words of a Google Chat notification call and link by signs that cannot be written as
/// letters: something that nobody sees takes those apart. Bold is left alone: names keep their letters.
pub(super) fn apart(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        safe.push(letter);
        let links = letter == ']' && letters.peek() == Some(&'(');
        if links || matches!(letter, '@' | '#' | '<') {
            safe.push(NOTHING);
        }
    }
    safe
}

/// The text of a Google Chat card is a little HTML.
/// Source: Google Chat, "Format text in cards".
pub(super) fn html(text: &str) -> String {
    slack(text)
}

/// An address inside a link: what would end the link is written as bytes.
pub(super) fn address(url: &str) -> String {
    let mut safe = String::with_capacity(url.len());
    for letter in url.chars() {
        if letter.is_whitespace() || "()<>|\"\\".contains(letter) {
            let mut bytes = [0; 4];
            for byte in letter.encode_utf8(&mut bytes).bytes() {
                safe.push_str(&format!("%{byte:02X}"));
            }
        } else {
            safe.push(letter);
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_chat_shows_signs_from_outside_as_letters() {
        for (text, in_slack, in_markdown, in_apart) in [
            (
                "plain, 5.2 %",
                "plain, 5.2 %",
                "plain, 5.2 %",
                "plain, 5.2 %",
            ),
            (
                "<!channel>",
                "&lt;!channel&gt;",
                r"\<!channel\>",
                "<\u{200b}!channel>",
            ),
            ("<@U1>", "&lt;@U1&gt;", r"\<\@U1\>", "<\u{200b}@\u{200b}U1>"),
            ("@everyone", "@everyone", r"\@everyone", "@\u{200b}everyone"),
            (
                "<users/all>",
                "&lt;users/all&gt;",
                r"\<users/all\>",
                "<\u{200b}users/all>",
            ),
            (
                "[x](http://evil)",
                "[x](http://evil)",
                r"\[x\](http://evil)",
                "[x]\u{200b}(http://evil)",
            ),
            (
                "<http://evil|x>",
                "&lt;http://evil|x&gt;",
                r"\<http://evil\|x\>",
                "<\u{200b}http://evil|x>",
            ),
            (r"\*b*", r"\*b*", r"\\\*b\*", r"\*b*"),
            ("a &lt; b", "a &amp;lt; b", "a &lt; b", "a &lt; b"),
        ] {
            assert_eq!(slack(text), in_slack);
            assert_eq!(markdown(text), in_markdown);
            assert_eq!(apart(text), in_apart);
        }
    }

    #[test]
    fn a_text_of_signs_is_cut_with_each_backslash_before_its_sign() {
        for most in [8, 9, 256] {
            let safe = short_markdown(&"*".repeat(1000), most);
            assert!(safe.chars().count() <= most, "{safe}");
            let signs = safe.trim_end_matches('…');
            assert_eq!(signs.replace(r"\*", ""), "", "{safe}");
        }
        assert_eq!(short_markdown("short", 8), "short");
    }

    #[test]
    fn an_address_ends_where_its_link_ends() {
        assert_eq!(
            address("https://x/a|b>c) d\"é"),
            "https://x/a%7Cb%3Ec%29%20d%22é"
        );
    }
}
