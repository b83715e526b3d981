//! A toy fleet: a store of orders, agents that obey them in one stride, a clock that is turned by hand.

use std::{collections::BTreeMap, time::Duration};

use flagship_proto::model::{
    Abort, AbortMode, Change, ClusterUid, Fence, Intent, LocalAct, Mono, Phase, Position, ReturnTo,
    Scope, Term, Tick, Weight, WorkloadStatus,
};
use jiff::Timestamp;

use crate::{
    AbortEnd, Action, ClusterPhase, Decision, FleetView, Freeze, LastGood, Member, OrderSeen, Plan,
    Request, RolloutState, StandingAbort, Wish, parse_plan, step,
};

pub(super) const OLD: &str = "1.0.0";
pub(super) const NEW: &str = "1.1.0";

/// A plan of two waves; `extra` goes into its spec, `first` and `second` into its waves.
pub(super) fn plan(first: &str, second: &str, extra: &str) -> Plan {
    let text = format!(
        r#"
apiVersion: flagship.dev/v1
kind: Plan
metadata: {{project: shop, name: checkout}}
spec:
  workload: {{namespace: shop, kind: Deployment, name: checkout}}
  change: {{version: {{}}}}
  canary:
    analysis: {{interval: 2s, threshold: 2, stepWeights: [10, 50, 100]}}
  waves:
    - name: pilot
      clusters: {{matchLabels: {{tier: pilot}}}}
      {first}
    - name: rest
      clusters: {{}}
      {second}
  {extra}
"#
    );
    parse_plan(&text).unwrap_or_else(|findings| panic!("{findings:#?}"))
}

pub(super) fn uid(name: &str) -> ClusterUid {
    format!("uid-{name}").parse().unwrap()
}

/// What a toy agent really does; the engine sees only what it reports.
#[derive(Debug, Clone)]
pub(super) struct Agent {
    /// The order it holds.
    pub(super) held: Option<OrderSeen>,
    pub(super) weight: u8,
    pub(super) phase: Phase,
    /// What its traffic's canary is about.
    pub(super) version: String,
    pub(super) primary: String,
    /// What people on the spot said.
    pub(super) local: Vec<LocalAct>,
}

pub(super) struct World {
    pub(super) plan: Plan,
    pub(super) state: RolloutState,
    pub(super) view: FleetView,
    pub(super) agents: BTreeMap<ClusterUid, Agent>,
    pub(super) now: Tick,
    pub(super) seq: u64,
    pub(super) log: Vec<String>,
    started: Timestamp,
}

impl World {
    pub(super) fn new(plan: Plan, clusters: &[(&str, &str)]) -> Self {
        let started: Timestamp = "2026-11-24T03:00:00Z".parse().unwrap();
        let change = Change::Version(NEW.to_owned());
        let state = RolloutState::new(&plan, "checkout-1".parse().unwrap(), change, started);
        let mut world = Self {
            plan,
            state,
            view: FleetView {
                last_good: Some(LastGood {
                    change: Change::Version(OLD.to_owned()),
                    digest: None,
                }),
                ..FleetView::default()
            },
            agents: BTreeMap::new(),
            now: Tick {
                wall: started,
                mono: Mono { run: 1, millis: 0 },
            },
            seq: 1,
            log: Vec::new(),
            started,
        };
        for (name, tier) in clusters {
            world.join(name, tier);
        }
        world
    }

    pub(super) fn join(&mut self, name: &str, tier: &str) {
        let member = Member {
            name: name.parse().unwrap(),
            labels: [("tier".to_owned(), tier.to_owned())].into(),
            has_workload: true,
            connected: true,
            bound_passed: false,
            heard: Some(self.now.mono),
            claimed_by_another: false,
            order: None,
            status: None,
        };
        let agent = Agent {
            held: None,
            weight: 0,
            phase: Phase::Initialized,
            version: OLD.to_owned(),
            primary: OLD.to_owned(),
            local: Vec::new(),
        };
        self.agents.insert(uid(name), agent);
        self.view.members.insert(uid(name), member);
    }

    pub(super) fn leave(&mut self, name: &str) {
        self.view.members.remove(&uid(name));
        self.agents.remove(&uid(name));
    }

