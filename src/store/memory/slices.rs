//! A concurrent map, cut by hash into slices that are counted, swept and bounded one at a time.
//!
//! Each slice is a `DashMap` of its own, for one of these can only be walked whole. A walk locks
//! one shard after the other, so a request waits for a thousandth of a large map at most.
//!
//! Must not: know what is kept. Callers must not ask for anything here while they hold a guard
//! from here.

use std::hash::Hash;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use ahash::RandomState;
use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use dashmap::mapref::one::{Ref, RefMut};

use super::rank::{Cut, Rank};

/// Shards of a small map, and the fewest of a large one.
const MIN_SHARDS: usize = 64;
/// The fewest shards `dashmap` takes.
const MIN_SHARDS_OF_SLICE: usize = 2;
/// The most slices: with five million entries each still is walked in about a millisecond. They
/// have 1,024 shards between them.
const MAX_SLICES: usize = 512;
/// Fewer entries than these are not worth a slice of their own.
const MIN_ROOM: usize = 256;
/// For so many entries a shard has room from the start. More would take a full store's memory at
/// once, and a shard is small enough to grow in microseconds.
const PRESIZED: usize = 4;

/// A concurrent map of a few entries, such as one for each site.
pub(super) fn small<K: Hash + Eq, V>() -> DashMap<K, V, RandomState> {
    DashMap::with_capacity_and_hasher_and_shard_amount(0, RandomState::new(), MIN_SHARDS)
}

/// The map.
#[derive(Debug)]
pub(super) struct Slices<K: Hash + Eq, V> {
    all: Box<[Slice<K, V>]>,
    hasher: RandomState,
    room: usize,
    cursor: AtomicUsize,
}

#[derive(Debug)]
struct Slice<K: Hash + Eq, V> {
    map: DashMap<K, V, RandomState>,
    /// Entries, and room that is set aside for entries to come.
    count: AtomicUsize,
    /// Held by the one who makes room.
    evicting: Mutex<()>,
}

/// Room for one entry, given back unless it is taken.
#[derive(Debug)]
#[must_use = "dropped, it is given back"]
pub(super) struct Room<'a> {
    count: &'a AtomicUsize,
    is_taken: bool,
}

