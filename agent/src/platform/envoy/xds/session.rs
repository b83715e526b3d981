//! One ADS stream as a plain state machine: requests and snapshots in, responses out. It keeps the
//! order CDS, EDS, acknowledged, then RDS (trap 21), matches nonces, and reads a refusal as a refusal
//! (trap 5). No I/O here.

use std::collections::{BTreeMap, BTreeSet};

use envoy_types::pb::envoy::service::discovery::v3::{DiscoveryRequest, DiscoveryResponse};

use super::{Kind, Snapshot};

/// Responses that may wait for their answer; Envoy answers each, in order.
const OUTSTANDING: usize = 64;

/// What is known of one kind on this stream.
#[derive(Debug, Default)]
struct Subscription {
    names: BTreeSet<String>,
    /// A request that wants an answer even if nothing changed.
    due: bool,
    /// The version sent last; a refused one is not sent again.
    sent: Option<String>,
}

/// A response that was sent and not answered yet.
#[derive(Debug)]
struct Sent {
    nonce: String,
    kind: Kind,
    /// Names of resources with their own versions.
    resources: BTreeMap<String, String>,
}

/// What a request said about an earlier response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// Nothing: a subscription.
    Asked,
    /// It was taken: resources with their versions.
    Acknowledged(Kind, BTreeMap<String, String>),
    /// It was refused, in Envoy's own words.
    Refused(Kind, String),
}

/// One stream.
#[derive(Debug, Default)]
pub(super) struct Session {
    subscriptions: BTreeMap<Kind, Subscription>,
    outstanding: Vec<Sent>,
    nonces: u64,
    /// Clusters that were acknowledged, and those of them whose endpoints were.
    clusters: BTreeSet<String>,
    warm: BTreeSet<String>,
}

impl Session {
    /// Takes a request: an acknowledgement, a refusal, or a (new) subscription. Unknown types are left
    /// unanswered, which is what Envoy expects of a server that does not have them.
    pub(super) fn take(&mut self, request: &DiscoveryRequest) -> Answer {
        let Some(kind) = Kind::of(&request.type_url) else {
            return Answer::Asked;
        };
        let names: BTreeSet<String> = request.resource_names.iter().cloned().collect();
        let answered = self.answered(kind, &request.response_nonce);
        let subscription = self.subscriptions.entry(kind).or_default();
        // A first request, other names, or a request that answers nothing that is outstanding: Envoy
        // wants to be told again, as it does after a change of clusters (trap 21).
        let stale = !request.response_nonce.is_empty()
            && answered.is_none()
            && self.outstanding.iter().any(|sent| sent.kind == kind);
        subscription.due |= subscription.names != names || (answered.is_none() && !stale);
        subscription.names = names;
        let Some(sent) = answered else {
            return Answer::Asked;
        };
        if let Some(error) = &request.error_detail {
            return Answer::Refused(kind, error.message.clone());
        }
        match kind {
            Kind::Cluster => {
                self.clusters = sent.resources.keys().cloned().collect();
                self.warm.retain(|name| self.clusters.contains(name));
            }
            Kind::Endpoint => self.warm.extend(sent.resources.keys().cloned()),
            Kind::Listener | Kind::Route => {}
        }
        Answer::Acknowledged(kind, sent.resources)
    }

    fn answered(&mut self, kind: Kind, nonce: &str) -> Option<Sent> {
        let found = |sent: &Sent| sent.kind == kind && sent.nonce == nonce;
        let index = self.outstanding.iter().position(found)?;
        Some(self.outstanding.remove(index))
    }

    /// What to send now, in order. Called after each request and each change of the snapshot.
    pub(super) fn due(&mut self, snapshot: &Snapshot) -> Vec<DiscoveryResponse> {
        let kinds = Kind::ALL.into_iter();
        kinds
            .filter_map(|kind| self.due_of(kind, snapshot))
            .collect()
    }

    fn due_of(&mut self, kind: Kind, snapshot: &Snapshot) -> Option<DiscoveryResponse> {
        let subscription = self.subscriptions.get_mut(&kind)?;
        let names = &subscription.names;
        // Routes and listeners wait until every cluster that they need is warm. Leaving some out would
        // not be "later": an answer without them is another answer.
        let ready = |needs: &BTreeSet<String>| needs.is_subset(&self.warm);
        if !snapshot
            .chosen(kind, names)
            .all(|(_, resource)| ready(&resource.needs))
        {
            return None;
        }
        let version = snapshot.version(kind, names);
        let changed = subscription.sent.as_ref() != Some(&version);
        if !changed && !subscription.due {
            return None;
        }
        let chosen: Vec<_> = snapshot.chosen(kind, names).collect();
        if chosen.is_empty() && kind == Kind::Route {
            // No route was set yet; Envoy waits for it.
            return None;
        }
        self.nonces += 1;
        let nonce = self.nonces.to_string();
        subscription.sent = Some(version.clone());
        subscription.due = false;
        let resources = chosen.iter().map(|(name, _)| {
            let own = snapshot.version_of(kind, name).unwrap_or_default();
            ((*name).clone(), own)
        });
        self.outstanding.push(Sent {
            nonce: nonce.clone(),
            kind,
            resources: resources.collect(),
        });
        if self.outstanding.len() > OUTSTANDING {
            self.outstanding.remove(0);
        }
        Some(DiscoveryResponse {
            version_info: version,
            resources: chosen.into_iter().map(|(_, r)| r.body.clone()).collect(),
            type_url: kind.type_url().to_owned(),
            nonce,
            ..Default::default()
        })
    }
}
