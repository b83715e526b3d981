//! Sending against a recording server on loopback.

use std::{
    io::{Read as _, Write as _},
    net::TcpListener,
    thread,
};

use super::*;
use crate::{SecretRef, format::tests::message};

/// Answers one request with `answer`; gives what it got.
fn server(answer: &'static str) -> (String, thread::JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/hooks/s3cr3t", listener.local_addr().unwrap());
    let got = thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut got = Vec::new();
        let mut buffer = [0; 4096];
        loop {
            let n = stream.read(&mut buffer).unwrap();
            got.extend_from_slice(&buffer[..n]);
            let text = String::from_utf8_lossy(&got);
            let length = text.lines().find_map(|line| {
                line.to_ascii_lowercase()
                    .strip_prefix("content-length: ")?
                    .parse::<usize>()
                    .ok()
            });
            if let (Some(length), Some(head)) = (length, text.find("\r\n\r\n"))
                && got.len() >= head + 4 + length
            {
                break;
            }
        }
        stream.write_all(answer.as_bytes()).unwrap();
        String::from_utf8(got).unwrap()
    });
    (url, got)
}

async fn send(url: &str) -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("url");
    std::fs::write(&path, url).unwrap();
    let channel = Channel::Slack {
        url: SecretRef::File(path),
        room: None,
    };
    Sender::new().unwrap().send(&channel, &message()).await
}

#[tokio::test]
async fn a_taken_message_is_delivered() {
    let (url, got) = server("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    assert_eq!(send(&url).await, Outcome::Delivered);
    let got = got.join().unwrap();
    assert!(got.starts_with("POST /hooks/s3cr3t HTTP/1.1\r\n"), "{got}");
    assert!(got.contains("content-type: application/json"), "{got}");
}

#[tokio::test]
async fn a_busy_channel_says_how_long_it_wants_to_be_left_alone() {
    let (url, _got) = server(
        "HTTP/1.1 429 Too Many Requests\r\nretry-after: 30\r\ncontent-length: 12\r\n\r\nrate_limited",
    );
    assert_eq!(
        send(&url).await,
        Outcome::Failed {
            why: "the channel answered 429 Too Many Requests: rate_limited".into(),
            wait: Some(Duration::from_secs(30)),
        }
    );
}

#[tokio::test]
async fn a_redirect_is_no_delivery_and_no_error_shows_the_address() {
    let (url, _got) =
        server("HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n");
    let Outcome::Failed { why, .. } = send(&url).await else {
        panic!("a redirect was taken for a delivery");
    };
    assert!(why.contains("302"), "{why}");
    let Outcome::Failed { why, .. } = send("http://127.0.0.1:1/hooks/s3cr3t").await else {
        panic!("nobody listens there");
    };
    assert!(!why.contains("s3cr3t"), "{why}");
}

#[tokio::test]
async fn a_channel_that_answers_with_what_it_was_sent_tells_no_key() {
    let (url, got) = server(
        "HTTP/1.1 400 Bad Request\r\ncontent-length: 53\r\n\r\nno hook at /hooks/token-4711-abc: gone\x1b[2J since today",
    );
    let Outcome::Failed { why, .. } = send(&url.replace("s3cr3t", "token-4711-abc")).await else {
        panic!("it was refused");
    };
    got.join().unwrap();
    assert!(why.contains("no hook at") && why.contains("gone"), "{why}");
    assert!(
        !why.contains("token-4711") && !why.contains('\x1b'),
        "{why}"
    );
}
