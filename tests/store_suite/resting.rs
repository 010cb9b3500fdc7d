//! A store in memory whose sessions are all laid to rest before every call.
//!
//! Must not: change what it is asked, or drop anything.

use std::sync::Arc;

use koekake::domain::caps::{Claim, Claimed, Counted, Limit};
use koekake::domain::decision::Answer;
use koekake::domain::facts::{AgentBoard, Agents};
use koekake::domain::history::{History, SessionMark};
use koekake::domain::ids::{SessionKey, SiteKey, VisitorKey};
use koekake::domain::time::{Millis, Timestamp};
use koekake::domain::visit::{Attributes, Consent};
use koekake::store::memory::MemoryStore;
use koekake::store::{
    Judged, Observation, Observed, Outcome, Pending, Seen, Store, StoreError, StoreStats,
};

pub struct Resting(pub MemoryStore);

impl Resting {
    /// At the beginning of time nothing is over, and every session's newest moment is far away.
    fn laid(&self) -> &MemoryStore {
        (0..self.0.slices()).for_each(|_| self.0.sweep(Timestamp::MIN));
        &self.0
    }
}

impl Store for Resting {
    async fn history(&self, visitors: &[VisitorKey]) -> Result<History, StoreError> {
        self.laid().history(visitors).await
    }

    async fn observe<T: Send>(
        &self,
        observation: Observation<'_>,
        judge: impl FnOnce(Seen<'_>) -> Judged<T> + Send,
    ) -> Result<Observed<T>, StoreError> {
        self.laid().observe(observation, judge).await
    }

    async fn look<T: Send>(
        &self,
        key: &SessionKey,
        mark: SessionMark,
        visitors: &[VisitorKey],
        judge: impl FnOnce(Seen<'_>) -> T + Send,
    ) -> Result<Option<T>, StoreError> {
        self.laid().look(key, mark, visitors, judge).await
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        self.laid().claim(claim).await
    }

    async fn settle(&self, key: &SessionKey, pending: Pending, answer: Arc<Answer>) {
        self.laid().settle(key, pending, answer).await;
    }

    async fn outcome(&self, outcome: Outcome<'_>) -> Result<Option<Counted>, StoreError> {
        self.laid().outcome(outcome).await
    }

    async fn other_prompt(&self, observation: Observation<'_>) -> Result<bool, StoreError> {
        self.laid().other_prompt(observation).await
    }

    async fn opt_out(
        &self,
        key: &SessionKey,
        visitors: &[VisitorKey],
        is_opted_out: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.laid().opt_out(key, visitors, is_opted_out, now).await
    }

    async fn consent(
        &self,
        key: &SessionKey,
        timeout: Millis,
        now: Timestamp,
    ) -> Result<Option<Consent>, StoreError> {
        self.laid().consent(key, timeout, now).await
    }

    async fn deny(
        &self,
        key: &SessionKey,
        timeout: Millis,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.laid().deny(key, timeout, now).await
    }

    async fn set_crm(
        &self,
        visitor: &VisitorKey,
        attributes: Attributes,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.laid().set_crm(visitor, attributes, now).await
    }

    async fn erase(&self, visitor: &VisitorKey) -> Result<(), StoreError> {
        self.laid().erase(visitor).await
    }

    async fn set_agents(
        &self,
        site: &SiteKey,
        route: Option<&str>,
        agents: Agents,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        self.laid().set_agents(site, route, agents, until).await
    }

    fn agents(&self, site: &SiteKey, now: Timestamp) -> Arc<AgentBoard> {
        self.0.agents(site, now)
    }

    fn is_limit_reached(
        &self,
        site: &SiteKey,
        rule: Option<&str>,
        limits: &[Limit],
        now: Timestamp,
    ) -> bool {
        self.0.is_limit_reached(site, rule, limits, now)
    }

    fn sweep(&self, now: Timestamp) {
        self.0.sweep(now);
    }

    fn stats(&self) -> StoreStats {
        self.0.stats()
    }
}
