//! Why: every decision and every wait as a value that prints itself. The same words reach log,
//! event, API and CLI; [`Reason::code`] is the stable word that scripts may compare.

use std::fmt;

use flagship_proto::{
    model::{AbortId, AbortMode, ClusterName, FreezeId, RolloutId, WaveName},
    words::{after_colon, count, count_with, given},
};
use serde::{Deserialize, Serialize};

/// Why a rollout stopped by its own policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "cause")]
pub enum Cause {
    /// More clusters failed than the plan bears.
    #[serde(rename_all = "camelCase")]
    TooManyFailures {
        /// So many failed.
        failures: usize,
        /// So many are borne.
        max_failures: u32,
        /// The latest.
        cluster: ClusterName,
        /// Why that one failed.
        reason: String,
    },
    /// The plan's deadline passed.
    Deadline {
        /// The deadline.
        after: String,
    },
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooManyFailures {
                failures,
                max_failures,
                cluster,
                reason,
            } => write!(
                f,
                "{failures} failed, {max_failures} allowed; last {cluster}: {reason}"
            ),
            Self::Deadline { after } => write!(f, "not finished within its deadline of {after}"),
        }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident { $($field:ident: $type:ty,)* } => $form:literal $(, $part:expr)*;)*) => {
        /// Why something was decided, or what is waited for.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(tag = "code")]
        pub enum Reason {
            $($(#[$doc])* $name {
                $(#[doc = concat!("The ", stringify!($field), ".")] $field: $type,)*
            },)*
        }

        impl Reason {
            /// A stable word for this kind of reason.
            pub fn code(&self) -> &'static str {
                match self {
                    $(Self::$name { .. } => stringify!($name),)*
                }
            }
        }

        impl fmt::Display for Reason {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$name { $($field),* } => write!(f, $form $(, $part)*),)*
                }
            }
        }
    };
}

