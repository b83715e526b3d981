//! Real mutual TLS against a real hub: who gets in, and who is refused before a word is exchanged.
#![allow(clippy::unwrap_used, reason = "a test stops at what it cannot have")]

use std::{collections::BTreeMap, fs, path::PathBuf, sync::Arc, time::Duration};

use flagship_proto::{
    model::{AgentMessage, Hello, HubIncarnation, Incarnation, Inventory, Term},
    tls::{CurrentCert, anonymous_client, link_client},
    wire::{self, hub_message::Message as FromHub},
};
use flagship_tests::{
    fleet::{Fleet, Members},
    peer::{self, Client, Member},
};
use rcgen::{
    BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, SanType,
};
use rustls::ClientConfig;

/// A hub without clusters, and its CA.
struct Hub {
    fleet: Fleet,
    ca_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

/// What a forged certificate says.
struct Forged<'a> {
    spiffe: &'a str,
    /// The years between which it is good.
    good: (i32, i32),
}

impl Hub {
    async fn start(name: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let _none_yet = fs::remove_dir_all(&folder);
        let fleet = Fleet::start(&folder, &Members::of(&[], "")).await.unwrap();
        let read = |file: &str| fs::read_to_string(fleet.hub.data.join(file)).unwrap();
        let ca_pem = read("ca.pem");
        let key = KeyPair::from_pem(&read("ca.key.pem")).unwrap();
        let issuer = Issuer::from_ca_cert_pem(&ca_pem, key).unwrap();
        Self {
            fleet,
            ca_pem,
            issuer,
        }
    }

    /// Connects with a certificate, believing that the hub is `name`.
    async fn dial(&self, chain: &str, key: &str, name: &'static str) -> Result<Client, String> {
        let own = Arc::new(CurrentCert::new(chain, key).unwrap());
        let config = link_client(own, &self.ca_pem).unwrap();
        let channel = peer::dial(self.fleet.hub.agents(), config, name, 65_535).await;
        channel.map(Client::new)
    }

    /// Connects without one.
    async fn dial_anonymously(&self) -> Result<Client, String> {
        let config = anonymous_client(&self.ca_pem, &[b"h2"]).unwrap();
        let channel = peer::dial(self.fleet.hub.agents(), config, "127.0.0.1", 65_535).await;
        channel.map(Client::new)
    }

    /// A certificate that the hub's own CA signed, though the hub never asked for it.
    fn forge(&self, forged: &Forged<'_>) -> (String, String) {
        certificate(forged, &self.issuer)
    }
}

fn certificate(forged: &Forged<'_>, issuer: &Issuer<'_, KeyPair>) -> (String, String) {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![SanType::URI(forged.spiffe.try_into().unwrap())];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.not_before = rcgen::date_time_ymd(forged.good.0, 1, 1);
    params.not_after = rcgen::date_time_ymd(forged.good.1, 1, 1);
    let key = KeyPair::generate().unwrap();
    let made = params.signed_by(&key, issuer).unwrap();
    (made.pem(), key.serialize_pem())
}

/// What a session's first answer is: `welcome`, or why there is none.
async fn session(client: Result<Client, String>) -> String {
    let mut client = match client {
        Ok(client) => client,
        Err(error) => return error,
    };
    let hello = AgentMessage::Hello(Box::new(Hello {
        fleet: None,
        incarnation: Incarnation(1),
        term: Term::default(),
        hub: HubIncarnation::default(),
        held: Vec::new(),
        aborts: Vec::new(),
        inventory: Inventory::default(),
        witness: None,
    }));
    let (say, said) = tokio::sync::mpsc::channel(4);
    say.send(wire::AgentMessage::from(hello)).await.unwrap();
    let stream = tokio_stream::wrappers::ReceiverStream::new(said);
    let opened = tokio::time::timeout(Duration::from_secs(10), async {
        let mut answers = client.session(stream).await?.into_inner();
        answers.message().await
    });
    match opened.await {
        Err(_) => "no answer".to_owned(),
        Ok(Err(status)) => format!("refused: {status:?}"),
        Ok(Ok(None)) => "closed".to_owned(),
        Ok(Ok(Some(answer))) => match answer.message {
            Some(FromHub::Welcome(_)) => "welcome".to_owned(),
            other => format!("refused: {other:?}"),
        },
    }
}

