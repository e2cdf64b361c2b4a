//! The API's description, `/openapi.json`: made from the same list as the routes, so that no route is undocumented.
//!
//! Each operation is described beside its handler, by an [`Operation`]; this module puts them together. The document says
//! the limits that hold unless the operator sets others, and is the same on every service of a version.

mod operation;
pub(super) mod schemas;

use axum::response::Response;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, StatusCode};
use utoipa::openapi::path::{HttpMethod, Operation as OpenApiOperation};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{
    Components, ComponentsBuilder, ContentBuilder, InfoBuilder, LicenseBuilder, OpenApi,
    OpenApiBuilder, Paths, ResponseBuilder,
};

pub(super) use self::operation::{Operation, Prefix, header, optional, part_of_path, required};

/// The security scheme of operations that need to know who calls.
const BEARER: &str = "bearer";

const ABOUT: &str = "\
Appends to, reads and proves from tamper-evident audit logs. The same operations exist over gRPC on the same port, with \
the same error codes.

One service holds several logs. `/v1/…` means the default one, `/v1/logs/{log}/…` the one of that name.

An append has three outcomes and never a fourth: committed (there is a receipt), rejected (not written, with the reason), \
indeterminate (`code` is `indeterminate`: perhaps written; retry with the same `event_id`, and the retry returns the first \
receipt or appends once). An answer that never came is indeterminate too.

Strings are UTF-8, and limits on them count bytes of UTF-8, although `maxLength` counts characters. Limits that an operator \
can set are given with their defaults.

Every error is a problem (RFC 9457) with a stable `code`, but for what is refused before it is a request: headers that are \
too large or malformed.";

/// The whole document.
pub(super) fn document(paths: Paths) -> OpenApi {
    let info = InfoBuilder::new()
        .title("indelible")
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(ABOUT))
        .license(Some(LicenseBuilder::new().name("Apache-2.0 OR MIT").build()))
        .build();
    OpenApiBuilder::new().info(info).paths(paths).components(Some(components())).build()
}

fn components() -> Components {
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "A token that `indelible token new` made. Where the service takes client certificates, or anonymous callers \
             on loopback, none is needed.",
        ))
        .build();
    let schemas = schemas::all();
    schemas
        .into_iter()
        .fold(ComponentsBuilder::new(), |components, (name, schema)| {
            components.schema(name, schema)
        })
        .security_scheme(BEARER, SecurityScheme::Http(bearer))
        .build()
}

/// Adds an operation at a path of the document.
pub(super) fn add(paths: &mut Paths, path: &str, method: HttpMethod, operation: OpenApiOperation) {
    paths.add_path_operation(path, vec![method], operation);
}

/// The document as it is served.
pub(super) fn served(document: &OpenApi) -> Bytes {
    // It has a JSON form whatever it says: it holds nothing but texts, numbers and lists of them.
    let mut text = document.to_pretty_json().unwrap_or_default();
    text.push('\n');
    text.into()
}

/// `GET /openapi.json`.
pub(super) fn answer(document: Bytes) -> Response {
    let mut response = Response::new(document.into());
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("public, max-age=300"));
    response
}

/// For the document itself.
pub(super) fn describe() -> utoipa::openapi::path::Operation {
    let json =
        ContentBuilder::new().schema(Some(ObjectBuilder::new().schema_type(Type::Object))).build();
    Operation::new("document", "Returns this document", "OpenAPI 3.1. It takes no token.")
        .open()
        .answer(
            StatusCode::OK,
            ResponseBuilder::new().description("This document.").content("application/json", json),
        )
        .build(Prefix::DEFAULT)
}
