//! What is said of who catches up with a rollout that has ended, and of one that another has taken over.

use flagship_proto::model::{ClusterUid, ReturnTo};
use flagship_waves::{CatchUp, ClusterPhase, ClusterState, RolloutPhase};
use serde_json::Value;

use super::standing::{alter, first, planned, start};
use crate::auth::Grants;

#[tokio::test]
async fn who_catches_up_with_a_rollout_that_succeeded_is_in_the_status() {
    let (api, token) = planned().await;
    start(&api, &token, "1.1.0").await;
    for (is_late, shown) in [(false, false), (true, true)] {
        alter(&api, |row| {
            row.state.phase = RolloutPhase::Succeeded;
            row.state.ended = Some(row.started);
            let mut late = ClusterState::waiting("us-9".parse().unwrap(), 0, row.started);
            late.phase = if is_late {
                ClusterPhase::Ordered
            } else {
                ClusterPhase::Done
            };
            row.state.clusters.insert("uid-us-9".parse().unwrap(), late);
        })
        .await;
        let status: Value = serde_json::from_str(&api.get("/api/v1/status", &token).await).unwrap();
        let rollouts = status["rollouts"].as_array().unwrap();
        assert_eq!(rollouts.len(), usize::from(shown), "{status}");
        for rollout in rollouts {
            let why = &rollout["why"]["message"];
            assert_eq!(
                why, "it has succeeded; us-9 catching up with it",
                "{rollout}"
            );
        }
    }
    // Who was skipped is in the lane in that phase.
    alter(&api, |row| {
        let uid: ClusterUid = "uid-us-9".parse().unwrap();
        let reason = "joined after wave pilot had started".to_owned();
        row.state.clusters.get_mut(&uid).unwrap().phase = ClusterPhase::Skipped { reason };
        row.state.catch_up = Some(CatchUp {
            uid,
            change: row.change.clone(),
            attempt: 2,
            return_to: ReturnTo::LastPromoted,
            since: row.started,
        });
    })
    .await;
    let status = api.get("/api/v1/status", &token).await;
    assert!(status.contains("us-9 catching up with it"), "{status}");
    let view = api.rollout_for(&Grants::everything(), &first(&api).await);
    let late = view.clusters.iter().find(|one| one.cluster == "us-9");
    assert_eq!(late.unwrap().state, "CatchingUp", "{view:?}");
}

#[tokio::test]
async fn a_rollout_that_was_superseded_says_who_has_taken_over_and_nothing_of_what_that_does() {
    let (api, token) = planned().await;
    start(&api, &token, "1.1.0").await;
    alter(&api, |row| {
        row.state.phase = RolloutPhase::Superseded;
        row.state.superseded_by = Some("checkout-2".parse().unwrap());
        for cluster in row.state.clusters.values_mut() {
            cluster.phase = ClusterPhase::Retreating { weight: None };
            cluster.attempt = 1;
        }
    })
    .await;
    let view = api.rollout_for(&Grants::everything(), &first(&api).await);
    for cluster in view.clusters {
        assert_eq!(cluster.why.message, "checkout-2 has taken over there");
    }
}
