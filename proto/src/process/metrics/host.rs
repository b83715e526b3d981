//! What a process says of itself, under the names that Prometheus' own libraries use; read from `/proc`.

use std::fs;

use prometheus_client::metrics::MetricType;
use rustix::process::{Resource, getrlimit};

use super::{Line, counted, size};

/// Ticks a second of the times in `/proc`, the same on every Linux.
const TICKS: f64 = 100.0;

/// All of it; what cannot be read is left out.
pub(super) fn lines() -> Vec<Line> {
    let stat = Stat::read();
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let kib = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name))?;
        let number: f64 = line.trim().trim_end_matches("kB").trim().parse().ok()?;
        Some(number * 1024.0)
    };
    let open = fs::read_dir("/proc/self/fd")
        .ok()
        .map(|open| size(open.count()));
    let most = getrlimit(Resource::Nofile).current.map(counted);
    let began = stat.as_ref().and_then(|stat| stat.began());
    let found = [
        (
            "process_cpu_seconds",
            "CPU time used, user and system.",
            MetricType::Counter,
            stat.as_ref().map(|stat| stat.cpu),
        ),
        (
            "process_resident_memory_bytes",
            "Memory in use.",
            MetricType::Gauge,
            kib("VmRSS:"),
        ),
        (
            "process_virtual_memory_bytes",
            "Address space in use.",
            MetricType::Gauge,
            kib("VmSize:"),
        ),
        (
            "process_open_fds",
            "Open files and sockets.",
            MetricType::Gauge,
            open,
        ),
        (
            "process_max_fds",
            "Open files and sockets that it may have.",
            MetricType::Gauge,
            most,
        ),
        (
            "process_start_time_seconds",
            "When it began, in seconds since 1970.",
            MetricType::Gauge,
            began,
        ),
    ];
    found
        .into_iter()
        .filter_map(|(name, help, kind, value)| {
            Some(Line {
                name: name.to_owned(),
                help,
                kind,
                series: vec![(Vec::new(), value?)],
            })
        })
        .collect()
}

struct Stat {
    /// Seconds.
    cpu: f64,
    /// Seconds after the machine's start.
    began: f64,
}

impl Stat {
    fn read() -> Option<Self> {
        let text = fs::read_to_string("/proc/self/stat").ok()?;
        // The name in brackets may hold anything; what follows are numbers, the state first.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
        Some(Self {
            cpu: (ticks(11)? + ticks(12)?) / TICKS,
            began: ticks(19)? / TICKS,
        })
    }

    fn began(&self) -> Option<f64> {
        let text = fs::read_to_string("/proc/stat").ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix("btime "))?;
        let boot: f64 = line.trim().parse().ok()?;
        Some(boot + self.began)
    }
}
