//! The REST API under `/api/v1`: one file a resource; `types` are the JSON shapes, `view` makes them
//! from rows, `auth` says who may call what.
//!
//! Everything that changes something goes through [`crate::ops`]; reads come from the store's
//! memory and from the fleet's presence. Errors are RFC 9457 problem documents.

pub mod aborts;
pub mod access;
pub mod again;
mod attended;
pub mod audit;
pub mod body;
pub mod caller;
pub mod clusters;
pub mod costs;
pub mod error;
pub mod events;
pub mod freezes;
pub mod head;
pub mod health;
pub mod listed;
pub mod metrics;
pub mod notices;
mod offered;
pub mod openapi;
pub mod page;
pub mod parameters;
pub mod place;
pub mod plans;
pub mod projects;
pub mod rollouts;
pub mod scopes;
pub mod select;
pub mod settings;
pub mod sight;
pub mod status;
pub mod tag;
pub mod tokens;
pub mod turns;
pub mod types;
pub mod view;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use axum::{
    Router,
    extract::{DefaultBodyLimit, Path},
    http::Uri,
    middleware,
    response::Response,
    routing::get,
};
use flagship_proto::{digest::Digest, model::Tick, tls::PeopleCa};
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;
use utoipa_axum::{router::OpenApiRouter, routes};

use self::error::ApiError;
use crate::{fleet::FleetHandle, notify::Notifier, ops::Ops, store::Store, ui};

/// What every route works with.
#[derive(Debug, Clone)]
pub struct ApiState {
    /// What people cause.
    pub ops: Ops,
    /// Who is connected, and the clock.
    pub fleet: FleetHandle,
    /// SHA-256 of the CA certificate's DER, for enrolment tokens.
    pub ca_hash: Digest,
    /// Who is told what, if anybody.
    pub notifier: Option<Notifier>,
    /// Whose certificates let people in, if anybody's.
    pub people: Option<Arc<PeopleCa>>,
    /// What callers may cost.
    pub costs: Arc<costs::Costs>,
    /// What is counted, and who may see it.
    pub metrics: metrics::Metrics,
    /// With which settings the hub runs.
    pub settings: Arc<types::SettingsView>,
    /// Ends event streams, so that a hub that drains does not wait for them.
    pub stop: CancellationToken,
}

impl ApiState {
    /// The store, for reading.
    pub fn store(&self) -> &Store {
        self.ops.store()
    }

    /// This moment.
    pub fn now(&self) -> Tick {
        self.fleet.now()
    }
}

/// All routes, with authentication, limits and problem documents.
pub fn router(state: ApiState) -> Router {
    let (routes, document) = parts();
    let document = openapi::finish(document);
    routes
        .route("/api/v1/openapi.json", get(openapi::serve))
        .layer(axum::Extension(openapi::Served::new(&document)))
        .route_layer(middleware::from_fn_with_state(state.clone(), again::answer))
        .route_layer(middleware::from_fn_with_state(state.clone(), caller::look))
        .route_layer(middleware::from_fn_with_state(state.clone(), turns::take))
        .route_layer(middleware::from_fn_with_state(
            parameters::Parameters::of(&document),
            parameters::check,
        ))
        .route_layer(middleware::from_fn_with_state(
            state.clone(),
            caller::authenticate,
        ))
        .route_layer(middleware::from_fn_with_state(
            state.clone(),
            metrics::count,
        ))
        // The page is the same for everybody, and tells nothing.
        .route("/", get(async || ui::page()))
        .route("/ui/{file}", get(page_file))
        .fallback(error::no_such_route)
        .method_not_allowed_fallback(error::no_such_method)
        .layer(DefaultBodyLimit::max(turns::LARGE_BODY))
        .layer(middleware::from_fn(head::check))
        .layer(middleware::from_fn(error::guard_headers))
        .with_state(state)
}

async fn page_file(uri: Uri, Path(file): Path<String>) -> Result<Response, ApiError> {
    match ui::file(&file) {
        Some(file) => Ok(file),
        None => Err(error::no_such_route(uri).await),
    }
}

/// The document that describes every route.
pub fn document() -> OpenApi {
    openapi::finish(parts().1)
}

fn parts() -> (Router<ApiState>, OpenApi) {
    OpenApiRouter::with_openapi(openapi::base())
        .routes(routes!(health::alive))
        .routes(routes!(health::ready))
        .routes(routes!(metrics::metrics))
        .routes(routes!(status::whoami))
        .routes(routes!(status::status))
        .routes(routes!(settings::settings))
        .routes(routes!(events::events))
        .routes(routes!(projects::list))
        .routes(routes!(projects::get))
        .routes(routes!(plans::list, plans::apply))
        .routes(routes!(plans::get, plans::remove))
        .routes(routes!(rollouts::start))
        .routes(routes!(rollouts::list))
        .routes(routes!(rollouts::get))
        .routes(routes!(rollouts::history))
        .routes(routes!(rollouts::pause))
        .routes(routes!(rollouts::resume))
        .routes(routes!(rollouts::retreat))
        .routes(routes!(rollouts::retry))
        .routes(routes!(rollouts::accept))
        .routes(routes!(clusters::list))
        .routes(routes!(clusters::get, clusters::remove))
        .routes(routes!(clusters::approve))
        .routes(routes!(clusters::release))
        .routes(routes!(aborts::list, aborts::create))
        .routes(routes!(aborts::get))
        .routes(routes!(aborts::receipts))
        .routes(routes!(aborts::lift))
        .routes(routes!(scopes::scopes))
        .routes(routes!(scopes::preview))
        .routes(routes!(freezes::list, freezes::create))
        .routes(routes!(freezes::get))
        .routes(routes!(freezes::end))
        .routes(routes!(status::banners))
        .routes(routes!(access::list))
        .routes(routes!(tokens::list, tokens::create))
        .routes(routes!(tokens::get, tokens::revoke))
        .routes(routes!(tokens::list_enrol, tokens::create_enrol))
        .routes(routes!(tokens::get_enrol, tokens::revoke_enrol))
        .routes(routes!(notices::list))
        .routes(routes!(notices::channels))
        .routes(routes!(notices::test))
        .routes(routes!(audit::list))
        .routes(routes!(audit::verify))
        .routes(routes!(audit::export))
        .split_for_parts()
}
