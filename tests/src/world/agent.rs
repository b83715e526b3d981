//! An agent of the World: the real link and the real driver over a simulated cluster and disk.

use std::{collections::BTreeMap, sync::OnceLock, time::Duration};

use flagship_agent::{
    driver::{Effect, Settings, WorkloadDriver, look},
    link::{Keys, Link, Member, Session, local::Wanted},
    release::Kept,
};
use flagship_canary::{Action, Answer, CanaryStatus, Direction};
use flagship_hub::{
    ca::{Ca, Request},
    fleet::SessionId,
    records::{ClusterRow, ClusterState, Enrolled, PublicKey},
    store::{Store, Txn},
};
use flagship_proto::{
    digest::Digest,
    identity::PeerId,
    model::{
        AgentMessage, HubMessage, Inventory, InventoryWorkload, Labels, LocalActor, LocalVerb, Tick,
    },
    sign::{HubKeys, SignKey},
};

use super::{
    WORKLOAD,
    cluster::{SimCluster, revision},
    hub::{TRUST_DOMAIN, commit, hub_key},
};

/// After a refused or ended session.
const RECONNECT: Duration = Duration::from_millis(500);

/// An agent, its files and its cluster.
#[derive(Debug)]
pub struct Agent {
    name: String,
    /// What it runs.
    pub cluster: SimCluster,
    /// What its certificate says.
    pub peer: PeerId,
    key_pem: String,
    member: Member,
    /// What is on its disk.
    pub disk: Disk,
    process: Option<Process>,
    pub(super) run: u64,
    pub(super) is_cut: bool,
    pub(super) session: Option<SessionId>,
    pub(super) last_up: u64,
    pub(super) last_down: u64,
    connect_at: u64,
    wake_at: u64,
}

/// What survives a kill.
#[derive(Debug, Default)]
pub struct Disk {
    kept: Kept,
    status: Option<CanaryStatus>,
    /// No write succeeds while set.
    pub is_full: bool,
}

#[derive(Debug)]
struct Process {
    link: Link,
    driver: WorkloadDriver,
    said: String,
}

/// One authority for all Worlds of a test process: what it signs is real, making it is slow.
fn authority() -> &'static Ca {
    static CA: OnceLock<(tempfile::TempDir, Ca)> = OnceLock::new();
    let (_, ca) = CA.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ca =
            Ca::create(folder.path(), "world", jiff::Timestamp::now()).expect("a new authority");
        (folder, ca)
    });
    ca
}

impl Agent {
    /// Enrols a cluster: its row is in the store, its agent runs.
    pub(super) fn enrol(
        store: &Store,
        name: &str,
        labels: &[(&str, &str)],
        run: u64,
        now: Tick,
    ) -> Self {
        let key = SignKey::generate().expect("a key");
        let uid = format!("uid-{name}").parse().expect("a uid");
        let cluster = name.parse().expect("a cluster name");
        let csr = rcgen::CertificateParams::default().serialize_request(key.pair());
        let request = Request::read(csr.expect("a request").der()).expect("our own request");
        let ca = authority();
        let cert = ca
            .agent(request, TRUST_DOMAIN, &cluster, &uid, now.wall)
            .expect("a certificate");
        let peer = PeerId {
            trust_domain: TRUST_DOMAIN.to_owned(),
            cluster: cluster.clone(),
            uid: uid.clone(),
            serial: cert.serial.clone(),
            not_after: cert.not_after,
        };
        let labels: Labels = labels
            .iter()
            .map(|(k, v)| ((*k).to_owned(), (*v).to_owned()))
            .collect();
        let enrolled = Enrolled {
            at: now.wall,
            token: None,
        };
        let mut row = ClusterRow::new(cluster.clone(), uid.clone(), labels, enrolled);
        row.state = ClusterState::Active;
        row.inventory = inventory();
        row.keys.push(PublicKey {
            spki: cert.public,
            serial: cert.serial,
            certificate: cert.der,
            not_after: cert.not_after,
            revoked: false,
        });
        commit(store, Txn::new().put(&row));
        let fleet = super::hub::fleet_id();
        let mut agent = Self {
            name: name.to_owned(),
            cluster: SimCluster::new("1.0.0", 100),
            peer,
            key_pem: key.to_pem(),
            member: Member {
                fleet,
                cluster,
                uid,
            },
            disk: Disk::default(),
            process: None,
            run,
            is_cut: false,
            session: None,
            last_up: 0,
            last_down: 0,
            connect_at: 0,
            wake_at: 0,
        };
        agent.start(run, now);
        agent
    }

