//! What people do in a World, by the hub's own operations: plans, releases, wishes, aborts, lifts,
//! members.

use flagship_hub::{
    epoch::{self, Said},
    ops::{
        AbortOrder, ApplyPlan, Caller, FreezeOrder, FreezeUntil, LiftOrder, OpError, Ops,
        RemoveCluster, RolloutName, StartRollout,
    },
};
use flagship_proto::model::{AbortMode, Change, LocalVerb, Scope};
use flagship_waves::Wish;
use futures::FutureExt as _;

use super::World;

/// A store in memory answers within the call.
fn ready<A>(answer: impl Future<Output = Result<A, OpError>>) -> Result<A, String> {
    let answer = answer.now_or_never().expect("memory is ready at once");
    answer.map_err(|error| error.message)
}

fn caller(name: &str, reason: &str) -> Caller {
    Caller::new(name).because(reason)
}

impl World {
    fn ops(&self) -> Ops {
        Ops::new(self.store.clone())
    }

    /// Logs what somebody did, and that it was refused where it was.
    fn note<A>(&mut self, words: &str, answer: Result<A, String>) -> Result<A, String> {
        match &answer {
            Ok(_) => self.say(words),
            Err(why) => self.say(&format!("{words}: refused, {why}")),
        }
        answer
    }

    /// Applies a plan and starts a release of `version`; its id is `checkout-<number>`.
    pub fn start(&mut self, plan: &str, version: &str) -> String {
        let id = self.try_start(plan, version, false, false);
        id.expect("the release can start")
    }

    /// The same, where it may be refused. `again`: although it was rejected; `supersede`: although
    /// another rollout holds the clusters.
    pub fn try_start(
        &mut self,
        plan: &str,
        version: &str,
        again: bool,
        supersede: bool,
    ) -> Result<String, String> {
        let ann = caller("ann", "a release");
        let now = self.hub_now();
        let plan = ApplyPlan {
            source: plan.to_owned(),
            dry_run: false,
        };
        let plan = match ready(self.ops().apply_plan(&ann, plan, now)) {
            Ok(applied) => applied.plan,
            Err(why) => return self.note("ann applies a plan", Err(why)),
        };
        let change = Change::Version(version.to_owned());
        let args = StartRollout {
            plan,
            change,
            again,
            supersede,
        };
        let started = ready(self.ops().start(&ann, args, now));
        let id = started.map(|started| started.rollout.to_string());
        let words = match &id {
            Ok(id) => format!("ann starts {id}: {version}"),
            Err(_) => format!("ann starts {version}"),
        };
        self.note(&words, id)
    }

    /// A person's wish; the words of a refusal.
    pub fn wish(&mut self, rollout: &str, wish: Wish) -> Result<(), String> {
        let ann = caller("ann", "because");
        let now = self.hub_now();
        let words = format!("ann wishes {} of {rollout}", wish.verb());
        let name = RolloutName {
            project: "shop".parse().expect("a name"),
            id: rollout.parse().expect("an id"),
        };
        let ops = self.ops();
        let answer = match wish {
            Wish::Pause => ready(ops.pause(&ann, name, now)),
            Wish::Resume => ready(ops.resume(&ann, name, now)),
            Wish::Retreat { to, now: unpaced } => ready(ops.retreat(&ann, name, to, unpaced, now)),
            Wish::Retry => ready(ops.retry(&ann, name, now)),
            Wish::Accept => ready(ops.accept(&ann, name, now)),
            Wish::Supersede { .. } => unreachable!("people supersede by a start"),
        };
        self.note(&words, answer.map(|_| ()))
    }

    /// Stops a scope; the abort's id. One that cannot be stored goes out all the same (P7).
    pub fn try_abort(&mut self, scope: Scope, mode: AbortMode) -> Result<String, String> {
        let bob = caller("bob", "errors");
        let now = self.hub_now();
        let words = format!("bob aborts {scope} ({mode})");
        let answer = match ready(self.ops().abort(&bob, AbortOrder { scope, mode }, now)) {
            Ok(answer) => answer,
            Err(why) => return self.note(&words, Err(why)),
        };
        let id = answer.abort.id.to_string();
        if let (false, Some(hub)) = (answer.durable, &mut self.hub) {
            hub.abort_provisionally(answer, now);
        }
        self.note(&format!("{words} as {id}"), Ok(id))
    }

    /// The same, where it cannot be refused.
    pub fn abort(&mut self, scope: Scope, mode: AbortMode) -> String {
        self.try_abort(scope, mode)
            .expect("the scope names something")
    }

