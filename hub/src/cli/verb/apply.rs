//! `flagship apply` and `flagship diff`: check plans, say what changes, store them.

pub mod files;

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;
use serde::Serialize;

use flagship_proto::words::count;

use crate::{
    api::types::{ApplyAnswer, ApplyOutcome, List, PlanView, RemovedPlan},
    cli::{
        client::{Because, pages, segment},
        common::Why,
        context::Session,
        exit::{CliError, Exit},
        output::{remark, show, tell},
        render::{diff::unified, lists},
    },
};
use files::{Source, sources};

/// Examples for the help.
pub const EXAMPLES: &str = "\
All plans are checked on the hub, against the fleet as it is now, before the first is stored.
What is wrong is said with line and column, and then nothing is stored. Running rollouts keep the
plan that they started with. --prune removes plans that the hub has in the same projects and the
files have not.
Exit codes: 0 stored, or nothing to do; 2 refused; with --dry-run: 8 something would change.

Examples:
  flagship apply -f plan.yaml --reason 'a pilot wave first'
  flagship apply -f plans/ --prune --yes
  flagship apply -f plan.yaml --dry-run";

/// Examples for the help.
pub const DIFF_EXAMPLES: &str = "\
The same as `flagship apply --dry-run`. Exit codes: 0 the hub has what the files say, 8 it has not,
2 a plan is refused.

Examples:
  flagship diff -f plan.yaml
  flagship diff -f plans/ --prune";

/// Which plans.
#[derive(Debug, Clone, Args)]
pub struct Which {
    /// A plan's file (YAML or JSON), or a folder of plans; - reads stdin; repeat it for more
    #[arg(long = "file", short = 'f', value_name = "FILE|DIR", required = true)]
    files: Vec<PathBuf>,
    /// Remove the plans of the same projects that are not among the files
    #[arg(long)]
    prune: bool,
}

/// What can be typed after `apply`.
#[derive(Debug, Args)]
pub struct Apply {
    #[command(flatten)]
    which: Which,
    /// Check and show the difference; store nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    why: Why,
}

/// What can be typed after `diff`.
#[derive(Debug, Args)]
pub struct Diff {
    #[command(flatten)]
    which: Which,
}

impl Apply {
    /// Checks all, then stores all that differ.
    pub async fn run(self, session: &Session) -> Result<Exit, CliError> {
        // People see the difference where nothing is stored, programs always.
        let shows = self.dry_run || !session.format.for_people();
        let work = Work::plan(session, &self.which, shows).await?;
        if self.dry_run {
            return work.tell(session);
        }
        work.store(session, &self.why.because()).await
    }
}

impl Diff {
    /// Checks all, and says what would change.
    pub async fn run(self, session: &Session) -> Result<Exit, CliError> {
        let work = Work::plan(session, &self.which, true).await?;
        work.tell(session)
    }
}

/// One plan, and what was or would be done with it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Planned {
    file: String,
    #[serde(flatten)]
    answer: ApplyAnswer,
    #[serde(skip_serializing_if = "String::is_empty")]
    diff: String,
    #[serde(skip)]
    text: String,
}

/// A plan that the files do not have.
#[derive(Debug, Serialize)]
struct Surplus {
    project: String,
    name: String,
    #[serde(skip)]
    diff: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Work {
    plans: Vec<Planned>,
    pruned: Vec<Surplus>,
}

impl Work {
    /// Asks the hub about every plan, and if it `shows`, for what it has; nothing is stored by that.
    async fn plan(session: &Session, which: &Which, shows: bool) -> Result<Self, CliError> {
        let mut plans: Vec<Planned> = Vec::new();
        let mut faults = 0;
        let mut refused = Vec::new();
        for source in sources(&which.files)? {
            match check(session, &source).await {
                Ok(answer) => plans.push(planned(session, source, answer, shows).await?),
                Err(error) if error.notes.is_empty() => return Err(error.within(&source.file)),
                Err(error) => {
                    faults += error.notes.len();
                    let found = lists::findings(session.look, &source.file, &error.notes);
                    remark(found.trim_end());
                    refused.push(source.file);
                }
            }
        }
        if !refused.is_empty() {
            return Err(CliError::bad(format!(
                "{} refused ({}): nothing was stored",
                match refused.as_slice() {
                    [_] => "the plan is".to_owned(),
                    several => format!("{} plans are", several.len()),
                },
                count(faults, "finding")
            )));
        }
        let mut by_name = BTreeMap::new();
        for plan in &plans {
            let name = format!("{}/{}", plan.answer.project, plan.answer.name);
            if let Some(other) = by_name.insert(name.clone(), &plan.file) {
                let what = format!("{other} and {} are both plan {name}", plan.file);
                return Err(CliError::bad(what).remedy("remove or rename one"));
            }
        }
        let pruned = if which.prune {
            surplus(session, &plans, shows).await?
        } else {
            Vec::new()
        };
        Ok(Self { plans, pruned })
    }

    fn differs(&self) -> bool {
        let changes = |plan: &Planned| plan.answer.outcome != ApplyOutcome::Unchanged;
        self.plans.iter().any(changes) || !self.pruned.is_empty()
    }

