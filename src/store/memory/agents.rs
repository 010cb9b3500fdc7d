//! Who is on duty, site by site, each figure until its moment.
//!
//! Must not: allocate for a site that never told.

use std::sync::Arc;

use ahash::RandomState;
use dashmap::DashMap;

use super::slices::small;
use crate::domain::facts::{AgentBoard, Agents};
use crate::domain::ids::SiteKey;
use crate::domain::time::Timestamp;
use crate::store::StoreError;

/// The most routes of a site.
const MAX_ROUTES: usize = 256;

/// What one site told: the figures, their ends, and all of them as one board while none has ended.
#[derive(Debug, Default)]
struct Told {
    figures: Vec<(Option<Arc<str>>, Agents, Timestamp)>,
    board: Arc<AgentBoard>,
    first_end: Timestamp,
}

/// All sites'.
#[derive(Debug)]
pub(super) struct Duty {
    sites: DashMap<SiteKey, Told, RandomState>,
    nobody: Arc<AgentBoard>,
}

impl Default for Duty {
    fn default() -> Self {
        Self { sites: small(), nobody: Arc::default() }
    }
}

impl Told {
    fn changed(&mut self) {
        self.board = Arc::new(board(&self.figures));
        self.first_end = self.figures.iter().map(|(.., end)| *end).min().unwrap_or(Timestamp::MAX);
    }
}

fn board<'a>(
    figures: impl IntoIterator<Item = &'a (Option<Arc<str>>, Agents, Timestamp)>,
) -> AgentBoard {
    let mut board = AgentBoard::default();
    for (route, agents, _) in figures {
        match route {
            None => board.total = Some(*agents),
            Some(route) => board.routes.push((route.clone(), *agents)),
        }
    }
    board
}

impl Duty {
    /// The board of a site at that moment.
    pub(super) fn of(&self, site: &SiteKey, now: Timestamp) -> Arc<AgentBoard> {
        match self.sites.get(site) {
            None => self.nobody.clone(),
            Some(told) if now < told.first_end => told.board.clone(),
            Some(told) => Arc::new(board(told.figures.iter().filter(|(.., end)| now < *end))),
        }
    }

    /// Sets one figure.
    pub(super) fn set(
        &self,
        site: &SiteKey,
        route: Option<&str>,
        agents: Agents,
        until: Timestamp,
    ) -> Result<(), StoreError> {
        let mut told = self.sites.entry(site.clone()).or_default();
        let known = told.figures.iter_mut().find(|(known, ..)| known.as_deref() == route);
        if let Some((_, figure, end)) = known {
            (*figure, *end) = (agents, until);
        } else if told.figures.len() > MAX_ROUTES {
            return Err(StoreError::Full("routes of the site"));
        } else {
            told.figures.push((route.map(Arc::from), agents, until));
        }
        told.changed();
        Ok(())
    }

    /// Drops figures that ended.
    pub(super) fn sweep(&self, now: Timestamp) {
        self.sites.retain(|_, told| {
            if now >= told.first_end {
                told.figures.retain(|(.., end)| now < *end);
                told.changed();
            }
            !told.figures.is_empty()
        });
    }
}
