//! How far one cluster has stopped under an abort, in words: the worst of its workloads.

use flagship_proto::model::{
    Abort, ClusterUid, OnDisconnect, ReceiptState, Weight, WorkloadReceipt,
};
use jiff::Timestamp;

use super::Seen;
use crate::{
    api::types::{AbortCluster, AbortState, NotFixed},
    records::{OrderRow, ReceiptRow, Stored},
};

/// What is known of one cluster under one abort.
pub(super) struct Stopped<'a> {
    pub(super) seen: &'a Seen,
    pub(super) abort: &'a Abort,
    pub(super) uid: &'a ClusterUid,
    /// Its orders in scope.
    pub(super) orders: &'a [Stored<OrderRow>],
    pub(super) receipt: Option<&'a ReceiptRow>,
    pub(super) bound_at: Timestamp,
    pub(super) not_fixed: &'a [NotFixed],
}

impl Stopped<'_> {
    /// The line.
    pub(super) fn cluster(&self) -> AbortCluster {
        match self.receipt {
            Some(receipt) => self.answered(receipt),
            None => self.unheard(),
        }
    }

    fn name(&self) -> String {
        let row = self.seen.clusters.get(self.uid);
        row.map_or_else(|| self.uid.to_string(), |row| row.name.to_string())
    }

    fn line(&self, state: AbortState, text: String) -> AbortCluster {
        AbortCluster {
            cluster: self.name(),
            uid: self.uid.to_string(),
            workload: None,
            state,
            text,
            capacity: None,
            weight: None,
            reason: None,
            local_command: None,
            receipt_at: None,
            after_ms: None,
            last_heard: self.seen.last_heard(self.uid),
            nothing_advances_after: None,
        }
    }

    fn answered(&self, row: &ReceiptRow) -> AbortCluster {
        let receipt = &row.receipt.receipt;
        let mut line = receipt
            .workloads
            .iter()
            .map(|workload| self.workload(workload))
            .min_by_key(|line| line.state)
            .unwrap_or_else(|| self.line(AbortState::Idle, "nothing in flight".to_owned()));
        if !receipt.durable && line.state > AbortState::Returning {
            line.state = AbortState::NotStopped;
            line.text +=
                "; but its agent could not keep the abort on disk and would forget it at a restart";
            line.reason = Some("the agent could not keep the abort on disk".to_owned());
        }
        line.receipt_at = Some(receipt.at);
        let after = row.received.duration_since(self.abort.at).as_millis();
        line.after_ms = Some(u64::try_from(after).unwrap_or_default());
        if !matches!(
            line.state,
            AbortState::Idle | AbortState::Done | AbortState::Returned
        ) {
            line.nothing_advances_after = Some(self.bound_at);
        }
        line
    }

    fn workload(&self, receipt: &WorkloadReceipt) -> AbortCluster {
        let read = read_back(receipt);
        let (state, text) = match &receipt.state {
            ReceiptState::Returned => (AbortState::Returned, format!("traffic is back{read}")),
            ReceiptState::Returning { capacity } => (
                AbortState::Returning,
                format!("on the way back, capacity {capacity}{read}"),
            ),
            ReceiptState::Held => (AbortState::Held, format!("held{}", at(receipt.read_back))),
            ReceiptState::Done => self.done(receipt),
            ReceiptState::Idle => (AbortState::Idle, "nothing in flight".to_owned()),
            ReceiptState::NotStopped { reason } => {
                (AbortState::NotStopped, format!("{reason}{read}"))
            }
        };
        let mut line = self.line(state, text);
        line.workload = Some(receipt.workload.to_string());
        line.weight = receipt.read_back.map(Weight::get);
        if let ReceiptState::Returning { capacity } = receipt.state {
            line.capacity = Some(capacity.get());
        }
        if let ReceiptState::NotStopped { reason } = &receipt.state {
            line.reason = Some(reason.clone());
            line.local_command = Some(LOCAL.to_owned());
        }
        line
    }

    /// Done only counts as such if what was aborted is what it serves.
    fn done(&self, receipt: &WorkloadReceipt) -> (AbortState, String) {
        let (name, workload) = (self.name(), receipt.workload.to_string());
        let served = self
            .not_fixed
            .iter()
            .find(|cluster| cluster.cluster == name && cluster.workload == workload);
        match served {
            Some(served) => {
                let version = served.version.as_deref().unwrap_or("the change");
                let soaked = if served.soaked { "" } else { ", not soaked" };
                (
                    AbortState::Done,
                    format!("done before the abort{soaked}; still serves {version}"),
                )
            }
            None => (AbortState::Idle, "nothing in flight".to_owned()),
        }
    }

    fn unheard(&self) -> AbortCluster {
        let (continuing, after) = self.stops_by_itself();
        let weight = self.weight();
        let until = after.strftime("%H:%M:%SZ");
        let frozen = match weight {
            Some(weight) => format!("at {weight} when last reported"),
            None => "nothing reported".to_owned(),
        };
        let told = if self.seen.connected(self.uid) {
            "told, no answer yet"
        } else {
            "not heard"
        };
        let text = if continuing {
            format!("{told}; {frozen}; OUTSIDE the bound, its plan lets it go on until {until}")
        } else {
            format!("{told}; {frozen}; nothing advances there after {until}")
        };
        let mut line = self.line(AbortState::NotHeard, text);
        line.weight = weight.map(Weight::get);
        line.nothing_advances_after = Some(after);
        line
    }

    fn weight(&self) -> Option<Weight> {
        let reports = self.orders.iter().filter_map(|order| {
            let report = self.seen.report(self.uid, &order.unplaced().workload)?;
            Some(report.status.weight)
        });
        reports.max()
    }

    /// A plan may let a cluster go on while it is cut off (P6); then the order's end is what bounds it.
    fn stops_by_itself(&self) -> (bool, Timestamp) {
        let ends = self.orders.iter().filter_map(|order| {
            let order = order.unplaced();
            (order.on_disconnect == OnDisconnect::Continue).then_some(order.not_after)
        });
        match ends.max() {
            Some(end) if end > self.bound_at => (true, end),
            Some(_) | None => (false, self.bound_at),
        }
    }
}

/// What stops it on the machine itself, whatever the agent says: its Envoy goes on with what it has,
/// so the new version's processes are ended.
const LOCAL: &str = "on its machine: stop the new version's processes; the agent's log names them";

fn read_back(receipt: &WorkloadReceipt) -> String {
    match receipt.read_back {
        Some(weight) if receipt.proxies == 1 => format!("; read back {weight} from 1 proxy"),
        Some(weight) => format!("; read back {weight} from {} proxies", receipt.proxies),
        None => String::new(),
    }
}

fn at(weight: Option<Weight>) -> String {
    weight.map_or_else(String::new, |weight| format!(" at {weight}"))
}
