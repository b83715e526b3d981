//! Where the hub is: `host:port`, and the name that its certificate must have.

use std::fmt;

use rustls_pki_types::ServerName;

/// Where the hub is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HubAddress {
    /// A name or an IP address.
    pub host: String,
    /// The port for agents.
    pub port: u16,
    /// Whom the hub's certificate must be for.
    pub server_name: ServerName<'static>,
}

/// A text is not the address of a hub.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not an address")]
pub struct InvalidAddress(String);

impl HubAddress {
    /// From `host:port`; the certificate must be for the host, or for `server_name` if given.
    pub fn new(address: &str, server_name: Option<&str>) -> Result<Self, InvalidAddress> {
        let bad = || InvalidAddress(address.chars().take(100).collect());
        let bare = address.strip_prefix("https://").unwrap_or(address);
        let (host, port) = bare.rsplit_once(':').ok_or_else(bad)?;
        let port = port.parse().map_err(|_| bad())?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = server_name.unwrap_or(host).to_owned();
        Ok(Self {
            host: host.to_owned(),
            port,
            server_name: ServerName::try_from(name).map_err(|_| bad())?,
        })
    }
}

impl fmt::Display for HubAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_names_or_numbers_with_a_port() {
        for good in ["hub.example.com:7443", "127.0.0.1:1", "[::1]:7443"] {
            assert_eq!(HubAddress::new(good, None).unwrap().to_string(), good);
        }
        assert_eq!(
            HubAddress::new("https://hub:1", None).unwrap().to_string(),
            "hub:1"
        );
        for bad in ["", "hub", "hub:", ":1", "hub:99999", "a b:1"] {
            assert!(HubAddress::new(bad, None).is_err(), "{bad}");
        }
    }
}
