//! Expressions over predicates: each predicate is asked at most once in a decision, and only if
//! it matters.
//!
//! Must not: know rules.

use crate::domain::facts::Facts;
use crate::domain::time::Timestamp;
use crate::rules::condition::{Expr, Predicate};
use crate::rules::outlook::Outlook;

/// The predicates of one rule set, asked about one moment of one visit.
#[derive(Debug)]
pub struct Evaluator<'a> {
    predicates: &'a [Predicate],
    facts: &'a Facts<'a>,
    answers: Vec<Option<bool>>,
}

impl<'a> Evaluator<'a> {
    /// Nothing asked yet.
    #[must_use]
    pub fn new(predicates: &'a [Predicate], facts: &'a Facts<'a>) -> Self {
        Self { predicates, facts, answers: vec![None; predicates.len()] }
    }

    /// The facts.
    #[must_use]
    pub const fn facts(&self) -> &'a Facts<'a> {
        self.facts
    }

    /// The predicate of that index.
    #[must_use]
    pub fn predicate(&self, index: usize) -> Option<&'a Predicate> {
        self.predicates.get(index)
    }

    /// A predicate's answer.
    pub fn ask(&mut self, index: usize) -> bool {
        if let Some(Some(answer)) = self.answers.get(index) {
            return *answer;
        }
        let answer = self.predicates.get(index).is_some_and(|p| p.condition.holds(self.facts));
        if let Some(slot) = self.answers.get_mut(index) {
            *slot = Some(answer);
        }
        answer
    }

    /// Whether an expression holds.
    pub fn holds(&mut self, expr: &Expr) -> bool {
        self.first_failure(expr).is_none()
    }

    /// The first predicate that keeps an expression from holding; `None` where it holds.
    pub fn first_failure(&mut self, expr: &Expr) -> Option<usize> {
        match expr {
            Expr::Test { predicate, wanted } => {
                (self.ask(*predicate) != *wanted).then_some(*predicate)
            }
            Expr::All(parts) => parts.iter().find_map(|part| self.first_failure(part)),
            Expr::Any(parts) => {
                let mut first = None;
                for part in parts {
                    let failure = self.first_failure(part)?;
                    first.get_or_insert(failure);
                }
                first
            }
            Expr::Segment { expr, .. } => self.first_failure(expr),
        }
    }

    /// When an expression could hold, up to the horizon, if nothing changes but time and page.
    pub fn outlook(&self, expr: &Expr, horizon: Timestamp) -> Outlook {
        match expr {
            Expr::Test { predicate, wanted } => self
                .predicates
                .get(*predicate)
                .map_or_else(Outlook::never, |p| p.condition.outlook(self.facts, *wanted, horizon)),
            Expr::All(parts) => {
                let mut all = Outlook::always();
                for part in parts {
                    all = all.and(&self.outlook(part, horizon));
                    if all.is_never() {
                        break;
                    }
                }
                all
            }
            Expr::Any(parts) => {
                parts.iter().fold(Outlook::never(), |any, part| any.or(self.outlook(part, horizon)))
            }
            Expr::Segment { expr, .. } => self.outlook(expr, horizon),
        }
    }
}
