//! One call of a page: what happened there, and all that the request tells of it.

use std::sync::Arc;

use super::ids::{PageId, SessionId, SiteKey};
use super::money::Money;
use super::page_url::PageUrl;
use super::time::{Millis, Timestamp};

/// Who calls, from where, and what happened; the page itself comes beside it. Nothing in it names an address or
/// a whole user agent.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The site it happened on.
    pub site: SiteKey,
    /// The session, as the page names it; `None` asks for a new one.
    pub session: Option<SessionId>,
    /// The id that the page gave its visitor.
    pub visitor: Option<PageId>,
    /// Who the visitor is to the site, from a token that was verified.
    pub identity: Option<Arc<str>>,
    /// What happened.
    pub event: Event,
    /// The cart; `None` keeps the last one known.
    pub cart: Option<Cart>,
    /// What the page says of its visitor.
    pub profile: Profile,
    /// What the visitor said to storage; `None` keeps the last word.
    pub consent: Option<Consent>,
    /// Where the request came from.
    pub place: Arc<Place>,
    /// What it came from.
    pub device: Device,
    /// `Accept-Language`, best first.
    pub accept_languages: Vec<Arc<str>>,
}

/// What happened on the page.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Which kind of thing.
    pub kind: EventKind,
    /// Makes the call idempotent within its session. At most 64 bytes.
    pub id: Option<Arc<str>>,
    /// When, where the caller may say so.
    pub at: Option<Timestamp>,
}

/// The kinds of things that happen on a page.
#[derive(Debug, Clone, PartialEq)]
pub enum EventKind {
    /// A page, or a new path or fragment of a single-page one, came into view.
    PageView,
    /// A moment that an earlier answer named has come. Adds nothing, keeps nothing alive.
    Recheck,
    /// Something about the visitor or the cart was told, no more.
    Update,
    /// `exit_intent`, or one of the site's own events.
    Signal {
        /// The event's name. At most 64 bytes.
        name: Arc<str>,
    },
}

/// The signal that the pointer is leaving for the browser's own controls.
pub const EXIT_INTENT: &str = "exit_intent";

impl EventKind {
    /// Whether this very call reports exit intent.
    #[must_use]
    pub fn is_exit_intent(&self) -> bool {
        matches!(self, Self::Signal { name } if &**name == EXIT_INTENT)
    }

    /// Whether it is something the visitor did, so that it keeps the session alive.
    #[must_use]
    pub fn is_activity(&self) -> bool {
        !matches!(self, Self::Recheck)
    }
}

/// The page in view and what was seen of it.
#[derive(Debug, Clone)]
pub struct Page {
    /// Its address.
    pub url: PageUrl,
    /// Where the visitor came from, if another page said so.
    pub referrer: Option<PageUrl>,
    /// Its title.
    pub title: Option<Arc<str>>,
    /// This view of it: a new one for each page view. At most 64 bytes.
    pub view_id: Option<Arc<str>>,
    /// Visible time since the view began.
    pub time_on_page: Option<Millis>,
    /// Time since the visitor last did anything.
    pub idle: Option<Millis>,
    /// The deepest point reached on this view, 0 to 100.
    pub scroll_percent: Option<u8>,
}

/// A shopping cart. A missing part is unknown, not empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cart {
    /// What it is worth.
    pub value: Option<Money>,
    /// How many things are in it.
    pub items: Option<u32>,
}

/// What the page says of its visitor; CRM values win over these.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Profile {
    /// A name to greet by.
    pub name: Option<Arc<str>>,
    /// A BCP 47 language tag.
    pub language: Option<Arc<str>>,
    /// The visitor's zone.
    pub time_zone: Option<chrono_tz::Tz>,
    /// The site's own attributes.
    pub attributes: Attributes,
}

/// Named values of a visitor, few enough to search in order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Attributes(pub Vec<(Arc<str>, AttributeValue)>);

impl Attributes {
    /// The most attributes kept for one visitor.
    pub const MAX: usize = 64;

    /// The value under that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&AttributeValue> {
        self.0.iter().find(|(key, _)| &**key == name).map(|(_, value)| value)
    }
}

/// A value that a site gives its visitor. Null and empty text are missing, so are not values.
#[derive(Debug, Clone, PartialEq)]
pub enum AttributeValue {
    /// Text; compares as a number too where it reads as one.
    Text(Arc<str>),
    /// A number.
    Number(f64),
    /// Yes or no.
    Flag(bool),
    /// Several texts: one that fits suffices.
    List(Vec<Arc<str>>),
}

/// What a visitor said to being stored and prompted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Consent {
    /// Yes.
    Granted,
    /// No: nothing is stored, no prompt is shown.
    Denied,
}

/// Where an address is, no finer than a city. All of it is what the database says.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Place {
    /// `AF`, `AN`, `AS`, `EU`, `NA`, `OC` or `SA`.
    pub continent: Option<Arc<str>>,
    /// ISO 3166-1 alpha-2.
    pub country: Option<Arc<str>>,
    /// ISO 3166-2, with its country: `JP-13`.
    pub region_code: Option<Arc<str>>,
    /// The region's English name.
    pub region_name: Option<Arc<str>>,
    /// The city's English name.
    pub city: Option<Arc<str>>,
    /// Whether the country is in the European Union.
    pub in_eu: Option<bool>,
    /// The place's zone.
    pub time_zone: Option<chrono_tz::Tz>,
}

/// What kind of thing the visitor sits at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    /// Its shape.
    pub kind: DeviceKind,
    /// Operating system, of the names in [`OPERATING_SYSTEMS`].
    pub os: Option<&'static str>,
    /// Browser, of the names in [`BROWSERS`].
    pub browser: Option<&'static str>,
    /// Whether it is not known to be a person's browser.
    pub is_bot: bool,
}

/// The operating systems that are told apart.
pub const OPERATING_SYSTEMS: &[&str] =
    &["Windows", "macOS", "iOS", "Android", "ChromeOS", "Linux", "BSD", "Other"];

/// The browsers that are told apart.
pub const BROWSERS: &[&str] = &[
    "Chrome",
    "Safari",
    "Firefox",
    "Edge",
    "Opera",
    "Samsung Internet",
    "Internet Explorer",
    "Vivaldi",
    "Yandex",
    "Webview",
    "Other",
];

/// Shapes of devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum DeviceKind {
    /// A computer with a keyboard.
    Desktop,
    /// A phone.
    Smartphone,
    /// A tablet.
    Tablet,
    /// A television.
    Tv,
    /// A game console.
    Console,
    /// None that is known.
    Unknown,
}

impl DeviceKind {
    /// Every kind.
    pub const ALL: [Self; 6] =
        [Self::Desktop, Self::Smartphone, Self::Tablet, Self::Tv, Self::Console, Self::Unknown];

    /// The word for it in rule files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Desktop => "desktop",
            Self::Smartphone => "smartphone",
            Self::Tablet => "tablet",
            Self::Tv => "tv",
            Self::Console => "console",
            Self::Unknown => "unknown",
        }
    }
}
