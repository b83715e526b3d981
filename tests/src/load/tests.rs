//! Both ends count the same.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    process::{free_port, until},
    sample,
};

#[tokio::test]
async fn both_ends_count_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let (port, stop) = (free_port(), CancellationToken::new());
    let args = sample::Args {
        version: "1.0.0".to_owned(),
        port,
        when: vec!["1.0.0:errors=0.2".parse().unwrap()],
        counts: Some(folder.path().to_owned()),
    };
    let served = tokio::spawn(sample::run(args, stop.clone()));
    let listens = async || {
        tokio::net::TcpStream::connect(("127.0.0.1", port))
            .await
            .is_ok()
    };
    until("the sample listens", Duration::from_secs(5), listens).await;

    let target = format!("here=127.0.0.1:{port}").parse().unwrap();
    let load = Load::start(vec![target], 200);
    until("fifty were sent", Duration::from_secs(10), async || {
        load.at("here").sent >= 50
    })
    .await;
    let seen = load.stop().await.remove("here").unwrap();
    stop.cancel();
    served.await.unwrap().unwrap();

    let counts = sample::read_counts(folder.path()).unwrap().remove(0);
    assert_eq!(seen.open(), 0);
    assert_eq!(counts.by_status, seen.by_status);
    assert_eq!(seen.of("1.0.0"), seen.sent);
    assert_eq!(seen.failed, counts.bad());
    assert_eq!(seen.failed_by_version["1.0.0"].0, counts.bad());
}

#[tokio::test]
async fn a_request_that_nobody_answers_is_a_failure_that_users_saw() {
    let target = format!("nobody=127.0.0.1:{}", free_port()).parse().unwrap();
    let load = Load::start(vec![target], 100);
    until("three were lost", Duration::from_secs(5), async || {
        load.at("nobody").failed >= 3
    })
    .await;
    let seen = load.stop().await.remove("nobody").unwrap();
    assert_eq!(seen.failed, seen.sent);
    assert!(!seen.lost.is_empty());
}

#[test]
fn load_leaves_this_machine_never() {
    assert!("far=192.0.2.1:80".parse::<Target>().is_err());
}
