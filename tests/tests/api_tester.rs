//! The API against a tester that makes requests out of its OpenAPI document (schemathesis): no 5xx, no
//! answer outside its schema, no status that is not described, no way round authentication.
#![allow(clippy::unwrap_used, reason = "a test stops at what it cannot have")]

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
};

use flagship_tests::fleet::{Fleet, Members};

/// How long the tester may go on, in seconds.
const SECONDS: &str = "60";

/// What is looked at in every answer. That every request of the right shape is taken is not: one may
/// name what is not there, or be refused as things stand. Nor that what was deleted is gone: a token that
/// was revoked stays on record.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,\
    response_headers_conformance,response_schema_conformance,negative_data_rejection,\
    unsupported_method,allow_header_conformance,ignored_auth";

/// A head that is too large is refused before it is looked into, which is a refusal too.
const SETTINGS: &str = r#"
[checks.negative_data_rejection]
expected-statuses = [400, 401, 403, 404, 405, 408, 409, 412, 413, 415, 422, 429, 431]
"#;

/// Where `tests/tools/schemathesis` put the tester.
fn library() -> PathBuf {
    let said = std::env::var_os("FLAGSHIP_SCHEMATHESIS");
    PathBuf::from(said.expect(
        "FLAGSHIP_SCHEMATHESIS is not set: run tests/run, or FLAGSHIP_SCHEMATHESIS=$(tests/tools/schemathesis) cargo test",
    ))
}

#[tokio::test]
async fn a_tester_that_reads_the_document_finds_nothing() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("api-tester");
    let _none_yet = fs::remove_dir_all(&folder);
    let fleet = Fleet::start(&folder, &Members::of(&[], "")).await.unwrap();
    // Something to read: a standing abort, and a token that nobody has used.
    let words = ["abort", "--fleet", "--reason", "something to read", "--yes"];
    fleet.cli.ok(&words).unwrap();
    let words = ["token", "create", "--cluster", "eu-1"];
    fleet.cli.ok(&words).unwrap();
    fs::write(folder.join("schemathesis.toml"), SETTINGS).unwrap();
    let ca = fleet.hub.data.join("ca.pem");
    let url = fleet.hub.url();
    let log = folder.join("tester.log");
    let out = fs::File::create(&log).unwrap();
    let status = Command::new("python3")
        .env("PYTHONPATH", library())
        .arg(library().join("bin/schemathesis"))
        .arg("run")
        .arg(format!("{url}/api/v1/openapi.json"))
        .args(["--checks", CHECKS, "--max-time", SECONDS])
        // An endless stream: tests of its own read it.
        .args(["--exclude-path", "/api/v1/events"])
        // It would end the token with which it asks.
        .args(["--exclude-operation-id", "delete-tokens-id"])
        // The hub closes connections on which nothing was asked for a while.
        .args(["--request-retries", "3", "--request-timeout", "20"])
        .args(["--seed", "1", "--no-color"])
        .arg("--tls-verify")
        .arg(ca)
        .arg("--header")
        .arg(format!("Authorization: Bearer {}", fleet.hub.admin_token))
        .current_dir(&folder)
        .stdin(Stdio::null())
        .stdout(out.try_clone().unwrap())
        .stderr(out)
        .status()
        .unwrap();
    let said = fs::read_to_string(&log).unwrap();
    assert!(status.success(), "{said}");
    let standing = fleet.cli.run(&["status"]).unwrap();
    assert_eq!(standing.code, 0, "the hub still serves: {standing}");
}
