//! The World: one hub, its agents, their clusters and one clock, in one process and one thread.
//!
//! Everything that decides is the real code: store, fleet, wave engine and its driver, link, canary
//! engine and its driver, signatures. Only bytes, disks and traffic are simulated (S1). Time jumps
//! from event to event; a seed decides how long each message takes, so a history replays exactly.

mod agent;
pub mod cluster;
mod hub;
pub mod script;

use std::{collections::BTreeMap, time::Duration};

use flagship_proto::model::{AgentMessage, HubMessage, LocalVerb, Mono, RolloutId, Tick};
use jiff::Timestamp;

pub use agent::Agent;
pub use hub::Hub;

/// The workload of every cluster.
pub const WORKLOAD: &str = "shop/Deployment/checkout";

/// When every World begins.
const EPOCH_MS: i64 = 1_790_000_000_000;

/// A message on its way.
#[derive(Debug)]
enum Flight {
    ToHub(String, Box<AgentMessage>),
    ToAgent(String, Box<HubMessage>),
}

/// All of it.
#[derive(Debug)]
pub struct World {
    now_ms: u64,
    random: u64,
    runs: u64,
    /// The hub; none while it is down.
    pub hub: Option<Hub>,
    store: flagship_hub::store::Store,
    /// Agents by cluster name.
    pub agents: BTreeMap<String, Agent>,
    flights: BTreeMap<(u64, u64), Flight>,
    sent: u64,
    /// What happened, a line each, in the words of the engines.
    pub log: Vec<String>,
}

impl World {
    /// A fleet with these clusters (name and labels), each serving 1.0.0 at 100 requests a second.
    pub fn new(seed: u64, clusters: &[(&str, &[(&str, &str)])]) -> Self {
        let store = flagship_hub::store::Store::memory();
        let mut world = Self {
            now_ms: 0,
            random: seed,
            runs: 0,
            hub: None,
            store,
            agents: BTreeMap::new(),
            flights: BTreeMap::new(),
            sent: 0,
            log: Vec::new(),
        };
        hub::found(&world.store, world.now(0).wall);
        for (name, labels) in clusters {
            let run = world.next_run();
            let now = world.now(run);
            let agent = Agent::enrol(&world.store, name, labels, run, now);
            world.agents.insert((*name).to_owned(), agent);
        }
        world.start_hub();
        world
    }

    fn next_run(&mut self) -> u64 {
        self.runs += 1;
        self.runs
    }

    /// The moment, as the process with this run number reads its clock.
    pub(crate) fn now(&self, run: u64) -> Tick {
        let wall = EPOCH_MS + i64::try_from(self.now_ms).expect("a World lasts no ages");
        Tick {
            wall: Timestamp::from_millisecond(wall).expect("within the calendar"),
            mono: Mono {
                run,
                millis: self.now_ms,
            },
        }
    }

    /// SplitMix64: all that chance needs here.
    fn chance(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.random;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % below.max(1)
    }

    /// Seconds since the beginning, with one digit, for the log.
    fn stamp(&self) -> String {
        format!("{:>6}.{}", self.now_ms / 1000, self.now_ms % 1000 / 100)
    }

    fn say(&mut self, words: &str) {
        let line = format!("{} {words}", self.stamp());
        self.log.push(line);
    }

    /// Starts the hub on the store as it is: a new term, no sessions.
    pub fn start_hub(&mut self) {
        let run = self.next_run();
        self.hub = Some(Hub::start(&self.store, run, self.now(run)));
        self.say("hub starts");
    }

    /// Kills the hub: what was committed stays, all else is gone.
    pub fn kill_hub(&mut self) {
        self.hub = None;
        for agent in self.agents.values_mut() {
            agent.lose_session();
        }
        self.flights.clear();
        self.say("hub killed");
    }

    /// A person on the spot tells an agent something.
    pub fn control(&mut self, name: &str, verb: LocalVerb) {
        let number = self.log.len();
        let now = self.now(self.agents[name].run);
        self.agent(name).control(verb, number, now);
        self.say(&format!("{name} told on the spot: {}", verb.word()));
    }

    /// Kills an agent: its files stay, its cluster goes on serving.
    pub fn kill_agent(&mut self, name: &str) {
        self.disconnect(name);
        self.agent(name).kill();
        self.say(&format!("{name} agent killed"));
    }

    /// Starts a killed agent again.
    pub fn start_agent(&mut self, name: &str) {
        let run = self.next_run();
        let now = self.now(run);
        self.agent(name).start(run, now);
        self.say(&format!("{name} agent starts"));
    }

    /// Cuts a cluster off from the hub; nothing is told to either side but silence and a closed stream.
    pub fn cut(&mut self, name: &str) {
        self.disconnect(name);
        self.agent(name).is_cut = true;
        self.say(&format!("{name} cut off"));
    }

    /// Joins it again.
    pub fn mend(&mut self, name: &str) {
        self.agent(name).is_cut = false;
        self.say(&format!("{name} joined again"));
    }

    /// An agent by name.
    pub fn agent(&mut self, name: &str) -> &mut Agent {
        self.agents
            .get_mut(name)
            .expect("the script names a cluster of this World")
    }

    fn disconnect(&mut self, name: &str) {
        let session = self.agent(name).lose_session();
        if let (Some(hub), Some(session)) = (&mut self.hub, session) {
            hub.closed(session);
        }
        self.flights.retain(|_, flight| match flight {
            Flight::ToHub(from, _) => from != name,
            Flight::ToAgent(to, _) => to != name,
        });
    }

    /// Runs for a time.
    pub fn run(&mut self, time: Duration) {
        let end = self.now_ms + u64::try_from(time.as_millis()).expect("a World lasts no ages");
        self.run_until(end, |_| false);
    }

