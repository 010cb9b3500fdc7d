//! What a request tells of its visitor besides its body: address, device, languages, consent.
//!
//! Must not: keep any of it.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderMap, HeaderName};

use super::security::identity::Identity;
use super::security::tokens::{self, Caller};
use super::snapshot::Snapshot;
use super::state::{EventTime, State};
use super::wire::decide::ClientOverride;
use super::wire::problem::Problem;
use crate::domain::time::Timestamp;
use crate::domain::visit::{Consent, Device, Place};
use crate::enrich::client_ip::client_ip;
use crate::enrich::device::ClientHints;
use crate::rules::language::accept_language;

const FORWARDED: HeaderName = header::FORWARDED;
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const SEC_GPC: HeaderName = HeaderName::from_static("sec-gpc");
const SEC_CH_UA: HeaderName = HeaderName::from_static("sec-ch-ua");
const SEC_CH_UA_MOBILE: HeaderName = HeaderName::from_static("sec-ch-ua-mobile");
const SEC_CH_UA_PLATFORM: HeaderName = HeaderName::from_static("sec-ch-ua-platform");

/// What is known of the visitor whom a request is about.
#[derive(Debug)]
pub struct Client {
    /// Where.
    pub place: Arc<Place>,
    /// On what.
    pub device: Device,
    /// Best first.
    pub accept_languages: Vec<Arc<str>>,
    /// What the browser itself says to being stored (Global Privacy Control).
    pub consent: Option<Consent>,
}

/// The address that a request came from.
#[must_use]
pub fn address(state: &State, request: &HttpRequest) -> IpAddr {
    let peer = request.peer_addr().map_or(IpAddr::from([0, 0, 0, 0]), |peer| peer.ip());
    if state.proxies.is_empty() {
        return peer.to_canonical();
    }
    let headers = request.headers();
    client_ip(peer, texts(headers, &FORWARDED), texts(headers, &X_FORWARDED_FOR), &state.proxies)
}

fn texts<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    // A value that is no text is no address either, and must stop the walk: it stays, as nothing.
    headers.get_all(name).map(|value| value.to_str().unwrap_or(""))
}

fn text<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

/// Counts a request against its address. Callers that bear a known token are not counted.
///
/// # Errors
/// 429 where it is one too many.
pub fn count(state: &State, request: &HttpRequest, address: IpAddr) -> Result<(), Problem> {
    let Some(limiter) = &state.limiter else { return Ok(()) };
    let is_known =
        tokens::bearer(request.headers()).is_some_and(|token| state.is_known_token(token));
    if is_known { Ok(()) } else { limiter.require(address) }
}

/// Whom a call on a public route comes from.
///
/// # Errors
/// 401 for an unknown token.
pub fn caller(state: &State, request: &HttpRequest, site: &str) -> Result<Caller, Problem> {
    tokens::caller(state.secrets_of(site), &state.admin, request.headers())
}

/// What is known of the visitor: by the request itself, or by the site's server for it.
///
/// # Errors
/// 403 where anybody but the site's server speaks for another.
pub fn client(
    state: &State,
    snapshot: &Snapshot,
    request: &HttpRequest,
    caller: Caller,
    address: IpAddr,
    instead: Option<&ClientOverride<'_>>,
    touch_points: Option<u32>,
) -> Result<Client, Problem> {
    if let Some(instead) = instead {
        if caller != Caller::Server {
            return Err(Problem::client_needs_server_key());
        }
        let hints = ClientHints { touch_points, ..ClientHints::default() };
        return Ok(Client {
            place: instead
                .address
                .map_or_else(Arc::default, |address| state.place(snapshot, address)),
            device: state.devices.device(instead.user_agent.as_deref(), &hints),
            accept_languages: instead
                .accept_language
                .as_deref()
                .map(accept_language)
                .unwrap_or_default(),
            consent: None,
        });
    }
    let headers = request.headers();
    let hints = ClientHints {
        touch_points,
        ..ClientHints::from_headers(
            text(headers, &SEC_CH_UA),
            text(headers, &SEC_CH_UA_MOBILE),
            text(headers, &SEC_CH_UA_PLATFORM),
        )
    };
    let is_denied = text(headers, &SEC_GPC).is_some_and(|value| value.trim() == "1");
    Ok(Client {
        place: state.place(snapshot, address),
        device: state.devices.device(text(headers, &header::USER_AGENT), &hints),
        accept_languages: text(headers, &header::ACCEPT_LANGUAGE)
            .map(accept_language)
            .unwrap_or_default(),
        consent: is_denied.then_some(Consent::Denied),
    })
}

/// Who the visitor is to the site. A token that is over leaves the visitor anonymous.
///
/// # Errors
/// What is wrong with a token that never was good.
pub fn identity(
    state: &State,
    site: &str,
    token: Option<&str>,
) -> Result<Option<Arc<str>>, &'static str> {
    let Some(token) = token else { return Ok(None) };
    let Some(key) = state.identity_keys.get(site) else {
        return Err("the site has no key for identity tokens");
    };
    match key.verify(token, site, state.clock.now()) {
        Identity::Known(subject) => Ok(Some(subject)),
        Identity::Expired => Ok(None),
        Identity::Invalid(why) => Err(why),
    }
}

/// The event's own time, where its caller may say it.
#[must_use]
pub fn event_time(state: &State, caller: Caller, at: Option<Timestamp>) -> Option<Timestamp> {
    let is_trusted = match state.event_time {
        EventTime::Ignored => false,
        EventTime::FromOperators => caller == Caller::Operator,
        EventTime::FromAll => true,
    };
    let at = at.filter(|_| is_trusted);
    match at {
        Some(at) => state.trusted_event(at),
        None => state.clocked(),
    }
    at
}
