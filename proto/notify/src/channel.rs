//! Where messages go: one variant a kind of channel, each with what it needs and no more.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::secret::SecretRef;

/// PagerDuty's Events API v2.
pub const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";
/// Opsgenie's Alert API; accounts in the EU have another host.
pub const OPSGENIE: &str = "https://api.opsgenie.com/v2/alerts";

/// A channel as it is configured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(
    rename_all = "camelCase",
    rename_all_fields = "camelCase",
    deny_unknown_fields
)]
pub enum Channel {
    /// An incoming webhook of Slack.
    Slack {
        /// Its address.
        url: SecretRef,
        /// Another room than the webhook's own, where Slack allows it (`#payments`).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<String>,
    },
    /// A workflow of Microsoft Teams that posts adaptive cards.
    Teams {
        /// Its address.
        url: SecretRef,
    },
    /// A webhook of Discord.
    Discord {
        /// Its address.
        url: SecretRef,
    },
    /// An incoming webhook of Rocket.Chat.
    Rocket {
        /// Its address.
        url: SecretRef,
        /// Another room than the webhook's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<String>,
    },
    /// A webhook of a Google Chat space.
    Gchat {
        /// Its address.
        url: SecretRef,
    },
    /// An integration of PagerDuty (Events API v2).
    Pagerduty {
        /// The integration's routing key.
        key: SecretRef,
        /// Another address than PagerDuty's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
    },
    /// An integration of Opsgenie (Alert API).
    Opsgenie {
        /// The integration's key.
        key: SecretRef,
        /// Another address than Opsgenie's own (the EU has another).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<String>,
    },
    /// Any receiver of CloudEvents 1.0, in structured JSON.
    Webhook {
        /// Its address.
        url: SecretRef,
        /// Signs each body: `X-Flagship-Signature-256: sha256=<hex of HMAC-SHA-256>`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        signing_key: Option<SecretRef>,
    },
    /// A mail server (SMTP).
    Email {
        /// Its name or address.
        host: String,
        /// Its port; 587 with STARTTLS, 465 with TLS and 25 without, unless told.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        port: Option<u16>,
        /// How the connection is secured.
        #[serde(default)]
        tls: Tls,
        /// The CA that signed the server's certificate (PEM), if it is not a public one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        ca_file: Option<std::path::PathBuf>,
        /// Who logs in, if anybody.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        username: Option<String>,
        /// The password.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        password: Option<SecretRef>,
        /// The sender.
        from: String,
        /// Who gets it.
        to: Vec<String>,
    },
}

/// How a connection to a mail server is secured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Tls {
    /// Plain at first, then TLS, or nothing is sent.
    #[default]
    Starttls,
    /// TLS from the first byte.
    Implicit,
    /// None: for a relay on this machine only; a password is refused with it.
    None,
}

/// A kind of channel; it prints as it is written in settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// Slack.
    Slack,
    /// Microsoft Teams.
    Teams,
    /// Discord.
    Discord,
    /// Rocket.Chat.
    Rocket,
    /// Google Chat.
    Gchat,
    /// PagerDuty.
    Pagerduty,
    /// Opsgenie.
    Opsgenie,
    /// CloudEvents.
    Webhook,
    /// Mail.
    Email,
}

impl Channel {
    /// Which kind it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Slack { .. } => Kind::Slack,
            Self::Teams { .. } => Kind::Teams,
            Self::Discord { .. } => Kind::Discord,
            Self::Rocket { .. } => Kind::Rocket,
            Self::Gchat { .. } => Kind::Gchat,
            Self::Pagerduty { .. } => Kind::Pagerduty,
            Self::Opsgenie { .. } => Kind::Opsgenie,
            Self::Webhook { .. } => Kind::Webhook,
            Self::Email { .. } => Kind::Email,
        }
    }

    /// What is wrong with it, as (field, words); offline.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let Self::Email {
            tls,
            username,
            password,
            to,
            ..
        } = self
        else {
            return Vec::new();
        };
        let mut problems = Vec::new();
        if to.is_empty() {
            problems.push(("to", "nobody gets it: name at least one address".into()));
        }
        if username.is_some() != password.is_some() {
            problems.push((
                "password",
                "username and password go together: give both or none".into(),
            ));
        }
        if *tls == Tls::None && password.is_some() {
            problems.push((
                "tls",
                "a password is not sent without TLS: use starttls or implicit".into(),
            ));
        }
        problems
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Slack => "slack",
            Self::Teams => "teams",
            Self::Discord => "discord",
            Self::Rocket => "rocket",
            Self::Gchat => "gchat",
            Self::Pagerduty => "pagerduty",
            Self::Opsgenie => "opsgenie",
            Self::Webhook => "webhook",
            Self::Email => "email",
        })
    }
}
