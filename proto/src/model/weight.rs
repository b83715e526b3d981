//! A share of traffic in whole per cent.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The share of traffic on the change's template, 0 to 100 per cent (P17).
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "u8", into = "u8")]
pub struct Weight(u8);

/// A number above 100 was given as a weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("weight {0} is not valid: use 0 to 100")]
pub struct InvalidWeight(pub u32);

impl Weight {
    /// No traffic on the new version.
    pub const ZERO: Self = Self(0);
    /// All traffic on the new version.
    pub const FULL: Self = Self(100);

    /// A weight of at most 100; what is above is cut to 100.
    pub fn saturating(per_cent: u32) -> Self {
        Self(u8::try_from(per_cent.min(100)).unwrap_or(100))
    }

    /// Per cent, 0 to 100.
    pub fn get(self) -> u8 {
        self.0
    }

    /// What is left for the other version.
    pub fn rest(self) -> Self {
        Self(100 - self.0)
    }
}

impl TryFrom<u32> for Weight {
    type Error = InvalidWeight;

    fn try_from(per_cent: u32) -> Result<Self, InvalidWeight> {
        match u8::try_from(per_cent) {
            Ok(small) if small <= 100 => Ok(Self(small)),
            Ok(_) | Err(_) => Err(InvalidWeight(per_cent)),
        }
    }
}

impl TryFrom<u8> for Weight {
    type Error = InvalidWeight;

    fn try_from(per_cent: u8) -> Result<Self, InvalidWeight> {
        Self::try_from(u32::from(per_cent))
    }
}

impl From<Weight> for u8 {
    fn from(weight: Weight) -> u8 {
        weight.0
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}%", self.0)
    }
}
