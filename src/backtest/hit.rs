//! What a line of a log says, and the page view that it may be, as plain data.
//!
//! Must not: judge which lines matter.

use std::borrow::Cow;
use std::sync::Arc;

use crate::domain::ids::{PageId, SessionId};
use crate::domain::page_url::PageUrl;
use crate::domain::time::Timestamp;
use crate::domain::visit::{Cart, Consent, Device, EventKind, Page, Place, Profile};

/// What a line says, before anybody asked whether it matters.
#[derive(Debug, Clone)]
pub struct Record<'a> {
    /// When.
    pub at: Timestamp,
    /// The address, or whatever name of the client stands in its place.
    pub who: Cow<'a, str>,
    /// The virtual host.
    pub host: Option<Cow<'a, str>>,
    /// The method of the request; empty where it was none.
    pub method: Cow<'a, str>,
    /// What was asked for: a path or a whole address.
    pub target: Cow<'a, str>,
    /// The status of the answer.
    pub status: Option<u16>,
    /// The page it came from.
    pub referrer: Option<Cow<'a, str>>,
    /// The user agent.
    pub user_agent: Option<Cow<'a, str>>,
    /// `Accept-Language`.
    pub languages: Option<Cow<'a, str>>,
    /// The type of the answer.
    pub content_type: Option<Cow<'a, str>>,
    /// A session, where the log names one.
    pub session: Option<Cow<'a, str>>,
    /// A visitor, where the log names one.
    pub visitor: Option<Cow<'a, str>>,
}

impl Record<'_> {
    /// A moment, and nothing else.
    #[must_use]
    pub const fn at(at: Timestamp) -> Self {
        Self {
            at,
            who: Cow::Borrowed(""),
            host: None,
            method: Cow::Borrowed("GET"),
            target: Cow::Borrowed(""),
            status: None,
            referrer: None,
            user_agent: None,
            languages: None,
            content_type: None,
            session: None,
            visitor: None,
        }
    }
}

/// Why a line is no page view. In the order in which they are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftOut {
    /// Not a `GET`: nothing came into view.
    Method,
    /// Redirected: the page it leads to is a line of its own.
    Redirect,
    /// Refused, not found, failed.
    Error,
    /// A picture, a script, a download.
    Asset,
    /// Not known to be a person's browser.
    Bot,
    /// No page's address.
    Address,
    /// A recheck of a page script: the rules that are tried out ask for their own.
    Recheck,
    /// Of another site.
    OtherSite,
}

impl LeftOut {
    /// Every reason.
    pub const ALL: [Self; 8] = [
        Self::Method,
        Self::Redirect,
        Self::Error,
        Self::Asset,
        Self::Bot,
        Self::Address,
        Self::Recheck,
        Self::OtherSite,
    ];

    /// It in words.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Method => "no GET",
            Self::Redirect => "redirected",
            Self::Error => "refused or not found",
            Self::Asset => "pictures, scripts, downloads",
            Self::Bot => "bots",
            Self::Address => "no page's address",
            Self::Recheck => "rechecks of the page script",
            Self::OtherSite => "other sites",
        }
    }
}

/// A page view, or another event of Koekake's own log.
#[derive(Debug, Clone)]
pub struct Hit {
    /// When.
    pub at: Timestamp,
    /// Its session's id.
    pub session: SessionId,
    /// Its visitor's.
    pub visitor: Option<PageId>,
    /// What happened.
    pub kind: EventKind,
    /// The page.
    pub url: PageUrl,
    /// Where from.
    pub referrer: Option<PageUrl>,
    /// Where.
    pub place: Arc<Place>,
    /// On what.
    pub device: Device,
    /// Best first.
    pub languages: Arc<[Arc<str>]>,
    /// What only Koekake's own log tells.
    pub more: Option<Box<More>>,
}

/// What only Koekake's own log tells.
#[derive(Debug, Clone)]
pub struct More {
    /// The page as it was told.
    pub page: Page,
    /// The cart.
    pub cart: Option<Cart>,
    /// The visitor.
    pub profile: Profile,
    /// The visitor's word on being stored.
    pub consent: Option<Consent>,
}
