//! The end of a history: everything is mended and people clear up, on a hub whose data was put back
//! too. Then the fleet must come to rest.

use std::{collections::BTreeSet, time::Duration};

use flagship_proto::model::{LocalVerb, RolloutId, Weight};
use flagship_waves::RolloutPhase;

use super::live::{Player, back};
use crate::{invariant::Broken, world::Agent};

/// After all is mended and taken back, within so much time nothing moves any more.
const REST: Duration = Duration::from_secs(240);

impl Player {
    /// Everything is mended, every abort lifted, what is open taken back: then nothing moves any more.
    pub(super) fn settle(&mut self) -> Result<(), Broken> {
        self.world.fill_hub_disk(false);
        if self.world.hub.is_none() {
            self.world.start_hub();
        }
        let names: Vec<String> = self.world.agents.keys().cloned().collect();
        for name in &names {
            self.world.mend(name);
            self.world.fill_disk(name, false);
            self.world.connect_proxy(name, true);
            self.world.set_traffic(name, 100);
            if self.world.agents[name].status().is_none() {
                self.world.start_agent(name);
            }
            drop(self.world.try_control(name, LocalVerb::Release));
        }
        self.pass(3)?;
        if self.world.has_gone_back() {
            self.go_on()?;
        }
        for id in self.freezes().iter().rev() {
            drop(self.world.try_unfreeze(id));
        }
        for id in self.aborts().iter().rev() {
            drop(self.world.lift_except(id, Vec::new()));
        }
        self.pass(40)?;
        for rollout in self.rollouts().iter().rev() {
            let over = match rollout.state.phase {
                RolloutPhase::RolledBack | RolloutPhase::Superseded => true,
                RolloutPhase::Succeeded
                | RolloutPhase::Pending
                | RolloutPhase::Progressing { .. }
                | RolloutPhase::Paused
                | RolloutPhase::Retreating
                | RolloutPhase::Aborted
                | RolloutPhase::Failed => rollout.state.accepted.is_some(),
            };
            if !over {
                drop(self.world.wish(rollout.id.as_str(), back(true)));
                self.pass(5)?;
            }
        }
        self.go_back_on_the_spot();
        self.come_to_rest()
    }

    /// The hub's data was put back: a person looks at what its agents say, recovers, and sees to the
    /// members. Who left since is a member again and has no agent; who joined since is none.
    fn go_on(&mut self) -> Result<(), Broken> {
        self.pass(10)?;
        self.world.recover();
        for (name, uid) in self.world.members() {
            if self
                .world
                .agents
                .get(&name)
                .is_none_or(|agent| agent.peer.uid != uid)
            {
                drop(self.world.remove(&name));
            }
        }
        let members = self.world.members();
        let is_none = |agent: &&Agent| !members.values().any(|uid| *uid == agent.peer.uid);
        let strangers = self.world.agents.values().filter(is_none);
        let strangers: Vec<String> = strangers.map(|agent| agent.name().to_owned()).collect();
        for name in &strangers {
            self.enrol(name);
        }
        // An agent that saw two hubs under one term comes back after a minute.
        self.pass(70)
    }

    /// What was ordered in the history that was given up is held (P22): people at the cluster take
    /// it back.
    fn go_back_on_the_spot(&mut self) {
        let known: BTreeSet<RolloutId> = self.rollouts().into_iter().map(|row| row.id).collect();
        let names: Vec<String> = self.world.agents.keys().cloned().collect();
        for name in &names {
            let permission = self.world.permission(name);
            if permission.is_some_and(|may| !known.contains(&may.order().rollout)) {
                drop(self.world.try_control(name, LocalVerb::Retreat));
            }
        }
    }

    fn come_to_rest(&mut self) -> Result<(), Broken> {
        let end = self.world.millis() + u64::try_from(REST.as_millis()).unwrap_or_default();
        while self.unrest().is_some() && self.world.millis() < end {
            self.pass(5)?;
        }
        match self.unrest() {
            None => Ok(()),
            Some(what) => Err(Broken {
                rule: "of rest: what was taken back comes to rest".to_owned(),
                what,
            }),
        }
    }

    /// What still moves, or stands where it should not.
    fn unrest(&self) -> Option<String> {
        let rollouts = self.rollouts();
        if let Some(open) = rollouts.iter().find(|row| !row.state.is_over()) {
            return Some(format!("{} is {}", open.id, open.state.phase));
        }
        // What a person took as final stays mixed.
        if rollouts.iter().any(|row| row.state.accepted.is_some()) {
            return None;
        }
        for agent in self.world.agents.values() {
            let all = agent.cluster.primary().map(|v| agent.cluster.share(v));
            if all != Some(Weight::FULL) {
                return Some(format!("{} is split: {all:?}", agent.name()));
            }
        }
        let is_first = self.world.store_generation() == 0;
        let plain =
            is_first && rollouts.len() == 1 && rollouts[0].state.phase == RolloutPhase::RolledBack;
        let mut agents = self.world.agents.values();
        let left = agents.find(|agent| plain && agent.cluster.primary() != Some("1.0.0"))?;
        Some(format!(
            "{} serves {:?}",
            left.name(),
            left.cluster.primary()
        ))
    }
}
