//! Comparisons by size in templates, made to hold as conditions of rules do: what is missing
//! satisfies none, and text that reads as a number is one.
//!
//! `minijinja` has a fixed order of all values in which a missing one is the least, so the
//! comparisons are rewritten before they are compiled.
//!
//! Must not: know names; whoever checks them hands over where they stand.

use std::fmt::Write as _;
use std::ops::Range;

use minijinja::machinery::Token;
use minijinja::machinery::ast::{BinOpKind, CompareOpKind, Expr};

use super::check::{path, range};

/// A comparison by size (`<`, `>=` …), in bytes of the expression it is in.
///
/// To Jinja a missing value is less than any number, and a number less than any text. Here, as in
/// conditions, a missing value satisfies no comparison, and text that reads as a number is one.
#[derive(Debug)]
pub(super) struct Comparison {
    /// From the token before it (if there is one) to its end, as the parser counts.
    pub(super) at: Range<usize>,
    /// The names that it reads.
    pub(super) names: Vec<Range<usize>>,
    /// Whether it is one of numbers.
    pub(super) is_numeric: bool,
}

impl Comparison {
    pub(super) fn holds(&self, other: &Range<usize>) -> bool {
        self.at.start <= other.start && other.end <= self.at.end
    }
}

pub(super) fn is_by_size(expression: &Expr<'_>) -> bool {
    match expression {
        Expr::BinOp(binary) => {
            matches!(binary.op, BinOpKind::Lt | BinOpKind::Lte | BinOpKind::Gt | BinOpKind::Gte)
        }
        Expr::Compare(compare) => compare.ops.iter().any(|op| {
            matches!(
                op.op,
                CompareOpKind::Lt | CompareOpKind::Lte | CompareOpKind::Gt | CompareOpKind::Gte
            )
        }),
        _ => false,
    }
}

/// The names that an operand reads and cannot do without.
pub(super) fn names_in(operand: &Expr<'_>, names: &mut Vec<Range<usize>>) {
    if let Some(steps) = path(operand) {
        let start = steps.first().map_or(0, |step| step.at.start);
        names.push(start..range(operand.span()).end);
        return;
    }
    match operand {
        Expr::UnaryOp(unary) => names_in(&unary.expr, names),
        Expr::BinOp(binary) => {
            names_in(&binary.left, names);
            names_in(&binary.right, names);
        }
        Expr::Filter(filter) if !matches!(filter.name, "default" | "d" | "length" | "count") => {
            filter.expr.iter().for_each(|value| names_in(value, names));
        }
        _ => {}
    }
}

/// The expression with each comparison by size guarded against what is missing:
/// `cart.value < 50` becomes `(cart.value|_number is number and (cart.value|_number < 50))`.
pub(super) fn guarded(
    source: &str,
    offset: usize,
    tokens: &[(Token<'_>, Range<usize>)],
    mut comparisons: Vec<Comparison>,
) -> String {
    let mut out = source.to_owned();
    comparisons.sort_by_key(|comparison| std::cmp::Reverse(comparison.at.start));
    for Comparison { at, mut names, is_numeric } in comparisons {
        let start = begin(&at, offset, tokens);
        let (Some(mut inner), false) =
            (source.get(start..at.end).map(str::to_owned), names.is_empty())
        else {
            continue;
        };
        let filter = if is_numeric { "|_number" } else { "" };
        let state = if is_numeric { "number" } else { "defined" };
        names.sort_by_key(|name| std::cmp::Reverse(name.start));
        let mut guard = String::new();
        for name in names {
            let text = source.get(name.clone()).unwrap_or_default();
            // Writing to a string cannot fail.
            let _ = write!(guard, "{text}{filter} is {state} and ");
            let place = name.start.saturating_sub(start)..name.end.saturating_sub(start);
            if inner.get(place.clone()).is_some() {
                inner.replace_range(place, &format!("({text}{filter})"));
            }
        }
        if out.get(start..at.end).is_some() {
            out.replace_range(start..at.end, &format!("({guard}({inner}))"));
        }
    }
    out
}

/// Where a comparison begins. The parser counts from the token before it, if there is one: that
/// token may be a bracket or a word such as `and`.
fn begin(at: &Range<usize>, offset: usize, tokens: &[(Token<'_>, Range<usize>)]) -> usize {
    let mut depth = 0_i32;
    let mut first = None;
    let mut second = None;
    for (token, place) in tokens {
        let start = place.start.saturating_sub(offset);
        if start < at.start || place.end.saturating_sub(offset) > at.end {
            continue;
        }
        if first.is_none() {
            first = Some(token);
        } else if second.is_none() {
            second = Some(start);
        }
        depth += match token {
            Token::ParenOpen | Token::BracketOpen | Token::BraceOpen => 1,
            Token::ParenClose | Token::BracketClose | Token::BraceClose => -1,
            _ => 0,
        };
    }
    let is_after_token = at.start > 0 || depth > 0 || matches!(first, Some(Token::Ident("not")));
    if is_after_token { second.unwrap_or(at.start) } else { at.start }
}