const SOON: (i32, i32) = (2020, 2090);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_enrolled_agent_is_welcome_and_nobody_else_gets_a_session() {
    let hub = Hub::start("mtls").await;
    let member = Member::enrol(&hub.fleet, "eu-1").await.unwrap();
    let (chain, key, issued) = (member.chain, member.key.to_pem(), member.issued);
    let welcome = session(hub.dial(&chain, &key, "127.0.0.1").await).await;
    assert_eq!(welcome, "welcome");
    let member = format!(
        "spiffe://{}/cluster/{}/{}",
        issued.trust_domain, issued.cluster, issued.uid
    );

    let mut refused = BTreeMap::new();
    refused.insert(
        "no certificate",
        session(hub.dial_anonymously().await).await,
    );

    let foreign_key = KeyPair::generate().unwrap();
    let mut foreign = CertificateParams::default();
    foreign.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let foreign = Issuer::new(foreign, foreign_key);
    let (chain_of_other, key_of_other) = certificate(
        &Forged {
            spiffe: &member,
            good: SOON,
        },
        &foreign,
    );
    let other_ca = hub.dial(&chain_of_other, &key_of_other, "127.0.0.1").await;
    refused.insert("another CA", session(other_ca).await);

    let expired = (2020, 2021);
    for (what, spiffe, good) in [
        ("expired", member.as_str(), expired),
        (
            "a cluster that never enrolled",
            "spiffe://TD/cluster/us-9/0123456789abcdef",
            SOON,
        ),
        (
            "another cluster's name with this uid",
            "spiffe://TD/cluster/us-1/UID",
            SOON,
        ),
        (
            "another fleet",
            "spiffe://elsewhere.test/cluster/eu-1/UID",
            SOON,
        ),
        ("no cluster's name", "spiffe://TD/hub", SOON),
    ] {
        let spiffe = spiffe
            .replace("TD", &issued.trust_domain)
            .replace("UID", &issued.uid);
        let (chain, key) = hub.forge(&Forged {
            spiffe: &spiffe,
            good,
        });
        refused.insert(
            what,
            session(hub.dial(&chain, &key, "127.0.0.1").await).await,
        );
    }
    for (what, answer) in &refused {
        assert_ne!(answer, "welcome", "{what}");
        assert_ne!(answer, "no answer", "{what}");
    }
    // The hub's word about a certificate comes after the client's own handshake is over, and is lost
    // where the client writes before it reads; asked again, it is heard.
    let (chain, key) = hub.forge(&Forged {
        spiffe: &member,
        good: expired,
    });
    let mut words = refused["expired"].clone();
    for _ in 0..50 {
        if words.to_lowercase().contains("expired") {
            break;
        }
        words = session(hub.dial(&chain, &key, "127.0.0.1").await).await;
        assert_ne!(words, "welcome");
    }
    assert!(words.to_lowercase().contains("expired"), "{words}");

    let imposter = hub.dial(&chain, &key, "hub.example.com").await;
    let words = imposter.map(|_| ()).unwrap_err();
    assert!(
        words.contains("NotValidForName"),
        "an agent refuses a hub of another name: {words}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_tls_1_2_client_is_refused_by_the_port_for_agents() {
    let hub = Hub::start("tls12").await;
    let mut config = ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS12])
        .with_root_certificates(flagship_proto::tls::roots(&hub.ca_pem).unwrap())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let refused = peer::dial(hub.fleet.hub.agents(), config, "127.0.0.1", 65_535).await;
    let words = refused.unwrap_err();
    assert!(words.contains("ProtocolVersion"), "{words}");
    hub.dial_anonymously().await.unwrap();
}
