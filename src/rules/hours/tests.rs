//! What a site's owner relies on: open when the clock on the wall says so.

use chrono::{DateTime, NaiveDate};
use chrono_tz::{America, Asia, Australia, Europe, Tz};
use proptest::prelude::*;

use super::*;
use crate::domain::time::Millis;

fn at(text: &str) -> Timestamp {
    DateTime::parse_from_rfc3339(text).unwrap().to_utc().into()
}

fn hours(expression: &str, zone: Tz) -> Hours {
    Hours::parse(expression, zone, None, &[]).unwrap()
}

fn in_japan(expression: &str, closed: &[&str]) -> Hours {
    let closed: Vec<NaiveDate> = closed.iter().map(|date| date.parse().unwrap()).collect();
    Hours::parse(expression, Asia::Tokyo, Some(Calendar::Japan), &closed).unwrap()
}

fn help(expression: &str) -> String {
    let error = LocalSchedule::parse(expression).expect_err(expression);
    error.help.unwrap()
}

#[test]
fn hours_keep_to_the_wall_clock_when_clocks_change() {
    let berlin = hours("Mo-Su 09:00-18:00", Europe::Berlin);
    for (date, winter) in [("2026-03-28", true), ("2026-03-29", false), ("2026-10-25", true)] {
        let utc = if winter { "08" } else { "07" };
        assert!(berlin.is_open(at(&format!("{date}T{utc}:00:00Z"))));
        assert!(!berlin.is_open(at(&format!("{date}T{utc}:00:00Z")) - Millis::minutes(1)));
    }
    let new_york = hours("Mo-Su 09:00-17:00", America::New_York);
    assert!(!new_york.is_open(at("2026-03-07T13:59:00Z")));
    assert!(new_york.is_open(at("2026-03-08T13:00:00Z")));
    assert!(!new_york.is_open(at("2026-03-08T21:00:00Z")));
    assert!(new_york.is_open(at("2026-11-01T21:59:59Z")));
}

#[test]
fn an_hour_that_is_skipped_opens_nothing_and_one_that_is_repeated_opens_twice() {
    let night = hours("02:00-03:00", Europe::Berlin);
    assert_eq!(night.open_spans(at("2026-03-28T12:00:00Z"), at("2026-03-29T12:00:00Z")), []);
    assert_eq!(
        night.open_spans(at("2026-10-24T12:00:00Z"), at("2026-10-25T12:00:00Z")),
        [(at("2026-10-25T00:00:00Z"), at("2026-10-25T02:00:00Z"))]
    );
    let half = hours("01:30-01:45", America::New_York);
    let spans = half.open_spans(at("2026-11-01T00:00:00Z"), at("2026-11-02T00:00:00Z"));
    let starts: Vec<_> = spans.iter().map(|span| span.0).collect();
    assert_eq!(starts, [at("2026-11-01T05:30:00Z"), at("2026-11-01T06:30:00Z")]);
    let again = half.next_open(at("2026-11-01T05:50:00Z")).unwrap();
    assert_eq!(again.to_rfc3339(), "2026-11-01T01:30:00-05:00");
}

#[test]
fn a_night_belongs_to_the_day_it_begins_on() {
    let friday = hours("Fr 18:00-02:00", Asia::Tokyo);
    assert!(friday.is_open(at("2026-11-21T01:00:00+09:00")), "Saturday at one");
    assert!(!friday.is_open(at("2026-11-20T01:00:00+09:00")), "Friday at one");
    assert!(!friday.is_open(at("2026-11-21T02:00:00+09:00")));
    let bar = hours("Mo-Th 18:00-02:00; Fr-Sa 18:00-04:00", Asia::Tokyo);
    assert!(bar.is_open(at("2026-11-20T01:59:00+09:00")), "Thursday's night, on Friday");
    assert!(!bar.is_open(at("2026-11-20T02:00:00+09:00")));
    assert!(bar.is_open(at("2026-11-21T03:59:00+09:00")));
    let off = hours("Mo-Su 22:00-02:00; We off", Asia::Tokyo);
    assert!(off.is_open(at("2026-11-17T23:59:00+09:00")), "Tuesday before midnight");
    assert!(!off.is_open(at("2026-11-18T00:30:00+09:00")), "Wednesday is off from midnight");
    assert!(!off.is_open(at("2026-11-19T00:30:00+09:00")), "and has no night of its own");
    assert!(off.is_open(at("2026-11-20T00:30:00+09:00")));
    let nap = hours("24/7; Fr 23:00-01:00 off", Asia::Tokyo);
    assert!(!nap.is_open(at("2026-11-21T00:30:00+09:00")));
    assert!(nap.is_open(at("2026-11-21T01:00:00+09:00")));
}

