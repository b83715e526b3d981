//! Limits on a real listener: who is let in while others crowd, keep silent, or take nothing.

use std::{net::SocketAddr, sync::Arc};

use flagship_proto::tls::{CurrentCert, anonymous_client, api_server, link_client, link_server};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, SanType};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    sync::mpsc::{Receiver, channel},
};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::*;

const SOON: Duration = Duration::from_secs(10);

struct Door {
    address: SocketAddr,
    ca: CertifiedIssuer<'static, KeyPair>,
    let_in: Receiver<io::Result<Connection>>,
    stop: CancellationToken,
}

impl Drop for Door {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

impl Door {
    async fn open(limits: Limits) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let own = CertificateParams::new(["localhost".to_owned()]).unwrap();
        let own = own.signed_by(&key, &ca).unwrap();
        let own = Arc::new(CurrentCert::new(&own.pem(), &key.serialize_pem()).unwrap());
        let tls = match limits.strangers {
            Some(_) => link_server(own, &ca.pem()).unwrap(),
            None => api_server(own, None).unwrap(),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (ready, let_in) = channel(64);
        let stop = CancellationToken::new();
        tokio::spawn(run(listener, tls, limits, ready, stop.clone()));
        Self {
            address,
            ca,
            let_in,
            stop,
        }
    }

    async fn dial(&self, config: ClientConfig) -> io::Result<TlsStream<TcpStream>> {
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
    }

    async fn stranger(&self) -> io::Result<TlsStream<TcpStream>> {
        self.dial(anonymous_client(&self.ca.pem(), &[b"h2"]).unwrap())
            .await
    }

    async fn member(&self, name: &str) -> io::Result<TlsStream<TcpStream>> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        let spiffe = format!("spiffe://shop.example/cluster/{name}/{name}-uid");
        params.subject_alt_names = vec![SanType::URI(spiffe.as_str().try_into().unwrap())];
        let made = params.signed_by(&key, &self.ca).unwrap();
        let own = Arc::new(CurrentCert::new(&made.pem(), &key.serialize_pem()).unwrap());
        self.dial(link_client(own, &self.ca.pem()).unwrap()).await
    }

    async fn next(&mut self) -> Option<Connection> {
        let next = tokio::time::timeout(Duration::from_millis(500), self.let_in.recv()).await;
        next.ok()?.map(Result::unwrap)
    }
}

