//! FleetLink's four calls, each handed to who decides: enrolment or the fleet.

use std::{collections::HashMap, sync::Arc, time::Duration};

use flagship_proto::{
    identity::PeerId,
    model::Goodbye,
    wire::{
        self, EnrollRequest, EnrollResponse, ReenrollRequest, RenewRequest,
        enroll_response::Outcome, fleet_link_server::FleetLink,
    },
};
use futures::task::AtomicWaker;
use tonic::{Request, Response, Status, Streaming};

use super::stream::{Answers, SessionStream};
use crate::{
    door::Peer,
    enrol::{Enrol, EnrolError, Enrolled},
    fleet::handle::{FleetHandle, Line},
    limit::Origin,
};

/// When who waits for approval asks again.
const ASK_AGAIN: Duration = Duration::from_secs(10);

/// The service.
#[derive(Debug)]
pub(super) struct Link {
    enrol: Arc<Enrol>,
    fleet: FleetHandle,
}

impl Link {
    pub(super) fn new(enrol: Arc<Enrol>, fleet: FleetHandle) -> Self {
        Self { enrol, fleet }
    }

    fn answer(&self, enrolled: Enrolled) -> EnrollResponse {
        let outcome = match enrolled {
            Enrolled::Issued {
                certificate,
                cluster,
                uid,
            } => Outcome::Issued(wire::Issued {
                chain_pem: certificate.chain_pem,
                ca_pem: self.enrol.ca_pem().to_owned(),
                cluster: cluster.to_string(),
                uid: uid.to_string(),
                fleet: self.enrol.fleet().to_string(),
                trust_domain: self.enrol.trust_domain().to_owned(),
                hub_keys: HashMap::from([self.fleet.signing_key()]),
            }),
            Enrolled::Pending { message } => Outcome::Pending(wire::Pending {
                message,
                retry_after_ms: u64::try_from(ASK_AGAIN.as_millis()).unwrap_or(u64::MAX),
            }),
        };
        EnrollResponse {
            outcome: Some(outcome),
        }
    }

    fn finish(
        &self,
        enrolled: Result<Enrolled, EnrolError>,
    ) -> Result<Response<EnrollResponse>, Status> {
        match enrolled {
            Ok(enrolled) => Ok(Response::new(self.answer(enrolled))),
            Err(error) => Err(status(&error)),
        }
    }
}

#[tonic::async_trait]
impl FleetLink for Link {
    type SessionStream = SessionStream;

    async fn enroll(
        &self,
        request: Request<EnrollRequest>,
    ) -> Result<Response<EnrollResponse>, Status> {
        let from = origin(&request)?;
        let EnrollRequest {
            token,
            csr,
            cluster,
        } = request.into_inner();
        let now = self.fleet.now();
        let enrolled = self.enrol.enroll(&token, &csr, &cluster, from, now).await;
        self.finish(enrolled)
    }

    async fn reenroll(
        &self,
        request: Request<ReenrollRequest>,
    ) -> Result<Response<EnrollResponse>, Status> {
        let from = origin(&request)?;
        let ReenrollRequest {
            certificate,
            csr,
            signature,
        } = request.into_inner();
        let now = self.fleet.now();
        let enrolled = self
            .enrol
            .reenroll(&certificate, &csr, &signature, from, now)
            .await;
        self.finish(enrolled)
    }

    async fn renew(
        &self,
        request: Request<RenewRequest>,
    ) -> Result<Response<EnrollResponse>, Status> {
        let peer = member(&request)?.0;
        self.checked(&peer).await.map_err(|last| refused(&last))?;
        let now = self.fleet.now();
        let csr = request.into_inner().csr;
        let enrolled = self.enrol.renew(&peer, &csr, now).await;
        self.finish(enrolled)
    }

    async fn session(
        &self,
        request: Request<Streaming<wire::AgentMessage>>,
    ) -> Result<Response<SessionStream>, Status> {
        let (peer, connection) = member(&request)?;
        let line = Line {
            waker: Arc::new(AtomicWaker::new()),
            cut: connection.guest.cut,
        };
        let opened = match self.checked(&peer).await {
            Ok(()) => self.fleet.open(peer.as_ref().clone(), line.clone()),
            Err(last) => Err(last),
        };
        let answers = match opened {
            Ok(id) => {
                tracing::info!(session = %id, cluster = %peer.cluster, uid = %peer.uid, "session opened");
                Answers::open(id, self.fleet.clone(), line, request.into_inner())
            }
            Err(last) => {
                tracing::info!(cluster = %peer.cluster, uid = %peer.uid, code = last.code.word(), reason = last.message, "session refused");
                Answers::refused(last)
            }
        };
        Ok(Response::new(answers))
    }
}

impl Link {
    /// Whether the peer may speak. A certificate that was issued a moment ago may not have reached the
    /// fleet's view yet.
    async fn checked(&self, peer: &PeerId) -> Result<(), Goodbye> {
        let checked = self.fleet.check_peer(peer);
        if checked.is_ok() {
            return checked;
        }
        self.fleet.caught_up().await;
        self.fleet.check_peer(peer)
    }
}

fn peer<T>(request: &Request<T>) -> Result<&Peer, Status> {
    let peer = request.extensions().get::<Peer>();
    peer.ok_or_else(|| Status::internal("the connection has no peer"))
}

fn origin<T>(request: &Request<T>) -> Result<Origin, Status> {
    peer(request).map(|peer| peer.origin)
}

fn member<T>(request: &Request<T>) -> Result<(Arc<PeerId>, Peer), Status> {
    let peer = peer(request)?.clone();
    let id = peer.id.clone().ok_or_else(|| {
        Status::unauthenticated(
            "a client certificate is needed: enrol first (`flagship-agent enroll`)",
        )
    })?;
    Ok((id, peer))
}

fn refused(last: &Goodbye) -> Status {
    Status::permission_denied(last.message.clone())
}

fn status(error: &EnrolError) -> Status {
    let words = error.to_string();
    match error {
        EnrolError::WrongToken(_)
        | EnrolError::Revoked(_)
        | EnrolError::Expired { .. }
        | EnrolError::Used(_)
        | EnrolError::Certificate(_)
        | EnrolError::GraceOver(_) => Status::unauthenticated(words),
        EnrolError::OtherName { .. }
        | EnrolError::NameTaken(_)
        | EnrolError::OtherKey(_)
        | EnrolError::NotActive { .. } => Status::permission_denied(words),
        EnrolError::Request(_) => Status::invalid_argument(words),
        EnrolError::Ca(_) => Status::internal(words),
        EnrolError::TooOften(_) => Status::resource_exhausted(words),
        EnrolError::Busy | EnrolError::Store(_) => Status::unavailable(words),
    }
}
