//! How far one cluster has stopped under an abort, in words: the worst of its workloads.

use flagship_proto::{
    command::Command,
    model::{
        ACTION_DEADLINE, Abort, AbortMode, ClusterUid, Intent, OnDisconnect, ReceiptState, Scope,
        Weight, WorkloadReceipt, WorkloadRef,
    },
    words::count,
};
use jiff::Timestamp;

use super::{
    Seen,
    serving::{frozen, is_unread, stuck},
};
use crate::{
    api::types::{AbortCluster, AbortState, NotFixed},
    ops::{Doing, doing},
    records::{OrderRow, ReceiptRow, Stored},
};

/// What is known of one cluster under one abort.
pub(super) struct Stopped<'a> {
    pub(super) seen: &'a Seen,
    pub(super) abort: &'a Abort,
    pub(super) uid: &'a ClusterUid,
    /// Its orders in scope.
    pub(super) orders: &'a [Stored<OrderRow>],
    /// Whether the abort goes to its agent: where nothing in scope was ever ordered, none does.
    pub(super) is_told: bool,
    pub(super) receipt: Option<&'a ReceiptRow>,
    pub(super) bound_at: Timestamp,
    pub(super) not_fixed: &'a [NotFixed],
}

impl Stopped<'_> {
    /// The line.
    pub(super) fn cluster(&self) -> AbortCluster {
        match self.receipt {
            Some(receipt) => self.answered(receipt),
            None if self.is_told || self.runs_unordered() => self.unheard(),
            None => self.line(AbortState::Idle, "nothing was ordered there".to_owned()),
        }
    }

    /// Whether a canary that no order speaks for was last heard of in the workload that is stopped.
    fn runs_unordered(&self) -> bool {
        let Scope::Workload(workload) = &self.abort.scope else {
            return false;
        };
        let report = self.seen.report(self.uid, workload);
        report.is_some_and(|report| report.status.phase.is_active())
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
            unheard_since: self.seen.unheard_since(self.uid),
            nothing_advances_after: None,
        }
    }

    fn answered(&self, row: &ReceiptRow) -> AbortCluster {
        let receipt = &row.receipt.receipt;
        let mut line = receipt
            .workloads
            .iter()
            .map(|workload| self.workload(workload, row.received))
            .min_by_key(|line| line.state)
            .unwrap_or_else(|| self.line(AbortState::Idle, "nothing in flight".to_owned()));
        if !receipt.durable && line.state > AbortState::Returning {
            // The first receipt often comes before the agent's disk has answered.
            let waited = self.seen.now.wall.duration_since(row.received);
            if waited.unsigned_abs() < ACTION_DEADLINE {
                line.state = AbortState::Told;
                line.text += "; its agent is writing the abort to its disk";
            } else {
                line.state = AbortState::NotStopped;
                line.text += "; but its agent could not keep the abort on disk and would forget it at a restart";
                line.reason = Some("the agent could not keep the abort on disk".to_owned());
            }
        }
        if let Some(changed) = row.changed {
            let at = changed.strftime("%H:%M:%SZ");
            line.text += &format!("; so since {at}, by what was ordered after the abort");
        }
        line.receipt_at = Some(receipt.at);
        let answered = row.settled.unwrap_or(row.received);
        let after = answered.duration_since(self.abort.at).as_millis();
        line.after_ms = Some(u64::try_from(after).unwrap_or_default());
        if !matches!(
            line.state,
            AbortState::Idle | AbortState::Done | AbortState::Returned
        ) {
            line.nothing_advances_after = Some(self.bound_at);
        }
        line
    }

    fn workload(&self, receipt: &WorkloadReceipt, received: Timestamp) -> AbortCluster {
        let read = read_back(receipt);
        let waited = self.seen.now.wall.duration_since(received);
        // The first answer may be older than what its agent found on the way.
        let report = self.seen.report(self.uid, &receipt.workload);
        let why = stuck(report.map(|report| &report.status));
        let is_stuck = why.is_some();
        let returns = matches!(receipt.state, ReceiptState::Returning { .. });
        let found = why.filter(|_| returns).map(ReceiptState::not_stopped);
        let said = found.as_ref().unwrap_or(&receipt.state);
        let is_told = receipt.state.is_untold() && waited.unsigned_abs() < ACTION_DEADLINE;
        let (state, text) = match said {
            ReceiptState::Returned => (AbortState::Returned, format!("traffic is back{read}")),
            ReceiptState::Returning { capacity } => (
                AbortState::Returning,
                format!("on the way back, capacity {capacity}{read}"),
            ),
            ReceiptState::Held => (AbortState::Held, format!("held{}", at(receipt.read_back))),
            ReceiptState::Done => self.done(receipt),
            ReceiptState::Idle => (AbortState::Idle, "nothing in flight".to_owned()),
            ReceiptState::NotStopped { reason, .. } if is_told => {
                (AbortState::Told, format!("{reason}{read}"))
            }
            ReceiptState::NotStopped { reason, .. } => {
                (AbortState::NotStopped, format!("{reason}{read}"))
            }
        };
        let mut line = self.line(state, text);
        line.workload = Some(receipt.workload.to_string());
        line.weight = receipt.read_back.map(Weight::get);
        if let ReceiptState::Returning { capacity } = said {
            line.capacity = Some(capacity.get());
        }
        if let ReceiptState::NotStopped { reason, .. } = said
            && !is_told
        {
            line.reason = Some(reason.clone());
            // What cannot go back is taken nowhere by the same order on the spot, and what cannot be read is
            // read by none.
            let is_unread = report.is_some_and(|report| is_unread(&report.status));
            let helps = !is_stuck && !is_unread;
            line.local_command = helps.then(|| self.local(&receipt.workload));
            if is_unread {
                line.text += "; have that proxy answer, or end it";
            }
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
            None if self.is_taken_back(receipt) => (
                AbortState::Returning,
                "done before the abort; on the way back since, by a later retreat".to_owned(),
            ),
            None => (AbortState::Idle, "nothing in flight".to_owned()),
        }
    }

    /// Whether what was Done is told to go back and was not seen to be there.
    fn is_taken_back(&self, receipt: &WorkloadReceipt) -> bool {
        let report = self.seen.report(self.uid, &receipt.workload);
        let status = report.map(|report| &report.status);
        self.orders.iter().any(|stored| {
            let order = stored.order();
            order.workload == receipt.workload
                && order.intent == Intent::Retreat
                && doing(&order, status) == Doing::InFlight
        })
    }

    fn unheard(&self) -> AbortCluster {
        let (continuing, after) = self.stops_by_itself();
        let (in_flight, weight) = self.in_flight();
        let until = after.strftime("%H:%M:%SZ");
        let now = self.seen.now.wall;
        // Who has not answered by the bound counts as not heard, its session open or not.
        let here = self.seen.connected(self.uid) && now < self.bound_at;
        let heard = if here { "no answer yet" } else { "not heard" };
        let at = match weight {
            Some(weight) => format!("at {weight}"),
            None => "at what it had, nothing was reported".to_owned(),
        };
        // Cut off, past the bound, and its plan lets it go on: nothing says that it stopped.
        let past_bound = now >= self.bound_at && now < after;
        let goes_on = continuing && in_flight.is_some() && past_bound;
        let text = match in_flight {
            None => format!(
                "{heard}; nothing was in flight when last heard, nothing advances there after {until}"
            ),
            Some(_) if continuing => format!(
                "{heard}; {at} when last heard; OUTSIDE the bound, its plan lets it go on until {until}"
            ),
            Some(_) => frozen(&at, heard, after, now),
        };
        let state = match (goes_on, here) {
            (true, _) => AbortState::NotStopped,
            (false, true) => AbortState::Told,
            (false, false) => AbortState::NotHeard,
        };
        let mut line = self.line(state, text);
        line.weight = weight.map(Weight::get);
        line.nothing_advances_after = Some(after);
        if goes_on {
            line.reason = Some(format!("its plan lets it go on until {until}"));
        }
        line.workload = in_flight.map(ToString::to_string);
        line.local_command = in_flight
            .filter(|_| !here)
            .map(|workload| self.local(workload));
        line
    }

    /// The workload with something in flight, or Done where that goes back, and the most traffic on it, as
    /// last reported, and that share.
    fn in_flight(&self) -> (Option<&WorkloadRef>, Option<Weight>) {
        let flying = self.orders.iter().filter_map(|stored| {
            let order = stored.unplaced();
            let report = self.seen.report(self.uid, &order.workload);
            let status = report.map(|report| &report.status);
            let flies = match doing(&stored.order(), status) {
                Doing::InFlight => true,
                Doing::Done => self.abort.mode == AbortMode::RetreatDone,
                Doing::Nothing => false,
            };
            let weight = status.map(|status| status.share());
            flies.then_some((weight, &order.workload))
        });
        match flying.max_by_key(|(weight, _)| *weight) {
            Some((weight, workload)) => (Some(workload), weight),
            None => (None, None),
        }
    }

    /// The command that stops a workload in the cluster itself, without the hub.
    fn local(&self, workload: &WorkloadRef) -> String {
        let verb = match self.abort.mode {
            AbortMode::Hold => "hold",
            AbortMode::Return | AbortMode::RetreatDone => "retreat",
        };
        Command::agent(verb).of(workload).because().into()
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

fn read_back(receipt: &WorkloadReceipt) -> String {
    match receipt.read_back {
        Some(weight) => {
            let proxies = count(receipt.proxies, "proxy");
            format!("; read back {weight} from {proxies}")
        }
        None => String::new(),
    }
}

fn at(weight: Option<Weight>) -> String {
    weight.map_or_else(String::new, |weight| format!(" at {weight}"))
}
