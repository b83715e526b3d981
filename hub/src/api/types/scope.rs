//! Scopes and modes as the document describes them. What is read are the model's own types, which know
//! nothing of documents; a test holds the two together.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

/// Whom an abort or a freeze binds, as the document describes it.
#[derive(Serialize, ToSchema)]
#[schema(as = Scope)]
#[serde(tag = "kind", content = "of", rename_all = "camelCase")]
pub enum ScopeShape {
    /// Everything.
    Fleet,
    /// Every plan of a project.
    Project(String),
    /// One plan: `project/name`.
    Plan(String),
    /// One rollout.
    Rollout {
        /// The project that it is in.
        project: String,
        /// Its id.
        id: String,
    },
    /// One workload in every cluster: `namespace/Kind/name`.
    Workload(String),
    /// Every workload in the clusters that match.
    Selector(SelectorShape),
}

/// Which clusters: all that is given must hold.
#[derive(Serialize, ToSchema)]
#[schema(as = Selector)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SelectorShape {
    /// One of these names.
    #[schema(required = false)]
    pub names: Vec<String>,
    /// All of these labels, each with this value.
    #[schema(required = false)]
    pub match_labels: BTreeMap<String, String>,
    /// All of these expressions, as Kubernetes reads them.
    #[schema(required = false)]
    pub match_expressions: Vec<ExpressionShape>,
}

/// One expression of a label selector.
#[derive(Serialize, ToSchema)]
#[schema(as = Expression)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ExpressionShape {
    /// The label's key.
    pub key: String,
    /// How the label is compared.
    pub operator: OperatorShape,
    /// With what; empty for `Exists` and `DoesNotExist`.
    #[schema(required = false)]
    pub values: Vec<String>,
}

/// The operators of Kubernetes' label selectors.
#[derive(Serialize, ToSchema)]
#[schema(as = Operator)]
pub enum OperatorShape {
    /// The label's value is one of the values.
    In,
    /// The label is absent or its value is none of the values.
    NotIn,
    /// The label is there.
    Exists,
    /// The label is absent.
    DoesNotExist,
}

/// How an abort stops, as the document describes it.
#[derive(Serialize, ToSchema)]
#[schema(as = AbortMode)]
pub enum ModeShape {
    /// Unfinished canaries go back, Done stays.
    Return,
    /// All weights stay.
    Hold,
    /// Done goes back too.
    RetreatDone,
}
