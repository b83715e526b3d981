//! How far a right reaches over clusters, as it is kept with what somebody ordered: a cluster that comes
//! later is in it only where its author could have ordered it.

use std::fmt;

use flagship_proto::model::{Labels, Selector};
use serde::{Deserialize, Serialize};

use super::{Binding, Grants, Right};

/// Clusters by their labels: those that one of these selects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Reach(Vec<Selector>);

impl Reach {
    /// Whether a cluster with these labels is within.
    pub fn holds(&self, labels: &Labels) -> bool {
        self.0.iter().any(|selector| selector.selects(labels))
    }
}

impl Grants {
    /// The clusters over which this caller has a right; none means all of them.
    pub fn reach(&self, right: Right) -> Option<Reach> {
        // Within a project no cluster is covered as a whole.
        let over_clusters =
            |binding: &&Binding| binding.gives(right) && binding.projects.is_empty();
        let bindings = self.0.iter().filter(over_clusters);
        // One without a selector makes it all of them.
        let selectors: Option<Vec<Selector>> =
            bindings.map(|binding| binding.selector.clone()).collect();
        selectors.map(Reach)
    }
}

impl fmt::Display for Reach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&all.join(" or "))
    }
}
