//! `flagship abort`: stops a scope, and shows that it stopped.

use std::time::Duration;

use clap::Args;
use flagship_proto::model::{AbortMode, Scope, Selector};
use tokio::time::Instant;

use super::watch;
use crate::{
    api::types::{
        AbortOutcome, AbortPreview, AbortRequest, AbortState, AbortView, ClusterView, List,
        ScopeHit,
    },
    cli::{
        client::{changes::Changes, segment},
        common::Why,
        complete,
        context::Session,
        exit::{CliError, Exit, Stop},
        output::{Live, show, tell},
        refs::{self, Kind},
        render::abort as text,
    },
};

/// Examples for the help.
pub const EXAMPLES: &str = "\
Unfinished canaries go back; clusters that are Done stay (--retreat takes them back too; --hold
leaves every weight as it is). It stands until somebody lifts it: flagship help stop.
--wait: 0 all stopped, 10 some only bounded, 11 some not stopped, 12 not stored.

Examples:
  flagship abort --fleet --reason 'errors everywhere' --wait
  flagship abort --rollout shop/checkout-3 --reason 'wrong prices'
  flagship abort --selector region=eu --hold --dry-run";

/// What can be typed after `abort`.
#[derive(Debug, Args)]
pub struct Abort {
    #[command(flatten)]
    scope: ScopeArgs,
    /// Leave every weight as it is
    #[arg(long, conflicts_with = "retreat")]
    hold: bool,
    /// Take Done clusters back too
    #[arg(long)]
    retreat: bool,
    /// Say what it would hit; order nothing
    #[arg(long)]
    dry_run: bool,
    /// Wait for the receipts, a line a cluster
    #[arg(long, short)]
    wait: bool,
    /// Give up waiting after this time instead of at the bound: 90s, 10m
    #[arg(long, value_name = "TIME", value_parser = watch::duration, requires = "wait")]
    timeout: Option<Duration>,
    #[command(flatten)]
    why: Why,
}

/// The scopes; `--project P` alone is one too.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "Scopes (--project PROJECT alone is one too)")]
pub struct ScopeArgs {
    /// Everything
    #[arg(long, group = "scope")]
    fleet: bool,
    /// One plan
    #[arg(long, group = "scope", value_name = "PROJECT/NAME", add = complete::of(Kind::Plan))]
    plan: Option<String>,
    /// One rollout
    #[arg(long, group = "scope", value_name = "PROJECT/ID", add = complete::of(Kind::Rollout))]
    rollout: Option<String>,
    /// One workload, in every cluster
    #[arg(long, group = "scope", value_name = "NAMESPACE/KIND/NAME")]
    workload: Option<String>,
    /// Every workload in this cluster; repeat it for more clusters
    #[arg(long, group = "scope", value_name = "NAME", add = complete::of(Kind::Cluster))]
    cluster: Vec<String>,
    /// Every workload in the clusters with this label; repeat it for more labels
    #[arg(long, group = "scope", value_name = "KEY=VALUE")]
    selector: Vec<String>,
    /// What was typed without saying what it is
    #[arg(hide = true, group = "scope", value_hint = clap::ValueHint::Other)]
    bare: Vec<String>,
}

impl ScopeArgs {
    /// Whether any was typed.
    pub fn is_said(&self, session: &Session) -> bool {
        let one = self.plan.is_some() || self.rollout.is_some() || self.workload.is_some();
        let several = !self.cluster.is_empty() || !self.selector.is_empty();
        self.fleet || one || several || session.named_project.is_some()
    }