    pub(super) fn member(&mut self, name: &str) -> &mut Member {
        self.view.members.get_mut(&uid(name)).unwrap()
    }

    /// Cuts a cluster off; its lease has run out when `bound` says so.
    pub(super) fn cut(&mut self, name: &str, bound: bool) {
        let member = self.member(name);
        member.connected = false;
        member.bound_passed = bound;
    }

    pub(super) fn heal(&mut self, name: &str) {
        let member = self.member(name);
        member.connected = true;
        member.bound_passed = false;
        self.take(name);
    }

    pub(super) fn pass(&mut self, seconds: u64) {
        self.now = self.now.plus(Duration::from_secs(seconds));
    }

    pub(super) fn ask(&mut self, wish: Wish) {
        let id = self.view.requests.len() as u64 + 1;
        self.view.requests.push(Request {
            id,
            at: self.now.wall,
            actor: "ann".to_owned(),
            reason: "because".to_owned(),
            wish,
        });
    }

    pub(super) fn abort(&mut self, id: &str, mode: AbortMode, clusters: Option<&[&str]>) {
        self.seq += 1;
        self.view.aborts.push(StandingAbort {
            abort: Abort {
                id: id.parse().unwrap(),
                scope: Scope::Fleet,
                mode,
                position: Some(Position {
                    epoch: 1,
                    seq: self.seq,
                }),
                at: self.now.wall,
                actor: "bob".to_owned(),
                reason: "errors".to_owned(),
                reach: None,
            },
            clusters: clusters.map(|names| names.iter().map(|name| uid(name)).collect()),
            end: None,
        });
    }

    /// A person lifts all aborts; they end later.
    pub(super) fn lift_later(&mut self) {
        let at = self.now.wall + Duration::from_secs(30);
        for abort in &mut self.view.aborts {
            abort.end = Some(AbortEnd {
                actor: "dan".to_owned(),
                at,
            });
        }
    }

    pub(super) fn freeze(&mut self, id: &str, clusters: Option<&[&str]>) {
        self.view.freezes.push(Freeze {
            id: id.parse().unwrap(),
            actor: "cleo".to_owned(),
            reason: "black friday".to_owned(),
            until: None,
            clusters: clusters.map(|names| names.iter().map(|name| uid(name)).collect()),
        });
    }

    pub(super) fn lift_all(&mut self) {
        self.view.aborts.clear();
    }

    /// One step: decide, commit, and log what was decided.
    pub(super) fn step(&mut self) -> Decision {
        let decision = step(&self.plan, &self.state, &self.view, self.now);
        let again = step(&self.plan, &self.state, &self.view, self.now);
        assert_eq!(decision, again, "a step is deterministic");
        let at = self.now.wall.duration_since(self.started).as_secs();
        if self.state.phase != decision.next.phase {
            self.log
                .push(format!("{at:>5}s  == {}", decision.next.phase));
        }
        for reason in &decision.reasons {
            self.log
                .push(format!("{at:>5}s  {}: {reason}", reason.code()));
        }
        for action in &decision.actions {
            self.log.push(format!("{at:>5}s    -> {action}"));
        }
        self.seq += 1;
        for action in &decision.actions {
            self.commit(action);
        }
        let json = serde_json::to_string(&decision.next).unwrap();
        self.state = serde_json::from_str(&json).unwrap();
        assert_eq!(self.state, decision.next, "the state survives the store");
        decision
    }

    fn commit(&mut self, action: &Action) {
        match action {
            Action::Order(order) => {
                let seen = OrderSeen {
                    rollout: self.state.rollout.clone(),
                    attempt: order.attempt,
                    fence: Fence {
                        term: Term::default(),
                        revision: Position {
                            epoch: 1,
                            seq: self.seq,
                        },
                    },
                    intent: order.intent,
                    change: order.change.clone(),
                    return_to: order.return_to.clone(),
                    now: order.now,
                    not_after: order.not_after,
                    reason: order.reason.clone(),
                };
                if let Some(member) = self.view.members.get_mut(&order.uid) {
                    member.order = Some(seen);
                }
            }
            Action::RecordGood { change, digest } => {
                self.view.last_good = Some(LastGood {
                    change: change.clone(),
                    digest: *digest,
                });
            }
            Action::Reject { .. } | Action::ReleaseClaims => {}
        }
    }

