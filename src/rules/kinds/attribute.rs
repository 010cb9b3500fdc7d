//! Conditions on the site's own attributes of a visitor: text, numbers, yes and no, or lists.
//!
//! What reads as a number on both sides compares as one.

use std::sync::Arc;

use regex::Regex;

use super::pattern::regex;
use super::{ConditionType, FieldUse, Op, Operand, exists};
use crate::domain::facts::Facts;
use crate::domain::visit::AttributeValue;
use crate::rules::condition::{Condition, Value};
use crate::rules::context::Context;
use crate::rules::raw::{Node, NodeKind};

/// `visitor.attributes.<name>`.
pub struct AttributeType;

#[derive(Debug)]
struct AttributeCondition {
    name: Arc<str>,
    tests: Vec<Test>,
}

#[derive(Debug)]
struct Test {
    kind: TestKind,
    is_negative: bool,
}

#[derive(Debug)]
enum TestKind {
    Exists,
    Equals(Vec<Operandum>),
    Contains(Vec<String>),
    StartsWith(Vec<String>),
    EndsWith(Vec<String>),
    Glob(Vec<Regex>),
    Regex(Vec<Regex>),
    Range { low: f64, includes_low: bool, high: f64, includes_high: bool },
}

/// A value to compare with: its text without case, and its number if it reads as one.
#[derive(Debug)]
struct Operandum {
    text: String,
    number: Option<f64>,
}

fn number(text: &str) -> Option<f64> {
    let text = text.trim();
    // `inf`, `nan` and `1e5` are words to the people who write them.
    let is_plain = text.bytes().all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'-' | b'+'));
    if is_plain { text.parse::<f64>().ok().filter(|n| n.is_finite()) } else { None }
}

impl ConditionType for AttributeType {
    fn operators(&self) -> &'static [Op] {
        &[
            Op::Is,
            Op::IsNot,
            Op::In,
            Op::NotIn,
            Op::Contains,
            Op::NotContains,
            Op::StartsWith,
            Op::EndsWith,
            Op::Matches,
            Op::Regex,
            Op::AtLeast,
            Op::AtMost,
            Op::MoreThan,
            Op::LessThan,
            Op::Between,
            Op::Exists,
        ]
    }

    fn values(&self) -> &'static str {
        "text, a number, or true or false"
    }

    fn compile(
        &self,
        field: &FieldUse<'_>,
        operands: &[Operand<'_>],
        cx: &mut Context<'_>,
    ) -> Option<Arc<dyn Condition>> {
        let tests: Vec<_> = operands.iter().map(|operand| self.test(operand, cx)).collect();
        let tests: Option<Vec<_>> = tests.into_iter().collect();
        Some(Arc::new(AttributeCondition { name: field.parameter.clone(), tests: tests? }))
    }
}

impl AttributeType {
    fn test(&self, operand: &Operand<'_>, cx: &mut Context<'_>) -> Option<Test> {
        let is_negative = matches!(operand.op, Op::IsNot | Op::NotIn | Op::NotContains);
        let range = |low: f64, includes_low, high: f64, includes_high| TestKind::Range {
            low,
            includes_low,
            high,
            includes_high,
        };
        let kind = match operand.op {
            Op::Exists => {
                let wanted = exists(operand, cx)?;
                return Some(Test { kind: TestKind::Exists, is_negative: !wanted });
            }
            Op::AtLeast => range(one(operand.value, cx)?, true, f64::INFINITY, true),
            Op::MoreThan => range(one(operand.value, cx)?, false, f64::INFINITY, true),
            Op::AtMost => range(f64::NEG_INFINITY, true, one(operand.value, cx)?, true),
            Op::LessThan => range(f64::NEG_INFINITY, true, one(operand.value, cx)?, false),
            Op::Between => {
                let NodeKind::List(items) = &operand.value.kind else {
                    cx.wrong_type(operand.value, "a list of two numbers like [10, 20]");
                    return None;
                };
                let [low, high] = items.as_slice() else {
                    cx.wrong_type(operand.value, "a list of two numbers like [10, 20]");
                    return None;
                };
                let (low, high) = (one(low, cx)?, one(high, cx)?);
                if low > high {
                    cx.error_help(
                        "empty-range",
                        operand.value.span,
                        "`between` has its larger value first, so nothing is between",
                        "write the smaller value first",
                    );
                    return None;
                }
                range(low, true, high, true)
            }
            _ => {
                let texts = cx.texts(operand.value, self.values())?;
                let folded = || texts.iter().map(|(text, _)| text.to_lowercase()).collect();
                match operand.op {
                    Op::Contains | Op::NotContains => TestKind::Contains(folded()),
                    Op::StartsWith => TestKind::StartsWith(folded()),
                    Op::EndsWith => TestKind::EndsWith(folded()),
                    Op::Matches => {
                        let globs: Vec<_> = texts
                            .iter()
                            .map(|(text, span)| {
                                let parts: Vec<_> = text.split('*').map(regex::escape).collect();
                                regex(&format!("(?is)^{}$", parts.join(".*")), *span, cx)
                            })
                            .collect();
                        TestKind::Glob(globs.into_iter().collect::<Option<_>>()?)
                    }
                    Op::Regex => {
                        let all: Vec<_> =
                            texts.iter().map(|(text, span)| regex(text, *span, cx)).collect();
                        TestKind::Regex(all.into_iter().collect::<Option<_>>()?)
                    }
                    _ => TestKind::Equals(
                        texts
                            .iter()
                            .map(|(text, _)| Operandum {
                                text: text.to_lowercase(),
                                number: number(text),
                            })
                            .collect(),
                    ),
                }
            }
        };
        Some(Test { kind, is_negative })
    }
}

