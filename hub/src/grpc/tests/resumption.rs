//! No way around revocation: no session ticket is given, and an open session ends with its certificate.

use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::{
    HandshakeKind, NamedGroup,
    client::{ClientSessionMemoryCache, ClientSessionStore, Resumption},
    client::{Tls12ClientSessionValue, Tls13ClientSessionValue},
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// A client that would resume if it could, and counts the tickets that it is given.
#[derive(Debug)]
struct Eager {
    kept: ClientSessionMemoryCache,
    tickets: AtomicUsize,
}

impl ClientSessionStore for Eager {
    fn set_kx_hint(&self, name: ServerName<'static>, group: NamedGroup) {
        self.kept.set_kx_hint(name, group);
    }
    fn kx_hint(&self, name: &ServerName<'_>) -> Option<NamedGroup> {
        self.kept.kx_hint(name)
    }
    fn set_tls12_session(&self, name: ServerName<'static>, value: Tls12ClientSessionValue) {
        self.kept.set_tls12_session(name, value);
    }
    fn tls12_session(&self, name: &ServerName<'_>) -> Option<Tls12ClientSessionValue> {
        self.kept.tls12_session(name)
    }
    fn remove_tls12_session(&self, name: &ServerName<'static>) {
        self.kept.remove_tls12_session(name);
    }
    fn insert_tls13_ticket(&self, name: ServerName<'static>, value: Tls13ClientSessionValue) {
        self.tickets.fetch_add(1, Ordering::Relaxed);
        self.kept.insert_tls13_ticket(name, value);
    }
    fn take_tls13_ticket(&self, name: &ServerName<'static>) -> Option<Tls13ClientSessionValue> {
        self.kept.take_tls13_ticket(name)
    }
}

/// HTTP/2's first words, and an empty SETTINGS frame.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";

/// One connection on which the hub was heard, so that a ticket would have come before.
async fn heard(hub: &Hub, config: &Arc<ClientConfig>) -> Option<HandshakeKind> {
    let stream = TcpStream::connect(hub.address).await.unwrap();
    let connector = TlsConnector::from(config.clone());
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = connector.connect(name, stream).await.unwrap();
    stream.write_all(PREFACE).await.unwrap();
    let mut answer = [0; 9];
    let read = tokio::time::timeout(SOON, stream.read_exact(&mut answer)).await;
    read.expect("the hub answers in time").unwrap();
    stream.get_ref().1.handshake_kind()
}

#[tokio::test]
async fn trap_11_no_ticket_is_given_and_every_handshake_is_a_full_one() {
    let hub = Hub::start(Limits::AGENTS).await;
    let member = hub.enrol("eu-1").await;
    let own = Arc::new(CurrentCert::new(&member.chain, &member.key.to_pem()).unwrap());
    let mut config = link_client(own, hub.ca.pem()).unwrap();
    let eager = Arc::new(Eager {
        kept: ClientSessionMemoryCache::new(8),
        tickets: AtomicUsize::new(0),
    });
    config.resumption = Resumption::store(eager.clone());
    let config = Arc::new(config);
    for _ in 0..3 {
        let handshake = heard(&hub, &config).await;
        // The hub may ask for another key share, but never takes up an older session.
        let full = [
            Some(HandshakeKind::Full),
            Some(HandshakeKind::FullWithHelloRetryRequest),
        ];
        assert!(full.contains(&handshake), "{handshake:?}");
    }
    assert_eq!(eager.tickets.load(Ordering::Relaxed), 0, "tickets");
    hub.end().await;
}

#[tokio::test]
async fn trap_11_an_open_session_ends_when_its_certificate_is_revoked_and_no_other_opens_on_it() {
    let hub = Hub::start(Limits::AGENTS).await;
    let (member, other) = (hub.enrol("eu-1").await, hub.enrol("us-1").await);
    let mut client = hub.dial_as(&member).await.unwrap();
    let mut session = Session::open(&mut client).await.unwrap();
    assert!(matches!(session.next().await, Some(HubMessage::Welcome(_))));
    let mut client_of_other = hub.dial_as(&other).await.unwrap();
    let mut session_of_other = Session::open(&mut client_of_other).await.unwrap();
    session_of_other.next().await;

    let mut row = hub.row("eu-1").into_value();
    row.keys[0].revoked = true;
    hub.store.txn(Txn::new().put(&row)).await.unwrap();
    let last = tokio::time::timeout(Duration::from_secs(1), session.next()).await;
    assert!(matches!(last.unwrap(), Some(HubMessage::Goodbye(_))));
    assert_eq!(session.next().await, None, "the stream ends");
    // The connection is still there; a stream on it is refused all the same.
    let mut again = Session::open(&mut client).await.unwrap();
    assert!(matches!(again.next().await, Some(HubMessage::Goodbye(_))));

    let request = AgentMessage::LeaseRequest(LeaseRequest {
        nonce: 1,
        unsaid: false,
    });
    session_of_other.say.send(request.into()).await.unwrap();
    let answer = session_of_other.next().await;
    assert!(matches!(answer, Some(HubMessage::Grant(_))), "{answer:?}");
    hub.end().await;
}
