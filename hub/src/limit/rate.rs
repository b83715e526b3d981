//! How often something may happen: a bucket of tokens that fills again with time.

use std::{collections::HashMap, hash::Hash};

use flagship_proto::model::Mono;

/// How many buckets are kept; who comes after shares one, so that a flood from ever new places costs a
/// bounded memory and is slowed as one.
const MOST: usize = 10_000;

/// Parts of a token: milliseconds of a minute, so that however often one asks, no time is lost.
const PARTS: u64 = 60_000;

/// What a bucket holds, and how it fills.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// At once, after a rest.
    pub burst: u32,
    /// In the long run.
    pub per_minute: u32,
}

/// The tokens of one who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// In parts of a token: what a minute brings of them in a millisecond is a whole number.
    left: u64,
    at: Mono,
}

impl Bucket {
    /// A full one.
    pub fn full(rate: Rate, now: Mono) -> Self {
        Self {
            left: u64::from(rate.burst) * PARTS,
            at: now,
        }
    }

    fn fill(&mut self, rate: Rate, now: Mono) {
        let full = u64::from(rate.burst) * PARTS;
        self.left = match now.since(self.at) {
            Some(age) => {
                let millis = u64::try_from(age.as_millis()).unwrap_or(u64::MAX);
                let more = millis.saturating_mul(u64::from(rate.per_minute));
                self.left.saturating_add(more).min(full)
            }
            None => self.left.min(full),
        };
        self.at = now;
    }

    /// Takes some tokens if they are there.
    pub fn take(&mut self, tokens: u32, rate: Rate, now: Mono) -> bool {
        self.fill(rate, now);
        match self.left.checked_sub(u64::from(tokens) * PARTS) {
            Some(left) => {
                self.left = left;
                true
            }
            None => false,
        }
    }

    fn is_full(&mut self, rate: Rate, now: Mono) -> bool {
        self.fill(rate, now);
        self.left >= u64::from(rate.burst) * PARTS
    }
}

/// A bucket for each who asks.
#[derive(Debug)]
pub struct Rates<K> {
    rate: Rate,
    buckets: HashMap<K, Bucket>,
    others: Option<Bucket>,
}

impl<K: Eq + Hash> Rates<K> {
    /// The same rate for all.
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            buckets: HashMap::new(),
            others: None,
        }
    }

    /// Takes one token of `key`, if there is one.
    pub fn take(&mut self, key: K, now: Mono) -> bool {
        let rate = self.rate;
        self.bucket(key, now).take(1, rate, now)
    }

    /// Whether a token of `key` is left; none is taken.
    pub fn has_left(&mut self, key: K, now: Mono) -> bool {
        let rate = self.rate;
        let mut as_it_is = *self.bucket(key, now);
        as_it_is.take(1, rate, now)
    }

    fn bucket(&mut self, key: K, now: Mono) -> &mut Bucket {
        let rate = self.rate;
        if self.buckets.len() >= MOST && !self.buckets.contains_key(&key) {
            self.buckets.retain(|_, bucket| !bucket.is_full(rate, now));
            if self.buckets.len() >= MOST {
                return self.others.get_or_insert_with(|| Bucket::full(rate, now));
            }
        }
        self.buckets
            .entry(key)
            .or_insert_with(|| Bucket::full(rate, now))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: Rate = Rate {
        burst: 3,
        per_minute: 60,
    };

    fn at(millis: u64) -> Mono {
        Mono { run: 1, millis }
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_what_time_brings() {
        let mut rates = Rates::new(RATE);
        for _ in 0..3 {
            assert!(rates.has_left("a", at(0)));
            assert!(rates.take("a", at(0)));
        }
        assert!(!rates.has_left("a", at(0)));
        assert!(!rates.take("a", at(999)));
        assert!(rates.take("b", at(999)), "others have their own");
        assert!(rates.take("a", at(1_000)));
        assert!(!rates.take("a", at(1_000)));
    }

    #[test]
    fn ever_new_keys_cost_bounded_memory_and_share_one_bucket() {
        let mut rates = Rates::new(RATE);
        let passed = (0..3 * MOST).filter(|key| rates.take(*key, at(0))).count();
        assert_eq!(rates.buckets.len(), MOST);
        assert_eq!(passed, MOST + 3);
        assert!(rates.take(3 * MOST, at(1_000)), "full ones make room");
        assert!(rates.buckets.len() < MOST);
    }

    proptest! {
        #[test]
        fn no_more_passes_than_burst_and_rate_allow(
            gaps in proptest::collection::vec(0_u64..3_000, 1..200),
        ) {
            let mut bucket = Bucket::full(RATE, at(0));
            let (mut now, mut passed) = (0, 0_u64);
            for gap in gaps {
                now += gap;
                passed += u64::from(bucket.take(1, RATE, at(now)));
                prop_assert!(passed <= 3 + now / 1_000);
            }
        }
    }
}
