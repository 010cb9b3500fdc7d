//! One live session as a string of bytes: how it rests in memory, and how it is kept in a file.
//!
//! ```text
//! version        1 byte
//! flags          2 bytes, the lower one first
//! last activity  signed number: milliseconds since 1970
//! time-out       signed number: milliseconds
//! addresses      a list; each is a number times 2 and 1, or a length times 2 and so much text
//! start          signed number: its distance from the last activity
//! session        times are distances from the start, addresses are places in the list
//! events         the last eight, with what was answered to each
//! ```
//!
//! A number of an address stands for one of a table that sessions in memory share; in a file there
//! are none, so that what is there can be read by itself. The site and the session's id come from
//! outside. Numbers, texts and lists are those of `bytes.rs`.
//!
//! The bytes of a version never change. What reads them believes nothing: wrong bytes are an
//! error, and no more is allocated than they can fill.
//!
//! Must not: know where sessions are kept, or change one.

mod answers;
mod bytes;
mod session;
#[cfg(test)]
mod tests;

use self::bytes::{Reader, Writer};
use super::repeats::Recent;
use crate::domain::ids::SessionKey;
use crate::domain::page_url::PageUrl;
use crate::domain::session::Session;
use crate::domain::time::{Millis, Timestamp};

/// The one version there is.
const VERSION: u8 = 1;

/// Why bytes are no session.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PackedError {
    /// Of a later version, or no session at all.
    #[error("a session of version {0}; this program reads version {VERSION}")]
    Version(u8),
    /// They end too early.
    #[error("a session that is cut off")]
    Cut,
    /// They go on after their end.
    #[error("a session with {0} bytes too many")]
    Trailing(usize),
    /// Something in them cannot be.
    #[error("a session with a wrong {0}")]
    Value(&'static str),
}

/// All that the store knows of one live session.
#[derive(Debug)]
pub(super) struct Unpacked {
    pub(super) session: Session,
    pub(super) timeout: Millis,
    pub(super) has_claims: bool,
    pub(super) recent: Recent,
}

/// What can be read without the rest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) last_active_at: Timestamp,
    pub(super) timeout: Millis,
    flags: Flags,
}

/// Which parts there are. The numbers are those of the format.
#[derive(Debug, Clone, Copy)]
#[repr(u8)]
enum Flag {
    Granted,
    Denied,
    Claims,
    BucketedByVisitor,
    HeldOut,
    Landing,
    Referrer,
    Utm,
    Cart,
    Profile,
    Events,
    Views,
    Shadows,
    Own,
    Recent,
}

#[derive(Debug, Clone, Copy, Default)]
struct Flags(u16);

impl Flags {
    fn has(self, flag: Flag) -> bool {
        self.0 >> (flag as u8) & 1 == 1
    }

    fn set(&mut self, flag: Flag, is_set: bool) {
        self.0 |= u16::from(is_set) << (flag as u8);
    }
}

impl Head {
    /// Reads it from a session's bytes.
    pub(super) fn of(packed: &[u8]) -> Result<Self, PackedError> {
        Self::read(&mut Reader { rest: packed, origin: 0 })
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self, PackedError> {
        let version = reader.byte()?;
        if version != VERSION {
            return Err(PackedError::Version(version));
        }
        let flags = Flags(u16::from_le_bytes(reader.array()?));
        Ok(Self { flags, last_active_at: reader.time()?, timeout: reader.length()? })
    }

    /// Whether all there is of it is that its visitor does not want to be stored.
    pub(super) fn is_denial(&self) -> bool {
        self.flags.has(Flag::Denied)
    }

    pub(super) fn is_expired(&self, now: Timestamp) -> bool {
        now - self.last_active_at >= self.timeout
    }
}

/// A session as bytes. `number_of` gives the numbers of shared addresses; any other is written as
/// text. A call that is under way is packed as one that was cut off.
pub(super) fn encode<'a>(
    key: &SessionKey,
    session: &'a Session,
    timeout: Millis,
    has_claims: bool,
    recent: &Recent,
    number_of: impl FnMut(&PageUrl) -> Option<u32>,
) -> Vec<u8> {
    let mut flags = session::flags_of(session);
    flags.set(Flag::Claims, has_claims);
    flags.set(Flag::Recent, !recent.all().is_empty());
    let mut body: Writer<'a> = Writer { origin: session.started_at.0, ..Writer::default() };
    body.session(session, flags);
    if flags.has(Flag::Recent) {
        body.recent(recent, &key.id);
    }
    let mut whole = Writer::default();
    whole.byte(VERSION);
    whole.bytes(&flags.0.to_le_bytes());
    whole.time(session.last_active_at);
    whole.length(timeout);
    whole.addresses(body.urls.iter().copied(), number_of);
    whole.signed(session.started_at.0.wrapping_sub(session.last_active_at.0));
    whole.bytes(&body.out);
    whole.out
}

