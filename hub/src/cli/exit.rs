//! How a command ends: exit codes that scripts can use (S20), and errors in one line.

use std::fmt;

use serde::Serialize;

use crate::api::types::{LintNote, Problem};

/// What the process returns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; for `watch` and `--wait`: it succeeded.
    Done = 0,
    /// Something else went wrong.
    Error = 1,
    /// The command, a file or a name is not valid.
    BadInput = 2,
    /// The hub refused: rights, state, or somebody else's claim.
    Refused = 3,
    /// The hub cannot be reached, or cannot answer now.
    Unreachable = 4,
    /// The rollout failed or was rolled back.
    Failed = 5,
    /// The rollout was aborted.
    Aborted = 6,
    /// `--timeout` passed.
    Deadline = 7,
    /// `diff` and `apply --dry-run`: something would change.
    Differs = 8,
    /// `abort --wait`: some clusters did not answer; nothing advances there after the bound.
    OnlyBounded = 10,
    /// `abort --wait`: some clusters could not stop.
    SomeNotStopped = 11,
    /// `abort`: the abort was not stored.
    NotStored = 12,
}

impl Exit {
    /// The number that the process returns.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// The stable word of an error that the hub did not say.
    fn word(self) -> &'static str {
        match self {
            Self::Done => "cli.done",
            Self::Error => "cli.error",
            Self::BadInput => "cli.badInput",
            Self::Refused => "cli.refused",
            Self::Unreachable => "cli.unreachable",
            Self::Failed => "cli.failed",
            Self::Aborted => "cli.aborted",
            Self::Deadline => "cli.deadline",
            Self::Differs => "cli.differs",
            Self::OnlyBounded => "cli.onlyBounded",
            Self::SomeNotStopped => "cli.someNotStopped",
            Self::NotStored => "cli.notStored",
        }
    }
}

/// Why a command failed: what and where, the remedy, and the exit code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CliError {
    /// The exit code.
    pub exit: Exit,
    /// What happened, and where.
    pub what: String,
    /// What to do about it.
    pub remedy: Option<String>,
    /// Findings in a document, each on a line of its own.
    pub notes: Vec<LintNote>,
    /// Whether no request of it can have reached the hub: nothing was changed there.
    pub unsent: bool,
    /// The stable word and the field that the hub named.
    pub named: Option<Box<Named>>,
}

/// What the hub named of a problem for programs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// The stable word.
    pub code: String,
    /// Which field, parameter or header is meant.
    pub field: Option<String>,
}

/// An error as programs read it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Told<'a> {
    code: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<&'a str>,
    exit: u8,
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    notes: &'a [LintNote],
}

impl CliError {
    /// The same for programs.
    pub fn told(&self) -> Told<'_> {
        let named = self.named.as_deref();
        Told {
            code: named.map_or_else(|| self.exit.word(), |named| &named.code),
            message: &self.what,
            field: named.and_then(|named| named.field.as_deref()),
            remedy: self.remedy.as_deref(),
            exit: self.exit.code(),
            notes: &self.notes,
        }
    }

    /// An error without a remedy yet.
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            exit,
            what: what.into(),
            remedy: None,
            notes: Vec::new(),
            unsent: false,
            named: None,
        }
    }

    /// The same with what to do about it.
    pub fn remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// The same with the place where it happened before it.
    pub fn within(mut self, place: &str) -> Self {
        self.what = format!("{place}: {}", self.what);
        self
    }

    /// A command line, file or name that is not valid.
    pub fn bad(what: impl Into<String>) -> Self {
        Self::new(Exit::BadInput, what)
    }
}

/// What a verb says that neither stops nor can be done elsewhere, where the hub cannot be reached: how
/// one cluster is looked at and stopped on the spot, in the same line.
pub fn beside_hub(mut error: CliError) -> CliError {
    if error.exit == Exit::Unreachable {
        let remedy = error.remedy.take().unwrap_or_default();
        error.remedy = Some(format!("{remedy}; {BESIDE_HUB}"));
    }
    error
}

const BESIDE_HUB: &str = "until then a cluster is seen and stopped on its own machine: \
    `flagship-agent ctl status`, `flagship-agent ctl retreat --all --reason …`";

/// What stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// `abort`.
    Abort,
    /// `freeze`.
    Freeze,
    /// `pause`.
    Pause,
    /// `retreat`.
    Retreat,
}

impl Stop {
    /// What is ordered, and how the command ends where the hub did not take it.
    fn row(self) -> (&'static str, Exit) {
        match self {
            Self::Abort => ("abort", Exit::NotStored),
            Self::Freeze => ("freeze", Exit::Unreachable),
            Self::Pause => ("pause", Exit::Unreachable),
            Self::Retreat => ("retreat", Exit::Unreachable),
        }
    }

    /// What a verb that stops says where the hub cannot be reached: whether anything was ordered, that
    /// nothing advances without the hub for long, and how each cluster is stopped on the spot.
    pub fn without_hub(self, is_ordering: bool, mut error: CliError) -> CliError {
        let is_outside = |named: &Named| named.code.starts_with("auth.");
        if is_ordering && error.named.as_deref().is_some_and(is_outside) {
            error.what = format!("nothing was ordered: {}", error.what);
        }
        if error.exit != Exit::Unreachable {
            return error;
        }
        let (word, exit) = self.row();
        if is_ordering {
            error.exit = exit;
            error.what = match error.unsent {
                true => format!("nothing was ordered: {}", error.what),
                false => format!(
                    "it is not known whether the {word} is stored: {}",
                    error.what
                ),
            };
        }
        let remedy = error.remedy.take().unwrap_or_default();
        error.remedy = Some(format!("{remedy}\n{WITHOUT_HUB}"));
        error
    }
}

const WITHOUT_HUB: &str = "\
Without the hub: a canary stops advancing by itself when its lease ends (30s unless its plan says \
otherwise; a plan with `onDisconnect: continue` goes on). To stop or take back one cluster now, on its machine:
  flagship-agent ctl status
  flagship-agent ctl retreat --all --reason … --wait
  flagship-agent ctl hold --all --reason …
(with --config FILE where that is not /etc/flagship/agent.yaml)";

impl From<Problem> for CliError {
    fn from(problem: Problem) -> Self {
        let exit = match problem.status {
            400 | 404 | 405 | 411 | 413 | 415 | 422 => Exit::BadInput,
            401 | 403 | 409 | 412 | 428 | 429 => Exit::Refused,
            502..=504 => Exit::Unreachable,
            _ => Exit::Error,
        };
        let named = Named {
            code: problem.code,
            field: problem.field.clone(),
        };
        // What is wrong with a token is said whole; that it came in a header says nothing more.
        let field = problem.field.filter(|field| field != "Authorization");
        let field = field.filter(|field| {
            let tail = field.rsplit('.').next().unwrap_or(field);
            !problem.detail.contains(tail)
        });
        let place = match (problem.line, problem.column) {
            (Some(line), Some(column)) => format!("line {line}, column {column}: "),
            (Some(line), None) => format!("line {line}: "),
            (None, _) => String::new(),
        };
        let what = match field {
            Some(field) => format!("{place}{field}: {}", problem.detail),
            None => format!("{place}{}", problem.detail),
        };
        Self {
            exit,
            what,
            remedy: problem.remedy,
            notes: problem.notes,
            unsent: false,
            named: Some(Box::new(named)),
        }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)?;
        match &self.remedy {
            Some(remedy) => write!(f, "; {remedy}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for CliError {}
