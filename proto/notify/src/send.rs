//! Sending: HTTP and SMTP. Errors never carry an address, as many of them are secrets.

mod mail;

use std::time::Duration;

use reqwest::{StatusCode, header::RETRY_AFTER, redirect};

use crate::{
    Channel, Message, Outcome, Secret,
    format::{self, Payload},
};

/// How long one delivery may take.
pub const DEADLINE: Duration = Duration::from_secs(10);
/// So much of an answer that refuses is read, in bytes.
const WORDS: usize = 512;

/// Sends messages; cheap to clone.
#[derive(Debug, Clone)]
pub struct Sender {
    http: reqwest::Client,
}

impl Sender {
    /// One that follows no redirects: an answer elsewhere is not a delivery.
    pub fn new() -> Result<Self, reqwest::Error> {
        let http = reqwest::Client::builder()
            .timeout(DEADLINE)
            .redirect(redirect::Policy::none())
            .user_agent(concat!("flagship/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { http })
    }

    /// Sends one message to one channel.
    pub async fn send(&self, channel: &Channel, message: &Message) -> Outcome {
        let payload = match format::write(message, channel) {
            Ok(payload) => payload,
            Err(error) => return failed(error.to_string()),
        };
        match payload {
            Payload::Post { url, headers, body } => self.post(&url, &headers, &body).await,
            Payload::Mail(mail) => {
                let sending = mail::send(channel, &mail);
                match tokio::time::timeout(DEADLINE * 2, sending).await {
                    Ok(Ok(())) => Outcome::Delivered,
                    Ok(Err(error)) => failed(error.to_string()),
                    Err(_) => failed("the mail server did not answer in time".into()),
                }
            }
        }
    }

    async fn post(
        &self,
        url: &Secret,
        headers: &[(&'static str, Secret)],
        body: &Secret,
    ) -> Outcome {
        let mut request = self.http.post(url.expose()).body(body.expose().to_owned());
        for (name, value) in headers {
            request = request.header(*name, value.expose());
        }
        let mut answer = match request.send().await {
            Ok(answer) => answer,
            Err(error) => return failed(in_words(error)),
        };
        let status = answer.status();
        if status.is_success() {
            return Outcome::Delivered;
        }
        let asked = answer.headers().get(RETRY_AFTER);
        let wait = asked
            .and_then(|value| value.to_str().ok()?.parse().ok())
            .map(Duration::from_secs)
            .filter(|_| is_busy(status));
        let mut words = Vec::new();
        while words.len() < WORDS
            && let Ok(Some(chunk)) = answer.chunk().await
        {
            words.extend_from_slice(&chunk);
        }
        words.truncate(WORDS);
        let words = String::from_utf8_lossy(&words);
        let words: String = words.split_whitespace().collect::<Vec<_>>().join(" ");
        let sent = headers.iter().map(|(_, value)| value).chain([url, body]);
        let words = without(words, sent.map(Secret::expose));
        let why = format!("the channel answered {status}: {words}");
        Outcome::Failed {
            why: why.trim_end_matches([':', ' ']).to_owned(),
            wait,
        }
    }
}

/// Words of a channel without what was sent to it: an address, a header and a body hold keys, and some
/// channels answer with what they were sent. Nothing of it moves a terminal's cursor.
fn without<'a>(words: String, sent: impl Iterator<Item = &'a str>) -> String {
    const KEY: usize = 8;
    let is_part = |c: char| c.is_ascii_alphanumeric() || "-_.~%+".contains(c);
    let parts = sent.flat_map(|text| text.split(move |c| !is_part(c)));
    let mut parts: Vec<&str> = parts.filter(|part| part.len() >= KEY).collect();
    parts.sort_unstable_by_key(|part| std::cmp::Reverse(part.len()));
    let words = parts
        .into_iter()
        .fold(words, |words, part| words.replace(part, "…"));
    words.replace(char::is_control, "")
}

fn is_busy(status: StatusCode) -> bool {
    status == StatusCode::TOO_MANY_REQUESTS || status.is_server_error()
}

fn failed(why: String) -> Outcome {
    Outcome::Failed { why, wait: None }
}

/// An error and its causes, without the address.
fn in_words(error: reqwest::Error) -> String {
    use std::error::Error as _;
    let error = error.without_url();
    let mut words = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        words = format!("{words}: {inner}");
        cause = inner.source();
    }
    words
}

#[cfg(test)]
mod tests;