/// Waits until the other side has closed it.
async fn is_closed(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> bool {
    let mut byte = [0; 1];
    let read = tokio::time::timeout(SOON, stream.read(&mut byte)).await;
    matches!(read, Ok(Ok(0) | Err(_)))
}

#[tokio::test]
async fn a_full_house_refuses_and_has_room_again_when_somebody_leaves() {
    let mut door = Door::open(Limits {
        connections: 2,
        ..Limits::PEOPLE
    })
    .await;
    let first = door.stranger().await.unwrap();
    let held = [door.next().await.unwrap(), {
        let _second = door.stranger().await.unwrap();
        door.next().await.unwrap()
    }];
    for connection in &held {
        connection.peer().guest.is_known_now();
    }
    let mut third = TcpStream::connect(door.address).await.unwrap();
    assert!(is_closed(&mut third).await);
    drop((first, held));
    door.stranger().await.unwrap();
    assert!(door.next().await.is_some());
}

#[tokio::test]
async fn a_full_house_of_strangers_makes_room_for_who_comes_and_keeps_who_is_known() {
    let mut door = Door::open(Limits {
        connections: 3,
        ..Limits::PEOPLE
    })
    .await;
    let mut known = door.stranger().await.unwrap();
    let kept = door.next().await.unwrap();
    kept.peer().guest.is_known_now();
    let mut silent = TcpStream::connect(door.address).await.unwrap();
    let mut stranger = door.stranger().await.unwrap();
    let mut sent_off = door.next().await.unwrap();
    // Its place is free once it is gone, as where it is served.
    tokio::spawn(async move { is_closed(&mut sent_off).await });
    let mut crowd = Vec::new();
    let next = door.stranger().await.unwrap();
    crowd.push((next, door.next().await.expect("there is room")));
    assert!(is_closed(&mut silent).await, "the oldest");
    let next = door.stranger().await.unwrap();
    crowd.push((next, door.next().await.expect("there is room")));
    assert!(is_closed(&mut stranger).await, "the oldest now");
    assert!(!kept.peer().guest.cut.is_cancelled());
    let mut byte = [0; 1];
    let open = tokio::time::timeout(Duration::from_millis(200), known.read(&mut byte)).await;
    assert!(open.is_err(), "who is known was cut");
}

#[tokio::test]
async fn strangers_of_an_address_that_many_share_make_room_there_too() {
    let mut door = Door::open(Limits {
        per_address: 2,
        ..Limits::PEOPLE
    })
    .await;
    let _known = door.stranger().await.unwrap();
    let kept = door.next().await.unwrap();
    kept.peer().guest.is_known_now();
    let mut silent = TcpStream::connect(door.address).await.unwrap();
    let _next = door.stranger().await.unwrap();
    let came = door.next().await.expect("there is room");
    assert!(is_closed(&mut silent).await, "the oldest stranger");
    assert!(!kept.peer().guest.cut.is_cancelled());
    came.peer().guest.is_known_now();
    let mut third = TcpStream::connect(door.address).await.unwrap();
    assert!(is_closed(&mut third).await, "all are known");
}

#[tokio::test]
async fn a_crowd_from_one_address_is_refused_and_members_of_that_address_are_not() {
    let mut door = Door::open(Limits {
        per_address: 3,
        per_member: 2,
        ..Limits::AGENTS
    })
    .await;
    let mut crowd = Vec::new();
    for _ in 0..2 {
        crowd.push(TcpStream::connect(door.address).await.unwrap());
    }
    let mut held = Vec::new();
    for name in ["eu-1", "eu-2", "eu-3", "eu-1"] {
        let stream = door.member(name).await.unwrap();
        held.push((stream, door.next().await.unwrap()));
    }
    let mut greedy = door.member("eu-1").await.unwrap();
    assert!(
        is_closed(&mut greedy).await,
        "a third one of the same cluster"
    );
    assert!(door.next().await.is_none());
    crowd.push(TcpStream::connect(door.address).await.unwrap());
    let mut fourth = TcpStream::connect(door.address).await.unwrap();
    assert!(is_closed(&mut fourth).await);
}

#[tokio::test]
async fn strangers_have_few_places_and_do_not_stay() {
    let mut door = Door::open(Limits {
        strangers: Some(Strangers {
            at_once: 2,
            per_address: 1,
            stay: Duration::from_millis(300),
        }),
        ..Limits::AGENTS
    })
    .await;
    let _first = door.stranger().await.unwrap();
    let mut connection = door.next().await.unwrap();
    let mut second = door.stranger().await.unwrap();
    assert!(is_closed(&mut second).await);
    assert!(door.member("eu-1").await.is_ok());
    assert!(is_closed(&mut connection).await, "its time is over");
    assert!(connection.peer().guest.cut.is_cancelled());
}

/// Begins as a client does, and leaves it there once the hub has answered.
async fn begun_and_left(address: SocketAddr, ca: &str) -> TcpStream {
    let config = anonymous_client(ca, &[b"h2"]).unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let mut client = rustls::ClientConnection::new(Arc::new(config), name).unwrap();
    let mut hello = Vec::new();
    client.write_tls(&mut hello).unwrap();
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(&hello).await.unwrap();
    stream.readable().await.unwrap();
    stream
}

#[tokio::test]
async fn trap_36_whoever_is_silent_or_leaves_a_handshake_keeps_nobody_waiting_and_is_cut_in_time() {
    let limits = Limits {
        handshakes: 2,
        handshakes_per_address: 2,
        turn: Duration::from_millis(50),
        handshake: Duration::from_secs(4),
        ..Limits::PEOPLE
    };
    let mut door = Door::open(limits).await;
    let began = std::time::Instant::now();
    let mut crowd = Vec::new();
    for _ in 0..6 {
        crowd.push(TcpStream::connect(door.address).await.unwrap());
        crowd.push(begun_and_left(door.address, &door.ca.pem()).await);
    }
    let _other = door.stranger().await.unwrap();
    assert!(door.next().await.is_some());
    assert!(began.elapsed() < limits.handshake / 2, "it waited");
    for mut one in crowd {
        // What the hub answered comes before the end.
        let mut rest = Vec::new();
        let end = tokio::time::timeout(SOON, one.read_to_end(&mut rest)).await;
        end.expect("it is cut").ok();
    }
}

#[tokio::test]
async fn who_takes_nothing_of_what_is_sent_is_cut() {
    let mut door = Door::open(Limits {
        stall: Duration::from_millis(300),
        ..Limits::PEOPLE
    })
    .await;
    let _deaf = door.stranger().await.unwrap();
    let mut connection = door.next().await.unwrap();
    let block = vec![7; 1 << 20];
    let sent = tokio::time::timeout(SOON, async {
        loop {
            if let Err(error) = connection.write_all(&block).await {
                return error;
            }
        }
    });
    assert_eq!(sent.await.unwrap().kind(), io::ErrorKind::TimedOut);
}

#[tokio::test]
async fn who_reads_slowly_but_reads_is_not_cut() {
    let mut door = Door::open(Limits {
        stall: Duration::from_secs(1),
        ..Limits::PEOPLE
    })
    .await;
    let mut slow = door.stranger().await.unwrap();
    let mut connection = door.next().await.unwrap();
    let sending = tokio::spawn(async move {
        connection.write_all(&vec![7; 32 << 20]).await?;
        connection.flush().await?;
        Ok::<_, io::Error>(connection)
    });
    let mut buffer = vec![0; 1 << 20];
    for _ in 0..32 {
        tokio::time::sleep(Duration::from_millis(100)).await; // it is slow
        slow.read_exact(&mut buffer).await.unwrap();
    }
    sending.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_tls_1_2_client_is_refused_on_the_port_for_agents() {
    let door = Door::open(Limits::AGENTS).await;
    let mut config = ClientConfig::builder_with_protocol_versions(&[&rustls::version::TLS12])
        .with_root_certificates(flagship_proto::tls::roots(&door.ca.pem()).unwrap())
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let refused = door.dial(config).await.unwrap_err().to_string();
    assert!(refused.contains("ProtocolVersion"), "{refused}");
    door.stranger().await.unwrap();
}
