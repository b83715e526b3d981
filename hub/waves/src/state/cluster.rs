//! One cluster's place in a rollout.

use std::fmt;

use flagship_proto::model::{
    Change, ClusterName, ClusterUid, LocalAct, Phase, ReturnTo, Stopwatch, Weight,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{RolloutPhase, RolloutState};

/// What a rollout remembers of one cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterState {
    /// Its name.
    pub name: ClusterName,
    /// Its wave, by its place in the plan.
    pub wave: usize,
    /// Where it stands.
    pub phase: ClusterPhase,
    /// Since when.
    pub since: Timestamp,
    /// The attempt of its latest Run order; 0 before the first.
    pub attempt: u32,
    /// Whether it still counts as on the change: it had a Run order and has not gone back since.
    pub touched: bool,
    /// Whether it starts again from step 0 once it has gone back.
    pub again: bool,
    /// Whether it went back and what it reports since has been seen (the slot is free).
    pub returned: bool,
    /// Whether the catch-up lane leaves it alone (it failed).
    pub barred: bool,
    /// Whether the first wave that it matches had started when it joined.
    pub late: bool,
    /// The hold or retreat of a person on the spot, while it stands: nothing starts there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<LocalAct>,
    /// How long it has not been heard while it was waited for.
    pub unheard: Stopwatch,
}

/// Where a cluster stands in a rollout (DESIGN §5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "name")]
pub enum ClusterPhase {
    /// Its turn has not come.
    Waiting,
    /// Its order is stored; it has not answered.
    Ordered,
    /// Its canary is in flight.
    Running {
        /// As the agent says it.
        phase: Phase,
        /// Share of traffic on the change.
        weight: Weight,
    },
    /// It succeeded; its wave has not soaked yet.
    Soaking,
    /// It succeeded and soaked.
    Done,
    /// It failed.
    Failed {
        /// Why, with the agent's numbers.
        reason: String,
    },
    /// It goes back.
    Retreating {
        /// Share of traffic still on the change, where it is known.
        weight: Option<Weight>,
    },
    /// It has gone back.
    RolledBack,
    /// It was left out.
    Skipped {
        /// Why.
        reason: String,
    },
    /// It is not heard, and what it has cannot advance.
    Unreachable,
    /// It is no longer a member of the fleet.
    Left,
}

impl RolloutState {
    /// Clusters that came after it had Succeeded and are on their way to its change.
    pub fn catching_up(&self) -> impl Iterator<Item = &ClusterState> {
        let succeeded = self.phase == RolloutPhase::Succeeded;
        let clusters = self.clusters.iter().filter(move |(uid, cluster)| {
            let lane = self.catch_up.as_ref();
            let comes_here =
                lane.is_some_and(|lane| lane.uid == **uid && lane.change == self.change);
            succeeded && (cluster.phase.in_flight() || comes_here)
        });
        clusters.map(|(_, cluster)| cluster)
    }

    /// Whether a rollout that Succeeded still moves a cluster: one in its lane, or one on its way back from there.
    pub fn is_lane_busy(&self) -> bool {
        let mut clusters = self.clusters.values();
        let goes_back =
            |cluster: &ClusterState| matches!(cluster.phase, ClusterPhase::Retreating { .. });
        self.phase == RolloutPhase::Succeeded
            && (self.catch_up.is_some() || clusters.any(goes_back))
    }

    /// Whether a cluster is in the catch-up lane, whatever its phase was before.
    pub fn is_in_lane(&self, uid: &ClusterUid) -> bool {
        let lane = self.catch_up.as_ref();
        lane.is_some_and(|lane| lane.uid == *uid)
    }

    /// Where one of its clusters stands, in one word: whose turn had not come when the rollout ended waits for
    /// nothing any more. Who came late to one that Succeeded catches up still.
    pub fn word_of(&self, cluster: &ClusterState) -> &'static str {
        let goes_on = !self.is_over() || self.phase == RolloutPhase::Succeeded;
        if cluster.phase == ClusterPhase::Waiting && !goes_on {
            return "NotBegun";
        }
        cluster.phase.word()
    }
}

impl ClusterPhase {
    /// One word for tables and metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Waiting => "Waiting",
            Self::Ordered => "Ordered",
            Self::Running { .. } => "Running",
            Self::Soaking => "Soaking",
            Self::Done => "Done",
            Self::Failed { .. } => "Failed",
            Self::Retreating { .. } => "Retreating",
            Self::RolledBack => "RolledBack",
            Self::Skipped { .. } => "Skipped",
            Self::Unreachable => "Unreachable",
            Self::Left => "Left",
        }
    }

    /// Whether a Run order is being carried out.
    pub fn in_flight(&self) -> bool {
        match self {
            Self::Ordered | Self::Running { .. } | Self::Unreachable => true,
            Self::Waiting
            | Self::Soaking
            | Self::Done
            | Self::Failed { .. }
            | Self::Retreating { .. }
            | Self::RolledBack
            | Self::Skipped { .. }
            | Self::Left => false,
        }
    }

    /// Whether it succeeded and was not taken back.
    pub fn succeeded(&self) -> bool {
        match self {
            Self::Soaking | Self::Done => true,
            Self::Waiting
            | Self::Ordered
            | Self::Running { .. }
            | Self::Unreachable
            | Self::Failed { .. }
            | Self::Retreating { .. }
            | Self::RolledBack
            | Self::Skipped { .. }
            | Self::Left => false,
        }
    }
}

impl fmt::Display for ClusterPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())?;
        match self {
            Self::Running { phase, weight } => write!(f, " ({phase}, {weight})"),
            Self::Retreating {
                weight: Some(weight),
            } => write!(f, " ({weight})"),
            Self::Failed { reason } | Self::Skipped { reason } => write!(f, " ({reason})"),
            Self::Waiting
            | Self::Ordered
            | Self::Soaking
            | Self::Done
            | Self::Retreating { weight: None }
            | Self::RolledBack
            | Self::Unreachable
            | Self::Left => Ok(()),
        }
    }
}

impl ClusterState {
    /// A cluster whose turn has not come.
    pub fn waiting(name: ClusterName, wave: usize, at: Timestamp) -> Self {
        Self {
            name,
            wave,
            phase: ClusterPhase::Waiting,
            since: at,
            attempt: 0,
            touched: false,
            again: false,
            returned: false,
            barred: false,
            late: false,
            local: None,
            unheard: Stopwatch::default(),
        }
    }

    /// Whether it holds one of its wave's slots (S18).
    pub fn holds_slot(&self) -> bool {
        match &self.phase {
            ClusterPhase::Ordered
            | ClusterPhase::Running { .. }
            | ClusterPhase::Unreachable
            | ClusterPhase::Retreating { .. } => true,
            ClusterPhase::Failed { .. } => self.touched && !self.returned,
            ClusterPhase::Waiting
            | ClusterPhase::Soaking
            | ClusterPhase::Done
            | ClusterPhase::RolledBack
            | ClusterPhase::Skipped { .. }
            | ClusterPhase::Left => false,
        }
    }
}

/// The catch-up lane: one late or returning cluster at a time goes to the last good version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CatchUp {
    /// Which cluster.
    pub uid: ClusterUid,
    /// Where it goes.
    pub change: Change,
    /// The attempt of its order.
    pub attempt: u32,
    /// Where it returns to if it is stopped.
    pub return_to: ReturnTo,
    /// Since when.
    pub since: Timestamp,
}
