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
        path::{HttpMethod, Operation, Parameter, ParameterBuilder, ParameterIn},
        schema::{ObjectBuilder, Type},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use super::{
    page::SOME_FIELDS,
    types::{LintLevel, LintNote, Problem, SomeFields},
};
use crate::auth::{Access, On, access};

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
    for (name, schema) in [
        ("Problem", Problem::schema()),
        ("LintNote", LintNote::schema()),
        ("LintLevel", LintLevel::schema()),
        ("SomeFields", SomeFields::schema()),
    ] {
        components.schemas.insert(name.to_owned(), schema);
    }
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
    operation.operation_id = Some(operation_id(path, method));
    let (name, changes) = match method {
        HttpMethod::Get => (http::Method::GET, false),
        HttpMethod::Delete => (http::Method::DELETE, true),
        // These store nothing: one only asks, the other sends a message.
        HttpMethod::Post if path.ends_with("-preview") || path.ends_with("/test") => {
            (http::Method::POST, false)
        }
        HttpMethod::Post
        | HttpMethod::Put
        | HttpMethod::Options
        | HttpMethod::Head
        | HttpMethod::Patch
        | HttpMethod::Trace => (http::Method::POST, true),
    };
    if parameters(operation).any(|parameter| parameter.name == "fields") {
        answer_fields(operation);
    }
    let mut refusals = vec![(
        503,
        "the store cannot be read or written now, or too many wait for their turn",
    )];
    // Said before the request is read: it has no body.
    let too_large = ResponseBuilder::new().description("the head of the request is too large");
    let responses = &mut operation.responses.responses;
    responses.insert("431".to_owned(), too_large.build().into());
    if let Some(Access::Needs(right, on)) = access(&name, path) {
        operation.security = Some(vec![SecurityRequirement::new(
            "bearer",
            Vec::<String>::new(),
        )]);
        let over = match on {
            On::Fleet => " over the whole fleet",
            On::Part => "; what the caller may not see is not there",
        };
        let needs = format!("Needs the right to {right}{over}.");
        operation.description = Some(match operation.description.take() {
            Some(text) => format!("{text}\n\n{needs}"),
            None => needs,
        });
        refusals.extend([
            (400, "the request is not valid"),
            (401, "no token, or not a good one"),
            (403, "the caller has not this right over what is meant"),
            (
                429,
                "too many wrong tokens from this address, or too much at a time by one token",
            ),
        ]);
    }
    if path.contains('{') || name != http::Method::GET {
        refusals.push((404, "what was named is not there"));
    }
    if name == http::Method::POST {
        refusals.extend([
            (408, "the body did not come in time"),
            (
                413,
                "the body has more than 64 KiB, that of a plan more than 1 MiB",
            ),
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
            (412, "what If-Match means has changed since"),
            (422, "the document is not valid"),
        ]);
        for (header, text) in [
            (
                "If-Match",
                "only if what is changed is still as in the answer with this ETag",
            ),
            (
                "Idempotency-Key",
                "the same key with the same request happens once, and is given the first answer again",
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

/// A name that no other operation has: `get-projects-project-plans`.
fn operation_id(path: &str, method: &HttpMethod) -> String {
    let verb = match method {
        HttpMethod::Get => "get",
        HttpMethod::Delete => "delete",
        HttpMethod::Post => "post",
        HttpMethod::Put => "put",
        HttpMethod::Options => "options",
        HttpMethod::Head => "head",
        HttpMethod::Patch => "patch",
        HttpMethod::Trace => "trace",
    };
    let path = path.trim_start_matches("/api/v1");
    let words = path.split(['/', '{', '}']).filter(|word| !word.is_empty());
    words.fold(verb.to_owned(), |id, word| format!("{id}-{word}"))
}

/// The parameters of an operation that stand in it.
pub fn parameters(operation: &Operation) -> impl Iterator<Item = &Parameter> {
    let parameters = operation.parameters.iter().flatten();
    parameters.filter_map(|parameter| match parameter {
        RefOr::T(parameter) => Some(parameter),
        RefOr::Ref(_) => None,
    })
}

/// A list's page may come with some fields of each item.
fn answer_fields(operation: &mut Operation) {
    let schema: RefOr<_> = Ref::from_schema_name(SomeFields::name()).into();
    if let Some(RefOr::T(whole)) = operation.responses.responses.get_mut("200") {
        let some = Content::new(Some(schema));
        whole.content.insert(SOME_FIELDS.to_owned(), some.into());
    }
}