    /// Lifts an abort, but for parts of its scope; the words of a refusal.
    pub fn lift_except(&mut self, id: &str, except: Vec<Scope>) -> Result<Vec<String>, String> {
        let bob = caller("bob", "mended");
        let now = self.hub_now();
        let words = format!("bob lifts {id}");
        let args = LiftOrder {
            abort: id.parse().expect("an id"),
            except,
        };
        let answer = ready(self.ops().lift(&bob, args, now));
        let rest =
            answer.map(|answer| answer.narrowed_to.iter().map(ToString::to_string).collect());
        self.note(&words, rest)
    }

    /// Lifts an abort.
    pub fn lift(&mut self, id: &str) {
        self.lift_except(id, Vec::new()).expect("it stands");
    }

    /// Freezes a scope, for so many seconds or until somebody ends it; the freeze's id.
    pub fn try_freeze(&mut self, scope: Scope, seconds: Option<u64>) -> Result<String, String> {
        let cleo = caller("cleo", "black friday");
        let words = format!("cleo freezes {scope}");
        let after = |seconds: u64| FreezeUntil::After(seconds * 1000);
        let end = seconds.map_or(FreezeUntil::Unfrozen, after);
        let args = FreezeOrder { scope, end };
        let row = ready(self.ops().freeze(&cleo, args, self.hub_now()));
        let id = row.map(|row| row.id.to_string());
        let words = match &id {
            Ok(id) => format!("{words} as {id}"),
            Err(_) => words,
        };
        self.note(&words, id)
    }

    /// The same, where it cannot be refused.
    pub fn freeze(&mut self, scope: Scope, seconds: Option<u64>) -> String {
        let id = self.try_freeze(scope, seconds);
        id.expect("the scope names something")
    }

    /// Ends a freeze; the words of a refusal.
    pub fn try_unfreeze(&mut self, id: &str) -> Result<(), String> {
        let cleo = caller("cleo", "over");
        let freeze = id.parse().expect("an id");
        let row = ready(self.ops().unfreeze(&cleo, freeze, self.hub_now()));
        self.note(&format!("cleo unfreezes {id}"), row.map(|_| ()))
    }

    /// The same, where it stands.
    pub fn unfreeze(&mut self, id: &str) {
        self.try_unfreeze(id).expect("it stands");
    }

    /// A person on the spot tells an agent something; the words of a refusal.
    pub fn try_control(&mut self, name: &str, verb: LocalVerb) -> Result<(), String> {
        let number = self.log.len();
        let now = self.agent_now(name);
        let answer = self.agent(name).control(verb, number, now);
        self.note(&format!("{name} told on the spot: {}", verb.word()), answer)
    }

    /// The same, where it may be said.
    pub fn control(&mut self, name: &str, verb: LocalVerb) {
        self.try_control(name, verb).expect("it may be said");
    }

    /// Removes a cluster from the fleet; its agent ends.
    pub fn leave(&mut self, name: &str) -> Result<(), String> {
        self.remove(name)?;
        self.hang_up(name);
        self.agents.remove(name);
        Ok(())
    }

    /// Removes a member; its agent is told so.
    pub fn remove(&mut self, name: &str) -> Result<(), String> {
        let ann = caller("ann", "it is taken down");
        let args = RemoveCluster {
            name: name.parse().expect("a cluster name"),
            force: true,
        };
        let answer = ready(self.ops().remove_cluster(&ann, args, self.hub_now()));
        self.note(&format!("ann removes {name}"), answer.map(|_| ()))
    }

    /// Ends the hub, begins a new epoch above all that was seen, starts it again, and confirms the
    /// members (P22).
    pub fn recover(&mut self) {
        self.kill_hub();
        let said = Said {
            action: "fleet.recover",
            actor: "ann",
            reason: "its data was put back",
            at: self.now(0, self.hub_skew).wall,
        };
        let began = epoch::begin(&self.store, &said).now_or_never();
        let began = began.expect("memory is ready at once");
        let began = began.expect("nobody else writes");
        self.has_gone_back = false;
        self.say(&format!("ann recovers: epoch {}", began.epoch));
        self.start_hub();
        let ann = caller("ann", "looked at it");
        for name in began.unconfirmed {
            let answer = ready(
                self.ops()
                    .approve_cluster(&ann, name.clone(), self.hub_now()),
            );
            drop(self.note(&format!("ann confirms {name}"), answer.map(|_| ())));
        }
    }
}
