//! Which of a log were page views of people, from where, with what, and of which session.
//!
//! A log names no session. Without one in it, an address with a user agent is taken for one
//! visitor, the usual heuristic: people behind one address with the same browser are one, and who
//! changes the address is another. The site's timeout cuts a visitor's page views into sessions.
//!
//! Must not: decide whether somebody is prompted.

use std::borrow::Cow;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use ahash::RandomState;
use twox_hash::XxHash3_64;

use super::hit::{Hit, LeftOut, More, Record};
use super::json_lines::{Mapping, Own};
use super::run::Options;
use super::{access_log, json_lines};
use crate::domain::ids::PageId;
use crate::domain::page_url::PageUrl;
use crate::domain::visit::{EventKind, Place};
use crate::enrich::device::{ClientHints, Devices};
use crate::enrich::geoip::GeoIp;
use crate::rules::language::accept_language;

/// The most addresses of pages, and lists of languages, that are remembered as they were read.
const MAX_KNOWN: usize = 100_000;

/// What became of a line.
#[derive(Debug)]
pub enum Sifted {
    /// A page view.
    Hit(Box<Hit>),
    /// None.
    LeftOut(LeftOut),
    /// Nothing that is understood.
    Unread(Cow<'static, str>),
}

/// Reads lines of one site's traffic.
pub struct Sieve {
    site: String,
    origin: String,
    includes_assets: bool,
    includes_bots: bool,
    remembers_visitors: bool,
    mapping: Option<Mapping>,
    devices: Devices,
    geoip: Option<Arc<GeoIp>>,
    urls: HashMap<Box<str>, Option<PageUrl>, RandomState>,
    languages: HashMap<Box<str>, Arc<[Arc<str>]>, RandomState>,
    none: Arc<[Arc<str>]>,
    text: String,
}

impl Sieve {
    /// For the traffic of that site, whose pages are at `origin` where a line does not say.
    #[must_use]
    pub fn new(site: &str, origin: &str, options: &Options, geoip: Option<Arc<GeoIp>>) -> Self {
        Self {
            site: site.to_owned(),
            origin: origin.to_owned(),
            includes_assets: options.includes_assets,
            includes_bots: options.includes_bots,
            remembers_visitors: options.remembers_visitors,
            mapping: options.mapping.clone(),
            devices: Devices::default(),
            geoip,
            urls: HashMap::default(),
            languages: HashMap::default(),
            none: Arc::from([]),
            text: String::new(),
        }
    }

    /// Reads a line.
    pub fn line(&mut self, line: &[u8]) -> Sifted {
        // Whoever writes logs in another encoding still has page views.
        let text = String::from_utf8_lossy(line);
        let text = text.trim_ascii();
        if !text.starts_with('{') {
            return match access_log::parse(text) {
                Ok(record) => self.sift(&record),
                Err(wrong) => Sifted::Unread(wrong.into()),
            };
        }
        match &self.mapping {
            Some(mapping) => match json_lines::mapped(text, mapping) {
                Ok(record) => self.sift(&record),
                Err(wrong) => Sifted::Unread(wrong.into()),
            },
            None => match json_lines::own(text) {
                Ok(own) => self.own(own),
                Err(wrong) => Sifted::Unread(wrong.into()),
            },
        }
    }

