//! What is counted of each call: while a session lives, what is known of it; after that, sums.
//!
//! Must not: grow with the log.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use ahash::RandomState;
use chrono::Timelike;
use chrono_tz::Tz;

use crate::domain::decision::{Answer, Reason};
use crate::domain::facts::Facts;
use crate::domain::ids::SessionId;
use crate::domain::time::Timestamp;
use crate::domain::visit::{EventKind, Page, Visit};
use crate::engine::near::{Near, kept_by_caps, near};
use crate::engine::{Stop, Verdict};
use crate::rules::model::RuleSet;
use crate::service::Witness;

/// The most different pages that are told apart.
const MAX_PAGES: usize = 50_000;
/// The most near misses remembered of one session.
const MAX_NEAR: usize = 16;
/// Into how many parts the way to a condition is cut.
pub const NEAR_PARTS: usize = 10;
/// Zones are offset by quarters of an hour, so within one the hour of day is the same.
const QUARTER_HOUR: i64 = 900_000;

/// What one set of rules did.
#[derive(Debug)]
pub struct Tally {
    zone: Tz,
    /// Page views and other events of pages.
    pub events: u64,
    /// Rechecks.
    pub rechecks: u64,
    /// Sessions that are over.
    pub sessions: u64,
    /// Sessions with a prompt.
    pub prompted_sessions: u64,
    /// Answers by reason.
    pub reasons: [u64; Reason::ALL.len()],
    /// Rule by rule, in the order of the set.
    pub rules: Vec<RuleTally>,
    /// Page views by hour of day.
    pub views_by_hour: [u64; 24],
    /// Views and prompts by path.
    pub pages: HashMap<Box<str>, PageTally, RandomState>,
    /// Of pages beyond those that are told apart.
    pub other_pages: PageTally,
    /// Answers that waited for something that no access log tells.
    pub unseen_waits: u64,
    /// Rechecks that were not made, since nobody knows how long the last page was looked at.
    pub unknown_stays: u64,
    open: HashMap<SessionId, Open, RandomState>,
    by_id: HashMap<Arc<str>, usize, RandomState>,
    hour: (i64, usize),
}

/// What a rule did.
#[derive(Debug, Clone, Default)]
pub struct RuleTally {
    /// Prompts.
    pub prompts: u64,
    /// Visitors kept without it.
    pub held_out: u64,
    /// Prompts by hour of day.
    pub by_hour: [u64; 24],
    /// How often each thing stopped it first.
    pub stops: Vec<(Stop, u64)>,
    /// Sessions that the caps kept from it.
    pub capped: u64,
    /// Calls in which it would have had its turn, in shadow mode.
    pub shadow: u64,
    /// Sessions that lacked one condition, by that condition: how near the nearest moment was.
    pub near: BTreeMap<usize, [u64; NEAR_PARTS]>,
}

/// What happened on a page.
#[derive(Debug, Clone, Copy, Default)]
pub struct PageTally {
    /// Views.
    pub views: u64,
    /// Prompts.
    pub prompts: u64,
}

/// What is known of a live session.
#[derive(Debug)]
struct Open {
    landing: Arc<str>,
    device: &'static str,
    country: Option<Arc<str>>,
    prompt: Option<usize>,
    near: Vec<Near>,
    capped: Vec<usize>,
}

/// What a set of rules made of a session.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The page it began on.
    pub landing: Arc<str>,
    /// The kind of device.
    pub device: &'static str,
    /// Where.
    pub country: Option<Arc<str>>,
    /// The rule that prompted.
    pub rule: Option<Arc<str>>,
}

impl Tally {
    /// Nothing counted yet.
    #[must_use]
    pub fn new(set: &RuleSet) -> Self {
        Self {
            zone: set.site.time_zone,
            events: 0,
            rechecks: 0,
            sessions: 0,
            prompted_sessions: 0,
            reasons: [0; Reason::ALL.len()],
            rules: vec![RuleTally::default(); set.rules.len()],
            views_by_hour: [0; 24],
            pages: HashMap::default(),
            other_pages: PageTally::default(),
            unseen_waits: 0,
            unknown_stays: 0,
            open: HashMap::default(),
            by_id: set.rules.iter().enumerate().map(|(i, rule)| (rule.id.clone(), i)).collect(),
            hour: (i64::MIN, 0),
        }
    }