#[test]
fn holidays_and_closed_dates_close_local_dates() {
    let support = in_japan("Mo-Fr 09:00-18:00; PH off", &["2026-12-28"]);
    assert!(support.uses_holidays());
    assert!(!support.is_open(at("2026-09-22T10:00:00+09:00")), "between two holidays");
    assert!(!support.is_open(at("2027-03-22T10:00:00+09:00")), "substitute holiday");
    assert!(support.is_open(at("2026-09-24T10:00:00+09:00")));
    assert!(!support.is_open(at("2026-12-28T10:00:00+09:00")));
    assert!(support.is_open(at("2026-12-29T10:00:00+09:00")));
    let next = support.next_open(at("2026-09-18T18:00:00+09:00")).unwrap();
    assert_eq!(next.to_rfc3339(), "2026-09-24T09:00:00+09:00");
    let always = in_japan("24/7", &["2026-12-25"]);
    assert_eq!(
        always.open_spans(at("2026-12-24T00:00:00+09:00"), at("2026-12-27T00:00:00+09:00")),
        [
            (at("2026-12-24T00:00:00+09:00"), at("2026-12-25T00:00:00+09:00")),
            (at("2026-12-26T00:00:00+09:00"), at("2026-12-27T00:00:00+09:00")),
        ]
    );
    let nights = in_japan("22:00-02:00", &["2026-12-25"]);
    assert!(nights.is_open(at("2026-12-24T23:00:00+09:00")));
    assert!(!nights.is_open(at("2026-12-25T01:00:00+09:00")));
    assert!(!nights.is_open(at("2026-12-26T01:00:00+09:00")));
}

#[test]
fn a_saturday_of_the_server_may_be_a_sunday_there() {
    let sunday = hours("Su 08:00-12:00", Asia::Tokyo);
    assert!(sunday.is_open(at("2026-11-21T23:30:00Z")));
    assert!(!sunday.is_open(at("2026-11-22T23:30:00Z")));
    let schedule = LocalSchedule::parse("Su 08:00-12:00").unwrap();
    assert!(schedule.is_open(at("2026-11-21T23:30:00Z"), Asia::Tokyo));
    assert!(!schedule.is_open(at("2026-11-21T23:30:00Z"), Europe::Berlin));
    assert!(schedule.is_open(at("2026-11-22T08:00:00Z"), Europe::Berlin));
}

#[test]
fn rules_replace_add_and_stand_in() {
    let is_open = |expression: &str, time: &str| {
        hours(expression, Asia::Tokyo).is_open(at(&format!("2026-11-20T{time}:00+09:00")))
    };
    assert!(!is_open("Mo-Fr 09:00-18:00; Fr 10:00-12:00", "09:30"), "a later rule replaces");
    assert!(is_open("Mo-Fr 09:00-12:00, Fr 14:00-16:00", "09:30"), "a comma adds");
    assert!(is_open("Mo-Fr 09:00-12:00, Fr 14:00-16:00", "14:00"));
    assert!(is_open("Sa 09:00-12:00 || 14:00-16:00", "14:00"), "stands in");
    assert!(!is_open("Fr 09:00-12:00 || 14:00-16:00", "14:00"));
    assert!(!is_open("Mo-Fr 09:00-18:00 unknown", "10:00"), "unknown is not open");
    assert!(!is_open("Mo-Fr 09:00-18:00; 12:00-13:00 off", "12:30"), "a lunch break");
    assert!(is_open("Mo-Fr 09:00-18:00; 12:00-13:00 off", "13:00"));
    for days in ["Nov 20", "2026", "2026 Nov 15-25", "week 47", "Fr[3]", "Oct-Dec Fr", "Nov Fr[3]"]
    {
        assert!(is_open(&format!("{days} 09:00-18:00"), "10:00"), "{days}");
    }
    for days in
        ["easter", "2027+", "Nov 21+", "week 1-45/2", "Fr[-1]", "Mo,We,Sa-Su", "Dec 25 -1 day"]
    {
        assert!(!is_open(&format!("{days} 09:00-18:00"), "10:00"), "{days}");
    }
}

