//! Bearer tokens (RFC 6750): who may see and change what, and which calls are a site's own.
//!
//! Must not: hold or read secrets; `config` does.

use actix_web::http::header::{AUTHORIZATION, HeaderMap};

use crate::config::{AdminLevel, AdminTokens, SiteSecrets};
use crate::http::wire::problem::{Problem, ProblemKind};

/// Asks for an operator's token that allows at least so much.
///
/// # Errors
/// 401 without one or with an unknown one, 403 where it allows less.
pub fn require(
    tokens: &AdminTokens,
    headers: &HeaderMap,
    level: AdminLevel,
) -> Result<AdminLevel, Problem> {
    let found = bearer(headers).ok_or_else(|| {
        Problem::new(ProblemKind::Unauthorized, "Send a token: Authorization: Bearer TOKEN")
    })?;
    match tokens.level_of(found) {
        Some(has) if has >= level => Ok(has),
        Some(_) => Err(Problem::new(ProblemKind::Forbidden, "This token may only read")),
        None => Err(unknown_token()),
    }
}

/// Asks for the site's server key or an operator's token that allows at least so much.
///
/// # Errors
/// As [`require`].
pub fn require_key_or_token(
    secrets: Option<&SiteSecrets>,
    tokens: &AdminTokens,
    headers: &HeaderMap,
    level: AdminLevel,
) -> Result<(), Problem> {
    let is_key = bearer(headers).is_some_and(|token| is_server_key(secrets, token));
    if is_key { Ok(()) } else { require(tokens, headers, level).map(drop) }
}

/// Whom a call on a public route comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// Anybody: a page.
    Page,
    /// The site's own server.
    Server,
    /// An operator who may change things.
    Operator,
}

/// Tells callers of public routes apart. No `Authorization` is a page; a wrong one is an error,
/// for its sender believes to be known.
///
/// # Errors
/// 401 for a bearer token that is neither a key of the site's nor an operator's.
pub fn caller(
    secrets: Option<&SiteSecrets>,
    tokens: &AdminTokens,
    headers: &HeaderMap,
) -> Result<Caller, Problem> {
    match bearer(headers) {
        None => Ok(Caller::Page),
        Some(token) if is_server_key(secrets, token) => Ok(Caller::Server),
        Some(token) => match tokens.level_of(token) {
            Some(AdminLevel::Full) => Ok(Caller::Operator),
            _ => Err(unknown_token()),
        },
    }
}

fn is_server_key(secrets: Option<&SiteSecrets>, token: &str) -> bool {
    secrets.is_some_and(|secrets| secrets.is_server_key(token))
}

/// The token of `Authorization: Bearer`, if that is the one such header.
#[must_use]
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let mut all = headers.get_all(AUTHORIZATION);
    let (Some(value), None) = (all.next(), all.next()) else { return None };
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty()).then_some(token)
}

fn unknown_token() -> Problem {
    Problem::new(ProblemKind::Unauthorized, "This token is not known")
}
