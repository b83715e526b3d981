//! Who calls: the bearer token, the right that the route needs, and why the caller does it.

use axum::{
    extract::{FromRequestParts, MatchedPath, Request, State},
    http::{HeaderMap, Method, StatusCode, header, request::Parts},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use flagship_proto::{
    command::{Command, OPEN},
    model::{
        ProjectName,
        text::{is_deceptive, no_letter, on_one_line},
    },
    tls::PeopleCa,
    words::moment,
};
use percent_encoding::percent_decode_str;
use rustls::pki_types::CertificateDer;

use super::{ApiState, body::named, error::ApiError, metrics, tag::if_match};
use crate::{
    api::types::common::{REASON, TICKET},
    auth::{Access, Actor, Object, On, Right, access, routes::ROUTES},
    door::Peer,
    limit::Origin,
    ops::{Caller, OpError},
    records::TokenRow,
};

/// The longest reason, ticket or key that is kept.
const LONGEST: usize = 2000;

/// Lets a request through if the table of routes says so; without a row in it nobody passes.
pub async fn authenticate(
    State(state): State<ApiState>,
    mut request: Request,
    next: Next,
) -> Response {
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let path = matched.as_ref().map_or("", MatchedPath::as_str);
    let needed = match access(request.method(), path) {
        Some(Access::Open) => return next.run(request).await,
        Some(Access::Needs(..)) if path == metrics::PATH && state.metrics.open => {
            return next.run(request).await;
        }
        Some(Access::Needs(right, on)) => Some((right, on)),
        // The path may be known for other methods: then the router says so, to those with a token.
        None if ROUTES.iter().any(|(_, known, _)| *known == path) => None,
        None => return unlisted().into_response(),
    };
    let chain = request
        .extensions()
        .get::<Peer>()
        .map(|peer| peer.chain.clone());
    let actor = match identify(
        &state,
        request.headers(),
        chain.as_deref().unwrap_or_default(),
    ) {
        Ok(actor) => actor,
        Err(refusal) => {
            let peer = request.extensions().get::<Peer>();
            let came_with_one = request.headers().contains_key(header::AUTHORIZATION)
                || chain.is_some_and(|chain| !chain.is_empty());
            let from = peer.filter(|_| came_with_one).map(|peer| peer.origin);
            return unidentified(&state, from, refusal).await.into_response();
        }
    };
    if let Some(peer) = request.extensions().get::<Peer>()
        && !peer.guest.is_known()
        && let Some(place) = state.costs.visit(actor.via.id())
    {
        peer.guest.is_known_by(place);
    }
    if let Some((right, on)) = needed {
        match enter(&actor, (right, on), path, request.uri().path()) {
            Ok(Entered::Seen) => {}
            Ok(Entered::Unlooked(project)) => {
                request.extensions_mut().insert(Unlooked(project));
            }
            Err(refusal) => {
                let detail = &refusal.problem().detail;
                if let Some(why) = state.costs.forbidden(actor.via.id(), detail, state.now()) {
                    tracing::info!(code = "auth.forbidden", via = %actor.via, actor = actor.name, %right, path, why, "request refused");
                }
                return refusal.into_response();
            }
        }
    }
    state.ops.note_use(actor.via.id(), state.now().wall);
    request.extensions_mut().insert(actor);
    next.run(request).await
}

/// A project of which only its plans say whether the caller sees something in it.
#[derive(Debug, Clone)]
struct Unlooked(ProjectName);

/// How a caller stands at a route.
enum Entered {
    /// What is left to look at is looked at by what answers.
    Seen,
    /// A project has to be looked through first.
    Unlooked(ProjectName),
}

/// Whether a caller may enter a route at all: with its right over the fleet, over something in the
/// project of the path, or over something. A project of which they see nothing is none. Nothing that is
/// stored is read here, before anybody's turn; what changes something looks at its object itself.
fn enter(
    actor: &Actor,
    (right, on): (Right, On),
    route: &str,
    path: &str,
) -> Result<Entered, ApiError> {
    let grants = &actor.grants;
    let project = project(route, path)?;
    if let Some(project) = &project
        && grants.in_project(Right::View, project).is_err()
    {
        return Err(no_project(project));
    }
    let entered = match (on, &project) {
        (On::Fleet, _) if grants.over_fleet(right) => Ok(()),
        (On::Fleet, _) => Err(grants.refusal(right, &Object::Fleet)),
        (On::Part, Some(project)) => grants.in_project(right, project),
        (On::Part, None) => grants.somewhere(right),
    };
    entered.map_err(|missing| OpError::forbidden(&actor.name, &missing))?;
    let is_read = matches!(right, Right::View);
    let project = project.filter(|project| is_read && !grants.sees(Object::Project(project)));
    Ok(project.map_or(Entered::Seen, Entered::Unlooked))
}

/// Looks again, once it is the caller's turn and the body is there: whether who was let in still is, as that
/// takes as long as the caller likes; and through a project.
pub async fn look(State(state): State<ApiState>, request: Request, next: Next) -> Response {
    let asked = request.extensions();
    if let Some(actor) = asked.get::<Actor>() {
        match state.ops.is_still_in(&actor.via, state.now().wall) {
            Ok(true) => {}
            Ok(false) => return gone(actor).into_response(),
            Err(error) => return ApiError::from(error).into_response(),
        }
    }
    if let (Some(Unlooked(project)), Some(actor)) = (asked.get(), asked.get::<Actor>())
        && !state.sight(&actor.grants).project(project)
    {
        return no_project(project).into_response();
    }
    next.run(request).await
}

fn gone(actor: &Actor) -> ApiError {
    let detail = format!("{} was revoked or has ended meanwhile", actor.via);
    ApiError::new(StatusCode::UNAUTHORIZED, "auth.token", detail)
        .field("Authorization")
        .remedy("nothing was changed; log in with another token")
}

/// A project that is not there, or of which nothing is seen.
pub(super) fn no_project(project: &ProjectName) -> ApiError {
    ApiError::not_found("project.notFound", format!("there is no project {project}"))
        .field("project")
        .remedy("`flagship get projects` lists them; applying a plan makes its project")
}

/// Where a project stands in a path: `/api/v1/projects/{project}`.
const PROJECT: usize = 4;

/// The project that a path names, if its route does; one that is not valid is refused.
fn project(route: &str, path: &str) -> Result<Option<ProjectName>, ApiError> {
    if route.split('/').nth(PROJECT) != Some("{project}") {
        return Ok(None);
    }
    let segment = path.split('/').nth(PROJECT).unwrap_or_default();
    let text = percent_decode_str(segment).decode_utf8_lossy();
    named("project", &text).map(Some)
}

/// Counts and writes down a wrong token; many of them from one address are told to wait.
async fn unidentified(state: &ApiState, from: Option<Origin>, refusal: ApiError) -> ApiError {
    let Some(from) = from else {
        return refusal;
    };
    let now = state.now();
    let detail = &refusal.problem().detail;
    let wrong = state.costs.wrong_token(from, detail, now);
    if let Some(reason) = wrong.written {
        state.ops.note_wrong_token(from, &reason, now).await;
    }
    if !wrong.is_too_often {
        return refusal;
    }
    let detail = format!("too many wrong tokens came from {from}");
    ApiError::new(StatusCode::TOO_MANY_REQUESTS, "auth.tooOften", detail)
        .field("Authorization")
        .remedy("wait a minute; a right token passes at any time")
}

fn unlisted() -> ApiError {
    ApiError::new(
        StatusCode::FORBIDDEN,
        "auth.unlisted",
        "nobody may call this route: the table of rights does not list it",
    )
}

/// By the token of a request; without one by the certificate of its connection.
fn identify(
    state: &ApiState,
    headers: &HeaderMap,
    chain: &[CertificateDer<'_>],
) -> Result<Actor, ApiError> {
    if let Some(people) = &state.people
        && !headers.contains_key(header::AUTHORIZATION)
        && !chain.is_empty()
    {
        return certified(state, people, headers, chain);
    }
    let unknown = |detail: &str| {
        ApiError::new(StatusCode::UNAUTHORIZED, "auth.token", detail)
            .field("Authorization")
            .remedy("log in with `flagship login`, or send `Authorization: Bearer TOKEN`")
    };
    let header = headers
        .get(header::AUTHORIZATION)
        .ok_or_else(|| unknown("no token came with the request"))?;
    let text = header.to_str().unwrap_or_default();
    let (scheme, token) = text.split_once(' ').unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err(unknown("the Authorization header carries no bearer token"));
    }
    let Some(row) = state.ops.token(token.trim())? else {
        return Err(unknown("the token is not known, was revoked, or has ended"));
    };
    if row.is_live(state.now().wall) {
        return Ok(row.actor());
    }
    // Who has the whole of it may know what became of it.
    let another = Command::flagship("token create").of("--name").of(&row.name);
    let another = another.of("--role").of(OPEN);
    let over = unknown(&outlived(&row));
    Err(over.remedy(&format!("an admin makes another: {another}")))
}

/// When a token was revoked, or ended.
fn outlived(row: &TokenRow) -> String {
    let (id, name) = (&row.id, &row.name);
    match (row.revoked, row.expires) {
        (Some(at), _) => format!("token {id} of {name} was revoked at {}", moment(at)),
        (None, Some(at)) => format!("token {id} of {name} ended at {}", moment(at)),
        (None, None) => format!("token {id} of {name} has ended"),
    }
}

fn certified(
    state: &ApiState,
    people: &PeopleCa,
    headers: &HeaderMap,
    chain: &[CertificateDer<'_>],
) -> Result<Actor, ApiError> {
    let refused = |detail: String, remedy: &str| {
        ApiError::new(StatusCode::UNAUTHORIZED, "auth.certificate", detail).remedy(remedy)
    };
    // A browser shows its certificate to whoever makes it ask, also from another's page.
    if headers.contains_key(header::ORIGIN) || headers.contains_key("sec-fetch-site") {
        let detail = "certificates let in command lines, no browsers".to_owned();
        return Err(refused(detail, "log in with a token"));
    }
    let now = state.now().wall;
    let person = people.judge(chain, now).map_err(|why| {
        let remedy =
            "use a certificate of the CA that the hub was given with --people-ca, or a token";
        refused(why.to_string(), remedy)
    })?;
    Ok(state.ops.certified(&person, now)?)
}

/// Who asks.
#[derive(Debug, Clone)]
pub struct Who(pub Actor);

impl<S: Send + Sync> FromRequestParts<S> for Who {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        let actor = parts.extensions.get::<Actor>().cloned();
        actor.map(Self).ok_or_else(unlisted)
    }
}

/// Who changes something, and why.
#[derive(Debug, Clone)]
pub struct By(pub Caller);

impl<S: Send + Sync> FromRequestParts<S> for By {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Who(actor) = Who::from_request_parts(parts, state).await?;
        let key = given(&parts.headers, "idempotency-key")?;
        if parts.method == Method::GET {
            return Err(unlisted());
        }
        Ok(Self(Caller {
            actor: actor.name,
            via: Some(actor.via),
            grants: actor.grants,
            reason: said(&parts.headers, REASON)?.unwrap_or_default(),
            ticket: said(&parts.headers, TICKET)?,
            idempotency_key: key,
            answered: parts.extensions.get().cloned().unwrap_or_default(),
            known: if_match(&parts.headers)?,
        }))
    }
}

