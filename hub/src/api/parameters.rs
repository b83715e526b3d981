//! Query parameters that nobody reads are refused, on every route: which ones each reads is what the
//! document says of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use axum::{
    extract::{MatchedPath, Request, State},
    http::Method,
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use utoipa::openapi::{
    OpenApi,
    path::{Operation, ParameterIn},
};

use super::{error::ApiError, openapi::parameters};

/// The parameters of each route.
#[derive(Debug, Clone, Default)]
pub struct Parameters(Arc<BTreeMap<(Method, String), BTreeSet<String>>>);

impl Parameters {
    /// As the document says.
    pub fn of(document: &OpenApi) -> Self {
        let mut known = BTreeMap::new();
        for (path, item) in &document.paths.paths {
            for (method, operation) in [
                (Method::GET, &item.get),
                (Method::POST, &item.post),
                (Method::DELETE, &item.delete),
            ] {
                if let Some(operation) = operation {
                    known.insert((method, path.clone()), query(operation));
                }
            }
        }
        Self(Arc::new(known))
    }
}

fn query(operation: &Operation) -> BTreeSet<String> {
    parameters(operation)
        .filter(|parameter| parameter.parameter_in == ParameterIn::Query)
        .map(|parameter| parameter.name.clone())
        .collect()
}

/// Lets a request through that has no other parameters than its route reads.
pub async fn check(State(known): State<Parameters>, request: Request, next: Next) -> Response {
    let matched = request.extensions().get::<MatchedPath>();
    let path = matched.map_or("", MatchedPath::as_str).to_owned();
    let method = match *request.method() {
        Method::HEAD => Method::GET,
        ref other => other.clone(),
    };
    let query = request.uri().query().unwrap_or_default();
    if let Some(known) = known.0.get(&(method, path)) {
        let names = query.split('&').filter(|pair| !pair.is_empty());
        let mut names = names.map(|pair| pair.split('=').next().unwrap_or_default());
        if let Some(other) = names.find(|name| !known.contains(*name)) {
            return unknown(other, known).into_response();
        }
    }
    next.run(request).await
}

fn unknown(name: &str, known: &BTreeSet<String>) -> ApiError {
    let name: String = name.chars().take(80).collect();
    let remedy = if known.is_empty() {
        "this path reads no parameters".to_owned()
    } else {
        let known: Vec<&str> = known.iter().map(String::as_str).collect();
        format!("this path reads {}", known.join(", "))
    };
    ApiError::bad("query.invalid", format!("query: unknown field `{name}`"))
        .field(&name)
        .remedy(&remedy)
}
