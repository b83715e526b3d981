//! Each format as it goes over the wire, in snapshots, and within what its receiver takes.

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::{Fact, Kind, Link, SecretRef, Severity, Subject};

/// A message with everything in it.
pub(crate) fn message() -> Message {
    let fact = |name: &str, value: &str| Fact {
        name: name.into(),
        value: value.into(),
    };
    Message {
        id: "h-shop/checkout-3/12".into(),
        key: "rollout/shop/checkout-3/eu-1".into(),
        code: "rollout.failed".into(),
        severity: Severity::Warning,
        resolves: false,
        never_muted: false,
        at: jiff::Timestamp::from_millisecond(1_790_000_000_000).unwrap(),
        title: "shop/checkout-3: eu-1 failed <request-success-rate>".into(),
        text: "request-success-rate 91.2 is below 99 (n = 1,204 & counting)".into(),
        subject: Subject {
            project: Some("shop".into()),
            plan: Some("checkout".into()),
            rollout: Some("checkout-3".into()),
            cluster: Some("eu-1".into()),
            version: Some("1.2.0".into()),
            trace: None,
            labels: [("team".to_owned(), "payments".to_owned())].into(),
        },
        facts: vec![fact("cluster", "eu-1"), fact("weight", "10% → 0%")],
        links: vec![Link {
            name: "runbook".into(),
            url: "https://wiki.example/checkout?a=1&b=2".into(),
        }],
    }
}

/// One channel a kind; its secret lies in a file of this folder.
fn channels(folder: &std::path::Path) -> Vec<Channel> {
    let path = folder.join("secret");
    std::fs::write(&path, "https://hooks.example/s3cr3t").unwrap();
    let secret = || SecretRef::File(path.clone());
    let url = secret;
    vec![
        Channel::Slack {
            url: url(),
            room: Some("#payments".into()),
        },
        Channel::Teams { url: url() },
        Channel::Discord { url: url() },
        Channel::Rocket {
            url: url(),
            room: None,
        },
        Channel::Gchat { url: url() },
        Channel::Pagerduty {
            key: secret(),
            address: None,
        },
        Channel::Opsgenie {
            key: secret(),
            address: None,
        },
        Channel::Webhook {
            url: url(),
            signing_key: Some(secret()),
        },
        Channel::Email {
            host: "mail.example".into(),
            port: None,
            tls: crate::Tls::Starttls,
            ca_file: None,
            username: None,
            password: None,
            from: "Flagship <flagship@example.com>".into(),
            to: vec!["payments@example.com".into()],
        },
    ]
}

fn shown(payload: &Payload) -> String {
    match payload {
        Payload::Post { url, headers, body } => {
            let body: Value = serde_json::from_str(body.expose()).unwrap();
            let headers: Vec<String> = headers
                .iter()
                .map(|(name, value)| format!("{name}: {}", value.expose()))
                .collect();
            let body = serde_json::to_string_pretty(&body).unwrap();
            format!("POST {}\n{}\n\n{body}", url.expose(), headers.join("\n"))
        }
        Payload::Mail(mail) => format!(
            "{} -> {}\n{}\n{} {}\n\n{}",
            mail.from,
            mail.to.join(", "),
            mail.subject,
            mail.id,
            mail.thread,
            mail.text
        ),
    }
}

#[test]
fn every_kind_writes_what_its_receiver_takes() {
    let folder = tempfile::tempdir().unwrap();
    let channels = channels(folder.path());
    let kinds: BTreeSet<Kind> = channels.iter().map(Channel::kind).collect();
    assert_eq!(kinds.len(), 9, "a channel of each kind: {kinds:?}");
    for channel in &channels {
        let name = channel.kind().to_string();
        let text = shown(&write(&message(), channel).unwrap());
        insta::assert_snapshot!(name, text);
    }
}

