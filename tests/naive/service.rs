//! A whole service in a few maps: sessions, histories and caps kept plainly, for replays.
//!
//! Must not: speak HTTP, or find out places and devices itself.

use std::collections::HashMap;

use koekake::domain::decision::Reason;
use koekake::domain::facts::{AgentBoard, Facts};
use koekake::domain::history::{History, Offer, SessionMark};
use koekake::domain::ids::{SessionId, VisitorId, VisitorKey};
use koekake::domain::session::Session;
use koekake::domain::time::Timestamp;
use koekake::domain::visit::{Page, Visit};

use super::eval::{self, Site, World};
use super::{caps, values};

/// One site, as long as the process lives.
pub struct Service {
    site: Site,
    sessions: HashMap<SessionId, (Session, SessionMark)>,
    histories: HashMap<VisitorKey, History>,
    pub sessions_started: u64,
}

/// An answer. `NoMatch` stands for `NotYet` too: what is waited for is not told here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub reason: Reason,
    pub rule: Option<String>,
    /// Which run of the session id it was given in.
    pub mark: SessionMark,
}

impl Service {
    pub fn new(site: Site) -> Self {
        Self { site, sessions: HashMap::new(), histories: HashMap::new(), sessions_started: 0 }
    }

    /// Records what happened and answers.
    pub fn decide(&mut self, visit: &Visit, page: &Page, now: Timestamp) -> Answer {
        // Nothing is recorded of what is not known to be a person's browser.
        if visit.device.is_bot {
            let mark = SessionMark { id: 0, started_at: now };
            return Answer { reason: Reason::Bot, rule: None, mark };
        }
        let timeout = self.site.settings.get("session").and_then(|s| s.get("timeout"));
        let timeout = values::duration(timeout.map_or("30m", |timeout| timeout.text()));
        let id = visit.session.clone().expect("a session id");
        let visitors: Vec<VisitorKey> = visit
            .visitor
            .iter()
            .map(|id| VisitorKey { site: visit.site.clone(), id: VisitorId::Page(id.clone()) })
            .collect();
        let is_running =
            self.sessions.get(&id).is_some_and(|(session, _)| !session.is_expired(timeout, now));
        if !is_running {
            self.sessions_started += 1;
            let mark = SessionMark { id: self.sessions_started, started_at: now };
            let session = Session::begin(Some(page), visitors.clone(), now);
            self.sessions.insert(id.clone(), (session, mark));
            for visitor in &visitors {
                self.histories.entry(visitor.clone()).or_default().sessions += 1;
            }
        }
        let (session, mark) = self.sessions.get_mut(&id).expect("it is there now");
        let mark = *mark;
        session.record(visit, Some(page), &visitors, now);

        let mut history = session.own.clone();
        for visitor in &session.visitors {
            history.merge(self.histories.entry(visitor.clone()).or_default());
        }
        let agents = AgentBoard::default();
        let session_id = &id;
        let facts =
            Facts { now, session_id, visit, page, session, history: &history, agents: &agents };
        if let Some(reason) = caps::stopped(&self.site, &facts, mark) {
            return Answer { reason, rule: None, mark };
        }
        let bucket = |_: &str, _: &str, _: &str, _: &str| -> f64 { panic!("no buckets here") };
        let world = World { bucket: &bucket, key: "", is_stopped: &|_| false };
        let Some(decision) = eval::decide(&self.site, &facts, world) else {
            return Answer { reason: Reason::NoMatch, rule: None, mark };
        };
        let rule = decision.rule.as_str().into();
        let offer = Offer { session: mark, at: now, is_prompt: true };
        session.offers += 1;
        session.own.remember(offer.clone(), Some(&rule));
        for visitor in &session.visitors {
            let history = self.histories.entry(visitor.clone()).or_default();
            history.remember(offer.clone(), Some(&rule));
        }
        Answer { reason: Reason::RuleMatched, rule: Some(decision.rule), mark }
    }
}
