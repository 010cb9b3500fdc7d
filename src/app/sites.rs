//! Rule folders → sites that are served, each whole or not at all.
//!
//! Must not: know what is wrong with a rule; the rules room says so.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use crate::domain::time::Timestamp;
use crate::enrich::geoip::GeoIp;
use crate::http::state::{SiteReport, State};
use crate::reload::{ReadError, read_site, site_folders};
use crate::rules::compile::{Loaded, load_bytes};
use crate::rules::diagnostic::Severity;
use crate::rules::lint::{self, PlaceKnowledge};
use crate::rules::model::RuleSet;
use crate::service::LiveSite;

/// Reads every site's rules and puts those that load into use. The log says what was found.
///
/// # Errors
/// Where the rules folder cannot be listed.
pub fn load(state: &State, rules: &Path) -> Result<(), ReadError> {
    let now = state.clock.now();
    let knows = knowledge(state.geoip.as_ref());
    let mut sites = HashMap::new();
    let mut reports = Vec::new();
    for folder in site_folders(rules)? {
        let (report, set) = load_one(&folder, now, knows);
        log(&report, set.as_ref());
        match set {
            Some(set) => {
                state.metrics.rules_accepted(&report.key, set.rules.len(), now);
                let live = LiveSite::new(Arc::new(set), &state.metrics);
                sites.insert(report.key.clone(), Arc::new(live));
            }
            None => state.metrics.rules_rejected(&report.key),
        }
        reports.push(report);
    }
    state.replace_sites(sites, reports);
    Ok(())
}

/// What a place database can answer, as lints ask for it; without one, nothing.
#[must_use]
pub fn knowledge(geoip: Option<&GeoIp>) -> PlaceKnowledge {
    let Some(geoip) = geoip else { return PlaceKnowledge::default() };
    let knows = geoip.knows();
    PlaceKnowledge {
        country: knows.country,
        region_code: knows.region_code,
        region_name: knows.region_name,
        city: knows.city,
        time_zone: knows.time_zone,
    }
}

/// Reads and compiles one site's folder, and adds what the time and the place database make of it.
#[must_use]
pub fn load_one(
    folder: &Path,
    now: Timestamp,
    knows: PlaceKnowledge,
) -> (SiteReport, Option<RuleSet>) {
    let folder_name = folder.file_name().map(|name| name.to_string_lossy().into_owned());
    match read_site(folder) {
        Ok(site) => {
            let files = site.files.iter().map(|(name, _)| name.clone()).collect();
            let Loaded { set, mut findings } = load_bytes(&site.key, site.files);
            if let Some(set) = &set {
                findings.extend(lint::calendar_warnings(set, now));
                findings.extend(lint::place_warnings(set, knows));
            }
            let report = SiteReport {
                key: site.key.into(),
                read_at: now,
                files,
                is_loaded: set.is_some(),
                findings,
                notes: site.skipped,
            };
            (report, set)
        }
        Err(error) => {
            let report = SiteReport {
                key: folder_name.unwrap_or_default().into(),
                read_at: now,
                files: Vec::new(),
                is_loaded: false,
                findings: Vec::new(),
                notes: vec![error.to_string()],
            };
            (report, None)
        }
    }
}

fn log(report: &SiteReport, set: Option<&RuleSet>) {
    let site = &*report.key;
    for finding in &report.findings {
        match finding.severity {
            Severity::Error => tracing::error!(site, code = finding.code, "{finding}"),
            Severity::Warning => tracing::warn!(site, code = finding.code, "{finding}"),
        }
    }
    for note in &report.notes {
        tracing::warn!(site, "{note}");
    }
    match set {
        Some(set) => {
            tracing::info!(site, version = %set.version, rules = set.rules.len(), "rules loaded");
        }
        None => tracing::error!(site, "the site is not served: its rules did not load"),
    }
}
