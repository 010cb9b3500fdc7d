//! What a template's expressions may be made of: names, filters, tests and operators.
//!
//! Must not: evaluate anything.

use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;

use chrono::format::{Item, StrftimeItems};
use minijinja::machinery::Span;
use minijinja::machinery::ast::{BinOpKind, CallArg, Expr};
use minijinja::value::ValueKind;

use super::compare::{Comparison, is_by_size, names_in};
use super::filters::{FILTERS, TESTS};
use super::names::{Kind, Names, Step, suggestion};
use super::{Known, TemplateError};

/// Dotted names that a template reads.
pub(super) type Uses = BTreeSet<Arc<str>>;

/// Checks an expression that begins at that byte of its template. Gives the comparisons by size in
/// it that something missing must not satisfy.
pub(super) fn check(
    expression: &Expr<'_>,
    offset: usize,
    known: &Known<'_>,
    uses: &mut Uses,
) -> Result<Vec<Comparison>, TemplateError> {
    let mut checker = Checker { names: Names { offset, known }, uses, comparisons: Vec::new() };
    checker.expression(expression)?;
    Ok(checker.comparisons)
}

/// Whether it is `cart.value` and nothing else.
pub(super) fn is_amount(expression: &Expr<'_>) -> bool {
    path(expression).is_some_and(|path| {
        let names: Vec<&str> = path.iter().map(|step| step.name.as_str()).collect();
        names == ["cart", "value"]
    })
}

/// The steps of `a.b["c"]`; `None` for what is no such name.
pub(super) fn path(expression: &Expr<'_>) -> Option<Vec<Step>> {
    match expression {
        Expr::Var(var) => {
            Some(vec![Step { name: var.id.to_owned(), at: range(expression.span()) }])
        }
        Expr::GetAttr(get) => {
            let mut steps = path(&get.expr)?;
            let end = range(expression.span()).end;
            let at = end.saturating_sub(get.name.len())..end;
            steps.push(Step { name: get.name.to_owned(), at });
            Some(steps)
        }
        Expr::GetItem(get) => {
            let Expr::Const(name) = &get.subscript_expr else { return None };
            let name = name.value.as_str()?.to_owned();
            let mut steps = path(&get.expr)?;
            steps.push(Step { name, at: range(get.subscript_expr.span()) });
            Some(steps)
        }
        _ => None,
    }
}

/// A span in bytes.
pub(super) fn range(span: Span) -> Range<usize> {
    let place = |offset| usize::try_from(offset).unwrap_or(usize::MAX);
    place(span.start_offset)..place(span.end_offset)
}

struct Checker<'a> {
    names: Names<'a>,
    uses: &'a mut Uses,
    comparisons: Vec<Comparison>,
}

