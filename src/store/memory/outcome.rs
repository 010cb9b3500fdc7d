//! What became of prompts, and who wants none.
//!
//! Must not: begin a session or keep one alive.

use super::MemoryStore;
use super::claim::union;
use super::claims::Record;
use crate::domain::caps::{Counted, Stage};
use crate::domain::history::History;
use crate::domain::ids::{SessionKey, VisitorKey};
use crate::domain::time::Timestamp;
use crate::store::{Outcome, StoreError, mark_of};

impl MemoryStore {
    pub(super) fn count(&self, outcome: &Outcome<'_>) -> Result<Option<Counted>, StoreError> {
        let mut place = self.sessions.lock(outcome.key);
        let mut records = self.claims.lock(outcome.key);
        let Some(record) = records.get_mut(outcome.key) else { return Ok(None) };
        let is_meant = |is_prompt: bool| is_prompt || outcome.stage == Stage::Converted;
        let Some(decision) = record.decisions.iter_mut().rev().find(|decision| {
            outcome.decision.map_or_else(|| is_meant(decision.is_prompt), |id| decision.id == id)
        }) else {
            return Ok(None);
        };
        let unique = self.hash(outcome.unique.unwrap_or_default());
        if outcome.now - decision.at > outcome.within || !decision.counts(outcome.stage, unique) {
            return Ok(None);
        }
        // A word on a prompt never is older than the prompt, wherever clocks went.
        let now = outcome.now.max(decision.at);
        let entry = place.entry();
        if enters_history(outcome.stage) {
            // The prompt may be of the session before, and of a visitor of that one.
            let mut names = union(outcome.visitors, &record.visitors);
            if let Some(entry) = &entry {
                names = union(&names, &entry.session.visitors);
            }
            let mut visitors = self.visitors.lock_all(&names);
            visitors.ensure(&names, now)?;
            for name in &names {
                if let Some(visitor) = visitors.get_mut(name) {
                    enter(&mut visitor.history, outcome.stage, now);
                }
            }
            if let Some(entry) = entry {
                enter(&mut entry.session.own, outcome.stage, now);
                self.sessions.touch(outcome.key, entry);
            }
            enter(&mut record.own, outcome.stage, now);
            self.mark(|marks| marks.visitors.extend(names));
        }
        self.mark(|marks| marks.claim(outcome.key));
        let step = decision.count(outcome.stage, unique);
        Ok(Some(Counted {
            decision: decision.id,
            rule: decision.rule.clone(),
            variant: decision.variant.clone(),
            is_prompt: decision.is_prompt,
            is_first: step.is_first,
            implies_shown: step.implies_shown,
        }))
    }

    pub(super) fn set_opt_out(
        &self,
        key: &SessionKey,
        given: &[VisitorKey],
        is_opted_out: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut place = self.sessions.lock(key);
        let mut records = self.claims.lock(key);
        let mut entry = place.entry();
        let borne = match (&entry, records.get(key)) {
            (Some(entry), _) => union(given, &entry.session.visitors),
            (None, Some(record)) => union(given, &record.visitors),
            (None, None) => union(given, &[]),
        };
        let mut visitors = self.visitors.lock_all(&borne);
        if is_opted_out {
            self.claims.make_room(&mut records, key, now)?;
            visitors.ensure(&borne, now)?;
        }
        for name in &borne {
            if let Some(visitor) = visitors.get_mut(name) {
                visitor.history.is_opted_out = is_opted_out;
            }
        }
        if let Some(entry) = entry.as_mut() {
            entry.session.own.is_opted_out = is_opted_out;
            self.sessions.touch(key, entry);
        }
        if is_opted_out {
            // The word must hold even if the session is dropped, or has yet to begin.
            let record = match entry.filter(|entry| !entry.is_expired(now)) {
                Some(entry) => {
                    entry.has_claims = true;
                    let (mark, timeout) = (entry.mark(), entry.timeout);
                    let new = || Box::new(Record::of(&entry.session, mark, timeout));
                    let record = records.entry(key.clone()).or_insert_with(new);
                    record.refresh(&entry.session, mark, timeout);
                    record
                }
                None => {
                    let (mark, timeout) = (mark_of(&key.id, now), self.unbegun_timeout);
                    let new = || Box::new(Record::before(mark, timeout));
                    let record = records.entry(key.clone()).or_insert_with(new);
                    if record.is_over(record.timeout, now) {
                        record.end(mark, timeout);
                    }
                    record
                }
            };
            record.own.is_opted_out = true;
        } else if let Some(record) = records.get_mut(key) {
            record.own.is_opted_out = false;
        }
        self.mark(|marks| {
            marks.claims.insert(key.clone());
            marks.visitors.extend(borne);
        });
        Ok(())
    }
}

const fn enters_history(stage: Stage) -> bool {
    matches!(stage, Stage::Dismissed | Stage::Accepted | Stage::ChatStarted)
}

fn enter(history: &mut History, stage: Stage, now: Timestamp) {
    let moment = match stage {
        Stage::Dismissed => &mut history.last_dismissal,
        Stage::Accepted => &mut history.last_acceptance,
        Stage::ChatStarted => &mut history.last_chat,
        Stage::Shown | Stage::ChatEnded | Stage::Converted => return,
    };
    *moment = (*moment).max(Some(now));
}
