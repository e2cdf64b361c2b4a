//! `/checkpoint`, `/tile/…` and `/tile/entries/…` as [C2SP tlog-tiles](https://c2sp.org/tlog-tiles) says, for monitors that
//! hold no token: only of logs with `public_tree = true`. The tree of the default log is at the service's own address, and
//! like everything of a log below `/v1`; that of any log below `/v1/logs/{log}`, whose checkpoint is the one that callers
//! with a name are given of every log.
//!
//! Invariants:
//! - nothing is served that the newest signed checkpoint does not cover;
//! - what is served at a path never changes, the checkpoint aside: a row only grows, so a partial tile is the beginning of
//!   the whole one, and is served as long as there is a log.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Extension, FromRequestParts, Request};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse as _, Response};
use axum::routing::get;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use indelible::format::tile::Tile;
use indelible::{Prover, Reader};
use tokio::sync::Semaphore;
use utoipa::openapi::path::HttpMethod;
use utoipa::openapi::{ContentBuilder, Paths, ResponseBuilder};

use crate::auth::layer::Authenticating;
use crate::engine::Log;
use crate::error::{ApiError, Code};
use crate::http::document::{self, Operation, Prefix, part_of_path, schemas};
use crate::http::proofs::{self, TEXT};
use crate::http::request::{NoParameters, named_log, part};
use crate::service::Service;
use crate::unread::{Kind, SHARE, Unread};

const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");
const UNCHANGING: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");
const FOR_SECONDS: HeaderValue = HeaderValue::from_static("public, max-age=1");

/// Before the paths of tiles.
const TREES: [Prefix; 3] = [Prefix::ROOT, Prefix::DEFAULT, Prefix::NAMED];

/// A log whose tree is public.
struct Public {
    log: Arc<Log>,
    share: Arc<Share>,
}

/// What is bounded for all public trees together: who needs no name must not keep out who has one.
struct Share {
    reads: Semaphore,
    unread: Unread,
}

/// The paths of a tree.
pub(super) fn routes(service: &Service) -> Router<Service> {
    let limits = &service.config.limits;
    let share = Share {
        reads: Semaphore::new((limits.reads_max / SHARE).max(1)),
        unread: Unread::new(Kind::PublicTrees, limits),
    };
    let named = |state: &Service| {
        get(proofs::checkpoint)
            .route_layer(Authenticating::before_routes(state))
            .route_layer(from_fn_with_state(state.clone(), checkpoint_for_all))
    };
    let mut routes = Router::new().route("/checkpoint", get(checkpoint));
    for prefix in [Prefix::DEFAULT, Prefix::NAMED] {
        routes = routes.route(&format!("{}/checkpoint", prefix.path), named(service));
    }
    for prefix in TREES {
        routes = routes.route(&format!("{}/tile/{{*tile}}", prefix.path), get(tile));
    }
    routes.layer(Extension(Arc::new(share)))
}

impl FromRequestParts<Service> for Public {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, ApiError> {
        let share = parts.extensions.get::<Arc<Share>>().map(Arc::clone);
        let share = share.ok_or_else(|| ApiError::internal("the public tree has no share"))?;
        // A log that is not public looks like one that is not there.
        let log = named_log(parts, service).await.ok().filter(|log| log.config().public_tree);
        let log = log.ok_or_else(|| {
            ApiError::new(Code::NotFound, "there is no log here whose tree is public (public_tree)")
        })?;
        Ok(Self { log, share })
    }
}

impl Public {
    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Reader, &Prover) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        self.share.unread.check()?;
        let Ok(_turn) = self.share.reads.try_acquire() else {
            let text = "as many reads of public trees are under way as may be; try again";
            return Err(ApiError::new(Code::TooMany, text));
        };
        self.log.read(work).await
    }

    fn response(&self, bytes: impl Into<Bytes>, kind: HeaderValue, kept: HeaderValue) -> Response {
        let mut response = Response::new(self.share.unread.counted(bytes).into());
        response.headers_mut().insert(CONTENT_TYPE, kind);
        response.headers_mut().insert(CACHE_CONTROL, kept);
        response
    }
}

/// The variable part of a tile's path.
struct TilePath(String);

impl FromRequestParts<Service> for TilePath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, service: &Service) -> Result<Self, ApiError> {
        Ok(Self(part(parts, service, "tile").await?.unwrap_or_default()))
    }
}

/// The checkpoint of a log whose tree is public is everybody's; any other is for who may read the log.
async fn checkpoint_for_all(
    public: Result<Public, ApiError>,
    none: NoParameters,
    request: Request,
    next: Next,
) -> Response {
    match public {
        Ok(public) => checkpoint(public, none).await.into_response(),
        Err(_not_public) => next.run(request).await,
    }
}