impl Checker<'_> {
    fn expression(&mut self, expression: &Expr<'_>) -> Result<(), TemplateError> {
        if let Some(steps) = path(expression) {
            self.uses.insert(self.names.resolve(&steps)?.into());
            return Ok(());
        }
        let at = range(expression.span());
        match expression {
            Expr::Const(_) | Expr::Var(_) => Ok(()),
            Expr::GetAttr(get) => {
                let end = at.end.saturating_sub(get.name.len())..at.end;
                let message = format!("`{}` is asked of something that has no parts", get.name);
                Err(self.names.error(end, message, None))
            }
            Expr::GetItem(get) => {
                self.expression(&get.expr)?;
                self.expression(&get.subscript_expr)
            }
            Expr::Slice(slice) => {
                self.expression(&slice.expr)?;
                let bounds = [&slice.start, &slice.stop, &slice.step];
                bounds.into_iter().flatten().try_for_each(|bound| self.expression(bound))
            }
            Expr::UnaryOp(unary) => self.expression(&unary.expr),
            Expr::BinOp(binary) => {
                let operands = [&binary.left, &binary.right];
                self.operator(binary.op, &operands, at.clone())?;
                self.compare(expression, &operands, at);
                operands.into_iter().try_for_each(|operand| self.expression(operand))
            }
            Expr::Compare(compare) => {
                let operands: Vec<&Expr<'_>> = std::iter::once(&compare.expr)
                    .chain(compare.ops.iter().map(|op| &op.expr))
                    .collect();
                self.compare(expression, &operands, at);
                operands.into_iter().try_for_each(|operand| self.expression(operand))
            }
            Expr::IfExpr(choice) => {
                self.expression(&choice.test_expr)?;
                self.expression(&choice.true_expr)?;
                choice.false_expr.iter().try_for_each(|expression| self.expression(expression))
            }
            Expr::List(list) => list.items.iter().try_for_each(|item| self.expression(item)),
            Expr::Tuple(tuple) => tuple.items.iter().try_for_each(|item| self.expression(item)),
            Expr::Filter(filter) => {
                self.name("filter", filter.name, FILTERS, at.start)?;
                if let Some(value) = &filter.expr {
                    self.expression(value)?;
                }
                if filter.name == "time" {
                    self.time(filter.expr.as_ref(), &filter.args, at.clone())?;
                }
                self.arguments(&filter.args, at)
            }
            Expr::Test(test) => {
                self.name("test", test.name, TESTS, at.start)?;
                self.expression(&test.expr)?;
                self.arguments(&test.args, at)
            }
            Expr::Call(_) => Err(self.names.error(
                at,
                "messages call no functions".to_owned(),
                Some("use a filter: `{{ visitor.name | title }}`".to_owned()),
            )),
            Expr::Map(_) => Err(self.names.error(at, "messages have no maps".to_owned(), None)),
        }
    }

    /// `*` repeats text and lists as often as it says, so it is for numbers only.
    fn operator(
        &self,
        operator: BinOpKind,
        operands: &[&Expr<'_>],
        at: Range<usize>,
    ) -> Result<(), TemplateError> {
        match operator {
            BinOpKind::Pow => Err(self.names.error(at, "messages have no `**`".to_owned(), None)),
            BinOpKind::Mul if !operands.iter().all(|operand| self.is_number(operand)) => {
                let help = "make sure of it: `visitor.attributes.seats | int * 2`".to_owned();
                Err(self.names.error(at, "`*` is for numbers only".to_owned(), Some(help)))
            }
            _ => Ok(()),
        }
    }

    /// Notes a comparison by size, unless it is part of one that is noted already.
    fn compare(&mut self, expression: &Expr<'_>, operands: &[&Expr<'_>], at: Range<usize>) {
        let is_within = self.comparisons.iter().any(|one| one.holds(&at));
        if !is_by_size(expression) || is_within {
            return;
        }
        let mut names = Vec::new();
        for operand in operands {
            names_in(operand, &mut names);
        }
        let is_numeric = operands.iter().any(|operand| self.is_number(operand));
        self.comparisons.push(Comparison { at, names, is_numeric });
    }

    fn is_number(&self, expression: &Expr<'_>) -> bool {
        match expression {
            Expr::Const(constant) => constant.value.kind() == ValueKind::Number,
            Expr::UnaryOp(unary) => self.is_number(&unary.expr),
            Expr::BinOp(binary) => {
                matches!(
                    binary.op,
                    BinOpKind::Add
                        | BinOpKind::Sub
                        | BinOpKind::Mul
                        | BinOpKind::Div
                        | BinOpKind::FloorDiv
                        | BinOpKind::Rem
                ) && self.is_number(&binary.left)
                    && self.is_number(&binary.right)
            }
            Expr::Filter(filter) => {
                matches!(filter.name, "int" | "float" | "round" | "abs" | "length" | "count")
            }
            other => {
                path(other).is_some_and(|steps| self.names.kind(&steps) == Ok(Some(Kind::Number)))
            }
        }
    }

    fn arguments(
        &mut self,
        arguments: &[CallArg<'_>],
        at: Range<usize>,
    ) -> Result<(), TemplateError> {
        for argument in arguments {
            match argument {
                CallArg::Pos(value) | CallArg::Kwarg(_, value) => self.expression(value)?,
                CallArg::PosSplat(_) | CallArg::KwargSplat(_) => {
                    return Err(self.names.error(
                        at,
                        "messages have no `*` arguments".to_owned(),
                        None,
                    ));
                }
            }
        }
        Ok(())
    }

    fn name(
        &self,
        what: &str,
        name: &str,
        known: &[&str],
        start: usize,
    ) -> Result<(), TemplateError> {
        if known.contains(&name) {
            return Ok(());
        }
        let help = match name {
            "e" | "escape" | "safe" => "leave it out: messages are plain text".to_owned(),
            _ => suggestion(name, known.iter().copied())
                .unwrap_or_else(|| format!("there are {}", known.join(", "))),
        };
        let at = start..start.saturating_add(name.len());
        Err(self.names.error(at, format!("unknown {what} `{name}`"), Some(help)))
    }

    /// `time` takes a moment and a format that can be checked now.
    fn time(
        &self,
        value: Option<&Expr<'_>>,
        arguments: &[CallArg<'_>],
        at: Range<usize>,
    ) -> Result<(), TemplateError> {
        let steps = value.and_then(path).unwrap_or_default();
        if self.names.kind(&steps) != Ok(Some(Kind::Moment)) {
            let help = "write it after a moment: `hours.support.next_open | time(\"%H:%M\")`";
            let message = "`time` is for moments".to_owned();
            return Err(self.names.error(at, message, Some(help.to_owned())));
        }
        let format = match arguments {
            [CallArg::Pos(Expr::Const(format))] => format.value.as_str(),
            _ => None,
        };
        let is_valid =
            |format: &str| !StrftimeItems::new(format).any(|item| matches!(item, Item::Error));
        if format.is_some_and(is_valid) {
            return Ok(());
        }
        let help = "use strftime's letters: `time(\"%A %H:%M\")`".to_owned();
        Err(self.names.error(at, "`time` takes one format".to_owned(), Some(help)))
    }
}
