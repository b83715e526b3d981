//! Sends spans in the background: a bounded queue, batches, a deadline. What cannot be sent is lost, and
//! counted; nothing that decides ever waits for it.

use std::{
    path::{Path, PathBuf},
    pin::pin,
    time::Duration,
};

use percent_encoding::percent_decode_str;
use prometheus_client::metrics::counter::Counter;
use prost::Message as _;
use reqwest::{
    Certificate, Client, ClientBuilder, Response, Url,
    header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue},
    redirect::Policy,
};
use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    time::sleep,
};
use tokio_util::sync::CancellationToken;

use super::{Span, TraceArgs, otlp::Request};
use crate::process::{
    files,
    metrics::Page,
    retry::{Backoff, retry},
};

/// Spans that wait; more are lost.
const QUEUE: usize = 8192;
/// Spans of one request.
const BATCH: usize = 512;
/// How long spans wait for others.
const GATHER: Duration = Duration::from_secs(1);
/// How long the receiver may take.
const DEADLINE: Duration = Duration::from_secs(10);
/// How long all that waits may take when the process ends.
const FAREWELL: Duration = Duration::from_secs(2);
/// How often a batch is tried.
const TRIES: u32 = 4;
/// Between tries, at first and at most.
const WAITS: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(5));
/// So much of an answer is read, in bytes.
const ANSWER: usize = 512;
/// The most bytes of a file with CAs.
const LARGEST_CA: u64 = 1024 * 1024;

