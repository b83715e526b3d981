//! Many histories on all cores. The lowest seed that breaks a rule is reported, whatever the order in
//! which they were played.

use std::{
    panic::{self, AssertUnwindSafe},
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use super::{Failure, History, live, shrink, shrink::Outcome};
use crate::invariant::Broken;

/// What came of many histories.
#[derive(Debug)]
pub struct Tally {
    /// How many were played.
    pub played: u64,
    /// The first that broke a rule, shrunk.
    pub failure: Option<Box<Failure>>,
}

/// Plays the histories of these seeds, on as many threads as there are cores.
pub fn run_many(seeds: std::ops::Range<u64>) -> Tally {
    let next = AtomicU64::new(seeds.start);
    let lowest = AtomicU64::new(u64::MAX);
    let played = AtomicU64::new(0);
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= seeds.end || seed > lowest.load(Ordering::Relaxed) {
                        return;
                    }
                    if live_caught(&History::draw(seed)).is_some() {
                        lowest.fetch_min(seed, Ordering::Relaxed);
                    }
                    played.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    let lowest = lowest.into_inner();
    let failed = (lowest != u64::MAX).then(|| History::draw(lowest));
    Tally {
        played: played.into_inner(),
        failure: failed
            .and_then(|drawn| shrink(&drawn, live_caught))
            .map(Box::new),
    }
}

/// What a history breaks and its log; a panic is broken too.
fn live_caught(history: &History) -> Outcome {
    match panic::catch_unwind(AssertUnwindSafe(|| live(history))) {
        Ok(life) => life.broken.map(|broken| (broken, life.world.log)),
        Err(payload) => {
            let words = payload.downcast_ref::<String>().cloned();
            let words = words.or_else(|| payload.downcast_ref::<&str>().map(|s| (*s).to_owned()));
            let broken = Broken {
                rule: "0: nothing panics".to_owned(),
                what: words.unwrap_or_else(|| "it panicked".to_owned()),
            };
            Some((broken, Vec::new()))
        }
    }
}
