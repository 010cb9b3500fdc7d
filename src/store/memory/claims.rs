//! What sessions were offered, kept apart from them, so that it outlives a session's own record.
//!
//! A record goes when its session is over and its newest offer is older than outcomes may be
//! late; where there is no room, those whose session is over go first, whatever their age, and
//! those of sessions that may come back never.
//!
//! Must not: judge whether an offer may be made.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard};

use super::journal::Journal;
use super::slots::{Map, Slots, make_room};
use crate::domain::caps::Stage;
use crate::domain::decision::Answer;
use crate::domain::history::{History, SessionMark};
use crate::domain::ids::{DecisionId, SessionKey, VisitorKey};
use crate::domain::session::Session;
use crate::domain::time::{Millis, Timestamp};
use crate::domain::visit::Consent;
use crate::store::StoreError;

/// How many offers of one session id are remembered one by one; the oldest go first.
const MAX_DECISIONS: usize = 8;
/// How many different conversions of one offer are counted.
const MAX_CONVERSIONS: usize = 32;
/// How many reports of other tools' popups are remembered, so that repeats are known.
const MAX_OTHERS: usize = 8;

/// An offer that was granted.
#[derive(Debug, Clone)]
pub(super) struct Decision {
    pub(super) id: DecisionId,
    pub(super) rule: Arc<str>,
    pub(super) variant: Arc<str>,
    pub(super) is_prompt: bool,
    pub(super) mark: SessionMark,
    pub(super) at: Timestamp,
    pub(super) event: Option<u64>,
    pub(super) answer: Arc<Answer>,
    pub(super) stages: u8,
    pub(super) conversions: Vec<u64>,
}

/// What one session id was offered: state of its newest run, and offers of all.
#[derive(Debug, Clone)]
pub(super) struct Record {
    pub(super) mark: SessionMark,
    /// Whether there was a session at all, not only an opt-out before its first event.
    pub(super) is_begun: bool,
    pub(super) last_active_at: Timestamp,
    pub(super) clock: Timestamp,
    pub(super) timeout: Millis,
    pub(super) offers: u32,
    pub(super) is_held_out: bool,
    pub(super) own: History,
    pub(super) visitors: Vec<VisitorKey>,
    pub(super) is_bucketed_by_visitor: bool,
    pub(super) decisions: Vec<Decision>,
    pub(super) others: Vec<u64>,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Claims {
    slots: Slots<SessionKey, Box<Record>>,
    outcome_window: Millis,
    evicted: AtomicU64,
    journal: Option<Arc<Journal>>,
}

/// One slot's records, locked.
pub(super) type Slot<'a> = MutexGuard<'a, Map<SessionKey, Box<Record>>>;

/// What counting a stage found.
#[derive(Debug)]
pub(super) struct Step {
    pub(super) is_first: bool,
    pub(super) implies_shown: bool,
}

impl Decision {
    pub(super) fn new(
        claim: &crate::domain::caps::Claim,
        event: Option<u64>,
        at: Timestamp,
    ) -> Self {
        Self {
            id: claim.answer.decision,
            rule: claim.rule.clone(),
            variant: claim.variant.clone(),
            is_prompt: claim.is_prompt,
            mark: claim.mark,
            at,
            event,
            answer: claim.answer.clone(),
            stages: 0,
            conversions: Vec::new(),
        }
    }

    /// Whether [`Decision::count`] would count.
    pub(super) fn counts(&self, stage: Stage, unique: u64) -> bool {
        match stage {
            Stage::Converted => {
                !self.conversions.contains(&unique) && self.conversions.len() < MAX_CONVERSIONS
            }
            _ => self.is_prompt && self.stages & bit(stage) == 0,
        }
    }

    /// The stages it reached.
    pub(super) fn stages(&self) -> impl Iterator<Item = Stage> {
        Stage::ALL.into_iter().filter(|stage| self.stages & bit(*stage) != 0)
    }

    /// Notes a stage, whatever was counted.
    pub(super) fn reached(&mut self, stage: Stage) {
        self.stages |= bit(stage);
    }

