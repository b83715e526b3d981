//! Words of agents, which people read beside the hub's own: how long they are, and that none looks like another's.

use super::*;
use crate::model::{
    LONGEST_VERSION, Receipt, ReceiptState, WorkloadReceipt, text::first_deceptive,
};

/// Every text of an agent, each with a line that looks like one of the hub's.
fn forged() -> (wire::Hello, wire::WorkloadStatus, wire::SignedReceipt) {
    let forge = |text: &str| format!("{text}\r\nSTOPPED\tall\u{202e}\u{1b}[2J");
    let mut said = wire::WorkloadStatus::from(status());
    said.version = said.version.map(|text| forge(&text));
    said.primary_version = said.primary_version.map(|text| forge(&text));
    said.reason = forge(&said.reason);
    said.message = forge(&said.message);
    for act in &mut said.local {
        act.reason = forge(&act.reason);
        act.by = act.by.take().map(|by| match by {
            wire::local_act::By::Spot(user) => wire::local_act::By::Spot(wire::LocalUser {
                user: forge(&user.user),
                ..user
            }),
            wire::local_act::By::Hub(actor) => wire::local_act::By::Hub(forge(&actor)),
        });
    }
    let hello = wire::Hello {
        hub: forge("ab"),
        term: Some(fence().term.into()),
        inventory: Some(wire::Inventory {
            agent: forge("0.1.0"),
            platform: forge("envoy"),
            features: vec![forge("change.version")],
            workloads: vec![wire::InventoryWorkload {
                workload: "shop/Deployment/checkout".into(),
                version: Some(forge("1.0.0")),
                digest: None,
                initial: Some(forge("1.0.0")),
            }],
            proxies: vec![wire::Proxy {
                node: forge("n"),
                version: forge("1"),
                connected: true,
            }],
            components: [(forge("kernel"), forge("6"))].into(),
        }),
        ..wire::Hello::default()
    };
    let receipt = Receipt {
        abort: "a-1".parse().unwrap(),
        cluster: "eu-1".parse().unwrap(),
        uid: "uid".parse().unwrap(),
        incarnation: Incarnation(1),
        seq: 1,
        at: Timestamp::UNIX_EPOCH,
        durable: true,
        workloads: vec![WorkloadReceipt {
            workload: "shop/Deployment/checkout".parse().unwrap(),
            fence: fence(),
            state: ReceiptState::not_stopped(forge("no proxy")),
            read_back: None,
            proxies: 0,
            digest: None,
        }],
    };
    let receipt = wire::SignedReceipt {
        body: canonical(&receipt).unwrap(),
        serial: forge("01"),
        ..wire::SignedReceipt::default()
    };
    (hello, said, receipt)
}

#[test]
fn nothing_that_an_agent_says_begins_a_line_of_its_own() {
    use wire::agent_message::Message;
    let (hello, said, receipt) = forged();
    let report = wire::Report {
        workloads: vec![said],
        ..wire::Report::default()
    };
    let messages = [
        Message::Hello(hello),
        Message::Report(report),
        Message::Receipt(receipt.clone()),
    ];
    for message in messages {
        let message = Some(message);
        let read = AgentMessage::try_from(wire::AgentMessage { message }).unwrap();
        let texts = match read {
            AgentMessage::Hello(hello) => serde_json::to_value(hello),
            AgentMessage::Report(report) => serde_json::to_value(report),
            AgentMessage::Receipt(read) => {
                assert_eq!(read.body, receipt.body, "what is signed stays as it is");
                serde_json::to_value((read.receipt, read.serial))
            }
            AgentMessage::LeaseRequest(_) => panic!("it is none"),
        };
        let texts = texts.unwrap();
        assert_eq!(first_deceptive(&texts, false), None, "{texts}");
        assert!(texts.to_string().contains("STOPPED all"), "{texts}");
    }
    let error = body_of::<ReceiptState>("state", br#"{"state":"held\nSTOPPED"}"#);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("held STOPPED"), "{error}");
}

#[test]
fn a_version_that_is_longer_than_any_is_refused_by_name_and_an_image_reference_passes() {
    let image = format!(
        "{}/{}@sha256:{}",
        "r".repeat(255),
        "n".repeat(127),
        "a".repeat(64)
    );
    let long = "v".repeat(LONGEST_VERSION + 1);
    let report = |version: &str, primary: &str| {
        WorkloadStatus::try_from(wire::WorkloadStatus {
            version: Some(version.into()),
            primary_version: Some(primary.into()),
            ..status().into()
        })
    };
    let inventory = |version: &str, initial: &str| {
        Inventory::try_from(wire::Inventory {
            workloads: vec![wire::InventoryWorkload {
                workload: "shop/Deployment/checkout".into(),
                version: Some(version.into()),
                digest: None,
                initial: Some(initial.into()),
            }],
            ..wire::Inventory::default()
        })
    };
    let read = report(&image, &image).unwrap();
    assert_eq!(read.version, Some(image.clone()));
    inventory(&image, &image).unwrap();
    for (refused, field) in [
        (report(&long, "1").err(), "status.version"),
        (report("1", &long).err(), "status.primary_version"),
        (inventory(&long, "1").err(), "inventory.workloads.version"),
        (inventory("1", &long).err(), "inventory.workloads.initial"),
    ] {
        let error = refused.unwrap().to_string();
        let why = format!("{field}: has 513 bytes, a version has at most 512");
        assert_eq!(error, why);
    }
}

#[test]
fn other_words_of_an_agent_are_cut_so_that_a_long_one_shuts_nobody_out() {
    let long = "ä".repeat(100_000);
    let read = Inventory::try_from(wire::Inventory {
        agent: long.clone(),
        platform: long.clone(),
        features: vec![long.clone()],
        workloads: Vec::new(),
        proxies: vec![wire::Proxy {
            node: long.clone(),
            version: long.clone(),
            connected: true,
        }],
        components: [(long.clone(), long.clone())].into(),
    });
    let size = serde_json::to_string(&read.unwrap()).unwrap().len();
    assert!(size < 7 * 2 * 253 + 200, "{size}");
}
