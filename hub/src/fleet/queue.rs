//! What a session still has to be told: keys, ordered by priority; the value is read when it is sent.
//!
//! A queue holds no values, so it is bounded by the number of keys and the latest value always
//! wins: abort before order before lease before the rest (P10).

use std::collections::BTreeSet;

use flagship_proto::model::{AbortId, Tick, WorkloadRef};

/// One thing to tell, in the order in which things are told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Key {
    /// Who the hub is; opens the conversation.
    Welcome,
    /// An abort, or its lift: whichever holds when it is sent.
    Abort(AbortId),
    /// The session ends; nothing below it is sent any more.
    Goodbye,
    /// The order for a workload.
    Order(WorkloadRef),
    /// The end of local control over a workload.
    LocalRelease(WorkloadRef),
    /// The answer to the last lease request.
    Grant,
    /// The last committed report.
    Ack,
}

/// The keys that wait, and since when nobody took one.
#[derive(Debug, Default)]
pub(super) struct Queue {
    keys: BTreeSet<Key>,
    stalled_since: Option<Tick>,
}

impl Queue {
    /// Marks something to be told; says whether the queue was empty, so that its reader has to be woken.
    pub(super) fn mark(&mut self, key: Key, now: Tick) -> bool {
        let was_empty = self.keys.is_empty();
        self.keys.insert(key);
        self.stalled_since.get_or_insert(now);
        was_empty
    }

    /// What is told next.
    pub(super) fn take(&mut self, now: Tick) -> Option<Key> {
        let key = self.keys.pop_first();
        self.stalled_since = (!self.keys.is_empty()).then_some(now);
        key
    }

    /// Since when something waits and nothing was taken.
    pub(super) fn stalled_since(&self) -> Option<Tick> {
        self.stalled_since
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use flagship_proto::model::Mono;
    use jiff::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn at(millis: u64) -> Tick {
        Tick {
            wall: Timestamp::UNIX_EPOCH,
            mono: Mono { run: 1, millis },
        }
    }

    fn key(n: u8) -> Key {
        match n % 6 {
            0 => Key::Abort(format!("a{}", n / 6).parse().unwrap()),
            1 | 2 => Key::Order(format!("shop/Deployment/w{}", n / 6).parse().unwrap()),
            3 => Key::Grant,
            4 => Key::Ack,
            _ => Key::Welcome,
        }
    }

    proptest! {
        #[test]
        fn p10_the_latest_value_of_every_key_is_told_and_the_queue_stays_bounded(
            steps in proptest::collection::vec((any::<bool>(), 0_u8..30), 0..200),
        ) {
            let mut queue = Queue::default();
            let mut values: BTreeMap<Key, usize> = BTreeMap::new();
            let mut told: BTreeMap<Key, usize> = BTreeMap::new();
            for (n, (put, which)) in steps.into_iter().enumerate() {
                if put {
                    values.insert(key(which), n);
                    queue.mark(key(which), at(n as u64));
                } else if let Some(next) = queue.take(at(n as u64)) {
                    told.insert(next.clone(), values[&next]);
                }
                prop_assert!(queue.keys.len() <= values.len());
            }
            let mut last = None;
            while let Some(next) = queue.take(at(1_000)) {
                prop_assert!(last.as_ref().is_none_or(|last| *last < next));
                told.insert(next.clone(), values[&next]);
                last = Some(next);
            }
            prop_assert_eq!(told, values);
        }
    }

    #[test]
    fn p10_an_abort_goes_before_an_order_a_lease_and_the_rest() {
        let mut queue = Queue::default();
        for n in [4, 3, 1, 0] {
            queue.mark(key(n), at(0));
        }
        let order: Vec<Key> = std::iter::from_fn(|| queue.take(at(1))).collect();
        assert_eq!(order, [key(0), key(1), key(3), key(4)]);
    }

    #[test]
    fn trap_37_a_queue_that_nobody_reads_says_since_when() {
        let mut queue = Queue::default();
        assert!(queue.mark(key(0), at(5)), "the reader has to be woken");
        assert!(!queue.mark(key(1), at(7)));
        assert_eq!(queue.stalled_since(), Some(at(5)));
        queue.take(at(9));
        assert_eq!(queue.stalled_since(), Some(at(9)));
        queue.take(at(10));
        assert_eq!(queue.stalled_since(), None);
    }
}