    /// Counts a stage for which [`Decision::counts`].
    pub(super) fn count(&mut self, stage: Stage, unique: u64) -> Step {
        let is_first = self.stages & bit(stage) == 0;
        let implies_shown = stage == Stage::Accepted && self.stages & bit(Stage::Shown) == 0;
        self.reached(stage);
        if implies_shown {
            self.reached(Stage::Shown);
        }
        if stage == Stage::Converted {
            self.conversions.push(unique);
        }
        Step { is_first, implies_shown }
    }
}

const fn bit(stage: Stage) -> u8 {
    match stage {
        Stage::Shown => 1,
        Stage::Accepted => 2,
        Stage::Dismissed => 4,
        Stage::ChatStarted => 8,
        Stage::ChatEnded => 16,
        Stage::Converted => 32,
    }
}

impl Record {
    /// A record of a session, without offers yet.
    pub(super) fn of(session: &Session, mark: SessionMark, timeout: Millis) -> Self {
        let mut record = Self::before(mark, timeout);
        record.refresh(session, mark, timeout);
        record
    }

    /// A record of a session that has not begun.
    pub(super) fn before(mark: SessionMark, timeout: Millis) -> Self {
        Self {
            mark,
            is_begun: false,
            last_active_at: mark.started_at,
            clock: mark.started_at,
            timeout,
            offers: 0,
            is_held_out: false,
            own: History::default(),
            visitors: Vec::new(),
            is_bucketed_by_visitor: false,
            decisions: Vec::new(),
            others: Vec::new(),
        }
    }

    /// Makes a session that is over one that has yet to begin: what follows is of the next one.
    pub(super) fn end(&mut self, mark: SessionMark, timeout: Millis) {
        let ended = std::mem::replace(self, Self::before(mark, timeout));
        // Outcomes of its offers may still come.
        self.visitors = ended.visitors;
        self.decisions = ended.decisions;
    }

    /// Takes offers and reports over into a session that goes on under another mark.
    pub(super) fn carry(&mut self, mark: SessionMark) {
        for decision in self.decisions.iter_mut().filter(|decision| decision.mark == self.mark) {
            decision.mark = mark;
        }
        self.mark = mark;
    }

    /// Forgets who it was that was offered something.
    pub(super) fn forget_visitors(&mut self) {
        self.visitors.clear();
        self.is_bucketed_by_visitor = false;
    }

    /// Takes over what must outlive the session's own record.
    pub(super) fn refresh(&mut self, session: &Session, mark: SessionMark, timeout: Millis) {
        if self.mark != mark {
            self.others.clear();
        }
        self.mark = mark;
        // After a denial, a session begins.
        self.is_begun = session.consent != Some(Consent::Denied);
        self.last_active_at = session.last_active_at;
        self.clock = session.clock;
        self.timeout = timeout;
        self.offers = session.offers;
        self.is_held_out = session.is_held_out;
        self.is_bucketed_by_visitor = session.is_bucketed_by_visitor;
        if self.own != session.own {
            self.own.clone_from(&session.own);
        }
        if self.visitors != session.visitors {
            self.visitors.clone_from(&session.visitors);
        }
    }

    /// A session as far as it is known here, to go on where its own record was dropped. One that
    /// has yet to begin does so now.
    pub(super) fn restore(&mut self, session: &mut Session) {
        if self.is_begun {
            session.started_at = self.mark.started_at;
            session.last_active_at = self.last_active_at;
            session.visitors.clone_from(&self.visitors);
            session.is_bucketed_by_visitor = self.is_bucketed_by_visitor;
        } else {
            self.carry(SessionMark { id: self.mark.id, started_at: session.started_at });
        }
        self.restore_offers(session);
    }

    /// Offers, and what became of them.
    pub(super) fn restore_offers(&self, session: &mut Session) {
        session.offers = self.offers;
        session.is_held_out = self.is_held_out;
        session.own.clone_from(&self.own);
    }

    /// Whether the session is over at that moment.
    pub(super) fn is_over(&self, timeout: Millis, now: Timestamp) -> bool {
        now.max(self.clock) - self.last_active_at >= timeout
    }

    /// The answer that was claimed for an event of the newest run.
    pub(super) fn answer_to(&self, event: u64) -> Option<&Arc<Answer>> {
        let same = |d: &&Decision| d.event == Some(event) && d.mark == self.mark;
        self.decisions.iter().find(same).map(|decision| &decision.answer)
    }