    /// Prompts of all rules.
    #[must_use]
    pub fn prompts(&self) -> u64 {
        self.rules.iter().map(|rule| rule.prompts).sum()
    }

    /// How often a reason was answered.
    #[must_use]
    pub fn reason(&self, reason: Reason) -> u64 {
        self.reasons.get(reason as usize).copied().unwrap_or(0)
    }

    fn judged(&mut self, set: &RuleSet, facts: &Facts<'_>, verdict: &Verdict) {
        for (rule, stop) in &verdict.stops {
            let Some(rule) = self.rules.get_mut(*rule) else { continue };
            match rule.stops.iter_mut().find(|(known, _)| known == stop) {
                Some((_, count)) => *count += 1,
                None => rule.stops.push((*stop, 1)),
            }
        }
        for rule in &verdict.shadows {
            if let Some(rule) = self.rules.get_mut(*rule) {
                rule.shadow += 1;
            }
        }
        if let Some(win) = verdict.win.filter(|win| win.is_held_out)
            && let Some(rule) = self.rules.get_mut(win.rule)
        {
            rule.held_out += 1;
        }
        let near = near(set, facts, verdict);
        let capped = kept_by_caps(set, facts, verdict);
        if near.is_empty() && capped.is_none() {
            return;
        }
        let open = self.open(facts.session_id, facts.visit, facts.page);
        for near in near {
            let is_known =
                |known: &&mut Near| (known.rule, known.predicate) == (near.rule, near.predicate);
            if let Some(known) = open.near.iter_mut().find(is_known) {
                known.reached = known.reached.max(near.reached);
            } else if open.near.len() < MAX_NEAR {
                open.near.push(near);
            }
        }
        if let Some(rule) = capped
            && !open.capped.contains(&rule)
        {
            open.capped.push(rule);
        }
    }

    fn open(&mut self, session: &SessionId, visit: &Visit, page: &Page) -> &mut Open {
        self.open.entry(session.clone()).or_insert_with(|| Open {
            landing: page.url.path().into(),
            device: visit.device.kind.as_str(),
            country: visit.place.country.clone(),
            prompt: None,
            near: Vec::new(),
            capped: Vec::new(),
        })
    }

    /// Counts an answer.
    pub(super) fn answered(&mut self, visit: &Visit, page: &Page, answer: &Answer, at: Timestamp) {
        if let Some(count) = self.reasons.get_mut(answer.reason as usize) {
            *count += 1;
        }
        if answer.recheck.as_ref().is_some_and(|recheck| !recheck.on.is_empty()) {
            self.unseen_waits += 1;
        }
        let hour = self.hour(at);
        let is_recheck = visit.event.kind == EventKind::Recheck;
        if is_recheck {
            self.rechecks += 1;
        } else {
            self.events += 1;
        }
        let is_view = visit.event.kind == EventKind::PageView;
        if is_view {
            if let Some(count) = self.views_by_hour.get_mut(hour) {
                *count += 1;
            }
            if let Some(session) = &visit.session {
                self.open(session, visit, page);
            }
        }
        let offer = answer.offer.as_deref();
        if !is_view && offer.is_none() {
            return;
        }
        let path = page.url.path();
        if !self.pages.contains_key(path) && self.pages.len() < MAX_PAGES {
            self.pages.insert(path.into(), PageTally::default());
        }
        let page_tally = self.pages.get_mut(path).unwrap_or(&mut self.other_pages);
        page_tally.views += u64::from(is_view);
        page_tally.prompts += u64::from(offer.is_some());
        let Some(offer) = offer else { return };
        let Some(index) = self.by_id.get(&offer.rule).copied() else { return };
        if let Some(session) = &visit.session {
            self.open(session, visit, page).prompt.get_or_insert(index);
        }
        let Some(rule) = self.rules.get_mut(index) else { return };
        rule.prompts += 1;
        if let Some(count) = rule.by_hour.get_mut(hour) {
            *count += 1;
        }
    }

