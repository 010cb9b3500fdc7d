//! What changed in memory and is not on disk yet, and who waits for it to be.
//!
//! Changes are marked by their keys, not logged one by one: whoever writes asks for the entry as it
//! then is. So what waits to be written is bounded by what is kept, however long a disk is full.
//! Marks are numbered by the batch that will carry them, and whoever needs them on disk waits for
//! that number.
//!
//! Must not: know files, or what is in an entry. Its locks are taken last of all.

use std::collections::HashSet;
use std::sync::atomic::{AtomicI64, AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use ahash::RandomState;
use tokio::sync::oneshot;

use crate::domain::ids::{SessionKey, VisitorKey};
use crate::domain::time::Timestamp;
use crate::store::StoreError;
use crate::store::disk::OfferRow;

/// How long a call waits for the disk before it is told that nothing can be known.
const PATIENCE: Duration = Duration::from_secs(2);

/// Entries that changed.
#[derive(Debug, Default)]
pub(super) struct Marks {
    pub(super) claims: HashSet<SessionKey, RandomState>,
    pub(super) visitors: HashSet<VisitorKey, RandomState>,
    /// Sessions that must not wait for their turn.
    pub(super) sessions: HashSet<SessionKey, RandomState>,
    pub(super) offers: Vec<OfferRow>,
}

/// One who waits.
#[derive(Debug)]
struct Waiter {
    batch: u64,
    until: Instant,
    tell: oneshot::Sender<Result<(), StoreError>>,
}

#[derive(Debug, Default)]
struct Inner {
    marks: Marks,
    /// How many batches were taken to be written; present marks will be in the next.
    taken: u64,
    /// The newest batch on disk.
    done: u64,
    waiters: Vec<Waiter>,
    /// Whether marks should be written at once, though nobody waits.
    is_urgent: bool,
    /// Why nothing can be made durable now.
    fault: Option<Arc<str>>,
    is_stopping: bool,
}

/// What calls may count on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// What an earlier process kept is not known yet.
    Unknown = 0,
    /// It is known, and nothing can be written now.
    Failing = 1,
    /// All is well.
    Fine = 2,
}

/// The journal.
#[derive(Debug)]
pub(super) struct Journal {
    inner: Mutex<Inner>,
    wake: Condvar,
    sessions: Mutex<Vec<SessionKey>>,
    state: AtomicU8,
    newest: AtomicI64,
}

/// What a writer finds to do.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) marks: Marks,
    pub(super) batch: u64,
    pub(super) is_stopping: bool,
}

impl Marks {
    fn is_empty(&self) -> bool {
        self.claims.is_empty()
            && self.visitors.is_empty()
            && self.sessions.is_empty()
            && self.offers.is_empty()
    }

    /// What a session was offered changed, or is gone.
    pub(super) fn claim(&mut self, key: &SessionKey) {
        self.claims.insert(key.clone());
    }

    /// A visitor changed, or is gone.
    pub(super) fn visitor(&mut self, key: &VisitorKey) {
        self.visitors.insert(key.clone());
    }

    /// A session's visitor does not want it to be kept.
    pub(super) fn session(&mut self, key: &SessionKey) {
        self.sessions.insert(key.clone());
    }

    /// Puts back what could not be written.
    fn restore(&mut self, mut failed: Self) {
        self.claims.extend(failed.claims);
        self.visitors.extend(failed.visitors);
        self.sessions.extend(failed.sessions);
        failed.offers.append(&mut self.offers);
        self.offers = failed.offers;
    }
}