/// Why traces cannot be sent as it was asked for. No value but a file's name is repeated: any of them may
/// hold a secret.
#[derive(Debug, thiserror::Error)]
pub enum NotTraced {
    /// The endpoint is no address.
    #[error(
        "--otlp-endpoint (OTEL_EXPORTER_OTLP_ENDPOINT) is not a bare address of http or https: write http://HOST:4318, and what opens the receiver into OTEL_EXPORTER_OTLP_HEADERS"
    )]
    Endpoint,
    /// Another protocol was asked for.
    #[error(
        "OTEL_EXPORTER_OTLP_PROTOCOL asks for another protocol than http/protobuf (port 4318), the only one in which traces are sent"
    )]
    Protocol,
    /// The headers cannot be read.
    #[error("OTEL_EXPORTER_OTLP_HEADERS is not name=value, with commas between")]
    Headers,
    /// The CA of the receiver cannot be taken.
    #[error("--otlp-ca (OTEL_EXPORTER_OTLP_CERTIFICATE) {}: {why}", path.display())]
    Ca {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// The client cannot be made.
    #[error("the client for traces cannot be made: {0}")]
    Client(#[from] reqwest::Error),
}

/// Takes spans, or nothing where no endpoint is set. Clones share the queue.
#[derive(Debug, Clone, Default)]
pub struct Tracer {
    queue: Option<Sender<Span>>,
    counts: Counts,
}

/// What became of spans.
#[derive(Debug, Clone, Default)]
struct Counts {
    sent: Counter,
    lost: Counter,
}

impl Tracer {
    /// By the settings and the standard's variables; no exporter where no endpoint is set.
    pub fn new(
        args: &TraceArgs,
        service: &'static str,
    ) -> Result<(Self, Option<Exporter>), NotTraced> {
        let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        Self::with(args, service, variable)
    }

    pub(super) fn with(
        args: &TraceArgs,
        service: &'static str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<(Self, Option<Exporter>), NotTraced> {
        let given = args.otlp_endpoint.as_deref();
        let Some(endpoint) = given.filter(|text| !text.is_empty()) else {
            return Ok((Self::default(), None));
        };
        let protocol = variable("OTEL_EXPORTER_OTLP_PROTOCOL");
        if protocol.is_some_and(|protocol| protocol != "http/protobuf") {
            return Err(NotTraced::Protocol);
        }
        let headers = variable("OTEL_EXPORTER_OTLP_HEADERS").unwrap_or_default();
        let client = Client::builder()
            .timeout(DEADLINE)
            .redirect(Policy::none())
            .user_agent(concat!("flagship/", env!("CARGO_PKG_VERSION")))
            .pool_max_idle_per_host(1)
            .default_headers(read_headers(&headers).ok_or(NotTraced::Headers)?);
        let ca = args.otlp_ca.as_deref();
        let client = match ca.filter(|path| !path.as_os_str().is_empty()) {
            Some(path) => trusting(client, path)?,
            None => client.build()?,
        };
        let (queue, spans) = channel(QUEUE);
        let counts = Counts::default();
        let exporter = Exporter {
            counts: counts.clone(),
            spans,
            client,
            endpoint: address(endpoint).ok_or(NotTraced::Endpoint)?,
            resource: vec![
                ("service.name", service.to_owned()),
                ("service.version", env!("CARGO_PKG_VERSION").to_owned()),
            ],
            problem: None,
        };
        let tracer = Self {
            queue: Some(queue),
            counts,
        };
        Ok((tracer, Some(exporter)))
    }

    /// Whether anybody wants spans; ask before making one.
    pub fn is_on(&self) -> bool {
        self.queue.is_some()
    }

    /// Takes a span that ended. Never waits.
    pub fn span(&self, span: Span) {
        if let Some(queue) = &self.queue
            && queue.try_send(span).is_err()
        {
            self.counts.lost.inc();
        }
    }

    /// What became of spans, for a page of metrics.
    pub fn show(&self, page: &mut Page) {
        page.live(
            "spans_sent",
            "Spans of traces that the receiver took.",
            self.counts.sent.clone(),
        );
        page.live(
            "spans_lost",
            "Spans of traces that were dropped: the queue was full, or the receiver did not take them.",
            self.counts.lost.clone(),
        );
    }

    #[cfg(test)]
    pub(super) fn counted(&self) -> (u64, u64) {
        (self.counts.sent.get(), self.counts.lost.get())
    }
}

/// A client that trusts the CAs of a file and no others.
fn trusting(client: ClientBuilder, path: &Path) -> Result<Client, NotTraced> {
    let refused = |why: String| NotTraced::Ca {
        path: path.to_owned(),
        why,
    };
    let pem = files::read(path, LARGEST_CA).map_err(|error| refused(causes(error)))?;
    let pem = pem.ok_or_else(|| refused("there is no such file".to_owned()))?;
    let certificates = Certificate::from_pem_bundle(&pem).unwrap_or_default();
    if certificates.is_empty() {
        return Err(refused("there is no certificate in it (PEM)".to_owned()));
    }
    let client = client.tls_certs_only(certificates).build();
    client.map_err(|error| refused(causes(error)))
}

/// An error with what caused it, in one line.
fn causes(error: impl Into<anyhow::Error>) -> String {
    format!("{:#}", error.into())
}

/// `/v1/traces` below what was given, as the specification of OTLP has it.
pub(super) fn address(endpoint: &str) -> Option<Url> {
    let mut url = Url::parse(endpoint).ok()?;
    let is_web = matches!(url.scheme(), "http" | "https") && url.has_host();
    // What opens a receiver belongs into a header; an address is logged.
    let has_secret = !url.username().is_empty() || url.password().is_some();
    if !is_web || has_secret || url.query().is_some() || url.fragment().is_some() {
        return None;
    }
    let mut path = url.path_segments_mut().ok()?;
    path.pop_if_empty().extend(["v1", "traces"]);
    drop(path);
    Some(url)
}

/// As the specification has it: pairs with commas between, values percent-encoded.
pub(super) fn read_headers(text: &str) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    let pairs = text.split(',').map(str::trim);
    for pair in pairs.filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let name: HeaderName = name.trim().parse().ok()?;
        let value: Vec<u8> = percent_decode_str(value.trim()).collect();
        let mut value = HeaderValue::from_bytes(&value).ok()?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    let protobuf = HeaderValue::from_static("application/x-protobuf");
    headers.insert(CONTENT_TYPE, protobuf);
    Some(headers)
}

