//! Opening hours on a wall clock, minute by minute, for expressions as the cases have them:
//! `Mo-Fr 09:00-12:00,13:00-18:00; Sa 22:00-02:00; PH off`.
//!
//! A later rule for a date takes the place of earlier ones, a span past midnight belongs to the date
//! that it begins on, and a date that is off as a whole is closed from midnight to midnight and has
//! no night of its own. Must not: remember anything between two questions, but the holidays.

use std::collections::HashSet;

use chrono::{Datelike, NaiveDate, NaiveDateTime, Timelike};
use chrono_tz::Tz;
use koekake::domain::time::Timestamp;

/// The official list, and the law's word for the year after it.
const HOLIDAYS_JP: &str = include_str!("../data/holidays/cao_1955-2026.csv");
/// From the Act on National Holidays: fixed days, Happy Mondays, equinoxes as the National
/// Astronomical Observatory announced them (21 March, 23 September 2027), and 22 March as the
/// substitute for a Sunday.
const HOLIDAYS_JP_2027: &[&str] = &[
    "2027-01-01",
    "2027-01-11",
    "2027-02-11",
    "2027-02-23",
    "2027-03-21",
    "2027-03-22",
    "2027-04-29",
    "2027-05-03",
    "2027-05-04",
    "2027-05-05",
    "2027-07-19",
    "2027-08-11",
    "2027-09-20",
    "2027-09-23",
    "2027-10-11",
    "2027-11-03",
    "2027-11-23",
];

const DAY: usize = 24 * 60;
const WEEKDAYS: [&str; 7] = ["Mo", "Tu", "We", "Th", "Fr", "Sa", "Su"];
const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// What the clock on the wall says.
pub fn wall_clock(at: Timestamp, zone: Tz) -> NaiveDateTime {
    at.to_utc().expect("a moment of the calendar").with_timezone(&zone).naive_local()
}

/// Whether that expression says open at that moment.
pub fn is_open(
    expression: &str,
    holidays: Option<&str>,
    closed: &[String],
    zone: Tz,
    at: Timestamp,
) -> bool {
    let local = wall_clock(at, zone);
    let minute = (local.hour() * 60 + local.minute()) as usize;
    let today = plan(expression, holidays, closed, local.date());
    let eve = plan(expression, holidays, closed, local.date().pred_opt().expect("a day before"));
    !today.is_off && (today.covers(minute) || eve.covers(minute + DAY))
}

/// One date and the night after it.
#[derive(Default)]
struct Plan {
    /// In minutes since the date's midnight.
    spans: Vec<(usize, usize)>,
    is_off: bool,
}

impl Plan {
    fn covers(&self, minute: usize) -> bool {
        !self.is_off && self.spans.iter().any(|(from, until)| (*from..*until).contains(&minute))
    }
}

fn plan(expression: &str, holidays: Option<&str>, closed: &[String], date: NaiveDate) -> Plan {
    let mut plan = Plan::default();
    for rule in expression.split(';').map(str::trim) {
        let (days, times) = match rule.rfind(' ') {
            Some(at) if !is_days(&rule[at + 1..]) => (&rule[..at], &rule[at + 1..]),
            _ if is_days(rule) => (rule, "24/7"),
            _ => ("", rule),
        };
        if days.is_empty() || days.split(',').any(|days| is_among(days, holidays, date)) {
            plan = match times {
                "off" => Plan { spans: Vec::new(), is_off: true },
                "24/7" => Plan { spans: vec![(0, DAY)], is_off: false },
                times => Plan { spans: times.split(',').map(span).collect(), is_off: false },
            };
        }
    }
    plan.is_off |= closed.contains(&date.to_string());
    plan
}

fn is_days(word: &str) -> bool {
    word != "off" && word.starts_with(|c: char| c.is_ascii_alphabetic())
}

/// `Mo`, `Fr-Mo`, `PH` or `Dec 24-31`.
fn is_among(days: &str, holidays: Option<&str>, date: NaiveDate) -> bool {
    if days == "PH" {
        return match holidays {
            Some("JP") => is_holiday_in_japan(date),
            Some(other) => panic!("no holidays of {other} here"),
            None => false,
        };
    }
    if let Some((month, range)) = days.split_once(' ') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let [first, last] = [first, last].map(|day| day.parse::<u32>().expect("a day"));
        return MONTHS[date.month0() as usize] == month && (first..=last).contains(&date.day());
    }
    let (first, last) = days.split_once('-').unwrap_or((days, days));
    let place = |day| WEEKDAYS.iter().position(|name| *name == day).expect("a weekday");
    let (first, last) = (place(first), place(last));
    let today = date.weekday().num_days_from_monday() as usize;
    if first <= last { (first..=last).contains(&today) } else { today >= first || today <= last }
}

/// `09:00-18:00`, `22:00-02:00` past midnight.
fn span(text: &str) -> (usize, usize) {
    let (from, until) = text.split_once('-').expect("a span of time");
    let [from, until] = [from, until].map(|time| {
        let (hour, minute) = time.split_once(':').expect("a time");
        let [hour, minute] = [hour, minute].map(|n| n.parse::<usize>().expect("a number"));
        hour * 60 + minute
    });
    (from, if until > from { until } else { until + DAY })
}

fn is_holiday_in_japan(date: NaiveDate) -> bool {
    thread_local! {
        static HOLIDAYS: HashSet<NaiveDate> = HOLIDAYS_JP
            .lines()
            .skip(1)
            .filter_map(|line| line.split(',').next())
            .chain(HOLIDAYS_JP_2027.iter().copied())
            .filter_map(|day| NaiveDate::parse_from_str(day, "%Y-%m-%d").ok())
            .collect();
    }
    HOLIDAYS.with(|holidays| holidays.contains(&date))
}
