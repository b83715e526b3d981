//! What serves although nobody wants it, and nothing is under way that would replace it.

use flagship_proto::{
    digest::Digest,
    model::{Change, Phase, ReturnTo},
};
use flagship_waves::{ClusterPhase, Retreat, RetreatScope, RolloutPhase, RolloutState, Stage};

use super::{
    back::told_to_go_back,
    fixture::Api,
    serving::{half_way, hear},
};
use crate::{
    api::types::Banner,
    auth::Role,
    records::{RejectedRow, ReportRow, RolloutRow},
    store::Txn,
};

const TAKEN_BACK: &str =
    "0.9.0 of shop/Deployment/checkout serves in us-1: which was taken back (checkout-0)";

/// A cluster that serves 0.9.0, which was rejected, after the rollout of 1.1.0 there was taken back.
struct Again {
    api: Api,
    rollout: RolloutRow,
    report: ReportRow,
    rejected: RejectedRow,
}

impl Again {
    /// A release that was to mend it failed, and went back to what was there before.
    async fn new() -> Self {
        let api = Api::new().await;
        let token = api.token(Role::Admin).await;
        let rollout = told_to_go_back(&api, &token, Phase::Failed, "").await;
        let seen = api.seen();
        let mut report = seen.reports.values().next().unwrap().as_ref().clone();
        report.status.primary_version = Some("0.9.0".to_owned());
        let rejected = RejectedRow {
            workload: rollout.workload.clone(),
            digest: Digest::of(b"0.9.0"),
            change: Change::Version("0.9.0".to_owned()),
            at: api.now(),
            rollout: "checkout-0".parse().unwrap(),
            reason: "errors".to_owned(),
        };
        let mut again = Self {
            api,
            rollout: rollout.to_value(),
            report,
            rejected,
        };
        again
            .ended(RolloutPhase::RolledBack, ClusterPhase::RolledBack)
            .await;
        again
    }

    async fn ended(&mut self, phase: RolloutPhase, cluster: ClusterPhase) {
        let state = &mut self.rollout.state;
        state.phase = phase;
        state.ended = state.is_over().then(|| self.api.now());
        for one in state.clusters.values_mut() {
            one.phase = cluster.clone();
        }
        let txn = Txn::new().put(&self.rollout).put(&self.report);
        self.api.commit(txn.put(&self.rejected)).await;
    }

    /// What is said of it, of a cluster that is heard or not.
    fn said(&self, is_heard: bool) -> Vec<Banner> {
        let mut seen = self.api.seen();
        if is_heard {
            hear(&mut seen);
        }
        self.api.unwanted(&seen)
    }
}

#[tokio::test]
async fn what_was_taken_back_and_serves_with_no_rollout_under_way_is_not_fixed() {
    let mut again = Again::new().await;
    for (phase, cluster, is_named) in [
        (RolloutPhase::Retreating, ClusterPhase::RolledBack, false),
        (RolloutPhase::RolledBack, ClusterPhase::RolledBack, true),
        (RolloutPhase::Succeeded, ClusterPhase::Done, false),
    ] {
        again.ended(phase, cluster).await;
        let said = again.said(true);
        assert_eq!(said.len(), usize::from(is_named), "{said:?}");
        let start = "flagship start shop/checkout --to-version … --reason …   # releases what";
        for banner in said {
            assert!(banner.text.starts_with(TAKEN_BACK), "{}", banner.text);
            assert!(banner.remedy.starts_with(start), "{}", banner.remedy);
            assert_eq!(banner.since, again.rejected.at.max(again.report.at));
        }
    }
}

#[tokio::test]
async fn where_it_is_not_heard_its_machine_takes_back_what_succeeded_there_and_a_rollout_the_rest()
{
    let mut again = Again::new().await;
    for (phase, remedy) in [
        (
            Phase::Succeeded,
            "flagship-agent ctl retreat shop/Deployment/checkout --reason …   # on the machine of",
        ),
        (
            Phase::Failed,
            "flagship start shop/checkout --to-version … --reason …   # releases what is wanted \
             in its place, once heard again",
        ),
    ] {
        again.report.status.phase = phase;
        again.api.commit(Txn::new().put(&again.report)).await;
        let said = again.said(false);
        assert!(said[0].remedy.starts_with(remedy), "{}", said[0].remedy);
        let text = said[0].text.replace(" (not heard)", "");
        assert!(text.starts_with(TAKEN_BACK), "{text}");
        assert_ne!(text, said[0].text);
    }
}

