//! Those that wake people: PagerDuty and Opsgenie. One incident a story (the message's key): a later
//! message of the same key joins it, one that resolves closes it.

use std::collections::BTreeMap;

use serde_json::json;

use super::Payload;
use crate::{
    Message, Secret, SecretError, SecretRef, Severity,
    channel::{OPSGENIE, PAGERDUTY},
    message::cut,
};

fn details(message: &Message) -> BTreeMap<&str, &str> {
    message
        .facts
        .iter()
        .map(|fact| (fact.name.as_str(), fact.value.as_str()))
        .collect()
}

/// PagerDuty, Events API v2: summary up to 1024 characters, dedup_key up to 255.
pub(super) fn pagerduty(
    message: &Message,
    key: &SecretRef,
    address: Option<&str>,
) -> Result<Payload, SecretError> {
    let action = if message.resolves {
        "resolve"
    } else {
        "trigger"
    };
    let links: Vec<_> = message
        .links
        .iter()
        .map(|link| json!({"href": link.url, "text": link.name}))
        .collect();
    let body = json!({
        "routing_key": key.read()?.expose(),
        "event_action": action,
        "dedup_key": alias(message, 255),
        "client": "Flagship",
        "links": links,
        "payload": {
            "summary": cut(&message.title, 1024),
            "source": message.subject.cluster.as_deref().unwrap_or("flagship-hub"),
            "severity": message.severity.to_string(),
            "timestamp": message.at.to_string(),
            "component": message.subject.plan,
            "group": message.subject.project,
            "class": message.code,
            "custom_details": {"text": message.text, "facts": details(message)},
        },
    });
    Ok(Payload::Post {
        url: Secret::new(address.unwrap_or(PAGERDUTY)),
        headers: vec![("content-type", Secret::new("application/json"))],
        body: Secret::new(&body.to_string()),
    })
}

/// Opsgenie, Alert API: message up to 130 characters, alias up to 512, description up to 15,000.
pub(super) fn opsgenie(
    message: &Message,
    key: &SecretRef,
    address: Option<&str>,
) -> Result<Payload, SecretError> {
    let base = address.unwrap_or(OPSGENIE).trim_end_matches('/');
    let (url, body) = if message.resolves {
        let url = format!("{base}/{}/close?identifierType=alias", alias(message, 512));
        let note = cut(&message.title, 25_000);
        (url, json!({"source": "flagship-hub", "note": note}))
    } else {
        let priority = match message.severity {
            Severity::Critical => "P1",
            Severity::Warning => "P3",
            Severity::Info => "P5",
        };
        let mut details = details(message);
        details.extend(
            message
                .links
                .iter()
                .map(|link| (link.name.as_str(), link.url.as_str())),
        );
        let body = json!({
            "message": cut(&message.title, 130),
            "alias": alias(message, 512),
            "description": cut(&message.text, 15_000),
            "priority": priority,
            "source": "flagship-hub",
            "entity": message.subject.cluster,
            "tags": ["flagship", message.code],
            "details": details,
        });
        (base.to_owned(), body)
    };
    let authorization = format!("GenieKey {}", key.read()?.expose());
    Ok(Payload::Post {
        url: Secret::new(&url),
        headers: vec![
            ("content-type", Secret::new("application/json")),
            ("authorization", Secret::new(&authorization)),
        ],
        body: Secret::new(&body.to_string()),
    })
}

/// The key of the story as these services take it: no slash, so that it can stand in a path.
fn alias(message: &Message, most: usize) -> String {
    cut(&message.key.replace('/', ":"), most).replace('…', "_")
}
