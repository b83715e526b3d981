//! What anybody may cost: how often something may happen, and how many of it at a time, in all and for
//! each who asks. It decides on values and moments; it knows no socket and no clock.

mod rate;
mod rooms;
mod sample;

pub use rate::{Bucket, Rate, Rates};
pub use rooms::{Entered, Rooms};
pub use sample::Sample;

use std::{fmt, net::IpAddr};

/// Where somebody comes from, as far as limits go: an IPv4 address, or the 64 bits of an IPv6 address
/// that one customer is given as a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Origin(IpAddr);

impl Origin {
    /// Of an address.
    pub fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V4(address) => IpAddr::V4(address),
            IpAddr::V6(address) => {
                let network = address.to_bits() & (u128::MAX << 64);
                IpAddr::V6(network.into())
            }
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(address) => address.fmt(f),
            IpAddr::V6(network) => write!(f, "{network}/64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_an_ipv4_address_or_a_64_bit_network() {
        let of = |text: &str| Origin::of(text.parse().unwrap()).to_string();
        assert_eq!(of("192.0.2.7"), "192.0.2.7");
        assert_eq!(of("::ffff:192.0.2.7"), "192.0.2.7");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::/64");
        assert_eq!(of("2001:db8:1:2::9"), of("2001:db8:1:2:3:4:5:6"));
    }
}
