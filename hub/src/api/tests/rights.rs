//! Every route of the document against every role, over everything and bound to one project, in what is
//! theirs and in what is another's. A route without a row in the table fails.

pub(super) mod names;
mod table;

use std::{collections::BTreeSet, time::Duration};

use axum::http::{Method, StatusCode};
use futures::StreamExt as _;

use self::{
    names::{Names, id, plan, two_projects},
    table::{Over, TABLE},
};
use super::fixture::{Answer, Api};
use crate::{
    api::document,
    auth::{Access, Binding, Role, access, routes::ROUTES},
    records::{Stored, TokenRow, key},
    store::Txn,
};
use Over::{Cluster, Fleet, Open, Project, Seen};

/// Far longer than any of this takes.
const LONG: Duration = Duration::from_secs(20);

async fn ask(api: &Api, method: &str, path: &str, names: &Names, token: &str) -> Answer {
    let (method, url) = (method.parse::<Method>().unwrap(), names.url(path));
    if path.ends_with("/events") {
        return api.knock(&url, token).await;
    }
    if path == "/api/v1/plans" && method == Method::POST {
        return api.send_document(&url, token, &names.body(path), &[]).await;
    }
    let why = [("flagship-reason", "a test")];
    let body = match method {
        Method::POST => names.body(path),
        _ => String::new(),
    };
    api.ask(&method, &url, token, &body, &why).await
}

#[test]
fn the_document_the_table_of_rights_and_this_table_list_the_same_routes() {
    let document = document();
    let mut described = BTreeSet::from([("GET".to_owned(), "/api/v1/openapi.json".to_owned())]);
    for (path, item) in &document.paths.paths {
        for (method, operation) in [
            ("GET", &item.get),
            ("POST", &item.post),
            ("DELETE", &item.delete),
        ] {
            let Some(operation) = operation else { continue };
            described.insert((method.to_owned(), path.clone()));
            let asked = access(&method.parse().unwrap(), path);
            assert!(asked.is_some(), "{method} {path} is not in the table");
            let guarded = matches!(asked, Some(Access::Needs(..)));
            let responses = &operation.responses.responses;
            assert_eq!(responses.contains_key("401"), guarded, "{method} {path}");
        }
        assert!(item.put.is_none() && item.patch.is_none(), "{path}");
    }
    let pair = |method: &str, path: &str| (method.to_owned(), path.to_owned());
    let rights: BTreeSet<_> = ROUTES.iter().map(|(m, p, _)| pair(m, p)).collect();
    let mut tested: BTreeSet<_> = TABLE.iter().map(|(m, p, ..)| pair(m, p)).collect();
    tested.insert(pair("GET", "/api/v1/openapi.json"));
    assert_eq!(described, rights);
    assert_eq!(described, tested);
}

#[tokio::test]
async fn every_route_is_closed_to_who_brings_no_token_or_a_wrong_one() {
    let api = Api::new().await;
    for (method, path, over, _) in TABLE {
        let (method, url): (Method, _) = (method.parse().unwrap(), Names::missing().url(path));
        let bare = api.send(&method, &url, None, "", "").await;
        if *over == Open {
            assert_eq!(bare.status, StatusCode::OK, "{method} {path} is open");
            continue;
        }
        let wrong = api.send(&method, &url, Some("flagship_ab_c"), "", "").await;
        for answer in [bare, wrong] {
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
            assert_eq!(answer.problem().code, "auth.token");
        }
    }
}

#[tokio::test]
async fn every_role_over_everything_may_what_the_table_says() {
    let api = Api::new().await;
    let [shop, bank] = two_projects(&api).await;
    for role in Role::ALL {
        let token = api.token(role).await;
        for (method, path, over, who) in TABLE {
            if *over == Open {
                continue;
            }
            let may = who.split(' ').any(|word| word == role.to_string());
            for names in [&shop, &bank] {
                let answer = ask(&api, method, path, names, &token).await;
                let said = format!(
                    "{method} {path} as {role}: {} {}",
                    answer.status, answer.body
                );
                assert!(!answer.status.is_server_error(), "{said}");
                assert_eq!(answer.status != StatusCode::FORBIDDEN, may, "{said}");
                if !may {
                    assert_eq!(answer.problem().code, "auth.forbidden", "{said}");
                    let remedy = answer.problem().remedy.unwrap();
                    assert!(remedy.contains("with the role"), "{said}");
                }
            }
        }
    }
}

