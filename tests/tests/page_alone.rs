//! The page for people on a hub without clusters: who may not, a hub that is away, a token that ends.
#![allow(clippy::unwrap_used, reason = "a test stops at what it cannot have")]

use std::{fs, path::PathBuf};

use flagship_hub::api::types::{AbortView, CreatedToken, List};
use flagship_tests::{
    browser::{Browser, key},
    fleet::{Fleet, Members},
    page::{MARKUP, NO_MARKUP, complained_of_nothing_but_refusals, log_in, shown},
    play::LONG,
};
use serde_json::{Value, json};

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _none_yet = fs::remove_dir_all(&folder);
    folder
}

/// A hub without clusters, and a browser whose page is logged in with a token of a role.
async fn alone(name: &str, role: &str) -> (Fleet, Browser, CreatedToken) {
    let folder = folder(name);
    let fleet = Fleet::start(&folder, &Members::of(&[], "")).await.unwrap();
    let words = ["token", "create", "--name", "eve", "--role", role];
    let token: CreatedToken = fleet.cli.json(&words).unwrap();
    let browser = Browser::start(&folder.join("browser")).await.unwrap();
    browser.open(&fleet.hub.url()).await;
    log_in(&browser, token.secret.as_deref().unwrap()).await;
    browser.reads("#live", "Live").await;
    (fleet, browser, token)
}

