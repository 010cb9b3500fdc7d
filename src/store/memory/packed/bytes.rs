//! Numbers and texts as bytes, and back, whatever the bytes are.
//!
//! Must not: know what they mean.

use std::borrow::Cow;

use super::PackedError;
use crate::domain::page_url::PageUrl;
use crate::domain::time::{Millis, Timestamp};

/// What is written.
#[derive(Debug, Default)]
pub(super) struct Writer<'a> {
    pub(super) out: Vec<u8>,
    /// Moments are written as their distance from this one.
    pub(super) origin: i64,
    /// The addresses that are written as places in this list.
    pub(super) urls: Vec<&'a PageUrl>,
}

/// What is yet to be read.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) rest: &'a [u8],
    pub(super) origin: i64,
}

/// Heads of texts that are hexadecimal digits; that of any other is its length and [`HEADS`].
const HEX_16: u64 = 0;
const HEX_32: u64 = 1;
const UUID: u64 = 2;
const HEADS: u64 = 3;

impl Writer<'_> {
    pub(super) fn byte(&mut self, byte: u8) {
        self.out.push(byte);
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) {
        self.out.extend_from_slice(bytes);
    }

    /// Seven bits a byte, the lowest first; the highest bit says that another follows (LEB128).
    pub(super) fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.byte(number.to_le_bytes()[0] | 0x80);
            number >>= 7;
        }
        self.byte(number.to_le_bytes()[0]);
    }

    pub(super) fn size(&mut self, size: usize) {
        self.number(size as u64);
    }

    /// Small numbers of either sign are short: 0, -1, 1, -2, …
    pub(super) fn signed(&mut self, number: i64) {
        self.number(((number << 1) ^ (number >> 63)).cast_unsigned());
    }

    pub(super) fn time(&mut self, at: Timestamp) {
        self.signed(at.0.wrapping_sub(self.origin));
    }

    pub(super) fn length(&mut self, length: Millis) {
        self.signed(length.0);
    }

    /// A text. Ids in hexadecimal digits take half their length.
    pub(super) fn text(&mut self, text: &str) {
        if let Some(bytes) = unhex::<8>(text.as_bytes()) {
            self.number(HEX_16);
            self.bytes(&bytes);
        } else if let Some(bytes) = unhex::<16>(text.as_bytes()) {
            self.number(HEX_32);
            self.bytes(&bytes);
        } else if let Some(bytes) = uuid(text) {
            self.number(UUID);
            self.bytes(&bytes);
        } else {
            self.number(HEADS + text.len() as u64);
            self.bytes(text.as_bytes());
        }
    }

    pub(super) fn texts<'t>(&mut self, texts: impl ExactSizeIterator<Item = &'t str>) {
        self.size(texts.len());
        texts.for_each(|text| self.text(text));
    }

    /// A byte with a bit for each that is there, the lowest for the first.
    pub(super) fn presence(&mut self, parts: &[bool]) {
        self.byte(parts.iter().rev().fold(0, |bits, is_there| bits << 1 | u8::from(*is_there)));
    }
}

impl<'a> Reader<'a> {
    pub(super) fn byte(&mut self) -> Result<u8, PackedError> {
        let (byte, rest) = self.rest.split_first().ok_or(PackedError::Cut)?;
        self.rest = rest;
        Ok(*byte)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], PackedError> {
        let (bytes, rest) = self.rest.split_first_chunk().ok_or(PackedError::Cut)?;
        self.rest = rest;
        Ok(*bytes)
    }

    pub(super) fn number(&mut self) -> Result<u64, PackedError> {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.byte()?;
            let bits = u64::from(byte & 0x7f);
            if bits << shift >> shift != bits {
                break;
            }
            number |= bits << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(PackedError::Value("number"))
    }

    pub(super) fn number_32(&mut self) -> Result<u32, PackedError> {
        u32::try_from(self.number()?).map_err(|_| PackedError::Value("number"))
    }

    pub(super) fn signed(&mut self) -> Result<i64, PackedError> {
        let number = self.number()?;
        Ok((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
    }

    pub(super) fn time(&mut self) -> Result<Timestamp, PackedError> {
        Ok(Timestamp(self.signed()?.wrapping_add(self.origin)))
    }

    pub(super) fn length(&mut self) -> Result<Millis, PackedError> {
        Ok(Millis(self.signed()?))
    }

    pub(super) fn plain(&mut self, length: u64) -> Result<&'a str, PackedError> {
        let length = usize::try_from(length).map_err(|_| PackedError::Cut)?;
        let (text, rest) = self.rest.split_at_checked(length).ok_or(PackedError::Cut)?;
        self.rest = rest;
        std::str::from_utf8(text).map_err(|_| PackedError::Value("text"))
    }

    pub(super) fn text(&mut self) -> Result<Cow<'a, str>, PackedError> {
        Ok(match self.number()? {
            HEX_16 => Cow::Owned(format!("{:016x}", u64::from_be_bytes(self.array()?))),
            HEX_32 => Cow::Owned(format!("{:032x}", u128::from_be_bytes(self.array()?))),
            UUID => Cow::Owned(uuid::Uuid::from_bytes(self.array()?).to_string()),
            length => Cow::Borrowed(self.plain(length - HEADS)?),
        })
    }

    /// As many as are said to be there. What they say is not believed before it is seen.
    pub(super) fn list<T>(
        &mut self,
        mut read: impl FnMut(&mut Self) -> Result<T, PackedError>,
    ) -> Result<Vec<T>, PackedError> {
        let count = self.number()?;
        let mut list = Vec::new();
        for _ in 0..count {
            list.push(read(self)?);
        }
        Ok(list)
    }

    pub(super) fn texts<T: From<Cow<'a, str>>>(&mut self) -> Result<Vec<T>, PackedError> {
        self.list(|reader| Ok(reader.text()?.into()))
    }

    /// Which of `N` parts are there.
    pub(super) fn presence<const N: usize>(&mut self) -> Result<[bool; N], PackedError> {
        let bits = self.byte()?;
        Ok(std::array::from_fn(|at| bits >> at & 1 == 1))
    }

    /// What that part is, if it is there.
    pub(super) fn maybe<T>(
        &mut self,
        is_there: bool,
        read: impl FnOnce(&mut Self) -> Result<T, PackedError>,
    ) -> Result<Option<T>, PackedError> {
        is_there.then(|| read(self)).transpose()
    }
}

/// The bytes that exactly so many lower-case hexadecimal digits stand for.
fn unhex<const N: usize>(text: &[u8]) -> Option<[u8; N]> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let (pairs, []) = text.as_chunks::<2>() else { return None };
    let pairs: &[[u8; 2]; N] = pairs.try_into().ok()?;
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        *byte = digit(*high)? << 4 | digit(*low)?;
    }
    Some(bytes)
}

/// The bytes of a UUID in its usual, lower-case form.
fn uuid(text: &str) -> Option<[u8; 16]> {
    let is_usual = text.len() == 36 && !text.bytes().any(|byte| byte.is_ascii_uppercase());
    is_usual.then(|| uuid::Uuid::try_parse(text).ok()).flatten().map(uuid::Uuid::into_bytes)
}