reasons! {
    /// The rollout began.
    Started { change: String, } => "rollout of {change} started";
    /// A wave began; its members are frozen.
    WaveStarted { wave: WaveName, clusters: usize, limit: usize, }
        => "wave {wave} started with {}, {limit} at once", count(*clusters, "cluster");
    /// A cluster got its Run order.
    ClusterStarted { cluster: ClusterName, attempt: u32, } => "{cluster} started, attempt {attempt}";
    /// A cluster's agent took up its order.
    ClusterRunning { cluster: ClusterName, } => "{cluster} took up its order";
    /// A cluster succeeded.
    ClusterSucceeded { cluster: ClusterName, } => "{cluster} succeeded: all its traffic is on the new version";
    /// A cluster failed.
    ClusterFailed { cluster: ClusterName, reason: String, } => "{cluster} failed: {reason}";
    /// A cluster has gone back.
    ClusterReturned { cluster: ClusterName, } => "{cluster} has gone back";
    /// A cluster is not heard and cannot advance.
    ClusterUnreachable { cluster: ClusterName, } => "{cluster} is not heard; nothing advances there";
    /// A cluster is heard again.
    ClusterHeard { cluster: ClusterName, } => "{cluster} is heard again";
    /// A person on the spot holds it, or takes it back.
    LocalControl { cluster: ClusterName, act: String, } => "{cluster} is under local control: {act}";
    /// Local control of it ended.
    LocalControlEnded { cluster: ClusterName, } => "{cluster} is no longer under local control; its orders count again";
    /// A cluster was left out.
    ClusterSkipped { cluster: ClusterName, reason: String, } => "{cluster} is skipped: {reason}";
    /// A skipped cluster came back while its wave runs (S12).
    ClusterRejoined { cluster: ClusterName, } => "{cluster} is back and starts again from step 0";
    /// A cluster that had succeeded has begun nothing of it: its agent's data were put back.
    ClusterForgot { cluster: ClusterName, version: String, }
        => "{cluster} had succeeded, and its agent knows nothing of it any more; {version} has no traffic there";
    /// A cluster joined a wave that had not started.
    ClusterJoined { cluster: ClusterName, wave: WaveName, } => "{cluster} joined wave {wave}";
    /// A cluster came after its wave had started (P25).
    ClusterLate { cluster: ClusterName, wave: WaveName, }
        => "{cluster} joined after wave {wave} had started; it goes to the last good version by itself";
    /// A cluster is no longer a member.
    ClusterLeft { cluster: ClusterName, } => "{cluster} left the fleet";
    /// All clusters of a wave have succeeded.
    WaveSoaking { wave: WaveName, period: String, } => "wave {wave} soaks for {period}";
    /// A wave is done.
    WaveDone { wave: WaveName, done: usize, skipped: usize, }
        => "wave {wave} is done: {} done, {skipped} skipped", count(*done, "cluster");
    /// All waves are done.
    Succeeded { done: usize, skipped: usize, }
        => "rollout succeeded: {} done, {skipped} skipped", count(*done, "cluster");
    /// The failure policy stopped it.
    Halted { cause: Cause, } => "halted, what is in flight holds: {cause}";
    /// Clusters go back.
    RetreatBegun { what: String, reason: String, } => "{what} goes back: {reason}";
    /// Clusters that an abort does not take back for this rollout: another one was ordered there since.
    LeftBehind { clusters: String, }
        => "{clusters} not taken back for this rollout: another one was ordered there since and gives up what it brought";
    /// All that had to has gone back.
    RetreatDone { clusters: usize, }
        => "{} gone back", count_with(*clusters, "cluster", ["has", "have"]);
    /// An abort stopped it.
    Aborted { abort: AbortId, mode: AbortMode, actor: String, reason: String, }
        => "stopped by abort {abort} ({mode}) of {actor}: {}", given(reason);
    /// One of several aborts was lifted, and another covers it still.
    StillAborted { lifted: AbortId, abort: AbortId, actor: String, reason: String, }
        => "abort {lifted} is lifted, and abort {abort} of {actor} still stands: {}", given(reason);
    /// No abort covers it any more; nothing moves by that.
    Lifted { abort: AbortId, }
        => "abort {abort} is lifted; nothing moves until the rollout is retried, retreated, accepted or superseded";
    /// A freeze binds it, or some of its clusters.
    Frozen { freeze: FreezeId, actor: String, reason: String, }
        => "frozen by {freeze} of {actor}, what is in flight in its scope holds and nothing starts: {}", given(reason);
    /// A freeze binds it no more.
    FreezeEnded { freeze: FreezeId, } => "freeze {freeze} has ended; what it held goes on";
    /// A person paused it.
    PausedBy { actor: String, reason: String, } => "paused by {actor}: {}", given(reason);
    /// A person resumed it.
    ResumedBy { actor: String, reason: String, } => "resumed by {actor}: {}", given(reason);
    /// A person tries again.
    RetriedBy { actor: String, reason: String, attempt: u32, } => "attempt {attempt} by {actor}: {}", given(reason);
    /// A person took the mixed state as final.
    AcceptedBy { actor: String, reason: String, } => "accepted as it is by {actor}: {}", given(reason);
    /// Clusters that were told to go back before it was accepted.
    StillGoBack { clusters: String, }
        => "the way back that was ordered goes on in {clusters}; who is not heard goes back when heard again";
    /// Another rollout took over.
    SupersededBy { rollout: RolloutId, actor: String, } => "superseded by {rollout} of {actor}; what is in flight goes back";
    /// A wish that was overtaken.
    RequestRefused { verb: String, why: String, } => "did not {verb}: {why}";
    /// The catch-up lane takes a cluster.
    CatchUpStarted { cluster: ClusterName, version: String, } => "{cluster} catches up to {version}";
    /// A cluster has caught up.
    CatchUpDone { cluster: ClusterName, version: String, } => "{cluster} has caught up to {version}";
    /// A cluster did not catch up.
    CatchUpStopped { cluster: ClusterName, reason: String, } => "{cluster} does not catch up: {reason}";

    /// Waiting: canaries are in flight.
    WaitingForClusters { wave: WaveName, clusters: String, } => "wave {wave} waits for {clusters}";
    /// Waiting: clusters that are next are not connected.
    WaitingForConnection { clusters: String, } => "{clusters} not connected";
    /// Waiting: another rollout holds the claim (P16).
    WaitingForClaim { clusters: String, }
        => "{clusters} held by another rollout of this workload: until it ends, is retreated or accepted, or is superseded by this one";
    /// Waiting: people on the spot hold clusters, or keep them from starting.
    WaitingForLocalRelease { clusters: String, }
        => "{clusters} under local control: flagship-agent ctl release there, or flagship cluster release";
    /// Waiting: clusters that are not heard.
    WaitingForUnreachable { clusters: String, then: String, } => "{clusters} not heard; {then}";
    /// Waiting: a failed or retreating cluster still holds its slot.
    WaitingForReturn { clusters: String, } => "{clusters} still going back";
    /// Waiting: what is in the way of a cluster that is to go back.
    CannotReturn { cluster: ClusterName, why: String, }
        => "{cluster} is not back: {why}; once that is mended it goes on by itself, or retreat elsewhere with --to, or accept it as it is";
    /// Waiting: a cluster that is to go back is not heard.
    ReturnNotHeard { cluster: ClusterName, }
        => "{cluster} is not back: it is not heard; once it is heard it goes back by itself, flagship-agent ctl retreat takes it back there at once, or accept it as it is";
    /// Waiting: of a cluster that is to go back not every proxy can be read.
    ReturnUnread { cluster: ClusterName, why: String, }
        => "{cluster} is not known to be back: not every proxy there can be read{}; have that proxy answer or end it on its machine, and it goes on by itself, or accept it as it is",
        after_colon(why);
    /// Waiting: the soak.
    WaitingForSoak { wave: WaveName, period: String, } => "wave {wave} soaks for {period}";
    /// Waiting: each member must be heard after the soak (P31).
    WaitingForConfirmation { wave: WaveName, clusters: String, }
        => "wave {wave} has soaked; {clusters} yet to be seen with all traffic on the new version since";
    /// Too few clusters of a wave were reached (`unreachable.quorum`).
    WaitingForQuorum { wave: WaveName, reached: usize, members: usize, needed: usize, }
        => "wave {wave} reached {reached} of {} and needs {needed}: it waits for who is skipped to come back",
        count(*members, "cluster");
    /// Waiting: a wave without members proves nothing.
    WaveEmpty { wave: WaveName, } => "wave {wave} has no clusters, and an empty wave proves nothing";
    /// Waiting: all members were left out.
    WaveProvedNothing { wave: WaveName, }
        => "wave {wave} proved nothing: none of its clusters succeeded, all were skipped or left";
    /// Waiting: a pause.
    WaitingForResume { actor: String, reason: String, } => "paused by {actor}: {}; resume it to go on", given(reason);
    /// Waiting: a freeze.
    WaitingForUnfreeze { freeze: FreezeId, ends: String, reason: String, } => "freeze {freeze} stands {ends}: {}", given(reason);
    /// Waiting: a freeze of some clusters.
    ClustersFrozen { clusters: String, freeze: FreezeId, ends: String, reason: String, }
        => "{clusters} frozen by {freeze} {ends}: {}", given(reason);
    /// Waiting: the abort stands.
    WaitingForLift { abort: AbortId, } => "abort {abort} stands; lift it, then retry, or retreat or accept it now";
    /// Waiting: one more abort stands.
    AlsoStands { abort: AbortId, actor: String, reason: String, }
        => "abort {abort} of {actor} stands too and has to be lifted as well: {}", given(reason);
    /// Waiting: so many aborts stand besides those that are named.
    MoreStand { more: usize, }
        => "{} to be lifted as well", count_with(*more, "more abort", ["stands and has", "stand and have"]);
    /// Waiting: an abort is lifted and has not ended.
    WaitingForLiftsEnd { abort: AbortId, actor: String, ends: String, }
        => "abort {abort} is lifted by {actor} and ends at {ends}; then retry, or retreat or accept it now";
    /// Waiting: lifted, a person must act.
    WaitingForPerson { verbs: String, } => "nothing moves by itself: {verbs}";
    /// Waiting: nothing ever succeeded, so there is nowhere to catch up to.
    NothingGood { clusters: String, } => "{clusters} keep what they have: no version has ever succeeded";
}

