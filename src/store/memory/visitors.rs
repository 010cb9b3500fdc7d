//! What is remembered of visitors, and in which order it is forgotten.
//!
//! Where there is no room: those with nothing but a number of sessions, last seen longest ago
//! first; then those whose offers are older than the retention; then those whose offers hold
//! nobody back any longer, by the caps they were claimed under; last, opt-outs and CRM attributes
//! of visitors not seen for as long as the retention. Nothing else goes.
//!
//! Must not: judge whether an offer may be made.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, MutexGuard};

use super::journal::Journal;
use super::rank::Rank;
use super::slots::{Map, Slots, make_room};
use crate::domain::caps::{Claim, Repeat};
use crate::domain::history::{History, SessionMark};
use crate::domain::ids::VisitorKey;
use crate::domain::time::{Millis, Timestamp};
use crate::store::StoreError;

/// One visitor.
#[derive(Debug)]
pub(super) struct Visitor {
    pub(super) history: History,
    pub(super) last_seen: Timestamp,
    /// The session that was counted last, so that one that forgot a name does not count again.
    pub(super) counted: Option<SessionMark>,
    /// How long, by the caps of its claims, the newest offer or word on it holds others back.
    pub(super) protects_for: Millis,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Visitors {
    slots: Slots<VisitorKey, Box<Visitor>>,
    retention: Millis,
    evicted: AtomicU64,
    journal: Option<Arc<Journal>>,
}

impl Visitor {
    fn seen_at(now: Timestamp) -> Self {
        Self {
            history: History::default(),
            last_seen: now,
            counted: None,
            protects_for: Millis::ZERO,
        }
    }

    /// The newest moment of anything that can hold an offer back.
    fn newest(&self) -> Option<Timestamp> {
        let history = &self.history;
        let offers = history.offers.iter().map(|offer| offer.at);
        let rules = history.rules.iter().map(|rule| rule.last_at);
        let words = [history.last_dismissal, history.last_acceptance, history.last_chat];
        offers.chain(rules).chain(words.into_iter().flatten()).max()
    }

    fn rank(&self, retention: Millis, now: Timestamp) -> Option<Rank> {
        if self.history.is_opted_out || self.history.crm.is_some() {
            return (now - self.last_seen >= retention).then_some((3, self.last_seen.0));
        }
        match self.newest() {
            None => Some((0, self.last_seen.0)),
            Some(newest) if now - newest >= retention => Some((1, newest.0)),
            Some(newest) if now - newest >= self.protects_for => Some((2, newest.0)),
            Some(_) => None,
        }
    }

    /// Counts a session that newly bears this visitor.
    fn count(&mut self, session: SessionMark) {
        if self.counted != Some(session) {
            self.counted = Some(session);
            self.history.sessions = self.history.sessions.saturating_add(1);
        }
    }

    /// Notes how long a granted claim holds others back.
    pub(super) fn protect(&mut self, claim: &Claim) {
        let caps = &claim.caps;
        let repeat = match claim.repeat {
            Repeat::Always => Millis::ZERO,
            Repeat::Every(pause) => pause,
            Repeat::Once => Millis(i64::MAX),
        };
        self.protects_for = self
            .protects_for
            .max(caps.cooldown)
            .max(caps.between)
            .max(caps.after_dismissal)
            .max(caps.after_acceptance)
            .max(repeat);
    }
}

impl Visitors {
    pub(super) fn new(most: usize, retention: Millis, journal: Option<Arc<Journal>>) -> Self {
        Self { slots: Slots::new(most), retention, evicted: AtomicU64::new(0), journal }
    }

    fn mark(&self, name: &VisitorKey) {
        if let Some(journal) = &self.journal {
            journal.mark(|marks| marks.visitor(name));
        }
    }

    /// Notes that a visitor goes.
    fn drop_visitor(&self, name: &VisitorKey) {
        self.evicted.fetch_add(1, Ordering::Relaxed);
        self.mark(name);
    }

    /// Joins what is known under these names.
    pub(super) fn merge_into<'a>(
        &self,
        history: &mut History,
        names: impl IntoIterator<Item = &'a VisitorKey>,
    ) {
        for name in names {
            if let Some(visitor) = self.slots.lock(name).get(name) {
                history.merge(&visitor.history);
            }
        }
    }

    /// Forgets everything of a visitor.
    pub(super) fn erase(&self, name: &VisitorKey) {
        let mut slot = self.slots.lock(name);
        if slot.remove(name).is_some() {
            self.mark(name);
        }
    }

    /// Joins what is known under that name of a visitor who is here, and counts the session for
    /// a name it newly bears. Where there is no room for its count, the count is not kept.
    pub(super) fn see(
        &self,
        history: &mut History,
        name: &VisitorKey,
        newly_borne_by: Option<SessionMark>,
        now: Timestamp,
    ) {
        let mut slot = self.slots.lock(name);
        if newly_borne_by.is_some() {
            let _ = self.ensure(&mut slot, name, now);
        }
        if let Some(visitor) = slot.get_mut(name) {
            visitor.last_seen = visitor.last_seen.max(now);
            if let Some(session) = newly_borne_by {
                visitor.count(session);
                self.mark(name);
            }
            history.merge(&visitor.history);
        }
    }

