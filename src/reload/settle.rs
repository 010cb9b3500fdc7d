//! Waits until files have been written to the end.
//!
//! Nobody says when a copy, a `git pull` or an editor is done, and half of a file can be a whole
//! shorter one. So a reading counts once it has been quiet for a while and two readings agree.
//! Must not: wait for ever, whatever goes on being written.

use std::time::{Duration, Instant};

/// How long is waited for what.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// For how long nothing must have been told to change before the first reading.
    pub quiet: Duration,
    /// Between two readings that must agree.
    pub between: Duration,
    /// After how long the last reading counts as it is.
    pub longest: Duration,
}

impl Pace {
    /// After a change was told.
    pub const CHANGED: Self = Self {
        quiet: Duration::from_millis(200),
        between: Duration::from_millis(150),
        longest: Duration::from_secs(3),
    };
    /// After somebody asked for it, who knows that writing is over.
    pub const ASKED: Self = Self {
        quiet: Duration::ZERO,
        between: Duration::from_millis(20),
        longest: Duration::from_secs(1),
    };
}

/// What is there once it has settled. `wait` waits for that long, and tells whether something
/// changed meanwhile; `read` reads.
pub fn settled<T: PartialEq>(
    pace: Pace,
    mut wait: impl FnMut(Duration) -> bool,
    mut read: impl FnMut() -> T,
) -> T {
    let began = Instant::now();
    let is_late = || began.elapsed() >= pace.longest;
    while !pace.quiet.is_zero() && wait(pace.quiet) && !is_late() {}
    let mut last = read();
    loop {
        let is_changed = wait(pace.between);
        let next = read();
        if is_late() || (next == last && !is_changed) {
            return next;
        }
        last = next;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    const PACE: Pace = Pace {
        quiet: Duration::from_millis(1),
        between: Duration::from_millis(1),
        longest: Duration::from_secs(3_600),
    };

    #[test]
    fn nothing_is_read_before_it_is_quiet() {
        let waits = Cell::new(0);
        let wait = |_| {
            waits.set(waits.get() + 1);
            waits.get() < 5
        };
        let first = Cell::new(0);
        settled(PACE, wait, || {
            if first.get() == 0 {
                first.set(waits.get());
            }
        });
        assert_eq!(first.get(), 5);
    }

    #[test]
    fn two_readings_must_agree() {
        let mut texts = ["", "rules:", "rules: [a", "rules: [a]", "rules: [a]", "later"].iter();
        assert_eq!(settled(PACE, |_| false, || texts.next().unwrap()), &"rules: [a]");
        assert_eq!(texts.next(), Some(&"later"));
    }

    #[test]
    fn a_change_between_two_equal_readings_makes_a_third() {
        let mut changes = [false, true, false].into_iter();
        let reads = Cell::new(0);
        settled(PACE, |_| changes.next().unwrap(), || reads.set(reads.get() + 1));
        assert_eq!(reads.get(), 3);
    }

    #[test]
    fn endless_writing_does_not_keep_it() {
        let pace = Pace { longest: Duration::from_millis(5), ..PACE };
        let count = Cell::new(0);
        let read = || {
            count.set(count.get() + 1);
            count.get()
        };
        let read = settled(pace, |_| true, read);
        assert_eq!(read, count.get());
    }
}
