//! Traces of rollouts, for an OTLP receiver: one trace follows a rollout over hub and agents. Its id, and
//! those of its spans, follow from names that both sides know, so that nothing has to travel with an order.
//!
//! It is off unless an endpoint is set. It never waits: where the receiver is slow or away, spans are
//! dropped and counted.

mod export;
mod otlp;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use clap::{
    Args,
    builder::{OsStringValueParser, TypedValueParser as _},
};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use crate::model::{
    AbortId, ClusterUid, FleetId, Order, Position, ProjectName, RolloutId, WorkloadRef,
};

pub use export::{Exporter, NotTraced, Tracer};

/// The longest text of an attribute, in bytes; more is cut off.
const LONGEST: usize = 1024;

/// Where traces go.
#[derive(Debug, Clone, Default, Args)]
pub struct TraceArgs {
    /// Send a trace of each rollout to this OTLP receiver (http/protobuf), as in http://localhost:4318;
    /// without it none is sent. Headers that the receiver asks for are read from
    /// OTEL_EXPORTER_OTLP_HEADERS (name=value, with commas between)
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_ENDPOINT",
        hide_env_values = true,
        value_name = "URL"
    )]
    pub otlp_endpoint: Option<String>,
    /// The CA of that receiver (PEM): its certificate has to come from there, and from nowhere else.
    /// Without it the CAs of this machine are trusted
    #[arg(
        long,
        env = "OTEL_EXPORTER_OTLP_CERTIFICATE",
        value_name = "FILE",
        // The standard has it that a variable without a value is not set.
        value_parser = OsStringValueParser::new().map(PathBuf::from)
    )]
    pub otlp_ca: Option<PathBuf>,
}

/// A trace: 16 bytes that follow from the rollout.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(pub [u8; 16]);

/// A span: 8 bytes that follow from what it is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SpanId(pub [u8; 8]);

fn hash<const N: usize>(kind: &str, trace: &[u8], parts: &[&str]) -> [u8; N] {
    let mut hash = Sha256::new();
    hash.update(kind.as_bytes());
    hash.update([0]);
    hash.update(trace);
    for part in parts {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    let mut bytes = [0; N];
    bytes.copy_from_slice(&hash.finalize()[..N]);
    // All zeros are no id.
    bytes[0] |= 1;
    bytes
}

impl TraceId {
    /// Of a rollout, which has its name in its project.
    pub fn of(fleet: &FleetId, project: &ProjectName, rollout: &RolloutId) -> Self {
        let parts = [fleet.as_str(), project.as_str(), rollout.as_str()];
        Self(hash("flagship-trace-v1", &[], &parts))
    }

    /// Of the rollout that an order belongs to.
    pub fn of_order(order: &Order) -> Self {
        Self::of(&order.fleet, &order.plan.project, &order.rollout)
    }

    /// A span in it, from what tells it from all others.
    pub fn span(self, parts: &[&str]) -> SpanId {
        SpanId(hash("flagship-span-v1", &self.0, parts))
    }

    /// The start, of which everything else is a part.
    pub fn start(self) -> SpanId {
        self.span(&["start"])
    }

    /// What stopped the rollout.
    pub fn abort(self, abort: &AbortId) -> SpanId {
        self.span(&["abort", abort.as_str()])
    }

    /// One order.
    pub fn order(self, uid: &ClusterUid, workload: &WorkloadRef, revision: Position) -> SpanId {
        let (workload, revision) = (workload.to_string(), revision.to_string());
        self.span(&["order", uid.as_str(), &workload, &revision])
    }
}

impl std::fmt::Display for TraceId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// An attribute's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// A text.
    Text(String),
    /// A number.
    Number(i64),
}

/// What is known of something that began and ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Span {
    /// In which trace.
    pub trace: TraceId,
    /// Its id.
    pub id: SpanId,
    /// Of what it is a part; none of the start.
    pub parent: Option<SpanId>,
    /// What it is, from a closed set.
    pub name: &'static str,
    /// When it began.
    pub begin: Timestamp,
    /// When it ended.
    pub end: Timestamp,
    /// More about it.
    pub attributes: Vec<(&'static str, Value)>,
    /// Why it went wrong, if it did.
    pub failed: Option<String>,
}

impl Span {
    /// Something that went well, or is only a moment: a part of the start, unless it is that.
    pub fn new(
        trace: TraceId,
        id: SpanId,
        name: &'static str,
        (begin, end): (Timestamp, Timestamp),
    ) -> Self {
        Self {
            trace,
            id,
            parent: Some(trace.start()).filter(|start| *start != id),
            name,
            begin,
            // A clock that was put back makes no span that ends before it began.
            end: end.max(begin),
            attributes: Vec::new(),
            failed: None,
        }
    }

    /// A part of another span than the start.
    pub fn below(mut self, parent: SpanId) -> Self {
        self.parent = Some(parent);
        self
    }

    /// With more about it.
    pub fn with(mut self, name: &'static str, value: impl ToString) -> Self {
        let text = cut(value.to_string());
        self.attributes.push((name, Value::Text(text)));
        self
    }

    /// With a number.
    pub fn counted(mut self, name: &'static str, value: impl Into<i64>) -> Self {
        self.attributes.push((name, Value::Number(value.into())));
        self
    }

    /// It went wrong, if there is a reason.
    pub fn failing(mut self, why: Option<String>) -> Self {
        self.failed = why.map(cut);
        self
    }
}

fn cut(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(LONGEST));
    text
}
