//! Processes that survive the agent: started in a group of their own with output to a file, found
//! again by pid and start time, ended by group (trap 23).

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom},
    os::unix::{
        fs::MetadataExt,
        process::{CommandExt, ExitStatusExt},
    },
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    time::Duration,
};

use flagship_proto::process::supervisor;
use rustix::process::{Pid, Signal, geteuid, kill_process, kill_process_group};
use serde::{Deserialize, Serialize};
use tokio::process::Child;

/// The environment variable that carries a process's token.
pub(super) const TOKEN: &str = "FLAGSHIP_INSTANCE";

/// A log that is larger than this at a start is put aside.
const LARGE_LOG: u64 = 16 << 20;

/// How often an adopted process is looked at.
const LOOK: Duration = Duration::from_millis(200);

/// A process, for ever: a pid alone is used again by others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct ProcessId {
    /// The pid, which is also the process group.
    pub pid: i32,
    /// When it was started, in clock ticks since the machine's start.
    pub started: u64,
    /// Which start of the machine.
    pub boot: String,
}

impl ProcessId {
    /// Of a process that runs now.
    pub(super) fn of(pid: u32) -> io::Result<Self> {
        let pid = i32::try_from(pid).map_err(io::Error::other)?;
        let stat = Stat::read(pid)?;
        Ok(Self {
            pid,
            started: stat.started,
            boot: boot_id()?,
        })
    }

    /// Whether it still runs; a zombie does not.
    pub(super) fn is_alive(&self) -> bool {
        let running = |stat: Stat| stat.started == self.started && !matches!(stat.state, 'Z' | 'X');
        boot_id().is_ok_and(|boot| boot == self.boot) && Stat::read(self.pid).is_ok_and(running)
    }

    /// Sends a signal to its group, if it is still the same process; to it alone if it no longer
    /// leads the group that bears its number.
    pub(super) fn signal(&self, signal: Signal) {
        let Some(pid) = Pid::from_raw(self.pid).filter(|_| self.is_alive()) else {
            return;
        };
        let leads = Stat::read(self.pid).is_ok_and(|stat| stat.group == self.pid);
        // A process that ended in between needs no signal.
        let _ = if leads {
            kill_process_group(pid, signal)
        } else {
            kill_process(pid, signal)
        };
    }
}

struct Stat {
    state: char,
    group: i32,
    started: u64,
}

impl Stat {
    /// Fields 3, 5 and 22 of `/proc/<pid>/stat`; the name in field 2 may hold anything but ends at the last ')'.
    fn read(pid: i32) -> io::Result<Self> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
        let strange = || io::Error::other(format!("/proc/{pid}/stat is strange"));
        let (_, rest) = text.rsplit_once(") ").ok_or_else(strange)?;
        let mut fields = rest.split(' ');
        let state = fields.next().and_then(|field| field.chars().next());
        let group = fields.nth(1).and_then(|field| field.parse().ok());
        let started = fields.nth(16).and_then(|field| field.parse().ok());
        Ok(Self {
            state: state.ok_or_else(strange)?,
            group: group.ok_or_else(strange)?,
            started: started.ok_or_else(strange)?,
        })
    }
}

fn boot_id() -> io::Result<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|text| text.trim().to_owned())
}

/// What to start.
#[derive(Debug, Clone)]
pub(super) struct Launch {
    pub program: PathBuf,
    pub arguments: Vec<String>,
    pub env: BTreeMap<String, String>,
    pub token: String,
    pub log: PathBuf,
}

/// A running process: a child of this agent, or one that an earlier agent started.
#[derive(Debug)]
pub(super) enum Running {
    /// Its exit status will be known.
    Child(ProcessId, Box<Child>),
    /// It has no exit status for us.
    Adopted(ProcessId),
}

impl Running {
    pub(super) fn id(&self) -> &ProcessId {
        match self {
            Self::Child(id, _) | Self::Adopted(id) => id,
        }
    }

    /// Waits for its end; says how it ended.
    pub(super) async fn ended(&mut self) -> String {
        match self {
            Self::Child(_, child) => match child.wait().await {
                Ok(status) => words(status),
                Err(error) => format!("ended ({error})"),
            },
            Self::Adopted(id) => {
                while id.is_alive() {
                    tokio::time::sleep(LOOK).await;
                }
                "ended (it was started by an earlier agent, so its exit status is not known)".into()
            }
        }
    }
}

