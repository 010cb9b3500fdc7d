//! Everything that a rule asks, in the order in which it is asked, each with its own words.
//!
//! Must not: leave anything out that could stop a rule.

use super::words::{self, Says, rough};
use super::{ExplainedCondition, moment};
use crate::domain::caps::{Limit, Repeat};
use crate::domain::time::Timestamp;
use crate::engine::checks::{Asked, Check};
use crate::engine::trace::{RuleTrace, Traced};
use crate::engine::{Stop, Win};
use crate::rules::model::{Mode, Rule};

/// All of a rule. `win` is there where the rule decides.
pub(super) fn of(
    says: &Says<'_>,
    rule: &Rule,
    traced: &RuleTrace,
    win: Option<Win>,
) -> Vec<ExplainedCondition> {
    let mut stop = Stopper { stop: traced.stop, is_found: false };
    let comes_before = |check: &&Check| {
        matches!(check.asked, Asked::Mode | Asked::Dates { .. } | Asked::Rollout { .. })
    };
    let (before, after): (Vec<_>, Vec<_>) = traced.checks.iter().partition(comes_before);
    let mut all: Vec<_> =
        before.into_iter().map(|check| of_check(says, rule, check, &mut stop)).collect();
    list(says, &traced.site, true, &mut stop, &mut all);
    list(says, &traced.when, false, &mut stop, &mut all);
    all.extend(after.into_iter().map(|check| of_check(says, rule, check, &mut stop)));
    if rule.holdout > 0.0 && rule.mode == Mode::Live {
        let is_held_out = win.map(|win| win.is_held_out);
        let actual = is_held_out.map(|is| if is { "is in it" } else { "is not in it" }.to_owned());
        let wanted = format!("keeps {} of its visitors without it", percent(rule.holdout));
        let mut condition = plain("holdout", wanted, actual, is_held_out != Some(true));
        if is_held_out == Some(true) {
            condition.change = Some("it stays so for this visitor".to_owned());
        }
        all.push(condition);
    }
    all
}

/// Finds the first thing that stops a rule.
struct Stopper {
    stop: Option<Stop>,
    is_found: bool,
}

impl Stopper {
    fn is(&mut self, stop: Stop) -> bool {
        let is = !self.is_found && self.stop == Some(stop);
        self.is_found |= is;
        is
    }
}

fn plain(kind: &str, wanted: String, actual: Option<String>, passed: bool) -> ExplainedCondition {
    ExplainedCondition {
        kind: kind.to_owned(),
        is_of_site: false,
        name: None,
        wanted,
        actual,
        passed,
        stops: false,
        change: None,
        opens: None,
        parts: Vec::new(),
    }
}

/// The parts of a list one by one, anything else as it is.
fn list(
    says: &Says<'_>,
    traced: &Traced,
    is_of_site: bool,
    stop: &mut Stopper,
    all: &mut Vec<ExplainedCondition>,
) {
    match traced {
        Traced::All { parts, .. } => {
            all.extend(parts.iter().map(|part| of_traced(says, part, is_of_site, stop)));
        }
        other => all.push(of_traced(says, other, is_of_site, stop)),
    }
}

fn of_traced(
    says: &Says<'_>,
    traced: &Traced,
    is_of_site: bool,
    stop: &mut Stopper,
) -> ExplainedCondition {
    let passed = traced.holds();
    let mut condition = match traced {
        Traced::Test { predicate, field, wanted, is_negated, actual, opens, .. } => {
            let wanted = if *is_negated { format!("not so: {wanted}") } else { wanted.clone() };
            let opens =
                opens.as_ref().map(|recheck| words::opens(recheck, says.facts.now, says.zone));
            let change = (!passed).then(|| match &opens {
                Some(opens) => format!("holds {}", opens.words),
                None => words::change(field).to_owned(),
            });
            ExplainedCondition {
                name: Some(field.to_string()),
                stops: !passed && stop.is(Stop::Condition(*predicate)),
                change,
                opens,
                ..plain("condition", wanted, actual.clone(), passed)
            }
        }
        Traced::All { parts, .. } => {
            let parts = parts.iter().map(|part| of_traced(says, part, is_of_site, stop)).collect();
            ExplainedCondition { parts, ..plain("all", "all of these".to_owned(), None, passed) }
        }
        Traced::Any { parts, .. } => {
            let parts = parts.iter().map(|part| of_traced(says, part, is_of_site, stop)).collect();
            ExplainedCondition { parts, ..plain("any", "one of these".to_owned(), None, passed) }
        }
        Traced::Segment { name, is_negated, part, .. } => {
            let wanted = if *is_negated { "is not in it" } else { "is in it" };
            let mut parts = Vec::new();
            list(says, part, is_of_site, stop, &mut parts);
            ExplainedCondition {
                name: Some(name.to_string()),
                parts,
                ..plain("segment", wanted.to_owned(), None, passed)
            }
        }
    };
    condition.is_of_site = is_of_site;
    condition
}

