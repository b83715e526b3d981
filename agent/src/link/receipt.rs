//! Receipts: what each workload in an abort's scope answers, from what was read back (P7, P18).

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use flagship_proto::model::{
    ACTION_DEADLINE, Abort, AbortId, AbortMode, AgentMessage, Fence, Intent, Mono, Phase, Receipt,
    ReceiptState, Scope, Tick, Weight, WorkloadReceipt, WorkloadRef, WorkloadStatus,
};

use super::{Link, keep::reached};
use crate::release::Release;

/// What a driver last said of a workload, and over how many proxies it was read back.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Seen {
    pub(super) status: WorkloadStatus,
    pub(super) proxies: u32,
}

impl Seen {
    /// Whether the change of this order has all traffic and its canary ended (S2).
    pub(super) fn is_done(&self, release: &Release) -> bool {
        self.is_about(release) && self.status.phase == Phase::Succeeded
    }

    /// Whether a canary of this order's run is in flight, or went back.
    pub(super) fn has_begun(&self, release: &Release) -> bool {
        self.is_about(release) && self.status.phase != Phase::Waiting
    }

    fn is_about(&self, release: &Release) -> bool {
        let order = release.order();
        self.status.rollout.as_ref() == Some(&order.rollout) && self.status.attempt == order.attempt
    }
}

/// How long an answer waits for the disk's word, or for a canary that is being told.
const MOMENT: Duration = Duration::from_millis(100);

/// What is said of a canary that nothing has told for as long as one action may take.
const NOT_TOLD: &str = "the canary could not be told in time";

/// The last answer to each abort in this session, and the count of receipts.
#[derive(Debug, Default)]
pub(super) struct Receipts {
    pub(super) seq: u64,
    /// Until when an answer may wait.
    waits: BTreeMap<AbortId, Mono>,
    /// Until when it passes that a canary was not told.
    untold: BTreeMap<AbortId, Mono>,
    told: BTreeMap<AbortId, (bool, Vec<WorkloadReceipt>)>,
}

impl Receipts {
    /// A new session is told everything again.
    pub(super) fn opened(&mut self) {
        self.told.clear();
    }

    /// Whether an answer waits for the disk, which most often keeps the abort in a moment, or for a
    /// canary that is told in the same one: then one receipt says all. One that says that something
    /// else goes on does not wait, nor does any for a disk that fails.
    pub(super) fn waits(
        &mut self,
        abort: &AbortId,
        workloads: &[WorkloadReceipt],
        (durable, is_failing): (bool, bool),
        now: Mono,
    ) -> bool {
        let until = self.waits.entry(abort.clone());
        let until = *until.or_insert_with(|| now.plus(MOMENT));
        let passes =
            |workload: &WorkloadReceipt| workload.state.is_final() || workload.state.is_untold();
        let for_disk = !durable && !is_failing;
        let lacks = for_disk || workloads.iter().any(|workload| workload.state.is_untold());
        lacks && workloads.iter().all(passes) && !reached(until, now)
    }

    /// A canary that is being told passes as that for as long as an action may take; then something is in
    /// its way, and the answer says so.
    pub(super) fn judge(&mut self, abort: &AbortId, workloads: &mut [WorkloadReceipt], now: Mono) {
        if !workloads.iter().any(|one| one.state.is_untold()) {
            self.untold.remove(abort);
            return;
        }
        let until = self.untold.entry(abort.clone());
        if !reached(*until.or_insert_with(|| now.plus(ACTION_DEADLINE)), now) {
            return;
        }
        for one in workloads.iter_mut().filter(|one| one.state.is_untold()) {
            one.state = one.state.overdue(NOT_TOLD);
        }
    }

    /// When an answer has waited long enough.
    pub(super) fn waits_until(&self, now: Mono) -> impl Iterator<Item = Mono> {
        let waits = self.waits.values().chain(self.untold.values()).copied();
        waits.filter(move |at| !reached(*at, now))
    }

    /// Forgets aborts that no longer stand.
    pub(super) fn only(&mut self, standing: &BTreeSet<AbortId>) {
        self.waits.retain(|abort, _| standing.contains(abort));
        self.untold.retain(|abort, _| standing.contains(abort));
        self.told.retain(|abort, _| standing.contains(abort));
    }

    /// Whether this answer differs from the last one; if so it counts as told, under a new number.
    pub(super) fn tell(
        &mut self,
        abort: &AbortId,
        durable: bool,
        workloads: &[WorkloadReceipt],
    ) -> Option<u64> {
        let told = self.told.get(abort);
        if told.is_some_and(|(was, those)| *was == durable && those == workloads) {
            return None;
        }
        self.told
            .insert(abort.clone(), (durable, workloads.to_vec()));
        self.seq += 1;
        Some(self.seq)
    }
}