impl Journal {
    /// Of a store whose earlier content is not known yet.
    pub(super) fn new() -> Self {
        Self {
            inner: Mutex::default(),
            wake: Condvar::new(),
            sessions: Mutex::default(),
            state: AtomicU8::new(State::Unknown as u8),
            newest: AtomicI64::new(i64::MIN),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether anything can be known.
    pub(super) fn known(&self) -> Result<(), StoreError> {
        if self.state.load(Ordering::Acquire) == State::Unknown as u8 {
            return Err(self.error());
        }
        Ok(())
    }

    /// Whether an offer can be made to last.
    pub(super) fn writable(&self) -> Result<(), StoreError> {
        if self.state.load(Ordering::Acquire) == State::Fine as u8 {
            return Ok(());
        }
        Err(self.error())
    }

    fn error(&self) -> StoreError {
        let reason = self.lock().fault.clone();
        StoreError::Disk(reason.unwrap_or_else(|| "the data folder is still being read".into()))
    }

    /// Why nothing can be made durable now.
    pub(super) fn fault(&self) -> Option<Arc<str>> {
        self.lock().fault.clone()
    }

    /// Marks entries that changed together: they are written together.
    pub(super) fn mark(&self, change: impl FnOnce(&mut Marks)) {
        change(&mut self.lock().marks);
    }

    /// As [`Journal::mark`], of what is to be written at once though nobody may wait for it.
    pub(super) fn mark_urgent(&self, change: impl FnOnce(&mut Marks)) {
        let mut inner = self.lock();
        change(&mut inner.marks);
        inner.is_urgent = true;
        self.wake.notify_one();
    }

    /// Marks a session that changed, or is gone.
    pub(super) fn mark_session(&self, key: &SessionKey) {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).push(key.clone());
    }

    /// All sessions that were marked.
    pub(super) fn take_sessions(&self) -> Vec<SessionKey> {
        std::mem::take(&mut *self.sessions.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes note of a moment.
    pub(super) fn heard(&self, now: Timestamp) {
        self.newest.fetch_max(now.0, Ordering::Relaxed);
    }

    /// The newest moment that was heard of.
    pub(super) fn newest(&self) -> Option<i64> {
        Some(self.newest.load(Ordering::Relaxed)).filter(|newest| *newest > i64::MIN)
    }

    /// Waits until everything marked before is on disk.
    pub(super) async fn barrier(&self) -> Result<(), StoreError> {
        let told = {
            let mut inner = self.lock();
            let batch = inner.taken + u64::from(!inner.marks.is_empty());
            if batch <= inner.done {
                return Ok(());
            }
            if let Some(fault) = &inner.fault {
                return Err(StoreError::Disk(fault.clone()));
            }
            let (tell, told) = oneshot::channel();
            inner.waiters.push(Waiter { batch, until: Instant::now() + PATIENCE, tell });
            self.wake.notify_one();
            told
        };
        told.await.unwrap_or_else(|_| Err(StoreError::Disk("the store was stopped".into())))
    }

    /// Lets go who waited too long. Call it often.
    pub(super) fn lose_patience(&self) {
        let mut inner = self.lock();
        if inner.waiters.is_empty() {
            return;
        }
        let now = Instant::now();
        for waiter in inner.waiters.extract_if(.., |waiter| waiter.until <= now) {
            let why = format!("the disk did not answer within {} s", PATIENCE.as_secs());
            // Who has gone needs no answer.
            let _ = waiter.tell.send(Err(StoreError::Disk(why.into())));
        }
    }

    /// Waits until somebody waits for marks, or the store stops, or that moment; then takes all
    /// marks. With `has_more`, there is other work, and it does not wait.
    pub(super) fn take(&self, until: Instant, has_more: bool) -> Work {
        let mut inner = self.lock();
        loop {
            let is_awaited = inner.waiters.iter().any(|waiter| waiter.batch > inner.taken);
            let now = Instant::now();
            if is_awaited || has_more || inner.is_urgent || inner.is_stopping || now >= until {
                inner.taken += 1;
                inner.is_urgent = false;
                return Work {
                    marks: std::mem::take(&mut inner.marks),
                    batch: inner.taken,
                    is_stopping: inner.is_stopping,
                };
            }
            let wait = self.wake.wait_timeout(inner, until - now);
            inner = wait.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// That batch, and with it all before, is on disk.
    pub(super) fn written(&self, batch: u64) {
        let mut inner = self.lock();
        inner.done = batch;
        inner.fault = None;
        self.state.store(State::Fine as u8, Ordering::Release);
        for waiter in inner.waiters.extract_if(.., |waiter| waiter.batch <= batch) {
            let _ = waiter.tell.send(Ok(()));
        }
    }

    /// That batch could not be written: its marks wait for the next, and nobody waits for it.
    /// Whether that is news.
    pub(super) fn failed(&self, marks: Marks, why: &str) -> bool {
        let mut inner = self.lock();
        inner.marks.restore(marks);
        // No claim asks while nothing can be written: it is tried again without being asked.
        inner.is_urgent = true;
        self.set_fault(&mut inner, State::Failing, why)
    }

    /// The data folder cannot be read. Whether that is news.
    pub(super) fn cannot_read(&self, why: &str) -> bool {
        let mut inner = self.lock();
        self.set_fault(&mut inner, State::Unknown, why)
    }

    fn set_fault(&self, inner: &mut Inner, state: State, why: &str) -> bool {
        self.state.store(state as u8, Ordering::Release);
        let is_news = inner.fault.as_deref() != Some(why);
        let why: Arc<str> = why.into();
        inner.fault = Some(why.clone());
        for waiter in inner.waiters.drain(..) {
            let _ = waiter.tell.send(Err(StoreError::Disk(why.clone())));
        }
        is_news
    }

    /// What an earlier process kept is in memory now.
    pub(super) fn loaded(&self) {
        self.lock().fault = None;
        self.state.store(State::Fine as u8, Ordering::Release);
    }

    /// Waits for that long, or until the store stops. Whether it does.
    pub(super) fn pause(&self, length: Duration) -> bool {
        let inner = self.lock();
        let wait = self.wake.wait_timeout_while(inner, length, |inner| !inner.is_stopping);
        wait.unwrap_or_else(PoisonError::into_inner).0.is_stopping
    }

    /// Lets the writer write all there is, and end.
    pub(super) fn stop(&self) {
        self.lock().is_stopping = true;
        self.wake.notify_all();
    }
}
