//! Reading the audit log whole, for checking here or elsewhere.

use super::{OpError, Ops};
use crate::audit::{AuditExport, Broken, Verified, verify};

impl Ops {
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
