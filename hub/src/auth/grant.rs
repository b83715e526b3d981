//! Roles bound to projects and labels, and the one place that decides who may do what to what.
//!
//! A binding covers an object or it does not; what no binding covers is refused with what is missing.
//! What a caller may not even see is told apart, so that it can be answered like what is not there.

use std::fmt;

use flagship_proto::model::{ClusterName, Labels, PlanRef, ProjectName, Selector, WorkloadRef};
use serde::{Deserialize, Serialize};

use super::{Right, Role};

/// A role, and where it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Binding {
    /// What may be done.
    pub role: Role,
    /// Only in these projects; none means in all of them, and over what is of no project.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub projects: Vec<ProjectName>,
    /// Only plans (with their rollouts) and clusters that have these labels.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<Selector>,
    /// Also the right to end aborts, freezes and local control, which no role but admin has.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lift: bool,
}

/// What somebody acts on.
#[derive(Debug, Clone, Copy)]
pub enum Object<'a> {
    /// The fleet as a whole.
    Fleet,
    /// A project as a whole.
    Project(&'a ProjectName),
    /// A plan, or a rollout of it, by the labels of the plan.
    Plan(&'a PlanRef, &'a Labels),
    /// A cluster, which all projects share.
    Cluster(&'a ClusterName, &'a Labels),
    /// A workload in every cluster, whichever project releases it.
    Workload(&'a WorkloadRef),
}

impl Binding {
    /// A role over everything.
    pub fn of(role: Role) -> Self {
        Self {
            role,
            projects: Vec::new(),
            selector: None,
            lift: false,
        }
    }

    /// Whether it gives a right, where it holds.
    pub fn gives(&self, right: Right) -> bool {
        self.role.may(right) || self.lift && matches!(right, Right::Lift | Right::Unfreeze)
    }

    /// The rights that it gives.
    pub fn rights(&self) -> impl Iterator<Item = Right> + '_ {
        Right::ALL.into_iter().filter(|right| self.gives(*right))
    }

    /// Whether a project is among those that it holds in.
    pub fn is_in(&self, project: &ProjectName) -> bool {
        self.projects.is_empty() || self.projects.contains(project)
    }

    fn is_whole(&self) -> bool {
        self.projects.is_empty() && self.selector.is_none()
    }

    fn selects(&self, labels: &Labels) -> bool {
        let selector = self.selector.as_ref();
        selector.is_none_or(|selector| selector.selects(labels))
    }

    /// Whether the whole of an object lies where it holds.
    fn covers(&self, object: Object<'_>) -> bool {
        match object {
            Object::Fleet | Object::Workload(_) => self.is_whole(),
            Object::Project(project) => self.is_in(project) && self.selector.is_none(),
            Object::Plan(plan, labels) => self.is_in(&plan.project) && self.selects(labels),
            Object::Cluster(_, labels) => self.projects.is_empty() && self.selects(labels),
        }
    }

    /// Whether it lets an object be seen: a project that it names, a cluster although others share it.
    pub fn shows(&self, object: Object<'_>) -> bool {
        match object {
            Object::Fleet => true,
            Object::Project(project) => self.is_whole() || self.projects.contains(project),
            Object::Cluster(_, labels) => self.selects(labels),
            Object::Plan(..) | Object::Workload(_) => self.covers(object),
        }
    }

    /// Where it holds, in words.
    pub fn place(&self) -> String {
        let names: Vec<&str> = self.projects.iter().map(ProjectName::as_str).collect();
        let projects = match names.as_slice() {
            [] => "everything".to_owned(),
            [one] => format!("project {one}"),
            several => format!("projects {}", several.join(", ")),
        };
        match &self.selector {
            None => projects,
            Some(selector) => format!("{projects} labelled {selector}"),
        }
    }
}

impl fmt::Display for Binding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}", self.role, self.place())?;
        if self.lift && !self.role.may(Right::Lift) {
            f.write_str(" who may lift")?;
        }
        Ok(())
    }
}

impl fmt::Display for Object<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fleet => f.write_str("the whole fleet"),
            Self::Project(project) => write!(f, "all of project {project}"),
            Self::Plan(plan, _) => write!(f, "plan {plan}"),
            Self::Cluster(name, _) => write!(f, "cluster {name}"),
            Self::Workload(workload) => write!(f, "workload {workload} in every cluster"),
        }
    }
}

