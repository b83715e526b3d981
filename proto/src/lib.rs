//! flagship-proto: what hub and agent must agree on.
//!
//! Plain, validated types by default, so that the two engines can depend on this crate and stay
//! pure. The features add the rest: `wire` (generated messages, the gRPC service, conversions),
//! `tls` (identity from certificates, rustls configurations, signatures) and `process` (what both
//! binaries need to run).

pub mod command;
pub mod digest;
pub mod model;
mod mutant;
pub mod precedence;
pub mod words;

pub use mutant::mutant;

#[cfg(feature = "wire")]
pub mod codec;
#[cfg(feature = "wire")]
pub mod convert;
#[cfg(all(feature = "wire", feature = "tls"))]
pub mod decoders;
#[cfg(feature = "wire")]
pub mod wire;

#[cfg(feature = "tls")]
pub mod identity;
#[cfg(feature = "tls")]
pub mod sign;
#[cfg(feature = "tls")]
pub mod tls;

#[cfg(feature = "process")]
pub mod process;