#[tokio::test]
async fn every_role_that_is_bound_to_a_project_may_nothing_and_sees_nothing_in_another() {
    let api = Api::new().await;
    let [shop, bank] = two_projects(&api).await;
    for role in Role::ALL {
        let binding = Binding {
            projects: vec!["shop".parse().unwrap()],
            ..Binding::of(role)
        };
        let token = api.token_of(binding).await;
        for (method, path, over, who) in TABLE {
            let may = who.split(' ').any(|word| word == role.to_string());
            let own = ask(&api, method, path, &shop, &token).await;
            let said = format!("{method} {path} as {role}: {} {}", own.status, own.body);
            assert!(!own.status.is_server_error(), "{said}");
            match over {
                Open => continue,
                Fleet => assert_eq!(own.status, StatusCode::FORBIDDEN, "{said}"),
                Cluster => assert_eq!(own.status == StatusCode::OK, *method == "GET", "{said}"),
                Seen => assert_eq!(own.status, StatusCode::OK, "{said}"),
                Project => {
                    let refused = own.status == StatusCode::FORBIDDEN;
                    assert_eq!(refused, !may, "{said}");
                    assert_ne!(own.status, StatusCode::NOT_FOUND, "{said}");
                }
            }
            tells_nothing_of(&bank, &api, (method, path, *over), &own, &token).await;
        }
    }
}

/// An answer names nothing of another project, and what is asked of that is answered like what is asked
/// of none.
async fn tells_nothing_of(
    bank: &Names,
    api: &Api,
    (method, path, over): (&str, &str, Over),
    own: &Answer,
    token: &str,
) {
    for secret in ["bank", "ledger"] {
        assert!(!own.body.contains(secret), "{method} {path}: {}", own.body);
    }
    if over == Project {
        let other = ask(api, method, path, bank, token).await;
        let none = ask(api, method, path, &Names::missing(), token).await;
        let said = format!("{method} {path}: {}", other.body);
        assert!(other.status.is_client_error(), "{said}");
        assert_eq!(other.status, none.status, "{said}");
        assert_eq!(bank.masked(&other.body), none.body, "{method} {path}");
    }
}

