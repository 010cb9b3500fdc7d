//! A bounded map for answers that are cheap to find again.
//!
//! It is split into shards; a full shard starts over, so nothing is ever swept and no look-up
//! waits for more than its own shard. Must not: hold anything whose loss would be noticed.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

const SHARDS: usize = 64;

type Shard<K, V> = Mutex<HashMap<K, V, ahash::RandomState>>;

/// See the module's head.
pub(super) struct Cache<K, V> {
    shards: [Shard<K, V>; SHARDS],
    hasher: ahash::RandomState,
    shard_capacity: usize,
}

impl<K: Eq + Hash, V: Clone> Cache<K, V> {
    /// Holds about `capacity` entries and never more (but at least one a shard).
    pub(super) fn with_capacity(capacity: usize) -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::default()),
            hasher: ahash::RandomState::new(),
            shard_capacity: (capacity / SHARDS).max(1),
        }
    }

    /// The value under that key, made by `make` if it is not there. `make` runs without a lock, so
    /// two callers may both make it. An error is not kept.
    pub(super) fn get_or_try_insert<E>(
        &self,
        key: K,
        make: impl FnOnce() -> Result<V, E>,
    ) -> Result<V, E> {
        let hash = usize::try_from(self.hasher.hash_one(&key) >> 32).unwrap_or(0);
        let Some(shard) = self.shards.get(hash % SHARDS) else { return make() };
        if let Some(value) = lock(shard).get(&key) {
            return Ok(value.clone());
        }
        let value = make()?;
        let mut entries = lock(shard);
        if entries.len() >= self.shard_capacity && !entries.contains_key(&key) {
            entries.clear();
        }
        entries.insert(key, value.clone());
        Ok(value)
    }

    /// How many entries it holds.
    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }
}

/// A panic under the lock can leave no entry half written, so a poisoned shard is still good.
fn lock<T>(shard: &Mutex<T>) -> MutexGuard<'_, T> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stays_within_its_bound_and_finds_what_it_holds() {
        let cache = Cache::with_capacity(256);
        for key in 0..100_000_u32 {
            let value = cache.get_or_try_insert(key, || Ok::<_, ()>(key * 2));
            assert_eq!(value, Ok(key * 2));
            assert_eq!(cache.get_or_try_insert(key, || Err(())), Ok(key * 2));
        }
        assert!(cache.len() <= 256);
    }
}
