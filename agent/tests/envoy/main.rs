//! The Envoy platform against a real Envoy: requests are counted by which version answered them.

mod backend;
mod cluster;
mod shift;
