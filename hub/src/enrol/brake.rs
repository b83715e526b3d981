//! How often anybody may ask to enrol, and how often in vain; which refusals are written down.

use flagship_proto::model::{ClusterUid, Mono};

use super::EnrolError;
use crate::limit::{Bucket, Origin, Rate, Rates, Sample};

/// Requests in all. Each costs the check of a signature at most; a fleet that enrols at once fits in.
pub(super) const ATTEMPTS: Rate = Rate {
    burst: 10_000,
    per_minute: 60_000,
};
/// Requests from one address that were refused; while there are none left its requests are not looked at.
pub(super) const IN_VAIN: Rate = Rate {
    burst: 20,
    per_minute: 10,
};
/// Certificates that a member is given for the one that it has.
pub(super) const RENEWALS: Rate = Rate {
    burst: 20,
    per_minute: 1,
};

/// Counts over all who ask.
#[derive(Debug)]
pub(super) struct Brake {
    attempts: Option<Bucket>,
    in_vain: Rates<Origin>,
    renewals: Rates<ClusterUid>,
    pub(super) written: Sample<String>,
}

impl Default for Brake {
    fn default() -> Self {
        Self {
            attempts: None,
            in_vain: Rates::new(IN_VAIN),
            renewals: Rates::new(RENEWALS),
            written: Sample::default(),
        }
    }
}

impl Brake {
    /// Before a request is looked at.
    pub(super) fn attempt(&mut self, from: Origin, now: Mono) -> Result<(), EnrolError> {
        let all = self
            .attempts
            .get_or_insert_with(|| Bucket::full(ATTEMPTS, now));
        if !self.in_vain.has_left(from, now) {
            return Err(EnrolError::TooOften(format!(
                "wrong requests from {from}: wait a minute, then send a right one"
            )));
        }
        if !all.take(1, ATTEMPTS, now) {
            let what = "requests to enrol at once: try again in a moment".to_owned();
            return Err(EnrolError::TooOften(what));
        }
        Ok(())
    }

    /// It was refused.
    pub(super) fn failed(&mut self, from: Origin, now: Mono) {
        self.in_vain.take(from, now);
    }

    /// A member wants the next certificate.
    pub(super) fn renewal(&mut self, uid: &ClusterUid, now: Mono) -> Result<(), EnrolError> {
        if self.renewals.take(uid.clone(), now) {
            return Ok(());
        }
        Err(EnrolError::TooOften(format!(
            "renewals of {uid}: its certificate lives for days, renew it at two thirds of its life"
        )))
    }
}
