//! `flagship-agent ctl`: asks the agent that runs on this machine, prints what it answers, and says
//! what to do where none does.

use std::{
    io::{self, IsTerminal, Write as _},
    os::fd::AsFd,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use flagship_proto::{
    model::{LocalVerb, lease::DEFAULT_LEASE},
    process::{socket, terminal},
};
use tokio::io::BufReader;

use super::{Answer, Request, SOCKET, WorkloadView, show};
use crate::{
    args::{CONFIG, CtlArgs, CtlVerb, Format, OverArgs},
    config::AgentConfig,
    run::BAD_INPUT,
};

/// How long the agent may take to say how things stand.
const LOOK: Duration = Duration::from_secs(8);
/// How long it may take to answer an act: its wait for the disk, and some.
const ACT: Duration = Duration::from_secs(12);
/// After this time a person is told what is waited for.
const LONG: Duration = Duration::from_secs(2);

/// After this time `--wait` says that it waits.
const SOON: Duration = Duration::from_secs(2);
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
    let typed = typed(&config, data.as_deref());
    let agent = || {
        let folder = match data {
            Some(folder) => folder,
            None => AgentConfig::load(&config)?.data,
        };
        anyhow::Ok(Agent { folder, typed })
    };
    match verb {
        CtlVerb::Status { output } => status(&agent()?, output).await,
        CtlVerb::Hold(over) => control(&agent()?, LocalVerb::Hold, over, None).await,
        CtlVerb::Retreat {
            over,
            wait,
            timeout,
        } => {
            let wait = wait.then(|| Duration::from_secs(timeout));
            control(&agent()?, LocalVerb::Retreat, over, wait).await
        }
        CtlVerb::Release(over) => control(&agent()?, LocalVerb::Release, over, None).await,
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

/// The agent that is meant.
struct Agent {
    /// Its data folder.
    folder: PathBuf,
    /// How it was named: what each command that is told to type begins with.
    typed: String,
}

/// `flagship-agent ctl` with what had to be said to find this agent.
fn typed(config: &Path, data: Option<&Path>) -> String {
    match data {
        Some(data) => format!("flagship-agent ctl --data {}", data.display()),
        None if config == Path::new(CONFIG) => "flagship-agent ctl".to_owned(),
        None => format!("flagship-agent ctl --config {}", config.display()),
    }
}

fn not_under_a_hub(verb: &str, instead: &str) -> ExitCode {
    complain(&format!(
        "{verb} is for an agent without a hub, and this one obeys a hub: only the hub lets anything advance. There: {instead}"
    ));
    ExitCode::from(REFUSED)
}

async fn status(agent: &Agent, output: Format) -> anyhow::Result<ExitCode> {
    let request = Request::Status {};
    let answer = match ask(&agent.folder, &request).await {
        Ok(answer) => answer,
        Err(error) => return Ok(unreachable(&agent.folder, &request, &error)),
    };
    match output {
        Format::Table => tell(&show::status(&answer.status, &agent.typed))?,
        Format::Json => print(&json(&answer.status)?)?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn control(
    agent: &Agent,
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
    let mut answer = match ask(&agent.folder, &request).await {
        Ok(answer) => answer,
        Err(error) => return Ok(unreachable(&agent.folder, &request, &error)),
    };
    let mut in_time = true;
    if let Some(wait) = wait {
        in_time = until_back(agent, &mut answer, wait).await;
    }
    match output {
        Format::Table => tell(&show::done(verb, &answer, &agent.typed))?,
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
async fn until_back(agent: &Agent, answer: &mut Answer, wait: Duration) -> bool {
    let began = Instant::now();
    let mut is_told = false;
    loop {
        let has_come_back = |name: &str| {
            let mut seen = answer.status.workloads.iter();
            seen.any(|seen| seen.workload == name && is_back(seen))
        };
        if answer.done.iter().all(|done| has_come_back(&done.workload)) {
            return true;
        }
        if began.elapsed() >= wait {
            let mut seen = answer.status.workloads.iter();
            let late = seen.find(|seen| !is_back(seen) && !seen.message.is_empty());
            let why = late.map_or_else(String::new, |seen| {
                format!(" ({}: {})", seen.workload, seen.message)
            });
            complain(&format!(
                "not back after {} s{why}; it goes on going back: {} status",
                wait.as_secs(),
                agent.typed
            ));
            return false;
        }
        if !is_told && began.elapsed() >= SOON {
            is_told = true;
            complain("in force; waiting until no traffic is left on it");
        }
        tokio::time::sleep(AGAIN).await;
        if let Ok(now) = ask(&agent.folder, &Request::Status {}).await {
            answer.status = now.status;
        }
    }
}

/// Whether no canary is in flight, and nothing of one was read back. What was not read is not nothing.
fn is_back(seen: &WorkloadView) -> bool {
    let without_traffic = seen.observed == Some(0) || seen.version.is_none();
    seen.phase.is_some() && !seen.in_flight && without_traffic
}

/// Asks, and says after a while what is waited for.
async fn ask(folder: &Path, request: &Request) -> io::Result<Answer> {
    let deadline = longest(request);
    let mut asked = std::pin::pin!(answered(folder, request, deadline));
    if let Ok(answer) = tokio::time::timeout(LONG, &mut asked).await {
        return answer;
    }
    complain(&format!(
        "the agent on {} has not answered for {} s; waiting for {} s at the most",
        folder.display(),
        LONG.as_secs(),
        deadline.as_secs()
    ));
    asked.await
}

fn longest(request: &Request) -> Duration {
    match request {
        Request::Status {} => LOOK,
        Request::Control { .. } => ACT,
    }
}

async fn answered(folder: &Path, request: &Request, deadline: Duration) -> io::Result<Answer> {
    let stream = socket::connect(folder, SOCKET).await?;
    let (from, mut to) = stream.into_split();
    socket::write_line(&mut to, request).await?;
    socket::read_line(&mut BufReader::new(from), deadline).await
}

/// Why no agent answered, and what to do.
fn unreachable(folder: &Path, request: &Request, error: &io::Error) -> ExitCode {
    let place = folder.display();
    let socket: PathBuf = folder.join(SOCKET);
    let is = |kinds: &[io::ErrorKind]| kinds.contains(&error.kind());
    let message = if is(&[io::ErrorKind::NotFound, io::ErrorKind::ConnectionRefused]) {
        format!(
            "no agent runs on {place}. While it is down nothing advances here and traffic stays as the proxies have it; \
             start it (`systemctl start flagship-agent`, or `flagship-agent run --config FILE`), then say this again: \
             it comes up without a lease, so nothing moves before you did. If it runs elsewhere, name its folder with --data"
        )
    } else if is(&[io::ErrorKind::PermissionDenied]) {
        format!(
            "{} is for the agent's own user: run this as that user or as root",
            socket.display()
        )
    } else if is(&[io::ErrorKind::TimedOut]) {
        silent(&place.to_string(), request)
    } else {
        format!("the agent on {place} did not answer: {error}")
    };
    complain(&message);
    ExitCode::from(UNREACHABLE)
}

/// What is known of an agent that takes the question and does not answer it: whether it is stopped,
/// hangs, or only does not answer here cannot be seen from outside.
fn silent(place: &str, request: &Request) -> String {
    let perhaps = match request {
        Request::Status {} => "",
        Request::Control { .. } => {
            " What was asked is not known to be in force: an agent that goes on obeys it."
        }
    };
    format!(
        "the agent on {place} did not answer for {} s.{perhaps} \
         If it is stopped, nothing advances here until it goes on (`kill -CONT`). \
         If it hangs, its lease ends at most {} s after it last heard the hub, unless a plan says otherwise. \
         If it only does not answer here, it goes on under the hub's orders: the hub can abort them. \
         To be sure, kill it (`kill -9`) and start it again: the proxies keep their weights, and it comes up \
         without a lease, so nothing moves before you say this again",
        longest(request).as_secs(),
        DEFAULT_LEASE.as_secs()
    )
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

/// Prints a text for people: on a terminal in lines that fit it.
fn tell(text: &str) -> anyhow::Result<()> {
    print(&fit(io::stdout(), text))
}

fn complain(message: &str) {
    let text = fit(io::stderr(), &format!("flagship-agent: {message}"));
    eprintln!("{text}");
}

fn fit(stream: impl AsFd + IsTerminal, text: &str) -> String {
    match terminal::size(stream) {
        Some((width, _)) => terminal::wrap(text, width),
        None => text.to_owned(),
    }
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
    fn a_command_to_type_finds_the_agent_that_was_meant() {
        let usual = Path::new(CONFIG);
        assert_eq!(typed(usual, None), "flagship-agent ctl");
        assert_eq!(
            typed(Path::new("a.yaml"), None),
            "flagship-agent ctl --config a.yaml"
        );
        assert_eq!(
            typed(usual, Some(Path::new("/data"))),
            "flagship-agent ctl --data /data"
        );
    }

    #[tokio::test]
    async fn an_agent_that_is_stopped_is_not_waited_for_longer_than_was_said() {
        let folder = tempfile::tempdir().unwrap();
        // It takes connections, as a stopped process does, and answers none.
        let _deaf = tokio::net::UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let request = Request::Status {};
        let short = Duration::from_millis(50);
        let error = answered(folder.path(), &request, short).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        assert!(longest(&request) <= Duration::from_secs(10));
    }

    #[test]
    fn of_a_silent_agent_no_more_is_said_than_is_known() {
        let said = silent("/data", &Request::Status {});
        for part in [
            "did not answer for 8 s",
            "If it is stopped, nothing advances here",
            "If it hangs, its lease ends at most 30 s after",
            "goes on under the hub's orders",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
        assert!(
            !said.contains("in force"),
            "nothing was asked to be: {said}"
        );
        let act = Request::Control {
            verb: LocalVerb::Hold,
            workloads: Vec::new(),
            reason: String::new(),
        };
        assert!(silent("/data", &act).contains("not known to be in force"));
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
