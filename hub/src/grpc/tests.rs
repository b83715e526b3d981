//! Real mutual TLS on the loopback: who gets a session, what it is told, and what a peer may cost.

mod costs;
mod resumption;

use std::{collections::BTreeMap, net::SocketAddr};

use flagship_proto::{
    digest::Digest,
    model::{
        AgentMessage, EnrolToken, GoodbyeCode, Hello, HubIncarnation, HubMessage, Incarnation,
        Inventory, Labels, LeaseRequest, Term,
    },
    process::Clock,
    sign::SignKey,
    tls::{anonymous_client, link_client},
    wire::{self, enroll_response::Outcome, fleet_link_client::FleetLinkClient},
};
use hyper_util::rt::TokioIo;
use rcgen::{CertificateParams, Issuer, KeyPair, SanType};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

use super::*;
use crate::{
    ca::Ca,
    fleet::{Config, Fleet},
    records::{ClusterRow, ClusterState, EnrolTokenRow, Stored, key},
    store::{Store, Txn},
};

type Client = FleetLinkClient<Channel>;

/// The time within which everything on the loopback happens.
const SOON: Duration = Duration::from_secs(10);

struct Hub {
    address: SocketAddr,
    ca: Arc<Ca>,
    folder: tempfile::TempDir,
    store: Store,
    fleet: FleetHandle,
    stop: CancellationToken,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Hub {
    async fn start(limits: Limits) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::new();
        let ca = Arc::new(Ca::create(folder.path(), "fleet-1", clock.now().wall).unwrap());
        let store = Store::memory();
        let term = Term {
            epoch: 1,
            counter: 1,
        };
        let config = Config::new(
            "fleet-1".parse().unwrap(),
            "shop.example",
            term,
            HubIncarnation("hub-a".into()),
        );
        let fleet = Fleet::new(config, Arc::new(SignKey::generate().unwrap()));
        let (fleet, running) = FleetHandle::new(fleet, store.clone(), clock).unwrap();
        let stop = CancellationToken::new();
        let made = ca
            .server(&["localhost".into()], &[], clock.now().wall)
            .unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let agents = Agents {
            listener,
            certificate: Arc::new(CurrentCert::new(&made.chain_pem, &made.key_pem).unwrap()),
            enrol: Arc::new(Enrol::new(
                store.clone(),
                ca.clone(),
                "fleet-1".parse().unwrap(),
                "shop.example",
            )),
            fleet: fleet.clone(),
            limits,
        };
        let (serving, keeping) = (
            serve(agents, stop.clone()),
            fleet.clone().run(running, stop.clone()),
        );
        let tasks = vec![
            tokio::spawn(async move { serving.await.unwrap() }),
            tokio::spawn(async move { keeping.await.unwrap() }),
        ];
        Self {
            address,
            ca,
            folder,
            store,
            fleet,
            stop,
            tasks,
        }
    }

    async fn dial(&self, config: ClientConfig, name: &'static str) -> Result<Client, String> {
        let (address, connector) = (self.address, TlsConnector::from(Arc::new(config)));
        let connect = move |_: http::Uri| {
            let connector = connector.clone();
            async move {
                let stream = TcpStream::connect(address).await?;
                let name = ServerName::try_from(name).unwrap();
                Ok::<_, std::io::Error>(TokioIo::new(connector.connect(name, stream).await?))
            }
        };
        let endpoint = Endpoint::from_static("http://hub.test").connect_timeout(SOON);
        let channel = endpoint
            .connect_with_connector(tower::service_fn(connect))
            .await;
        channel
            .map(FleetLinkClient::new)
            .map_err(|error| format!("{error:?}"))
    }

    async fn dial_as(&self, member: &Member) -> Result<Client, String> {
        let own = Arc::new(CurrentCert::new(&member.chain, &member.key.to_pem()).unwrap());
        let config = link_client(own, self.ca.pem()).unwrap();
        self.dial(config, "localhost").await
    }

    async fn stranger(&self) -> Client {
        let config = anonymous_client(self.ca.pem(), &[b"h2"]).unwrap();
        self.dial(config, "localhost").await.unwrap()
    }

