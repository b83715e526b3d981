//! Masks in a text what looks like a secret: tokens, keys, passwords, and where an address leads. It would
//! rather mask too much than show one.

use flagship_proto::model::token;

/// What stands for what was masked.
const MASK: &str = "[masked]";

/// Names whose value is a secret, wherever they stand before `=` or `:`.
const NAMES: [&str; 8] = [
    "password",
    "passwd",
    "secret",
    "token",
    "apikey",
    "api_key",
    "api-key",
    "authorization",
];

/// A text without secrets, and how many were masked.
pub fn redact(text: &str) -> (String, usize) {
    let mut masked = 0;
    let text = keys(text, &mut masked);
    let text = addresses(&text, &mut masked);
    let text = named(&text, &mut masked);
    let text = words(&text, &mut masked);
    (text, masked)
}

/// PEM blocks of private keys.
fn keys(text: &str, masked: &mut usize) -> String {
    const END: &str = "PRIVATE KEY-----";
    let mut out = String::new();
    let mut rest = text;
    while let Some(begin) = rest.find("-----BEGIN ") {
        let block = &rest[begin..];
        let is_private = block
            .get(11..)
            .and_then(|after| after.split_once("-----"))
            .is_some_and(|(kind, _)| kind.contains("PRIVATE"));
        out.push_str(&rest[..begin]);
        if !is_private {
            out.push_str("-----BEGIN ");
            rest = &block[11..];
            continue;
        }
        *masked += 1;
        out.push_str(MASK);
        let after = block.find("-----END ").and_then(|end| {
            let tail = &block[end..];
            Some(&tail[tail.find(END)? + END.len()..])
        });
        rest = after.unwrap_or_default();
    }
    out.push_str(rest);
    out
}

fn is_end(character: char) -> bool {
    character.is_whitespace()
        || matches!(character, '"' | '\'' | '<' | '>' | ',' | ')' | '}' | '\\')
}

/// Of an address its scheme and host stay: names, passwords, paths and queries may be what opens it.
fn addresses(text: &str, masked: &mut usize) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after.find(is_end).unwrap_or(after.len());
        let (address, tail) = after.split_at(end);
        let scheme = before.trim_end_matches("://");
        if scheme.ends_with("spiffe") {
            out.push_str(address);
        } else {
            let authority = address.find(['/', '?', '#']).unwrap_or(address.len());
            let (authority, path) = address.split_at(authority);
            let host = authority
                .rsplit_once('@')
                .map_or(authority, |(_, host)| host);
            let had_name = host.len() != authority.len();
            let has_path = path.len() > 1;
            if had_name {
                out.push_str(MASK);
                out.push('@');
            }
            out.push_str(host);
            out.push_str(if has_path { "/" } else { path });
            if has_path {
                out.push_str(MASK);
            }
            *masked += usize::from(had_name || has_path);
        }
        rest = tail;
    }
    out.push_str(rest);
    out
}

/// What follows the name of a secret.
fn named(text: &str, masked: &mut usize) -> String {
    let lower = text.to_ascii_lowercase();
    let mut out = String::new();
    let (mut from, mut at) = (0, 0);
    while let Some(step) = lower[at..].find(['p', 's', 't', 'a']) {
        at += step;
        let name = NAMES.iter().find(|name| lower[at..].starts_with(**name));
        at += name.map_or(1, |name| name.len());
        let Some((begin, end)) = name.and_then(|_| value_at(text, at)) else {
            continue;
        };
        out.push_str(&text[from..begin]);
        out.push_str(MASK);
        *masked += 1;
        (from, at) = (end, end);
    }
    out.push_str(&text[from..]);
    out
}

/// Where the value is that belongs to a name which ends at `at`, if one follows it.
fn value_at(text: &str, at: usize) -> Option<(usize, usize)> {
    let rest = &text[at..];
    // What people wrote may hold JSON of its own, whose quotes are escaped here.
    let value = rest
        .trim_start_matches(['"', '\'', ' ', '\\'])
        .strip_prefix(['=', ':'])?;
    let spaced = value.trim_start_matches(' ');
    let value = spaced.trim_start_matches('\\');
    let depth = spaced.len() - value.len();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
    let value = quote.map_or(value, |quote| &value[quote.len_utf8()..]);
    // The word before a credential is no secret.
    let schemes = ["Bearer ", "bearer ", "Basic "];
    let bare = schemes.iter().find_map(|scheme| value.strip_prefix(scheme));
    let value = bare.unwrap_or(value);
    let end = match quote {
        Some(quote) => value.match_indices(quote).find_map(|(at, _)| {
            let slashes = at - value[..at].trim_end_matches('\\').len();
            let is_end = slashes <= depth || depth == 0 && slashes % 2 == 0;
            is_end.then(|| at - slashes.min(depth))
        }),
        None => value.find(is_end),
    };
    let end = end.unwrap_or(value.len());
    let found = &value[..end];
    let is_open =
        quote.is_none() && (found.starts_with(['[', '{']) || found.parse::<f64>().is_ok());
    if is_open || matches!(found, "" | "null" | "true" | "false" | MASK) {
        return None;
    }
    let begin = text.len() - value.len();
    Some((begin, begin + end))
}

