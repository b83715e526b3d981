//! Durations as Go writes them: `30s`, `1m30s`, `500ms`, `1.5h`.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

/// A duration that reads and prints in Go's form.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "String", into = "String")]
pub struct GoDuration(pub Duration);

/// A text was not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("duration {text:?} is not valid: write a number and a unit, such as 30s, 1m30s or 2h")]
pub struct InvalidDuration {
    /// What was given.
    pub text: String,
}

/// Units from the largest, as they are printed, in nanoseconds.
const UNITS: [(&str, u128); 7] = [
    ("h", 3_600_000_000_000),
    ("ms", 1_000_000),
    ("m", 60_000_000_000),
    ("us", 1_000),
    ("µs", 1_000),
    ("ns", 1),
    ("s", 1_000_000_000),
];

impl FromStr for GoDuration {
    type Err = InvalidDuration;

    fn from_str(text: &str) -> Result<Self, InvalidDuration> {
        let invalid = || InvalidDuration {
            text: text.chars().take(40).collect(),
        };
        if text == "0" {
            return Ok(Self(Duration::ZERO));
        }
        let mut rest = text;
        let mut nanos: u128 = 0;
        while !rest.is_empty() {
            let (part, left) = part(rest).ok_or_else(invalid)?;
            nanos = nanos.checked_add(part).ok_or_else(invalid)?;
            rest = left;
        }
        if text.is_empty() {
            return Err(invalid());
        }
        let nanos = u64::try_from(nanos).map_err(|_| invalid())?;
        Ok(Self(Duration::from_nanos(nanos)))
    }
}

/// One number with its unit in nanoseconds, and what follows it.
fn part(text: &str) -> Option<(u128, &str)> {
    let digits = text
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .filter(|&end| end > 0 && end <= 20)?;
    let (number, rest) = text.split_at(digits);
    let (unit, scale) = UNITS.iter().find(|(unit, _)| rest.starts_with(unit))?;
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if (whole.is_empty() && fraction.is_empty()) || fraction.contains('.') {
        return None;
    }
    let whole: u128 = if whole.is_empty() {
        0
    } else {
        whole.parse().ok()?
    };
    let mut nanos = whole.checked_mul(*scale)?;
    let mut place = *scale;
    for digit in fraction.bytes() {
        place /= 10;
        nanos = nanos.checked_add(u128::from(digit - b'0') * place)?;
    }
    Some((nanos, &rest[unit.len()..]))
}

impl fmt::Display for GoDuration {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut nanos = self.0.as_nanos();
        if nanos == 0 {
            return f.write_str("0s");
        }
        let order = ["h", "m", "s", "ms", "us", "ns"];
        for name in order {
            let (unit, scale) = UNITS
                .iter()
                .find(|(unit, _)| *unit == name)
                .expect("every name of the list is a unit");
            let count = nanos / scale;
            nanos %= scale;
            if count > 0 {
                write!(f, "{count}{unit}")?;
            }
        }
        Ok(())
    }
}

impl TryFrom<String> for GoDuration {
    type Error = InvalidDuration;

    fn try_from(text: String) -> Result<Self, InvalidDuration> {
        text.parse()
    }
}

impl From<GoDuration> for String {
    fn from(duration: GoDuration) -> String {
        duration.to_string()
    }
}

impl From<GoDuration> for Duration {
    fn from(duration: GoDuration) -> Duration {
        duration.0
    }
}

impl From<Duration> for GoDuration {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}
