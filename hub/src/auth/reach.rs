//! How far a right reaches over clusters: who joins what was ordered over a scope, and whether one reach
//! lies within another.

use flagship_proto::model::{
    ClusterName, Labels, Reach, Scope, Selector,
    scope::{Expression, Operator},
};

use super::{Binding, Grants, Right};

/// Whether every cluster that a selector may ever match is within a reach, as far as can be said from
/// the words alone; `limit` is how far the selector counts, where that is less.
pub fn covers(own: &Reach, selector: &Selector, limit: Option<&Reach>) -> bool {
    let within = |wanted: &Selector| own.selectors().iter().any(|own| implies(wanted, own));
    within(selector) || limit.is_some_and(|limit| limit.selectors().iter().all(within))
}

/// Whether a cluster that comes now joins what was ordered: its selector matches, and its author could have
/// ordered it there (P9). What is left of something wider is ordered by its own scope and by all those that
/// it was narrowed from, each with its author's reach: it is joined by who joins every one of them.
pub fn is_joined_by<'a>(
    scopes: impl IntoIterator<Item = (&'a Scope, Option<&'a Reach>)>,
    name: &ClusterName,
    labels: &Labels,
) -> bool {
    let mut is_selected = false;
    for (scope, reach) in scopes {
        // Any other scope says by itself what is in it, in whichever cluster.
        let Scope::Selector(selector) = scope else {
            continue;
        };
        is_selected = true;
        if !selector.matches(name, labels) || reach.is_some_and(|reach| !reach.holds(labels)) {
            return false;
        }
    }
    is_selected
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
        selectors.map(Reach::new)
    }
}

/// Whether all that one selector demands, another demands too.
fn implies(narrow: &Selector, wide: &Selector) -> bool {
    let is_fixed = |key: &String, value: &String| {
        let only = Expression {
            key: key.clone(),
            operator: Operator::In,
            values: vec![value.clone()],
        };
        narrow.match_labels.get(key) == Some(value) || narrow.match_expressions.contains(&only)
    };
    let mut labels = wide.match_labels.iter();
    let holds = |wanted: &Expression| {
        let fixed = narrow.match_labels.get(&wanted.key);
        fixed.is_some_and(|value| wanted.holds(Some(value)))
            || narrow.match_expressions.contains(wanted)
    };
    labels.all(|(key, value)| is_fixed(key, value)) && wide.match_expressions.iter().all(holds)
}
