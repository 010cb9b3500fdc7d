//! Origins that a site is served from (RFC 6454), with the two wildcards that sites need.
//!
//! A set holds patterns in one spelling: `https://shop.example`, `http://localhost:*`,
//! `https://*.shop.example`. An origin is looked up as itself, and, only where the set has such
//! patterns, with its port and its leading labels replaced by stars. So the cost does not grow
//! with the number of patterns.

use std::collections::HashSet;

/// The longest origin looked at: a scheme, the longest name of RFC 1035, a port.
const MAX_ORIGIN_BYTES: usize = 300;

/// Why a pattern is no origin.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OriginPatternError {
    /// `null` or `*`.
    #[error("`{0}` would let every page in; name the origins, such as https://shop.example")]
    TooWide(String),
    /// No scheme.
    #[error("`{0}` needs its scheme: write https://{0}")]
    NoScheme(String),
    /// More than scheme, host and port.
    #[error("`{0}` is more than an origin; only scheme, host and port count: {1}")]
    NotOnlyOrigin(String, String),
    /// A star in another place.
    #[error(
        "in `{0}` a `*` may only stand for the first labels (https://*.shop.example) or for the port (http://localhost:*)"
    )]
    Star(String),
    /// A host or port that is none.
    #[error("`{0}` has no valid host or port")]
    Host(String),
}

/// A set of origins, as patterns in one spelling.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OriginSet {
    patterns: HashSet<Box<str>>,
    has_any_port: bool,
    has_subdomains: bool,
    /// The first pattern without a star.
    first: Option<Box<str>>,
}

impl OriginSet {
    /// Adds a pattern as a site's settings write it.
    ///
    /// # Errors
    /// Where it is no origin.
    pub fn add(&mut self, pattern: &str) -> Result<(), OriginPatternError> {
        let canonical = canonical(pattern)?;
        let after_scheme = canonical.split_once("://").map_or("", |(_, rest)| rest);
        self.has_any_port |= after_scheme.ends_with(":*");
        self.has_subdomains |= after_scheme.starts_with("*.");
        if self.first.is_none() && !canonical.contains('*') {
            self.first = Some(canonical.as_str().into());
        }
        self.patterns.insert(canonical.into());
        Ok(())
    }

    /// A set of these patterns.
    ///
    /// # Errors
    /// At the first that is no origin.
    pub fn of<'a>(patterns: impl IntoIterator<Item = &'a str>) -> Result<Self, OriginPatternError> {
        let mut set = Self::default();
        for pattern in patterns {
            set.add(pattern)?;
        }
        Ok(set)
    }

    /// Adds all of another set.
    pub fn extend(&mut self, other: &Self) {
        self.patterns.extend(other.patterns.iter().cloned());
        self.has_any_port |= other.has_any_port;
        self.has_subdomains |= other.has_subdomains;
    }

    /// Whether it has no pattern at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.patterns.is_empty()
    }

    /// The first origin that it names in full.
    #[must_use]
    pub fn first(&self) -> Option<&str> {
        self.first.as_deref()
    }

    /// Whether a page of that origin may call. `null` never may.
    #[must_use]
    pub fn allows(&self, origin: &str) -> bool {
        // A header that tried to be a pattern would find itself.
        if origin.len() > MAX_ORIGIN_BYTES || origin.contains('*') {
            return false;
        }
        if self.patterns.contains(origin) {
            return true;
        }
        let origin = origin.to_ascii_lowercase();
        let Some((scheme, host, port)) = split(&origin) else { return false };
        if self.allows_host(scheme, host, port) {
            return true;
        }
        let mut labels = host;
        while self.has_subdomains
            && let Some((label, parent)) = labels.split_once('.')
        {
            if label.is_empty() {
                return false;
            }
            if self.allows_host(scheme, &format!("*.{parent}"), port) {
                return true;
            }
            labels = parent;
        }
        false
    }

    fn allows_host(&self, scheme: &str, host: &str, port: Option<&str>) -> bool {
        let exact = match port {
            Some(port) => format!("{scheme}://{host}:{port}"),
            None => format!("{scheme}://{host}"),
        };
        self.patterns.contains(exact.as_str())
            || self.has_any_port && self.patterns.contains(format!("{scheme}://{host}:*").as_str())
    }
}

