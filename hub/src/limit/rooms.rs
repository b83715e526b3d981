//! How many at a time: a room with a number of places for each who asks.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Rooms by who asks; each has the same number of places, and is forgotten when the last one leaves.
#[derive(Debug)]
pub struct Rooms<K: Eq + Hash> {
    places: usize,
    rooms: Mutex<HashMap<K, Arc<Semaphore>>>,
}

/// A place; given back when dropped.
#[derive(Debug)]
pub struct Entered<K: Eq + Hash> {
    rooms: Arc<Rooms<K>>,
    key: K,
    room: Option<Arc<Semaphore>>,
    permit: Option<OwnedSemaphorePermit>,
}

impl<K: Eq + Hash + Clone> Rooms<K> {
    /// With so many places each.
    pub fn new(places: usize) -> Arc<Self> {
        Arc::new(Self {
            places,
            rooms: Mutex::new(HashMap::new()),
        })
    }

    /// A place, if one is free.
    pub fn try_enter(self: &Arc<Self>, key: K) -> Option<Entered<K>> {
        let mut entered = self.at_the_door(key);
        let room = entered.room.clone()?;
        entered.permit = Some(room.try_acquire_owned().ok()?);
        Some(entered)
    }

    /// A place, as soon as one is free.
    pub async fn enter(self: &Arc<Self>, key: K) -> Entered<K> {
        let mut entered = self.at_the_door(key);
        if let Some(room) = entered.room.clone() {
            entered.permit = room.acquire_owned().await.ok();
        }
        entered
    }

    fn at_the_door(self: &Arc<Self>, key: K) -> Entered<K> {
        let mut rooms = self.lock();
        let room = rooms
            .entry(key.clone())
            .or_insert_with(|| Arc::new(Semaphore::new(self.places)));
        Entered {
            rooms: self.clone(),
            key,
            room: Some(room.clone()),
            permit: None,
        }
    }
}

impl<K: Eq + Hash> Rooms<K> {
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Arc<Semaphore>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Eq + Hash> Drop for Entered<K> {
    fn drop(&mut self) {
        let mut rooms = self.rooms.lock();
        self.permit = None;
        self.room = None;
        let is_empty = |room: &Arc<Semaphore>| Arc::strong_count(room) == 1;
        if rooms.get(&self.key).is_some_and(is_empty) {
            rooms.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_its_own_places_and_an_empty_room_is_forgotten() {
        let rooms = Rooms::new(2);
        let held = [rooms.try_enter("a"), rooms.try_enter("a")];
        assert!(held.iter().all(Option::is_some));
        assert!(rooms.try_enter("a").is_none());
        assert!(rooms.try_enter("b").is_some());
        drop(held);
        assert!(rooms.lock().is_empty());
    }

    #[tokio::test]
    async fn who_waits_enters_when_another_leaves_and_who_gives_up_leaves_nothing() {
        let rooms = Rooms::new(1);
        let first = rooms.enter("a").await;
        let waiting = tokio::spawn({
            let rooms = rooms.clone();
            async move { drop(rooms.enter("a").await) }
        });
        let gave_up = tokio::time::timeout(std::time::Duration::from_millis(1), rooms.enter("a"));
        assert!(gave_up.await.is_err());
        drop(first);
        waiting.await.unwrap();
        assert!(rooms.lock().is_empty());
    }
}
