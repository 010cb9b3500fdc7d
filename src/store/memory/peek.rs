//! Looking at a session as an event would leave it, without recording it.
//!
//! Must not: change anything, not even when somebody was last seen.

use super::MemoryStore;
use super::observe::begin;
use crate::domain::history::{History, SessionMark};
use crate::domain::ids::VisitorId;
use crate::domain::session::Session;
use crate::domain::time::Timestamp;
use crate::domain::visit::Consent;
use crate::store::{Observation, Seen, mark_of};

impl MemoryStore {
    /// What [`observe`](crate::store::Store::observe) would let its judge see.
    pub(super) fn peek_at<T>(
        &self,
        seen: &Observation<'_>,
        judge: impl FnOnce(Seen<'_>) -> T,
    ) -> T {
        let (mut session, is_new, now) = self.would_be(seen);
        let is_denied = session.consent == Some(Consent::Denied)
            && seen.visit.consent != Some(Consent::Granted);
        let newly_borne: Vec<bool> =
            seen.visitors.iter().map(|name| is_new || !session.visitors.contains(name)).collect();
        // Of a visitor who does not want it, nothing would be recorded.
        if !is_denied {
            session.record(seen.visit, seen.page, seen.visitors, now);
        }
        let mark = SessionMark {
            id: mark_of(&seen.key.id, session.started_at).id,
            started_at: session.started_at,
        };
        let mut history: History = session.own.clone();
        let others = session.visitors.iter().filter(|name| !seen.visitors.contains(name));
        self.visitors.merge_into(&mut history, others);
        if seen.visitors.iter().any(|name| matches!(name.id, VisitorId::Identity(_))) {
            history.crm = None;
        }
        for (name, is_new) in seen.visitors.iter().zip(newly_borne) {
            self.visitors.would_see(&mut history, name, (is_new && !is_denied).then_some(mark));
        }
        judge(Seen { session: &session, mark, history: &history, now })
    }

    /// The session that the event would belong to, whether it would begin with it, and when.
    fn would_be(&self, seen: &Observation<'_>) -> (Session, bool, Timestamp) {
        let mut now = seen.now;
        // A copy: the claims are looked at below, and no guard is held then.
        let running = self.sessions.get(seen.key).map(|entry| entry.session.clone());
        if let Some(running) = running {
            now = now.max(running.clock);
            if !running.is_expired(seen.timeout, now) {
                let begins = running.consent == Some(Consent::Denied)
                    && seen.visit.consent == Some(Consent::Granted);
                if !begins {
                    return (running, false, now);
                }
                let mut session = begin(seen, now);
                super::consent::keep_offers(&running, &mut session);
                session.own.sessions = 1;
                return (session, true, now);
            }
        }
        let records = self.claims.lock(seen.key);
        let record = records.get(seen.key).filter(|record| !record.is_over(seen.timeout, now));
        let Some(record) = record else { return (begin(seen, now), true, now) };
        let mut record = record.clone();
        let now = now.max(record.clock);
        let mut session = begin(seen, now);
        record.restore(&mut session);
        session.own.sessions = 1;
        (session, !record.is_begun, now)
    }
}
