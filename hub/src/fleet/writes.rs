//! What waits to be stored: the latest value per key, one write in flight per key, retried until it
//! is committed or overtaken. Holds values only; the caller runs the transactions.

use std::collections::BTreeMap;

/// Values on their way to the store.
#[derive(Debug)]
pub(crate) struct Writes<K, V> {
    slots: BTreeMap<K, Slot<V>>,
}

#[derive(Debug)]
struct Slot<V> {
    in_flight: Option<V>,
    waiting: Option<V>,
}

impl<K, V> Default for Writes<K, V> {
    fn default() -> Self {
        Self {
            slots: BTreeMap::new(),
        }
    }
}

impl<K: Ord + Clone, V: Clone> Writes<K, V> {
    /// Takes a newer value; what waited under the key is overtaken. Gives the value back when it is
    /// to be written now.
    pub(crate) fn put(&mut self, key: K, value: V) -> Option<V> {
        let slot = self.slots.entry(key).or_insert(Slot {
            in_flight: None,
            waiting: None,
        });
        if slot.in_flight.is_some() {
            slot.waiting = Some(value);
            return None;
        }
        slot.waiting = None;
        slot.in_flight = Some(value.clone());
        Some(value)
    }

    /// The write in flight was committed; gives what is to be written next, if anything waited.
    pub(crate) fn committed(&mut self, key: &K) -> Option<V> {
        let slot = self.slots.get_mut(key)?;
        slot.in_flight = slot.waiting.take();
        let next = slot.in_flight.clone();
        if next.is_none() {
            self.slots.remove(key);
        }
        next
    }

    /// The write in flight was not committed: its value waits again, unless a newer one does.
    pub(crate) fn failed(&mut self, key: &K) {
        let Some(slot) = self.slots.get_mut(key) else {
            return;
        };
        let value = slot.in_flight.take();
        if slot.waiting.is_none() {
            slot.waiting = value;
        }
    }

    /// Gives up a value that nobody needs any more.
    pub(crate) fn drop_key(&mut self, key: &K) {
        self.slots.remove(key);
    }

    /// Whether anything waits while nothing of its key is in flight.
    pub(crate) fn wait(&self) -> bool {
        let mut slots = self.slots.values();
        slots.any(|slot| slot.in_flight.is_none() && slot.waiting.is_some())
    }

    /// What waits while nothing of its key is in flight; each is in flight from now on.
    pub(crate) fn retry(&mut self) -> Vec<(K, V)> {
        let mut due = Vec::new();
        for (key, slot) in &mut self.slots {
            if slot.in_flight.is_none()
                && let Some(value) = slot.waiting.take()
            {
                slot.in_flight = Some(value.clone());
                due.push((key.clone(), value));
            }
        }
        due
    }

    /// Every key under which something is on its way.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &K> {
        self.slots.keys()
    }

    /// The value that is being written under a key.
    pub(crate) fn in_flight(&self, key: &K) -> Option<&V> {
        self.slots.get(key)?.in_flight.as_ref()
    }

    /// The newest value on its way under a key.
    pub(crate) fn newest(&self, key: &K) -> Option<&V> {
        let slot = self.slots.get(key)?;
        slot.waiting.as_ref().or(slot.in_flight.as_ref())
    }

    /// All values on their way.
    pub(crate) fn values(&self) -> impl Iterator<Item = &V> {
        self.slots
            .values()
            .flat_map(|slot| slot.in_flight.iter().chain(&slot.waiting))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_write_is_in_flight_per_key_and_the_latest_value_follows() {
        let mut writes: Writes<&str, u32> = Writes::default();
        assert_eq!(writes.put("a", 1), Some(1));
        assert_eq!(writes.put("a", 2), None, "1 is in flight");
        assert_eq!(writes.put("a", 3), None, "2 is overtaken");
        assert_eq!(
            writes.put("b", 4),
            Some(4),
            "keys do not wait for each other"
        );
        assert_eq!(writes.committed(&"a"), Some(3));
        assert_eq!(writes.committed(&"a"), None);
        assert_eq!(writes.newest(&"a"), None);
    }

    #[test]
    fn a_failed_write_is_tried_again_unless_a_newer_value_waits() {
        let mut writes: Writes<&str, u32> = Writes::default();
        writes.put("a", 1);
        writes.failed(&"a");
        assert_eq!(writes.retry(), [("a", 1)]);
        assert_eq!(writes.retry(), [], "it is in flight");
        writes.put("a", 2);
        writes.failed(&"a");
        assert_eq!(writes.retry(), [("a", 2)]);
    }
}