    /// The scope that was typed.
    pub async fn scope(&self, session: &Session) -> Result<Option<Scope>, CliError> {
        let invalid = |error: flagship_proto::model::InvalidId| CliError::bad(error.to_string());
        if !self.bare.is_empty() {
            return Err(refs::no_scope_word(&self.bare));
        }
        if self.fleet {
            return Ok(Some(Scope::Fleet));
        }
        if let Some(plan) = &self.plan {
            return Ok(Some(Scope::Plan(refs::plan(session, plan).await?)));
        }
        if let Some(rollout) = &self.rollout {
            let found = refs::rollout(session, rollout).await?;
            return Ok(Some(Scope::Rollout {
                project: found.project.parse().map_err(invalid)?,
                id: found.id.parse().map_err(invalid)?,
            }));
        }
        if let Some(workload) = &self.workload {
            return Ok(Some(Scope::Workload(workload.parse().map_err(invalid)?)));
        }
        if !self.selector.is_empty() {
            return refs::selector(&self.selector).map(|found| Some(Scope::Selector(found)));
        }
        if !self.cluster.is_empty() {
            return clusters(session, &self.cluster).await.map(Some);
        }
        let project = session.named_project.as_deref();
        project
            .map(|name| refs::project(name).map(Scope::Project))
            .transpose()
    }
}

/// Clusters by their names, all of which there are.
async fn clusters(session: &Session, names: &[String]) -> Result<Scope, CliError> {
    let mut selector = Selector::default();
    for name in names {
        let name = name.strip_prefix("cluster/").unwrap_or(name);
        let path = format!("/api/v1/clusters/{}", segment(name));
        let _known: ClusterView = session.client.get(&path).await?;
        let checked = name
            .parse()
            .map_err(|error: flagship_proto::model::InvalidId| CliError::bad(error.to_string()))?;
        selector.names.push(checked);
    }
    Ok(Scope::Selector(selector))
}

impl Abort {
    /// Orders it, and waits for the receipts if asked to.
    pub async fn run(self, session: &Session) -> Result<Exit, CliError> {
        let is_ordering = !self.dry_run && self.scope.is_said(session);
        let ordered = self.order(session).await;
        ordered.map_err(|error| Stop::Abort.without_hub(is_ordering, error))
    }

    async fn order(self, session: &Session) -> Result<Exit, CliError> {
        let Some(scope) = self.scope.scope(session).await? else {
            return no_scope(session, "abort", "nothing was stopped").await;
        };
        let mode = match (self.hold, self.retreat) {
            (true, _) => AbortMode::Hold,
            (false, true) => AbortMode::RetreatDone,
            (false, false) => AbortMode::Return,
        };
        let request = AbortRequest { scope, mode };
        if self.dry_run {
            let preview: AbortPreview = session
                .client
                .ask("/api/v1/abort-preview", &request)
                .await?;
            show(session.format, &preview, || {
                text::preview(session.look, "An abort", &preview, session.now())
            })?;
            return Ok(Exit::Done);
        }
        let stored = session
            .client
            .post("/api/v1/aborts", &request, &self.why.because())
            .await;
        let view: AbortView = stored.map_err(|mut error: CliError| {
            if error.exit == Exit::Error {
                error.exit = Exit::Unreachable;
            }
            error
        })?;
        if self.wait {
            return wait(session, view, self.timeout).await;
        }
        show(session.format, &view, || {
            format!(
                "{}follow it: flagship describe abort {}\n{}",
                text::head(session.look, &view, session.now()),
                view.id,
                text::stays(&view)
            )
        })?;
        Ok(if view.durable {
            Exit::Done
        } else {
            Exit::NotStored
        })
    }
}

/// Lists the scopes that there are, and refuses.
pub async fn no_scope(session: &Session, verb: &str, outcome: &str) -> Result<Exit, CliError> {
    let list: List<ScopeHit> = session.client.get("/api/v1/abort-scopes").await?;
    show(session.format, &list, || {
        text::scopes(session.look, &list.items)
    })?;
    let first = list.items.first().map(|one| one.option.as_str());
    let first = first.unwrap_or("--cluster NAME");
    Err(
        CliError::bad(format!("{verb} needs a scope: {outcome}")).remedy(format!(
            "add one of the above, as in `flagship {verb} {first} --reason …`"
        )),
    )
}

/// The one abort that stands.
pub async fn standing(session: &Session) -> Result<String, CliError> {
    let list: List<AbortView> = session.client.get("/api/v1/aborts?limit=10000").await?;
    let ids: Vec<&str> = list.items.iter().map(|abort| abort.id.as_str()).collect();
    only(&ids, "abort", "two aborts need two lifts")
}

