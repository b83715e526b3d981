//! Where each row is stored (S16): `/v1/<kind>/<segment>…`. The only place that builds keys, but for
//! those of audit entries, which are the store's own.
//!
//! Each segment is percent-encoded down to letters, digits, `-`, `.`, `_` and `~`, so that no name can
//! leave its place. Prefixes end with `/`.

use flagship_proto::{
    digest::Digest,
    model::{
        AbortId, ClusterName, ClusterUid, FreezeId, PlanRef, ProjectName, RolloutId, TokenId,
        WorkloadRef,
    },
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

pub use crate::store::AUDIT;
use crate::store::Key;

const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

fn key(kind: &str, segments: &[&str]) -> Key {
    let mut path = format!("/v1/{kind}");
    for segment in segments {
        path.push('/');
        path.extend(utf8_percent_encode(segment, ENCODED));
    }
    Key::from_path(&path)
}

fn prefix(kind: &str, segments: &[&str]) -> String {
    format!("{}/", key(kind, segments))
}

/// A key's kind and its decoded segments; none if it is not of this format.
pub fn parse(key: &Key) -> Option<(&str, Vec<String>)> {
    let mut parts = key.as_str().strip_prefix("/v1/")?.split('/');
    let kind = parts.next()?;
    let segments = parts
        .map(|part| {
            percent_decode_str(part)
                .decode_utf8()
                .ok()
                .map(|text| text.into_owned())
        })
        .collect::<Option<Vec<String>>>()?;
    Some((kind, segments))
}

/// Prefix of everything.
pub const ALL: &str = "/v1/";
/// Prefix of the rows of the fleet as a whole.
pub const META: &str = "/v1/meta/";
/// Prefix of all projects.
pub const PROJECTS: &str = "/v1/project/";
/// Prefix of all plans.
pub const PLANS: &str = "/v1/plan/";
/// Prefix of all rollouts.
pub const ROLLOUTS: &str = "/v1/rollout/";
/// Prefix of all claims.
pub const CLAIMS: &str = "/v1/claim/";
/// Prefix of all clusters.
pub const CLUSTERS: &str = "/v1/cluster/";
/// Prefix of all enrolment tokens.
pub const ENROL_TOKENS: &str = "/v1/enroltoken/";
/// Prefix of all API tokens.
pub const TOKENS: &str = "/v1/token/";
/// Prefix of all orders.
pub const ORDERS: &str = "/v1/order/";
/// Prefix of all reports.
pub const REPORTS: &str = "/v1/report/";
/// Prefix of all local controls that people on the hub ended.
pub const LOCAL_RELEASES: &str = "/v1/localrelease/";
/// Prefix of all aborts.
pub const ABORTS: &str = "/v1/abort/";
/// Prefix of all lifts.
pub const LIFTS: &str = "/v1/lift/";
/// Prefix of all freezes.
pub const FREEZES: &str = "/v1/freeze/";
/// Prefix of all receipts.
pub const RECEIPTS: &str = "/v1/receipt/";
/// Prefix of all rejected digests.
pub const REJECTED: &str = "/v1/rejected/";
/// Prefix of all last good versions.
pub const LAST_GOOD: &str = "/v1/lastgood/";
/// Prefix of all history.
pub const HISTORY: &str = "/v1/history/";
/// Prefix of all notifications.
pub const NOTICES: &str = "/v1/notice/";
/// Prefix of all idempotency keys.
pub const IDEMPOTENCY: &str = "/v1/idempotency/";

/// The fleet's identity.
pub fn fleet() -> Key {
    key("meta", &["fleet"])
}

/// The term in force; every write of a leader compares on it.
pub fn term() -> Key {
    key("meta", &["term"])
}

/// The longest lease that may be out.
pub fn lease() -> Key {
    key("meta", &["lease"])
}

/// What every abort, freeze, reject and membership change bumps (P15).
pub fn guard() -> Key {
    key("meta", &["guard"])
}

/// What agents showed of a history that this store does not have (P22).
pub fn seen() -> Key {
    key("meta", &["seen"])
}

/// A project.
pub fn project(project: &ProjectName) -> Key {
    key("project", &[project.as_str()])
}

/// A plan.
pub fn plan(plan: &PlanRef) -> Key {
    key("plan", &[plan.project.as_str(), plan.name.as_str()])
}

/// A project's plans.
pub fn plans_of(project: &ProjectName) -> String {
    prefix("plan", &[project.as_str()])
}

/// A rollout.
pub fn rollout(project: &ProjectName, id: &RolloutId) -> Key {
    key("rollout", &[project.as_str(), id.as_str()])
}

/// A project's rollouts.
pub fn rollouts_of(project: &ProjectName) -> String {
    prefix("rollout", &[project.as_str()])
}

/// Who holds one workload in one cluster.
pub fn claim(workload: &WorkloadRef, uid: &ClusterUid) -> Key {
    key("claim", &[&workload.to_string(), uid.as_str()])
}

/// A workload's claims, in all clusters.
pub fn claims_of(workload: &WorkloadRef) -> String {
    prefix("claim", &[&workload.to_string()])
}

/// A cluster.
pub fn cluster(name: &ClusterName) -> Key {
    key("cluster", &[name.as_str()])
}

/// An enrolment token.
pub fn enrol_token(id: &TokenId) -> Key {
    key("enroltoken", &[id.as_str()])
}

/// An API token.
pub fn token(id: &TokenId) -> Key {
    key("token", &[id.as_str()])
}

/// When an API token was last used.
pub fn token_use(id: &TokenId) -> Key {
    key("tokenuse", &[id.as_str()])
}

/// The order for one workload in one cluster.
pub fn order(uid: &ClusterUid, workload: &WorkloadRef) -> Key {
    key("order", &[uid.as_str(), &workload.to_string()])
}

/// A cluster's orders.
pub fn orders_of(uid: &ClusterUid) -> String {
    prefix("order", &[uid.as_str()])
}

/// The last stored report about one workload in one cluster.
pub fn report(uid: &ClusterUid, workload: &WorkloadRef) -> Key {
    key("report", &[uid.as_str(), &workload.to_string()])
}

/// A cluster's reports.
pub fn reports_of(uid: &ClusterUid) -> String {
    prefix("report", &[uid.as_str()])
}

/// The end of local control over one workload in one cluster, by a person on the hub.
pub fn local_release(uid: &ClusterUid, workload: &WorkloadRef) -> Key {
    key("localrelease", &[uid.as_str(), &workload.to_string()])
}

/// The same for a cluster's workloads.
pub fn local_releases_of(uid: &ClusterUid) -> String {
    prefix("localrelease", &[uid.as_str()])
}

/// An abort.
pub fn abort(id: &AbortId) -> Key {
    key("abort", &[id.as_str()])
}

/// The end of an abort.
pub fn lift(abort: &AbortId) -> Key {
    key("lift", &[abort.as_str()])
}

/// A freeze.
pub fn freeze(id: &FreezeId) -> Key {
    key("freeze", &[id.as_str()])
}

/// A cluster's answer to an abort.
pub fn receipt(abort: &AbortId, uid: &ClusterUid) -> Key {
    key("receipt", &[abort.as_str(), uid.as_str()])
}

/// All answers to an abort.
pub fn receipts_of(abort: &AbortId) -> String {
    prefix("receipt", &[abort.as_str()])
}

/// A digest of a workload that was aborted or retreated.
pub fn rejected(workload: &WorkloadRef, digest: &Digest) -> Key {
    key("rejected", &[&workload.to_string(), &digest.to_string()])
}

/// A workload's rejected digests.
pub fn rejected_of(workload: &WorkloadRef) -> String {
    prefix("rejected", &[&workload.to_string()])
}

/// A workload's last good version.
pub fn last_good(workload: &WorkloadRef) -> Key {
    key("lastgood", &[&workload.to_string()])
}

/// One entry of a rollout's history.
pub fn history(project: &ProjectName, id: &RolloutId, seq: u64) -> Key {
    key(
        "history",
        &[project.as_str(), id.as_str(), &format!("{seq:020}")],
    )
}

/// A rollout's history, oldest first.
pub fn history_of(project: &ProjectName, id: &RolloutId) -> String {
    prefix("history", &[project.as_str(), id.as_str()])
}

/// A remembered answer.
pub fn idempotency(hash: &Digest) -> Key {
    key("idempotency", &[&hash.hex()])
}

/// A message for one channel.
pub fn notice(id: &str) -> Key {
    key("notice", &[id])
}

/// Up to where changes were made into messages.
pub fn notified() -> Key {
    key("meta", &["notified"])
}
