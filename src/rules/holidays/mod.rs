//! Public holidays by country: which dates are holidays, and until when that is certain.
//!
//! Japan's are computed here from its law; other countries' are the ones that the `opening-hours`
//! crate carries (from Nager.Date, nationwide holidays only).
//!
//! Must not: know opening hours, or what day it is.

use std::sync::{Arc, LazyLock};

use chrono::{Datelike, NaiveDate};
use compact_calendar::CompactCalendar;
use opening_hours::ContextHolidays;
use opening_hours::localization::Country;

mod japan;

/// The public holidays of one country.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Calendar {
    /// Japan: computed from the law, equal to the official list as far as that goes.
    Japan,
    /// Another country, as the `opening-hours` crate knows it.
    Other(Country),
}

/// The calendar of a country by its ISO 3166-1 alpha-2 code, in either case.
#[must_use]
pub fn calendar(code: &str) -> Option<Calendar> {
    match code.to_ascii_uppercase().as_str() {
        "JP" => Some(Calendar::Japan),
        other => other.parse().ok().map(Calendar::Other),
    }
}

/// The codes that [`calendar`] takes, in alphabetical order.
pub fn known_codes() -> impl Iterator<Item = &'static str> {
    Country::ALL.into_iter().map(Country::iso_code)
}

impl Calendar {
    /// The country's ISO 3166-1 alpha-2 code.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Japan => "JP",
            Self::Other(country) => country.iso_code(),
        }
    }

    /// The country's English name.
    #[must_use]
    pub fn country(self) -> &'static str {
        match self {
            Self::Japan => "Japan",
            Self::Other(country) => country.name(),
        }
    }

    /// Whether that date is a public holiday: a named one, or a day off that the law derives.
    #[must_use]
    pub fn is_holiday(self, date: NaiveDate) -> bool {
        match self {
            Self::Japan => japan::is_holiday(date),
            Self::Other(country) => country.holidays().get_public().contains(date),
        }
    }

    /// The last holiday of the official list that this calendar was held against; beyond it the
    /// dates are computed, and a government may still move them. `None` where there is no such
    /// list here.
    #[must_use]
    pub fn official_until(self) -> Option<NaiveDate> {
        match self {
            Self::Japan => NaiveDate::from_ymd_opt(2026, 11, 23),
            Self::Other(_) => None,
        }
    }

    /// The last date that this calendar says anything about: beyond it no day is a holiday.
    #[must_use]
    pub fn computed_until(self) -> Option<NaiveDate> {
        let last_year = match self {
            Self::Japan => Some(japan::LAST_YEAR),
            Self::Other(country) => {
                country.holidays().get_public().iter().last().map(|date| date.year())
            }
        };
        last_year.and_then(|year| NaiveDate::from_ymd_opt(year, 12, 31))
    }

    /// The calendar as opening hours take it, for `PH` and, where known, `SH`.
    pub(super) fn for_hours(self) -> ContextHolidays {
        static JAPAN: LazyLock<Arc<CompactCalendar>> = LazyLock::new(|| {
            let mut calendar = CompactCalendar::default();
            for date in (japan::FIRST_YEAR..=japan::LAST_YEAR).flat_map(japan::holidays) {
                calendar.insert(date);
            }
            Arc::new(calendar)
        });
        match self {
            Self::Japan => ContextHolidays::new(JAPAN.clone(), Arc::default()),
            Self::Other(country) => country.holidays(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> NaiveDate {
        text.parse().unwrap()
    }

    /// The Cabinet Office's list; see `tests/data/holidays/README.md`.
    const OFFICIAL: &str = include_str!("../../../tests/data/holidays/cao_1955-2026.csv");

    #[test]
    fn japan_equals_the_official_list_from_1955_to_2026() {
        let official: Vec<NaiveDate> =
            OFFICIAL.lines().skip(1).map(|line| date(line.split(',').next().unwrap())).collect();
        let ours: Vec<NaiveDate> = (1955..=2026).flat_map(japan::holidays).collect();
        for date in &official {
            assert!(ours.contains(date), "{date} is a holiday");
        }
        for date in &ours {
            assert!(official.contains(date), "{date} is not a holiday");
        }
        assert_eq!(ours, official);
        assert!(Calendar::Japan.is_holiday(date("2026-09-22")), "between two holidays");
        assert_eq!(Calendar::Japan.official_until(), official.last().copied());
    }

    #[test]
    fn japan_beyond_the_official_list_follows_the_law() {
        let japan = Calendar::Japan;
        assert!(japan.is_holiday(date("2027-03-22")), "for the equinox on a Sunday");
        assert!(!japan.is_holiday(date("2027-03-23")));
        assert!(japan.is_holiday(date("2032-09-21")), "between two holidays");
        assert!(japan.is_holiday(date("2099-01-01")));
        assert_eq!(japan.computed_until(), Some(date("2099-12-31")));
        assert!(!japan.is_holiday(date("2100-01-01")));
        assert!(!japan.is_holiday(NaiveDate::MIN) && !japan.is_holiday(NaiveDate::MAX));
    }

    #[test]
    fn calendars_are_found_by_code() {
        assert_eq!(calendar("jp"), Some(Calendar::Japan));
        assert_eq!(calendar("DE").map(Calendar::country), Some("Germany"));
        assert_eq!(calendar("XX"), None);
        assert!(known_codes().all(|code| calendar(code).map(Calendar::code) == Some(code)));
        assert!(known_codes().any(|code| code == "JP"));
        assert!(calendar("DE").unwrap().is_holiday(date("2026-10-03")));
        assert_eq!(calendar("DE").unwrap().computed_until(), Some(date("2076-12-31")));
    }
}
