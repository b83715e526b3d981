//! What the system says of a process: its memory, and the time it has had.

use std::fs;

use anyhow::Context as _;

/// Ticks a second in `/proc/PID/stat`; Linux tells programs 100 everywhere.
const TICKS: f64 = 100.0;

/// Resident memory of a process, in KiB.
///
/// # Errors
/// It has ended.
pub fn rss_kib(pid: u32) -> anyhow::Result<f64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    Ok(number.context("a process without memory")?.parse()?)
}

/// Seconds of a core that a process has had so far, in user and kernel.
///
/// # Errors
/// It has ended.
pub fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name of the program stands in parentheses and may hold anything.
    let (_, rest) = stat.rsplit_once(')').context("no name in it")?;
    let ticks = |field: usize| -> anyhow::Result<f64> {
        let text = rest.split_whitespace().nth(field);
        Ok(text.context("too few fields")?.parse()?)
    };
    Ok((ticks(11)? + ticks(12)?) / TICKS)
}