fn of_check(says: &Says<'_>, rule: &Rule, check: &Check, stop: &mut Stopper) -> ExplainedCondition {
    let now = says.facts.now;
    let (mut condition, change, its_stop) = match &check.asked {
        Asked::Mode => {
            let wanted = "is on (`mode: live` or `shadow`)".to_owned();
            let condition = plain("mode", wanted, Some("off".to_owned()), check.holds);
            (condition, "somebody would have to turn it on".to_owned(), Stop::Off)
        }
        Asked::Dates { from, until } => {
            let change = if now < *from {
                format!("begins {}", says.when(*from))
            } else {
                format!("ended {}", says.when(*until))
            };
            let actual = Some(moment(now, says.zone));
            let condition = plain("dates", span(says, *from, *until), actual, check.holds);
            (condition, change, Stop::Dates)
        }
        Asked::Rollout { share } => {
            let wanted = format!("is for {} of visitors", percent(*share));
            let actual = if check.holds { "is one of them" } else { "is none of them" };
            let condition = plain("rollout", wanted, Some(actual.to_owned()), check.holds);
            (condition, "a larger rollout would include more visitors".to_owned(), Stop::Rollout)
        }
        Asked::Hours { name, is_outside, next } => {
            let wanted = format!("{} `{name}`", if *is_outside { "outside" } else { "within" });
            let is_open = check.holds != *is_outside;
            let actual = if is_open { "open" } else { "closed" };
            let condition = plain("hours", wanted, Some(actual.to_owned()), check.holds);
            let state = if *is_outside { "closes" } else { "opens" };
            let change = match next {
                Some(at) => format!("{state} {}", says.when(*at)),
                None => format!("never {state} in the next month"),
            };
            (condition, change, Stop::Hours)
        }
        Asked::Repeat { repeat, last, until } => {
            let wanted = match repeat {
                Repeat::Every(pause) => format!("at most once in {pause}"),
                Repeat::Once => "once and never again".to_owned(),
                Repeat::Always => "as often as the caps allow".to_owned(),
            };
            let actual = match last {
                Some(last) => format!("last offered {} ago", rough(now - *last)),
                None => "never offered to this visitor".to_owned(),
            };
            let change = if *repeat == Repeat::Once {
                "never again for this visitor".to_owned()
            } else {
                format!("can be offered again {}", says.when(*until))
            };
            (plain("repeat", wanted, Some(actual), check.holds), change, Stop::Repeat)
        }
        Asked::Limit => {
            let of_site = &says.set.site.limits;
            let own = limits(&rule.limits);
            let wanted = match (own.is_empty(), of_site.is_empty()) {
                (false, false) => format!("at most {own}, and {} for all rules", limits(of_site)),
                (false, true) => format!("at most {own}"),
                _ => format!("at most {} for all rules", limits(of_site)),
            };
            let actual = if check.holds { "there is room" } else { "used up" };
            let condition = plain("limit", wanted, Some(actual.to_owned()), check.holds);
            (
                condition,
                "there is room again as older offers leave the window".to_owned(),
                Stop::Limit,
            )
        }
    };
    if !check.holds {
        condition.stops = stop.is(its_stop);
        condition.change = Some(change);
    }
    condition
}

fn limits(all: &[Limit]) -> String {
    all.iter()
        .map(|limit| format!("{} in {}", limit.most, limit.window))
        .collect::<Vec<_>>()
        .join(" and ")
}

fn span(says: &Says<'_>, from: Timestamp, until: Timestamp) -> String {
    let from = (from > Timestamp::MIN).then(|| format!("from {}", moment(from, says.zone)));
    let until = (until < Timestamp::MAX).then(|| format!("before {}", moment(until, says.zone)));
    [from, until].into_iter().flatten().collect::<Vec<_>>().join(" and ")
}

fn percent(share: f64) -> String {
    let text = format!("{:.2}", share * 100.0);
    format!("{}%", text.trim_end_matches('0').trim_end_matches('.'))
}
