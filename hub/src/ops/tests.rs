//! Operations over the store in memory: what they store, what they refuse and with which remedy.

mod abort;
mod bounds;
mod freeze;
mod lift;
mod member;
mod plan;
mod reach;
mod start;
mod stops;
mod token;
mod told;
mod wish;

use flagship_proto::{
    digest::Digest,
    model::{
        Change, ClusterName, ClusterUid, Document, Fence, Intent, InventoryWorkload, Mono,
        OnDisconnect, Order, Phase, Position, ReturnTo, RolloutId, Term, Tick, Weight, WorkloadRef,
        WorkloadStatus,
    },
};
use futures::FutureExt as _;
use jiff::Timestamp;

use super::*;
use crate::{
    audit::verify,
    records::{
        AbortRow, ClaimRow, ClusterRow, ClusterState, Enrolled, OrderRow, Record, RejectedRow,
        ReportRow, RolloutRow, Stored, key,
    },
    store::MemoryStore,
};

const PLAN: &str = "apiVersion: flagship.dev/v1
kind: Plan
metadata: {project: shop, name: checkout}
spec:
  workload: {namespace: shop, kind: Deployment, name: checkout}
  change: {version: {}}
  canary:
    analysis: {interval: 2s, threshold: 2, stepWeight: 5, maxWeight: 50, metrics: [{name: request-success-rate, thresholdRange: {min: 99}, interval: 2s}, {name: request-duration, thresholdRange: {max: 500}, interval: 2s}]}
  waves:
    - {name: pilot, clusters: {matchLabels: {tier: pilot}}, maxConcurrent: 1}
    - {name: rest, clusters: {}, maxConcurrent: 2}
";

struct Hub {
    ops: Ops,
    memory: MemoryStore,
    seconds: u64,
}

/// A future of an operation on the memory store is ready at once.
fn ready<T>(future: impl Future<Output = T>) -> T {
    future
        .now_or_never()
        .expect("the memory store answers at once")
}

impl Hub {
    /// A fleet of a pilot and two others, and the plan applied.
    fn new() -> Self {
        let hub = Self::empty();
        hub.join("pilot-1", &[("tier", "pilot"), ("region", "eu")]);
        hub.join("eu-1", &[("region", "eu")]);
        hub.join("us-1", &[("region", "us")]);
        hub.apply(PLAN).unwrap();
        hub
    }

    fn empty() -> Self {
        let memory = MemoryStore::new(1);
        Self {
            ops: Ops::new(Store::Memory(memory.clone())),
            memory,
            seconds: 0,
        }
    }

    fn now(&self) -> Tick {
        let seconds = i64::try_from(self.seconds).unwrap();
        Tick {
            wall: Timestamp::from_second(1_800_000_000 + seconds).unwrap(),
            mono: Mono {
                run: 1,
                millis: self.seconds * 1000,
            },
        }
    }

    fn join(&self, name: &str, labels: &[(&str, &str)]) {
        let labels = labels
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect();
        let enrolled = Enrolled {
            at: self.now().wall,
            token: None,
        };
        let mut row = ClusterRow::new(cluster(name), uid(name), labels, enrolled);
        row.state = ClusterState::Active;
        row.inventory.workloads.push(InventoryWorkload {
            workload: workload(),
            version: Some("1.0.0".to_owned()),
            digest: None,
            initial: None,
        });
        self.put(&row);
    }

    fn put<R: Record>(&self, row: &R) {
        let outcome = ready(self.ops.store.txn(Txn::new().put(row))).unwrap();
        assert!(matches!(outcome, Outcome::Committed { .. }));
    }

    fn delete(&self, key: crate::store::Key) {
        ready(self.ops.store.txn(Txn::new().delete(key))).unwrap();
    }

    fn apply(&self, source: &str) -> Result<Applied, OpError> {
        let args = ApplyPlan {
            source: source.to_owned(),
            dry_run: false,
        };
        ready(self.ops.apply_plan(&caller(), args, self.now()))
    }

    fn start(&self, version: &str) -> Result<Started, OpError> {
        self.start_with(version, |_| {})
    }

    fn start_with(
        &self,
        version: &str,
        change: impl FnOnce(&mut StartRollout),
    ) -> Result<Started, OpError> {
        let mut args = StartRollout {
            plan: "shop/checkout".parse().unwrap(),
            change: Change::Version(version.to_owned()),
            again: false,
            supersede: false,
        };
        change(&mut args);
        ready(self.ops.start(&caller(), args, self.now()))
    }

