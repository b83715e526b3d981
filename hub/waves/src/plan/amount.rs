//! A number of clusters, or a percentage of a wave (S18).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// `3` or `25%`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// So many.
    Count(u32),
    /// So many per cent.
    Percent(u8),
}

impl Amount {
    /// How many of `members` at once: rounded down, at least 1.
    pub fn limit(self, members: usize) -> usize {
        let limit = match self {
            Self::Count(count) => usize::try_from(count).unwrap_or(usize::MAX),
            Self::Percent(percent) => members * usize::from(percent) / 100,
        };
        limit.max(1)
    }

    /// How many of `members` at least: rounded up (S18); never more than there are.
    pub fn quorum(self, members: usize) -> usize {
        let least = match self {
            Self::Count(count) => usize::try_from(count).unwrap_or(usize::MAX),
            Self::Percent(percent) => (members * usize::from(percent)).div_ceil(100),
        };
        least.min(members)
    }
}

impl Default for Amount {
    fn default() -> Self {
        Self::Count(1)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

const RULE: &str = "use a number from 1 or a percentage from 1% to 100%";

impl FromStr for Amount {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let amount = match text.strip_suffix('%') {
            Some(percent) => Self::Percent(percent.parse().map_err(|_| RULE)?),
            None => Self::Count(text.parse().map_err(|_| RULE)?),
        };
        match amount {
            Self::Count(0) | Self::Percent(0 | 101..) => Err(RULE),
            Self::Count(_) | Self::Percent(_) => Ok(amount),
        }
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Count(count) => serializer.serialize_u32(*count),
            Self::Percent(_) => serializer.collect_str(self),
        }
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AmountVisitor)
    }
}

struct AmountVisitor;

impl de::Visitor<'_> for AmountVisitor {
    type Value = Amount;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number from 1 or a percentage such as 25%")
    }

    fn visit_u64<E: de::Error>(self, count: u64) -> Result<Amount, E> {
        count.to_string().parse().map_err(E::custom)
    }

    fn visit_i64<E: de::Error>(self, count: i64) -> Result<Amount, E> {
        count.to_string().parse().map_err(E::custom)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Amount, E> {
        text.parse().map_err(E::custom)
    }
}