impl Reason {
    /// Whether this waits for the lift of an abort.
    pub(crate) fn waits_for(&self, id: &AbortId) -> bool {
        if let Self::WaitingForLift { abort }
        | Self::AlsoStands { abort, .. }
        | Self::WaitingForLiftsEnd { abort, .. } = self
        {
            return abort == id;
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_has_a_stable_word_and_a_sentence() {
        let reason = Reason::ClusterFailed {
            cluster: "eu-1".parse().unwrap(),
            reason: "success rate 89.9% < 99%".to_owned(),
        };
        assert_eq!(reason.code(), "ClusterFailed");
        assert_eq!(reason.to_string(), "eu-1 failed: success rate 89.9% < 99%");
        let json = serde_json::to_value(&reason).unwrap();
        assert_eq!(json["code"], "ClusterFailed");
        assert_eq!(serde_json::from_value::<Reason>(json).unwrap(), reason);
    }

    #[test]
    fn a_stop_without_a_reason_leaves_no_hole_in_a_sentence() {
        let (actor, reason) = (|| "ann".to_owned(), String::new);
        let (freeze, ends): (FreezeId, String) = ("f-1".parse().unwrap(), "by unfreeze".to_owned());
        let reasons = [
            Reason::Aborted {
                abort: "a-1".parse().unwrap(),
                mode: AbortMode::Return,
                actor: actor(),
                reason: reason(),
            },
            Reason::Frozen {
                freeze: freeze.clone(),
                actor: actor(),
                reason: reason(),
            },
            Reason::PausedBy {
                actor: actor(),
                reason: reason(),
            },
            Reason::WaitingForResume {
                actor: actor(),
                reason: reason(),
            },
            Reason::WaitingForUnfreeze {
                freeze,
                ends,
                reason: reason(),
            },
        ];
        for reason in reasons {
            let sentence = reason.to_string();
            assert!(sentence.contains(": no reason given"), "{sentence}");
        }
    }

    #[test]
    fn one_cluster_is_not_clusters() {
        let said = |clusters| Reason::RetreatDone { clusters }.to_string();
        assert_eq!(said(1), "1 cluster has gone back");
        assert_eq!(said(2), "2 clusters have gone back");
    }
}
