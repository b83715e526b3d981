//! Mail: a subject, plain text, and a key by which mail programs thread one story.

use crate::{Message, message::cut};

/// A mail before it is made of parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The sender.
    pub from: String,
    /// Who gets it.
    pub to: Vec<String>,
    /// One line, without line breaks.
    pub subject: String,
    /// Plain text.
    pub text: String,
    /// The left part of its message id: the same message has the same.
    pub id: String,
    /// The left part of the id that all mails of one story refer to.
    pub thread: String,
}

/// A mail.
pub(super) fn email(message: &Message, from: &str, to: &[String]) -> Mail {
    let subject = cut(&message.headline(), 200).replace(['\r', '\n'], " ");
    let word = |text: &str| text.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
    Mail {
        from: from.to_owned(),
        to: to.to_vec(),
        subject: format!("Flagship: {subject}"),
        text: message.plain(),
        id: word(&message.id),
        thread: word(&message.key),
    }
}
