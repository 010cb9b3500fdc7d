//! The last events of one session and what was answered to each.
//!
//! Must not: wait, or know where sessions are kept.

use std::sync::Arc;

use crate::domain::decision::Answer;
use crate::store::Waiting;

/// How many events a session remembers.
const REMEMBERED: usize = 8;

/// What is known of an event that was recorded.
#[derive(Debug, Clone)]
pub(super) enum Known {
    /// Its call never told an answer, and never will.
    CutOff,
    /// Its call is under way.
    Pending(Box<Waiting>),
    /// It got this answer.
    Answered(Arc<Answer>),
    /// Its call asked for none.
    Unasked,
}

/// The last eight events, the oldest first, by the hashes of their ids.
#[derive(Debug, Default)]
pub(super) struct Recent(Vec<(u64, Known)>);

impl Recent {
    /// As [`Recent::all`] gave them before.
    pub(super) fn of(known: Vec<(u64, Known)>) -> Self {
        Self(known)
    }

    /// Every event that is remembered, the oldest first.
    pub(super) fn all(&self) -> &[(u64, Known)] {
        &self.0
    }

    /// What is known of that event, if it is among the last eight.
    pub(super) fn get(&self, event: u64) -> Option<&Known> {
        self.0.iter().find(|(hash, _)| *hash == event).map(|(_, known)| known)
    }

    /// Remembers an event as one whose answer was not told, in place of the ninth oldest.
    pub(super) fn push(&mut self, event: u64) {
        if self.0.len() >= REMEMBERED {
            self.0.remove(0);
        }
        self.0.push((event, Known::CutOff));
    }

    /// Forgets the answers that made an offer: as if their calls had been cut off.
    pub(super) fn forget_offers(&mut self) {
        for (_, known) in &mut self.0 {
            if matches!(known, Known::Answered(answer) if answer.show()) {
                *known = Known::CutOff;
            }
        }
    }

    /// Says what became of an event, if it still is remembered.
    pub(super) fn set(&mut self, event: u64, became: Known) {
        if let Some((_, known)) = self.0.iter_mut().find(|(hash, _)| *hash == event) {
            *known = became;
        }
    }
}
