//! The baseline of the link: a bare tonic server of bidirectional streams over mutual TLS, and its
//! clients. One message goes to each stream and is answered; nothing is decided or stored. It is
//! measured a second time with the signatures of an abort: the client verifies one and makes one, the
//! server verifies one.

use std::{
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use flagship_agent::link::identity::IdentityFolder;
use flagship_hub::ca::Ca;
use flagship_proto::{
    model::{Ack, AgentMessage, HubMessage, Incarnation, LeaseRequest},
    process::Clock,
    sign::{Kind, SignKey, verify_public},
    tls::{CurrentCert, link_client, link_server},
    wire::{
        self,
        fleet_link_client::FleetLinkClient,
        fleet_link_server::{FleetLink, FleetLinkServer},
    },
};
use futures::Stream;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use serde::{Deserialize, Serialize};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tokio_stream::{StreamExt as _, wrappers::ReceiverStream};
use tonic::{
    Request, Response, Status, Streaming,
    transport::{Endpoint, Server},
};

use super::{child, members};
use crate::tls::accept;

/// One side of it.
#[derive(Debug, Clone, clap::Args)]
pub struct Side {
    /// The server: the hub's data folder. The clients: the agents' folders, the first of which lends
    /// its certificate.
    #[arg(long)]
    data: PathBuf,
    /// Streams.
    #[arg(long)]
    count: usize,
    /// The clients: where the server listens.
    #[arg(long, default_value = "")]
    server: String,
}

/// What the server says first.
#[derive(Debug, Serialize, Deserialize)]
pub struct Listening {
    /// Where.
    pub address: String,
}

/// What the server answers: how many streams are open and, if it was told to `go`, how long one
/// message to each and an answer from each took.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Echoed {
    /// Open streams.
    pub streams: usize,
    /// Milliseconds.
    pub millis: f64,
}

/// Asks for an answer without signatures, and for one with them.
const PLAIN: u64 = 1;
const SIGNED: u64 = 2;

/// As long as an ordinary receipt.
const BODY: [u8; 400] = [b'x'; 400];

/// A signature to verify and a key to sign with.
#[derive(Debug)]
struct Signing {
    key: SignKey,
    public: Vec<u8>,
    signature: Vec<u8>,
}

impl Signing {
    fn new() -> anyhow::Result<Self> {
        let key = SignKey::generate()?;
        Ok(Self {
            public: key.public(),
            signature: key.sign_bytes(Kind::Receipt, &BODY)?,
            key,
        })
    }

    fn verify(&self) {
        verify_public(&self.public, Kind::Receipt, &BODY, &self.signature)
            .expect("the signature is its own");
    }

    fn sign(&self) {
        let signed = self.key.sign_bytes(Kind::Receipt, &BODY);
        std::hint::black_box(signed.expect("the key has signed before"));
    }
}

type Out = mpsc::Sender<Result<wire::HubMessage, Status>>;

#[derive(Debug, Clone)]
struct Echo {
    streams: Arc<Mutex<Vec<Out>>>,
    answered: mpsc::UnboundedSender<()>,
    signing: Arc<Signing>,
}

pub(super) async fn serve(side: Side) -> anyhow::Result<()> {
    let ca = Ca::open(&side.data)?;
    let made = ca.server(&["localhost".into()], &[], Clock::new().now().wall)?;
    let own = Arc::new(CurrentCert::new(&made.chain_pem, &made.key_pem)?);
    let acceptor = TlsAcceptor::from(Arc::new(link_server(own, ca.pem())?));
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?.to_string();
    let (ready, connections) = mpsc::channel(64);
    tokio::spawn(accept(listener, acceptor, ready));
    let (answered, mut answers) = mpsc::unbounded_channel();
    let echo = Echo {
        streams: Arc::default(),
        answered,
        signing: Arc::new(Signing::new()?),
    };
    let service = FleetLinkServer::new(echo.clone());
    let serving = Server::builder()
        .add_service(service)
        .serve_with_incoming(ReceiverStream::new(connections));
    tokio::spawn(serving);
    println!("{}", serde_json::to_string(&Listening { address })?);
    let answers = &mut answers;
    let answers = tokio::sync::Mutex::new(answers);
    child::answer(async |question| {
        let streams = echo.open();
        let mut millis = 0.0;
        let wanted = match question {
            "go" => Some(PLAIN),
            "go signed" => Some(SIGNED),
            _ => None,
        };
        if let Some(seq) = wanted {
            let mut answers = answers.lock().await;
            let began = Instant::now();
            for stream in &streams {
                let message = HubMessage::Ack(Ack {
                    incarnation: Incarnation(1),
                    seq,
                });
                let _gone = stream.send(Ok(message.into())).await;
            }
            for _ in &streams {
                answers.recv().await;
            }
            millis = began.elapsed().as_secs_f64() * 1000.0;
        }
        Echoed {
            streams: streams.len(),
            millis,
        }
    })
    .await
}

