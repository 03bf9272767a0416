//! OpenAPI documents, generated from the wire types and served by every port.

use serde_json::{Value, json};
use types::error::ErrorReply;
use types::service::{Api, Callers};
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
    let mut document = serde_json::to_value(document::<P>()).expect("a document is plain data");
    let schemas = &mut document["components"]["schemas"];
    for variant in variants(&schemas[&*P::Request::name()]) {
        close(&mut schemas[&variant.fields], &variant.tag);
    }
    if let Some(all) = schemas[&*P::Request::name()]["oneOf"].as_array_mut() {
        all.iter_mut().for_each(|one| *one = one["allOf"][0].take());
    }
    serde_json::to_string_pretty(&document).expect("a document is plain data")
}

/// One kind of request in a generated schema: its `type` and the schema of its fields.
struct Variant {
    tag: String,
    fields: String,
}

fn variants(request: &Value) -> Vec<Variant> {
    let all = request["oneOf"].as_array().map(Vec::as_slice).unwrap_or_default();
    let variant = |one: &Value| {
        let fields = one["allOf"][0]["$ref"].as_str()?.rsplit('/').next()?.to_owned();
        let tag = one["allOf"][1]["properties"]["type"]["enum"][0].as_str()?.to_owned();
        Some(Variant { tag, fields })
    };
    all.iter().filter_map(variant).collect()
}

/// Moves the `type` of a request in among its fields. Requests take no other fields than they list, and a validator
/// that is told so by one schema would refuse a `type` that only another one names.
fn close(fields: &mut Value, tag: &str) {
    fields["properties"]["type"] = json!({ "type": "string", "enum": [tag] });
    match fields["required"].as_array_mut() {
        Some(required) => required.insert(0, json!("type")),
        None => fields["required"] = json!(["type"]),
    }
}

fn document<P: Protocol>() -> OpenApi {
    let api = P::API;
    let callers = match api.callers() {
        Callers::Anyone => "anyone; each request carries its credentials".to_owned(),
        Callers::Services(roles) => {
            let names: Vec<_> = roles.iter().map(|role| role.as_str()).collect();
            format!("services in the role {}, mutually attested", names.join(" or "))
        }
        Callers::Newcomers => "every service, mutually attested, also with a certificate of its own".to_owned(),
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
    let paths = PathsBuilder::new().path("/", PathItem::new(HttpMethod::Post, operation));
    if P::API == Api::TdfsExternal { files(paths) } else { paths }
}

/// What has a body of bytes: `docs/transfer.md`.
fn files(paths: PathsBuilder) -> PathsBuilder {
    const BYTES: &str = "application/octet-stream";
    let bytes = || ContentBuilder::new().build();
    let failure = || ResponseBuilder::new().description("Any failure").content(JSON, content::<ErrorReply>()).build();
    let put = OperationBuilder::new()
        .summary(Some("Sends ciphertext, whole or one part, to a URL that `Create` or `Upload` gave"))
        .request_body(Some(RequestBodyBuilder::new().content(BYTES, bytes()).required(Some(Required::True)).build()))
        .response("200", ResponseBuilder::new().description("It is on the disk").build())
        .response("default", failure());
    let get = OperationBuilder::new()
        .summary(Some("Gets ciphertext, all or one range, from a URL that `Get` gave"))
        .response("200", ResponseBuilder::new().description("The ciphertext").content(BYTES, bytes()).build())
        .response("206", ResponseBuilder::new().description("The range").content(BYTES, bytes()).build())
        .response("default", failure());
    let mut item = PathItem::new(HttpMethod::Put, put);
    item.get = Some(get.build());
    paths.path("/files/{file_id}", item)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol;

    fn check<P: Protocol>() {
        let document: Value = serde_json::from_str(&json::<P>()).expect("JSON");
        let schemas = &document["components"]["schemas"];
        for one in schemas[&*P::Request::name()]["oneOf"].as_array().into_iter().flatten() {
            let name = one["$ref"].as_str().and_then(|path| path.rsplit('/').next()).expect("a reference");
            let fields = &schemas[name];
            assert_eq!(fields["additionalProperties"], false, "{name}");
            assert_eq!(fields["required"][0], "type", "{name}");
        }
        check_references(&document, schemas);
    }

    /// Every reference leads somewhere.
    fn check_references(part: &Value, schemas: &Value) {
        match part {
            Value::Object(object) => {
                if let Some(path) = object.get("$ref").and_then(Value::as_str) {
                    let name = path.strip_prefix("#/components/schemas/").expect("a component");
                    assert!(schemas.get(name).is_some(), "{name}");
                }
                object.values().for_each(|value| check_references(value, schemas));
            }
            Value::Array(items) => items.iter().for_each(|item| check_references(item, schemas)),
            _ => {}
        }
    }

    #[test]
    fn every_document_is_whole_and_closed() {
        check::<protocol::Kms>();
        check::<protocol::TdfsExternal>();
        check::<protocol::TdfsInternal>();
        check::<protocol::TmsExternal>();
        check::<protocol::TmsInternal>();
        check::<protocol::FnsExternal>();
    }
}
