//! The page for people in a real browser, on a real hub with real clusters under load: what is read, what
//! a keyboard alone can do, and what must never happen.
#![allow(clippy::unwrap_used, reason = "a test stops at what it cannot have")]

use std::{fs, path::PathBuf};

use flagship_hub::api::types::{AbortView, List};
use flagship_tests::{
    browser::{Browser, key},
    fleet::{Fleet, cluster_of},
    page::{MARKUP, NO_MARKUP, complained_of_nothing_but_refusals, log_in, shown},
    play::{Play, quick_plan},
};
use serde_json::json;

const TWO: &[&str] = &["pilot-1 region=eu tier=pilot", "us-1 region=us"];

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _none_yet = fs::remove_dir_all(&folder);
    folder
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_keyboard_alone_stops_a_release_and_the_page_shows_that_it_stopped() {
    let folder = folder("page");
    // Slow, so that the pilot is in the middle of it when it is stopped.
    let plan = quick_plan("").replace("interval: 1s", "interval: 45s");
    let play = Play::start(&folder, TWO, "", &plan).await;
    let hub = play.fleet.hub.url();
    let browser = Browser::start(&folder.join("browser")).await.unwrap();
    browser.open(&hub).await;
    a_wrong_token_is_told_what_to_do(&browser).await;
    log_in(&browser, &play.fleet.hub.admin_token).await;
    browser.reads("#live", "Live").await;
    browser
        .reads("#rollouts-empty", "There was no rollout yet")
        .await;
    browser
        .reads("#fleet-count", "2 of 2 clusters connected")
        .await;
    browser
        .reads("#fleet", "shop/Deployment/checkout 1.0.0")
        .await;

    browser.ask("window.loaded = 'once'").await;
    let rollout = play.release("1.1.0");
    browser.reads("#rollouts .name", &rollout).await;
    let held = "window.held = document.querySelector('#rollouts .name'); window.held.focus()";
    browser.ask(held).await;
    play.reaches_weight(&rollout, "pilot-1", 10).await;
    browser.reads("#rollouts .weight", "10%").await;
    let bar = "return [...document.querySelectorAll('#rollouts .bar > span')].some(bar => bar.style.width === '10%')";
    browser.until("the bar is as long as the weight", bar).await;
    let kept = "return document.activeElement === window.held";
    let what = "what is new takes no focus away";
    assert_eq!(browser.ask(kept).await, true, "{what}");
    let view = play.rollout(&rollout);
    let reason = &cluster_of(&view, "pilot-1").why.message;
    browser.reads("#rollouts .row-why", reason).await;
    browser.reads("#rollouts .wave", "pilot running").await;
    browser.reads("#rollouts .wave", "rest waiting").await;
    browser.picture("running.png").await;

    let abort = stopped_by_keyboard(&browser, &play).await;
    browser
        .reads(
            "#banners",
            &format!(
                "STOPPED fleet by abort {} of admin: {}",
                abort.id,
                shown(MARKUP)
            ),
        )
        .await;
    let status = play.ok(&["status"]);
    let banner = browser.text("#banners p").await;
    let told = |text: &str| {
        let first: Vec<&str> = text.lines().next().unwrap().split_whitespace().collect();
        first.join(" ").split(" (since").next().unwrap().to_owned()
    };
    assert_eq!(told(&banner), told(&shown(&status)), "the same words");
    browser.reads("#rollouts .state", "Aborted").await;
    browser.reads("#rollouts .state", "RolledBack").await;
    assert_eq!(
        browser.ask("return window.loaded").await,
        "once",
        "the page was not loaded again"
    );
    assert_eq!(browser.ask(NO_MARKUP).await, true, "text stays text");

    it_fits_and_is_legible_everywhere(&browser).await;
    play.ok(&["lift", &abort.id, "--reason", "over", "--yes"]);
    browser
        .until(
            "the banner goes with the abort",
            "return document.querySelector('.banner') === null",
        )
        .await;
    nothing_left_the_hub_and_the_token_is_nowhere(&browser, &play.fleet).await;
}

async fn a_wrong_token_is_told_what_to_do(browser: &Browser) {
    log_in(browser, "flagship_ab_cd").await;
    browser
        .reads(
            "#login-problem",
            "the token is not known, was revoked, or has ended",
        )
        .await;
    assert_eq!(browser.ask("return sessionStorage.length").await, 0);
    assert_eq!(
        browser
            .ask("return document.querySelector('#token').value")
            .await,
        ""
    );
    log_in(browser, "two words").await;
    browser.reads("#login-problem", "that is not a token").await;
}

