//! Small words that every sentence shares: the reason somebody gave or did not give, and things counted.
//! It decides nothing.

use jiff::Timestamp;

/// A person's reason as it stands in a sentence; where none was given, that is said in its place.
pub fn given(reason: &str) -> &str {
    if reason.trim().is_empty() {
        "no reason given"
    } else {
        reason
    }
}

/// `1 cluster`, `2 clusters`, `3 proxies`; of several words the last one is counted.
pub fn count(number: impl TryInto<u64>, what: &str) -> String {
    // What does not fit is more than one.
    let number = number.try_into().unwrap_or(u64::MAX);
    if number == 1 {
        return format!("1 {what}");
    }
    match what.strip_suffix('y') {
        Some(stem) if !stem.ends_with(['a', 'e', 'i', 'o', 'u']) => format!("{number} {stem}ies"),
        Some(_) | None if what.ends_with(['s', 'x', 'z']) => format!("{number} {what}es"),
        Some(_) | None => format!("{number} {what}s"),
    }
}

/// The same with its verb: `1 cluster has`, `2 clusters have`.
pub fn count_with(number: impl TryInto<u64>, what: &str, [one, several]: [&str; 2]) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    let verb = if number == 1 { one } else { several };
    format!("{} {verb}", count(number, what))
}

/// A moment in a sentence: RFC 3339, whole seconds, UTC.
pub fn moment(at: Timestamp) -> String {
    at.strftime("%FT%TZ").to_string()
}

/// Words after a colon, or nothing.
pub fn after_colon(words: &str) -> String {
    match words {
        "" => String::new(),
        words => format!(": {words}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sentence_without_a_reason_says_that_none_was_given() {
        assert_eq!(given("errors at the till"), "errors at the till");
        for none in ["", " ", "\n"] {
            assert_eq!(given(none), "no reason given");
        }
    }

    #[test]
    fn a_moment_has_whole_seconds() {
        let at: Timestamp = "2026-11-26T04:05:06.123456789Z".parse().unwrap();
        assert_eq!(moment(at), "2026-11-26T04:05:06Z");
    }

    #[test]
    fn one_is_one_and_all_else_is_several() {
        assert_eq!(count(0, "cluster"), "0 clusters");
        assert_eq!(count(1, "cluster"), "1 cluster");
        assert_eq!(count(2_usize, "failed check"), "2 failed checks");
        assert_eq!(count(2_u32, "proxy"), "2 proxies");
        assert_eq!(count(3_u64, "day"), "3 days");
        assert_eq!(count(2, "process"), "2 processes");
        let back = |number: u32| count_with(number, "cluster", ["has", "have"]);
        assert_eq!([back(1), back(2)], ["1 cluster has", "2 clusters have"]);
    }
}
