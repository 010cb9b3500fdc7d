//! What has passed: dates of rules, dates that hours are closed on, lists of holidays.

use super::subject::{Found, Subject};
use crate::rules::holidays::Calendar;
use crate::rules::model::{About, Note};

pub(super) fn rule_ended(subject: &Subject<'_>, all: &mut Vec<Found>) {
    all.extend(subject.set.notes.iter().filter_map(|note| match &note.about {
        About::ActiveUntil(until) if *until <= subject.at.now => Some(found(
            note,
            "the last day of this rule has passed",
            "take the rule out, or give it new dates",
        )),
        _ => None,
    }));
}

pub(super) fn closed_passed(subject: &Subject<'_>, all: &mut Vec<Found>) {
    all.extend(subject.set.notes.iter().filter_map(|note| match &note.about {
        About::ClosedUntil(until) if *until <= subject.at.now => Some(found(
            note,
            "every date listed here has passed",
            "list the next ones, or take `closed` out",
        )),
        _ => None,
    }));
}

pub(super) fn calendar_ended(subject: &Subject<'_>, all: &mut Vec<Found>) {
    all.extend(subject.set.notes.iter().filter_map(|note| match &note.about {
        About::Holidays(calendar, zone) => {
            let today = subject.at.now.to_utc()?.with_timezone(zone).date_naive();
            holidays(note, *calendar, today)
        }
        _ => None,
    }));
}

fn found(note: &Note, message: impl Into<String>, help: &str) -> Found {
    Found::new(&note.source, note.span, message, help)
}

fn holidays(note: &Note, calendar: Calendar, today: chrono::NaiveDate) -> Option<Found> {
    let country = calendar.country();
    if let Some(last) = calendar.computed_until().filter(|last| *last < today) {
        let message =
            format!("the calendar of {country} ends on {last}: no day since is a holiday");
        return Some(found(
            note,
            message,
            "list the holidays under `closed`, and look for a newer version",
        ));
    }
    let last = calendar.official_until().filter(|last| *last < today)?;
    let message = format!(
        "the official list of holidays in {country} that is known here ends on {last}; later ones \
         are computed from the law"
    );
    Some(found(
        note,
        message,
        "compare them with the official list, and add days that differ to `closed`",
    ))
}
