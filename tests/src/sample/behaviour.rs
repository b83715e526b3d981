//! How a version of the sample application misbehaves, and the words that say so.

use std::{str::FromStr, time::Duration};

use anyhow::{Context, bail};

/// What a version does wrong; the default does nothing wrong.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Behaviour {
    /// The share of requests that it answers with 500, from 0 to 1.
    pub errors: f64,
    /// How long every answer takes.
    pub latency: Option<Duration>,
    /// Whether it ends at once, with an error.
    pub crash_at_start: bool,
    /// How long it lives before it ends with an error.
    pub crash_after: Option<Duration>,
    /// How long it says that it is not ready.
    pub slow_start: Option<Duration>,
}

/// The behaviour of one version: `VERSION:WORD,WORD…`.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    /// The version that it is about.
    pub version: String,
    /// What it does.
    pub behaviour: Behaviour,
}

/// The behaviour of `version`: what the last rule about it says.
pub(super) fn of_version(rules: &[Rule], version: &str) -> Behaviour {
    rules
        .iter()
        .rfind(|rule| rule.version == version)
        .map(|rule| rule.behaviour.clone())
        .unwrap_or_default()
}

/// Whether request `number` (from 0) fails, so that of n requests just `share * n` do.
#[allow(clippy::cast_precision_loss, clippy::float_cmp)]
pub(super) fn fails(number: u64, share: f64) -> bool {
    let due = |count: u64| (count as f64 * share + 1e-9).floor();
    due(number + 1) != due(number)
}

impl FromStr for Rule {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (version, words) = text
            .split_once(':')
            .with_context(|| format!("{text:?} is no rule; write VERSION:errors=0.1,…"))?;
        Ok(Self {
            version: version.trim().to_owned(),
            behaviour: words.parse()?,
        })
    }
}

impl FromStr for Behaviour {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut behaviour = Self::default();
        for word in text.split(',').map(str::trim).filter(|w| !w.is_empty()) {
            match word.split_once('=') {
                Some(("errors", share)) => {
                    behaviour.errors = share.parse().context("errors is a share from 0 to 1")?;
                }
                Some(("latency", time)) => behaviour.latency = Some(duration(time)?),
                Some(("crash-after", time)) => behaviour.crash_after = Some(duration(time)?),
                Some(("slow-start", time)) => behaviour.slow_start = Some(duration(time)?),
                None if word == "crash-at-start" => behaviour.crash_at_start = true,
                None if word == "well" => {}
                _ => bail!(
                    "{word:?} is no behaviour; known: errors=, latency=, crash-after=, \
                     slow-start=, crash-at-start, well"
                ),
            }
        }
        Ok(behaviour)
    }
}

/// A time in `ms` or `s`.
///
/// # Errors
/// The text is no number with one of these units.
pub(crate) fn duration(text: &str) -> anyhow::Result<Duration> {
    let (number, unit) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => (number, 1),
        (None, Some(number)) => (number, 1_000),
        (None, None) => bail!("{text:?} is no time; write 300ms or 5s"),
    };
    let number: u64 = number
        .parse()
        .with_context(|| format!("{text:?} is no time"))?;
    Ok(Duration::from_millis(number * unit))
}
