//! Becoming and staying a member: enrolment by token, renewal, enrolment again after expiry.

use std::time::Duration;

use flagship_proto::{
    digest::Digest,
    model::{ClusterName, EnrolToken},
    process::retry::Backoff,
    sign::{Kind, SignError, SignKey},
    tls::{self, PinnedCa},
    wire::{self, enroll_response::Outcome},
};
use jiff::Timestamp;
use rcgen::{CertificateParams, DnType};
use tonic::{Code, Status};

use super::{
    connect::{Client, ConnectError, connect_anonymous, connect_pinned},
    identity::{BadIdentity, Identity, IdentityFolder},
};
use crate::config::HubAddress;

/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(30);

/// Why enrolment or renewal failed.
#[derive(Debug, thiserror::Error)]
pub enum EnrolError {
    /// The hub was not reached.
    #[error(transparent)]
    Connect(#[from] ConnectError),
    /// The hub refused, in its own words.
    #[error("the hub refused: {0}")]
    Refused(String),
    /// The hub could not answer now.
    #[error("the hub could not answer: {0}")]
    Unavailable(String),
    /// Key, certificate or files cannot be used.
    #[error(transparent)]
    Identity(#[from] BadIdentity),
    /// The request for a certificate cannot be made.
    #[error("the certificate request cannot be made: {0}")]
    Request(String),
    /// The hub's CA is not the one that the token names.
    #[error("the hub's CA is {found}, the token names {pinned}: this may not be your hub")]
    OtherCa {
        /// What the hub showed.
        found: Digest,
        /// What the token says.
        pinned: Digest,
    },
    /// The answer holds nothing.
    #[error("the hub's answer holds neither a certificate nor a reason to wait")]
    Empty,
}

impl EnrolError {
    /// Whether another try may succeed without a person.
    pub fn is_retryable(&self) -> bool {
        match self {
            // Under a pin an unknown issuer is another CA than the token's, and stays one.
            Self::Connect(ConnectError::Unreachable { .. }) => {
                !self.to_string().contains("UnknownIssuer")
            }
            Self::Unavailable(_) => true,
            Self::Connect(ConnectError::Tls(_))
            | Self::Refused(_)
            | Self::Identity(_)
            | Self::Request(_)
            | Self::OtherCa { .. }
            | Self::Empty => false,
        }
    }
}

impl From<Status> for EnrolError {
    fn from(status: Status) -> Self {
        let text = status.message().to_owned();
        let text = if text.is_empty() {
            status.code().description().to_owned()
        } else {
            text
        };
        match status.code() {
            Code::Unavailable
            | Code::DeadlineExceeded
            | Code::Cancelled
            | Code::Unknown
            | Code::Internal
            | Code::Aborted
            | Code::ResourceExhausted => Self::Unavailable(text),
            Code::Ok
            | Code::InvalidArgument
            | Code::NotFound
            | Code::AlreadyExists
            | Code::PermissionDenied
            | Code::FailedPrecondition
            | Code::OutOfRange
            | Code::Unimplemented
            | Code::DataLoss
            | Code::Unauthenticated => Self::Refused(text),
        }
    }
}

impl From<SignError> for EnrolError {
    fn from(error: SignError) -> Self {
        Self::Identity(error.into())
    }
}

/// Enrols with a token and stores what the hub issues. The key is stored before the request is
/// sent. Waits while a person has to approve, and while the hub is away; `progress` is told.
pub async fn enrol(
    hub: &HubAddress,
    token: &EnrolToken,
    cluster: Option<&ClusterName>,
    folder: &IdentityFolder,
    mut progress: impl FnMut(String),
) -> Result<Identity, EnrolError> {
    let key = folder.key()?;
    let request = wire::EnrollRequest {
        token: token.to_string(),
        csr: csr(&key, cluster)?,
        cluster: cluster.map(ToString::to_string).unwrap_or_default(),
    };
    let mut backoff = Backoff::new(Duration::from_millis(500), LONGEST_WAIT);
    loop {
        let wait = match try_enrol(hub, token, request.clone()).await {
            Ok(Outcome::Issued(issued)) => {
                check_ca(&issued, token.ca_hash)?;
                return Ok(folder.store(issued, &key, None, Timestamp::now())?);
            }
            Ok(Outcome::Pending(pending)) => {
                progress(format!("waiting for approval: {}", pending.message));
                Duration::from_millis(pending.retry_after_ms)
                    .clamp(Duration::from_millis(200), LONGEST_WAIT)
            }
            Err(error) if error.is_retryable() => {
                progress(format!("{error}; trying again"));
                backoff.next_wait()
            }
            Err(error) => return Err(error),
        };
        tokio::time::sleep(wait).await;
    }
}

async fn try_enrol(
    hub: &HubAddress,
    token: &EnrolToken,
    request: wire::EnrollRequest,
) -> Result<Outcome, EnrolError> {
    let pin = PinnedCa::new(token.ca_hash);
    let mut client = connect_pinned(hub, pin).await?;
    let response = client.enroll(request).await?.into_inner();
    response.outcome.ok_or(EnrolError::Empty)
}

fn check_ca(issued: &wire::Issued, pinned: Digest) -> Result<(), EnrolError> {
    let certificates = tls::certificates(&issued.ca_pem).map_err(BadIdentity::from)?;
    let found = certificates.iter().map(|ca| Digest::of(ca)).next();
    match found {
        Some(found) if found == pinned => Ok(()),
        Some(found) => Err(EnrolError::OtherCa { found, pinned }),
        None => Err(EnrolError::Empty),
    }
}

/// Gets a new certificate for the same key, over a connection with the present one.
pub async fn renew(
    mut client: Client,
    identity: &Identity,
    folder: &IdentityFolder,
) -> Result<Identity, EnrolError> {
    let key = folder.key()?;
    let csr = csr(&key, Some(&identity.member.cluster))?;
    let response = client.renew(wire::RenewRequest { csr }).await?.into_inner();
    store(response, identity, folder, &key)
}

/// Gets a new certificate after the last one ended, with proof of its key.
pub async fn reenrol(
    hub: &HubAddress,
    identity: &Identity,
    folder: &IdentityFolder,
) -> Result<Identity, EnrolError> {
    let key = folder.key()?;
    let csr = csr(&key, Some(&identity.member.cluster))?;
    let chain = tls::certificates(&identity.chain_pem).map_err(BadIdentity::from)?;
    let request = wire::ReenrollRequest {
        certificate: chain.first().map(|leaf| leaf.to_vec()).unwrap_or_default(),
        signature: key.sign_bytes(Kind::Reenroll, &csr)?,
        csr,
    };
    let mut client = connect_anonymous(hub, &identity.ca_pem).await?;
    let response = client.reenroll(request).await?.into_inner();
    store(response, identity, folder, &key)
}

fn store(
    response: wire::EnrollResponse,
    identity: &Identity,
    folder: &IdentityFolder,
    key: &SignKey,
) -> Result<Identity, EnrolError> {
    match response.outcome {
        Some(Outcome::Issued(issued)) => {
            let expected = Some(&identity.member);
            Ok(folder.store(issued, key, expected, Timestamp::now())?)
        }
        Some(Outcome::Pending(pending)) => Err(EnrolError::Unavailable(pending.message)),
        None => Err(EnrolError::Empty),
    }
}

fn csr(key: &SignKey, cluster: Option<&ClusterName>) -> Result<Vec<u8>, EnrolError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    if let Some(cluster) = cluster {
        params
            .distinguished_name
            .push(DnType::CommonName, cluster.to_string());
    }
    let csr = params
        .serialize_request(key.pair())
        .map_err(|error| EnrolError::Request(error.to_string()))?;
    Ok(csr.der().to_vec())
}
