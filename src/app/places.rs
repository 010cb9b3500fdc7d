//! The place database that was read → the one in use, or why the one before stays.
//!
//! Must not: know when it is read.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use super::reload::{Reloader, shown};
use super::sites::{knowledge, log_finding};
use crate::config::Geoip;
use crate::domain::time::Timestamp;
use crate::enrich::geoip::{self, GeoIp, Opened};
use crate::http::reload::{Outcome, PlacesReloaded};
use crate::http::snapshot::{Places, PlacesRejected, Snapshot};
use crate::rules::lint;

impl Reloader {
    /// Where the database is to be.
    pub(super) fn places_path(&self) -> Option<&Path> {
        match &self.geoip {
            Geoip::Default(path) | Geoip::At(path) => Some(path),
            Geoip::Off => None,
        }
    }

    /// Puts the database that is there into use, if it is good and another one. `print` tells
    /// whether the files can have changed.
    pub(super) fn apply_places(&self, print: Option<u64>) -> PlacesReloaded {
        let snapshot = self.state.snapshot();
        let Some(path) = self.places_path() else {
            return told(&snapshot.places, Outcome::Unchanged);
        };
        if self.seen.as_ref().is_some_and(|seen| seen.places == print) {
            let outcome = match &snapshot.places.rejected {
                Some(rejected) if rejected.is_current => Outcome::Rejected,
                _ => Outcome::Unchanged,
            };
            return told(&snapshot.places, outcome);
        }
        let opened = open(path);
        let is_first = self.seen.is_none();
        let is_doubtful = opened.geoip.is_none() || !opened.errors.is_empty();
        let before = match &snapshot.places.geoip {
            None if is_first && is_doubtful => self.copied_places().unwrap_or_default(),
            _ => snapshot.places.clone(),
        };
        let errors = refusal(path, &opened, before.geoip.as_ref());
        opened.errors.iter().for_each(|error| tracing::error!("{error}"));
        let now = self.state.clock.now();
        match opened.geoip {
            Some(geoip) if errors.is_empty() => {
                opened.notes.iter().for_each(|note| tracing::info!("{note}"));
                self.take_places(geoip, &before, now)
            }
            _ if errors.is_empty() => {
                opened.notes.iter().for_each(|note| tracing::info!("{note}"));
                tracing::warn!("no place database: conditions on places never hold");
                told(&before, Outcome::Unchanged)
            }
            _ => self.refuse_places(errors, before, now),
        }
    }

    fn take_places(&self, geoip: GeoIp, before: &Places, now: Timestamp) -> PlacesReloaded {
        let old = before.geoip.as_ref().map(GeoIp::fingerprint);
        let is_same = old == Some(geoip.fingerprint());
        let outcome = match old {
            _ if is_same => Outcome::Unchanged,
            None => Outcome::Added,
            Some(_) => Outcome::Changed,
        };
        let mut places = Places { since: Some(now), is_copy: false, ..before.clone() };
        if is_same {
            places.since = before.since;
        } else {
            places.geoip = Some(geoip);
        }
        if let Some(rejected) = &mut places.rejected {
            rejected.is_current = false;
        }
        self.state.metrics.geoip_reloaded(true);
        self.publish_places(places.clone());
        if let (Some(kept), Some(geoip)) = (&self.kept, &places.geoip) {
            let files = geoip.files();
            let files = files.iter().map(|(name, content)| (*name, content.as_slice()));
            if let Err(error) = kept.keep_places(geoip.fingerprint(), now, files) {
                tracing::warn!(%error, "no copy of the place database could be kept");
            }
        }
        told(&places, outcome)
    }

    fn refuse_places(&self, errors: Vec<String>, before: Places, now: Timestamp) -> PlacesReloaded {
        self.state.metrics.geoip_reloaded(false);
        match &before.geoip {
            Some(geoip) => {
                let since = before.since.map(shown).unwrap_or_default();
                let what =
                    if before.is_copy { "the copy of the last good one" } else { "the one before" };
                tracing::error!(
                    "the place database is not used: {}; {what} stays in use, since {since}: {}",
                    errors.join("; "),
                    geoip.description()
                );
            }
            None => tracing::warn!("no place database: conditions on places never hold"),
        }
        let rejected = Some(PlacesRejected { at: now, errors, is_current: true });
        let places = Places { rejected, ..before };
        self.publish_places(places.clone());
        told(&places, Outcome::Rejected)
    }

    /// Puts places into use, and looks again at what the rules in use want of them.
    fn publish_places(&self, places: Places) {
        let snapshot = self.state.snapshot();
        if let Some(geoip) = &places.geoip {
            let built = u64::try_from(geoip.build_time().0 / 1_000).unwrap_or(0);
            self.state.metrics.geoip_built(built);
        }
        let knows = knowledge(places.geoip.as_ref());
        let mut reports = snapshot.reports.clone();
        for (key, status) in &mut reports {
            let (Some(in_use), Some(live)) = (&mut status.in_use, snapshot.sites.get(key)) else {
                continue;
            };
            let before = std::mem::take(&mut in_use.report.findings);
            let now = lint::place_warnings(&live.set, knows);
            let said: Vec<String> = before.iter().map(ToString::to_string).collect();
            now.iter()
                .filter(|finding| !said.contains(&finding.to_string()))
                .for_each(|finding| log_finding(key, finding));
            let others = before.into_iter().filter(|finding| !lint::is_about_places(finding));
            in_use.report.findings = others.chain(now).collect();
        }
        let changed = Snapshot { reports, places, ..Snapshot::clone(&snapshot) };
        self.state.current.store(Arc::new(changed));
    }

    /// The database that an earlier run had in use.
    fn copied_places(&self) -> Option<Places> {
        let copy = self.kept.as_ref()?.places_copy()?;
        let geoip = open(&copy.folder).geoip;
        let is_whole = |geoip: &GeoIp| format!("{:016x}", geoip.fingerprint()) == copy.name;
        let Some(geoip) = geoip.filter(is_whole) else {
            let folder = copy.folder.display().to_string();
            tracing::error!(folder, "the copy of the last good place database is damaged");
            return None;
        };
        let since = Some(copy.since);
        Some(Places { geoip: Some(geoip), since, is_copy: true, rejected: None })
    }
}

fn open(path: &Path) -> Opened {
    // No file should make it panic. If one does, the service goes on with the places it has.
    catch_unwind(AssertUnwindSafe(|| geoip::open_path(path))).unwrap_or_default()
}

/// Why what was opened is not to be used: a file that is in use cannot be read any more, or
/// nothing is left. Other files that cannot be used hinder nobody.
fn refusal(path: &Path, opened: &Opened, before: Option<&GeoIp>) -> Vec<String> {
    let files = before.map(GeoIp::files).unwrap_or_default();
    let is_in_use = |name: &str| files.iter().any(|(file, _)| *file == name);
    let is_hit = opened.errors.iter().any(|error| is_in_use(&error.name()));
    if opened.geoip.is_some() && !is_hit {
        return Vec::new();
    }
    if !opened.errors.is_empty() {
        return opened.errors.iter().map(ToString::to_string).collect();
    }
    if before.is_none() {
        return Vec::new();
    }
    vec![format!("{} holds no database (`--geoip none` does without one)", path.display())]
}

fn told(places: &Places, outcome: Outcome) -> PlacesReloaded {
    let errors = match &places.rejected {
        Some(rejected) if rejected.is_current => rejected.errors.clone(),
        _ => Vec::new(),
    };
    PlacesReloaded { outcome, description: places.geoip.as_ref().map(GeoIp::description), errors }
}
