//! Bytes that come from outside, and what reads them: each decoder by its name, as property tests, the kept
//! corpus and fuzzers drive it. A decoder is total: any bytes give a value or an error, in bounded time
//! and memory.

use std::fmt::Display;

use prost::Message;

use crate::{
    convert::body_of,
    digest::Digest,
    identity::peer_id,
    model::{
        Abort, AgentMessage, CanaryDocument, EnrolToken, HubMessage, Lift, LocalRelease, Order,
        Receipt, WorkloadRef,
    },
    tls, wire,
};

/// One decoder.
#[derive(Debug, Clone, Copy)]
pub struct Decoder {
    /// Its name: the folder of its corpus.
    pub name: &'static str,
    /// Reads, and says what was wrong.
    pub decode: fn(&[u8]) -> Result<(), String>,
}

impl Decoder {
    /// One line of a table.
    pub const fn new(name: &'static str, decode: fn(&[u8]) -> Result<(), String>) -> Self {
        Self { name, decode }
    }
}

/// Those of this crate: the link, what is signed on it, certificates and tokens.
pub const DECODERS: &[Decoder] = &[
    Decoder::new("agent-message", message::<wire::AgentMessage, AgentMessage>),
    Decoder::new("hub-message", message::<wire::HubMessage, HubMessage>),
    Decoder::new("enroll-request", protobuf::<wire::EnrollRequest>),
    Decoder::new("enroll-response", protobuf::<wire::EnrollResponse>),
    Decoder::new("signed-order", |bytes| {
        verdict(body_of::<Order>("order", bytes))
    }),
    Decoder::new("signed-abort", |bytes| {
        verdict(body_of::<Abort>("abort", bytes))
    }),
    Decoder::new("signed-lift", |bytes| {
        verdict(body_of::<Lift>("lift", bytes))
    }),
    Decoder::new("signed-local-release", |bytes| {
        verdict(body_of::<LocalRelease>("end of local control", bytes))
    }),
    Decoder::new("signed-receipt", |bytes| {
        verdict(body_of::<Receipt>("receipt", bytes))
    }),
    Decoder::new("canary", canary),
    Decoder::new("certificate", |bytes| verdict(peer_id(bytes))),
    Decoder::new("pem", |bytes| verdict(tls::certificates(text(bytes)?))),
    Decoder::new("enrol-token", parsed::<EnrolToken>),
    Decoder::new("workload", parsed::<WorkloadRef>),
    Decoder::new("digest", parsed::<Digest>),
];

/// What is wrong, in words.
pub fn verdict<T, E: Display>(read: Result<T, E>) -> Result<(), String> {
    read.map(drop).map_err(|error| error.to_string())
}

/// Text, or why it is none.
pub fn text(bytes: &[u8]) -> Result<&str, String> {
    std::str::from_utf8(bytes).map_err(|error| error.to_string())
}

/// A name or number in text.
pub fn parsed<T: std::str::FromStr<Err: Display>>(bytes: &[u8]) -> Result<(), String> {
    verdict(text(bytes)?.parse::<T>())
}

/// A JSON document.
pub fn json<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> Result<(), String> {
    verdict(serde_json::from_slice::<T>(bytes))
}

fn protobuf<W: Message + Default>(bytes: &[u8]) -> Result<(), String> {
    verdict(W::decode(bytes))
}

fn message<W: Message + Default, M: TryFrom<W, Error: Display>>(
    bytes: &[u8],
) -> Result<(), String> {
    let wire = W::decode(bytes).map_err(|error| error.to_string())?;
    verdict(M::try_from(wire))
}

fn canary(bytes: &[u8]) -> Result<(), String> {
    let document: CanaryDocument =
        serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let problems = [document.validate(), document.unsupported()].concat();
    match problems.first() {
        Some(problem) => Err(format!("{}: {}", problem.field, problem.message)),
        None => Ok(()),
    }
}
