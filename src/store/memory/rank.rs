//! In which order entries go where there is no room.
//!
//! Must not: know what the entries are, or where they are kept.

/// An entry's turn: lower classes first, in each the lower number.
pub(super) type Rank = (u8, i64);

/// This part of what is full goes at once, so that its walk is paid for by many inserts.
const BATCH: usize = 16;

/// What goes: all ranks below one, and of that one so many.
#[derive(Debug)]
pub(super) struct Cut {
    last: Rank,
    ties: usize,
}

impl Cut {
    /// Takes at least `fewest` of these, a batch at once where `room` is large; `None` where there
    /// is nothing to take.
    pub(super) fn of(mut ranks: Vec<Rank>, fewest: usize, room: usize) -> Option<Self> {
        if ranks.is_empty() {
            return None;
        }
        let batch = (room / BATCH).max(fewest).max(1).min(ranks.len());
        let last = *ranks.select_nth_unstable(batch - 1).1;
        let before_last = ranks.iter().filter(|rank| **rank < last).count();
        Some(Self { last, ties: batch - before_last })
    }

    /// Whether an entry of that rank goes.
    pub(super) fn takes(&mut self, rank: Rank) -> bool {
        if rank == self.last && self.ties > 0 {
            self.ties -= 1;
            return true;
        }
        rank < self.last
    }
}
