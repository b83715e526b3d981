//! What the engine remembers of one workload. The agent stores it before it acts, so whatever is in
//! it survives a restart; nothing else does. Written by `step` only.

use std::{collections::BTreeMap, time::Duration};

use flagship_proto::model::{
    Fence, Incarnation, Mono, Phase, Position, RolloutId, Stopwatch, Weight, canary::WebhookType,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    ask::{Asking, Slot},
    observation::{Revision, Target, Totals},
    reason::Reason,
};

/// The longest gap between two looks that still counts as time that passed (P27).
pub const LONGEST_GAP: Duration = Duration::from_secs(10);

/// How many promoted revisions are remembered.
pub const REMEMBERED: usize = 4;

/// Which run of which rollout the status is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunKey {
    /// The rollout.
    pub rollout: RolloutId,
    /// Its attempt.
    pub attempt: u32,
    /// The newest order of that attempt that was obeyed.
    pub fence: Fence,
    /// The version that it releases. After history went back a name may stand for another rollout. None in
    /// a status from before that was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl RunKey {
    /// Whether an order is about this run.
    pub(crate) fn is_of(&self, target: &Target) -> bool {
        let version = self.version.as_ref();
        self.rollout == target.rollout
            && self.attempt == target.attempt
            && version.is_none_or(|version| *version == target.change.version)
    }
}

/// Waits that run, as time that was seen to pass.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Waits {
    /// Since the last round of checks (or since the weight was read back): counts while the weight is as recorded.
    pub round: Stopwatch,
    /// Since the step's weight was read back.
    pub settled: Stopwatch,
    /// Since the last answer of a closed gate.
    pub gate: Stopwatch,
    /// Since the last round of the rollback hooks.
    pub rollback: Stopwatch,
    /// The change has traffic and a ready instance.
    pub serving: Stopwatch,
    /// A version that is not ready: time towards the progress deadline; stops on hold.
    pub ready: Stopwatch,
    /// The stage: time towards its deadline; stops on hold.
    pub stage: Stopwatch,
    /// Without a round that could be judged.
    pub inconclusive: Stopwatch,
}

impl Waits {
    /// Counts a wait on while `running`, and stops it otherwise.
    pub(crate) fn count(watch: &mut Stopwatch, running: bool, now: Mono) {
        if running {
            watch.run(now, LONGEST_GAP);
        } else {
            watch.stop();
        }
    }
}

/// Rounds that were judged, as the failure rules count them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Failed rounds in this run; successes never lower it (Flagger's `failedChecks`).
    pub failed: u32,
    /// Failed rounds in a row.
    pub failed_in_row: u32,
    /// The last rounds, newest last; true is a failure.
    pub recent: Vec<bool>,
    /// Inconclusive rounds in a row.
    pub inconclusive_in_row: u32,
    /// Passed rounds in this step.
    pub passed: u32,
    /// Whether the last round of this step passed.
    pub last_passed: bool,
}

/// A return that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Returning {
    /// Where traffic goes.
    pub to: Revision,
    /// Move only as much as ready instances carry; else all at once as soon as one is ready.
    pub paced: bool,
    /// It does not run and must be started first: the change was done.
    pub start: bool,
    /// Forget the order when it is done (intent Remove).
    pub forget: bool,
    /// Where it leads nowhere: what is started to take its place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<Revision>,
}

/// The proxies' counters when a step's weight was read back, for one order and one incarnation. Where
/// one of these changes, a new one is taken: what one key counted is in no other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Baseline {
    /// Of which order.
    #[serde(default)]
    pub revision: Position,
    /// In which incarnation of the agent it was taken.
    #[serde(default)]
    pub incarnation: Incarnation,
    /// The counters.
    #[serde(flatten)]
    pub totals: Totals,
}

/// Everything that is remembered of one workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CanaryStatus {
    /// Version of this record.
    pub format: u32,
    /// The phase.
    pub phase: Phase,
    /// The run that it is about.
    pub run: Option<RunKey>,
    /// What is, or was last, released.
    pub change: Option<Revision>,
    /// The version in the primary role.
    pub primary: Option<Revision>,
    /// The other version that runs: the change before the roles are swapped, the old one after.
    pub other: Option<Revision>,
    /// Versions that no longer have a role and are still to be stopped.
    pub stopping: Vec<Revision>,
    /// Promoted and not taken back, newest first.
    pub promoted: Vec<Revision>,
    /// The desired share on the change (P17).
    pub weight: Weight,
    /// The step of the analysis, from 0; no traffic moved yet while the weight is 0.
    pub step: u32,
    /// Grows with each question, so that ids differ.
    pub questions: u64,
    /// Rounds, as the failure rules count them.
    pub tally: Tally,
    /// Waits.
    pub waits: Waits,
    /// Questions that were asked and not closed.
    pub asking: BTreeMap<Slot, Asking>,
    /// Gates of this stage that opened; they are not asked again.
    pub opened: Vec<WebhookType>,
    /// What the gate of this stage said last, while it is closed.
    pub gate_closed: Option<Reason>,
    /// How the last round of this step went, if it did not pass.
    pub last_round: Option<Reason>,
    /// What the step's evidence is counted from (P26).
    pub baseline: Option<Baseline>,
    /// A return that is under way.
    pub returning: Option<Returning>,
    /// Why the run ended as it did, once it has.
    pub ended: Option<Reason>,
    /// Why it is where it is.
    pub reason: Reason,
    /// Since when that reason holds, by the wall clock, for people.
    pub since: Timestamp,
}

impl CanaryStatus {
    /// Of a workload that was never seen.
    pub fn new(now: Timestamp) -> Self {
        Self {
            format: 1,
            phase: Phase::Initializing,
            run: None,
            change: None,
            primary: None,
            other: None,
            stopping: Vec::new(),
            promoted: Vec::new(),
            weight: Weight::ZERO,
            step: 0,
            questions: 0,
            tally: Tally::default(),
            waits: Waits::default(),
            asking: BTreeMap::new(),
            opened: Vec::new(),
            gate_closed: None,
            last_round: None,
            baseline: None,
            returning: None,
            ended: None,
            reason: Reason::Initializing,
            since: now,
        }
    }

    /// Whether the change has, or may get, traffic that is not its own for good.
    pub fn in_flight(&self) -> bool {
        self.phase.is_active() || self.returning.is_some()
    }

    /// Whether the change is in the primary role.
    pub fn swapped(&self) -> bool {
        match (&self.primary, &self.change) {
            (Some(primary), Some(change)) => primary.is(change),
            (None, _) | (_, None) => false,
        }
    }
}
