//! Who asks: a name for the audit log, the credential that proved it, and what it may do.

use std::fmt;

use flagship_proto::model::TokenId;

use super::Grants;

/// Whoever was let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Actor {
    /// What the audit log calls them.
    pub name: String,
    /// By what they were let in.
    pub via: Via,
    /// What they may do.
    pub grants: Grants,
}

/// The credential that proved a name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Via {
    /// A bearer token.
    Token(TokenId),
    /// A certificate by its serial, and the grant for its name.
    Certificate(TokenId, Option<String>),
}

impl Via {
    /// The stored row that says what may be done.
    pub fn id(&self) -> &TokenId {
        match self {
            Self::Token(id) | Self::Certificate(id, _) => id,
        }
    }
}

impl fmt::Display for Via {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Token(id) => write!(f, "token {id}"),
            Self::Certificate(id, Some(serial)) => write!(f, "certificate {serial} (grant {id})"),
            Self::Certificate(id, None) => write!(f, "certificates (grant {id})"),
        }
    }
}
