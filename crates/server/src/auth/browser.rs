//! Keeps web pages away: what somebody's browser can be made to send by a page that it shows is refused before anybody is
//! authenticated, over HTTP and gRPC alike.
//!
//! - A page of another origin: every request with an `Origin`, or a `Sec-Fetch-Site`, that is not the service's own.
//! - A form or a script that needs no permission: what may change something must have a content type that a page can't
//!   send without asking first, and the service never answers that question (there are no CORS headers).
//! - A page whose name was made to lead here (DNS rebinding): where callers are anonymous, `Host` must be loopback or one
//!   of `listen.hosts`. Where callers are authenticated a page has no credentials to send under a name of its own.
//!
//! The Unix socket is out of a browser's reach; there only the content type is looked at.

use std::net::IpAddr;

use http::header::{CONTENT_TYPE, HOST, ORIGIN, TRANSFER_ENCODING};
use http::uri::Authority;
use http::{HeaderMap, Method, Request};

use crate::auth::denied::Denied;
use crate::auth::peer::Peer;
use crate::config::Listen;
use crate::error::Code;

/// Content types that what changes something may have, without their parameters; none of them is one that a page can send
/// to another origin without asking first.
const TYPES: [&str; 4] =
    ["application/json", "application/x-ndjson", "application/ndjson", "application/jsonl"];

/// What anonymous callers may call the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// Loopback, and what is configured.
    Own,
    /// An address too: the operator takes everybody, from wherever.
    Any,
}

/// Refuses what a web page could have sent.
pub(super) fn check<B>(
    request: &Request<B>,
    peer: &Peer,
    anonymous: bool,
    listen: &Listen,
) -> Result<(), Denied> {
    content_type(request)?;
    transfer_coding(request.headers())?;
    if matches!(peer, Peer::Unix { .. }) {
        return Ok(());
    }
    let host = host(request)?;
    origin(request.headers(), &host)?;
    let names = if listen.allow_anonymous { Names::Any } else { Names::Own };
    if anonymous && !is_own(&host, names, &listen.hosts) {
        return Err(Denied::origin(
            "host: the service is not reached by that name; its operator lists names in listen.hosts",
        ));
    }
    Ok(())
}

/// Refuses, on an admin listener of this machine, what a web page could have sent.
pub(crate) fn check_admin<B>(request: &Request<B>, listen: &Listen) -> Result<(), Denied> {
    let host = host(request)?;
    origin(request.headers(), &host)?;
    if is_own(&host, Names::Own, &listen.hosts) {
        return Ok(());
    }
    Err(Denied::origin(
        "host: the admin listener is not reached by that name; its operator lists names in listen.hosts",
    ))
}

/// What may change something must say that it is what only a program sends. All other methods either change nothing, or
/// are none that a page can use without asking first; no path takes them, and the routes say so.
fn content_type<B>(request: &Request<B>) -> Result<(), Denied> {
    if request.method() != Method::POST {
        return Ok(());
    }
    let given = request.headers().get(CONTENT_TYPE).and_then(|given| given.to_str().ok());
    let essence = given.unwrap_or_default().split(';').next().unwrap_or_default().trim();
    let is_json = TYPES.iter().any(|known| essence.eq_ignore_ascii_case(known));
    if is_json || essence == "application/grpc" || essence.starts_with("application/grpc+") {
        return Ok(());
    }
    Err(Denied::malformed(
        Code::UnsupportedMediaType,
        "content-type: it must be application/json, or application/x-ndjson for many events",
    ))
}

/// Chunks are undone before the body gets here; any other coding would be taken for the body itself.
fn transfer_coding(headers: &HeaderMap) -> Result<(), Denied> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    if codings.all(|coding| coding.as_bytes().eq_ignore_ascii_case(b"chunked")) {
        return Ok(());
    }
    Err(Denied::malformed(
        Code::UnsupportedMediaType,
        "transfer-encoding: it must be chunked, and nothing else",
    ))
}

/// By which name the service was called: the authority of HTTP/2, and `Host`, which must agree where both are there.
fn host<B>(request: &Request<B>) -> Result<Authority, Denied> {
    let wrong = |what: &'static str| Denied::malformed(Code::InvalidArgument, what);
    let mut hosts = request.headers().get_all(HOST).iter();
    let named = match (hosts.next(), hosts.next()) {
        (None, _) => None,
        (Some(host), None) => {
            let host = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
            Some(host.ok_or_else(|| wrong("host: it is no name of a host"))?)
        }
        (Some(_), Some(_)) => return Err(wrong("host: there is more than one")),
    };
    // `evil.example@localhost`: the host is behind the user, and readers differ on that.
    let has_user = |authority: &Authority| authority.as_str().contains('@');
    if named.as_ref().is_some_and(has_user) || request.uri().authority().is_some_and(has_user) {
        return Err(wrong("host: there is a user in it"));
    }
    match (request.uri().authority(), named) {
        (Some(called), Some(named)) if !called.as_str().eq_ignore_ascii_case(named.as_str()) => {
            Err(wrong("host: it is not the one that the request is for"))
        }
        (Some(called), _) => Ok(called.clone()),
        (None, Some(named)) => Ok(named),
        (None, None) => Err(wrong("host: it is missing")),
    }
}

fn origin(headers: &HeaderMap, host: &Authority) -> Result<(), Denied> {
    let foreign = || Denied::origin("origin: requests of web pages from elsewhere are not taken");
    for origin in headers.get_all(ORIGIN) {
        let own = origin.to_str().ok().and_then(|origin| origin.split_once("://"));
        if !own.is_some_and(|(_, own)| own.eq_ignore_ascii_case(host.as_str())) {
            return Err(foreign());
        }
    }
    for site in headers.get_all("sec-fetch-site") {
        // `none`: somebody typed the address.
        if site != "same-origin" && site != "none" {
            return Err(foreign());
        }
    }
    Ok(())
}

fn is_own(host: &Authority, names: Names, configured: &[String]) -> bool {
    let name = host.host();
    let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    // A page can't make an address lead elsewhere, only a name.
    let by_address = address.is_ok_and(|ip| names == Names::Any || ip.to_canonical().is_loopback());
    let is_configured =
        |own: &String| own.eq_ignore_ascii_case(name) || own.eq_ignore_ascii_case(host.as_str());
    by_address || name.eq_ignore_ascii_case("localhost") || configured.iter().any(is_configured)
}
