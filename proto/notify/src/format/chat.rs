//! Rooms: Slack, Microsoft Teams, Discord, Rocket.Chat, Google Chat. Each takes one JSON body on an
//! address of its own; what differs is the form, and how much it takes.

use serde_json::{Value, json};

use super::{Payload, post};
use crate::{
    Message, SecretError, SecretRef, Severity,
    message::{Fact, cut},
};

/// (web colour, Teams' word) by severity; a resolved story is green.
fn colour(message: &Message) -> (&'static str, &'static str) {
    if message.resolves {
        return ("#2eb886", "Good");
    }
    match message.severity {
        Severity::Info => ("#439fe0", "Accent"),
        Severity::Warning => ("#daa038", "Warning"),
        Severity::Critical => ("#d00000", "Attention"),
    }
}

fn facts<T>(message: &Message, most: usize, one: impl Fn(&Fact) -> T) -> Vec<T> {
    message.facts.iter().take(most).map(one).collect()
}

/// Slack: an attachment with blocks; `text` is what a notification shows. `&`, `<` and `>` are
/// Slack's own signs and are written as it asks.
pub(super) fn slack(
    message: &Message,
    url: &SecretRef,
    room: Option<&str>,
) -> Result<Payload, SecretError> {
    let safe = |text: &str| {
        text.replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
    };
    let section =
        |text: String| json!({"type": "section", "text": {"type": "mrkdwn", "text": text}});
    let mut blocks = vec![section(format!("*{}*", cut(&safe(&message.title), 2900)))];
    if !message.text.is_empty() {
        blocks.push(section(cut(&safe(&message.text), 2900)));
    }
    let fields = facts(message, 10, |fact| {
        let text = format!("*{}*\n{}", safe(&fact.name), cut(&safe(&fact.value), 1500));
        json!({"type": "mrkdwn", "text": text})
    });
    if !fields.is_empty() {
        blocks.push(json!({"type": "section", "fields": fields}));
    }
    let links: Vec<String> = message
        .links
        .iter()
        .map(|link| format!("<{}|{}>", safe(&link.url), safe(&link.name)))
        .collect();
    if !links.is_empty() {
        let text = cut(&links.join(" · "), 2900);
        blocks.push(json!({"type": "context", "elements": [{"type": "mrkdwn", "text": text}]}));
    }
    let mut body = json!({
        "text": cut(&safe(&message.headline()), 3000),
        "attachments": [{"color": colour(message).0, "blocks": blocks}],
    });
    if let Some(room) = room {
        body["channel"] = json!(room);
    }
    post(url, &body)
}

/// Teams: an adaptive card, as its workflows take it.
pub(super) fn teams(message: &Message, url: &SecretRef) -> Result<Payload, SecretError> {
    let mut body = vec![json!({
        "type": "TextBlock", "text": message.title, "wrap": true, "weight": "Bolder",
        "size": "Medium", "color": colour(message).1,
    })];
    if !message.text.is_empty() {
        body.push(json!({"type": "TextBlock", "text": cut(&message.text, 8000), "wrap": true}));
    }
    let facts = facts(
        message,
        30,
        |fact| json!({"title": fact.name, "value": fact.value}),
    );
    if !facts.is_empty() {
        body.push(json!({"type": "FactSet", "facts": facts}));
    }
    let actions: Vec<Value> = message
        .links
        .iter()
        .take(6)
        .map(|link| json!({"type": "Action.OpenUrl", "title": link.name, "url": link.url}))
        .collect();
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard", "version": "1.4", "body": body, "actions": actions,
        "fallbackText": message.headline(),
    });
    let body = json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive", "content": card,
        }],
    });
    post(url, &body)
}

/// Discord: one embed, within its limits (title 256, description 4096, 25 fields of 1024); nobody is
/// pinged by what a reason says.
pub(super) fn discord(message: &Message, url: &SecretRef) -> Result<Payload, SecretError> {
    let number = u32::from_str_radix(&colour(message).0[1..], 16).unwrap_or_default();
    let links: Vec<String> = message
        .links
        .iter()
        .map(|link| format!("[{}]({})", link.name, link.url))
        .collect();
    let text = [message.text.clone(), links.join(" · ")].join("\n");
    let fields = facts(
        message,
        25,
        |fact| json!({"name": cut(&fact.name, 256), "value": cut(&fact.value, 1024), "inline": true}),
    );
    let body = json!({
        "allowed_mentions": {"parse": []},
        "embeds": [{
            "title": cut(&message.headline(), 256), "description": cut(text.trim(), 2000),
            "color": number, "timestamp": message.at.to_string(), "fields": fields,
        }],
    });
    post(url, &body)
}

/// Rocket.Chat: an attachment with fields.
pub(super) fn rocket(
    message: &Message,
    url: &SecretRef,
    room: Option<&str>,
) -> Result<Payload, SecretError> {
    let mut fields = facts(
        message,
        30,
        |fact| json!({"short": true, "title": fact.name, "value": fact.value}),
    );
    fields.extend(
        message
            .links
            .iter()
            .map(|link| json!({"short": false, "title": link.name, "value": link.url})),
    );
    let mut body = json!({
        "text": message.headline(),
        "attachments": [{
            "title": message.title, "text": message.text, "color": colour(message).0,
            "ts": message.at.to_string(), "fields": fields,
        }],
    });
    if let Some(room) = room {
        body["channel"] = json!(room);
    }
    post(url, &body)
}

/// Google Chat: a card; `text` is what a notification shows.
pub(super) fn gchat(message: &Message, url: &SecretRef) -> Result<Payload, SecretError> {
    let mut widgets = Vec::new();
    if !message.text.is_empty() {
        let text = cut(&message.text, 4000)
            .replace('&', "&amp;")
            .replace('<', "&lt;");
        widgets.push(json!({"textParagraph": {"text": text}}));
    }
    widgets.extend(facts(message, 30, |fact| {
        json!({"decoratedText": {"topLabel": fact.name, "text": fact.value, "wrapText": true}})
    }));
    let buttons: Vec<Value> = message
        .links
        .iter()
        .map(|link| json!({"text": link.name, "onClick": {"openLink": {"url": link.url}}}))
        .collect();
    if !buttons.is_empty() {
        widgets.push(json!({"buttonList": {"buttons": buttons}}));
    }
    if widgets.is_empty() {
        widgets.push(json!({"textParagraph": {"text": message.at.to_string()}}));
    }
    let card = json!({
        "header": {"title": message.title, "subtitle": format!("Flagship · {}", message.severity)},
        "sections": [{"widgets": widgets}],
    });
    let body = json!({
        "text": message.headline(),
        "cardsV2": [{"cardId": message.id, "card": card}],
    });
    post(url, &body)
}
