//! Notifications: where messages can go, what was told, and what waits.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A channel of the settings; where it leads is a secret and not shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChannelView {
    /// Its name.
    pub name: String,
    /// What it is (`slack`, `pagerduty`, `email`, …).
    pub kind: String,
}

/// How a test message ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NoticeTest {
    /// The channel.
    pub channel: String,
    /// Whether it took the message.
    pub delivered: bool,
    /// Why not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Where a delivery stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum NoticeState {
    /// To be sent.
    Waiting,
    /// The channel took it.
    Delivered,
    /// A later message of the same story went instead.
    Overtaken,
    /// It was tried for a day.
    GivenUp,
}

/// One message for one channel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NoticeView {
    /// Its id.
    pub id: String,
    /// The channel.
    pub channel: String,
    /// What happened, as a stable word.
    pub code: String,
    /// `info`, `warning` or `critical`.
    pub severity: String,
    /// What it is about.
    pub key: String,
    /// The message's one line.
    pub title: String,
    /// When that happened.
    pub at: Timestamp,
    /// Where the delivery stands.
    pub state: NoticeState,
    /// Since when; for one that waits, until when.
    pub state_at: Timestamp,
    /// How often it was tried.
    pub tries: u32,
    /// Why the last try failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}
