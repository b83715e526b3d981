//! A peer of the real hub that speaks by hand over real mutual TLS, and so can say what no agent would.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context as _;
use flagship_hub::api::types::CreatedEnrolToken;
use flagship_proto::{
    model::{
        AgentMessage, Hello, HubIncarnation, HubMessage, Incarnation, Inventory, LeaseRequest, Term,
    },
    sign::SignKey,
    tls::{CurrentCert, anonymous_client, link_client},
    wire::{self, enroll_response::Outcome, fleet_link_client::FleetLinkClient},
};
use hyper_util::rt::TokioIo;
use rcgen::CertificateParams;
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::{net::TcpStream, sync::mpsc};
use tokio_rustls::TlsConnector;
use tokio_stream::wrappers::ReceiverStream;
use tonic::transport::{Channel, Endpoint};

use crate::{fleet::Fleet, process::until};

/// FleetLink as a client calls it.
pub type Client = FleetLinkClient<Channel>;

/// The time within which everything on the loopback happens.
const SOON: Duration = Duration::from_secs(20);

/// A channel with this TLS, believing that the hub is `name`; `window` is how much of an answer may
/// come before it was read.
///
/// # Errors
/// The hub does not let it in; the words say why.
pub async fn dial(
    hub: SocketAddr,
    config: ClientConfig,
    name: &'static str,
    window: u32,
) -> Result<Channel, String> {
    let connector = TlsConnector::from(Arc::new(config));
    let connect = move |_: hyper::Uri| {
        let connector = connector.clone();
        async move {
            let stream = TcpStream::connect(hub).await?;
            let name = ServerName::try_from(name).map_err(std::io::Error::other)?;
            let stream = connector.connect(name, stream).await?;
            Ok::<_, std::io::Error>(TokioIo::new(stream))
        }
    };
    Endpoint::from_static("http://hub.test")
        .connect_timeout(Duration::from_secs(5))
        .initial_stream_window_size(window)
        .connect_with_connector(tower::service_fn(connect))
        .await
        .map_err(|error| format!("{error:?}"))
}

/// A member of the fleet with its key.
#[derive(Debug)]
pub struct Member {
    /// Certificate chain, PEM.
    pub chain: String,
    /// Its key.
    pub key: SignKey,
    /// What the hub issued.
    pub issued: wire::Issued,
    hub: SocketAddr,
}

impl Member {
    /// Enrols as an agent does.
    ///
    /// # Errors
    /// The hub refuses.
    pub async fn enrol(fleet: &Fleet, cluster: &str) -> anyhow::Result<Self> {
        let made: CreatedEnrolToken = fleet.cli.json(&["token", "create", "--cluster", cluster])?;
        let key = SignKey::generate()?;
        let csr = CertificateParams::default().serialize_request(key.pair())?;
        let request = wire::EnrollRequest {
            token: made.secret.context("the token has a secret")?,
            csr: csr.der().to_vec(),
            cluster: cluster.to_owned(),
        };
        let config = anonymous_client(&fleet.hub.ca_pem(), &[b"h2"])?;
        let channel = dial(fleet.hub.agents(), config, "127.0.0.1", 65_535).await;
        let mut client = Client::new(channel.map_err(anyhow::Error::msg)?);
        let answer = client.enroll(request).await?.into_inner();
        let Some(Outcome::Issued(issued)) = answer.outcome else {
            anyhow::bail!("not issued: {answer:?}");
        };
        Ok(Self {
            chain: issued.chain_pem.clone(),
            key,
            issued,
            hub: fleet.hub.agents(),
        })
    }

    /// A channel with its certificate.
    ///
    /// # Errors
    /// The hub does not let it in.
    ///
    /// # Panics
    /// What the hub issued cannot be used.
    pub async fn channel(&self, window: u32) -> Result<Channel, String> {
        let own = CurrentCert::new(&self.chain, &self.key.to_pem()).expect("it was just issued");
        let config = link_client(Arc::new(own), &self.issued.ca_pem).expect("the hub's own CA");
        dial(self.hub, config, "127.0.0.1", window).await
    }

    /// A session that has said its first word.
    ///
    /// # Errors
    /// The hub does not let it in.
    pub async fn session(&self, edit: impl FnOnce(&mut Hello)) -> Result<Session, String> {
        let mut hello = first_words();
        edit(&mut hello);
        let mut client = Client::new(self.channel(65_535).await?);
        let (say, said) = mpsc::channel(8);
        let hello = AgentMessage::Hello(Box::new(hello));
        say.send(hello.into()).await.map_err(|e| e.to_string())?;
        let answers = client.session(ReceiverStream::new(said)).await;
        let answers = answers.map_err(|status| status.to_string())?.into_inner();
        Ok(Session { say, answers })
    }

