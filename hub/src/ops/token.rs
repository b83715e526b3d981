//! API tokens: made with a secret that is shown once, recognised, and revoked.

use std::time::Duration;

use flagship_proto::{
    model::{Tick, TokenId, text::is_name},
    words::moment,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Caller, OpError, Ops, Prepared, error::named};
use crate::{
    audit::AuditEntry,
    auth::{Grants, Object, Presented, Right, Secret, Via},
    limit::Origin,
    records::{Record as _, Stored, TokenRow, key},
    store::{StoreError, Txn},
};

/// What a token is to be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateToken {
    /// Whose; what the audit log calls the actor.
    pub name: String,
    /// What it may do, and where.
    pub grants: Grants,
    /// Not a token: a grant for certificates with this name.
    #[serde(default)]
    pub certificate: bool,
    /// For how long; until revoked where nothing is said.
    pub ttl: Option<Duration>,
}

/// A new token; the secret is nowhere else.
#[derive(Debug)]
pub struct CreatedToken {
    /// What is stored.
    pub row: TokenRow,
    /// To be shown once.
    pub secret: Secret,
}

impl Ops {
    /// Draws an API token. It is shown once: a replay by idempotency key is refused.
    pub async fn create_token(
        &self,
        caller: &Caller,
        args: CreateToken,
        now: Tick,
    ) -> Result<CreatedToken, OpError> {
        check(&args)?;
        let secret = Secret::draw();
        let id = secret.id().clone();
        let row = TokenRow {
            id: id.clone(),
            hash: (!args.certificate).then(|| secret.hash()),
            name: args.name.clone(),
            grants: args.grants.clone(),
            created: now.wall,
            created_by: caller.actor.clone(),
            expires: args.ttl.map(|ttl| now.plus(ttl).wall),
            revoked: None,
        };
        let stored = self
            .transact(&caller.shown_once(), "token.create", &args, now, || {
                if args.certificate {
                    self.refuse_second_grant(&row.name, now.wall)?;
                }
                let txn = Txn::new().absent(row.key()).put(&row);
                let object = format!("{} of {} ({})", what(&row), row.name, row.grants);
                Ok(Prepared::new(txn, id.clone(), object))
            })
            .await?;
        shown_once(&stored, &id)?;
        self.granted.note(&row);
        Ok(CreatedToken { row, secret })
    }

    /// All API tokens, also revoked and outdated ones.
    pub fn tokens(&self) -> Result<Vec<Stored<TokenRow>>, OpError> {
        Ok(self.store.read_all(key::TOKENS)?)
    }

    /// Writes down that a wrong token came. That it cannot be written changes nothing.
    pub async fn note_wrong_token(&self, from: Origin, reason: &str, now: Tick) {
        let object = format!("a token from {from}");
        tracing::warn!(code = "auth.token", %from, reason, "token refused");
        let entry = AuditEntry::new(now.wall, "unknown", "token.refuse", &object, reason);
        if let Err(error) = self.store.txn(Txn::new().audit(entry)).await {
            tracing::warn!(%error, "a refused token was not audited");
        }
    }

    /// Of which row this is the token; none if it is unknown or wrong. It may be revoked or outdated: whom it
    /// lets in says [`TokenRow::is_live`]. Compares in constant time.
    pub fn token(&self, text: &str) -> Result<Option<TokenRow>, StoreError> {
        let Some(presented) = Presented::parse(text) else {
            return Ok(None);
        };
        let row: Option<Stored<TokenRow>> = self.store.read(&key::token(&presented.id))?;
        Ok(row
            .map(Stored::into_value)
            .filter(|row| row.hash.as_ref().is_some_and(|hash| presented.is(hash))))
    }

    /// Whether who was let in by this would be let in again.
    pub fn is_still_in(&self, via: &Via, now: Timestamp) -> Result<bool, StoreError> {
        let row: Option<Stored<TokenRow>> = self.store.read(&key::token(via.id()))?;
        Ok(row.is_some_and(|row| row.is_live(now)))
    }

