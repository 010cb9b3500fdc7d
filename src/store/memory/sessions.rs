//! Live sessions, bounded: where there is no room, those that are over go first, then those
//! least recently active, a batch at a time; a "no" to being stored goes last.
//!
//! A session that was called a moment ago is awake, and quick to change. The sweep lays the others
//! to rest as bytes, a tenth of the size; the next call wakes them.
//!
//! Must not: know of claims or visitors. Callers must not ask for anything here while they hold a
//! guard from here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ahash::RandomState;
use dashmap::DashMap;
use dashmap::mapref::entry::{Entry as Found, OccupiedEntry, VacantEntry};
use dashmap::mapref::one::{MappedRef, MappedRefMut};

use super::intern::Interner;
use super::journal::Journal;
use super::packed::{self, Head, PackedError, Unpacked};
use super::rank::Rank;
use super::repeats::{Known, Recent};
use super::slices::{Room, Slices, small};
use crate::domain::history::SessionMark;
use crate::domain::ids::{SessionKey, SiteKey};
use crate::domain::page_url::PageUrl;
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
    /// Whether the journal knows already that it changed.
    is_marked: bool,
}

/// Counts one session of its site for as long as it is there.
#[derive(Debug)]
struct Live(Arc<AtomicU64>);

impl Drop for Live {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A session as it is kept.
#[derive(Debug)]
pub(super) enum Slot {
    Awake(Box<Entry>),
    /// As [`packed`] has it, shared addresses by number.
    Resting(Box<[u8]>),
}

/// All of them.
#[derive(Debug)]
pub(super) struct Sessions {
    entries: Slices<SessionKey, Slot>,
    live: DashMap<SiteKey, Arc<AtomicU64>, RandomState>,
    shared: Arc<Interner>,
    rest_after: Millis,
    expired: AtomicU64,
    capacity: AtomicU64,
    journal: Option<Arc<Journal>>,
}

/// A session, locked.
pub(super) type Guard<'a> = MappedRefMut<'a, SessionKey, Slot, Box<Entry>>;

/// A session's place, locked.
pub(super) enum Locked<'a> {
    There(Guard<'a>),
    Free(Free<'a>),
}

/// The place of a session that is not there.
pub(super) struct Free<'a> {
    place: VacantEntry<'a, SessionKey, Slot>,
    room: Room<'a>,
}

/// A session's place, locked, whether or not there is one.
pub(super) enum Place<'a> {
    There(OccupiedEntry<'a, SessionKey, Slot>),
    Nobody {
        #[expect(dead_code, reason = "its lock is held")]
        place: VacantEntry<'a, SessionKey, Slot>,
    },
}

/// A session that begins, or goes on where its own entry was dropped.
#[derive(Debug)]
pub(super) struct Begun {
    pub(super) session: Session,
    pub(super) timeout: Millis,
    pub(super) has_claims: bool,
}

impl Entry {
    /// A session as it was packed; not counted yet.
    fn of(key: &SessionKey, unpacked: Unpacked) -> Self {
        let Unpacked { session, timeout, has_claims, recent } = unpacked;
        let mark_id = mark_of(&key.id, session.started_at).id;
        Self { session, mark_id, timeout, recent, has_claims, live: None, is_marked: false }
    }

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

    /// Its bytes. `number_of` gives the numbers of shared addresses, if there are any.
    pub(super) fn pack(
        &self,
        key: &SessionKey,
        number_of: impl FnMut(&PageUrl) -> Option<u32>,
    ) -> Vec<u8> {
        let Self { session, timeout, has_claims, recent, .. } = self;
        packed::encode(key, session, *timeout, *has_claims, recent, number_of)
    }

    /// Whether nothing happened for so long, in either direction of time, and nobody waits.
    fn may_rest(&self, after: Millis, now: Timestamp) -> bool {
        let pause = now - self.session.clock;
        let is_pending = |(_, known): &(u64, Known)| matches!(known, Known::Pending(_));
        pause.0.unsigned_abs() >= after.0.unsigned_abs()
            && !self.recent.all().iter().any(is_pending)
            // What rests is counted by whether it is a "no".
            && self.live.is_some() != self.is_denial()
    }
}

impl Slot {
    /// Its turn to go where there is no room, and whether it is counted as live.
    fn rank(&self, now: Timestamp) -> Rank {
        let rank = |is_over: bool, is_live: bool, last_active_at: Timestamp| {
            let class = match (is_over, is_live) {
                (true, _) => 0,
                (false, true) => 1,
                (false, false) => 2,
            };
            (class, last_active_at.0)
        };
        match self {
            Self::Awake(entry) => {
                let last_active_at = entry.session.last_active_at;
                rank(entry.is_expired(now), entry.live.is_some(), last_active_at)
            }
            Self::Resting(packed) => match Head::of(packed) {
                Ok(head) => rank(head.is_expired(now), !head.is_denial(), head.last_active_at),
                Err(_) => (0, i64::MIN),
            },
        }
    }

