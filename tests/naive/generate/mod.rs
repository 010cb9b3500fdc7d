//! Strategies for whole cases: a site with its rules as YAML text, and one moment of one visit.
//!
//! Both sides draw from the same small pools, so that rules are neither always nor never true.
//! Must not: judge anything.

mod conditions;
mod rules;
mod visits;

use std::cell::RefCell;
use std::rc::Rc;

pub use conditions::LEAVES;
use koekake::domain::facts::{AgentBoard, Facts};
use koekake::domain::history::{History, SessionMark};
use koekake::domain::session::Session;
use koekake::domain::time::{Millis, Timestamp};
use koekake::domain::visit::{EventKind, Page, Visit};
use proptest::prelude::*;

use super::eval::Site;

/// One rule set and one moment of one visit. Owned, so that it can be varied.
#[derive(Clone)]
pub struct Case {
    pub site_yaml: String,
    /// Rule files: name and text.
    pub files: Vec<(String, String)>,
    /// Rules over a limit or paused.
    pub stopped: Vec<String>,
    pub session: Session,
    pub mark: SessionMark,
    pub history: History,
    pub visit: Visit,
    pub page: Page,
    pub agents: AgentBoard,
    pub now: Timestamp,
}

/// The key of the site of every case.
pub const SITE: &str = "shop";

impl Case {
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            now: self.now,
            session_id: self.visit.session.as_ref().expect("a session id"),
            visit: &self.visit,
            page: &self.page,
            session: &self.session,
            history: &self.history,
            agents: &self.agents,
        }
    }

    /// The rules as typed. The last ones read are kept: most variations of a case share them.
    pub fn site(&self) -> Rc<Site> {
        type Read = ((String, Vec<(String, String)>), Rc<Site>);
        thread_local!(static LAST: RefCell<Option<Read>> = const { RefCell::new(None) });
        LAST.with_borrow_mut(|last| match last {
            Some(((site, files), read)) if (&*site, &*files) == (&self.site_yaml, &self.files) => {
                read.clone()
            }
            _ => {
                let read = Site::read(SITE, &self.site_yaml, &self.files);
                let read = Rc::new(read.expect("generated YAML parses"));
                *last = Some(((self.site_yaml.clone(), self.files.clone()), read.clone()));
                read
            }
        })
    }

    /// The same page so much later, asked again: time on the page and idleness have grown.
    pub fn later(&self, by: Millis) -> Self {
        let mut case = self.clone();
        case.page.time_on_page = self.facts().time_on_page().map(|length| Millis(length.0 + by.0));
        case.page.idle = self.page.idle.map(|length| Millis(length.0 + by.0));
        case.visit.event.kind = EventKind::Recheck;
        case.visit.event.id = None;
        case.now = self.now + by;
        case.session.clock = case.now;
        case
    }
}

impl std::fmt::Debug for Case {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "── site.yaml\n{}", self.site_yaml)?;
        for (name, text) in &self.files {
            writeln!(f, "── {name}\n{text}")?;
        }
        writeln!(f, "stopped {:?}, now {:?}", self.stopped, self.now)?;
        writeln!(f, "{:#?}\n{:#?}\n{:#?}", self.page, self.visit, self.session)?;
        write!(f, "{:#?}\n{:#?}", self.history, self.agents)
    }
}

/// Cases over the whole language.
pub fn case() -> impl Strategy<Value = Case> {
    build(rules::site(false), rules::files(false))
}

/// Cases whose rules are mostly about time and what happens on the page, for `recheck`.
pub fn waiting_case() -> impl Strategy<Value = Case> {
    build(rules::site(true), rules::files(true)).prop_map(|mut case| {
        if case.visit.event.kind.is_exit_intent() {
            // True in that call alone: the next one differs whatever the time.
            case.visit.event.kind = EventKind::Recheck;
        }
        // Early in a visit there is more to wait for.
        let young = |length: Millis| Millis(length.0 / 8);
        case.session.started_at = case.now - young(case.now - case.session.started_at);
        case.page.time_on_page = case.page.time_on_page.map(young);
        case.page.idle = case.page.idle.map(young);
        case.page.scroll_percent = case.page.scroll_percent.map(|percent| percent / 3);
        case.visit.device.is_bot = false;
        case.session.consent = None;
        (case.session.offers, case.session.is_held_out) = (0, false);
        case.history.is_opted_out = false;
        for view in &mut case.session.views {
            view.url = case.page.url.clone();
        }
        case
    })
}

fn build(
    site: impl Strategy<Value = String>,
    files: impl Strategy<Value = Vec<(String, String)>>,
) -> impl Strategy<Value = Case> {
    let stopped = prop::collection::vec(prop::sample::select(rules::IDS), 0..2)
        .prop_map(|ids| ids.into_iter().map(str::to_owned).collect::<Vec<_>>());
    let stopped = prop_oneof![3 => Just(Vec::new()), 1 => stopped];
    (site, files, stopped, visits::moment()).prop_map(|(site_yaml, files, stopped, moment)| {
        let visits::Moment { session, mark, history, visit, page, agents, now } = moment;
        Case { site_yaml, files, stopped, session, mark, history, visit, page, agents, now }
    })
}

/// A scalar as a person would type it: plain where YAML lets it, else in double quotes.
fn scalar(text: &str) -> String {
    let is_plain =
        text.chars().all(|c| c.is_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '%'))
            && text.starts_with(|c: char| c.is_alphanumeric() || c == '/');
    if is_plain { text.to_owned() } else { serde_json::to_string(text).expect("text") }
}

fn list(texts: &[&str]) -> String {
    format!("[{}]", texts.iter().map(|t| scalar(t)).collect::<Vec<_>>().join(", "))
}
