//! Every decoder is total, and what goes out comes back the same.

mod words;

use jiff::Timestamp;
use proptest::prelude::*;
use prost::Message as _;

use crate::{
    convert::body_of,
    digest::{Digest, canonical},
    model::{
        Abort, AgentMessage, AuditComplaint, AuditMark, EnvoyInfo, Fence, Grant, HeldWorkload,
        Hello, HubIncarnation, HubMessage, Incarnation, Inventory, InventoryWorkload, LocalAct,
        LocalActor, LocalVerb, Phase, Position, Proof, Report, SignedGrant, Term, Weight, Witness,
        WorkloadStatus,
    },
    wire,
};

fn fence() -> Fence {
    Fence {
        term: Term {
            epoch: 1,
            counter: 2,
        },
        revision: Position { epoch: 1, seq: 30 },
    }
}

fn status() -> WorkloadStatus {
    WorkloadStatus {
        workload: "shop/Deployment/checkout".parse().unwrap(),
        fence: fence(),
        rollout: Some("checkout-1".parse().unwrap()),
        attempt: 1,
        intent: Some(crate::model::Intent::Run),
        phase: Phase::Progressing,
        step: 2,
        weight: Weight::saturating(20),
        observed: Some(Weight::saturating(20)),
        failed_checks: 1,
        version: Some("1.1.0".into()),
        digest: Some(crate::digest::Digest::of(b"1.1.0")),
        primary_version: Some("1.0.0".into()),
        primary_digest: None,
        can_return_to: vec![crate::digest::Digest::of(b"1.0.0")],
        reason: "MetricFailed".into(),
        message: "success rate 90% is below 99%".into(),
        since: Timestamp::UNIX_EPOCH,
        aborted_by: None,
        local: vec![
            LocalAct {
                id: "l-1".parse().unwrap(),
                verb: LocalVerb::Hold,
                by: LocalActor::Spot {
                    user: "ana".into(),
                    uid: 1000,
                },
                at: Timestamp::UNIX_EPOCH,
                reason: "looks odd".into(),
            },
            LocalAct {
                id: "l-2".parse().unwrap(),
                verb: LocalVerb::Release,
                by: LocalActor::Hub {
                    actor: "bob".into(),
                },
                at: Timestamp::UNIX_EPOCH,
                reason: String::new(),
            },
        ],
    }
}

fn mark(count: u64) -> AuditMark {
    AuditMark {
        epoch: 1,
        count,
        head: Digest::of(b"entry"),
    }
}

#[test]
fn what_is_shown_of_the_audit_log_crosses_the_wire_or_is_left_out() {
    for audit in [None, Some(mark(3))] {
        let grant = Grant {
            nonce: 1,
            length: std::time::Duration::from_secs(30),
            watermark: fence().revision,
            aborts: Vec::new(),
            refused: String::new(),
            audit,
        };
        let aborts = Vec::new();
        let message = HubMessage::Grant(SignedGrant { grant, aborts });
        let bytes = wire::HubMessage::from(message.clone()).encode_to_vec();
        let back = wire::HubMessage::decode(bytes.as_slice()).unwrap();
        assert_eq!(HubMessage::try_from(back).unwrap(), message);
    }
    let torn = wire::AuditMark {
        head: vec![1, 2],
        ..wire::AuditMark::from(mark(3))
    };
    let error = AuditMark::try_from(torn).unwrap_err().to_string();
    assert_eq!(error, "audit.head: is not 32 bytes long");
}

#[test]
fn a_hello_crosses_the_wire_unchanged() {
    let proof = Proof {
        body: b"{}".to_vec(),
        signature: vec![1],
        key_id: "k".into(),
    };
    let hello = Hello {
        fleet: Some("fleet-1".parse().unwrap()),
        incarnation: Incarnation(7),
        term: Term {
            epoch: 1,
            counter: 2,
        },
        hub: HubIncarnation("ab".into()),
        held: vec![HeldWorkload {
            workload: "shop/Deployment/checkout".parse().unwrap(),
            fence: fence(),
            proof: Some(proof.clone()),
        }],
        aborts: vec![("a-1".parse().unwrap(), Some(proof))],
        inventory: Inventory {
            agent: "0.1.0".into(),
            platform: "envoy".into(),
            features: vec!["change.version".into()],
            workloads: vec![InventoryWorkload {
                workload: "shop/Deployment/checkout".parse().unwrap(),
                version: Some("1.0.0".into()),
                digest: None,
                initial: Some("1.0.0".into()),
            }],
            proxies: vec![EnvoyInfo {
                node: "n".into(),
                version: "1".into(),
                connected: true,
            }],
            components: [("kernel".to_owned(), "6".to_owned())].into(),
        },
        witness: Some(Witness {
            seen: Some(mark(9)),
            complaint: Some(AuditComplaint {
                seen: mark(9),
                shown: mark(7),
                at: Timestamp::UNIX_EPOCH,
            }),
        }),
    };
    let message = AgentMessage::Hello(Box::new(hello));
    let bytes = wire::AgentMessage::from(message.clone()).encode_to_vec();
    let back = wire::AgentMessage::decode(bytes.as_slice()).unwrap();
    assert_eq!(AgentMessage::try_from(back).unwrap(), message);
}

