//! Who may do what: every role that somebody holds now, in words.

use axum::extract::State;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    ApiState,
    body::named,
    caller::Who,
    error::ApiError,
    listed::{Field, Listed},
    page::{Asked, Listing, Page},
    place::Place,
    types::{AccessView, List},
};
use crate::{
    auth::Binding,
    records::{Stored, TokenRow},
};
use flagship_proto::model::ProjectName;

/// Whose rights.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Only what holds in this project, roles over everything among it.
    pub project: Option<String>,
    /// Only of this name.
    pub who: Option<String>,
}

/// One role of one token.
struct Held {
    row: Stored<TokenRow>,
    number: usize,
    binding: Binding,
}

impl Listed for Held {
    const LIST: &'static str = "access";
    const FIELDS: &'static [Field<Self>] = &[
        ("who", |held| Some(held.row.name.clone())),
        ("role", |held| Some(held.binding.role.to_string())),
        ("lift", |held| Some(held.binding.lift.to_string())),
    ];

    fn place(&self) -> Place {
        let Self { row, number, .. } = self;
        Place::named(format_args!("{} {} {number:02}", row.name, row.id))
    }
}

/// Lists who may do what, by name: a line for each role that somebody holds now. Who is bound to
/// projects is shown what holds in these.
#[utoipa::path(get, path = "/api/v1/access", tag = "tokens", params(Page, Which),
    responses((status = 200, description = "a page of roles that are held", body = List<AccessView>)))]
pub async fn list(
    State(state): State<ApiState>,
    Who(actor): Who,
    Asked { page, which }: Asked<Which>,
) -> Result<Listing<AccessView>, ApiError> {
    let project: Option<ProjectName> = match &which.project {
        Some(name) => Some(named("project", name)?),
        None => None,
    };
    let (seq, now) = (state.store().position().seq, state.now().wall);
    let sight = state.sight(&actor.grants);
    let mut held = Vec::new();
    for row in state.ops.tokens()? {
        if !row.is_live(now) || which.who.as_ref().is_some_and(|who| *who != row.name) {
            continue;
        }
        for (number, binding) in row.grants.0.iter().enumerate() {
            // Of what is seen: a project that is another's is in none.
            let meant = |seen: &Binding| project.as_ref().is_none_or(|name| seen.is_in(name));
            if let Some(binding) = sight.binding(binding).filter(meant) {
                let row = row.clone();
                held.push(Held {
                    row,
                    number,
                    binding,
                });
            }
        }
    }
    page.pick(held)?.try_show(seq, |held| {
        let Held { row, binding, .. } = held;
        Ok(AccessView {
            who: row.name.clone(),
            via: row.via().to_string(),
            role: binding.role,
            may: binding.rights().map(|right| right.to_string()).collect(),
            projects: binding.projects.iter().map(ToString::to_string).collect(),
            selector: binding.selector.as_ref().map(ToString::to_string),
            place: binding.place(),
            granted_by: row.created_by.clone(),
            granted_at: row.value.created,
            expires_at: row.expires,
            last_used_at: state.ops.last_use(&row.id)?,
        })
    })
}
