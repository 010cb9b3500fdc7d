//! Everything that a condition may ask about one moment of one visit.

use std::sync::Arc;

use super::history::History;
use super::ids::{SessionId, VisitorId};
use super::session::Session;
use super::time::{Millis, Timestamp};
use super::visit::{AttributeValue, EventKind, Page, Visit};

/// One moment of one visit. All of it is given; nothing is looked up.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    /// The moment.
    pub now: Timestamp,
    /// The session's id: what buckets are made of where there is no visitor's.
    pub session_id: &'a SessionId,
    /// The call, its event already recorded in the session.
    pub visit: &'a Visit,
    /// The page it is about.
    pub page: &'a Page,
    /// The session.
    pub session: &'a Session,
    /// What is remembered under every name the visitor bears, the session's own part included.
    pub history: &'a History,
    /// Who is there to answer.
    pub agents: &'a AgentBoard,
}

/// Who is on duty at a site, as its chat tool last said.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AgentBoard {
    /// All of them together.
    pub total: Option<Agents>,
    /// Route by route.
    pub routes: Vec<(Arc<str>, Agents)>,
}

/// Agents of a site or of one route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Agents {
    /// How many are there.
    pub online: u32,
    /// How many visitors wait for one.
    pub waiting: Option<u32>,
    /// How many more chats they could take now.
    pub capacity: Option<u32>,
}

impl Agents {
    /// Whether somebody could answer now: one is there and, where that is known, has room beyond
    /// those who wait.
    #[must_use]
    pub fn are_available(&self) -> bool {
        self.online > 0 && self.capacity.is_none_or(|capacity| capacity > self.waiting.unwrap_or(0))
    }
}

impl AgentBoard {
    /// The figures of that route, else those of the whole site.
    #[must_use]
    pub fn of(&self, route: Option<&str>) -> Option<Agents> {
        route
            .and_then(|route| self.routes.iter().find(|(name, _)| &**name == route))
            .map(|(_, agents)| *agents)
            .or(self.total)
    }
}

impl Facts<'_> {
    /// Visible time on the page: what the page says, else what the session saw of the view.
    #[must_use]
    pub fn time_on_page(&self) -> Option<Millis> {
        self.page.time_on_page.or_else(|| match self.visit.event.kind {
            EventKind::PageView => Some(Millis::ZERO),
            _ => {
                let view = self.session.view_of(self.page.view_id.as_ref()?)?;
                Some(self.now - view.started_at)
            }
        })
    }

    /// An attribute of the visitor: the CRM's word, else the page's.
    #[must_use]
    pub fn attribute(&self, name: &str) -> Option<&AttributeValue> {
        self.history
            .crm
            .as_deref()
            .and_then(|crm| crm.get(name))
            .or_else(|| self.session.profile.attributes.get(name))
    }

    /// The visitor's languages, most wanted first: what the page says, then the browser.
    pub fn languages(&self) -> impl Iterator<Item = &str> {
        let profile = self.session.profile.language.as_deref();
        profile.into_iter().chain(self.visit.accept_languages.iter().map(|tag| &**tag))
    }

    /// The visitor's zone: what the page says, else the place's.
    #[must_use]
    pub fn time_zone(&self) -> Option<chrono_tz::Tz> {
        self.session.profile.time_zone.or(self.visit.place.time_zone)
    }

    /// What decides the visitor's buckets: the first visitor id where the session began with one,
    /// else the session's own.
    #[must_use]
    pub fn bucket_key(&self) -> String {
        match self.session.visitors.first().map(|visitor| &visitor.id) {
            Some(VisitorId::Page(id)) if self.session.is_bucketed_by_visitor => id.to_string(),
            Some(VisitorId::Identity(id)) if self.session.is_bucketed_by_visitor => id.to_string(),
            _ => self.session_id.to_string(),
        }
    }

    /// Whether a signed token said who the visitor is, in this call or earlier in the session.
    #[must_use]
    pub fn is_identified(&self) -> bool {
        let is_identity = |id: &VisitorId| matches!(id, VisitorId::Identity(_));
        self.visit.identity.is_some()
            || self.session.visitors.iter().any(|visitor| is_identity(&visitor.id))
    }

    /// Whether the visitor was here before this session.
    #[must_use]
    pub fn is_returning(&self) -> bool {
        self.history.sessions > 1
    }
}
