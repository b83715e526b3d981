//! The OpenAPI document: generated from the code, then completed from the table of routes, so that
//! every route says what it needs and how it refuses.

use axum::{
    Extension,
    body::Bytes,
    http::header,
    response::{IntoResponse, Response},
};
use utoipa::{
    PartialSchema as _, ToSchema as _,
    openapi::{
        Components, Content, Info, OpenApi, OpenApiBuilder, Ref, RefOr, Required, ResponseBuilder,
        path::{HttpMethod, Operation, ParameterBuilder, ParameterIn},
        schema::{ObjectBuilder, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use super::types::{LintLevel, LintNote, Problem};
use crate::auth::{Access, access};

/// The document as it is served, encoded once.
#[derive(Debug, Clone)]
pub struct Served(Bytes);

impl Served {
    /// Encodes it.
    pub fn new(document: &OpenApi) -> Self {
        let json = serde_json::to_vec(document).expect("the document is plain data");
        Self(json.into())
    }
}

/// Serves the document.
pub async fn serve(Extension(served): Extension<Served>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], served.0).into_response()
}

/// Title, version and the way to authenticate.
pub fn base() -> OpenApi {
    let mut info = Info::new("Flagship", env!("CARGO_PKG_VERSION"));
    info.description = Some("Progressive delivery for a fleet of clusters.".to_owned());
    let mut components = Components::new();
    components.add_security_scheme(
        "bearer",
        SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build()),
    );
    components
        .schemas
        .insert("Problem".to_owned(), Problem::schema());
    components
        .schemas
        .insert("LintNote".to_owned(), LintNote::schema());
    components
        .schemas
        .insert("LintLevel".to_owned(), LintLevel::schema());
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        .build()
}

/// Adds what all routes share: security, refusals, and the headers of changes.
pub fn finish(mut document: OpenApi) -> OpenApi {
    for (path, item) in &mut document.paths.paths {
        for (method, operation) in [
            (HttpMethod::Get, &mut item.get),
            (HttpMethod::Post, &mut item.post),
            (HttpMethod::Delete, &mut item.delete),
        ] {
            if let Some(operation) = operation {
                complete(path, &method, operation);
            }
        }
    }
    document
}

fn complete(path: &str, method: &HttpMethod, operation: &mut Operation) {
    let (name, changes) = match method {
        HttpMethod::Get => (http::Method::GET, false),
        HttpMethod::Delete => (http::Method::DELETE, true),
        HttpMethod::Post
        | HttpMethod::Put
        | HttpMethod::Options
        | HttpMethod::Head
        | HttpMethod::Patch
        | HttpMethod::Trace => (http::Method::POST, path != "/api/v1/abort-preview"),
    };
    let mut refusals = vec![(503, "the store cannot be read or written now")];
    if let Some(Access::Needs(right)) = access(&name, path) {
        operation.security = Some(vec![SecurityRequirement::new(
            "bearer",
            Vec::<String>::new(),
        )]);
        let needs = format!("Needs the right to {right}.");
        operation.description = Some(match operation.description.take() {
            Some(text) => format!("{text}\n\n{needs}"),
            None => needs,
        });
        refusals.extend([
            (400, "the request is not valid"),
            (401, "no token, or not a good one"),
            (403, "the token's role has not this right"),
            (
                429,
                "too many wrong tokens from this address, or too many streams",
            ),
        ]);
    }
    if path.contains('{') || name != http::Method::GET {
        refusals.push((404, "what was named is not there"));
    }
    if name == http::Method::POST {
        refusals.extend([
            (408, "the body did not come in time"),
            (413, "the body has more than 1 MiB"),
            (415, "this kind of body is not read"),
            (422, "the document is not valid"),
        ]);
    }
    if changes {
        refusals.extend([
            (
                409,
                "not possible as things stand, or another request has this key",
            ),
            (422, "the document is not valid"),
        ]);
        for (header, text) in [
            (
                "Idempotency-Key",
                "the same key with the same request happens once",
            ),
            (
                "Flagship-Reason",
                "why, in your words; percent-encoded UTF-8",
            ),
            ("Flagship-Ticket", "the ticket that it belongs to"),
        ] {
            let parameter = ParameterBuilder::new()
                .name(header)
                .parameter_in(ParameterIn::Header)
                .required(Required::False)
                .description(Some(text))
                .schema(Some(
                    ObjectBuilder::new()
                        .schema_type(Type::String)
                        .max_length(Some(2000)),
                ))
                .build();
            operation
                .parameters
                .get_or_insert_default()
                .push(parameter.into());
        }
    }
    for (status, text) in refusals {
        let schema: RefOr<_> = Ref::from_schema_name(Problem::name()).into();
        let response = ResponseBuilder::new()
            .description(text)
            .content("application/problem+json", Content::new(Some(schema)))
            .build();
        let responses = &mut operation.responses.responses;
        responses
            .entry(status.to_string())
            .or_insert_with(|| response.into());
    }
}