    /// As [`Self::see`], but nothing is counted and nobody is seen.
    pub(super) fn would_see(
        &self,
        history: &mut History,
        name: &VisitorKey,
        newly_borne_by: Option<SessionMark>,
    ) {
        let slot = self.slots.lock(name);
        let Some(visitor) = slot.get(name) else { return };
        let mut known = visitor.history.clone();
        if newly_borne_by.is_some() && visitor.counted != newly_borne_by {
            known.sessions = known.sessions.saturating_add(1);
        }
        history.merge(&known);
    }

    /// Whether the visitor is new.
    fn ensure(
        &self,
        slot: &mut Map<VisitorKey, Box<Visitor>>,
        name: &VisitorKey,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        if slot.contains_key(name) {
            return Ok(false);
        }
        let has_room = make_room(
            slot,
            self.slots.room(),
            |visitor| visitor.rank(self.retention, now),
            |name| self.drop_visitor(name),
        );
        if !has_room {
            return Err(StoreError::Full("visitors"));
        }
        slot.insert(name.clone(), Box::new(Visitor::seen_at(now)));
        Ok(true)
    }

    /// Locks all of these at once.
    pub(super) fn lock_all<'a>(&'a self, names: &[VisitorKey]) -> Locked<'a> {
        let mut slots: Vec<usize> = names.iter().map(|name| self.slots.index(name)).collect();
        // One order for everybody, and no slot twice.
        slots.sort_unstable();
        slots.dedup();
        let slots = slots.into_iter().map(|index| (index, self.slots.lock_at(index))).collect();
        Locked { table: self, slots }
    }

    /// Drops from the next slice those not seen for as long as the retention, but no opt-outs and
    /// CRM attributes: these go only where room is needed.
    pub(super) fn sweep(&self, now: Timestamp) {
        self.slots.sweep(|name, visitor| {
            let is_kept = visitor.history.is_opted_out
                || visitor.history.crm.is_some()
                || now - visitor.newest().max(Some(visitor.last_seen)).unwrap_or(now)
                    < self.retention;
            if !is_kept {
                self.drop_visitor(name);
            }
            is_kept
        });
    }

    /// Puts a visitor who was read from the data folder.
    pub(super) fn put(&self, name: VisitorKey, visitor: Visitor) {
        self.slots.lock(&name).insert(name, Box::new(visitor));
    }

    /// The row of that visitor, if there is one.
    pub(super) fn row_of(&self, name: &VisitorKey) -> Option<Vec<u8>> {
        self.slots.lock(name).get(name).map(|visitor| visitor.to_row())
    }

    /// Drops all visitors without a trace.
    pub(super) fn clear(&self) {
        self.slots.clear();
    }

    /// Calls `each` with the name of every visitor.
    pub(super) fn for_each(&self, mut each: impl FnMut(&VisitorKey)) {
        self.slots.for_each(|name, _| each(name));
    }

    /// How many there are, and how many were forgotten.
    pub(super) fn figures(&self) -> (u64, u64) {
        (self.slots.len(), self.evicted.load(Ordering::Relaxed))
    }
}

/// One slot's visitors, locked.
type Slot<'a> = MutexGuard<'a, Map<VisitorKey, Box<Visitor>>>;

/// Several visitors, locked together.
#[derive(Debug)]
pub(super) struct Locked<'a> {
    table: &'a Visitors,
    slots: Vec<(usize, Slot<'a>)>,
}

impl Locked<'_> {
    fn slot(&mut self, name: &VisitorKey) -> Option<&mut Map<VisitorKey, Box<Visitor>>> {
        let index = self.table.slots.index(name);
        self.slots.iter_mut().find(|(at, _)| *at == index).map(|(_, slot)| &mut **slot)
    }

    /// One of them.
    pub(super) fn get_mut(&mut self, name: &VisitorKey) -> Option<&mut Visitor> {
        self.slot(name)?.get_mut(name).map(|visitor| &mut **visitor)
    }

    /// Makes sure that each of them is remembered, or changes nothing.
    pub(super) fn ensure(
        &mut self,
        names: &[VisitorKey],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let table = self.table;
        let mut new = Vec::new();
        let mut result = Ok(());
        for name in names {
            let Some(slot) = self.slot(name) else { continue };
            match table.ensure(slot, name, now) {
                Ok(true) => new.push(name),
                Ok(false) => {}
                Err(full) => result = Err(full),
            }
        }
        // The room for a later one may have been an earlier one's.
        if result.is_ok() && names.iter().any(|name| self.get_mut(name).is_none()) {
            result = Err(StoreError::Full("visitors"));
        }
        if result.is_err() {
            for name in new {
                self.slot(name).and_then(|slot| slot.remove(name));
            }
        }
        result
    }
}