    fn sift(&mut self, record: &Record<'_>) -> Sifted {
        if !record.method.eq_ignore_ascii_case("GET") {
            return Sifted::LeftOut(LeftOut::Method);
        }
        match record.status {
            None | Some(200..=299 | 304) => {}
            Some(300..=399) => return Sifted::LeftOut(LeftOut::Redirect),
            Some(_) => return Sifted::LeftOut(LeftOut::Error),
        }
        if !self.includes_assets && is_asset(record) {
            return Sifted::LeftOut(LeftOut::Asset);
        }
        let device = self.devices.device(record.user_agent.as_deref(), &ClientHints::default());
        if device.is_bot && !self.includes_bots {
            return Sifted::LeftOut(LeftOut::Bot);
        }
        let Some(url) = self.page(record) else { return Sifted::LeftOut(LeftOut::Address) };
        let agent = record.user_agent.as_deref().unwrap_or_default();
        let session = match &record.session {
            Some(name) => id_of(name),
            None => browser_id(&record.who, agent),
        };
        let visitor = match &record.visitor {
            Some(name) => Some(id_of(name)),
            None => (self.remembers_visitors && record.session.is_none()).then(|| session.clone()),
        };
        let place = match record.who.parse::<IpAddr>() {
            Ok(address) => self.place(address),
            Err(_) => Arc::default(),
        };
        let referrer = record.referrer.as_deref().and_then(|text| self.url(text));
        let languages = match record.languages.as_deref() {
            Some(list) => self.languages(list),
            None => self.none.clone(),
        };
        Sifted::Hit(Box::new(Hit {
            at: record.at,
            session,
            visitor,
            kind: EventKind::PageView,
            url,
            referrer,
            place,
            device,
            languages,
            more: None,
        }))
    }

    fn own(&mut self, own: Own<'_>) -> Sifted {
        let Own { at, mut call } = own;
        if call.site != self.site {
            return Sifted::LeftOut(LeftOut::OtherSite);
        }
        if call.event.kind == EventKind::Recheck {
            return Sifted::LeftOut(LeftOut::Recheck);
        }
        let client = call.client.take();
        let agent = client.as_ref().and_then(|client| client.user_agent.as_deref());
        let hints = ClientHints { touch_points: call.touch_points, ..ClientHints::default() };
        let device = self.devices.device(agent, &hints);
        if device.is_bot && !self.includes_bots {
            return Sifted::LeftOut(LeftOut::Bot);
        }
        let address = client.as_ref().and_then(|client| client.address);
        let session = call.session.take().unwrap_or_else(|| {
            browser_id(
                &address.map(|address| address.to_string()).unwrap_or_default(),
                agent.unwrap_or_default(),
            )
        });
        let languages = client.as_ref().and_then(|client| client.accept_language.as_deref());
        let languages = match languages {
            Some(list) => self.languages(list),
            None => self.none.clone(),
        };
        Sifted::Hit(Box::new(Hit {
            at,
            session,
            visitor: call.visitor.take(),
            kind: call.event.kind,
            url: call.page.url.clone(),
            referrer: call.page.referrer.clone(),
            place: address.map_or_else(Arc::default, |address| self.place(address)),
            device,
            languages,
            more: Some(Box::new(More {
                page: call.page,
                cart: call.cart,
                profile: call.profile,
                consent: call.consent,
            })),
        }))
    }

    fn place(&self, address: IpAddr) -> Arc<Place> {
        self.geoip.as_ref().map_or_else(Arc::default, |geoip| geoip.lookup(address).0)
    }

    fn page(&mut self, record: &Record<'_>) -> Option<PageUrl> {
        let target = &*record.target;
        if !target.starts_with('/') {
            return if target.starts_with("http") { self.url(target) } else { None };
        }
        let mut text = std::mem::take(&mut self.text);
        text.clear();
        match &record.host {
            Some(host) => {
                text.push_str("https://");
                text.push_str(host);
            }
            None => text.push_str(&self.origin),
        }
        text.push_str(target);
        let url = self.url(&text);
        self.text = text;
        url
    }

    fn url(&mut self, text: &str) -> Option<PageUrl> {
        if let Some(known) = self.urls.get(text) {
            return known.clone();
        }
        let url = PageUrl::parse(text).ok();
        if self.urls.len() >= MAX_KNOWN {
            self.urls.clear();
        }
        self.urls.insert(text.into(), url.clone());
        url
    }

