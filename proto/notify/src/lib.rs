//! flagship-notify: a message to people.
//!
//! `message` is what is said, `channel` where to and in which `format`, `route` decides which channels a
//! message goes to and whether it waits for the morning, `outbox` what is sent next and when a failure
//! is tried again. All of these are plain functions over values; `send` (a feature) is the only part
//! that touches a network. The hub's notifications and the agent's alerts are both made of it.

pub mod channel;
pub mod format;
pub mod message;
pub mod outbox;
pub mod quiet;
pub mod route;
pub mod secret;
pub mod settings;
pub mod template;

#[cfg(feature = "send")]
pub mod send;

pub use channel::{Channel, Kind, Tls};
pub use message::{Fact, Link, Message, Severity, Subject};
pub use outbox::{Entry, Outcome, State};
pub use route::{Place, Route};
pub use secret::{Secret, SecretError, SecretRef};
pub use settings::{Settings, SettingsError};
