//! What is known of one browsing session.

use std::sync::Arc;

use super::history::{History, Offer};
use super::ids::VisitorKey;
use super::page_url::PageUrl;
use super::time::{Millis, Timestamp};
use super::visit::{Cart, Consent, EventKind, Page, Profile, Visit};

/// The most visited pages a session remembers; the oldest go first.
pub const MAX_VISITED: usize = 50;
/// The most names of events a session counts; further names are not counted.
pub const MAX_EVENTS: usize = 32;
/// The most views whose address a session remembers, newest last.
pub const MAX_VIEWS: usize = 8;
/// The most rules in shadow mode counted for one session.
pub const MAX_SHADOWS: usize = 32;
/// The most visitor ids a session keeps, first and newest ones.
pub const MAX_VISITORS: usize = 4;
/// Longer pages are remembered without query and fragment.
pub const MAX_VISITED_BYTES: usize = 512;
/// The longest text kept of a campaign's parameter.
pub const MAX_UTM_BYTES: usize = 128;

/// A session: one visitor's visit of a site, over all tabs, until a long enough pause.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// When its first event came.
    pub started_at: Timestamp,
    /// When it last was kept alive.
    pub last_active_at: Timestamp,
    /// The newest moment it has seen. Its time never goes back.
    pub clock: Timestamp,
    /// How many pages came into view.
    pub page_views: u32,
    /// The page it began on, if its first event was on one.
    pub landing_page: Option<PageUrl>,
    /// The page it came from, as the first event told.
    pub referrer: Option<PageUrl>,
    /// The newest campaign.
    pub utm: Option<Box<Utm>>,
    /// Pages in the order they were seen, without repeats in a row.
    pub visited: Vec<PageUrl>,
    /// How often each of the site's events happened.
    pub events: Vec<(Arc<str>, u32)>,
    /// The last cart that was told.
    pub cart: Option<Cart>,
    /// Every visitor it bore, the first one first.
    pub visitors: Vec<VisitorKey>,
    /// Whether its buckets are the visitor's (else the session's own): fixed at its start.
    pub is_bucketed_by_visitor: bool,
    /// What pages said of the visitor, newest words over older ones.
    pub profile: Profile,
    /// The last word on consent.
    pub consent: Option<Consent>,
    /// Recent views: which page they were of.
    pub views: Vec<View>,
    /// What was offered and what became of it, as far as this session itself knows.
    pub own: History,
    /// Offers made, silent ones and other tools' popups included.
    pub offers: u32,
    /// Whether it is kept for comparison: no prompt, and `holdout` as the reason.
    pub is_held_out: bool,
    /// Rules in shadow mode that would have had their turn: each counts once a session.
    pub shadows: Vec<Arc<str>>,
}

/// Campaign parameters of an address (`utm_source` and so on).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Utm {
    /// `utm_source`
    pub source: Option<Arc<str>>,
    /// `utm_medium`
    pub medium: Option<Arc<str>>,
    /// `utm_campaign`
    pub campaign: Option<Arc<str>>,
    /// `utm_term`
    pub term: Option<Arc<str>>,
    /// `utm_content`
    pub content: Option<Arc<str>>,
}

/// One view of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct View {
    /// The id that the page gave it.
    pub id: Arc<str>,
    /// The page's address.
    pub url: PageUrl,
    /// When it came into view.
    pub started_at: Timestamp,
}

/// Whether what a call reports belongs to the page it says it is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ViewState {
    /// It does, as far as is known.
    Current,
    /// The view was of another page: whatever was waited for there is over.
    Stale,
}

impl Session {
    /// A session that begins on this page. Nothing is recorded yet.
    #[must_use]
    pub fn begin(page: Option<&Page>, visitors: Vec<VisitorKey>, now: Timestamp) -> Self {
        Self {
            started_at: now,
            last_active_at: now,
            clock: now,
            page_views: 0,
            landing_page: page.map(|page| bounded(&page.url)),
            referrer: page.and_then(|page| page.referrer.as_ref()).map(bounded),
            utm: None,
            visited: Vec::new(),
            events: Vec::new(),
            cart: None,
            is_bucketed_by_visitor: !visitors.is_empty(),
            visitors,
            profile: Profile::default(),
            consent: None,
            views: Vec::new(),
            own: History::default(),
            offers: 0,
            is_held_out: false,
            shadows: Vec::new(),
        }
    }

    /// Remembers shadow rules; gives those it had not met before.
    pub fn meet_shadows(&mut self, rules: Vec<Arc<str>>) -> Vec<Arc<str>> {
        let mut fresh = rules;
        fresh.retain(|rule| !self.shadows.contains(rule));
        fresh.truncate(MAX_SHADOWS.saturating_sub(self.shadows.len()));
        self.shadows.extend(fresh.iter().cloned());
        fresh
    }

    /// Whether the pause before `now` ended it. A pause of exactly the time-out does.
    #[must_use]
    pub fn is_expired(&self, timeout: Millis, now: Timestamp) -> bool {
        now - self.last_active_at >= timeout
    }