    /// Refuses the token from now on.
    pub async fn revoke_token(
        &self,
        caller: &Caller,
        id: TokenId,
        now: Tick,
    ) -> Result<TokenId, OpError> {
        self.transact(caller, "token.revoke", &id, now, || {
            self.prepare_revoke(&id, now)
        })
        .await
    }

    fn prepare_revoke(&self, id: &TokenId, now: Tick) -> Result<Prepared<TokenId>, OpError> {
        let known = self.tokens()?;
        let Some(row) = known.iter().find(|row| row.id == *id) else {
            let known = named(known.iter().map(|row| &row.id));
            let message = format!("there is no token {id}");
            return Err(OpError::not_found("token.notFound", &message)
                .in_field("token")
                .try_this(&format!("tokens here: {known}")));
        };
        if let Some(at) = row.revoked {
            let message = format!("token {id} was revoked at {}", moment(at));
            return Err(OpError::refused("token.revoked", &message));
        }
        let is_admin = |row: &TokenRow| {
            let administers = row.grants.decide(Right::Administer, Object::Fleet);
            // A certificate opens only while the hub trusts its CA.
            administers.is_ok() && row.is_live(now.wall) && !row.is_for_certificates()
        };
        let others: Vec<_> = known
            .iter()
            .filter(|other| other.id != *id && is_admin(other))
            .collect();
        if is_admin(row) && others.is_empty() {
            return Err(OpError::refused(
                "token.lastAdmin",
                "this is the last live admin token: nobody could administer the hub any more",
            )
            .try_this("create another admin token first"));
        }
        let mut next = row.to_value();
        next.revoked = Some(now.wall);
        let mut txn = Txn::new().unchanged(row).put(&next);
        if let (true, Some(other)) = (is_admin(row), others.first()) {
            txn = txn.unchanged(other); // two last ones cannot revoke each other
        }
        let object = format!("{} of {}", what(row), row.name);
        Ok(Prepared::new(txn, id.clone(), object).of(next.key()))
    }
}

/// A replayed creation cannot show the secret again: only its hash was kept.
pub(super) fn shown_once(stored: &TokenId, drawn: &TokenId) -> Result<(), OpError> {
    if stored == drawn {
        return Ok(());
    }
    let message =
        format!("token {stored} was made by this request before; its secret was shown then");
    Err(OpError::conflict("token.shown", &message)
        .try_this("revoke it and create another with a new idempotency key"))
}

/// The row in words.
fn what(row: &TokenRow) -> String {
    if row.is_for_certificates() {
        format!("grant {} for certificates", row.id)
    } else {
        format!("token {}", row.id)
    }
}

/// Whether the audit log calls the product itself so, or somebody at a machine of its own, however it is
/// written.
fn is_of_the_product(name: &str) -> bool {
    const ACTORS: [&str; 6] = [
        "hub",
        "flagship-hub",
        "init",
        "agent",
        "flagship-agent",
        "unknown",
    ];
    let name = name.to_lowercase();
    ACTORS.contains(&name.as_str())
        || name.starts_with("agent ")
        || name.starts_with("uid ")
        || name.contains("(uid ")
        || name.ends_with(" on the hub")
        || name.ends_with(" on the hub's machine")
}

fn check(args: &CreateToken) -> Result<(), OpError> {
    if !is_name(&args.name) {
        let what = "a token's name has 1 to 63 characters, none of which hides or moves others";
        return Err(OpError::bad_input("token.name", what)
            .in_field("name")
            .try_this("name the person or the machine that will use it"));
    }
    if is_of_the_product(&args.name) {
        return Err(OpError::bad_input(
            "token.name",
            "this name is what the audit log calls the product itself",
        )
        .in_field("name")
        .try_this("name the person or the machine that will use it"));
    }
    if args.ttl.is_some_and(|ttl| ttl < Duration::from_secs(60)) {
        return Err(
            OpError::bad_input("token.ttl", "a token lives at least a minute")
                .in_field("ttl")
                .try_this("use 1m or more"),
        );
    }
    Ok(())
}
