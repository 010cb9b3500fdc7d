//! The thread that keeps the data folder the mirror of what is in memory.
//!
//! It writes what is marked in the [`Journal`](super::journal::Journal), many changes in one
//! commit: at once where somebody waits, else from time to time; sessions in portions, so that no
//! claim waits for all of them. What cannot be written stays marked and is tried again.
//!
//! Must not: change what is in memory, but to fill it at start.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::MemoryStore;
use super::journal::{Journal, Marks};
use super::limits::LONGEST;
use super::mirror::Kept;
use crate::domain::ids::SessionKey;
use crate::domain::time::{Millis, Timestamp};
use crate::store::disk::{Batch, Database, DiskError, Folder};

/// How long to wait before what failed is tried again.
const RETRY: Duration = Duration::from_millis(500);
/// How many sessions are written in one commit at the most: about a millisecond's work.
const PORTION: usize = 256;
/// So long before its newest moment everything that was begun is finished: calls take far less.
const IN_FLIGHT: Millis = Millis::seconds(5);
/// How long offers are kept for limits: twice the longest window.
const OFFERS_KEPT: Millis = Millis(LONGEST.0 * 2);
/// How often what is no longer needed is looked for.
const TIDY_EVERY: Duration = Duration::from_secs(60);
/// How often the log's size is looked at, and from which on it is moved into the file.
const CHECKPOINT_EVERY: Duration = Duration::from_millis(500);
const CHECKPOINT_BYTES: u64 = 4 << 20;

/// How a store keeps what must outlive the process.
#[derive(Debug, Clone)]
pub struct DiskConfig {
    /// The folder.
    pub folder: PathBuf,
    /// How long page views may wait to be written. Claims, and what was reported, never wait.
    pub write_behind: Duration,
    /// Whether time is that of events, not the clock's.
    pub is_event_time: bool,
}

/// The thread, as its store holds it.
#[derive(Debug)]
pub(super) struct Writer {
    config: DiskConfig,
    journal: Arc<Journal>,
    store: Weak<MemoryStore>,
}

impl Writer {
    /// Reads what an earlier process kept, and begins to write. Where the folder cannot be used,
    /// this is tried again and again, and until then the store knows nothing.
    pub(super) fn start(
        config: DiskConfig,
        journal: Arc<Journal>,
        store: &Arc<MemoryStore>,
        now: Timestamp,
    ) -> std::io::Result<JoinHandle<()>> {
        let writer = Self { config, journal, store: Arc::downgrade(store) };
        let now = (!writer.config.is_event_time).then_some(now);
        let opened = writer.try_load(store, now);
        std::thread::Builder::new().name("store-writer".to_owned()).spawn(move || {
            if let Some(database) = opened.or_else(|| writer.keep_loading(now)) {
                writer.keep_writing(database);
            }
        })
    }

    fn try_load(&self, store: &MemoryStore, now: Option<Timestamp>) -> Option<Database> {
        let folder = self.config.folder.display();
        let loaded = self.open().and_then(|mut database| {
            let kept = store.load(&mut database, now)?;
            Ok((database, kept))
        });
        match loaded {
            Ok((database, Kept { sessions, claims, visitors })) => {
                self.journal.loaded();
                tracing::info!(%folder, sessions, claims, visitors, "data folder read");
                Some(database)
            }
            Err(error) => {
                if self.journal.cannot_read(&error.to_string()) {
                    tracing::error!("no prompt is offered, as nothing can be known: {error}");
                }
                None
            }
        }
    }

    fn open(&self) -> Result<Database, DiskError> {
        Database::open(Folder::take(&self.config.folder)?)
    }

    fn keep_loading(&self, now: Option<Timestamp>) -> Option<Database> {
        let began = Instant::now();
        loop {
            if self.journal.pause(RETRY) {
                return None;
            }
            let store = self.store.upgrade()?;
            let waited = Millis(i64::try_from(began.elapsed().as_millis()).unwrap_or(0));
            if let Some(database) = self.try_load(&store, now.map(|now| now + waited)) {
                return Some(database);
            }
        }
    }

