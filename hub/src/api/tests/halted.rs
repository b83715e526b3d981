//! What a person is told, and refused, while a hub gives no orders, or none to members whom nobody confirmed.

use axum::http::StatusCode;
use serde_json::Value;

use super::{fixture::Api, serving::half_way};
use crate::{
    auth::Role,
    records::{ClusterRow, SeenRow, key},
    store::Txn,
};

fn kinds(body: &str) -> Vec<String> {
    let view: Value = serde_json::from_str(body).unwrap();
    let banners = view["banners"].as_array().unwrap().iter();
    let kinds = banners.map(|banner| banner["kind"].as_str().unwrap().to_owned());
    kinds.collect()
}

#[tokio::test]
async fn p22_a_hub_that_gives_no_orders_starts_nothing_and_says_so_over_every_rollout() {
    let api = Api::new().await;
    let token = api.token(Role::Admin).await;
    half_way(&api, &token).await;
    let seen = SeenRow {
        epoch: 7,
        why: "cluster us-1 holds a signed order of epoch 7".to_owned(),
        at: api.now(),
        ..SeenRow::default()
    };
    api.commit(Txn::new().put(&seen)).await;
    let halted = api.reopened();
    let of_one = "/api/v1/projects/shop/rollouts/checkout-1";
    assert_eq!(kinds(&halted.get(of_one, &token).await), ["behind"]);
    let start = "/api/v1/projects/shop/plans/checkout/start";
    for (path, body) in [
        (start.to_owned(), r#"{"toVersion":"1.2.0"}"#),
        (format!("{of_one}/resume"), "{}"),
        (format!("{of_one}/retry"), "{}"),
    ] {
        let refused = halted.post_with(&path, &token, body, &[]).await;
        assert_eq!(refused.status, StatusCode::CONFLICT, "{path}: {refused:?}");
        assert_eq!(refused.problem().code, "hub.behind", "{path}");
    }
    for verb in ["pause", "retreat"] {
        let path = format!("{of_one}/{verb}");
        let reason = [("flagship-reason", "errors")];
        let taken = halted.post_with(&path, &token, "{}", &reason).await;
        assert_eq!(taken.status, StatusCode::OK, "{verb}: {taken:?}");
    }
    assert!(kinds(&api.get(of_one, &token).await).is_empty());
}

#[tokio::test]
async fn p22_over_a_rollout_whose_clusters_nobody_confirmed_that_is_said_and_in_its_place_too() {
    let api = Api::new().await;
    let token = api.token(Role::Admin).await;
    half_way(&api, &token).await;
    let us = key::cluster(&"us-1".parse().unwrap());
    let mut row = api.read::<ClusterRow>(&us).to_value();
    row.unconfirmed = Some(api.now());
    api.commit(Txn::new().put(&row)).await;
    let of_one = "/api/v1/projects/shop/rollouts/checkout-1";
    assert_eq!(kinds(&api.get(of_one, &token).await), ["unconfirmed"]);
}
