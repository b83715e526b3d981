//! Why a canary is where it is: a stable word for programs, a sentence with the numbers for people.
//! The same words reach log, event, report and command line.

mod words;

use std::fmt;

use flagship_proto::model::{Weight, canary::WebhookType};
use serde::{Deserialize, Serialize};

/// How many instances of a version are ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Readiness {
    /// The version.
    pub version: String,
    /// Ready now.
    pub ready: u32,
    /// Wanted.
    pub wanted: u32,
}

impl fmt::Display for Readiness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            version,
            ready,
            wanted,
        } = self;
        write!(f, "{version} has {ready} of {wanted} instances ready")
    }
}

/// Where in the analysis a canary is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The weight.
    pub weight: Weight,
    /// The step, from 1; 0 before the first traffic.
    pub step: u32,
    /// Of so many.
    pub of: u32,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (step {} of {})", self.weight, self.step, self.of)
    }
}

/// Why a canary is where it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// Nothing was seen yet.
    Initializing,
    /// The primary is not ready yet.
    PrimaryStarting(Readiness),
    /// The primary cannot serve.
    PrimaryDown {
        /// Which version.
        version: String,
        /// How it fails.
        words: String,
    },
    /// There is no order.
    NoOrder,
    /// The change is the primary already.
    AlreadyThere {
        /// Which version.
        version: String,
    },
    /// The order says Hold, or something stronger than the order does.
    Held {
        /// Why.
        why: String,
    },
    /// The order says Run and nothing may advance.
    WaitingForLease {
        /// Why.
        why: String,
    },
    /// The spec says suspend.
    Suspended,
    /// A gate is asked.
    AskingGate {
        /// Which.
        gate: WebhookType,
    },
    /// A gate is closed.
    GateClosed {
        /// Which.
        gate: WebhookType,
        /// The hook.
        hook: String,
        /// What it said.
        words: String,
    },
    /// The canary is not ready yet.
    CanaryStarting(Readiness),
    /// The weight is not as recorded yet, or cannot be read back.
    WeightPending {
        /// Recorded.
        wanted: Weight,
        /// Read back, highest.
        seen: Option<Weight>,
        /// A proxy's words.
        trouble: Option<String>,
    },
    /// The next round of checks is not due yet.
    Soaking(Place),
    /// A round of checks is under way.
    Checking(Place),
    /// A round passed, and the step needs more of them.
    CheckPassed {
        /// Where.
        place: Place,
        /// Passed in this step.
        passed: u32,
        /// Needed.
        needed: u32,
    },
    /// A round failed.
    CheckFailed {
        /// What failed, with numbers.
        words: String,
        /// Failed so far.
        failed: u32,
        /// The threshold.
        threshold: u32,
    },
    /// A round could not be judged.
    CheckInconclusive {
        /// Why not.
        words: String,
        /// In a row.
        in_row: u32,
    },
    /// More traffic was given.
    Advanced {
        /// Before.
        from: Weight,
        /// Where it goes.
        place: Place,
    },
    /// The new version is scaled up for all traffic.
    PromotionScaling(Readiness),
    /// The new version takes all traffic by steps.
    PromotionShift {
        /// The recorded weight.
        weight: Weight,
    },
    /// The new version has all traffic and takes the primary's role.
    RolesSwapping,
    /// All traffic is on the change, and it is the primary.
    Succeeded {
        /// Which version.
        version: String,
    },
    /// Traffic goes back.
    Returning {
        /// To which version.
        to: String,
        /// The change's share, as read back.
        seen: Option<Weight>,
        /// What is in the way.
        trouble: Option<String>,
        /// Why it goes back.
        because: String,
    },
    /// There is nowhere to go back to.
    CannotReturn {
        /// Where it should go.
        to: String,
        /// Why it cannot.
        words: String,
    },
    /// End: as many failed rounds as the threshold.
    ThresholdReached {
        /// The last failure.
        words: String,
        /// Failed.
        failed: u32,
        /// The threshold.
        threshold: u32,
    },
    /// End: too many failed rounds in a row.
    FailedInRow {
        /// The last failure.
        words: String,
        /// In a row.
        failed: u32,
    },
    /// End: n failed rounds of the last m.
    FailedOfLast {
        /// The last failure.
        words: String,
        /// Failed.
        failed: u32,
        /// Of the last.
        last: u32,
    },
    /// End: too long without a round that could be judged.
    InconclusiveTooLong {
        /// Why the last one could not.
        words: String,
        /// Rounds in a row.
        rounds: u32,
    },
    /// End: it crashes again and again.
    CrashLooping {
        /// Which version.
        version: String,
        /// How.
        words: String,
    },
    /// End: it cannot be started.
    NotStartable {
        /// Which version.
        version: String,
        /// Why.
        words: String,
    },
    /// End: no instance is ready while it has traffic.
    CanaryDown {
        /// Which version.
        version: String,
        /// Its weight then.
        weight: Weight,
    },
    /// End: not ready within the progress deadline.
    NotReadyInTime {
        /// How far it got.
        readiness: Readiness,
        /// The deadline in seconds.
        seconds: u64,
    },
    /// End: a stage took longer than its deadline.
    StageDeadline {
        /// Which stage.
        stage: String,
        /// The deadline in seconds.
        seconds: u64,
    },
    /// End: a rollback hook asked for it.
    RollbackHook {
        /// Which.
        hook: String,
    },
    /// End: a retreat was ordered.
    RetreatOrdered {
        /// Why.
        why: String,
    },
    /// End: a newer change or attempt takes its place.
    Superseded {
        /// By which.
        by: String,
    },
}

