//! Recording an event: finds, begins or restores its session, and lets the judge look at it.
//!
//! Must not: hold a lock while waiting for an event's first call.

use std::sync::Arc;

use super::MemoryStore;
use super::claims::Record;
use super::repeats::Known;
use super::sessions::{Begun, Entry, Locked};
use crate::domain::history::{History, Offer, SessionMark};
use crate::domain::ids::{SessionKey, VisitorId, VisitorKey};
use crate::domain::session::Session;
use crate::domain::time::Timestamp;
use crate::domain::visit::Consent;
use crate::store::{Judged, Observation, Observed, Pending, Reply, Seen, StoreError, Waiting};

/// How far a call came without waiting.
enum Step<T> {
    Done(Observed<T>),
    /// It repeats one that is under way.
    Wait(Waiting),
}

/// Where an event belongs.
enum Place {
    /// To the session that is there.
    Running(Timestamp),
    /// To one that takes the place of it.
    Over(Timestamp),
    /// To one that begins now that it may.
    Denied(Timestamp),
    /// Nowhere: it was recorded before.
    Repeat(Known),
    /// Nowhere: the visitor does not want it.
    Nowhere,
}

impl MemoryStore {
    /// Records an event once; `takes_offer` where it is another tool's popup.
    pub(super) async fn record<T>(
        &self,
        seen: &Observation<'_>,
        takes_offer: bool,
        judge: impl FnOnce(Seen<'_>) -> Judged<T>,
    ) -> Result<Observed<T>, StoreError> {
        match self.enter(seen, takes_offer, judge)? {
            Step::Done(observed) => Ok(observed),
            Step::Wait(waiting) => match waiting.answer().await {
                Some(answer) => Ok(Observed::Repeat(answer)),
                None => self.after_cut_off(seen),
            },
        }
    }

    fn enter<T>(
        &self,
        seen: &Observation<'_>,
        takes_offer: bool,
        judge: impl FnOnce(Seen<'_>) -> Judged<T>,
    ) -> Result<Step<T>, StoreError> {
        let event = seen.visit.event.id.as_ref();
        let hash = event.map(|event| self.hash(event));
        let locked = match self.sessions.lock_with_room(seen.key, seen.now) {
            Locked::There(guard) => match self.place(&guard, seen, hash) {
                Place::Running(now) => Ok((guard, false, now)),
                Place::Over(now) => self.begin(seen, hash, now).map(|(begun, is_new, now)| {
                    let mut guard = guard;
                    self.sessions.replace(&mut guard, begun);
                    (guard, is_new, now)
                }),
                Place::Denied(now) => {
                    let mut guard = guard;
                    self.begin_after_denial(&mut guard, begin(seen, now), seen.timeout);
                    Ok((guard, true, now))
                }
                Place::Repeat(known) => Err(known),
                Place::Nowhere => return Ok(Step::Done(Observed::Denied)),
            },
            Locked::Free(free) => self
                .begin(seen, hash, seen.now)
                .map(|(begun, is_new, now)| (self.sessions.fill(free, begun), is_new, now)),
        };
        let (mut guard, is_new, now) = match locked {
            Ok(locked) => locked,
            Err(known) => return self.repeat(seen, hash, known),
        };
        let entry = &mut **guard;

        entry.timeout = seen.timeout;
        let newly_borne: Vec<bool> = seen
            .visitors
            .iter()
            .map(|name| is_new || !entry.session.visitors.contains(name))
            .collect();
        entry.session.record(seen.visit, seen.page, seen.visitors, now);
        self.shared.share(&mut entry.session, &seen.visit.event.kind, seen.page, is_new);
        let mark = entry.mark();
        if let Some(hash) = hash {
            entry.recent.push(hash);
        }
        let kept = if takes_offer {
            self.take_offer(entry, seen, hash, mark, now)
        } else {
            self.refresh(entry, seen.key);
            Ok(())
        };
        let history = self.history_of(&entry.session, seen, &newly_borne, mark, now);
        let judged = judge(Seen { session: &entry.session, mark, history: &history, now });
        let shadows = entry.session.meet_shadows(judged.shadows);
        let mut pending = None;
        if let (Some(event), Some(hash)) = (event, hash) {
            let became = match judged.reply {
                Reply::Given(answer) => Known::Answered(answer),
                Reply::Unasked => Known::Unasked,
                Reply::Later => {
                    let (promise, waiting) = Pending::new(event.clone(), mark);
                    pending = Some(promise);
                    Known::Pending(Box::new(waiting))
                }
            };
            entry.recent.set(hash, became);
        }
        self.sessions.touch(seen.key, entry);
        kept?;
        let (value, is_new_session) = (judged.value, is_new);
        Ok(Step::Done(Observed::Fresh { value, is_new_session, pending, shadows }))
    }

    /// Where the event belongs, as far as the session's own record tells.
    fn place(&self, entry: &Entry, seen: &Observation<'_>, event: Option<u64>) -> Place {
        let now = seen.now.max(entry.session.clock);
        if entry.session.is_expired(seen.timeout, now) {
            return Place::Over(now);
        }
        if let Some(known) = event.and_then(|event| self.known_event(entry, seen, event)) {
            return Place::Repeat(known);
        }
        match (entry.is_denial(), seen.visit.consent) {
            (false, _) => Place::Running(now),
            (true, Some(Consent::Granted)) => Place::Denied(now),
            // It was asked about before the denial came, and must not undo it.
            (true, _) => Place::Nowhere,
        }
    }

    fn known_event(&self, entry: &Entry, seen: &Observation<'_>, event: u64) -> Option<Known> {
        if let Some(known) = entry.recent.get(event) {
            return Some(known.clone());
        }
        if !entry.has_claims {
            return None;
        }
        let records = self.claims.lock(seen.key);
        records
            .get(seen.key)
            .filter(|record| record.mark == entry.mark())
            .and_then(|record| claimed(record, event))
    }

    /// What begins with this event, whether it is a new session, and when: a session, or one that
    /// only its claims remember.
    fn begin(
        &self,
        seen: &Observation<'_>,
        event: Option<u64>,
        now: Timestamp,
    ) -> Result<(Begun, bool, Timestamp), Known> {
        let timeout = seen.timeout;
        let mut records = self.claims.lock(seen.key);
        let Some(record) = records.get_mut(seen.key).filter(|record| !record.is_over(timeout, now))
        else {
            return Ok((
                Begun { session: begin(seen, now), timeout, has_claims: false },
                true,
                now,
            ));
        };
        if let Some(known) = event.and_then(|event| claimed(record, event)) {
            return Err(known);
        }
        let is_new = !record.is_begun;
        let now = now.max(record.clock);
        let mut session = begin(seen, now);
        record.restore(&mut session);
        session.own.sessions = 1;
        Ok((Begun { session, timeout, has_claims: true }, is_new, now))
    }

    /// What a repeat gets.
    fn repeat<T>(
        &self,
        seen: &Observation<'_>,
        event: Option<u64>,
        known: Known,
    ) -> Result<Step<T>, StoreError> {
        match known {
            Known::Answered(answer) => Ok(Step::Done(Observed::Repeat(answer))),
            Known::Unasked => Ok(Step::Done(Observed::RepeatUnanswered)),
            Known::Pending(waiting) => Ok(Step::Wait(*waiting)),
            Known::CutOff => self.claimed_answer(seen, event).map(Step::Done),
        }
    }

    /// What a repeat gets that waited in vain.
    fn after_cut_off<T>(&self, seen: &Observation<'_>) -> Result<Observed<T>, StoreError> {
        let event = seen.visit.event.id.as_ref().map(|event| self.hash(event));
        let known = event.and_then(|event| self.sessions.get(seen.key)?.recent.get(event).cloned());
        match known {
            Some(Known::Answered(answer)) => Ok(Observed::Repeat(answer)),
            Some(Known::Unasked) => Ok(Observed::RepeatUnanswered),
            Some(Known::Pending(_) | Known::CutOff) | None => self.claimed_answer(seen, event),
        }
    }

    fn claimed_answer<T>(
        &self,
        seen: &Observation<'_>,
        event: Option<u64>,
    ) -> Result<Observed<T>, StoreError> {
        let slot = self.claims.lock(seen.key);
        event
            .and_then(|event| slot.get(seen.key)?.answer_to(event).cloned())
            .map(Observed::Repeat)
            .ok_or(StoreError::CutOff)
    }

    /// Spends one of the session's offers on another tool's popup.
    fn take_offer(
        &self,
        entry: &mut Entry,
        seen: &Observation<'_>,
        event: Option<u64>,
        mark: SessionMark,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        entry.session.offers = entry.session.offers.saturating_add(1);
        entry.session.own.remember(Offer { session: mark, at: now, is_prompt: true }, None);
        let mut slot = self.claims.lock(seen.key);
        self.claims.make_room(&mut slot, seen.key, now)?;
        entry.has_claims = true;
        let record = slot
            .entry(seen.key.clone())
            .or_insert_with(|| Box::new(Record::of(&entry.session, mark, entry.timeout)));
        record.refresh(&entry.session, mark, entry.timeout);
        record.other(event);
        self.mark(|marks| marks.claim(seen.key));
        Ok(())
    }

    /// Lets the claims' record know that its session is alive.
    pub(super) fn refresh(&self, entry: &Entry, key: &SessionKey) {
        if entry.has_claims
            && let Some(record) = self.claims.lock(key).get_mut(key)
        {
            record.refresh(&entry.session, entry.mark(), entry.timeout);
            self.mark(|marks| marks.claim(key));
        }
    }

    /// As [`Self::history_of`], for a call that was recorded before.
    pub(super) fn known_of(&self, session: &Session, called: &[VisitorKey]) -> History {
        let mut history = session.own.clone();
        let others = session.visitors.iter().filter(|name| !called.contains(name));
        self.visitors.merge_into(&mut history, others);
        if called.iter().any(|name| matches!(name.id, VisitorId::Identity(_))) {
            history.crm = None;
        }
        self.visitors.merge_into(&mut history, called);
        history
    }

    /// The session's history joined with that of every name it bears, those of the call last, so
    /// that of several identities the present one's CRM attributes apply.
    fn history_of(
        &self,
        session: &Session,
        seen: &Observation<'_>,
        newly_borne: &[bool],
        mark: SessionMark,
        now: Timestamp,
    ) -> History {
        let mut history = session.own.clone();
        for name in session.visitors.iter().filter(|name| !seen.visitors.contains(name)) {
            self.visitors.see(&mut history, name, None, now);
        }
        if seen.visitors.iter().any(|name| matches!(name.id, VisitorId::Identity(_))) {
            history.crm = None;
        }
        for (name, is_new) in seen.visitors.iter().zip(newly_borne) {
            self.visitors.see(&mut history, name, is_new.then_some(mark), now);
        }
        history
    }
}

/// What the claims of the running session know of an event.
fn claimed(record: &Record, event: u64) -> Option<Known> {
    match record.answer_to(event) {
        Some(answer) => Some(Known::Answered(Arc::clone(answer))),
        None => record.knows_other(event).then_some(Known::Unasked),
    }
}

/// A session that begins with this event. The others of its visitors are borne when it is recorded.
pub(super) fn begin(seen: &Observation<'_>, now: Timestamp) -> Session {
    let mut session =
        Session::begin(seen.page, seen.visitors.first().cloned().into_iter().collect(), now);
    session.own.sessions = 1;
    session
}
