//! Page views → calls of the service, as a page would make them.
//!
//! A page calls at every page view, and asks again when an answer names a time and the visitor is
//! still there then. Whether somebody still was is known by the next page view of the session;
//! how long the last page of a session was looked at is not in a log, and taken from the options.
//!
//! Must not: keep anything of a session that is over.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

use ahash::RandomState;

use super::hit::Hit;
use super::json_lines::Mapping;
use super::logs::{Counts, Logs};
use super::stream::{Foreseen, Stream};
use super::tally::{Comparison, Outcome, Tally, Watching};
use crate::domain::decision::{Answer, Reason};
use crate::domain::ids::SessionId;
use crate::domain::time::{Millis, Timestamp};
use crate::domain::visit::{Event, EventKind, Page, Profile, Visit};
use crate::metrics::Metrics;
use crate::rules::model::RuleSet;
use crate::service::{LiveSite, Recent, Service};
use crate::store::Store;
use crate::store::memory::{MemoryConfig, MemoryStore};

/// How a log is read and what is assumed where it says nothing.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whether pictures, scripts and downloads count as pages.
    pub includes_assets: bool,
    /// Whether bots are asked about too; the service answers them `bot`.
    pub includes_bots: bool,
    /// Whether an address with a user agent is the same visitor from one session to the next.
    pub remembers_visitors: bool,
    /// How long the last page of a session was looked at.
    pub last_page: Millis,
    /// Which field of a line of JSON is what; Koekake's own calls without.
    pub mapping: Option<Mapping>,
    /// The most sessions, and the most visitors, that are remembered at once.
    pub max_remembered: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            includes_assets: false,
            includes_bots: false,
            remembers_visitors: true,
            last_page: Millis::ZERO,
            mapping: None,
            max_remembered: 1_000_000,
        }
    }
}

/// After how many calls the store drops what is over.
const SWEEP_EVERY: u64 = 64;
/// After how many page views whoever looks on is told.
const TICK_EVERY: u64 = 8_192;
/// Views are told apart within a session by these names, used again and again: a session
/// remembers fewer.
const VIEW_NAMES: usize = 64;

/// A call that was made, and what it was answered.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// The call; its time is in its event.
    pub visit: &'a Visit,
    /// The page.
    pub page: &'a Page,
    /// The answer.
    pub answer: &'a Answer,
}

/// One set of rules, with a store of its own.
struct Lane {
    live: LiveSite,
    service: Service<MemoryStore>,
    tally: Mutex<Tally>,
    due: BinaryHeap<Reverse<Due>>,
    calls: u64,
}

/// A recheck that a page will make.
struct Due {
    at: Timestamp,
    number: u64,
    /// The last moment at which the visitor is still on the page.
    stays_until: Timestamp,
    visit: Visit,
    page: Page,
}

impl PartialEq for Due {
    fn eq(&self, other: &Self) -> bool {
        (self.at, self.number) == (other.at, other.number)
    }
}

impl Eq for Due {}

impl PartialOrd for Due {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Due {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.number).cmp(&(other.at, other.number))
    }
}

/// A run over a stream of page views, with one set of rules or with two to compare.
pub struct Backtest {
    lanes: Vec<Lane>,
    last_page: Millis,
    views: Vec<Arc<str>>,
    view_count: usize,
    /// The newest view of each session that has signals.
    views_of: HashMap<SessionId, Arc<str>, RandomState>,
    /// Sessions whose last page view came, and when they are over.
    ending: VecDeque<(Timestamp, SessionId)>,
    /// What the two sets of rules made of each session.
    pub comparison: Comparison,
    /// The first page view and the last.
    pub span: Option<(Timestamp, Timestamp)>,
}

