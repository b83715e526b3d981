//! The hub's page in a browser: how one logs in, and what must hold of it in every test.

use crate::browser::{Browser, key};

/// What somebody with bad intent, or a clumsy hand, writes into a reason.
pub const MARKUP: &str = "<img src=x onerror=alert(1)><b>prices</b> \u{202e}&amp; \"äß\"";

/// The same as it is shown: what would turn the direction of all that follows is marked instead.
pub fn shown(text: &str) -> String {
    text.replace('\u{202e}', "\u{fffd}")
}

/// A script: whether every text stayed text.
pub const NO_MARKUP: &str = "return document.querySelector('b, script:not([src]), iframe, object') === null \
    && [...document.images].every(image => image.src.endsWith('/ui/icon.svg'))";

/// Logs in, from wherever a log-in is asked for.
///
/// # Panics
/// There is none.
pub async fn log_in(browser: &Browser, token: &str) {
    browser.reads("#login", "Log in").await;
    browser.press(token).await;
    browser.press(key::ENTER).await;
}

/// Nothing of the browser's own complaints but the refusals that a test caused: no violation of the
/// page's policy, no error of a script.
///
/// # Panics
/// There is another one.
pub async fn complained_of_nothing_but_refusals(browser: &Browser) {
    for (source, text) in browser.complaints().await {
        assert_eq!(source, "network", "{text}");
    }
}
