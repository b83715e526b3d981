//! The table of routes: which right each needs. A route that is not in it is refused.

use http::Method;

use super::Right;

/// What a route asks of the one who calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing: the route tells nothing that is not public.
    Open,
    /// A token whose role has this right.
    Needs(Right),
}

use Access::{Needs, Open};
use Right::{Administer, Lift, Ship, Stop, Unfreeze, View};

/// (method, path as the router knows it, what it asks for). One row a route, in the router's order.
#[rustfmt::skip]
pub const ROUTES: &[(&str, &str, Access)] = &[
    ("GET", "/healthz", Open),
    ("GET", "/readyz", Open),
    ("GET", "/metrics", Needs(View)),
    ("GET", "/api/v1/openapi.json", Open),
    ("GET", "/api/v1/whoami", Needs(View)),
    ("GET", "/api/v1/status", Needs(View)),
    ("GET", "/api/v1/settings", Needs(View)),
    ("GET", "/api/v1/events", Needs(View)),
    ("GET", "/api/v1/projects", Needs(View)),
    ("GET", "/api/v1/projects/{project}", Needs(View)),
    ("GET", "/api/v1/plans", Needs(View)),
    ("POST", "/api/v1/plans", Needs(Ship)),
    ("GET", "/api/v1/projects/{project}/plans/{name}", Needs(View)),
    ("DELETE", "/api/v1/projects/{project}/plans/{name}", Needs(Ship)),
    ("POST", "/api/v1/projects/{project}/plans/{name}/start", Needs(Ship)),
    ("GET", "/api/v1/rollouts", Needs(View)),
    ("GET", "/api/v1/projects/{project}/rollouts/{id}", Needs(View)),
    ("GET", "/api/v1/projects/{project}/rollouts/{id}/history", Needs(View)),
    ("POST", "/api/v1/projects/{project}/rollouts/{id}/pause", Needs(Stop)),
    ("POST", "/api/v1/projects/{project}/rollouts/{id}/resume", Needs(Ship)),
    ("POST", "/api/v1/projects/{project}/rollouts/{id}/retreat", Needs(Stop)),
    ("POST", "/api/v1/projects/{project}/rollouts/{id}/retry", Needs(Ship)),
    ("POST", "/api/v1/projects/{project}/rollouts/{id}/accept", Needs(Ship)),
    ("GET", "/api/v1/clusters", Needs(View)),
    ("GET", "/api/v1/clusters/{name}", Needs(View)),
    ("DELETE", "/api/v1/clusters/{name}", Needs(Administer)),
    ("POST", "/api/v1/clusters/{name}/approve", Needs(Administer)),
    ("POST", "/api/v1/clusters/{name}/release", Needs(Lift)),
    ("GET", "/api/v1/aborts", Needs(View)),
    ("POST", "/api/v1/aborts", Needs(Stop)),
    ("GET", "/api/v1/aborts/{id}", Needs(View)),
    ("GET", "/api/v1/aborts/{id}/receipts", Needs(View)),
    ("POST", "/api/v1/aborts/{id}/lift", Needs(Lift)),
    ("GET", "/api/v1/abort-scopes", Needs(View)),
    ("POST", "/api/v1/abort-preview", Needs(View)),
    ("GET", "/api/v1/freezes", Needs(View)),
    ("POST", "/api/v1/freezes", Needs(Stop)),
    ("GET", "/api/v1/freezes/{id}", Needs(View)),
    ("POST", "/api/v1/freezes/{id}/end", Needs(Unfreeze)),
    ("GET", "/api/v1/banners", Needs(View)),
    ("GET", "/api/v1/tokens", Needs(Administer)),
    ("POST", "/api/v1/tokens", Needs(Administer)),
    ("GET", "/api/v1/tokens/{id}", Needs(Administer)),
    ("DELETE", "/api/v1/tokens/{id}", Needs(Administer)),
    ("GET", "/api/v1/enrol-tokens", Needs(Administer)),
    ("POST", "/api/v1/enrol-tokens", Needs(Administer)),
    ("GET", "/api/v1/enrol-tokens/{id}", Needs(Administer)),
    ("DELETE", "/api/v1/enrol-tokens/{id}", Needs(Administer)),
    ("GET", "/api/v1/notices", Needs(View)),
    ("GET", "/api/v1/notify-channels", Needs(View)),
    ("POST", "/api/v1/notify-channels/{name}/test", Needs(Administer)),
    ("GET", "/api/v1/audit", Needs(View)),
    ("GET", "/api/v1/audit/verify", Needs(View)),
    ("GET", "/api/v1/audit/export", Needs(View)),
];

/// What a route asks for; none if the table does not know it. `HEAD` asks what `GET` asks.
pub fn access(method: &Method, path: &str) -> Option<Access> {
    let method = if *method == Method::HEAD {
        "GET"
    } else {
        method.as_str()
    };
    ROUTES
        .iter()
        .find(|(known, route, _)| *known == method && *route == path)
        .map(|(_, _, access)| *access)
}
