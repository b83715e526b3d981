//! The command line as people and pipelines use it: the examples of its help, plans in folders, contexts,
//! completion, and hubs that are away, slow, or of another version.
#![allow(clippy::unwrap_used, reason = "a test stops at what it cannot have")]

use std::{
    fs,
    io::{Read as _, Write as _},
    net::TcpListener,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use flagship_hub::api::types::{List, PlanView};
use flagship_tests::{
    fleet::{Fleet, Members},
    process::built,
};

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _none_yet = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// `flagship` for somebody whose home is `home`, without a hub.
fn at_home(home: &Path, program: &str) -> Command {
    let mut command = Command::new(program);
    command.env_clear().env("HOME", home).current_dir(home);
    let programs = Path::new(&built("flagship")).parent().unwrap().to_owned();
    let path = format!("{}:/usr/bin:/bin", programs.display());
    command.env("PATH", path).stdin(Stdio::null());
    command
}

fn said(output: &Output) -> String {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    String::from_utf8(both).unwrap()
}

#[test]
fn the_examples_of_verbs_that_need_no_fleet_do_what_they_say() {
    let home = folder("examples");
    for made in [
        ".local/share/bash-completion/completions",
        ".zfunc",
        ".config/fish/completions",
        "plans",
    ] {
        fs::create_dir_all(home.join(made)).unwrap();
    }
    let plan = include_str!("../../deploy/example/plan.yaml");
    for file in ["plans/checkout.yaml", "plans/cart.yaml"] {
        fs::write(home.join(file), plan).unwrap();
    }
    fs::write(home.join("token"), "flagship_ab_cd\n").unwrap();
    let ca = some_ca();
    fs::write(home.join("hub-ca.pem"), ca).unwrap();
    let mut run = 0;
    for verb in ["plan", "lint", "completion", "man", "help", "context"] {
        let help = at_home(&home, "flagship")
            .args([verb, "--help"])
            .output()
            .unwrap();
        let help = said(&help);
        let (_, examples) = help.split_once("Examples:\n").unwrap();
        let mut examples: Vec<&str> = examples.lines().map(str::trim).collect();
        // What is used or removed has to be added first.
        examples.sort_by_key(|line| !line.contains("context add"));
        for example in examples.into_iter().filter(|line| !line.is_empty()) {
            let example = example
                .replace("/usr/local", "~/local")
                .replace("context use prod", "context use ci")
                .replace("context remove old", "context remove ci");
            let output = at_home(&home, "sh")
                .args(["-c", &example])
                .output()
                .unwrap();
            assert!(output.status.success(), "{example}: {}", said(&output));
            run += 1;
        }
    }
    assert!(run >= 12, "{run} examples were run");
    let page = fs::read_to_string(home.join(".local/share/man/man1/flagship-abort.1")).unwrap();
    assert!(page.contains("NAME"), "{page}");
}

/// Any CA certificate.
fn some_ca() -> String {
    let data = folder("examples-hub").join("hub");
    let made = Command::new(built("flagship-hub"))
        .args(["init", "--data"])
        .arg(&data)
        .output()
        .unwrap();
    assert!(made.status.success(), "{}", said(&made));
    fs::read_to_string(data.join("ca.pem")).unwrap()
}

#[tokio::test]
async fn folders_of_plans_are_compared_stored_and_pruned() {
    let folder = folder("plans-of-a-folder");
    let members = Members::of(&["eu-1"], "");
    let fleet = Fleet::start(&folder, &members).await.unwrap();
    let plans = folder.join("plans");
    fs::create_dir(&plans).unwrap();
    for name in ["cart", "checkout"] {
        let path = plans.join(format!("{name}.yaml"));
        let workload = "shop/Deployment/checkout";
        let arguments = [
            "plan",
            "new",
            "--project",
            "shop",
            "--wave",
            "all",
            "--workload",
        ];
        let more = [workload, "--name", name, "--out", path.to_str().unwrap()];
        fleet.cli.ok(&[&arguments[..], &more].concat()).unwrap();
    }
    let all = plans.to_str().unwrap();
    let run = |arguments: &[&str]| fleet.cli.run(arguments).unwrap();

    let differs = run(&["diff", "-f", all]);
    assert_eq!(differs.code, 8, "{differs}");
    assert!(differs.out.contains("+  name: checkout"), "{differs}");
    let stored: List<PlanView> = fleet.cli.json(&["get", "plans"]).unwrap();
    assert!(stored.items.is_empty(), "{stored:?}");

    let applied = run(&["apply", "-f", all]);
    assert_eq!(applied.code, 0, "{applied}");
    assert!(applied.out.contains("plan shop/cart created"), "{applied}");
    assert_eq!(run(&["diff", "-f", all, "--prune"]).code, 0);
    let again = run(&["apply", "-f", all, "--prune"]);
    assert!(
        again.code == 0 && again.out.contains("unchanged"),
        "{again}"
    );

    let checkout = plans.join("checkout.yaml");
    let text = fs::read_to_string(&checkout).unwrap();
    fs::write(&checkout, text.replace("threshold: 3", "threshold: 5")).unwrap();
    fs::remove_file(plans.join("cart.yaml")).unwrap();
    let dry = run(&["apply", "-f", all, "--prune", "--dry-run"]);
    assert_eq!(dry.code, 8, "{dry}");
    for part in [
        "-      threshold: 3",
        "+      threshold: 5",
        "shop/cart would be removed",
    ] {
        assert!(dry.out.contains(part), "{part}: {dry}");
    }
    let unasked = run(&["apply", "-f", all, "--prune"]);
    assert!(
        unasked.code == 3 && unasked.err.contains("--yes"),
        "{unasked}"
    );
    assert_eq!(
        run(&["get", "plan/shop/cart"]).code,
        0,
        "nothing was removed"
    );
    let pruned = run(&["apply", "-f", all, "--prune", "--yes"]);
    assert_eq!(pruned.code, 0, "{pruned}");
    assert_eq!(run(&["get", "plan/shop/cart"]).code, 2);
    lists_are_narrowed_by_the_hub(&fleet);
    let changes = run(&["changes", "--since", "10m", "-o", "wide"]);
    assert!(changes.out.contains("plan.remove"), "{changes}");

    let wrong = plans.join("wrong.yaml");
    fs::write(&wrong, "kind: Plan\n").unwrap();
    fs::write(&checkout, text).unwrap();
    let refused = run(&["apply", "-f", all]);
    assert_eq!(refused.code, 2, "{refused}");
    assert!(refused.err.contains("wrong.yaml:"), "{refused}");
    let path = ["get", "plans", "-o", "jsonpath=$.items[0].source"];
    assert!(run(&path).out.is_empty());
    let described = run(&["describe", "plan/shop/checkout"]).out;
    assert!(
        described.contains("threshold: 5"),
        "nothing was stored\n{described}"
    );

    names_are_completed(&fleet);
    contexts_keep_their_tokens(&fleet, &folder);
}

/// One plan, shop/checkout, is stored, and cluster eu-1 is a member.
fn lists_are_narrowed_by_the_hub(fleet: &Fleet) {
    let run = |words: &[&str]| fleet.cli.run(words).unwrap();
    for (kind, selector, names) in [
        ("plans", "project=shop", "checkout\n"),
        ("plans", "name notin (cart,checkout)", ""),
        ("clusters", "name in (eu-1,eu-2),!region", "eu-1\n"),
        ("clusters", "region", ""),
        ("plans", "!team", "checkout\n"),
        ("aborts", "scope=fleet", ""),
    ] {
        let found = run(&[
            "get",
            kind,
            "-l",
            selector,
            "-o",
            "jsonpath=$.items[*].name",
        ]);
        assert_eq!(found.out, names, "{kind} {selector}: {found}");
    }
    for (kind, selector, says) in [
        ("clusters", "region in eu", "key in (a,b)"),
        ("freezes", "colour=red", "use id, scope"),
        ("plan/shop/checkout", "project=shop", "leave out the name"),
    ] {
        let refused = run(&["get", kind, "-l", selector]);
        assert!(refused.code == 2 && refused.err.contains(says), "{refused}");
    }
}

/// What the script of bash asks, and the candidates that it gets.
fn completed(fleet: &Fleet, words: &[&str]) -> (String, Duration) {
    let began = Instant::now();
    let output = fleet
        .cli
        .command(&[&["--", "flagship"], words].concat())
        .env("FLAGSHIP_COMPLETE", "bash")
        .env("_CLAP_IFS", "\n")
        .env("_CLAP_COMPLETE_INDEX", words.len().to_string())
        .output()
        .unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}",
        said(&output)
    );
    (said(&output), began.elapsed())
}

