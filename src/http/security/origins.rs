//! Which pages may call: a site's own list for its calls, and all sites' together for preflights.
//!
//! Must not: be taken for authentication. Origins stop browsers, not programs.

use std::sync::Arc;

use actix_cors::Cors;
use actix_web::http::header::{self, HeaderMap, HeaderValue};

use crate::domain::origin::OriginSet;
use crate::http::wire::problem::Problem;

/// For how long browsers may keep a preflight's answer, in seconds. The most that Chrome takes.
const PREFLIGHT_MAX_AGE: usize = 7_200;

/// Checks a request's `Origin` against a site's: none is allowed, several are not. A site that
/// lists no origins takes calls from any, but for `null`.
///
/// # Errors
/// 403 where the site does not have it.
pub fn check(origins: &OriginSet, headers: &HeaderMap) -> Result<(), Problem> {
    let mut sent = headers.get_all(header::ORIGIN);
    match (sent.next(), sent.next()) {
        (None, _) => Ok(()),
        (Some(origin), None) if allows(origins, origin) => Ok(()),
        _ => Err(Problem::origin_not_allowed()),
    }
}

fn allows(origins: &OriginSet, origin: &HeaderValue) -> bool {
    origin.to_str().is_ok_and(|origin| {
        if origins.is_empty() { origin != "null" } else { origins.allows(origin) }
    })
}

/// CORS for all sites at once: a preflight names no site. No cookies, no credentials.
///
/// A request from an origin of another site still reaches its handler, which checks the site's own
/// list before any effect ([`check`]). `origins` tells all sites' as they are now.
pub fn cors(origins: impl Fn() -> Arc<OriginSet> + 'static) -> Cors {
    Cors::default()
        .allowed_origin_fn(move |origin, _| allows(&origins(), origin))
        .block_on_origin_mismatch(false)
        .allowed_methods(["GET", "POST"])
        .allowed_header(header::CONTENT_TYPE)
        .expose_headers([header::RETRY_AFTER])
        .max_age(PREFLIGHT_MAX_AGE)
}

#[cfg(test)]
#[path = "origins_tests.rs"]
mod tests;