#[test]
fn a_report_crosses_the_wire_unchanged() {
    let report = Report {
        incarnation: Incarnation(1),
        seq: 9,
        at: Timestamp::UNIX_EPOCH,
        workloads: vec![status()],
        evidence: Vec::new(),
    };
    let message = AgentMessage::Report(report);
    let bytes = wire::AgentMessage::from(message.clone()).encode_to_vec();
    let back = wire::AgentMessage::decode(bytes.as_slice()).unwrap();
    assert_eq!(AgentMessage::try_from(back).unwrap(), message);
}

#[test]
fn p08_an_abort_says_how_far_its_author_reached_and_reads_where_that_is_unknown() {
    let reach = r#","reach":[{"matchLabels":{"region":"eu"}}]"#;
    let abort = |more: &str| {
        format!(
            r#"{{"actor":"olga","at":"2026-01-01T00:00:00Z","id":"a-1","mode":"Return","position":null{more},"reason":"errors","scope":{{"kind":"fleet"}}}}"#
        )
    };
    for (body, is_said) in [(abort(""), false), (abort(reach), true)] {
        let value: Abort = body_of("abort", body.as_bytes()).unwrap();
        assert_eq!(value.reach.is_some(), is_said);
        // Without it the signed bytes are as they always were.
        assert_eq!(canonical(&value).unwrap(), body.as_bytes());
    }
    // Who is older reads past what it does not know, and keeps the bytes as they were signed.
    let later = abort(r#","later":[1]"#);
    let signed = Proof {
        body: later.clone().into_bytes(),
        signature: vec![1],
        key_id: "k".into(),
    };
    let message = wire::hub_message::Message::Abort(signed.into());
    let message = Some(message);
    let HubMessage::Abort(read) = HubMessage::try_from(wire::HubMessage { message }).unwrap()
    else {
        panic!("it is an abort");
    };
    assert_eq!(read.body, later.as_bytes());
    let bent = abort(r#","reach":[{"matchLabels":["eu"]}]"#);
    assert!(body_of::<Abort>("abort", bent.as_bytes()).is_err());
}

#[test]
fn an_impossible_weight_is_refused_by_name() {
    let mut wire = wire::WorkloadStatus::from(status());
    wire.weight = 101;
    let error = WorkloadStatus::try_from(wire).unwrap_err();
    assert_eq!(
        error.to_string(),
        "status.weight: weight 101 is not valid: use 0 to 100"
    );
}

proptest! {
    #[test]
    fn no_bytes_make_a_decoder_panic(bytes in proptest::collection::vec(any::<u8>(), 0..512)) {
        if let Ok(message) = wire::AgentMessage::decode(bytes.as_slice()) {
            let _ = AgentMessage::try_from(message);
        }
        if let Ok(message) = wire::HubMessage::decode(bytes.as_slice()) {
            let _ = HubMessage::try_from(message);
        }
    }

    #[test]
    fn no_message_makes_a_conversion_panic(
        workload in ".{0,40}", intent in any::<i32>(), phase in any::<i32>(),
        weight in any::<u32>(), since in any::<i64>(), body in ".{0,60}",
    ) {
        let mut status = wire::WorkloadStatus::from(status());
        status.workload = workload;
        status.intent = intent;
        status.phase = phase;
        status.weight = weight;
        status.since_ms = since;
        let _ = WorkloadStatus::try_from(status);
        let signed = wire::Signed { body: body.into_bytes(), ..Default::default() };
        for message in [
            wire::hub_message::Message::Order(signed.clone()),
            wire::hub_message::Message::Abort(signed.clone()),
            wire::hub_message::Message::Lift(signed),
        ] {
            let _ = HubMessage::try_from(wire::HubMessage { message: Some(message) });
        }
    }
}
