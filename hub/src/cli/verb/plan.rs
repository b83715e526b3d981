//! `flagship plan new`: a plan to begin with, commented, that passes the check.

mod text;

use std::{
    fs::OpenOptions,
    io::{self, BufRead as _, ErrorKind, IsTerminal as _, Write as _},
    path::PathBuf,
};

use clap::{Args, Subcommand};
use flagship_proto::model::{PlanName, ProjectName, WaveName, WorkloadRef};
use flagship_waves::plan::{InvalidPeriod, Period};

use crate::cli::{
    common::Global,
    exit::{CliError, Exit},
    output::{print, remark, tell},
    refs,
};
use text::{Draft, Wave};

/// Examples for the help.
pub const EXAMPLES: &str = "\
What is not given is asked for on a terminal. A wave is NAME:KEY=VALUE[,KEY=VALUE] for clusters
with these labels, or NAME alone for whatever is left.

Examples:
  flagship plan new --project shop --name checkout --out plan.yaml
  flagship plan new --project shop --name cart --wave pilot:tier=pilot --wave rest --soak 30m";

/// What can be typed after `plan`.
#[derive(Debug, Args)]
pub struct Plan {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Write a plan to begin with, commented
    New(New),
}

#[derive(Debug, Args)]
struct New {
    /// The plan's name
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What it releases; PROJECT/Deployment/NAME unless told
    #[arg(long, value_name = "NAMESPACE/KIND/NAME")]
    workload: Option<String>,
    /// A wave, in order; pilot:tier=pilot and rest unless told
    #[arg(long = "wave", value_name = "NAME[:KEY=VALUE]")]
    waves: Vec<String>,
    /// How long each wave but the last soaks: 90s, 30m, 2h
    #[arg(long, value_name = "TIME", value_parser = period)]
    soak: Option<String>,
    /// The file that is written; stdout unless told
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

const WAVES: &[&str] = &["pilot:tier=pilot", "rest"];
const SOAK: &str = "30m";

fn period(text: &str) -> Result<String, InvalidPeriod> {
    text.parse::<Period>().map(|_| text.to_owned())
}

impl Plan {
    /// Does it.
    pub fn run(self, global: &Global) -> Result<Exit, CliError> {
        match self.verb {
            Verb::New(new) => new.run(global),
        }
    }
}

impl New {
    fn run(self, global: &Global) -> Result<Exit, CliError> {
        let out = self.out.clone();
        let text = self.draft(global)?.text();
        let Some(path) = out else {
            print(&text)?;
            return Ok(Exit::Done);
        };
        let failed = |error: io::Error| {
            let path = path.display();
            if error.kind() == ErrorKind::AlreadyExists {
                return CliError::bad(format!("{path} is there already"))
                    .remedy("give another name, or remove it first");
            }
            CliError::bad(format!("cannot write {path}: {error}"))
        };
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&path)
            .map_err(failed)?;
        file.write_all(text.as_bytes()).map_err(failed)?;
        let path = path.display();
        tell(&format!(
            "{path} is written; read it, then:\n  flagship lint {path}\n  flagship apply -f {path} --dry-run\n"
        ))?;
        Ok(Exit::Done)
    }

    /// What was typed, and what is asked for; without a terminal nobody is asked.
    fn draft(self, global: &Global) -> Result<Draft, CliError> {
        let asks = io::stdin().is_terminal() && io::stderr().is_terminal();
        let need = |given: Option<String>, option: &str, question: &str| match given {
            Some(given) => Ok(given),
            None if asks => ask(question, ""),
            None => Err(
                CliError::bad(format!("{option} is missing")).remedy(format!(
                    "give {option}, or run it on a terminal to be asked"
                )),
            ),
        };
        let offer = |given: Option<String>, question: &str, usual: &str| match given {
            Some(given) => Ok(given),
            None if asks => ask(question, usual),
            None => Ok(usual.to_owned()),
        };
        let invalid = |error: flagship_proto::model::InvalidId| CliError::bad(error.to_string());
        let project = need(global.project.clone(), "--project", "Project")?;
        let project: ProjectName = project.parse().map_err(invalid)?;
        let name = need(self.name, "--name", "Name of the plan")?;
        let name: PlanName = name.parse().map_err(invalid)?;
        let usual = format!("{project}/Deployment/{name}");
        let workload = offer(self.workload, "Workload, NAMESPACE/KIND/NAME", &usual)?;
        let workload: WorkloadRef = workload.parse().map_err(invalid)?;
        let waves = if !self.waves.is_empty() {
            self.waves
        } else if asks {
            ask_for_waves()?
        } else {
            WAVES.iter().map(ToString::to_string).collect()
        };
        let waves = waves.iter().map(|text| wave(text));
        let waves = waves.collect::<Result<Vec<_>, _>>()?;
        let soak = offer(self.soak, "How long each wave but the last soaks", SOAK)?;
        period(&soak).map_err(|error| CliError::bad(format!("soak {soak:?}: {error}")))?;
        Ok(Draft {
            project,
            name,
            workload,
            waves,
            soak,
        })
    }
}

fn wave(text: &str) -> Result<Wave, CliError> {
    let (name, labels) = text.split_once(':').unwrap_or((text, ""));
    let name: WaveName = name
        .parse()
        .map_err(|error| CliError::bad(format!("wave {text:?}: {error}")))?;
    let labels = if labels.is_empty() {
        Vec::new()
    } else {
        let selector = refs::selector(&[labels.to_owned()])?;
        selector.match_labels.into_iter().collect()
    };
    Ok(Wave { name, labels })
}

fn ask_for_waves() -> Result<Vec<String>, CliError> {
    remark("Waves, in order: NAME:KEY=VALUE for clusters with a label, NAME for whatever is left.");
    let mut waves = Vec::new();
    loop {
        let usual = WAVES.get(waves.len()).copied().unwrap_or_default();
        let question = format!("Wave {} (- ends the list)", waves.len() + 1);
        match ask(&question, usual)?.as_str() {
            "" | "-" if waves.is_empty() => return Err(CliError::bad("a plan needs a wave")),
            "" | "-" => return Ok(waves),
            wave => waves.push(wave.to_owned()),
        }
    }
}

/// One question, with what counts where nothing is typed.
fn ask(question: &str, usual: &str) -> Result<String, CliError> {
    let hint = if usual.is_empty() {
        String::new()
    } else {
        format!(" [{usual}]")
    };
    write!(io::stderr(), "{question}{hint}: ").ok();
    let mut answer = String::new();
    let read = io::stdin().lock().read_line(&mut answer);
    let read = read.map_err(|error| CliError::new(Exit::Error, format!("cannot read: {error}")))?;
    if read == 0 {
        return Err(CliError::bad("the answers ended before the last question"));
    }
    Ok(match answer.trim() {
        "" => usual.to_owned(),
        answer => answer.to_owned(),
    })
}