/// A text that somebody said in a header. Nobody's stop is refused for a character in its reason, which may
/// have been pasted: what deceives is shown as such instead.
fn said(headers: &HeaderMap, name: &str) -> Result<Option<String>, ApiError> {
    Ok(text_of(headers, name)?.map(|text| on_one_line(&text)))
}

/// A word in a header, which has to be as it is written.
pub(crate) fn given(headers: &HeaderMap, name: &str) -> Result<Option<String>, ApiError> {
    let text = text_of(headers, name)?;
    let mut letters = text.iter().flat_map(|text| text.chars());
    if let Some(letter) = letters.find(|letter| is_deceptive(*letter)) {
        return Err(invalid(name, &no_letter(letter)));
    }
    Ok(text)
}

fn invalid(name: &str, what: &str) -> ApiError {
    ApiError::bad("header.invalid", format!("{name} is not valid: {what}")).field(name)
}

fn text_of(headers: &HeaderMap, name: &str) -> Result<Option<String>, ApiError> {
    let Some(value) = headers.get(name) else {
        return Ok(None);
    };
    let invalid = |what: &str| invalid(name, what);
    let value = value
        .to_str()
        .map_err(|_| invalid("write what is not ASCII as percent-encoded UTF-8"))?;
    let text = percent_decode_str(value)
        .decode_utf8()
        .map_err(|_| invalid("it is not UTF-8"))?;
    let text = text.trim();
    if text.len() > LONGEST {
        return Err(invalid(&format!("it has more than {LONGEST} bytes")));
    }
    Ok(Some(text.to_owned()).filter(|text| !text.is_empty()))
}
