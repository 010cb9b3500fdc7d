//! What was read → what is in use: a site at a time, whole or not at all, and the last good one
//! where it is not.
//!
//! Only one thread does this, so that it is the only one that replaces the snapshot. Must not:
//! know when or why something is read.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use actix_web::web;

use super::{AppError, sites};
use crate::config::{Config, Geoip};
use crate::domain::ids::SiteKey;
use crate::domain::time::Timestamp;
use crate::http::reload::{Outcome, Reloaded, SiteReloaded};
use crate::http::snapshot::{InUse, Rejected, SiteReport, SiteStatus, Snapshot};
use crate::http::state::State;
use crate::reload::last_good::LastGood;
use crate::reload::{Folders, Prints, SiteReading, look, read_all, read_site, site_folders};
use crate::rules::changes::Changes;
use crate::rules::model::RuleSet;
use crate::service::LiveSite;

/// Puts what is on disk into use.
pub(super) struct Reloader {
    pub(super) state: web::Data<State>,
    rules: PathBuf,
    pub(super) geoip: Geoip,
    pub(super) kept: Option<LastGood>,
    /// What was put into use, or refused, last; `None` before the first time.
    pub(super) seen: Option<Seen>,
}

/// What tells one reading from another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Seen {
    prints: Prints,
    pub(super) places: Option<u64>,
}

/// All there is on disk, as it was read once.
pub(super) struct Reading {
    folders: Folders,
    seen: Seen,
}

impl PartialEq for Reading {
    fn eq(&self, other: &Self) -> bool {
        self.seen == other.seen
    }
}

impl Reloader {
    pub(super) fn new(config: &Config, state: web::Data<State>) -> Self {
        Self {
            state,
            rules: config.rules.clone(),
            geoip: config.geoip.clone(),
            kept: config.data.as_deref().map(LastGood::below),
            seen: None,
        }
    }

    /// Reads and loads all of it for the first time.
    ///
    /// # Errors
    /// Where nothing can be served, or a place database that was asked for cannot be used.
    pub(super) fn first(&mut self) -> Result<(), AppError> {
        let reading = self.read();
        let reloaded = self.apply(&reading);
        let snapshot = self.state.snapshot();
        if let (Geoip::At(path), None) = (&self.geoip, &snapshot.places.geoip) {
            let errors = reloaded.places.errors.join("; ");
            let why = if errors.is_empty() { "there is none" } else { &errors };
            return Err(AppError::Geoip(format!("no place database in {}: {why}", path.display())));
        }
        if !snapshot.sites.is_empty() {
            return Ok(());
        }
        Err(match reading.folders.error {
            Some(error) => AppError::Rules(error),
            None => AppError::NoSite(self.rules.display().to_string()),
        })
    }

    /// What there is to watch.
    pub(super) fn paths(&self) -> Vec<PathBuf> {
        let mut paths = vec![self.rules.clone()];
        paths.extend(site_folders(&self.rules).unwrap_or_default());
        paths.extend(self.places_path().map(Into::into));
        paths
    }

    /// The two places that everything is below.
    pub(super) fn roots(&self) -> Vec<PathBuf> {
        let places = self.places_path().map(Into::into);
        [self.rules.clone()].into_iter().chain(places).collect()
    }

    pub(super) fn read(&self) -> Reading {
        let folders = read_all(&self.rules);
        let seen = Seen {
            prints: folders.prints(),
            places: self.places_path().map(|path| look(path, "mmdb")),
        };
        Reading { folders, seen }
    }

    /// Whether this is what was put into use, or refused, last.
    pub(super) fn has_seen(&self, reading: &Reading) -> bool {
        self.seen.as_ref() == Some(&reading.seen)
    }

    /// Puts what was read into use, as far as it is good.
    pub(super) fn apply(&mut self, reading: &Reading) -> Reloaded {
        // Places first: what rules want of them is looked at when the rules load.
        let places = self.apply_places(reading.seen.places);
        let mut sites: Vec<SiteReloaded> = reading
            .folders
            .sites
            .iter()
            .map(|(key, site)| self.apply_site(&key.as_str().into(), site))
            .collect();
        let problem = self.apply_missing(&reading.folders, &mut sites);
        self.seen = Some(reading.seen.clone());
        Reloaded { sites, places, problem }
    }

