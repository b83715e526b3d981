//! Where an item stands in its list, which is what a cursor names.

use std::cmp::Reverse;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use flagship_proto::model::Position;
use serde::{Deserialize, Serialize};

/// Where an item stands in its list: the newest first where that is said, then by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Place(Option<Reverse<Position>>, String);

impl Place {
    /// By when it was made, the newest first.
    pub fn newest(made: Position, name: impl ToString) -> Self {
        Self(Some(Reverse(made)), name.to_string())
    }

    /// By name.
    pub fn named(name: impl ToString) -> Self {
        Self(None, name.to_string())
    }

    /// By number, the lowest first.
    pub fn numbered(number: u64) -> Self {
        Self(None, format!("{number:020}"))
    }

    /// The number of a place by number.
    pub fn number(&self) -> Option<u64> {
        self.1.parse().ok()
    }

    /// As a cursor of one list.
    pub fn cursor(&self, list: &str) -> String {
        let text = serde_json::to_vec(&(list, self)).expect("a place is plain data");
        URL_SAFE_NO_PAD.encode(text)
    }
}
