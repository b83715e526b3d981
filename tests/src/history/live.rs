//! Plays a history in a World: its steps, then everything is mended and people clear up (`settle`). The
//! rules are asked after every event.

use std::time::Duration;

use flagship_hub::records::{AbortRow, FreezeRow, LiftRow, Record, RolloutRow, Stored, key};
use flagship_proto::model::{ReturnTo, Scope, Selector};
use flagship_waves::Wish;

use super::{History, Plans, Step, Where, draw::FLEET};
use crate::{
    invariant::{Broken, Rules},
    world::{World, cluster::Behaviour, script},
};

/// A history that was played.
#[derive(Debug)]
pub struct Life {
    /// How the World was left.
    pub world: World,
    /// The rule that it broke, if it did.
    pub broken: Option<Broken>,
}

/// Plays a history.
pub fn live(history: &History) -> Life {
    let mut player = Player {
        world: World::new(history.seed, FLEET),
        rules: Rules::default(),
        hub_disk_full: false,
    };
    let broken = player.play(history).err();
    Life {
        world: player.world,
        broken,
    }
}

pub(super) struct Player {
    pub(super) world: World,
    rules: Rules,
    hub_disk_full: bool,
}

impl Player {
    fn play(&mut self, history: &History) -> Result<(), Broken> {
        self.pass(2)?;
        for (step, seconds) in &history.steps {
            self.take(step);
            self.pass(*seconds)?;
        }
        self.settle()
    }

    pub(super) fn pass(&mut self, seconds: u64) -> Result<(), Broken> {
        let mut broken = None;
        let rules = &mut self.rules;
        let mut ask = |world: &World| {
            rules.check(world).map_err(|found| {
                let words = found.what.clone();
                broken = Some(found);
                words
            })
        };
        let time = Duration::from_secs(seconds);
        let ran = self.world.run_watched(time, &mut ask);
        match broken {
            Some(broken) => Err(broken),
            None => ran.map_err(|what| Broken {
                rule: "none".to_owned(),
                what,
            }),
        }
    }

    /// What does not apply now is not done. What people are refused is an answer, which is logged.
    fn take(&mut self, step: &Step) {
        let is_up = self.world.hub.is_some();
        let world = &mut self.world;
        let here = |name: &str| world.agents.contains_key(name);
        let runs = |name: &str| world.agents.get(name).is_some_and(|a| a.status().is_some());
        match step {
            Step::Start {
                version,
                plan,
                supersede,
            } if is_up => drop(world.try_start(&text(*plan), version, true, *supersede)),
            Step::Pause if is_up => self.wish(Wish::Pause),
            Step::Resume if is_up => self.wish(Wish::Resume),
            Step::Retry if is_up => self.wish(Wish::Retry),
            Step::Accept if is_up => self.wish(Wish::Accept),
            Step::Retreat { now } if is_up => self.wish(back(*now)),
            Step::Abort(place, mode) if is_up => {
                let scope = self.scope(*place);
                drop(self.world.try_abort(scope, *mode));
            }
            Step::Lift(except) if is_up => {
                let except = except.map(|place| self.scope(place));
                self.lift(except);
            }
            Step::Freeze(place, seconds) if is_up => {
                let scope = self.scope(*place);
                drop(self.world.try_freeze(scope, *seconds));
            }
            Step::Unfreeze if is_up => {
                if let Some(id) = self.freezes().last() {
                    drop(self.world.try_unfreeze(id));
                }
            }
            Step::Spot(name, verb) if runs(name) => drop(world.try_control(name, *verb)),
            Step::Leave(name) if is_up && here(name) && world.agents.len() > 2 => {
                drop(world.leave(name));
            }
            Step::Join(name) if is_up && !self.hub_disk_full => self.enrol(name),
            Step::Fault(version, errors) => world.set_behaviour(
                version,
                Behaviour {
                    errors_per_mille: errors.unwrap_or_default(),
                    crashes: errors.is_none(),
                    ..Behaviour::default()
                },
            ),
            Step::Traffic(name, rps) if here(name) => world.set_traffic(name, *rps),
            Step::Cut(name) if here(name) => world.cut(name),
            Step::CutWay(name, way) if here(name) => world.cut_way(name, *way),
            Step::Slow(name, millis) if here(name) => world.slow(name, *millis),
            Step::Break(name) if here(name) => world.break_stream(name),
            Step::Mend(name) if here(name) => world.mend(name),
            Step::Agent(name, false) if runs(name) => world.kill_agent(name),
            Step::Agent(name, true) if here(name) && !runs(name) => world.start_agent(name),
            Step::Hub(false) if is_up => world.kill_hub(),
            // A hub does not start on a full disk, and says so.
            Step::Hub(true) if !is_up && !self.hub_disk_full => world.start_hub(),
            Step::Disk(name, is_full) if here(name) => world.fill_disk(name, *is_full),
            Step::HubDisk(is_full) => {
                world.fill_hub_disk(*is_full);
                self.hub_disk_full = *is_full;
            }
            Step::Proxy(name, connected) if here(name) => world.connect_proxy(name, *connected),
            Step::Clock(name, by) if here(name) => world.jump_clock(name, by * 1000),
            Step::HubClock(by) => world.jump_hub_clock(by * 1000),
            Step::Copy => world.copy_store(),
            Step::PutBack if world.has_copy() => {
                world.put_store_back();
                self.hub_disk_full = false;
            }
            Step::Recover if world.has_gone_back() && !self.hub_disk_full => world.recover(),
            Step::Start { .. }
            | Step::Pause
            | Step::Resume
            | Step::Retry
            | Step::Accept
            | Step::Retreat { .. }
            | Step::Abort(..)
            | Step::Lift(_)
            | Step::Freeze(..)
            | Step::Unfreeze
            | Step::Spot(..)
            | Step::Leave(_)
            | Step::Join(_)
            | Step::Traffic(..)
            | Step::Cut(_)
            | Step::CutWay(..)
            | Step::Slow(..)
            | Step::Break(_)
            | Step::Mend(_)
            | Step::Agent(..)
            | Step::Hub(_)
            | Step::Disk(..)
            | Step::Proxy(..)
            | Step::Clock(..)
            | Step::PutBack
            | Step::Recover
            | Step::Wait => {}
        }
    }