/// What sends.
#[derive(Debug)]
pub struct Exporter {
    counts: Counts,
    spans: Receiver<Span>,
    client: Client,
    endpoint: Url,
    resource: Vec<(&'static str, String)>,
    /// What was last said to be wrong, if it still is.
    problem: Option<String>,
}

/// A batch was not taken.
#[derive(Debug)]
struct NotTaken {
    why: String,
    may_pass: bool,
}

impl Exporter {
    /// With one more word about this process.
    #[must_use]
    pub fn about(mut self, name: &'static str, value: impl ToString) -> Self {
        self.resource.push((name, value.to_string()));
        self
    }

    /// Whom it sends to: the host alone, since some receivers have their key in the path.
    pub fn receiver(&self) -> String {
        self.endpoint.origin().ascii_serialization()
    }

    /// Sends until it is told to stop; then what waits, for a short time.
    pub async fn run(mut self, stop: CancellationToken) {
        tracing::info!(receiver = self.receiver(), "traces are sent");
        let mut end = pin!(async {
            stop.cancelled().await;
            sleep(FAREWELL).await;
        });
        loop {
            let batch = self.gather(&stop).await;
            let count = batch.len();
            if batch.is_empty() {
                return;
            }
            let taken = tokio::select! {
                taken = self.send(batch) => taken,
                () = &mut end => {
                    self.counts.lost.inc_by(size(count + self.spans.len()));
                    return;
                }
            };
            self.tell(count, taken.err());
        }
    }

    /// The next spans; none once it is told to stop and none waits.
    async fn gather(&mut self, stop: &CancellationToken) -> Vec<Span> {
        let mut batch = Vec::new();
        tokio::select! {
            _ = self.spans.recv_many(&mut batch, BATCH) => {}
            () = stop.cancelled() => {}
        }
        if (1..BATCH).contains(&batch.len()) {
            tokio::select! {
                () = stop.cancelled() => {}
                () = sleep(GATHER) => {}
            }
        }
        while batch.len() < BATCH
            && let Ok(span) = self.spans.try_recv()
        {
            batch.push(span);
        }
        batch
    }

    async fn send(&self, batch: Vec<Span>) -> Result<(), NotTaken> {
        let body = bytes::Bytes::from(Request::new(&self.resource, batch).encode_to_vec());
        let waits = Backoff::new(WAITS.0, WAITS.1);
        retry(
            waits,
            TRIES,
            |problem: &NotTaken| problem.may_pass,
            || self.post(body.clone()),
        )
        .await
    }

    async fn post(&self, body: bytes::Bytes) -> Result<(), NotTaken> {
        let request = self.client.post(self.endpoint.clone()).body(body);
        let answer = request.send().await.map_err(|error| NotTaken {
            why: causes(error.without_url()),
            may_pass: true,
        })?;
        let status = answer.status();
        // Read to its end, if it is short, so that the connection can be used again.
        let words = words(answer).await;
        if status.is_success() {
            return Ok(());
        }
        Err(NotTaken {
            why: format!("the receiver answers {status} {words}"),
            may_pass: matches!(status.as_u16(), 429 | 502..=504),
        })
    }

    /// Counts, and says what is wrong when that begins, changes or ends; not with each batch.
    fn tell(&mut self, count: usize, problem: Option<NotTaken>) {
        let problem = problem.map(|problem| problem.why);
        match &problem {
            Some(problem) if self.problem.as_ref() != Some(problem) => {
                tracing::warn!(problem, "traces are not taken; their spans are lost");
            }
            None if self.problem.is_some() => tracing::info!("traces are taken again"),
            Some(_) | None => {}
        }
        let counter = match problem {
            Some(_) => &self.counts.lost,
            None => &self.counts.sent,
        };
        counter.inc_by(size(count));
        self.problem = problem;
    }
}

fn size(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// The beginning of an answer, on one line.
async fn words(mut answer: Response) -> String {
    let mut words = Vec::new();
    while words.len() < ANSWER
        && let Ok(Some(chunk)) = answer.chunk().await
    {
        words.extend_from_slice(&chunk);
    }
    words.truncate(ANSWER);
    let words = String::from_utf8_lossy(&words);
    let words: Vec<&str> = words
        .split(|c: char| c.is_whitespace() || c.is_control())
        .collect();
    words.join(" ").trim().to_owned()
}