/// Orders an abort of the fleet with keys alone, and follows it to its last receipt.
async fn stopped_by_keyboard(browser: &Browser, play: &Play) -> AbortView {
    browser.tab_to("#abort-open").await;
    let ring = "const seen = getComputedStyle(document.activeElement); return seen.outlineStyle !== 'none' && parseFloat(seen.outlineWidth) >= 2";
    assert_eq!(browser.ask(ring).await, true, "the focus is seen");
    browser.press(key::ENTER).await;
    browser
        .reads("#abort-scopes", "rollout shop/checkout-1")
        .await;
    for _ in 0..40 {
        let inside = browser.ask("return document.activeElement.closest('dialog') !== null || document.activeElement === document.body").await;
        assert_eq!(inside, true, "the focus stays in the dialog");
        browser.press(key::TAB).await;
    }
    browser.press(key::ESCAPE).await;
    browser.until("Esc closes it, the focus is where it was", "return !document.querySelector('dialog').open && document.activeElement.id === 'abort-open'").await;
    let none: List<AbortView> = play.fleet.cli.json(&["get", "aborts"]).unwrap();
    assert!(none.items.is_empty(), "nothing was ordered");

    browser.press(key::ENTER).await;
    browser.until("the first scope has the focus, and none is chosen", "return document.activeElement.name === 'scope' && document.querySelector('input[name=scope]:checked') === null").await;
    browser.picture("choose.png").await;
    browser.press(key::SPACE).await;
    browser.tab_to("#abort-reason").await;
    browser.press(MARKUP).await;
    browser.press(key::ENTER).await;
    browser
        .reads("#confirm-title", "An abort of fleet would hit:")
        .await;
    for text in [
        "1 unfinished go back; 0 Done stay as they are; 1 with nothing in flight",
        "stops at once: pilot-1 at 10%",
        "nothing advances in its scope after ",
        "heard or not",
        &shown(MARKUP),
    ] {
        browser.reads("#confirm-preview", text).await;
    }
    browser.picture("confirm.png").await;
    let none: List<AbortView> = play.fleet.cli.json(&["get", "aborts"]).unwrap();
    assert!(
        none.items.is_empty(),
        "nothing was ordered before it was confirmed"
    );
    browser.tab_to("#abort-confirm button[type=submit]").await;
    browser.press(key::ENTER).await;
    browser
        .reads("#receipts-summary", "all 2 clusters stopped")
        .await;
    browser.reads("#receipts-clusters", "traffic is back").await;
    browser.picture("receipts.png").await;

    let abort = play.fleet.cli.newest_abort().unwrap();
    assert_eq!(
        (abort.actor.as_str(), abort.reason.as_str()),
        ("admin", shown(MARKUP).as_str())
    );
    let page = shown(&play.ok(&["describe", "abort", &abort.id]));
    let words = |line: &str| {
        let words = line
            .split_whitespace()
            .filter(|word| *word != "returned" && *word != "idle");
        words.collect::<Vec<_>>().join(" ")
    };
    let read = words(&browser.text("#receipts").await);
    // The last line has an age in it.
    for line in page.lines().filter(|line| !line.starts_with("It stands")) {
        assert!(read.contains(&words(line)), "{line}\nis not in\n{read}");
    }
    browser.press(key::ESCAPE).await;
    browser
        .until(
            "Esc closes it",
            "return document.querySelector('dialog[open]') === null",
        )
        .await;
    abort
}

async fn it_fits_and_is_legible_everywhere(browser: &Browser) {
    let mut pictures = Vec::new();
    for (dialog, form) in [
        ("", ""),
        ("#abort", "abort-choose"),
        ("#abort", "abort-confirm"),
        ("#receipts", ""),
    ] {
        if !dialog.is_empty() {
            let open = format!(
                "const dialog = document.querySelector('{dialog}'); dialog.showModal(); \
                 dialog.querySelectorAll('form').forEach(form => {{ form.hidden = form.id !== '{form}'; }})"
            );
            browser.ask(&open).await;
        }
        for (width, scheme) in [
            (1280, "light"),
            (1280, "dark"),
            (360, "light"),
            (360, "dark"),
        ] {
            browser.looks(width, scheme).await;
            let what = format!("{dialog}{form} {width} {scheme}");
            let wide = browser.overflowing().await;
            assert!(wide.is_empty(), "{what}: {wide:?}");
            let (contrast, place) = browser.lowest_contrast().await;
            assert!(contrast >= 4.5, "{what}: {contrast} at {place}");
            pictures.push((
                what,
                browser
                    .picture(&format!(
                        "page{}{form}-{width}-{scheme}.png",
                        dialog.replace('#', "-")
                    ))
                    .await,
            ));
        }
        if !dialog.is_empty() {
            browser
                .ask(&format!("document.querySelector('{dialog}').close()"))
                .await;
        }
    }
    browser.looks(1280, "light").await;
    for (at, (what, picture)) in pictures.iter().enumerate() {
        for (other, same) in &pictures[..at] {
            assert!(picture != same, "{what} looks like {other}");
        }
    }
}

async fn nothing_left_the_hub_and_the_token_is_nowhere(browser: &Browser, fleet: &Fleet) {
    complained_of_nothing_but_refusals(browser).await;
    let requests = browser.requests().await;
    let token = &fleet.hub.admin_token;
    let secret = token.splitn(3, '_').nth(2).unwrap();
    let own = format!("{}/", fleet.hub.url());
    assert!(requests.len() > 20, "{requests:?}");
    for url in &requests {
        assert!(url.starts_with(&own), "{url} is elsewhere");
        assert!(!url.contains(secret), "a token is in an address");
    }
    let script = format!(
        "const secret = {}; return [document.documentElement.outerHTML, location.href, document.cookie, \
         ...[...document.querySelectorAll('input')].map(input => input.value)].some(text => text.includes(secret))",
        json!(secret)
    );
    assert_eq!(browser.ask(&script).await, false, "a token is in the page");
    assert!(!fleet.hub.log().contains(secret), "a token is in the log");
}