    /// Remembers an offer.
    pub(super) fn decided(&mut self, decision: Decision) {
        if self.decisions.len() >= MAX_DECISIONS {
            self.decisions.remove(0);
        }
        self.decisions.push(decision);
    }

    /// Remembers the report of another tool's popup.
    pub(super) fn other(&mut self, event: Option<u64>) {
        let Some(event) = event else { return };
        if self.others.len() >= MAX_OTHERS {
            self.others.remove(0);
        }
        self.others.push(event);
    }

    /// Whether that report is known.
    pub(super) fn knows_other(&self, event: u64) -> bool {
        self.others.contains(&event)
    }
}

impl Claims {
    pub(super) fn new(most: usize, outcome_window: Millis, journal: Option<Arc<Journal>>) -> Self {
        Self { slots: Slots::new(most), outcome_window, evicted: AtomicU64::new(0), journal }
    }

    /// Notes that a record goes.
    fn drop_record(&self, key: &SessionKey) {
        self.evicted.fetch_add(1, Ordering::Relaxed);
        if let Some(journal) = &self.journal {
            journal.mark(|marks| marks.claim(key));
        }
    }

    /// Locks the slot of that session.
    pub(super) fn lock(&self, key: &SessionKey) -> Slot<'_> {
        self.slots.lock(key)
    }

    /// Makes room for that session's record if it has none yet.
    pub(super) fn make_room(
        &self,
        slot: &mut Slot<'_>,
        key: &SessionKey,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        if slot.contains_key(key) {
            return Ok(());
        }
        let has_room = make_room(
            slot,
            self.slots.room(),
            |record| record.is_over(record.timeout, now).then_some((0, record.last_active_at.0)),
            |key| self.drop_record(key),
        );
        has_room.then_some(()).ok_or(StoreError::Full("claims"))
    }

    /// Drops from the next slice what neither protects anybody nor may still have outcomes.
    pub(super) fn sweep(&self, now: Timestamp) {
        self.slots.sweep(|key, record| {
            let newest = record.decisions.last().map(|decision| decision.at);
            let is_kept = !record.is_over(record.timeout, now)
                || newest.is_some_and(|at| now - at <= self.outcome_window);
            if !is_kept {
                self.drop_record(key);
            }
            is_kept
        });
    }

    /// Puts a record that was read from the data folder.
    pub(super) fn put(&self, key: SessionKey, record: Record) {
        self.lock(&key).insert(key, Box::new(record));
    }

    /// Forgets a visitor wherever sessions are still remembered. One that goes on names its
    /// visitors again with its next event.
    pub(super) fn erase(&self, name: &VisitorKey) {
        self.slots.for_each(|key, record| {
            let before = record.visitors.len();
            record.visitors.retain(|known| known != name);
            if let (Some(journal), true) = (&self.journal, record.visitors.len() < before) {
                journal.mark(|marks| marks.claim(key));
            }
        });
    }

    /// Drops all records without a trace.
    pub(super) fn clear(&self) {
        self.slots.clear();
    }

    /// Calls `each` with the session of every record.
    pub(super) fn for_each(&self, mut each: impl FnMut(&SessionKey)) {
        self.slots.for_each(|key, _| each(key));
    }

    /// After a crash: calls that came after `known` may be lost, and with them what kept sessions
    /// alive. Those that were offered something and were not over then are taken to have gone on
    /// until `resumed`, so that none of them is thought to be over too early.
    pub(super) fn go_on(&self, known: Option<Timestamp>, resumed: Option<Timestamp>) {
        let Some(resumed) = resumed else { return };
        self.slots.for_each(|key, record| {
            if !record.is_over(record.timeout, known.unwrap_or(Timestamp::MIN)) {
                record.last_active_at = record.last_active_at.max(resumed);
                record.clock = record.clock.max(resumed);
                // The next start must know it too, whether or not anybody calls before.
                if let Some(journal) = &self.journal {
                    journal.mark(|marks| marks.claim(key));
                }
            }
        });
    }

    /// How many there are, and how many were forgotten.
    pub(super) fn figures(&self) -> (u64, u64) {
        (self.slots.len(), self.evicted.load(Ordering::Relaxed))
    }
}
