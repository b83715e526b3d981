//! The page as it is served, and the headers that every answer has.

use axum::http::{Method, StatusCode};

use super::fixture::{Answer, Api};
use crate::auth::Role;

async fn get(api: &Api, path: &str, token: Option<&str>) -> Answer {
    api.send(&Method::GET, path, token, "", "").await
}

fn says<'a>(answer: &'a Answer, header: &str) -> &'a str {
    let value = answer.headers.get(header);
    value.map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn the_page_is_served_to_everybody_under_a_policy_that_lets_nothing_else_run() {
    let api = Api::new().await;
    for (path, kind) in [
        ("/", "text/html; charset=utf-8"),
        ("/ui/main.js", "text/javascript; charset=utf-8"),
        ("/ui/page.css", "text/css; charset=utf-8"),
        ("/ui/icon.svg", "image/svg+xml"),
    ] {
        let answer = get(&api, path, None).await;
        assert_eq!(answer.status, StatusCode::OK, "{path}");
        assert_eq!(answer.kind, kind, "{path}");
        let policy = says(&answer, "content-security-policy");
        for directive in [
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "connect-src 'self'",
            "img-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
            "require-trusted-types-for 'script'",
        ] {
            let mut directives = policy.split("; ");
            assert!(directives.any(|has| has == directive), "{path}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
    }
    let page = get(&api, "/", None).await.body;
    let version = format!("content=\"{}\"", env!("CARGO_PKG_VERSION"));
    assert!(page.contains(&version), "{page}");
    for nothing in ["/ui/", "/ui/none.js", "/ui/..%2Fui.rs", "/index.html"] {
        let answer = get(&api, nothing, None).await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{nothing}");
        assert_eq!(answer.problem().code, "route.notFound", "{nothing}");
    }
}

#[tokio::test]
async fn every_answer_stays_out_of_caches_frames_and_other_sites() {
    let api = Api::new().await;
    let token = api.token(Role::Viewer).await;
    for (path, token, status) in [
        ("/", None, 200),
        ("/ui/none.js", None, 404),
        ("/healthz", None, 200),
        ("/api/v1/status", Some(token.as_str()), 200),
        ("/api/v1/status", None, 401),
        ("/api/v1/tokens", Some(token.as_str()), 403),
        ("/nothing", None, 404),
    ] {
        let answer = get(&api, path, token).await;
        assert_eq!(answer.status.as_u16(), status, "{path}");
        for (header, value) in [
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(says(&answer, header), value, "{path}: {header}");
        }
        let policy = says(&answer, "content-security-policy");
        assert!(policy.starts_with("default-src 'none'"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}");
        assert!(answer.headers.get("access-control-allow-origin").is_none());
        assert!(answer.headers.get("set-cookie").is_none(), "{path}");
    }
}

#[tokio::test]
async fn who_asks_is_told_every_right_of_the_role_and_scopes_can_be_sent_back() {
    let api = Api::new().await;
    api.members().await;
    for role in Role::ALL {
        let token = api.token(role).await;
        let who: serde_json::Value =
            serde_json::from_str(&api.get("/api/v1/whoami", &token).await).unwrap();
        let rights = who["bindings"][0]["rights"].clone();
        let rights: Vec<String> = serde_json::from_value(rights).unwrap();
        let all: Vec<String> = role.rights().iter().map(ToString::to_string).collect();
        assert_eq!(rights, all, "{role}");
    }
    let token = api.token(Role::Viewer).await;
    let list: serde_json::Value =
        serde_json::from_str(&api.get("/api/v1/abort-scopes", &token).await).unwrap();
    let scopes = list["items"].as_array().unwrap();
    assert!(scopes.len() > 2, "{list}");
    for scope in scopes {
        let body = serde_json::json!({"scope": scope["scopeOf"]}).to_string();
        let answer = api
            .post_with("/api/v1/abort-preview", &token, &body, &[])
            .await;
        assert_eq!(answer.status, StatusCode::OK, "{scope}: {}", answer.body);
        assert!(
            answer.body.contains(scope["scope"].as_str().unwrap()),
            "{scope}: {}",
            answer.body
        );
    }
}
