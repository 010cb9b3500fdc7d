//! A page's address, parsed once, in one spelling.
//!
//! Parsing is that of the WHATWG URL standard (`url` crate). Percent-encoding is then settled the
//! way RFC 3987 §3.2 turns a URI into an IRI: whatever decodes to letters beyond ASCII, or to an
//! unreserved character, is decoded; every other escape stays, with upper-case digits. So `/パス`,
//! `/%E3%83%91%E3%82%B9` and `/%e3%83%91%e3%82%b9` are one path, and `%2F` never becomes a `/`.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use url::Url;

/// The longest URL taken, in bytes, as it is sent. Browsers and proxies rarely pass longer ones.
pub const MAX_URL_BYTES: usize = 8_192;

/// An `http` or `https` URL, in one spelling, with its parts found. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct PageUrl {
    text: Arc<str>,
    host: Span,
    /// From the path's `/` on.
    path: Span,
    query: Option<Span>,
    fragment: Option<Span>,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Span {
    start: u16,
    end: u16,
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
        let host = Self::append(&mut out, url.host_str().unwrap_or_default());
        if let Some(port) = url.port() {
            out.push(':');
            out.push_str(&port.to_string());
        }
        let path = Self::append(&mut out, &settle(url.path()));
        let query = url.query().filter(|q| !q.is_empty()).map(|query| {
            out.push('?');
            Self::append(&mut out, &settle(query))
        });
        let fragment = url.fragment().filter(|f| !f.is_empty()).map(|fragment| {
            out.push('#');
            Self::append(&mut out, &settle(fragment))
        });
        // Percent-encoding can lengthen what came in threefold; spans are 16 bits wide.
        if out.len() > usize::from(u16::MAX) {
            return Err(PageUrlError::TooLong(out.len()));
        }
        Ok(Self { text: out.into(), host, path, query, fragment })
    }

    /// `http://localhost/`, for where an address must be and none is known.
    #[must_use]
    pub fn blank() -> Self {
        Self {
            text: "http://localhost/".into(),
            host: Span { start: 7, end: 16 },
            path: Span { start: 16, end: 17 },
            query: None,
            fragment: None,
        }
    }

    fn append(out: &mut String, part: &str) -> Span {
        let start = u16::try_from(out.len()).unwrap_or(u16::MAX);
        out.push_str(part);
        Span { start, end: u16::try_from(out.len()).unwrap_or(u16::MAX) }
    }

    fn part(&self, span: Span) -> &str {
        self.text.get(Range::from(span)).unwrap_or_default()
    }

    /// The whole URL.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The whole URL, shared.
    #[must_use]
    pub fn shared(&self) -> &Arc<str> {
        &self.text
    }

    /// Scheme, host and port: `https://shop.example`, `http://localhost:8080`.
    #[must_use]
    pub fn origin(&self) -> &str {
        self.text.get(..usize::from(self.path.start)).unwrap_or_default()
    }

    /// Host name, lower case, international names in Punycode; no port.
    #[must_use]
    pub fn host(&self) -> &str {
        self.part(self.host)
    }

    /// The path, from its `/` on.
    #[must_use]
    pub fn path(&self) -> &str {
        self.part(self.path)
    }

    /// The query without its `?`; an empty one is none.
    #[must_use]
    pub fn query(&self) -> Option<&str> {
        self.query.map(|span| self.part(span))
    }

    /// The fragment without its `#`; an empty one is none.
    #[must_use]
    pub fn fragment(&self) -> Option<&str> {
        self.fragment.map(|span| self.part(span))
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
        let text = self.text.get(..usize::from(self.path.end)).unwrap_or_default();
        Self { text: text.into(), host: self.host, path: self.path, query: None, fragment: None }
    }
}

impl From<Span> for Range<usize> {
    fn from(span: Span) -> Self {
        usize::from(span.start)..usize::from(span.end)
    }
}

impl fmt::Debug for PageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for PageUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
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
}
