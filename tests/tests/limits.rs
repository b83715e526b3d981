//! A real hub against floods, bombs, and clients that are slow or silent: each is refused or cut in time,
//! costs bounded memory, and keeps nobody else out.
#![allow(clippy::unwrap_used, reason = "a test stops at what it cannot have")]

use std::{fs, net::SocketAddr, path::PathBuf, time::Duration};

use flagship_hub::api::{
    costs::{READERS_OF_ONE, WRONG_TOKENS},
    turns::LARGE_OF_ONE,
    types::{AuditEntryView, List},
};
use flagship_tests::{
    fleet::{Fleet, Members},
    process::until,
    raw::{Raw, Reply, head, read_reply},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::Instant,
};

struct Hub {
    fleet: Fleet,
    raw: Raw,
    token: String,
}

impl Hub {
    async fn start(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _none_yet = fs::remove_dir_all(&folder);
        let fleet = Fleet::start(&folder, &Members::of(&[], "")).await.unwrap();
        Self {
            raw: Raw::new(fleet.hub.people(), &fleet.hub.ca_pem()),
            token: fleet.hub.admin_token.clone(),
            fleet,
        }
    }

    /// What its memory grew by in KiB while something was done to it.
    async fn growth(&self, act: impl AsyncFnOnce()) -> u64 {
        let rss = || self.fleet.hub.process().memory().unwrap().rss_kib;
        let before = rss();
        act().await;
        rss().saturating_sub(before)
    }

    async fn apply(&self, plan: &[u8]) -> Reply {
        let head = head(
            "POST",
            "/api/v1/plans",
            &self.token,
            "application/yaml",
            plan.len(),
        );
        self.raw.send(&head, &[plan]).await.unwrap()
    }

    async fn abort(&self, body: &[u8]) -> Reply {
        let head = head(
            "POST",
            "/api/v1/aborts",
            &self.token,
            "application/json",
            body.len(),
        );
        self.raw.send(&head, &[body]).await.unwrap()
    }

    async fn status(&self, token: &str) -> Reply {
        let head = head("GET", "/api/v1/status", token, "", 0);
        self.raw.send(&head, &[]).await.unwrap()
    }

    async fn audited(&self, action: &str) -> Vec<AuditEntryView> {
        let list = ["audit", "list", "--limit", "1000"];
        let list: List<AuditEntryView> = self.fleet.cli.json(&list).unwrap();
        let items = list.items.into_iter();
        items.filter(|entry| entry.action == action).collect()
    }
}

/// How long until the hub closes it.
async fn closed_after(mut stream: impl tokio::io::AsyncRead + Unpin) -> Duration {
    let began = Instant::now();
    let reply = read_reply(&mut stream).await;
    assert_eq!(reply.status, 0, "{}", reply.text);
    began.elapsed()
}

async fn silent(address: SocketAddr) -> Duration {
    closed_after(TcpStream::connect(address).await.unwrap()).await
}

