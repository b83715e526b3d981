//! One suite for both adapters: what every store promises.

use bytes::Bytes;
use futures::FutureExt as _;
use jiff::Timestamp;

use super::{table::LOG_LENGTH, *};
use crate::{
    audit::{AuditEntry, AuditExport, verify},
    records::key,
};

/// Runs a test once with each adapter.
macro_rules! both {
    ($($name:ident),* $(,)?) => {
        mod memory {
            $(#[tokio::test] async fn $name() { super::$name(super::Store::memory()).await; })*
        }
        mod embedded {
            $(#[tokio::test] async fn $name() {
                let folder = tempfile::tempdir().unwrap();
                super::$name(super::Store::init(folder.path()).unwrap()).await;
            })*
        }
    };
}

both!(
    a_commit_takes_the_next_position_and_a_conflict_takes_none,
    each_precondition_guards_its_key,
    of_two_that_race_for_a_key_one_wins,
    a_listing_has_one_prefix_in_key_order,
    a_row_keeps_where_it_was_created_until_it_is_deleted,
    trap_35_a_watch_sees_each_change_after_its_start_and_the_latest_value,
    trap_35_a_watch_that_lags_too_far_is_told_to_list_again,
    a_watch_waits_until_its_prefix_changes,
    a_watch_in_pieces_sees_the_same_in_the_same_order_and_no_half_of_a_commit,
    audit_entries_are_chained_in_the_same_commit,
    a_lost_transaction_leaves_no_audit_entry,
);

fn path(name: &str) -> Key {
    Key::from_path(&format!("/v1/{name}"))
}

fn put(name: &str, value: &str) -> Txn {
    let mut txn = Txn::new();
    txn.writes.push(Write::bytes(
        path(name),
        Bytes::copy_from_slice(value.as_bytes()),
    ));
    txn
}

async fn commit(store: &Store, txn: Txn) -> Position {
    match store.txn(txn).await.unwrap() {
        Outcome::Committed { position } => position,
        Outcome::Conflict { key } => panic!("conflict on {key}"),
    }
}

async fn conflict(store: &Store, txn: Txn) -> Key {
    match store.txn(txn).await.unwrap() {
        Outcome::Committed { position } => panic!("committed at {position}"),
        Outcome::Conflict { key } => key,
    }
}

async fn a_commit_takes_the_next_position_and_a_conflict_takes_none(store: Store) {
    let start = store.position();
    let first = commit(&store, put("a/1", "x")).await;
    assert_eq!((first.epoch, first.seq), (store.epoch(), start.seq + 1));
    conflict(&store, put("a/2", "x").absent(path("a/1"))).await;
    assert_eq!(store.get(&path("a/2")).unwrap(), None);
    let second = commit(&store, put("a/2", "x")).await;
    assert_eq!(second.seq, first.seq + 1);
    assert_eq!(store.position(), second);
}

async fn each_precondition_guards_its_key(store: Store) {
    let first = commit(&store, put("a", "1").absent(path("a"))).await;
    let again = conflict(&store, put("b", "1").absent(path("a"))).await;
    assert_eq!(again, path("a"));
    conflict(&store, put("b", "1").exists(path("c"))).await;
    conflict(&store, put("b", "1").at(path("c"), first)).await;
    let second = commit(&store, put("a", "2").at(path("a"), first).exists(path("a"))).await;
    conflict(&store, put("a", "3").at(path("a"), first)).await;
    let row = store.get(&path("a")).unwrap().unwrap();
    assert_eq!(
        (row.value.as_ref(), row.modified),
        (b"2".as_slice(), second)
    );
}

async fn of_two_that_race_for_a_key_one_wins(store: Store) {
    let tries = (0..16).map(|n| {
        let store = store.clone();
        async move {
            store
                .txn(put("slot", &n.to_string()).absent(path("slot")))
                .await
        }
    });
    let outcomes = futures::future::join_all(tries).await;
    let won = outcomes
        .iter()
        .filter(|outcome| matches!(outcome, Ok(Outcome::Committed { .. })))
        .count();
    assert_eq!(won, 1, "a loser in the same group contributes no writes");
    let row = store.get(&path("slot")).unwrap().unwrap();
    assert_eq!(row.value.as_ref(), b"0");
}

async fn a_listing_has_one_prefix_in_key_order(store: Store) {
    for name in ["p/b", "p/a", "pp/x", "o/z"] {
        commit(&store, put(name, name)).await;
    }
    let listing = store.list("/v1/p/").unwrap();
    let keys: Vec<&str> = listing.rows.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["/v1/p/a", "/v1/p/b"]);
    assert_eq!(listing.at, store.position().seq);
}

async fn a_row_keeps_where_it_was_created_until_it_is_deleted(store: Store) {
    let created = commit(&store, put("a", "1")).await;
    let modified = commit(&store, put("a", "2")).await;
    let row = store.get(&path("a")).unwrap().unwrap();
    assert_eq!((row.created, row.modified), (created, modified));
    commit(&store, Txn::new().delete(path("a"))).await;
    assert_eq!(store.get(&path("a")).unwrap(), None);
    let again = commit(&store, put("a", "3")).await;
    let row = store.get(&path("a")).unwrap().unwrap();
    assert_eq!((row.created, row.modified), (again, again));
}

