//! Names that a template prints without asking whether they have a value, and without one to put
//! in their place.
//!
//! Must not: know which names may be without a value.

use std::ops::Range;
use std::sync::Arc;

use minijinja::machinery::ast::{BinOpKind, CallArg, Expr};

use super::check::{Uses, path, range};

/// A name that is printed as it is: where it has no value, there is a gap in the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bare {
    /// The name, dotted: `visitor.name`.
    pub name: Arc<str>,
    /// Where it stands in the template, in bytes.
    pub at: Range<usize>,
}

/// What an expression that begins at that byte prints bare.
pub(super) fn printed(expression: &Expr<'_>, offset: usize, bare: &mut Vec<Bare>) {
    if let Some(steps) = path(expression) {
        let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
        let start = steps.first().map_or(0, |step| step.at.start);
        let at = start + offset..range(expression.span()).end + offset;
        bare.push(Bare { name: names.join(".").into(), at });
        return;
    }
    match expression {
        Expr::UnaryOp(unary) => printed(&unary.expr, offset, bare),
        // `visitor.name or "there"` prints the second where the first is missing.
        Expr::BinOp(binary) if matches!(binary.op, BinOpKind::ScOr | BinOpKind::ScAnd) => {
            printed(&binary.right, offset, bare);
        }
        Expr::BinOp(binary) => {
            printed(&binary.left, offset, bare);
            printed(&binary.right, offset, bare);
        }
        Expr::IfExpr(choice) => {
            let mut names = Uses::new();
            asked(&choice.test_expr, &mut names);
            let mut inside = Vec::new();
            printed(&choice.true_expr, offset, &mut inside);
            choice.false_expr.iter().for_each(|value| printed(value, offset, &mut inside));
            bare.extend(inside.into_iter().filter(|one| !names.contains(&one.name)));
        }
        Expr::Filter(filter) if !matches!(filter.name, "default" | "d" | "length" | "count") => {
            filter.expr.iter().for_each(|value| printed(value, offset, bare));
        }
        _ => {}
    }
}

/// The names that a condition asks for.
pub(super) fn asked(expression: &Expr<'_>, names: &mut Uses) {
    if let Some(steps) = path(expression) {
        let steps: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
        names.insert(steps.join(".").into());
        return;
    }
    let argument = |argument: &CallArg<'_>, names: &mut Uses| match argument {
        CallArg::Pos(value) | CallArg::Kwarg(_, value) => asked(value, names),
        CallArg::PosSplat(_) | CallArg::KwargSplat(_) => {}
    };
    match expression {
        Expr::UnaryOp(unary) => asked(&unary.expr, names),
        Expr::BinOp(binary) => {
            asked(&binary.left, names);
            asked(&binary.right, names);
        }
        Expr::Compare(compare) => {
            asked(&compare.expr, names);
            compare.ops.iter().for_each(|op| asked(&op.expr, names));
        }
        Expr::Filter(filter) => {
            filter.expr.iter().for_each(|value| asked(value, names));
            filter.args.iter().for_each(|one| argument(one, names));
        }
        Expr::Test(test) => asked(&test.expr, names),
        Expr::List(list) => list.items.iter().for_each(|item| asked(item, names)),
        _ => {}
    }
}
