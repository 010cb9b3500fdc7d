//! Live sessions, bounded: where there is no room, those that are over go first, then those
//! least recently active, a batch at a time; a "no" to being stored goes last.
//!
//! Must not: know of claims or visitors. Callers must not ask for anything here while they hold a
//! guard from here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ahash::RandomState;
use dashmap::DashMap;
use dashmap::mapref::entry::{Entry as Found, VacantEntry};
use dashmap::mapref::one::{Ref, RefMut};

use super::rank::Rank;
use super::repeats::Recent;
use super::slices::{Room, Slices, small};
use crate::domain::history::SessionMark;
use crate::domain::ids::{SessionKey, SiteKey};
use crate::domain::session::Session;
use crate::domain::time::{Millis, Timestamp};
use crate::domain::visit::Consent;
use crate::store::mark_of;

/// One session with what only the store knows of it.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) session: Session,
    /// [`SessionMark::id`]
    mark_id: u64,
    /// As the last call told it.
    pub(super) timeout: Millis,
    pub(super) recent: Recent,
    /// Whether [`super::claims`] has a record of this run of it.
    pub(super) has_claims: bool,
    /// Where it is counted; a "no" is not.
    live: Option<Live>,
}

/// Counts one session of its site for as long as it is there.
#[derive(Debug)]
struct Live(Arc<AtomicU64>);

impl Drop for Live {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// All of them.
#[derive(Debug)]
pub(super) struct Sessions {
    entries: Slices<SessionKey, Box<Entry>>,
    live: DashMap<SiteKey, Arc<AtomicU64>, RandomState>,
    expired: AtomicU64,
    capacity: AtomicU64,
}

/// A session, locked.
pub(super) type Guard<'a> = RefMut<'a, SessionKey, Box<Entry>>;

/// A session's place, locked.
pub(super) enum Locked<'a> {
    There(Guard<'a>),
    Free(Free<'a>),
}

/// The place of a session that is not there.
pub(super) struct Free<'a> {
    place: VacantEntry<'a, SessionKey, Box<Entry>>,
    room: Room<'a>,
}

/// A session that begins, or goes on where its own entry was dropped.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) session: Session,
    pub(super) timeout: Millis,
    pub(super) has_claims: bool,
}

impl Entry {
    /// Which run of its id this is.
    pub(super) fn mark(&self) -> SessionMark {
        SessionMark { id: self.mark_id, started_at: self.session.started_at }
    }

    /// Whether all there is of it is that its visitor does not want to be stored.
    pub(super) fn is_denial(&self) -> bool {
        self.session.consent == Some(Consent::Denied)
    }

    pub(super) fn is_expired(&self, now: Timestamp) -> bool {
        self.session.is_expired(self.timeout, now)
    }

    /// Its turn to go where there is no room.
    fn rank(&self, now: Timestamp) -> Rank {
        let class = match (self.is_expired(now), &self.live) {
            (true, _) => 0,
            (false, Some(_)) => 1,
            (false, None) => 2,
        };
        (class, self.session.last_active_at.0)
    }

    fn count_drop(&self, cause: &AtomicU64) {
        if self.live.is_some() {
            cause.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Sessions {
    pub(super) fn new(most: usize) -> Self {
        Self {
            entries: Slices::new(most),
            live: small(),
            expired: AtomicU64::new(0),
            capacity: AtomicU64::new(0),
        }
    }

    /// That session, to be read.
    pub(super) fn get(&self, key: &SessionKey) -> Option<Ref<'_, SessionKey, Box<Entry>>> {
        self.entries.get(key)
    }

    /// That session, to be changed.
    pub(super) fn get_mut(&self, key: &SessionKey) -> Option<Guard<'_>> {
        self.entries.get_mut(key)
    }

    /// Locks the place of that session, whether or not it is there, to look and to change.
    pub(super) fn lock(&self, key: &SessionKey) -> Found<'_, SessionKey, Box<Entry>> {
        self.entries.entry(key.clone())
    }

    /// Locks the place of that session, with room for it, dropping others where there is none.
    pub(super) fn lock_with_room(&self, key: &SessionKey, now: Timestamp) -> Locked<'_> {
        if let Some(guard) = self.entries.get_mut(key) {
            return Locked::There(guard);
        }
        let room = self.entries.make_room(
            key,
            |entry| entry.rank(now),
            |(class, _), entry| {
                entry.count_drop(if class == 0 { &self.expired } else { &self.capacity });
            },
        );
        match self.lock(key) {
            // Another call was faster.
            Found::Occupied(entry) => Locked::There(entry.into_ref()),
            Found::Vacant(place) => Locked::Free(Free { place, room }),
        }
    }

    /// Puts a session where none was.
    pub(super) fn fill<'a>(&self, free: Free<'a>, begun: Begun) -> Guard<'a> {
        let Free { place, room } = free;
        let Begun { session, timeout, has_claims } = begun;
        let key = place.key();
        let entry = Box::new(Entry {
            mark_id: mark_of(&key.id, session.started_at).id,
            live: self.live(&key.site, &session),
            session,
            timeout,
            recent: Recent::default(),
            has_claims,
        });
        let guard = place.insert(entry);
        room.take();
        guard
    }

    /// Puts another run of a session in its place.
    pub(super) fn replace(&self, guard: &mut Guard<'_>, begun: Begun) {
        let Begun { session, timeout, has_claims } = begun;
        let live = self.live(&guard.key().site, &session);
        let mark_id = guard.mark_id;
        **guard.value_mut() =
            Entry { session, mark_id, timeout, recent: Recent::default(), has_claims, live };
    }

    fn live(&self, site: &SiteKey, session: &Session) -> Option<Live> {
        if session.consent == Some(Consent::Denied) {
            return None;
        }
        let count = |live: &Arc<AtomicU64>| {
            live.fetch_add(1, Ordering::Relaxed);
            Live(live.clone())
        };
        if let Some(live) = self.live.get(site) {
            return Some(count(&live));
        }
        Some(count(&self.live.entry(site.clone()).or_default()))
    }

    /// Drops from the next slice the sessions that are over.
    pub(super) fn sweep(&self, now: Timestamp) {
        self.entries.sweep(|_, entry| {
            let is_over = entry.is_expired(now);
            if is_over {
                entry.count_drop(&self.expired);
            }
            !is_over
        });
    }

    /// How many slices there are.
    pub(super) fn slices(&self) -> usize {
        self.entries.count()
    }

    /// How many live sessions each site has. Those that are over but not yet swept are among them.
    pub(super) fn active(&self) -> Vec<(SiteKey, u64)> {
        let count = |live: &AtomicU64| live.load(Ordering::Relaxed);
        self.live.iter().map(|site| (site.key().clone(), count(site.value()))).collect()
    }

    /// How many were dropped, by cause.
    pub(super) fn evicted(&self) -> Vec<(&'static str, u64)> {
        vec![
            ("expired", self.expired.load(Ordering::Relaxed)),
            ("capacity", self.capacity.load(Ordering::Relaxed)),
        ]
    }
}
