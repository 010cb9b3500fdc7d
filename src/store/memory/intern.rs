//! One copy of text that many sessions repeat: page addresses, names of events, campaigns.
//!
//! Must not: keep what nobody uses, or grow past its bound; text that finds no room is simply
//! not shared.

use std::hash::Hash;
use std::sync::Arc;

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

/// The copies.
#[derive(Debug)]
pub(super) struct Interner {
    urls: Slices<PageUrl, ()>,
    words: Slices<Arc<str>, ()>,
}

/// Puts the one copy in place of `own`, which becomes it where there is none yet.
fn share<T: Shared>(copies: &Slices<T, ()>, own: &mut T) {
    if let Some(copy) = copies.get(own) {
        *own = copy.key().clone();
    } else if let Some(room) = copies.room(own) {
        match copies.entry(own.clone()) {
            Entry::Occupied(copy) => *own = copy.key().clone(),
            Entry::Vacant(place) => {
                place.insert(());
                room.take();
            }
        }
    }
}

impl Interner {
    /// Shares at most `most` addresses, and a quarter as many words.
    pub(super) fn new(most: usize) -> Self {
        Self { urls: Slices::new(most), words: Slices::new(most / 4) }
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

    /// Drops the next slice of what no session holds any longer.
    pub(super) fn sweep(&self) {
        self.urls.sweep(|url, ()| url.holders() > 1);
        self.words.sweep(|word, ()| word.holders() > 1);
    }
}