    pub(super) fn start(&mut self, run: u64, now: Tick) {
        self.run = run;
        let mut kept = self.disk.kept.clone();
        kept.record.incarnation.0 += 1;
        self.disk.kept.record = kept.record.clone();
        let hub = HubKeys::new([(hub_key().id().to_owned(), hub_key().public())]);
        let seal = Keys {
            hub,
            own: SignKey::from_pem(&self.key_pem).expect("its own key"),
            serial: self.peer.serial.clone(),
        };
        let link = Link::new(self.member.clone(), kept, inventory(), Box::new(seal));
        let workload = WORKLOAD.parse().expect("a workload");
        let driver = WorkloadDriver::new(
            workload,
            self.cluster.initial.clone(),
            Settings::default(),
            self.disk.status.clone(),
            now,
        );
        self.process = Some(Process {
            link,
            driver,
            said: String::new(),
        });
        self.wake_at = now.mono.millis;
        self.connect_at = now.mono.millis;
    }

    pub(super) fn kill(&mut self) {
        self.process = None;
        self.cluster.agent_stopped();
    }

    /// A person on the spot tells it something.
    pub(super) fn control(&mut self, verb: LocalVerb, number: usize, now: Tick) {
        let process = self.process.as_mut().expect("it runs");
        let wanted = Wanted {
            id: format!("l-{number}").parse().expect("an id"),
            workload: WORKLOAD.parse().expect("a workload"),
            verb,
            by: LocalActor::Spot {
                user: "ana".to_owned(),
                uid: 1000,
            },
            reason: "errors here".to_owned(),
        };
        process.link.control(wanted, now).expect("it may be said");
        // It is answered once it is written.
        self.save(now);
        self.wake_at = now.mono.millis;
    }

    /// The stream is gone; tells which session it was.
    pub(super) fn lose_session(&mut self) -> Option<SessionId> {
        if let (Some(process), Some(_)) = (&mut self.process, self.session) {
            process.link.disconnected();
        }
        self.connect_at = self.connect_at.max(self.wake_at.saturating_add(200));
        self.session.take()
    }

    pub(super) fn may_connect(&self, now: Tick) -> bool {
        self.process.is_some()
            && !self.is_cut
            && self.session.is_none()
            && self.connect_at <= now.mono.millis
    }

    pub(super) fn opened(&mut self, session: SessionId) {
        self.session = Some(session);
        if let Some(process) = &mut self.process {
            process.link.connected();
        }
    }

    pub(super) fn refused(&mut self, now: Tick) {
        self.connect_at = now.plus(RECONNECT).mono.millis;
    }

    pub(super) fn wakes_at(&self) -> Option<u64> {
        let connect = (self.session.is_none() && !self.is_cut).then_some(self.connect_at);
        self.process
            .as_ref()
            .map(|_| connect.map_or(self.wake_at, |at| at.min(self.wake_at)))
    }

    /// Takes what the hub said; words if the session is over.
    pub(super) fn receive(&mut self, message: HubMessage, now: Tick) -> Option<String> {
        let process = self.process.as_mut()?;
        // What is refused is counted by the edge; the state says all that matters here.
        let _ = process.link.receive(message, now);
        self.wake_at = now.mono.millis;
        match process.link.session() {
            Session::Over(hangup) => {
                let words = format!("session over: {}", hangup.reason);
                self.connect_at = now.plus(hangup.then.wait().max(RECONNECT)).mono.millis;
                Some(words)
            }
            Session::Closed | Session::Opened | Session::Greeted | Session::Welcomed { .. } => None,
        }
    }