    /// The serial of its certificate.
    ///
    /// # Panics
    /// The hub issued no certificate.
    pub fn serial(&self) -> String {
        let leaf = flagship_proto::tls::certificates(&self.chain).expect("it was just issued");
        let peer = flagship_proto::identity::peer_id(&leaf[0]).expect("it names a cluster");
        peer.serial
    }
}

/// What an agent says first that holds nothing yet.
pub fn first_words() -> Hello {
    Hello {
        fleet: None,
        incarnation: Incarnation(1),
        term: Term::default(),
        hub: HubIncarnation::default(),
        held: Vec::new(),
        aborts: Vec::new(),
        inventory: Inventory::default(),
        witness: None,
    }
}

/// An open session.
#[derive(Debug)]
pub struct Session {
    /// What is said.
    pub say: mpsc::Sender<wire::AgentMessage>,
    answers: tonic::Streaming<wire::HubMessage>,
}

impl Session {
    /// The next thing that the hub says; none once it ended the session.
    ///
    /// # Panics
    /// It says nothing in time.
    pub async fn next(&mut self) -> Option<HubMessage> {
        let answer = tokio::time::timeout(SOON, self.answers.message()).await;
        let answer = answer.expect("the hub says something in time").ok()??;
        Some(answer.try_into().expect("a hub's messages can be read"))
    }

    /// Says something; whether it still could.
    pub async fn tell(&self, message: AgentMessage) -> bool {
        self.say.send(message.into()).await.is_ok()
    }

    /// The last word, once the hub has ended the session.
    ///
    /// # Panics
    /// It does not end it.
    pub async fn last_word(&mut self) -> String {
        let mut last = "ended without a word".to_owned();
        while let Some(said) = self.next().await {
            if let HubMessage::Goodbye(goodbye) = said {
                last = goodbye.message;
            }
        }
        last
    }
}

/// A healthy member's longest wait for an answer that still counts as not having noticed.
const UNNOTICED: Duration = Duration::from_secs(3);

/// A member that renews its lease all the time, and how long it ever waited.
#[derive(Debug)]
pub struct Healthy {
    grants: Arc<AtomicU64>,
    longest_ms: Arc<AtomicU64>,
    is_alive: Arc<AtomicBool>,
}

impl Healthy {
    /// Enrols it and opens its session.
    ///
    /// # Panics
    /// The hub does not let it in.
    pub async fn start(fleet: &Fleet, name: &str) -> Self {
        let member = Member::enrol(fleet, name)
            .await
            .expect("a healthy member is served");
        let mut session = member
            .session(|_| {})
            .await
            .expect("a healthy member is served");
        assert!(matches!(session.next().await, Some(HubMessage::Welcome(_))));
        let healthy = Self {
            grants: Arc::default(),
            longest_ms: Arc::default(),
            is_alive: Arc::new(AtomicBool::new(true)),
        };
        let (grants, longest) = (healthy.grants.clone(), healthy.longest_ms.clone());
        let is_alive = healthy.is_alive.clone();
        tokio::spawn(async move {
            for nonce in 0.. {
                let began = Instant::now();
                let asked = session.tell(AgentMessage::LeaseRequest(LeaseRequest {
                    nonce,
                    unsaid: false,
                }));
                if !asked.await {
                    break;
                }
                let granted = loop {
                    match session.next().await {
                        Some(HubMessage::Grant(_)) => break true,
                        Some(HubMessage::Goodbye(_)) | None => break false,
                        Some(_) => {}
                    }
                };
                if !granted {
                    break;
                }
                let took =
                    u64::try_from(began.elapsed().as_millis()).expect("a healthy member is served");
                longest.fetch_max(took, Ordering::Relaxed);
                grants.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_millis(50)).await; // its own pace
            }
            is_alive.store(false, Ordering::Relaxed);
        });
        healthy
    }

    /// It goes on, and never waited long.
    ///
    /// # Panics
    /// It noticed something.
    pub async fn noticed_nothing(&self) {
        let before = self.grants.load(Ordering::Relaxed);
        let goes_on = async || self.grants.load(Ordering::Relaxed) > before + 2;
        until("the healthy member gets its leases", SOON, goes_on).await;
        assert!(self.is_alive.load(Ordering::Relaxed));
        let longest = Duration::from_millis(self.longest_ms.load(Ordering::Relaxed));
        assert!(longest < UNNOTICED, "it waited {longest:?}");
    }
}
