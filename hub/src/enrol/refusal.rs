//! Why an enrolment is refused, in words for the one who asks and for the audit log.

use flagship_proto::{model::ClusterName, words::moment};
use jiff::Timestamp;

use crate::store::StoreError;

/// Why there is no certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnrolError {
    /// The text is no token, or its id or secret is not known.
    #[error("token is wrong: {0}")]
    WrongToken(&'static str),
    /// The token was taken back.
    #[error("token {0} was revoked: ask for a new one (`flagship token create`)")]
    Revoked(String),
    /// Its time is over.
    #[error("token {id} expired at {}: ask for a new one (`flagship token create`)", moment(*.at))]
    Expired {
        /// Which.
        id: String,
        /// When.
        at: Timestamp,
    },
    /// All its uses were made, by other keys.
    #[error(
        "token {0} was used already, by another key: ask for a new one (`flagship token create`)"
    )]
    Used(String),
    /// It is for other names.
    #[error("token {id} is for clusters {pattern}, not for {asked:?}")]
    OtherName {
        /// Which.
        id: String,
        /// Its pattern.
        pattern: String,
        /// The name asked for.
        asked: String,
    },
    /// A member has this name, and the token does not name it alone.
    #[error(
        "cluster {0} is a member already: remove it first (`flagship cluster remove {0}`), or make a token for exactly this name"
    )]
    NameTaken(ClusterName),
    /// The request cannot be signed.
    #[error("certificate request is refused: {0}")]
    Request(String),
    /// The old certificate is not one that the fleet gave to a member, or proves nothing.
    #[error("certificate is not accepted: {0}")]
    Certificate(String),
    /// Too long after its end.
    #[error(
        "certificate ended at {}, longer ago than the grace period: enrol the cluster with a new token",
        moment(*.0)
    )]
    GraceOver(Timestamp),
    /// A member asks for a certificate for another key than its own (P1).
    #[error(
        "cluster {0} asked for a certificate for another key than the one that it is known by: it is quarantined until a person has looked; enrol it again with a new token if its key was lost or copied"
    )]
    OtherKey(ClusterName),
    /// The cluster is no member, or a person has to look first.
    #[error("cluster {cluster} is {state}: {remedy}")]
    NotActive {
        /// Which.
        cluster: ClusterName,
        /// What it is.
        state: &'static str,
        /// What to do.
        remedy: &'static str,
    },
    /// The CA could not sign.
    #[error("the hub cannot issue certificates: {0}")]
    Ca(String),
    /// More than a limit allows.
    #[error("too many {0}")]
    TooOften(String),
    /// Others wrote the same rows again and again.
    #[error("others changed the same cluster at this moment: try again")]
    Busy,
    /// The store could not answer.
    #[error("the hub's store could not answer: {0}")]
    Store(#[from] StoreError),
}

impl EnrolError {
    /// The hub's own troubles are logged, not audited, and are nobody's fault.
    pub(super) fn is_refusal(&self) -> bool {
        match self {
            Self::Ca(_) | Self::TooOften(_) | Self::Busy | Self::Store(_) => false,
            Self::WrongToken(_)
            | Self::Revoked(_)
            | Self::Expired { .. }
            | Self::Used(_)
            | Self::OtherName { .. }
            | Self::NameTaken(_)
            | Self::Request(_)
            | Self::Certificate(_)
            | Self::GraceOver(_)
            | Self::OtherKey(_)
            | Self::NotActive { .. } => true,
        }
    }
}
