//! A fleet in memory: members, orders, aborts, sessions and a clock that the test turns.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use flagship_proto::{digest::Digest, identity::PeerId, model::*, sign::SignKey};
use jiff::Timestamp;

use crate::fleet::{
    Alarm, Change, Config, Effect, Fleet, Job, Member, Next, SessionId, Stored, Ticket,
};
use flagship_proto::model::Change as Wanted;

pub(super) const WORKLOAD: &str = "shop/Deployment/checkout";

pub(super) struct Fixture {
    pub(super) fleet: Fleet,
    pub(super) key: Arc<SignKey>,
    pub(super) agent_key: SignKey,
    pub(super) certificate: Arc<[u8]>,
    pub(super) now: Tick,
    pub(super) seq: u64,
    pub(super) alarms: Vec<Alarm>,
    pub(super) jobs: Vec<(Ticket, Job)>,
    pub(super) woken: BTreeSet<SessionId>,
    pub(super) cut: BTreeSet<SessionId>,
}

pub(super) fn uid(cluster: &str) -> ClusterUid {
    format!("{cluster}-uid").parse().unwrap()
}

pub(super) fn workload() -> WorkloadRef {
    WORKLOAD.parse().unwrap()
}

pub(super) fn having(workloads: impl IntoIterator<Item = WorkloadRef>) -> Inventory {
    let workloads = workloads.into_iter().map(|workload| InventoryWorkload {
        workload,
        version: None,
        digest: None,
        initial: None,
    });
    Inventory {
        workloads: workloads.collect(),
        ..Inventory::default()
    }
}

pub(super) fn position(seq: u64) -> Position {
    Position { epoch: 1, seq }
}

pub(super) fn term() -> Term {
    Term {
        epoch: 1,
        counter: 2,
    }
}

pub(super) fn fence(seq: u64) -> Fence {
    Fence {
        term: term(),
        revision: position(seq),
    }
}

impl Fixture {
    /// A hub with these members, whose view is fresh.
    pub(super) fn new(clusters: &[&str]) -> Self {
        Self::signing(clusters, Arc::new(SignKey::generate().unwrap()))
    }

    /// The same with a key of its own.
    pub(super) fn signing(clusters: &[&str], key: Arc<SignKey>) -> Self {
        let config = Config::new(
            "fleet-1".parse().unwrap(),
            "shop.example",
            term(),
            HubIncarnation("hub-a".into()),
        );
        let agent_key = SignKey::generate().unwrap();
        let certificate = certificate_of(&agent_key);
        let now = Tick {
            wall: "2026-01-01T00:00:00Z".parse().unwrap(),
            mono: Mono {
                run: 1,
                millis: 1_000_000,
            },
        };
        let mut fixture = Self {
            fleet: Fleet::new(config, key.clone()),
            key,
            agent_key,
            certificate,
            now,
            seq: 10,
            alarms: Vec::new(),
            jobs: Vec::new(),
            woken: BTreeSet::new(),
            cut: BTreeSet::new(),
        };
        for cluster in clusters {
            fixture.member(cluster, |_| {});
        }
        fixture.read();
        fixture
    }

    pub(super) fn after(&mut self, seconds: u64) {
        self.now = self.now.plus(Duration::from_secs(seconds));
        self.fleet.tick(self.now);
        self.collect();
    }

    /// A linearizable read that returns what was applied.
    pub(super) fn read(&mut self) {
        self.fleet.read(self.now.mono, position(self.seq));
    }

    pub(super) fn apply(&mut self, change: impl FnOnce(Position) -> Change) -> Position {
        self.seq += 1;
        let at = position(self.seq);
        self.fleet.apply(vec![change(at)], at, self.now);
        self.read();
        self.collect();
        at
    }

    pub(super) fn member(&mut self, cluster: &str, edit: impl FnOnce(&mut Member)) {
        let mut member = self.row(cluster, position(self.seq + 1));
        edit(&mut member);
        self.apply(|_| Change::Member(member.name.clone(), Some(Box::new(member))));
    }

