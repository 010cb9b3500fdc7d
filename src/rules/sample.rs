//! A visit made up of field values: what a rule's examples are tested on.
//!
//! Must not: know which fields there are; each row of `fields.rs` says how it is set.

use std::sync::Arc;

use url::Url;

use super::context::SiteBasics;
use super::values;
use crate::domain::facts::{AgentBoard, Agents, Facts};
use crate::domain::history::{History, Offer, SessionMark};
use crate::domain::ids::SessionId;
use crate::domain::money::Money;
use crate::domain::page_url::PageUrl;
use crate::domain::session::{Session, Utm};
use crate::domain::time::{Millis, Timestamp};
use crate::domain::visit::{
    AttributeValue, Cart, Device, DeviceKind, Event, EventKind, Page, Place, Profile, Visit,
};

/// A whole visit: an ordinary one until fields are set.
#[derive(Debug, Clone)]
pub struct Sample {
    /// The moment.
    pub now: Timestamp,
    /// The session's id.
    pub session_id: SessionId,
    /// The call.
    pub visit: Visit,
    /// The page.
    pub page: Page,
    /// The session.
    pub session: Session,
    /// What is remembered of the visitor.
    pub history: History,
    /// Who is on duty.
    pub agents: AgentBoard,
}

/// A value as an example gives it.
#[derive(Debug, Clone)]
pub struct Given<'a> {
    /// One text, or the first of several.
    pub text: &'a str,
    /// All of a list, else the one.
    pub items: Vec<&'a str>,
    /// The site.
    pub site: &'a SiteBasics,
}

impl Given<'_> {
    /// It as a duration.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn duration(&self) -> Result<Millis, String> {
        values::duration(self.text)
    }

    /// It as a count.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn count(&self) -> Result<u32, String> {
        values::count(self.text).map(|n| u32::try_from(n).unwrap_or(u32::MAX))
    }

    /// It as yes or no.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn flag(&self) -> Result<bool, String> {
        values::boolean(self.text)
    }

    /// It as text; empty text is none.
    #[must_use]
    pub fn shared(&self) -> Option<Arc<str>> {
        (!self.text.is_empty()).then(|| self.text.into())
    }

    /// It as a time zone.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn zone(&self) -> Result<chrono_tz::Tz, String> {
        self.text.parse().map_err(|_| format!("`{}` is not a time zone like Asia/Tokyo", self.text))
    }

    /// It as an address; a path is one on the site.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn url(&self, on: &PageUrl) -> Result<PageUrl, String> {
        page_url(self.text, on)
    }
}

fn page_url(text: &str, on: &PageUrl) -> Result<PageUrl, String> {
    let whole =
        if text.starts_with('/') { format!("{}{text}", on.origin()) } else { text.to_owned() };
    PageUrl::parse(&whole).map_err(|error| format!("`{text}` {error}"))
}

impl Sample {
    /// An ordinary visit: a person at a computer looks at the site's front page, new to it.
    #[must_use]
    pub fn new(site: &str, origin: &str, now: Timestamp) -> Self {
        let url = PageUrl::parse(&format!("{origin}/"))
            .or_else(|_| PageUrl::parse("https://shop.example/"));
        // The second of these cannot fail; a fragmentless URL of its own is the last resort.
        let url = url.unwrap_or_else(|_| PageUrl::blank());
        let page = Page {
            url,
            referrer: None,
            title: None,
            view_id: None,
            time_on_page: Some(Millis::ZERO),
            idle: Some(Millis::ZERO),
            scroll_percent: Some(0),
        };
        let mut session = Session::begin(Some(&page), Vec::new(), now);
        session.page_views = 1;
        session.visited.push(page.url.clone());
        Self {
            now,
            session_id: SessionId::from_bits([0; 16]),
            visit: Visit {
                site: site.into(),
                session: None,
                visitor: None,
                identity: None,
                event: Event { kind: EventKind::PageView, id: None, at: None },
                cart: None,
                profile: Profile::default(),
                consent: None,
                place: Arc::new(Place::default()),
                device: Device {
                    kind: DeviceKind::Desktop,
                    os: Some("Windows"),
                    browser: Some("Chrome"),
                    is_bot: false,
                },
                accept_languages: Vec::new(),
            },
            page,
            session,
            history: History { sessions: 1, ..History::default() },
            agents: AgentBoard::default(),
        }
    }

