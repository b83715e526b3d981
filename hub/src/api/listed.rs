//! What is listed: for each kind of item its list's name, its place in it, and what it is selected by.

use flagship_proto::model::Labels;

use super::{place::Place, view::rollout::word};
use crate::{
    audit::AuditRecord,
    records::{
        AbortRow, EnrolTokenRow, FreezeRow, HistoryRow, NoticeRow, PlanRow, ProjectRow, ReceiptRow,
        RolloutRow, Stored, TokenRow,
    },
};

/// A field by name, and how it is read; none where an item has none.
pub type Field<I> = (&'static str, fn(&I) -> Option<String>);

/// A kind of item.
pub trait Listed: Sized + 'static {
    /// The list's name.
    const LIST: &'static str;
    /// What items are selected by.
    const FIELDS: &'static [Field<Self>];
    /// Whether they are selected by labels too.
    const LABELS: bool = false;

    /// Where it stands; no two items of a list have one place.
    fn place(&self) -> Place;

    /// Its labels.
    fn labels(&self) -> Option<&Labels> {
        None
    }
}

fn text(value: impl ToString) -> Option<String> {
    Some(value.to_string())
}

impl Listed for Stored<ProjectRow> {
    const LIST: &'static str = "projects";
    const FIELDS: &'static [Field<Self>] = &[
        ("name", |row| text(&row.project)),
        ("createdBy", |row| text(&row.created_by)),
    ];

    fn place(&self) -> Place {
        Place::named(&self.project)
    }
}

impl Listed for Stored<PlanRow> {
    const LIST: &'static str = "plans";
    const FIELDS: &'static [Field<Self>] = &[
        ("project", |row| text(&row.id.project)),
        ("name", |row| text(&row.id.name)),
        ("workload", |row| row.plan.workload().ok().and_then(text)),
        ("appliedBy", |row| text(&row.applied_by)),
    ];
    const LABELS: bool = true;

    fn labels(&self) -> Option<&Labels> {
        Some(&self.plan.metadata.labels)
    }

    fn place(&self) -> Place {
        Place::named(&self.id)
    }
}

impl Listed for Stored<RolloutRow> {
    const LIST: &'static str = "rollouts";
    const FIELDS: &'static [Field<Self>] = &[
        ("project", |row| text(&row.project)),
        ("id", |row| text(&row.id)),
        ("plan", |row| text(&row.plan.metadata.name)),
        ("workload", |row| text(&row.workload)),
        ("change", |row| text(&row.change)),
        ("state", |row| text(word(&row.state))),
        ("ended", |row| text(row.state.is_over())),
        ("startedBy", |row| text(&row.started_by)),
        ("ticket", |row| row.ticket.clone()),
    ];
    const LABELS: bool = true;

    fn labels(&self) -> Option<&Labels> {
        Some(&self.plan.metadata.labels)
    }

    fn place(&self) -> Place {
        Place::newest(self.created, format_args!("{}/{}", self.project, self.id))
    }
}

impl Listed for Stored<HistoryRow> {
    const LIST: &'static str = "history";
    const FIELDS: &'static [Field<Self>] = &[
        ("code", |row| text(&row.kind)),
        ("cluster", |row| row.cluster.as_ref().and_then(text)),
    ];

    fn place(&self) -> Place {
        Place::numbered(self.seq)
    }
}

impl Listed for Stored<AbortRow> {
    const LIST: &'static str = "aborts";
    const FIELDS: &'static [Field<Self>] = &[
        ("id", |row| text(row.id())),
        ("scope", |row| text(&row.unplaced().scope)),
        ("actor", |row| text(&row.unplaced().actor)),
        ("ticket", |row| row.ticket.clone()),
    ];

    fn place(&self) -> Place {
        Place::newest(self.created, self.id())
    }
}

impl Listed for Stored<ReceiptRow> {
    const LIST: &'static str = "receipts";
    const FIELDS: &'static [Field<Self>] = &[
        ("cluster", |row| text(&row.receipt.receipt.cluster)),
        ("last", |row| text(row.receipt.receipt.is_final())),
    ];

    fn place(&self) -> Place {
        Place::named(&self.receipt.receipt.uid)
    }
}

impl Listed for Stored<FreezeRow> {
    const LIST: &'static str = "freezes";
    const FIELDS: &'static [Field<Self>] = &[
        ("id", |row| text(&row.id)),
        ("scope", |row| text(&row.scope)),
        ("actor", |row| text(&row.actor)),
        ("standing", |row| text(row.stands())),
        ("ticket", |row| row.ticket.clone()),
    ];

    fn place(&self) -> Place {
        Place::newest(self.created, &self.id)
    }
}

impl Listed for Stored<TokenRow> {
    const LIST: &'static str = "tokens";
    const FIELDS: &'static [Field<Self>] = &[
        ("id", |row| text(&row.id)),
        ("name", |row| text(&row.name)),
        ("role", |row| text(row.grants.role())),
        ("createdBy", |row| text(&row.created_by)),
        ("revoked", |row| text(row.revoked.is_some())),
    ];

    fn place(&self) -> Place {
        Place::named(&self.id)
    }
}

impl Listed for Stored<EnrolTokenRow> {
    const LIST: &'static str = "enrolment tokens";
    const FIELDS: &'static [Field<Self>] = &[
        ("id", |row| text(&row.id)),
        ("cluster", |row| text(&row.pattern)),
        ("createdBy", |row| text(&row.created_by)),
        ("revoked", |row| text(row.revoked)),
    ];

    fn place(&self) -> Place {
        Place::named(&self.id)
    }
}

impl Listed for Stored<NoticeRow> {
    const LIST: &'static str = "notices";
    const FIELDS: &'static [Field<Self>] = &[
        ("id", |row| text(&row.entry.id)),
        ("channel", |row| text(&row.entry.channel)),
        ("code", |row| text(&row.entry.message.code)),
        ("severity", |row| text(row.entry.message.severity)),
        ("key", |row| text(&row.entry.message.key)),
    ];

    fn place(&self) -> Place {
        Place::newest(self.created, &self.entry.id)
    }
}

impl Listed for AuditRecord {
    const LIST: &'static str = "audit entries";
    const FIELDS: &'static [Field<Self>] = &[
        ("actor", |record| text(&record.entry.actor)),
        ("action", |record| text(&record.entry.action)),
        ("object", |record| text(&record.entry.object)),
        ("ticket", |record| record.entry.ticket.clone()),
    ];

    fn place(&self) -> Place {
        Place::numbered(u64::MAX - self.index)
    }
}