/// Tokens of Flagship, credentials after `Bearer`, and long words that only a machine can have made. Digests
/// (hexadecimal) are no secrets.
fn words(text: &str, masked: &mut usize) -> String {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '/' | '.');
    let mut out = String::new();
    let mut rest = text;
    let mut before = "";
    while let Some(begin) = rest.find(is_part) {
        let (gap, tail) = rest.split_at(begin);
        let end = tail.find(|c| !is_part(c)).unwrap_or(tail.len());
        let (word, after) = tail.split_at(end);
        out.push_str(gap);
        let is_bearer = before.eq_ignore_ascii_case("bearer") && gap == " ";
        if is_bearer || is_drawn(word) {
            out.push_str(MASK);
            *masked += 1;
        } else {
            out.push_str(word);
        }
        (before, rest) = (word, after);
    }
    out.push_str(rest);
    out
}

/// Whether a word is an enrolment token, or looks as if it had been drawn: a run of at least 30 characters without a separator, in
/// both cases and with digits.
fn is_drawn(word: &str) -> bool {
    let enrol = word
        .split_once('.')
        .is_some_and(|(prefix, _)| prefix == token::PREFIX);
    if enrol {
        return true;
    }
    let runs = word.split(['.', '/']).flat_map(|part| {
        // An encoding of bytes may itself hold `-` and `_`.
        part.rsplit_once("flagship_")
            .map_or([part, ""], |(a, b)| [a, b])
    });
    runs.into_iter().any(|run| {
        let run = run.trim_matches(['_', '-']);
        let has = |of: fn(&char) -> bool| run.chars().any(|c| of(&c));
        run.len() >= 30
            && has(char::is_ascii_uppercase)
            && has(char::is_ascii_lowercase)
            && has(char::is_ascii_digit)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::Secret;

    #[test]
    fn what_looks_like_a_secret_is_masked_and_the_rest_stays() {
        let token = Secret::draw().reveal();
        for (text, shown) in [
            ("flt1.ab.00aa11bb.sha256-x here".into(), "[masked] here"),
            (
                format!("my token {token} leaked"),
                "my token [masked] leaked",
            ),
            (
                format!("Authorization: Bearer {token}"),
                "Authorization: Bearer [masked]",
            ),
            ("curl -H 'Bearer abc'".into(), "curl -H 'Bearer [masked]'"),
            (
                r#""password": "pa55","x": 1"#.into(),
                r#""password": "[masked]","x": 1"#,
            ),
            (
                r#"curl -d '{\"password\":\"hunter2\",\"x\":1}'"#.into(),
                r#"curl -d '{\"password\":\"[masked]\",\"x\":1}'"#,
            ),
            (
                r#""token": "ab\"rest","x": 1"#.into(),
                r#""token": "[masked]","x": 1"#,
            ),
            (
                "smtp://bob:pa55@mail.example.com:587".into(),
                "smtp://[masked]@mail.example.com:587",
            ),
            (
                "https://hooks.slack.com/services/T0/B0/xyz".into(),
                "https://hooks.slack.com/[masked]",
            ),
            (
                "https://hub.example.com:8440".into(),
                "https://hub.example.com:8440",
            ),
            (
                r#"{"token": "two words", "token": 3}"#.into(),
                r#"{"token": "[masked]", "token": 3}"#,
            ),
            ("api_key=abc123 next".into(), "api_key=[masked] next"),
            (
                "a -----BEGIN PRIVATE KEY-----\nMIG\n-----END PRIVATE KEY----- b".into(),
                "a [masked] b",
            ),
        ] {
            let (found, count) = redact(&text);
            assert_eq!(found, shown);
            assert_eq!(count > 0, text != shown, "{text}");
        }
    }

    #[test]
    fn digests_metrics_names_and_ids_are_no_secrets() {
        for text in [
            "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "flagship_hub_store_commit_seconds_bucket{le=\"0.025\"} 1",
            "spiffe://shop.example/cluster/eu-1/u-0123456789abcdef",
            "{\"tokens\": null, \"token\": null}",
            "/api/v1/projects/{project}/rollouts/{id}/history",
            "2026-11-25T18:00:00.123456789Z",
        ] {
            assert_eq!(redact(text), (text.to_owned(), 0));
        }
    }

    #[test]
    fn no_text_makes_it_fail() {
        for text in [
            "://",
            "token",
            "token=",
            "-----BEGIN ",
            "-----BEGIN PRIVATE",
            "ä://ö@ü/ß",
            "İpassword=x",
        ] {
            let _ = redact(text);
        }
    }
}
