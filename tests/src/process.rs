//! Real processes under test: started with a log, waited for with a deadline, ended by id.

use std::{
    ffi::OsStr,
    fs::{self, File},
    net::TcpListener,
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use tokio::time;

/// A port of loopback that was free a moment ago.
///
/// # Panics
/// There is none.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has a free port");
    listener.local_addr().expect("it is bound").port()
}

/// Waits until `holds`, looking every 50 ms.
///
/// # Panics
/// It does not hold in time; the message says what was waited for.
pub async fn until(what: &str, deadline: Duration, holds: impl AsyncFn() -> bool) {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < deadline, "not in {deadline:?}: {what}");
        time::sleep(Duration::from_millis(50)).await;
    }
}

/// Where this build put its programs.
///
/// # Panics
/// The test does not run from cargo's target folder.
pub fn built(program: &str) -> PathBuf {
    let mut folder = std::env::current_exe().expect("a process has a program");
    folder.pop();
    if folder.ends_with("deps") {
        folder.pop();
    }
    let path = folder.join(program);
    assert!(
        path.exists(),
        "{} is missing; run cargo build --workspace --bins",
        path.display()
    );
    path
}

/// A process's memory as the kernel counts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Memory {
    /// Resident: all pages that it has in memory, those of its program and libraries too.
    pub rss_kib: u64,
    /// The same, a page that several processes share counted by its share.
    pub pss_kib: u64,
    /// What of it is its own data: heap and stacks.
    pub anonymous_kib: u64,
}

/// A program that runs; it is killed when this is dropped.
#[derive(Debug)]
pub struct Running {
    name: String,
    log: PathBuf,
    child: Child,
}

impl Running {
    /// Starts `command`; what it prints goes to `FOLDER/NAME.log`, appended.
    ///
    /// # Errors
    /// The program or its log cannot be opened.
    pub fn start(name: &str, folder: &Path, command: &mut Command) -> anyhow::Result<Self> {
        let log = folder.join(format!("{name}.log"));
        let out = File::options().create(true).append(true).open(&log)?;
        let child = command
            .process_group(0) // Ctrl-C is for the one who runs it, who then ends all
            .stdin(Stdio::null())
            .stdout(out.try_clone()?)
            .stderr(out)
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        Ok(Self {
            name: name.to_owned(),
            log,
            child,
        })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it printed.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Its exit status, once it has ended.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().ok().flatten()
    }

    /// Its memory; none once it has ended.
    pub fn memory(&self) -> Option<Memory> {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.pid())).ok()?;
        let kib = |what: &str| {
            let line = rollup.lines().find_map(|line| line.strip_prefix(what))?;
            line.split_whitespace().next()?.parse().ok()
        };
        Some(Memory {
            rss_kib: kib("Rss:")?,
            pss_kib: kib("Pss:")?,
            anonymous_kib: kib("Anonymous:")?,
        })
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        let _gone = pid.map(|pid| kill_process(pid, signal));
    }

    /// `kill -9`, and waits for its end.
    pub fn kill(&mut self) {
        let _gone = self.child.kill();
        let _ended = self.child.wait();
    }

    /// SIGTERM; its exit status.
    ///
    /// # Panics
    /// It does not end in time.
    pub async fn stop(&mut self, deadline: Duration) -> ExitStatus {
        self.signal(Signal::TERM);
        let began = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            assert!(
                began.elapsed() < deadline,
                "{} does not end\n{}",
                self.name,
                self.log()
            );
            time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.signal(Signal::CONT);
        self.kill();
    }
}

/// Kills every process that was started with `NAME=VALUE` in its environment, however it was left.
pub fn end_all_marked(name: &str, value: &OsStr) {
    let mark = [name.as_bytes(), b"=", value.as_encoded_bytes()].concat();
    let own = std::process::id();
    for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
        let pid = entry
            .file_name()
            .to_str()
            .and_then(|name| name.parse::<u32>().ok());
        let Some(pid) = pid.filter(|pid| *pid != own) else {
            continue;
        };
        let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
        if environment
            .split(|byte| *byte == 0)
            .any(|variable| variable == mark)
        {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
            let _gone = pid.map(|pid| kill_process(pid, Signal::KILL));
        }
    }
}