    fn newest(&self) -> Option<String> {
        self.rollouts().last().map(|row| row.id.to_string())
    }

    fn wish(&mut self, wish: Wish) {
        if let Some(newest) = self.newest() {
            drop(self.world.wish(&newest, wish));
        }
    }

    fn scope(&self, place: Where) -> Scope {
        scope(place, self.newest().as_deref())
    }

    fn lift(&mut self, except: Option<Scope>) {
        if let Some(id) = self.aborts().last() {
            drop(self.world.lift_except(id, except.into_iter().collect()));
        }
    }

    pub(super) fn enrol(&mut self, name: &str) {
        let region = name.split('-').next().unwrap_or_default();
        self.world.enrol(name, &[("region", region)]);
        self.world.say(&format!("{name} joins"));
    }

    fn rows<R: Record>(&self, prefix: &str) -> Vec<Stored<R>> {
        let rows = self.world.store().read_all::<R>(prefix);
        let mut rows = rows.expect("memory can be read");
        rows.sort_by_key(|row| row.created);
        rows
    }

    /// Aborts that are stored and not lifted, the newest last.
    pub(super) fn aborts(&self) -> Vec<String> {
        let lifts = self.rows::<LiftRow>(key::LIFTS);
        let stands = |row: &Stored<AbortRow>| lifts.iter().all(|lift| lift.abort != *row.id());
        let rows = self.rows::<AbortRow>(key::ABORTS).into_iter();
        rows.filter(stands)
            .map(|row| row.id().to_string())
            .collect()
    }

    /// Freezes that stand, the newest last.
    pub(super) fn freezes(&self) -> Vec<String> {
        let rows = self.rows::<FreezeRow>(key::FREEZES).into_iter();
        rows.filter(|row| row.stands())
            .map(|row| row.id.to_string())
            .collect()
    }

    pub(super) fn rollouts(&self) -> Vec<RolloutRow> {
        let rows = self.rows::<RolloutRow>(key::ROLLOUTS).into_iter();
        rows.map(Stored::into_value).collect()
    }
}

pub(super) fn back(now: bool) -> Wish {
    Wish::Retreat {
        to: ReturnTo::LastPromoted,
        now,
    }
}

fn scope(place: Where, newest: Option<&str>) -> Scope {
    let project = || "shop".parse().expect("a name");
    match place {
        Where::Fleet => Scope::Fleet,
        Where::Project => Scope::Project(project()),
        Where::Plan => Scope::Plan("shop/checkout".parse().expect("a plan")),
        Where::Rollout => Scope::Rollout {
            project: project(),
            id: newest.unwrap_or("checkout-1").parse().expect("an id"),
        },
        Where::Workload => Scope::Workload(crate::world::WORKLOAD.parse().expect("a workload")),
        Where::Region(region) => Scope::Selector(Selector {
            match_labels: [("region".to_owned(), region.to_owned())].into(),
            ..Selector::default()
        }),
    }
}

pub(super) fn text(plan: Plans) -> String {
    let patient = "onFailure: {maxFailures: 1, then: retreatAll}
  unreachable: {wait: 5s, then: skip}
  waves:";
    let nervous = "onDisconnect: {then: retreat, after: 10s}
  waves:";
    match plan {
        Plans::Quick => script::PLAN.to_owned(),
        Plans::Slow => script::slow_plan(),
        Plans::Patient => script::PLAN.replace("waves:", patient),
        Plans::Nervous => script::slow_plan().replace("waves:", nervous),
    }
}
