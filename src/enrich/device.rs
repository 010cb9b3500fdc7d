//! What a visitor sits at: its shape, system and browser, from user agent and client hints.
//!
//! woothee tells the broad category; what it does not know (tablets, televisions, newer consoles,
//! in-app browsers) or gets wrong is put right here, by the words that vendors document.
//!
//! Must not: keep a user agent. The cache's keys are hashes.

use std::convert::Infallible;
use std::hash::Hash;
use std::sync::LazyLock;

use ahash::RandomState;
use woothee::parser::Parser;

use crate::domain::visit::{Device, DeviceKind};

use super::bots;
use super::cache::Cache;

/// How many different user agents are remembered unless told otherwise.
pub const DEFAULT_CACHED_DEVICES: usize = 16_384;

/// No more of a header is looked at, in bytes.
const MAX_HINT_BYTES: usize = 512;

/// What the browser tells besides its user agent. Values are those of the headers, as sent
/// (User-Agent Client Hints, <https://wicg.github.io/ua-client-hints/>).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ClientHints<'a> {
    /// `Sec-CH-UA-Mobile`: `?1` where the browser prefers a mobile experience.
    pub mobile: Option<bool>,
    /// `Sec-CH-UA-Platform`, with or without its quotes: `"Android"`.
    pub platform: Option<&'a str>,
    /// `Sec-CH-UA`: a list of brands.
    pub brands: Option<&'a str>,
    /// `navigator.maxTouchPoints`, as the page tells it: iPadOS calls itself a Mac otherwise.
    pub touch_points: Option<u32>,
}

impl<'a> ClientHints<'a> {
    /// Takes the values of `Sec-CH-UA`, `Sec-CH-UA-Mobile` and `Sec-CH-UA-Platform`.
    #[must_use]
    pub fn from_headers(
        brands: Option<&'a str>,
        mobile: Option<&str>,
        platform: Option<&'a str>,
    ) -> Self {
        let mobile = match mobile.map(str::trim) {
            Some("?1") => Some(true),
            Some("?0") => Some(false),
            _ => None,
        };
        Self { mobile, platform, brands, touch_points: None }
    }

    /// Without what is too long to be meant.
    fn bounded(mut self) -> Self {
        let is_short = |value: &&str| value.len() <= MAX_HINT_BYTES;
        self.platform = self.platform.map(|value| value.trim().trim_matches('"')).filter(is_short);
        self.brands = self.brands.filter(is_short);
        self
    }
}

/// Tells devices, and remembers what it told.
pub struct Devices {
    cache: Cache<(u64, u64), Device>,
    // Two independent secret keys: nobody can make two user agents meet.
    hashers: [RandomState; 2],
}

impl std::fmt::Debug for Devices {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Devices").finish_non_exhaustive()
    }
}

impl Default for Devices {
    fn default() -> Self {
        Self::with_capacity(DEFAULT_CACHED_DEVICES)
    }
}

impl Devices {
    /// Remembers about so many different user agents. Builds what it needs at once, which takes
    /// some milliseconds.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        bots::prepare();
        Self {
            cache: Cache::with_capacity(capacity),
            hashers: [RandomState::new(), RandomState::new()],
        }
    }

    /// The device of a request.
    #[must_use]
    pub fn device(&self, user_agent: Option<&str>, hints: &ClientHints<'_>) -> Device {
        let hints = hints.bounded();
        let [one, other] = &self.hashers;
        let key = (one.hash_one((user_agent, hints)), other.hash_one((user_agent, hints)));
        match self.cache.get_or_try_insert(key, || Ok::<_, Infallible>(tell(user_agent, hints))) {
            Ok(device) => device,
            Err(never) => match never {},
        }
    }
}

/// The device, without a cache.
fn tell(user_agent: Option<&str>, hints: ClientHints<'_>) -> Device {
    let is_automated = hints.brands.is_some_and(|brands| brands.contains("Headless"));
    let Some(agent) = user_agent.map(str::trim).filter(|_| !bots::is_bot(user_agent)) else {
        return Device { kind: DeviceKind::Unknown, os: None, browser: None, is_bot: true };
    };
    let category = category(agent);
    let is_ipad = is_ipad(agent, hints);
    let kind = kind(agent, hints, category, is_ipad);
    let is_unheard_of = kind == DeviceKind::Unknown && category.is_none();
    Device {
        kind,
        os: Some(os(agent, hints, is_ipad)),
        browser: Some(browser(agent, hints)),
        is_bot: is_automated || is_unheard_of || category == Some("crawler"),
    }
}

