//! What is told of changes to who is up to date, and to who asks for all that was kept.

use std::{pin::Pin, time::Duration};

use futures::{FutureExt as _, Stream, StreamExt as _, stream::FuturesUnordered};
use tokio::{sync::OwnedSemaphorePermit, time::timeout};

use super::fixture::Api;
use crate::{
    api::events::follow::{AT_ONCE, FAR_BEHIND, IN_A_TURN},
    auth::Role,
    records::{ClusterRow, key},
    store::Txn,
};

const SOON: Duration = Duration::from_secs(5);

/// Long enough for what needs no turn.
const A_WHILE: Duration = Duration::from_millis(200);

type Told = Pin<Box<dyn Stream<Item = String>>>;

async fn next(told: &mut Told) -> String {
    let event = timeout(SOON, told.next()).await;
    event.expect("it is told").expect("it goes on")
}

async fn nothing_comes(told: &mut Told) {
    let event = timeout(A_WHILE, told.next()).await;
    assert!(event.is_err(), "{event:?} needed no turn");
}

/// Changes one cluster after the other, in so many commits.
async fn changes(api: &Api, count: usize) {
    for n in 0..count {
        api.member(&format!("c-{n}"), &[]).await;
    }
}

/// The sequence number of an event.
fn seq(event: &str) -> u64 {
    let id = event.lines().find_map(|line| line.strip_prefix("id: "));
    let (_, seq) = id.unwrap().split_once('-').unwrap();
    seq.parse().unwrap()
}

/// All turns of those who look, and how many they are.
async fn all_turns(api: &Api) -> (OwnedSemaphorePermit, usize) {
    let turns = api.costs().turns.viewers.clone();
    let all = turns.available_permits();
    let taken = turns.acquire_many_owned(u32::try_from(all).unwrap());
    (timeout(SOON, taken).await.unwrap().unwrap(), all)
}

#[tokio::test]
async fn who_is_far_behind_is_told_in_turns_and_who_is_up_to_date_at_once() {
    let api = Api::new().await;
    let viewer = api.token(Role::Viewer).await;
    let from = api.seq();
    let many = 2 * IN_A_TURN + AT_ONCE;
    changes(&api, many).await;
    let (turns, _) = all_turns(&api).await;
    let mut all = api.open_events(&viewer, from).await;
    let mut last = api.open_events(&viewer, api.seq() - 3).await;
    let mut live = api.open_events(&viewer, api.seq()).await;
    nothing_comes(&mut all).await;
    for _ in 0..3 {
        next(&mut last).await;
    }
    nothing_comes(&mut live).await;
    api.member("new", &[]).await;
    for told in [&mut last, &mut live] {
        assert_eq!(seq(&next(told).await), api.seq());
    }
    drop(turns);
    for place in 1..=many + 1 {
        let event = next(&mut all).await;
        assert_eq!(seq(&event), from + place as u64, "all in their order");
    }
    nothing_comes(&mut all).await;
}

#[tokio::test]
async fn a_turn_is_given_back_after_each_piece_of_what_is_told() {
    let api = Api::new().await;
    let viewer = api.token(Role::Viewer).await;
    let from = api.seq();
    changes(&api, 3 * IN_A_TURN).await;
    let mut told = api.open_events(&viewer, from).await;
    next(&mut told).await;
    let (turns, _) = all_turns(&api).await;
    for _ in 1..IN_A_TURN {
        next(&mut told).await;
    }
    nothing_comes(&mut told).await;
    drop(turns);
    next(&mut told).await;
}

#[tokio::test]
async fn one_token_waits_for_two_turns_at_a_time_however_often_it_asks_for_all() {
    let api = Api::new().await;
    let (one, other) = (api.token(Role::Viewer).await, api.token(Role::Viewer).await);
    let from = api.seq();
    changes(&api, IN_A_TURN).await;
    let (turns, at_once) = all_turns(&api).await;
    let mut first = FuturesUnordered::new();
    let asked = [one.as_str()].repeat(at_once + 9);
    for token in asked.into_iter().chain([other.as_str()]) {
        let mut told = api.open_events(token, from).await;
        let is_other = token == other;
        first.push(async move {
            next(&mut told).await;
            is_other
        });
    }
    assert!(first.next().now_or_never().is_none(), "there was a turn");
    drop(turns);
    let before = first.take_while(|is_other| std::future::ready(!is_other));
    let before = before.count().await;
    assert!(before <= 2 + at_once, "{before} of another came first");
}

#[tokio::test]
async fn who_followed_is_told_of_one_large_commit_in_turns_and_of_the_next_change_at_once() {
    let api = Api::new().await;
    let viewer = api.token(Role::Viewer).await;
    let mut told = api.open_events(&viewer, api.seq()).await;
    nothing_comes(&mut told).await;
    changes(&api, 1).await;
    let known = api.read::<ClusterRow>(&key::cluster(&"c-0".parse().unwrap()));
    let mut large = Txn::new();
    for n in 0..FAR_BEHIND {
        let mut row = known.to_value();
        row.name = format!("d-{n}").parse().unwrap();
        large = large.put(&row);
    }
    let (turns, _) = all_turns(&api).await;
    api.commit(large).await;
    nothing_comes(&mut told).await;
    drop(turns);
    for _ in 0..=FAR_BEHIND {
        next(&mut told).await;
    }
    let (_turns, _) = all_turns(&api).await;
    api.member("new", &[]).await;
    assert_eq!(seq(&next(&mut told).await), api.seq());
}

#[tokio::test]
async fn who_is_cut_in_the_middle_of_a_commit_is_told_the_whole_of_it_again() {
    let api = Api::new().await;
    let token = api.token(Role::Admin).await;
    api.member("eu-1", &[]).await;
    let before = api.seq();
    let row = |name: &str| api.read::<ClusterRow>(&key::cluster(&name.parse().unwrap()));
    let mut one = row("eu-1").to_value();
    let mut two = one.clone();
    two.name = "eu-2".parse().unwrap();
    two.uid = "uid-eu-2".parse().unwrap();
    one.labels.insert("a".to_owned(), "b".to_owned());
    api.commit(Txn::new().put(&one).put(&two)).await;
    let mut stream = api.open_events(&token, format!("1-{before}")).await;
    let mut ids = Vec::new();
    while ids.len() < 2 {
        let event = next(&mut stream).await;
        let found = event.lines().filter_map(|line| line.strip_prefix("id: "));
        ids.extend(found.map(ToOwned::to_owned));
    }
    let expected = [before, before + 1].map(|seq| format!("1-{seq}"));
    assert_eq!(
        ids, expected,
        "the first of two does not say that both were told"
    );
}
