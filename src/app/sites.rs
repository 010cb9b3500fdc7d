//! Rule folders → rule sets, each whole or not at all, with everything that there is to say.
//!
//! Must not: know what is wrong with a rule; the rules room says so. Or put anything into use.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use crate::domain::time::Timestamp;
use crate::enrich::geoip::GeoIp;
use crate::http::snapshot::SiteReport;
use crate::reload::{ReadError, SiteFolder, read_site};
use crate::rules::compile::{Loaded, load_bytes};
use crate::rules::diagnostic::{Diagnostic, Severity};
use crate::rules::lint::{self, PlaceKnowledge};
use crate::rules::model::RuleSet;

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
    let content = read_site(folder);
    let key = match &content {
        Ok(site) => site.key.clone(),
        Err(_) => {
            folder.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned())
        }
    };
    compile(&key, content.as_ref(), now, knows)
}

/// Compiles what was read of a site, and adds what the time and the place database make of it.
#[must_use]
pub(super) fn compile(
    key: &str,
    content: Result<&SiteFolder, &ReadError>,
    now: Timestamp,
    knows: PlaceKnowledge,
) -> (SiteReport, Option<RuleSet>) {
    let mut report = SiteReport {
        key: key.into(),
        read_at: now,
        files: Vec::new(),
        is_loaded: false,
        findings: Vec::new(),
        notes: Vec::new(),
    };
    let site = match content {
        Ok(site) => site,
        Err(error) => {
            report.notes.push(error.to_string());
            return (report, None);
        }
    };
    report.files = site.files.iter().map(|(name, _)| name.clone()).collect();
    report.notes.clone_from(&site.skipped);
    // No file should make it panic. If one does, the service goes on with the rules it has.
    let loaded = catch_unwind(AssertUnwindSafe(|| {
        let Loaded { set, mut findings } = load_bytes(key, site.files.clone());
        if let Some(set) = &set {
            findings.extend(lint::calendar_warnings(set, now));
            findings.extend(lint::place_warnings(set, knows));
        }
        Loaded { set, findings }
    }));
    let Ok(Loaded { set, findings }) = loaded else {
        let note =
            "reading these files failed inside koekake, which is its mistake: please report it";
        report.notes.push(note.to_owned());
        return (report, None);
    };
    report.is_loaded = set.is_some();
    report.findings = findings;
    (report, set)
}

/// Says in the log what was found, in the very words of `koekake check`.
pub(super) fn log(report: &SiteReport) {
    report.findings.iter().for_each(|finding| log_finding(&report.key, finding));
    for note in &report.notes {
        tracing::warn!(site = &*report.key, "{note}");
    }
}

pub(super) fn log_finding(site: &str, finding: &Diagnostic) {
    match finding.severity {
        Severity::Error => tracing::error!(site, code = finding.code, "{finding}"),
        Severity::Warning => tracing::warn!(site, code = finding.code, "{finding}"),
    }
}
