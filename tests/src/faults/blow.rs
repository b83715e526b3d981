//! A fault as a deed: how it is struck, and how it is over.

use std::fs;

use jiff::Timestamp;
use rustix::process::{Pid, Signal};

use super::{
    inside::signal,
    stage::Stage,
    table::{Fault, Side, Who},
};
use crate::{cut::Line, load::unix_millis};

/// A fault that was struck and is not over.
#[derive(Debug)]
pub(super) struct Blow {
    /// When, in Unix milliseconds.
    pub(super) at: u64,
    fault: Fault,
    place: &'static str,
    stopped: Option<Pid>,
    /// When the certificate of the struck cluster was to end.
    pub(super) certificate: Option<Timestamp>,
}

impl Blow {
    /// Strikes it at a cluster.
    ///
    /// # Errors
    /// There is nothing to strike.
    pub(super) async fn strike(
        stage: &mut Stage,
        fault: Fault,
        place: &'static str,
    ) -> anyhow::Result<Self> {
        let mut stopped = None;
        let certificate = certificate(stage, place);
        let cable = &stage.cables[place];
        match fault {
            Fault::Kill(Who::Hub) => stage.fleet.hub.kill(),
            Fault::Kill(Who::Agent) => stage.fleet.at(place).kill_agent(),
            Fault::Kill(who) => signal(pid(stage, who, place)?, Signal::KILL)?,
            Fault::Stop(who) => {
                let pid = pid(stage, who, place)?;
                signal(pid, Signal::STOP)?;
                stopped = Some(pid);
            }
            Fault::Cut => cable.cut(),
            Fault::OneWay(Side::Agent) => cable.set(Line::MuteUp),
            Fault::OneWay(Side::Hub) => cable.set(Line::MuteDown),
            Fault::Slow => cable.set(Line::Slow),
            Fault::DiskFull(side) => stage.disk(side, place)?.fill()?,
            Fault::DiskSpent => {
                let disk = stage.disk(Side::Hub, place)?;
                disk.fill()?;
                fs::remove_file(stage.fleet.hub.data.join("ballast"))?;
                disk.fill()?;
            }
            Fault::DiskBroken(side) => stage.disk(side, place)?.break_down()?,
            Fault::CertificateExpired => cable.cut(),
            Fault::CertificateRenewed => {}
            Fault::CertificateRevoked => {
                let words = [
                    "cluster", "remove", place, "--force", "--reason", "fault", "--yes",
                ];
                stage.fleet.cli.ok(&words)?;
            }
            Fault::Clock(side, seconds) => stage.set_clock(side, place, seconds)?,
            Fault::OldData(side) => stage.put_yesterday_back(side, place).await?,
        }
        Ok(Self {
            at: unix_millis(),
            fault,
            place,
            stopped,
            certificate,
        })
    }

    /// Ends it.
    ///
    /// # Errors
    /// What was killed does not start again.
    pub(super) async fn end(self, stage: &mut Stage) -> anyhow::Result<()> {
        match self.fault {
            Fault::Kill(Who::Hub) => stage.fleet.hub.serve().await?,
            Fault::Kill(Who::Agent) => stage.fleet.at(self.place).start_agent()?,
            // Their agent starts them again.
            Fault::Kill(Who::Primary | Who::Canary | Who::Envoy) => {}
            Fault::Stop(_) => {
                if let Some(pid) = self.stopped {
                    signal(pid, Signal::CONT)?;
                }
            }
            Fault::Cut | Fault::OneWay(_) | Fault::Slow | Fault::CertificateExpired => {
                stage.cables[self.place].mend();
            }
            Fault::CertificateRenewed => {}
            Fault::CertificateRevoked => {
                let labels = [("region".to_owned(), "us".to_owned())];
                stage.fleet.rejoin(self.place, &labels).await?;
            }
            Fault::Clock(side, _) => stage.set_clock(side, self.place, 0)?,
            Fault::OldData(Side::Hub) => stage.put_today_back(Side::Hub, self.place).await?,
            Fault::OldData(Side::Agent) => {}
            Fault::DiskFull(side) => stage.disk(side, self.place)?.clear()?,
            Fault::DiskSpent => stage.disk(Side::Hub, self.place)?.clear()?,
            Fault::DiskBroken(Side::Hub) => {
                stage.fleet.hub.kill();
                stage.disk(Side::Hub, self.place)?.replace()?;
                stage.fleet.hub.serve().await?;
            }
            Fault::DiskBroken(Side::Agent) => {
                stage.fleet.at(self.place).kill_agent();
                stage.disk(Side::Agent, self.place)?.replace()?;
                stage.fleet.at(self.place).start_agent()?;
            }
        }
        Ok(())
    }
}

impl Fault {
    /// Whether the struck cluster, or all of them, cannot hear the hub.
    pub(super) fn parts(self, place: &'static str) -> Option<&'static [&'static str]> {
        let here: &[&str] = match place {
            "pilot-1" => &["pilot-1"],
            "eu-1" => &["eu-1"],
            _ => &["us-1"],
        };
        match self {
            Self::Kill(Who::Hub) | Self::Stop(Who::Hub) | Self::OldData(Side::Hub) => {
                Some(&["pilot-1", "eu-1", "us-1"])
            }
            Self::Cut | Self::OneWay(_) | Self::CertificateExpired | Self::CertificateRevoked => {
                Some(here)
            }
            Self::Kill(_)
            | Self::Stop(_)
            | Self::Slow
            | Self::DiskFull(_)
            | Self::DiskSpent
            | Self::DiskBroken(_)
            | Self::CertificateRenewed
            | Self::Clock(..)
            | Self::OldData(Side::Agent) => None,
        }
    }
}

fn pid(stage: &mut Stage, who: Who, place: &'static str) -> anyhow::Result<Pid> {
    let inside = stage.inside(place);
    let of = |id: u32| {
        let pid = i32::try_from(id).ok().and_then(Pid::from_raw);
        pid.ok_or_else(|| anyhow::anyhow!("{id} is no process id"))
    };
    match who {
        Who::Hub => of(stage.fleet.hub.process().pid()),
        Who::Agent => of(stage.fleet.at(place).agent().pid()),
        Who::Primary => inside.process(&inside.primary()?),
        Who::Canary => inside.process(&inside.canary()?),
        Who::Envoy => inside.envoy(),
    }
}

/// When the certificate of a cluster ends, as the hub has it on record.
pub(super) fn certificate(stage: &Stage, place: &str) -> Option<Timestamp> {
    let clusters = stage.fleet.cli.clusters().ok()?;
    let cluster = clusters.into_iter().find(|cluster| cluster.name == place);
    cluster?.certificate_ends
}
