//! Between the fleet's values and the store's rows: what a row means to the fleet, and which
//! transaction a job is. The only file of the fleet that knows records and keys.

use std::time::Duration;

use flagship_proto::{
    model::{ClusterName, Position, Tick},
    words::given,
};

use super::{Change, Job, KeptReceipt, Member, ReportedStatus, StoredReceipt, StoredReport, local};
use crate::{
    audit::AuditEntry,
    records::{
        self, AbortRow, ClusterRow, ClusterState, Guard, LiftRow, LocalReleaseRow, OrderRow,
        ReceiptRow, Record, ReportRow, SeenRow, Stored, key,
    },
    store::{Key, Row, Store, StoreError, Txn},
};

/// The kinds of rows that the fleet looks at.
const PREFIXES: [&str; 8] = [
    key::META,
    key::CLUSTERS,
    key::ORDERS,
    key::ABORTS,
    key::LIFTS,
    key::RECEIPTS,
    key::REPORTS,
    key::LOCAL_RELEASES,
];

/// Everything that the store holds of what the fleet needs, complete as of the position; a watch from
/// there brings what changed since, some of it a second time.
pub fn listing(store: &Store) -> Result<(Vec<Change>, Position), StoreError> {
    let at = store.position();
    let mut all = Vec::new();
    for prefix in PREFIXES {
        for (key, row) in store.list(prefix)?.rows {
            all.extend(change(&key, Some(&row))?);
        }
    }
    Ok((all, at))
}

/// What a row that was written or deleted means; none if it is of no kind that the fleet looks at.
pub fn change(key: &Key, row: Option<&Row>) -> Result<Option<Change>, StoreError> {
    let Some((kind, segments)) = key::parse(key) else {
        return Ok(None);
    };
    let change = match (kind, row) {
        ("cluster", Some(row)) => Some(member(&records::decode(key, row)?)),
        ("cluster", None) => name_of(&segments).map(|name| Change::Member(name, None)),
        ("order", Some(row)) => {
            let row: Stored<OrderRow> = records::decode(key, row)?;
            let order = row.order();
            let workload = order.workload.clone();
            Some(Change::Order(
                order.uid.clone(),
                workload,
                Some(Box::new(order)),
            ))
        }
        ("order", None) => uid_and_workload(&segments).map(|(u, w)| Change::Order(u, w, None)),
        ("abort", Some(row)) => {
            let row: Stored<AbortRow> = records::decode(key, row)?;
            Some(Change::Abort {
                abort: Box::new(row.abort()),
                clusters: row.matched.clone(),
                narrowed_from: row.narrowed_from.clone(),
                lease: Duration::from_millis(row.lease_ms),
            })
        }
        ("lift", Some(row)) => {
            let row: Stored<LiftRow> = records::decode(key, row)?;
            Some(Change::Lift(Box::new(row.lift())))
        }
        ("receipt", Some(row)) => Some(receipt(&records::decode(key, row)?)),
        ("report", Some(row)) => {
            let row: Stored<ReportRow> = records::decode(key, row)?;
            let workload = row.status.workload.clone();
            let report = StoredReport {
                incarnation: row.incarnation,
                seq: row.seq,
                modified: row.modified,
                status: row.status.clone(),
            };
            Some(Change::Report(
                row.uid.clone(),
                workload,
                Some(Box::new(report)),
            ))
        }
        ("meta", Some(row)) if *key == key::seen() => {
            let row: Stored<SeenRow> = records::decode(key, row)?;
            Some(Change::Seen(Box::new(row.into_value())))
        }
        ("localrelease", Some(row)) => {
            let row: Stored<LocalReleaseRow> = records::decode(key, row)?;
            let (uid, workload) = (row.uid.clone(), row.workload.clone());
            Some(Change::LocalRelease(
                uid,
                workload,
                Some(Box::new(row.release())),
            ))
        }
        ("localrelease", None) => {
            uid_and_workload(&segments).map(|(u, w)| Change::LocalRelease(u, w, None))
        }
        ("report", None) => uid_and_workload(&segments).map(|(u, w)| Change::Report(u, w, None)),
        _ => None,
    };
    Ok(change)
}

fn member(row: &Stored<ClusterRow>) -> Change {
    let quarantine = match &row.state {
        ClusterState::Active => None,
        ClusterState::Quarantined { reason } => Some(reason.clone()),
        ClusterState::Pending | ClusterState::Removed { .. } => {
            return Change::Member(row.name.clone(), None);
        }
    };
    let keys = row.keys.iter();
    let certificates = keys
        .filter(|key| !key.revoked && !key.certificate.is_empty())
        .map(|key| (key.serial.clone(), key.certificate.as_slice().into()));
    let member = Member {
        uid: row.uid.clone(),
        name: row.name.clone(),
        labels: row.labels.clone(),
        certificates: certificates.collect(),
        quarantine,
        unconfirmed: row.unconfirmed.map(|since| {
            format!(
                "history went back {}, and nobody has confirmed this member since: flagship cluster confirm {} --reason …",
                since.strftime("%F %H:%M:%SZ"),
                row.name
            )
        }),
        inventory: row.inventory.clone(),
        incarnation: row.incarnation,
        modified: row.modified,
    };
    Change::Member(row.name.clone(), Some(Box::new(member)))
}

fn receipt(row: &Stored<ReceiptRow>) -> Change {
    let receipt = &row.receipt.receipt;
    let stored = StoredReceipt {
        incarnation: receipt.incarnation,
        seq: receipt.seq,
        is_final: receipt.is_final(),
        not_stopped: receipt.could_not_stop(),
        modified: row.modified,
    };
    Change::Receipt(receipt.abort.clone(), receipt.uid.clone(), stored)
}