    fn rollout(&self, id: &str) -> Stored<RolloutRow> {
        self.ops.rollout(&caller(), &name(id)).unwrap()
    }

    /// Changes a rollout's row as the driver would.
    fn alter(&self, id: &str, change: impl FnOnce(&mut RolloutRow)) {
        let mut row = self.rollout(id).into_value();
        change(&mut row);
        self.put(&row);
    }

    fn reject(&self, version: &str) {
        self.put(&RejectedRow {
            workload: workload(),
            digest: Digest::of(version.as_bytes()),
            change: Change::Version(version.to_owned()),
            at: self.now().wall,
            rollout: "checkout-1".parse().unwrap(),
            reason: "error rate 10%".to_owned(),
        });
    }

    fn claim(&self, cluster: &str) -> Option<Stored<ClaimRow>> {
        let key = key::claim(&workload(), &uid(cluster));
        self.ops.store.read(&key).unwrap()
    }

    /// An order as the driver writes it, and what the agent last said of it.
    fn order(&self, name: &str, rollout: &str, on_disconnect: OnDisconnect, phase: Option<Phase>) {
        let order = Order {
            fleet: "fleet-1".parse().unwrap(),
            cluster: cluster(name),
            uid: uid(name),
            workload: workload(),
            plan: "shop/checkout".parse().unwrap(),
            rollout: rollout.parse().unwrap(),
            attempt: 1,
            fence: Fence {
                term: Term {
                    epoch: 1,
                    counter: 1,
                },
                revision: Position::default(),
            },
            intent: Intent::Run,
            change: Change::Version("1.1.0".to_owned()),
            return_to: ReturnTo::LastPromoted,
            now: false,
            canary: Document::of(&1).unwrap(),
            plan_digest: Digest::of(b""),
            not_after: self.now().plus(Duration::from_secs(600)).wall,
            lease: Duration::from_secs(10),
            on_disconnect,
            reason: "its wave runs".to_owned(),
        };
        let row = OrderRow::new(order);
        self.put(&row);
        let Some(phase) = phase else {
            return;
        };
        let order: Stored<OrderRow> = self.ops.store.read(&row.key()).unwrap().unwrap();
        self.put(&ReportRow {
            uid: uid(name),
            incarnation: Default::default(),
            seq: 1,
            at: self.now().wall,
            status: WorkloadStatus {
                workload: workload(),
                fence: order.order().fence,
                rollout: Some(rollout.parse().unwrap()),
                attempt: 1,
                intent: Some(Intent::Run),
                phase,
                step: 1,
                weight: Weight::saturating(20),
                observed: None,
                failed_checks: 0,
                version: None,
                digest: None,
                primary_version: None,
                primary_digest: None,
                can_return_to: Vec::new(),
                reason: String::new(),
                message: String::new(),
                since: self.now().wall,
                aborted_by: None,
                local: Vec::new(),
            },
        });
    }

    /// The actions of the audit log, which must be a whole chain.
    fn audited(&self) -> Vec<String> {
        let export = self.ops.audit_export().unwrap();
        verify(&export.to_text(), None).unwrap();
        let store = &self.ops.store;
        let records =
            (0..store.audit_head().count).filter_map(|index| store.audit_entry(index).unwrap());
        records.map(|record| record.entry.action).collect()
    }
}

fn caller() -> Caller {
    Caller::new("anna")
}

fn with_reason() -> Caller {
    caller().because("orders are failing")
}

fn workload() -> WorkloadRef {
    "shop/Deployment/checkout".parse().unwrap()
}

fn cluster(name: &str) -> ClusterName {
    name.parse().unwrap()
}

fn uid(name: &str) -> ClusterUid {
    format!("uid-{name}").parse().unwrap()
}

fn name(id: &str) -> RolloutName {
    RolloutName {
        project: "shop".parse().unwrap(),
        id: id.parse::<RolloutId>().unwrap(),
    }
}

#[track_caller]
fn refused<T: std::fmt::Debug>(
    result: Result<T, OpError>,
    kind: OpErrorKind,
    code: &str,
) -> OpError {
    let error = result.unwrap_err();
    assert_eq!((error.kind, error.code), (kind, code), "{error}");
    assert!(!error.message.is_empty());
    error
}
