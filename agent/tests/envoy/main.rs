//! The Envoy platform against a real Envoy: requests are counted by which version answered them.

#![allow(clippy::unwrap_used)]

mod backend;
mod cluster;
mod shift;
