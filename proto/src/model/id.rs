//! Names: what may stand for a cluster, a project, a plan, a wave, a rollout, a workload.
//!
//! Names follow RFC 1123 labels (lower case letters, digits, `-`; at most 63 characters), so that
//! they can stand in a SPIFFE id, a store key, a file name and a Kubernetes object unchanged.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// Why a name was refused: what it was for, what was given, and the rule it breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} {given:?} is not valid: {rule}")]
pub struct InvalidId {
    /// What the name was for.
    pub what: &'static str,
    /// What was given, cut to 80 characters.
    pub given: String,
    /// The rule that it breaks, in words.
    pub rule: &'static str,
}

fn invalid(what: &'static str, given: &str, rule: &'static str) -> InvalidId {
    InvalidId {
        what,
        given: given.chars().take(80).collect(),
        rule,
    }
}

const LABEL_RULE: &str =
    "use 1 to 63 lower case letters, digits and '-', with a letter or digit at both ends";
const NAME_RULE: &str =
    "use 1 to 253 lower case letters, digits, '-' and '.', with a letter or digit at both ends";

fn is_name(text: &str, longest: usize, dots: bool) -> bool {
    let edge = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    !text.is_empty()
        && text.len() <= longest
        && text
            .chars()
            .all(|c| edge(c) || c == '-' || (dots && c == '.'))
        && text.starts_with(edge)
        && text.ends_with(edge)
}

macro_rules! names {
    ($($(#[$doc:meta])* $name:ident, $what:literal, $longest:literal, $dots:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                if is_name(text, $longest, $dots) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(invalid($what, text, if $dots { NAME_RULE } else { LABEL_RULE }))
                }
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidId;

            fn try_from(text: String) -> Result<Self, InvalidId> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )*};
}

names! {
    /// A cluster's name; unique among the fleet's members at one time.
    ClusterName, "cluster name", 63, false;
    /// What enrolment draws for a cluster (P1): the same name enrolled again has another uid.
    ClusterUid, "cluster uid", 63, false;
    /// The fleet's own identity, drawn by `init`.
    FleetId, "fleet id", 63, false;
    /// The owner's name space on the hub.
    ProjectName, "project name", 63, false;
    /// A plan's name inside its project.
    PlanName, "plan name", 63, false;
    /// A wave's name inside its plan.
    WaveName, "wave name", 63, false;
    /// One execution of a plan: `<plan>-<n>`, unique inside its project.
    RolloutId, "rollout id", 127, false;
    /// One stored order to stop.
    AbortId, "abort id", 63, false;
    /// One stored rule that forbids advancing for a time.
    FreezeId, "freeze id", 63, false;
    /// One act of local control on an agent.
    LocalId, "local act id", 63, false;
    /// The public half of a token.
    TokenId, "token id", 63, false;
    /// A Kubernetes name of a namespace or object.
    ObjectName, "object name", 253, true;
}

/// A plan by project and name; prints as `project/name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PlanRef {
    /// The owner's name space.
    pub project: ProjectName,
    /// The plan inside it.
    pub name: PlanName,
}

impl FromStr for PlanRef {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let Some((project, name)) = text.split_once('/') else {
            return Err(invalid("plan", text, "write it as project/name"));
        };
        Ok(Self {
            project: project.parse()?,
            name: name.parse()?,
        })
    }
}

impl TryFrom<String> for PlanRef {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<PlanRef> for String {
    fn from(plan: PlanRef) -> String {
        plan.to_string()
    }
}

impl fmt::Display for PlanRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.project, self.name)
    }
}

/// A workload, the same in every cluster that has it; prints as `namespace/Kind/name`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct WorkloadRef {
    namespace: ObjectName,
    kind: String,
    name: ObjectName,
}

impl WorkloadRef {
    /// Checks the three parts; the kind is a Kubernetes kind (`Deployment`).
    pub fn new(namespace: &str, kind: &str, name: &str) -> Result<Self, InvalidId> {
        let letters = kind.chars().all(|c| c.is_ascii_alphanumeric());
        if kind.is_empty()
            || kind.len() > 63
            || !letters
            || !kind.starts_with(|c: char| c.is_ascii_uppercase())
        {
            return Err(invalid(
                "workload kind",
                kind,
                "use a kind such as Deployment",
            ));
        }
        Ok(Self {
            namespace: namespace.parse()?,
            kind: kind.to_owned(),
            name: name.parse()?,
        })
    }

    /// The name space the workload is in.
    pub fn namespace(&self) -> &str {
        self.namespace.as_str()
    }

    /// Its kind, as Kubernetes writes it.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.name.as_str()
    }
}

impl FromStr for WorkloadRef {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let parts: Vec<&str> = text.split('/').collect();
        let [namespace, kind, name] = parts.as_slice() else {
            return Err(invalid("workload", text, "write it as namespace/Kind/name"));
        };
        Self::new(namespace, kind, name)
    }
}

impl TryFrom<String> for WorkloadRef {
    type Error = InvalidId;

    fn try_from(text: String) -> Result<Self, InvalidId> {
        text.parse()
    }
}

impl From<WorkloadRef> for String {
    fn from(workload: WorkloadRef) -> String {
        workload.to_string()
    }
}

impl fmt::Display for WorkloadRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.namespace, self.kind, self.name)
    }
}
