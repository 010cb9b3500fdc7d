//! What a condition is: one field with its operators, compiled.
//!
//! Each type of condition is one file in `kinds/`, and each field one row in `fields.rs`.
//! Must not: combine conditions (that is the engine's).

use std::fmt;
use std::sync::Arc;

use super::outlook::Outlook;
use crate::domain::facts::Facts;
use crate::domain::time::Timestamp;

/// One field with its operators, ready to be asked. A pure function of the facts.
pub trait Condition: Send + Sync + fmt::Debug {
    /// Whether it holds. A missing value satisfies nothing but `exists: false` and the negative
    /// operators.
    fn holds(&self, facts: &Facts<'_>) -> bool;

    /// When it could hold (`wanted`) or fail to hold (`!wanted`), up to the horizon, if nothing
    /// changes but time and the page. The default is for what cannot change on a page.
    fn outlook(&self, facts: &Facts<'_>, wanted: bool, horizon: Timestamp) -> Outlook {
        let _ = horizon;
        Outlook::fixed(self.holds(facts) == wanted)
    }

    /// How much of what is wanted is there, from 0 to 1; `None` where that has no measure.
    fn reached(&self, facts: &Facts<'_>) -> Option<f64> {
        let _ = facts;
        None
    }

    /// What is there now, in words; `None` where the value is missing.
    fn actual(&self, facts: &Facts<'_>) -> Option<String>;

    /// What it reads besides its field, where that makes a difference: a team, a currency.
    fn subject(&self) -> String {
        String::new()
    }

    /// Values to try where conditions on one field are held against each other: if any value at
    /// all gives every one of them its wanted answer, then one of those that they name does.
    /// None, where that cannot be said of finitely many.
    fn candidates(&self, wanted: bool) -> Vec<Value> {
        let _ = wanted;
        Vec::new()
    }

    /// Its answer to a value, as far as it does not depend on more than that.
    fn answer_to(&self, value: &Value) -> Option<bool> {
        let _ = value;
        None
    }
}

/// A value that a field may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// None.
    Missing,
    /// A text, in the spelling that the field compares in. Of an address: its path.
    Text(String),
    /// An amount.
    Number(i64),
    /// Yes or no.
    Flag(bool),
}

/// A distinct condition of a rule set: stored once, asked at most once in a decision.
#[derive(Debug, Clone)]
pub struct Predicate {
    /// The field's full name: `page.query.ref`.
    pub field: Arc<str>,
    /// What is wanted, in words: `at least 60s`.
    pub wanted: String,
    /// The condition.
    pub condition: Arc<dyn Condition>,
}

/// Conditions combined. `not` is gone: every test says which answer it wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expr {
    /// A predicate's answer.
    Test {
        /// Its index in the rule set.
        predicate: usize,
        /// The answer that satisfies.
        wanted: bool,
    },
    /// All of them; none at all holds.
    All(Vec<Self>),
    /// At least one of them; none at all does not hold.
    Any(Vec<Self>),
    /// A segment, for people to recognise.
    Segment {
        /// Its name.
        name: Arc<str>,
        /// Whether the visit must be in it.
        wanted: bool,
        /// What that means; already negated where it must not.
        expr: Box<Self>,
    },
}

impl Expr {
    /// Holds always.
    pub const ALWAYS: Self = Self::All(Vec::new());

    /// How many conditions it is made of, as it would be written out.
    #[must_use]
    pub fn size(&self) -> usize {
        match self {
            Self::Test { .. } => 1,
            Self::All(parts) | Self::Any(parts) => parts.iter().map(Self::size).sum(),
            Self::Segment { expr, .. } => expr.size(),
        }
    }

    /// The opposite, by De Morgan's laws.
    #[must_use]
    pub fn negated(self) -> Self {
        match self {
            Self::Test { predicate, wanted } => Self::Test { predicate, wanted: !wanted },
            Self::All(parts) => Self::Any(parts.into_iter().map(Self::negated).collect()),
            Self::Any(parts) => Self::All(parts.into_iter().map(Self::negated).collect()),
            Self::Segment { name, wanted, expr } => {
                Self::Segment { name, wanted: !wanted, expr: Box::new(expr.negated()) }
            }
        }
    }
}