#[test]
fn next_open_is_now_later_or_never() {
    let support = hours("Mo-Fr 09:00-18:00", Europe::Berlin);
    let now = at("2026-11-20T12:00:30Z");
    assert_eq!(Timestamp::from(support.next_open(now).unwrap().to_utc()), now);
    let next = support.next_open(at("2026-11-20T17:00:00Z")).unwrap();
    assert_eq!(next.to_rfc3339(), "2026-11-23T09:00:00+01:00");
    let never = hours("off", Europe::Berlin);
    assert_eq!(never.next_open(now), None);
    assert!(!never.is_ever_open() && support.is_ever_open());
    assert!(!hours("PH 09:00-18:00", Europe::Berlin).is_ever_open());
    assert!(hours("2031 Feb 03 10:00-10:01", Europe::Berlin).is_ever_open());
}

#[test]
fn moments_at_the_ends_of_time_are_closed() {
    let always = hours("24/7", Europe::Berlin);
    for now in [Timestamp::MIN, Timestamp::MAX] {
        assert!(!always.is_open(now));
        assert_eq!(always.next_open(now), None);
    }
    assert_eq!(always.open_spans(Timestamp::MIN, Timestamp::MAX), []);
    assert_eq!(always.open_spans(at("2026-01-01T00:00:00Z"), Timestamp::MAX).len(), 1);
    assert_eq!(always.open_spans(at("2026-01-02T00:00:00Z"), at("2026-01-01T00:00:00Z")), []);
}

#[test]
fn common_ways_of_writing_hours_get_a_hint() {
    for (written, meant) in [
        ("Mon-Fr 09:00-18:00", "Mo-Fr 09:00-18:00"),
        ("Mo-Fri 09:00-18:00", "Mo-Fr 09:00-18:00"),
        ("Monday 09:00-18:00", "Mo 09:00-18:00"),
        ("Monday to Friday, 9am to 6pm", "Mo-Fr 09:00-18:00"),
        ("Mo-Fr 9-18", "Mo-Fr 09:00-18:00"),
        ("Mo-Fr 9am-6pm", "Mo-Fr 09:00-18:00"),
        ("Mo-Fr 9:30 a.m. - 12 p.m.", "Mo-Fr 09:30-12:00"),
        ("Mo-Fr 09:00–18:00", "Mo-Fr 09:00-18:00"),
        ("Mo—Fr 09:00—18:00", "Mo-Fr 09:00-18:00"),
        ("9:00〜18:00", "09:00-18:00"),
        ("9:00～18:00", "09:00-18:00"),
        ("月-金 09:00-18:00", "Mo-Fr 09:00-18:00"),
        ("月〜金 ９：００〜１８：００、土日祝休み", "Mo-Fr 09:00-18:00, Sa,Su,PH off"),
        ("平日 9時から18時半", "Mo-Fr 09:00-18:30"),
        ("24h", "24/7"),
        ("24時間", "24/7"),
        ("Mo-Fr 09:00-18:00 Sa 10:00-17:00", "Mo-Fr 09:00-18:00; Sa 10:00-17:00"),
        ("Mo-Fr 09:00-18:00\nSa 10:00-17:00", "Mo-Fr 09:00-18:00; Sa 10:00-17:00"),
        ("Mo-Fr 09:00-18:00;", "Mo-Fr 09:00-18:00"),
        ("Mo-Fr: 09:00-18:00", "Mo-Fr 09:00-18:00"),
        ("Mo Fr 09:00-10:00", "Mo,Fr 09:00-10:00"),
        ("Mo-Fr 0900-1800", "Mo-Fr 09:00-18:00"),
        ("Mo-Fr 09.00-18.00", "Mo-Fr 09:00-18:00"),
        ("weekdays 9-17, weekends closed", "Mo-Fr 09:00-17:00, Sa-Su off"),
        ("daily 9:00-18:00", "Mo-Su 09:00-18:00"),
        ("Sunday closed", "Su off"),
    ] {
        assert_eq!(help(written), format!("did you mean `{meant}`?"), "{written}");
    }
}