impl Link {
    /// Where an abort that comes now has nothing to stop.
    pub(super) fn at_rest(&self, abort: &Abort) -> BTreeSet<WorkloadRef> {
        let known: BTreeSet<WorkloadRef> = self.known().cloned().collect();
        let release = |workload: &WorkloadRef| self.slots.get(workload)?.in_force();
        let answers = answers(abort, &known, release, &self.seen);
        let rests = answers.into_iter().filter(|answer| match answer.state {
            ReceiptState::Returned | ReceiptState::Idle => true,
            ReceiptState::Returning { .. }
            | ReceiptState::Held
            | ReceiptState::Done
            | ReceiptState::NotStopped { .. } => false,
        });
        rests.map(|answer| answer.workload).collect()
    }

    /// The receipt that is due now, if one is.
    pub(super) fn next_receipt(&mut self, now: Tick) -> Option<AgentMessage> {
        let known: BTreeSet<WorkloadRef> = self.known().cloned().collect();
        for (id, kept) in &self.aborts.value().standing {
            let abort = &kept.signed.value;
            let release = |workload: &WorkloadRef| self.slots.get(workload)?.in_force();
            let mut workloads = answers(abort, &known, release, &self.seen);
            for answer in &mut workloads {
                // It was back before: this abort returned nothing.
                if answer.state == ReceiptState::Returned && kept.at_rest.contains(&answer.workload)
                {
                    answer.state = ReceiptState::Idle;
                }
            }
            self.receipts.judge(id, &mut workloads, now.mono);
            let durable = self.aborts.has(kept.generation);
            let disk = (durable, self.aborts.again_at().is_some());
            if self.receipts.waits(id, &workloads, disk, now.mono) {
                continue;
            }
            let Some(seq) = self.receipts.tell(id, durable, &workloads) else {
                continue;
            };
            let receipt = Receipt {
                abort: id.clone(),
                cluster: self.member.cluster.clone(),
                uid: self.member.uid.clone(),
                incarnation: self.record.value().incarnation,
                seq,
                at: now.wall,
                durable,
                workloads,
            };
            match self.seal.sign_receipt(receipt) {
                Ok(signed) => return Some(AgentMessage::Receipt(Box::new(signed))),
                Err(error) => tracing::error!(abort = %id, %error, "receipt cannot be signed"),
            }
        }
        None
    }
}

/// What every workload of the cluster in the abort's scope answers now. `known` are all workloads
/// of this agent, with and without an order.
pub(super) fn answers<'a>(
    abort: &Abort,
    known: &BTreeSet<WorkloadRef>,
    release: impl Fn(&WorkloadRef) -> Option<&'a Release>,
    seen: &BTreeMap<WorkloadRef, Seen>,
) -> Vec<WorkloadReceipt> {
    let answer = |workload: &WorkloadRef| match release(workload) {
        Some(release) => {
            covered(abort, release).then(|| answer(abort, release, seen.get(workload)))
        }
        None => {
            let meant = match &abort.scope {
                Scope::Fleet | Scope::Selector(_) => true,
                Scope::Workload(wanted) => wanted == workload,
                Scope::Project(_) | Scope::Plan(_) | Scope::Rollout { .. } => false,
            };
            meant.then(|| without_order(workload, seen.get(workload)))
        }
    };
    known.iter().filter_map(answer).collect()
}

fn covered(abort: &Abort, release: &Release) -> bool {
    let order = release.order();
    abort
        .scope
        .covers(&order.workload, &order.plan, &order.rollout)
}

fn without_order(workload: &WorkloadRef, seen: Option<&Seen>) -> WorkloadReceipt {
    WorkloadReceipt {
        workload: workload.clone(),
        fence: Fence::default(),
        state: seen.map_or(ReceiptState::Idle, orderless),
        read_back: seen.and_then(|seen| seen.status.observed),
        proxies: seen.map_or(0, |seen| seen.proxies),
        digest: seen.and_then(|seen| seen.status.digest),
    }
}

/// A canary that no order speaks for may still have traffic: it goes back by itself, or stands still.
fn orderless(seen: &Seen) -> ReceiptState {
    let status = &seen.status;
    let settled = if status.phase == Phase::Failed {
        status.weight == Weight::ZERO && status.observed == Some(Weight::ZERO)
    } else {
        !status.phase.is_active()
    };
    match (settled, status.phase, status.observed) {
        (true, _, _) => ReceiptState::Idle,
        (false, Phase::Failed, Some(observed)) => ReceiptState::Returning {
            capacity: observed.rest(),
        },
        (false, _, None) => ReceiptState::not_stopped(not_read(status)),
        (false, _, Some(_)) => {
            ReceiptState::not_stopped("a canary is in flight here that no order speaks for")
        }
    }
}