fn names_are_completed(fleet: &Fleet) {
    for (words, name) in [
        (&["start", ""][..], "shop/checkout"),
        (&["get", "plan/sh"], "plan/shop/checkout"),
        (&["describe", "plan", ""], "shop/checkout"),
        (&["describe", "cluster/"], "cluster/eu-1"),
        (&["ab"], "abort"),
    ] {
        // Options come after the names.
        let (found, _) = completed(fleet, words);
        assert_eq!(found.lines().next(), Some(name), "{words:?}: {found}");
    }
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let hub = format!("http://{}", silent.local_addr().unwrap());
    let (found, time) = completed(fleet, &["--hub", &hub, "start", ""]);
    assert!(
        !found.contains("shop"),
        "a hub that does not answer: {found}"
    );
    assert!(time < Duration::from_secs(5), "{time:?}");
}

fn contexts_keep_their_tokens(fleet: &Fleet, folder: &Path) {
    let run = |arguments: &[&str]| fleet.cli.run(arguments).unwrap();
    let token = folder.join("other-token");
    fs::write(&token, "flagship_ab_secretsecret").unwrap();
    let add = [
        "context",
        "add",
        "other",
        "--hub",
        "http://127.0.0.1:9",
        "--token-file",
    ];
    let added = run(&[&add[..], &[token.to_str().unwrap()]].concat());
    assert_eq!(added.code, 0, "{added}");
    for format in ["table", "wide", "json", "yaml"] {
        let listed = run(&["context", "list", "-o", format]);
        assert!(listed.out.contains("other"), "{listed}");
        assert!(!listed.out.contains("secretsecret"), "{listed}");
    }
    let mode = fs::metadata(fleet.cli.config())
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(run(&["context", "use", "other"]).code, 0);
    let away = run(&["status"]);
    assert_eq!(away.code, 4, "{away}");
    assert_eq!(away.err.trim_end().lines().count(), 1, "{away}");
    let wrong = run(&["context", "use", "no-such"]);
    assert!(
        wrong.code == 2 && wrong.err.contains("default, other"),
        "{wrong}"
    );
    assert_eq!(run(&["context", "use", "default"]).code, 0);
    assert_eq!(run(&["context", "remove", "other"]).code, 0);
    let kept = fs::read_to_string(fleet.cli.config()).unwrap();
    assert!(!kept.contains("secretsecret"));
    assert_eq!(run(&["status"]).code, 0);
}