async fn trap_35_a_watch_sees_each_change_after_its_start_and_the_latest_value(store: Store) {
    commit(&store, put("w/before", "1")).await;
    let mut watch = store.watch("/v1/w/", store.position().seq).unwrap();
    commit(&store, put("w/a", "1")).await;
    commit(&store, put("x/other", "1")).await;
    let last = commit(&store, put("w/a", "2")).await;
    let gone = commit(&store, Txn::new().delete(path("w/before"))).await;
    let seen = watch.poll().unwrap();
    assert_eq!(seen.at, gone.seq);
    let seen: Vec<(u64, Key, Option<Bytes>)> = seen
        .events
        .into_iter()
        .map(|event| (event.seq, event.key, event.row.map(|row| row.value)))
        .collect();
    assert_eq!(
        seen,
        [
            (last.seq, path("w/a"), Some(Bytes::from_static(b"2"))),
            (gone.seq, path("w/before"), None),
        ]
    );
    assert!(watch.poll().unwrap().events.is_empty());
}

async fn trap_35_a_watch_that_lags_too_far_is_told_to_list_again(store: Store) {
    let from = store.position().seq;
    let mut watch = store.watch("/v1/", from).unwrap();
    let mut left = LOG_LENGTH + 10;
    while left > 0 {
        let mut txn = Txn::new();
        for n in 0..left.min(8192) {
            txn.writes.push(Write::Delete {
                key: path(&format!("k/{n}")),
            });
            txn.writes
                .push(Write::bytes(path(&format!("k/{n}")), Bytes::new()));
        }
        left -= left.min(8192);
        commit(&store, txn).await;
    }
    assert!(matches!(watch.poll(), Err(WatchError::TooOld { .. })));
    assert!(matches!(
        store.watch("/v1/", from),
        Err(WatchError::TooOld { .. })
    ));
    let at = store.list("/v1/").unwrap().at;
    assert!(store.watch("/v1/", at).is_ok());
    assert!(matches!(
        store.watch("/v1/", at + 1),
        Err(WatchError::Ahead { .. })
    ));
}

async fn a_watch_waits_until_its_prefix_changes(store: Store) {
    let mut watch = store.watch("/v1/w/", store.position().seq).unwrap();
    commit(&store, put("x/other", "1")).await;
    assert!(watch.next().now_or_never().is_none());
    let writing = async {
        commit(&store, put("w/a", "1")).await;
    };
    let (seen, ()) = futures::join!(watch.next(), writing);
    assert_eq!(seen.unwrap().events.len(), 1);
}

async fn a_watch_in_pieces_sees_the_same_in_the_same_order_and_no_half_of_a_commit(store: Store) {
    let from = store.position().seq;
    for n in 0..40_usize {
        let mut txn = put(&format!("w/again-{}", n % 7), "1");
        for more in 0..n % 5 {
            txn.writes.extend(put(&format!("w/{n}-{more}"), "1").writes);
        }
        commit(&store, txn).await;
        commit(&store, put("x/other", "1")).await;
    }
    let whole = store.watch("/v1/w/", from).unwrap().poll().unwrap();
    for most in [0, 1, 3, 4, 64, usize::MAX] {
        let mut watch = store.watch("/v1/w/", from).unwrap();
        let mut seen: Vec<super::Event> = Vec::new();
        while let left @ 1.. = watch.behind().unwrap() {
            let piece = watch.poll_some(most).unwrap();
            let next = piece.events.first().map(|event| event.seq);
            assert!(next.is_none_or(|next| seen.last().is_none_or(|last| last.seq < next)));
            let looked_at = left - watch.behind().unwrap();
            // A commit here has five changes at most.
            assert!(looked_at <= most.max(1).saturating_add(4), "{looked_at}");
            assert!(looked_at > 0);
            seen.extend(piece.events);
        }
        assert_eq!(watch.at(), whole.at);
        assert_eq!(seen, whole.events, "{most}");
    }
}

fn entry(reason: &str) -> AuditEntry {
    AuditEntry::new(Timestamp::UNIX_EPOCH, "anna", "test", "nothing", reason)
}

async fn audit_entries_are_chained_in_the_same_commit(store: Store) {
    let mut watch = store.watch(key::AUDIT, store.position().seq).unwrap();
    let both = put("a", "1").audit(entry("one")).audit(entry("two"));
    let position = commit(&store, both).await;
    commit(&store, put("a", "2").audit(entry("three"))).await;
    let export: AuditExport = store.audit_export().unwrap();
    assert_eq!(export.entries.len(), 3);
    assert!(export.entries[1].contains(&format!("\"seq\":{}", position.seq)));
    assert_eq!(verify(&export.to_text(), None).unwrap().count, 3);
    let seen = watch.poll().unwrap().events;
    assert_eq!(seen.len(), 3);
    assert!(seen.iter().all(|event| event.row.is_some()));
}

async fn a_lost_transaction_leaves_no_audit_entry(store: Store) {
    conflict(&store, put("a", "1").exists(path("b")).audit(entry("lost"))).await;
    assert_eq!(store.audit_head().count, 0);
    assert_eq!(store.audit_export().unwrap().entries.len(), 0);
}
