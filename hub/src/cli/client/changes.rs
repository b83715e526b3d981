//! Waiting for a change on the hub: its event stream while that works, else a look now and then.

use std::{pin::Pin, time::Duration};

use eventsource_stream::Eventsource as _;
use futures::{Stream, StreamExt as _};
use reqwest::Method;
use tokio::time::{Instant, timeout_at};

use super::Client;

/// Changes that come close together are one.
const GATHER: Duration = Duration::from_millis(60);

type Ids = Pin<Box<dyn Stream<Item = Option<String>> + Send>>;

/// Tells when to look again.
pub struct Changes {
    client: Client,
    stream: Option<Ids>,
    last: Option<String>,
}

impl Changes {
    /// Follows the hub from a store sequence on.
    pub fn from(client: &Client, seq: u64) -> Self {
        Self {
            client: client.clone(),
            stream: None,
            last: Some(seq.to_string()),
        }
    }

    /// Returns after the next change, or after `longest` without one.
    pub async fn next(&mut self, longest: Duration) {
        let end = Instant::now() + longest;
        if self.stream.is_none() {
            self.stream = timeout_at(end, self.open()).await.ok().flatten();
        }
        let Some(stream) = &mut self.stream else {
            tokio::time::sleep_until(end).await;
            return;
        };
        match timeout_at(end, stream.next()).await {
            Err(_) => return,
            Ok(Some(Some(id))) => self.last = Some(id),
            Ok(Some(None) | None) => {
                self.stream = None;
                tokio::time::sleep_until(end.min(Instant::now() + Duration::from_millis(500)))
                    .await;
                return;
            }
        }
        let gathered = Instant::now() + GATHER;
        while let Ok(Some(Some(id))) = timeout_at(gathered, stream.next()).await {
            self.last = Some(id);
        }
    }

    async fn open(&mut self) -> Option<Ids> {
        let mut request = self
            .client
            .request(Method::GET, "/api/v1/events")
            .timeout(Duration::from_secs(24 * 3600));
        if let Some(last) = &self.last {
            request = request.header("last-event-id", last);
        }
        let answer = self.client.send(request).await.ok()?;
        let ids = answer
            .bytes_stream()
            .eventsource()
            .map(|event| event.ok().map(|event| event.id));
        Some(Box::pin(ids))
    }
}