#[tokio::test]
async fn what_a_person_ordered_after_it_was_rejected_is_wanted_until_it_is_rejected_again() {
    let mut again = Again::new().await;
    let digest = again.rejected.digest;
    for (to, by, is_wanted) in [
        (ReturnTo::Version("0.9.0".to_owned()), Some("ann"), true),
        (ReturnTo::Digest(digest), Some("ann"), true),
        (ReturnTo::Version("0.9.0".to_owned()), None, false),
        (ReturnTo::Version("0.8.0".to_owned()), Some("ann"), false),
        (ReturnTo::LastPromoted, Some("ann"), false),
    ] {
        again.rollout.state.retreat = Some(Retreat {
            scope: RetreatScope::All,
            to,
            now: false,
            actor: by.map(str::to_owned),
            reason: "the lesser evil".to_owned(),
            abort: None,
        });
        again
            .ended(RolloutPhase::RolledBack, ClusterPhase::RolledBack)
            .await;
        assert_eq!(
            again.said(true).is_empty(),
            is_wanted,
            "{:?}",
            again.rollout
        );
    }
    let retreat = again.rollout.state.retreat.as_mut().unwrap();
    retreat.to = ReturnTo::Digest(digest);
    again.rejected.at = again.api.now() + jiff::SignedDuration::from_secs(1);
    again
        .ended(RolloutPhase::RolledBack, ClusterPhase::RolledBack)
        .await;
    assert_eq!(again.said(true).len(), 1);
}

#[tokio::test]
async fn where_a_rollout_is_about_to_replace_it_nobody_is_told_to_start_one() {
    let again = Again::new().await;
    let mut next = again.rollout.clone();
    next.id = "checkout-2".parse().unwrap();
    for (phase, there, is_named) in [
        (RolloutPhase::Pending, ClusterPhase::Waiting, false),
        (RolloutPhase::Pending, ClusterPhase::Ordered, false),
        (RolloutPhase::Paused, ClusterPhase::Waiting, true),
        (
            RolloutPhase::Progressing {
                wave: "pilot".parse().unwrap(),
                stage: Stage::Running,
            },
            ClusterPhase::RolledBack,
            true,
        ),
    ] {
        let state: &mut RolloutState = &mut next.state;
        (state.phase, state.ended) = (phase, None);
        for one in state.clusters.values_mut() {
            one.phase = there.clone();
        }
        again.api.commit(Txn::new().put(&next)).await;
        assert_eq!(again.said(true).len(), usize::from(is_named), "{next:?}");
        assert_eq!(again.said(false).len(), 1, "it does not reach who is away");
    }
}

#[tokio::test]
async fn who_looks_at_an_ended_rollout_is_told_what_serves_where_it_was() {
    let mut again = Again::new().await;
    let token = again.api.token(Role::Admin).await;
    let of_one = "/api/v1/projects/shop/rollouts/checkout-1";
    let text = "0.9.0 of shop/Deployment/checkout serves in us-1 (not heard): which was taken";
    assert!(again.api.get(of_one, &token).await.contains(text));
    let status = again.api.get("/api/v1/status", &token).await;
    assert!(status.contains(text), "{status}");
    again.rollout.state.clusters.clear();
    again
        .ended(RolloutPhase::RolledBack, ClusterPhase::RolledBack)
        .await;
    assert!(!again.api.get(of_one, &token).await.contains(text));
}

#[tokio::test]
async fn a_canary_that_its_rollout_left_behind_unheard_is_not_fixed() {
    let api = Api::new().await;
    let token = api.token(Role::Admin).await;
    let mut rollout = half_way(&api, &token).await.to_value();
    let text =
        "1.1.0 of shop/Deployment/checkout serves in us-1 (with 50%, not heard): as it stood";
    assert!(!api.get("/api/v1/status", &token).await.contains(text));
    rollout.state.phase = RolloutPhase::Succeeded;
    for cluster in rollout.state.clusters.values_mut() {
        let reason = "not heard".to_owned();
        cluster.phase = ClusterPhase::Skipped { reason };
    }
    api.commit(Txn::new().put(&rollout)).await;
    let status = api.get("/api/v1/status", &token).await;
    assert!(status.contains(text), "{status}");
    let there = "flagship-agent ctl retreat shop/Deployment/checkout --reason …";
    assert!(status.contains(there), "{status}");
    // What is in flight goes back by a stop once it is heard: it is not what no stop takes back.
    let body = r#"{"scope":{"kind":"plan","of":"shop/checkout"}}"#;
    let abort = api.post_with("/api/v1/aborts", &token, body, &[]).await;
    let abort: serde_json::Value = serde_json::from_str(&abort.body).unwrap();
    assert_eq!(abort["notFixed"][0]["cluster"], "us-1", "{abort}");
    assert_eq!(abort["notFixed"][0]["share"], 50, "{abort}");
    let summary = abort["summary"].as_str().unwrap();
    assert!(!summary.contains("no stop takes back"), "{summary}");
}