/// Splits a serialised origin (lower case) into scheme, host and port. Strict: whatever a browser
/// would not send is none.
fn split(origin: &str) -> Option<(&str, &str, Option<&str>)> {
    let (scheme, rest) = origin.split_once("://")?;
    let bracket = if rest.starts_with('[') { rest.find(']')? } else { 0 };
    let (bracketed, tail) = rest.split_at_checked(bracket)?;
    let (host, port) = match tail.find(':') {
        Some(at) => {
            let (_, port) = tail.split_at_checked(at + 1)?;
            (rest.get(..bracketed.len() + at)?, Some(port))
        }
        None => (rest, None),
    };
    let is_scheme = scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b));
    let is_host = host.bytes().all(|b| {
        b.is_ascii_alphanumeric() || b"-._".contains(&b) || bracket > 0 && b"[]:".contains(&b)
    });
    let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|n| n.to_string() == port));
    (is_scheme && is_host && is_port && !scheme.is_empty() && !host.is_empty())
        .then_some((scheme, host, port))
}

/// A pattern in the one spelling that sets hold.
fn canonical(pattern: &str) -> Result<String, OriginPatternError> {
    let text = pattern.trim();
    if matches!(text, "*" | "null" | "") {
        return Err(OriginPatternError::TooWide(text.to_owned()));
    }
    let Some((scheme, rest)) = text.split_once("://") else {
        return Err(OriginPatternError::NoScheme(text.to_owned()));
    };
    let scheme = scheme.to_ascii_lowercase();
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (rest, any_port) = match rest.strip_suffix(":*") {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    let (host, stars) = match rest.strip_prefix("*.") {
        Some(host) => (host, "*."),
        None => (rest, ""),
    };
    if host.contains('*') || scheme.contains('*') {
        return Err(OriginPatternError::Star(text.to_owned()));
    }
    let is_only_origin = !host.contains(['/', '?', '#', '@', '\\']);
    if !is_only_origin {
        let host = host.split(['/', '?', '#', '@', '\\']).next().unwrap_or_default();
        let port = if any_port { ":*" } else { "" };
        return Err(OriginPatternError::NotOnlyOrigin(
            text.to_owned(),
            format!("{scheme}://{stars}{host}{port}"),
        ));
    }
    let bad_host = || OriginPatternError::Host(text.to_owned());
    let (host, port) = if matches!(scheme.as_str(), "http" | "https") {
        // The URL standard puts names into Punycode and drops ports that go without saying.
        let url = url::Url::parse(&format!("{scheme}://{host}")).map_err(|_| bad_host())?;
        (url.host_str().ok_or_else(bad_host)?.to_owned(), url.port())
    } else {
        // Apps and extensions: their origins are taken as written.
        let origin = format!("{scheme}://{}", host.to_ascii_lowercase());
        let (_, host, port) = split(&origin).ok_or_else(bad_host)?;
        (host.to_owned(), port.and_then(|port| port.parse().ok()))
    };
    // One label alone would be every site below a country or a generic domain.
    if !stars.is_empty() && !host.contains('.') && host != "localhost" {
        return Err(OriginPatternError::TooWide(text.to_owned()));
    }
    let out = match port {
        _ if any_port => format!("{scheme}://{stars}{host}:*"),
        Some(port) => format!("{scheme}://{stars}{host}:{port}"),
        None => format!("{scheme}://{stars}{host}"),
    };
    match split(&out.replace("*.", "").replace(":*", "")) {
        Some(_) => Ok(out),
        None => Err(bad_host()),
    }
}

#[cfg(test)]
#[path = "origin_tests.rs"]
mod tests;
