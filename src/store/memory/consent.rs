//! A visitor's word on being stored, and what is kept of those who said no.
//!
//! Must not: keep more of them than that "no" and what they were offered.

use super::MemoryStore;
use super::sessions::{Begun, Guard, Locked};
use crate::domain::history::SessionMark;
use crate::domain::ids::SessionKey;
use crate::domain::session::Session;
use crate::domain::time::{Millis, Timestamp};
use crate::domain::visit::Consent;
use crate::store::mark_of;

impl MemoryStore {
    /// The last word on consent of a session that is not over. To ask keeps a "no" alive, since
    /// nothing else of its session's events does.
    pub(super) fn consent_of(
        &self,
        key: &SessionKey,
        timeout: Millis,
        now: Timestamp,
    ) -> Option<Consent> {
        let word = |session: &Session| {
            session.consent.filter(|_| !session.is_expired(timeout, now.max(session.clock)))
        };
        let said = word(&self.sessions.get(key)?.session)?;
        if said != Consent::Denied {
            return Some(said);
        }
        let mut guard = self.sessions.get_mut(key)?;
        // Another call may have come between.
        let said = word(&guard.session)?;
        if said == Consent::Denied {
            let clock = now.max(guard.session.clock);
            guard.session.clock = clock;
            guard.session.last_active_at = clock;
            guard.timeout = timeout;
            self.sessions.touch(key, &mut guard);
            self.refresh(&guard, key);
        }
        Some(said)
    }

    /// Keeps nothing of a session but that it is not to be kept, and its offers: these still count
    /// where consent is given before the session would have been over.
    pub(super) fn keep_denial(&self, key: &SessionKey, timeout: Millis, now: Timestamp) {
        let locked = self.sessions.lock_with_room(key, now);
        let mut records = self.claims.lock(key);
        let running = match &locked {
            Locked::There(guard) => Some(&guard.session),
            Locked::Free(_) => None,
        };
        let running =
            running.filter(|session| !session.is_expired(timeout, now.max(session.clock)));
        let mut session = Session::begin(None, Vec::new(), now);
        let mut has_claims = false;
        if let Some(record) = records.get_mut(key) {
            record.forget_visitors();
            if !record.is_over(timeout, now) {
                session = Session::begin(None, Vec::new(), now.max(record.clock));
                record.restore_offers(&mut session);
                has_claims = true;
            }
        }
        if let Some(running) = running {
            let now = session.started_at.max(running.clock);
            session = Session::begin(None, Vec::new(), now);
            keep_offers(running, &mut session);
        }
        session.consent = Some(Consent::Denied);
        if has_claims && let Some(record) = records.get_mut(key) {
            let mark = SessionMark {
                id: mark_of(&key.id, session.started_at).id,
                started_at: session.started_at,
            };
            record.carry(mark);
            record.refresh(&session, mark, timeout);
        }
        let begun = Begun { session, timeout, has_claims };
        match locked {
            Locked::There(mut guard) => self.sessions.replace(&mut guard, begun),
            Locked::Free(free) => drop(self.sessions.fill(free, begun)),
        }
        // What was known of the session must not wait to go, and both are written together.
        self.mark(|marks| {
            marks.claim(key);
            marks.session(key);
        });
    }

    /// Puts a session in place of the "no" that was taken back.
    pub(super) fn begin_after_denial(
        &self,
        guard: &mut Guard<'_>,
        mut session: Session,
        timeout: Millis,
    ) {
        keep_offers(&guard.session, &mut session);
        session.own.sessions = 1;
        let has_claims = guard.has_claims;
        self.sessions.replace(guard, Begun { session, timeout, has_claims });
        if has_claims && let Some(record) = self.claims.lock(guard.key()).get_mut(guard.key()) {
            record.carry(guard.mark());
            self.mark(|marks| marks.claim(guard.key()));
        }
    }
}

/// Takes over what a session was offered, and what became of it.
pub(super) fn keep_offers(of: &Session, session: &mut Session) {
    session.offers = of.offers;
    session.is_held_out = of.is_held_out;
    session.own.clone_from(&of.own);
}