    fn keep_writing(&self, mut database: Database) {
        let mut checkpoints = Checkpointer::start(&database);
        let mut state = Progress::new(self.config.write_behind);
        loop {
            let newest = self.journal.newest();
            let work = self.journal.take(state.next, !state.backlog.is_empty());
            let Some(store) = self.store.upgrade() else { return };
            let is_time = Instant::now() >= state.next || work.is_stopping;
            // The last portions of what was being written are no reason to leave out what came since.
            if (state.backlog.is_empty() && is_time) || work.is_stopping {
                state.backlog.extend(self.journal.take_sessions());
                state.watermark = newest.map(|newest| newest - IN_FLIGHT.0);
                state.next = Instant::now() + self.config.write_behind;
            }
            let portion = state.portion();
            let mut batch = store.batch(&work.marks, &portion);
            state.add_upkeep(&mut batch, newest);
            let written = if batch.is_empty() { Ok(()) } else { database.write(&batch) };
            match written {
                Ok(()) => {
                    if self.journal.fault().is_some() {
                        tracing::info!("the data folder can be written to again");
                    }
                    self.journal.written(work.batch);
                    state.written(&batch, &database);
                    if work.is_stopping && state.backlog.is_empty() {
                        drop(checkpoints);
                        if let Err(error) = database.stop() {
                            tracing::warn!("the next start takes this for a crash: {error}");
                        }
                        return;
                    }
                }
                Err(error) => {
                    state.backlog.extend(portion);
                    self.report(work.marks, &error);
                    if work.is_stopping || self.journal.pause(RETRY) {
                        tracing::error!("stopped without writing all there was: {error}");
                        return;
                    }
                    if matches!(error, DiskError::Gone(_) | DiskError::Damaged { .. }) {
                        drop(checkpoints);
                        drop(database);
                        let Some(other) = self.reopen(&store) else { return };
                        database = other;
                        checkpoints = Checkpointer::start(&database);
                        state.starts_anew = true;
                    }
                }
            }
        }
    }

    fn report(&self, marks: Marks, error: &DiskError) {
        if self.journal.failed(marks, &error.to_string()) {
            tracing::error!("no prompt is offered, as none could be remembered: {error}");
        }
    }

    /// Opens what now stands where the file was. It is not what is in memory: everything is
    /// written there anew.
    fn reopen(&self, store: &MemoryStore) -> Option<Database> {
        loop {
            match self.open().and_then(|mut database| {
                store.begin_run(&mut database)?;
                Ok(database)
            }) {
                Ok(database) => {
                    store.mark_all();
                    return Some(database);
                }
                Err(error) => self.report(Marks::default(), &error),
            }
            if self.journal.pause(RETRY) {
                return None;
            }
        }
    }
}

/// How far the writer is.
struct Progress {
    /// When sessions are to be written again.
    next: Instant,
    backlog: Vec<SessionKey>,
    /// What the file will say once the backlog is written.
    watermark: Option<i64>,
    next_tidy: Instant,
    starts_anew: bool,
}

impl Progress {
    fn new(write_behind: Duration) -> Self {
        let now = Instant::now();
        Self {
            next: now + write_behind,
            backlog: Vec::new(),
            watermark: None,
            next_tidy: now + TIDY_EVERY,
            starts_anew: false,
        }
    }

    /// The next sessions to be written, each once.
    fn portion(&mut self) -> Vec<SessionKey> {
        self.backlog.split_off(self.backlog.len().saturating_sub(PORTION))
    }

    fn add_upkeep(&self, batch: &mut Batch, newest: Option<i64>) {
        batch.starts_anew = self.starts_anew;
        if self.backlog.is_empty() {
            batch.watermark = self.watermark;
        }
        if Instant::now() >= self.next_tidy {
            batch.forget_offers_before = newest.map(|newest| newest.saturating_sub(OFFERS_KEPT.0));
        }
    }

    fn written(&mut self, batch: &Batch, database: &Database) {
        self.starts_anew = false;
        if batch.watermark.is_some() {
            self.watermark = None;
        }
        if Instant::now() >= self.next_tidy {
            self.next_tidy = Instant::now() + TIDY_EVERY;
        }
        if let Err(error) = database.tidy() {
            tracing::warn!("the data folder cannot be tidied: {error}");
        }
    }
}

/// A thread that moves the log's content into the file while the writer goes on.
struct Checkpointer {
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Checkpointer {
    fn start(database: &Database) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let mut made = Self { is_over: is_over.clone(), thread: None };
        // Without it the writer empties the log itself once it is large.
        let Ok(checkpoints) = database.checkpoints() else { return made };
        let spawned =
            std::thread::Builder::new().name("store-checkpoints".to_owned()).spawn(move || {
                while !is_over.load(Ordering::Relaxed) {
                    if checkpoints.log_bytes() >= CHECKPOINT_BYTES {
                        checkpoints.run();
                    }
                    std::thread::park_timeout(CHECKPOINT_EVERY);
                }
            });
        made.thread = spawned.ok();
        made
    }
}

impl Drop for Checkpointer {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.thread().unpark();
            // What a panic there kept from being done, the writer does.
            let _ = thread.join();
        }
    }
}
