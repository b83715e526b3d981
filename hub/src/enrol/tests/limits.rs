//! What guessing, renewing without end and nonsense cost: little, and only those who do it.

use super::*;

#[tokio::test]
async fn guessing_does_not_fill_the_audit_log_and_slows_nobody_but_who_guesses() {
    let mut hub = Fixture::new();
    let token = hub.token(|_| {}).await;
    let mut answers = Vec::new();
    for _ in 0..70 {
        answers.push(hub.ask("rubbish", &key_of(), "eu-1").await.unwrap_err());
    }
    let looked_at = answers
        .iter()
        .take_while(|error| matches!(error, EnrolError::WrongToken(_)));
    assert_eq!(looked_at.count(), brake::IN_VAIN.burst as usize);
    assert!(matches!(answers[69], EnrolError::TooOften(_)));
    assert_eq!(hub.store.list(key::AUDIT).unwrap().rows.len(), 10);

    let key = key_of();
    let blocked = hub.ask(&token, &key, "eu-1").await.unwrap_err();
    assert!(blocked.to_string().contains("wait a minute"), "{blocked}");
    let elsewhere = Origin::of([192, 0, 2, 1].into());
    let request = csr(&key);
    let enrolled = hub
        .enrol
        .enroll(&token, &request, "eu-1", elsewhere, hub.now);
    enrolled.await.unwrap();
    hub.now = hub.now.plus(Duration::from_secs(60));
    hub.ask(&token, &key, "eu-1").await.unwrap();
}

#[tokio::test]
async fn a_member_that_renews_without_end_is_stopped_and_a_stranger_cannot_use_up_its_renewals() {
    let hub = Fixture::new();
    let token = hub.token(|_| {}).await;
    let key = key_of();
    let certificate = der(&hub.ask(&token, &key, "eu-1").await.unwrap());
    let peer = peer_id(&certificate).unwrap();
    for n in 0..30 {
        let from = Origin::of([192, 0, 2, n].into());
        let request = csr(&key);
        let refused = hub
            .enrol
            .reenroll(&certificate, &request, b"", from, hub.now);
        let refused = refused.await.unwrap_err();
        assert!(matches!(refused, EnrolError::Certificate(_)), "{refused}");
    }
    for _ in 0..brake::RENEWALS.burst {
        hub.enrol.renew(&peer, &csr(&key), hub.now).await.unwrap();
        // The certificate at hand stays on record among the newest.
        let mut row = hub.row("eu-1");
        row.keys.swap(0, 1);
        row.keys.truncate(2);
        hub.store.txn(Txn::new().put(&row)).await.unwrap();
    }
    let refused = hub.enrol.renew(&peer, &csr(&key), hub.now).await;
    assert!(matches!(refused, Err(EnrolError::TooOften(_))));
}

#[tokio::test]
async fn what_is_no_certificate_request_costs_no_use_of_the_token() {
    let hub = Fixture::new();
    let token = hub.token(|_| {}).await;
    let bad = hub
        .enrol
        .enroll(&token, b"junk", "eu-1", home(), hub.now)
        .await;
    assert!(matches!(bad, Err(EnrolError::Request(_))));
    hub.ask(&token, &key_of(), "eu-1").await.unwrap();
}
