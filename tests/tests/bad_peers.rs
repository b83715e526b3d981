//! Members of the fleet gone bad, against the real hub over real mutual TLS: the session ends, it is written
//! down once, and a healthy member beside them misses nothing.
#![allow(clippy::unwrap_used, reason = "a test stops at what it cannot have")]

use std::{fs, path::PathBuf, time::Duration};

use flagship_hub::api::types::{AbortView, AuditEntryView, ClusterView, List};
use flagship_proto::{
    model::{
        AgentMessage, Fence, HeldWorkload, HubMessage, Incarnation, LeaseRequest, Position,
        Receipt, ReceiptState, SignedReceipt, Term, Weight, WorkloadReceipt,
    },
    wire,
};
use flagship_tests::{
    fleet::{Fleet, Members},
    peer::{Healthy, Member, first_words},
    process::until,
};
use prost::Message as _;
use tonic::{
    Request, Status,
    client::Grpc,
    codec::{BufferSettings, Codec, DecodeBuf, Decoder, EncodeBuf, Encoder},
};

/// Longer than a hub waits for one who takes nothing.
const SOON: Duration = Duration::from_secs(45);
async fn start(name: &str) -> Fleet {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _none_yet = fs::remove_dir_all(&folder);
    Fleet::start(&folder, &Members::of(&[], "")).await.unwrap()
}

fn offences(fleet: &Fleet) -> Vec<AuditEntryView> {
    let list = ["audit", "list", "--limit", "1000"];
    let list: List<AuditEntryView> = fleet.cli.json(&list).unwrap();
    let items = list.items.into_iter();
    items
        .filter(|entry| entry.action == "agent.offence")
        .collect()
}

/// Waits until an offence of a cluster is written down, and that it is so once.
async fn written_once(fleet: &Fleet, cluster: &str, words: &str) {
    let object = format!("cluster {cluster}");
    let of = || {
        let all = offences(fleet).into_iter();
        let of: Vec<_> = all.filter(|entry| entry.object == object).collect();
        of
    };
    let is_written = async || !of().is_empty();
    until(
        &format!("{words} of {cluster} is written down"),
        SOON,
        is_written,
    )
    .await;
    let of = of();
    assert_eq!(of.len(), 1, "{of:?}");
    assert!(of[0].reason.contains(words), "{of:?}");
}

/// Bytes as they are: what is sent need not be a message.
#[derive(Default)]
struct Plain;