/// Loads the page anew; that keeps the log-in.
async fn load_again(browser: &Browser) {
    browser
        .ask("window.loaded = 'once'; location.reload()")
        .await;
    let is_new = "return window.loaded === undefined && document.querySelector('#live')?.innerText === 'Live'";
    browser.until("a reload keeps the log-in", is_new).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_may_not_stop_sees_everything_and_reads_why_the_button_does_nothing() {
    let (fleet, browser, _) = alone("page-viewer", "viewer").await;
    browser.reads("#who", "eve, viewer of everything").await;
    browser.tab_to("#abort-open").await;
    browser.press(key::ENTER).await;
    browser
        .reads(
            "#abort-why-not",
            "eve may not stop: it is viewer of everything. Use a token with the role responder",
        )
        .await;
    let asks = "return [document.querySelector('#abort-open').ariaDisabled, document.querySelector('dialog[open]')]";
    assert_eq!(browser.ask(asks).await, json!(["true", null]));

    // From here on nothing is asked for because of the time alone: only what the hub tells brings it. The
    // page is loaded anew for it: who takes a timer from a page that runs may take one that it waits for.
    let deaf = "const real = window.setTimeout; \
        window.setTimeout = (act, after, ...more) => after < 5000 ? real(act, after, ...more) : 0";
    browser.before_each_load(deaf).await;
    load_again(&browser).await;
    fleet
        .cli
        .ok(&["freeze", "--fleet", "--for", "1h", "--reason", MARKUP])
        .unwrap();
    browser.reads("#banners", "of admin until").await;
    let loud = "return [document.querySelector('#banners').ariaLive, document.querySelector('#notices').role]";
    assert_eq!(browser.ask(loud).await, json!(["assertive", "alert"]));
    browser.reads("#banners", &shown(MARKUP)).await;
    browser.reads("#banners strong", "FROZEN").await;
    assert_eq!(browser.ask(NO_MARKUP).await, true);

    load_again(&browser).await;
    browser.tab_to("#logout").await;
    browser.press(key::ENTER).await;
    browser.reads("#login", "Log in").await;
    assert_eq!(browser.ask("return sessionStorage.length").await, 0);
    complained_of_nothing_but_refusals(&browser).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hub_that_is_away_and_a_token_that_ends_are_told_and_what_was_away_comes_back_by_itself()
{
    let (mut fleet, browser, token) = alone("page-away", "responder").await;
    browser.ask("window.loaded = 'once'").await;
    fleet.hub.kill();
    browser
        .reads("#live", "Not live; what is shown is of ")
        .await;
    browser.reads("#notices", "the hub cannot be reached").await;
    browser.reads("#notices button", "Try now").await;
    browser.reads("#live", "next try at ").await;
    browser.tab_to("#abort-open").await;
    browser.press(key::ENTER).await;
    browser
        .reads("#abort-problem", "the hub cannot be reached")
        .await;
    browser.press(key::ESCAPE).await;
    browser.picture("away.png").await;

    fleet.hub.serve().await.unwrap();
    browser
        .until_within(
            "it is live again",
            "return document.querySelector('#live').innerText === 'Live'",
            LONG,
        )
        .await;
    browser
        .reads("#fleet-count", "0 of 0 clusters connected")
        .await;
    browser
        .until(
            "the notice goes",
            "return document.querySelector('#notices').innerText === ''",
        )
        .await;
    fleet
        .cli
        .ok(&["abort", "--fleet", "--reason", "back again", "--yes"])
        .unwrap();
    browser.reads("#banners", "back again").await;
    assert_eq!(browser.ask("return window.loaded").await, "once");

    fleet
        .cli
        .ok(&["token", "revoke", &token.token.id, "--reason", "left"])
        .unwrap();
    browser
        .until_within(
            "the log-in is asked for",
            "return !document.querySelector('#login').hidden",
            LONG,
        )
        .await;
    browser
        .reads(
            "#login-problem",
            &format!("token {} of eve was revoked at ", token.token.id),
        )
        .await;
    let left = browser
        .ask("return [sessionStorage.length, document.querySelector('#banners').innerText]")
        .await;
    assert_eq!(left, json!([0, ""]), "nothing stays for who comes next");

    let guess = "return Promise.all(Array.from({length: 45}, () => fetch('/api/v1/whoami', \
        {headers: {authorization: 'Bearer flagship_ab_cd'}}).then(answer => answer.status)))";
    assert!(
        browser
            .ask(guess)
            .await
            .as_array()
            .unwrap()
            .contains(&Value::from(429))
    );
    log_in(&browser, "flagship_ab_cd").await;
    browser
        .reads("#login-problem", "too many wrong tokens came from")
        .await;
    browser
        .reads(
            "#login-problem",
            "wait a minute; a right token passes at any time",
        )
        .await;
    log_in(&browser, &fleet.hub.admin_token).await;
    browser.reads("#live", "Live").await;
    complained_of_nothing_but_refusals(&browser).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_order_whose_answer_is_lost_is_waited_for_sent_again_and_carried_out_once_as_it_was_chosen()
 {
    let (fleet, browser, _) = alone("page-lost", "responder").await;
    let between = "const real = window.fetch; window.keys = []; window.isLost = true; \
        window.fetch = async (path, options) => { \
            const answer = await real(path, options); \
            if (path !== '/api/v1/aborts') return answer; \
            window.keys.push(options.headers['idempotency-key']); \
            if (!window.isLost) return answer; \
            await new Promise(done => { window.lose = done; }); \
            throw new TypeError('cut'); \
        }";
    browser.ask(between).await;
    browser.tab_to("#abort-open").await;
    browser.press(key::ENTER).await;
    browser.reads("#abort-scopes", "fleet").await;
    browser.press(key::SPACE).await;
    browser.tab_to("input[name=mode]").await;
    browser.press(key::DOWN).await;
    browser.tab_to("#abort-reason").await;
    browser.press("once").await;
    browser.press(key::ENTER).await;
    browser
        .reads("#confirm-title", "An abort of fleet would hit:")
        .await;
    browser.tab_to("#abort-confirm button[type=submit]").await;
    browser.press(key::ENTER).await;
    browser
        .until("it is sent", "return window.keys.length === 1")
        .await;
    browser.press(key::ESCAPE).await;
    browser.press(key::ENTER).await;
    let waits = "return [document.querySelector('#abort').open, window.keys.length]";
    let what = "who has sent an order learns what came of it, and it is on its way once";
    assert_eq!(browser.ask(waits).await, json!([true, 1]), "{what}");
    browser.ask("window.isLost = false; window.lose()").await;
    browser
        .reads("#confirm-problem", "the abort may not be stored")
        .await;
    browser.press(key::ENTER).await;
    browser
        .reads("#receipts-title", "stops fleet: all weights stay")
        .await;
    let keys = browser.ask("return window.keys").await;
    let aborts: List<AbortView> = fleet.cli.json(&["get", "aborts"]).unwrap();
    let [abort] = aborts.items.as_slice() else {
        panic!("{aborts:?}");
    };
    assert_eq!(abort.reason, "once");
    assert_eq!(keys[0], keys[1], "it is the same order");
    assert!(keys[0].as_str().is_some_and(|key| key.len() > 20));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_of_another_version_a_refusal_and_nonsense_are_named_and_end_by_themselves() {
    let (_fleet, browser, _) = alone("page-versions", "viewer").await;
    let between = "const real = window.fetch; window.instead = null; \
        window.fetch = async (path, options) => { \
            const answer = await real(path, options); \
            return window.instead !== null && path === '/api/v1/status' ? window.instead(await answer.text()) : answer; \
        }";
    browser.ask(between).await;
    let version = env!("CARGO_PKG_VERSION");
    let (other, nonsense, refusal) = (
        format!("text => new Response(text.replaceAll('{version}', '9.9.9'))"),
        "() => new Response('<h1>Welcome to nginx!</h1>')",
        "() => Response.json({detail: 'eve may not view', remedy: 'ask an admin'}, {status: 403})",
    );
    for (instead, notice) in [
        (
            other.as_str(),
            format!("The hub is of version 9.9.9 now, this page is of {version}: load it again"),
        ),
        (
            nonsense,
            "the hub answered in a way that this page does not understand".to_owned(),
        ),
        (
            refusal,
            "eve may not view. To mend it: ask an admin".to_owned(),
        ),
    ] {
        let looked_at = "document.dispatchEvent(new Event('visibilitychange'))";
        let script = format!("window.instead = {instead}; {looked_at}");
        browser.ask(&script).await;
        browser.reads("#notices", &notice).await;
        browser
            .ask(&format!("window.instead = null; {looked_at}"))
            .await;
        let quiet = "return document.querySelector('#notices').innerText === '' \
            && document.querySelector('#live').innerText === 'Live'";
        browser.until("it is quiet again", quiet).await;
    }
    a_row_stays_the_same_element_with_its_focus_wherever_it_goes_in_a_list(&browser).await;
    complained_of_nothing_but_refusals(&browser).await;
}

/// By the page's own piece, in the page: lists of rows after each other, in which one row has the focus.
async fn a_row_stays_the_same_element_with_its_focus_wherever_it_goes_in_a_list(browser: &Browser) {
    let script = "return (async () => { \
        const { el, say, sync } = await import('/ui/dom.js'); \
        const list = el('ul'); \
        document.body.append(list); \
        const show = (keys) => sync(list, [...keys], key => key, () => el('button'), (row, key) => say(row, `row ${key}`)); \
        show('abc'); \
        const held = Object.fromEntries([...list.children].map(row => [row.dataset.key, row])); \
        held.b.focus(); \
        const wrong = ['abc', 'xabc', 'abc', 'bc', 'bcd', 'cdb', 'bdc', 'b'].flatMap(keys => { \
            show(keys); \
            const rows = [...list.children]; \
            const isRight = rows.map(row => row.textContent).join() === [...keys].map(key => `row ${key}`).join() \
                && rows.every((row, at) => (held[keys[at]] ??= row) === row) \
                && document.activeElement === held.b; \
            return isRight ? [] : [`${keys}: ${list.outerHTML}, ${document.activeElement.outerHTML.slice(0, 99)}`]; \
        }); \
        list.remove(); \
        return wrong; \
    })()";
    assert_eq!(browser.ask(script).await, json!([]));
}
