//! Secrets: admin tokens and the keys of sites, which no log and no output may show.
//!
//! Must not: implement anything that prints or serializes what is inside.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use subtle::ConstantTimeEq;

use super::error::{Origin, Problem};

/// The fewest characters of an admin token or a server key.
pub const MIN_TOKEN: usize = 16;
/// The fewest bytes of a shared identity key: HS256 wants as many as its hash has (RFC 7518 §3.2).
pub const MIN_IDENTITY_KEY: usize = 32;

/// A text that shows as `(hidden)`.
#[derive(Clone)]
pub struct Secret(Box<str>);

impl Secret {
    /// Hides a text.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The text. Never log it.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether it is that text; how long the answer takes tells nothing but the length.
    #[must_use]
    pub fn is(&self, presented: &str) -> bool {
        self.0.as_bytes().ct_eq(presented.as_bytes()).into()
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(hidden)")
    }
}

/// What an admin token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AdminLevel {
    /// To look.
    ReadOnly,
    /// To look and to change.
    Full,
}

/// The admin tokens.
#[derive(Debug, Clone, Default)]
pub struct AdminTokens(Vec<(Secret, AdminLevel)>);

impl AdminTokens {
    /// A lone token that allows everything, such as the random one made at start.
    #[must_use]
    pub fn one(token: Secret) -> Self {
        Self(vec![(token, AdminLevel::Full)])
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// One of them, for asking a service that has the same settings.
    #[must_use]
    pub fn any(&self) -> Option<&Secret> {
        self.0.first().map(|(token, _)| token)
    }

    /// What a presented token allows; `None` where it is none of them. Every token is compared,
    /// so that the time taken does not tell which one came close.
    #[must_use]
    pub fn level_of(&self, presented: &str) -> Option<AdminLevel> {
        self.0.iter().fold(
            None,
            |found, (token, level)| {
                if token.is(presented) { Some(*level) } else { found }
            },
        )
    }

    pub(super) fn add(&mut self, token: &str, level: AdminLevel) -> Result<(), String> {
        check_token(token)?;
        if self.level_of(token).is_some() {
            return Err("the same token is there twice".to_owned());
        }
        self.0.push((Secret::new(token), level));
        Ok(())
    }

    /// Adds the tokens of a file: one a line, `full` unless `read-only` stands before it.
    pub(super) fn add_file(&mut self, path: &Arc<Path>, text: &str) -> Vec<Problem> {
        let mut problems = Vec::new();
        for (number, line) in (1..).zip(text.lines()) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let result = match words.as_slice() {
                [] => continue,
                [first, ..] if first.starts_with('#') => continue,
                ["full" | "read-only"] => Err("the token is missing after the level".to_owned()),
                [token] | ["full", token] | [token, "full"] => self.add(token, AdminLevel::Full),
                ["read-only", token] | [token, "read-only"] => {
                    self.add(token, AdminLevel::ReadOnly)
                }
                _ => Err("a line is a token, `full TOKEN` or `read-only TOKEN`".to_owned()),
            };
            if let Err(message) = result {
                let origin = Origin::File { path: path.clone(), line: number, column: 1 };
                problems.push(Problem::new(origin, message).help(HOW_TO_MAKE));
            }
        }
        problems
    }
}

/// How to make a secret that is good enough for every use here.
pub(super) const HOW_TO_MAKE: &str = "`openssl rand -hex 32` makes a good one";

/// Whether a text can serve as a bearer token (the `b64token` of RFC 6750 §2.1).
pub(super) fn check_token(token: &str) -> Result<(), String> {
    let length = token.chars().count();
    if length < MIN_TOKEN {
        return Err(format!("has {length} characters, but needs at least {MIN_TOKEN}"));
    }
    let is_sendable = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
    if !token.chars().all(is_sendable) {
        return Err("may only contain A-Z, a-z, 0-9 and -._~+/=".to_owned());
    }
    Ok(())
}

/// The secrets of a site.
#[derive(Debug, Clone, Default)]
pub struct SiteSecrets {
    /// Callers that present one of these are the site's own servers.
    pub server_keys: Vec<Secret>,
    /// What its identity tokens are signed with: a shared secret, or a public key in PEM.
    pub identity_key: Option<Secret>,
}

impl SiteSecrets {
    /// Whether that is one of the site's server keys.
    #[must_use]
    pub fn is_server_key(&self, presented: &str) -> bool {
        // All are compared, as with admin tokens.
        self.server_keys.iter().filter(|key| key.is(presented)).count() > 0
    }
}

pub(super) fn check_identity_key(key: &str) -> Result<(), String> {
    if key.starts_with("-----BEGIN ") || key.len() >= MIN_IDENTITY_KEY {
        return Ok(());
    }
    let length = key.len();
    Err(format!("has {length} bytes, but a shared key needs at least {MIN_IDENTITY_KEY}"))
}

/// Whether everybody on the machine may read the file.
#[cfg(unix)]
pub(super) fn is_world_readable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|meta| meta.permissions().mode() & 0o004 != 0)
}

#[cfg(not(unix))]
pub(super) fn is_world_readable(_path: &Path) -> bool {
    false
}