impl Backtest {
    /// With these rules; and beside them with others, to compare.
    #[must_use]
    pub fn new(rules: Arc<RuleSet>, against: Option<Arc<RuleSet>>, options: &Options) -> Self {
        let lanes = [Some(rules), against].into_iter().flatten().map(|set| {
            let metrics = Arc::new(Metrics::new());
            let store = MemoryStore::new(MemoryConfig {
                max_sessions: options.max_remembered,
                max_claims: options.max_remembered,
                max_visitors: options.max_remembered,
                ..MemoryConfig::default()
            });
            Lane {
                live: LiveSite::new(set.clone(), &metrics),
                service: Service::new(Arc::new(store), metrics, Recent::new(0)),
                tally: Mutex::new(Tally::new(&set)),
                due: BinaryHeap::new(),
                calls: 0,
            }
        });
        Self {
            lanes: lanes.collect(),
            last_page: options.last_page,
            views: (0..VIEW_NAMES).map(|number| format!("v{number}").into()).collect(),
            view_count: 0,
            views_of: HashMap::default(),
            ending: VecDeque::new(),
            comparison: Comparison::default(),
            span: None,
        }
    }

    /// Makes the calls that a page view leads to, and those that came due before it. `seen` is
    /// told of each call of the first set of rules.
    pub async fn take(&mut self, foreseen: Foreseen, seen: &mut dyn FnMut(Call<'_>)) {
        let Foreseen { hit, next, is_on_same_page } = foreseen;
        let at = hit.at;
        self.pass(at, seen).await;
        self.span = Some((self.span.map_or(at, |(first, _)| first), at));
        let view = self.view(&hit, is_on_same_page, next.is_none());
        // The visitor is gone at the moment of the next page view.
        let stays_until = match next {
            Some(next) => next - Millis(1),
            None => at + self.last_page,
        };
        let session = hit.session.clone();
        let (visit, page) = call(*hit, view, self.lanes.first().map(|lane| &lane.live));
        if next.is_none() {
            self.ending.push_back((stays_until, session));
        }
        let is_last = next.is_none();
        let mut calls = Some((visit, page));
        let count = self.lanes.len();
        for (number, lane) in self.lanes.iter_mut().enumerate() {
            let last = number + 1 == count;
            let Some((visit, page)) = (if last { calls.take() } else { calls.clone() }) else {
                continue;
            };
            let due = Due { at, number: 0, stays_until, visit, page };
            lane.ask(due, is_last, if number == 0 { Some(&mut *seen) } else { None }).await;
        }
    }

    /// Makes what is left to be made after the last page view.
    pub async fn finish(&mut self, seen: &mut dyn FnMut(Call<'_>)) {
        self.pass(Timestamp::MAX, seen).await;
    }

    /// What was counted with each set of rules.
    #[must_use]
    pub fn tallies(self) -> (Vec<(Arc<RuleSet>, Tally)>, Comparison) {
        let tallies = self.lanes.into_iter().map(|lane| {
            let tally = lane.tally.into_inner().unwrap_or_else(PoisonError::into_inner);
            (lane.live.set, tally)
        });
        (tallies.collect(), self.comparison)
    }

    /// Lets the time pass: rechecks come due, and sessions end.
    async fn pass(&mut self, until: Timestamp, seen: &mut dyn FnMut(Call<'_>)) {
        for (number, lane) in self.lanes.iter_mut().enumerate() {
            while lane.due.peek().is_some_and(|Reverse(due)| due.at <= until) {
                let Some(Reverse(due)) = lane.due.pop() else { break };
                lane.ask(due, false, if number == 0 { Some(&mut *seen) } else { None }).await;
            }
        }
        while self.ending.front().is_some_and(|(end, _)| *end < until) {
            let Some((_, session)) = self.ending.pop_front() else { break };
            let outcomes: Vec<Option<Outcome>> =
                self.lanes.iter_mut().map(|lane| lane.tally().end(&session)).collect();
            // The second set of rules is what the first is compared with.
            if let [Some(now), Some(before)] = outcomes.as_slice() {
                self.comparison.count(now, before);
            }
        }
    }

    /// The name of the view that an event belongs to.
    fn view(&mut self, hit: &Hit, is_on_same_page: bool, is_last: bool) -> Option<Arc<str>> {
        if is_on_same_page {
            return self.views_of.get(&hit.session).cloned();
        }
        self.view_count = (self.view_count + 1) % VIEW_NAMES;
        let told = hit.more.as_ref().and_then(|more| more.page.view_id.clone());
        let view = told.or_else(|| self.views.get(self.view_count).cloned());
        // Only Koekake's own log has other events than page views.
        if hit.more.is_some() {
            if let (Some(view), false) = (&view, is_last) {
                self.views_of.insert(hit.session.clone(), view.clone());
            } else {
                self.views_of.remove(&hit.session);
            }
        }
        view
    }
}

impl Lane {
    fn tally(&self) -> std::sync::MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a call, and notes when the page will ask again.
    async fn ask(&mut self, mut due: Due, is_last: bool, seen: Option<&mut dyn FnMut(Call<'_>)>) {
        let at = due.at;
        due.visit.event.at = Some(at);
        let witness = Watching(&self.tally);
        let answer =
            self.service.decide_before(&self.live, &due.visit, &due.page, at, &witness).await;
        self.tally().answered(&due.visit, &due.page, &answer, at);
        if let Some(seen) = seen {
            seen(Call { visit: &due.visit, page: &due.page, answer: &answer });
        }
        self.calls += 1;
        if self.calls.is_multiple_of(SWEEP_EVERY) {
            self.service.store().sweep(at);
        }
        let Some(after) = answer.recheck.as_ref().and_then(|recheck| recheck.after) else { return };
        if after <= Millis::ZERO || answer.reason == Reason::Unavailable {
            return;
        }
        let next = at + after;
        if next > due.stays_until {
            if is_last {
                self.tally().unknown_stays += 1;
            }
            return;
        }
        due.visit.event.kind = EventKind::Recheck;
        due.visit.cart = None;
        due.visit.consent = None;
        due.page.time_on_page = None;
        due.page.idle = None;
        due.at = next;
        due.number = self.calls;
        self.due.push(Reverse(due));
    }
}

/// Reads logs to their end and makes every call. `tick` is told now and then how far it is.
pub async fn drive(
    logs: &mut Logs,
    stream: &mut Stream,
    backtest: &mut Backtest,
    seen: &mut dyn FnMut(Call<'_>),
    tick: &mut dyn FnMut(&Counts),
) {
    let mut count = 0_u64;
    while let Some(hit) = logs.next_hit() {
        stream.push(hit);
        while let Some(foreseen) = stream.pop(false) {
            backtest.take(foreseen, seen).await;
        }
        count += 1;
        if count.is_multiple_of(TICK_EVERY) {
            tick(&logs.counts);
        }
    }
    while let Some(foreseen) = stream.pop(true) {
        backtest.take(foreseen, seen).await;
    }
    backtest.finish(seen).await;
    tick(&logs.counts);
}

fn call(hit: Hit, view: Option<Arc<str>>, live: Option<&LiveSite>) -> (Visit, Page) {
    let site = live.map_or_else(|| "".into(), |live| live.set.site.key.clone());
    let (page, cart, profile, consent) = match hit.more {
        Some(more) => (more.page, more.cart, more.profile, more.consent),
        None => {
            let page = Page {
                url: hit.url,
                referrer: hit.referrer,
                title: None,
                view_id: None,
                time_on_page: None,
                idle: None,
                scroll_percent: None,
            };
            (page, None, Profile::default(), None)
        }
    };
    let visit = Visit {
        site,
        session: Some(hit.session),
        visitor: hit.visitor,
        identity: None,
        event: Event { kind: hit.kind, id: None, at: Some(hit.at) },
        cart,
        profile,
        consent,
        place: hit.place,
        device: hit.device,
        accept_languages: hit.languages.to_vec(),
    };
    (visit, Page { view_id: view, ..page })
}