    /// Runs until a condition holds; panics with the log if it does not hold in time.
    pub fn run_till(&mut self, most: Duration, what: &str, holds: impl Fn(&Self) -> bool) {
        let end = self.now_ms + u64::try_from(most.as_millis()).expect("a World lasts no ages");
        self.run_until(end, &holds);
        assert!(
            holds(self),
            "not within {most:?}: {what}\n{}",
            self.log.join("\n")
        );
    }

    fn run_until(&mut self, end: u64, holds: impl Fn(&Self) -> bool) {
        while !holds(self) {
            let next = self.next_event().min(end);
            self.now_ms = next.max(self.now_ms);
            self.happen();
            if self.now_ms >= end && self.next_event() > end {
                return;
            }
        }
    }

    fn next_event(&self) -> u64 {
        let flight = self.flights.keys().next().map(|(at, _)| *at);
        let agents = self.agents.values().filter_map(Agent::wakes_at);
        let hub = self.hub.as_ref().map(Hub::wakes_at);
        flight
            .into_iter()
            .chain(agents)
            .chain(hub)
            .min()
            .unwrap_or(self.now_ms + 1000)
    }

    fn happen(&mut self) {
        let at = self.now_ms;
        while let Some(entry) = self.flights.first_entry()
            && entry.key().0 <= at
        {
            match entry.remove() {
                Flight::ToHub(from, message) => self.arrive_at_hub(&from, *message),
                Flight::ToAgent(to, message) => self.arrive_at_agent(&to, *message),
            }
        }
        let names: Vec<String> = self.agents.keys().cloned().collect();
        for name in &names {
            self.connect(name);
            self.turn_agent(name);
        }
        self.turn_hub();
    }

    fn arrive_at_hub(&mut self, from: &str, message: AgentMessage) {
        let session = self.agent(from).session;
        if let (Some(hub), Some(session)) = (&mut self.hub, session) {
            let run = hub.run;
            let now = self.now(run);
            self.hub
                .as_mut()
                .expect("it is there")
                .message(session, message, now);
        }
    }

    fn arrive_at_agent(&mut self, to: &str, message: HubMessage) {
        let run = self.agent(to).run;
        let now = self.now(run);
        if let Some(words) = self.agent(to).receive(message, now) {
            self.say(&format!("{to} {words}"));
            self.disconnect(to);
        }
    }

    fn connect(&mut self, name: &str) {
        let now = self.now(self.hub.as_ref().map_or(0, |hub| hub.run));
        let agent = self.agents.get_mut(name).expect("iterated names exist");
        if !agent.may_connect(now) {
            return;
        }
        if self.hub.is_none() {
            return agent.refused(now);
        }
        let peer = agent.peer.clone();
        match self.hub.as_mut().expect("it is there").opened(peer, now) {
            Ok(session) => self.agent(name).opened(session),
            Err(words) => {
                self.agent(name).refused(now);
                self.say(&format!("{name} refused: {words}"));
            }
        }
    }

    fn turn_agent(&mut self, name: &str) {
        let run = self.agent(name).run;
        let now = self.now(run);
        let (messages, words) = self.agent(name).turn(now);
        for line in words {
            self.say(&format!("{name} {line}"));
        }
        for message in messages {
            self.send(Flight::ToHub(name.to_owned(), Box::new(message)));
        }
    }

    fn turn_hub(&mut self) {
        let Some(hub) = &self.hub else { return };
        let now = self.now(hub.run);
        let hub = self.hub.as_mut().expect("it is there");
        let (messages, ended, words) = hub.turn(now);
        for line in words {
            self.say(&line);
        }
        for (session, message) in messages {
            let to = self
                .agents
                .iter()
                .find(|(_, agent)| agent.session == Some(session));
            if let Some(name) = to.map(|(name, _)| name.clone()) {
                self.send(Flight::ToAgent(name, Box::new(message)));
            }
        }
        for session in ended {
            let of = self
                .agents
                .iter()
                .find(|(_, agent)| agent.session == Some(session));
            if let Some(name) = of.map(|(name, _)| name.clone()) {
                self.disconnect(&name);
            }
        }
    }

    /// Messages of one session keep their order, as on a stream.
    fn send(&mut self, flight: Flight) {
        let (name, to_hub) = match &flight {
            Flight::ToHub(name, _) => (name.clone(), true),
            Flight::ToAgent(name, _) => (name.clone(), false),
        };
        let at = self.now_ms + 2 + self.chance(30);
        let agent = self.agent(&name);
        let last = if to_hub {
            &mut agent.last_up
        } else {
            &mut agent.last_down
        };
        *last = at.max(*last);
        let at = *last;
        self.sent += 1;
        self.flights.insert((at, self.sent), flight);
    }

    /// The wall clock.
    pub fn wall(&self) -> Timestamp {
        self.now(0).wall
    }

    /// Milliseconds since the beginning.
    pub fn millis(&self) -> u64 {
        self.now_ms
    }

    /// The store, to look at.
    pub fn store(&self) -> &flagship_hub::store::Store {
        &self.store
    }

    /// A rollout's row.
    pub fn rollout(&self, id: &str) -> flagship_hub::records::RolloutRow {
        let id: RolloutId = id.parse().expect("a rollout id");
        let key = flagship_hub::records::key::rollout(&"shop".parse().expect("a name"), &id);
        let row = self.store.read(&key).expect("memory can be read");
        row.expect("the rollout was started").value
    }

    /// One word for a rollout's state.
    pub fn phase(&self, id: &str) -> &'static str {
        self.rollout(id).state.phase.word()
    }
}
