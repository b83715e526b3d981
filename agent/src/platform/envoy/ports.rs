//! Free ports for processes: below the range that the system gives to outgoing connections, so that
//! Envoy's own connections do not take one between the picking and the binding.

use std::{
    collections::BTreeSet,
    io,
    net::{Ipv4Addr, TcpListener},
    ops::Range,
};

use rand::Rng as _;

const RANGE: Range<u16> = 12_000..32_000;

/// A port that nobody listens on and that is not in use by us.
pub(super) fn pick(taken: &BTreeSet<u16>) -> io::Result<u16> {
    let mut last = io::Error::other("all tried ports are taken");
    for _ in 0..200 {
        let port = rand::rng().random_range(RANGE);
        if taken.contains(&port) {
            continue;
        }
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
            Ok(_) => return Ok(port),
            Err(error) => last = error,
        }
    }
    Err(last)
}
