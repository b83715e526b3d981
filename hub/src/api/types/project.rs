//! Projects: what owns plans and rollouts.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A project; the first plan that is applied in it makes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ProjectView {
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who applied its first plan.
    pub created_by: String,
    /// Its plans, by name.
    pub plans: Vec<String>,
    /// Its rollouts that have not ended.
    pub running: Vec<String>,
}
