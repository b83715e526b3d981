//! What comes with a request: bodies, path names, query parameters, each refused with a problem
//! document that says what and where.

use std::str::FromStr;

use axum::{
    body::Bytes,
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
    http::{StatusCode, Uri, header, request::Parts},
};
use flagship_proto::model::text::{first_deceptive, no_letter};
use serde::de::DeserializeOwned;

use super::error::ApiError;

/// A JSON body; nothing at all counts as `{}`.
#[derive(Debug)]
pub struct Body<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let kind = content_type(&request);
        let bytes = bytes(request, state).await?;
        if bytes.is_empty() {
            return read_json(b"{}").map(Self);
        }
        if !kind.is_empty() && kind != "application/json" {
            return Err(other_kind(&kind, "send application/json"));
        }
        let value = read_json(&bytes)?;
        match serde_json::from_slice(&bytes).map(|document| first_deceptive(&document, false)) {
            Ok(Some((field, letter))) => Err(deceptive(letter).field(&field)),
            Ok(None) | Err(_) => Ok(Self(value)),
        }
    }
}

fn deceptive(letter: char) -> ApiError {
    ApiError::bad("body.characters", no_letter(letter)).remedy("leave it out")
}

/// A document as text, YAML or JSON.
#[derive(Debug)]
pub struct DocumentText(pub String);

impl<S: Send + Sync> FromRequest<S> for DocumentText {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Self, ApiError> {
        let kind = content_type(&request);
        let known = [
            "",
            "application/json",
            "application/yaml",
            "application/x-yaml",
            "text/yaml",
        ];
        if !known.contains(&kind.as_str()) {
            return Err(other_kind(
                &kind,
                "send application/yaml or application/json",
            ));
        }
        let bytes = bytes(request, state).await?;
        String::from_utf8(bytes.into())
            .map(Self)
            .map_err(|_| ApiError::bad("body.encoding", "the document is not UTF-8"))
    }
}

fn content_type(request: &Request) -> String {
    let header = request.headers().get(header::CONTENT_TYPE);
    let text = header
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let kind = text.split(';').next().unwrap_or_default();
    kind.trim().to_ascii_lowercase()
}

fn other_kind(kind: &str, remedy: &str) -> ApiError {
    let kind: String = kind.chars().take(80).collect();
    ApiError::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "body.type",
        format!("a body of type {kind} is not read here"),
    )
    .field("Content-Type")
    .remedy(remedy)
}

/// The whole body, which [`super::turns`] has read.
async fn bytes<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, ApiError> {
    let read = Bytes::from_request(request, state).await;
    read.map_err(|_| ApiError::bad("body.incomplete", "the body could not be read to its end"))
}

pub(crate) fn read_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut reader);
    let read = read.map_err(|error| (error.path().to_string(), error.into_inner()));
    let read = read.and_then(|value| match reader.end() {
        Ok(()) => Ok(value),
        Err(error) => Err((String::new(), error)),
    });
    read.map_err(|(path, error)| {
        let text = error.to_string();
        let what = text.split(" at line ").next().unwrap_or(&text).to_owned();
        let refusal = ApiError::bad("body.invalid", format!("the body is not valid: {what}"))
            .remedy("/api/v1/openapi.json has the schema");
        let refusal = match field_of(&path, &what) {
            Some(field) => refusal.field(&field),
            None => refusal,
        };
        if error.line() > 0 {
            refusal.at(error.line() as u64, error.column() as u64)
        } else {
            refusal
        }
    })
}

/// Which field is meant: where the reader was, and what it missed or did not know there.
fn field_of(path: &str, what: &str) -> Option<String> {
    let path = path.trim_matches(['.', '?']); // a question mark stands for what could not be read
    match quoted(what) {
        Some(name) if path.is_empty() || path == name => Some(name.to_owned()),
        Some(name) if path.ends_with(&format!(".{name}")) => Some(path.to_owned()),
        Some(name) => Some(format!("{path}.{name}")),
        None if path.is_empty() => None,
        None => Some(path.to_owned()),
    }
}

/// The field that serde names between backquotes in "unknown field `x`" and "missing field `x`".
fn quoted(text: &str) -> Option<&str> {
    let (_, rest) = text.split_once("field `")?;
    rest.split_once('`').map(|(field, _)| field)
}

/// Names in the path.
#[derive(Debug)]
pub struct Names<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Names<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        Path::<T>::from_request_parts(parts, state)
            .await
            .map(|Path(names)| Self(names))
            .map_err(|error| ApiError::bad("path.invalid", error.body_text()))
    }
}

/// Query parameters; unknown ones are refused by the type.
#[derive(Debug)]
pub struct Params<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Params<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        read_query(parts.uri.query().unwrap_or_default()).map(Self)
    }
}

pub(crate) fn read_query<T: DeserializeOwned>(query: &str) -> Result<T, ApiError> {
    let uri = Uri::try_from(format!("/?{query}"));
    let uri = uri.map_err(|error| ApiError::bad("query.invalid", format!("query: {error}")))?;
    Query::<T>::try_from_uri(&uri)
        .map(|Query(params)| params)
        .map_err(|error| {
            let text = error.body_text();
            let what = text.rsplit("query string: ").next().unwrap_or(&text);
            let refusal = ApiError::bad("query.invalid", format!("query: {what}"));
            match quoted(what) {
                Some(field) => refusal.field(field),
                None => refusal,
            }
        })
}

/// Reads a name of the request, and says which field it was.
pub fn named<T>(field: &str, text: &str) -> Result<T, ApiError>
where
    T: FromStr,
    T::Err: std::fmt::Display,
{
    text.parse()
        .map_err(|error: T::Err| ApiError::bad("name.invalid", error.to_string()).field(field))
}
