//! Names of things: sites, sessions, visitors, decisions.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// A site's key: the name of its folder below `rules/`. Cheap to clone.
pub type SiteKey = Arc<str>;

/// An id that the page made: 16 to 64 of `A-Za-z0-9_-`, at least 128 random bits by contract.
///
/// Thirty-two lower-case hexadecimal digits, what the page script makes, take 16 bytes.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PageId(Repr);

#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Repr {
    Hex([u8; 16]),
    Text(Box<str>),
}

/// Why a text is no id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PageIdError {
    /// Shorter than 16 or longer than 64 characters.
    #[error("must be 16 to 64 characters long, this one has {0}")]
    Length(usize),
    /// Something outside `A-Za-z0-9_-`.
    #[error("may only contain A-Z, a-z, 0-9, '_' and '-'")]
    Alphabet,
}

impl PageId {
    /// Reads an id as a page sends it.
    ///
    /// # Errors
    /// Where its length or alphabet is not that of the contract.
    pub fn parse(text: &str) -> Result<Self, PageIdError> {
        if !(16..=64).contains(&text.len()) {
            return Err(PageIdError::Length(text.chars().count()));
        }
        if !text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-') {
            return Err(PageIdError::Alphabet);
        }
        Ok(Self(match decode_hex(text.as_bytes()) {
            Some(bytes) => Repr::Hex(bytes),
            None => Repr::Text(text.into()),
        }))
    }

    /// An id out of 128 random bits.
    #[must_use]
    pub const fn from_bits(bits: [u8; 16]) -> Self {
        Self(Repr::Hex(bits))
    }

    /// The bits of one that is written as 32 lower-case hexadecimal digits.
    #[must_use]
    pub const fn bits(&self) -> Option<[u8; 16]> {
        match &self.0 {
            Repr::Hex(bits) => Some(*bits),
            Repr::Text(_) => None,
        }
    }
}

fn decode_hex(text: &[u8]) -> Option<[u8; 16]> {
    fn nibble(b: u8) -> Option<u8> {
        match b {
            b'0'..=b'9' => Some(b - b'0'),
            b'a'..=b'f' => Some(b - b'a' + 10),
            _ => None,
        }
    }
    let (pairs, []) = text.as_chunks::<2>() else { return None };
    let pairs: &[[u8; 2]; 16] = pairs.try_into().ok()?;
    let mut out = [0; 16];
    for (byte, [high, low]) in out.iter_mut().zip(pairs) {
        *byte = nibble(*high)? << 4 | nibble(*low)?;
    }
    Some(out)
}

impl fmt::Display for PageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Repr::Hex(bytes) => bytes.iter().try_for_each(|b| write!(f, "{b:02x}")),
            Repr::Text(text) => f.write_str(text),
        }
    }
}

impl fmt::Debug for PageId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for PageId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One browsing session's id, shared by its tabs.
pub type SessionId = PageId;

/// A session's full name: session ids of different sites never meet.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct SessionKey {
    /// The site it belongs to.
    pub site: SiteKey,
    /// The id the page gave it.
    pub id: SessionId,
}

/// Under which name a visitor's history is kept.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum VisitorId {
    /// A random id that the page made. Carries prompts and opt-out, nothing else.
    Page(PageId),
    /// Who the visitor is to the site, from a signed identity token. At most 256 bytes.
    Identity(Arc<str>),
}

/// A visitor's full name.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct VisitorKey {
    /// The site that knows the visitor.
    pub site: SiteKey,
    /// The visitor there.
    pub id: VisitorId,
}

/// One answer's id: a UUID of version 7 (RFC 9562), written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DecisionId(pub u128);

impl DecisionId {
    /// Reads a decision id as an answer wrote it.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        decode_hex(text.as_bytes()).map(|bytes| Self(u128::from_be_bytes(bytes)))
    }
}

impl fmt::Display for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for DecisionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for DecisionId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for DecisionId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text)
            .ok_or_else(|| serde::de::Error::custom("a decision id is 32 hexadecimal digits"))
    }
}