impl Reason {
    /// A stable word for programs.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Initializing => "Initializing",
            Self::PrimaryStarting(_) => "PrimaryStarting",
            Self::PrimaryDown { .. } => "PrimaryDown",
            Self::NoOrder => "NoOrder",
            Self::AlreadyThere { .. } => "AlreadyThere",
            Self::Held { .. } => "Held",
            Self::WaitingForLease { .. } => "WaitingForLease",
            Self::Suspended => "Suspended",
            Self::AskingGate { .. } => "AskingGate",
            Self::GateClosed { .. } => "GateClosed",
            Self::CanaryStarting(_) => "CanaryStarting",
            Self::WeightPending { .. } => "WeightPending",
            Self::Soaking(_) => "Soaking",
            Self::Checking(_) => "Checking",
            Self::CheckPassed { .. } => "CheckPassed",
            Self::CheckFailed { .. } => "CheckFailed",
            Self::CheckInconclusive { .. } => "CheckInconclusive",
            Self::Advanced { .. } => "Advanced",
            Self::PromotionScaling(_) => "PromotionScaling",
            Self::PromotionShift { .. } => "PromotionShift",
            Self::RolesSwapping => "RolesSwapping",
            Self::Succeeded { .. } => "Succeeded",
            Self::Returning { .. } => "Returning",
            Self::CannotReturn { .. } => "CannotReturn",
            Self::ThresholdReached { .. } => "ThresholdReached",
            Self::FailedInRow { .. } => "FailedInRow",
            Self::FailedOfLast { .. } => "FailedOfLast",
            Self::InconclusiveTooLong { .. } => "InconclusiveTooLong",
            Self::CrashLooping { .. } => "CrashLooping",
            Self::NotStartable { .. } => "NotStartable",
            Self::CanaryDown { .. } => "CanaryDown",
            Self::NotReadyInTime { .. } => "NotReadyInTime",
            Self::StageDeadline { .. } => "StageDeadline",
            Self::RollbackHook { .. } => "RollbackHook",
            Self::RetreatOrdered { .. } => "RetreatOrdered",
            Self::Superseded { .. } => "Superseded",
        }
    }
}
