//! The store in memory: bounded, swept in slices. Where it has a data folder, what must outlive
//! the process is mirrored there, and read again at the next start.
//!
//! Locks are taken in one order, and none is held while waiting for anybody: a session's guard,
//! its claims' slot, visitors' slots (several at once by their numbers), a site's limits. A claim
//! holds all of its own until it is granted or refused, so nothing ever has to be undone. The
//! journal's lock comes last. Room for
//! a session is made before its guard is taken, and no map is asked for anything under a guard of
//! its own.
//!
//! Must not: judge rules, know HTTP, or read a clock.

mod agents;
mod claim;
mod claims;
mod consent;
mod export;
mod intern;
mod journal;
mod limits;
mod mirror;
mod observe;
mod outcome;
mod packed;
mod peek;
mod rank;
mod repeats;
mod rows;
mod sessions;
mod slices;
mod slots;
mod visitors;
mod writer;

use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread::JoinHandle;

use siphasher::sip::SipHasher13;

use self::agents::Duty;
use self::claims::Claims;
pub use self::export::{export_offer, export_row};
use self::intern::Interner;
use self::journal::{Journal, Marks};
use self::limits::Windows;
use self::repeats::Known;
use self::sessions::Sessions;
use self::visitors::Visitors;
pub use self::writer::DiskConfig;
use self::writer::Writer;
use super::{
    Judged, Observation, Observed, Outcome, Pending, Reply, Seen, Store, StoreError, StoreStats,
};
use crate::domain::caps::{Claim, Claimed, Counted, Limit};
use crate::domain::decision::Answer;
use crate::domain::facts::{AgentBoard, Agents};
use crate::domain::history::{History, SessionMark};
use crate::domain::ids::{SessionKey, SiteKey, VisitorKey};
use crate::domain::time::{Millis, Timestamp};
use crate::domain::visit::{Attributes, Consent};

/// How much is kept, and for how long. None of the numbers is ever exceeded, but that of sessions
/// by as many as there are calls under way at that moment; since each slice of a large store is
/// bounded by itself, dropping begins a little before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MemoryConfig {
    /// The most live sessions.
    pub max_sessions: usize,
    /// The most sessions whose offers are remembered.
    pub max_claims: usize,
    /// The most visitors remembered.
    pub max_visitors: usize,
    /// The most page addresses that sessions share one copy of.
    pub max_shared_texts: usize,
    /// How long nothing must happen to a session for it to be laid to rest.
    pub rest_after: Millis,
    /// How long outcomes of an offer may be late.
    pub outcome_window: Millis,
    /// After how long nothing is remembered of a visitor, opt-outs and CRM attributes excepted.
    pub visitor_retention: Millis,
    /// How long an opt-out waits for the first event of a session without visitor ids.
    pub unbegun_timeout: Millis,
}

impl Default for MemoryConfig {
    fn default() -> Self {
        Self {
            max_sessions: 1_000_000,
            max_claims: 1_000_000,
            max_visitors: 1_000_000,
            max_shared_texts: 200_000,
            rest_after: Millis::seconds(3),
            outcome_window: Millis::days(7),
            visitor_retention: Millis::days(400),
            unbegun_timeout: Millis::minutes(30),
        }
    }
}

/// The store. Share it behind an [`Arc`].
#[derive(Debug)]
pub struct MemoryStore {
    sessions: Sessions,
    claims: Claims,
    visitors: Visitors,
    limits: Windows,
    duty: Duty,
    shared: Arc<Interner>,
    /// What events' ids are hashed with, so that nobody outside can make two of them meet. Where
    /// there is a data folder it comes from there, for hashes are kept there too.
    event_key: OnceLock<[u8; 16]>,
    unbegun_timeout: Millis,
    /// Where there is a data folder.
    journal: Option<Arc<Journal>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Default for MemoryStore {
    fn default() -> Self {
        Self::new(MemoryConfig::default())
    }
}

impl MemoryStore {
    /// An empty store, gone with the process.
    #[must_use]
    pub fn new(config: MemoryConfig) -> Self {
        let store = Self::with(config, None);
        store.event_key.get_or_init(rand::random);
        store
    }