/// The session that the bytes are. `url_of` gives the addresses that numbers stand for.
///
/// # Errors
/// Where they are not what [`encode`] gave.
pub(super) fn decode(
    key: &SessionKey,
    packed: &[u8],
    url_of: impl FnMut(u32) -> Option<PageUrl>,
) -> Result<Unpacked, PackedError> {
    let mut reader = Reader { rest: packed, origin: 0 };
    let Head { last_active_at, timeout, flags } = Head::read(&mut reader)?;
    let urls = reader.addresses(url_of)?;
    reader.origin = last_active_at.0.wrapping_add(reader.signed()?);
    let mut session = reader.session(&key.site, flags, last_active_at, &urls)?;
    if flags.has(Flag::Own) {
        reader.own(&mut session.own)?;
    }
    let recent = reader.maybe(flags.has(Flag::Recent), |reader| reader.recent(&key.id))?;
    if !reader.rest.is_empty() {
        return Err(PackedError::Trailing(reader.rest.len()));
    }
    let recent = recent.unwrap_or_default();
    Ok(Unpacked { session, timeout, has_claims: flags.has(Flag::Claims), recent })
}

/// The same session with its shared addresses written out.
///
/// # Errors
/// As [`decode`], as far as it looks.
pub(super) fn inline(
    packed: &[u8],
    url_of: impl FnMut(u32) -> Option<PageUrl>,
) -> Result<Vec<u8>, PackedError> {
    let mut reader = Reader { rest: packed, origin: 0 };
    Head::read(&mut reader)?;
    let head = packed.len() - reader.rest.len();
    let urls = reader.addresses(url_of)?;
    let mut whole = Writer::default();
    whole.bytes(packed.get(..head).unwrap_or_default());
    whole.addresses(urls.iter(), |_| None);
    whole.bytes(reader.rest);
    Ok(whole.out)
}

/// Gives each number of a shared address in a session's bytes, as far as they can be read.
pub(super) fn numbers(packed: &[u8], mut each: impl FnMut(u32)) {
    let mut reader = Reader { rest: packed, origin: 0 };
    let Ok(_) = Head::read(&mut reader) else { return };
    for _ in 0..reader.number().unwrap_or_default() {
        match reader.address() {
            Ok(Address::Number(number)) => each(number),
            Ok(Address::Text(_)) => {}
            Err(_) => return,
        }
    }
}

/// One of a session's addresses.
enum Address<'a> {
    Number(u32),
    Text(&'a str),
}

impl Writer<'_> {
    fn addresses<'u>(
        &mut self,
        urls: impl ExactSizeIterator<Item = &'u PageUrl>,
        mut number_of: impl FnMut(&PageUrl) -> Option<u32>,
    ) {
        self.size(urls.len());
        for url in urls {
            if let Some(number) = number_of(url) {
                self.number(u64::from(number) << 1 | 1);
            } else {
                self.number((url.as_str().len() as u64) << 1);
                self.bytes(url.as_str().as_bytes());
            }
        }
    }
}

impl<'a> Reader<'a> {
    fn address(&mut self) -> Result<Address<'a>, PackedError> {
        let head = self.number()?;
        if head & 1 == 0 {
            return self.plain(head >> 1).map(Address::Text);
        }
        let number = u32::try_from(head >> 1).map_err(|_| PackedError::Value("address"))?;
        Ok(Address::Number(number))
    }

    fn addresses(
        &mut self,
        mut url_of: impl FnMut(u32) -> Option<PageUrl>,
    ) -> Result<Vec<PageUrl>, PackedError> {
        self.list(|reader| {
            let url = match reader.address()? {
                Address::Number(number) => url_of(number),
                Address::Text(text) => PageUrl::spelled(text),
            };
            url.ok_or(PackedError::Value("address"))
        })
    }
}