    fn tell(self, session: &Session) -> Result<Exit, CliError> {
        show(session.format, &self, || {
            let mut text: String = self.plans.iter().map(|plan| plan.diff.as_str()).collect();
            text.extend(self.pruned.iter().map(|gone| gone.diff.as_str()));
            text.extend(self.plans.iter().map(|plan| words(&plan.answer)));
            for gone in &self.pruned {
                text += &format!("plan {}/{} would be removed\n", gone.project, gone.name);
            }
            text + "Nothing was stored.\n"
        })?;
        self.remarks(session);
        Ok(if self.differs() {
            Exit::Differs
        } else {
            Exit::Done
        })
    }

    /// Warnings and notes of the checks.
    fn remarks(&self, session: &Session) {
        for plan in self.plans.iter().filter(|p| !p.answer.notes.is_empty()) {
            let notes = lists::findings(session.look, &plan.file, &plan.answer.notes);
            session.say(notes.trim_end());
        }
    }

    async fn store(mut self, session: &Session, because: &Because) -> Result<Exit, CliError> {
        if !self.pruned.is_empty() {
            let names = self.pruned.iter();
            let names: Vec<String> = names.map(|p| format!("{}/{}", p.project, p.name)).collect();
            session.insist(&format!("Remove {}?", names.join(", ")))?;
        }
        self.remarks(session);
        for plan in &mut self.plans {
            let name = format!("{}/{}", plan.answer.project, plan.answer.name);
            if plan.answer.outcome != ApplyOutcome::Unchanged {
                let text = std::mem::take(&mut plan.text);
                let because = because.about(&name);
                let sent = session.client.post_document(PLANS, text, &because).await;
                plan.answer = sent.map_err(|error: CliError| error.within(&plan.file))?;
            }
            plan.answer.dry_run = false;
            if session.format.for_people() {
                tell(&words(&plan.answer))?;
            }
        }
        for gone in &self.pruned {
            let name = format!("{}/{}", gone.project, gone.name);
            let _removed: RemovedPlan = session
                .client
                .delete(&path(&gone.project, &gone.name), &because.about(&name))
                .await?;
            session.say(&format!("plan {name} removed"));
        }
        if !session.format.for_people() {
            show(session.format, &self, String::new)?;
        }
        Ok(Exit::Done)
    }
}

const PLANS: &str = "/api/v1/plans";

fn path(project: &str, name: &str) -> String {
    let (project, name) = (segment(project), segment(name));
    format!("/api/v1/projects/{project}/plans/{name}")
}

async fn check(session: &Session, source: &Source) -> Result<ApplyAnswer, CliError> {
    let trial = format!("{PLANS}?dryRun=true");
    let because = Why::default().because();
    let text = source.text.clone();
    session.client.post_document(&trial, text, &because).await
}

async fn planned(
    session: &Session,
    source: Source,
    answer: ApplyAnswer,
    shows: bool,
) -> Result<Planned, CliError> {
    let name = format!("{}/{}", answer.project, answer.name);
    let diff = match answer.outcome {
        ApplyOutcome::Unchanged => String::new(),
        ApplyOutcome::Created | ApplyOutcome::Changed if !shows => String::new(),
        ApplyOutcome::Created => unified(
            session.look,
            ("/dev/null", ""),
            (&source.file, &source.text),
        ),
        ApplyOutcome::Changed => {
            let path = path(&answer.project, &answer.name);
            let stored: PlanView = session.client.get(&path).await?;
            let before = stored.source.unwrap_or_default();
            unified(
                session.look,
                (&format!("plan/{name} on the hub"), &before),
                (&source.file, &source.text),
            )
        }
    };
    Ok(Planned {
        file: source.file,
        answer,
        diff,
        text: source.text,
    })
}

/// Plans of the same projects that are not among those that are applied.
async fn surplus(
    session: &Session,
    plans: &[Planned],
    shows: bool,
) -> Result<Vec<Surplus>, CliError> {
    let mut projects: Vec<&str> = plans.iter().map(|p| p.answer.project.as_str()).collect();
    projects.sort_unstable();
    projects.dedup();
    let mut found = Vec::new();
    for project in projects {
        let asked = format!("{PLANS}?project={}", segment(project));
        let list: List<PlanView> = pages(&session.client, &asked).await?;
        for stored in list.items {
            let kept = |plan: &Planned| {
                (&plan.answer.project, &plan.answer.name) == (&stored.project, &stored.name)
            };
            if plans.iter().any(kept) {
                continue;
            }
            let diff = if shows {
                let path = path(&stored.project, &stored.name);
                let whole: PlanView = session.client.get(&path).await?;
                let name = format!("plan/{}/{} on the hub", stored.project, stored.name);
                let source = whole.source.unwrap_or_default();
                unified(session.look, (&name, &source), ("/dev/null", ""))
            } else {
                String::new()
            };
            found.push(Surplus {
                diff,
                project: stored.project,
                name: stored.name,
            });
        }
    }
    Ok(found)
}

fn words(answer: &ApplyAnswer) -> String {
    let what = match (answer.outcome, answer.dry_run) {
        (ApplyOutcome::Created, false) => "created",
        (ApplyOutcome::Changed, false) => "changed",
        (ApplyOutcome::Created, true) => "would be created",
        (ApplyOutcome::Changed, true) => "would be changed",
        (ApplyOutcome::Unchanged, _) => "unchanged",
    };
    format!("plan {}/{} {what}\n", answer.project, answer.name)
}
