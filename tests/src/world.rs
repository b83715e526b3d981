//! The World: one hub, its agents, their clusters and one clock, in one process and one thread.
//!
//! Everything that decides is the real code: store, operations, fleet, wave engine and its driver,
//! link, canary engine and its driver, signatures. Only bytes, disks and traffic are simulated (S1).
//! Time jumps from event to event; a seed decides how long each message takes, so a history replays
//! exactly.

mod agent;
pub mod cluster;
mod faults;
mod hub;
mod look;
mod people;
pub mod script;
mod seal;
mod wire;

use std::{collections::BTreeMap, time::Duration};

use flagship_hub::store::Store;
use flagship_proto::model::{Evidence, Mono, Tick};
use jiff::Timestamp;

pub use agent::Agent;
pub use hub::Hub;
pub use wire::Way;
use wire::Wire;

/// The workload of every cluster.
pub const WORKLOAD: &str = "shop/Deployment/checkout";

/// When every World begins.
const EPOCH_MS: i64 = 1_790_000_000_000;

/// Labels of a cluster.
pub type LabelPairs = &'static [(&'static str, &'static str)];

fn beginning() -> Timestamp {
    Timestamp::from_millisecond(EPOCH_MS).expect("within the calendar")
}

/// What is asked of a World after every event; words if something is broken.
pub type Watcher<'a> = &'a mut dyn FnMut(&World) -> Result<(), String>;

/// All of it.
#[derive(Debug)]
pub struct World {
    now_ms: u64,
    random: u64,
    runs: u64,
    /// The hub; none while it is down.
    pub hub: Option<Hub>,
    store: Store,
    store_generation: u64,
    /// Whether a copy was put in its place and nobody has recovered since.
    has_gone_back: bool,
    /// A copy of the hub's store that was set aside.
    copy: Option<Store>,
    /// How many uids were drawn for a name.
    drawn: BTreeMap<String, u32>,
    /// How far the hub's wall clock is off, in milliseconds.
    hub_skew: i64,
    /// Agents by cluster name.
    pub agents: BTreeMap<String, Agent>,
    wire: Wire,
    behaviour: BTreeMap<String, cluster::Behaviour>,
    /// Evidence as it reached the hub, with the cluster that sent it.
    pub evidence: Vec<(String, Evidence)>,
    /// What happened, a line each, in the words of the engines.
    pub log: Vec<String>,
}

impl World {
    /// A fleet with these clusters (name and labels), each serving 1.0.0 at 100 requests a second.
    pub fn new(seed: u64, clusters: &[(&str, &[(&str, &str)])]) -> Self {
        let mut world = Self {
            now_ms: 0,
            random: seed,
            runs: 0,
            hub: None,
            store: Store::memory(),
            store_generation: 0,
            has_gone_back: false,
            copy: None,
            drawn: BTreeMap::new(),
            hub_skew: 0,
            agents: BTreeMap::new(),
            wire: Wire::default(),
            behaviour: BTreeMap::new(),
            evidence: Vec::new(),
            log: Vec::new(),
        };
        hub::found(&world.store, world.wall());
        for (name, labels) in clusters {
            world.enrol(name, labels);
        }
        world.start_hub();
        world
    }

    fn next_run(&mut self) -> u64 {
        self.runs += 1;
        self.runs
    }

    /// The moment, as a process with this run number and a wall clock that is off by so much reads it.
    fn now(&self, run: u64, skew: i64) -> Tick {
        let wall = EPOCH_MS + i64::try_from(self.now_ms).expect("a World lasts no ages") + skew;
        Tick {
            wall: Timestamp::from_millisecond(wall).expect("within the calendar"),
            mono: Mono {
                run,
                millis: self.now_ms,
            },
        }
    }

    fn hub_now(&self) -> Tick {
        self.now(self.hub.as_ref().map_or(0, |hub| hub.run), self.hub_skew)
    }

    fn agent_now(&self, name: &str) -> Tick {
        let agent = &self.agents[name];
        self.now(agent.run, agent.skew)
    }

    /// SplitMix64: all that chance needs here.
    fn chance(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below.max(1)
    }

    /// Adds a line to the log.
    pub fn say(&mut self, words: &str) {
        let (seconds, tenths) = (self.now_ms / 1000, self.now_ms % 1000 / 100);
        self.log.push(format!("{seconds:>6}.{tenths} {words}"));
    }

    /// An agent by name.
    pub fn agent(&mut self, name: &str) -> &mut Agent {
        self.agents
            .get_mut(name)
            .expect("the script names a cluster of this World")
    }

