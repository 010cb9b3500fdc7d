//! Opening hours: an expression and a zone → whether a moment is open, and when the next one is.
//!
//! The grammar is OpenStreetMap's `opening_hours`
//! (<https://wiki.openstreetmap.org/wiki/Key:opening_hours/specification>). A minute is open if and
//! only if the wall clock shows an open minute in it: an hour that the clocks skip opens nothing, an
//! hour that they repeat is open both times.
//!
//! Must not: read a clock, or know rules, visits and sites.

use std::ops::Range;

use chrono::{DateTime, NaiveDate, Offset, TimeZone};
use chrono_tz::Tz;

use crate::domain::time::Timestamp;

use super::holidays::Calendar;

mod days;
mod hints;
#[cfg(test)]
mod tests;

use days::Days;

/// The longest expression, in bytes.
pub const MAX_EXPRESSION_BYTES: usize = 1_000;
/// How far [`Hours::next_open`] looks ahead, in days.
pub const NEXT_OPEN_DAYS: i64 = 400;
/// The longest stretch that [`Hours::open_spans`] lists, in days; what lies beyond is left out.
pub const MAX_SPANS_DAYS: i64 = 800;

const MINUTES_PER_HOUR: i64 = 60;
const MINUTES_PER_DAY: i64 = 24 * MINUTES_PER_HOUR;
const MILLIS_PER_MINUTE: i64 = 60_000;
/// An hour that is open from its first to its last minute.
const WHOLE_HOUR: u64 = (1 << MINUTES_PER_HOUR) - 1;

/// Why a text is no opening hours, in words for those who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct HoursError {
    /// What is wrong, in one line without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Which bytes of the expression it is about, where known.
    pub at: Option<Range<usize>>,
}

/// Opening hours in one zone.
#[derive(Debug)]
pub struct Hours {
    schedule: LocalSchedule,
    zone: Tz,
}

impl Hours {
    /// Reads an expression such as `Mo-Fr 09:00-18:00; PH off`. `PH` means the holidays given;
    /// `closed` are whole local dates on which it is closed besides, the nights that begin on them
    /// included.
    ///
    /// # Errors
    /// Where the text is no expression of the grammar, is too long, or asks for what a schedule
    /// without a place cannot know (sunrise and sunset).
    pub fn parse(
        expression: &str,
        zone: Tz,
        holidays: Option<Calendar>,
        closed: &[NaiveDate],
    ) -> Result<Self, HoursError> {
        let days = Days::parse(expression, holidays, closed)?;
        Ok(Self { schedule: LocalSchedule { days }, zone })
    }

    /// Whether it is open in the minute of that moment.
    #[must_use]
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.schedule.is_open(now, self.zone)
    }

    /// The open stretches within `[from, until)`: start included, end not; in order, apart from
    /// each other. At most [`MAX_SPANS_DAYS`] are looked at.
    #[must_use]
    pub fn open_spans(&self, from: Timestamp, until: Timestamp) -> Vec<(Timestamp, Timestamp)> {
        self.schedule.open_spans(self.zone, from, until)
    }

    /// The next moment it is open, in its own zone: `now` where it is open. `None` where it does
    /// not open within [`NEXT_OPEN_DAYS`].
    #[must_use]
    pub fn next_open(&self, now: Timestamp) -> Option<DateTime<Tz>> {
        let at = self.schedule.next_open(self.zone, now)?;
        Some(at.to_utc()?.with_timezone(&self.zone))
    }

    /// Whether there is any open minute between 2000 and 2050.
    #[must_use]
    pub fn is_ever_open(&self) -> bool {
        self.schedule.is_ever_open()
    }

    /// Whether holidays (`PH`, `SH`) change anything: if so, it needs a calendar.
    #[must_use]
    pub fn uses_holidays(&self) -> bool {
        self.schedule.uses_holidays()
    }

    /// The zone whose wall clock it goes by.
    #[must_use]
    pub fn zone(&self) -> Tz {
        self.zone
    }
}

/// Opening hours by whatever wall clock they are held against: `Mo-Fr 18:00-22:00`.
#[derive(Debug)]
pub struct LocalSchedule {
    days: Days,
}

impl LocalSchedule {
    /// Reads an expression; it knows no holidays, so `PH` and `SH` are no day.
    ///
    /// # Errors
    /// As [`Hours::parse`].
    pub fn parse(expression: &str) -> Result<Self, HoursError> {
        Ok(Self { days: Days::parse(expression, None, &[])? })
    }

    /// As [`Hours::is_open`].
    #[must_use]
    pub fn is_open(&self, now: Timestamp, zone: Tz) -> bool {
        let minute = now.0.div_euclid(MILLIS_PER_MINUTE);
        local_minute(zone, minute).is_some_and(|local| {
            let day = self.days.day(local.div_euclid(MINUTES_PER_DAY));
            day.is_open(local.rem_euclid(MINUTES_PER_DAY))
        })
    }

