//! Somebody at a terminal who logs in: the real command on a real pseudo-terminal, with a real hub.
#![allow(clippy::unwrap_used, reason = "a test stops at what it cannot have")]

use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Command, ExitStatus},
    sync::{Arc, Mutex},
    time::Duration,
};

use flagship_tests::{
    fleet::{Fleet, Members},
    process::{built, until},
};
use rustix::{
    pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt},
    termios::{LocalModes, tcgetattr},
};
use tokio::time::timeout;

const SOON: Duration = Duration::from_secs(20);

/// A terminal: what is typed into it, and what is read on it.
struct Terminal {
    keyboard: File,
    screen: Arc<Mutex<String>>,
    /// The side of the programs.
    programs: File,
}

impl Terminal {
    fn open() -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap();
        let mut side = File::options();
        side.read(true).write(true);
        let programs = side.open(path.to_str().unwrap()).unwrap();
        let mut reader = File::from(master.try_clone().unwrap());
        let screen = Arc::new(Mutex::new(String::new()));
        let seen = screen.clone();
        std::thread::spawn(move || {
            let mut some = [0; 4096];
            while let Ok(size @ 1..) = reader.read(&mut some) {
                let text = String::from_utf8_lossy(&some[..size]);
                seen.lock().unwrap().push_str(&text);
            }
        });
        Self {
            keyboard: File::from(master),
            screen,
            programs,
        }
    }

    fn reads(&self, text: &str) -> bool {
        self.screen.lock().unwrap().contains(text)
    }

    fn shows_what_is_typed(&self) -> bool {
        let modes = tcgetattr(&self.programs).unwrap().local_modes;
        modes.contains(LocalModes::ECHO)
    }

    /// Types `answer` where the command asks for the token; how it ended.
    async fn logs_in(&mut self, fleet: &Fleet, config: &Path, answer: &str) -> ExitStatus {
        self.screen.lock().unwrap().clear();
        let side = || self.programs.try_clone().unwrap();
        let mut child = Command::new(built("flagship"))
            .args(["login", &fleet.hub.url(), "--ca-hash", &fleet.hub.ca_hash])
            .env("FLAGSHIP_CONFIG", config)
            .env_remove("FLAGSHIP_TOKEN")
            .stdin(side())
            .stdout(side())
            .stderr(side())
            .spawn()
            .unwrap();
        let asked = async || self.reads("Paste the token, then press Enter");
        until("the token is asked for", SOON, asked).await;
        self.keyboard
            .write_all(format!("{answer}\n").as_bytes())
            .unwrap();
        let ended = tokio::task::spawn_blocking(move || child.wait());
        timeout(SOON, ended).await.unwrap().unwrap().unwrap()
    }
}

#[tokio::test]
async fn a_token_that_is_typed_is_kept_and_shown_nowhere_and_the_terminal_is_as_it_was() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("login");
    let _none_yet = fs::remove_dir_all(&folder);
    let fleet = Fleet::start(&folder, &Members::of(&[], "")).await.unwrap();
    let config = folder.join("typed.yaml");
    let mut terminal = Terminal::open();
    assert!(terminal.shows_what_is_typed());

    let wrong = "flagship_0123456789_never-made-and-not-to-be-seen";
    let ended = terminal.logs_in(&fleet, &config, wrong).await;
    assert_eq!(ended.code(), Some(3), "it is refused");
    let refused = async || terminal.reads("the token is not known");
    until("it says why", SOON, refused).await;
    assert!(!terminal.reads("never-made") && terminal.shows_what_is_typed());
    assert!(!config.exists(), "nothing is kept");

    let token = &fleet.hub.admin_token;
    let ended = terminal.logs_in(&fleet, &config, token).await;
    assert!(ended.success(), "{ended}");
    let welcomed = async || terminal.reads("logged in to fleet");
    until("it says so", SOON, welcomed).await;
    let secret = token.splitn(3, '_').nth(2).unwrap();
    assert!(!terminal.reads(&secret[..8]), "the screen shows the token");
    assert!(terminal.shows_what_is_typed());
    assert!(fs::read_to_string(&config).unwrap().contains(secret));

    let ended = terminal.logs_in(&fleet, &config, "").await;
    assert_eq!(ended.code(), Some(2));
    let told = async || terminal.reads("the token is empty");
    until("nothing was typed", SOON, told).await;
    assert!(terminal.shows_what_is_typed());
}
