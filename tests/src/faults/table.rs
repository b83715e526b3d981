//! What a row of the table says: what is broken, when, for how long, what users may notice of it, and how
//! the release ends all the same. The rows themselves are in `rows`.

use std::{fmt, time::Duration};

use super::{disk::Kind, machine::Need};

/// Whom a signal strikes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    Hub,
    Agent,
    /// The first process of the version that has the primary's role.
    Primary,
    /// The first process of the version that is being released.
    Canary,
    Envoy,
}

/// Where a disk or a clock is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Hub,
    Agent,
}

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    /// `kill -9`; the hub and the agent are started again at the end of the fault, as systemd would.
    Kill(Who),
    /// SIGSTOP, and SIGCONT at the end of the fault.
    Stop(Who),
    /// Every connection ends and no new one comes through.
    Cut,
    /// What the agent sends is lost, or what the hub sends.
    OneWay(Side),
    /// A KiB at a time, 0.2 s late.
    Slow,
    /// Not a byte of room.
    DiskFull(Side),
    /// The same, and the room that was kept for an abort is gone too.
    DiskSpent,
    /// Read-only from one moment to the next; at the end it is replaced.
    DiskBroken(Side),
    /// The certificate ends while the link is cut.
    CertificateExpired,
    /// The certificate is replaced while all runs.
    CertificateRenewed,
    /// The cluster is removed while it is connected; at the end it joins anew.
    CertificateRevoked,
    /// The wall clock is off by so many seconds.
    Clock(Side, i64),
    /// The data folder as it was before the release was started. The hub's is replaced by today's at
    /// the end; an agent goes on with the old one.
    OldData(Side),
}

/// When it is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// The release was started, nothing serves it yet.
    Before,
    /// The canary has a share of the traffic.
    Canary,
    /// The canary takes all of it.
    Promotion,
    /// The first wave soaks.
    Soaking,
    /// The canaries of the second wave have a share of the traffic.
    Second,
    /// The fleet is being aborted in the middle of the second wave.
    Abort,
}

impl Phase {
    /// The cluster that the fault strikes.
    pub(super) fn place(self) -> &'static str {
        match self {
            Self::Before | Self::Canary | Self::Promotion | Self::Soaking => "pilot-1",
            Self::Second | Self::Abort => "us-1",
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Before => "before the canary",
            Self::Canary => "mid-canary",
            Self::Promotion => "promotion",
            Self::Soaking => "soaking",
            Self::Second => "second wave",
            Self::Abort => "abort",
        })
    }
}

/// Which failed requests a fault excuses; every other one fails the row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excused {
    /// None: nobody may notice.
    None,
    /// Those in flight on the struck process, and those sent to it until its traffic was gone, at
    /// most this long after the blow.
    Struck(Duration),
}

impl Excused {
    /// Why, in words.
    pub(super) fn why(self) -> String {
        match self {
            Self::None => "none is excused".to_owned(),
            Self::Struck(until) => format!(
                "on the struck process, sent at most {} s after the blow",
                until.as_secs_f64()
            ),
        }
    }
}

/// What the fleet of a row is made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Setup {
    Plain,
    /// The data of the hub, or of the agents that can be struck, on disks of their own.
    Disk(Side, Kind),
    /// Certificates of agents live for [`super::stage::CERTIFICATE`].
    Certificates,
    /// Wall clocks of the hub and of each agent that can be moved.
    Clocks,
}

impl Setup {
    /// What the machine must have for it.
    pub(super) fn needs(self) -> &'static [Need] {
        match self {
            Self::Plain | Self::Certificates => &[],
            Self::Clocks => &[Need::Faketime],
            Self::Disk(_, Kind::Small) => &[Need::Mounts],
            Self::Disk(_, Kind::Fragile) => &[Need::Mounts, Need::Loop],
        }
    }
}

/// Whether an abort can be stored while a fault lasts; if not, it goes out all the same and says so (P7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stored {
    /// It is, and ordered without waiting.
    Yes,
    /// It is, and every cluster stops while the fault lasts.
    AndAnswered,
    /// It is not.
    No,
    /// As it happens: pages that the store had written before and freed take a little more.
    Perhaps,
}

/// One fault in all its phases.
#[derive(Debug, Clone, Copy)]
pub(super) struct Row {
    pub(super) what: &'static str,
    pub(super) fault: Fault,
    pub(super) phases: &'static [Phase],
    /// How long it lasts, in seconds.
    pub(super) lasting: u64,
    pub(super) setup: Setup,
    pub(super) excused: Excused,
    /// How the abort that meets it ends at a command that waits for all to stop.
    pub(super) abort: Stored,
    /// How the release may end, where it is not aborted.
    pub(super) ends: &'static [&'static str],
    /// Those phases that the short round plays.
    pub(super) short: &'static [Phase],
}
