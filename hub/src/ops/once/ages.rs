//! Which kept answers go when room is needed: the outdated ones, then the eldest of whoever keeps too many.
//! So nobody pushes out what others keep, however many keys they draw.

use std::collections::{BTreeMap, BTreeSet};

use flagship_proto::{digest::Digest, model::TokenId};
use jiff::Timestamp;

use super::{BYTES, BYTES_OF_ONE, CLEARED, KEPT, MOST, MOST_OF_ONE};
use crate::records::IdempotencyRow;

/// A kept answer by its age.
pub(super) type Aged = (Timestamp, Digest);

/// One that had to go.
pub(super) type Gone = (Aged, Size);

/// What each credential keeps; the hub itself has none.
#[derive(Debug, Default)]
pub(super) struct Sizes {
    by_age: BTreeMap<Aged, Size>,
    owners: BTreeMap<Option<TokenId>, Owned>,
    all: Total,
}

#[derive(Debug, Clone)]
pub(super) struct Size {
    owner: Option<TokenId>,
    bytes: usize,
}

#[derive(Debug, Default)]
struct Owned {
    by_age: BTreeSet<Aged>,
    total: Total,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Total {
    bytes: usize,
    count: usize,
}

impl Total {
    fn more(&mut self, bytes: usize) {
        self.bytes += bytes;
        self.count += 1;
    }

    fn less(&mut self, bytes: usize) {
        self.bytes -= bytes;
        self.count -= 1;
    }

    fn is_full(self, most: usize, bytes: usize) -> bool {
        self.count >= most || self.bytes >= bytes
    }
}

impl Sizes {
    /// Notes what is kept.
    pub(super) fn set(&mut self, row: &IdempotencyRow) {
        let (owner, bytes) = (row.owner.clone(), row.size());
        self.add((row.at, row.hash), Size { owner, bytes });
    }

    fn add(&mut self, aged: Aged, size: Size) {
        self.remove(aged);
        let owned = self.owners.entry(size.owner.clone()).or_default();
        owned.by_age.insert(aged);
        owned.total.more(size.bytes);
        self.all.more(size.bytes);
        self.by_age.insert(aged, size);
    }

    fn remove(&mut self, aged: Aged) -> Option<Size> {
        let size = self.by_age.remove(&aged)?;
        self.all.less(size.bytes);
        if let Some(owned) = self.owners.get_mut(&size.owner) {
            owned.by_age.remove(&aged);
            owned.total.less(size.bytes);
            if owned.by_age.is_empty() {
                self.owners.remove(&size.owner);
            }
        }
        Some(size)
    }

    /// What has to go so that one more of this owner may come; taken out at once.
    pub(super) fn make_room(&mut self, owner: &Option<TokenId>, now: Timestamp) -> Vec<Gone> {
        let mut gone = Vec::new();
        while gone.len() < CLEARED
            && let Some(aged) = self.next_to_go(owner, now)
            && let Some(size) = self.remove(aged)
        {
            gone.push((aged, size));
        }
        gone
    }

    /// Nothing came: what had to go is kept on.
    pub(super) fn put_back(&mut self, gone: Vec<Gone>) {
        for (aged, size) in gone {
            self.add(aged, size);
        }
    }

    fn next_to_go(&self, owner: &Option<TokenId>, now: Timestamp) -> Option<Aged> {
        let is_old = |at: Timestamp| at < now && at.duration_until(now).unsigned_abs() > KEPT;
        let (eldest, _) = self.by_age.first_key_value()?;
        if is_old(eldest.0) {
            return Some(*eldest);
        }
        let theirs = self.owners.get(owner);
        if let Some(owned) = theirs.filter(|owned| owned.total.is_full(MOST_OF_ONE, BYTES_OF_ONE)) {
            return owned.by_age.first().copied();
        }
        if !self.all.is_full(MOST, BYTES) {
            return None;
        }
        let most = self.owners.values().max_by_key(|owned| owned.total)?;
        most.by_age.first().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(owner: &str, number: usize) -> IdempotencyRow {
        let at = Timestamp::from_second(1_800_000_000 + i64::try_from(number).unwrap()).unwrap();
        IdempotencyRow {
            hash: Digest::of(format!("{owner}-{number}").as_bytes()),
            owner: Some(owner.parse().unwrap()),
            action: "rollout.start".to_owned(),
            request: Digest::of(b"request"),
            answer: serde_json::Value::Null,
            at,
            response: None,
        }
    }

    fn keep(sizes: &mut Sizes, row: &IdempotencyRow) -> usize {
        let went = sizes.make_room(&row.owner, row.at).len();
        sizes.set(row);
        went
    }

    #[test]
    fn who_draws_ever_new_keys_pushes_out_only_their_own() {
        let mut sizes = Sizes::default();
        for number in 0..10 {
            keep(&mut sizes, &row("aa", number));
        }
        for number in 0..3 * MOST {
            keep(&mut sizes, &row("bb", number));
        }
        let count = |name: &str| sizes.owners[&Some(name.parse().unwrap())].total.count;
        assert_eq!((count("aa"), count("bb")), (10, MOST_OF_ONE));
    }

    #[test]
    fn many_who_draw_keys_push_out_their_own_and_all_together_are_bounded() {
        let mut sizes = Sizes::default();
        keep(&mut sizes, &row("aa", 0));
        let names: Vec<String> = (0..8).map(|n| format!("b{n}")).collect();
        for number in 0..MOST_OF_ONE {
            for name in &names {
                keep(&mut sizes, &row(name, number));
            }
        }
        assert_eq!(sizes.all.count, MOST);
        assert!(sizes.owners.contains_key(&Some("aa".parse().unwrap())));
        assert_eq!(sizes.by_age.len(), sizes.all.count);
    }

    #[test]
    fn what_is_a_day_old_goes_whoever_keeps_it() {
        let mut sizes = Sizes::default();
        keep(&mut sizes, &row("aa", 0));
        assert_eq!(keep(&mut sizes, &row("bb", 25 * 3600)), 1);
        assert_eq!(sizes.all.count, 1);
    }
}