#[tokio::test]
async fn every_role_that_is_bound_to_labels_sees_nothing_of_what_has_others() {
    let api = Api::new().await;
    let [shop, bank] = two_projects(&api).await;
    for role in Role::ALL {
        let selector = serde_json::from_str(r#"{"matchLabels":{"team":"payments"}}"#);
        let binding = Binding {
            selector: Some(selector.unwrap()),
            ..Binding::of(role)
        };
        let token = api.token_of(binding).await;
        for (method, path, over, _) in TABLE {
            let own = ask(&api, method, path, &shop, &token).await;
            let said = format!("{method} {path} as {role}: {} {}", own.status, own.body);
            assert!(!own.status.is_server_error(), "{said}");
            match over {
                Open => continue,
                Fleet => assert_eq!(own.status, StatusCode::FORBIDDEN, "{said}"),
                Cluster => assert!(own.status.is_client_error(), "{said}"),
                Seen => assert_eq!(own.status, StatusCode::OK, "{said}"),
                Project => {}
            }
            tells_nothing_of(&bank, &api, (method, path, *over), &own, &token).await;
        }
    }
}

#[tokio::test]
async fn a_role_by_labels_holds_where_the_plan_has_them() {
    let api = Api::new().await;
    let [shop, _] = two_projects(&api).await;
    let of = async |label: &str| {
        let selector = format!(r#"{{"matchLabels":{{"team":"{label}"}}}}"#);
        let binding = Binding {
            selector: Some(serde_json::from_str(&selector).unwrap()),
            ..Binding::of(Role::Operator)
        };
        api.token_of(binding).await
    };
    let labelled = plan("shop", "checkout");
    let (theirs, others) = (of("payments").await, of("search").await);
    let path = "/api/v1/projects/{project}/plans/{name}";
    let seen = ask(&api, "GET", path, &shop, &theirs).await;
    assert_eq!(seen.status, StatusCode::OK, "{}", seen.body);
    for (method, path) in [("GET", path), ("DELETE", path)] {
        let hidden = ask(&api, method, path, &shop, &others).await;
        assert_eq!(hidden.status, StatusCode::NOT_FOUND, "{}", hidden.body);
    }
    let taken = labelled.replace("team: payments", "team: search");
    let refused = api
        .send_document("/api/v1/plans", &others, &taken, &[])
        .await;
    assert_eq!(
        refused.status,
        StatusCode::FORBIDDEN,
        "another's plan is not taken over"
    );
}

#[tokio::test]
async fn who_is_bound_to_a_project_stops_it_and_is_told_so_when_they_mean_the_fleet() {
    let api = Api::new().await;
    let [shop, _] = two_projects(&api).await;
    let binding = Binding {
        projects: vec!["shop".parse().unwrap()],
        ..Binding::of(Role::Responder)
    };
    let token = api.token_of(binding).await;
    let before = api.seq();
    for scope in [
        r#"{"kind":"fleet"}"#,
        r#"{"kind":"workload","of":"shop/Deployment/checkout"}"#,
        r#"{"kind":"selector","of":{"matchLabels":{"region":"eu"}}}"#,
    ] {
        let body = format!(r#"{{"scope":{scope}}}"#);
        for path in ["/api/v1/aborts", "/api/v1/freezes"] {
            let refused = api.post_with(path, &token, &body, &[]).await;
            assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.body);
            let problem = refused.problem();
            assert!(
                problem.detail.contains("may stop project shop"),
                "{problem:?}"
            );
            assert!(problem.remedy.unwrap().contains("project shop"));
        }
    }
    assert_eq!(api.seq(), before, "nothing was changed");
    let own = api
        .post_with("/api/v1/aborts", &token, &shop.scope(), &[])
        .await;
    assert_eq!(own.status, StatusCode::OK, "{}", own.body);
}

#[tokio::test]
async fn events_of_another_project_are_not_told_and_a_revoked_token_is_told_nothing_more() {
    let api = Api::new().await;
    let admin = api.token(Role::Admin).await;
    let binding = Binding {
        projects: vec!["shop".parse().unwrap()],
        ..Binding::of(Role::Viewer)
    };
    let token = api.token_of(binding).await;
    let from = api.seq();
    two_projects(&api).await;
    let body = r#"{"scope":{"kind":"fleet"}}"#;
    let last = id(&api.post_with("/api/v1/freezes", &admin, body, &[]).await);
    let told = told_until(&api, &token, from, &last).await;
    assert!(told.contains("shop/checkout-1"), "{told}");
    for secret in ["bank", "ledger"] {
        assert!(!told.contains(secret), "{told}");
    }
    let whole = told_until(&api, &admin, from, &last).await;
    assert!(whole.contains("bank/ledger-1"), "{whole}");
    let id = crate::auth::Presented::parse(&token).unwrap().id;
    let path = format!("/api/v1/tokens/{id}");
    let stream = api.open_events(&token, api.seq()).await;
    api.ask(&Method::DELETE, &path, &admin, "", &[]).await;
    // A viewer is told of it at once: who is revoked is not, though the stream did not end yet.
    api.post_with("/api/v1/freezes", &admin, body, &[]).await;
    let rest = tokio::time::timeout(LONG, stream.collect::<Vec<_>>()).await;
    assert!(rest.expect("the stream ends").is_empty());
}

#[tokio::test]
async fn the_events_of_a_token_end_soon_after_it_though_nothing_happens() {
    let api = Api::new().await;
    let token = api.token(Role::Viewer).await;
    let id = crate::auth::Presented::parse(&token).unwrap().id;
    let row: Stored<TokenRow> = api.read(&key::token(&id));
    let expires = Some(api.now() + Duration::from_secs(1));
    let row = TokenRow {
        expires,
        ..row.to_value()
    };
    api.commit(Txn::new().put(&row)).await;
    let stream = api.open_events(&token, api.seq()).await;
    let rest = tokio::time::timeout(LONG, stream.collect::<Vec<_>>()).await;
    rest.expect("the stream ends");
}

/// What is told from a sequence number on until something is.
async fn told_until(api: &Api, token: &str, from: u64, what: &str) -> String {
    let mut stream = api.open_events(token, from).await;
    let mut told = String::new();
    let reading = async {
        while !told.contains(what) {
            told += &stream.next().await.expect("the stream goes on");
        }
    };
    tokio::time::timeout(LONG, reading)
        .await
        .expect("all is told");
    told
}

#[tokio::test]
async fn access_says_who_may_do_what_and_names_no_project_of_others() {
    let api = Api::new().await;
    let names = |text: &[&str]| text.iter().map(|name| name.parse().unwrap()).collect();
    let of = |role, projects: &[&str]| Binding {
        projects: names(projects),
        ..Binding::of(role)
    };
    let admin = api.token(Role::Admin).await;
    let both = api.token_of(of(Role::Operator, &["shop", "bank"])).await;
    api.token_of(of(Role::Responder, &["bank"])).await;
    let viewer = api.token_of(of(Role::Viewer, &["shop"])).await;
    let whole = api.get("/api/v1/access", &admin).await;
    for text in [
        "test-admin",
        "projects shop, bank",
        "project bank",
        "test-viewer",
    ] {
        assert!(whole.contains(text), "{text}: {whole}");
    }
    let ask = async |query: &str| api.get(&format!("/api/v1/access{query}"), &viewer).await;
    let seen = ask("").await;
    assert!(
        seen.contains("test-admin") && seen.contains("test-operator"),
        "{seen}"
    );
    assert!(
        !seen.contains("bank") && !seen.contains("test-responder"),
        "{seen}"
    );
    let mask = |text: String| text.replace("bank", "nope");
    assert_eq!(
        mask(ask("?project=bank").await),
        mask(ask("?project=nope").await)
    );
    let of_shop = api
        .get("/api/v1/access?project=shop&who=test-operator", &both)
        .await;
    assert_eq!(of_shop.matches(r#""via":"#).count(), 1, "{of_shop}");
}
