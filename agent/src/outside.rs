//! HTTP clients for what is outside: hooks and metric providers. Each is made when it is first
//! needed, because the system's root certificates alone take more memory than an idle agent should.

use std::sync::{Arc, OnceLock};

/// The clients of one kind of call, and what they do with redirects.
#[derive(Debug, Clone)]
pub struct Clients(Arc<Made>);

#[derive(Debug)]
struct Made {
    follows: bool,
    verified: OnceLock<reqwest::Client>,
    unverified: OnceLock<reqwest::Client>,
}

impl Clients {
    /// Clients that keep at most one idle connection a server.
    pub fn new(follows_redirects: bool) -> Self {
        Self(Arc::new(Made {
            follows: follows_redirects,
            verified: OnceLock::new(),
            unverified: OnceLock::new(),
        }))
    }

    /// The client that verifies certificates, or the one that takes any. The words of a failure are
    /// for people.
    pub fn get(&self, takes_any_certificate: bool) -> Result<&reqwest::Client, String> {
        let place = if takes_any_certificate {
            &self.0.unverified
        } else {
            &self.0.verified
        };
        if let Some(client) = place.get() {
            return Ok(client);
        }
        let redirects = if self.0.follows {
            reqwest::redirect::Policy::default()
        } else {
            reqwest::redirect::Policy::none()
        };
        let client = reqwest::Client::builder()
            .user_agent(concat!("flagship-agent/", env!("CARGO_PKG_VERSION")))
            .redirect(redirects)
            .pool_max_idle_per_host(1)
            .tls_danger_accept_invalid_certs(takes_any_certificate)
            .build()
            .map_err(unreachable)?;
        Ok(place.get_or_init(|| client))
    }
}

/// Why somebody was not reached. The URL stays out of the words: it may hold a secret.
pub fn unreachable(error: reqwest::Error) -> String {
    let error = error.without_url();
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    cause.unwrap_or_else(|| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_made_when_it_is_first_needed_and_then_kept() {
        let clients = Clients::new(true);
        assert!(clients.0.verified.get().is_none());
        let first: *const _ = clients.get(false).unwrap();
        assert!(std::ptr::eq(first, clients.clone().get(false).unwrap()));
        assert!(clients.0.unverified.get().is_none());
    }
}
