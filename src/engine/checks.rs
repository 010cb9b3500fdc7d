//! What a rule asks beside its conditions, with the answers: dates, rollout, hours, repeat, limits.
//!
//! Must not: decide; [`Judge::stop`] does, and these tell what it looked at.

use std::sync::Arc;

use super::decide::Judge;
use crate::domain::caps::Repeat;
use crate::domain::time::{Millis, Timestamp};
use crate::rules::kinds::local_time::gaps;
use crate::rules::model::{HoursGate, Mode, Rule};

/// How far ahead the next opening is looked for.
const HOURS_AHEAD: Millis = Millis::days(31);

/// One thing a rule asks for, and whether it is so. Only what its file says something about.
#[derive(Debug, Clone, PartialEq)]
pub struct Check {
    /// What is asked.
    pub asked: Asked,
    /// Whether it lets the rule through.
    pub holds: bool,
}

/// What a rule can ask beside conditions.
#[derive(Debug, Clone, PartialEq)]
pub enum Asked {
    /// To be on.
    Mode,
    /// Its dates, in their order.
    Dates {
        /// The first moment.
        from: Timestamp,
        /// The first moment after.
        until: Timestamp,
    },
    /// To be one of this share of visitors.
    Rollout {
        /// Of 1.
        share: f64,
    },
    /// To be within hours, or outside of them.
    Hours {
        /// Their name.
        name: Arc<str>,
        /// Whether outside.
        is_outside: bool,
        /// When that next begins, if it is not so now.
        next: Option<Timestamp>,
    },
    /// Not to have been offered too recently.
    Repeat {
        /// How often it may be.
        repeat: Repeat,
        /// When it last was.
        last: Option<Timestamp>,
        /// From when on it may be.
        until: Timestamp,
    },
    /// Its limits, and those of the site.
    Limit,
}

/// Everything that a rule asks beside its conditions, in the order in which it is asked.
pub(super) fn checks(judge: &mut Judge<'_>, rule: &Rule) -> Vec<Check> {
    let now = judge.facts().now;
    let mut all = Vec::new();
    if rule.mode == Mode::Off {
        all.push(Check { asked: Asked::Mode, holds: false });
    }
    let (from, until) = (rule.active_from, rule.active_until);
    if from > Timestamp::MIN || until < Timestamp::MAX {
        let holds = (from..until).contains(&now);
        all.push(Check { asked: Asked::Dates { from, until }, holds });
    }
    if rule.rollout < 1.0 {
        let holds = judge.is_in_rollout(rule);
        all.push(Check { asked: Asked::Rollout { share: rule.rollout }, holds });
    }
    if let Some(gate) = &rule.hours {
        all.push(hours(gate, now));
    }
    if rule.repeat != Repeat::Always {
        let until = judge.repeat_end(rule);
        let last = judge.facts().history.last_offer_of(&rule.id);
        let asked = Asked::Repeat { repeat: rule.repeat, last, until };
        all.push(Check { asked, holds: until <= now });
    }
    if !rule.limits.is_empty() || !judge.set.site.limits.is_empty() {
        all.push(Check { asked: Asked::Limit, holds: !judge.is_limited(rule) });
    }
    all
}

fn hours(gate: &HoursGate, now: Timestamp) -> Check {
    let holds = gate.hours.is_open(now) != gate.is_outside;
    let next = if holds {
        None
    } else {
        let horizon = now + HOURS_AHEAD;
        let open = gate.hours.open_spans(now, horizon);
        let spans = if gate.is_outside { gaps(&open, now, horizon) } else { open };
        spans.first().map(|(from, _)| *from)
    };
    let (name, is_outside) = (gate.name.clone(), gate.is_outside);
    Check { asked: Asked::Hours { name, is_outside, next }, holds }
}
