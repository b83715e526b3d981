//! Who may do what: roles, and where they hold.

use flagship_proto::model::Selector;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::scope::SelectorShape;
use crate::auth::{Binding, Role};

/// A role, and where it is to hold; without projects and selector over everything.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct BindingRequest {
    /// What may be done.
    pub role: Role,
    /// Only in these projects.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub projects: Vec<String>,
    /// Only plans (with their rollouts) and clusters that have these labels; names are not selected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<SelectorShape>)]
    pub selector: Option<Selector>,
    /// Also the right to end aborts, freezes and local control.
    #[serde(default)]
    pub lift: bool,
}

/// A role, and where it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct BindingView {
    /// What may be done.
    pub role: Role,
    /// Only in these projects; none means in all of them.
    pub projects: Vec<String>,
    /// Only plans and clusters with these labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Whether it may end aborts, freezes and local control.
    pub lift: bool,
    /// The rights that it gives there.
    #[serde(default)]
    pub rights: Vec<String>,
    /// The same in words.
    pub text: String,
}

/// One role that somebody holds now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AccessView {
    /// Who, as the audit log names them.
    pub who: String,
    /// By which token or certificate.
    pub via: String,
    /// The role.
    pub role: Role,
    /// What it may: view, ship, stop, lift, unfreeze, approve, administer.
    pub may: Vec<String>,
    /// Only in these projects; none means in all of them.
    pub projects: Vec<String>,
    /// Only plans and clusters with these labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Where it holds, in words.
    pub place: String,
    /// Who granted it.
    pub granted_by: String,
    /// When.
    pub granted_at: Timestamp,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to about a minute; absent if it never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
}

impl From<&Binding> for BindingView {
    fn from(binding: &Binding) -> Self {
        Self {
            role: binding.role,
            projects: binding.projects.iter().map(ToString::to_string).collect(),
            selector: binding.selector.as_ref().map(ToString::to_string),
            lift: binding.gives(crate::auth::Right::Lift),
            rights: binding.rights().map(|right| right.to_string()).collect(),
            text: binding.to_string(),
        }
    }
}
