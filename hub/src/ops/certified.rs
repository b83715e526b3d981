//! Who comes with a person's certificate, by the grant for its name: found by name in memory, and read where
//! it is stored.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use flagship_proto::{
    command::{Command, OPEN},
    identity::Person,
    model::TokenId,
    words::moment,
};
use jiff::Timestamp;

use super::{OpError, Ops};
use crate::{
    auth::{Actor, Via},
    records::{Stored, TokenRow, key},
    store::{Store, StoreError},
};

/// The grants for certificates by the name that they are for, revoked ones too. Rows of tokens are made
/// here only, so what was read once is kept up by what is made since.
#[derive(Debug, Clone, Default)]
pub(super) struct Granted(Arc<Mutex<Option<Names>>>);

type Names = BTreeMap<String, BTreeSet<TokenId>>;

impl Granted {
    fn lock(&self) -> MutexGuard<'_, Option<Names>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A grant was stored.
    pub(super) fn note(&self, row: &TokenRow) {
        if let Some(known) = self.lock().as_mut().filter(|_| row.is_for_certificates()) {
            let ids = known.entry(row.name.clone()).or_default();
            ids.insert(row.id.clone());
        }
    }

    fn of(&self, store: &Store, name: &str) -> Result<BTreeSet<TokenId>, StoreError> {
        let mut known = self.lock();
        if known.is_none() {
            let rows: Vec<Stored<TokenRow>> = store.read_all(key::TOKENS)?;
            let names = known.get_or_insert_default();
            for row in rows.iter().filter(|row| row.is_for_certificates()) {
                let ids = names.entry(row.name.clone()).or_default();
                ids.insert(row.id.clone());
            }
        }
        let ids = known.as_ref().and_then(|known| known.get(name));
        Ok(ids.cloned().unwrap_or_default())
    }
}

impl Ops {
    /// Who comes with a person's certificate, by the grant for its name. A name whose grant was revoked
    /// needs a certificate that was made since.
    pub fn certified(&self, person: &Person, now: Timestamp) -> Result<Actor, OpError> {
        let name = &person.name;
        let grants = self.grants_for(name)?;
        let revoked = grants.iter().filter_map(|row| row.revoked).max();
        let made_since = revoked.is_none_or(|at| at < person.not_before);
        let refused = |message: String| OpError::unidentified("auth.certificate", &message);
        let grant = Command::flagship("token create --certificate --name").of(name);
        let remedy = format!("an admin grants it: {}", grant.of("--role").of(OPEN));
        match grants.iter().find(|row| row.is_live(now)) {
            Some(row) if made_since => {
                let serial = Some(person.serial.clone());
                let mut actor = row.actor();
                actor.via = Via::Certificate(row.id.clone(), serial);
                Ok(actor)
            }
            Some(_) => {
                let at = revoked.map_or_else(String::new, moment);
                let message = format!(
                    "the certificate of {name} was made before the rights of {name} were revoked at {at}"
                );
                Err(refused(message).try_this("have a new certificate made"))
            }
            None if revoked.is_some() => {
                let message = format!("the rights of certificates of {name} were revoked");
                Err(refused(message).try_this(&remedy))
            }
            None if !grants.is_empty() => {
                let message = format!("the rights of certificates of {name} have ended");
                Err(refused(message).try_this(&remedy))
            }
            None => {
                let message = format!("certificates of {name} were granted nothing");
                Err(refused(message).try_this(&remedy))
            }
        }
    }

    pub(super) fn refuse_second_grant(&self, name: &str, now: Timestamp) -> Result<(), OpError> {
        let known = self.grants_for(name)?;
        let Some(row) = known.iter().find(|row| row.is_live(now)) else {
            return Ok(());
        };
        let message = format!("certificates of {name} have a grant already: {}", row.id);
        Err(OpError::conflict("grant.there", &message)
            .in_field("name")
            .try_this(&format!(
                "revoke it first: flagship token revoke {}",
                row.id
            )))
    }

    fn grants_for(&self, name: &str) -> Result<Vec<Stored<TokenRow>>, StoreError> {
        let ids = self.granted.of(&self.store, name)?;
        let rows = ids.iter().map(|id| self.store.read(&key::token(id)));
        let rows: Result<Vec<Option<_>>, StoreError> = rows.collect();
        Ok(rows?.into_iter().flatten().collect())
    }
}
