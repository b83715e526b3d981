//! What goes wrong with processes, disks and clocks of a World.

use flagship_hub::store::{Key, Store, Txn};
use flagship_proto::model::ClusterUid;

use super::{Agent, Hub, World, cluster::Behaviour};

impl World {
    /// Starts the hub on the store as it is: a new term, no sessions.
    pub fn start_hub(&mut self) {
        let run = self.next_run();
        self.hub = Some(Hub::start(&self.store, run, self.now(run, self.hub_skew)));
        self.say("hub starts");
    }

    /// Kills the hub: what was committed stays, all else is gone.
    pub fn kill_hub(&mut self) {
        self.hub = None;
        let names: Vec<String> = self.agents.keys().cloned().collect();
        for name in &names {
            self.hang_up(name);
        }
        self.say("hub killed");
    }

    /// Sets a copy of the hub's store aside.
    pub fn copy_store(&mut self) {
        self.copy = Some(copy_of(&self.store));
        self.say("somebody copies the hub's data folder");
    }

    /// Kills the hub, puts the copy that was set aside in place of its store, and starts it again.
    pub fn put_store_back(&mut self) {
        let Some(copy) = self.copy.take() else {
            return;
        };
        self.kill_hub();
        self.store = copy;
        self.store_generation += 1;
        self.has_gone_back = true;
        self.say("the hub's data folder is put back");
        self.start_hub();
    }

    /// Somebody deletes a row from the hub's store.
    pub fn delete_row(&mut self, key: Key) {
        super::hub::commit(&self.store, Txn::new().delete(key));
    }

    /// Kills an agent: its files stay, its cluster goes on serving.
    pub fn kill_agent(&mut self, name: &str) {
        self.hang_up(name);
        self.agent(name).kill();
        self.say(&format!("{name} agent killed"));
    }

    /// Starts a killed agent again.
    pub fn start_agent(&mut self, name: &str) {
        let run = self.next_run();
        let now = self.now(run, self.agents[name].skew);
        self.agent(name).start(run, now);
        self.say(&format!("{name} agent starts"));
    }

    /// Fills an agent's disk, or frees it.
    pub fn fill_disk(&mut self, name: &str, is_full: bool) {
        let agent = self.agent(name);
        agent.disk.is_full = is_full;
        agent.wake();
        let words = if is_full { "full" } else { "has room again" };
        self.say(&format!("{name} disk {words}"));
    }

    /// Lets a cluster's proxy lose its agent, or find it again.
    pub fn connect_proxy(&mut self, name: &str, connected: bool) {
        let now = self.agent_now(name);
        let agent = self.agent(name);
        agent.cluster.advance(now);
        agent.cluster.proxy_connected = connected;
        agent.cluster.sync();
        agent.wake();
        let words = if connected {
            "hears it again"
        } else {
            "does not hear it"
        };
        self.say(&format!("{name} proxy {words}"));
    }

    /// Lets a version behave so in every cluster, also in those that join later.
    pub fn set_behaviour(&mut self, version: &str, behaviour: Behaviour) {
        for agent in self.agents.values_mut() {
            let behaviours = &mut agent.cluster.behaviour;
            behaviours.insert(version.to_owned(), behaviour);
        }
        self.behaviour.insert(version.to_owned(), behaviour);
        self.say(&format!("{version} behaves as {behaviour:?}"));
    }

    /// Lets users send so many requests a second to a cluster.
    pub fn set_traffic(&mut self, name: &str, rps: u32) {
        let now = self.agent_now(name);
        let agent = self.agent(name);
        agent.cluster.advance(now);
        agent.cluster.rps = rps;
        self.say(&format!("{name} has {rps} requests a second"));
    }

    /// Makes the hub's disk full, or frees it.
    pub fn fill_hub_disk(&mut self, is_full: bool) {
        if let Store::Memory(store) = &self.store {
            store.set_broken(is_full);
        }
        let words = if is_full { "full" } else { "has room again" };
        self.say(&format!("hub disk {words}"));
    }

    /// Lets an agent's wall clock jump by so many milliseconds.
    pub fn jump_clock(&mut self, name: &str, by: i64) {
        self.agent(name).skew += by;
        self.say(&format!("{name} clock jumps by {} s", by / 1000));
    }

    /// Lets the hub's wall clock jump by so many milliseconds.
    pub fn jump_hub_clock(&mut self, by: i64) {
        self.hub_skew += by;
        self.say(&format!("hub clock jumps by {} s", by / 1000));
    }

    /// Enrols a cluster; its agent runs from then on. A name that is there already is enrolled again,
    /// on an empty disk: another uid (P1).
    pub fn enrol(&mut self, name: &str, labels: &[(&str, &str)]) {
        if self.agents.contains_key(name) {
            self.hang_up(name);
        }
        let run = self.next_run();
        let now = self.now(run, 0);
        let uid = self.draw_uid(name);
        let mut agent = Agent::enrol(&self.store, (name, uid), labels, run, now);
        agent.cluster.behaviour.clone_from(&self.behaviour);
        self.agents.insert(name.to_owned(), agent);
    }

    /// No uid comes twice, whichever copy of the store knows of it.
    fn draw_uid(&mut self, name: &str) -> ClusterUid {
        let drawn = self.drawn.entry(name.to_owned()).or_default();
        *drawn += 1;
        let uid = match drawn {
            1 => format!("uid-{name}"),
            times => format!("uid-{name}-{times}"),
        };
        uid.parse().expect("a uid")
    }
}

fn copy_of(store: &Store) -> Store {
    match store {
        Store::Memory(memory) => Store::Memory(memory.copy()),
        Store::Embedded(_) => unreachable!("a World's store is in memory"),
    }
}
