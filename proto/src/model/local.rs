//! Local control: what a person on the spot told one agent, also while the hub is away. Only in the
//! safe direction: a hold, a retreat, and the end of either.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    id::{ClusterName, ClusterUid, LocalId, WorkloadRef},
    position::Position,
};

/// How many acts of one workload are kept and reported: the newest. The hub audits each once.
pub const LOCAL_ACTS: usize = 16;

/// Longest reason that is kept, in characters.
pub const LONGEST_REASON: usize = 500;

/// What a person on the spot wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum LocalVerb {
    /// Traffic stays, nothing starts.
    Hold,
    /// What is in flight goes back, Done too; nothing starts.
    Retreat,
    /// Neither any more; moves nothing by itself.
    Release,
}

impl LocalVerb {
    /// As people type it, and as the audit log and reasons say it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Hold => "hold",
            Self::Retreat => "retreat",
            Self::Release => "release",
        }
    }
}

/// Who it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "on")]
pub enum LocalActor {
    /// A user of the agent's machine, as its kernel says.
    #[serde(rename_all = "camelCase")]
    Spot {
        /// The user's name, where the machine has one for the id.
        user: String,
        /// The user's id.
        uid: u32,
    },
    /// A person on the hub.
    #[serde(rename_all = "camelCase")]
    Hub {
        /// The name that the hub's audit log has.
        actor: String,
    },
}

impl fmt::Display for LocalActor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Spot { user, uid } if user.is_empty() => write!(f, "uid {uid}"),
            Self::Spot { user, uid } => write!(f, "{user} (uid {uid})"),
            Self::Hub { actor } => write!(f, "{actor} on the hub"),
        }
    }
}

/// One act of local control over one workload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LocalAct {
    /// Drawn by the agent; names the act for ever.
    pub id: LocalId,
    /// What.
    pub verb: LocalVerb,
    /// Who.
    pub by: LocalActor,
    /// When, by the clock of the agent's machine.
    pub at: Timestamp,
    /// Why, in that person's words; may be empty.
    pub reason: String,
}

impl LocalAct {
    /// About how many bytes it takes to keep it.
    pub fn size(&self) -> usize {
        let by = match &self.by {
            LocalActor::Spot { user, .. } => user,
            LocalActor::Hub { actor } => actor,
        };
        size_of::<Self>() + by.len() + self.reason.len()
    }
}

impl fmt::Display for LocalAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "local {} by {}", self.verb.word(), self.by)?;
        if self.reason.is_empty() {
            Ok(())
        } else {
            write!(f, ": {}", self.reason)
        }
    }
}

/// The hold or retreat that stands, given a workload's acts, oldest first.
pub fn standing(acts: &[LocalAct]) -> Option<&LocalAct> {
    acts.last().filter(|act| match act.verb {
        LocalVerb::Hold | LocalVerb::Retreat => true,
        LocalVerb::Release => false,
    })
}

/// A person on the hub ends one act of local control; signed by the hub. It names the act, so that
/// it never ends another one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalRelease {
    /// In which cluster, for people.
    pub cluster: ClusterName,
    /// In which cluster; an agent refuses one for another uid.
    pub uid: ClusterUid,
    /// Over which workload.
    pub workload: WorkloadRef,
    /// The hold or retreat that ends.
    pub act: LocalId,
    /// Where it was stored.
    pub position: Position,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(verb: LocalVerb) -> LocalAct {
        LocalAct {
            id: "l1".parse().unwrap(),
            verb,
            by: LocalActor::Spot {
                user: "ana".to_owned(),
                uid: 1000,
            },
            at: Timestamp::UNIX_EPOCH,
            reason: "errors here".to_owned(),
        }
    }

    #[test]
    fn the_last_act_stands_unless_it_is_a_release() {
        let hold = act(LocalVerb::Hold);
        let back = act(LocalVerb::Retreat);
        assert_eq!(standing(&[]), None);
        assert_eq!(standing(&[hold.clone(), back.clone()]), Some(&back));
        assert_eq!(standing(&[hold, act(LocalVerb::Release)]), None);
        assert_eq!(
            back.to_string(),
            "local retreat by ana (uid 1000): errors here"
        );
    }
}
