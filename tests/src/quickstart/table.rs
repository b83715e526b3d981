//! The closing table.

use std::time::Duration;

use super::{acts::Act, traffic::Moment};
use crate::process::Memory;

/// What an idle agent may have.
const IDLE_AGENT_MIB: u64 = 15;

/// What both ends counted over the whole of it.
pub(super) struct Ends {
    lines: Vec<String>,
    /// What was not as it must be.
    pub(super) missed: Vec<String>,
}

impl Ends {
    pub(super) fn of(
        all: &Moment,
        [fresh, later]: [Memory; 2],
        took: Duration,
        kept: bool,
    ) -> Self {
        let served: u64 = all.served.values().sum();
        let mut ends = Self {
            lines: vec![format!(
                "users sent {} requests; the backends answered {served}, nobody {}",
                all.sent, all.unserved
            )],
            missed: Vec::new(),
        };
        // While the load still runs some requests are counted at one end only.
        if !kept && served + all.unserved != all.sent {
            ends.missed.push(format!(
                "the ends do not agree: {} sent, {served} served",
                all.sent
            ));
        }
        let is_optimised = !cfg!(debug_assertions);
        ends.lines.push(format!(
            "the largest idle agent: {}; after three releases: {}",
            words(fresh),
            words(later)
        ));
        ends.lines.push(format!(
            "         (resident: at most {IDLE_AGENT_MIB} MiB in an optimised build; this one is {})",
            if is_optimised { "one" } else { "not" }
        ));
        if is_optimised && fresh.rss_kib > IDLE_AGENT_MIB * 1_024 {
            ends.missed
                .push(format!("an idle agent has {}", words(fresh)));
        }
        ends.lines
            .push(format!("all of it took {} s", took.as_secs()));
        ends
    }
}

fn words(memory: Memory) -> String {
    let mib = |kib: u64| kib as f64 / 1_024.0;
    let Memory {
        rss_kib,
        pss_kib,
        anonymous_kib,
    } = memory;
    format!(
        "{:.1} MiB resident (RSS), {:.1} as its share (PSS), {:.1} of it data",
        mib(rss_kib),
        mib(pss_kib),
        mib(anonymous_kib)
    )
}

/// Requests by act, version and cluster.
pub(super) fn requests(acts: &[Act]) {
    println!("\nrequests by act, version and cluster, counted at the backends\n");
    let mut clusters: Vec<&str> = acts
        .iter()
        .flat_map(|act| act.traffic.served.keys())
        .map(|(c, _)| c.as_str())
        .collect();
    clusters.sort_unstable();
    clusters.dedup();
    let columns: Vec<(&Act, &str)> = acts
        .iter()
        .flat_map(|act| act.traffic.versions().into_iter().map(move |v| (act, v)))
        .collect();
    let row = |first: &str, cells: Vec<String>| {
        let cells: String = cells.iter().map(|cell| format!("{cell:>9}")).collect();
        println!("  {first:<26}{cells}");
    };
    row(
        "",
        columns
            .iter()
            .map(|(act, _)| act.title.to_owned())
            .collect(),
    );
    row(
        "cluster",
        columns
            .iter()
            .map(|(_, version)| (*version).to_owned())
            .collect(),
    );
    for cluster in clusters {
        row(
            cluster,
            columns
                .iter()
                .map(|(act, v)| act.traffic.of_version(cluster, v).to_string())
                .collect(),
        );
    }
    println!();
}

/// What was measured.
pub(super) fn figures(acts: &[Act], ends: &Ends) {
    for act in acts {
        println!(
            "  {}: users saw {} requests fail of {}",
            act.title, act.traffic.failed, act.traffic.sent
        );
        for figure in &act.figures {
            println!("         {figure}");
        }
    }
    for line in &ends.lines {
        println!("  {line}");
    }
}
