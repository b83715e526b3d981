//! How long a rollout advanced, how long it waited, and for what.

use std::{collections::BTreeMap, fmt, time::Duration};

use flagship_proto::model::{Mono, Stopwatch};
use serde::{Deserialize, Serialize};

/// What a rollout spends its time on; at each moment one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Activity {
    /// Clusters are being released.
    Advancing,
    /// A gate is closed.
    Gate,
    /// A wave soaks.
    Soaking,
    /// The soak is over; clusters have yet to be heard after it (P31).
    Confirming,
    /// Clusters that are not heard hold all slots.
    Unreachable,
    /// People on the spot hold what is in flight, or keep the next from starting.
    LocalControl,
    /// A person paused it.
    Paused,
    /// A freeze stands.
    Frozen,
    /// It was stopped, by an abort or by its failure policy, and waits for a person.
    Stopped,
    /// Clusters go back.
    Retreating,
}

impl fmt::Display for Activity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Advancing => "advancing",
            Self::Gate => "waiting at a gate",
            Self::Soaking => "soaking",
            Self::Confirming => "waiting for confirmation",
            Self::Unreachable => "waiting for unreachable clusters",
            Self::LocalControl => "waiting for the end of local control",
            Self::Paused => "paused",
            Self::Frozen => "frozen",
            Self::Stopped => "stopped",
            Self::Retreating => "retreating",
        })
    }
}

/// Time by activity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Times {
    /// Accumulated time; at most one runs.
    pub spent: BTreeMap<Activity, Stopwatch>,
}

impl Times {
    /// How long it did this.
    pub fn of(&self, activity: Activity) -> Duration {
        self.spent
            .get(&activity)
            .map_or(Duration::ZERO, Stopwatch::elapsed)
    }

    /// How long it advanced.
    pub fn advanced(&self) -> Duration {
        self.of(Activity::Advancing)
    }

    /// How long it did anything else.
    pub fn waited(&self) -> Duration {
        self.spent
            .iter()
            .filter(|(activity, _)| **activity != Activity::Advancing)
            .map(|(_, watch)| watch.elapsed())
            .sum()
    }

    /// Lets the time of `activity` run, and no other; none stops all. What ran until now is
    /// charged to what it was spent on.
    pub(crate) fn turn_to(&mut self, activity: Option<Activity>, now: Mono, longest_gap: Duration) {
        for (other, watch) in &mut self.spent {
            if watch.mark.is_some() {
                watch.run(now, longest_gap);
                if Some(*other) != activity {
                    watch.stop();
                }
            }
        }
        if let Some(activity) = activity {
            self.spent
                .entry(activity)
                .or_default()
                .run(now, longest_gap);
        }
    }
}
