//! The table of routes: which right each needs. A route that is not in it is refused.

use http::Method;

use super::Right;

/// What a route asks of the one who calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Nothing: the route tells nothing that is not public.
    Open,
    /// A caller who has this right.
    Needs(Right, On),
}

/// Over what the right has to be held for the route to be entered at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// Over some part of it. What is meant is in the body, under an id, or everything that the caller may
    /// see: who reads it decides. A `{project}` of the path is looked at first, where something is
    /// read; who changes something in it names what is looked at.
    Part,
    /// Over the whole fleet.
    Fleet,
}

use Access::{Needs, Open};
use On::{Fleet, Part};
use Right::{Administer, Approve, Lift, Ship, Stop, Unfreeze, View};

/// (method, path as the router knows it, what it asks for). One row a route, in the router's order.
#[rustfmt::skip]
pub const ROUTES: &[(&str, &str, Access)] = &[
    ("GET", "/healthz", Open),
    ("GET", "/readyz", Open),
    ("GET", "/metrics", Needs(View, Fleet)),
    ("GET", "/api/v1/openapi.json", Open),
    ("GET", "/api/v1/whoami", Needs(View, Part)),
    ("GET", "/api/v1/status", Needs(View, Part)),
    ("GET", "/api/v1/settings", Needs(View, Fleet)),
    ("GET", "/api/v1/events", Needs(View, Part)),
    ("GET", "/api/v1/projects", Needs(View, Part)),
    ("GET", "/api/v1/projects/{project}", Needs(View, Part)),
    ("GET", "/api/v1/plans", Needs(View, Part)),
    ("POST", "/api/v1/plans", Needs(Ship, Part)),
    ("GET", "/api/v1/projects/{project}/plans/{name}", Needs(View, Part)),
    ("DELETE", "/api/v1/projects/{project}/plans/{name}", Needs(Ship, Part)),
    ("POST", "/api/v1/projects/{project}/plans/{name}/start", Needs(Ship, Part)),
    ("GET", "/api/v1/rollouts", Needs(View, Part)),
    ("GET", "/api/v1/projects/{project}/rollouts/{id}", Needs(View, Part)),
    ("GET", "/api/v1/projects/{project}/rollouts/{id}/history", Needs(View, Part)),
    ("POST", "/api/v1/projects/{project}/rollouts/{id}/pause", Needs(Stop, Part)),
    ("POST", "/api/v1/projects/{project}/rollouts/{id}/resume", Needs(Ship, Part)),
    ("POST", "/api/v1/projects/{project}/rollouts/{id}/retreat", Needs(Stop, Part)),
    ("POST", "/api/v1/projects/{project}/rollouts/{id}/retry", Needs(Ship, Part)),
    ("POST", "/api/v1/projects/{project}/rollouts/{id}/accept", Needs(Ship, Part)),
    ("GET", "/api/v1/clusters", Needs(View, Part)),
    ("GET", "/api/v1/clusters/{name}", Needs(View, Part)),
    ("DELETE", "/api/v1/clusters/{name}", Needs(Administer, Part)),
    ("POST", "/api/v1/clusters/{name}/approve", Needs(Approve, Part)),
    ("POST", "/api/v1/clusters/{name}/release", Needs(Lift, Part)),
    ("GET", "/api/v1/aborts", Needs(View, Part)),
    ("POST", "/api/v1/aborts", Needs(Stop, Part)),
    ("GET", "/api/v1/aborts/{id}", Needs(View, Part)),
    ("GET", "/api/v1/aborts/{id}/receipts", Needs(View, Part)),
    ("POST", "/api/v1/aborts/{id}/lift", Needs(Lift, Part)),
    ("GET", "/api/v1/abort-scopes", Needs(View, Part)),
    ("POST", "/api/v1/abort-preview", Needs(View, Part)),
    ("GET", "/api/v1/freezes", Needs(View, Part)),
    ("POST", "/api/v1/freezes", Needs(Stop, Part)),
    ("GET", "/api/v1/freezes/{id}", Needs(View, Part)),
    ("POST", "/api/v1/freezes/{id}/end", Needs(Unfreeze, Part)),
    ("GET", "/api/v1/banners", Needs(View, Part)),
    ("GET", "/api/v1/access", Needs(View, Part)),
    ("GET", "/api/v1/tokens", Needs(Administer, Fleet)),
    ("POST", "/api/v1/tokens", Needs(Administer, Fleet)),
    ("GET", "/api/v1/tokens/{id}", Needs(Administer, Fleet)),
    ("DELETE", "/api/v1/tokens/{id}", Needs(Administer, Fleet)),
    ("GET", "/api/v1/enrol-tokens", Needs(Administer, Fleet)),
    ("POST", "/api/v1/enrol-tokens", Needs(Administer, Fleet)),
    ("GET", "/api/v1/enrol-tokens/{id}", Needs(Administer, Fleet)),
    ("DELETE", "/api/v1/enrol-tokens/{id}", Needs(Administer, Fleet)),
    ("GET", "/api/v1/notices", Needs(View, Fleet)),
    ("GET", "/api/v1/notify-channels", Needs(View, Fleet)),
    ("POST", "/api/v1/notify-channels/{name}/test", Needs(Administer, Fleet)),
    ("GET", "/api/v1/audit", Needs(View, Part)),
    ("GET", "/api/v1/audit/verify", Needs(View, Fleet)),
    ("GET", "/api/v1/audit/export", Needs(View, Fleet)),
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