/// The one that stands, of a kind of which several may.
pub fn only(ids: &[&str], kind: &str, several: &str) -> Result<String, CliError> {
    match ids {
        [one] => Ok((*one).to_owned()),
        [] => Err(
            CliError::new(Exit::Refused, format!("no {kind} stands")).remedy(format!(
                "`flagship get {kind}s --all` lists those that have ended"
            )),
        ),
        all => Err(
            CliError::bad(format!("{} {kind}s stand: {}", all.len(), all.join(", ")))
                .remedy(format!("name the one that is meant; {several}")),
        ),
    }
}

/// Follows an abort until every cluster answered, or its bound (or `timeout`) has passed.
async fn wait(
    session: &Session,
    first: AbortView,
    timeout: Option<Duration>,
) -> Result<Exit, CliError> {
    let path = format!("/api/v1/aborts/{}", segment(&first.id));
    let longest = timeout.unwrap_or(Duration::from_millis(first.bound_ms) + Duration::from_secs(2));
    let end = Instant::now() + longest;
    let mut changes = Changes::from(&session.client, first.seq);
    let mut screen = Screen::new(session);
    let mut view = first;
    let mut is_away = false;
    loop {
        screen.draw(session, &view)?;
        let left = end.saturating_duration_since(Instant::now());
        if view.outcome == AbortOutcome::Stopped || !view.standing || left.is_zero() {
            break;
        }
        changes.next(left.min(Duration::from_secs(1))).await;
        match session.client.get::<AbortView>(&path).await {
            Ok(fresh) => {
                view = fresh;
                is_away = false;
            }
            // The order is stored: a hub that restarts does not undo it.
            Err(error) if error.exit == Exit::Unreachable => {
                if !is_away {
                    session.say(&format!("{error}; still trying"));
                    screen.picture.leave();
                }
                is_away = true;
                tokio::time::sleep(left.min(Duration::from_millis(500))).await;
            }
            Err(error) => return Err(error),
        }
    }
    screen.close(session, &view)?;
    Ok(ending(&view))
}

/// The exit code of `abort --wait`.
pub fn ending(view: &AbortView) -> Exit {
    if !view.durable {
        return Exit::NotStored;
    }
    match view.outcome {
        AbortOutcome::Stopped => Exit::Done,
        AbortOutcome::NotStopped => Exit::SomeNotStopped,
        AbortOutcome::Stopping | AbortOutcome::Bounded => Exit::OnlyBounded,
    }
}

/// A line a cluster: drawn over on a terminal, printed once per change otherwise.
struct Screen {
    live: bool,
    picture: Live,
    printed: Vec<String>,
}

impl Screen {
    fn new(session: &Session) -> Self {
        Self {
            live: session.format.for_people() && session.look.is_live(),
            picture: Live::default(),
            printed: Vec::new(),
        }
    }

    fn draw(&mut self, session: &Session, view: &AbortView) -> Result<(), CliError> {
        if !session.format.for_people() {
            return Ok(());
        }
        if self.live {
            let page = text::picture(session.look, view, session.now());
            return self.picture.draw(session.look, &page);
        }
        if self.printed.is_empty() {
            tell(&text::head(session.look, view, session.now()))?;
            self.printed.push(String::new());
        }
        self.lines(session, view, |state| state != AbortState::Told)
    }

    /// Lines that were not printed yet. That a cluster is told is news only where nothing follows.
    fn lines(
        &mut self,
        session: &Session,
        view: &AbortView,
        wanted: impl Fn(AbortState) -> bool,
    ) -> Result<(), CliError> {
        for cluster in view.clusters.iter().filter(|cluster| wanted(cluster.state)) {
            let line = text::line(session.look, cluster);
            if !self.printed.contains(&line) {
                tell(&line)?;
                self.printed.push(line);
            }
        }
        Ok(())
    }

    fn close(&mut self, session: &Session, view: &AbortView) -> Result<(), CliError> {
        if self.live {
            return Ok(());
        }
        if session.format.for_people() {
            self.lines(session, view, |_| true)?;
        }
        show(session.format, view, || {
            text::summary(session.look, view, session.now())
        })
    }
}
