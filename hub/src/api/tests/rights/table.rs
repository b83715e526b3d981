//! Every route of the document: over what it acts, and which roles may. Written by hand, apart from the
//! table that decides.

/// Over what a route acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Over {
    /// Nothing that is not public.
    Open,
    /// The fleet: who is bound to a project is refused.
    Fleet,
    /// Whatever the caller may see: the answer is cut.
    Seen,
    /// Something in a project.
    Project,
    /// A cluster, which all projects share: read by all, changed by nobody who is bound to one.
    Cluster,
}

use Over::{Cluster, Fleet, Open, Project, Seen};

const ALL: &str = "viewer responder operator approver admin";
const STOPS: &str = "responder operator admin";
const SHIPS: &str = "operator admin";
const ADMIN: &str = "admin";

/// (method, path, over what, who may).
#[rustfmt::skip]
pub(super) const TABLE: &[(&str, &str, Over, &str)] = &[
    ("GET", "/healthz", Open, ""),
    ("GET", "/readyz", Open, ""),
    ("GET", "/metrics", Fleet, ALL),
    ("GET", "/api/v1/whoami", Seen, ALL),
    ("GET", "/api/v1/status", Seen, ALL),
    ("GET", "/api/v1/settings", Fleet, ALL),
    ("GET", "/api/v1/events", Seen, ALL),
    ("GET", "/api/v1/projects", Seen, ALL),
    ("GET", "/api/v1/projects/{project}", Project, ALL),
    ("GET", "/api/v1/plans", Seen, ALL),
    ("POST", "/api/v1/plans", Project, SHIPS),
    ("GET", "/api/v1/projects/{project}/plans/{name}", Project, ALL),
    ("DELETE", "/api/v1/projects/{project}/plans/{name}", Project, SHIPS),
    ("POST", "/api/v1/projects/{project}/plans/{name}/start", Project, SHIPS),
    ("GET", "/api/v1/rollouts", Seen, ALL),
    ("GET", "/api/v1/projects/{project}/rollouts/{id}", Project, ALL),
    ("GET", "/api/v1/projects/{project}/rollouts/{id}/history", Project, ALL),
    ("POST", "/api/v1/projects/{project}/rollouts/{id}/pause", Project, STOPS),
    ("POST", "/api/v1/projects/{project}/rollouts/{id}/resume", Project, SHIPS),
    ("POST", "/api/v1/projects/{project}/rollouts/{id}/retreat", Project, STOPS),
    ("POST", "/api/v1/projects/{project}/rollouts/{id}/retry", Project, SHIPS),
    ("POST", "/api/v1/projects/{project}/rollouts/{id}/accept", Project, SHIPS),
    ("GET", "/api/v1/clusters", Seen, ALL),
    ("GET", "/api/v1/clusters/{name}", Cluster, ALL),
    ("DELETE", "/api/v1/clusters/{name}", Cluster, ADMIN),
    ("POST", "/api/v1/clusters/{name}/approve", Cluster, "approver admin"),
    ("POST", "/api/v1/clusters/{name}/release", Cluster, ADMIN),
    ("GET", "/api/v1/aborts", Seen, ALL),
    ("POST", "/api/v1/aborts", Project, STOPS),
    ("GET", "/api/v1/aborts/{id}", Project, ALL),
    ("GET", "/api/v1/aborts/{id}/receipts", Project, ALL),
    ("POST", "/api/v1/aborts/{id}/lift", Project, ADMIN),
    ("GET", "/api/v1/abort-scopes", Seen, ALL),
    ("POST", "/api/v1/abort-preview", Project, ALL),
    ("GET", "/api/v1/freezes", Seen, ALL),
    ("POST", "/api/v1/freezes", Project, STOPS),
    ("GET", "/api/v1/freezes/{id}", Project, ALL),
    ("POST", "/api/v1/freezes/{id}/end", Project, ADMIN),
    ("GET", "/api/v1/banners", Seen, ALL),
    ("GET", "/api/v1/access", Seen, ALL),
    ("GET", "/api/v1/tokens", Fleet, ADMIN),
    ("POST", "/api/v1/tokens", Fleet, ADMIN),
    ("GET", "/api/v1/tokens/{id}", Fleet, ADMIN),
    ("DELETE", "/api/v1/tokens/{id}", Fleet, ADMIN),
    ("GET", "/api/v1/enrol-tokens", Fleet, ADMIN),
    ("POST", "/api/v1/enrol-tokens", Fleet, ADMIN),
    ("GET", "/api/v1/enrol-tokens/{id}", Fleet, ADMIN),
    ("DELETE", "/api/v1/enrol-tokens/{id}", Fleet, ADMIN),
    ("GET", "/api/v1/notices", Fleet, ALL),
    ("GET", "/api/v1/notify-channels", Fleet, ALL),
    ("POST", "/api/v1/notify-channels/{name}/test", Fleet, ADMIN),
    ("GET", "/api/v1/audit", Seen, ALL),
    ("GET", "/api/v1/audit/verify", Fleet, ALL),
    ("GET", "/api/v1/audit/export", Fleet, ALL),
];
