//! Rows of tokens and of remembered answers. No row holds a secret.

use flagship_proto::{
    digest::Digest,
    model::{ClusterName, ClusterUid, Labels, ProjectName, Selector, TokenId},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Record, key};
use crate::{
    auth::{Actor, Binding, Grants, Role, TokenHash, Via},
    store::Key,
};

/// A token with which clusters may enrol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolTokenRow {
    /// The public half.
    pub id: TokenId,
    /// SHA-256 of the secret half.
    pub secret: Digest,
    /// Which names may enrol: a name, or a pattern in which `*` stands for any characters.
    pub pattern: String,
    /// Given to the clusters that enrol with it.
    pub labels: Labels,
    /// How many clusters may.
    pub uses: u32,
    /// Who did: inside the token's time it answers again for the same public key (P2).
    pub used: Vec<EnrolUse>,
    /// Whether who enrols waits as pending.
    pub approve: bool,
    /// When it was made.
    pub created: Timestamp,
    /// By whom.
    pub created_by: String,
    /// Until when it is good.
    pub expires: Timestamp,
    /// Refused from now on.
    pub revoked: bool,
}

/// One use of an enrolment token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnrolUse {
    /// SHA-256 of the public key (SubjectPublicKeyInfo, DER).
    pub key: Digest,
    /// Which cluster it made.
    pub cluster: ClusterName,
    /// Its uid.
    pub uid: ClusterUid,
    /// When.
    pub at: Timestamp,
}

impl EnrolTokenRow {
    /// Whether a name fits the pattern.
    pub fn allows(&self, name: &ClusterName) -> bool {
        fits(self.pattern.as_bytes(), name.as_str().as_bytes())
    }
}

/// `*` stands for any characters, none included. Backtracks to the last star only, so it is linear in practice.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    let (mut p, mut n) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while n < name.len() {
        if pattern.get(p) == Some(&b'*') {
            star = Some((p, n));
            p += 1;
        } else if pattern.get(p) == name.get(n) {
            p += 1;
            n += 1;
        } else if let Some((at, from)) = star {
            p = at + 1;
            n = from + 1;
            star = Some((at, from + 1));
        } else {
            return false;
        }
    }
    pattern[p..].iter().all(|byte| *byte == b'*')
}

/// A bearer token of the API; or, without a hash, what a person may do who comes with a certificate that
/// names them so.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "StoredToken")]
pub struct TokenRow {
    /// The public half.
    pub id: TokenId,
    /// The hash of the secret half; none where certificates with this name are meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<TokenHash>,
    /// Whose it is; what the audit log calls the actor.
    pub name: String,
    /// What it may do, and where.
    pub grants: Grants,
    /// When it was made.
    pub created: Timestamp,
    /// By whom.
    pub created_by: String,
    /// Until when it is good; none means until revoked.
    pub expires: Option<Timestamp>,
    /// Refused from now on.
    pub revoked: Option<Timestamp>,
}

/// A token's row as this hub and earlier ones wrote it: those gave one role over everything, and the
/// role operator had the right to lift.
#[derive(Deserialize)]
struct StoredToken {
    id: TokenId,
    #[serde(default)]
    hash: Option<TokenHash>,
    name: String,
    #[serde(default)]
    role: Option<Role>,
    #[serde(default)]
    scope: Option<StoredScope>,
    #[serde(default)]
    grants: Option<Grants>,
    created: Timestamp,
    created_by: String,
    expires: Option<Timestamp>,
    revoked: Option<Timestamp>,
}

#[derive(Deserialize)]
struct StoredScope {
    projects: Vec<ProjectName>,
    clusters: Option<Selector>,
}

impl TryFrom<StoredToken> for TokenRow {
    type Error = &'static str;

    fn try_from(stored: StoredToken) -> Result<Self, Self::Error> {
        let grants = match (stored.grants, stored.role) {
            (Some(grants), None) => grants,
            (None, Some(role)) => {
                let (projects, selector) = match stored.scope {
                    Some(scope) => (scope.projects, scope.clusters),
                    None => (Vec::new(), None),
                };
                Grants(vec![Binding {
                    role,
                    projects,
                    selector,
                    lift: role == Role::Operator,
                }])
            }
            (Some(_), Some(_)) => return Err("a token has both a role and grants"),
            (None, None) => return Err("a token has neither a role nor grants"),
        };
        Ok(Self {
            id: stored.id,
            hash: stored.hash,
            name: stored.name,
            grants,
            created: stored.created,
            created_by: stored.created_by,
            expires: stored.expires,
            revoked: stored.revoked,
        })
    }
}

impl TokenRow {
    /// Whether it is for certificates with its name, and no token.
    pub fn is_for_certificates(&self) -> bool {
        self.hash.is_none()
    }

    /// By what somebody is let in by it.
    pub fn via(&self) -> Via {
        if self.is_for_certificates() {
            Via::Certificate(self.id.clone(), None)
        } else {
            Via::Token(self.id.clone())
        }
    }

    /// Whoever is let in by it.
    pub fn actor(&self) -> Actor {
        Actor {
            name: self.name.clone(),
            via: self.via(),
            grants: self.grants.clone(),
        }
    }

    /// Whether it is good at this time.
    pub fn is_live(&self, now: Timestamp) -> bool {
        self.revoked.is_none() && self.expires.is_none_or(|expires| now < expires)
    }
}

/// When a token was last used, about. A row of its own: it changes without a person changing the token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenUseRow {
    /// Which token.
    pub id: TokenId,
    /// When.
    pub at: Timestamp,
}

/// The answer to a request that carried an Idempotency-Key; replayed for the same request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IdempotencyRow {
    /// SHA-256 of actor and key; the key itself is not kept.
    pub hash: Digest,
    /// By which credential it came; none from the hub itself, and in rows of earlier versions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<TokenId>,
    /// The operation (`rollout.start`).
    pub action: String,
    /// SHA-256 of what was asked for.
    pub request: Digest,
    /// What the operation answered.
    pub answer: serde_json::Value,
    /// When.
    pub at: Timestamp,
    /// The whole answer as it was given, once it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<KeptAnswer>,
}

/// An answer as it was given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The type of the body.
    pub kind: String,
    /// The entity tag, if it had one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// The body.
    pub body: String,
}

impl IdempotencyRow {
    /// About how many bytes it takes.
    pub fn size(&self) -> usize {
        let response = self.response.as_ref();
        512 + response.map_or(0, |response| response.body.len())
    }
}

impl Record for EnrolTokenRow {
    fn key(&self) -> Key {
        key::enrol_token(&self.id)
    }
}

impl Record for TokenRow {
    fn key(&self) -> Key {
        key::token(&self.id)
    }
}

impl Record for TokenUseRow {
    fn key(&self) -> Key {
        key::token_use(&self.id)
    }
}

impl Record for IdempotencyRow {
    fn key(&self) -> Key {
        key::idempotency(&self.hash)
    }
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_pattern_matches_as_people_read_it() {
        for (pattern, name, expected) in [
            ("eu-1", "eu-1", true),
            ("eu-1", "eu-12", false),
            ("eu-*", "eu-12", true),
            ("eu-*", "eu-", true),
            ("eu-*", "us-1", false),
            ("*", "anything", true),
            ("*-1", "eu-west-1", true),
            ("*-1", "eu-west-12", false),
            ("a*b*c", "a-b-b-c", true),
            ("a*b*c", "acb", false),
            ("", "x", false),
        ] {
            assert_eq!(
                fits(pattern.as_bytes(), name.as_bytes()),
                expected,
                "{pattern} {name}"
            );
        }
    }
}