/// Sends some bytes, then one a second.
async fn drip(raw: &Raw, first: &str) -> (Duration, Reply) {
    let stream = raw.dial(b"http/1.1").await.unwrap();
    let (mut answers, mut asks) = tokio::io::split(stream);
    let began = Instant::now();
    asks.write_all(first.as_bytes()).await.unwrap();
    let dripping = tokio::spawn(async move {
        while asks.write_all(b"x").await.is_ok() && asks.flush().await.is_ok() {
            tokio::time::sleep(Duration::from_secs(1)).await; // as slowly as can be
        }
    });
    let reply = read_reply(&mut answers).await;
    dripping.abort();
    (began.elapsed(), reply)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_slow_or_silent_is_cut_in_time_and_keeps_nobody_out() {
    let hub = Hub::start("slow").await;
    let body = head(
        "POST",
        "/api/v1/aborts",
        &hub.token,
        "application/json",
        900,
    );
    let plan = head(
        "POST",
        "/api/v1/plans",
        &hub.token,
        "application/yaml",
        900_000,
    );
    let plans = async {
        let many = (0..2 * LARGE_OF_ONE).map(|_| drip(&hub.raw, &plan));
        futures::future::join_all(many).await
    };
    let answers = async {
        for _ in 0..8 {
            assert_eq!(hub.status(&hub.token).await.status, 200);
            tokio::time::sleep(Duration::from_secs(1)).await; // over the time of the slow ones
        }
    };
    let crowd = async {
        let many = (0..100).map(|_| drip(&hub.raw, "GET /api/v1/status HTTP/1.1\r\nx-a: "));
        futures::future::join_all(many).await
    };
    let (no_handshake, no_agent, no_request, no_http2, heads, body, plans, ()) = tokio::join!(
        silent(hub.fleet.hub.people()),
        silent(hub.fleet.hub.agents()),
        async { closed_after(hub.raw.dial(b"http/1.1").await.unwrap()).await },
        async { closed_after(hub.raw.dial(b"h2").await.unwrap()).await },
        crowd,
        drip(&hub.raw, &body),
        plans,
        answers,
    );
    let seconds = |from: u64, to: u64| Duration::from_secs(from)..Duration::from_secs(to);
    for (what, took) in [("people", no_handshake), ("agents", no_agent)] {
        assert!(seconds(8, 20).contains(&took), "{what}: {took:?}");
    }
    for (what, took) in [("HTTP/1", no_request), ("HTTP/2", no_http2)] {
        assert!(seconds(13, 30).contains(&took), "{what}: {took:?}");
    }
    for (took, reply) in heads {
        assert!(took < Duration::from_secs(40), "a head: {took:?}");
        assert!([0, 408].contains(&reply.status), "{}", reply.text);
    }
    assert!(seconds(25, 50).contains(&body.0), "a body: {:?}", body.0);
    assert_eq!(body.1.status, 408, "{}", body.1.text);
    assert!(body.1.text.contains("body.slow"), "{}", body.1.text);
    for (took, reply) in &plans {
        // A wait for a place is part of a body's time.
        assert!(seconds(25, 50).contains(took), "a plan: {took:?}");
        assert!([408, 503].contains(&reply.status), "{}", reply.text);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn floods_of_headers_and_large_bodies_are_refused_and_cost_bounded_memory() {
    let hub = Hub::start("floods").await;
    let token = &hub.token;
    let hundred = 100 << 20;
    let block = vec![b'{'; 1 << 20];
    let blocks: Vec<&[u8]> = vec![&block; 100];
    let growth = hub
        .growth(async || {
            for path in ["/api/v1/plans", "/api/v1/aborts", "/api/v1/tokens"] {
                let said = head("POST", path, token, "application/json", hundred);
                let chunked = said.replace(
                    &format!("content-length: {hundred}"),
                    "transfer-encoding: chunked",
                );
                let chunk = format!("{:x}\r\n", hundred);
                let uploads = (0..8).map(|n| {
                    let (head, blocks) = if n % 2 == 0 {
                        (said.clone(), blocks.clone())
                    } else {
                        (format!("{chunked}{chunk}"), blocks.clone())
                    };
                    let raw = &hub.raw;
                    async move { raw.send(&head, &blocks).await.unwrap() }
                });
                for reply in futures::future::join_all(uploads).await {
                    assert_eq!(reply.status, 413, "{path}: {}", reply.text);
                    assert!(reply.text.contains("body.tooLarge"), "{}", reply.text);
                }
            }
            let many = "x-a: b\r\n".repeat(5_000);
            let long = format!("x-a: {}\r\n", "b".repeat(8 << 20));
            let path = format!("/api/v1/plans?cursor={}", "c".repeat(1 << 20));
            for (what, head, status) in [
                (
                    "many",
                    format!("GET /api/v1/status HTTP/1.1\r\n{many}\r\n"),
                    431,
                ),
                (
                    "long",
                    format!("GET /api/v1/status HTTP/1.1\r\n{long}\r\n"),
                    431,
                ),
                ("path", format!("GET {path} HTTP/1.1\r\n\r\n"), 414),
                ("none", "\u{1}\u{2}\u{3} nonsense\r\n\r\n".to_owned(), 400),
            ] {
                let reply = hub.raw.send(&head, &[]).await.unwrap();
                assert!(
                    [status, 431].contains(&reply.status),
                    "{what}: {}",
                    reply.text
                );
            }
        })
        .await;
    assert!(growth < 64 * 1024, "{growth} KiB more");
    assert_eq!(hub.status(token).await.status, 200);
}

/// Text of which a short piece makes a large tree.
fn aliases() -> String {
    let mut text = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for n in 1..30 {
        let before = format!("*a{}", n - 1);
        let list = vec![before; 9].join(",");
        text.push_str(&format!("a{n}: &a{n} [{list}]\n"));
    }
    text
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bombs_and_what_is_no_text_are_refused_with_a_reason_and_cost_bounded_memory() {
    let hub = Hub::start("bombs").await;
    let deep = |open: &str, n: usize| open.repeat(n);
    let plans: Vec<(&str, Vec<u8>)> = vec![
        ("aliases", aliases().into()),
        ("a loop", b"a: &a [*a]\n".to_vec()),
        ("lists", deep("[", 500_000).into()),
        ("maps", deep("{a: ", 200_000).into()),
        (
            "indents",
            (0..500)
                .map(|n| format!("{}a:\n", " ".repeat(n)))
                .collect::<String>()
                .into(),
        ),
        ("documents", "---\n".repeat(200_000).into()),
        ("a number", format!("a: {}\n", "9".repeat(900_000)).into()),
        ("no UTF-8", b"apiVersion: \xff\xfe\n".to_vec()),
        ("a null", b"apiVersion: \0\n".to_vec()),
        ("nothing", b"".to_vec()),
    ];
    let bodies: Vec<(&str, Vec<u8>)> = vec![
        ("lists", deep("[", 60_000).into()),
        ("maps", deep("{\"scope\":", 6_000).into()),
        (
            "a number",
            format!("{{\"scope\": 1e{}}}", "9".repeat(60_000)).into(),
        ),
        (
            "a long number",
            format!("{{\"mode\": {}}}", "9".repeat(60_000)).into(),
        ),
        ("no UTF-8", b"{\"scope\": \"\xff\xfe\"}".to_vec()),
        ("half a surrogate", b"{\"scope\": \"\\ud800\"}".to_vec()),
        (
            "a key twice",
            b"{\"mode\":\"return\",\"mode\":\"hold\"}".to_vec(),
        ),
        ("nothing", b"null".to_vec()),
    ];
    let growth = hub
        .growth(async || {
            for (what, plan) in &plans {
                let reply = hub.apply(plan).await;
                let is_refused = [400, 422].contains(&reply.status);
                assert!(is_refused, "plan, {what}: {}", reply.text);
                assert!(
                    reply.text.contains("\"detail\":\""),
                    "{what}: {}",
                    reply.text
                );
                assert!(reply.text.len() < 4_096, "{what}: a long answer");
            }
            for (what, body) in &bodies {
                let reply = hub.abort(body).await;
                let is_refused = [400, 422].contains(&reply.status);
                assert!(is_refused, "body, {what}: {}", reply.text);
                assert!(
                    reply.text.contains("\"detail\":\""),
                    "{what}: {}",
                    reply.text
                );
                assert!(reply.text.len() < 4_096, "{what}: a long answer");
            }
        })
        .await;
    assert!(growth < 48 * 1024, "{growth} KiB more");
    assert_eq!(hub.status(&hub.token).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_tokens_are_slowed_and_written_down_a_few_times_and_a_right_one_always_passes() {
    let hub = Hub::start("guesses").await;
    let mut statuses = Vec::new();
    for n in 0..WRONG_TOKENS.burst + 30 {
        let guess = hub.status(&format!("flagship_ab{n}_guess")).await;
        statuses.push(guess.status);
        if guess.status == 429 {
            assert!(guess.text.contains("retry-after: 60"), "{}", guess.text);
        }
    }
    let burst = WRONG_TOKENS.burst as usize;
    assert!(statuses[..burst].iter().all(|status| *status == 401));
    assert_eq!(statuses.last(), Some(&429));
    assert_eq!(hub.status(&hub.token).await.status, 200);
    let written = hub.audited("token.refuse").await;
    assert!((1..=20).contains(&written.len()), "{}", written.len());
    assert!(!format!("{written:?}").contains("guess"), "{written:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn event_streams_of_one_token_are_bounded_and_a_closed_one_makes_room() {
    let hub = Hub::start("readers").await;
    let follow = async || {
        let mut stream = hub.raw.dial(b"http/1.1").await.unwrap();
        let head = head("GET", "/api/v1/events", &hub.token, "", 0);
        stream.write_all(head.as_bytes()).await.unwrap();
        let mut first = [0; 15];
        stream.read_exact(&mut first).await.unwrap();
        let status = String::from_utf8_lossy(&first[9..12]).into_owned();
        (status, stream)
    };
    let mut readers = Vec::new();
    for _ in 0..READERS_OF_ONE {
        let (status, stream) = follow().await;
        assert_eq!(status, "200");
        readers.push(stream);
    }
    assert_eq!(follow().await.0, "429");
    readers.pop();
    let has_room = async || follow().await.0 == "200";
    until("there is room again", Duration::from_secs(10), has_room).await;
}