#[test]
fn a_hub_of_another_version_is_named_with_both_versions_in_one_line() {
    let home = folder("versions");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let hub = format!("http://{}", listener.local_addr().unwrap());
    // Answers whatever is asked with what no flagship of this version understands.
    let answering = thread::spawn(move || {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            let mut asked = [0; 4096];
            let _some = stream.read(&mut asked).unwrap();
            let body = r#"{"version": "9.9.9", "fleets": []}"#;
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    let output = at_home(&home, "flagship")
        .args(["status", "--hub", &hub])
        .output()
        .unwrap();
    answering.join().unwrap();
    let said = said(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(said.trim_end().lines().count(), 1, "{said}");
    for word in ["9.9.9", env!("CARGO_PKG_VERSION"), "use the flagship"] {
        assert!(said.contains(word), "{said}");
    }
}

#[test]
fn without_its_hub_a_command_says_what_was_not_done_and_how_a_cluster_is_stopped_on_the_spot() {
    let home = folder("no-hub");
    let away = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let hub = format!("http://{away}");
    let run = |words: &[&str]| {
        let output = at_home(&home, "flagship")
            .args(words)
            .args(["--hub", &hub])
            .output()
            .unwrap();
        (output.status.code(), said(&output))
    };
    for (words, code, says) in [
        (
            &["abort", "--fleet"][..],
            12,
            "nothing was ordered: cannot reach the hub",
        ),
        (&["abort", "--plan", "checkout"], 12, "nothing was ordered"),
        (&["abort"], 4, "cannot reach the hub"),
        (&["status"], 4, "cannot reach the hub"),
        (&["lift", "a-1"], 4, "cannot reach the hub"),
        (
            &["retreat", "shop/checkout-1"],
            4,
            "nothing was ordered: cannot reach the hub",
        ),
        (&["pause", "checkout"], 4, "nothing was ordered"),
        (&["freeze", "--fleet"], 4, "nothing was ordered"),
    ] {
        let (seen, text) = run(words);
        assert_eq!(seen, Some(code), "{words:?}: {text}");
        for part in [says, &hub, "flagship-agent ctl status", "ctl retreat"] {
            assert!(text.contains(part), "{words:?}: {part}: {text}");
        }
        assert!(!text.contains("may not be stored"), "{text}");
    }
    let (code, text) = run(&["abort", "shop/checkout"]);
    assert!(
        code == Some(2) && text.contains("--plan shop/checkout"),
        "{text}"
    );
    let (code, text) = run(&["status", "-o", "json"]);
    let told: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, told["exit"].as_u64()), (Some(4), Some(4)), "{text}");
    let (code, text) = run(&["abrot", "-o", "json"]);
    let told: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((code, told["exit"].as_u64()), (Some(2), Some(2)), "{text}");
    assert_eq!(told["code"], "usage", "{text}");
    assert!(told["remedy"].to_string().contains("'abort'"), "{text}");
}
