//! Agents as witnesses of the audit log (they keep the end that they were shown): what they complain of,
//! and whether they saw more than this hub has. A complaint proves nothing and stops nothing; people look.

use flagship_proto::model::{AuditMark, ClusterName, ClusterUid, Hello, Tick};

use super::{Alarm, Behind, Effect, Fleet};
use crate::audit::AuditHead;

impl Fleet {
    /// Where the audit log ends now; shown with each grant from now on.
    pub fn audited(&mut self, epoch: u64, head: AuditHead) {
        let AuditHead { count, head } = head;
        self.audit = Some(AuditMark { epoch, count, head });
    }

    /// Members that saw another end of the audit log than it can have had, what they say, and since when.
    pub fn audit_complaints(&self) -> Vec<(ClusterName, Behind)> {
        let all = self.peers.iter();
        all.filter_map(|(uid, peer)| {
            let member = self.view.members.get(uid)?;
            Some((member.name.clone(), peer.complaint.clone()?))
        })
        .collect()
    }

    /// Takes in what an agent says of the log; tells a person once.
    pub(super) fn hear_witness(&mut self, uid: &ClusterUid, hello: &Hello, now: Tick) {
        let Some(witness) = hello.witness else {
            return;
        };
        let own = self.audit.as_ref();
        let contradicted = |seen: &AuditMark| own.is_some_and(|own| seen.contradicts(own));
        let is_current = |seen: &AuditMark| own.is_none_or(|own| own.epoch <= seen.epoch);
        let said = witness
            .complaint
            .filter(|complaint| is_current(&complaint.seen));
        let complaint = said.map(|complaint| complaint.to_string()).or_else(|| {
            let seen = witness.seen.filter(contradicted)?;
            let own = own?;
            Some(format!(
                "the audit log went back: {seen} was shown first, it has {own}"
            ))
        });
        let peer = self.peers.entry(uid.clone()).or_default();
        if peer.complaint.as_ref().map(|known| &known.why) == complaint.as_ref() {
            return;
        }
        let since = now.wall;
        peer.complaint = complaint.clone().map(|why| Behind { why, since });
        let name = self.view.members.get(uid).map(|member| &member.name);
        if let (Some(complaint), Some(name)) = (complaint, name) {
            let alarm = Alarm::AuditWentBack(name.clone(), complaint);
            self.effects.push(Effect::Alarm(alarm));
        }
    }
}
