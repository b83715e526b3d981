//! Real TLS between a real command line and a real hub: whom a certificate lets in, and what everybody else
//! is told.
#![allow(clippy::unwrap_used, reason = "a test stops at what it cannot have")]

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use flagship_hub::api::types::{AccessView, AuditEntryView, CreatedToken, List, TokenView};
use flagship_proto::tls::{CurrentCert, person_client};
use flagship_tests::{
    fleet::{Fleet, Members},
    process::{built, until},
    tls::Ca,
};
use jiff::{Timestamp, tz::TimeZone};
use rcgen::{CertificateParams, DnType, ExtendedKeyUsagePurpose};
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::TlsConnector;

/// A CA for people.
fn people() -> Ca {
    Ca::new("people of shop.example").unwrap()
}

/// A certificate and its key in a folder, good for years unless `edit` says otherwise.
fn issue(ca: &Ca, folder: &Path, file: &str, name: &str, edit: Edit) -> Person {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.not_before = rcgen::date_time_ymd(2020, 1, 1);
    params.not_after = rcgen::date_time_ymd(2090, 1, 1);
    edit(&mut params);
    let (certificate, key) = ca.issue(&params).unwrap();
    let person = Person {
        certificate: folder.join(format!("{file}.pem")),
        key: folder.join(format!("{file}.key")),
    };
    fs::write(&person.certificate, certificate).unwrap();
    fs::write(&person.key, key).unwrap();
    person
}

type Edit = fn(&mut CertificateParams);

/// Somebody with a certificate, and no token.
struct Person {
    certificate: PathBuf,
    key: PathBuf,
}

impl Person {
    /// Types a command; a login keeps its context beside the certificate.
    fn flagship(&self, words: &[&str]) -> (bool, String) {
        let own: [OsString; 4] = [
            "--client-cert".into(),
            self.certificate.clone().into(),
            "--client-key".into(),
            self.key.clone().into(),
        ];
        let is_login = words.first() == Some(&"login");
        let output = Command::new(built("flagship"))
            .env("FLAGSHIP_CONFIG", self.certificate.with_extension("yaml"))
            .env_remove("FLAGSHIP_TOKEN")
            .stdin(Stdio::null())
            .args(words)
            .args(own.iter().filter(|_| is_login))
            .output()
            .unwrap();
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8(said).unwrap();
        (output.status.success(), said)
    }

    /// Opens the stream of changes.
    async fn follows(&self, fleet: &Fleet) -> reqwest::Response {
        let read = |path: &Path| fs::read_to_string(path).unwrap();
        let own = CurrentCert::new(&read(&self.certificate), &read(&self.key)).unwrap();
        let ca = read(&fleet.hub.data.join("ca.pem"));
        let tls = person_client(Arc::new(own), &ca, &[b"h2", b"http/1.1"]).unwrap();
        let client = reqwest::Client::builder().no_proxy();
        let client = client.tls_backend_preconfigured(tls).build().unwrap();
        let events = client.get(format!("{}/api/v1/events", fleet.hub.url()));
        events.send().await.unwrap().error_for_status().unwrap()
    }

    fn log_in(&self, fleet: &Fleet) -> (bool, String) {
        let url = fleet.hub.url();
        self.flagship(&["login", &url, "--ca-hash", &fleet.hub.ca_hash])
    }
}

/// The day of a moment, and its seconds in that day.
fn day_of(moment: Timestamp) -> ((i32, u8, u8), Duration) {
    let at = moment.to_zoned(TimeZone::UTC);
    let day = (
        at.year().into(),
        at.month().unsigned_abs(),
        at.day().unsigned_abs(),
    );
    let second = at.hour() as u64 * 3600 + at.minute() as u64 * 60 + at.second() as u64;
    (day, Duration::from_secs(second))
}