/// All that somebody may do.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Grants(pub Vec<Binding>);

/// Why somebody may not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// What is meant is not for this caller to see: answered like what is not there.
    Unseen,
    /// It is seen, and this right over it is missing.
    Missing(Missing),
}

/// A right that somebody has not over something.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("may not {right}{over}: {has}")]
pub struct Missing {
    /// Which one.
    pub right: Right,
    over: String,
    has: String,
    /// What to do about it.
    pub remedy: String,
}

impl Grants {
    /// Everything: the hub itself.
    pub fn everything() -> Self {
        Self(vec![Binding::of(Role::Admin)])
    }

    /// Whether nothing is hidden from this caller.
    pub fn sees_everything(&self) -> bool {
        self.over_fleet(Right::View)
    }

    /// Whether this caller has a right over the whole fleet.
    pub fn over_fleet(&self, right: Right) -> bool {
        self.gives(right, Object::Fleet)
    }

    /// Whether nothing of a project is hidden from this caller.
    pub fn sees_all_of(&self, project: &ProjectName) -> bool {
        self.gives(Right::View, Object::Project(project))
    }

    /// Whether this caller may see an object at all.
    pub fn sees(&self, object: Object<'_>) -> bool {
        let mut views = self.0.iter().filter(|binding| binding.gives(Right::View));
        views.any(|binding| binding.shows(object))
    }

    fn gives(&self, right: Right, object: Object<'_>) -> bool {
        let mut bindings = self.0.iter().filter(|binding| binding.gives(right));
        bindings.any(|binding| binding.covers(object))
    }

    /// Whether this caller may do something to an object; if not, why.
    pub fn decide(&self, right: Right, object: Object<'_>) -> Result<(), Denied> {
        if self.gives(right, object) {
            return Ok(());
        }
        if !self.sees(object) {
            return Err(Denied::Unseen);
        }
        Err(Denied::Missing(self.refusal(right, &object)))
    }

    /// Whether this caller has a right anywhere.
    pub fn somewhere(&self, right: Right) -> Result<(), Missing> {
        if self.0.iter().any(|binding| binding.gives(right)) {
            return Ok(());
        }
        Err(self.missing(right, None))
    }

    /// Whether this caller has a right over something in a project.
    pub fn in_project(&self, right: Right, project: &ProjectName) -> Result<(), Missing> {
        let mut bindings = self.0.iter().filter(|binding| binding.gives(right));
        if bindings.any(|binding| binding.is_in(project)) {
            return Ok(());
        }
        Err(self.refusal(right, &Object::Project(project)))
    }

    /// The strongest of the roles.
    pub fn role(&self) -> Role {
        let roles = self.0.iter().map(|binding| binding.role);
        roles.max().unwrap_or(Role::Viewer)
    }

    /// What is missing to do something to what is described so.
    pub fn refusal(&self, right: Right, over: &dyn fmt::Display) -> Missing {
        self.missing(right, Some(over))
    }

    fn missing(&self, right: Right, object: Option<&dyn fmt::Display>) -> Missing {
        let places: Vec<String> = self
            .0
            .iter()
            .filter(|binding| binding.gives(right))
            .map(Binding::place)
            .collect();
        let needed = Role::needed_for(right);
        let own = match right {
            Right::Lift | Right::Unfreeze => ", or one that was made with --lift",
            Right::View | Right::Ship | Right::Stop | Right::Approve | Right::Administer => "",
        };
        let list = match right {
            Right::Stop => " (`flagship abort` without a scope lists it)",
            Right::View
            | Right::Ship
            | Right::Approve
            | Right::Administer
            | Right::Lift
            | Right::Unfreeze => "",
        };
        let whole = object.map_or_else(String::new, |object| format!(" {object}"));
        if places.is_empty() {
            return Missing {
                right,
                over: whole,
                has: format!("it is {self}"),
                remedy: format!("use a token with the role {needed}{own}"),
            };
        }
        let places = places.join("; ");
        let of = object.map_or_else(String::new, |object| format!(" of {object}"));
        Missing {
            right,
            over: whole,
            has: format!("it may {right} {places}"),
            remedy: format!(
                "name something in {places}{list}, or use a token with the role {needed}{of}{own}"
            ),
        }
    }
}

impl fmt::Display for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(if all.is_empty() { "nobody" } else { "" })?;
        f.write_str(&all.join("; "))
    }
}

#[cfg(test)]
mod tests;
