//! All that is told is in force before the disk is waited for; a stop waits for nobody's question.

use std::sync::Arc;

use flagship_proto::{
    model::{Inventory, InventoryWorkload},
    process::Clock,
    sign::{HubKeys, SignKey},
};
use tokio::time::{Instant, timeout};

use super::*;
use crate::{
    link::{Keys, Member},
    release::Kept,
};

const NAMES: [&str; 2] = ["shop/Deployment/cart", "shop/Deployment/checkout"];

/// A member with two workloads. Nobody writes what it keeps: a disk that never answers.
fn handle() -> LinkHandle {
    let seal = Keys {
        hub: HubKeys::default(),
        own: Arc::new(SignKey::generate().unwrap()),
        serial: "01".to_owned(),
    };
    let member = Member {
        fleet: "fleet".parse().unwrap(),
        cluster: "eu-1".parse().unwrap(),
        uid: "u1".parse().unwrap(),
    };
    let workloads = NAMES.map(|name| InventoryWorkload {
        workload: name.parse().unwrap(),
        version: None,
        digest: None,
        initial: None,
    });
    let inventory = Inventory {
        workloads: workloads.to_vec(),
        ..Inventory::default()
    };
    let handle = LinkHandle::new(Clock::new());
    handle.install(Link::new(
        member,
        Kept::default(),
        inventory,
        Box::new(seal),
    ));
    handle
}

fn standing(link: &LinkHandle) -> usize {
    let stands = |link: &mut Link, _: Tick| {
        let known = NAMES.iter().filter(|name| {
            let record = link.local_record(&name.parse().unwrap());
            record.is_some_and(|record| record.standing().is_some())
        });
        known.count()
    };
    link.see(stands).unwrap_or_default()
}

#[tokio::test]
async fn a_retreat_of_all_is_in_force_everywhere_before_the_disk_is_waited_for() {
    let link = handle();
    let request = Request::Control {
        verb: LocalVerb::Retreat,
        workloads: Vec::new(),
        reason: "errors here".to_owned(),
    };
    let user = socket::own_user();
    let began = Instant::now();
    let answering = answer(request, &user, &link);
    tokio::pin!(answering);
    let early = timeout(Duration::from_millis(100), &mut answering).await;
    assert!(early.is_err(), "the disk does not answer");
    assert_eq!(standing(&link), 2);
    let answer = answering.await;
    assert!(began.elapsed() < WRITE * 2, "one wait for all");
    assert_eq!(answer.done.len(), 2);
    assert!(answer.done.iter().all(|done| !done.kept));
}

#[tokio::test]
async fn a_stop_does_not_wait_for_who_connects_and_asks_nothing() {
    let (link, stop) = (handle(), CancellationToken::new());
    let (_silent, there) = UnixStream::pair().unwrap();
    let conversing = converse(there, &link, &stop);
    tokio::pin!(conversing);
    let early = timeout(Duration::from_millis(50), &mut conversing).await;
    assert!(early.is_err(), "it waits for the question");
    stop.cancel();
    let ended = timeout(Duration::from_secs(2), conversing).await;
    assert!(ended.expect("it ends at once").is_err());
}
