//! Which of many refusals are written down: a few of each who is refused, not too many in all, and with
//! the next one how many were left out. Guessing must not fill the disk, nor hide other refusals.

use std::hash::Hash;

use flagship_proto::model::Mono;

use super::{Bucket, Rate, Rates};

/// Of one who is refused.
const EACH: Rate = Rate {
    burst: 10,
    per_minute: 10,
};
/// In all.
const ALL: Rate = Rate {
    burst: 60,
    per_minute: 60,
};

/// Decides what is written down.
#[derive(Debug)]
pub struct Sample<K> {
    each: Rates<K>,
    all: Option<Bucket>,
    left_out: u64,
}

impl<K: Eq + Hash> Default for Sample<K> {
    fn default() -> Self {
        Self {
            each: Rates::new(EACH),
            all: None,
            left_out: 0,
        }
    }
}

impl<K: Eq + Hash> Sample<K> {
    /// The reason to write down, if this one is written down at all.
    pub fn note(&mut self, key: K, reason: &str, now: Mono) -> Option<String> {
        let all = self.all.get_or_insert_with(|| Bucket::full(ALL, now));
        if !(self.each.take(key, now) && all.take(1, ALL, now)) {
            self.left_out += 1;
            return None;
        }
        Some(match std::mem::take(&mut self.left_out) {
            0 => reason.to_owned(),
            more => format!("{reason} (and {more} refusals before this one, not written down)"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_few_of_each_are_written_down_and_the_next_says_how_many_were_not() {
        let mut sample = Sample::default();
        let at = |millis| Mono { run: 1, millis };
        let mut note = |key: u32, millis| sample.note(key, "wrong", at(millis));
        let of_one = (0..1_000).filter_map(|_| note(1, 0)).count();
        assert_eq!(of_one, 10);
        let said = note(2, 0).unwrap();
        assert_eq!(
            said,
            "wrong (and 990 refusals before this one, not written down)"
        );
        let of_many = (3..1_000).filter_map(|key| note(key, 0)).count();
        assert_eq!(of_many, 49, "60 in all");
        assert!(note(1_000, 1_000).is_some(), "a second later there is room");
    }
}
