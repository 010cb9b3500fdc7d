//! An expression, date by date: which minutes of a wall clock's day are open.
//!
//! The `opening-hours` crate reads the grammar and says which dates a rule is for. How rules add up
//! is decided here, for one reason: a span past midnight belongs to the date that it begins on. The
//! crate lets the rule of the next date overwrite it (`Mo-Th 18:00-02:00; Fr-Sa 18:00-04:00` would
//! be closed on Friday at 01:00), and leaves the night after a closed day open.
//!
//! 1. A rule for a date takes the place of those before it for the same date (`;`), adds to them
//!    (`,`), or stands in where they open nothing that day (`||`).
//! 2. `off` closes its minutes, be they of that date's spans or of the night before.
//! 3. A date that is `off` as a whole has no night of its own either.
//!
//! Must not: know zones or the present.

use std::sync::{Arc, PoisonError, RwLock};

use ahash::AHashMap;
use chrono::{DateTime, Datelike, NaiveDate};
use opening_hours::{Context, OpeningHours};
use opening_hours_syntax::rules::day::WeekDayRange;
use opening_hours_syntax::rules::time::{Time, TimeSpan};
use opening_hours_syntax::rules::{RuleKind, RuleOperator, RuleSequence};

use super::{HoursError, MINUTES_PER_DAY, hints};
use crate::rules::holidays::Calendar;

/// The most dates that are remembered.
const MAX_REMEMBERED: usize = 1_024;
/// The years that dates are looked up in; every other one is closed.
const YEARS: std::ops::Range<i32> = 1970..9_000;
/// Words of 64 minutes for a day, and for a day with the night after it.
const DAY_WORDS: usize = 23;
const SPAN_WORDS: usize = 45;

/// The open minutes of one date.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct DayBits([u64; DAY_WORDS]);

impl DayBits {
    /// Whether that minute of the day is open.
    pub(super) fn is_open(&self, minute: i64) -> bool {
        self.slice(minute) & 1 == 1
    }

    /// The 64 minutes from that one on; what lies beyond the day is 0.
    pub(super) fn slice(&self, minute: i64) -> u64 {
        slice(&self.0, minute)
    }
}

/// 64 bits from that one on.
fn slice(words: &[u64], bit: i64) -> u64 {
    let Ok(bit) = usize::try_from(bit) else { return 0 };
    let word = |at: usize| words.get(at).copied().unwrap_or_default();
    match bit % 64 {
        0 => word(bit / 64),
        shift => word(bit / 64) >> shift | word(bit / 64 + 1) << (64 - shift),
    }
}

/// An expression, ready to be asked about dates.
#[derive(Debug)]
pub(super) struct Days {
    rules: Vec<Rule>,
    /// Dates closed besides, in order.
    closed: Vec<NaiveDate>,
    uses_holidays: bool,
    /// Dates already worked out, by days since 1970-01-01: evaluation costs microseconds, a request
    /// asks about the same few dates, and a pure function's results may be kept.
    known: RwLock<AHashMap<i64, Arc<DayBits>>>,
}

#[derive(Debug)]
struct Rule {
    /// Open all day on the dates it is for; `None`: every date.
    dates: Option<OpeningHours>,
    /// In minutes since the date's midnight, up to 48 hours.
    spans: Vec<(i64, i64)>,
    kind: RuleKind,
    operator: RuleOperator,
    has_comment: bool,
}

/// One date while the rules are gone through, with the night after it.
#[derive(Debug)]
struct Draft {
    open: [u64; SPAN_WORDS],
    /// Whether a rule said something of it that is not plainly open or closed.
    is_claimed: bool,
}

impl Days {
    pub(super) fn parse(
        expression: &str,
        holidays: Option<Calendar>,
        closed: &[NaiveDate],
    ) -> Result<Self, HoursError> {
        let parsed = hints::parse(expression)?;
        let context = holidays.map_or_else(Context::default, |calendar| {
            Context::default().with_holidays(calendar.for_hours())
        });
        let is_holiday = |range: &WeekDayRange| matches!(range, WeekDayRange::Holiday { .. });
        let uses_holidays =
            parsed.iter().any(|rule| rule.day_selector.weekday.iter().any(is_holiday));
        let rules = parsed
            .iter()
            .map(|rule| Rule::compile(rule, expression, &context))
            .collect::<Result<Vec<_>, _>>()?;
        let mut closed = closed.to_vec();
        closed.sort_unstable();
        Ok(Self { rules, closed, uses_holidays, known: RwLock::default() })
    }

    pub(super) fn uses_holidays(&self) -> bool {
        self.uses_holidays
    }

    pub(super) fn is_ever_open(&self) -> bool {
        let can_open = self.rules.iter().any(|rule| rule.kind == RuleKind::Open);
        can_open
            && (NaiveDate::from_ymd_opt(2000, 1, 1).into_iter())
                .flat_map(|first| first.iter_days())
                .take_while(|date| date.year() < 2050)
                .any(|date| self.evaluate(date) != DayBits::default())
    }