/// woothee's: `pc`, `smartphone`, `mobilephone`, `appliance`, `crawler` or `misc`.
fn category(agent: &str) -> Option<&'static str> {
    static PARSER: LazyLock<Parser> = LazyLock::new(Parser::new);
    let category = PARSER.parse(agent)?.category;
    ["pc", "smartphone", "mobilephone", "appliance", "crawler"]
        .into_iter()
        .find(|known| *known == category)
}

/// Whether it is an iPad, also where it calls itself a Mac: no Mac has a touch screen.
fn is_ipad(agent: &str, hints: ClientHints<'_>) -> bool {
    agent.contains("iPad")
        || (agent.contains("Macintosh") && hints.touch_points.is_some_and(|points| points > 1))
}

const CONSOLES: [&str; 5] = ["PlayStation", "PLAYSTATION", "Nintendo", "Xbox", "Steam Deck"];

const TELEVISIONS: [&str; 21] = [
    "SMART-TV",
    "SmartTV",
    "Smart TV",
    "Smart-TV",
    "GoogleTV",
    "Google TV",
    "Android TV",
    "AndroidTV",
    "Apple TV",
    "AppleTV",
    "Web0S",
    "NetCast",
    "HbbTV",
    "BRAVIA",
    "Roku",
    "VIDAA",
    "Viera",
    "CrKey",
    "TV Safari",
    "InettvBrowser",
    "; AFT", // Fire TV: AFTT, AFTMM, AFTKA …
];

fn kind(agent: &str, hints: ClientHints<'_>, category: Option<&str>, is_ipad: bool) -> DeviceKind {
    let has = |part: &str| agent.contains(part);
    if CONSOLES.into_iter().any(has) {
        return DeviceKind::Console;
    }
    if TELEVISIONS.into_iter().any(has) {
        return DeviceKind::Tv;
    }
    if is_ipad || has("Tablet;") || has("PlayBook") || has("Kindle") {
        return DeviceKind::Tablet;
    }
    if has("iPhone") || has("iPod") || has("Windows Phone") {
        return DeviceKind::Smartphone;
    }
    if has("Android") || hints.platform == Some("Android") {
        // Chrome's and Firefox's rule: a phone's user agent says `Mobile`, a tablet's does not.
        let is_phone = has("Mobile") || hints.mobile == Some(true);
        return if is_phone { DeviceKind::Smartphone } else { DeviceKind::Tablet };
    }
    if has("Silk/") {
        // Fire tablets hide `Android` when they ask for desktop pages.
        return DeviceKind::Tablet;
    }
    if hints.mobile == Some(true) || has("KAIOS") || has("Mobile;") {
        return DeviceKind::Smartphone;
    }
    match category {
        Some("pc") => DeviceKind::Desktop,
        Some("smartphone" | "mobilephone") => DeviceKind::Smartphone,
        _ if has("Mobile") => DeviceKind::Smartphone,
        // woothee knows the versions of Windows up to its own time only.
        _ if has("X11;") || has("Windows NT") => DeviceKind::Desktop,
        _ => DeviceKind::Unknown,
    }
}

