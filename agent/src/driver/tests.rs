//! The driver's own promises: store first, ask once, say it when it changed.

use flagship_canary::Share;
use flagship_proto::model::{
    Document, Fence, Intent, OnDisconnect, Phase, Position, ReturnTo, Term, Weight,
};
use jiff::Timestamp;

use super::*;

fn at(millis: u64) -> Tick {
    let wall = Timestamp::from_millisecond(1_700_000_000_000 + i64::try_from(millis).unwrap());
    Tick {
        wall: wall.unwrap(),
        mono: Mono { run: 1, millis },
    }
}

fn revision(version: &str) -> Revision {
    Revision {
        version: version.to_owned(),
        digest: Some(Digest::of(version.as_bytes())),
    }
}

pub(super) fn order(canary: serde_json::Value) -> Order {
    Order {
        fleet: "fleet-1".parse().unwrap(),
        cluster: "eu-1".parse().unwrap(),
        uid: "uid-1".parse().unwrap(),
        workload: "shop/Deployment/checkout".parse().unwrap(),
        plan: "shop/checkout".parse().unwrap(),
        rollout: "checkout-1".parse().unwrap(),
        attempt: 1,
        fence: Fence {
            term: Term {
                epoch: 1,
                counter: 1,
            },
            revision: Position { epoch: 1, seq: 7 },
        },
        intent: Intent::Run,
        change: Change::Version("1.1.0".into()),
        return_to: ReturnTo::LastPromoted,
        now: false,
        canary: Document::of(&canary).unwrap(),
        plan_digest: Digest::of(b"plan"),
        not_after: Timestamp::from_second(1_800_000_000).unwrap(),
        lease: Duration::from_secs(30),
        on_disconnect: OnDisconnect::Hold,
        reason: "wave all".into(),
    }
}

fn serving(version: &str, order: Option<Order>) -> Seen {
    let seen = VersionSeen {
        scale: flagship_canary::Scale::Full,
        wanted: 1,
        ready: 1,
        crash_loop: None,
        not_startable: None,
        in_flight: Some(0),
    };
    let route = flagship_canary::Route {
        primary: version.to_owned(),
        canary: None,
        weight: Weight::ZERO,
    };
    Seen {
        incarnation: Incarnation(1),
        permission: Permission {
            intent: Intent::Run,
            may_advance: order.is_some(),
            why: String::new(),
        },
        change_digest: order.as_ref().map(|_| Digest::of(b"1.1.0")),
        order,
        aborted_by: None,
        versions: [(version.to_owned(), seen)].into(),
        route: RouteSeen {
            told: Some(route),
            shares: [(version.to_owned(), Share::all(Weight::FULL))].into(),
            primary: Some(version.to_owned()),
            known: true,
            settled: true,
            proxies: 1,
            trouble: None,
        },
        totals: None,
    }
}

fn driver() -> WorkloadDriver {
    let workload = "shop/Deployment/checkout".parse().unwrap();
    WorkloadDriver::new(
        workload,
        revision("1.0.0"),
        Settings::default(),
        None,
        at(0),
    )
}

/// Turns until the phase is reached, with what was seen staying the same.
fn turns(driver: &mut WorkloadDriver, seen: &Seen, from: u64, count: u64) -> Vec<Turn> {
    let mut taken = Vec::new();
    for number in 0..count {
        let now = at(from + number * 100);
        let turn = driver.turn(seen.clone(), now);
        if turn.persist {
            driver.persisted(driver.status().clone(), now);
        }
        taken.push(turn);
    }
    taken
}

#[test]
fn an_idle_workload_is_stored_and_reported_once() {
    let mut driver = driver();
    let taken = turns(&mut driver, &serving("1.0.0", None), 0, 20);
    assert!(taken[0].persist && taken[0].report.is_some());
    let later = &taken[10..];
    assert!(later.iter().all(|turn| !turn.persist
        && turn.report.is_none()
        && turn.effects.is_empty()
        && turn.at_once.is_empty()));
}

