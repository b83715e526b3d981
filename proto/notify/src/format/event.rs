//! For programs: CloudEvents 1.0 in structured JSON, signed if a key is configured.

use aws_lc_rs::hmac;
use serde_json::json;

use super::Payload;
use crate::{Message, Secret, SecretError, SecretRef};

/// A CloudEvent of type `dev.flagship.<code>`; its id is the message's, so that a receiver knows a
/// repeated one.
pub(super) fn webhook(
    message: &Message,
    url: &SecretRef,
    signing_key: Option<&SecretRef>,
) -> Result<Payload, SecretError> {
    let body = json!({
        "specversion": "1.0",
        "id": message.id,
        "source": "/flagship/hub",
        "type": format!("dev.flagship.{}", message.code),
        "subject": message.key,
        "time": message.at.to_string(),
        "datacontenttype": "application/json",
        "data": message,
    })
    .to_string();
    let mut headers = vec![(
        "content-type",
        Secret::new("application/cloudevents+json; charset=utf-8"),
    )];
    if let Some(key) = signing_key {
        let value = signature(key.read()?.expose().as_bytes(), body.as_bytes());
        headers.push(("x-flagship-signature-256", Secret::new(&value)));
    }
    Ok(Payload::Post {
        url: url.read()?,
        headers,
        body: Secret::new(&body),
    })
}

/// `sha256=<hex>` of the HMAC (RFC 2104) over the body's bytes, as GitHub's webhooks have it.
pub fn signature(key: &[u8], body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    format!("sha256={}", hex::encode(hmac::sign(&key, body)))
}