    fn row(&self, cluster: &str, modified: Position) -> Member {
        Member {
            uid: uid(cluster),
            name: cluster.parse().unwrap(),
            labels: Labels::new(),
            certificates: [("01".to_owned(), self.certificate.clone())].into(),
            quarantine: None,
            unconfirmed: None,
            inventory: having([workload()]),
            incarnation: Incarnation(1),
            modified,
        }
    }

    /// A list of everything at one revision: one member.
    pub(super) fn list(&mut self, cluster: &str) {
        let at = position(self.seq);
        let member = self.row(cluster, at);
        let row = Change::Member(member.name.clone(), Some(Box::new(member)));
        self.fleet.load(vec![row], at, self.now);
    }

    pub(super) fn leave(&mut self, cluster: &str) {
        self.apply(|_| Change::Member(cluster.parse().unwrap(), None));
    }

    pub(super) fn order(&mut self, cluster: &str, intent: Intent) -> Fence {
        let at = self.apply(|at| {
            let order = order(cluster, intent, fence(at.seq));
            Change::Order(uid(cluster), workload(), Some(Box::new(order)))
        });
        fence(at.seq)
    }

    pub(super) fn abort(&mut self, id: &str, scope: Scope, mode: AbortMode) -> Position {
        let mut abort = abort(id, scope, mode);
        abort.at = self.now.wall;
        self.apply(|at| Change::Abort {
            narrowed_from: None,
            lease: Duration::from_secs(30),
            clusters: matches!(abort.scope, Scope::Selector(_)).then(BTreeSet::new),
            abort: Box::new(Abort {
                position: Some(at),
                ..abort
            }),
        })
    }

    pub(super) fn lift(&mut self, id: &str) {
        let at = self.now.wall;
        self.apply(|position| {
            Change::Lift(Box::new(Lift {
                abort: id.parse().unwrap(),
                position,
                at,
                actor: "olga".into(),
                reason: "found it".into(),
            }))
        });
    }

    pub(super) fn peer(&self, cluster: &str) -> PeerId {
        PeerId {
            trust_domain: "shop.example".into(),
            cluster: cluster.parse().unwrap(),
            uid: uid(cluster),
            serial: "01".into(),
            not_after: "2026-01-08T00:00:00Z".parse().unwrap(),
        }
    }

    pub(super) fn open(&mut self, cluster: &str) -> SessionId {
        let peer = self.peer(cluster);
        self.fleet.opened(peer, self.now).unwrap()
    }

    pub(super) fn say(&mut self, id: SessionId, message: AgentMessage) {
        self.fleet.message(id, message, self.now);
        self.collect();
    }

    pub(super) fn hello(&mut self, id: SessionId, edit: impl FnOnce(&mut Hello)) {
        let mut hello = Hello {
            fleet: None,
            incarnation: Incarnation(1),
            term: Term::default(),
            hub: HubIncarnation::default(),
            held: Vec::new(),
            aborts: Vec::new(),
            inventory: having([workload()]),
            witness: None,
        };
        edit(&mut hello);
        self.say(id, AgentMessage::Hello(Box::new(hello)));
    }

    /// A session after `Hello`, everything taken.
    pub(super) fn join(&mut self, cluster: &str) -> SessionId {
        let id = self.open(cluster);
        self.hello(id, |_| {});
        self.drain(id);
        id
    }

    /// Everything that a session has to say now.
    pub(super) fn drain(&mut self, id: SessionId) -> Vec<HubMessage> {
        let mut told = Vec::new();
        while let Next::Message(message) = self.fleet.take(id, self.now) {
            told.push(message);
        }
        self.woken.remove(&id);
        told
    }

    pub(super) fn goodbye(&mut self, id: SessionId) -> Option<Goodbye> {
        let told = self.drain(id);
        told.into_iter().find_map(|message| match message {
            HubMessage::Goodbye(last) => Some(last),
            HubMessage::Welcome(_)
            | HubMessage::Order(_)
            | HubMessage::Abort(_)
            | HubMessage::Lift(_)
            | HubMessage::LocalRelease(_)
            | HubMessage::Grant(_)
            | HubMessage::Ack(_) => None,
        })
    }

