//! Finds out who calls: [`Authenticator`].
//!
//! Invariants:
//! - where a request carries a token, the token alone decides, also over a certificate and on the Unix socket;
//! - where anything is set up for authentication, nobody is anonymous; where nothing is, nobody is let in who believes to
//!   be known;
//! - what a caller is told does not say whether a token that is wrong was ever right. That one is expired is told, since
//!   only who holds it can ask.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderValue};
use indelible::format::own::{RefuseReason, Who};
use indelible::{Clock as _, Glob, SystemClock};
use jiff::Timestamp;

use crate::auth::caller::Caller;
use crate::auth::denied::Denied;
use crate::auth::oversight::Oversight;
use crate::auth::peer::Peer;
use crate::auth::principal::{Kind, LOOPBACK, anonymous_name};
use crate::auth::role::Role;
use crate::auth::tokens::watch::Tokens;
use crate::auth::tokens::{Found, Token, TokenEntry, TokenFileError};
use crate::config::{Config, Grant, PrincipalConfig};

/// Knows the principals.
#[derive(Debug)]
pub(crate) struct Authenticator {
    /// Whether nothing is set up for authentication.
    anonymous: bool,
    loopback: Caller,
    tokens: Option<Tokens>,
    certificates: HashMap<String, Caller>,
    users: HashMap<u32, Caller>,
    /// What somebody is told who does not say who it is.
    ways_in: &'static str,
    oversight: Arc<Oversight>,
}

impl Authenticator {
    /// Knows the principals of a configuration, and those of its token file; blocks.
    ///
    /// # Errors
    /// The token file can't be read.
    pub(crate) fn new(config: &Config, oversight: &Arc<Oversight>) -> Result<Self, TokenFileError> {
        let mut by_token = HashMap::new();
        let mut certificates = HashMap::new();
        let mut users = HashMap::new();
        for PrincipalConfig { name, grants, actors } in &config.principals {
            let caller = principal(name.clone(), grants.clone(), actors.clone(), oversight);
            match Kind::of(name) {
                Some((Kind::Token, proper)) => {
                    by_token.insert(proper.to_owned(), caller);
                }
                Some((Kind::Certificate, proper)) => {
                    certificates.insert(proper.to_owned(), caller);
                }
                Some((Kind::Uid, proper)) => {
                    if let Ok(uid) = proper.parse() {
                        users.insert(uid, caller);
                    }
                }
                None => {}
            }
        }
        let counted = Arc::clone(oversight);
        let callers = Box::new(move |entry: &TokenEntry| {
            by_token.get(&entry.name).cloned().unwrap_or_else(|| {
                let name = Kind::Token.name(&entry.name);
                principal(name, entry.grants.clone(), entry.actors.clone(), &counted)
            })
        });
        let tokens = config.tokens.as_deref().map(|path| Tokens::open(path, callers));
        let here = IpAddr::V4(Ipv4Addr::LOCALHOST);
        Ok(Self {
            anonymous: !config.authenticates(),
            loopback: anonymous(LOOPBACK.to_owned(), Who::Address(here), oversight),
            tokens: tokens.transpose()?,
            certificates,
            users,
            ways_in: ways_in(config),
            oversight: Arc::clone(oversight),
        })
    }

    /// Whether callers are anonymous.
    pub(crate) fn is_anonymous(&self) -> bool {
        self.anonymous
    }

    /// The tokens that are let in.
    pub(crate) fn tokens(&self) -> Option<&Tokens> {
        self.tokens.as_ref()
    }

    /// Who sent a request with these headers over this connection.
    pub(crate) fn identify(&self, peer: &Peer, headers: &HeaderMap) -> Result<Caller, Denied> {
        if self.anonymous {
            if headers.contains_key(AUTHORIZATION) {
                return Err(Denied::unauthenticated(
                    RefuseReason::TokenUnknown,
                    "this service has no tokens configured (auth.tokens), and takes everybody as anonymous: leave the \
                     authorization header out, or ask the operator whether it is the right service",
                ));
            }
            return Ok(self.of_anonymous(peer));
        }
        let mut credentials = headers.get_all(AUTHORIZATION).iter();
        match (credentials.next(), credentials.next()) {
            (Some(credential), None) => return self.by_token(credential),
            (Some(_), Some(_)) => {
                return Err(Denied::unauthenticated(
                    RefuseReason::Unauthenticated,
                    "the request has more than one authorization header",
                ));
            }
            (None, _) => {}
        }
        match peer {
            Peer::Tcp { names, .. } if !names.is_empty() => self.by_certificate(names),
            Peer::Unix { uid } => self.users.get(uid).cloned().ok_or_else(|| {
                Denied::unauthenticated(
                    RefuseReason::Unauthenticated,
                    "no principal is configured for the user who calls over the Unix socket",
                )
            }),
            Peer::Tcp { .. } => {
                Err(Denied::unauthenticated(RefuseReason::Unauthenticated, self.ways_in))
            }
        }
    }

