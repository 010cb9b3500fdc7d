//! A hash map cut into slots, each behind a lock of its own, so that it can be swept and bounded
//! one short slice at a time.
//!
//! Claims and visitors are kept here and not in `dashmap`: a claim locks several entries at once, in
//! one order, and makes room for them under these very locks once nothing forbids it any longer,
//! while two guards of one `DashMap` may lock each other out.
//!
//! Must not: know what is kept, or lock two slots itself.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ahash::RandomState;

use super::rank::{Cut, Rank};

/// What one slot holds.
pub(super) type Map<K, V> = HashMap<K, V, RandomState>;

/// The most slots: with five million entries each still is walked in well under a millisecond.
const MAX_SLOTS: usize = 1_024;
/// Fewer entries than these are not worth a slot of their own.
const MIN_ROOM: usize = 256;

/// The map.
#[derive(Debug)]
pub(super) struct Slots<K, V> {
    locked: Box<[Mutex<Map<K, V>>]>,
    hasher: RandomState,
    room: usize,
    cursor: AtomicUsize,
}

impl<K: Hash + Eq, V> Slots<K, V> {
    /// A map of never more than `most` entries, provided that [`make_room`] goes before each
    /// insert.
    pub(super) fn new(most: usize) -> Self {
        let count = (most / MIN_ROOM).clamp(1, MAX_SLOTS);
        // The power of two below: a mask then picks the slot.
        let count = 1_usize << count.ilog2();
        Self {
            locked: (0..count).map(|_| Mutex::default()).collect(),
            hasher: RandomState::new(),
            room: (most / count).max(1),
            cursor: AtomicUsize::new(0),
        }
    }

    /// The most entries of one slot.
    pub(super) fn room(&self) -> usize {
        self.room
    }

    /// How many slots there are.
    pub(super) fn count(&self) -> usize {
        self.locked.len()
    }

    /// Which slot is that key's.
    pub(super) fn index(&self, key: &K) -> usize {
        // The upper half: what slots agree on must not be what buckets within them are picked by.
        (self.hasher.hash_one(key) >> 32) as usize & (self.locked.len() - 1)
    }

    /// Locks a slot by its number. Numbers beyond the last start again.
    #[expect(clippy::indexing_slicing, reason = "the mask keeps it below the length")]
    pub(super) fn lock_at(&self, index: usize) -> MutexGuard<'_, Map<K, V>> {
        let slot = &self.locked[index & (self.locked.len() - 1)];
        // A judge that panicked did so after the entry was whole again.
        slot.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks that key's slot.
    pub(super) fn lock(&self, key: &K) -> MutexGuard<'_, Map<K, V>> {
        self.lock_at(self.index(key))
    }

    /// Locks the next slot in turn and keeps of it what is `kept`.
    pub(super) fn sweep(&self, mut kept: impl FnMut(&K, &V) -> bool) {
        let mut map = self.lock_at(self.cursor.fetch_add(1, Ordering::Relaxed));
        map.retain(|key, value| kept(key, value));
        if map.capacity() > 64 && map.capacity() / 4 > map.len() {
            let room = map.len().saturating_mul(2);
            map.shrink_to(room);
        }
    }

    /// Calls `each` with every entry, a slot at a time.
    pub(super) fn for_each(&self, mut each: impl FnMut(&K, &mut V)) {
        for index in 0..self.count() {
            self.lock_at(index).iter_mut().for_each(|(key, value)| each(key, value));
        }
    }

    /// Drops every entry.
    pub(super) fn clear(&self) {
        (0..self.count()).for_each(|index| self.lock_at(index).clear());
    }

    /// How many entries there are; no single moment's figure.
    pub(super) fn len(&self) -> u64 {
        (0..self.count()).map(|index| self.lock_at(index).len() as u64).sum()
    }
}

/// Makes room for one more in a slot that holds at most `room`: where it is full, drops a batch of
/// those with the lowest ranks. Entries of no rank stay. Whether there now is room. `dropped` is
/// told of each that went.
pub(super) fn make_room<K: Hash + Eq, V>(
    map: &mut Map<K, V>,
    room: usize,
    rank: impl Fn(&V) -> Option<Rank>,
    mut dropped: impl FnMut(&K),
) -> bool {
    if map.len() < room {
        return true;
    }
    let ranks = map.values().filter_map(&rank).collect();
    let Some(mut cut) = Cut::of(ranks, map.len() - room + 1, room) else { return false };
    map.retain(|key, value| {
        let goes = rank(value).is_some_and(|rank| cut.takes(rank));
        if goes {
            dropped(key);
        }
        !goes
    });
    map.len() < room
}
