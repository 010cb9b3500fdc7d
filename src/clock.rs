//! The moment, given so that tests and replays can set it.
//!
//! The one place in the house where the system's time is read. Must not: sleep or schedule.

use std::sync::atomic::{AtomicI64, Ordering};

use crate::domain::time::{Millis, Timestamp};

/// Tells the time.
pub trait Clock: Send + Sync {
    /// The present moment.
    fn now(&self) -> Timestamp;
}

/// The machine's own time, as its operator keeps it (NTP may set it back).
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place where the time is read")]
    fn now(&self) -> Timestamp {
        chrono::Utc::now().into()
    }
}

/// A clock that stands still until it is told otherwise. Share it in an `Arc`.
#[derive(Debug, Default)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that stands at that moment.
    #[must_use]
    pub const fn new(at: Timestamp) -> Self {
        Self(AtomicI64::new(at.0))
    }

    /// Sets it, forwards or back.
    pub fn set(&self, at: Timestamp) {
        self.0.store(at.0, Ordering::SeqCst);
    }

    /// Moves it on by that much.
    pub fn advance(&self, by: Millis) {
        self.0.fetch_add(by.0, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

impl<C: Clock + ?Sized> Clock for std::sync::Arc<C> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let clock = std::sync::Arc::new(ManualClock::new(Timestamp(1_000)));
        let same: std::sync::Arc<dyn Clock> = clock.clone();
        assert_eq!(same.now(), Timestamp(1_000));
        clock.advance(Millis::seconds(2));
        assert_eq!(same.now(), Timestamp(3_000));
        clock.set(Timestamp(5));
        assert_eq!(same.now(), Timestamp(5));
    }

    #[test]
    fn the_system_clock_is_past_2024() {
        assert!(SystemClock.now() > Timestamp(1_704_067_200_000));
    }
}
