//! Webhooks of a canary, with Flagger's payload: asked with a deadline, tried again, never trusted.
//!
//! Any 2xx is success (Flagger refused 204, W25). Every call carries the stored id of the question
//! as `Idempotency-Key`, so that a hook that is asked again after a restart can tell.

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, time::Duration};

use flagship_proto::{
    model::{
        Phase,
        canary::{Webhook, WebhookType},
    },
    process::retry::{Backoff, retry},
};
use serde::Serialize;

use crate::outside::{Clients, unreachable};

/// Most bytes of an answer that are read; more are left.
const LARGEST_ANSWER: usize = 64 * 1024;

/// What is posted: Flagger's fields (flagger.md §4.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Payload {
    /// The canary's name.
    pub name: String,
    /// Its name space.
    pub namespace: String,
    /// Its phase when asked.
    pub phase: Phase,
    /// Names the revision that is asked about.
    pub checksum: String,
    /// The hook's own metadata, and what an event adds.
    pub metadata: BTreeMap<String, String>,
}

/// One call.
#[derive(Debug, Clone)]
pub struct HookCall {
    /// The stored id of the question; goes out as `Idempotency-Key`.
    pub id: String,
    /// Whom to ask.
    pub hook: Webhook,
    /// What to say.
    pub payload: Payload,
}

/// What came back, in the words that events and status show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookAnswer {
    /// Whether it was a 2xx.
    pub ok: bool,
    /// Hook, status, and the beginning of the answer or the error.
    pub words: String,
}

/// The client of all hooks of an agent.
#[derive(Debug, Clone)]
pub struct HookClient(Clients);

impl Default for HookClient {
    /// It follows no redirects: a 3xx is an answer, and not a success.
    fn default() -> Self {
        Self(Clients::new(false))
    }
}

impl HookClient {
    /// Asks, and asks again after failures that may pass, as often as the hook says.
    pub async fn call(&self, call: &HookCall) -> HookAnswer {
        let tries = call.hook.retries.unwrap_or(0).min(20) + 1;
        let backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
        let outcome = retry(backoff, tries, CallError::is_retryable, || self.once(call)).await;
        let HookCall { hook, .. } = call;
        match outcome {
            Ok(status) => HookAnswer {
                ok: true,
                words: format!("{} hook {} answered {status}", hook.kind, hook.name),
            },
            Err(error) => HookAnswer {
                ok: false,
                words: format!("{} hook {} {error}", hook.kind, hook.name),
            },
        }
    }

    async fn once(&self, call: &HookCall) -> Result<u16, CallError> {
        let client = self
            .0
            .get(call.hook.disable_tls)
            .map_err(CallError::Unreachable)?;
        let deadline = call.hook.timeout();
        let exchange = async {
            let response = client
                .post(&call.hook.url)
                .header("idempotency-key", &call.id)
                .json(&call.payload)
                .send()
                .await
                .map_err(|error| CallError::Unreachable(unreachable(error)))?;
            let status = response.status();
            if status.is_success() {
                return Ok(status.as_u16());
            }
            let said = beginning(response).await;
            Err(CallError::Refused {
                status: status.as_u16(),
                said,
            })
        };
        tokio::time::timeout(deadline, exchange)
            .await
            .unwrap_or(Err(CallError::Late(deadline)))
    }
}

/// The first line of an answer, cut; what cannot be read is left out.
async fn beginning(mut response: reqwest::Response) -> String {
    let mut bytes = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        bytes.extend_from_slice(&chunk);
        if bytes.len() >= LARGEST_ANSWER {
            break;
        }
    }
    first_line(&bytes)
}

pub(crate) fn first_line(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let line = text.trim().lines().next().unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(200).collect()
}

/// Why a call was not a success.
#[derive(Debug, thiserror::Error)]
enum CallError {
    #[error("answered {status}{}", if said.is_empty() { String::new() } else { format!(": {said}") })]
    Refused { status: u16, said: String },
    #[error("did not answer within {0:?}")]
    Late(Duration),
    #[error("cannot be reached: {0}")]
    Unreachable(String),
}

impl CallError {
    /// A closed gate (4xx) is an answer; asking it again at once changes nothing.
    fn is_retryable(&self) -> bool {
        match self {
            Self::Refused { status, .. } => *status >= 500 || *status == 429,
            Self::Late(_) | Self::Unreachable(_) => true,
        }
    }
}

/// The payload of an `event` hook: Flagger's three keys, which metadata cannot override.
pub fn event_metadata(
    hook: &Webhook,
    message: &str,
    warning: bool,
    at: jiff::Timestamp,
) -> BTreeMap<String, String> {
    debug_assert_eq!(hook.kind, WebhookType::Event);
    let mut metadata = hook.metadata.clone();
    let kind = if warning { "Warning" } else { "Normal" };
    metadata.insert("eventMessage".into(), message.into());
    metadata.insert("eventType".into(), kind.into());
    metadata.insert("timestamp".into(), at.as_millisecond().to_string());
    metadata
}