/// Starts a process that needs no agent to live on.
pub(super) fn launch(launch: &Launch) -> io::Result<Running> {
    put_aside(&launch.log);
    let log = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&launch.log)?;
    let mut command = Command::new(&launch.program);
    command
        .args(&launch.arguments)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .process_group(0);
    for (name, _) in std::env::vars_os() {
        // The agent's own settings may hold secrets, and what its supervisor says is for it alone; they
        // are no business of the application.
        let text = name.to_string_lossy();
        if text.starts_with("FLAGSHIP_") || supervisor::VARIABLES.contains(&text.as_ref()) {
            command.env_remove(name);
        }
    }
    command.envs(&launch.env).env(TOKEN, &launch.token);
    let child = tokio::process::Command::from(command).spawn()?;
    let pid = child
        .id()
        .ok_or_else(|| io::Error::other("ended at once"))?;
    Ok(Running::Child(ProcessId::of(pid)?, Box::new(child)))
}

/// The process that was started with a token, if it runs: for the moment between its start and the
/// keeping of its pid.
pub(super) fn find_by_token(token: &str) -> Option<ProcessId> {
    started_with(|found| (found == token).then_some(()))
        .next()
        .map(|(process, ())| process)
}

/// The processes of this user that were started here with a token that `read` makes something of. Only
/// the leaders of their groups: whatever they start has the same environment.
pub(super) fn started_with<T>(
    read: impl Fn(&str) -> Option<T>,
) -> impl Iterator<Item = (ProcessId, T)> {
    let user = geteuid().as_raw();
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(move |entry| {
        let pid = entry.file_name().to_str()?.parse::<u32>().ok()?;
        if entry.metadata().ok()?.uid() != user {
            return None;
        }
        let environment = fs::read(entry.path().join("environ")).ok()?;
        let value = environment
            .split(|byte| *byte == 0)
            .find_map(|line| line.strip_prefix(TOKEN.as_bytes())?.strip_prefix(b"="))?;
        let made = read(std::str::from_utf8(value).ok()?)?;
        let id = ProcessId::of(pid).ok()?;
        let leads = Stat::read(id.pid).is_ok_and(|stat| stat.group == id.pid);
        (leads && id.is_alive()).then_some((id, made))
    })
}

/// The last lines of a log, for people; at most 600 bytes.
pub(super) fn last_lines(log: &Path, lines: usize) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(log)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(600)))?;
        let mut bytes = Vec::new();
        file.take(600).read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    let bytes = read().unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let all: Vec<&str> = text
        .lines()
        .map(str::trim_end)
        .filter(|l| !l.is_empty())
        .collect();
    all[all.len().saturating_sub(lines)..].join(" | ")
}

fn words(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with code {code}"),
        (None, Some(signal)) => format!("was ended by signal {}", signal_name(signal)),
        (None, None) => status.to_string(),
    }
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        15 => "SIGTERM",
        _ => return signal.to_string(),
    };
    format!("{signal} ({name})")
}

fn put_aside(log: &Path) {
    if fs::metadata(log).is_ok_and(|metadata| metadata.len() > LARGE_LOG) {
        // A log that cannot be put aside grows on; the process matters more.
        let _ = fs::rename(log, log.with_extension("log.1"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn child(group: Option<i32>) -> std::process::Child {
        let mut command = Command::new("sleep");
        command.arg("60").env(TOKEN, "the-mark-of-a-test");
        if let Some(group) = group {
            command.process_group(group);
        }
        command.spawn().unwrap()
    }

    /// Waits until a program has taken the place of the process that started it: until then it has no environment.
    fn has_begun(pid: u32) {
        let deadline = std::time::Instant::now() + Duration::from_secs(10);
        let environment = || fs::read(format!("/proc/{pid}/environ")).unwrap();
        while environment().is_empty() {
            assert!(std::time::Instant::now() < deadline, "{pid} does not begin");
            std::thread::yield_now();
        }
    }

    #[test]
    fn trap_23_a_process_that_leads_no_group_is_not_taken_for_one_and_alone_is_signalled() {
        let (mut leader, mut member) = (child(Some(0)), child(None));
        let wanted = |token: &str| (token == "the-mark-of-a-test").then_some(());
        for one in [&leader, &member] {
            has_begun(one.id());
        }
        let found: Vec<_> = started_with(wanted).map(|(id, ())| id.pid).collect();
        assert_eq!(found, [i32::try_from(leader.id()).unwrap()]);
        for one in [&mut leader, &mut member] {
            let id = ProcessId::of(one.id()).unwrap();
            id.signal(Signal::TERM);
            assert_eq!(one.wait().unwrap().signal(), Some(15));
            assert!(!id.is_alive());
        }
    }
}
