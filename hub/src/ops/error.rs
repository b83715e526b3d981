//! Why an operation was not done: for programs a kind and a code, for people what, where and what to do.

use flagship_waves::Finding;

use crate::auth::Missing;

/// The kinds of refusal; they lead to HTTP statuses and exit codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum OpErrorKind {
    /// What was given is wrong; it will be wrong the next time too.
    BadInput,
    /// What was named is not there.
    NotFound,
    /// It is understood and not allowed as things stand.
    Refused,
    /// Who asks is nobody who is let in.
    Unidentified,
    /// Who asks may not.
    Forbidden,
    /// It contradicts something that happened before or at the same time.
    Conflict,
    /// It is meant for a state that has gone.
    Stale,
    /// The same credential did too much of it.
    TooOften,
    /// The store could not be read or written.
    Unavailable,
}

/// Why an operation was not done. Nothing was stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct OpError {
    /// For programs, coarsely.
    pub kind: OpErrorKind,
    /// For programs: a stable word (`claim.held`).
    pub code: &'static str,
    /// The argument that is wrong.
    pub field: Option<String>,
    /// What is wrong, in a sentence.
    pub message: String,
    /// What to do about it; empty where nothing helps.
    pub remedy: String,
    /// What is wrong with a plan, by line and column.
    pub findings: Vec<Finding>,
}

impl OpError {
    fn new(kind: OpErrorKind, code: &'static str, message: &str) -> Self {
        Self {
            kind,
            code,
            field: None,
            message: message.to_owned(),
            remedy: String::new(),
            findings: Vec::new(),
        }
    }

    pub(super) fn bad_input(code: &'static str, message: &str) -> Self {
        Self::new(OpErrorKind::BadInput, code, message)
    }

    pub(super) fn not_found(code: &'static str, message: &str) -> Self {
        Self::new(OpErrorKind::NotFound, code, message)
    }

    pub(super) fn refused(code: &'static str, message: &str) -> Self {
        Self::new(OpErrorKind::Refused, code, message)
    }

    /// The refusal of what somebody may not.
    pub(crate) fn forbidden(caller: &str, missing: &Missing) -> Self {
        let message = format!("{caller} {missing}");
        Self::new(OpErrorKind::Forbidden, "auth.forbidden", &message).try_this(&missing.remedy)
    }

    pub(super) fn unidentified(code: &'static str, message: &str) -> Self {
        Self::new(OpErrorKind::Unidentified, code, message)
    }

    pub(super) fn conflict(code: &'static str, message: &str) -> Self {
        Self::new(OpErrorKind::Conflict, code, message)
    }

    pub(super) fn stale(code: &'static str, message: &str) -> Self {
        Self::new(OpErrorKind::Stale, code, message)
    }

    pub(super) fn too_often(code: &'static str, message: &str) -> Self {
        Self::new(OpErrorKind::TooOften, code, message)
    }

    pub(super) fn unavailable(code: &'static str, message: &str) -> Self {
        Self::new(OpErrorKind::Unavailable, code, message)
    }

    pub(super) fn in_field(mut self, field: &str) -> Self {
        self.field = Some(field.to_owned());
        self
    }

    pub(super) fn try_this(mut self, remedy: &str) -> Self {
        remedy.clone_into(&mut self.remedy);
        self
    }

    pub(super) fn with_findings(mut self, findings: Vec<Finding>) -> Self {
        self.findings = findings;
        self
    }
}

/// "a, b and c", at most 8 of them; "none" for nothing.
pub(super) fn named(names: impl IntoIterator<Item = impl ToString>) -> String {
    let mut names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    let more = names.len().saturating_sub(8);
    names.truncate(8);
    if more > 0 {
        names.push(format!("{more} more"));
    }
    match names.split_last() {
        None => "none".to_owned(),
        Some((only, [])) => only.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}
