//! Waiting longer after each failure, with jitter. The only use of the `backoff` crate, so that it
//! can be exchanged in one place.

use std::{future::Future, time::Duration};

use backoff::{ExponentialBackoff, ExponentialBackoffBuilder, backoff::Backoff as _};

/// The waits between tries: growing, with jitter, never longer than a limit.
#[derive(Debug)]
pub struct Backoff(ExponentialBackoff);

impl Backoff {
    /// Waits from `first` up to `longest`, without end.
    pub fn new(first: Duration, longest: Duration) -> Self {
        let waits = ExponentialBackoffBuilder::new()
            .with_initial_interval(first)
            .with_max_interval(longest)
            .with_multiplier(2.0)
            .with_max_elapsed_time(None)
            .build();
        Self(waits)
    }

    /// How long to wait before the next try.
    pub fn next_wait(&mut self) -> Duration {
        let longest = self.0.max_interval;
        self.0.next_backoff().unwrap_or(longest)
    }

    /// After a success that lasted for so long: begin with the first wait again if that was longer than any
    /// wait. Who lets everybody in and sends them away at once is not asked again all the time.
    pub fn lasted(&mut self, lived: Duration) {
        if lived >= self.0.max_interval {
            self.reset();
        }
    }

    /// After a success: begin with the first wait again.
    pub fn reset(&mut self) {
        self.0.reset();
    }
}

/// Tries until it succeeds, the error is not worth another try, or `tries` were made.
pub async fn retry<T, E, F: Future<Output = Result<T, E>>>(
    mut backoff: Backoff,
    tries: u32,
    is_retryable: impl Fn(&E) -> bool,
    mut action: impl FnMut() -> F,
) -> Result<T, E> {
    let mut made = 1;
    loop {
        match action().await {
            Err(error) if made < tries && is_retryable(&error) => {
                made += 1;
                tokio::time::sleep(backoff.next_wait()).await;
            }
            outcome => return outcome,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_successes_do_not_begin_the_waits_anew_and_a_long_one_does() {
        let (first, longest) = (Duration::from_millis(200), Duration::from_secs(15));
        let mut backoff = Backoff::new(first, longest);
        for _ in 0..10 {
            backoff.next_wait();
            backoff.lasted(Duration::from_secs(1));
        }
        assert!(backoff.next_wait() >= longest / 2, "it asks all the time");
        backoff.lasted(longest);
        assert!(
            backoff.next_wait() <= first * 3 / 2,
            "it waits after a good session"
        );
    }

    #[test]
    fn waits_grow_up_to_the_longest() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let waits: Vec<Duration> = (0..20).map(|_| backoff.next_wait()).collect();
        assert!(waits[0] <= Duration::from_millis(150), "{waits:?}");
        assert!(
            waits
                .iter()
                .all(|wait| *wait <= Duration::from_millis(1500)),
            "{waits:?}"
        );
        assert!(waits[10] >= Duration::from_millis(500), "{waits:?}");
        backoff.reset();
        assert!(backoff.next_wait() <= Duration::from_millis(150));
    }
}
