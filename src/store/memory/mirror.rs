//! What is in memory ↔ the rows of the data folder.
//!
//! Must not: write or wait.

use std::sync::Arc;

use super::MemoryStore;
use super::claims::Record;
use super::journal::Marks;
use super::rows::{visitor_name, visitor_named};
use super::visitors::Visitor;
use crate::domain::ids::{PageId, SessionKey, SiteKey};
use crate::domain::time::Timestamp;
use crate::store::disk::{Batch, Change, Database, DiskError, Row, Table};

/// What was found in a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) sessions: u64,
    pub(super) claims: u64,
    pub(super) visitors: u64,
}

impl MemoryStore {
    /// The rows of what is marked, as it now is.
    pub(super) fn batch(&self, marks: &Marks, sessions: &[SessionKey]) -> Batch {
        let mut batch = Batch { offers: marks.offers.clone(), ..Batch::default() };
        for key in &marks.claims {
            let body = self.claims.lock(key).get(key).map(|record| record.to_row());
            batch.changes.push(change(Table::Claims, &key.site, key.id.to_string(), body));
        }
        for key in &marks.visitors {
            let body = self.visitors.row_of(key);
            batch.changes.push(change(Table::Visitors, &key.site, visitor_name(&key.id), body));
        }
        for key in marks.sessions.iter().chain(sessions) {
            let body = self.sessions.row_of(key);
            batch.changes.push(change(Table::Sessions, &key.site, key.id.to_string(), body));
        }
        batch
    }

    /// Reads all that an earlier process kept, in place of what is in memory.
    pub(super) fn load(
        &self,
        database: &mut Database,
        now: Option<Timestamp>,
    ) -> Result<Kept, DiskError> {
        self.sessions.clear();
        self.claims.clear();
        self.visitors.clear();
        self.limits.clear();
        // Of an attempt before this one nothing is to be written.
        self.journal.iter().for_each(|journal| drop(journal.take_sessions()));
        let run = database.last_run()?;
        let mut sites = Sites::default();
        let mut newest = None;
        database.rows(Table::Sessions, |row| {
            let key = session_key(&mut sites, &row)?;
            self.sessions.put(&key, row.body).map_err(|error| error.to_string())
        })?;
        database.rows(Table::Claims, |row| {
            let key = session_key(&mut sites, &row)?;
            let record = Record::from_row(&key, row.body).map_err(|error| error.to_string())?;
            newest = newest.max(Some(record.clock));
            self.reconcile(&key, &record);
            self.claims.put(key, record);
            Ok(())
        })?;
        database.rows(Table::Visitors, |row| {
            let key = visitor_named(&sites.of(row.site), row.name);
            let key = key.map_err(|error| error.to_string())?;
            let visitor = Visitor::from_row(row.body).map_err(|error| error.to_string())?;
            self.visitors.put(key, visitor);
            Ok(())
        })?;
        database.offers(|offer| self.limits.put(offer))?;
        if let Some(run) = run.as_ref().filter(|run| !run.was_stopped) {
            let known = run.watermark.map(Timestamp);
            self.claims.go_on(known, now.or(newest.max(known)));
        }
        let key = run.map_or_else(rand::random, |run| run.event_key);
        let key = *self.event_key.get_or_init(|| key);
        database.begin_run(key)?;
        let stats = crate::store::Store::stats(self);
        Ok(Kept {
            sessions: stats.sessions_active.iter().map(|(_, count)| count).sum(),
            claims: stats.claims,
            visitors: stats.visitors,
        })
    }

    /// Page views are written later than claims: after a crash a session may not know what it was
    /// offered, or be the run before. What its claims say counts.
    fn reconcile(&self, key: &SessionKey, record: &Record) {
        let Some(mut entry) = self.sessions.get_mut(key) else { return };
        let mark = entry.mark();
        if record.mark == mark {
            entry.has_claims = true;
            let session = &mut entry.session;
            session.offers = session.offers.max(record.offers);
            session.is_held_out |= record.is_held_out;
            session.own.merge(&record.own);
            session.own.is_opted_out = record.own.is_opted_out;
            return;
        }
        drop(entry);
        if record.mark.started_at > mark.started_at {
            self.sessions.remove(key);
        }
    }

    /// Takes possession of another file for what is in memory.
    pub(super) fn begin_run(&self, database: &mut Database) -> Result<(), DiskError> {
        database.begin_run(self.event_key.get().copied().unwrap_or_default())
    }

    /// Marks all there is.
    pub(super) fn mark_all(&self) {
        self.sessions.touch_all();
        self.claims.for_each(|key| self.mark(|marks| marks.claim(key)));
        self.visitors.for_each(|key| self.mark(|marks| marks.visitor(key)));
        self.mark(|marks| marks.offers.clear());
        self.limits.for_each(|offer| self.mark(|marks| marks.offers.push(offer)));
    }
}

/// One copy of each site's key.
#[derive(Default)]
struct Sites(Vec<SiteKey>);

impl Sites {
    fn of(&mut self, site: &str) -> SiteKey {
        if let Some(known) = self.0.iter().find(|known| &***known == site) {
            return known.clone();
        }
        let new: SiteKey = site.into();
        self.0.push(new.clone());
        new
    }
}

fn session_key(sites: &mut Sites, row: &Row<'_>) -> Result<SessionKey, String> {
    let id = PageId::parse(row.name).map_err(|error| error.to_string())?;
    Ok(SessionKey { site: sites.of(row.site), id })
}

fn change(table: Table, site: &SiteKey, name: String, body: Option<Vec<u8>>) -> Change {
    Change { table, site: Arc::clone(site), name, body }
}

#[cfg(test)]
mod tests {
    use super::super::journal::Journal;
    use super::super::sessions::{Begun, Locked};
    use super::super::{MemoryConfig, MemoryStore};
    use super::*;
    use crate::domain::session::Session;
    use crate::domain::time::Millis;
    use crate::store::disk::Folder;

    #[test]
    fn reading_it_again_and_again_leaves_nothing_behind() {
        let name = format!("koekake-mirror-{}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        let mut database = Database::open(Folder::take(&folder).unwrap()).unwrap();
        let journal = Arc::new(Journal::new());
        let store = MemoryStore::with(MemoryConfig::default(), Some(journal.clone()));
        let id = PageId::parse("s-------------------").unwrap();
        let key = SessionKey { site: "shop".into(), id };
        let Locked::Free(free) = store.sessions.lock_with_room(&key, Timestamp(1)) else {
            panic!("nobody is there");
        };
        let session = Session::begin(None, Vec::new(), Timestamp(1));
        let begun = Begun { session, timeout: Millis(1_000), has_claims: false };
        drop(store.sessions.fill(free, begun));
        database.write(&store.batch(&Marks::default(), std::slice::from_ref(&key))).unwrap();
        for _ in 0..3 {
            assert_eq!(store.load(&mut database, None).unwrap().sessions, 1);
            assert!(journal.take_sessions().is_empty(), "it is as the file has it");
        }
        drop(database);
        std::fs::remove_dir_all(folder).unwrap();
    }
}