#[test]
fn what_a_turn_decided_is_stored_before_anything_is_done() {
    let mut driver = driver();
    turns(&mut driver, &serving("1.0.0", None), 0, 10);
    let canary = serde_json::json!({"spec": {"analysis": {"interval": "2s", "threshold": 2, "stepWeight": 50, "maxWeight": 50}}});
    let taken = turns(
        &mut driver,
        &serving("1.0.0", Some(order(canary))),
        1000,
        10,
    );
    let started = taken.iter().find(|turn| {
        turn.effects.iter().any(|effect| matches!(effect, Effect::Act(Action::EnsureVersion { revision, .. }) if revision.version == "1.1.0"))
    });
    assert!(started.expect("the new version is started").persist);
}

#[test]
fn a_canary_that_cannot_be_read_holds_and_is_not_released_unchecked() {
    let mut driver = driver();
    turns(&mut driver, &serving("1.0.0", None), 0, 10);
    let nonsense = serde_json::json!({"spec": {"analysis": {"interval": 7}}});
    let taken = turns(
        &mut driver,
        &serving("1.0.0", Some(order(nonsense))),
        1000,
        20,
    );
    let advanced = taken.iter().flat_map(|turn| &turn.effects).any(|effect| {
        matches!(
            effect,
            Effect::Act(Action::SetRoute {
                direction: Direction::Advance,
                ..
            })
        )
    });
    assert!(!advanced);
    assert_eq!(driver.status().weight, Weight::ZERO);
}

#[test]
fn trap_38_a_hook_is_asked_once_and_a_foreign_answer_is_dropped() {
    let mut driver = driver();
    turns(&mut driver, &serving("1.0.0", None), 0, 10);
    let canary = serde_json::json!({
        "analysis": {
            "interval": "2s", "threshold": 2, "stepWeight": 50, "maxWeight": 50,
            "webhooks": [{"name": "gate", "type": "confirm-rollout", "url": "http://127.0.0.1:1/"}],
        },
    });
    let seen = serving("1.0.0", Some(order(canary)));
    let document = CanaryDocument {
        spec: serde_json::from_str(&seen.order.as_ref().unwrap().canary.json).unwrap(),
        ..CanaryDocument::default()
    };
    let mut seen = seen;
    seen.order.as_mut().unwrap().canary = Document::of(&document).unwrap();
    let taken = turns(&mut driver, &seen, 1000, 12);
    let asked: Vec<&HookCall> = taken
        .iter()
        .flat_map(|turn| &turn.effects)
        .filter_map(|effect| match effect {
            Effect::Hook(call) => Some(&**call),
            Effect::Act(_) | Effect::Query(_) | Effect::Event { .. } => None,
        })
        .collect();
    assert_eq!(asked.len(), 1, "{asked:?}");
    driver.answered(
        "someone else's".into(),
        Answer::Hook {
            passed: true,
            words: String::new(),
        },
    );
    let still = turns(&mut driver, &seen, 3000, 3);
    assert!(
        still.iter().all(|turn| turn.effects.is_empty()),
        "the gate is still asked"
    );
}

#[test]
fn an_order_that_was_not_taken_up_yet_is_not_answered_with_an_older_phase() {
    let mut driver = driver();
    let canary = serde_json::json!({"spec": {"analysis": {"interval": "2s", "threshold": 2, "stepWeight": 50, "maxWeight": 50}}});
    let mut seen = serving("1.0.0", Some(order(canary)));
    turns(&mut driver, &seen, 0, 10);
    let report = driver.last_report().unwrap();
    assert_eq!((report.attempt, report.phase), (1, Phase::Progressing));
    // Attempt 1 is in flight; attempt 2 waits until it is seen to be back.
    let mut canary = seen.versions["1.0.0"].clone();
    canary.scale = flagship_canary::Scale::Canary;
    seen.versions.insert("1.1.0".into(), canary);
    turns(&mut driver, &seen, 1000, 2);
    seen.order.as_mut().unwrap().attempt = 2;
    seen.order.as_mut().unwrap().fence.revision.seq += 1;
    seen.route.known = false;
    turns(&mut driver, &seen, 2000, 2);
    let report = driver.last_report().unwrap();
    assert_eq!((report.attempt, report.phase), (1, Phase::Failed));
    seen.route.known = true;
    turns(&mut driver, &seen, 3000, 3);
    let report = driver.last_report().unwrap();
    assert_eq!((report.attempt, report.phase), (2, Phase::Progressing));
}
