//! What requests may take of the hub at a time: bodies that are read, answers that are made and sent.
//!
//! Whoever asks has been let in by then. A body is read whole before anything is done, and only a plan may
//! be large: what stops a rollout is small, and waits for nobody's body. What reads much, or checks a plan,
//! is made on threads of its own, a few at a time, so that leases and aborts are never behind it; who may
//! stop has turns of their own, which those who may only look cannot take. An answer counts until it was
//! taken.

mod answer;

use std::{sync::Arc, thread::available_parallelism, time::Duration};

use axum::{
    body::{Body, Bytes, HttpBody as _},
    extract::{MatchedPath, Request, State},
    http::{Method, StatusCode},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use flagship_proto::model::TokenId;
use http_body_util::LengthLimitError;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

use super::{ApiState, error::ApiError};
use crate::{
    auth::{Access, Actor, Right, access},
    limit::{Entered, Rooms},
};

/// The largest body of a plan.
pub const LARGE_BODY: usize = 1024 * 1024;
/// The largest body of anything else.
pub const SMALL_BODY: usize = 64 * 1024;
/// Within which a body has to be there, its wait for a place included.
pub const BODY_DEADLINE: Duration = Duration::from_secs(30);
/// Plans that are read at a time.
const LARGE_BODIES: usize = 32;
/// Those of them of one credential; others of it wait.
pub const LARGE_OF_ONE: usize = 4;
/// Small bodies of one credential that are read at a time.
const SMALL_OF_ONE: usize = 256;
/// Reads of one credential that wait, are made, or are being sent.
pub const READS_OF_ONE: usize = 32;
/// Those of them that compete for a turn with others' reads.
const TURNS_OF_ONE: usize = 2;
/// How long a read waits for its turn.
const READ_DEADLINE: Duration = Duration::from_secs(30);

/// Places for what is asked.
#[derive(Debug)]
pub struct Turns {
    large: Arc<Semaphore>,
    large_of_one: Arc<Rooms<TokenId>>,
    small_of_one: Arc<Rooms<TokenId>>,
    reads_of_one: Arc<Rooms<TokenId>>,
    turns_of_one: Arc<Rooms<TokenId>>,
    long_of_one: Arc<Rooms<TokenId>>,
    /// Turns of those who may stop something.
    stoppers: Arc<Semaphore>,
    /// Turns of those who may only look.
    pub(super) viewers: Arc<Semaphore>,
    /// Turns of plans, which are checked whole.
    pub(super) plans: Arc<Semaphore>,
}

impl Default for Turns {
    fn default() -> Self {
        // Half of the machine at most reads for those who look.
        let half = available_parallelism().map_or(1, |cores| cores.get().div_ceil(2));
        Self {
            large: Arc::new(Semaphore::new(LARGE_BODIES)),
            large_of_one: Rooms::new(LARGE_OF_ONE),
            small_of_one: Rooms::new(SMALL_OF_ONE),
            reads_of_one: Rooms::new(READS_OF_ONE),
            turns_of_one: Rooms::new(TURNS_OF_ONE),
            long_of_one: Rooms::new(1),
            stoppers: Arc::new(Semaphore::new(half)),
            viewers: Arc::new(Semaphore::new(half)),
            plans: Arc::new(Semaphore::new(1)),
        }
    }
}

/// What a route takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Nothing to speak of, or what takes its turns by itself.
    Light,
    /// A look at much that is stored.
    Read,
    /// The whole audit log.
    Long,
    /// A small body.
    Body,
    /// The same, and a look at much that is stored.
    Asked,
    /// A large body, and much to check in it.
    Plan,
}

fn kind(method: &Method, path: &str) -> Kind {
    match (access(method, path), method == Method::POST, path) {
        (None | Some(Access::Open), ..) => Kind::Light,
        (_, false, "/api/v1/whoami" | "/api/v1/settings" | "/api/v1/events") => Kind::Light,
        (_, false, "/api/v1/audit/verify" | "/api/v1/audit/export") => Kind::Long,
        (_, true, "/api/v1/plans") => Kind::Plan,
        (_, true, "/api/v1/abort-preview") => Kind::Asked,
        (_, true, _) => Kind::Body,
        (_, false, _) if method == Method::DELETE => Kind::Body,
        (_, false, _) => Kind::Read,
    }
}

/// Gives each request what its route takes, if it is there.
pub async fn take(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let kind = kind(request.method(), path.map_or("", MatchedPath::as_str));
    let Some(actor) = request.extensions().get::<Actor>().cloned() else {
        return next.run(request).await;
    };
    let turns = &state.costs.turns;
    let taken = match kind {
        Kind::Light => return next.run(request).await,
        Kind::Read => turns.read(&actor, request, next).await,
        Kind::Long => turns.long(&actor, request, next).await,
        Kind::Body => match turns.body(&actor, request, SMALL_BODY).await {
            Ok((request, place)) => {
                drop(place);
                return next.run(request).await;
            }
            Err(refusal) => Err(refusal),
        },
        Kind::Asked => match turns.body(&actor, request, SMALL_BODY).await {
            Ok((request, place)) => {
                drop(place);
                turns.read(&actor, request, next).await
            }
            Err(refusal) => Err(refusal),
        },
        Kind::Plan => match turns.body(&actor, request, LARGE_BODY).await {
            Ok((request, _place)) => turns.made(&actor, request, next, &turns.plans).await,
            Err(refusal) => Err(refusal),
        },
    };
    taken.unwrap_or_else(ApiError::into_response)
}