    /// Orders among what a session has to say now.
    pub(super) fn orders(&mut self, id: SessionId) -> Vec<Order> {
        let told = self.drain(id).into_iter();
        told.filter_map(|message| match message {
            HubMessage::Order(signed) => Some(signed.value),
            HubMessage::Welcome(_)
            | HubMessage::Abort(_)
            | HubMessage::Lift(_)
            | HubMessage::LocalRelease(_)
            | HubMessage::Grant(_)
            | HubMessage::Ack(_)
            | HubMessage::Goodbye(_) => None,
        })
        .collect()
    }

    pub(super) fn grant(&mut self, id: SessionId) -> Grant {
        self.say(
            id,
            AgentMessage::LeaseRequest(LeaseRequest {
                nonce: 7,
                unsaid: false,
            }),
        );
        let told = self.drain(id).into_iter();
        let mut grants = told.filter_map(|message| match message {
            HubMessage::Grant(signed) => Some(signed.grant),
            HubMessage::Welcome(_)
            | HubMessage::Order(_)
            | HubMessage::Abort(_)
            | HubMessage::Lift(_)
            | HubMessage::LocalRelease(_)
            | HubMessage::Ack(_)
            | HubMessage::Goodbye(_) => None,
        });
        grants.next().expect("a request is answered")
    }

    /// Commits the oldest write.
    pub(super) fn commit(&mut self) -> Job {
        let (ticket, job) = self.jobs.remove(0);
        self.seq += 1;
        let outcome = Stored::Committed(position(self.seq));
        self.fleet.stored(ticket, outcome, self.now);
        self.collect();
        job
    }

    pub(super) fn collect(&mut self) {
        for effect in self.fleet.effects() {
            match effect {
                Effect::Wake(id) => {
                    self.woken.insert(id);
                }
                Effect::Cut(id) => {
                    self.cut.insert(id);
                }
                Effect::Store(ticket, job) => self.jobs.push((ticket, *job)),
                Effect::Alarm(alarm) => self.alarms.push(alarm),
            }
        }
    }
}

pub(super) fn order(cluster: &str, intent: Intent, fence: Fence) -> Order {
    Order {
        fleet: "fleet-1".parse().unwrap(),
        cluster: cluster.parse().unwrap(),
        uid: uid(cluster),
        workload: workload(),
        plan: "shop/checkout".parse().unwrap(),
        rollout: "checkout-1".parse().unwrap(),
        attempt: 1,
        fence,
        intent,
        change: Wanted::Version("1.1.0".into()),
        return_to: ReturnTo::LastPromoted,
        now: false,
        canary: Document::of(&"canary").unwrap(),
        plan_digest: Digest::of(b"plan"),
        not_after: "2026-02-01T00:00:00Z".parse().unwrap(),
        lease: Duration::from_secs(30),
        on_disconnect: OnDisconnect::Hold,
        reason: "its wave started".into(),
    }
}

pub(super) fn abort(id: &str, scope: Scope, mode: AbortMode) -> Abort {
    Abort {
        id: id.parse().unwrap(),
        scope,
        mode,
        position: None,
        at: Timestamp::UNIX_EPOCH,
        actor: "olga".into(),
        reason: "errors".into(),
        reach: None,
    }
}

pub(super) fn status(fence: Fence, phase: Phase, weight: u8) -> WorkloadStatus {
    WorkloadStatus {
        workload: workload(),
        fence,
        rollout: Some("checkout-1".parse().unwrap()),
        attempt: 1,
        intent: Some(Intent::Run),
        phase,
        step: 0,
        weight: Weight::try_from(weight).unwrap(),
        observed: None,
        failed_checks: 0,
        version: None,
        digest: None,
        primary_version: None,
        primary_digest: None,
        can_return_to: Vec::new(),
        reason: "Analysing".into(),
        message: String::new(),
        since: Timestamp::UNIX_EPOCH,
        aborted_by: None,
        local: Vec::new(),
    }
}

pub(super) fn proof<T>(signed: Signed<T>) -> Proof {
    Proof {
        body: signed.body,
        signature: signed.signature,
        key_id: signed.key_id,
    }
}

fn certificate_of(key: &SignKey) -> Arc<[u8]> {
    let params = rcgen::CertificateParams::default();
    let certificate = params.self_signed(key.pair()).unwrap();
    certificate.der().to_vec().into()
}
