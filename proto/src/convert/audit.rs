//! What agents are shown of the audit log, and what they say of it.

use super::{ConvertError, bad, missing, time};
use crate::{
    digest::Digest,
    model::{AuditComplaint, AuditMark, Witness},
    wire,
};

impl From<AuditMark> for wire::AuditMark {
    fn from(mark: AuditMark) -> Self {
        let AuditMark { epoch, count, head } = mark;
        Self {
            epoch,
            count,
            head: head.as_bytes().to_vec(),
        }
    }
}

impl TryFrom<wire::AuditMark> for AuditMark {
    type Error = ConvertError;

    fn try_from(mark: wire::AuditMark) -> Result<Self, ConvertError> {
        let wire::AuditMark { epoch, count, head } = mark;
        let head = <[u8; 32]>::try_from(head.as_slice());
        let head = head.map_err(|_| bad("audit.head", "is not 32 bytes long"))?;
        Ok(Self {
            epoch,
            count,
            head: Digest::from_bytes(head),
        })
    }
}

impl From<Witness> for wire::Witness {
    fn from(witness: Witness) -> Self {
        let Witness { seen, complaint } = witness;
        Self {
            seen: seen.map(Into::into),
            complaint: complaint.map(|complaint| {
                let AuditComplaint { seen, shown, at } = complaint;
                wire::AuditComplaint {
                    seen: Some(seen.into()),
                    shown: Some(shown.into()),
                    at_ms: at.as_millisecond(),
                }
            }),
        }
    }
}

impl TryFrom<wire::Witness> for Witness {
    type Error = ConvertError;

    fn try_from(witness: wire::Witness) -> Result<Self, ConvertError> {
        let wire::Witness { seen, complaint } = witness;
        let complaint = complaint.map(|complaint| {
            let wire::AuditComplaint { seen, shown, at_ms } = complaint;
            Ok::<_, ConvertError>(AuditComplaint {
                seen: seen.ok_or(missing("audit.complaint.seen"))?.try_into()?,
                shown: shown.ok_or(missing("audit.complaint.shown"))?.try_into()?,
                at: time("audit.complaint.at", at_ms)?,
            })
        });
        Ok(Self {
            seen: seen.map(TryInto::try_into).transpose()?,
            complaint: complaint.transpose()?,
        })
    }
}
