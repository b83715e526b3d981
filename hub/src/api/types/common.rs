//! Shapes that every resource shares: lists, problems, reasons, banners.

use flagship_proto::model::WorkloadRef;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The header that carries a person's reason.
pub const REASON: &str = "flagship-reason";

/// The header that carries a ticket's number.
pub const TICKET: &str = "flagship-ticket";

/// A list of anything: one page of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct List<T> {
    /// The page's items.
    pub items: Vec<T>,
    /// Pass it as `cursor` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The store sequence that the list shows; events from this one on continue it.
    pub seq: u64,
}

impl<T> List<T> {
    /// All there is: a short list that has no pages.
    pub fn whole(items: Vec<T>, seq: u64) -> Self {
        Self {
            items,
            next: None,
            seq,
        }
    }
}

/// A page of items with some of their fields.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SomeFields {
    /// The page's items, each with those of the fields that it has.
    #[schema(value_type = Vec<Object>)]
    pub items: Vec<serde_json::Value>,
    /// Pass it as `cursor` to get the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// The store sequence that the list shows; events from this one on continue it.
    pub seq: u64,
}

/// What went wrong, as RFC 9457 (`application/problem+json`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A URI that names the kind of problem; it ends with the code.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind of problem in a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// A stable word for programs.
    pub code: String,
    /// What happened, in words.
    pub detail: String,
    /// Which field, parameter or header of the request is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
    /// Line in the document that was sent, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u64>,
    /// Column in that line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u64>,
    /// Everything that a check of a document found, where it found more than one thing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<super::plan::LintNote>,
}

/// Why something is as it is: the same words in log, event, API and command line.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Why {
    /// A stable word for programs.
    pub code: String,
    /// In words, with the numbers.
    pub message: String,
    /// Since when it holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// The kind of a banner that counts freezes which are not named.
pub const MORE: &str = "freezes";

/// The kind of a banner that counts aborts which are not named.
pub const MORE_ABORTS: &str = "aborts";

/// Something that everybody has to know before they read on: a standing abort or freeze, a
/// person's word on the spot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Banner {
    /// `abort`, `freeze`, `aborts` and `freezes` for how many more there are, `local`, `unconfirmed`, or `behind` for a hub that gives no orders.
    pub kind: String,
    /// The id of what stands.
    pub id: String,
    /// One line in words.
    pub text: String,
    /// Since when.
    pub since: Timestamp,
    /// The command that ends it, or lists what is counted.
    pub remedy: String,
    /// Whom it is for.
    #[serde(skip)]
    #[schema(ignore)]
    pub about: About,
}

/// Of what a banner speaks, and so who is shown it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum About {
    /// Of the fleet as a whole: for those who see everything.
    #[default]
    Fleet,
    /// Of something that was seen before the banner was made, or that everybody has to know.
    Seen,
    /// Of one workload, wherever it runs.
    Workload(WorkloadRef),
}
