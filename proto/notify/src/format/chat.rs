//! Rooms: Slack, Microsoft Teams, Discord, Rocket.Chat, Google Chat. Each takes one JSON body on an
//! address of its own; what differs is the form, and how much it takes.

use serde_json::{Value, json};

use super::{Payload, post, safe};
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

/// Slack: an attachment with blocks; `text` is what a notification shows.
pub(super) fn slack(
    message: &Message,
    url: &SecretRef,
    room: Option<&str>,
) -> Result<Payload, SecretError> {
    let words = |text: String| json!({"type": "mrkdwn", "text": text, "verbatim": true});
    let section = |text: String| json!({"type": "section", "text": words(text)});
    let title = safe::slack(&message.title);
    let mut blocks = vec![section(format!("*{}*", cut(&title, 2900)))];
    if !message.text.is_empty() {
        blocks.push(section(cut(&safe::slack(&message.text), 2900)));
    }
    let fields = facts(message, 10, |fact| {
        let (name, value) = (safe::slack(&fact.name), safe::slack(&fact.value));
        words(format!("*{name}*\n{}", cut(&value, 1500)))
    });
    if !fields.is_empty() {
        blocks.push(json!({"type": "section", "fields": fields}));
    }
    let links: Vec<String> = message
        .links
        .iter()
        .map(|link| {
            let url = safe::slack(&safe::address(&link.url));
            format!("<{url}|{}>", safe::slack(&link.name))
        })
        .collect();
    if !links.is_empty() {
        let text = cut(&links.join(" · "), 2900);
        blocks.push(json!({"type": "context", "elements": [words(text)]}));
    }
    let mut body = json!({
        "text": cut(&safe::slack(&message.headline()), 3000),
        "mrkdwn": false, "link_names": false, "parse": "none",
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
        "type": "TextBlock", "text": safe::markdown(&message.title), "wrap": true, "weight": "Bolder",
        "size": "Medium", "color": colour(message).1,
    })];
    if !message.text.is_empty() {
        let text = safe::short_markdown(&message.text, 8000);
        body.push(json!({"type": "TextBlock", "text": text, "wrap": true}));
    }
    let facts = facts(
        message,
        30,
        |fact| json!({"title": safe::markdown(&fact.name), "value": safe::markdown(&fact.value)}),
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
        .map(|link| {
            let name = safe::markdown(&link.name);
            format!("[{name}]({})", safe::address(&link.url))
        })
        .collect();
    let text = safe::short_markdown(&message.text, 2000);
    let text = [text, links.join(" · ")].join("\n");
    let fields = facts(message, 25, |fact| {
        let name = safe::short_markdown(&fact.name, 256);
        let value = safe::short_markdown(&fact.value, 1024);
        json!({"name": name, "value": value, "inline": true})
    });
    let body = json!({
        "allowed_mentions": {"parse": []},
        "embeds": [{
            "title": safe::short_markdown(&message.headline(), 256),
            "description": cut(text.trim(), 4096),
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
        |fact| json!({"short": true, "title": safe::apart(&fact.name), "value": safe::apart(&fact.value)}),
    );
    fields.extend(
        message
            .links
            .iter()
            .map(|link| json!({"short": false, "title": safe::apart(&link.name), "value": safe::address(&link.url)})),
    );
    let mut body = json!({
        "text": safe::apart(&message.headline()), "parseUrls": false,
        "attachments": [{
            "title": safe::apart(&message.title), "text": safe::apart(&message.text), "color": colour(message).0,
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
        let text = safe::html(&cut(&message.text, 4000));
        widgets.push(json!({"textParagraph": {"text": text}}));
    }
    widgets.extend(facts(message, 30, |fact| {
        let (name, value) = (safe::html(&fact.name), safe::html(&fact.value));
        json!({"decoratedText": {"topLabel": name, "text": value, "wrapText": true}})
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
        "text": safe::apart(&message.headline()),
        "cardsV2": [{"cardId": message.id, "card": card}],
    });
    post(url, &body)
}
