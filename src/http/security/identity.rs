//! Identity tokens: who the visitor is to the site, in a JWT (RFC 7519) signed with its key.
//!
//! The key alone says which algorithm counts (RFC 8725 §3.1); what the token's header says is only
//! compared with it. So neither `none` nor a public key taken for a secret gets anybody in.
//!
//! Must not: read a clock; the moment is given.

use std::sync::Arc;

use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use serde::Deserialize;
use spki::der::Decode;
use spki::{ObjectIdentifier, SubjectPublicKeyInfoRef};

use crate::domain::time::{Millis, Timestamp};

/// The longest `sub`, in bytes.
pub const MAX_SUBJECT_BYTES: usize = 256;
/// How far the clock of whoever signs may be off.
pub const LEEWAY: Millis = Millis::seconds(60);
/// The shortest secret, in bytes: that of the hash (RFC 7518 §3.2).
pub const MIN_SECRET_BYTES: usize = 32;

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const ED25519: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.101.112");

/// Why a text is no key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityKeyError {
    /// A secret that can be guessed.
    #[error(
        "the secret has {0} bytes; use at least {MIN_SECRET_BYTES} random ones (RFC 7518 §3.2)"
    )]
    ShortSecret(usize),
    /// The site's private key.
    #[error("this is a private key; give the public one, the service only checks signatures")]
    Private,
    /// A PEM of something else.
    #[error("this PEM is no public key: {0}")]
    Pem(String),
    /// A key of another kind.
    #[error("only RSA, EC P-256 and Ed25519 public keys are taken")]
    Unsupported,
}

/// A site's key, and with it the one algorithm that counts.
#[derive(Clone)]
pub struct IdentityKey {
    key: DecodingKey,
    validation: Validation,
}

impl std::fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "IdentityKey({:?})", self.validation.algorithms)
    }
}

/// What a token turned out to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// It is good: this is its `sub`.
    Known(Arc<str>),
    /// It was good once. The visitor counts as anonymous.
    Expired,
    /// It never was, and why. A 400 at `/identity_token`.
    Invalid(&'static str),
}

#[derive(Deserialize)]
struct Claims {
    sub: Option<String>,
    exp: Option<f64>,
    nbf: Option<f64>,
    aud: Option<Audience>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Many(Vec<String>),
}

impl IdentityKey {
    /// Reads a key as settings hold it: a PEM public key (RS256, ES256, `EdDSA`), else a secret
    /// (HS256).
    ///
    /// # Errors
    /// Where it is weak, private, or of another kind.
    pub fn parse(text: &str) -> Result<Self, IdentityKeyError> {
        if text.contains("-----BEGIN") {
            Self::from_pem(text)
        } else {
            Self::from_secret(text.trim())
        }
    }

    fn from_secret(secret: &str) -> Result<Self, IdentityKeyError> {
        if secret.len() < MIN_SECRET_BYTES {
            return Err(IdentityKeyError::ShortSecret(secret.len()));
        }
        Ok(Self::new(DecodingKey::from_secret(secret.as_bytes()), Algorithm::HS256))
    }

    fn from_pem(pem: &str) -> Result<Self, IdentityKeyError> {
        let pem_error = |error: &dyn std::fmt::Display| IdentityKeyError::Pem(error.to_string());
        let (label, der) =
            pem_rfc7468::decode_vec(pem.trim().as_bytes()).map_err(|error| pem_error(&error))?;
        match label {
            "PUBLIC KEY" => {}
            "RSA PUBLIC KEY" => {
                return Ok(Self::new(DecodingKey::from_rsa_der(&der), Algorithm::RS256));
            }
            label if label.ends_with("PRIVATE KEY") => return Err(IdentityKeyError::Private),
            _ => return Err(IdentityKeyError::Unsupported),
        }
        let info = SubjectPublicKeyInfoRef::from_der(&der).map_err(|error| pem_error(&error))?;
        let bits = info.subject_public_key.as_bytes().ok_or(IdentityKeyError::Unsupported)?;
        match info.algorithm.oid {
            RSA => Ok(Self::new(DecodingKey::from_rsa_der(bits), Algorithm::RS256)),
            ED25519 => Ok(Self::new(DecodingKey::from_ed_der(bits), Algorithm::EdDSA)),
            EC if info.algorithm.parameters_oid() == Ok(P256) => {
                Ok(Self::new(DecodingKey::from_ec_der(bits), Algorithm::ES256))
            }
            _ => Err(IdentityKeyError::Unsupported),
        }
    }

    fn new(key: DecodingKey, algorithm: Algorithm) -> Self {
        let mut validation = Validation::new(algorithm);
        // Claims are checked below: by the moment given, and in words that help.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_aud = false;
        Self { key, validation }
    }

    /// Checks a token at that moment: signature, `exp` (required), `nbf`, `aud` (if there is one it
    /// must be the site's key), `sub` (required).
    #[must_use]
    pub fn verify(&self, token: &str, site: &str, now: Timestamp) -> Identity {
        let data = match jsonwebtoken::decode::<Claims>(token, &self.key, &self.validation) {
            Ok(data) => data,
            Err(error) => {
                return Identity::Invalid(match error.kind() {
                    ErrorKind::InvalidSignature => "the signature does not fit the site's key",
                    ErrorKind::InvalidAlgorithm | ErrorKind::InvalidAlgorithmName => {
                        "`alg` is not that of the site's key"
                    }
                    _ => "is not a JWT that the site's key could have signed",
                });
            }
        };
        // RFC 7515 §4.1.11: whoever does not understand an extension must refuse.
        if data.header.crit.is_some() {
            return Identity::Invalid("`crit` names extensions that are not understood");
        }
        let claims = data.claims;
        let fits_site = match &claims.aud {
            None => true,
            Some(Audience::One(name)) => name == site,
            Some(Audience::Many(names)) => names.iter().any(|name| name == site),
        };
        if !fits_site {
            return Identity::Invalid("`aud` is not this site's key");
        }
        let Some(sub) = claims.sub.filter(|sub| !sub.is_empty()) else {
            return Identity::Invalid("`sub` is required");
        };
        if sub.len() > MAX_SUBJECT_BYTES {
            return Identity::Invalid("`sub` may be at most 256 bytes long");
        }
        if claims.nbf.is_some_and(|at| seconds(at) > now + LEEWAY) {
            return Identity::Invalid("`nbf` is in the future");
        }
        match claims.exp {
            None => Identity::Invalid("`exp` is required"),
            Some(at) if seconds(at) + LEEWAY <= now => Identity::Expired,
            Some(_) => Identity::Known(sub.into()),
        }
    }
}

/// A `NumericDate` (RFC 7519 §2).
#[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and drops fractions")]
fn seconds(at: f64) -> Timestamp {
    Timestamp((at * 1_000.0) as i64)
}

/// Checks a token by each of a site's keys: two while one takes over from the other.
#[must_use]
pub fn verify_any(keys: &[IdentityKey], token: &str, site: &str, now: Timestamp) -> Identity {
    let mut worst = Identity::Invalid("the site has no key for identity tokens");
    for key in keys {
        match key.verify(token, site, now) {
            known @ Identity::Known(_) => return known,
            Identity::Expired => worst = Identity::Expired,
            Identity::Invalid(words) if worst != Identity::Expired => {
                worst = Identity::Invalid(words);
            }
            Identity::Invalid(_) => {}
        }
    }
    worst
}

#[cfg(test)]
#[path = "identity_tests.rs"]
mod tests;
