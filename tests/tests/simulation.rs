//! Generated histories of the World under faults, with the design's rules asked after every event. A
//! seed that fails prints a short history and replays exactly: `FLAGSHIP_SEED=<n>` plays that one,
//! `FLAGSHIP_SEEDS=<n>` plays so many.

use flagship_tests::history::run_many;

/// Histories in a build without optimisation; `tests/run` asks for more.
const SEEDS: u64 = 100;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn rules_1_3_to_7_and_9_hold_in_generated_histories() {
    let seeds = match number("FLAGSHIP_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("FLAGSHIP_SEEDS").unwrap_or(SEEDS),
    };
    let tally = run_many(seeds);
    if let Some(failure) = tally.failure {
        panic!("{failure}");
    }
    println!("{} histories, no rule broken", tally.played);
}
