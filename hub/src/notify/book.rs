//! The deliveries as they are kept: in the store first, in memory as a copy of it.

use std::collections::BTreeMap;

use flagship_notify::{Entry, Message, Outcome, outbox};
use jiff::Timestamp;

use super::{Notifier, words};
use crate::{
    records::{
        AbortRow, ClusterRow, FleetMeta, HistoryRow, LiftRow, NoticeRow, NotifiedRow, ReceiptRow,
        RolloutRow, Stored, decode, key,
    },
    store::{Event, Outcome as Commit, Store, StoreError, Txn},
};

/// Where rows lie that may be worth a message.
const TOLD: [&str; 5] = [
    key::HISTORY,
    key::ABORTS,
    key::LIFTS,
    key::RECEIPTS,
    key::CLUSTERS,
];

/// All deliveries that are kept.
#[derive(Debug)]
pub(super) struct Book {
    store: Store,
    kept: BTreeMap<String, Entry>,
    /// Up to where the store was looked through.
    pub(super) seen: u64,
}

impl Book {
    /// What the store holds. A hub that never notified begins with what comes from now on.
    pub(super) fn open(store: &Store) -> Result<Self, StoreError> {
        let here = store.position().seq;
        let rows: Vec<Stored<NoticeRow>> = store.read_all(key::NOTICES)?;
        let notified: Option<Stored<NotifiedRow>> = store.read(&key::notified())?;
        let kept = rows
            .into_iter()
            .map(|row| {
                let entry = row.into_value().entry;
                (entry.id.clone(), entry)
            })
            .collect();
        Ok(Self {
            store: store.clone(),
            kept,
            // A store that was put back may be below what was noted.
            seen: notified.map_or(here, |row| row.value.seq.min(here)),
        })
    }

    /// Everything after `seen`, where the log of changes no longer reaches back so far.
    pub(super) fn missed(&self) -> Result<(Vec<Event>, u64), StoreError> {
        let mut events = Vec::new();
        let mut at = self.seen;
        for prefix in TOLD {
            let listing = self.store.list(prefix)?;
            at = at.max(listing.at);
            let later = listing
                .rows
                .into_iter()
                .filter(|(_, row)| row.modified.seq > self.seen);
            events.extend(later.map(|(key, row)| Event {
                seq: row.modified.seq,
                key,
                deleted: false,
                row: Some(row),
            }));
        }
        events.sort_by_key(|event| event.seq);
        Ok((events, at))
    }

    /// Makes messages of changes and keeps their deliveries, with the position up to which that is done.
    pub(super) async fn admit(
        &mut self,
        notifier: &Notifier,
        events: &[Event],
        at: u64,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut changed: BTreeMap<String, Entry> = BTreeMap::new();
        // A copy to decide on: what is kept changes only once it is stored.
        let mut kept = None;
        for event in events {
            let Some(mut message) = self.message(notifier, event)? else {
                continue;
            };
            message.links.extend(notifier.settings.links(&message));
            let places = notifier.settings.places(&message, now);
            if places.is_empty() {
                continue;
            }
            let kept = kept.get_or_insert_with(|| self.kept.clone());
            for entry in outbox::admit(kept, &message, &places, now) {
                kept.insert(entry.id.clone(), entry.clone());
                changed.insert(entry.id.clone(), entry);
            }
        }
        if changed.is_empty() {
            self.seen = at;
            return Ok(());
        }
        let changed: Vec<Entry> = changed.into_values().collect();
        let urgent = changed.iter().any(|entry| entry.message.never_muted);
        self.keep(changed, &[], at, urgent).await?;
        self.seen = at;
        Ok(())
    }

    fn message(&self, notifier: &Notifier, event: &Event) -> Result<Option<Message>, StoreError> {
        let (Some((kind, _)), Some(row)) = (key::parse(&event.key), &event.row) else {
            return Ok(None);
        };
        let public = notifier.public.as_deref();
        let store = &self.store;
        let message = match kind {
            "history" => {
                let row: Stored<HistoryRow> = decode(&event.key, row)?;
                let rollout = key::rollout(&row.value.project, &row.value.rollout);
                let rollout: Option<Stored<RolloutRow>> = store.read(&rollout)?;
                let meta: Option<Stored<FleetMeta>> = store.read(&key::fleet())?;
                let fleet = meta.as_ref().map(|meta| &meta.fleet);
                words::of_history(&row.value, rollout.as_deref(), fleet, public)
            }
            "abort" => Some(words::of_abort(
                &decode::<AbortRow>(&event.key, row)?,
                public,
            )),
            "lift" => {
                let row: Stored<LiftRow> = decode(&event.key, row)?;
                let abort: Option<Stored<AbortRow>> = store.read(&key::abort(&row.value.abort))?;
                Some(words::of_lift(&row.value, abort.as_deref()))
            }
            "receipt" => {
                let row: Stored<ReceiptRow> = decode(&event.key, row)?;
                let abort = key::abort(&row.value.receipt.receipt.abort);
                let abort: Option<Stored<AbortRow>> = store.read(&abort)?;
                words::of_receipt(&row.value, abort.as_deref())
            }
            "cluster" => words::of_cluster(&decode::<ClusterRow>(&event.key, row)?),
            _ => None,
        };
        Ok(message)
    }

    /// What is to be sent now, at most one a channel, so that a channel reads its messages in order.
    pub(super) fn due(&self, now: Timestamp, busy: &[String]) -> Vec<Entry> {
        let mut taken: Vec<&str> = busy.iter().map(String::as_str).collect();
        let mut due = Vec::new();
        for entry in outbox::due(&self.kept, now) {
            if !taken.contains(&entry.channel.as_str()) {
                taken.push(&entry.channel);
                due.push(entry.clone());
            }
        }
        due
    }

    /// When the next delivery of a channel that is not busy is due.
    pub(super) fn wakes_at(&self, busy: &[String]) -> Option<Timestamp> {
        outbox::wakes_at(&self.kept, busy)
    }

    /// Notes how a try ended; forgets what ended long ago.
    pub(super) async fn tried(
        &mut self,
        id: &str,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let Some(entry) = self.kept.get(id) else {
            return Ok(());
        };
        let next = entry.after(outcome, now);
        // In memory first: whatever the disk says, a delivered message is not sent again by this run.
        self.kept.insert(id.to_owned(), next.clone());
        let stale: Vec<String> = self
            .kept
            .values()
            .filter(|entry| entry.is_stale(now))
            .map(|entry| entry.id.clone())
            .collect();
        self.keep(vec![next], &stale, self.seen, false).await
    }

    async fn keep(
        &mut self,
        entries: Vec<Entry>,
        stale: &[String],
        seen: u64,
        urgent: bool,
    ) -> Result<(), StoreError> {
        let mut txn = Txn::new().put(&NotifiedRow { seq: seen });
        for entry in &entries {
            txn = txn.put(&NoticeRow {
                entry: entry.clone(),
            });
        }
        for id in stale {
            txn = txn.delete(key::notice(id));
        }
        if urgent {
            txn = txn.urgent();
        }
        match self.store.txn(txn).await {
            Ok(Commit::Committed { .. } | Commit::Conflict { .. }) => {}
            // What nothing may mute goes out of memory where the disk takes nothing.
            Err(error) if urgent => {
                tracing::warn!(%error, "a notification could not be stored; it is sent all the same");
            }
            Err(error) => return Err(error),
        }
        for id in stale {
            self.kept.remove(id);
        }
        let entries = entries.into_iter();
        self.kept
            .extend(entries.map(|entry| (entry.id.clone(), entry)));
        Ok(())
    }
}