    fn languages(&mut self, list: &str) -> Arc<[Arc<str>]> {
        if let Some(known) = self.languages.get(list) {
            return known.clone();
        }
        let languages: Arc<[Arc<str>]> = accept_language(list).into();
        if self.languages.len() >= MAX_KNOWN {
            self.languages.clear();
        }
        self.languages.insert(list.into(), languages.clone());
        languages
    }
}

/// Endings of what is no page.
const ASSETS: &[&str] = &[
    "7z",
    "apk",
    "avi",
    "avif",
    "bmp",
    "bz2",
    "cab",
    "css",
    "csv",
    "dmg",
    "doc",
    "docx",
    "eot",
    "eps",
    "exe",
    "flac",
    "flv",
    "gif",
    "gz",
    "ico",
    "iso",
    "jar",
    "jpe",
    "jpeg",
    "jpg",
    "js",
    "json",
    "m3u8",
    "m4a",
    "m4v",
    "map",
    "mid",
    "mjs",
    "mkv",
    "mov",
    "mp3",
    "mp4",
    "mpeg",
    "mpg",
    "msi",
    "ogg",
    "ogv",
    "otf",
    "pdf",
    "png",
    "ppt",
    "pptx",
    "ps",
    "rar",
    "rss",
    "svg",
    "svgz",
    "swf",
    "tar",
    "tgz",
    "tif",
    "tiff",
    "ts",
    "ttf",
    "txt",
    "wasm",
    "wav",
    "webm",
    "webmanifest",
    "webp",
    "wmv",
    "woff",
    "woff2",
    "xbm",
    "xls",
    "xlsx",
    "xml",
    "xz",
    "zip",
    "zst",
];

fn is_asset(record: &Record<'_>) -> bool {
    if let Some(content_type) = record.content_type.as_deref() {
        let essence = content_type.split(';').next().unwrap_or_default().trim_ascii();
        return !matches!(essence, "text/html" | "application/xhtml+xml");
    }
    let path = record.target.split(['?', '#']).next().unwrap_or_default();
    let file = path.rsplit('/').next().unwrap_or_default();
    let Some((_, ending)) = file.rsplit_once('.') else { return false };
    if ending.is_empty() || ending.len() > 11 {
        return false;
    }
    let mut lower = [0_u8; 11];
    let Some(lower) = lower.get_mut(..ending.len()) else { return false };
    lower.copy_from_slice(ending.as_bytes());
    lower.make_ascii_lowercase();
    ASSETS.binary_search_by(|known| known.as_bytes().cmp(lower)).is_ok()
}

/// The id for a name in a log: itself, where it is one.
#[must_use]
pub fn id_of(name: &str) -> PageId {
    PageId::parse(name).unwrap_or_else(|_| hashed(&[name]))
}

/// The id for an address with a user agent.
#[must_use]
pub fn browser_id(who: &str, user_agent: &str) -> PageId {
    hashed(&[who, user_agent])
}

/// 128 bits of XXH3, the same in every run.
fn hashed(parts: &[&str]) -> PageId {
    use std::hash::Hasher;
    let half = |seed| {
        let mut hasher = XxHash3_64::with_seed(seed);
        for part in parts {
            hasher.write(part.as_bytes());
            hasher.write(&[0]);
        }
        u128::from(hasher.finish())
    };
    PageId::from_bits((half(1) << 64 | half(2)).to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::time::Timestamp;

    #[test]
    fn endings_are_in_order() {
        assert!(ASSETS.is_sorted());
        assert!(ASSETS.iter().all(|ending| ending.len() <= 11));
    }

    #[test]
    fn tells_pages_from_assets() {
        let record =
            |target: &'static str| Record { target: target.into(), ..Record::at(Timestamp(0)) };
        for page in ["/", "/a", "/a.html", "/a.php?x=b.png", "/v1.2/", "/a.b/c", "/x.", "/a#b.js"] {
            assert!(!is_asset(&record(page)), "{page}");
        }
        for asset in ["/a.PNG", "/a/b.js?v=1", "/robots.txt", "/f.woff2"] {
            assert!(is_asset(&record(asset)), "{asset}");
        }
        let typed =
            Record { content_type: Some("text/html; charset=utf-8".into()), ..record("/a.png") };
        assert!(!is_asset(&typed));
    }
}