fn answer(abort: &Abort, release: &Release, seen: Option<&Seen>) -> WorkloadReceipt {
    let order = release.order();
    let state = match seen {
        None => ReceiptState::not_stopped("the workload's state is not read yet"),
        Some(seen) => state(abort, release, seen),
    };
    WorkloadReceipt {
        workload: order.workload.clone(),
        fence: order.fence,
        state,
        read_back: seen.and_then(|seen| seen.status.observed),
        proxies: seen.map_or(0, |seen| seen.proxies),
        digest: seen.and_then(|seen| seen.status.digest),
    }
}

fn state(abort: &Abort, release: &Release, seen: &Seen) -> ReceiptState {
    let status = &seen.status;
    let done = seen.is_done(release);
    let in_flight = status.phase.is_active();
    let is_returning = status.intent == Some(Intent::Retreat);
    if done && abort.mode != AbortMode::RetreatDone {
        return finished(abort, release, status);
    }
    // The hub sends a void order as a Retreat, so the order itself may no longer name the abort.
    let went_back = is_returning
        && status.phase == Phase::Failed
        && status.rollout.as_ref() == Some(&release.order().rollout);
    let goes_back = is_on_its_way(status);
    let Some(observed) = status.observed else {
        return if in_flight || done || went_back || goes_back || status.aborted_by.is_some() {
            ReceiptState::unread(not_read(status))
        } else {
            ReceiptState::Idle
        };
    };
    if goes_back && status.reason == cannot_return() && observed > Weight::ZERO {
        return ReceiptState::not_stopped(status.message.clone());
    }
    if in_flight && abort.mode == AbortMode::Hold && !is_returning {
        return if status.intent == Some(Intent::Hold) {
            ReceiptState::Held
        } else {
            ReceiptState::untold(abort.mode)
        };
    }
    // Zero counts only once the canary was told to go back: before, an Advance may be on its way.
    let at_zero = observed == Weight::ZERO && status.weight == Weight::ZERO;
    let settled = is_returning || !(in_flight || done);
    let untouched = !in_flight && !done && !went_back && !goes_back && status.aborted_by.is_none();
    match (at_zero, settled) {
        (true, true) if untouched => ReceiptState::Idle,
        (true, true) => ReceiptState::Returned,
        (false, true) if !untouched => ReceiptState::Returning {
            capacity: observed.rest(),
        },
        // Ended before the abort, and what is read back belongs to no canary.
        (false, true) => ReceiptState::Idle,
        (_, false) => ReceiptState::untold(AbortMode::Return),
    }
}

/// What a finished canary answers. It stays where the hub knew that it was done: then its row is not
/// void, or comes as Hold (P11). One that finished before the hub heard of it holds a void order: it
/// is taken back as soon as the hub's word is here (P8), and says so until then.
fn finished(abort: &Abort, release: &Release, status: &WorkloadStatus) -> ReceiptState {
    let told = status.intent == Some(Intent::Retreat);
    let is_void = release.voided_by.is_some() && abort.mode == AbortMode::Return;
    let goes_back = match release.order().intent {
        Intent::Run => is_void,
        Intent::Retreat => !told,
        Intent::Hold | Intent::Remove => false,
    };
    if told && status.reason == cannot_return() {
        return ReceiptState::not_stopped(status.message.clone());
    }
    match status.observed {
        _ if !goes_back => ReceiptState::Done,
        Some(observed) => ReceiptState::Returning {
            capacity: observed.rest(),
        },
        None => ReceiptState::unread(not_read(status)),
    }
}

/// Whether a canary is on the way back, of this order's run or of one before: that one goes back first.
fn is_on_its_way(status: &WorkloadStatus) -> bool {
    let back = flagship_canary::Reason::Returning {
        to: String::new(),
        seen: None,
        trouble: None,
        because: String::new(),
    };
    let is_back = [back.code(), cannot_return()].contains(&status.reason.as_str());
    status.phase == Phase::Failed && is_back
}

/// The code of a way back that leads nowhere.
fn cannot_return() -> &'static str {
    let (to, words) = (String::new(), String::new());
    flagship_canary::Reason::CannotReturn { to, words }.code()
}

fn not_read(status: &WorkloadStatus) -> String {
    if status.message.is_empty() {
        "the weight could not be read back from every proxy".to_owned()
    } else {
        format!(
            "the weight could not be read back from every proxy: {}",
            status.message
        )
    }
}
