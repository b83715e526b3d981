//! `freeze` and `unfreeze`: what is stored, what is refused, and how a freeze ends.

use flagship_proto::model::{FreezeId, Scope, Selector};

use super::*;
use crate::records::{FreezeRow, Guard};

fn order(scope: Scope, end: FreezeUntil) -> FreezeOrder {
    FreezeOrder { scope, end }
}

fn freeze(hub: &Hub, order: FreezeOrder) -> Result<FreezeRow, OpError> {
    ready(hub.ops.freeze(&with_reason(), order, hub.now()))
}

fn unfreeze(hub: &Hub, caller: &Caller, id: &FreezeId) -> Result<FreezeRow, OpError> {
    ready(hub.ops.unfreeze(caller, id.clone(), hub.now()))
}

#[test]
fn p15_a_freeze_its_audit_entry_and_the_guard_are_one_transaction() {
    let hub = Hub::new();
    let before = hub.ops.store.position().seq;
    let end = FreezeUntil::After(7_200_000);
    let row = freeze(&hub, order(Scope::Fleet, end)).unwrap();
    assert_eq!(hub.ops.store.position().seq, before + 1);
    let stored: Stored<FreezeRow> = hub.ops.store.read(&key::freeze(&row.id)).unwrap().unwrap();
    assert_eq!(*stored, row);
    assert_eq!(
        row.until,
        Some(hub.now().plus(Duration::from_secs(7_200)).wall)
    );
    let guard: Stored<Guard> = hub.ops.store.read(&key::guard()).unwrap().unwrap();
    assert_eq!(guard.modified, stored.created, "no start passes it unseen");
    assert_eq!(hub.audited().last().unwrap(), "freeze.create");
}

#[test]
fn a_freeze_is_ended_once_and_with_a_reason() {
    let hub = Hub::new();
    let row = freeze(&hub, order(Scope::Fleet, FreezeUntil::Unfrozen)).unwrap();
    refused(
        unfreeze(&hub, &caller(), &row.id),
        OpErrorKind::BadInput,
        "reason.missing",
    );
    let nobody: FreezeId = "f-none".parse().unwrap();
    let unknown = unfreeze(&hub, &with_reason(), &nobody);
    let error = refused(unknown, OpErrorKind::NotFound, "freeze.notFound");
    assert!(error.remedy.contains(row.id.as_str()), "{}", error.remedy);
    let ended = unfreeze(&hub, &with_reason(), &row.id).unwrap();
    assert!(!ended.stands());
    assert!(standing_freezes(&hub.ops.store).unwrap().is_empty());
    let again = unfreeze(&hub, &with_reason(), &row.id);
    let error = refused(again, OpErrorKind::Conflict, "freeze.ended");
    assert!(error.message.contains("anna"), "{error}");
    assert_eq!(hub.audited().last().unwrap(), "freeze.end");
}

#[test]
fn a_freeze_that_names_nobody_or_no_time_to_come_is_refused() {
    let hub = Hub::new();
    let nowhere = Selector {
        match_labels: [("region".to_owned(), "mars".to_owned())].into(),
        ..Selector::default()
    };
    for (scope, end, code) in [
        (
            Scope::Project("shpo".parse().unwrap()),
            FreezeUntil::Unfrozen,
            "scope.nothing",
        ),
        (
            Scope::Selector(nowhere),
            FreezeUntil::Unfrozen,
            "scope.nothing",
        ),
        (Scope::Fleet, FreezeUntil::At(hub.now().wall), "freeze.past"),
        (Scope::Fleet, FreezeUntil::After(0), "freeze.past"),
        (Scope::Fleet, FreezeUntil::After(u64::MAX), "freeze.tooLong"),
    ] {
        let error = freeze(&hub, order(scope, end)).unwrap_err();
        assert_eq!(error.code, code, "{error}");
        assert!(!error.remedy.is_empty(), "{error}");
        if code == "scope.nothing" {
            assert!(error.message.ends_with("nothing was frozen"), "{error}");
        }
    }
    assert!(hub.ops.store.list(key::FREEZES).unwrap().rows.is_empty());
}

#[test]
fn on_a_nearly_full_disk_a_freeze_goes_through_and_its_end_does_not() {
    let hub = Hub::new();
    hub.memory.set_disk_low(true);
    let row = freeze(&hub, order(Scope::Fleet, FreezeUntil::Unfrozen)).unwrap();
    let end = unfreeze(&hub, &with_reason(), &row.id);
    refused(end, OpErrorKind::Unavailable, "store.diskLow");
}

#[test]
fn a_start_is_stored_under_a_freeze_and_waits() {
    let hub = Hub::new();
    freeze(&hub, order(Scope::Fleet, FreezeUntil::Unfrozen)).unwrap();
    hub.start("1.1.0").unwrap();
}
