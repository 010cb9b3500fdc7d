//! The whole of an evaluation: every rule with every condition, what was wanted, what was there.
//!
//! It asks the same judge as [`decide`](super::decide()), only without stopping early.

use std::sync::Arc;

use super::checks::{Check, checks};
use super::decide::{Judge, RuleState, Stop, Win, decide};
use super::gate::{Gate, Pause, gate, pause};
use super::recheck::{Horizon, outlook, waits};
use crate::domain::decision::{Reason, Recheck};
use crate::domain::facts::Facts;
use crate::domain::session::ViewState;
use crate::domain::time::Timestamp;
use crate::rules::condition::Expr;
use crate::rules::model::{Mode, RuleSet};

/// Everything about one decision.
#[derive(Debug, Clone)]
pub struct Trace {
    /// Why the answer is what it is.
    pub reason: Reason,
    /// What the caps said before any rule was asked.
    pub gate: Gate,
    /// The pause that the visitor is in, or was in last.
    pub pause: Option<Pause>,
    /// Whether the call reports something of a page that is no longer in view.
    pub is_stale: bool,
    /// The rule that decides, if one does.
    pub win: Option<Win>,
    /// What to wait for.
    pub recheck: Option<Recheck>,
    /// Every rule, in the order in which they are asked.
    pub rules: Vec<RuleTrace>,
}

/// Everything about one rule.
#[derive(Debug, Clone)]
pub struct RuleTrace {
    /// The rule's id.
    pub rule: Arc<str>,
    /// Whether it is on.
    pub mode: Mode,
    /// What stops it first, by its word; `None` where nothing does.
    pub stopped_by: Option<String>,
    /// The same, for programs.
    pub stop: Option<Stop>,
    /// What it asks beside its conditions.
    pub checks: Vec<Check>,
    /// What must hold for every rule of the site.
    pub site: Traced,
    /// Its own conditions.
    pub when: Traced,
    /// When it could show on this page, if it is stopped and could.
    pub opens: Option<Recheck>,
}

/// An expression with its answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Traced {
    /// One field's condition.
    Test {
        /// The condition's index in the rule set.
        predicate: usize,
        /// The field.
        field: Arc<str>,
        /// What is wanted of it, in words.
        wanted: String,
        /// Whether it must not be so.
        is_negated: bool,
        /// What is there; `None` where it is missing.
        actual: Option<String>,
        /// Whether that satisfies.
        holds: bool,
        /// What to wait for, where it does not yet and could on this page.
        opens: Option<Recheck>,
    },
    /// All of these.
    All {
        /// Whether they all hold.
        holds: bool,
        /// They.
        parts: Vec<Self>,
    },
    /// Any of these.
    Any {
        /// Whether one of them holds.
        holds: bool,
        /// They.
        parts: Vec<Self>,
    },
    /// A segment.
    Segment {
        /// Its name.
        name: Arc<str>,
        /// Whether the visit must not be in it.
        is_negated: bool,
        /// Whether that is so.
        holds: bool,
        /// What it comes to.
        part: Box<Self>,
    },
}

impl Traced {
    /// Whether it holds.
    #[must_use]
    pub const fn holds(&self) -> bool {
        match self {
            Self::Test { holds, .. }
            | Self::All { holds, .. }
            | Self::Any { holds, .. }
            | Self::Segment { holds, .. } => *holds,
        }
    }
}

/// Decides, and tells everything about it.
#[must_use]
pub fn trace(set: &RuleSet, facts: &Facts<'_>, state: &dyn RuleState) -> Trace {
    let verdict = decide(set, facts, state, &[]);
    let gate = gate(&set.site, facts);
    let mut judge = Judge::new(set, facts, state);
    let horizon = Horizon::of(&set.site, facts, gate);
    // What a condition waits for has nothing to do with the caps.
    let until = Horizon::of(&set.site, facts, Gate::Open).map_or(facts.now, |open| open.until);
    let rules = set
        .rules
        .iter()
        .map(|rule| {
            let stop: Option<Stop> = judge.stop(rule);
            let opens =
                horizon.filter(|_| stop.is_some() && rule.mode != Mode::Off).and_then(|h| {
                    let site = judge.evaluator.outlook(&set.site.when, h.until).and(&h.ahead());
                    waits(&outlook(&judge, rule, &site, h.until), facts.now)
                });
            RuleTrace {
                rule: rule.id.clone(),
                mode: rule.mode,
                stopped_by: stop.map(|stop| stop.by(set).to_owned()),
                stop,
                checks: checks(&mut judge, rule),
                site: traced(&mut judge, &set.site.when, until),
                when: traced(&mut judge, &rule.when, until),
                opens,
            }
        })
        .collect();
    Trace {
        reason: verdict.reason,
        gate,
        pause: pause(&set.site.caps, facts),
        is_stale: facts.session.view_state(&facts.visit.event.kind, facts.page) == ViewState::Stale,
        win: verdict.win,
        recheck: verdict.recheck,
        rules,
    }
}

fn traced(judge: &mut Judge<'_>, expr: &Expr, until: Timestamp) -> Traced {
    match expr {
        Expr::Test { predicate, wanted } => {
            let holds = judge.evaluator.ask(*predicate) == *wanted;
            let found = judge.evaluator.predicate(*predicate);
            let now = judge.facts().now;
            Traced::Test {
                predicate: *predicate,
                field: found.map_or_else(|| Arc::from(""), |p| p.field.clone()),
                wanted: found.map(|p| p.wanted.clone()).unwrap_or_default(),
                is_negated: !wanted,
                actual: found.and_then(|p| p.condition.actual(judge.facts())),
                holds,
                opens: if holds { None } else { waits(&judge.evaluator.outlook(expr, until), now) },
            }
        }
        Expr::All(parts) => {
            let parts: Vec<_> = parts.iter().map(|part| traced(judge, part, until)).collect();
            Traced::All { holds: parts.iter().all(Traced::holds), parts }
        }
        Expr::Any(parts) => {
            let parts: Vec<_> = parts.iter().map(|part| traced(judge, part, until)).collect();
            Traced::Any { holds: parts.iter().any(Traced::holds), parts }
        }
        Expr::Segment { name, wanted, expr } => {
            let part = traced(judge, expr, until);
            Traced::Segment {
                name: name.clone(),
                is_negated: !wanted,
                holds: part.holds(),
                part: Box::new(part),
            }
        }
    }
}
