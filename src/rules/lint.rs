//! Findings about rules that load: what the time or the database of places makes of them.
//!
//! Must not: read a clock or a database; both are given.

use super::diagnostic::Diagnostic;
use super::holidays::Calendar;
use super::model::{About, Note, PlaceFact, RuleSet};
use crate::domain::time::Timestamp;

/// What the database of places in use can tell. Nothing, where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a column that is there or not")]
pub struct PlaceKnowledge {
    /// `location.country`, and with it `continent` and `in_eu`.
    pub country: bool,
    /// `location.region` by its code: `JP-13`.
    pub region_code: bool,
    /// `location.region` by its English name.
    pub region_name: bool,
    /// `location.city`.
    pub city: bool,
    /// `location.time_zone`.
    pub time_zone: bool,
}

/// What has passed by that moment: official lists of holidays, closed dates, dates of rules. By
/// file and place.
#[must_use]
pub fn calendar_warnings(set: &RuleSet, now: Timestamp) -> Vec<Diagnostic> {
    sorted(set.notes.iter().filter_map(|note| passed(note, now)).collect())
}

/// Conditions and messages that need what the database of places does not know; such a value is
/// missing for every visitor. By file and place.
#[must_use]
pub fn place_warnings(set: &RuleSet, knows: PlaceKnowledge) -> Vec<Diagnostic> {
    sorted(set.notes.iter().filter_map(|note| unknowable(note, knows)).collect())
}

/// Whether a finding is one of [`place_warnings`]: another database, and it may not hold.
#[must_use]
pub fn is_about_places(finding: &Diagnostic) -> bool {
    finding.code == "place-not-known"
}

fn passed(note: &Note, now: Timestamp) -> Option<Diagnostic> {
    match &note.about {
        About::Holidays(calendar, zone) => {
            let today = now.to_utc()?.with_timezone(zone).date_naive();
            holidays(note, *calendar, today)
        }
        About::ClosedUntil(until) if *until <= now => Some(
            warning("closed-dates-passed", note, "every date listed here has passed".to_owned())
                .help("list the next ones, or take `closed` out"),
        ),
        About::ActiveUntil(until) if *until <= now => Some(
            warning("rule-ended", note, "the last day of this rule has passed".to_owned())
                .help("take the rule out, or give it new dates"),
        ),
        _ => None,
    }
}

fn holidays(note: &Note, calendar: Calendar, today: chrono::NaiveDate) -> Option<Diagnostic> {
    let country = calendar.country();
    if let Some(last) = calendar.computed_until().filter(|last| *last < today) {
        let message =
            format!("the calendar of {country} ends on {last}: no day since is a holiday");
        return Some(
            warning("calendar-ended", note, message)
                .help("list the holidays under `closed`, and look for a newer version"),
        );
    }
    let last = calendar.official_until().filter(|last| *last < today)?;
    let message = format!(
        "the official list of holidays in {country} that is known here ends on {last}; later ones \
         are computed from the law"
    );
    Some(
        warning("calendar-ended", note, message)
            .help("compare them with the official list, and add days that differ to `closed`"),
    )
}

fn unknowable(note: &Note, knows: PlaceKnowledge) -> Option<Diagnostic> {
    let About::Place(fact) = &note.about else { return None };
    let (is_known, what) = match fact {
        PlaceFact::Country => (knows.country, "countries"),
        PlaceFact::RegionCode => (knows.region_code, "codes of regions"),
        PlaceFact::RegionName => (knows.region_name, "names of regions"),
        PlaceFact::City => (knows.city, "cities"),
        PlaceFact::TimeZone => (knows.time_zone, "time zones"),
    };
    if is_known {
        return None;
    }
    let has: Vec<&str> = [
        (knows.country, "countries"),
        (knows.region_code || knows.region_name, "regions"),
        (knows.city, "cities"),
        (knows.time_zone, "time zones"),
    ]
    .into_iter()
    .filter_map(|(is_there, what)| is_there.then_some(what))
    .collect();
    let help = match fact {
        PlaceFact::RegionName if knows.region_code => {
            "write the region's code, like JP-13".to_owned()
        }
        PlaceFact::RegionCode if knows.region_name => "write the region's English name".to_owned(),
        _ if has.is_empty() => "there is no database in use; give one by --geoip".to_owned(),
        _ => format!("it knows {}; give another one by --geoip", has.join(", ")),
    };
    let message =
        format!("the database of places knows no {what}, so this is missing for every visitor");
    Some(warning("place-not-known", note, message).help(help))
}

fn warning(code: &'static str, note: &Note, message: String) -> Diagnostic {
    Diagnostic::warning(code, &note.source, note.span, message)
}

fn sorted(mut findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
    findings.sort_by(|a, b| {
        (&a.source.name, a.span.start, a.code).cmp(&(&b.source.name, b.span.start, b.code))
    });
    findings.dedup();
    findings
}
