//! Views to draw: a rollout under way, an abort that did not reach everybody, the fleet at a glance.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::api::types::{
    AbortCluster, AbortOutcome, AbortState, AbortTotals, AbortView, Banner, FreezeView,
    HistoryView, NotFixed, NotHeardView, RolloutCluster, RolloutView, RolloutWave, SoakView,
    StatusView, Why,
};

/// Seconds after the beginning of the tests' world.
pub(super) fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + seconds).unwrap()
}

pub(super) fn banner() -> Banner {
    Banner {
        kind: "abort".into(),
        id: "a-1".into(),
        text: "fleet by abort a-1 of dana: errors everywhere".into(),
        since: at(290),
        remedy: "flagship lift a-1 --reason …".into(),
        about: Default::default(),
    }
}

fn why(code: &str, message: &str, since: i64) -> Why {
    Why {
        code: code.into(),
        message: message.into(),
        since: Some(at(since)),
    }
}

fn cluster(name: &str, wave: &str, state: &str, weight: Option<u8>, why: Why) -> RolloutCluster {
    RolloutCluster {
        cluster: name.into(),
        wave: wave.into(),
        state: state.into(),
        phase: weight.map(|weight| {
            if weight == 100 {
                "Succeeded"
            } else {
                "Progressing"
            }
            .into()
        }),
        weight,
        observed: weight,
        failed_checks: 0,
        version: weight.map(|_| "1.1.0".into()),
        primary_version: Some(
            if weight == Some(100) {
                "1.1.0"
            } else {
                "1.0.0"
            }
            .into(),
        ),
        why,
        connected: name != "us-1",
        last_heard: Some(at(100)),
        unheard_since: None,
    }
}

fn wave(name: &str, state: &str, clusters: &[&str], soak: Option<u64>) -> RolloutWave {
    RolloutWave {
        name: name.into(),
        state: state.into(),
        clusters: clusters.iter().map(ToString::to_string).collect(),
        max_concurrent: "50%".into(),
        soak: soak.map(|elapsed_ms| SoakView {
            needed_ms: 60_000,
            elapsed_ms,
        }),
    }
}

/// A line of history.
pub(super) fn line(
    seq: u64,
    seconds: i64,
    cluster: Option<&str>,
    code: &str,
    message: &str,
) -> HistoryView {
    HistoryView {
        seq,
        at: at(seconds),
        cluster: cluster.map(Into::into),
        code: code.into(),
        message: message.into(),
        weight: None,
    }
}

pub(in crate::cli) fn rolling() -> RolloutView {
    RolloutView {
        project: "shop".into(),
        id: "checkout-3".into(),
        plan: "checkout".into(),
        plan_digest: "sha256:00".into(),
        workload: "shop/Deployment/checkout".into(),
        change: "1.1.0".into(),
        state: "Progressing".into(),
        ended: false,
        wave: Some("europe".into()),
        stage: Some("Running".into()),
        attempt: 1,
        why: why("WaitingForClusters", "wave europe waits for eu-1", 200),
        next_steps: Vec::new(),
        requests: Vec::new(),
        started_at: at(0),
        started_by: "dana".into(),
        reason: "release 1.1".into(),
        ticket: Some("OPS-7".into()),
        ended_at: None,
        advancing_ms: 120_000,
        waiting_ms: BTreeMap::from([("soaking".into(), 60_000)]),
        waves: vec![
            wave("pilot", "done", &["pilot-1"], Some(60_000)),
            wave("europe", "running", &["eu-1"], Some(0)),
            wave("rest", "waiting", &["us-1"], None),
        ],
        clusters: vec![
            cluster(
                "pilot-1",
                "pilot",
                "Done",
                Some(100),
                why("Succeeded", "all traffic is on 1.1.0", 60),
            ),
            cluster(
                "eu-1",
                "europe",
                "Running",
                Some(50),
                why(
                    "StepWaits",
                    "step 2 of 3: 99.98% of 1200 requests good",
                    280,
                ),
            ),
            cluster("us-1", "rest", "Waiting", None, why("Waiting", "", 0)),
        ],
        done: 1,
        total: 3,
        banners: Vec::new(),
        seq: 42,
    }
}