    /// Records what happened. `now` must not be before [`Session::clock`].
    pub fn record(
        &mut self,
        visit: &Visit,
        page: Option<&Page>,
        visitors: &[VisitorKey],
        now: Timestamp,
    ) {
        self.clock = now;
        if visit.event.kind.is_activity() {
            self.last_active_at = now;
        }
        self.bear(visitors);
        if let Some(cart) = visit.cart {
            self.cart = Some(cart);
        }
        if visit.consent.is_some() {
            self.consent = visit.consent;
        }
        self.merge_profile(&visit.profile);
        match &visit.event.kind {
            EventKind::PageView => {
                if let Some(page) = page {
                    self.view(page, now);
                }
            }
            EventKind::Signal { name } => self.count(name),
            EventKind::Recheck | EventKind::Update => {}
        }
    }

    fn view(&mut self, page: &Page, now: Timestamp) {
        self.page_views = self.page_views.saturating_add(1);
        if let Some(utm) = Utm::of(&page.url) {
            self.utm = Some(Box::new(utm));
        }
        let seen = bounded(&page.url);
        if self.visited.last() != Some(&seen) {
            if self.visited.len() >= MAX_VISITED {
                self.visited.remove(0);
            }
            self.visited.push(seen);
        }
        if let Some(id) = &page.view_id {
            self.views.retain(|view| view.id != *id);
            if self.views.len() >= MAX_VIEWS {
                self.views.remove(0);
            }
            self.views.push(View { id: id.clone(), url: bounded(&page.url), started_at: now });
        }
    }

    fn count(&mut self, name: &Arc<str>) {
        if let Some((_, count)) = self.events.iter_mut().find(|(known, _)| known == name) {
            *count = count.saturating_add(1);
        } else if self.events.len() < MAX_EVENTS {
            self.events.push((name.clone(), 1));
        }
    }

    /// Adds visitor ids. The first is kept for the buckets, then the newest three.
    pub fn bear(&mut self, visitors: &[VisitorKey]) {
        for visitor in visitors {
            if !self.visitors.contains(visitor) {
                if self.visitors.len() >= MAX_VISITORS {
                    self.visitors.remove(1);
                }
                self.visitors.push(visitor.clone());
            }
        }
    }

    fn merge_profile(&mut self, newer: &Profile) {
        let profile = &mut self.profile;
        if newer.name.is_some() {
            profile.name.clone_from(&newer.name);
        }
        if newer.language.is_some() {
            profile.language.clone_from(&newer.language);
        }
        if newer.time_zone.is_some() {
            profile.time_zone = newer.time_zone;
        }
        for (name, value) in &newer.attributes.0 {
            let known = &mut profile.attributes.0;
            if let Some((_, old)) = known.iter_mut().find(|(key, _)| key == name) {
                *old = value.clone();
            } else if known.len() < super::visit::Attributes::MAX {
                known.push((name.clone(), value.clone()));
            }
        }
    }

    /// Whether a recheck or signal still belongs to the page that it names. A view that is not
    /// remembered is taken at its word.
    #[must_use]
    pub fn view_state(&self, kind: &EventKind, page: &Page) -> ViewState {
        fn place(url: &PageUrl) -> (&str, &str, Option<&str>) {
            (url.host(), url.path(), url.fragment())
        }
        match page.view_id.as_ref().and_then(|id| self.view_of(id)) {
            Some(view) if *kind != EventKind::PageView && place(&view.url) != place(&page.url) => {
                ViewState::Stale
            }
            _ => ViewState::Current,
        }
    }

    /// The remembered view of that id.
    #[must_use]
    pub fn view_of(&self, id: &str) -> Option<&View> {
        self.views.iter().find(|view| &*view.id == id)
    }

    /// Whether an offer was made in this very session.
    #[must_use]
    pub fn is_own_offer(&self, offer: &Offer) -> bool {
        self.own.offers.contains(offer)
    }

    /// How often that event happened; 0 where it never did.
    #[must_use]
    pub fn event_count(&self, name: &str) -> u32 {
        self.events.iter().find(|(known, _)| &**known == name).map_or(0, |(_, count)| *count)
    }
}

fn bounded(url: &PageUrl) -> PageUrl {
    if url.as_str().len() <= MAX_VISITED_BYTES { url.clone() } else { url.without_query() }
}

impl Utm {
    /// The campaign an address names, if it names any part of one.
    #[must_use]
    pub fn of(url: &PageUrl) -> Option<Self> {
        if !url.query()?.contains("utm_") {
            return None;
        }
        let value = |name| {
            url.query_value(name).filter(|v| !v.trim().is_empty()).map(|v| cut(&v, MAX_UTM_BYTES))
        };
        let utm = Self {
            source: value("utm_source"),
            medium: value("utm_medium"),
            campaign: value("utm_campaign"),
            term: value("utm_term"),
            content: value("utm_content"),
        };
        (utm != Self::default()).then_some(utm)
    }
}

/// The text, or as much of it as fits, cut between characters.
fn cut(text: &str, max: usize) -> Arc<str> {
    let end = (0..=max.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
    text.get(..end).unwrap_or_default().into()
}