    /// Adds up a session that is over, and forgets it.
    pub(super) fn end(&mut self, session: &SessionId) -> Option<Outcome> {
        let open = self.open.remove(session)?;
        self.sessions += 1;
        self.prompted_sessions += u64::from(open.prompt.is_some());
        for near in &open.near {
            // A rule that had its turn in the end was not missed.
            if open.prompt == Some(near.rule) {
                continue;
            }
            let Some(rule) = self.rules.get_mut(near.rule) else { continue };
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                clippy::cast_precision_loss,
                reason = "a share from 0 to 1 gives a part of a few"
            )]
            let part = (near.reached * NEAR_PARTS as f64) as usize;
            let parts = rule.near.entry(near.predicate).or_default();
            if let Some(count) = parts.get_mut(part.min(NEAR_PARTS - 1)) {
                *count += 1;
            }
        }
        for rule in &open.capped {
            if let Some(rule) = self.rules.get_mut(*rule) {
                rule.capped += 1;
            }
        }
        let by_index = |index: usize| {
            self.by_id.iter().find(|(_, known)| **known == index).map(|(id, _)| id.clone())
        };
        Some(Outcome {
            landing: open.landing,
            device: open.device,
            country: open.country,
            rule: open.prompt.and_then(by_index),
        })
    }

    fn hour(&mut self, at: Timestamp) -> usize {
        let quarter = at.0.div_euclid(QUARTER_HOUR);
        if self.hour.0 != quarter {
            let hour = at.to_utc().map_or(0, |at| at.with_timezone(&self.zone).hour());
            self.hour = (quarter, usize::try_from(hour).unwrap_or(0));
        }
        self.hour.1
    }
}

/// A tally that watches a service judge.
pub(super) struct Watching<'a>(pub(super) &'a Mutex<Tally>);

impl Witness for Watching<'_> {
    fn judged(&self, set: &RuleSet, facts: &Facts<'_>, verdict: &Verdict) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).judged(set, facts, verdict);
    }
}

/// What changes between two sets of rules, session by session.
#[derive(Debug, Default)]
pub struct Comparison {
    /// Sessions by the rule that prompted before and the one that prompts now.
    pub changes: BTreeMap<Move, u64>,
    /// Of those that gain or lose a prompt: by device, country and landing page.
    pub groups: BTreeMap<Group, Moved>,
}

/// The rule that prompted before and the one that prompts now.
pub type Move = (Option<Arc<str>>, Option<Arc<str>>);

/// A group of sessions.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Group {
    /// By kind of device.
    Device(&'static str),
    /// By country.
    Country(Arc<str>),
    /// By landing page.
    Landing(Arc<str>),
}

/// How many of a group gain and lose a prompt.
#[derive(Debug, Clone, Copy, Default)]
pub struct Moved {
    /// Now prompted.
    pub gained: u64,
    /// No longer.
    pub lost: u64,
}

/// The most groups that are told apart.
const MAX_GROUPS: usize = 20_000;

impl Comparison {
    pub(super) fn count(&mut self, now: &Outcome, before: &Outcome) {
        *self.changes.entry((before.rule.clone(), now.rule.clone())).or_default() += 1;
        let (gained, lost) = match (&before.rule, &now.rule) {
            (None, Some(_)) => (1, 0),
            (Some(_), None) => (0, 1),
            _ => return,
        };
        let country = now.country.clone().unwrap_or_else(|| "unknown".into());
        let groups = [
            Group::Device(now.device),
            Group::Country(country),
            Group::Landing(now.landing.clone()),
        ];
        for group in groups {
            if self.groups.len() >= MAX_GROUPS && !self.groups.contains_key(&group) {
                continue;
            }
            let moved = self.groups.entry(group).or_default();
            moved.gained += gained;
            moved.lost += lost;
        }
    }
}
