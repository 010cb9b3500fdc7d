//! Japan's public holidays, computed from the law.
//!
//! Sources:
//! - Act on National Holidays (国民の祝日に関する法律, Act No. 178 of 1948) with its amendments of
//!   1966, 1973 (substitute holidays, from 12 April), 1985 (days between two holidays, from
//!   27 December), 1989, 1995, 1998 and 2001 ("Happy Monday"), 2005 (in force 2007: wider substitute
//!   holidays), 2014 and 2018.
//! - The Acts for single days: wedding of the Crown Prince 1959 and 1993, funeral of Emperor Shōwa
//!   1989, enthronements 1990 and 2019; and for the Olympic Games, which moved three holidays in
//!   2020 and again in 2021.
//! - The Cabinet Office's list of holidays (内閣府「国民の祝日について」), which the tests compare.
//! - The days of the equinoxes: the approximation of Nagasawa Kō (長沢工, 海上保安庁水路部
//!   「新こよみ便利帳」). The binding ones are what the National Astronomical Observatory
//!   announces each February for the year after.
//!
//! Must not: foresee what a later Act may change.

use chrono::{Datelike, Days, NaiveDate, Weekday};

/// The first whole year under the Act.
pub(super) const FIRST_YEAR: i32 = 1949;
/// The last year that the formula of the equinoxes is used for here (it is given until 2150).
pub(super) const LAST_YEAR: i32 = 2099;

/// Whether that date is a national holiday or a day off derived from one.
pub(super) fn is_holiday(date: NaiveDate) -> bool {
    is_known(date) && (is_national(date) || is_substitute(date) || is_between(date))
}

/// All holidays of a year, in order.
pub(super) fn holidays(year: i32) -> impl Iterator<Item = NaiveDate> {
    NaiveDate::from_ymd_opt(year, 1, 1)
        .into_iter()
        .flat_map(|first| first.iter_days())
        .take_while(move |date| date.year() == year)
        .filter(|date| is_holiday(*date))
}

fn is_known(date: NaiveDate) -> bool {
    (FIRST_YEAR..=LAST_YEAR).contains(&date.year())
}

/// Whether the Act, or one for that single day, names the date (Articles 1 and 2).
fn is_national(date: NaiveDate) -> bool {
    let (year, day) = (date.year(), date.day());
    let is_monday = |nth: u32| date.weekday() == Weekday::Mon && (day - 1) / 7 + 1 == nth;
    match date.month() {
        1 => day == 1 || if year < 2000 { day == 15 } else { is_monday(2) },
        2 => {
            (day == 11 && year >= 1967) || (day == 23 && year >= 2020) || (year, day) == (1989, 24)
        }
        3 => day == spring_equinox(year),
        4 => day == 29 || (year, day) == (1959, 10),
        5 => day == 3 || (day == 4 && year >= 2007) || day == 5 || (year, day) == (2019, 1),
        6 => (year, day) == (1993, 9),
        7 => match year {
            ..1996 => false,
            1996..2003 => day == 20,
            2020 => day == 23 || day == 24,
            2021 => day == 22 || day == 23,
            _ => is_monday(3),
        },
        8 => match year {
            ..2016 => false,
            2020 => day == 10,
            2021 => day == 8,
            _ => day == 11,
        },
        9 => {
            day == autumn_equinox(year)
                || match year {
                    ..1966 => false,
                    1966..2003 => day == 15,
                    _ => is_monday(3),
                }
        }
        10 => match year {
            ..1966 | 2020 | 2021 => false,
            1966..2000 => day == 10,
            _ => is_monday(2) || (year, day) == (2019, 22),
        },
        11 => day == 3 || day == 23 || (year, day) == (1990, 12),
        12 => day == 23 && (1989..2019).contains(&year),
        _ => false,
    }
}

/// Whether the date is off because a national holiday fell on a Sunday (Article 3, paragraph 2).
fn is_substitute(date: NaiveDate) -> bool {
    let began = NaiveDate::from_ymd_opt(1973, 4, 12);
    if began.is_none_or(|began| date < began) || is_national(date) {
        return false;
    }
    // Until 2006 only the day after that Sunday; since 2007 the first day that is no holiday.
    let mut before = date.pred_opt();
    while let Some(day) = before.filter(|day| is_national(*day)) {
        if day.weekday() == Weekday::Sun {
            return began.is_some_and(|began| day >= began);
        }
        if date.year() < 2007 {
            return false;
        }
        before = day.pred_opt();
    }
    false
}

/// Whether the date is off because it lies between two national holidays (Article 3, paragraph 3).
fn is_between(date: NaiveDate) -> bool {
    NaiveDate::from_ymd_opt(1985, 12, 27).is_some_and(|began| date >= began)
        && (date.year() >= 2007 || date.weekday() != Weekday::Sun)
        && !is_national(date)
        && date.checked_sub_days(Days::new(1)).is_some_and(is_national)
        && date.checked_add_days(Days::new(1)).is_some_and(is_national)
}

/// The day in March.
fn spring_equinox(year: i32) -> u32 {
    equinox(year, 208_357, 208_431)
}

/// The day in September.
fn autumn_equinox(year: i32) -> u32 {
    equinox(year, 232_588, 232_488)
}

/// `base + 0.242194 × (year − 1980) − leap days`, whole days, in millionths to be exact. The base is
/// given in ten-thousandths, for the years before 1980 and from then on.
fn equinox(year: i32, base_before: i32, base_since: i32) -> u32 {
    let (base, leap_days) = if year < 1980 {
        (base_before, (year - 1983) / 4)
    } else {
        (base_since, (year - 1980) / 4)
    };
    let day = (base * 100 + 242_194 * (year - 1980)).div_euclid(1_000_000) - leap_days;
    u32::try_from(day).unwrap_or_default()
}