    /// Steps until nothing is decided any more.
    pub(super) fn settle(&mut self) {
        for _ in 0..20 {
            let decision = self.step();
            if decision.actions.is_empty() && decision.reasons.is_empty() {
                return;
            }
        }
        panic!("does not settle: {:#?}", self.log);
    }

    /// The agent takes its stored order and obeys it as far as `to` says, then reports.
    pub(super) fn take(&mut self, name: &str) {
        let order = self.member(name).order.clone();
        let agent = self.agents.get_mut(&uid(name)).unwrap();
        let Some(order) = order else { return };
        let Change::Version(version) = &order.change else {
            return;
        };
        let fresh = agent
            .held
            .as_ref()
            .is_none_or(|held| held.attempt != order.attempt || held.rollout != order.rollout);
        match order.intent {
            Intent::Run if fresh => {
                agent.version.clone_from(version);
                agent.weight = 0;
                agent.phase = Phase::Progressing;
            }
            Intent::Run | Intent::Hold => {}
            Intent::Retreat | Intent::Remove => {
                if agent.version == *version {
                    agent.weight = 0;
                    agent.phase = Phase::Failed;
                    OLD.clone_into(&mut agent.primary);
                }
            }
        }
        agent.held = Some(order);
        self.report(name);
    }

    pub(super) fn report(&mut self, name: &str) {
        let now = self.now;
        let agent = self.agents[&uid(name)].clone();
        let member = self.member(name);
        if !member.connected {
            return;
        }
        member.heard = Some(now.mono);
        let held = agent.held;
        if held.is_none() && agent.local.is_empty() {
            return;
        }
        member.status = Some(WorkloadStatus {
            workload: "shop/Deployment/checkout".parse().unwrap(),
            fence: held.as_ref().map(|held| held.fence).unwrap_or_default(),
            attempt: held.as_ref().map_or(0, |held| held.attempt),
            intent: held.as_ref().map(|held| held.intent),
            rollout: held.map(|held| held.rollout),
            phase: agent.phase,
            step: 0,
            weight: Weight::saturating(u32::from(agent.weight)),
            observed: Some(Weight::saturating(u32::from(agent.weight))),
            failed_checks: 0,
            version: Some(agent.version),
            digest: None,
            primary_version: Some(agent.primary),
            primary_digest: None,
            can_return_to: Vec::new(),
            reason: "Test".to_owned(),
            message: if agent.phase == Phase::Failed {
                "success rate 90% < 99%".to_owned()
            } else {
                String::new()
            },
            since: now.wall,
            aborted_by: None,
            local: agent.local,
        });
    }

    /// Takes the order, and goes to `weight` if it may advance.
    pub(super) fn runs(&mut self, name: &str, weight: u8) {
        self.take(name);
        let agent = self.agents.get_mut(&uid(name)).unwrap();
        if agent
            .held
            .as_ref()
            .is_some_and(|held| held.intent == Intent::Run)
        {
            agent.weight = agent.weight.max(weight);
        }
        self.report(name);
    }

    /// Takes the order, and finishes its canary if it may advance.
    pub(super) fn succeeds(&mut self, name: &str) {
        self.runs(name, 100);
        let agent = self.agents.get_mut(&uid(name)).unwrap();
        let held = agent.held.clone();
        if agent.phase == Phase::Progressing && held.is_some_and(|held| held.intent == Intent::Run)
        {
            agent.phase = Phase::Succeeded;
            agent.primary.clone_from(&agent.version);
        }
        self.report(name);
    }

    /// Its checks fail: it returns its traffic by itself.
    pub(super) fn fails(&mut self, name: &str) {
        self.take(name);
        let agent = self.agents.get_mut(&uid(name)).unwrap();
        agent.phase = Phase::Failed;
        agent.weight = 0;
        self.report(name);
    }

    pub(super) fn phase(&self, name: &str) -> &ClusterPhase {
        &self.state.clusters[&uid(name)].phase
    }

    pub(super) fn retreat() -> Wish {
        Wish::Retreat {
            to: ReturnTo::LastPromoted,
            now: false,
        }
    }
}
