//! How a message looks on each kind of channel: one table, one function a row. Nothing here knows an
//! address or a key except where the format itself carries it (PagerDuty's routing key).

mod chat;
mod event;
mod mail;
mod pager;

#[cfg(test)]
pub(crate) mod tests;

use serde_json::Value;

use crate::{Channel, Message, Secret, SecretError, channel::Kind};

pub use event::signature;
pub use mail::Mail;

/// One row: a kind's name, and how a message is written for it.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    /// Which kind.
    pub kind: Kind,
    /// As it is written in settings.
    pub name: &'static str,
    write: fn(&Message, &Channel) -> Result<Payload, SecretError>,
}

/// What goes over the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// A request; any answer of 200 to 299 is a delivery.
    Post {
        /// Where to; many of these addresses are secrets themselves.
        url: Secret,
        /// Headers, some of them secret.
        headers: Vec<(&'static str, Secret)>,
        /// The body, as it is sent; PagerDuty's holds its key.
        body: Secret,
    },
    /// A mail; the channel says by which server.
    Mail(Mail),
}

/// Every kind, in the order of the documentation.
pub const FORMATS: [Format; 9] = [
    row(Kind::Slack, "slack", chat::slack),
    row(Kind::Teams, "teams", chat::teams),
    row(Kind::Discord, "discord", chat::discord),
    row(Kind::Rocket, "rocket", chat::rocket),
    row(Kind::Gchat, "gchat", chat::gchat),
    row(Kind::Pagerduty, "pagerduty", pager::pagerduty),
    row(Kind::Opsgenie, "opsgenie", pager::opsgenie),
    row(Kind::Webhook, "webhook", event::webhook),
    row(Kind::Email, "email", mail::email),
];

const fn row(
    kind: Kind,
    name: &'static str,
    write: fn(&Message, &Channel) -> Result<Payload, SecretError>,
) -> Format {
    Format { kind, name, write }
}

/// The row of a kind.
pub fn of(kind: Kind) -> Format {
    FORMATS
        .into_iter()
        .find(|format| format.kind == kind)
        .expect("every kind has a row; a test walks them")
}

/// Writes a message for a channel; reads the channel's secrets.
pub fn write(message: &Message, channel: &Channel) -> Result<Payload, SecretError> {
    (of(channel.kind()).write)(message, channel)
}

/// A JSON request to an address that is a secret.
fn post(url: &crate::SecretRef, body: &Value) -> Result<Payload, SecretError> {
    Ok(Payload::Post {
        url: url.read()?,
        headers: vec![("content-type", Secret::new("application/json"))],
        body: Secret::new(&body.to_string()),
    })
}

/// For a row that was handed another kind's channel: the table pairs them, so it does not happen.
fn mismatched(channel: &Channel) -> SecretError {
    SecretError::Env(format!("(a {} channel was mispaired)", channel.kind()))
}