    /// As [`Hours::open_spans`].
    #[must_use]
    pub fn open_spans(
        &self,
        zone: Tz,
        from: Timestamp,
        until: Timestamp,
    ) -> Vec<(Timestamp, Timestamp)> {
        let limit = from.0.saturating_add(MAX_SPANS_DAYS * MINUTES_PER_DAY * MILLIS_PER_MINUTE);
        let until = Timestamp(until.0.min(limit));
        let mut spans: Vec<(Timestamp, Timestamp)> = Vec::new();
        if from >= until {
            return spans;
        }
        let mut add = |start: i64, end: i64| {
            let start = Timestamp(start.saturating_mul(MILLIS_PER_MINUTE)).max(from);
            let end = Timestamp(end.saturating_mul(MILLIS_PER_MINUTE)).min(until);
            match spans.last_mut() {
                Some((_, last)) if *last == start => *last = end,
                _ if start < end => spans.push((start, end)),
                _ => {}
            }
        };
        let first = from.0.div_euclid(MILLIS_PER_MINUTE * MINUTES_PER_HOUR);
        let last = (until.0 - 1).div_euclid(MILLIS_PER_MINUTE * MINUTES_PER_HOUR);
        for (hour, bits) in (first..=last).zip(self.hours(zone, first)) {
            let begin = hour.saturating_mul(MINUTES_PER_HOUR);
            let mut rest = bits;
            let mut passed = 0;
            while rest != 0 {
                passed += i64::from(rest.trailing_zeros());
                rest >>= rest.trailing_zeros();
                let open = i64::from(rest.trailing_ones());
                add(begin + passed, begin + passed + open);
                passed += open;
                rest >>= open;
            }
        }
        spans
    }

    /// The next moment it is open: `now`, or the start of a minute.
    fn next_open(&self, zone: Tz, now: Timestamp) -> Option<Timestamp> {
        let first = now.0.div_euclid(MILLIS_PER_MINUTE * MINUTES_PER_HOUR);
        let passed = now.0.div_euclid(MILLIS_PER_MINUTE).rem_euclid(MINUTES_PER_HOUR);
        let hours = NEXT_OPEN_DAYS * 24;
        for (hour, bits) in (first..first.saturating_add(hours)).zip(self.hours(zone, first)) {
            let bits = if hour == first { bits >> passed << passed } else { bits };
            if bits != 0 {
                let minute = hour * MINUTES_PER_HOUR + i64::from(bits.trailing_zeros());
                return Some(Timestamp(minute * MILLIS_PER_MINUTE).max(now));
            }
        }
        None
    }

    fn is_ever_open(&self) -> bool {
        self.days.is_ever_open()
    }

    /// As [`Hours::uses_holidays`].
    #[must_use]
    pub fn uses_holidays(&self) -> bool {
        self.days.uses_holidays()
    }

    /// The open minutes of each hour of UTC from that one on, the first minute lowest.
    fn hours(&self, zone: Tz, first: i64) -> impl Iterator<Item = u64> {
        let mut day = (i64::MIN, self.days.day(i64::MIN));
        let mut is_open = move |local: i64| {
            let number = local.div_euclid(MINUTES_PER_DAY);
            if day.0 != number {
                day = (number, self.days.day(number));
            }
            day.1.clone()
        };
        let mut hour = first;
        std::iter::from_fn(move || {
            let begin = hour.checked_mul(MINUTES_PER_HOUR)?;
            hour = hour.checked_add(1)?;
            let last = begin.checked_add(MINUTES_PER_HOUR - 1)?;
            let (Some(from), Some(to)) = (local_minute(zone, begin), local_minute(zone, last))
            else {
                return Some(0);
            };
            let (start, end) = (from.rem_euclid(MINUTES_PER_DAY), to.rem_euclid(MINUTES_PER_DAY));
            // The clocks did not change within the hour, nor did the date.
            if to - from == MINUTES_PER_HOUR - 1 && start < end {
                return Some(is_open(from).slice(start) & WHOLE_HOUR);
            }
            Some((begin..=last).rev().fold(0, |bits, minute| {
                let is_open = local_minute(zone, minute)
                    .is_some_and(|local| is_open(local).is_open(local.rem_euclid(MINUTES_PER_DAY)));
                bits << 1 | u64::from(is_open)
            }))
        })
    }
}

/// What the zone's wall clock shows in a minute of UTC, both counted from 1970-01-01 00:00. `None`
/// outside the years that chrono knows.
fn local_minute(zone: Tz, minute: i64) -> Option<i64> {
    let second = minute.checked_mul(60)?;
    let utc = DateTime::from_timestamp(second, 0)?.naive_utc();
    let ahead = zone.offset_from_utc_datetime(&utc).fix().local_minus_utc();
    // Offsets that are no whole minutes ended in 1972; their minutes count as those they begin in.
    Some((second + i64::from(ahead)).div_euclid(60))
}
