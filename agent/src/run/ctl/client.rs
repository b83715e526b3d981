//! `flagship-agent ctl`: asks the agent that runs on this machine, prints what it answers, and says
//! what to do where none does.

use std::{
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use flagship_proto::{model::LocalVerb, process::socket};
use tokio::io::BufReader;

use super::{Answer, Request, SOCKET, WorkloadView, show};
use crate::{
    args::{CtlArgs, CtlVerb, Format, OverArgs},
    config::AgentConfig,
    run::BAD_INPUT,
};

/// How long the agent may take to answer: its write of one act a workload, and some.
const ANSWER: Duration = Duration::from_secs(30);

/// How often the agent is asked while `--wait` waits.
const AGAIN: Duration = Duration::from_millis(200);

/// Exit status (S20): it was refused.
const REFUSED: u8 = 3;
/// No agent answers.
const UNREACHABLE: u8 = 4;
/// Not in time.
const DEADLINE: u8 = 7;
/// It is in force, but not stored.
const NOT_STORED: u8 = 12;

/// Does what was typed.
pub(in crate::run) async fn run(args: CtlArgs) -> anyhow::Result<ExitCode> {
    let CtlArgs { config, data, verb } = args;
    let folder = || match data {
        Some(folder) => Ok(folder),
        None => AgentConfig::load(&config).map(|config| config.data),
    };
    match verb {
        CtlVerb::Status { output } => status(&folder()?, output).await,
        CtlVerb::Hold(over) => control(&folder()?, LocalVerb::Hold, over, None).await,
        CtlVerb::Retreat {
            over,
            wait,
            timeout,
        } => {
            let wait = wait.then(|| Duration::from_secs(timeout));
            control(&folder()?, LocalVerb::Retreat, over, wait).await
        }
        CtlVerb::Release(over) => control(&folder()?, LocalVerb::Release, over, None).await,
        CtlVerb::Promote { .. } => Ok(not_under_a_hub(
            "promote",
            "the rollout goes on by itself once what it waits for is there: flagship watch ROLLOUT",
        )),
        CtlVerb::Retry { .. } => Ok(not_under_a_hub(
            "retry",
            "flagship retry ROLLOUT --reason …",
        )),
    }
}

fn not_under_a_hub(verb: &str, instead: &str) -> ExitCode {
    complain(&format!(
        "{verb} is for an agent without a hub, and this one obeys a hub: only the hub lets anything advance. There: {instead}"
    ));
    ExitCode::from(REFUSED)
}

async fn status(folder: &Path, output: Format) -> anyhow::Result<ExitCode> {
    let answer = match ask(folder, &Request::Status {}).await {
        Ok(answer) => answer,
        Err(error) => return Ok(unreachable(folder, &error)),
    };
    match output {
        Format::Table => print(&show::status(&answer.status))?,
        Format::Json => print(&json(&answer.status)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn control(
    folder: &Path,
    verb: LocalVerb,
    over: OverArgs,
    wait: Option<Duration>,
) -> anyhow::Result<ExitCode> {
    let OverArgs {
        workloads,
        all: _,
        reason,
        output,
    } = over;
    let request = Request::Control {
        verb,
        workloads,
        reason: reason.unwrap_or_default(),
    };
    let mut answer = match ask(folder, &request).await {
        Ok(answer) => answer,
        Err(error) => return Ok(unreachable(folder, &error)),
    };
    let mut in_time = true;
    if let Some(wait) = wait {
        in_time = until_back(folder, &mut answer, wait).await;
    }
    match output {
        Format::Table => print(&show::done(verb, &answer))?,
        Format::Json => print(&json(&answer)?)?,
    }
    for refused in &answer.refused {
        complain(&refused.message);
    }
    let code = match answer.refused.first() {
        Some(refused) if refused.bad_input => BAD_INPUT,
        Some(_) => REFUSED,
        None if answer.done.iter().any(|done| !done.kept) => NOT_STORED,
        None if !in_time => DEADLINE,
        None => 0,
    };
    Ok(ExitCode::from(code))
}

/// Waits until no traffic is left on the change of what was told to go back.
async fn until_back(folder: &Path, answer: &mut Answer, wait: Duration) -> bool {
    let began = Instant::now();
    loop {
        let has_come_back = |name: &str| {
            let mut seen = answer.status.workloads.iter();
            seen.any(|seen| seen.workload == name && is_back(seen))
        };
        if answer.done.iter().all(|done| has_come_back(&done.workload)) {
            return true;
        }
        if began.elapsed() >= wait {
            complain(&format!(
                "not back after {} s; it goes on going back: flagship-agent ctl status",
                wait.as_secs()
            ));
            return false;
        }
        tokio::time::sleep(AGAIN).await;
        if let Ok(now) = ask(folder, &Request::Status {}).await {
            answer.status = now.status;
        }
    }
}

/// Whether no canary is in flight, and nothing of one was read back. What was not read is not nothing.
fn is_back(seen: &WorkloadView) -> bool {
    let without_traffic = seen.observed == Some(0) || seen.version.is_none();
    seen.phase.is_some() && !seen.in_flight && without_traffic
}

async fn ask(folder: &Path, request: &Request) -> io::Result<Answer> {
    let stream = socket::connect(folder, SOCKET).await?;
    let (from, mut to) = stream.into_split();
    socket::write_line(&mut to, request).await?;
    socket::read_line(&mut BufReader::new(from), ANSWER).await
}

/// Why no agent answered, and what to do.
fn unreachable(folder: &Path, error: &io::Error) -> ExitCode {
    let place = folder.display();
    let socket: PathBuf = folder.join(SOCKET);
    let is = |kinds: &[io::ErrorKind]| kinds.contains(&error.kind());
    let message = if is(&[io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused]) {
        format!(
            "no agent runs on {place}. While it is down nothing advances here and traffic stays as the proxies have it; \
             start it (systemctl start flagship-agent, or flagship-agent run --config FILE), then say this again: \
             it comes up without a lease, so nothing moves before you did. If it runs elsewhere, name its folder with --data"
        )
    } else if is(&[io::ErrorKind::PermissionDenied]) {
        format!(
            "{} is for the agent's own user: run this as that user or as root",
            socket.display()
        )
    } else if is(&[io::ErrorKind::TimedOut]) {
        format!(
            "the agent on {place} does not answer: it is stopped or hangs. Kill it (kill -9) and start it again; \
             its proxies and versions go on, and it comes up without a lease"
        )
    } else {
        format!("the agent on {place} did not answer: {error}")
    };
    complain(&message);
    ExitCode::from(UNREACHABLE)
}

fn json<T: serde::Serialize>(value: &T) -> anyhow::Result<String> {
    let mut text = serde_json::to_string_pretty(value).context("cannot write JSON")?;
    text.push('\n');
    Ok(text)
}

fn print(text: &str) -> anyhow::Result<()> {
    io::stdout()
        .write_all(text.as_bytes())
        .context("cannot write to the terminal")
}

fn complain(message: &str) {
    eprintln!("flagship-agent: {message}");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(phase: Option<&str>, in_flight: bool, observed: Option<u8>) -> WorkloadView {
        WorkloadView {
            workload: "shop/Deployment/checkout".to_owned(),
            primary: Some("1.0.0".to_owned()),
            version: Some("1.1.0".to_owned()),
            phase: phase.map(str::to_owned),
            in_flight,
            weight: Some(0),
            observed,
            intent: None,
            why: String::new(),
            message: String::new(),
            local: None,
            kept: true,
        }
    }

    #[test]
    fn what_was_not_read_back_is_not_back() {
        assert!(is_back(&view(Some("Failed"), false, Some(0))));
        assert!(!is_back(&view(Some("Failed"), false, None)), "not read");
        assert!(!is_back(&view(Some("Failed"), false, Some(5))));
        assert!(!is_back(&view(Some("Progressing"), true, Some(0))));
        assert!(
            !is_back(&view(None, false, Some(0))),
            "nothing is known yet"
        );
        let without_a_canary = WorkloadView {
            version: None,
            ..view(Some("Initialized"), false, None)
        };
        assert!(is_back(&without_a_canary));
    }
}