#[test]
fn what_resolves_closes_the_incident_of_its_story() {
    let folder = tempfile::tempdir().unwrap();
    let resolved = Message {
        resolves: true,
        ..message()
    };
    for channel in channels(folder.path()) {
        let text = shown(&write(&resolved, &channel).unwrap());
        match channel.kind() {
            Kind::Pagerduty => assert!(text.contains(r#""event_action": "resolve""#)),
            Kind::Opsgenie => assert!(text.starts_with(
                "POST https://api.opsgenie.com/v2/alerts/rollout:shop:checkout-3:eu-1/close?"
            )),
            Kind::Slack
            | Kind::Teams
            | Kind::Discord
            | Kind::Rocket
            | Kind::Gchat
            | Kind::Webhook
            | Kind::Email => {}
        }
    }
}

#[test]
fn a_long_reason_is_cut_to_what_each_receiver_takes() {
    let folder = tempfile::tempdir().unwrap();
    let long = Message {
        title: "ü".repeat(5000),
        text: "x".repeat(50_000),
        facts: (0..100)
            .map(|n| Fact {
                name: format!("fact {n}"),
                value: "v".repeat(3000),
            })
            .collect(),
        ..message()
    };
    for channel in channels(folder.path()) {
        let Payload::Post { body, .. } = write(&long, &channel).unwrap() else {
            continue;
        };
        let body: Value = serde_json::from_str(body.expose()).unwrap();
        let length = |pointer: &str| {
            body.pointer(pointer)
                .unwrap()
                .as_str()
                .unwrap()
                .chars()
                .count()
        };
        match channel.kind() {
            Kind::Discord => {
                assert!(length("/embeds/0/title") <= 256);
                assert!(body["embeds"][0]["fields"].as_array().unwrap().len() <= 25);
                assert!(length("/embeds/0/fields/0/value") <= 1024);
            }
            Kind::Opsgenie => {
                assert!(length("/message") <= 130 && length("/description") <= 15_000)
            }
            Kind::Pagerduty => assert!(length("/payload/summary") <= 1024),
            Kind::Slack => assert!(length("/attachments/0/blocks/0/text/text") <= 3000),
            Kind::Teams | Kind::Rocket | Kind::Gchat | Kind::Webhook | Kind::Email => {}
        }
    }
}

#[test]
fn a_signature_is_the_hmac_of_the_body() {
    // RFC 4231, test case 2.
    assert_eq!(
        signature(b"Jefe", b"what do ya want for nothing?"),
        "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    );
}

#[test]
fn no_secret_is_in_what_is_printed_of_a_payload() {
    let folder = tempfile::tempdir().unwrap();
    for channel in channels(folder.path()) {
        let payload = write(&message(), &channel).unwrap();
        let text = format!("{payload:?}");
        assert!(!text.contains("s3cr3t"), "{text}");
    }
}

#[test]
fn words_from_outside_neither_call_people_nor_link_nor_format_in_any_chat() {
    let folder = tempfile::tempdir().unwrap();
    let words = "<!channel> @everyone <users/all> [x](http://evil) <http://evil|x>";
    let sly = Message {
        title: words.to_owned(),
        text: words.to_owned(),
        facts: vec![Fact {
            name: words.to_owned(),
            value: words.to_owned(),
        }],
        ..message()
    };
    for channel in channels(folder.path()) {
        let never: &[&str] = match channel.kind() {
            Kind::Slack => &["<!channel>", "<http://evil|x>"],
            Kind::Teams => &["[x](http", " <http://evil"],
            Kind::Discord => &["[x](http", " <http://evil", " @everyone"],
            Kind::Rocket => &["[x](http", "<http://evil", "@everyone"],
            Kind::Gchat => &["<users/all>", "<http://evil"],
            Kind::Pagerduty | Kind::Opsgenie | Kind::Webhook | Kind::Email => continue,
        };
        let Payload::Post { body, .. } = write(&sly, &channel).unwrap() else {
            panic!("chats take requests");
        };
        let mut body: Value = serde_json::from_str(body.expose()).unwrap();
        // Words that are shown as they are, where they stand.
        for plain in [
            "/attachments/0/content/fallbackText",
            "/cardsV2/0/card/header/title",
        ] {
            body.pointer_mut(plain).map(Value::take);
        }
        let text = body.to_string();
        for never in never {
            assert!(!text.contains(never), "{}: {text}", channel.kind());
        }
    }
}
