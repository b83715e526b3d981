//! What is under way between agents and hub. Messages of one session keep their order, as on a
//! stream; a stream that is gone takes what was under way with it.

use std::collections::{BTreeMap, BTreeSet};

use flagship_proto::model::{AgentMessage, HubMessage};

use super::World;

/// A message takes up to so many milliseconds more than two.
const USUAL: u64 = 30;

#[derive(Debug)]
enum Flight {
    ToHub(String, Box<AgentMessage>),
    ToAgent(String, Box<HubMessage>),
}

impl Flight {
    fn name(&self) -> &str {
        match self {
            Self::ToHub(name, _) | Self::ToAgent(name, _) => name,
        }
    }
}

/// One way of a cluster's link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Way {
    /// From the agent to the hub.
    Up,
    /// From the hub to the agent.
    Down,
}

/// Messages under way, and what is wrong with the links.
#[derive(Debug, Default)]
pub(super) struct Wire {
    flights: BTreeMap<(u64, u64), Flight>,
    sent: u64,
    /// When the last message of a way arrives.
    last: BTreeMap<(String, Way), u64>,
    cut: BTreeSet<String>,
    /// A way on which nothing arrives; it waits there.
    stuck: BTreeMap<(String, Way), Vec<Flight>>,
    /// What a message of a cluster takes at most, where that is unusual.
    slow: BTreeMap<String, u64>,
}

impl Wire {
    /// When something arrives next.
    pub(super) fn next(&self) -> Option<u64> {
        self.flights.keys().next().map(|(at, _)| *at)
    }

    pub(super) fn is_cut(&self, name: &str) -> bool {
        self.cut.contains(name)
    }

    /// Whether a way of a cluster's link is slow or stuck.
    pub(super) fn is_unusual(&self, name: &str, way: Way) -> bool {
        self.slow.contains_key(name) || self.stuck.contains_key(&(name.to_owned(), way))
    }

    /// A session ended: what was under way is lost.
    pub(super) fn forget(&mut self, name: &str) {
        self.flights.retain(|_, flight| flight.name() != name);
        for ((of, _), waiting) in &mut self.stuck {
            if of == name {
                waiting.clear();
            }
        }
    }
}

impl World {
    /// Cuts a cluster off from the hub; nothing is told to either side but silence and a closed stream.
    pub fn cut(&mut self, name: &str) {
        self.hang_up(name);
        self.wire.cut.insert(name.to_owned());
        self.say(&format!("{name} cut off"));
    }

    /// Cuts one way: what is sent stays under way, the stream stays open as long as both sides bear it.
    pub fn cut_way(&mut self, name: &str, way: Way) {
        let here = (name.to_owned(), way);
        self.wire.stuck.entry(here).or_default();
        let words = match way {
            Way::Up => "is not heard any more",
            Way::Down => "hears nothing any more",
        };
        self.say(&format!("{name} {words}"));
    }

    /// Lets messages of a cluster take up to so many milliseconds.
    pub fn slow(&mut self, name: &str, millis: u64) {
        self.wire.slow.insert(name.to_owned(), millis);
        self.say(&format!("{name} has a link that takes up to {millis} ms"));
    }

    /// Breaks the stream; the agent may come again at once.
    pub fn break_stream(&mut self, name: &str) {
        self.hang_up(name);
        self.say(&format!("{name} loses its stream"));
    }

    /// The link is whole and quick again.
    pub fn mend(&mut self, name: &str) {
        self.wire.cut.remove(name);
        self.wire.slow.remove(name);
        for way in [Way::Up, Way::Down] {
            let waiting = self.wire.stuck.remove(&(name.to_owned(), way));
            for flight in waiting.unwrap_or_default() {
                self.fly(flight);
            }
        }
        self.say(&format!("{name} joined again"));
    }

    pub(super) fn hang_up(&mut self, name: &str) {
        let Some(agent) = self.agents.get_mut(name) else {
            return;
        };
        let session = agent.lose_session(self.now_ms);
        if let (Some(hub), Some(session)) = (&mut self.hub, session) {
            hub.closed(session);
        }
        self.wire.forget(name);
    }

    pub(super) fn send_up(&mut self, name: &str, message: AgentMessage) {
        self.fly(Flight::ToHub(name.to_owned(), Box::new(message)));
    }

    pub(super) fn send_down(&mut self, name: &str, message: HubMessage) {
        self.fly(Flight::ToAgent(name.to_owned(), Box::new(message)));
    }

    fn fly(&mut self, flight: Flight) {
        let way = match &flight {
            Flight::ToHub(..) => Way::Up,
            Flight::ToAgent(..) => Way::Down,
        };
        let here = (flight.name().to_owned(), way);
        if let Some(waiting) = self.wire.stuck.get_mut(&here) {
            return waiting.push(flight);
        }
        let most = self.wire.slow.get(&here.0).copied().unwrap_or(USUAL);
        let at = self.now_ms + 2 + self.chance(most);
        let last = self.wire.last.entry(here).or_default();
        *last = at.max(*last);
        let at = *last;
        self.wire.sent += 1;
        self.wire.flights.insert((at, self.wire.sent), flight);
    }

    pub(super) fn deliver(&mut self) {
        while let Some(entry) = self.wire.flights.first_entry()
            && entry.key().0 <= self.now_ms
        {
            match entry.remove() {
                Flight::ToHub(from, message) => self.arrive_at_hub(&from, *message),
                Flight::ToAgent(to, message) => self.arrive_at_agent(&to, *message),
            }
        }
    }

    fn arrive_at_hub(&mut self, from: &str, message: AgentMessage) {
        let session = self.agents[from].session;
        let now = self.hub_now();
        if let AgentMessage::Report(report) = &message {
            let sent = report
                .evidence
                .iter()
                .map(|(_, one)| (from.to_owned(), one.clone()));
            self.evidence.extend(sent);
        }
        if let (Some(hub), Some(session)) = (&mut self.hub, session) {
            hub.message(session, message, now);
        }
    }

    fn arrive_at_agent(&mut self, to: &str, message: HubMessage) {
        let now = self.agent_now(to);
        if let Some(words) = self.agent(to).receive(message, now) {
            self.say(&format!("{to} {words}"));
            self.hang_up(to);
        }
    }
}
