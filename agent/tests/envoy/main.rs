//! The Envoy platform against a real Envoy: requests are counted by which version answered them.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends here")]

mod backend;
mod cluster;
mod evidence;
mod restart;
mod shift;
mod trouble;
