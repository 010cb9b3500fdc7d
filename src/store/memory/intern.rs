//! One copy of text that many sessions repeat: page addresses, names of events, campaigns. And
//! numbers of addresses, for sessions that rest.
//!
//! Its locks come last: whoever holds one of them takes no other lock but a later one of these:
//! an address's place, then the table of numbers.
//!
//! Must not: keep what nobody uses, or grow past its bound; text that finds no room is simply
//! not shared.

use std::hash::Hash;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use dashmap::mapref::entry::Entry;

use super::slices::Slices;
use crate::domain::page_url::PageUrl;
use crate::domain::session::Session;
use crate::domain::visit::{EventKind, Page};

/// What can be shared.
trait Shared: Hash + Eq + Clone {
    /// How many hold this very copy.
    fn holders(&self) -> usize;
}

impl Shared for Arc<str> {
    fn holders(&self) -> usize {
        Arc::strong_count(self)
    }
}

impl Shared for PageUrl {
    fn holders(&self) -> usize {
        PageUrl::holders(self)
    }
}

/// An address with a query is given a number only if so many hold it: most are one visitor's
/// own, and take less room written out. One session alone holds it four times.
const MANY: usize = 8;

/// The copies.
#[derive(Debug)]
pub(super) struct Interner {
    urls: Slices<PageUrl, Number>,
    words: Slices<Arc<str>, ()>,
    numbered: RwLock<Table>,
    most: usize,
}

/// A place in the table and one more; 0 is none.
#[derive(Debug, Default)]
struct Number(AtomicU32);

/// The addresses that resting sessions name by number.
#[derive(Debug)]
struct Table {
    rows: Vec<Row>,
    free: Vec<u32>,
}

#[derive(Debug)]
struct Row {
    url: PageUrl,
    /// How often resting sessions name it.
    names: AtomicU32,
}

/// The table, to be read.
pub(super) struct Numbered<'a>(RwLockReadGuard<'a, Table>);

impl Numbered<'_> {
    /// The address under that number.
    pub(super) fn url(&self, number: u32) -> Option<PageUrl> {
        self.0.rows.get(number as usize).map(|row| row.url.clone())
    }

    /// Lets go of a number.
    pub(super) fn let_go(&self, number: u32) {
        if let Some(row) = self.0.rows.get(number as usize) {
            row.names.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Number {
    fn get(&self) -> Option<u32> {
        self.0.load(Ordering::Relaxed).checked_sub(1)
    }
}

impl Table {
    /// Gives an address a number and names it.
    fn add(&mut self, url: &PageUrl) -> Option<u32> {
        let row = Row { url: url.clone(), names: AtomicU32::new(1) };
        if let Some(number) = self.free.pop() {
            *self.rows.get_mut(number as usize)? = row;
            return Some(number);
        }
        self.rows.push(row);
        u32::try_from(self.rows.len() - 1).ok()
    }

    /// Takes a number away if nobody names it.
    fn remove(&mut self, number: u32) -> bool {
        let Some(row) = self.rows.get_mut(number as usize) else { return false };
        if *row.names.get_mut() > 0 {
            return false;
        }
        row.url = PageUrl::blank();
        self.free.push(number);
        true
    }
}

/// Puts the one copy in place of `own`, which becomes it where there is none yet.
fn share<T: Shared, V: Default>(copies: &Slices<T, V>, own: &mut T) {
    if let Some(copy) = copies.get(own) {
        *own = copy.key().clone();
    } else if let Some(room) = copies.room(own) {
        match copies.entry(own.clone()) {
            Entry::Occupied(copy) => *own = copy.key().clone(),
            Entry::Vacant(place) => {
                place.insert(V::default());
                room.take();
            }
        }
    }
}

impl Interner {
    /// Shares at most `most` addresses, and a quarter as many words.
    pub(super) fn new(most: usize) -> Self {
        Self {
            urls: Slices::new(most),
            words: Slices::new(most / 4),
            // Room that is not used takes no memory; growing it would hold up every call.
            numbered: RwLock::new(Table { rows: Vec::with_capacity(most), free: Vec::new() }),
            most,
        }
    }

    /// The number of a shared address, named once more until it is [let go](Numbered::let_go).
    pub(super) fn number(&self, url: &PageUrl) -> Option<u32> {
        // As long as this is held, no sweep takes the number away.
        let copy = self.urls.get(url)?;
        if let Some(number) = copy.get() {
            let table = self.numbered();
            table.0.rows.get(number as usize)?.names.fetch_add(1, Ordering::Relaxed);
            return Some(number);
        }
        if url.query().is_some() && copy.key().holders() < MANY {
            return None;
        }
        let mut table = self.numbered.write().unwrap_or_else(PoisonError::into_inner);
        // Another call may have been faster.
        if let Some(number) = copy.get() {
            table.rows.get(number as usize)?.names.fetch_add(1, Ordering::Relaxed);
            return Some(number);
        }
        if table.rows.len() >= self.most && table.free.is_empty() {
            return None;
        }
        let number = table.add(copy.key())?;
        copy.0.store(number + 1, Ordering::Relaxed);
        Some(number)
    }

    /// The one copy of an address.
    #[cfg(test)]
    pub(super) fn copy(&self, url: &PageUrl) -> Option<PageUrl> {
        self.urls.get(url).map(|copy| copy.key().clone())
    }

    /// What the numbers stand for.
    pub(super) fn numbered(&self) -> Numbered<'_> {
        Numbered(self.numbered.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Shares what an event added to its session. `page` is the one it was recorded with.
    pub(super) fn share(
        &self,
        session: &mut Session,
        kind: &EventKind,
        page: Option<&Page>,
        is_begun: bool,
    ) {
        if is_begun {
            let first = [&mut session.landing_page, &mut session.referrer];
            first.into_iter().flatten().for_each(|url| share(&self.urls, url));
        }
        match kind {
            EventKind::PageView => {
                let Some(page) = page else { return };
                if let Some(seen) = session.visited.last_mut() {
                    share(&self.urls, seen);
                    if let Some(view) = session.views.last_mut()
                        && view.url == *seen
                    {
                        view.url = seen.clone();
                    }
                }
                if let Some(utm) = session.utm.as_deref_mut()
                    && page.url.query().is_some_and(|query| query.contains("utm_"))
                {
                    let parts = [
                        &mut utm.source,
                        &mut utm.medium,
                        &mut utm.campaign,
                        &mut utm.term,
                        &mut utm.content,
                    ];
                    parts.into_iter().flatten().for_each(|word| share(&self.words, word));
                }
            }
            EventKind::Signal { .. } => {
                if let Some((name, 1)) = session.events.last_mut() {
                    share(&self.words, name);
                }
            }
            EventKind::Recheck | EventKind::Update => {}
        }
    }

    /// Shares every address of a session.
    pub(super) fn share_addresses(&self, session: &mut Session) {
        let first = [&mut session.landing_page, &mut session.referrer].into_iter().flatten();
        let views = session.views.iter_mut().map(|view| &mut view.url);
        first.chain(&mut session.visited).chain(views).for_each(|url| share(&self.urls, url));
    }

    /// Drops the next slice of what no session holds any longer.
    pub(super) fn sweep(&self) {
        self.urls.sweep(|url, number| match number.get() {
            None => url.holders() > 1,
            // The table is one of the holders.
            Some(_) if url.holders() > 2 => true,
            Some(number) => {
                let mut table = self.numbered.write().unwrap_or_else(PoisonError::into_inner);
                !table.remove(number)
            }
        });
        self.words.sweep(|word, ()| word.holders() > 1);
    }
}
