//! Enrolment tokens: made with a secret that is shown once, and revoked.

use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use flagship_proto::{
    digest::Digest,
    model::{
        Labels, Tick, TokenId,
        token::{EnrolToken, InvalidToken},
    },
};
use serde::{Deserialize, Serialize};

use super::{Caller, OpError, Ops, Prepared, error::named, token::shown_once};
use crate::{
    records::{EnrolTokenRow, Record as _, Stored, key},
    store::Txn,
};

/// How long a token is good where nothing is said.
const DEFAULT_TTL: Duration = Duration::from_secs(24 * 3600);

/// The shortest life of a token: long enough to be typed.
const SHORTEST_TTL: Duration = Duration::from_secs(60);

/// The longest life of a token.
const LONGEST_TTL: Duration = Duration::from_secs(90 * 24 * 3600);
const MOST_USES: u32 = 100_000;

/// What a token is to be good for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CreateEnrolToken {
    /// A cluster's name, or a pattern in which `*` stands for any characters.
    pub pattern: String,
    /// Labels of the clusters that enrol with it.
    pub labels: Labels,
    /// How many clusters may; 1 where nothing is said.
    pub uses: Option<u32>,
    /// For how long; a day where nothing is said.
    pub ttl: Option<Duration>,
    /// Whether who enrols waits for `flagship cluster approve`.
    pub approve: bool,
}

/// A new token; the secret is nowhere else.
#[derive(Clone, PartialEq, Eq)]
pub struct CreatedEnrolToken {
    /// What is stored.
    pub row: EnrolTokenRow,
    secret: String,
}

impl CreatedEnrolToken {
    /// The token as it is printed, with the hash of the hub's CA certificate (DER).
    pub fn token(&self, ca_hash: Digest) -> Result<EnrolToken, InvalidToken> {
        EnrolToken::new(self.row.id.clone(), self.secret.clone(), ca_hash)
    }
}

impl std::fmt::Debug for CreatedEnrolToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CreatedEnrolToken({}, …)", self.row.id)
    }
}

impl Ops {
    /// Draws an enrolment token. It is shown once: a replay by idempotency key is refused.
    pub async fn create_enrol_token(
        &self,
        caller: &Caller,
        args: CreateEnrolToken,
        now: Tick,
    ) -> Result<CreatedEnrolToken, OpError> {
        let uses = args.uses.unwrap_or(1);
        let ttl = args.ttl.unwrap_or(DEFAULT_TTL);
        check(&args, uses, ttl)?;
        let id: TokenId = format!("e-{}", hex::encode(rand::random::<[u8; 5]>()))
            .parse()
            .expect("hexadecimal digits make a token id");
        let secret = URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>());
        let row = EnrolTokenRow {
            id: id.clone(),
            secret: Digest::of(secret.as_bytes()),
            pattern: args.pattern.clone(),
            labels: args.labels.clone(),
            uses,
            used: Vec::new(),
            approve: args.approve,
            created: now.wall,
            created_by: caller.actor.clone(),
            expires: now.plus(ttl).wall,
            revoked: false,
        };
        let stored = self
            .transact(
                &caller.shown_once(),
                "enrolToken.create",
                &args,
                now,
                || {
                    let txn = Txn::new().absent(row.key()).put(&row);
                    let object = format!("enrolment token {id} for {}", row.pattern);
                    let before: Option<&()> = None;
                    Ok(Prepared::new(txn, id.clone(), object).digests(before, Some(&row)))
                },
            )
            .await?;
        shown_once(&stored, &id)?;
        Ok(CreatedEnrolToken { row, secret })
    }

    /// All enrolment tokens, also used and outdated ones.
    pub fn enrol_tokens(&self) -> Result<Vec<Stored<EnrolTokenRow>>, OpError> {
        Ok(self.store.read_all(key::ENROL_TOKENS)?)
    }

    /// Refuses the token from now on. Clusters that enrolled with it stay.
    pub async fn revoke_enrol_token(
        &self,
        caller: &Caller,
        id: TokenId,
        now: Tick,
    ) -> Result<TokenId, OpError> {
        self.transact(caller, "enrolToken.revoke", &id, now, || {
            let Some(row) = self.store.read::<EnrolTokenRow>(&key::enrol_token(&id))? else {
                let known = self.enrol_tokens()?;
                let known = named(known.iter().map(|row| &row.id));
                let message = format!("there is no enrolment token {id}");
                return Err(OpError::not_found("token.notFound", &message)
                    .in_field("token")
                    .try_this(&format!("tokens here: {known}")));
            };
            if row.revoked {
                let message = format!("enrolment token {id} is revoked already");
                return Err(OpError::refused("token.revoked", &message));
            }
            let mut next = row.to_value();
            next.revoked = true;
            let txn = Txn::new().unchanged(&row).put(&next);
            let object = format!("enrolment token {id}");
            let prepared = Prepared::new(txn, id.clone(), object).of(next.key());
            Ok(prepared.digests(Some(&*row.value), Some(&next)))
        })
        .await
    }
}

fn check(args: &CreateEnrolToken, uses: u32, ttl: Duration) -> Result<(), OpError> {
    let refuse = |code, field: &str, message: &str, remedy: &str| {
        Err(OpError::bad_input(code, message)
            .in_field(field)
            .try_this(remedy))
    };
    let characters = args
        .pattern
        .chars()
        .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-' || c == '*');
    if args.pattern.is_empty() || args.pattern.len() > 63 || !characters {
        let message = format!("pattern {:?} is not valid", args.pattern);
        return refuse(
            "token.pattern",
            "cluster",
            &message,
            "use a cluster's name, or a pattern of lower case letters, digits, '-' and '*', such as eu-*",
        );
    }
    let one_name = !args.pattern.contains('*');
    if uses == 0 || uses > MOST_USES || (one_name && uses > 1) {
        let remedy = if one_name {
            "a token for one name serves once; use a pattern such as eu-* for several"
        } else {
            "use 1 to 100000"
        };
        return refuse(
            "token.uses",
            "uses",
            &format!("{uses} uses are not possible"),
            remedy,
        );
    }
    if ttl < SHORTEST_TTL || ttl > LONGEST_TTL {
        return refuse(
            "token.ttl",
            "ttl",
            &format!("a life of {} s is not possible", ttl.as_secs()),
            "use 1m to 90d",
        );
    }
    for (label, value) in &args.labels {
        if label.is_empty() || label.len() > 253 || value.len() > 63 {
            let message = format!("label {label:?}={value:?} is not valid");
            return refuse(
                "token.labels",
                "labels",
                &message,
                "a label's key has 1 to 253 characters, its value at most 63",
            );
        }
    }
    Ok(())
}