impl Room<'_> {
    /// An entry is there now.
    pub(super) fn take(mut self) {
        self.is_taken = true;
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        if !self.is_taken {
            self.count.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl<K: Hash + Eq, V> Slice<K, V> {
    fn set_aside(&self) -> Room<'_> {
        self.count.fetch_add(1, Ordering::Relaxed);
        Room { count: &self.count, is_taken: false }
    }

    fn ranks(&self, rank: impl Fn(&V) -> Rank) -> Vec<Rank> {
        let mut ranks = Vec::with_capacity(self.count.load(Ordering::Relaxed));
        // Not `iter`, which counts a reference for each entry: it takes twice as long.
        self.map.retain(|_, value| {
            ranks.push(rank(value));
            true
        });
        ranks
    }

    /// Keeps what is `kept`. Gives how many went.
    fn retain(&self, mut kept: impl FnMut(&K, &mut V) -> bool) -> usize {
        let mut gone = 0;
        self.map.retain(|key, value| {
            let stays = kept(key, value);
            gone += usize::from(!stays);
            stays
        });
        self.count.fetch_sub(gone, Ordering::Relaxed);
        gone
    }
}

impl<K: Hash + Eq, V> Slices<K, V> {
    /// A map of at most `most` entries, as far as room is asked for before each insert.
    pub(super) fn new(most: usize) -> Self {
        let count = (most / MIN_ROOM).clamp(1, MAX_SLICES);
        // The power of two below: a mask then picks the slice.
        let count = 1_usize << count.ilog2();
        let shards = (MIN_SHARDS / count).max(MIN_SHARDS_OF_SLICE);
        let room = (most / count).max(1);
        let hasher = RandomState::new();
        let slice = || Slice {
            map: DashMap::with_capacity_and_hasher_and_shard_amount(
                room.min(shards * PRESIZED),
                hasher.clone(),
                shards,
            ),
            count: AtomicUsize::new(0),
            evicting: Mutex::default(),
        };
        let all = (0..count).map(|_| slice()).collect();
        Self { all, hasher, room, cursor: AtomicUsize::new(0) }
    }

    /// How many slices there are.
    pub(super) fn count(&self) -> usize {
        self.all.len()
    }

    #[expect(clippy::indexing_slicing, reason = "the mask keeps it below the length")]
    fn at(&self, index: usize) -> &Slice<K, V> {
        &self.all[index & (self.all.len() - 1)]
    }

    fn of(&self, key: &K) -> &Slice<K, V> {
        // Bits from the middle: a slice picks its shard by the upper ones, and a bucket by the
        // lower ones.
        self.at((self.hasher.hash_one(key) >> 32) as usize)
    }

    /// The entry, to be read.
    pub(super) fn get(&self, key: &K) -> Option<Ref<'_, K, V>> {
        self.of(key).map.get(key)
    }

    /// The entry, to be changed.
    pub(super) fn get_mut(&self, key: &K) -> Option<RefMut<'_, K, V>> {
        self.of(key).map.get_mut(key)
    }

    /// The entry or the place for it, locked. What is inserted there needs [`Room`].
    pub(super) fn entry(&self, key: K) -> Entry<'_, K, V> {
        self.of(&key).map.entry(key)
    }

    /// Room for one more, if there is any.
    pub(super) fn room(&self, key: &K) -> Option<Room<'_>> {
        let slice = self.of(key);
        let room = slice.set_aside();
        (slice.count.load(Ordering::Relaxed) <= self.room).then_some(room)
    }

    /// Makes room for one more: where the slice is full, drops a batch of those with the lowest
    /// ranks. `dropped` gets each that goes.
    ///
    /// Whoever finds the slice over its room waits here until it is not, so there are never more
    /// entries than room and calls that are between this and their insert.
    pub(super) fn make_room(
        &self,
        key: &K,
        rank: impl Fn(&V) -> Rank,
        mut dropped: impl FnMut(Rank, &K, &V),
    ) -> Room<'_> {
        let slice = self.of(key);
        let room = slice.set_aside();
        if slice.count.load(Ordering::Relaxed) <= self.room {
            return room;
        }
        let _turn = slice.evicting.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            let excess = slice.count.load(Ordering::Relaxed).saturating_sub(self.room);
            if excess == 0 {
                return room;
            }
            let ranks = slice.ranks(&rank);
            // Nothing but room set aside by others: they have seen to it, or are about to.
            let Some(mut cut) = Cut::of(ranks, excess, self.room) else { return room };
            // One that was active meanwhile has another rank now, and stays.
            slice.retain(|key, value| {
                let rank = rank(value);
                let goes = cut.takes(rank);
                if goes {
                    dropped(rank, key, value);
                }
                !goes
            });
        }
    }

    /// Walks all slices and keeps what is `kept`.
    pub(super) fn retain_all(&self, mut kept: impl FnMut(&K, &mut V) -> bool) {
        for slice in &self.all {
            slice.retain(&mut kept);
        }
    }

    /// Drops an entry; `dropped` gets it.
    pub(super) fn remove(&self, key: &K, dropped: impl FnOnce(&V)) {
        let slice = self.of(key);
        if let Some((_, value)) = slice.map.remove(key) {
            slice.count.fetch_sub(1, Ordering::Relaxed);
            dropped(&value);
        }
    }

    /// Walks the next slice in turn and keeps of it what is `kept`.
    pub(super) fn sweep(&self, kept: impl FnMut(&K, &mut V) -> bool) {
        let slice = self.at(self.cursor.fetch_add(1, Ordering::Relaxed));
        if slice.retain(kept) == 0 {
            return;
        }
        let capacity = slice.map.capacity();
        if capacity > MIN_ROOM && capacity / 4 > slice.count.load(Ordering::Relaxed) {
            slice.map.shrink_to_fit();
        }
    }
}
