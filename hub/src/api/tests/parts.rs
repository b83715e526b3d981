//! What is said where a version is taken back in a part of the fleet only.

use super::{
    fixture::Api,
    sight::{in_two_regions, json, stop},
};
use crate::{
    auth::Role,
    records::{RolloutRow, key},
    store::Txn,
};

#[tokio::test]
async fn where_a_version_is_taken_back_in_part_those_that_go_on_with_it_are_named() {
    let api = Api::new().await;
    in_two_regions(&api).await;
    let rollout = key::rollout(&"shop".parse().unwrap(), &"checkout-1".parse().unwrap());
    let mut row = api.read::<RolloutRow>(&rollout).to_value();
    row.state.phase = flagship_waves::RolloutPhase::Retreating;
    for cluster in row.state.clusters.values_mut() {
        cluster.phase = flagship_waves::ClusterPhase::Done;
    }
    api.commit(Txn::new().put(&row)).await;
    let token = api.token(Role::Responder).await;
    let back = stop("eu").replacen('{', r#"{"mode":"RetreatDone","#, 1);
    let abort = json(
        &api.post_with("/api/v1/aborts", &token, &back, &[])
            .await
            .body,
    );
    assert_eq!(abort["heldWith"][0]["cluster"], "us-1", "{abort}");
    assert_eq!(abort["heldWith"][0]["done"], true, "{abort}");
    let hold = stop("eu").replacen('{', r#"{"mode":"Hold","#, 1);
    let abort = json(
        &api.post_with("/api/v1/aborts", &token, &hold, &[])
            .await
            .body,
    );
    assert!(
        abort["heldWith"].is_null(),
        "it takes nothing back: {abort}"
    );
}