impl Echo {
    fn open(&self) -> Vec<Out> {
        let streams = self.streams.lock();
        streams.unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[tonic::async_trait]
impl FleetLink for Echo {
    type SessionStream = Pin<Box<dyn Stream<Item = Result<wire::HubMessage, Status>> + Send>>;

    async fn session(
        &self,
        request: Request<Streaming<wire::AgentMessage>>,
    ) -> Result<Response<Self::SessionStream>, Status> {
        let (out, outgoing) = mpsc::channel(4);
        let streams = self.streams.lock();
        streams.unwrap_or_else(PoisonError::into_inner).push(out);
        let (mut incoming, answered) = (request.into_inner(), self.answered.clone());
        let signing = Arc::clone(&self.signing);
        tokio::spawn(async move {
            while let Some(Ok(message)) = incoming.next().await {
                if let Ok(AgentMessage::LeaseRequest(LeaseRequest { nonce: SIGNED, .. })) =
                    AgentMessage::try_from(message)
                {
                    signing.verify();
                }
                let _ended = answered.send(());
            }
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(outgoing))))
    }

    async fn enroll(
        &self,
        _: Request<wire::EnrollRequest>,
    ) -> Result<Response<wire::EnrollResponse>, Status> {
        Err(Status::unimplemented("only streams are served"))
    }

    async fn reenroll(
        &self,
        _: Request<wire::ReenrollRequest>,
    ) -> Result<Response<wire::EnrollResponse>, Status> {
        Err(Status::unimplemented("only streams are served"))
    }

    async fn renew(
        &self,
        _: Request<wire::RenewRequest>,
    ) -> Result<Response<wire::EnrollResponse>, Status> {
        Err(Status::unimplemented("only streams are served"))
    }
}

pub(super) async fn clients(side: Side) -> anyhow::Result<()> {
    let lent = IdentityFolder::new(&side.data.join(members::name(0)));
    let identity = lent.load()?.context("the first agent is not enrolled")?;
    let config = link_client(Arc::new(identity.certified()?), &identity.ca_pem)?;
    let connector = TlsConnector::from(Arc::new(config));
    let signing = Arc::new(Signing::new()?);
    for _ in 0..side.count {
        let signing = Arc::clone(&signing);
        tokio::spawn(client(connector.clone(), side.server.clone(), signing));
    }
    child::answer(async |_| side.count).await
}

/// One stream that answers whatever comes; it dials until it is connected.
async fn client(
    connector: TlsConnector,
    server: String,
    signing: Arc<Signing>,
) -> anyhow::Result<()> {
    let dial = move |_: http::Uri| {
        let (connector, server) = (connector.clone(), server.clone());
        async move {
            let stream = TcpStream::connect(server).await?;
            stream.set_nodelay(true)?;
            let name = ServerName::try_from("localhost").map_err(std::io::Error::other)?;
            Ok::<_, std::io::Error>(TokioIo::new(connector.connect(name, stream).await?))
        }
    };
    let endpoint = Endpoint::from_static("http://hub.flagship");
    let channel = loop {
        let dialled = endpoint.connect_with_connector(tower::service_fn(dial.clone()));
        match dialled.await {
            Ok(channel) => break channel,
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    };
    let (out, outgoing) = mpsc::channel(2);
    let mut client = FleetLinkClient::new(channel);
    let mut incoming = client
        .session(ReceiverStream::new(outgoing))
        .await?
        .into_inner();
    while let Some(message) = incoming.message().await? {
        let nonce = match HubMessage::try_from(message) {
            Ok(HubMessage::Ack(Ack { seq: SIGNED, .. })) => {
                signing.verify();
                signing.sign();
                SIGNED
            }
            Ok(_) | Err(_) => PLAIN,
        };
        let answer = AgentMessage::LeaseRequest(LeaseRequest {
            nonce,
            unsaid: false,
        });
        out.send(answer.into()).await?;
    }
    Ok(())
}

/// What a bare server costs with so many streams.
#[derive(Debug, Clone, Copy)]
pub struct Bare {
    /// From the start of the clients until all streams are open, in seconds.
    pub open: f64,
    /// One message to each and an answer from each, the best of all rounds, in milliseconds.
    pub echo: f64,
    /// The same with the signatures of an abort and its receipt.
    pub signed: f64,
    /// Growth of the server's memory by stream, in KiB.
    pub kib: f64,
}

/// Measures it, with the hub's CA and the agents' certificates.
///
/// # Errors
/// A side cannot be started, or not all streams open.
pub async fn measure(
    folder: &Path,
    data: &Path,
    agents: &Path,
    count: usize,
    rounds: u32,
) -> anyhow::Result<Bare> {
    let number = count.to_string();
    let (data, agents) = (data.to_string_lossy(), agents.to_string_lossy());
    let arguments = ["--data", &data, "--count", &number];
    let mut server = child::Child::start("echo-server", folder, &arguments)?;
    let Listening { address } = server.answer().await?;
    let empty = super::machine::rss_kib(server.pid())?;
    let began = Instant::now();
    let arguments = ["--data", &agents, "--count", &number, "--server", &address];
    let _clients = child::Child::start("echo-clients", folder, &arguments)?;
    let all = |echoed: &Echoed| echoed.streams == count;
    server.until("", Duration::from_secs(120), all).await?;
    let open = began.elapsed().as_secs_f64();
    let (mut echo, mut signed) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..rounds {
        for (question, best) in [("go", &mut echo), ("go signed", &mut signed)] {
            let echoed: Echoed = server.ask(question).await?;
            *best = best.min(echoed.millis);
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
    }
    let full = super::machine::rss_kib(server.pid())?;
    #[expect(clippy::cast_precision_loss, reason = "a count of streams")]
    let kib = (full - empty) / count as f64;
    Ok(Bare {
        open,
        echo,
        signed,
        kib,
    })
}
