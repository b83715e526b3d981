//! Two projects on one fleet, and the names of what is in each.

use axum::http::StatusCode;
use flagship_proto::model::InventoryWorkload;

use super::super::fixture::{Answer, Api};
use crate::{
    auth::Role,
    records::{ClusterRow, key},
    store::Txn,
};

/// The names of one project, or of one that is not there.
pub(in super::super) struct Names {
    project: String,
    plan: String,
    rollout: String,
    abort: String,
    freeze: String,
}

impl Names {
    pub(super) fn missing() -> Self {
        Self {
            project: "nope".to_owned(),
            plan: "nothing".to_owned(),
            rollout: "nothing-1".to_owned(),
            abort: "a-none".to_owned(),
            freeze: "f-none".to_owned(),
        }
    }

    pub(super) fn url(&self, path: &str) -> String {
        let id = if path.contains("/rollouts/") {
            &self.rollout
        } else if path.contains("/aborts/") {
            &self.abort
        } else if path.contains("/freezes/") {
            &self.freeze
        } else {
            "x-1"
        };
        let name = if path.contains("/plans/") {
            &self.plan
        } else {
            "eu-1"
        };
        path.replace("{project}", &self.project)
            .replace("{name}", name)
            .replace("{id}", id)
    }

    pub(super) fn scope(&self) -> String {
        let project = &self.project;
        format!(r#"{{"scope":{{"kind":"project","of":"{project}"}}}}"#)
    }

    /// A valid body, so that what it names is looked at.
    pub(super) fn body(&self, path: &str) -> String {
        match path {
            "/api/v1/plans" if self.project == "shop" => plan(&self.project, &self.plan),
            "/api/v1/plans" => of_search(plan(&self.project, &self.plan)),
            "/api/v1/aborts" | "/api/v1/freezes" | "/api/v1/abort-preview" => self.scope(),
            "/api/v1/clusters/{name}/release" => r#"{"workload":"checkout"}"#.to_owned(),
            "/api/v1/projects/{project}/plans/{name}/start" => {
                r#"{"toVersion":"9.9.9"}"#.to_owned()
            }
            _ => "{}".to_owned(),
        }
    }

    /// An answer in which names of this project stand as those of one that is not there.
    pub(super) fn masked(&self, text: &str) -> String {
        let none = Self::missing();
        text.replace(&self.rollout, &none.rollout)
            .replace(&self.plan, &none.plan)
            .replace(&self.project, &none.project)
            .replace(&self.abort, &none.abort)
            .replace(&self.freeze, &none.freeze)
    }
}

pub(super) fn plan(project: &str, name: &str) -> String {
    include_str!("../../../../../deploy/example/plan.yaml")
        .replace("project: shop", &format!("project: {project}"))
        .replace("name: checkout", &format!("name: {name}"))
}

/// A plan of another team.
fn of_search(plan: String) -> String {
    plan.replace("team: payments", "team: search")
}

/// A fleet on which two projects of two teams each have a plan, a rollout, an abort and a freeze.
pub(in super::super) async fn two_projects(api: &Api) -> [Names; 2] {
    api.members().await;
    for name in ["pilot-1", "eu-1", "us-1"] {
        let row = api.read::<ClusterRow>(&key::cluster(&name.parse().unwrap()));
        let mut next = row.to_value();
        next.inventory.workloads.push(InventoryWorkload {
            workload: "shop/Deployment/ledger".parse().unwrap(),
            version: Some("1.0.0".to_owned()),
            digest: None,
            initial: None,
        });
        api.commit(Txn::new().put(&next)).await;
    }
    let admin = api.token(Role::Admin).await;
    let mut made = Vec::new();
    for (project, plan_name) in [("shop", "checkout"), ("bank", "ledger")] {
        let mut names = Names {
            project: project.to_owned(),
            plan: plan_name.to_owned(),
            ..Names::missing()
        };
        let text = plan(project, plan_name);
        let text = if project == "bank" {
            of_search(text)
        } else {
            text
        };
        let answer = api.send_document("/api/v1/plans", &admin, &text, &[]).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
        let path = format!("/api/v1/projects/{project}/plans/{plan_name}/start");
        names.rollout = id(&api
            .post_with(&path, &admin, r#"{"toVersion":"2.0.0"}"#, &[])
            .await);
        let scope = names.scope();
        names.abort = id(&api.post_with("/api/v1/aborts", &admin, &scope, &[]).await);
        names.freeze = id(&api.post_with("/api/v1/freezes", &admin, &scope, &[]).await);
        made.push(names);
    }
    made.try_into().unwrap_or_else(|_| panic!("two projects"))
}

pub(in super::super) fn id(answer: &Answer) -> String {
    let json: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    let id = json["id"].as_str();
    id.unwrap_or_else(|| panic!("no id in {}", answer.body))
        .to_owned()
}
