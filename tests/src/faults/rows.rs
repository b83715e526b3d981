//! The faults, one a row.

use std::time::Duration;

use super::{
    disk::Kind,
    table::{Excused, Fault, Phase, Row, Setup, Side, Stored, Who},
};

/// How long a fleet may take, after a fault is over, until all is as it must be, in seconds.
pub(super) const CONVERGED: u64 = 60;

use Phase::{Abort, Before, Canary, Promotion, Second, Soaking};

const ALL: &[Phase] = &[Before, Canary, Promotion, Soaking, Abort];
const WELL: &[&str] = &["Succeeded"];
const EITHER: &[&str] = &["Succeeded", "RolledBack"];
const STRUCK: Excused = Excused::Struck(Duration::from_secs(2));
const DOOR: Excused = Excused::Struck(Duration::from_secs(10));

const fn row(what: &'static str, fault: Fault, phases: &'static [Phase], lasting: u64) -> Row {
    Row {
        what,
        fault,
        phases,
        lasting,
        setup: Setup::Plain,
        excused: Excused::None,
        abort: Stored::Yes,
        ends: WELL,
        short: &[],
    }
}

const HOUR: i64 = 3_600;

const fn clock(what: &'static str, side: Side, seconds: i64, phases: &'static [Phase]) -> Row {
    Row {
        setup: Setup::Clocks,
        ..row(what, Fault::Clock(side, seconds), phases, 6)
    }
}

/// All of them.
pub(super) const ROWS: &[Row] = &[
    Row {
        short: &[Canary, Abort],
        ..row("hub killed", Fault::Kill(Who::Hub), ALL, 2)
    },
    row(
        "hub killed, away for long",
        Fault::Kill(Who::Hub),
        &[Canary, Abort],
        14,
    ),
    row("hub stopped", Fault::Stop(Who::Hub), ALL, 3),
    row(
        "hub stopped for long",
        Fault::Stop(Who::Hub),
        &[Canary, Promotion],
        14,
    ),
    Row {
        short: &[Canary],
        ..row("agent killed", Fault::Kill(Who::Agent), ALL, 3)
    },
    Row {
        short: &[Abort],
        ..row("agent stopped", Fault::Stop(Who::Agent), ALL, 4)
    },
    Row {
        excused: STRUCK,
        short: &[Canary],
        ..row(
            "application killed (primary)",
            Fault::Kill(Who::Primary),
            ALL,
            1,
        )
    },
    Row {
        ends: EITHER,
        ..row(
            "application stopped (primary)",
            Fault::Stop(Who::Primary),
            ALL,
            3,
        )
    },
    Row {
        excused: STRUCK,
        ends: EITHER,
        ..row(
            "application killed (canary)",
            Fault::Kill(Who::Canary),
            &[Canary, Promotion, Abort],
            1,
        )
    },
    Row {
        ends: EITHER,
        ..row(
            "application stopped (canary)",
            Fault::Stop(Who::Canary),
            &[Canary, Promotion, Abort],
            3,
        )
    },
    Row {
        excused: DOOR,
        ends: EITHER,
        short: &[Canary],
        ..row("Envoy killed", Fault::Kill(Who::Envoy), ALL, 1)
    },
    Row {
        ends: EITHER,
        ..row("Envoy stopped", Fault::Stop(Who::Envoy), ALL, 4)
    },
    Row {
        short: &[Abort],
        ..row("link cut", Fault::Cut, &[Canary, Promotion, Abort], 14)
    },
    row(
        "link mute towards the hub",
        Fault::OneWay(Side::Agent),
        &[Canary, Abort],
        14,
    ),
    row(
        "link mute towards the agent",
        Fault::OneWay(Side::Hub),
        &[Canary, Abort],
        14,
    ),
    row("link slow", Fault::Slow, &[Canary, Abort], 10),
    Row {
        setup: Setup::Disk(Side::Hub, Kind::Small),
        abort: Stored::AndAnswered,
        short: &[Abort],
        ..row(
            "disk full (hub)",
            Fault::DiskFull(Side::Hub),
            &[Before, Canary, Soaking, Abort],
            8,
        )
    },
    Row {
        setup: Setup::Disk(Side::Hub, Kind::Small),
        abort: Stored::Perhaps,
        ..row(
            "disk full, reserve spent (hub)",
            Fault::DiskSpent,
            &[Canary, Abort],
            8,
        )
    },
    Row {
        setup: Setup::Disk(Side::Agent, Kind::Small),
        ..row(
            "disk full (agent)",
            Fault::DiskFull(Side::Agent),
            &[Before, Canary, Promotion, Abort],
            8,
        )
    },
    Row {
        setup: Setup::Disk(Side::Hub, Kind::Fragile),
        abort: Stored::No,
        ..row(
            "disk read-only (hub)",
            Fault::DiskBroken(Side::Hub),
            &[Canary, Abort],
            6,
        )
    },
    Row {
        setup: Setup::Disk(Side::Agent, Kind::Fragile),
        ..row(
            "disk read-only (agent)",
            Fault::DiskBroken(Side::Agent),
            &[Canary, Promotion, Abort],
            6,
        )
    },
    Row {
        setup: Setup::Certificates,
        ..row(
            "certificate renewed",
            Fault::CertificateRenewed,
            &[Canary, Abort],
            14,
        )
    },
    Row {
        setup: Setup::Certificates,
        ..row(
            "certificate expired",
            Fault::CertificateExpired,
            &[Canary, Abort],
            18,
        )
    },
    Row {
        setup: Setup::Certificates,
        ..row(
            "certificate revoked",
            Fault::CertificateRevoked,
            &[Second],
            5,
        )
    },
    clock(
        "clock an hour ahead (hub)",
        Side::Hub,
        HOUR,
        &[Canary, Abort],
    ),
    clock(
        "clock an hour behind (hub)",
        Side::Hub,
        -HOUR,
        &[Canary, Soaking, Abort],
    ),
    clock(
        "clock an hour ahead (agent)",
        Side::Agent,
        HOUR,
        &[Canary, Abort],
    ),
    clock(
        "clock an hour behind (agent)",
        Side::Agent,
        -HOUR,
        &[Canary, Abort],
    ),
    clock(
        "clock 8 days ahead (agent)",
        Side::Agent,
        8 * 24 * HOUR,
        &[Canary, Abort],
    ),
    row(
        "yesterday's data put back (hub)",
        Fault::OldData(Side::Hub),
        &[Canary, Promotion],
        14,
    ),
    row(
        "yesterday's data put back (agent)",
        Fault::OldData(Side::Agent),
        &[Canary, Promotion, Soaking],
        2,
    ),
];
