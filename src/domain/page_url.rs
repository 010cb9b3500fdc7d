//! A page's address, parsed once, in one spelling.
//!
//! Parsing is that of the WHATWG URL standard (`url` crate). Percent-encoding is then settled the
//! way RFC 3987 §3.2 turns a URI into an IRI: whatever decodes to letters beyond ASCII, or to an
//! unreserved character, is decoded; every other escape stays, with upper-case digits. So `/パス`,
//! `/%E3%83%91%E3%82%B9` and `/%e3%83%91%e3%82%b9` are one path, and `%2F` never becomes a `/`.

use std::borrow::Cow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use url::Url;

/// The longest URL taken, in bytes, as it is sent. Browsers and proxies rarely pass longer ones.
pub const MAX_URL_BYTES: usize = 8_192;

/// An `http` or `https` URL, in one spelling, with its parts found. As wide as a pointer, and cheap
/// to clone.
#[derive(Clone)]
pub struct PageUrl(Arc<Parts>);

/// The text, and where its parts end. 16 bits suffice: see [`PageUrl::parse`].
#[derive(Debug)]
struct Parts {
    text: Box<str>,
    host: u16,
    host_end: u16,
    /// The path's `/`.
    path: u16,
    path_end: u16,
    /// Where the query ends; where the path does if there is none.
    query_end: u16,
}

/// Why a text is no page's address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PageUrlError {
    /// More than [`MAX_URL_BYTES`].
    #[error("is {0} bytes long; at most {MAX_URL_BYTES} are taken")]
    TooLong(usize),
    /// Not `http` or `https`.
    #[error("must be an http:// or https:// URL, not {0}:")]
    Scheme(String),
    /// The URL standard's own word.
    #[error("is not an absolute URL: {0}")]
    Syntax(#[from] url::ParseError),
}

impl PageUrl {
    /// Parses an absolute URL; user name and password are dropped.
    ///
    /// # Errors
    /// Where the text is too long, relative, malformed, or of another scheme.
    pub fn parse(text: &str) -> Result<Self, PageUrlError> {
        if text.len() > MAX_URL_BYTES {
            return Err(PageUrlError::TooLong(text.len()));
        }
        let url = Url::parse(text)?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(PageUrlError::Scheme(url.scheme().to_owned()));
        }
        let mut out = String::with_capacity(url.as_str().len());
        out.push_str(url.scheme());
        out.push_str("://");
        out.push_str(url.host_str().unwrap_or_default());
        if let Some(port) = url.port() {
            out.push(':');
            out.push_str(&port.to_string());
        }
        out.push_str(&settle(url.path()));
        for (mark, part) in [('?', url.query()), ('#', url.fragment())] {
            if let Some(part) = part.filter(|part| !part.is_empty()) {
                out.push(mark);
                out.push_str(&settle(part));
            }
        }
        // Percent-encoding can lengthen what came in threefold.
        Self::spelled(&out).ok_or(PageUrlError::TooLong(out.len()))
    }

    /// An address in the one spelling: what [`PageUrl::as_str`] gave before. Its parts are found,
    /// its spelling is not looked at again. `None` where it cannot be one.
    #[must_use]
    pub fn spelled(text: &str) -> Option<Self> {
        let host = text.find("://")? + 3;
        let path = host + text.get(host..)?.find('/')?;
        let fragment = text.find('#').unwrap_or(text.len());
        let path_end = text.find('?').unwrap_or(text.len()).min(fragment);
        // A colon before a `]` is of an IPv6 address.
        let authority = text.get(host..path)?;
        let name = authority.rfind(']').map_or(0, |bracket| bracket + 1);
        let port = authority.get(name..)?.find(':').map(|colon| name + colon);
        let host_end = host + port.unwrap_or(authority.len());
        (path < path_end).then_some(())?;
        u16::try_from(text.len()).ok()?;
        let place = |at: usize| u16::try_from(at).ok();
        Some(Self(Arc::new(Parts {
            host: place(host)?,
            host_end: place(host_end)?,
            path: place(path)?,
            path_end: place(path_end)?,
            query_end: place(fragment)?,
            text: text.into(),
        })))
    }

    /// `http://localhost/`, for where an address must be and none is known.
    #[must_use]
    pub fn blank() -> Self {
        let (host, path, end) = (7, 16, 17);
        let text = "http://localhost/".into();
        Self(Arc::new(Parts { text, host, host_end: path, path, path_end: end, query_end: end }))
    }

    fn part(&self, start: u16, end: u16) -> &str {
        self.0.text.get(usize::from(start)..usize::from(end)).unwrap_or_default()
    }

    /// What follows the mark at that place, up to the end; `None` where nothing does.
    fn after(&self, mark: u16, end: usize) -> Option<&str> {
        self.0.text.get(usize::from(mark) + 1..end).filter(|part| !part.is_empty())
    }

    /// The whole URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.text
    }

    /// How many hold this very copy.
    #[must_use]
    pub fn holders(&self) -> usize {
        Arc::strong_count(&self.0)
    }

    /// Scheme, host and port: `https://shop.example`, `http://localhost:8080`.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.part(0, self.0.path)
    }

    /// Host name, lower case, international names in Punycode; no port.
    #[must_use]
    pub fn host(&self) -> &str {
        self.part(self.0.host, self.0.host_end)
    }

    /// The path, from its `/` on.
    #[must_use]
    pub fn path(&self) -> &str {
        self.part(self.0.path, self.0.path_end)
    }

    /// The query without its `?`; an empty one is none.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.after(self.0.path_end, usize::from(self.0.query_end))
    }

    /// The fragment without its `#`; an empty one is none.
    #[must_use]
    pub fn fragment(&self) -> Option<&str> {
        self.after(self.0.query_end, self.0.text.len())
    }

    /// The first query parameter of that name, decoded as a form's (`+` is a space).
    #[must_use]
    pub fn query_value(&self, name: &str) -> Option<Cow<'_, str>> {
        let query = self.query()?;
        url::form_urlencoded::parse(query.as_bytes())
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// The URL without query and fragment: what is kept where the whole would be too long.
    #[must_use]
    pub fn without_query(&self) -> Self {
        Self(Arc::new(Parts {
            text: self.part(0, self.0.path_end).into(),
            query_end: self.0.path_end,
            ..*self.0
        }))
    }
}

