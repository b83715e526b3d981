//! What came back: an answer of the hub, its refusal, or nothing; each told in one line that says which.

use std::time::Duration;

use flagship_proto::model::text::revealed;
use reqwest::{Method, StatusCode};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::Client;
use crate::{
    api::types::Problem,
    cli::exit::{CliError, Exit},
};

/// How long it may take to ask which version a hub has whose answer was not understood.
const SHORT: Duration = Duration::from_secs(3);

impl Client {
    pub(super) async fn refused(&self, status: StatusCode, body: &[u8]) -> CliError {
        let Ok(problem) = understood::<Problem>(body) else {
            let what = format!(
                "{} answered {status}, which is not a hub's answer",
                self.base
            );
            return CliError::new(Exit::Error, what)
                .remedy("check --hub: it names the hub's API address");
        };
        // A route or a field that one side does not know: likely two versions.
        if matches!(
            problem.code.as_str(),
            "route.notFound" | "route.method" | "query.invalid"
        ) && let Some(versions) = self.versions().await
        {
            return CliError::new(Exit::Error, format!("the hub refused: {}", problem.detail))
                .remedy(versions);
        }
        let is_token = problem.code == "auth.token";
        let error = CliError::from(problem);
        match &self.remedy {
            Some(remedy) if is_token => error.remedy(remedy.clone()),
            Some(_) | None => error,
        }
    }

    pub(super) async fn read<T: DeserializeOwned>(
        &self,
        answer: reqwest::Response,
    ) -> Result<T, CliError> {
        let bytes = answer
            .bytes()
            .await
            .map_err(|error| self.unreachable(&error))?;
        match understood(&bytes) {
            Ok(value) => Ok(value),
            Err(error) => {
                let what = format!("cannot read the answer of {}: {error}", self.base);
                let versions = self.versions().await;
                Err(CliError::new(Exit::Error, what).remedy(versions.unwrap_or_else(|| {
                    "it is of this version: look at its log, and whether another program answers at this address".to_owned()
                })))
            }
        }
    }

    /// Which versions meet here, and what to do; none where they are the same or the hub does not say.
    async fn versions(&self) -> Option<String> {
        let own = env!("CARGO_PKG_VERSION");
        let request = self.request(Method::GET, "/api/v1/whoami").timeout(SHORT);
        let answer = request.send().await.ok()?;
        let who: Value = answer.json().await.ok()?;
        let theirs = who.get("version")?.as_str()?;
        (theirs != own).then(|| {
            let theirs = revealed(theirs);
            format!("the hub is version {theirs} and this flagship is version {own}: use the flagship of the hub's version")
        })
    }

    pub(super) fn unreachable(&self, error: &reqwest::Error) -> CliError {
        let mut cause = String::new();
        let mut source: Option<&dyn std::error::Error> = std::error::Error::source(error);
        while let Some(inner) = source {
            cause = inner.to_string();
            source = inner.source();
        }
        if error.is_timeout() {
            let what = if error.is_connect() {
                "took no connection"
            } else {
                "did not answer in time"
            };
            let mut failure = CliError::new(
                Exit::Unreachable,
                format!("the hub at {} {what}", self.base),
            )
            .remedy("it may be busy or cut off: try again, or look at its log");
            failure.unsent = error.is_connect();
            return failure;
        }
        let mut failure = CliError::new(
            Exit::Unreachable,
            format!("cannot reach the hub at {}: {cause}", self.base),
        );
        failure.unsent = error.is_connect();
        if cause.contains("certificate") || cause.contains("UnknownIssuer") {
            failure.remedy(
                "its certificate is not of the CA that is pinned: if the hub was made anew, log in again with its --ca-hash; otherwise somebody else answers there",
            )
        } else {
            failure.remedy("check the address and that flagship-hub serves there")
        }
    }
}

/// Reads JSON; texts in it lose what would move a terminal's cursor or change its colours.
fn understood<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, serde_json::Error> {
    // An escape or a letter beyond ASCII may be one; most answers have neither.
    let is_suspect = |byte: &u8| *byte >= 0x7f;
    let is_escape = |two: &[u8]| two == br"\u" || two == br"\r" || two == br"\b" || two == br"\f";
    if !bytes.iter().any(is_suspect) && !bytes.windows(2).any(is_escape) {
        return serde_json::from_slice(bytes);
    }
    let mut value: Value = serde_json::from_slice(bytes)?;
    scrub(&mut value);
    serde_json::from_value(value)
}

fn scrub(value: &mut Value) {
    match value {
        Value::String(text) => *text = revealed(text),
        Value::Array(items) => items.iter_mut().for_each(scrub),
        Value::Object(fields) => fields.values_mut().for_each(scrub),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_not_a_hub_is_said_to_be_none() {
        let client = Client::new("http://127.0.0.1:1", None, None).unwrap();
        let error = client.refused(StatusCode::NOT_FOUND, b"<html>").await;
        assert!(error.what.contains("not a hub's answer"), "{error}");
    }

    #[test]
    fn a_reason_cannot_draw_on_the_terminal_of_who_reads_it() {
        let text = serde_json::json!({"a": ["\u{1b}[2Jgone\u{7}", "\u{9b}1A", "two\nlines\t", "one\r\ntwo\rthree", "a\u{202e}b\u{200b}c\u{2028}d", "Ü 日本"]});
        let read: Value = understood(text.to_string().as_bytes()).unwrap();
        let shown = read["a"].as_array().unwrap();
        assert_eq!(shown[0], "\u{fffd}[2Jgone\u{fffd}");
        assert_eq!(shown[1], "\u{fffd}1A");
        assert_eq!(shown[2], "two\nlines\t");
        assert_eq!(shown[3], "one\ntwo\u{fffd}three");
        assert_eq!(shown[4], "a\u{fffd}b\u{fffd}c\u{fffd}d");
        assert_eq!(shown[5], "Ü 日本");
    }
}
