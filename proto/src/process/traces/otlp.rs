//! The part of OTLP (opentelemetry-proto 1.x, `trace/v1`) that is sent, field for field as its `.proto`
//! has it. The tests of real processes read it back with the published crate.

use jiff::Timestamp;
use prost::{Message, Oneof};

use super::{Span, Value};

/// `ExportTraceServiceRequest`.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Request {
    #[prost(message, repeated, tag = "1")]
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct ResourceSpans {
    #[prost(message, optional, tag = "1")]
    resource: Option<Resource>,
    #[prost(message, repeated, tag = "2")]
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Clone, PartialEq, Message)]
struct Resource {
    #[prost(message, repeated, tag = "1")]
    attributes: Vec<KeyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct ScopeSpans {
    #[prost(message, optional, tag = "1")]
    scope: Option<Scope>,
    #[prost(message, repeated, tag = "2")]
    spans: Vec<OneSpan>,
}

#[derive(Clone, PartialEq, Message)]
struct Scope {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
}

#[derive(Clone, PartialEq, Message)]
struct OneSpan {
    #[prost(bytes = "vec", tag = "1")]
    trace_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "2")]
    span_id: Vec<u8>,
    #[prost(bytes = "vec", tag = "4")]
    parent_span_id: Vec<u8>,
    #[prost(string, tag = "5")]
    name: String,
    #[prost(int32, tag = "6")]
    kind: i32,
    #[prost(fixed64, tag = "7")]
    start_time_unix_nano: u64,
    #[prost(fixed64, tag = "8")]
    end_time_unix_nano: u64,
    #[prost(message, repeated, tag = "9")]
    attributes: Vec<KeyValue>,
    #[prost(message, optional, tag = "15")]
    status: Option<Status>,
}

#[derive(Clone, PartialEq, Message)]
struct Status {
    #[prost(string, tag = "2")]
    message: String,
    #[prost(int32, tag = "3")]
    code: i32,
}

#[derive(Clone, PartialEq, Message)]
struct KeyValue {
    #[prost(string, tag = "1")]
    key: String,
    #[prost(message, optional, tag = "2")]
    value: Option<AnyValue>,
}

#[derive(Clone, PartialEq, Message)]
struct AnyValue {
    #[prost(oneof = "OneValue", tags = "1, 3")]
    value: Option<OneValue>,
}

#[derive(Clone, PartialEq, Oneof)]
enum OneValue {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(int64, tag = "3")]
    Number(i64),
}

/// `SPAN_KIND_INTERNAL`.
const INTERNAL: i32 = 1;
/// `STATUS_CODE_OK`.
const OK: i32 = 1;
/// `STATUS_CODE_ERROR`.
const ERROR: i32 = 2;

fn attribute(key: &str, value: Value) -> KeyValue {
    let value = match value {
        Value::Text(text) => OneValue::Text(text),
        Value::Number(number) => OneValue::Number(number),
    };
    KeyValue {
        key: key.to_owned(),
        value: Some(AnyValue { value: Some(value) }),
    }
}

fn nanos(at: Timestamp) -> u64 {
    u64::try_from(at.as_nanosecond()).unwrap_or_default()
}

impl From<Span> for OneSpan {
    fn from(span: Span) -> Self {
        let code = if span.failed.is_some() { ERROR } else { OK };
        let attributes = span.attributes.into_iter();
        Self {
            trace_id: span.trace.0.to_vec(),
            span_id: span.id.0.to_vec(),
            parent_span_id: span.parent.map(|id| id.0.to_vec()).unwrap_or_default(),
            name: span.name.to_owned(),
            kind: INTERNAL,
            start_time_unix_nano: nanos(span.begin),
            end_time_unix_nano: nanos(span.end),
            attributes: attributes
                .map(|(key, value)| attribute(key, value))
                .collect(),
            status: Some(Status {
                message: span.failed.unwrap_or_default(),
                code,
            }),
        }
    }
}

impl Request {
    /// Spans of one process, which is described by `resource`.
    pub(super) fn new(resource: &[(&'static str, String)], spans: Vec<Span>) -> Self {
        let described = resource.iter();
        let scope = Scope {
            name: "flagship".to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let attributes = described.map(|(key, text)| attribute(key, Value::Text(text.clone())));
        Self {
            resource_spans: vec![ResourceSpans {
                resource: Some(Resource {
                    attributes: attributes.collect(),
                }),
                scope_spans: vec![ScopeSpans {
                    scope: Some(scope),
                    spans: spans.into_iter().map(Into::into).collect(),
                }],
            }],
        }
    }
}
