//! Reading the audit log: pages of it, and the whole for checking elsewhere.

use super::{OpError, Ops};
use crate::audit::{AuditExport, AuditHead, AuditRecord, Broken, Verified, verify};

/// Some entries, newest first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditPage {
    /// Newest first.
    pub entries: Vec<AuditRecord>,
    /// Where the next page begins; none if this was the last.
    pub before: Option<u64>,
    /// The end of the whole chain.
    pub head: AuditHead,
}

impl Ops {
    /// Up to `limit` entries with an index below `before`, newest first.
    pub fn audit_page(&self, before: Option<u64>, limit: usize) -> Result<AuditPage, OpError> {
        let head = self.store.audit_head();
        let mut next = before.unwrap_or(head.count).min(head.count);
        let mut entries = Vec::new();
        while next > 0 && entries.len() < limit {
            next -= 1;
            entries.extend(self.store.audit_entry(next)?);
        }
        Ok(AuditPage {
            entries,
            before: (next > 0).then_some(next),
            head,
        })
    }

    /// The whole chain as stored.
    pub fn audit_export(&self) -> Result<AuditExport, OpError> {
        Ok(self.store.audit_export()?)
    }

    /// Checks the chain as stored.
    pub fn audit_verify(&self) -> Result<Result<Verified, Broken>, OpError> {
        let export = self.store.audit_export()?;
        Ok(verify(&export.to_text(), None))
    }
}
