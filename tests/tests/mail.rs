//! Mail to a real server: STARTTLS with its certificate checked, a log-in, and what arrives.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use flagship_notify::{Channel, Message, Outcome, SecretRef, Severity, Subject, Tls, send::Sender};
use flagship_tests::process::until;

/// Where `tests/tools/smtp` put the server's library.
fn library() -> PathBuf {
    let given = std::env::var_os("FLAGSHIP_SMTP").expect(
        "FLAGSHIP_SMTP is not set: run tests/run, or FLAGSHIP_SMTP=$(tests/tools/smtp) cargo test",
    );
    given.into()
}

/// A server; its standard input keeps it alive, so it ends with the test, however that ends.
struct Server {
    process: Child,
    port: u16,
    folder: tempfile::TempDir,
}

impl Server {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]);
        let made = made.expect("a certificate");
        let write = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("a file");
            path
        };
        let certificate = write("server.pem", &made.cert.pem());
        let key = write("server.key", &made.signing_key.serialize_pem());
        write("password", "mail-s3cr3t\n");
        write("wrong", "guess\n");
        let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("tools/smtpd.py");
        let mut process = Command::new("python3")
            .arg(program)
            .args([library().as_path(), folder.path(), &certificate, &key])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("python3 starts");
        let out = process.stdout.take().expect("its output is a pipe");
        let mut line = String::new();
        BufReader::new(out).read_line(&mut line).expect("a line");
        let port = line.trim().parse().expect("the server says its port");
        Self {
            process,
            port,
            folder,
        }
    }

    fn channel(&self, password: &str) -> Channel {
        Channel::Email {
            host: "localhost".into(),
            port: Some(self.port),
            tls: Tls::Starttls,
            ca_file: Some(self.folder.path().join("server.pem")),
            username: Some("flagship".into()),
            password: Some(SecretRef::File(self.folder.path().join(password))),
            from: "Flagship <flagship@example.com>".into(),
            to: vec!["a@example.com".into(), "B <b@example.com>".into()],
        }
    }

    fn mail(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("1.eml")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

fn message() -> Message {
    Message {
        id: "history/shop/checkout-3/12".into(),
        key: "rollout/shop/checkout-3".into(),
        code: "rollout.halted".into(),
        severity: Severity::Critical,
        resolves: false,
        never_muted: false,
        at: jiff::Timestamp::UNIX_EPOCH,
        title: "shop/checkout-3: halted\r\nBcc: everybody@example.com".into(),
        text: "Fehlerrate über 1 %".into(),
        subject: Subject::default(),
        facts: Vec::new(),
        links: Vec::new(),
    }
}

#[tokio::test]
async fn a_mail_arrives_at_all_its_receivers_over_tls_with_a_log_in() {
    let server = Server::start();
    let sender = Sender::new().unwrap();
    let outcome = sender.send(&server.channel("password"), &message()).await;
    assert_eq!(outcome, Outcome::Delivered);
    let there = async || server.folder.path().join("1.eml").exists();
    until("the mail is kept", Duration::from_secs(10), there).await;
    let mail = server.mail();
    assert!(mail.contains("X-To: a@example.com,b@example.com"), "{mail}");
    assert!(
        mail.contains("Subject: Flagship: [CRITICAL] shop/checkout-3: halted"),
        "{mail}"
    );
    let mut head = mail.lines().take_while(|line| !line.is_empty());
    let is_blind = head.any(|line| line.to_lowercase().starts_with("bcc"));
    assert!(!is_blind, "a header came from a reason: {mail}");
    assert!(
        mail.contains("Message-ID: <history-shop-checkout-3-12@flagship.invalid>"),
        "{mail}"
    );
}

#[tokio::test]
async fn a_wrong_password_an_unknown_certificate_and_no_tls_send_nothing() {
    let server = Server::start();
    let sender = Sender::new().unwrap();
    let mut unknown = server.channel("password");
    let mut plain = server.channel("password");
    if let Channel::Email { ca_file, .. } = &mut unknown {
        *ca_file = None;
    }
    if let Channel::Email { tls, .. } = &mut plain {
        *tls = Tls::None;
    }
    for channel in [server.channel("wrong"), unknown, plain] {
        let outcome = sender.send(&channel, &message()).await;
        let Outcome::Failed { why, .. } = outcome else {
            panic!("it was sent by {channel:?}");
        };
        assert!(!why.contains("s3cr3t") && !why.contains("guess"), "{why}");
    }
    assert_eq!(server.mail(), "");
}