    /// Runs for a time.
    pub fn run(&mut self, time: Duration) {
        let outcome = self.run_watched(time, &mut |_| Ok(()));
        outcome.expect("nothing was asked");
    }

    /// Runs for a time, and asks after every event. Ends at the first complaint.
    pub fn run_watched(&mut self, time: Duration, watcher: Watcher<'_>) -> Result<(), String> {
        let end = self.later(time);
        self.run_until(end, |_| false, watcher)
    }

    /// Runs until a condition holds; panics with the log if it does not hold in time.
    pub fn run_till(&mut self, most: Duration, what: &str, holds: impl Fn(&Self) -> bool) {
        let holding = self.run_till_watched(most, &holds, &mut |_| Ok(()));
        let log = || self.log.join("\n");
        assert!(
            holding.expect("nothing was asked"),
            "not within {most:?}: {what}\n{}",
            log()
        );
    }

    /// Runs until a condition holds, and asks after every event; whether it holds at the end.
    pub fn run_till_watched(
        &mut self,
        most: Duration,
        holds: &dyn Fn(&Self) -> bool,
        watcher: Watcher<'_>,
    ) -> Result<bool, String> {
        let end = self.later(most);
        self.run_until(end, holds, watcher)?;
        Ok(holds(self))
    }

    fn later(&self, time: Duration) -> u64 {
        self.now_ms + u64::try_from(time.as_millis()).expect("a World lasts no ages")
    }

    fn run_until(
        &mut self,
        end: u64,
        holds: impl Fn(&Self) -> bool,
        watcher: Watcher<'_>,
    ) -> Result<(), String> {
        while !holds(self) {
            self.now_ms = self.next_event().min(end).max(self.now_ms);
            self.happen();
            watcher(self)?;
            if self.now_ms >= end && self.next_event() > end {
                break;
            }
        }
        Ok(())
    }

    fn next_event(&self) -> u64 {
        let agents = self.agents.values().filter_map(Agent::wakes_at);
        let hub = self.hub.as_ref().map(Hub::wakes_at);
        let events = self.wire.next().into_iter().chain(agents).chain(hub);
        events.min().unwrap_or(self.now_ms + 1000)
    }

    fn happen(&mut self) {
        self.deliver();
        let due = |agent: &&Agent| agent.wakes_at().is_some_and(|at| at <= self.now_ms);
        let names: Vec<String> = self
            .agents
            .values()
            .filter(due)
            .map(|agent| agent.name().to_owned())
            .collect();
        for name in &names {
            self.connect(name);
            self.turn_agent(name);
        }
        self.turn_hub();
    }

    fn connect(&mut self, name: &str) {
        let now = self.agent_now(name);
        let agent = &self.agents[name];
        if !agent.may_connect(now) {
            return;
        }
        let peer = agent.peer.clone();
        let hub_now = self.hub_now();
        let reachable = !self.wire.is_cut(name);
        let opened = match self.hub.as_mut().filter(|_| reachable) {
            Some(hub) => hub.opened(peer, hub_now),
            None => return self.agent(name).refused(now),
        };
        match opened {
            Ok(session) => self.agent(name).opened(session),
            Err(words) => {
                self.agent(name).refused(now);
                self.say(&format!("{name} refused: {words}"));
            }
        }
    }

    fn turn_agent(&mut self, name: &str) {
        let now = self.agent_now(name);
        let (messages, words) = self.agent(name).turn(now);
        for line in words {
            self.say(&format!("{name} {line}"));
        }
        for message in messages {
            self.send_up(name, message);
        }
    }

    fn turn_hub(&mut self) {
        let now = self.hub_now();
        let Some(hub) = self
            .hub
            .as_mut()
            .filter(|hub| hub.wakes_at() <= now.mono.millis)
        else {
            return;
        };
        let (messages, ended, words) = hub.turn(now);
        for line in words {
            self.say(&line);
        }
        for (session, message) in messages {
            if let Some(name) = self.name_of(session) {
                self.send_down(&name, message);
            }
        }
        for session in ended {
            if let Some(name) = self.name_of(session) {
                self.hang_up(&name);
            }
        }
    }

    fn name_of(&self, session: flagship_hub::fleet::SessionId) -> Option<String> {
        let mut agents = self.agents.values();
        let of = agents.find(|agent| agent.session == Some(session));
        of.map(|agent| agent.name().to_owned())
    }
}