    fn is_expired(&self, now: Timestamp) -> bool {
        match self {
            Self::Awake(entry) => entry.is_expired(now),
            Self::Resting(packed) => Head::of(packed).map_or(true, |head| head.is_expired(now)),
        }
    }

    fn awake(&self) -> Option<&Entry> {
        match self {
            Self::Awake(entry) => Some(entry),
            Self::Resting(_) => None,
        }
    }

    fn awake_mut(&mut self) -> Option<&mut Box<Entry>> {
        match self {
            Self::Awake(entry) => Some(entry),
            Self::Resting(_) => None,
        }
    }
}

impl Place<'_> {
    /// The session, if there is one.
    pub(super) fn entry(&mut self) -> Option<&mut Entry> {
        match self {
            Self::There(entry) => entry.get_mut().awake_mut().map(|entry| &mut **entry),
            Self::Nobody { .. } => None,
        }
    }
}

impl Sessions {
    /// At most so many; each rests once nothing happened to it for that long.
    pub(super) fn new(
        most: usize,
        rest_after: Millis,
        shared: Arc<Interner>,
        journal: Option<Arc<Journal>>,
    ) -> Self {
        Self {
            journal,
            entries: Slices::new(most),
            live: small(),
            shared,
            rest_after,
            expired: AtomicU64::new(0),
            capacity: AtomicU64::new(0),
        }
    }