    async fn token(&self, cluster: &str) -> String {
        let now = self.fleet.now().wall;
        let secret = "0123456789abcdef0123".to_owned();
        let id = format!("t-{cluster}").parse().unwrap();
        let token = EnrolToken::new(id, secret, self.ca.hash()).unwrap();
        let row = EnrolTokenRow {
            id: token.id.clone(),
            secret: Digest::of(b"0123456789abcdef0123"),
            pattern: cluster.into(),
            labels: Labels::new(),
            uses: 1,
            used: vec![],
            approve: false,
            created: now,
            created_by: "olga".into(),
            expires: now.saturating_add(Duration::from_secs(60)).unwrap(),
            revoked: false,
        };
        self.store.txn(Txn::new().put(&row)).await.unwrap();
        token.to_string()
    }

    async fn enrol(&self, cluster: &str) -> Member {
        let key = SignKey::generate().unwrap();
        let request = wire::EnrollRequest {
            token: self.token(cluster).await,
            csr: csr(&key),
            cluster: cluster.into(),
        };
        let answer = self.stranger().await.enroll(request).await.unwrap();
        Member {
            chain: issued(answer.into_inner()).chain_pem,
            key,
        }
    }

    fn row(&self, cluster: &str) -> Stored<ClusterRow> {
        self.store
            .read(&key::cluster(&cluster.parse().unwrap()))
            .unwrap()
            .unwrap()
    }

    async fn end(self) {
        self.stop.cancel();
        for task in self.tasks {
            tokio::time::timeout(SOON, task).await.unwrap().unwrap();
        }
    }
}

struct Member {
    chain: String,
    key: SignKey,
}

fn csr(key: &SignKey) -> Vec<u8> {
    let params = CertificateParams::default();
    params.serialize_request(key.pair()).unwrap().der().to_vec()
}

fn issued(answer: wire::EnrollResponse) -> wire::Issued {
    match answer.outcome {
        Some(Outcome::Issued(issued)) => issued,
        other => panic!("{other:?}"),
    }
}

struct Session {
    say: tokio::sync::mpsc::Sender<wire::AgentMessage>,
    answers: tonic::Streaming<wire::HubMessage>,
}

impl Session {
    async fn open(client: &mut Client) -> Result<Self, tonic::Status> {
        let (say, said) = tokio::sync::mpsc::channel(8);
        let hello = AgentMessage::Hello(Box::new(Hello {
            fleet: None,
            incarnation: Incarnation(1),
            term: Term::default(),
            hub: HubIncarnation::default(),
            held: vec![],
            aborts: vec![],
            inventory: Inventory::default(),
            witness: None,
        }));
        say.send(hello.into()).await.unwrap();
        let answers = client
            .session(ReceiverStream::new(said))
            .await?
            .into_inner();
        Ok(Self { say, answers })
    }

    async fn next(&mut self) -> Option<HubMessage> {
        let answer = tokio::time::timeout(SOON, self.answers.message()).await;
        answer
            .expect("an answer in time")
            .ok()?
            .map(|m| m.try_into().unwrap())
    }
}

#[tokio::test]
async fn an_enrolled_agent_is_welcome_gets_a_lease_and_is_gone_within_a_second_of_its_removal() {
    let hub = Hub::start(Limits::AGENTS).await;
    let member = hub.enrol("eu-1").await;
    let mut client = hub.dial_as(&member).await.unwrap();
    let mut session = Session::open(&mut client).await.unwrap();
    assert!(matches!(session.next().await, Some(HubMessage::Welcome(_))));
    let request = AgentMessage::LeaseRequest(LeaseRequest {
        nonce: 9,
        unsaid: false,
    });
    session.say.send(request.into()).await.unwrap();
    let Some(HubMessage::Grant(granted)) = session.next().await else {
        panic!("no grant");
    };
    assert_eq!(granted.grant.nonce, 9);
    assert!(
        granted.grant.length > Duration::from_secs(20),
        "{granted:?}"
    );

    let mut row = hub.row("eu-1").into_value();
    assert!(hub.fleet.presence(&row.uid).connected);
    row.state = ClusterState::Removed {
        at: hub.fleet.now().wall,
        left: Vec::new(),
    };
    hub.store.txn(Txn::new().put(&row)).await.unwrap();
    let removed = tokio::time::timeout(Duration::from_secs(1), session.next())
        .await
        .unwrap();
    assert!(
        matches!(removed, Some(HubMessage::Goodbye(last)) if last.code == GoodbyeCode::Removed)
    );
    assert_eq!(session.next().await, None, "the stream ends");
    let mut again = Session::open(&mut client).await.unwrap();
    assert!(
        matches!(again.next().await, Some(HubMessage::Goodbye(last)) if last.code == GoodbyeCode::Removed)
    );
    hub.end().await;
}

