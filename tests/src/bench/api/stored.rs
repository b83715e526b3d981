//! Rollouts that ended, as many as a busy fleet has after years: rows as the hub writes them, put
//! straight into the store of a hub that does not run.

use std::path::Path;

use anyhow::ensure;
use flagship_hub::{
    records::{ClusterRow, PlanRow, ProjectRow, RolloutRow, Stored, key},
    run::Folder,
    store::{Outcome, Store, Txn},
};
use flagship_proto::model::{Change, ClusterUid};
use flagship_waves::{ClusterPhase, ClusterState, Plan, RolloutPhase, RolloutState, parse_plan};
use jiff::Timestamp;

/// All of them.
pub const ROLLOUTS: usize = 10_000;
/// Plans, each of another team.
pub(super) const PLANS: usize = 10;
/// Those that a team's label selects.
pub(super) const OF_A_TEAM: usize = ROLLOUTS / PLANS;
/// Clusters of one rollout.
const EACH: usize = 10;

/// The store of a hub that does not run.
///
/// # Errors
/// The hub runs.
pub fn open(data: &Path) -> anyhow::Result<Store> {
    Ok(Store::open(Folder::new(data).path())?)
}

/// Puts them there.
///
/// # Errors
/// The store cannot be written.
pub async fn fill(store: &Store) -> anyhow::Result<()> {
    let members: Vec<Stored<ClusterRow>> = store.read_all(key::CLUSTERS)?;
    let at = Timestamp::now();
    let plans = (0..PLANS).map(|number| plan(number, at));
    let plans = plans.collect::<anyhow::Result<Vec<PlanRow>>>()?;
    let mut first = Txn::new().put(&ProjectRow {
        project: "shop".parse()?,
        created: at,
        created_by: "bench".to_owned(),
    });
    for plan in &plans {
        first = first.put(plan);
    }
    commit(store, first).await?;
    // The teams release in turn.
    for round in 0..OF_A_TEAM {
        let mut txn = Txn::new();
        for plan in &plans {
            let members = members.iter().cycle().skip(round % members.len());
            txn = txn.put(&rollout(plan, round + 1, members.take(EACH), at)?);
        }
        commit(store, txn).await?;
    }
    Ok(())
}

async fn commit(store: &Store, txn: Txn) -> anyhow::Result<()> {
    let outcome = store.txn(txn).await?;
    ensure!(
        matches!(outcome, Outcome::Committed { .. }),
        "the store is its own: {outcome:?}"
    );
    Ok(())
}

fn plan(number: usize, at: Timestamp) -> anyhow::Result<PlanRow> {
    let source = format!(
        "apiVersion: flagship.dev/v1
kind: Plan
metadata: {{project: shop, name: w{number:03}, labels: {{team: t{number}, tier: critical}}}}
spec:
  workload: {{namespace: shop, kind: Deployment, name: w{number:03}}}
  change: {{version: {{}}}}
  canary:
    analysis:
      interval: 1s
      threshold: 1
      stepWeights: [5, 25, 50]
      metrics: [{{name: request-success-rate, thresholdRange: {{min: 99}}, interval: 1s}}]
  waves:
    - {{name: first, clusters: {{matchLabels: {{wave: first}}}}, maxConcurrent: 1}}
    - {{name: second, clusters: {{matchLabels: {{wave: second}}}}, maxConcurrent: 25%, soak: {{for: 30m}}}}
    - {{name: third, clusters: {{}}, maxConcurrent: 50%}}
"
    );
    let plan: Plan = parse_plan(&source).map_err(|errors| anyhow::anyhow!("{errors:?}"))?;
    Ok(PlanRow {
        id: plan.id(),
        source,
        digest: plan.digest(),
        plan,
        findings: Vec::new(),
        applied: at,
        applied_by: "bench".to_owned(),
        last_number: u64::try_from(OF_A_TEAM)?,
    })
}

/// One that succeeded; every tenth went back.
fn rollout<'a>(
    plan: &PlanRow,
    number: usize,
    members: impl Iterator<Item = &'a Stored<ClusterRow>>,
    at: Timestamp,
) -> anyhow::Result<RolloutRow> {
    let id = format!("{}-{number}", plan.id.name).parse()?;
    let change = Change::Version(format!("1.{number}.0"));
    let went_back = number.is_multiple_of(10);
    let mut state = RolloutState::new(&plan.plan, id, change, at);
    (state.phase, state.ended) = (RolloutPhase::Succeeded, Some(at));
    if went_back {
        state.phase = RolloutPhase::RolledBack;
    }
    for wave in &mut state.waves {
        (wave.started, wave.finished) = (Some(at), Some(at));
    }
    let waves = state.waves.len();
    for (place, member) in members.enumerate() {
        let mut cluster = ClusterState::waiting(member.name.clone(), place % waves, at);
        (cluster.attempt, cluster.touched) = (1, !went_back);
        cluster.phase = if went_back {
            ClusterPhase::RolledBack
        } else {
            ClusterPhase::Done
        };
        let uid: ClusterUid = member.uid.clone();
        state.clusters.insert(uid, cluster);
    }
    Ok(RolloutRow {
        project: plan.id.project.clone(),
        id: state.rollout.clone(),
        plan: plan.plan.clone(),
        plan_digest: plan.digest,
        workload: plan.plan.workload()?,
        change: state.change.clone(),
        state,
        requests: Vec::new(),
        started: at,
        started_by: "ci".to_owned(),
        reason: "a release like many".to_owned(),
        ticket: Some(format!("REL-{number}")),
        supersedes: None,
    })
}