    /// What conditions may ask of it.
    #[must_use]
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            now: self.now,
            session_id: &self.session_id,
            visit: &self.visit,
            page: &self.page,
            session: &self.session,
            history: &self.history,
            agents: &self.agents,
        }
    }

    /// Puts the page at another address; it is then the newest one visited.
    pub fn set_url(&mut self, url: PageUrl) {
        if self.session.visited.len() == 1 {
            self.session.visited = vec![url.clone()];
        } else {
            self.session.visited.push(url.clone());
        }
        if self.session.utm.is_none() {
            self.session.utm = Utm::of(&url).map(Box::new);
        }
        self.session.landing_page = Some(url.clone());
        self.page.url = url;
    }

    /// Changes a part of the page's address.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn change_url(&mut self, change: impl FnOnce(&mut Url)) -> Result<(), String> {
        let mut url = Url::parse(self.page.url.as_str()).map_err(|error| error.to_string())?;
        change(&mut url);
        let url = PageUrl::parse(url.as_str()).map_err(|error| error.to_string())?;
        self.set_url(url);
        Ok(())
    }

    /// Sets the visited pages, in order.
    ///
    /// # Errors
    /// Says which one is no page.
    pub fn set_visited(&mut self, items: &[&str]) -> Result<(), String> {
        let on = self.page.url.clone();
        let pages: Result<Vec<_>, _> = items.iter().map(|item| page_url(item, &on)).collect();
        self.session.visited = pages?;
        Ok(())
    }

    /// Sets a campaign's parameter.
    pub fn set_utm(&mut self, name: &str, value: Option<Arc<str>>) {
        let utm = self.session.utm.get_or_insert_default();
        match name {
            "source" => utm.source = value,
            "medium" => utm.medium = value,
            "campaign" => utm.campaign = value,
            "term" => utm.term = value,
            _ => utm.content = value,
        }
    }

    /// Counts an event so many times.
    pub fn set_events(&mut self, name: &str, count: u32) {
        self.session.events.retain(|(known, _)| &**known != name);
        self.session.events.push((name.into(), count));
    }

    /// Gives the visitor an attribute.
    pub fn set_attribute(&mut self, name: &str, given: &Given<'_>) {
        let value = if given.items.len() > 1 {
            AttributeValue::List(given.items.iter().map(|item| (*item).into()).collect())
        } else {
            AttributeValue::Text(given.text.into())
        };
        self.session.profile.attributes.0.push((name.into(), value));
    }

    /// Lets the visitor have seen a prompt, in another session.
    pub fn set_last_prompt(&mut self, ago: Millis) {
        let session = SessionMark { id: 0, started_at: Timestamp::MIN };
        self.history.offers.push(Offer { session, at: self.now - ago, is_prompt: true });
    }

    /// The cart, there from now on.
    pub fn cart(&mut self) -> &mut Cart {
        self.session.cart.get_or_insert_default()
    }

    /// Sets what the cart is worth.
    ///
    /// # Errors
    /// Says what is wrong.
    pub fn set_cart_value(&mut self, given: &Given<'_>) -> Result<(), String> {
        let (amount, currency) = values::money(given.text)?;
        let currency = Some(currency.unwrap_or(given.site.currency));
        self.cart().value = Some(Money { amount, currency });
        Ok(())
    }

    /// The agents, there from now on.
    pub fn agents(&mut self) -> &mut Agents {
        self.agents.total.get_or_insert(Agents { online: 0, waiting: None, capacity: None })
    }

    /// The place, to be changed.
    pub fn place(&mut self) -> &mut Place {
        Arc::make_mut(&mut self.visit.place)
    }
}