    fn apply_site(&self, key: &SiteKey, site: &SiteReading) -> SiteReloaded {
        let snapshot = self.state.snapshot();
        let seen = self.seen.as_ref().and_then(|seen| seen.prints.sites.get(&**key));
        if let (Some(status), true) = (snapshot.reports.get(key), seen == Some(&site.fingerprint)) {
            return as_before(key, status, &snapshot);
        }
        let now = self.state.clock.now();
        let knows = sites::knowledge(snapshot.places.geoip.as_ref());
        let (report, set) = sites::compile(key, site.content.as_ref(), now, knows);
        sites::log(&report);
        let Some(set) = set else { return self.reject(report) };
        let reloaded = self.accept(report, set, &snapshot, now);
        if let (Some(kept), Ok(content), Some(version)) =
            (&self.kept, &site.content, &reloaded.version)
        {
            let files = content.files.iter().map(|(name, bytes)| {
                (name.rsplit(['/', '\\']).next().unwrap_or_default(), bytes.as_slice())
            });
            if let Err(error) = kept.keep_site(key, version, now, files) {
                tracing::warn!(site = &**key, %error, "no copy of the rules could be kept");
            }
        }
        reloaded
    }

    fn accept(
        &self,
        report: SiteReport,
        set: RuleSet,
        snapshot: &Snapshot,
        now: Timestamp,
    ) -> SiteReloaded {
        let key = report.key.clone();
        let metrics = &self.state.metrics;
        let before = snapshot.sites.get(&key);
        let mut status = snapshot.reports.get(&key).cloned().unwrap_or_default();
        let changes = Changes::between(before.map(|live| &*live.set), &set);
        let (version, rules) = (set.version.clone(), set.rules.len());
        // Rules that were broken and are as before again were in use all the time.
        let same = before.filter(|live| live.set.version == version);
        let since = same.and(status.in_use.as_ref()).map_or(now, |in_use| in_use.since);
        let live = match same {
            Some(live) => live.clone(),
            None => Arc::new(LiveSite::new(Arc::new(set), metrics)),
        };
        metrics.rules_accepted(&key, rules, now);
        status.in_use = Some(InUse { report, since, is_copy: false });
        if let Some(rejected) = &mut status.rejected {
            rejected.is_current = false;
        }
        self.publish(&key, Some(live), status);
        let version_before = before.map(|live| live.set.version.clone());
        match &version_before {
            None => tracing::info!(site = &*key, %version, rules, "rules loaded"),
            Some(before) => tracing::info!(
                site = &*key, %version, rules, %before, added = changes.added.len(),
                changed = changes.changed.len(), removed = changes.removed.len(), "rules loaded"
            ),
        }
        let outcome = match &version_before {
            None => Outcome::Added,
            Some(before) if *before == version => Outcome::Unchanged,
            Some(_) => Outcome::Changed,
        };
        SiteReloaded { key, outcome, version: Some(version), version_before, changes, report: None }
    }

    /// Leaves in use what is. Where nothing is, the copy of an earlier run comes into use, if
    /// there is one.
    fn reject(&self, report: SiteReport) -> SiteReloaded {
        let snapshot = self.state.snapshot();
        let site = &*report.key;
        let mut status = snapshot.reports.get(&report.key).cloned().unwrap_or_default();
        let before = snapshot.sites.get(&report.key).cloned();
        let live = before.clone().or_else(|| {
            let (live, in_use) = self.copied(&report.key)?;
            status.in_use = Some(in_use);
            Some(live)
        });
        self.state.metrics.rules_rejected(&report.key);
        match (&live, &status.in_use) {
            (Some(live), Some(in_use)) => {
                let version = &live.set.version;
                let since = shown(in_use.since);
                if in_use.is_copy {
                    tracing::error!(
                        site, %version, since,
                        "the site's rules did not load; the copy of its last good ones is in use"
                    );
                } else {
                    tracing::error!(
                        site, %version, since, "the site's rules did not load; those in use stay"
                    );
                }
            }
            _ => tracing::error!(site, "the site is not served: its rules did not load"),
        }
        status.rejected = Some(Rejected { report: report.clone(), is_current: true });
        let version = live.as_ref().map(|live| live.set.version.clone());
        self.publish(&report.key, live, status);
        SiteReloaded {
            key: report.key.clone(),
            outcome: Outcome::Rejected,
            version,
            version_before: before.map(|live| live.set.version.clone()),
            changes: Changes::default(),
            report: Some(report),
        }
    }

    /// A site's last good rules, from the copy of an earlier run.
    fn copied(&self, key: &SiteKey) -> Option<(Arc<LiveSite>, InUse)> {
        let copy = self.kept.as_ref()?.site_copy(key)?;
        let content = read_site(&copy.folder);
        let knows = sites::knowledge(self.state.snapshot().places.geoip.as_ref());
        let (report, set) = sites::compile(key, content.as_ref(), self.state.clock.now(), knows);
        let Some(set) = set.filter(|set| *set.version == *copy.name) else {
            let folder = copy.folder.display().to_string();
            tracing::error!(site = &**key, folder, "the copy of the last good rules is damaged");
            return None;
        };
        self.state.metrics.rules_kept(key, set.rules.len(), copy.since);
        let live = Arc::new(LiveSite::new(Arc::new(set), &self.state.metrics));
        Some((live, InUse { report, since: copy.since, is_copy: true }))
    }

