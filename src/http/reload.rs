//! The way from routes and signals to the thread that reads rules and places, and what it answers.
//!
//! Must not: read anything, or wait on a web worker.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;

use super::snapshot::SiteReport;
use super::wire::problem::Problem;
use crate::domain::ids::SiteKey;
use crate::rules::changes::Changes;

/// How long a caller waits for an answer.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why the thread is woken.
#[derive(Debug)]
pub enum Wake {
    /// Something changed, and may be changing still.
    Changed,
    /// Somebody wants it now, and perhaps to hear what came of it.
    Now(Option<oneshot::Sender<Arc<Reloaded>>>),
    /// It is over.
    Stop,
}

/// What came of reading everything once.
#[derive(Debug, Clone)]
pub struct Reloaded {
    /// Every site that there is, or was.
    pub sites: Vec<SiteReloaded>,
    /// The place database.
    pub places: PlacesReloaded,
    /// What is wrong with the rules folder as a whole.
    pub problem: Option<String>,
}

/// What came of one site.
#[derive(Debug, Clone)]
pub struct SiteReloaded {
    /// Its key.
    pub key: SiteKey,
    /// In a word.
    pub outcome: Outcome,
    /// The version in use now.
    pub version: Option<Arc<str>>,
    /// The version in use before.
    pub version_before: Option<Arc<str>>,
    /// What differs between the two.
    pub changes: Changes,
    /// What was read: of a set that was refused, what is wrong with it.
    pub report: Option<SiteReport>,
}

/// What came of the place database.
#[derive(Debug, Clone)]
pub struct PlacesReloaded {
    /// In a word.
    pub outcome: Outcome,
    /// The one in use now.
    pub description: Option<String>,
    /// Why another one was refused.
    pub errors: Vec<String>,
}

/// What became of something that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is as it was.
    Unchanged,
    /// It is there for the first time.
    Added,
    /// It is another one.
    Changed,
    /// It was taken out.
    Removed,
    /// It was refused, now or when it came to be as it still is; what was in use before, if
    /// anything, stays.
    Rejected,
}

impl Outcome {
    /// The word for it in answers.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unchanged => "unchanged",
            Self::Added => "added",
            Self::Changed => "changed",
            Self::Removed => "removed",
            Self::Rejected => "rejected",
        }
    }
}

impl Reloaded {
    /// Whether everything that is there is in use.
    #[must_use]
    pub fn is_fine(&self) -> bool {
        self.problem.is_none() && self.outcomes().all(|outcome| outcome != Outcome::Rejected)
    }

    /// Whether anything else than before is in use.
    #[must_use]
    pub fn is_changed(&self) -> bool {
        let is_change =
            |outcome| matches!(outcome, Outcome::Added | Outcome::Changed | Outcome::Removed);
        self.outcomes().any(is_change)
    }

    fn outcomes(&self) -> impl Iterator<Item = Outcome> {
        self.sites.iter().map(|site| site.outcome).chain([self.places.outcome])
    }
}

/// Wakes the thread that reads.
pub struct Reloads {
    sender: Sender<Wake>,
    receiver: Mutex<Option<Receiver<Wake>>>,
    have_ended: AtomicBool,
}

impl Default for Reloads {
    fn default() -> Self {
        let (sender, receiver) = mpsc::channel();
        let receiver = Mutex::new(Some(receiver));
        Self { sender, receiver, have_ended: AtomicBool::new(false) }
    }
}

impl Reloads {
    /// What wakes the thread; for that thread, once.
    #[must_use]
    pub fn listen(&self) -> Option<Receiver<Wake>> {
        self.receiver.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Another way to wake it.
    #[must_use]
    pub fn sender(&self) -> Sender<Wake> {
        self.sender.clone()
    }

    /// Wakes it. Where nobody listens any more, nothing happens.
    pub fn wake(&self, why: Wake) {
        let _ = self.sender.send(why);
    }

    /// Reads everything now, and tells what came of it.
    ///
    /// # Errors
    /// 503 where nobody reads any more, or it takes too long.
    pub async fn now(&self) -> Result<Arc<Reloaded>, Problem> {
        let (answer, answered) = oneshot::channel();
        self.wake(Wake::Now(Some(answer)));
        match tokio::time::timeout(PATIENCE, answered).await {
            Ok(Ok(reloaded)) => Ok(reloaded),
            Ok(Err(_)) => Err(Problem::unavailable(
                "Changes are no longer read; the log says why. Restart the service",
                60,
            )),
            Err(_) => {
                let detail = "Still reading; GET /v1/rules will tell what came of it";
                Err(Problem::unavailable(detail, 30))
            }
        }
    }

    /// Notes that nobody reads any more.
    pub fn end(&self) {
        self.have_ended.store(true, Ordering::Relaxed);
    }

    /// Whether nobody reads any more.
    #[must_use]
    pub fn have_ended(&self) -> bool {
        self.have_ended.load(Ordering::Relaxed)
    }
}