fn stopped(name: &str, state: AbortState, text: &str, after: Option<u64>) -> AbortCluster {
    AbortCluster {
        cluster: name.into(),
        uid: format!("u-{name}"),
        workload: Some("shop/Deployment/checkout".into()),
        state,
        text: text.into(),
        capacity: None,
        weight: None,
        reason: None,
        local_command: (state == AbortState::NotStopped)
            .then(|| "flagship-agent ctl retreat shop/Deployment/checkout".into()),
        receipt_at: None,
        after_ms: after,
        last_heard: None,
        unheard_since: None,
        nothing_advances_after: None,
    }
}

pub(super) fn held_up() -> AbortView {
    AbortView {
        id: "a-1".into(),
        scope: "fleet".into(),
        scope_of: flagship_proto::model::Scope::Fleet,
        joins: None,
        mode: "return".into(),
        at: at(0),
        actor: "dana".into(),
        reason: "errors everywhere".into(),
        standing: true,
        stood: false,
        durable: true,
        remedy: "flagship lift a-1 --reason …".into(),
        lifted: None,
        bound_ms: 35_300,
        bound_at: at(35),
        taken_back: Vec::new(),
        outcome: AbortOutcome::NotStopped,
        summary: "1 of 5 clusters could not stop: 1 NOT stopped, 1 not heard, 1 returning, 1 returned, 1 done before".into(),
        totals: AbortTotals { clusters: 5, returned: 1, returning: 1, done: 1, not_stopped: 1, not_heard: 1, ..AbortTotals::default() },
        clusters: vec![
            stopped("us-2", AbortState::NotStopped, "envoy edge-2 is not connected", Some(90)),
            stopped("us-1", AbortState::NotHeard, "at 50% when last heard (not heard; nothing advances there after 00:00:35Z)", None),
            stopped("ap-1", AbortState::Returning, "on the way back, capacity 40%; read back 60% from 2 proxies", Some(120)),
            stopped("eu-1", AbortState::Returned, "traffic is back; read back 0% from 1 proxy", Some(84)),
            stopped("pilot-1", AbortState::Done, "done before the abort; still serves 1.1.0", Some(12)),
        ],
        not_fixed: vec![NotFixed {
            cluster: "pilot-1".into(),
            workload: "shop/Deployment/checkout".into(),
            version: Some("1.1.0".into()),
            rollout: Some("shop/checkout-3".into()),
            done: true,
            soaked: true,
            share: Some(100),
            unheard: None,
            stuck: None,
            command: "flagship retreat shop/checkout-3 --reason …".into(),
        }],
        held_with: Vec::new(),
        stays: None,
        seq: 43,
    }
}

pub(super) fn frozen() -> FreezeView {
    FreezeView {
        id: "f-1".into(),
        scope: "project shop".into(),
        scope_of: flagship_proto::model::Scope::Fleet,
        joins: None,
        at: at(280),
        actor: "cleo".into(),
        reason: "database migration".into(),
        ticket: None,
        standing: true,
        until: Some(at(7_480)),
        ended: None,
        bound_at: at(315),
        rollouts: vec!["shop/checkout-3".into()],
        holds: vec![
            "eu-1 holds at 20%".into(),
            "us-1 at 50% when last heard (not heard; nothing advances there after 00:05:15Z)"
                .into(),
        ],
        serving: vec![NotFixed {
            cluster: "eu-1".into(),
            workload: "shop/Deployment/checkout".into(),
            version: Some("1.1.0".into()),
            rollout: Some("shop/checkout-3".into()),
            done: false,
            soaked: false,
            share: Some(20),
            unheard: None,
            stuck: None,
            command: "flagship retreat shop/checkout-3 --reason …".into(),
        }],
        outside: Vec::new(),
        summary: "1 rollout waits, 2 in flight hold; until 2026-01-01 02:04:40Z".into(),
        seq: 44,
    }
}

pub(super) fn freeze_banner() -> Banner {
    Banner {
        kind: "freeze".into(),
        id: "f-1".into(),
        text: "project shop by freeze f-1 of cleo until 2026-01-01 02:04:40Z: database migration"
            .into(),
        since: at(280),
        remedy: "flagship unfreeze f-1 --reason …".into(),
        about: Default::default(),
    }
}

pub(super) fn status() -> StatusView {
    StatusView {
        fleet: "f-1".into(),
        version: "0.1.0".into(),
        term: "1.2".into(),
        banners: vec![banner(), freeze_banner()],
        clusters: 3,
        connected: 2,
        not_heard: vec![NotHeardView {
            cluster: "us-1".into(),
            last_heard: Some(at(100)),
            unheard_since: Some(at(250)),
        }],
        pending: vec!["ap-9".into()],
        rollouts: vec![rolling()],
        seq: 42,
    }
}
