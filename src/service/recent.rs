//! The newest decisions with all that they were made from, so that they can be explained.
//!
//! Bounded, in memory, and gone with the process. What is not recorded of a visitor is not kept
//! here either, and what is forgotten elsewhere is forgotten here.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::domain::decision::Answer;
use crate::domain::facts::{AgentBoard, Facts};
use crate::domain::history::{History, SessionMark};
use crate::domain::ids::{DecisionId, SessionKey, VisitorKey};
use crate::domain::session::Session;
use crate::domain::time::{Millis, Timestamp};
use crate::domain::visit::{Page, Visit};
use crate::engine::{RuleState, Stop, Verdict};
use crate::rules::model::{Rule, RuleSet};

/// How many decisions a service keeps, unless told otherwise: some megabytes.
pub const DEFAULT_KEPT: usize = 2_000;

/// For how long a decision is kept at most.
pub const KEPT_FOR: Millis = Millis::days(1);

/// A decision with what it was made from.
#[derive(Debug)]
pub struct Kept {
    /// The answer.
    pub answer: Arc<Answer>,
    /// The rules of then.
    pub set: Arc<RuleSet>,
    /// The session.
    pub key: SessionKey,
    /// The call.
    pub visit: Visit,
    /// The page it was about.
    pub page: Page,
    /// What the judge saw.
    pub snapshot: Snapshot,
}

/// What a judge saw, to be looked at later.
#[derive(Debug)]
pub struct Snapshot {
    session: Session,
    history: History,
    agents: Arc<AgentBoard>,
    now: Timestamp,
    /// Rules that had reached a limit, as far as they were asked.
    limited: Vec<Arc<str>>,
}

impl Snapshot {
    /// Of these facts and what came of them.
    pub(super) fn of(
        set: &RuleSet,
        facts: &Facts<'_>,
        agents: &Arc<AgentBoard>,
        verdict: &Verdict,
    ) -> Self {
        let limited = verdict
            .stops
            .iter()
            .filter(|(_, stop)| *stop == Stop::Limit)
            .filter_map(|(rule, _)| Some(set.rules.get(*rule)?.id.clone()))
            .collect();
        Self {
            session: facts.session.clone(),
            history: facts.history.clone(),
            agents: agents.clone(),
            now: facts.now,
            limited,
        }
    }
}

impl RuleState for Snapshot {
    fn is_site_limit_reached(&self) -> bool {
        // Told rule by rule.
        false
    }

    fn is_limit_reached(&self, rule: &Rule) -> bool {
        self.limited.contains(&rule.id)
    }
}

impl Kept {
    /// The facts of then.
    #[must_use]
    pub fn facts(&self) -> Facts<'_> {
        Facts {
            now: self.snapshot.now,
            session_id: &self.key.id,
            visit: &self.visit,
            page: &self.page,
            session: &self.snapshot.session,
            history: &self.snapshot.history,
            agents: &self.snapshot.agents,
        }
    }

    fn mark(&self) -> SessionMark {
        crate::store::mark_of(&self.key.id, self.snapshot.session.started_at)
    }
}

/// The newest decisions. See the module's head.
#[derive(Debug)]
pub struct Recent {
    kept: Mutex<VecDeque<Arc<Kept>>>,
    most: usize,
}

impl Recent {
    /// Keeps so many; none at all for zero.
    #[must_use]
    pub fn new(most: usize) -> Self {
        Self { kept: Mutex::default(), most }
    }

    /// Whether anything is kept.
    pub(super) fn is_on(&self) -> bool {
        self.most > 0
    }

    pub(super) fn keep(&self, kept: Kept) {
        let kept = Arc::new(kept);
        let mut all = self.lock();
        // What leaves is dropped after the lock.
        let _oldest = if all.len() >= self.most { all.pop_front() } else { None };
        all.push_back(kept);
        drop(all);
    }

    /// A decision by its id.
    #[must_use]
    pub fn decision(&self, id: DecisionId) -> Option<Arc<Kept>> {
        self.lock().iter().rev().find(|kept| kept.answer.decision == id).cloned()
    }

    /// A session's newest decision.
    #[must_use]
    pub fn newest_of(&self, key: &SessionKey) -> Option<Arc<Kept>> {
        self.lock().iter().rev().find(|kept| kept.key == *key).cloned()
    }

    /// Forgets a session's decisions.
    pub(super) fn forget_session(&self, key: &SessionKey) {
        self.lock().retain(|kept| kept.key != *key);
    }

    /// Forgets the decisions of all sessions that a visitor was in.
    pub(super) fn forget_visitor(&self, visitor: &VisitorKey) {
        let mut all = self.lock();
        let bears = |kept: &Kept| kept.snapshot.session.visitors.contains(visitor);
        let runs: Vec<_> = all
            .iter()
            .filter(|kept| bears(kept))
            .map(|kept| (kept.key.clone(), kept.mark()))
            .collect();
        all.retain(|kept| !runs.contains(&(kept.key.clone(), kept.mark())));
    }

    /// Forgets what is too old.
    pub(super) fn sweep(&self, now: Timestamp) {
        let mut all = self.lock();
        while all.front().is_some_and(|kept| now - kept.snapshot.now >= KEPT_FOR) {
            all.pop_front();
        }
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<Arc<Kept>>> {
        // Nothing in it can be half done.
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