async fn checkpoint(public: Public, _: NoParameters) -> Result<Response, ApiError> {
    let note = public.read(|_, prover| Ok(prover.checkpoint()?.note.to_string())).await?;
    Ok(public.response(note, TEXT, FOR_SECONDS))
}

async fn tile(
    public: Public,
    _: NoParameters,
    TilePath(path): TilePath,
) -> Result<Response, ApiError> {
    let found = if let Some(rest) = path.strip_prefix("entries/") {
        let tile = parse(&format!("tile/0/{rest}"))?;
        public.read(move |_, prover| Ok(prover.entries(tile)?)).await?
    } else {
        let tile = parse(&format!("tile/{path}"))?;
        public.read(move |_, prover| Ok(prover.tile(tile)?)).await?
    };
    let bytes = found.ok_or_else(|| {
        let text = "the newest checkpoint does not cover all of it, or retention removed a part";
        ApiError::new(Code::NotFound, text)
    })?;
    Ok(public.response(bytes, BYTES, UNCHANGING))
}

fn parse(path: &str) -> Result<Tile, ApiError> {
    Tile::parse(path).ok_or_else(|| {
        ApiError::new(Code::NotFound, "this is no path of a tile as C2SP tlog-tiles spells it")
    })
}

/// For the document.
pub(super) fn describe(paths: &mut Paths) {
    let mut add = |prefix: Prefix, path: &str, operation: Operation| {
        let path = format!("{}{path}", prefix.path);
        document::add(paths, &path, HttpMethod::Get, operation.build(prefix));
    };
    add(Prefix::ROOT, "/checkpoint", describe_checkpoint());
    for prefix in [Prefix::DEFAULT, Prefix::NAMED] {
        add(prefix, "/checkpoint", proofs::describe_checkpoint());
    }
    for prefix in TREES {
        for (path, operation) in describe_tiles().into_iter().chain(describe_entries()) {
            add(prefix, path, operation);
        }
    }
}

const ABOUT: &str = "Of a log with `public_tree = true`, exactly as C2SP tlog-tiles says; it takes no token. Nothing is served that \
                     the newest checkpoint does not cover. Above index 999 the path has more parts, such as `x001/x234/067`.";

fn describe_checkpoint() -> Operation {
    let text = ContentBuilder::new().schema(Some(schemas::text(1, 1 << 16, None))).build();
    open("checkpoint", "Returns the newest signed checkpoint to everybody").answer(
        StatusCode::OK,
        ResponseBuilder::new()
            .description("The checkpoint.")
            .content("text/plain; charset=utf-8", text),
    )
}

fn describe_tiles() -> [(&'static str, Operation); 2] {
    let what = "Hashes of 32 bytes, one behind the other.";
    let level =
        || part_of_path("level", "The level of the tile.", schemas::whole_number(0, Some(63)));
    [
        (
            "/tile/{level}/{index}.p/{width}",
            partial(
                of_index(open("tree_tile_partial", "Returns the beginning of a tile"), what)
                    .parameter(level()),
            ),
        ),
        (
            "/tile/{level}/{index}",
            of_index(open("tree_tile", "Returns a whole tile: 256 hashes"), what)
                .parameter(level()),
        ),
    ]
}

fn describe_entries() -> [(&'static str, Operation); 2] {
    let what = "Entries, each the length 32 as a big-endian number of two bytes and then the 32 bytes of the record's `_hash`.";
    [
        (
            "/tile/entries/{index}.p/{width}",
            partial(of_index(
                open("tree_entries_partial", "Returns the beginning of an entry bundle"),
                what,
            )),
        ),
        (
            "/tile/entries/{index}",
            of_index(open("tree_entries", "Returns a whole entry bundle: 256 entries"), what),
        ),
    ]
}

fn open(id: &'static str, summary: &'static str) -> Operation {
    Operation::new(id, summary, ABOUT).open().problems(&[Code::TooMany, Code::DataLoss])
}

fn of_index(operation: Operation, what: &str) -> Operation {
    let bytes = ContentBuilder::new().schema(Some(schemas::json_lines())).build();
    operation
        .parameter(part_of_path(
            "index",
            "The index of the tile, three digits.",
            schemas::text(3, 3, Some("^[0-9]{3}$")),
        ))
        .answer(
            StatusCode::OK,
            ResponseBuilder::new().description(what).content("application/octet-stream", bytes),
        )
}

fn partial(operation: Operation) -> Operation {
    operation.parameter(part_of_path("width", "How many.", schemas::whole_number(1, Some(255))))
}
