//! What a peer may cost: large messages, silence, slow handshakes, and a hub that stops.

use super::*;

#[tokio::test]
async fn trap_37_a_message_that_is_too_large_or_none_at_all_ends_the_session() {
    let hub = Hub::start(Limits::AGENTS).await;
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
    let last = session.next().await;
    assert!(
        matches!(last, Some(HubMessage::Goodbye(ref last)) if last.message.contains("too large")),
        "{last:?}"
    );
    assert_eq!(session.next().await, None);
    hub.end().await;
}

#[tokio::test]
async fn trap_36_who_does_not_finish_the_handshake_is_cut_and_holds_nobody_up() {
    let limits = Limits {
        handshake: Duration::from_millis(300),
        ..Limits::AGENTS
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
    let hub = Hub::start(Limits::AGENTS).await;
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

/// A member whose session is open, beside another one that goes on.
async fn beside_a_healthy_one(hub: &Hub) -> (Session, Session) {
    let (good, bad) = (hub.enrol("eu-1").await, hub.enrol("eu-2").await);
    let mut opened = Vec::new();
    for member in [good, bad] {
        let mut client = hub.dial_as(&member).await.unwrap();
        let mut session = Session::open(&mut client).await.unwrap();
        assert!(matches!(session.next().await, Some(HubMessage::Welcome(_))));
        opened.push(session);
    }
    let bad = opened.pop().unwrap();
    (opened.pop().unwrap(), bad)
}

async fn still_gets_a_lease(session: &mut Session) {
    let request = AgentMessage::LeaseRequest(LeaseRequest {
        nonce: 77,
        unsaid: false,
    });
    session.say.send(request.into()).await.unwrap();
    let granted = session.next().await;
    assert!(matches!(granted, Some(HubMessage::Grant(_))), "{granted:?}");
}

/// The audit entries about misbehaving agents, once there are any.
async fn offences(hub: &Hub) -> Vec<String> {
    for _ in 0..200 {
        let rows = hub.store.list(key::AUDIT).unwrap().rows;
        let found: Vec<String> = rows
            .iter()
            .map(|(_, row)| String::from_utf8(row.value.to_vec()).unwrap())
            .filter(|entry| entry.contains("agent.offence"))
            .collect();
        if !found.is_empty() {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Vec::new()
}

#[tokio::test]
async fn an_agent_that_floods_is_ended_written_down_once_and_nobody_else_notices() {
    let hub = Hub::start(Limits::AGENTS).await;
    let (mut good, mut flooding) = beside_a_healthy_one(&hub).await;
    let say = flooding.say.clone();
    tokio::spawn(async move {
        let request = AgentMessage::LeaseRequest(LeaseRequest {
            nonce: 1,
            unsaid: false,
        });
        while say.send(request.clone().into()).await.is_ok() {}
    });
    let last = loop {
        match flooding.next().await {
            Some(HubMessage::Goodbye(last)) => break last,
            Some(_) => {}
            None => panic!("no last word"),
        }
    };
    assert_eq!(last.code, GoodbyeCode::BadMessage);
    assert!(last.message.contains("wait, and send less"), "{last:?}");
    still_gets_a_lease(&mut good).await;
    let written = offences(&hub).await;
    assert_eq!(written.len(), 1, "{written:?}");
    assert!(written[0].contains("cluster eu-2"), "{written:?}");
    hub.end().await;
}

#[tokio::test]
async fn an_agent_that_sends_what_is_no_message_again_and_again_is_written_down_once() {
    let hub = Hub::start(Limits::AGENTS).await;
    let (mut good, _) = beside_a_healthy_one(&hub).await;
    let member = hub.enrol("eu-3").await;
    let mut client = hub.dial_as(&member).await.unwrap();
    for _ in 0..5 {
        let mut session = Session::open(&mut client).await.unwrap();
        session.next().await;
        let nothing = wire::AgentMessage { message: None };
        session.say.send(nothing).await.unwrap();
        let last = session.next().await;
        assert!(
            matches!(last, Some(HubMessage::Goodbye(last)) if last.code == GoodbyeCode::BadMessage)
        );
    }
    still_gets_a_lease(&mut good).await;
    let written = offences(&hub).await;
    assert_eq!(written.len(), 1, "{written:?}");
    hub.end().await;
}

#[tokio::test]
async fn an_agent_that_opens_sessions_without_end_is_told_to_wait() {
    let hub = Hub::start(Limits::AGENTS).await;
    let (mut good, _) = beside_a_healthy_one(&hub).await;
    let member = hub.enrol("eu-3").await;
    let mut client = hub.dial_as(&member).await.unwrap();
    let mut refused = None;
    for _ in 0..100 {
        let mut session = Session::open(&mut client).await.unwrap();
        if let Some(HubMessage::Goodbye(last)) = session.next().await
            && last.message.contains("wait a minute")
        {
            refused = Some(last);
            break;
        }
    }
    assert_eq!(refused.unwrap().code, GoodbyeCode::BadMessage);
    still_gets_a_lease(&mut good).await;
    assert_eq!(offences(&hub).await.len(), 1);
    hub.end().await;
}
