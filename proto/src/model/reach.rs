//! How far a right reaches over clusters, as it is kept with what somebody ordered: a cluster that comes
//! later is in it only where its author could have ordered it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::scope::{Labels, Selector, stored_size};

/// Most bytes of a reach as it is stored, where it goes to every agent with an abort.
const LARGEST: usize = 2048;

/// Clusters by their labels: those that one of these selects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reach(Vec<Selector>);

impl Reach {
    /// What one of these selects.
    pub fn new(selectors: Vec<Selector>) -> Self {
        Self(selectors)
    }

    /// The selectors, one of which a cluster has to meet.
    pub fn selectors(&self) -> &[Selector] {
        &self.0
    }

    /// Whether a cluster with these labels is within.
    pub fn holds(&self, labels: &Labels) -> bool {
        self.0.iter().any(|selector| selector.selects(labels))
    }

    /// The same for a message to agents, who show every abort that stands in one: one that is larger than
    /// any that is meant is left out, and the abort stops more clusters rather than fewer.
    pub fn carried(&self) -> Option<Self> {
        (stored_size(self) <= LARGEST).then(|| self.clone())
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&all.join(" or "))
    }
}