    /// The open minutes of a date, by days since 1970-01-01.
    pub(super) fn day(&self, number: i64) -> Arc<DayBits> {
        let remembered = self.known.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(day) = remembered.get(&number) {
            return day.clone();
        }
        drop(remembered);
        let date = number.checked_mul(MINUTES_PER_DAY * 60).and_then(|second| {
            DateTime::from_timestamp(second, 0).map(|midnight| midnight.date_naive())
        });
        let day = Arc::new(date.map(|date| self.evaluate(date)).unwrap_or_default());
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MAX_REMEMBERED {
            known.clear();
        }
        known.insert(number, day.clone());
        day
    }

    fn evaluate(&self, date: NaiveDate) -> DayBits {
        let Some(eve) = date.pred_opt().filter(|eve| YEARS.contains(&eve.year())) else {
            return DayBits::default();
        };
        let (mut before, mut today) = (Draft::EMPTY, Draft::EMPTY);
        for rule in &self.rules {
            let (is_for_eve, is_for_today) = (rule.is_for(eve), rule.is_for(date));
            before.follow(rule, is_for_eve);
            today.follow(rule, is_for_today);
            if rule.kind == RuleKind::Closed && rule.operator != RuleOperator::Fallback {
                for &(start, end) in &rule.spans {
                    if is_for_today {
                        before.set(start + MINUTES_PER_DAY, end + MINUTES_PER_DAY, false);
                    }
                    if is_for_eve {
                        today.set(start - MINUTES_PER_DAY, end - MINUTES_PER_DAY, false);
                    }
                    if is_for_eve && start == 0 && end >= MINUTES_PER_DAY {
                        before.open = [0; SPAN_WORDS];
                    }
                }
            }
        }
        let is_closed = |date: &NaiveDate| self.closed.binary_search(date).is_ok();
        if is_closed(&date) {
            return DayBits::default();
        }
        if is_closed(&eve) {
            before.open = [0; SPAN_WORDS];
        }
        let mut day = DayBits::default();
        for (word, minute) in day.0.iter_mut().zip((0..).step_by(64)) {
            *word = slice(&today.open, minute) | slice(&before.open, minute + MINUTES_PER_DAY);
        }
        if let Some(last) = day.0.last_mut() {
            // The day ends in the middle of its last word.
            *last &= (1 << (MINUTES_PER_DAY % 64)) - 1;
        }
        day
    }
}

impl Draft {
    const EMPTY: Self = Self { open: [0; SPAN_WORDS], is_claimed: false };

    fn follow(&mut self, rule: &Rule, is_for_it: bool) {
        match rule.operator {
            RuleOperator::Fallback if self.is_claimed || self.open != [0; SPAN_WORDS] => return,
            RuleOperator::Normal if is_for_it && rule.kind != RuleKind::Closed => {
                *self = Self::EMPTY;
            }
            _ => {}
        }
        if is_for_it {
            self.is_claimed |= match rule.kind {
                RuleKind::Open => false,
                RuleKind::Unknown => true,
                RuleKind::Closed => rule.has_comment,
            };
            for &(start, end) in &rule.spans {
                self.set(start, end, rule.kind == RuleKind::Open);
            }
        }
    }

    /// Opens or closes the minutes from `start` to before `end`.
    fn set(&mut self, start: i64, end: i64, is_open: bool) {
        for (word, first) in self.open.iter_mut().zip((0..).step_by(64)) {
            let (from, to) = ((start - first).clamp(0, 64), (end - first).clamp(0, 64));
            if from < to {
                let mask = u64::MAX >> (64 - (to - from)) << from;
                *word = if is_open { *word | mask } else { *word & !mask };
            }
        }
    }
}

impl Rule {
    fn compile(
        rule: &RuleSequence,
        expression: &str,
        context: &Context,
    ) -> Result<Self, HoursError> {
        let dates = if rule.day_selector.is_empty() {
            None
        } else {
            let text = rule.day_selector.to_string();
            let dates: Option<OpeningHours> = text.parse().ok();
            // The crate takes an evaluator from text alone: make sure that it read what was meant.
            let is_same = |dates: &OpeningHours| matches!(dates.get_expression().rules.as_slice(), [one] if one.day_selector == rule.day_selector);
            let dates = dates.filter(is_same).ok_or_else(|| hints::unsupported_days(&text))?;
            Some(dates.with_context(context.clone()))
        };
        let spans = rule.time_selector.spans.iter();
        Ok(Self {
            dates,
            spans: spans.map(|span| minutes(span, expression)).collect::<Result<_, _>>()?,
            kind: rule.kind,
            operator: rule.operator,
            has_comment: !rule.comment.is_empty(),
        })
    }

    fn is_for(&self, date: NaiveDate) -> bool {
        self.dates.as_ref().is_none_or(|dates| !dates.schedule_at(date).is_empty())
    }
}

fn minutes(span: &TimeSpan, expression: &str) -> Result<(i64, i64), HoursError> {
    if span.repeats.is_some() {
        return Err(hints::repeated_moments(expression));
    }
    let (Time::Fixed(start), Time::Fixed(end)) = (span.range.start, span.range.end) else {
        return Err(hints::sun(expression));
    };
    let start = i64::from(start.mins_from_midnight());
    let end = i64::from(end.mins_from_midnight());
    Ok((start, if start < end { end } else { end + MINUTES_PER_DAY }))
}
