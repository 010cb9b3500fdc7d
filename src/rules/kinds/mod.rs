//! The types of conditions, one file each: what operators they take, how their values are read,
//! and how they are asked.
//!
//! A new type is a file here and a row in `../fields.rs`.

use std::sync::Arc;

use super::condition::Condition;
use super::context::Context;
use super::diagnostic::Span;
use super::raw::Node;
use super::vocabulary::Shape;

pub mod amount;
pub mod attribute;
pub mod flag;
pub mod local_time;
mod pattern;
pub mod text;
pub mod url;
pub mod visited;

/// A type of condition.
pub trait ConditionType: Sync {
    /// The operators it takes.
    fn operators(&self) -> &'static [Op];

    /// What its values look like, for people.
    fn values(&self) -> &'static str;

    /// The same for programs.
    fn shape(&self) -> Shape {
        Shape::Text
    }

    /// Compiles one field's operators; all of them must hold. `None` once a finding is reported.
    fn compile(
        &self,
        field: &FieldUse<'_>,
        operands: &[Operand<'_>],
        cx: &mut Context<'_>,
    ) -> Option<Arc<dyn Condition>>;
}

/// A field as a rule uses it.
#[derive(Debug, Clone, Copy)]
pub struct FieldUse<'a> {
    /// Its full name: `page.query.ref`.
    pub name: &'a Arc<str>,
    /// The part that the rule chose: `ref`; empty where there is none.
    pub parameter: &'a Arc<str>,
    /// The team that the rule's prompts go to, if they all go to one.
    pub route: Option<&'a Arc<str>>,
}

/// An operator with its value.
#[derive(Debug, Clone, Copy)]
pub struct Operand<'a> {
    /// The operator.
    pub op: Op,
    /// Where it stands: its own place, or the value's where it was left out.
    pub span: Span,
    /// What it is given.
    pub value: &'a Node,
}

macro_rules! operators {
    ($($variant:ident $name:literal $words:literal $doc:literal,)*) => {
        /// Operators of conditions.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Op { $(#[doc = $doc] $variant,)* }

        impl Op {
            /// Every operator.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// Its name in rule files.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// It in a sentence.
            #[must_use]
            pub const fn words(self) -> &'static str {
                match self { $(Self::$variant => $words,)* }
            }

            /// What it does.
            #[must_use]
            pub const fn about(self) -> &'static str {
                match self { $(Self::$variant => $doc,)* }
            }
        }
    };
}

operators! {
    Is "is" "is" "Equals the value.",
    IsNot "is_not" "is not" "Does not equal the value; a missing value does not either.",
    In "in" "is one of" "Equals one of the values.",
    NotIn "not_in" "is none of" "Equals none of the values; a missing value equals none.",
    Contains "contains" "contains" "Has the value somewhere in it.",
    NotContains "not_contains" "does not contain" "Does not have it; a missing value has not.",
    StartsWith "starts_with" "starts with" "Begins with the value.",
    EndsWith "ends_with" "ends with" "Ends with the value.",
    Under "under" "is under" "Is that path, or below it.",
    Matches "matches" "matches" "Fits a URL Pattern (URL fields) or a text with `*` (elsewhere).",
    Regex "regex" "matches the regex" "Has a match of the regular expression, with case.",
    AtLeast "at_least" "is at least" "The value or more.",
    AtMost "at_most" "is at most" "The value or less.",
    MoreThan "more_than" "is more than" "More than the value.",
    LessThan "less_than" "is less than" "Less than the value.",
    Between "between" "is between" "From the first value to the second, both included.",
    Exists "exists" "exists:" "Whether there is a value at all.",
    InOrder "in_order" "in this order:" "These pages were seen in this order, others between.",
    Count "count" "on different pages, at least" "At least so many different pages fit.",
    During "during" "is during" "The visitor's own clock is within these opening hours.",
}

/// `exists`: the value it asks for.
fn exists(operand: &Operand<'_>, cx: &mut Context<'_>) -> Option<bool> {
    let text = cx.text(operand.value, "true or false")?;
    super::values::boolean(text)
        .map_err(|message| cx.error("wrong-type", operand.value.span, message))
        .ok()
}