    /// A store with a data folder. Where that cannot be used now, it is tried again until it can;
    /// before, nothing is known and every call fails. [`MemoryStore::stop`] ends it in order;
    /// dropped, it ends like a process that is killed.
    ///
    /// `now` is the present moment: after a crash, sessions that may have gone on are taken to
    /// have done so until then.
    ///
    /// # Errors
    /// Where no thread can be had.
    pub fn open(
        config: MemoryConfig,
        disk: DiskConfig,
        now: Timestamp,
    ) -> std::io::Result<Arc<Self>> {
        let journal = Arc::new(Journal::new());
        let store = Arc::new(Self::with(config, Some(journal.clone())));
        let thread = Writer::start(disk, journal, &store, now)?;
        *store.writer.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread);
        Ok(store)
    }

    fn with(config: MemoryConfig, journal: Option<Arc<Journal>>) -> Self {
        let shared = Arc::new(Interner::new(config.max_shared_texts));
        Self {
            sessions: Sessions::new(
                config.max_sessions,
                config.rest_after,
                shared.clone(),
                journal.clone(),
            ),
            claims: Claims::new(config.max_claims, config.outcome_window, journal.clone()),
            visitors: Visitors::new(config.max_visitors, config.visitor_retention, journal.clone()),
            limits: Windows::default(),
            duty: Duty::default(),
            shared,
            event_key: OnceLock::new(),
            unbegun_timeout: config.unbegun_timeout,
            journal,
            writer: Mutex::default(),
        }
    }

    /// Writes all there is and lets go of the data folder. Nothing must be asked of the store
    /// afterwards. Blocks.
    pub fn stop(&self) {
        let Some(journal) = &self.journal else { return };
        journal.stop();
        let thread = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the store's writer broke off: the next start takes this for a crash");
        }
    }

    /// Why what must last cannot be written or read now, if it cannot.
    #[must_use]
    pub fn fault(&self) -> Option<Arc<str>> {
        self.journal.as_ref()?.fault()
    }

    /// Whether anything can be known.
    fn known(&self) -> Result<(), StoreError> {
        self.journal.as_ref().map_or(Ok(()), |journal| journal.known())
    }

    /// Whether an offer can be made to last.
    fn writable(&self) -> Result<(), StoreError> {
        self.journal.as_ref().map_or(Ok(()), |journal| journal.writable())
    }

    /// Marks what changed, so that it is written.
    fn mark(&self, change: impl FnOnce(&mut Marks)) {
        if let Some(journal) = &self.journal {
            journal.mark(change);
        }
    }

    /// How many calls of [`Store::sweep`] see every session once.
    #[must_use]
    pub fn slices(&self) -> usize {
        self.sessions.slices()
    }

    fn hash(&self, text: &str) -> u64 {
        // Without a key nothing is known yet, and nothing gets here.
        let key = self.event_key.get().copied().unwrap_or_default();
        SipHasher13::new_with_key(&key).hash(text.as_bytes())
    }
}

impl Drop for MemoryStore {
    fn drop(&mut self) {
        let Some(journal) = &self.journal else { return };
        journal.stop();
        let thread = self.writer.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        // The writer itself may have been the last to hold it.
        if let Some(thread) = thread.filter(|t| t.thread().id() != std::thread::current().id()) {
            // It has nothing to tell.
            let _ = thread.join();
        }
    }
}

impl Store for MemoryStore {
    async fn history(&self, visitors: &[VisitorKey]) -> Result<History, StoreError> {
        self.known()?;
        let mut history = History::default();
        self.visitors.merge_into(&mut history, visitors);
        Ok(history)
    }

