//! Who is meant: label selectors over clusters, and the scopes of aborts and freezes (S21).

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Serialize};

use super::{
    id::{ClusterName, PlanRef, ProjectName, RolloutId, WorkloadRef},
    text::is_deceptive,
};

/// Labels of a cluster.
pub type Labels = BTreeMap<String, String>;

/// Which clusters: names, labels, expressions; all that is given must hold. Empty matches all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Selector {
    /// One of these names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<ClusterName>,
    /// All of these labels, each with this value.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub match_labels: Labels,
    /// All of these expressions, as Kubernetes reads them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub match_expressions: Vec<Expression>,
}

/// One expression of a label selector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Expression {
    /// The label's key.
    pub key: String,
    /// How the label is compared.
    pub operator: Operator,
    /// With what; empty for `Exists` and `DoesNotExist`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub values: Vec<String>,
}

/// The operators of Kubernetes' label selectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Operator {
    /// The label's value is one of the values.
    In,
    /// The label is absent or its value is none of the values.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is absent.
    DoesNotExist,
}

/// Most names, labels, expressions and values of a selector together.
const MOST_PARTS: usize = 128;

/// Most bytes of a selector as it is stored, signed and sent.
const LARGEST: usize = 4096;

/// A selector that is larger than any that is meant.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SelectorError {
    /// Names, labels, expressions and values together.
    #[error(
        "a selector has at most {MOST_PARTS} names, labels and values, and this one has {count}"
    )]
    TooMany {
        /// So many.
        count: usize,
    },
    /// A key or a value.
    #[error("a key or value that begins with {start:?} is longer than {most} bytes")]
    TooLong {
        /// How it begins.
        start: String,
        /// Its limit in bytes.
        most: usize,
    },
    /// All of it.
    #[error("a selector has at most {LARGEST} bytes, and this one has {size}")]
    TooLarge {
        /// So many.
        size: usize,
    },
    /// A character that would draw on a terminal.
    #[error("a key or value has a control character")]
    Control,
}

impl Selector {
    /// Whether a cluster is meant.
    pub fn matches(&self, name: &ClusterName, labels: &Labels) -> bool {
        (self.names.is_empty() || self.names.contains(name)) && self.selects(labels)
    }

    /// Whether labels are meant, whatever has them.
    pub fn selects(&self, labels: &Labels) -> bool {
        let mut wanted = self.match_labels.iter();
        wanted.all(|(key, value)| labels.get(key) == Some(value))
            && self
                .match_expressions
                .iter()
                .all(|expression| expression.matches(labels))
    }

    /// Refuses what no person writes: it goes to every agent with the order that it stands in, and
    /// what is too large for a message would reach nobody. Keys and values are as long as Kubernetes
    /// allows.
    pub fn check(&self) -> Result<(), SelectorError> {
        let expressions = self.match_expressions.iter();
        let listed = expressions
            .clone()
            .map(|expression| expression.values.len());
        let count = self.names.len() + self.match_labels.len() + self.match_expressions.len();
        let count = count + listed.sum::<usize>();
        if count > MOST_PARTS {
            return Err(SelectorError::TooMany { count });
        }
        let keys = self.match_labels.keys().map(String::as_str);
        let keys = keys.chain(
            expressions
                .clone()
                .map(|expression| expression.key.as_str()),
        );
        let values = self.match_labels.values().map(String::as_str);
        let values = values.chain(expressions.flat_map(|e| e.values.iter().map(String::as_str)));
        let parts = keys
            .map(|key| (key, 317))
            .chain(values.map(|value| (value, 253)));
        for (text, most) in parts {
            if text.len() > most {
                let start = text.chars().take(20).collect();
                return Err(SelectorError::TooLong { start, most });
            }
            if text.chars().any(is_deceptive) {
                return Err(SelectorError::Control);
            }
        }
        let size = stored_size(self);
        if size > LARGEST {
            return Err(SelectorError::TooLarge { size });
        }
        Ok(())
    }

    /// Whether it says nothing, and so matches every cluster.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty() && self.match_labels.is_empty() && self.match_expressions.is_empty()
    }
}

/// How many bytes it takes where it is stored, signed and sent.
pub(super) fn stored_size<T: Serialize>(value: &T) -> usize {
    serde_json::to_vec(value).map_or(usize::MAX, |bytes| bytes.len())
}

impl Expression {
    fn matches(&self, labels: &Labels) -> bool {
        self.holds(labels.get(&self.key))
    }

    /// Whether it holds for this value of its key; none where there is none.
    pub fn holds(&self, value: Option<&String>) -> bool {
        let listed = value.is_some_and(|value| self.values.contains(value));
        match self.operator {
            Operator::In => listed,
            Operator::NotIn => !listed,
            Operator::Exists => value.is_some(),
            Operator::DoesNotExist => value.is_none(),
        }
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts: Vec<String> = self
            .names
            .iter()
            .map(|name| format!("name={name}"))
            .collect();
        parts.extend(
            self.match_labels
                .iter()
                .map(|(key, value)| format!("{key}={value}")),
        );
        parts.extend(self.match_expressions.iter().map(|e| match e.operator {
            Operator::In => format!("{} in ({})", e.key, e.values.join(",")),
            Operator::NotIn => format!("{} notin ({})", e.key, e.values.join(",")),
            Operator::Exists => e.key.clone(),
            Operator::DoesNotExist => format!("!{}", e.key),
        }));
        f.write_str(&if parts.is_empty() {
            "all clusters".to_owned()
        } else {
            parts.join(",")
        })
    }
}

/// What an abort or a freeze covers (S21).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind", content = "of")]
pub enum Scope {
    /// Everything.
    Fleet,
    /// Every plan of a project.
    Project(ProjectName),
    /// One plan.
    Plan(PlanRef),
    /// One rollout.
    Rollout {
        /// The project that it is in.
        project: ProjectName,
        /// Its id.
        id: RolloutId,
    },
    /// One workload, in every cluster.
    Workload(WorkloadRef),
    /// Every workload in the clusters that match; the hub decides who matches (P9).
    Selector(Selector),
}

impl Scope {
    /// Whether work on `workload` under `plan` and `rollout` is meant. A selector says yes: the hub
    /// sends such an abort only to the clusters that match.
    pub fn covers(&self, workload: &WorkloadRef, plan: &PlanRef, rollout: &RolloutId) -> bool {
        match self {
            Self::Fleet | Self::Selector(_) => true,
            Self::Project(project) => *project == plan.project,
            Self::Plan(wanted) => wanted == plan,
            Self::Rollout { project, id } => *project == plan.project && id == rollout,
            Self::Workload(wanted) => wanted == workload,
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fleet => f.write_str("fleet"),
            Self::Project(project) => write!(f, "project {project}"),
            Self::Plan(plan) => write!(f, "plan {plan}"),
            Self::Rollout { project, id } => write!(f, "rollout {project}/{id}"),
            Self::Workload(workload) => write!(f, "workload {workload}"),
            Self::Selector(selector) => write!(f, "clusters {selector}"),
        }
    }
}