#[tokio::test]
async fn p01_no_certificate_another_ca_another_name_or_an_expired_one_gets_no_session() {
    let hub = Hub::start(Limits::AGENTS).await;
    let member = hub.enrol("eu-1").await;
    hub.enrol("us-1").await;
    let uid = hub.row("eu-1").uid.clone();
    let ours = || {
        let read = |file: &str| std::fs::read_to_string(hub.folder.path().join(file)).unwrap();
        let key = KeyPair::from_pem(&read("ca.key.pem")).unwrap();
        Issuer::from_ca_cert_pem(&read("ca.pem"), key).unwrap()
    };
    let theirs = || Issuer::new(CertificateParams::default(), KeyPair::generate().unwrap());
    let own = format!("spiffe://shop.example/cluster/eu-1/{uid}");
    let borrowed = format!("spiffe://shop.example/cluster/us-1/{uid}");
    let cases: BTreeMap<&str, (Issuer<'static, KeyPair>, &str, i32)> = [
        ("another CA", (theirs(), own.as_str(), 2090)),
        ("expired", (ours(), own.as_str(), 2021)),
        ("another cluster's name", (ours(), borrowed.as_str(), 2090)),
        ("an unknown serial", (ours(), own.as_str(), 2090)),
        ("no cluster", (ours(), "spiffe://shop.example/hub", 2090)),
    ]
    .into();
    for (what, (issuer, spiffe, until)) in cases {
        let key = SignKey::generate().unwrap();
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![SanType::URI(spiffe.try_into().unwrap())];
        params.not_before = rcgen::date_time_ymd(2020, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        let chain = params.signed_by(key.pair(), &issuer).unwrap().pem();
        let forged = Member { chain, key };
        let answer = match hub.dial_as(&forged).await {
            Ok(mut client) => match Session::open(&mut client).await {
                Ok(mut session) => session.next().await,
                Err(_) => None,
            },
            Err(_) => None,
        };
        assert!(
            matches!(answer, None | Some(HubMessage::Goodbye(_))),
            "{what}: {answer:?}"
        );
    }
    let refused = Session::open(&mut hub.stranger().await)
        .await
        .err()
        .unwrap();
    assert_eq!(refused.code(), tonic::Code::Unauthenticated);

    let own = Arc::new(CurrentCert::new(&member.chain, &member.key.to_pem()).unwrap());
    let config = link_client(own, hub.ca.pem()).unwrap();
    let wrong_name = hub.dial(config, "hub.example").await.unwrap_err();
    assert!(wrong_name.contains("NotValidForName"), "{wrong_name}");
    hub.end().await;
}

#[tokio::test]
async fn a_member_renews_over_its_own_connection_and_the_new_certificate_is_good_at_once() {
    let hub = Hub::start(Limits::AGENTS).await;
    let member = hub.enrol("eu-1").await;
    let key = SignKey::from_pem(&member.key.to_pem()).unwrap();
    let mut client = hub.dial_as(&member).await.unwrap();
    let request = wire::RenewRequest { csr: csr(&key) };
    let answer = client.renew(request).await.unwrap().into_inner();
    let next = Member {
        chain: issued(answer).chain_pem,
        key,
    };
    for renewed in [&next, &member] {
        let mut client = hub.dial_as(renewed).await.unwrap();
        let mut session = Session::open(&mut client).await.unwrap();
        assert!(matches!(session.next().await, Some(HubMessage::Welcome(_))));
    }
    hub.end().await;
}
