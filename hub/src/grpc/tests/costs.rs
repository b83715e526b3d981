//! What a peer may cost: large messages, silence, slow handshakes, and a hub that stops.

use super::*;

#[tokio::test]
async fn trap_37_a_message_that_is_too_large_or_none_at_all_ends_the_session() {
    let hub = Hub::start(Limits::default()).await;
    let member = hub.enrol("eu-1").await;
    let mut client = hub.dial_as(&member).await.unwrap();
    let mut session = Session::open(&mut client).await.unwrap();
    session.next().await;
    let nothing = wire::AgentMessage { message: None };
    session.say.send(nothing).await.unwrap();
    let last = session.next().await;
    assert!(
        matches!(last, Some(HubMessage::Goodbye(last)) if last.code == GoodbyeCode::BadMessage)
    );

    let mut session = Session::open(&mut client).await.unwrap();
    session.next().await;
    let receipt = wire::SignedReceipt {
        body: vec![0; LARGEST_MESSAGE],
        ..Default::default()
    };
    let large = wire::AgentMessage {
        message: Some(wire::agent_message::Message::Receipt(receipt)),
    };
    session.say.send(large).await.unwrap();
    assert_eq!(session.next().await, None);
    hub.end().await;
}

#[tokio::test]
async fn trap_36_who_does_not_finish_the_handshake_is_cut_and_holds_nobody_up() {
    let limits = Limits {
        handshake: Duration::from_millis(300),
        ..Limits::default()
    };
    let hub = Hub::start(limits).await;
    let silent = TcpStream::connect(hub.address).await.unwrap();
    hub.enrol("eu-1").await;
    let mut buffer = [0; 1];
    let read = async {
        silent.readable().await.unwrap();
        silent.try_read(&mut buffer)
    };
    let ended = tokio::time::timeout(SOON, read).await.unwrap();
    assert!(matches!(ended, Ok(0) | Err(_)), "the hub closed it");
    hub.end().await;
}

#[tokio::test]
async fn a_hub_that_stops_says_so_to_every_session() {
    let hub = Hub::start(Limits::default()).await;
    let member = hub.enrol("eu-1").await;
    let mut client = hub.dial_as(&member).await.unwrap();
    let mut session = Session::open(&mut client).await.unwrap();
    session.next().await;
    hub.stop.cancel();
    let last = session.next().await;
    assert!(
        matches!(last, Some(HubMessage::Goodbye(last)) if last.code == GoodbyeCode::Draining),
        "not said"
    );
    hub.end().await;
}
