//! Explanations: of a call that is not made, of a decision that was, of a session as it now is.
//!
//! Must not: spend or record anything.

use std::sync::Arc;

use super::decide::Limits;
use super::live::LiveSite;
use super::recent::Kept;
use super::{Service, session_key, visitors};
use crate::domain::facts::Facts;
use crate::domain::ids::{DecisionId, SessionKey};
use crate::domain::time::Timestamp;
use crate::domain::visit::{Event, EventKind, Page, Visit};
use crate::explain::{About, Case, Explanation, explain};
use crate::store::{Observation, Store, StoreError};

/// Why there is nothing to explain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExplainError {
    /// Not among those that are kept.
    #[error(
        "it is not among the newest decisions that this process keeps in memory. Decisions for \
         bots and without consent are never kept. Send the call to POST /v1/explain instead"
    )]
    NotKept,
    /// The store could not be asked.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl<S: Store> Service<S> {
    /// What would be answered to a call now. Nothing of it is recorded.
    ///
    /// # Errors
    /// Where the store cannot be reached.
    pub async fn explain_call(
        &self,
        live: &LiveSite,
        visit: &Visit,
        page: &Page,
        now: Timestamp,
        notes: Vec<String>,
    ) -> Result<Explanation, StoreError> {
        self.foresee(live, visit, page, About::Call, now, notes).await
    }

    async fn foresee(
        &self,
        live: &LiveSite,
        visit: &Visit,
        page: &Page,
        about: About,
        now: Timestamp,
        notes: Vec<String>,
    ) -> Result<Explanation, StoreError> {
        let (key, _) = session_key(visit);
        let visitors = visitors(visit);
        let now = visit.event.at.unwrap_or(now);
        let set = &live.set;
        let agents = self.store.agents(&set.site.key, now);
        let observation = Observation {
            key: &key,
            visitors: &visitors,
            visit,
            page: Some(page),
            timeout: set.site.session_timeout,
            now,
        };
        self.store
            .peek(observation, |seen| {
                let facts = Facts {
                    now: seen.now,
                    session_id: &key.id,
                    visit,
                    page,
                    session: seen.session,
                    history: seen.history,
                    agents: &agents,
                };
                let limits = Limits { store: &*self.store, set, now: seen.now };
                explain(Case { about, set, facts: &facts, answer: None }, &limits, notes)
            })
            .await
    }

    /// A decision that was made: what was there then, by the rules of then.
    ///
    /// # Errors
    /// Where it is not kept.
    pub fn explain_decision(&self, id: DecisionId) -> Result<Explanation, ExplainError> {
        let kept = self.recent.decision(id).ok_or(ExplainError::NotKept)?;
        let facts = kept.facts();
        let mut notes = vec![
            "This is what was there when it was decided, judged by the rules of then.".to_owned(),
        ];
        let is_limited = kept.set.rules.iter().any(|rule| !rule.limits.is_empty());
        if is_limited || !kept.set.site.limits.is_empty() {
            notes.push(
                "Whether limits were reached is known only of rules that were asked.".to_owned(),
            );
        }
        let case = Case {
            about: About::Decision,
            set: &kept.set,
            facts: &facts,
            answer: Some(&kept.answer),
        };
        Ok(explain(case, &kept.snapshot, notes))
    }

    /// A session as it now is, as if its newest page asked again. Place and device are those of
    /// its newest decision, for sessions do not keep them.
    ///
    /// # Errors
    /// Where none of its decisions is kept, or the store cannot be reached.
    pub async fn explain_session(
        &self,
        live: &LiveSite,
        key: &SessionKey,
        now: Timestamp,
    ) -> Result<Explanation, ExplainError> {
        let newest: Arc<Kept> = self.recent.newest_of(key).ok_or(ExplainError::NotKept)?;
        let mut visit = newest.visit.clone();
        visit.event = Event { kind: EventKind::Recheck, id: None, at: None };
        // Where the answer issued it, the call did not name it.
        visit.session = Some(key.id.clone());
        let mut page = newest.page.clone();
        // Told by the page for that moment; what is remembered of the view tells it for this one.
        page.time_on_page = None;
        page.idle = None;
        let notes = vec![
            "This is the session as it now is, as if its newest page asked again. Page, place and \
             device are those of its newest decision; how long the visitor has done nothing is \
             not known."
                .to_owned(),
        ];
        Ok(self.foresee(live, &visit, &page, About::Session, now, notes).await?)
    }
}
