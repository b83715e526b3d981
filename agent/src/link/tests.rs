//! The link in tables named after the contract's clauses; a hub, a disk and a driver are played here.

mod aborts;
mod leases;
mod lives;
mod local;
mod orders;
mod properties;
mod receipts;
mod sessions;
mod witness;

use std::time::Duration;

use flagship_proto::{
    digest::{Digest, canonical},
    model::{
        Abort, AbortMode, AgentMessage, AuditMark, Change, Document, Fence, Grant, HubIncarnation,
        HubMessage, Intent, Inventory, InventoryWorkload, Lift, LocalRelease, Mono, OnDisconnect,
        Order, Phase, Position, Receipt, ReturnTo, Scope, Signed, SignedGrant, SignedReceipt, Term,
        Tick, Weight, Welcome, Witness, WorkloadRef, WorkloadStatus,
    },
    sign::SignError,
};
use jiff::Timestamp;

use super::{Link, Member, Permission, Refused, Seal};
use crate::release::Kept;

const LEASE: Duration = Duration::from_secs(30);

/// Accepts every signature but one.
struct Trusting;

const FORGED: &[u8] = b"forged";

impl Trusting {
    fn check<T>(signed: &Signed<T>) -> Result<(), SignError> {
        if signed.signature == FORGED {
            Err(SignError::Mismatch)
        } else {
            Ok(())
        }
    }
}

impl Seal for Trusting {
    fn check_order(&self, order: &Signed<Order>) -> Result<(), SignError> {
        Self::check(order)
    }
    fn check_abort(&self, abort: &Signed<Abort>) -> Result<(), SignError> {
        Self::check(abort)
    }
    fn check_lift(&self, lift: &Signed<Lift>) -> Result<(), SignError> {
        Self::check(lift)
    }
    fn check_local_release(&self, release: &Signed<LocalRelease>) -> Result<(), SignError> {
        Self::check(release)
    }
    fn sign_receipt(&self, receipt: Receipt) -> Result<SignedReceipt, SignError> {
        Ok(SignedReceipt {
            receipt,
            body: Vec::new(),
            signature: Vec::new(),
            serial: "01".into(),
        })
    }
}

fn signed<T: serde::Serialize>(value: T) -> Signed<T> {
    Signed {
        body: canonical(&value).unwrap(),
        value,
        signature: b"good".to_vec(),
        key_id: "k".into(),
    }
}

fn workload() -> WorkloadRef {
    "shop/Deployment/checkout".parse().unwrap()
}

fn other_workload() -> WorkloadRef {
    "shop/Deployment/cart".parse().unwrap()
}

fn member() -> Member {
    Member {
        fleet: "fleet".parse().unwrap(),
        cluster: "eu-1".parse().unwrap(),
        uid: "u1".parse().unwrap(),
    }
}

fn term(counter: u64) -> Term {
    Term { epoch: 1, counter }
}

fn position(seq: u64) -> Position {
    Position { epoch: 1, seq }
}

fn at(millis: u64) -> Tick {
    Tick {
        wall: Timestamp::from_millisecond(1_700_000_000_000 + i64::try_from(millis).unwrap())
            .unwrap(),
        mono: Mono { run: 1, millis },
    }
}

fn secs(seconds: u64) -> Tick {
    at(seconds * 1000)
}

/// The same moment for the wall clock, in another run of the process.
fn restarted(now: Tick, run: u64) -> Tick {
    let mut after = now;
    after.mono = Mono { run, millis: 5 };
    after
}

fn order(seq: u64, intent: Intent) -> Order {
    Order {
        fleet: "fleet".parse().unwrap(),
        cluster: "eu-1".parse().unwrap(),
        uid: "u1".parse().unwrap(),
        workload: workload(),
        plan: "shop/checkout".parse().unwrap(),
        rollout: "checkout-1".parse().unwrap(),
        attempt: 1,
        fence: Fence {
            term: term(1),
            revision: position(seq),
        },
        intent,
        change: Change::Version("1.1.0".into()),
        return_to: ReturnTo::LastPromoted,
        now: false,
        canary: Document::of(&serde_json::json!({})).unwrap(),
        plan_digest: Digest::of(b"plan"),
        not_after: at(86_400_000).wall,
        lease: LEASE,
        on_disconnect: OnDisconnect::Hold,
        reason: "wave pilot".into(),
    }
}

fn abort(id: &str, seq: Option<u64>, mode: AbortMode) -> Abort {
    Abort {
        id: id.parse().unwrap(),
        scope: Scope::Fleet,
        mode,
        position: seq.map(position),
        at: at(0).wall,
        actor: "ana".into(),
        reason: "errors".into(),
        reach: None,
    }
}

fn lift(id: &str, seq: u64) -> Lift {
    Lift {
        abort: id.parse().unwrap(),
        position: position(seq),
        at: at(0).wall,
        actor: "ana".into(),
        reason: "fixed".into(),
    }
}

fn status(phase: Phase, weight: u32, observed: Option<u32>, intent: Intent) -> WorkloadStatus {
    WorkloadStatus {
        workload: workload(),
        fence: order(10, Intent::Run).fence,
        rollout: Some("checkout-1".parse().unwrap()),
        attempt: 1,
        intent: Some(intent),
        phase,
        step: 1,
        weight: Weight::saturating(weight),
        observed: observed.map(Weight::saturating),
        failed_checks: 0,
        version: Some("1.1.0".into()),
        digest: None,
        primary_version: Some("1.0.0".into()),
        primary_digest: None,
        can_return_to: Vec::new(),
        reason: "Step".into(),
        message: String::new(),
        since: at(0).wall,
        aborted_by: None,
        local: Vec::new(),
    }
}

