//! Under a supervisor: the units hold what they say, and the hub says when it is ready, that it lives,
//! and that it stops. Needs `systemd-analyze`.
#![allow(clippy::unwrap_used, reason = "a test stops at what it cannot have")]

use std::{
    fs,
    os::unix::net::UnixDatagram,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use flagship_tests::process::{Running, built};
use rustix::process::Signal;

fn units() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/systemd");
    let all = fs::read_dir(folder).unwrap();
    let all = all.map(|entry| entry.unwrap().path());
    let mut units: Vec<PathBuf> = all
        .filter(|path| path.extension().is_some_and(|end| end == "service"))
        .collect();
    units.sort();
    units
}

/// A unit with the program that this build made, in a folder of its own.
fn with_built_program(unit: &Path, folder: &Path) -> PathBuf {
    let text = fs::read_to_string(unit).unwrap();
    let stem = unit.file_stem().unwrap().to_str().unwrap();
    let installed = format!("/usr/bin/{stem}");
    assert!(text.contains(&installed), "{stem} starts its own program");
    let copy = folder.join(unit.file_name().unwrap());
    let program = built(stem);
    fs::write(&copy, text.replace(&installed, program.to_str().unwrap())).unwrap();
    copy
}

#[test]
fn the_units_are_what_systemd_reads_and_are_locked_up() {
    let folder = tempfile::tempdir().unwrap();
    let units = units();
    assert_eq!(units.len(), 2);
    for unit in units {
        let copy = with_built_program(&unit, folder.path());
        let verified = Command::new("systemd-analyze")
            .args(["verify", "--man=no"])
            .arg(&copy)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&verified.stderr).into_owned();
        let name = unit.file_name().unwrap().to_str().unwrap();
        // Others' units of this machine are not ours to judge.
        let own: Vec<&str> = said.lines().filter(|line| line.contains(name)).collect();
        assert!(verified.status.success() && own.is_empty(), "{said}");
        let exposed = Command::new("systemd-analyze")
            .args(["security", "--offline=true", "--no-pager", "--threshold=45"])
            .arg(&copy)
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&exposed.stdout).into_owned();
        assert!(exposed.status.success(), "{name} is open too far:\n{said}");
    }
}

/// What a supervisor hears next.
fn next(heard: &UnixDatagram) -> String {
    let mut bytes = [0; 4096];
    let length = heard.recv(&mut bytes).expect("a word within the time");
    String::from_utf8(bytes[..length].to_vec()).unwrap()
}

#[test]
fn the_hub_says_ready_then_that_it_lives_and_at_last_that_it_stops() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("hub");
    let founded = Command::new(built("flagship-hub"))
        .arg("init")
        .arg("--data")
        .arg(&data)
        .output()
        .unwrap();
    assert!(founded.status.success(), "{founded:?}");
    let socket = folder.path().join("notify");
    let heard = UnixDatagram::bind(&socket).unwrap();
    heard
        .set_read_timeout(Some(Duration::from_secs(60)))
        .unwrap();
    let mut command = Command::new(built("flagship-hub"));
    command
        .args(["serve", "--listen-api", "127.0.0.1:0"])
        .args(["--listen-agents", "127.0.0.1:0", "--data"])
        .arg(&data)
        .env("NOTIFY_SOCKET", &socket)
        .env("WATCHDOG_USEC", "600000");
    // Ended with the test, whatever its end.
    let mut hub = Running::start("hub", folder.path(), &mut command).unwrap();
    let first = next(&heard);
    assert!(first.starts_with("READY=1\nSTATUS=term 1."), "{first}");
    assert!(
        first.contains("0 of 0 clusters connected, 0 aborts stand"),
        "{first}"
    );
    for _ in 0..3 {
        let word = next(&heard);
        assert!(word.starts_with("WATCHDOG=1\n"), "{word}");
    }
    hub.signal(Signal::TERM);
    let last = loop {
        let word = next(&heard);
        if !word.starts_with("WATCHDOG=1\n") {
            break word;
        }
    };
    assert!(last.starts_with("STOPPING=1\n"), "{last}");
    let began = Instant::now();
    let status = loop {
        if let Some(status) = hub.ended() {
            break status;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "it does not end");
        std::thread::sleep(Duration::from_millis(20));
    };
    assert!(status.success(), "{status}");
}