impl PartialEq for PageUrl {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.text == other.0.text
    }
}

impl Eq for PageUrl {}

impl Hash for PageUrl {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.text.hash(state);
    }
}

impl fmt::Debug for PageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Display for PageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

/// One spelling for percent-encoded text: see the head of this file.
#[must_use]
pub fn settle(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        let (before, from) = rest.split_at(at);
        out.push_str(before);
        // A run of escapes is decoded as a whole, for a character may take four of them.
        let mut bytes = Vec::new();
        rest = from;
        while let Some((byte, tail)) = escape(rest) {
            bytes.push(byte);
            rest = tail;
        }
        if bytes.is_empty() {
            out.push('%');
            rest = rest.get(1..).unwrap_or_default();
            continue;
        }
        for chunk in bytes.utf8_chunks() {
            for c in chunk.valid().chars() {
                if may_stand_decoded(c) {
                    out.push(c);
                } else {
                    let mut buffer = [0; 4];
                    c.encode_utf8(&mut buffer).bytes().for_each(|b| push_escape(&mut out, b));
                }
            }
            chunk.invalid().iter().for_each(|b| push_escape(&mut out, *b));
        }
    }
    out.push_str(rest);
    Cow::Owned(out)
}

fn escape(text: &str) -> Option<(u8, &str)> {
    let digits = text.strip_prefix('%')?;
    let (hex, tail) = digits.split_at_checked(2)?;
    if !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    Some((u8::from_str_radix(hex, 16).ok()?, tail))
}

fn push_escape(out: &mut String, byte: u8) {
    use fmt::Write;
    // Writing to a String cannot fail.
    let _ = write!(out, "%{byte:02X}");
}

/// RFC 3986's unreserved characters, and RFC 3987's `ucschar` less what cannot be seen.
fn may_stand_decoded(c: char) -> bool {
    if c.is_ascii() {
        return c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '~');
    }
    // Controls, white space and the marks that turn text around would let two paths look alike.
    !(c.is_control()
        || c.is_whitespace()
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}'
            | '\u{E000}'..='\u{F8FF}' | '\u{FDD0}'..='\u{FDEF}' | '\u{FEFF}' | '\u{FFF0}'..='\u{FFFF}'
            | '\u{F0000}'..))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_of_one_path_are_one() {
        for text in [
            "https://shop.example/パス",
            "https://shop.example/%E3%83%91%E3%82%B9",
            "https://shop.example/%e3%83%91%e3%82%b9",
            "HTTPS://user:secret@Shop.Example:443/x/../%E3%83%91%E3%82%B9",
        ] {
            assert_eq!(PageUrl::parse(text).unwrap().as_str(), "https://shop.example/パス");
        }
    }

    #[test]
    fn reserved_escapes_stay() {
        let url = PageUrl::parse("https://shop.example/a%2fb/%41%zz?q=%26+x%3D#%25").unwrap();
        assert_eq!(url.path(), "/a%2Fb/A%zz");
        assert_eq!(url.query(), Some("q=%26+x%3D"));
        assert_eq!(url.query_value("q").as_deref(), Some("& x="));
        assert_eq!(url.fragment(), Some("%25"));
    }

    #[test]
    fn parts() {
        let url = PageUrl::parse("http://例え.jp:8080?utm_source=").unwrap();
        assert_eq!(url.host(), "xn--r8jz45g.jp");
        assert_eq!(url.origin(), "http://xn--r8jz45g.jp:8080");
        assert_eq!(url.path(), "/");
        assert_eq!(url.query_value("utm_source").as_deref(), Some(""));
        assert!(PageUrl::parse("ftp://a.example/").is_err());
        assert!(PageUrl::parse("/only/a/path").is_err());
    }

    #[test]
    fn a_spelling_is_read_back_as_it_is() {
        for text in [
            "http://localhost/",
            "https://[2001:db8::1]:8443/a/b?c=/d?e#f?/g#h",
            "https://[::1]/#only",
            "http://例え.jp:8080/パス?q=ぺージ",
            "https://shop.example/%4%31?%2%35",
            "https://shop.example/?#",
        ] {
            let url = PageUrl::parse(text).unwrap();
            let again = PageUrl::spelled(url.as_str()).unwrap();
            let parts = |url: &PageUrl| {
                let parts = [url.as_str(), url.origin(), url.host(), url.path()].map(str::to_owned);
                (parts, url.query().map(str::to_owned), url.fragment().map(str::to_owned))
            };
            assert_eq!(parts(&again), parts(&url));
        }
        let long = PageUrl::parse("https://[::1]:81/a?b#c").unwrap();
        assert_eq!((long.host(), long.origin()), ("[::1]", "https://[::1]:81"));
        assert_eq!((long.query(), long.fragment()), (Some("b"), Some("c")));
        assert_eq!(long.without_query().as_str(), "https://[::1]:81/a");
        assert_eq!(PageUrl::blank(), PageUrl::parse("http://localhost").unwrap());
        for text in ["", "a", "://", "https://shop.example", "https://a?b/", "https://a#/"] {
            assert!(PageUrl::spelled(text).is_none(), "{text}");
        }
    }
}
