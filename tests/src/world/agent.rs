//! An agent of the World: the real link and the real driver over a simulated cluster and disk.

use std::{sync::Arc, time::Duration};

use flagship_agent::{
    driver::{Effect, Settings, WorkloadDriver, look},
    link::{Link, Member, Permission, Session, local::Wanted},
    release::Kept,
};
use flagship_canary::{Action, Answer, CanaryStatus, Direction};
use flagship_hub::{
    fleet::SessionId,
    ops::join_standing_aborts,
    records::{ClusterRow, ClusterState, Enrolled, PublicKey, key},
    store::{Store, Txn},
};
use flagship_proto::{
    identity::PeerId,
    model::{
        AgentMessage, ClusterName, ClusterUid, HubMessage, Labels, LocalActor, LocalVerb, Tick,
    },
};

use super::{
    WORKLOAD, beginning,
    cluster::{SimCluster, inventory, revision},
    hub::{TRUST_DOMAIN, commit},
    seal::{Papers, papers, seal},
};

/// After a session that was refused or that the hub ended; after a stream that broke.
const RECONNECT: Duration = Duration::from_millis(500);
const RECONNECT_MS: u64 = 200;

/// It looks again at least so often.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// An agent, its files and its cluster.
#[derive(Debug)]
pub struct Agent {
    name: String,
    /// What it runs.
    pub cluster: SimCluster,
    /// What its certificate says.
    pub peer: PeerId,
    papers: Arc<Papers>,
    member: Member,
    /// What is on its disk.
    pub disk: Disk,
    process: Option<Process>,
    pub(super) run: u64,
    /// How far its wall clock is off, in milliseconds.
    pub(super) skew: i64,
    pub(super) session: Option<SessionId>,
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
    deferred: Vec<Effect>,
    said: String,
}

impl Agent {
    /// Enrols a cluster: its row is in the store, its agent runs.
    pub(super) fn enrol(
        store: &Store,
        (name, uid): (&str, ClusterUid),
        labels: &[(&str, &str)],
        run: u64,
        now: Tick,
    ) -> Self {
        let cluster: ClusterName = name.parse().expect("a cluster name");
        let before = store
            .read::<ClusterRow>(&key::cluster(&cluster))
            .expect("memory can be read");
        let papers = papers(&cluster, &uid, beginning());
        let certificate = &papers.certificate;
        let peer = PeerId {
            trust_domain: TRUST_DOMAIN.to_owned(),
            cluster: cluster.clone(),
            uid: uid.clone(),
            serial: certificate.serial.clone(),
            not_after: certificate.not_after,
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
        if let Some(before) = before {
            row.former.clone_from(&before.former);
            row.former.push(before.uid.clone());
        }
        row.keys.push(PublicKey {
            spki: certificate.public.clone(),
            serial: certificate.serial.clone(),
            certificate: certificate.der.clone(),
            not_after: certificate.not_after,
            revoked: false,
        });
        let txn = Txn::new().put(&row);
        let joined = join_standing_aborts(store, txn, &cluster, &uid, &row.labels, now.wall);
        commit(store, joined.expect("memory can be read"));
        let fleet = super::hub::fleet_id();
        let mut agent = Self {
            name: name.to_owned(),
            cluster: SimCluster::new("1.0.0", 100),
            peer,
            papers,
            member: Member {
                fleet,
                cluster,
                uid,
            },
            disk: Disk::default(),
            process: None,
            run,
            skew: 0,
            session: None,
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
        let seal = seal(&self.papers);
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
            deferred: Vec::new(),
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
    pub(super) fn control(
        &mut self,
        verb: LocalVerb,
        number: usize,
        now: Tick,
    ) -> Result<(), String> {
        let process = self.process.as_mut().ok_or("the agent does not run")?;
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
        self.wake_at = now.mono.millis;
        let answer = process.link.control(wanted, now);
        let answer = answer.map(|_| ()).map_err(|why| why.to_string());
        // It is answered once it is written.
        self.save(now);
        answer
    }

    /// The stream is gone; tells which session it was.
    pub(super) fn lose_session(&mut self, now_ms: u64) -> Option<SessionId> {
        let session = self.session.take()?;
        if let Some(process) = &mut self.process {
            process.link.disconnected();
        }
        self.connect_at = self.connect_at.max(now_ms + RECONNECT_MS);
        self.wake_at = now_ms;
        Some(session)
    }

    /// Something changed that it watches: its disk, its proxy, its traffic.
    pub(super) fn wake(&mut self) {
        self.wake_at = 0;
    }

    pub(super) fn may_connect(&self, now: Tick) -> bool {
        self.process.is_some() && self.session.is_none() && self.connect_at <= now.mono.millis
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
        let connect = self.session.is_none().then_some(self.connect_at);
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
            .min(self.cluster.changes_after(now).unwrap_or(LONGEST_WAIT))
            .min(LONGEST_WAIT);
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
            let seen = look(seen, ruling.as_ref(), digest, process.link.incarnation());
            let turn = process.driver.turn(seen, now);
            let mut acted = false;
            for effect in turn.at_once {
                acted |= self.carry_out(effect, now);
            }
            let process = self.process.as_mut().expect("it runs");
            let stored = !turn.persist || !self.disk.is_full;
            if turn.persist && stored {
                let status = process.driver.status().clone();
                self.disk.status = Some(status.clone());
                process.driver.persisted(status, now);
            }
            if let Some(report) = turn.report {
                let line = format!("{} {} {}", report.phase, report.weight, report.message);
                if process.said != line {
                    words.push(line.clone());
                    process.said = line;
                }
                process.link.observe(report, proxies, now);
            }
            if let Some(evidence) = turn.evidence {
                process.link.evidence(workload.clone(), evidence);
            }
            if !stored {
                let asked = turn.effects.into_iter().filter(Effect::is_asked_once);
                process.deferred.extend(asked);
            } else {
                let deferred = std::mem::take(&mut process.deferred);
                for effect in deferred.into_iter().chain(turn.effects) {
                    acted |= self.carry_out(effect, now);
                }
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
                let (passed, words) = (true, "open".to_owned());
                let answer = Answer::Hook { passed, words };
                process.driver.answered(call.id, answer);
                true
            }
            Effect::Query(_) | Effect::Event { .. } => false,
        }
    }

    /// What its driver remembers; none while it is down.
    pub fn status(&self) -> Option<&CanaryStatus> {
        self.process.as_ref().map(|process| process.driver.status())
    }

    /// Whether it has a session in which the hub has heard and answered it.
    pub fn is_welcomed(&self) -> bool {
        let process = self.process.as_ref();
        let welcomed = |of: &Process| matches!(of.link.session(), Session::Welcomed { .. });
        self.session.is_some() && process.is_some_and(welcomed)
    }

    /// What its link allows now; none while it is down or nothing is ordered.
    pub fn permission(&self, now: Tick) -> Option<Permission> {
        let process = self.process.as_ref()?;
        let workload = WORKLOAD.parse().expect("a workload");
        process.link.permission(&workload, now)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}
