//! OpenAPI documents, generated from the wire types and served by every port.

use types::error::ErrorReply;
use types::service::Callers;
use utoipa::ToSchema;
use utoipa::openapi::path::{HttpMethod, OperationBuilder};
use utoipa::openapi::request_body::RequestBodyBuilder;
use utoipa::openapi::{
    ComponentsBuilder, ContentBuilder, InfoBuilder, OpenApi, OpenApiBuilder, PathItem, PathsBuilder, Ref, RefOr,
    Required, ResponseBuilder, ServerBuilder,
};

use crate::Protocol;

const JSON: &str = "application/json";

/// An API's OpenAPI 3.1 document, as JSON.
pub fn json<P: Protocol>() -> String {
    document::<P>().to_pretty_json().expect("a document is plain data")
}

fn document<P: Protocol>() -> OpenApi {
    let api = P::API;
    let callers = match api.callers() {
        Callers::Anyone => "anyone; each request carries its credentials".to_owned(),
        Callers::Services(roles) => {
            let names: Vec<_> = roles.iter().map(|role| role.as_str()).collect();
            format!("services in the role {}, mutually attested", names.join(" or "))
        }
    };
    let info = InfoBuilder::new()
        .title(format!("Teehouse {api}"))
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(format!("Who may connect: {callers}. The same documents travel in frames and over HTTP.")));
    let server = ServerBuilder::new().url(format!("https://localhost:{}", api.default_port())).build();
    OpenApiBuilder::new()
        .info(info.build())
        .servers(Some([server]))
        .paths(paths::<P>())
        .components(components::<P>())
        .build()
}

fn paths<P: Protocol>() -> PathsBuilder {
    let request = RequestBodyBuilder::new().content(JSON, content::<P::Request>()).required(Some(Required::True));
    let success = ResponseBuilder::new().description("What was asked for").content(JSON, content::<P::Response>());
    let failure = ResponseBuilder::new()
        .description("Any failure; `code` says which kind, and the status goes with it")
        .content(JSON, content::<ErrorReply>());
    let operation = OperationBuilder::new()
        .summary(Some("Sends one request"))
        .request_body(Some(request.build()))
        .response("200", success.build())
        .response("default", failure.build());
    PathsBuilder::new().path("/", PathItem::new(HttpMethod::Post, operation))
}

fn content<T: ToSchema>() -> utoipa::openapi::Content {
    ContentBuilder::new().schema(Some(Ref::from_schema_name(T::name()))).build()
}

fn components<P: Protocol>() -> Option<utoipa::openapi::Components> {
    let mut all: Vec<(String, RefOr<utoipa::openapi::Schema>)> = Vec::new();
    collect::<P::Request>(&mut all);
    collect::<P::Response>(&mut all);
    collect::<ErrorReply>(&mut all);
    Some(ComponentsBuilder::new().schemas_from_iter(all).build())
}

fn collect<T: ToSchema>(all: &mut Vec<(String, RefOr<utoipa::openapi::Schema>)>) {
    all.push((T::name().into_owned(), T::schema()));
    T::schemas(all);
}