fn refused((done, said): (bool, String), why: &str) {
    assert!(!done && said.contains(why), "{why}: {said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_lets_in_whom_its_name_was_granted_something_and_everybody_else_is_told_why()
{
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("people");
    let _none_yet = fs::remove_dir_all(&folder);
    let mut fleet = Fleet::start(&folder, &Members::of(&[], "")).await.unwrap();
    let (ca, other) = (people(), people());
    let file = folder.join("people-ca.pem");
    fs::write(&file, &ca.pem).unwrap();
    let trusting = [("FLAGSHIP_HUB_PEOPLE_CA", file.to_str().unwrap())];
    fleet.hub.serve_with(&trusting).await.unwrap();

    let alice = issue(&ca, &folder, "alice", "alice", |_| {});
    refused(
        alice.log_in(&fleet),
        "certificates of alice were granted nothing",
    );
    let create = [
        "token",
        "create",
        "--certificate",
        "--name",
        "alice",
        "--role",
        "responder",
    ];
    let made: CreatedToken = fleet.cli.json(&create).unwrap();
    assert!(made.token.certificate && made.secret.is_none(), "{made:?}");
    refused(
        {
            let again = fleet.cli.run(&create).unwrap();
            (again.code == 0, again.err)
        },
        "certificates of alice have a grant already",
    );
    let (done, said) = alice.log_in(&fleet);
    assert!(
        done && said.contains("as alice (responder of everything)"),
        "{said}"
    );

    let stop = ["abort", "--fleet", "--reason", "errors", "--yes"];
    let (done, said) = alice.flagship(&stop);
    assert!(done, "{said}");
    refused(
        alice.flagship(&["start", "shop/checkout", "--to-version", "2.0.0"]),
        "alice may not ship",
    );
    let log: List<AuditEntryView> = fleet.cli.json(&["audit", "list"]).unwrap();
    let entry = log
        .items
        .iter()
        .find(|entry| entry.action == "abort.create");
    let entry = entry.unwrap();
    let via = entry.via.clone().unwrap();
    assert_eq!(entry.actor, "alice");
    assert!(
        via.starts_with("certificate ") && via.contains(&made.token.id),
        "{via}"
    );
    let access: List<AccessView> = fleet
        .cli
        .json(&["access", "list", "--who", "alice"])
        .unwrap();
    let [held] = access.items.as_slice() else {
        panic!("{access:?}");
    };
    assert_eq!(held.may, ["view", "stop"]);
    assert!(held.last_used_at.is_some());

    let stranger = issue(&other, &folder, "stranger", "alice", |_| {});
    refused(stranger.log_in(&fleet), "its CA is not the one");
    let late = issue(&ca, &folder, "late", "alice", |params| {
        params.not_after = rcgen::date_time_ymd(2024, 1, 1);
    });
    refused(late.log_in(&fleet), "it ended at 2024-01-01 00:00:00Z");
    let server = issue(&ca, &folder, "server", "alice", |params| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    });
    refused(server.log_in(&fleet), "the certificate of alice is refused");
    let nobody = issue(&ca, &folder, "nobody", "", |_| {});
    refused(nobody.log_in(&fleet), "names nobody");

    let mut open = alice.follows(&fleet).await;
    let revoke = ["token", "revoke", &made.token.id, "--yes"];
    let _revoked: TokenView = fleet.cli.json(&revoke).unwrap();
    refused(
        alice.flagship(&["status"]),
        "the rights of certificates of alice were revoked",
    );
    let end = async { while let Ok(Some(_)) = open.chunk().await {} };
    timeout(Duration::from_secs(20), end)
        .await
        .expect("the stream that alice has open ends with the grant");
    fleet.cli.ok(&create).unwrap();
    refused(
        alice.flagship(&["status"]),
        "was made before the rights of alice were revoked",
    );
    // A certificate is good from a whole second on.
    let revoked = Timestamp::now();
    let passed = async || Timestamp::now().as_second() > revoked.as_second() + 1;
    until("the next second", Duration::from_secs(20), passed).await;
    let fresh = issue(&ca, &folder, "fresh", "alice", |params| {
        let ((year, month, day), rest) = day_of(Timestamp::now());
        params.not_before = rcgen::date_time_ymd(year, month, day) + rest;
    });
    let (done, said) = fresh.log_in(&fleet);
    assert!(done, "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_events_of_a_certificate_end_soon_after_it_though_nothing_happens() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("people-events");
    let _none_yet = fs::remove_dir_all(&folder);
    let mut fleet = Fleet::start(&folder, &Members::of(&[], "")).await.unwrap();
    let ca = people();
    let file = folder.join("people-ca.pem");
    fs::write(&file, &ca.pem).unwrap();
    let trusting = [("FLAGSHIP_HUB_PEOPLE_CA", file.to_str().unwrap())];
    fleet.hub.serve_with(&trusting).await.unwrap();
    let create = ["token", "create", "--certificate", "--name", "bob"];
    let create = [create.as_slice(), &["--role", "viewer"]].concat();
    let _made: CreatedToken = fleet.cli.json(&create).unwrap();
    let bob = issue(&ca, &folder, "bob", "bob", |params| {
        let ((year, month, day), rest) = day_of(Timestamp::now() + Duration::from_secs(6));
        params.not_after = rcgen::date_time_ymd(year, month, day) + rest;
    });
    let read = |path: &Path| fs::read_to_string(path).unwrap();
    let own = CurrentCert::new(&read(&bob.certificate), &read(&bob.key)).unwrap();
    let hub_ca = fleet.hub.ca_pem();
    let config = person_client(Arc::new(own), &hub_ca, &[b"http/1.1"]).unwrap();
    let socket = TcpStream::connect(fleet.hub.people()).await.unwrap();
    let name = ServerName::from(fleet.hub.people().ip());
    let connector = TlsConnector::from(Arc::new(config));
    let mut stream = connector.connect(name, socket).await.unwrap();
    let ask = "GET /api/v1/events HTTP/1.1\r\nhost: hub\r\n\r\n";
    stream.write_all(ask.as_bytes()).await.unwrap();
    let mut said = Vec::new();
    let began = Instant::now();
    let mut buffer = [0; 4096];
    // The end of a chunked answer; the connection itself may be used again.
    while !said.ends_with(b"0\r\n\r\n") {
        let reading = timeout(Duration::from_secs(30), stream.read(&mut buffer));
        match reading.await.expect("the stream ends").unwrap() {
            0 => break,
            count => said.extend_from_slice(&buffer[..count]),
        }
    }
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(said.starts_with("HTTP/1.1 200"), "{said}");
    assert!(
        began.elapsed() < Duration::from_secs(15),
        "{:?}",
        began.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_without_a_ca_for_people_takes_no_certificate_and_its_own_ca_is_none() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("people-none");
    let _none_yet = fs::remove_dir_all(&folder);
    let mut fleet = Fleet::start(&folder, &Members::of(&[], "")).await.unwrap();
    let alice = issue(&people(), &folder, "alice", "alice", |_| {});
    refused(alice.log_in(&fleet), "no token came with the request");
    let own = fleet.hub.data.join("ca.pem");
    let trusting = [("FLAGSHIP_HUB_PEOPLE_CA", own.to_str().unwrap())];
    let error = fleet.hub.serve_with(&trusting).await.unwrap_err();
    assert!(error.to_string().contains("is the hub's own CA"), "{error}");
}
