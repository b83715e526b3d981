//! What the command line tells who is on call, on real processes: how a watch of what was stopped ends,
//! refusals whose commands are typed as they stand, and a token that has ended in the middle.
#![allow(clippy::unwrap_used, reason = "a test stops at what it cannot have")]

use std::{
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use flagship_tests::{
    fleet::Answer,
    play::{Play, quick_plan},
    process::{built, until},
};

const TWO: &[&str] = &["pilot-1 region=eu tier=pilot", "us-1 region=us"];

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// What a command answered; shown, so that a person can read it.
fn run(play: &Play, arguments: &[&str]) -> Answer {
    let answer = play.fleet.cli.run(arguments).unwrap();
    println!("$ flagship {}\n{answer}", arguments.join(" "));
    answer
}

/// What a shell makes of a text that is pasted into it.
fn paste(play: &Play, text: &str) -> (i32, String) {
    let programs = built("flagship");
    let mut shell = Command::new("sh");
    shell.args(["-c", text]).stdin(Stdio::null());
    shell.env(
        "PATH",
        format!("{}:/usr/bin:/bin", programs.parent().unwrap().display()),
    );
    shell.env("FLAGSHIP_CONFIG", play.fleet.cli.config());
    let output = shell.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    println!("pasted: {text}\n{said}");
    (output.status.code().unwrap_or(-1), said)
}

/// The commands that an answer tells to type.
fn commands(text: &str) -> Vec<&str> {
    let lines = text.lines().filter_map(|line| {
        let at = line.find("flagship ")?;
        let rest = &line[at..];
        (line[..at].trim().is_empty() || line[..at].ends_with(": ")).then_some(rest)
    });
    lines.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watch_of_what_was_aborted_names_who_still_serves_it_and_what_can_be_typed() {
    let mut play = Play::start(&folder("words"), TWO, "", &quick_plan("")).await;
    let rollout = play.release("1.1.0");
    play.reaches_weight(&rollout, "pilot-1", 10).await;
    play.fleet.at("pilot-1").kill_agent();
    let status = async || {
        let status = play.fleet.cli.ok(&["status"]).unwrap();
        status.contains("not heard: pilot-1")
    };
    until("the agent is not heard", Duration::from_secs(60), status).await;
    let abort = run(
        &play,
        &["abort", "--fleet", "--reason", "errors at the till"],
    );
    assert_eq!(abort.code, 0, "{abort}");
    let id = play.fleet.cli.newest_abort().unwrap().id;

    let watched = run(&play, &["watch", &rollout]);
    assert_eq!(watched.code, 6, "{watched}");
    let (_, end) = watched.out.rsplit_once("NOT FIXED").unwrap();
    for told in [
        "is Aborted, and 1.1.0 is still served by pilot-1 (",
        "% of its traffic, not heard; nothing advances there after ",
        "flagship-agent ctl retreat shop/Deployment/checkout --reason …   # on the machine of pilot-1",
        &format!("\n  flagship describe abort {id}   # who has stopped, and who has not"),
    ] {
        assert!(end.contains(told), "{told}: {watched}");
    }
    let described = run(&play, &["describe", "abort", &id]);
    let early = "% when last heard (not heard; nothing advances there after ";
    assert!(described.out.contains(early), "{described}");
    assert!(!described.out.contains("frozen"), "{described}");

    let refused = run(&play, &["start", "shop/checkout", "--to-version", "1.2.0"]);
    assert_eq!(refused.code, 3, "{refused}");
    assert!(
        !refused.err.contains(".0") || !refused.err.contains("00000Z"),
        "{refused}"
    );
    let told = commands(&refused.err);
    assert_eq!(told.len(), 2, "{refused}");
    let (code, said) = paste(&play, told[0]);
    assert_eq!(code, 0, "{said}");
    let lifting = "Its lift is ordered, and it ends at the time";
    let described = run(&play, &["describe", "abort", &id]);
    assert!(described.out.contains(lifting), "{described}");
    let steps = play.rollout(&rollout).next_steps;
    assert!(!steps.iter().any(|step| step.contains("flagship lift")));
    let lifted = async || {
        let described = run(&play, &["describe", "abort", &id]);
        !described.out.contains(lifting)
    };
    until("the abort is lifted", Duration::from_secs(90), lifted).await;
    let status = run(&play, &["status"]);
    assert!(
        !status.out.contains("…\n"),
        "nothing is cut in a pipe: {status}"
    );
    let retreat = format!("\n  flagship retreat {rollout} --reason …   # takes every cluster back");
    assert!(status.out.contains(&retreat), "{status}");
    let described = run(&play, &["describe", "abort", &id]);
    assert!(
        described.out.contains("frozen at "),
        "the bound has passed: {described}"
    );

    let held = run(&play, &["start", "shop/checkout", "--to-version", "1.2.0"]);
    assert_eq!(held.code, 3, "{held}");
    let told = commands(&held.err);
    assert!(told.len() >= 4, "{held}");
    let last = told.last().unwrap();
    assert!(
        last.starts_with("flagship start shop/checkout --to-version 1.2.0 --supersede"),
        "{held}"
    );
    let (code, said) = paste(&play, last);
    assert_eq!(code, 0, "{said}");
    play.load.take();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_has_ended_is_named_in_one_line_with_what_to_do_by_every_verb() {
    let plan = quick_plan("").replace("for: 1s", "for: 5m");
    let mut play = Play::start(&folder("outlived"), TWO, "", &plan).await;
    let rollout = play.release("1.1.0");
    let life = ["--name", "ann", "--role", "admin", "--expires", "1m"];
    let token = play.ok(&[&["token", "create"][..], &life].concat());
    let with_it = |arguments: &[&str]| {
        let mut command = play.fleet.cli.command(arguments);
        command.env("FLAGSHIP_TOKEN", token.trim());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    };
    let in_time = with_it(&["status"]).output().unwrap();
    assert!(in_time.status.success(), "{in_time:?}");
    let watching = with_it(&["watch", &rollout]).spawn().unwrap();
    // It ends by itself: the hub ends what was let in by the token.
    let watched = tokio::task::spawn_blocking(move || watching.wait_with_output());
    let watched = tokio::time::timeout(Duration::from_secs(120), watched).await;
    let watched = watched.expect("the watch ends").unwrap().unwrap();
    let mut ended = vec![("watch".to_owned(), watched)];
    let plan = folder("outlived").join("plan.yaml");
    for words in [
        &["status"][..],
        &["describe", "rollout", &rollout],
        &["explain", &rollout],
        &["apply", "-f", plan.to_str().unwrap()],
        &["start", "shop/checkout", "--to-version", "1.2.0"],
        &["pause", &rollout],
        &["retreat", &rollout, "--yes"],
        &["freeze", "--fleet", "--for", "1h"],
        &["abort", "--fleet", "--wait"],
        &["lift", "a-1"],
        &["cluster", "list"],
        &["token", "create", "--name", "bob", "--role", "viewer"],
        &["audit", "verify"],
        &["changes"],
        &["access", "list"],
        &["notify", "list"],
    ] {
        ended.push((words.join(" "), with_it(words).output().unwrap()));
    }
    for (words, output) in ended {
        let err = String::from_utf8_lossy(&output.stderr);
        println!("$ flagship {words}\n{err}");
        assert_eq!(output.status.code(), Some(3), "{words}: {err}");
        assert_eq!(err.lines().count(), 1, "{words}: {err}");
        let stops = ["abort", "freeze", "pause", "retreat"];
        let is_stop = stops.iter().any(|stop| words.starts_with(stop));
        assert_eq!(
            err.contains("nothing was ordered: token "),
            is_stop,
            "{err}"
        );
        for told in [
            "of ann ended at 20",
            "Z; ask an admin for another, and set FLAGSHIP_TOKEN to it",
        ] {
            assert!(err.contains(told), "{words}: {told}: {err}");
        }
    }
    let standing = play.ok(&["get", "aborts"]);
    assert!(standing.contains("No abort stands"), "{standing}");
    play.load.take();
}
