//! `visitor.local_time`: the visitor's own clock within opening hours.

use std::sync::Arc;

use super::{ConditionType, FieldUse, Op, Operand, exists};
use crate::domain::facts::Facts;
use crate::domain::time::Timestamp;
use crate::rules::condition::Condition;
use crate::rules::context::Context;
use crate::rules::diagnostic::Span;
use crate::rules::hours::LocalSchedule;
use crate::rules::outlook::{Outlook, Way};

/// `visitor.local_time`.
pub struct LocalTimeType;

#[derive(Debug)]
struct LocalTimeCondition {
    /// All of them must be open.
    schedules: Vec<LocalSchedule>,
    exists: Option<bool>,
}

impl ConditionType for LocalTimeType {
    fn operators(&self) -> &'static [Op] {
        &[Op::During, Op::Exists]
    }

    fn values(&self) -> &'static str {
        "opening hours in the visitor's own zone: \"Mo-Fr 18:00-22:00\""
    }

    fn compile(
        &self,
        _field: &FieldUse<'_>,
        operands: &[Operand<'_>],
        cx: &mut Context<'_>,
    ) -> Option<Arc<dyn Condition>> {
        let mut condition = LocalTimeCondition { schedules: Vec::new(), exists: None };
        for operand in operands {
            if operand.op == Op::Exists {
                condition.exists = Some(exists(operand, cx)?);
                continue;
            }
            let text = cx.text(operand.value, self.values())?;
            match LocalSchedule::parse(text) {
                Ok(schedule) => condition.schedules.push(schedule),
                Err(error) => {
                    let span = within(operand.value.span, error.at.as_ref(), text);
                    let message = format!("not opening hours: {}", error.message);
                    match error.help {
                        Some(help) => cx.error_help("hours-syntax", span, message, help),
                        None => cx.error("hours-syntax", span, message),
                    }
                    return None;
                }
            }
        }
        Some(Arc::new(condition))
    }
}

/// A place within a scalar, where it was typed as it reads; else the scalar's.
pub fn within(span: Span, at: Option<&std::ops::Range<usize>>, text: &str) -> Span {
    let length = span.end.saturating_sub(span.start);
    let lead = match length.checked_sub(text.len()) {
        Some(0) => 0,
        Some(2) => 1,
        _ => return span,
    };
    match at {
        Some(at) if at.end <= text.len() && at.start <= at.end => Span {
            start: span.start + lead + at.start,
            end: span.start + lead + at.end.max(at.start),
        },
        _ => span,
    }
}

impl Condition for LocalTimeCondition {
    fn holds(&self, facts: &Facts<'_>) -> bool {
        match facts.time_zone() {
            None => self.schedules.is_empty() && self.exists == Some(false),
            Some(zone) => {
                self.exists != Some(false)
                    && self.schedules.iter().all(|schedule| schedule.is_open(facts.now, zone))
            }
        }
    }

    fn outlook(&self, facts: &Facts<'_>, wanted: bool, horizon: Timestamp) -> Outlook {
        let Some(zone) = facts.time_zone() else {
            return Outlook::fixed(self.holds(facts) == wanted);
        };
        if self.exists == Some(false) {
            return Outlook::fixed(!wanted);
        }
        let spans = |schedule: &LocalSchedule| {
            let open = schedule.open_spans(zone, facts.now, horizon);
            let spans = if wanted { open } else { gaps(&open, facts.now, horizon) };
            Outlook::of(
                spans.into_iter().map(|(from, until)| Way::during(from, until, true)).collect(),
            )
        };
        let mut each = self.schedules.iter().map(spans);
        if wanted {
            each.fold(Outlook::always(), |all, one| all.and(&one))
        } else {
            each.try_fold(Outlook::never(), |all, one| Some(all.or(one))).unwrap_or_default()
        }
    }

    fn actual(&self, facts: &Facts<'_>) -> Option<String> {
        let zone = facts.time_zone()?;
        Some(facts.now.to_utc()?.with_timezone(&zone).format("%a %H:%M, %Z").to_string())
    }
}

/// What lies between spans.
#[must_use]
pub fn gaps(
    spans: &[(Timestamp, Timestamp)],
    from: Timestamp,
    until: Timestamp,
) -> Vec<(Timestamp, Timestamp)> {
    let mut gaps = Vec::new();
    let mut next = from;
    for (start, end) in spans {
        if next < *start {
            gaps.push((next, *start));
        }
        next = next.max(*end);
    }
    if next < until {
        gaps.push((next, until));
    }
    gaps
}