impl Codec for Plain {
    type Encode = Vec<u8>;
    type Decode = Vec<u8>;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Plain {
    type Item = Vec<u8>;
    type Error = Status;

    fn encode(&mut self, item: Vec<u8>, to: &mut EncodeBuf<'_>) -> Result<(), Status> {
        bytes::BufMut::put_slice(to, &item);
        Ok(())
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

impl Decoder for Plain {
    type Item = Vec<u8>;
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<Vec<u8>>, Status> {
        let all = bytes::Buf::remaining(from);
        Ok(Some(bytes::Buf::copy_to_bytes(from, all).to_vec()))
    }

    fn buffer_settings(&self) -> BufferSettings {
        BufferSettings::default()
    }
}

/// A session on which anything is sent; `window` is how much of an answer may come unread.
async fn send_plain(
    member: &Member,
    window: u32,
    messages: Vec<Vec<u8>>,
) -> tonic::Streaming<Vec<u8>> {
    let mut grpc = Grpc::new(member.channel(window).await.unwrap());
    grpc.ready().await.unwrap();
    let endless =
        futures::StreamExt::chain(futures::stream::iter(messages), futures::stream::pending());
    let path = "/flagship.link.v1.FleetLink/Session".parse().unwrap();
    let opened = grpc.streaming(Request::new(endless), path, Plain).await;
    opened.unwrap().into_inner()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn garbage_ends_its_session_and_is_written_down_once() {
    let fleet = start("garbage").await;
    let healthy = Healthy::start(&fleet, "good").await;

    let garbler = Member::enrol(&fleet, "garbler").await.unwrap();
    for _ in 0..10 {
        let mut answers = send_plain(
            &garbler,
            65_535,
            vec![b"\x0a\xff\xff\xff\x7f no message".to_vec()],
        )
        .await;
        let ended = async {
            let mut said = Vec::new();
            while let Ok(Some(more)) = answers.message().await {
                said.extend(more);
            }
            String::from_utf8_lossy(&said).into_owned()
        };
        let said = tokio::time::timeout(SOON, ended).await.unwrap();
        assert!(said.contains("failed to decode"), "{said:?}");
    }
    written_once(&fleet, "garbler", "what is no message").await;

    healthy.noticed_nothing().await;
    fleet.cli.ok(&["audit", "verify"]).unwrap();
}

fn receipt(member: &Member, abort: &str, seq: u64) -> Receipt {
    Receipt {
        abort: abort.parse().unwrap(),
        cluster: member.issued.cluster.parse().unwrap(),
        uid: member.issued.uid.parse().unwrap(),
        incarnation: Incarnation(1),
        seq,
        at: jiff::Timestamp::now(),
        durable: true,
        workloads: vec![WorkloadReceipt {
            workload: "shop/Deployment/checkout".parse().unwrap(),
            fence: Fence::default(),
            state: ReceiptState::Returned,
            read_back: Some(Weight::ZERO),
            proxies: 1,
            digest: None,
        }],
    }
}

fn abort(fleet: &Fleet) -> AbortView {
    fleet.cli.newest_abort().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_and_borrowed_receipts_end_their_sessions_and_a_replayed_one_changes_nothing() {
    let fleet = start("receipts").await;
    let honest = Member::enrol(&fleet, "honest").await.unwrap();
    let forger = Member::enrol(&fleet, "forger").await.unwrap();
    let mut session = honest.session(|_| {}).await.unwrap();
    fleet
        .cli
        .ok(&["abort", "--fleet", "--reason", "a test"])
        .unwrap();
    let id = loop {
        match session.next().await {
            Some(HubMessage::Abort(abort)) => break abort.value.id.to_string(),
            Some(_) => {}
            None => panic!("no abort came"),
        }
    };

    let sign = |member: &Member, receipt: Receipt, serial: &str| {
        Box::new(member.key.sign_receipt(receipt, serial).unwrap())
    };
    let (own, theirs) = (forger.serial(), honest.serial());
    let other_key = sign(&honest, receipt(&forger, &id, 1), &own);
    let other_serial = sign(&forger, receipt(&forger, &id, 1), &theirs);
    let other_name = sign(&forger, receipt(&honest, &id, 1), &own);
    let stolen = sign(&honest, receipt(&honest, &id, 1), &theirs);
    let altered = {
        let mut signed = sign(&forger, receipt(&forger, &id, 1), &own);
        let mut body = String::from_utf8(signed.body.clone()).unwrap();
        body = body.replace("\"seq\":1", "\"seq\":2");
        signed.body = body.into_bytes();
        Box::new(SignedReceipt { ..*signed })
    };
    for forged in [other_key, other_serial, other_name, stolen, altered] {
        let mut session = forger.session(|_| {}).await.unwrap();
        assert!(session.tell(AgentMessage::Receipt(forged)).await);
        let last = session.last_word().await;
        assert!(last.contains("receipt"), "{last}");
    }
    written_once(&fleet, "forger", "a receipt that is not what it says").await;
    let returned = |fleet: &Fleet| abort(fleet).totals.returned;
    assert_eq!(returned(&fleet), 0);

    let good = sign(&honest, receipt(&honest, &id, 5), &theirs);
    assert!(session.tell(AgentMessage::Receipt(good.clone())).await);
    let path = ["get", "abort", &id, "--receipts"];
    let is_there =
        async || returned(&fleet) == 1 || fleet.cli.run(&path).unwrap().out.contains("honest");
    until("the receipt counts", SOON, is_there).await;
    let seq = || {
        let list: List<ClusterView> = fleet.cli.json(&["get", "clusters"]).unwrap();
        list.seq
    };
    let before = seq();
    for _ in 0..50 {
        assert!(session.tell(AgentMessage::Receipt(good.clone())).await);
        let older = sign(&honest, receipt(&honest, &id, 4), &theirs);
        assert!(session.tell(AgentMessage::Receipt(older)).await);
    }
    let lease = LeaseRequest {
        nonce: 9,
        unsaid: false,
    };
    assert!(session.tell(AgentMessage::LeaseRequest(lease)).await);
    loop {
        match session.next().await {
            Some(HubMessage::Grant(_)) => break,
            Some(_) => {}
            None => panic!("the session ended"),
        }
    }
    assert_eq!(seq(), before, "a replay wrote something");
    assert_eq!(offences(&fleet).len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p22_a_claim_that_nothing_proves_stops_that_cluster_alone() {
    let fleet = start("claims").await;
    let healthy = Healthy::start(&fleet, "good").await;
    let liar = Member::enrol(&fleet, "liar").await.unwrap();
    for _ in 0..2 {
        let mut session = liar
            .session(|hello| {
                hello.held = vec![HeldWorkload {
                    workload: "shop/Deployment/checkout".parse().unwrap(),
                    fence: Fence {
                        term: Term {
                            epoch: 9,
                            counter: 9,
                        },
                        revision: Position { epoch: 9, seq: 9 },
                    },
                    proof: None,
                }];
            })
            .await
            .unwrap();
        assert!(session.next().await.is_some());
    }
    written_once(&fleet, "liar", "claims what nothing proves").await;
    let list: List<ClusterView> = fleet.cli.json(&["get", "clusters"]).unwrap();
    let state = |name: &str| {
        let found = list.items.iter().find(|c| c.name == name);
        format!("{} {}", found.unwrap().state, found.unwrap().text)
    };
    assert!(state("liar").contains("uarantine"), "{}", state("liar"));
    assert!(!state("good").contains("uarantine"), "{}", state("good"));
    healthy.noticed_nothing().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_never_reads_is_cut_and_written_down() {
    let mut fleet = start("deaf").await;
    let shorter = [("FLAGSHIP_HUB_LEASE_SECONDS", "5")];
    fleet.hub.serve_with(&shorter).await.unwrap();
    let healthy = Healthy::start(&fleet, "good").await;
    let deaf = Member::enrol(&fleet, "deaf").await.unwrap();
    let hello: wire::AgentMessage = AgentMessage::Hello(Box::new(first_words())).into();
    // It lets 200 bytes come before it reads, and never does: the welcome, and a part of what is next.
    let _unread = send_plain(&deaf, 200, vec![hello.encode_to_vec()]).await;
    let is_connected = async |wanted: bool| {
        let list: List<ClusterView> = fleet.cli.json(&["get", "clusters"]).unwrap();
        let mut items = list.items.iter();
        items.any(|cluster| cluster.name == "deaf" && cluster.connected == wanted)
    };
    until("the deaf member is connected", SOON, async || {
        is_connected(true).await
    })
    .await;
    let words = ["abort", "--fleet", "--reason", "a test"];
    fleet.cli.ok(&words).unwrap();
    written_once(&fleet, "deaf", "it said nothing").await;
    until("the deaf member is cut", SOON, async || {
        is_connected(false).await
    })
    .await;
    healthy.noticed_nothing().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_ends_its_session_and_is_written_down_once() {
    let fleet = start("flood").await;
    let healthy = Healthy::start(&fleet, "good").await;
    let flooder = Member::enrol(&fleet, "flooder").await.unwrap();
    let mut session = flooder.session(|_| {}).await.unwrap();
    let say = session.say.clone();
    let flood = tokio::spawn(async move {
        let ask = |nonce| {
            AgentMessage::LeaseRequest(LeaseRequest {
                nonce,
                unsaid: false,
            })
        };
        for nonce in 0..1_000_000 {
            if say.send(ask(nonce).into()).await.is_err() {
                return true;
            }
        }
        false
    });
    session.last_word().await;
    drop(session);
    let is_ended = tokio::time::timeout(SOON, flood).await.unwrap().unwrap();
    assert!(is_ended, "a million messages were taken");
    written_once(&fleet, "flooder", "it said too much").await;
    healthy.noticed_nothing().await;
}
