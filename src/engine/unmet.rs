//! Examples that did not come out as they say, each with what decided it.
//!
//! Must not: judge; the trace tells what was found.

use super::decide::{Stop, Unlimited};
use super::examples::{Failure, run};
use super::trace::{RuleTrace, Traced, trace};
use crate::domain::decision::{Recheck, Trigger};
use crate::domain::time::{Millis, Timestamp};
use crate::rules::diagnostic::Diagnostic;
use crate::rules::model::{Example, Expectation, Rule, RuleSet};

/// A trace asks every rule of the site: beyond so many failures only the first word is said.
const MOST_TRACES: usize = 50;

/// They, as findings at their place.
#[must_use]
pub fn findings(set: &RuleSet) -> Vec<Diagnostic> {
    let failures = run(set);
    failures
        .iter()
        .enumerate()
        .filter_map(|(count, failure)| {
            let rule = set.rules.get(failure.rule)?;
            let example = rule.examples.get(failure.example)?;
            let message = format!(
                "the rule `{}` does not do what its example says: expected {}, got {}",
                rule.id, example.expect, failure.actual
            );
            let finding = Diagnostic::error("example", &rule.source, example.span, message);
            let why = if count < MOST_TRACES {
                Some(why(set, rule, example, failure))
            } else {
                failure.stop.map(|stop| format!("it was stopped by `{}`", stop.by(set)))
            };
            Some(match why {
                Some(why) => finding.help(why),
                None => finding,
            })
        })
        .collect()
}

fn why(set: &RuleSet, rule: &Rule, example: &Example, failure: &Failure) -> String {
    let facts = example.given.facts();
    let traced = trace(set, &facts, &Unlimited).rules.into_iter().nth(failure.rule);
    let Some(traced) = traced else { return String::new() };
    let stop = failure.stop.map(|stop| stopped(set, rule, stop, facts.now, &traced));
    match (stop, &failure.actual, &example.expect) {
        (Some(stop), Expectation::NotYet, Expectation::NoMatch) => {
            let opens = traced.opens.as_ref().map(waits).unwrap_or_default();
            format!("{stop}; it could still show on this page{opens}")
        }
        (Some(stop), Expectation::NoMatch, Expectation::NotYet) => {
            format!("{stop}, and nothing that happens on this page changes that")
        }
        (Some(stop), _, _) => stop,
        (None, _, _) => {
            let mut held = Vec::new();
            holding(&traced.when, &mut held);
            if held.is_empty() {
                "the rule has no conditions, and nothing else stops it".to_owned()
            } else {
                format!("all that it asks for is there: {}", held.join("; "))
            }
        }
    }
}

/// What stopped it, with what was wanted and what was there.
fn stopped(set: &RuleSet, rule: &Rule, stop: Stop, now: Timestamp, traced: &RuleTrace) -> String {
    let local = now.to_utc().map(|at| at.with_timezone(&set.site.time_zone));
    let at = local.map(|at| at.format("%a %Y-%m-%d %H:%M %Z").to_string()).unwrap_or_default();
    match stop {
        Stop::Condition(_) if !traced.site.holds() => {
            format!("the site's own `when` stopped it: {}", failing(&traced.site))
        }
        Stop::Condition(_) => format!("it was stopped by {}", failing(&traced.when)),
        Stop::Hours => {
            let gate = rule.hours.as_ref();
            let name = gate.map(|gate| &*gate.name).unwrap_or_default();
            let state = if gate.is_some_and(|gate| gate.is_outside) { "open" } else { "closed" };
            format!("it was stopped by `hours`: `{name}` is {state} at {at}")
        }
        Stop::Dates => {
            let day = |at: Timestamp| {
                let at = at.to_utc()?.with_timezone(&set.site.time_zone);
                Some(at.format("%Y-%m-%d").to_string())
            };
            let from = day(rule.active_from).map(|day| format!(" from {day}")).unwrap_or_default();
            let until = day(rule.active_until - Millis(1))
                .map(|day| format!(" until {day}"))
                .unwrap_or_default();
            format!("it was stopped by `dates`: the rule is active{from}{until}, and it is {at}")
        }
        other => format!("it was stopped by `{}`", other.by(set)),
    }
}

/// The first condition that does not hold, in words.
fn failing(traced: &Traced) -> String {
    match traced {
        Traced::Test { .. } => test(traced),
        Traced::All { parts, .. } => {
            parts.iter().find(|part| !part.holds()).map(failing).unwrap_or_default()
        }
        Traced::Any { parts, .. } => {
            let parts: Vec<String> = parts.iter().map(failing).collect();
            format!("`any`, of which none holds: {}", parts.join("; "))
        }
        Traced::Segment { name, is_negated, part, .. } => {
            let not = if *is_negated { "not " } else { "" };
            format!("{not}the segment `{name}`: {}", failing(part))
        }
    }
}

fn holding(traced: &Traced, held: &mut Vec<String>) {
    match traced {
        Traced::Test { holds: true, .. } => held.push(test(traced)),
        Traced::Test { .. } => {}
        Traced::All { parts, .. } | Traced::Any { parts, .. } => {
            parts.iter().filter(|part| part.holds()).for_each(|part| holding(part, held));
        }
        Traced::Segment { part, .. } => holding(part, held),
    }
}

/// A condition with what was wanted and what was there.
fn test(traced: &Traced) -> String {
    let Traced::Test { field, wanted, is_negated, actual, .. } = traced else {
        return String::new();
    };
    let not = if *is_negated { "not: " } else { "" };
    let actual = actual.as_ref().map_or("it is missing".to_owned(), |a| format!("it is {a}"));
    format!("`{field}` (wanted {not}{wanted}; {actual})")
}

/// What a rule still waits for.
fn waits(recheck: &Recheck) -> String {
    let mut parts: Vec<String> =
        recheck.after.iter().map(|after| format!("after {after}")).collect();
    parts.extend(recheck.on.iter().map(|wait| match &wait.on {
        Trigger::ExitIntent => "on exit intent".to_owned(),
        Trigger::ScrollPercent(percent) => format!("at {percent}% of the page"),
        Trigger::Idle(length) => format!("after {length} without doing anything"),
        Trigger::Event(name) => format!("on the event `{name}`"),
    }));
    if parts.is_empty() { String::new() } else { format!(": {}", parts.join(", ")) }
}
