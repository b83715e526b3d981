//! The session's task: connect, speak, renew, reconnect. It moves messages between the stream and
//! the link, and decides nothing about workloads: a hub that is away changes none.

use std::time::{Duration, Instant};

use flagship_proto::{
    model::{AgentMessage, HubMessage},
    process::{metrics::counted, retry::Backoff, traces::Tracer},
    wire,
};
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;

use super::{
    Session, Then,
    connect::{Client, connect},
    enrol::{EnrolError, reenrol, renew},
    handle::LinkHandle,
    identity::{Identity, IdentityFolder},
    traced,
};
use crate::{config::HubAddress, metrics::Counters};

/// The longest wait between two connections.
const LONGEST_WAIT: Duration = Duration::from_secs(15);
/// Messages between the link and the stream; what waits beyond coalesces in the link.
const ON_THE_WAY: usize = 2;
/// How long a stream may take nothing before it is given up.
const PROGRESS_DEADLINE: Duration = Duration::from_secs(20);
/// A renewal that failed is tried again after this time at the earliest.
const RENEW_AGAIN: Duration = Duration::from_secs(60);

/// Keeps the session with the hub until shutdown.
#[derive(Debug)]
pub struct SessionTask {
    /// The link that it serves.
    pub link: LinkHandle,
    /// Where the hub is.
    pub hub: HubAddress,
    /// Who this agent is.
    pub identity: Identity,
    /// Where that is stored.
    pub folder: IdentityFolder,
    /// What is counted.
    pub counters: Counters,
    /// Where receipts are traced.
    pub tracer: Tracer,
    /// Ends it.
    pub shutdown: CancellationToken,
}

/// How a session ended.
enum Ended {
    /// The stream broke or the hub said goodbye.
    Gone { reason: String, then: Then },
    /// There is a new certificate, and a connection made with it.
    Renewed(Box<Client>),
    /// The process ends.
    Shutdown,
}