impl Turns {
    /// The request with its whole body, in time and within what bodies may take; with the place that it
    /// had there.
    async fn body(
        &self,
        actor: &Actor,
        request: Request,
        most: usize,
    ) -> Result<(Request, Place), ApiError> {
        let deadline = Instant::now() + BODY_DEADLINE;
        let is_large = request.body().size_hint().lower() > most as u64;
        if is_large {
            return Err(too_large(most));
        }
        let place = if most > SMALL_BODY {
            let place = timeout_at(deadline, self.large(actor)).await;
            Place::Large(place.map_err(|_| busy("plans"))?)
        } else {
            let place = self.small_of_one.try_enter(actor.via.id().clone());
            Place::Small(place.ok_or_else(|| too_many("bodies", SMALL_OF_ONE))?)
        };
        let (parts, body) = request.into_parts();
        let bytes = timeout_at(deadline, whole(body, most)).await;
        let bytes = bytes.map_err(|_| slow())??;
        Ok((Request::from_parts(parts, Body::from(bytes)), place))
    }

    async fn large(&self, actor: &Actor) -> (Entered<TokenId>, Option<OwnedSemaphorePermit>) {
        let of_one = self.large_of_one.enter(actor.via.id().clone()).await;
        (of_one, self.large.clone().acquire_owned().await.ok())
    }

    /// A look at what is stored; who may stop has turns that others cannot take.
    async fn read(
        &self,
        actor: &Actor,
        request: Request,
        next: Next,
    ) -> Result<Response, ApiError> {
        self.made(actor, request, next, self.of(actor)).await
    }

    /// Among whom somebody looks.
    fn of(&self, actor: &Actor) -> &Arc<Semaphore> {
        match actor.grants.somewhere(Right::Stop) {
            Ok(()) => &self.stoppers,
            Err(_) => &self.viewers,
        }
    }

    /// A turn, as soon as it is theirs; what is done in it is done on a thread of its own.
    pub(super) async fn turn(&self, actor: &Actor) -> Turn {
        self.turn_among(actor, self.of(actor)).await
    }

    async fn turn_among(&self, actor: &Actor, turns: &Arc<Semaphore>) -> Turn {
        let of_one = self.turns_of_one.enter(actor.via.id().clone()).await;
        Turn {
            _of_one: of_one,
            _one: turns.clone().acquire_owned().await.ok(),
        }
    }

    /// Made when it is its turn, off the threads that carry leases and aborts.
    async fn made(
        &self,
        actor: &Actor,
        request: Request,
        next: Next,
        turns: &Arc<Semaphore>,
    ) -> Result<Response, ApiError> {
        let place = self.reads_of_one.try_enter(actor.via.id().clone());
        let place = place.ok_or_else(|| too_many("reads", READS_OF_ONE))?;
        let deadline = Instant::now() + READ_DEADLINE;
        let turn = timeout_at(deadline, self.turn_among(actor, turns)).await;
        let turn = turn.map_err(|_| busy("reads"))?;
        let runtime = tokio::runtime::Handle::current();
        let making = tokio::task::spawn_blocking(move || {
            // It ends with the answer, also where nobody waits for it any more.
            let _turn = turn;
            runtime.block_on(async { answer::held(next.run(request).await, place).await })
        });
        making.await.map_err(|_| broken())?
    }

    /// The whole log, of one credential once at a time.
    async fn long(
        &self,
        actor: &Actor,
        request: Request,
        next: Next,
    ) -> Result<Response, ApiError> {
        let place = self.long_of_one.try_enter(actor.via.id().clone());
        let place = place.ok_or_else(|| too_many("reads of the whole log", 1))?;
        answer::held(next.run(request).await, place).await
    }
}

/// A turn to read much; given back when dropped.
#[derive(Debug)]
pub(super) struct Turn {
    _of_one: Entered<TokenId>,
    _one: Option<OwnedSemaphorePermit>,
}

/// A place of a body that is read, or of a plan until it is checked.
enum Place {
    Small(#[expect(dead_code, reason = "held")] Entered<TokenId>),
    Large(#[expect(dead_code, reason = "held")] (Entered<TokenId>, Option<OwnedSemaphorePermit>)),
}

async fn whole(body: Body, most: usize) -> Result<Bytes, ApiError> {
    axum::body::to_bytes(body, most).await.map_err(|error| {
        let source = std::error::Error::source(&error);
        if source.is_some_and(|source| source.is::<LengthLimitError>()) {
            too_large(most)
        } else {
            ApiError::bad("body.incomplete", "the body could not be read to its end")
        }
    })
}

fn too_large(most: usize) -> ApiError {
    let detail = format!("the body has more than {most} bytes");
    let remedy = if most == LARGE_BODY {
        "send less; a plan that large is split into several"
    } else {
        "send less; only plans may be larger"
    };
    ApiError::new(StatusCode::PAYLOAD_TOO_LARGE, "body.tooLarge", detail).remedy(remedy)
}

fn slow() -> ApiError {
    let seconds = BODY_DEADLINE.as_secs();
    let detail = format!("the body did not come within {seconds} s");
    ApiError::new(StatusCode::REQUEST_TIMEOUT, "body.slow", detail).remedy("send it again")
}

fn too_many(what: &str, most: usize) -> ApiError {
    let detail = format!("this token has {most} {what} under way already");
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, "asks.tooMany", detail)
        .remedy(
            "ask for one after the other, or follow /api/v1/events; others have their own places",
        )
        .after(1)
}

fn busy(what: &str) -> ApiError {
    let detail = format!("too many {what} wait for their turn");
    ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "asks.busy", detail)
        .remedy("try again; what stops a rollout does not wait for them")
        .after(5)
}

fn broken() -> ApiError {
    let detail = "the answer could not be made";
    ApiError::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", detail)
}
