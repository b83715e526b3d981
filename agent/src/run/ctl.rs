//! Local control (`flagship-agent ctl`): what is asked and answered over the agent's own socket.
//! The server runs in the agent; the client is another process of the same machine.

pub(super) mod client;
pub(crate) mod decoders;
mod server;
mod show;

use flagship_proto::model::{LocalAct, LocalVerb};
use serde::{Deserialize, Serialize};

pub(super) use server::{serve, standing_of};

/// The socket's name in the agent's data folder.
const SOCKET: &str = "ctl.sock";

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "do", deny_unknown_fields)]
enum Request {
    /// How everything stands.
    Status {},
    /// A hold, a retreat, or the end of either.
    Control {
        /// Which.
        verb: LocalVerb,
        /// Over which workloads, as people name them; all where empty.
        workloads: Vec<String>,
        /// Why.
        reason: String,
    },
}

/// What is answered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    /// How everything stands now.
    status: StatusView,
    /// What was done, one a workload.
    done: Vec<Done>,
    /// Why not, or not for all.
    refused: Vec<Refused>,
}

/// What was done to one workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Done {
    /// Which.
    workload: String,
    /// The act that counts; one that stood already where the same was asked again.
    act: LocalAct,
    /// Whether it is on disk.
    kept: bool,
    /// Why it is not, where it is not.
    trouble: Option<String>,
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refused {
    /// For programs: whether the input was at fault.
    bad_input: bool,
    /// For people.
    message: String,
}

/// How the agent stands.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct StatusView {
    /// The cluster's name; empty before it is a member.
    cluster: String,
    /// How the session with the hub stands, in words.
    hub: String,
    /// Whether the hub has let this cluster go: it orders nothing here, and releases nothing.
    #[serde(default)]
    removed: bool,
    /// What this agent complains of in the hub's audit log, if it went back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    audit: Option<String>,
    /// Its workloads.
    workloads: Vec<WorkloadView>,
}

/// How one workload stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct WorkloadView {
    /// Which.
    workload: String,
    /// The version that serves.
    primary: Option<String>,
    /// The version that is released, or was last.
    version: Option<String>,
    /// The canary's phase.
    phase: Option<String>,
    /// Whether a canary is in flight.
    in_flight: bool,
    /// The share of traffic on the change that is wanted, in per cent.
    weight: Option<u8>,
    /// The highest that was read back.
    observed: Option<u8>,
    /// What counts now: the order's intent, or a stronger one.
    intent: Option<String>,
    /// Why that counts.
    why: String,
    /// Why the canary is where it is.
    message: String,
    /// The local hold or retreat that stands.
    local: Option<LocalAct>,
    /// Whether what stands is on disk.
    kept: bool,
}