    /// That session, to be read.
    pub(super) fn get<'a>(
        &'a self,
        key: &SessionKey,
    ) -> Option<MappedRef<'a, SessionKey, Slot, Entry>> {
        if let Ok(entry) = self.entries.get(key)?.try_map(Slot::awake) {
            return Some(entry);
        }
        let mut slot = self.entries.get_mut(key)?;
        self.wake(&mut slot, key);
        slot.downgrade().try_map(Slot::awake).ok()
    }

    /// That session, to be changed.
    pub(super) fn get_mut(&self, key: &SessionKey) -> Option<Guard<'_>> {
        self.entries.get_mut(key).map(|slot| slot.map(|slot| self.wake(slot, key)))
    }

    /// Locks the place of that session, whether or not it is there, to look and to change.
    pub(super) fn lock(&self, key: &SessionKey) -> Place<'_> {
        match self.entries.entry(key.clone()) {
            Found::Occupied(mut slot) => {
                self.wake(slot.get_mut(), key);
                Place::There(slot)
            }
            Found::Vacant(place) => Place::Nobody { place },
        }
    }

    /// Locks the place of that session, with room for it, dropping others where there is none.
    pub(super) fn lock_with_room(&self, key: &SessionKey, now: Timestamp) -> Locked<'_> {
        if let Some(guard) = self.get_mut(key) {
            return Locked::There(guard);
        }
        let room = self.entries.make_room(
            key,
            |slot| slot.rank(now),
            |(class, _), key, slot| {
                self.dropped(key, slot, if class == 0 { &self.expired } else { &self.capacity });
            },
        );
        match self.entries.entry(key.clone()) {
            // Another call was faster.
            Found::Occupied(slot) => {
                Locked::There(slot.into_ref().map(|slot| self.wake(slot, key)))
            }
            Found::Vacant(place) => Locked::Free(Free { place, room }),
        }
    }

    /// Puts a session where none was.
    pub(super) fn fill<'a>(&self, free: Free<'a>, begun: Begun) -> Guard<'a> {
        let Free { place, room } = free;
        let Begun { session, timeout, has_claims } = begun;
        let key = place.key().clone();
        let entry = Entry {
            mark_id: mark_of(&key.id, session.started_at).id,
            live: self.live(&key.site, &session),
            session,
            timeout,
            recent: Recent::default(),
            has_claims,
            is_marked: false,
        };
        let slot = place.insert(Slot::Awake(Box::new(entry)));
        room.take();
        slot.map(|slot| self.wake(slot, &key))
    }

    /// Puts another run of a session in its place.
    pub(super) fn replace(&self, guard: &mut Guard<'_>, begun: Begun) {
        let Begun { session, timeout, has_claims } = begun;
        let live = self.live(&guard.key().site, &session);
        let (mark_id, is_marked) = (guard.mark_id, guard.is_marked);
        let recent = Recent::default();
        **guard.value_mut() =
            Entry { session, mark_id, timeout, recent, has_claims, live, is_marked };
    }

    /// Notes that a session changed, so that it is written before long.
    pub(super) fn touch(&self, key: &SessionKey, entry: &mut Entry) {
        if let Some(journal) = &self.journal
            && !entry.is_marked
        {
            entry.is_marked = true;
            journal.mark_session(key);
        }
    }

    /// The row of that session, if there is one: its bytes, addresses written out.
    pub(super) fn row_of(&self, key: &SessionKey) -> Option<Vec<u8>> {
        match self.entries.get_mut(key)?.value_mut() {
            Slot::Awake(entry) => {
                entry.is_marked = false;
                Some(entry.pack(key, |_| None))
            }
            Slot::Resting(packed) => {
                let numbered = self.shared.numbered();
                // What this process packed it can read.
                packed::inline(packed, |number| numbered.url(number)).ok()
            }
        }
    }

    /// Puts a session that was read from the data folder, at rest.
    pub(super) fn put(&self, key: &SessionKey, row: &[u8]) -> Result<(), PackedError> {
        let mut unpacked = packed::decode(key, row, |_| None)?;
        // It may have been written a moment before its claim, which a crash then took: whether an
        // offer was made, the claims alone say.
        unpacked.recent.forget_offers();
        self.shared.share_addresses(&mut unpacked.session);
        let Locked::Free(free) = self.lock_with_room(key, unpacked.session.clock) else {
            return Ok(());
        };
        let entry = Entry::of(key, unpacked);
        self.lay(free, key, &entry);
        Ok(())
    }

    fn lay(&self, free: Free<'_>, key: &SessionKey, entry: &Entry) {
        if !entry.is_denial() {
            self.count_of(&key.site).fetch_add(1, Ordering::Relaxed);
        }
        let packed = entry.pack(key, |url| self.shared.number(url));
        free.place.insert(Slot::Resting(packed.into()));
        free.room.take();
    }

    /// Drops a session that is not what its claims say.
    pub(super) fn remove(&self, key: &SessionKey) {
        self.entries.remove(key, |slot| self.dropped(key, slot, &AtomicU64::new(0)));
    }

    /// Drops all sessions without a trace.
    pub(super) fn clear(&self) {
        self.entries.retain_all(|key, slot| {
            self.dropped(key, slot, &AtomicU64::new(0));
            false
        });
    }

    /// Marks all sessions.
    pub(super) fn touch_all(&self) {
        let Some(journal) = &self.journal else { return };
        self.entries.retain_all(|key, _| {
            journal.mark_session(key);
            true
        });
    }

    /// The session, awake.
    fn wake<'s>(&self, slot: &'s mut Slot, key: &SessionKey) -> &'s mut Box<Entry> {
        loop {
            match slot {
                Slot::Awake(entry) => return entry,
                Slot::Resting(packed) => *slot = Slot::Awake(Box::new(self.entry_of(packed, key))),
            }
        }
    }

    /// The entry of a session that rested. Its numbers are let go of.
    fn entry_of(&self, packed: &[u8], key: &SessionKey) -> Entry {
        let numbered = self.shared.numbered();
        let unpacked = packed::decode(key, packed, |number| numbered.url(number));
        let unpacked = unpacked.unwrap_or_else(|_| {
            // What this process packed it can read. If it ever could not, the session goes on
            // without a prompt.
            let begun = Head::of(packed).map(|head| (head.last_active_at, head.timeout));
            let (at, timeout) = begun.unwrap_or_default();
            let mut session = Session::begin(None, Vec::new(), at);
            session.is_held_out = true;
            session.offers = u32::MAX;
            Unpacked { session, timeout, has_claims: false, recent: Recent::default() }
        });
        packed::numbers(packed, |number| numbered.let_go(number));
        drop(numbered);
        let mut entry = Entry::of(key, unpacked);
        // It was counted all the time.
        entry.live = (!entry.is_denial()).then(|| Live(self.count_of(&key.site)));
        entry
    }

    /// Counts a session that goes, and lets go of what it held while it rested.
    fn dropped(&self, key: &SessionKey, slot: &Slot, cause: &AtomicU64) {
        let is_live = match slot {
            Slot::Awake(entry) => entry.live.is_some(),
            Slot::Resting(packed) => {
                let numbered = self.shared.numbered();
                packed::numbers(packed, |number| numbered.let_go(number));
                let is_live = Head::of(packed).is_ok_and(|head| !head.is_denial());
                if is_live {
                    drop(Live(self.count_of(&key.site)));
                }
                is_live
            }
        };
        if is_live {
            cause.fetch_add(1, Ordering::Relaxed);
        }
        if let Some(journal) = &self.journal {
            journal.mark_session(key);
        }
    }

    fn live(&self, site: &SiteKey, session: &Session) -> Option<Live> {
        if session.consent == Some(Consent::Denied) {
            return None;
        }
        let count = self.count_of(site);
        count.fetch_add(1, Ordering::Relaxed);
        Some(Live(count))
    }

    fn count_of(&self, site: &SiteKey) -> Arc<AtomicU64> {
        if let Some(count) = self.live.get(site) {
            return count.clone();
        }
        self.live.entry(site.clone()).or_default().clone()
    }

    /// Drops from the next slice the sessions that are over, and lays others to rest.
    pub(super) fn sweep(&self, now: Timestamp) {
        self.entries.sweep(|key, slot| {
            if slot.is_expired(now) {
                self.dropped(key, slot, &self.expired);
                return false;
            }
            if let Slot::Awake(entry) = slot
                && entry.may_rest(self.rest_after, now)
            {
                let packed = entry.pack(key, |url| self.shared.number(url));
                if let Some(Live(count)) = &entry.live {
                    // It still counts, as one that rests.
                    count.fetch_add(1, Ordering::Relaxed);
                }
                *slot = Slot::Resting(packed.into());
            }
            true
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

#[cfg(test)]
#[path = "sessions_tests.rs"]
mod tests;
