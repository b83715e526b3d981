//! A length of time as people write it: `30s`, `1h30m`, `2d`, `500ms`.

use std::{fmt, str::FromStr, time::Duration};

use serde::{Deserialize, Serialize};

/// A length of time; prints in the largest units that fit.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Period(Duration);

/// A text is not a length of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a length of time: write it as 30s, 10m, 1h30m or 2d, at most 365d")]
pub struct InvalidPeriod;

const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];
const LONGEST_MS: u64 = 365 * 86_400_000;

impl Period {
    /// Of so many seconds.
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    /// As a duration.
    pub const fn get(self) -> Duration {
        self.0
    }

    /// Whether it is no time at all.
    pub const fn is_zero(&self) -> bool {
        self.0.is_zero()
    }
}

impl From<Duration> for Period {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl FromStr for Period {
    type Err = InvalidPeriod;

    fn from_str(text: &str) -> Result<Self, InvalidPeriod> {
        let mut rest = text.trim();
        if rest.is_empty() || rest.len() > 40 {
            return Err(InvalidPeriod);
        }
        if rest == "0" {
            return Ok(Self::default());
        }
        let mut millis = 0_u64;
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let number: u64 = rest[..digits].parse().map_err(|_| InvalidPeriod)?;
            rest = &rest[digits..];
            let letters = rest.len()
                - rest
                    .trim_start_matches(|c: char| c.is_ascii_lowercase())
                    .len();
            let (_, unit) = UNITS
                .iter()
                .find(|(name, _)| *name == &rest[..letters])
                .ok_or(InvalidPeriod)?;
            rest = &rest[letters..];
            millis = number
                .checked_mul(*unit)
                .and_then(|part| millis.checked_add(part))
                .filter(|sum| *sum <= LONGEST_MS)
                .ok_or(InvalidPeriod)?;
        }
        Ok(Self(Duration::from_millis(millis)))
    }
}

impl TryFrom<String> for Period {
    type Error = InvalidPeriod;

    fn try_from(text: String) -> Result<Self, InvalidPeriod> {
        text.parse()
    }
}

impl From<Period> for String {
    fn from(period: Period) -> String {
        period.to_string()
    }
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut left = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        if left == 0 {
            return f.write_str("0s");
        }
        for (name, unit) in UNITS {
            if left >= unit {
                write!(f, "{}{name}", left / unit)?;
                left %= unit;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_parse_and_print() {
        for (text, printed) in [
            ("30s", "30s"),
            ("90s", "1m30s"),
            ("1h30m", "1h30m"),
            ("2d", "2d"),
            ("500ms", "500ms"),
            ("0", "0s"),
            ("0s", "0s"),
        ] {
            let period: Period = text.parse().unwrap();
            assert_eq!(period.to_string(), printed);
            assert_eq!(printed.parse(), Ok(period));
        }
    }

    #[test]
    fn what_is_no_length_of_time_is_refused() {
        for text in [
            "",
            "s",
            "10",
            "-1s",
            "1.5h",
            "1w",
            "366d",
            "10 m",
            "99999999999999999999s",
        ] {
            assert_eq!(text.parse::<Period>(), Err(InvalidPeriod), "{text:?}");
        }
    }
}
