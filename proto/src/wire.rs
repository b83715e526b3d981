//! Generated messages and the gRPC service. They stop at [`crate::convert`].
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::all,
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm
)]

tonic::include_proto!("flagship.link.v1");