fn one(node: &Node, cx: &mut Context<'_>) -> Option<f64> {
    let text = cx.text(node, "a number")?;
    let number = number(text);
    if number.is_none() {
        cx.error("wrong-type", node.span, format!("expected a number like 12.5, found `{text}`"));
    }
    number
}

impl Test {
    fn holds(&self, text: &str, value: Option<f64>) -> bool {
        if matches!(self.kind, TestKind::Exists) {
            return true;
        }
        if let TestKind::Range { low, includes_low, high, includes_high } = self.kind {
            return value.is_some_and(|value| {
                (if includes_low { value >= low } else { value > low })
                    && (if includes_high { value <= high } else { value < high })
            });
        }
        if let TestKind::Regex(all) | TestKind::Glob(all) = &self.kind {
            return all.iter().any(|regex| regex.is_match(text));
        }
        let folded = text.to_lowercase();
        match &self.kind {
            TestKind::Equals(values) => values.iter().any(|wanted| match (wanted.number, value) {
                (Some(a), Some(b)) => (a - b).abs() < f64::EPSILON * a.abs().max(b.abs()).max(1.0),
                _ => wanted.text == folded,
            }),
            TestKind::Contains(values) => values.iter().any(|part| folded.contains(part.as_str())),
            TestKind::StartsWith(values) => {
                values.iter().any(|part| folded.starts_with(part.as_str()))
            }
            TestKind::EndsWith(values) => values.iter().any(|part| folded.ends_with(part.as_str())),
            _ => false,
        }
    }
}

impl Condition for AttributeCondition {
    fn holds(&self, facts: &Facts<'_>) -> bool {
        let value = facts.attribute(&self.name);
        self.tests.iter().all(|test| {
            let holds = match value {
                None => false,
                Some(AttributeValue::Text(text)) if text.is_empty() => false,
                Some(AttributeValue::Text(text)) => test.holds(text, number(text)),
                Some(AttributeValue::Number(value)) => test.holds(&value.to_string(), Some(*value)),
                Some(AttributeValue::Flag(value)) => test.holds(&value.to_string(), None),
                Some(AttributeValue::List(items)) => {
                    items.iter().any(|item| test.holds(item, number(item)))
                }
            };
            holds != test.is_negative
        })
    }

    fn actual(&self, facts: &Facts<'_>) -> Option<String> {
        Some(match facts.attribute(&self.name)? {
            AttributeValue::Text(text) => text.to_string(),
            AttributeValue::Number(value) => value.to_string(),
            AttributeValue::Flag(value) => value.to_string(),
            AttributeValue::List(items) => items.join(", "),
        })
    }

    // Of a list one element that fits suffices, so no two conditions exclude each other.
    fn answer_to(&self, value: &Value) -> Option<bool> {
        let is_missing = *value == Value::Missing;
        is_missing.then(|| self.tests.iter().all(|test| test.is_negative))
    }
}
