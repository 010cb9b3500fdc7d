//! The promise of an answer: held by the first call of an event, waited for by its repeats.
//!
//! Must not: know where sessions are kept.

use std::sync::Arc;

use tokio::sync::watch;

use crate::domain::decision::Answer;
use crate::domain::history::SessionMark;

/// Held by the first call of an event until its answer is known. Repeats of it wait in this
/// process; dropping it lets them go without an answer.
#[derive(Debug)]
#[must_use = "dropping it cuts off the repeats that wait for it"]
pub struct Pending {
    event: Arc<str>,
    mark: SessionMark,
    answer: watch::Sender<Option<Arc<Answer>>>,
}

/// The other end of a [`Pending`].
#[derive(Debug, Clone)]
pub struct Waiting(watch::Receiver<Option<Arc<Answer>>>);

impl Pending {
    /// For an event of that run of its session.
    pub fn new(event: Arc<str>, mark: SessionMark) -> (Self, Waiting) {
        let (answer, waiting) = watch::channel(None);
        (Self { event, mark, answer }, Waiting(waiting))
    }

    /// The event's id.
    #[must_use]
    pub fn event(&self) -> &str {
        &self.event
    }

    /// The run of the session it belongs to.
    #[must_use]
    pub fn mark(&self) -> SessionMark {
        self.mark
    }

    /// Tells all who wait.
    pub fn resolve(self, answer: Arc<Answer>) {
        self.answer.send_replace(Some(answer));
    }
}

impl Waiting {
    /// The answer, once it is known; `None` if the first call ended without telling.
    pub async fn answer(mut self) -> Option<Arc<Answer>> {
        self.0.wait_for(Option::is_some).await.ok().and_then(|answer| answer.clone())
    }
}