impl SessionTask {
    /// Runs until shutdown.
    pub async fn run(mut self) {
        let mut backoff = Backoff::new(Duration::from_millis(200), LONGEST_WAIT);
        let mut ready = None;
        self.count_down();
        let shutdown = self.shutdown.clone();
        loop {
            let client = match ready.take() {
                Some(client) => client,
                None => tokio::select! {
                    () = shutdown.cancelled() => return,
                    client = self.connect(&mut backoff) => client,
                },
            };
            let began = Instant::now();
            let ended = self.session(client).await;
            if self.was_welcome() {
                backoff.lasted(began.elapsed());
            }
            self.link.change(|link, _| link.disconnected());
            let (reason, then) = match ended {
                Ended::Shutdown => return,
                Ended::Renewed(client) => {
                    ready = Some(*client);
                    continue;
                }
                Ended::Gone { reason, then } => (reason, then),
            };
            tracing::warn!(code = "SessionEnded", hub = %self.hub, reason, "the session with the hub ended; workloads go on as their orders and leases allow");
            if then == Then::Reenrol {
                self.reenrol().await;
            }
            let wait = backoff.next_wait().max(then.wait());
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = tokio::time::sleep(wait) => {}
            }
        }
    }

    async fn connect(&mut self, backoff: &mut Backoff) -> Client {
        let mut told = String::new();
        loop {
            if self.identity.has_ended(self.link.now().wall) {
                self.reenrol().await;
            }
            match connect(&self.hub, &self.identity).await {
                Ok(client) => return client,
                Err(error) => {
                    let problem = error.to_string();
                    // Once a cause, not once a try.
                    if problem == told {
                        tracing::debug!(problem, "the hub is still not reached");
                    } else {
                        tracing::warn!(problem, "the hub is not reached, trying again");
                        told = problem;
                    }
                }
            }
            tokio::time::sleep(backoff.next_wait()).await;
        }
    }

    async fn reenrol(&mut self) {
        match reenrol(&self.hub, &self.identity, &self.folder).await {
            Ok(identity) => {
                tracing::info!(cluster = %identity.member.cluster, until = %identity.not_after, "enrolled again with the old key");
                self.adopt(identity);
            }
            Err(error) => {
                tracing::error!(%error, "the certificate has ended and enrolling again failed; workloads stay as they are")
            }
        }
    }

    fn adopt(&mut self, identity: Identity) {
        match identity.keys() {
            Ok(keys) => self.link.change(|link, _| link.reseal(Box::new(keys))),
            Err(error) => tracing::error!(%error, "the new certificate's key cannot sign"),
        }
        self.identity = identity;
        self.count_down();
    }

    fn count_down(&self) {
        let ends = u64::try_from(self.identity.not_after.as_second()).unwrap_or_default();
        self.counters.certificate_ends.set(counted(ends));
    }

    async fn session(&mut self, mut client: Client) -> Ended {
        let gone = |reason: String| Ended::Gone {
            reason,
            then: Then::Again,
        };
        let shutdown = self.shutdown.clone();
        let mut work = self.link.work();
        let (out, outgoing) = mpsc::channel::<wire::AgentMessage>(ON_THE_WAY);
        self.link.change(|link, _| link.connected());
        // The hub answers the call after the first message, so that has to be on its way.
        if let Some(hello) = self.next_message() {
            let _ = out.try_send(hello.into());
        }
        let renewing = client.clone();
        let opened = tokio::select! {
            () = shutdown.cancelled() => return Ended::Shutdown,
            opened = tokio::time::timeout(
                PROGRESS_DEADLINE,
                client.session(ReceiverStream::new(outgoing)),
            ) => opened,
        };
        let mut incoming = match opened {
            Ok(Ok(response)) => response.into_inner(),
            Ok(Err(status)) => return gone(describe(&status)),
            Err(_) => return gone("the hub did not answer the call".to_owned()),
        };
        self.counters.sessions.inc();
        tracing::info!(hub = %self.hub, "connected to the hub");
        let now = self.link.now().wall;
        let renewal = self.renew_when_due(renewing, self.identity.renew_after(now, rand::random()));
        let expiry = tokio::time::sleep(self.identity.ends_after(now));
        tokio::pin!(renewal, expiry);
        loop {
            work.borrow_and_update();
            let mut full = false;
            loop {
                let Ok(place) = out.try_reserve() else {
                    full = true;
                    break;
                };
                match self.next_message() {
                    Some(message) => place.send(message.into()),
                    None => break,
                }
            }
            if let Some(ended) = self.hung_up() {
                return ended;
            }
            let wait = self
                .link
                .quietly(|link, now| Some(link.wake_after(now)))
                .unwrap_or(LONGEST_WAIT)
                .max(Duration::from_millis(5));
            tokio::select! {
                () = shutdown.cancelled() => return Ended::Shutdown,
                message = incoming.message() => match message {
                    Ok(Some(message)) => self.receive(message),
                    Ok(None) => return gone("the hub closed the stream".to_owned()),
                    Err(status) => return gone(describe(&status)),
                },
                _ = work.changed(), if !full => {}
                () = tokio::time::sleep(wait), if !full => {}
                place = tokio::time::timeout(PROGRESS_DEADLINE, out.reserve()), if full => {
                    match place {
                        Ok(Ok(place)) => drop(place),
                        Ok(Err(_)) => return gone("the stream to the hub is gone".to_owned()),
                        Err(_) => return gone("the hub takes no messages".to_owned()),
                    }
                }
                (identity, client) = &mut renewal => {
                    tracing::info!(until = %identity.not_after, "certificate renewed");
                    self.adopt(identity);
                    return Ended::Renewed(Box::new(client));
                }
                () = &mut expiry => return Ended::Gone {
                    reason: "the certificate has ended".to_owned(),
                    then: Then::Reenrol,
                },
            }
        }
    }

    /// Renews when it is due and makes the second connection; tries again until the session ends.
    fn renew_when_due(
        &self,
        client: Client,
        after: Duration,
    ) -> impl Future<Output = (Identity, Client)> + use<> {
        let (hub, identity, folder) =
            (self.hub.clone(), self.identity.clone(), self.folder.clone());
        async move {
            tokio::time::sleep(after).await;
            loop {
                let renewed = async {
                    let new = renew(client.clone(), &identity, &folder).await?;
                    let client = connect(&hub, &new).await?;
                    Ok::<_, EnrolError>((new, client))
                };
                match renewed.await {
                    Ok(renewed) => return renewed,
                    Err(error) => {
                        tracing::warn!(%error, "the certificate was not renewed, trying again")
                    }
                }
                tokio::time::sleep(RENEW_AGAIN.mul_f64(1.0 + rand::random::<f64>())).await;
            }
        }
    }

    fn next_message(&self) -> Option<AgentMessage> {
        let message = self.link.quietly(|link, now| link.next_message(now));
        if let Some(AgentMessage::Receipt(signed)) = &message {
            traced::receipt(&self.tracer, &self.link, &signed.receipt);
        }
        message
    }

    fn receive(&self, message: wire::HubMessage) {
        let message = match HubMessage::try_from(message) {
            Ok(message) => message,
            Err(error) => {
                tracing::error!(%error, "a message of the hub is not understood and left out");
                return;
            }
        };
        let outcome = self
            .link
            .change(|link, now| link.receive(message, now).err());
        if outcome.is_some() {
            self.counters.refused.inc();
        }
        match outcome {
            Some(refused) if refused.is_normal() => {
                tracing::debug!(code = refused.code(), reason = %refused, "not taken")
            }
            Some(refused) => tracing::warn!(code = refused.code(), reason = %refused, "not taken"),
            None => {}
        }
    }

    fn was_welcome(&self) -> bool {
        self.link
            .quietly(|link, _| matches!(link.session(), Session::Welcomed { .. }))
    }

    fn hung_up(&self) -> Option<Ended> {
        let session = self.link.quietly(|link, _| Some(link.session().clone()));
        match session {
            Some(Session::Over(hangup)) => Some(Ended::Gone {
                reason: hangup.reason,
                then: hangup.then,
            }),
            Some(
                Session::Closed | Session::Opened | Session::Greeted | Session::Welcomed { .. },
            )
            | None => None,
        }
    }
}

fn describe(status: &tonic::Status) -> String {
    let words = status.message();
    if words.is_empty() {
        status.code().description().to_owned()
    } else {
        words.to_owned()
    }
}
