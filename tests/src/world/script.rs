//! What people do in a World: start a release, wish something of it, abort, lift. The rows are the
//! hub's own.

use std::time::Duration;

use flagship_hub::{
    audit::AuditEntry,
    records::{
        AbortRow, ClaimRow, ClusterRow, FreezeEnd, FreezeRow, Guard, LiftRow, RolloutRow, key,
    },
    store::Txn,
};
use flagship_proto::model::{Abort, AbortMode, Change, RolloutId, Scope, lease::DEFAULT_LEASE};
use flagship_waves::{Candidate, Plan, Request, RolloutState, Wish};

use super::{WORKLOAD, World, hub::commit};

/// A plan over the clusters of a World: pilots, then `region: eu`, then the rest.
pub const PLAN: &str = "
apiVersion: flagship.dev/v1
kind: Plan
metadata: {project: shop, name: checkout}
spec:
  workload: {namespace: shop, kind: Deployment, name: checkout}
  change: {version: {}}
  canary:
    analysis:
      interval: 2s
      threshold: 2
      stepWeight: 25
      maxWeight: 50
      metrics:
        - {name: request-success-rate, thresholdRange: {min: 99}, interval: 2s, minRequests: 10}
  waves:
    - {name: pilot, clusters: {matchLabels: {tier: pilot}}, soak: {for: 5s}}
    - {name: europe, clusters: {matchLabels: {region: eu}}, maxConcurrent: 1, soak: {for: 5s}}
    - {name: rest, clusters: {}, maxConcurrent: 50%}
";

/// The same with a canary that is in flight for minutes, longer than a lease lasts.
pub fn slow_plan() -> String {
    PLAN.replace("interval: 2s", "interval: 12s")
        .replace("stepWeight: 25", "stepWeight: 5")
}

impl World {
    /// Starts a release of `version` by a plan; the rollout's id is `checkout-<number>`.
    pub fn start(&mut self, plan: &str, number: u32, version: &str) -> String {
        let plan: Plan = flagship_waves::parse_plan(plan).expect("the plan reads");
        let id: RolloutId = format!("checkout-{number}").parse().expect("an id");
        let change = Change::Version(version.to_owned());
        let at = self.now(0).wall;
        let row = RolloutRow {
            project: "shop".parse().expect("a name"),
            id: id.clone(),
            plan_digest: plan.digest(),
            workload: WORKLOAD.parse().expect("a workload"),
            state: RolloutState::new(&plan, id.clone(), change.clone(), at),
            change,
            requests: Vec::new(),
            started: at,
            started_by: "ann".into(),
            reason: "a release".into(),
            ticket: None,
            supersedes: None,
            plan,
        };
        let clusters = self
            .store
            .read_all::<ClusterRow>(key::CLUSTERS)
            .expect("memory");
        let candidates: Vec<Candidate> = clusters
            .iter()
            .map(|cluster| Candidate {
                uid: cluster.uid.clone(),
                name: cluster.name.clone(),
                labels: cluster.labels.clone(),
                has_workload: true,
            })
            .collect();
        let mut txn = Txn::new().put(&row);
        for member in flagship_waves::members(&row.plan, &candidates) {
            txn = txn.put(&ClaimRow {
                workload: row.workload.clone(),
                uid: member.uid,
                cluster: member.name,
                project: row.project.clone(),
                rollout: id.clone(),
                at,
            });
        }
        commit(&self.store, txn);
        self.say(&format!("ann starts {id}: {version}"));
        id.to_string()
    }

    /// A person's wish.
    pub fn wish(&mut self, rollout: &str, wish: Wish) {
        let mut row = self.rollout(rollout);
        let verb = wish.verb();
        row.requests.push(Request {
            id: row.next_request(),
            at: self.now(0).wall,
            actor: "ann".into(),
            reason: "because".into(),
            wish,
        });
        commit(&self.store, Txn::new().put(&row));
        self.say(&format!("ann wishes {verb} of {rollout}"));
    }

    /// Stores an abort.
    pub fn abort(&mut self, id: &str, scope: Scope, mode: AbortMode) {
        let now = self.now(0).wall;
        let abort = Abort {
            id: id.parse().expect("an id"),
            scope,
            mode,
            position: None,
            at: now,
            actor: "bob".into(),
            reason: "errors".into(),
        };
        let words = format!("bob aborts {} ({mode}) as {id}", abort.scope);
        let lease = u64::try_from(DEFAULT_LEASE.as_millis()).expect("30 s");
        let entry = AuditEntry::new(now, "bob", "abort.create", id, "errors");
        let txn = Txn::new()
            .put(&AbortRow::new(abort, None, lease))
            .put(&Guard { by: id.to_owned() })
            .audit(entry);
        commit(&self.store, txn);
        self.say(&words);
    }

    /// Lifts an abort, at once.
    pub fn lift(&mut self, id: &str) {
        let now = self.now(0).wall;
        let row = LiftRow {
            abort: id.parse().expect("an id"),
            at: now,
            actor: "bob".into(),
            reason: "mended".into(),
            effective: now,
            narrowed_to: Vec::new(),
        };
        commit(&self.store, Txn::new().put(&row));
        self.say(&format!("bob lifts {id}"));
    }

    /// Freezes a scope, for so many seconds or until somebody ends it.
    pub fn freeze(&mut self, id: &str, scope: Scope, seconds: Option<u64>) {
        let now = self.now(0);
        let until = seconds.map(|seconds| now.plus(Duration::from_secs(seconds)).wall);
        let row = FreezeRow {
            id: id.parse().expect("an id"),
            scope,
            at: now.wall,
            actor: "cleo".into(),
            reason: "black friday".into(),
            ticket: None,
            until,
            lease_ms: u64::try_from(DEFAULT_LEASE.as_millis()).expect("30 s"),
            ended: None,
        };
        let words = format!("cleo freezes {} as {id}", row.scope);
        let txn = Txn::new().put(&row).put(&Guard { by: id.to_owned() });
        commit(&self.store, txn);
        self.say(&words);
    }

    /// Ends a freeze.
    pub fn unfreeze(&mut self, id: &str) {
        let key = key::freeze(&id.parse().expect("an id"));
        let row = self.store.read::<FreezeRow>(&key).expect("memory");
        let row = FreezeRow {
            ended: Some(FreezeEnd {
                at: self.now(0).wall,
                actor: "cleo".into(),
                reason: "over".into(),
            }),
            ..row.expect("it was frozen").value
        };
        commit(&self.store, Txn::new().put(&row));
        self.say(&format!("cleo unfreezes {id}"));
    }

    /// Receipts of an abort that say that all has stopped, by cluster.
    pub fn final_receipts(&self, id: &str) -> Vec<String> {
        let prefix = key::receipts_of(&id.parse().expect("an id"));
        let rows = self
            .store
            .read_all::<flagship_hub::records::ReceiptRow>(&prefix)
            .expect("memory");
        let last = rows.iter().filter(|row| row.receipt.receipt.is_final());
        last.map(|row| row.receipt.receipt.cluster.to_string())
            .collect()
    }
}
