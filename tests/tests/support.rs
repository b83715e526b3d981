//! `flagship support-bundle` against a real hub: everything that helps, and none of the secrets that were
//! planted wherever people put them.
#![allow(clippy::unwrap_used, reason = "a test stops at what it cannot have")]

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use flagship_hub::api::types::{CreatedEnrolToken, CreatedToken};
use flagship_proto::digest::Digest;
use flagship_tests::fleet::{Fleet, Members};
use serde_json::Value;

const HOOK: &str = "https://hooks.slack.com/services/T024BE7LD/B0PLANTED/hookPLANTEDhook";

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _none_yet = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// A hub whose notifications, reasons and tokens hold secrets; the words that must be nowhere.
async fn planted(folder: &Path) -> (Fleet, Vec<String>) {
    let mut fleet = Fleet::start(folder, &Members::of(&[], "")).await.unwrap();
    let settings = folder.join("notifications.yaml");
    fs::write(folder.join("url"), HOOK).unwrap();
    let url = folder.join("url").display().to_string();
    let text = format!(
        "channels:\n  room:\n    slack: {{url: {{file: {url}}}}}\nroutes:\n  - to: [room]\n"
    );
    fs::write(&settings, text).unwrap();
    let settings = settings.display().to_string();
    let environment = [
        ("FLAGSHIP_HUB_NOTIFICATIONS", settings.as_str()),
        ("FLAGSHIP_HUB_PUBLIC_URL", "https://hub.example.com"),
    ];
    fleet.hub.serve_with(&environment).await.unwrap();

    let cli = &fleet.cli;
    let viewer: CreatedToken = cli
        .json(&["token", "create", "--name", "ci", "--role", "viewer"])
        .unwrap();
    let viewer = viewer.secret.unwrap();
    let enrol: CreatedEnrolToken = cli.json(&["token", "create", "--cluster", "eu-1"]).unwrap();
    let enrol = enrol.secret.unwrap();
    for reason in [
        format!("the log said {viewer} and then it failed"),
        format!("see {HOOK} for more"),
        format!("enrolled with {enrol}"),
        "password=planted-by-hand, sorry".to_owned(),
    ] {
        let freeze = ["freeze", "--fleet", "--for", "1h", "--reason", &reason];
        cli.ok(&freeze).unwrap();
    }
    let admin = fleet.hub.admin_token.clone();
    let tail = |token: &str| token[token.len() - 24..].to_owned();
    let words = vec![
        tail(&admin),
        tail(&viewer),
        enrol.split('.').nth(2).unwrap().to_owned(),
        "hookPLANTEDhook".to_owned(),
        "planted-by-hand".to_owned(),
    ];
    (fleet, words)
}

fn unpack(bundle: &Path, into: &Path) -> BTreeMap<String, String> {
    fs::create_dir_all(into).unwrap();
    let unpacked = Command::new("tar")
        .arg("xzf")
        .arg(bundle)
        .arg("-C")
        .arg(into)
        .status()
        .unwrap();
    assert!(unpacked.success());
    let root = into.join("flagship-support");
    let mut files = BTreeMap::new();
    let mut open = vec![root.clone()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                files.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    files
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bundle_holds_what_helps_and_none_of_the_planted_secrets() {
    let folder = folder("support");
    let (fleet, words) = planted(&folder).await;
    let bundle = folder.join("bundle.tar.gz");
    let to = bundle.to_str().unwrap();
    let said = fleet.cli.run(&["support-bundle", "--to", to]).unwrap();
    assert_eq!(said.code, 0, "{said}");
    assert_eq!(
        fs::metadata(&bundle).unwrap().permissions().mode() & 0o777,
        0o600
    );

    let files = unpack(&bundle, &folder.join("unpacked"));
    for (name, text) in &files {
        for word in &words {
            assert!(!text.contains(word.as_str()), "{word} is in {name}");
        }
    }
    let manifest: Value = serde_json::from_str(&files["MANIFEST.json"]).unwrap();
    assert_eq!(
        manifest["missing"],
        Value::Array(Vec::new()),
        "{manifest:#}"
    );
    let listed = manifest["files"].as_array().unwrap();
    assert_eq!(listed.len() + 1, files.len());
    for part in listed {
        let text = &files[part["name"].as_str().unwrap()];
        assert_eq!(part["sha256"], Digest::of(text.as_bytes()).hex(), "{part}");
    }
    let json = |name: &str| -> Value { serde_json::from_str(&files[name]).unwrap() };
    assert_eq!(files["readyz.txt"], "ok\n");
    assert!(files["metrics.txt"].contains("flagship_hub_freezes_standing 4.0"));
    let settings = json("settings.json");
    assert_eq!(settings["leaseMs"].as_u64().unwrap() % 1000, 0);
    assert!(
        settings["data"].as_str().unwrap().ends_with("hub"),
        "{settings}"
    );
    assert_eq!(json("audit-verify.json")["intact"], true);
    assert!(files["freezes.json"].contains("the log said [masked] and then it failed"));
    assert_eq!(json("channels.json")["items"][0]["name"], "room");

    let again = fleet.cli.run(&["support-bundle", "--to", to]).unwrap();
    assert_eq!(again.code, 2, "{again}");
    assert!(again.err.contains("is there already"), "{again}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_is_away_still_leaves_a_bundle_that_says_so() {
    let folder = folder("support-away");
    let mut fleet = Fleet::start(&folder, &Members::of(&[], "")).await.unwrap();
    fleet.hub.kill();
    let bundle = folder.join("bundle.tar.gz");
    let to = bundle.to_str().unwrap();
    let said = fleet.cli.run(&["support-bundle", "--to", to]).unwrap();
    assert_eq!(said.code, 4, "{said}");
    let files = unpack(&bundle, &folder.join("unpacked"));
    let manifest: Value = serde_json::from_str(&files["MANIFEST.json"]).unwrap();
    assert!(
        manifest["missing"].as_array().unwrap().len() > 10,
        "{manifest:#}"
    );
    assert!(files["client.json"].contains(env!("CARGO_PKG_VERSION")));
}