    fn of_anonymous(&self, peer: &Peer) -> Caller {
        match peer {
            Peer::Tcp { address, .. } if address.ip().to_canonical().is_loopback() => {
                self.loopback.clone()
            }
            Peer::Tcp { address, .. } => {
                anonymous(anonymous_name(address.ip()), peer.who(), &self.oversight)
            }
            Peer::Unix { uid } => anonymous(Kind::Uid.name(uid), peer.who(), &self.oversight),
        }
    }

    fn by_token(&self, credential: &HeaderValue) -> Result<Caller, Denied> {
        let unknown = || {
            Denied::unauthenticated(
                RefuseReason::TokenUnknown,
                "the token is not one of this service's; `indelible token list` names those that are",
            )
        };
        let text = credential.to_str().unwrap_or_default();
        let Some((scheme, token)) = text.split_once(' ') else {
            return Err(Denied::unauthenticated(
                RefuseReason::Unauthenticated,
                "the authorization header must be: Bearer, a space, and a token",
            ));
        };
        if !scheme.eq_ignore_ascii_case("bearer") {
            return Err(Denied::unauthenticated(
                RefuseReason::Unauthenticated,
                "the service takes bearer tokens only: authorization: Bearer indelible_…",
            ));
        }
        let (Some(tokens), Ok(token)) = (&self.tokens, token.trim().parse::<Token>()) else {
            return Err(unknown());
        };
        match tokens.set().find(&token.digest(), now()) {
            Found::Valid(caller) => Ok(caller.clone()),
            Found::Expired => Err(expired()),
            Found::Unknown => Err(unknown()),
        }
    }

    /// Who a caller is now, that was let in before; its roles and actors are those of now, too.
    ///
    /// # Errors
    /// Its token was revoked, or has expired.
    pub(super) fn renew(&self, caller: &Caller) -> Result<Caller, Denied> {
        let (Some(tokens), Some(lease)) = (&self.tokens, caller.lease()) else {
            return Ok(caller.clone());
        };
        match tokens.set().find(&lease.token, now()) {
            Found::Valid(caller) => Ok(caller.clone()),
            Found::Expired => Err(expired()),
            Found::Unknown => Err(Denied::unauthenticated(
                RefuseReason::TokenUnknown,
                "the token was revoked while the stream was open; ask the operator for a new one",
            )),
        }
    }

    /// The one of a certificate's names that is configured, a URI before a DNS name.
    fn by_certificate(&self, names: &Arc<[String]>) -> Result<Caller, Denied> {
        let (uris, dns): (Vec<&String>, Vec<&String>) =
            names.iter().partition(|name| name.contains(':'));
        let known = uris.into_iter().chain(dns).find_map(|name| self.certificates.get(name));
        known.cloned().ok_or_else(|| {
            Denied::unauthenticated(
                RefuseReason::Certificate,
                "the client certificate is good, but no principal is configured for any of its URI or DNS names",
            )
        })
    }
}

/// How callers over TCP can say who they are.
fn ways_in(config: &Config) -> &'static str {
    match (config.tokens.is_some(), config.client_ca().is_some()) {
        (true, true) => {
            "the request does not say who sends it: send a token (authorization: Bearer indelible_…), or show a client \
             certificate"
        }
        (true, false) => {
            "the request does not say who sends it: send a token (authorization: Bearer indelible_…)"
        }
        (false, true) => "the connection does not say who calls: show a client certificate",
        (false, false) => "nobody is let in over TCP here: call over the service's Unix socket",
    }
}

/// Somebody whom the configuration or the token file names.
fn principal(
    name: String,
    grants: Vec<Grant>,
    actors: Vec<Glob>,
    oversight: &Arc<Oversight>,
) -> Caller {
    // Its name was checked where it was read, and is one; else it goes by that nobody's address.
    let nobody = Who::Address(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
    let who = name.parse().map_or(nobody, Who::Principal);
    Caller::new(name, grants, actors, who, oversight)
}

/// Somebody whom nothing authenticates: may append and read, and claim any actor.
fn anonymous(name: String, who: Who, oversight: &Arc<Oversight>) -> Caller {
    let grants = vec![Grant::new(Role::Append, None), Grant::new(Role::Read, None)];
    Caller::new(name, grants, Vec::new(), who, oversight)
}

fn expired() -> Denied {
    Denied::unauthenticated(
        RefuseReason::TokenExpired,
        "the token has expired; ask the operator for a new one",
    )
}

/// The time of day by which tokens expire.
pub(super) fn now() -> Timestamp {
    let ns = SystemClock::default().now().wall.unix_ns();
    // Out of range, the clock is wrong: then all that can expire has.
    Timestamp::from_nanosecond(ns).unwrap_or(Timestamp::MAX)
}
