//! Which rules and places are in use, and what became of reading them, as operators see it.
//!
//! Must not: keep anything back that `koekake check` would say.

use serde_json::{Value, json};

use crate::domain::ids::SiteKey;
use crate::domain::time::Timestamp;
use crate::enrich::geoip::GeoIp;
use crate::http::reload::{Reloaded, SiteReloaded};
use crate::http::snapshot::{Places, SiteReport, SiteStatus, Snapshot};
use crate::rules::diagnostic::Diagnostic;
use crate::rules::model::{Mode, Rule};
use crate::service::LiveSite;

/// The answer of `GET /v1/rules`.
#[must_use]
pub fn rules_json(snapshot: &Snapshot, now: Timestamp) -> Vec<u8> {
    let sites: Vec<_> = snapshot
        .reports
        .iter()
        .map(|(key, status)| {
            site_json(key, status, snapshot.sites.get(key).map(|live| &**live), now)
        })
        .collect();
    let all = json!({
        "sites": sites,
        "places": places_json(&snapshot.places),
        "problem": snapshot.problem,
    });
    serde_json::to_vec(&all).unwrap_or_default()
}

/// The answer of `POST /v1/rules/reload`.
#[must_use]
pub fn reloaded_json(reloaded: &Reloaded) -> Vec<u8> {
    let all = json!({
        "ok": reloaded.is_fine(),
        "changed": reloaded.is_changed(),
        "sites": reloaded.sites.iter().map(site_reloaded_json).collect::<Vec<_>>(),
        "places": {
            "outcome": reloaded.places.outcome.as_str(),
            "database": reloaded.places.description,
            "errors": reloaded.places.errors,
        },
        "problem": reloaded.problem,
    });
    serde_json::to_vec(&all).unwrap_or_default()
}

fn site_reloaded_json(site: &SiteReloaded) -> Value {
    let findings = site.report.iter().flat_map(|report| &report.findings);
    let notes = site.report.iter().flat_map(|report| &report.notes);
    json!({
        "site": &*site.key,
        "outcome": site.outcome.as_str(),
        "version": site.version,
        "version_before": site.version_before,
        "rules": {
            "added": site.changes.added,
            "removed": site.changes.removed,
            "changed": site.changes.changed,
        },
        "site_settings_changed": site.changes.is_site_changed,
        "findings": findings.map(finding_json).collect::<Vec<_>>(),
        "notes": notes.collect::<Vec<_>>(),
    })
}

fn site_json(key: &SiteKey, status: &SiteStatus, live: Option<&LiveSite>, now: Timestamp) -> Value {
    let in_use = status.in_use.as_ref();
    let rejected = status.rejected.as_ref();
    let report = in_use.map(|it| &it.report).or(rejected.map(|it| &it.report));
    let rules = live.map(|live| live.set.rules.as_slice()).unwrap_or_default();
    let findings = report.map(|report| report.findings.as_slice()).unwrap_or_default();
    json!({
        "site": &**key,
        "loaded": live.is_some(),
        "version": live.map(|live| &*live.set.version),
        "since": in_use.and_then(|it| moment(it.since)),
        "from_copy": in_use.is_some_and(|it| it.is_copy),
        "read_at": report.and_then(|report| moment(report.read_at)),
        "files": report.map(|report| report.files.as_slice()).unwrap_or_default(),
        "rules": rules.iter().map(|rule| rule_json(rule, now)).collect::<Vec<_>>(),
        "findings": findings.iter().map(finding_json).collect::<Vec<_>>(),
        "notes": report.map(|report| report.notes.as_slice()).unwrap_or_default(),
        "rejected": rejected.map(|it| rejected_json(&it.report, it.is_current)),
    })
}

fn rejected_json(report: &SiteReport, is_current: bool) -> Value {
    json!({
        "at": moment(report.read_at),
        "current": is_current,
        "files": report.files,
        "findings": report.findings.iter().map(finding_json).collect::<Vec<_>>(),
        "notes": report.notes,
    })
}

fn rule_json(rule: &Rule, now: Timestamp) -> Value {
    let hours = rule.hours.as_ref().map(|gate| {
        json!({
            "name": gate.name,
            "outside": gate.is_outside,
            "open": gate.hours.is_open(now) != gate.is_outside,
        })
    });
    json!({
        "id": &*rule.id,
        "description": rule.description,
        "priority": rule.priority,
        "mode": rule.mode.as_str(),
        "state": state(rule, now),
        "active": { "from": moment(rule.active_from), "until": moment(rule.active_until) },
        "hours": hours,
        "rollout": rule.rollout,
        "holdout": rule.holdout,
        "file": rule.source.name,
        "line": rule.source.position(rule.span.start).line,
        "variants": rule.variants.iter().map(|v| &*v.id).collect::<Vec<_>>(),
    })
}

/// What a rule is doing, by its mode and its dates.
fn state(rule: &Rule, now: Timestamp) -> &'static str {
    match rule.mode {
        Mode::Off => "off",
        _ if now < rule.active_from => "not_yet",
        _ if now >= rule.active_until => "over",
        mode => mode.as_str(),
    }
}

fn places_json(places: &Places) -> Value {
    json!({
        "database": places.geoip.as_ref().map(GeoIp::description),
        "built": places.geoip.as_ref().and_then(|geoip| moment(geoip.build_time())),
        "since": places.since.and_then(moment),
        "from_copy": places.is_copy,
        "rejected": places.rejected.as_ref().map(|rejected| json!({
            "at": moment(rejected.at),
            "current": rejected.is_current,
            "errors": rejected.errors,
        })),
    })
}

/// A finding, for programs and for people.
pub fn finding_json(finding: &Diagnostic) -> Value {
    let at = finding.source.position(finding.span.start);
    json!({
        "severity": finding.severity,
        "code": finding.code,
        "file": finding.source.name,
        "line": at.line,
        "column": at.column,
        "message": finding.message,
        "help": finding.help,
        "text": finding.to_string(),
    })
}

/// A moment as RFC 3339 writes it; none for "always" and "never".
fn moment(at: Timestamp) -> Option<String> {
    at.to_utc().map(|at| at.to_rfc3339())
}