/// Words of user agents with the system they mean, the telling ones first: Android is a Linux,
/// and every iPhone is "like Mac OS X".
const SYSTEMS: [(&str, &str); 20] = [
    ("Windows Phone", "Other"),
    ("Xbox", "Other"),
    ("PlayStation", "Other"),
    ("PLAYSTATION", "Other"),
    ("Nintendo", "Other"),
    ("Tizen", "Other"),
    ("Web0S", "Other"),
    ("KAIOS", "Other"),
    ("iPhone", "iOS"),
    ("iPod", "iOS"),
    ("iPad", "iOS"),
    ("Android", "Android"),
    ("Silk/", "Android"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Macintosh", "macOS"),
    ("Mac OS X", "macOS"),
    ("BSD", "BSD"),
    ("Linux", "Linux"),
    ("X11", "Linux"),
];

fn os(agent: &str, hints: ClientHints<'_>, is_ipad: bool) -> &'static str {
    if is_ipad {
        return "iOS";
    }
    let by_agent = SYSTEMS.iter().find(|(word, _)| agent.contains(word)).map(|(_, os)| *os);
    let by_hint = match hints.platform {
        Some("Windows") => Some("Windows"),
        Some("macOS") => Some("macOS"),
        Some("iOS") => Some("iOS"),
        Some("Android") => Some("Android"),
        Some("Chrome OS" | "Chromium OS") => Some("ChromeOS"),
        Some("Linux") => Some("Linux"),
        _ => None,
    };
    // The hint is right where a user agent is frozen, but knows no consoles and televisions.
    match by_agent {
        Some("Other") => "Other",
        _ => by_hint.or(by_agent).unwrap_or("Other"),
    }
}

/// Brands of `Sec-CH-UA` that the user agent may hide.
const BRANDS: [(&str, &str); 8] = [
    ("\"Microsoft Edge", "Edge"),
    ("\"Opera", "Opera"),
    ("\"Samsung Internet", "Samsung Internet"),
    ("\"Vivaldi", "Vivaldi"),
    ("\"Yandex", "Yandex"),
    ("\"YaBrowser", "Yandex"),
    ("\"Android WebView", "Webview"),
    ("\"Brave", "Other"),
];

/// Words of user agents with the browser they mean, the telling ones first: nearly all of them
/// call themselves Chrome and Safari too.
const WORDS: [(&str, &str); 52] = [
    ("Instagram", "Webview"),
    ("FBAN/", "Webview"),
    ("FBAV/", "Webview"),
    ("FB_IAB", "Webview"),
    ("MetaIAB", "Webview"),
    ("Line/", "Webview"),
    ("MicroMessenger/", "Webview"),
    ("KAKAOTALK", "Webview"),
    ("NAVER(", "Webview"),
    ("Snapchat", "Webview"),
    ("Pinterest", "Webview"),
    ("LinkedInApp", "Webview"),
    ("musical_ly", "Webview"),
    ("BytedanceWebview", "Webview"),
    ("Twitter for", "Webview"),
    ("GSA/", "Webview"),
    ("YJApp", "Webview"),
    ("Electron/", "Webview"),
    ("; wv)", "Webview"),
    ("Edg/", "Edge"),
    ("EdgA/", "Edge"),
    ("EdgiOS/", "Edge"),
    ("Edge/", "Edge"),
    ("OPR/", "Opera"),
    ("OPT/", "Opera"),
    ("OPX/", "Opera"),
    ("OPiOS/", "Opera"),
    ("Opera", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("YaBrowser/", "Yandex"),
    ("Trident/", "Internet Explorer"),
    ("MSIE ", "Internet Explorer"),
    ("FxiOS/", "Firefox"),
    ("Focus/", "Firefox"),
    ("SeaMonkey/", "Other"),
    ("PaleMoon/", "Other"),
    ("UCBrowser/", "Other"),
    ("UBrowser/", "Other"),
    ("MiuiBrowser/", "Other"),
    ("HuaweiBrowser/", "Other"),
    ("HeyTapBrowser/", "Other"),
    ("VivoBrowser/", "Other"),
    ("Whale/", "Other"),
    ("QQBrowser/", "Other"),
    ("Silk/", "Other"),
    ("coc_coc_browser/", "Other"),
    ("DuckDuckGo/", "Other"),
    ("Ddg/", "Other"),
    ("Firefox/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
];

fn browser(agent: &str, hints: ClientHints<'_>) -> &'static str {
    let brands = hints.brands.unwrap_or_default();
    let by_hint = BRANDS.iter().find(|(brand, _)| brands.contains(brand));
    if let Some((_, name)) = by_hint.or_else(|| WORDS.iter().find(|(word, _)| agent.contains(word)))
    {
        return name;
    }
    let is_apple = agent.contains("Mac OS X");
    match (is_apple, agent.contains("Safari/")) {
        (true, true) => "Safari",
        // Apple's engine without its browser's name: an app shows the page.
        (true, false) if agent.contains("AppleWebKit/") => "Webview",
        _ => "Other",
    }
}