    async fn observe<T: Send>(
        &self,
        observation: Observation<'_>,
        judge: impl FnOnce(Seen<'_>) -> Judged<T> + Send,
    ) -> Result<Observed<T>, StoreError> {
        self.known()?;
        self.record(&observation, false, judge).await
    }

    async fn look<T: Send>(
        &self,
        key: &SessionKey,
        mark: SessionMark,
        visitors: &[VisitorKey],
        judge: impl FnOnce(Seen<'_>) -> T + Send,
    ) -> Result<Option<T>, StoreError> {
        self.known()?;
        let entry = self.sessions.get(key);
        let Some(entry) = entry.filter(|entry| entry.mark() == mark && !entry.is_denial()) else {
            return Ok(None);
        };
        let session = &entry.session;
        let history = self.known_of(session, visitors);
        Ok(Some(judge(Seen { session, mark, history: &history, now: session.clock })))
    }

    async fn peek<T: Send>(
        &self,
        observation: Observation<'_>,
        judge: impl FnOnce(Seen<'_>) -> T + Send,
    ) -> Result<T, StoreError> {
        self.known()?;
        Ok(self.peek_at(&observation, judge))
    }

    async fn claim(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        self.writable()?;
        self.claim_now(claim)
    }

    async fn settle(&self, key: &SessionKey, pending: Pending, answer: Arc<Answer>) {
        let event = self.hash(pending.event());
        let entry = self.sessions.get_mut(key);
        if let Some(mut entry) = entry.filter(|entry| entry.mark() == pending.mark()) {
            entry.recent.set(event, Known::Answered(answer.clone()));
            self.sessions.touch(key, &mut entry);
        }
        pending.resolve(answer);
    }

    async fn outcome(&self, outcome: Outcome<'_>) -> Result<Option<Counted>, StoreError> {
        self.known()?;
        self.count(&outcome)
    }

    async fn other_prompt(&self, observation: Observation<'_>) -> Result<bool, StoreError> {
        self.known()?;
        let unasked =
            |_: Seen<'_>| Judged { value: (), reply: Reply::Unasked, shadows: Vec::new() };
        match self.record(&observation, true, unasked).await {
            Ok(Observed::Fresh { is_new_session, .. }) => Ok(is_new_session),
            // A repeat of a call that did something else with this event id changes nothing.
            Ok(_) | Err(StoreError::CutOff) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn opt_out(
        &self,
        key: &SessionKey,
        visitors: &[VisitorKey],
        is_opted_out: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.known()?;
        self.set_opt_out(key, visitors, is_opted_out, now)
    }

    async fn consent(
        &self,
        key: &SessionKey,
        timeout: Millis,
        now: Timestamp,
    ) -> Result<Option<Consent>, StoreError> {
        self.known()?;
        Ok(self.consent_of(key, timeout, now))
    }

    async fn deny(
        &self,
        key: &SessionKey,
        timeout: Millis,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.known()?;
        self.keep_denial(key, timeout, now);
        Ok(())
    }

    async fn set_crm(
        &self,
        visitor: &VisitorKey,
        attributes: Attributes,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.known()?;
        let names = std::slice::from_ref(visitor);
        let mut visitors = self.visitors.lock_all(names);
        if !attributes.0.is_empty() {
            visitors.ensure(names, now)?;
        }
        if let Some(known) = visitors.get_mut(visitor) {
            known.history.crm = (!attributes.0.is_empty()).then(|| Arc::new(attributes));
            self.mark(|marks| marks.visitor(visitor));
        }
        Ok(())
    }

    async fn erase(&self, visitor: &VisitorKey) -> Result<(), StoreError> {
        self.known()?;
        self.visitors.erase(visitor);
        self.claims.erase(visitor);
        Ok(())
    }

    async fn durable(&self) -> Result<(), StoreError> {
        match &self.journal {
            Some(journal) => journal.barrier().await,
            None => Ok(()),
        }
    }

    async fn set_agents(
        &self,
        site: &SiteKey,
        route: Option<&str>,
        agents: Agents,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        self.duty.set(site, route, agents, until)
    }

    fn agents(&self, site: &SiteKey, now: Timestamp) -> Arc<AgentBoard> {
        self.duty.of(site, now)
    }

    fn is_limit_reached(
        &self,
        site: &SiteKey,
        rule: Option<&str>,
        limits: &[Limit],
        now: Timestamp,
    ) -> bool {
        self.limits.is_reached(site, rule, limits, now)
    }

    fn sweep(&self, now: Timestamp) {
        if let Some(journal) = &self.journal {
            journal.lose_patience();
            if journal.known().is_err() {
                return;
            }
            journal.heard(now);
        }
        self.sessions.sweep(now);
        self.claims.sweep(now);
        self.visitors.sweep(now);
        self.shared.sweep();
        self.limits.sweep(now);
        self.duty.sweep(now);
    }

    fn stats(&self) -> StoreStats {
        let (visitors, visitors_evicted) = self.visitors.figures();
        let (claims, claims_evicted) = self.claims.figures();
        StoreStats {
            sessions_active: self.sessions.active(),
            sessions_evicted: self.sessions.evicted(),
            visitors,
            visitors_evicted,
            claims,
            claims_evicted,
        }
    }
}
