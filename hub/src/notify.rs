//! What is told to whom: changes of the store become messages, messages become deliveries.
//!
//! `words` says which change is worth a message (pure), `book` keeps the deliveries in the store before
//! they are sent, `run` follows the store and sends. Channels, routes and formats are flagship-notify's.
//! Nothing here stands in the way of an order or an abort: it reads what was committed.

mod book;
mod run;
mod words;

#[cfg(test)]
mod tests;

use std::{path::Path, sync::Arc};

use anyhow::Context as _;
use flagship_notify::{Message, Outcome, Settings, Severity, Subject, send::Sender};
use jiff::Timestamp;

pub use run::run;

/// Settings and sender; clones share them.
#[derive(Debug, Clone)]
pub struct Notifier {
    settings: Arc<Settings>,
    sender: Sender,
    /// The hub's own address as people reach it, for links.
    public: Option<Arc<str>>,
}

impl Notifier {
    /// Reads the settings file; its problems are named with their place.
    pub fn open(path: &Path, public: Option<&str>) -> anyhow::Result<Self> {
        let name = path.display();
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("notifications file {name} cannot be read"))?;
        let settings = Settings::parse(&text)
            .map_err(|error| anyhow::anyhow!("notifications file {name}: {error}"))?;
        Self::new(settings, public)
    }

    /// From settings that were read.
    pub fn new(settings: Settings, public: Option<&str>) -> anyhow::Result<Self> {
        let sender = Sender::new().context("notifications cannot be sent from here")?;
        Ok(Self {
            settings: Arc::new(settings),
            sender,
            public: public.map(|url| url.trim_end_matches('/').into()),
        })
    }

    /// The channels by name, each with its kind.
    pub fn channels(&self) -> impl Iterator<Item = (&str, String)> {
        let channels = self.settings.channels.iter();
        channels.map(|(name, channel)| (name.as_str(), channel.kind().to_string()))
    }

    /// Sends a test message to a channel, now; none if there is no such channel.
    pub async fn test(&self, channel: &str, actor: &str, now: Timestamp) -> Option<Outcome> {
        let known = self.settings.channels.get(channel)?;
        let mut message = Message {
            id: format!("test/{channel}/{}", now.as_millisecond()),
            key: format!("test/{channel}"),
            code: "notify.test".into(),
            severity: Severity::Info,
            resolves: false,
            never_muted: false,
            at: now,
            title: format!("Flagship can reach channel {channel}"),
            text: format!("{actor} asked for this test; nothing has happened."),
            subject: Subject::default(),
            facts: Vec::new(),
            links: Vec::new(),
        };
        message.links = self.settings.links(&message);
        Some(self.sender.send(known, &message).await)
    }
}
