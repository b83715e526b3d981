//! What is said to people, whatever the channel.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How much it matters, the least first.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Something went as it should.
    #[default]
    Info,
    /// Somebody may have to look.
    Warning,
    /// Somebody has to look now.
    Critical,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Info => "info",
            Self::Warning => "warning",
            Self::Critical => "critical",
        })
    }
}

/// What a message is about; routes look at it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Subject {
    /// The project, where one is meant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// The plan.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plan: Option<String>,
    /// The rollout.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<String>,
    /// The cluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// The version that is released.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The id of the rollout's trace, as hub and agents tell it to a receiver of OTLP.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// The plan's labels.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

/// A name and a value that belong to the message, shown beside the text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fact {
    /// What it is.
    pub name: String,
    /// The value.
    pub value: String,
}

/// Where to read on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// What is there (`rollout`, `runbook`, `dashboard`, `logs`, `trace`).
    pub name: String,
    /// The address.
    pub url: String,
}

/// A message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Names this message for ever: the same event makes the same id again.
    pub id: String,
    /// What it is about; a later message with the same key is the same story (`rollout/shop/checkout-3/eu-1`).
    pub key: String,
    /// What happened, as a stable word (`rollout.failed`, `abort.stored`).
    pub code: String,
    /// How much it matters.
    pub severity: Severity,
    /// It closes what an earlier message of the same key opened.
    #[serde(default)]
    pub resolves: bool,
    /// An abort, or a cluster that could not stop: no quiet hour mutes it.
    #[serde(default)]
    pub never_muted: bool,
    /// When it happened.
    pub at: Timestamp,
    /// One line.
    pub title: String,
    /// More, in words.
    #[serde(default)]
    pub text: String,
    /// What it is about.
    #[serde(default)]
    pub subject: Subject,
    /// Numbers and names beside the text.
    #[serde(default)]
    pub facts: Vec<Fact>,
    /// Where to read on.
    #[serde(default)]
    pub links: Vec<Link>,
}

impl Message {
    /// The title with the severity before it, for channels that show no colour.
    pub fn headline(&self) -> String {
        let mark = match (self.resolves, self.severity) {
            (true, _) => "resolved",
            (false, Severity::Info) => return self.title.clone(),
            (false, Severity::Warning) => "warning",
            (false, Severity::Critical) => "CRITICAL",
        };
        format!("[{mark}] {}", self.title)
    }

    /// Text, facts and links as plain lines.
    pub fn plain(&self) -> String {
        let mut lines = vec![self.headline(), String::new()];
        if !self.text.is_empty() {
            lines.extend([self.text.clone(), String::new()]);
        }
        lines.extend(
            self.facts
                .iter()
                .map(|fact| format!("{}: {}", fact.name, fact.value)),
        );
        lines.extend(
            self.links
                .iter()
                .map(|link| format!("{}: {}", link.name, link.url)),
        );
        lines.push(format!("at: {}", self.at));
        lines.join("\n")
    }
}

/// Cuts a text to at most `most` characters, the last of them `…` if something was cut.
pub fn cut(text: &str, most: usize) -> String {
    if text.chars().count() <= most {
        return text.to_owned();
    }
    let kept: String = text.chars().take(most.saturating_sub(1)).collect();
    kept + "…"
}
