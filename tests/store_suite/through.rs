//! A store in memory to which something is done before every call: its sessions are laid to rest,
//! or it is stopped and opened again from its data folder.
//!
//! Must not: change what it is asked, or drop anything.

#![allow(dead_code, reason = "each test binary uses its own part of this module")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

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

type Before = Box<dyn Fn(Arc<MemoryStore>) -> Arc<MemoryStore> + Send + Sync>;

pub struct Through {
    store: Mutex<Option<Arc<MemoryStore>>>,
    before: Before,
}

impl Through {
    /// At the beginning of time nothing is over, and every session's newest moment is far away.
    pub fn rest(store: MemoryStore) -> Self {
        let before = |store: Arc<MemoryStore>| {
            (0..store.slices()).for_each(|_| store.sweep(Timestamp::MIN));
            store
        };
        Self { store: Mutex::new(Some(store.into())), before: Box::new(before) }
    }

    /// Stops the store before every so manieth call, and goes on with what `open` gives.
    pub fn restarts(
        every: usize,
        open: impl Fn() -> Arc<MemoryStore> + Send + Sync + 'static,
    ) -> Self {
        let store = Mutex::new(Some(open()));
        let calls = AtomicUsize::new(0);
        let before = move |store: Arc<MemoryStore>| {
            if calls.fetch_add(1, Ordering::Relaxed) % every != every - 1 {
                return store;
            }
            store.stop();
            drop(store);
            open()
        };
        Self { store, before: Box::new(before) }
    }

    fn laid(&self) -> Arc<MemoryStore> {
        let mut store = self.store.lock().unwrap();
        let one = (self.before)(store.take().unwrap());
        store.insert(one).clone()
    }

    fn now(&self) -> Arc<MemoryStore> {
        self.store.lock().unwrap().clone().unwrap()
    }
}

impl Store for Through {
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

    async fn peek<T: Send>(
        &self,
        observation: Observation<'_>,
        judge: impl FnOnce(Seen<'_>) -> T + Send,
    ) -> Result<T, StoreError> {
        self.laid().peek(observation, judge).await
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        self.laid().claim(claim).await
    }

    async fn settle(&self, key: &SessionKey, pending: Pending, answer: Arc<Answer>) {
        self.laid().settle(key, pending, answer).await;
    }

    async fn durable(&self) -> Result<(), StoreError> {
        self.laid().durable().await
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
        self.now().agents(site, now)
    }

    fn is_limit_reached(
        &self,
        site: &SiteKey,
        rule: Option<&str>,
        limits: &[Limit],
        now: Timestamp,
    ) -> bool {
        self.now().is_limit_reached(site, rule, limits, now)
    }

    fn sweep(&self, now: Timestamp) {
        self.now().sweep(now);
    }

    fn stats(&self) -> StoreStats {
        self.now().stats()
    }
}
