//! The OpenAPI document: made of the routes, and finished with what every operation has in common.

use super::problem::Problem;
use crate::shared::{Shared, State};
use axum::{
    Router,
    extract::State as Extract,
    http::header::CONTENT_TYPE,
    response::{IntoResponse, Response},
};
use std::sync::Arc;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        Components, Content, Info, License, OpenApi, OpenApiBuilder, Ref, ResponseBuilder, Tag,
        path::{Operation, PathItem},
        security::{Http, HttpAuthScheme, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

const ABOUT: &str = "\
What a running broker has, and what can be done with it. Every operation but `/livez` and `/readyz` needs a bearer token \
with the scope that stands with it: `read` to look at everything, `publish` to publish, `manage` for all other changes. \
Lists are read page by page: `next` of one is the `cursor` of the following. What goes wrong is told as \
`application/problem+json`, with a `code` for programs.";

const TAGS: [(&str, &str); 8] = [
    ("clients", "Clients that are connected."),
    (
        "sessions",
        "Sessions, connected or not, and their messages.",
    ),
    ("subscriptions", "Who wants which messages."),
    ("topics", "Topic filters in use."),
    (
        "retained",
        "Messages that are kept for those who subscribe later.",
    ),
    ("messages", "Publishing."),
    ("broker", "The broker itself."),
    (
        "health",
        "Whether it is there, for probes. Open to everybody.",
    ),
];

/// What an operation with a token may answer besides what it says itself.
const IN_COMMON: [(&str, &str, &str); 7] = [
    (
        "400",
        "InvalidRequest",
        "Something in the request is not as it should be.",
    ),
    (
        "401",
        "Unauthorized",
        "There is no token, or none that is good.",
    ),
    (
        "403",
        "Forbidden",
        "The token has not the scope, or another site's page asks.",
    ),
    ("413", "TooLarge", "The body is too long."),
    ("421", "Misdirected", "The request is for another host."),
    ("429", "TooMany", "Too many requests with a wrong token."),
    (
        "503",
        "Unavailable",
        "The broker gave no answer in time, or has stopped.",
    ),
];

/// What there is before the routes.
pub(super) fn begin() -> OpenApi {
    let mut info = Info::new("Sanderling management API", env!("CARGO_PKG_VERSION"));
    info.description = Some(ABOUT.into());
    info.license = Some(License::new(env!("CARGO_PKG_LICENSE")));
    let mut token = Http::new(HttpAuthScheme::Bearer);
    token.description = Some("A token of the broker's operator.".into());
    let mut components = Components::new();
    components.add_security_scheme("token", SecurityScheme::Http(token));
    components
        .schemas
        .insert(Problem::name().into(), Problem::schema());
    for (_, name, description) in IN_COMMON {
        let problem = Content::new(Some(Ref::from_schema_name(Problem::name())));
        let response = ResponseBuilder::new()
            .description(description)
            .content("application/problem+json", problem)
            .build();
        components.responses.insert(name.into(), response.into());
    }
    let tags = TAGS.map(|(name, description)| {
        let mut tag = Tag::new(name);
        tag.description = Some(description.into());
        tag
    });
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        .tags(Some(tags))
        .build()
}

/// The routes, and their document with what is common to all.
pub(super) fn finish(routes: OpenApiRouter<Arc<Shared>>) -> (Router<Arc<Shared>>, OpenApi) {
    let (router, mut document) = routes.split_for_parts();
    for operation in document.paths.paths.values_mut().flat_map(operations) {
        if operation.security.is_some() {
            add_common(operation);
        }
    }
    (router, document)
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    let methods = [
        &mut item.get,
        &mut item.put,
        &mut item.post,
        &mut item.delete,
        &mut item.patch,
    ];
    methods.into_iter().flatten()
}

fn add_common(operation: &mut Operation) {
    for (status, name, _) in IN_COMMON {
        let responses = &mut operation.responses.responses;
        let common = Ref::from_response_name(name);
        responses.entry(status.into()).or_insert(common.into());
    }
}

/// Get this document
#[utoipa::path(
    get, path = "/api/v1/openapi.json", tag = "broker",
    responses((status = 200, description = "OpenAPI 3.1.", body = Object)),
    security(("token" = ["read"])),
)]
pub(super) async fn get_document(Extract(shared): State) -> Response {
    let text = shared.document.clone();
    ([(CONTENT_TYPE, "application/json")], text).into_response()
}
