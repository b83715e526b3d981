//! A stream of events that somebody reads: it has a place among the readers, and a reader that takes
//! nothing, not even the signs of life, is cut.

use std::{
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures::Stream;
use tokio::time::Instant;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::costs::Reading;

/// How long a reader may take nothing; a sign of life is due every 15 s.
const STALL: Duration = Duration::from_secs(60);

/// A stream that is watched from outside for as long as it lives.
pub(super) struct Attended<S> {
    stream: Pin<Box<S>>,
    asked: Arc<Asked>,
    _end: Option<DropGuard>,
    _place: Reading,
}

/// When the stream was last asked for more.
struct Asked {
    began: Instant,
    after_ms: AtomicU64,
}

impl Asked {
    fn now(&self) {
        let after = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.after_ms.store(after, Ordering::Relaxed);
    }

    fn until_stalled(&self) -> Duration {
        let asked = Duration::from_millis(self.after_ms.load(Ordering::Relaxed));
        (asked + STALL).saturating_sub(self.began.elapsed())
    }
}

impl<S: Stream> Attended<S> {
    /// Gives the stream its place; `cut` ends its connection.
    pub(super) fn new(stream: S, place: Reading, cut: Option<CancellationToken>) -> Self {
        let asked = Arc::new(Asked {
            began: Instant::now(),
            after_ms: AtomicU64::new(0),
        });
        Self {
            stream: Box::pin(stream),
            _end: cut.map(|cut| watch(asked.clone(), cut)),
            asked,
            _place: place,
        }
    }
}

fn watch(asked: Arc<Asked>, cut: CancellationToken) -> DropGuard {
    let end = CancellationToken::new();
    let ended = end.clone();
    tokio::spawn(async move {
        loop {
            let left = asked.until_stalled();
            if left.is_zero() {
                tracing::info!("event stream cut: its reader takes nothing");
                return cut.cancel();
            }
            tokio::select! {
                () = tokio::time::sleep(left) => {}
                () = ended.cancelled() => return,
            }
        }
    });
    end.drop_guard()
}

impl<S: Stream> Stream for Attended<S> {
    type Item = S::Item;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<S::Item>> {
        self.asked.now();
        self.stream.as_mut().poll_next(cx)
    }
}
