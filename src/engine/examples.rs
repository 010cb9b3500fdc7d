//! A rule file's own tests: each example's visit before its rule alone.

use super::decide::{Judge, Stop, Unlimited};
use super::gate::Gate;
use super::recheck::{Horizon, outlook};
use crate::rules::model::{Example, Expectation, Mode, Rule, RuleSet};

/// An example that did not come out as expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// The rule.
    pub rule: usize,
    /// Which of its examples.
    pub example: usize,
    /// What came of it.
    pub actual: Expectation,
    /// What stopped the rule, if it did not show.
    pub stop: Option<Stop>,
}

/// Runs the examples of every rule. Rollout, holdout, limits and `mode` do not count.
#[must_use]
pub fn run(set: &RuleSet) -> Vec<Failure> {
    let mut failures = Vec::new();
    for (rule_index, rule) in set.rules.iter().enumerate() {
        for (index, example) in rule.examples.iter().enumerate() {
            let (actual, stop) = outcome(set, rule, example);
            let is_met = match &example.expect {
                Expectation::StoppedBy(wanted) => stop.is_some_and(|stop| stop.by(set) == wanted),
                wanted => *wanted == actual,
            };
            if !is_met {
                failures.push(Failure { rule: rule_index, example: index, actual, stop });
            }
        }
    }
    failures
}

fn outcome(set: &RuleSet, rule: &Rule, example: &Example) -> (Expectation, Option<Stop>) {
    let facts = example.given.facts();
    let mut judge = Judge::new(set, &facts, &Unlimited);
    let is_active = (rule.active_from..rule.active_until).contains(&facts.now);
    let stop = if is_active { judge.stop_of_content(rule) } else { Some(Stop::Dates) };
    if stop.is_none() && rule.mode != Mode::Off {
        return (Expectation::Show, None);
    }
    let is_open = Horizon::of(&set.site, &facts, Gate::Open).is_some_and(|horizon| {
        let site = judge.evaluator.outlook(&set.site.when, horizon.until).and(&horizon.ahead());
        !outlook(&judge, rule, &site, horizon.until).is_never()
    });
    let stop = stop.or(Some(Stop::Off));
    (if is_open { Expectation::NotYet } else { Expectation::NoMatch }, stop)
}
