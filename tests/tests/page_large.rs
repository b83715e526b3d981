//! The page before a fleet of ten thousand clusters and ten thousand rollouts: one page of each at a time.
#![allow(clippy::unwrap_used, reason = "a test stops at what it cannot have")]

use std::{collections::BTreeMap, fs, path::PathBuf, time::Instant};

use flagship_hub::{
    records::{ClusterRow, ClusterState, Enrolled},
    store::{Store, Txn},
};
use flagship_tests::{
    bench::api::stored,
    browser::{Browser, key},
    fleet::{Fleet, Members},
    page::{complained_of_nothing_but_refusals, log_in},
    play::LONG,
};
use jiff::Timestamp;

const CLUSTERS: usize = 10_000;
/// So much of a page is read, and drawn, at most.
const ELEMENTS: u64 = 2_000;

/// Members that nobody heard of yet.
async fn put_clusters(store: &Store) {
    for thousand in 0..CLUSTERS / 1_000 {
        let mut txn = Txn::new();
        for number in thousand * 1_000..(thousand + 1) * 1_000 {
            let enrolled = Enrolled {
                at: Timestamp::now(),
                token: None,
            };
            let labels = BTreeMap::from([("region".to_owned(), "eu".to_owned())]);
            let name = format!("c-{number:04}").parse().unwrap();
            let uid = format!("uid-{number}").parse().unwrap();
            let mut row = ClusterRow::new(name, uid, labels, enrolled);
            row.state = ClusterState::Active;
            txn = txn.put(&row);
        }
        store.txn(txn).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_clusters_and_rollouts_are_read_a_page_at_a_time() {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("page-large");
    let _none_yet = fs::remove_dir_all(&folder);
    let mut fleet = Fleet::start(&folder, &Members::of(&[], "")).await.unwrap();
    fleet.hub.kill();
    let store = stored::open(&fleet.hub.data).unwrap();
    put_clusters(&store).await;
    stored::fill(&store).await.unwrap();
    drop(store);
    // The store's own thread closes it a moment later.
    let began = Instant::now();
    while let Err(error) = fleet.hub.serve().await {
        assert!(began.elapsed() < LONG, "{error:#}");
    }

    let browser = Browser::start(&folder.join("browser")).await.unwrap();
    browser.open(&fleet.hub.url()).await;
    log_in(&browser, &fleet.hub.admin_token).await;
    let all = format!(
        "return document.querySelector('#fleet-count').innerText === '0 of {CLUSTERS} clusters connected'"
    );
    browser.until_within("the fleet is read", &all, LONG).await;
    browser.reads("#rollouts .name", "shop/w009-1000").await;
    let small = |rows: u32| {
        format!(
            "return document.querySelectorAll('.card').length === 20 \
             && document.querySelectorAll('#fleet .row').length === {rows} \
             && document.querySelectorAll('*').length <= {ELEMENTS}"
        )
    };
    browser.until("a page of each", &small(50)).await;

    browser.tab_to("#rollouts-pages button:last-child").await;
    browser.press(key::ENTER).await;
    browser.reads("#rollouts-pages", "page 2").await;
    browser.reads("#rollouts .name", "shop/w009-998").await;
    browser.tab_to("#rollouts-pages button:first-child").await;
    browser.press(key::ENTER).await;
    browser.reads("#rollouts .name", "shop/w009-1000").await;

    browser.tab_to("#fleet-selector").await;
    browser.press("name in (c-0007, c-0008)").await;
    browser.press(key::ENTER).await;
    browser.until("two are selected", &small(2)).await;
    browser.press(" and more").await;
    browser.press(key::ENTER).await;
    browser
        .reads("#fleet-problem", "is no part of a selector")
        .await;

    browser.picture("large.png").await;
    complained_of_nothing_but_refusals(&browser).await;
}
