//! Who may do what: roles, the rights that each has, where they hold, and the bearer tokens that
//! carry them.
//!
//! A route needs one right, a role has a set of rights; both tables are here and nowhere else, so
//! that a new role is one more row. Tokens are kept as hashes and compared in constant time.

pub mod actor;
pub mod grant;
pub mod reach;
pub mod routes;
pub mod token;

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use actor::{Actor, Via};
pub use grant::{Binding, Denied, Grants, Missing, Object};
pub use reach::{covers, is_joined_by};
pub use routes::{Access, On, access};
pub use token::{Presented, Secret, TokenHash};

/// What a token may do.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema,
)]
#[serde(rename_all = "camelCase")]
pub enum Role {
    /// Reads everything but secrets.
    Viewer,
    /// Stops, holds, takes back and freezes anything; ships nothing, and ends no stop.
    Responder,
    /// Ships and stops; ends no stop, takes no one into the fleet.
    Operator,
    /// Says yes to what waits for a person: clusters that ask to be let in. Ships nothing.
    Approver,
    /// Everything, tokens and clusters included.
    Admin,
}

/// What a route needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Right {
    /// See.
    View,
    /// Apply plans; start, resume, retry, accept rollouts.
    Ship,
    /// Abort, freeze, pause, retreat: always in the safe direction.
    Stop,
    /// Lift an abort.
    Lift,
    /// End a freeze before its time.
    Unfreeze,
    /// Say yes to what waits for a person.
    Approve,
    /// Let clusters go; make and revoke tokens.
    Administer,
}

impl Right {
    /// Every right.
    pub const ALL: [Self; 7] = [
        Self::View,
        Self::Ship,
        Self::Stop,
        Self::Lift,
        Self::Unfreeze,
        Self::Approve,
        Self::Administer,
    ];
}

impl Role {
    /// Every role, the weakest first.
    pub const ALL: [Self; 5] = [
        Self::Viewer,
        Self::Responder,
        Self::Operator,
        Self::Approver,
        Self::Admin,
    ];

    /// The rights that this role has.
    pub fn rights(self) -> &'static [Right] {
        match self {
            Self::Viewer => &[Right::View],
            Self::Responder => &[Right::View, Right::Stop],
            Self::Operator => &[Right::View, Right::Ship, Right::Stop],
            Self::Approver => &[Right::View, Right::Approve],
            Self::Admin => &Right::ALL,
        }
    }

    /// Whether this role has a right.
    pub fn may(self, right: Right) -> bool {
        self.rights().contains(&right)
    }

    /// The weakest role that has a right, for refusals.
    pub fn needed_for(right: Right) -> Self {
        Self::ALL
            .into_iter()
            .find(|role| role.may(right))
            .unwrap_or(Self::Admin)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Viewer => "viewer",
            Self::Responder => "responder",
            Self::Operator => "operator",
            Self::Approver => "approver",
            Self::Admin => "admin",
        })
    }
}

/// A text was not a role.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("role {0:?} is not known: use viewer, responder, operator, approver or admin")]
pub struct UnknownRole(String);

impl FromStr for Role {
    type Err = UnknownRole;

    fn from_str(text: &str) -> Result<Self, UnknownRole> {
        Self::ALL
            .into_iter()
            .find(|role| role.to_string() == text)
            .ok_or_else(|| UnknownRole(text.chars().take(80).collect()))
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::View => "view",
            Self::Ship => "ship",
            Self::Stop => "stop",
            Self::Lift => "lift",
            Self::Unfreeze => "unfreeze",
            Self::Approve => "approve",
            Self::Administer => "administer",
        })
    }
}
