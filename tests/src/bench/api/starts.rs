//! How long a program takes from its start to its end.

use std::{
    process::{Command, Stdio},
    time::Instant,
};

use anyhow::{Context as _, ensure};

use crate::bench::figure::median;

/// The median, in milliseconds; the first start reads the program from the disk and does not count.
pub(super) fn starts(times: u32, make: impl Fn() -> Command) -> anyhow::Result<f64> {
    let mut millis = Vec::new();
    for time in 0..=times {
        let mut command = make();
        command.stdin(Stdio::null()).stdout(Stdio::null());
        let began = Instant::now();
        let ended = command.status();
        let took = began.elapsed();
        let ended = ended.with_context(|| format!("{command:?} does not start"))?;
        ensure!(ended.success(), "{command:?} ends with {ended}");
        if time > 0 {
            millis.push(took.as_secs_f64() * 1000.0);
        }
    }
    Ok(median(millis))
}
