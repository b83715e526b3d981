//! What a plan changes; the value itself is given at each start.

use flagship_proto::model::Change;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Exactly one kind of change.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum ChangeSpec {
    /// Envoy platform: `flagship start checkout --to-version 1.9.0`.
    Version {},
    /// Kubernetes: an image of a container.
    Image {
        /// The container's name.
        container: String,
    },
    /// Kubernetes: a strategic-merge patch.
    Patch(Value),
    /// GitOps or CI delivers.
    #[serde(rename_all = "camelCase")]
    Delivered {
        /// The label or annotation that names the revision.
        revision_from: String,
    },
}

impl ChangeSpec {
    /// Whether a value given at a start is of this kind.
    pub fn accepts(&self, change: &Change) -> bool {
        match (self, change) {
            (Self::Version {}, Change::Version(_))
            | (Self::Patch(_), Change::Patch(_))
            | (Self::Delivered { .. }, Change::Delivered(_)) => true,
            (
                Self::Image { container },
                Change::Image {
                    container: given, ..
                },
            ) => container == given,
            (
                Self::Version {} | Self::Patch(_) | Self::Delivered { .. } | Self::Image { .. },
                Change::Version(_) | Change::Patch(_) | Change::Delivered(_) | Change::Image { .. },
            ) => false,
        }
    }
}
