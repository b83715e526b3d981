//! `freeze` and `unfreeze`: what is stored, what is refused, and how a freeze ends.

use flagship_proto::model::{FreezeId, Scope, Selector};

use super::*;
use crate::{
    ops::freeze::room::{MOST_OF_AUTHOR, SAME},
    records::{FreezeRow, Guard},
};

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

fn freeze_as(hub: &Hub, actor: &str, scope: &Scope, hours: u64) -> Result<FreezeRow, OpError> {
    let end = match hours {
        0 => FreezeUntil::Unfrozen,
        hours => FreezeUntil::After(hours * 3_600_000),
    };
    let caller = Caller::new(actor).because("black friday");
    ready(
        hub.ops
            .freeze(&caller, order(scope.clone(), end), hub.now()),
    )
}

#[test]
fn who_freezes_the_same_no_longer_again_is_told_of_the_freeze_that_stands() {
    let hub = Hub::new();
    let shop = Scope::Project("shop".parse().unwrap());
    let first = freeze_as(&hub, "anna", &shop, 2).unwrap();
    for hours in [2, 1] {
        assert_eq!(freeze_as(&hub, "anna", &shop, hours).unwrap(), first);
        assert_eq!(hub.audited().last().unwrap(), "freeze.create");
    }
    let longer = freeze_as(&hub, "anna", &shop, 3).unwrap();
    assert_ne!(longer.id, first.id);
    assert_ne!(
        freeze_as(&hub, "ben", &shop, 1).unwrap().id,
        longer.id,
        "what another may end holds nothing for him"
    );
    unfreeze(&hub, &with_reason(), &longer.id).unwrap();
    let again = freeze_as(&hub, "anna", &shop, 3).unwrap();
    assert!(again.id != longer.id && again.stands());
}

#[test]
fn so_many_freezes_of_one_author_stand_and_a_wider_one_or_anothers_always_finds_room() {
    let hub = Hub::new();
    let narrow: Vec<Scope> = (0..MOST_OF_AUTHOR / SAME)
        .map(|n| {
            let mut names = vec![cluster("pilot-1"), cluster("eu-1"), cluster("us-1")];
            names.rotate_left(n % 3);
            names.truncate(3 - n / 3);
            Scope::Selector(Selector {
                names,
                ..Selector::default()
            })
        })
        .collect();
    let workload = Scope::Workload(workload());
    for scope in &narrow {
        for hours in 1..=SAME as u64 {
            freeze_as(&hub, "anna", scope, hours).unwrap();
        }
    }
    let more = freeze_as(&hub, "anna", &workload, 1);
    let error = refused(more, OpErrorKind::Refused, "freeze.tooMany");
    assert!(error.message.starts_with("32 freezes by anna"), "{error}");
    assert!(error.remedy.contains("--project or --fleet"), "{error:?}");
    freeze_as(&hub, "ben", &workload, 1).unwrap();
    for scope in [Scope::Project("shop".parse().unwrap()), Scope::Fleet] {
        freeze_as(&hub, "anna", &scope, 1).unwrap();
    }
    let standing = standing_freezes(&hub.ops.store).unwrap();
    let own = standing.iter().find(|row| row.scope == narrow[0]).unwrap();
    unfreeze(&hub, &with_reason(), &own.id).unwrap();
    freeze_as(&hub, "anna", &workload, 1).unwrap();
}

#[test]
fn who_freezes_one_scope_ever_longer_gives_the_last_a_later_end_and_is_never_refused() {
    let hub = Hub::new();
    let freeze = |hours| freeze_as(&hub, "anna", &Scope::Fleet, hours).unwrap();
    let made: Vec<FreezeRow> = (1..=SAME as u64).map(freeze).collect();
    let last = made.last().unwrap();
    let longer = freeze(100);
    let in_100_hours = hub.now().plus(Duration::from_secs(360_000)).wall;
    assert_eq!(longer.id, last.id);
    assert_eq!(longer.until, Some(in_100_hours));
    assert_eq!(freeze(0).until, None);
    assert_eq!(freeze(200).until, None, "it stands longer than that");
    assert_eq!(standing_freezes(&hub.ops.store).unwrap().len(), SAME);
    unfreeze(&hub, &with_reason(), &last.id).unwrap();
    assert_ne!(freeze(200).id, last.id);
}
