//! One step of a history: what a person does, or what goes wrong. A step that does not apply when it
//! is played does nothing, so that steps can be left out of a history one by one.

use std::fmt;

use flagship_proto::model::{AbortMode, LocalVerb};

use crate::world::Way;

/// Which plan a release follows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plans {
    /// Canaries of some seconds.
    Quick,
    /// Canaries that are in flight for longer than a lease lasts.
    Slow,
    /// Quick, one failure is borne, and who is not heard is skipped soon.
    Patient,
    /// Slow, and who has no lease for a while goes back by itself.
    Nervous,
}

/// A scope, before it is known which rollouts there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// Everything.
    Fleet,
    /// The project.
    Project,
    /// The plan.
    Plan,
    /// The newest rollout.
    Rollout,
    /// The workload.
    Workload,
    /// The clusters of a region.
    Region(&'static str),
}

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Ann starts a release.
    Start {
        /// Which version.
        version: &'static str,
        /// By which plan.
        plan: Plans,
        /// Although another rollout holds the clusters.
        supersede: bool,
    },
    /// Ann pauses the newest rollout.
    Pause,
    /// Ann resumes it.
    Resume,
    /// Ann retries it.
    Retry,
    /// Ann takes its mixed state as final.
    Accept,
    /// Ann takes it back; paced or not.
    Retreat {
        /// Not paced.
        now: bool,
    },
    /// Bob stops a scope.
    Abort(Where, AbortMode),
    /// Bob lifts the newest abort, but for a scope.
    Lift(Option<Where>),
    /// Cleo freezes a scope, for so many seconds or until she ends it.
    Freeze(Where, Option<u64>),
    /// Cleo ends the newest freeze.
    Unfreeze,
    /// A person on the spot tells an agent something.
    Spot(&'static str, LocalVerb),
    /// A version has a fault from now on: so many of a thousand requests fail; or it crashes.
    Fault(&'static str, Option<u32>),
    /// So many requests a second reach a cluster.
    Traffic(&'static str, u32),
    /// The link is cut.
    Cut(&'static str),
    /// One way of it is cut.
    CutWay(&'static str, Way),
    /// Messages take up to so many milliseconds.
    Slow(&'static str, u64),
    /// The stream breaks, and can be opened again at once.
    Break(&'static str),
    /// The link is whole again.
    Mend(&'static str),
    /// kill -9 of an agent, or its start.
    Agent(&'static str, bool),
    /// kill -9 of the hub, or its start.
    Hub(bool),
    /// An agent's disk is full, or has room again.
    Disk(&'static str, bool),
    /// The hub's disk is full, or has room again.
    HubDisk(bool),
    /// A proxy loses its agent, or finds it again.
    Proxy(&'static str, bool),
    /// An agent's wall clock jumps by so many seconds.
    Clock(&'static str, i64),
    /// The hub's does.
    HubClock(i64),
    /// A cluster is enrolled, or enrolled again.
    Join(&'static str),
    /// A cluster is removed.
    Leave(&'static str),
    /// The hub's data folder is copied.
    Copy,
    /// The copy is put back.
    PutBack,
    /// A person goes on in a new epoch after that.
    Recover,
    /// Nothing.
    Wait,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start {
                version,
                plan,
                supersede,
            } => {
                write!(f, "start {version} by the {plan:?} plan")?;
                f.write_str(if *supersede { ", superseding" } else { "" })
            }
            Self::Pause => f.write_str("pause"),
            Self::Resume => f.write_str("resume"),
            Self::Retry => f.write_str("retry"),
            Self::Accept => f.write_str("accept"),
            Self::Retreat { now: true } => f.write_str("retreat, not paced"),
            Self::Retreat { now: false } => f.write_str("retreat"),
            Self::Abort(scope, mode) => write!(f, "abort {scope} ({mode})"),
            Self::Lift(None) => f.write_str("lift"),
            Self::Lift(Some(scope)) => write!(f, "lift except {scope}"),
            Self::Freeze(scope, Some(seconds)) => write!(f, "freeze {scope} for {seconds} s"),
            Self::Freeze(scope, None) => write!(f, "freeze {scope}"),
            Self::Unfreeze => f.write_str("unfreeze"),
            Self::Spot(name, verb) => write!(f, "{} {name} on the spot", verb.word()),
            Self::Fault(version, Some(errors)) => write!(f, "{version} fails {errors} of 1000"),
            Self::Fault(version, None) => write!(f, "{version} crashes"),
            Self::Traffic(name, rps) => write!(f, "{name} has {rps} requests a second"),
            Self::Cut(name) => write!(f, "cut {name}"),
            Self::CutWay(name, Way::Up) => write!(f, "cut what {name} says"),
            Self::CutWay(name, Way::Down) => write!(f, "cut what {name} hears"),
            Self::Slow(name, millis) => write!(f, "slow {name} to {millis} ms"),
            Self::Break(name) => write!(f, "break the stream of {name}"),
            Self::Mend(name) => write!(f, "mend {name}"),
            Self::Agent(name, true) => write!(f, "start agent {name}"),
            Self::Agent(name, false) => write!(f, "kill agent {name}"),
            Self::Hub(true) => f.write_str("start hub"),
            Self::Hub(false) => f.write_str("kill hub"),
            Self::Disk(name, true) => write!(f, "fill the disk of {name}"),
            Self::Disk(name, false) => write!(f, "free the disk of {name}"),
            Self::HubDisk(true) => f.write_str("fill the disk of the hub"),
            Self::HubDisk(false) => f.write_str("free the disk of the hub"),
            Self::Proxy(name, true) => write!(f, "connect the proxy of {name}"),
            Self::Proxy(name, false) => write!(f, "disconnect the proxy of {name}"),
            Self::Clock(name, by) => write!(f, "{name}'s clock jumps by {by} s"),
            Self::HubClock(by) => write!(f, "the hub's clock jumps by {by} s"),
            Self::Join(name) => write!(f, "enrol {name}"),
            Self::Leave(name) => write!(f, "remove {name}"),
            Self::Copy => f.write_str("copy the hub's data"),
            Self::Recover => f.write_str("recover"),
            Self::PutBack => f.write_str("put the hub's data back"),
            Self::Wait => f.write_str("nothing"),
        }
    }
}

impl fmt::Display for Where {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fleet => f.write_str("fleet"),
            Self::Project => f.write_str("project"),
            Self::Plan => f.write_str("plan"),
            Self::Rollout => f.write_str("rollout"),
            Self::Workload => f.write_str("workload"),
            Self::Region(region) => write!(f, "region {region}"),
        }
    }
}
