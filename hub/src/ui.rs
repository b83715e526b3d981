//! The page for people: its files as they stand in the binary, and the headers that keep it safe. It shows
//! nothing by itself; it asks the API with the token of whoever looks.
//!
//! The token goes along as a header and never as a cookie: a browser sends a host's cookies to every port
//! of it and with requests that other sites cause, a header only where this page's own code says so.

use axum::{
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse as _, Response},
};

/// A file of the page: its name, its type, what it says.
type File = (&'static str, &'static str, &'static str);

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

#[rustfmt::skip]
const FILES: &[File] = &[
    ("page.css", CSS, include_str!("ui/page.css")),
    ("icon.svg", "image/svg+xml", include_str!("ui/icon.svg")),
    ("main.js", JS, include_str!("ui/main.js")),
    ("abort.js", JS, include_str!("ui/abort.js")),
    ("dom.js", JS, include_str!("ui/dom.js")),
    ("fleet.js", JS, include_str!("ui/fleet.js")),
    ("hub.js", JS, include_str!("ui/hub.js")),
    ("live.js", JS, include_str!("ui/live.js")),
    ("pages.js", JS, include_str!("ui/pages.js")),
    ("receipts.js", JS, include_str!("ui/receipts.js")),
    ("rollouts.js", JS, include_str!("ui/rollouts.js")),
    ("words.js", JS, include_str!("ui/words.js")),
];

const PAGE: &str = include_str!("ui/page.html");

/// Where the page says of which version it is.
const VERSION: &str = "{{version}}";

/// Scripts, styles and requests of this origin alone, none of them in line; no frame around it, no form
/// that is sent, and no text that becomes markup or code.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
    connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
    require-trusted-types-for 'script'; trusted-types 'none'";

/// The page.
pub fn page() -> Response {
    let text = PAGE.replace(VERSION, env!("CARGO_PKG_VERSION"));
    answer("text/html; charset=utf-8", text)
}

/// One of its files; none if there is none of that name.
pub fn file(name: &str) -> Option<Response> {
    let (_, kind, text) = FILES.iter().find(|(known, _, _)| *known == name)?;
    Some(answer(kind, (*text).to_owned()))
}

fn answer(kind: &'static str, text: String) -> Response {
    let mut response = text.into_response();
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (
            HeaderName::from_static("permissions-policy"),
            "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests;
