//! Of many that stand, some by name and the rest by number: nobody's hide what others say.

use std::{cmp::Reverse, collections::BTreeMap};

use flagship_proto::words::count_with;
use jiff::Timestamp;

use crate::api::types::{About, Banner};

/// Longest scope in a banner, in characters; whole it is in the view of what stands.
const SCOPE: usize = 160;

/// Those that are named, at most `most`, and the rest. Of too many some of each author come, the newest first:
/// `of` says whose one is, and what is higher of a newer one.
pub(super) fn shared<'a, R, K: Ord>(
    mut all: Vec<&'a R>,
    most: usize,
    of: impl Fn(&'a R) -> (&'a str, K),
) -> (Vec<&'a R>, Vec<&'a R>) {
    if all.len() > most {
        all.sort_by_key(|row| Reverse(of(row).1));
        let mut of_author: BTreeMap<&str, usize> = BTreeMap::new();
        let placed = all.into_iter().map(|row| {
            let place = of_author.entry(of(row).0).or_default();
            *place += 1;
            (*place, row)
        });
        let mut placed: Vec<_> = placed.collect();
        placed.sort_by_key(|(place, _)| *place);
        all = placed.into_iter().map(|(_, row)| row).collect();
    }
    let rest = all.split_off(all.len().min(most));
    (all, rest)
}

/// Those that are not named, in one line with the command that lists them; none where all are.
pub(super) fn counted(
    (kind, id): (&str, &str),
    what: &str,
    since: impl ExactSizeIterator<Item = Timestamp>,
    remedy: String,
) -> Option<Banner> {
    let number = since.len();
    since.min().map(|since| Banner {
        kind: kind.to_owned(),
        id: id.to_owned(),
        text: count_with(number, what, ["stands", "stand"]),
        since,
        remedy,
        about: About::Seen,
    })
}

/// A scope as a banner says it.
pub(super) fn scope(scope: &impl ToString) -> String {
    let whole = scope.to_string();
    match whole.char_indices().nth(SCOPE) {
        Some((end, _)) => format!("{}…", &whole[..end]),
        None => whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_each_author_has_some_named_and_a_long_scope_is_cut() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let many = (1..40).map(|second| ("eve", at(second)));
        let all: Vec<_> = [("ann", at(0))].into_iter().chain(many).collect();
        let (named, rest) = shared(all.iter().collect(), 4, |row| *row);
        let authors: Vec<_> = named.iter().map(|row| row.0).collect();
        assert_eq!(authors, ["eve", "ann", "eve", "eve"]);
        assert_eq!(rest.len(), 36);
        let few = shared(all.iter().take(3).collect(), 4, |row| *row);
        assert_eq!((few.0[0].0, few.1.len()), ("ann", 0), "in their order");
        assert_eq!(scope(&"é".repeat(200)).chars().count(), SCOPE + 1);
        assert_eq!(scope(&"fleet"), "fleet");
    }
}