    /// Sites that were there and are not: taken out, unless that would leave nothing. A disk that
    /// is not mounted looks like an empty folder.
    fn apply_missing(&self, folders: &Folders, sites: &mut Vec<SiteReloaded>) -> Option<String> {
        let snapshot = self.state.snapshot();
        let mut gone: BTreeSet<SiteKey> = snapshot.reports.keys().cloned().collect();
        let copies: Vec<SiteKey> = match (&self.kept, &self.seen) {
            (Some(kept), None) => kept.sites().iter().map(|key| key.as_str().into()).collect(),
            _ => Vec::new(),
        };
        gone.extend(copies.iter().cloned());
        gone.retain(|key| !folders.sites.contains_key(&**key));
        let is_missed = |key: &SiteKey| snapshot.sites.contains_key(key) || copies.contains(key);
        let is_any_left = folders.sites.keys().any(|key| snapshot.sites.contains_key(&**key));
        let problem = match &folders.error {
            Some(error) => Some(error.to_string()),
            None if is_any_left || !gone.iter().any(is_missed) => None,
            None => Some(format!(
                "{} holds none of the sites that were in use, and no other one that loads",
                self.rules.display()
            )),
        };
        if problem != snapshot.problem {
            if let Some(problem) = &problem {
                tracing::error!("{problem}; what was in use stays in use");
            }
            let problem = problem.clone();
            let changed = Snapshot { problem, ..Snapshot::clone(&self.state.snapshot()) };
            self.state.current.store(Arc::new(changed));
        }
        for key in gone {
            sites.extend(match &problem {
                Some(problem) if *problem == snapshot.problem.clone().unwrap_or_default() => {
                    let snapshot = self.state.snapshot();
                    snapshot.reports.get(&key).map(|status| as_before(&key, status, &snapshot))
                }
                Some(problem) => Some(self.reject(SiteReport {
                    key,
                    read_at: self.state.clock.now(),
                    files: Vec::new(),
                    is_loaded: false,
                    findings: Vec::new(),
                    notes: vec![problem.clone()],
                })),
                None => self.take_out(key),
            });
        }
        problem
    }

    fn take_out(&self, key: SiteKey) -> Option<SiteReloaded> {
        let snapshot = self.state.snapshot();
        if let Some(kept) = &self.kept
            && let Err(error) = kept.drop_site(&key)
        {
            tracing::warn!(site = &*key, %error, "the copy of a site that is gone stays");
        }
        snapshot.reports.get(&key)?;
        let (mut sites, mut reports) = (snapshot.sites.clone(), snapshot.reports.clone());
        let live = sites.remove(&key);
        reports.remove(&key);
        self.state.current.store(Arc::new(snapshot.with_sites(sites, reports)));
        self.state.metrics.forget_site(&key);
        tracing::info!(site = &*key, "the site is no longer served: its folder is gone");
        Some(SiteReloaded {
            key,
            outcome: Outcome::Removed,
            version: None,
            version_before: live.map(|live| live.set.version.clone()),
            changes: Changes::default(),
            report: None,
        })
    }

    fn publish(&self, key: &SiteKey, live: Option<Arc<LiveSite>>, status: SiteStatus) {
        let snapshot = self.state.snapshot();
        let (mut sites, mut reports) = (snapshot.sites.clone(), snapshot.reports.clone());
        reports.insert(key.clone(), status);
        if let Some(live) = live {
            sites.insert(key.clone(), live);
        }
        self.state.current.store(Arc::new(snapshot.with_sites(sites, reports)));
    }
}

/// What is said of a site whose files are as they were.
fn as_before(key: &SiteKey, status: &SiteStatus, snapshot: &Snapshot) -> SiteReloaded {
    let refused = status.refused().cloned();
    let version = snapshot.sites.get(key).map(|live| live.set.version.clone());
    SiteReloaded {
        key: key.clone(),
        outcome: if refused.is_some() { Outcome::Rejected } else { Outcome::Unchanged },
        version: version.clone(),
        version_before: version,
        changes: Changes::default(),
        report: refused,
    }
}

pub(super) fn shown(at: Timestamp) -> String {
    at.to_utc().map_or_else(String::new, |at| at.to_rfc3339())
}
