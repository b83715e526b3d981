//! How a message looks on each kind of channel: one function a kind. Nothing here knows an
//! address or a key except where the format itself carries it (PagerDuty's routing key).

mod chat;
mod event;
mod mail;
mod pager;
mod safe;

#[cfg(test)]
pub(crate) mod tests;

use serde_json::Value;

use crate::{Channel, Message, Secret, SecretError};

pub use event::signature;
pub use mail::Mail;

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

/// Writes a message for a channel; reads the channel's secrets.
pub fn write(message: &Message, channel: &Channel) -> Result<Payload, SecretError> {
    match channel {
        Channel::Slack { url, room } => chat::slack(message, url, room.as_deref()),
        Channel::Teams { url } => chat::teams(message, url),
        Channel::Discord { url } => chat::discord(message, url),
        Channel::Rocket { url, room } => chat::rocket(message, url, room.as_deref()),
        Channel::Gchat { url } => chat::gchat(message, url),
        Channel::Pagerduty { key, address } => pager::pagerduty(message, key, address.as_deref()),
        Channel::Opsgenie { key, address } => pager::opsgenie(message, key, address.as_deref()),
        Channel::Webhook { url, signing_key } => event::webhook(message, url, signing_key.as_ref()),
        Channel::Email { from, to, .. } => Ok(Payload::Mail(mail::email(message, from, to))),
    }
}

/// A JSON request to an address that is a secret.
fn post(url: &crate::SecretRef, body: &Value) -> Result<Payload, SecretError> {
    Ok(Payload::Post {
        url: url.read()?,
        headers: vec![("content-type", Secret::new("application/json"))],
        body: Secret::new(&body.to_string()),
    })
}