fn name_of(segments: &[String]) -> Option<ClusterName> {
    segments.first()?.parse().ok()
}

fn uid_and_workload(
    segments: &[String],
) -> Option<(
    flagship_proto::model::ClusterUid,
    flagship_proto::model::WorkloadRef,
)> {
    let [uid, workload] = segments else {
        return None;
    };
    Some((uid.parse().ok()?, workload.parse().ok()?))
}

/// The transaction of a job; none where the row that it is about is gone or has changed meanwhile.
pub fn transaction(store: &Store, job: &Job, now: Tick) -> Result<Option<Txn>, StoreError> {
    Ok(match job {
        Job::Report {
            uid,
            cluster,
            reported,
            read,
        } => {
            let ReportedStatus {
                incarnation,
                seq,
                at: _,
                status,
            } = reported.as_ref();
            let row = ReportRow {
                uid: uid.clone(),
                incarnation: *incarnation,
                seq: *seq,
                at: now.wall,
                status: status.clone(),
            };
            let before: Option<Stored<ReportRow>> = store.read(&row.key())?;
            let before = before.filter(|before| Some(before.modified) == *read);
            let before = before.as_ref().map(|before| &before.status);
            let entries = local::audit(cluster, before, status, now);
            let txn = as_read(&row, *read).put(&row);
            Some(entries.into_iter().fold(txn, Txn::audit))
        }
        Job::Receipt {
            uid: _,
            receipt,
            read,
        } => {
            let KeptReceipt {
                signed,
                certificate,
                taken,
            } = receipt.as_ref();
            let mut row = ReceiptRow::new(signed.clone(), certificate.to_vec(), *taken);
            if read.is_some()
                && let Some(before) = store.read::<ReceiptRow>(&row.key())?
            {
                row = row.after(&before);
            }
            // A proof that somebody stopped: one row a cluster and abort, on a nearly full disk too.
            Some(as_read(&row, *read).put(&row).urgent())
        }
        Job::Inventory {
            cluster,
            inventory,
            incarnation,
            read,
        } => cluster_row(store, cluster, *read)?.map(|read| {
            let mut row = read.to_value();
            row.inventory = inventory.as_ref().clone();
            row.incarnation = row.incarnation.max(*incarnation);
            row.last_seen = Some(now.wall);
            Txn::new().unchanged(&read).put(&row)
        }),
        Job::Quarantine { cluster, why, read } => {
            cluster_row(store, cluster, *read)?.map(|read| quarantine(&read, why, now))
        }
        Job::Offence { cluster, why } => {
            let object = format!("cluster {cluster}");
            let entry = AuditEntry::new(now.wall, "hub", "agent.offence", &object, why);
            Some(Txn::new().audit(entry))
        }
        Job::Seen(seen) => {
            let before: Option<Stored<SeenRow>> = store.read(&seen.key())?;
            let txn = match &before {
                Some(before) => Txn::new().unchanged(before),
                None => Txn::new().absent(seen.key()),
            };
            let before = before.map(Stored::into_value).unwrap_or_default();
            Some(txn.put(&before.and(seen)).urgent())
        }
        Job::Given(order) => {
            let term = order.fence.term;
            let why =
                "it was ordered in a history that was given up; the hub does not know its rollout";
            let row = OrderRow::superseding(order.as_ref().clone(), term, || why.to_owned());
            let object = format!("{} in cluster {}", order.workload, order.cluster);
            let intent = row.unplaced().intent.to_string().to_lowercase();
            let action = format!("order.{intent}");
            let entry = AuditEntry::new(now.wall, "hub", &action, &object, why);
            Some(Txn::new().absent(row.key()).put(&row).audit(entry).urgent())
        }
        Job::TakeOver(unstored) => {
            let (row, abort) = (unstored.row(), &unstored.abort);
            let object = format!("abort {}", abort.id);
            let reason = format!("{} (stored late: {})", given(&abort.reason), abort.scope);
            let entry = AuditEntry::new(now.wall, &abort.actor, "abort.create", &object, &reason);
            let by = object.clone();
            Some(
                Txn::new()
                    .absent(row.key())
                    .put(&row)
                    .put(&Guard { by })
                    .audit(entry)
                    .urgent(),
            )
        }
    })
}

/// The transaction that stops a cluster until a person has looked (P1).
pub fn quarantine(read: &Stored<ClusterRow>, why: &str, now: Tick) -> Txn {
    let mut row = read.to_value();
    row.state = ClusterState::Quarantined {
        reason: why.to_owned(),
    };
    let object = format!("cluster {}", row.name);
    let entry = AuditEntry::new(now.wall, "hub", "cluster.quarantine", &object, why);
    let by = format!("quarantine of {}", row.name);
    Txn::new()
        .unchanged(read)
        .put(&row)
        .put(&Guard { by })
        .audit(entry)
        .urgent()
}

fn as_read<R: Record>(row: &R, read: Option<Position>) -> Txn {
    match read {
        Some(modified) => Txn::new().at(row.key(), modified),
        None => Txn::new().absent(row.key()),
    }
}

fn cluster_row(
    store: &Store,
    cluster: &ClusterName,
    read: Position,
) -> Result<Option<Stored<ClusterRow>>, StoreError> {
    let row: Option<Stored<ClusterRow>> = store.read(&key::cluster(cluster))?;
    Ok(row.filter(|row| row.modified == read))
}