    /// One turn of link and driver: what it sends, and what changed in words.
    pub(super) fn turn(&mut self, now: Tick) -> (Vec<AgentMessage>, Vec<String>) {
        if self.process.is_none() || self.wake_at > now.mono.millis {
            return (Vec::new(), Vec::new());
        }
        self.save(now);
        let (wait, words) = self.drive(now);
        self.save(now);
        let process = self.process.as_mut().expect("it runs");
        let mut messages = Vec::new();
        if self.session.is_some() {
            while let Some(message) = process.link.next_message(now) {
                messages.push(message);
            }
        }
        let wait = wait
            .min(process.link.wake_after(now))
            .min(Duration::from_secs(1));
        self.wake_at = now.plus(wait.max(Duration::from_millis(20))).mono.millis;
        (messages, words)
    }

    fn save(&mut self, now: Tick) {
        let process = self.process.as_mut().expect("it runs");
        while let Some(save) = process.link.next_save(now) {
            let key = save.key();
            let generation = save.generation;
            if self.disk.is_full {
                process.link.saved(&key, generation, false, now);
                return;
            }
            self.disk.kept.apply(save.what);
            process.link.saved(&key, generation, true, now);
        }
    }

    fn drive(&mut self, now: Tick) -> (Duration, Vec<String>) {
        let mut words = Vec::new();
        let workload = WORKLOAD.parse().expect("a workload");
        for _ in 0..8 {
            let process = self.process.as_mut().expect("it runs");
            let ruling = process.link.permission(&workload, now);
            let seen = self.cluster.observe(now);
            let proxies = seen.route.proxies;
            let change = ruling.as_ref().map(|ruling| ruling.change().to_string());
            let digest = change.and_then(|version| revision(&version).digest);
            let seen = look(seen, ruling.as_ref(), digest);
            let turn = process.driver.turn(seen, now);
            let stored = !turn.persist || !self.disk.is_full;
            if turn.persist && stored {
                process.driver.persisted(now);
                self.disk.status = Some(process.driver.status().clone());
            }
            if let Some(report) = turn.report {
                let line = format!("{} {} {}", report.phase, report.weight, report.message);
                if process.said != line {
                    words.push(line.clone());
                    process.said = line;
                }
                process.link.observe(report, proxies, now);
            }
            let mut acted = false;
            for effect in turn
                .effects
                .into_iter()
                .filter(|e| stored || e.is_retreat())
            {
                acted |= self.carry_out(effect, now);
            }
            if !acted && !turn.wake_after.is_zero() {
                return (turn.wake_after, words);
            }
        }
        (Duration::from_millis(50), words)
    }

    fn carry_out(&mut self, effect: Effect, now: Tick) -> bool {
        let process = self.process.as_mut().expect("it runs");
        match effect {
            Effect::Act(action) => {
                let advances = matches!(
                    action,
                    Action::SetRoute {
                        direction: Direction::Advance,
                        ..
                    }
                );
                let workload = WORKLOAD.parse().expect("a workload");
                let ruling = process.link.permission(&workload, now);
                if !advances || ruling.is_some_and(|ruling| ruling.may_advance) {
                    self.cluster.act(&action, now);
                }
                true
            }
            Effect::Hook(call) => {
                let words = "open".to_owned();
                process.driver.answered(
                    call.id,
                    Answer::Hook {
                        passed: true,
                        words,
                    },
                );
                true
            }
            Effect::Query(_) | Effect::Event { .. } => false,
        }
    }

    /// What its driver remembers; none while it is down.
    pub fn status(&self) -> Option<&CanaryStatus> {
        self.process.as_ref().map(|process| process.driver.status())
    }

    /// Whether it has a session.
    pub fn is_connected(&self) -> bool {
        self.session.is_some()
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn inventory() -> Inventory {
    Inventory {
        agent: "0.1.0".into(),
        platform: "envoy".into(),
        features: vec!["change.version".into()],
        workloads: vec![InventoryWorkload {
            workload: WORKLOAD.parse().expect("a workload"),
            version: Some("1.0.0".into()),
            digest: Some(Digest::of(b"1.0.0")),
        }],
        proxies: Vec::new(),
        components: BTreeMap::new(),
    }
}
