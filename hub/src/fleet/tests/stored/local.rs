//! Local control over a store: audited once each, bounded, and ended by a person on the hub.

use super::*;
use crate::fleet::{offence::ACTS, tests::fixture::uid};

fn said(id: &str, verb: LocalVerb) -> LocalAct {
    LocalAct {
        id: id.parse().unwrap(),
        verb,
        by: LocalActor::Spot {
            user: "ana".into(),
            uid: 1000,
        },
        at: "2026-01-01T00:00:00Z".parse().unwrap(),
        reason: "errors here".into(),
    }
}

fn reports(hub: &mut Hub, id: SessionId, seq: u64, local: &[LocalAct]) {
    let mut status = fixture::status(Fence::default(), Phase::Succeeded, 0);
    status.local = local.to_vec();
    let report = Report {
        incarnation: Incarnation(3),
        seq,
        at: hub.now.wall,
        workloads: vec![status],
        evidence: Vec::new(),
    };
    hub.fleet.message(id, AgentMessage::Report(report), hub.now);
    hub.work();
}

fn audited(hub: &Hub) -> Vec<(String, String)> {
    let export = hub.store.audit_export().unwrap();
    let entries = export.entries.iter().map(|entry| {
        let record: crate::audit::AuditRecord = serde_json::from_str(entry).unwrap();
        (record.entry.actor, record.entry.action)
    });
    entries
        .filter(|(_, action)| action.starts_with("local."))
        .collect()
}

#[test]
fn what_people_on_the_spot_said_is_audited_once_each_also_what_the_hub_did_not_hear_then() {
    let mut hub = Hub::new();
    hub.write(Txn::new().put(&cluster("eu-1-uid", ClusterState::Active)));
    let id = join(&mut hub);
    let hold = said("l1", LocalVerb::Hold);
    let release = said("l2", LocalVerb::Release);
    let back = said("l3", LocalVerb::Retreat);
    reports(&mut hub, id, 1, std::slice::from_ref(&hold));
    reports(&mut hub, id, 2, std::slice::from_ref(&hold));
    reports(
        &mut hub,
        id,
        3,
        &[hold.clone(), release.clone(), back.clone()],
    );
    reports(&mut hub, id, 4, &[release, back]);
    let who = "ana (uid 1000) in eu-1".to_owned();
    let expected = ["local.hold", "local.release", "local.retreat"];
    let expected: Vec<_> = expected
        .map(|action| (who.clone(), action.to_owned()))
        .into();
    assert_eq!(audited(&hub), expected);
}

#[test]
fn a_person_on_the_hub_ends_local_control_and_the_agent_is_told_now_or_when_it_is_back() {
    let mut hub = Hub::new();
    hub.write(Txn::new().put(&cluster("eu-1-uid", ClusterState::Active)));
    let id = join(&mut hub);
    let hold = said("l1", LocalVerb::Hold);
    reports(&mut hub, id, 1, std::slice::from_ref(&hold));
    hub.told(id);
    let row = crate::records::LocalReleaseRow {
        cluster: "eu-1".parse().unwrap(),
        uid: fixture::uid("eu-1"),
        workload: fixture::workload(),
        act: "l1".parse().unwrap(),
        at: hub.now.wall,
        actor: "bob".into(),
        reason: "all clear".into(),
    };
    let ended = |told: Vec<HubMessage>| {
        let ended = told
            .into_iter()
            .filter(|m| matches!(m, HubMessage::LocalRelease(_)));
        ended.count()
    };
    hub.write(Txn::new().put(&row));
    assert_eq!(ended(hub.told(id)), 1);
    let again = join(&mut hub);
    assert_eq!(ended(hub.told(again)), 1, "it was not obeyed yet");

    let mut over = said("l1-end", LocalVerb::Release);
    over.by = LocalActor::Hub {
        actor: "bob".into(),
    };
    reports(&mut hub, again, 2, &[hold, over]);
    let last = join(&mut hub);
    assert_eq!(ended(hub.told(last)), 0, "it is over");
    assert_eq!(
        audited(&hub).len(),
        1,
        "bob's word is audited where it is given"
    );
}

#[test]
fn acts_on_the_spot_without_end_do_not_fill_the_audit_log() {
    let mut hub = Hub::new();
    hub.write(Txn::new().put(&cluster("eu-1-uid", ClusterState::Active)));
    let id = join(&mut hub);
    let most = usize::try_from(ACTS.burst).unwrap();
    for n in 0..=most / 16 {
        let acts: Vec<_> = (0..16)
            .map(|i| said(&format!("l{n}-{i}"), LocalVerb::Hold))
            .collect();
        reports(&mut hub, id, n as u64 + 1, &acts);
    }
    assert_eq!(audited(&hub).len(), most / 16 * 16);
    hub.now = hub.now.plus(Duration::from_secs(60));
    reports(&mut hub, id, 9_000, &[said("later", LocalVerb::Hold)]);
    assert_eq!(audited(&hub).len(), most / 16 * 16 + 1);
}

#[test]
fn p31_a_report_whose_acts_were_refused_is_not_acknowledged_and_told_nothing_until_it_comes_again()
{
    let mut hub = Hub::new();
    hub.write(Txn::new().put(&cluster("eu-1-uid", ClusterState::Active)));
    let id = join(&mut hub);
    let acts = |n: u64| -> Vec<_> {
        let names = (0..16).map(|i| format!("l{n}-{i}"));
        names.map(|id| said(&id, LocalVerb::Hold)).collect()
    };
    let most = u64::from(ACTS.burst) / 16;
    for n in 1..=most {
        reports(&mut hub, id, n, &acts(n));
    }
    let told = hub.fleet.presence(&uid("eu-1")).told;
    assert_eq!(told, Some(hub.now));
    hub.told(id);

    hub.now = hub.now.plus(Duration::from_millis(10));
    reports(&mut hub, id, most + 1, &acts(most + 1));
    assert_eq!(acks(&hub.told(id)), 0);
    let request = LeaseRequest {
        nonce: 1,
        unsaid: false,
    };
    let request = AgentMessage::LeaseRequest(request);
    hub.fleet.message(id, request, hub.now);
    assert_eq!(hub.fleet.presence(&uid("eu-1")).told, told);

    hub.now = hub.now.plus(Duration::from_secs(60));
    reports(&mut hub, id, most + 2, &acts(most + 1));
    assert_eq!(acks(&hub.told(id)), 1);
    assert_eq!(hub.fleet.presence(&uid("eu-1")).told, Some(hub.now));
}

fn acks(told: &[HubMessage]) -> usize {
    let acks = told
        .iter()
        .filter(|message| matches!(message, HubMessage::Ack(_)));
    acks.count()
}