fn in_flight() -> WorkloadStatus {
    status(Phase::Progressing, 20, Some(20), Intent::Run)
}

/// A link, and a disk that takes writes when told to.
struct Bench {
    link: Link,
    disk: Kept,
}

impl Bench {
    fn new() -> Self {
        Self::on(Kept::default())
    }

    /// A start on what the disk has.
    fn on(disk: Kept) -> Self {
        let mut kept = disk.clone();
        kept.record.incarnation.0 += 1;
        let inventory = Inventory {
            workloads: vec![InventoryWorkload {
                workload: workload(),
                version: None,
                digest: None,
                initial: None,
            }],
            ..Inventory::default()
        };
        let link = Link::new(member(), kept, inventory, Box::new(Trusting));
        Self { link, disk }
    }

    /// Connected and welcomed by the hub of a term, with everything on disk.
    fn welcomed(now: Tick) -> Self {
        let mut bench = Self::new();
        bench.meet(1, "h1", now).unwrap();
        bench.sync(now);
        bench
    }

    fn meet(&mut self, counter: u64, hub: &str, now: Tick) -> Result<(), Refused> {
        self.link.connected();
        let hello = self.link.next_message(now);
        assert!(matches!(hello, Some(AgentMessage::Hello(_))), "{hello:?}");
        let welcome = Welcome {
            fleet: member().fleet,
            term: term(counter),
            hub: HubIncarnation(hub.into()),
            uid: member().uid,
            incarnation: self.link.incarnation(),
            at: now.wall,
        };
        self.link.receive(HubMessage::Welcome(welcome), now)
    }

    /// Writes everything that is due.
    fn sync(&mut self, now: Tick) {
        while let Some(save) = self.link.next_save(now) {
            let (key, generation) = (save.key(), save.generation);
            self.disk.apply(save.what);
            self.link.saved(&key, generation, true, now);
        }
    }

    /// Fails every write that is due.
    fn disk_full(&mut self, now: Tick) {
        while let Some(save) = self.link.next_save(now) {
            self.link.saved(&save.key(), save.generation, false, now);
        }
    }

    fn order(&mut self, order: Order, now: Tick) -> Result<(), Refused> {
        self.link
            .receive(HubMessage::Order(Box::new(signed(order))), now)
    }

    fn abort(&mut self, abort: Abort, now: Tick) -> Result<(), Refused> {
        self.link
            .receive(HubMessage::Abort(Box::new(signed(abort))), now)
    }

    fn lift(&mut self, lift: Lift, now: Tick) -> Result<(), Refused> {
        self.link
            .receive(HubMessage::Lift(Box::new(signed(lift))), now)
    }

    /// Asks for the lease; the nonce.
    fn ask(&mut self, now: Tick) -> Option<u64> {
        while let Some(message) = self.link.next_message(now) {
            if let AgentMessage::LeaseRequest(request) = message {
                return Some(request.nonce);
            }
        }
        None
    }

    fn grant(&mut self, nonce: u64, watermark: u64, aborts: Vec<Abort>, now: Tick) {
        let grant = Grant {
            nonce,
            length: LEASE,
            watermark: position(watermark),
            aborts: aborts.clone(),
            refused: String::new(),
            audit: None,
        };
        let aborts = aborts.into_iter().map(signed).collect();
        self.link
            .receive(HubMessage::Grant(SignedGrant { grant, aborts }), now)
            .unwrap();
    }

    /// A live lease from now.
    fn lease(&mut self, watermark: u64, now: Tick) {
        let nonce = self.ask(now).expect("a request is due");
        self.grant(nonce, watermark, Vec::new(), now);
    }

    /// A Run order in force, in mid-canary, under a live lease.
    fn running(now: Tick) -> Self {
        let mut bench = Self::welcomed(now);
        bench.order(order(10, Intent::Run), now).unwrap();
        bench.sync(now);
        bench.lease(10, now);
        bench.link.observe(in_flight(), 1, now);
        assert!(bench.may(now).may_advance, "{:?}", bench.may(now).why);
        bench
    }

    /// The same a second later, when an abort that takes it back has come and is kept.
    fn aborted() -> Self {
        let mut bench = Self::running(secs(0));
        bench
            .abort(abort("a1", Some(20), AbortMode::Return), secs(1))
            .unwrap();
        bench.sync(secs(1));
        bench
    }

    fn may(&self, now: Tick) -> Permission {
        self.link
            .permission(&workload(), now)
            .expect("an order is in force")
    }

    fn advances(&self, now: Tick) -> bool {
        let may = self.link.permission(&workload(), now);
        may.is_some_and(|may| may.may_advance)
    }

    /// All messages that are due.
    fn messages(&mut self, now: Tick) -> Vec<AgentMessage> {
        std::iter::from_fn(|| self.link.next_message(now)).collect()
    }

    fn receipts(&mut self, now: Tick) -> Vec<Receipt> {
        let receipts = self
            .messages(now)
            .into_iter()
            .filter_map(|message| match message {
                AgentMessage::Receipt(receipt) => Some(receipt.receipt),
                AgentMessage::Hello(_)
                | AgentMessage::Report(_)
                | AgentMessage::LeaseRequest(_) => None,
            });
        receipts.collect()
    }

    /// The process dies and starts again on its disk.
    fn restart(&self) -> Self {
        Self::on(self.disk.clone())
    }
}
