//! A certificate that can be exchanged while connections run; used by servers and clients alike.

use std::sync::Arc;

use arc_swap::ArcSwap;
use rustls::{
    SignatureScheme,
    client::ResolvesClientCert,
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::{TlsError, certificates, private_key, provider};

/// The certificate chain and key that new handshakes use.
#[derive(Debug)]
pub struct CurrentCert(ArcSwap<CertifiedKey>);

impl CurrentCert {
    /// Checks that chain and key belong together.
    pub fn new(chain_pem: &str, key_pem: &str) -> Result<Self, TlsError> {
        load(chain_pem, key_pem).map(|key| Self(ArcSwap::from_pointee(key)))
    }

    /// New handshakes use these from now on; after an error the old ones stay.
    pub fn replace(&self, chain_pem: &str, key_pem: &str) -> Result<(), TlsError> {
        self.0.store(Arc::new(load(chain_pem, key_pem)?));
        Ok(())
    }
}

fn load(chain_pem: &str, key_pem: &str) -> Result<CertifiedKey, TlsError> {
    let chain = certificates(chain_pem)?;
    Ok(CertifiedKey::from_der(
        chain,
        private_key(key_pem)?,
        &provider(),
    )?)
}

impl ResolvesServerCert for CurrentCert {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }
}

impl ResolvesClientCert for CurrentCert {
    fn resolve(&self, _hints: &[&[u8]], _schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(self.0.load_full())
    }

    fn has_certs(&self) -> bool {
        true
    }
}