#[test]
fn nonsense_is_refused_in_plain_words() {
    assert!(help("25:00-26:00").contains("18:00-02:00"));
    assert!(help("some time").contains("two letters"));
    assert!(help("").contains("24/7"));
    assert!(help("sunrise-sunset").contains("write the time"));
    assert!(help("10:00-16:00/01:30").contains("each stretch"));
    let error = LocalSchedule::parse("Mo-Fr 09:00-18:00; Caturday 10:00-12:00").unwrap_err();
    assert_eq!(error.message, "`Caturday` cannot be read as opening hours");
    assert_eq!(error.at, Some(19..27));
    for text in ["09:00-49:00", "9:60-10:00", "Mo-Fr 09:00", "week 60 Mo", "(sunset+99:00)-10:00"] {
        assert!(LocalSchedule::parse(text).is_err(), "{text}");
    }
}

#[test]
fn hostile_expressions_are_bounded() {
    assert!(LocalSchedule::parse(&"Mo 09:00-10:00;".repeat(100)).is_err(), "too long");
    assert!(LocalSchedule::parse(&["Jan Mo[1]"; 60].join(",")).is_err(), "too many brackets");
    let many = LocalSchedule::parse(&["Mo 1:00-2:00"; 70].join(";")).unwrap();
    assert!(many.is_open(at("2026-11-16T01:30:00Z"), Tz::UTC));
}

fn expressions() -> impl Strategy<Value = String> {
    let days =
        prop::sample::select(vec!["", "Mo-Fr ", "Sa,Su ", "Su ", "Fr-Mo ", "PH ", "Oct 25 "]);
    let time = (0..24_u32, 0..60_u32, 0..=48_u32, 0..60_u32);
    let span =
        time.prop_map(|(a, b, c, d)| format!("{a:02}:{b:02}-{c:02}:{:02}", d * u32::from(c < 48)));
    let rule = (days, span, prop::sample::select(vec!["", "", "", " off", " unknown"]))
        .prop_map(|(days, span, kind)| format!("{days}{span}{kind}"));
    let separator = prop::sample::select(vec!["; ", ", Mo-Su ", " || "]);
    prop::collection::vec((rule, separator), 1..4).prop_map(|rules| {
        let mut text = String::new();
        for (rule, separator) in rules {
            if !text.is_empty() {
                text.push_str(if separator == ", Mo-Su " { ", " } else { separator });
            }
            text.push_str(&rule);
        }
        text
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Around both changes of the clocks, and where they change by half an hour.
    #[test]
    fn spans_agree_with_every_single_minute(
        expression in expressions(),
        zone in prop::sample::select(vec![Europe::Berlin, America::New_York, Australia::Lord_Howe, Asia::Kathmandu]),
        day in prop::sample::select(vec!["2026-03-07", "2026-03-28", "2026-04-04", "2026-10-03", "2026-10-24", "2026-11-01"]),
        begin in 0..1440_i64,
        seconds in 0..60_i64,
    ) {
        let Ok(hours) = Hours::parse(&expression, zone, Some(Calendar::Japan), &[]) else {
            return Ok(());
        };
        let from = at(&format!("{day}T00:00:00Z")) + Millis::minutes(begin) + Millis::seconds(seconds);
        let until = from + Millis::hours(50);
        let spans = hours.open_spans(from, until);
        prop_assert!(spans.iter().all(|span| from <= span.0 && span.0 < span.1 && span.1 <= until));
        prop_assert!(spans.windows(2).all(|pair| pair[0].1 < pair[1].0));
        let mut now = from;
        let mut next_open = None;
        while now < until {
            let is_open = hours.is_open(now);
            prop_assert_eq!(is_open, spans.iter().any(|span| span.0 <= now && now < span.1), "{:?}", now);
            if is_open && next_open.is_none() {
                next_open = Some(now);
            }
            now = now + Millis::seconds(30);
        }
        if let Some(first) = next_open {
            let said = Timestamp::from(hours.next_open(from).unwrap().to_utc());
            prop_assert!(said <= first && first - said < Millis::minutes(1));
        }
    }

    #[test]
    fn no_text_panics(text in "[MoTuFrSaPHJancweksrie0-9:;,+|()\\[\\]\" /月金〜-]{0,60}") {
        if let Ok(hours) = Hours::parse(&text, Asia::Tokyo, Some(Calendar::Japan), &[]) {
            let _ = hours.is_open(at("2026-11-20T10:00:00Z"));
        }
    }
}
