//! How near a rule was: all of its conditions but one, and what the caps kept from a visitor.
//!
//! It asks the same conditions as [`decide`](super::decide()). Must not: change a verdict.

use super::decide::{Judge, RuleState, Stop, Unlimited, Verdict};
use super::evaluate::Evaluator;
use crate::domain::decision::Reason;
use crate::domain::facts::Facts;
use crate::rules::condition::Expr;
use crate::rules::model::{Mode, RuleSet};

/// A rule that lacked one condition.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Near {
    /// The rule's index.
    pub rule: usize,
    /// The index of the condition that it lacked.
    pub predicate: usize,
    /// How much of what was wanted was there, from 0 to 1; 0 where that has no measure.
    pub reached: f64,
}

/// The live rules of a verdict that lacked one condition and nothing else of what is asked before
/// hours and caps.
#[must_use]
pub fn near(set: &RuleSet, facts: &Facts<'_>, verdict: &Verdict) -> Vec<Near> {
    let mut evaluator = Evaluator::new(&set.predicates, facts);
    verdict
        .stops
        .iter()
        .filter_map(|(index, stop)| {
            let Stop::Condition(predicate) = *stop else { return None };
            let rule = set.rules.get(*index).filter(|rule| rule.mode == Mode::Live)?;
            let is_site = !evaluator.holds(&set.site.when);
            if is_site || lacking(&mut evaluator, &rule.when) != 1 {
                return None;
            }
            let condition = &set.predicates.get(predicate)?.condition;
            let reached = condition.reached(facts).unwrap_or(0.0);
            Some(Near { rule: *index, predicate, reached })
        })
        .collect()
}

/// How many parts of an expression do not hold; no more than two are counted.
fn lacking(evaluator: &mut Evaluator<'_>, expr: &Expr) -> usize {
    match expr {
        Expr::All(parts) => {
            let mut count = 0;
            for part in parts {
                count += lacking(evaluator, part);
                if count > 1 {
                    break;
                }
            }
            count
        }
        Expr::Segment { expr, .. } => lacking(evaluator, expr),
        other => usize::from(!evaluator.holds(other)),
    }
}

/// The rule that would have decided, had the caps allowed any prompt; limits are not looked at.
#[must_use]
pub fn kept_by_caps(set: &RuleSet, facts: &Facts<'_>, verdict: &Verdict) -> Option<usize> {
    if !matches!(verdict.reason, Reason::AlreadyPrompted | Reason::Cooldown) {
        return None;
    }
    let state: &dyn RuleState = &Unlimited;
    let mut judge = Judge::new(set, facts, state);
    set.rules.iter().position(|rule| rule.mode == Mode::Live && judge.stop(rule).is_none())
}
