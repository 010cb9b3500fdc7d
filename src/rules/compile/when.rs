//! Conditions as written → expressions over predicates.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::keys::short;
use super::predicates::Predicates;
use super::suggest::{self, unknown_field};
use crate::rules::condition::Expr;
use crate::rules::context::Context;
use crate::rules::diagnostic::Span;
use crate::rules::fields;
use crate::rules::kinds::{FieldUse, Op, Operand};
use crate::rules::model::{About, Localized, PlaceFact, Variant};
use crate::rules::raw::{Entry, Node, NodeKind};

/// What conditions of one place in a file may refer to.
pub(super) struct Scope<'s> {
    /// The site's segments, compiled.
    pub segments: &'s HashMap<Arc<str>, Expr>,
    /// The team that the rule's prompts go to, if they all go to one.
    pub route: Option<&'s Arc<str>>,
}

/// A list (all of them) or a map of conditions.
pub(super) fn compile(
    node: &Node,
    scope: &Scope<'_>,
    predicates: &mut Predicates,
    cx: &mut Context<'_>,
) -> Option<Expr> {
    match &node.kind {
        NodeKind::List(items) => {
            let parts: Vec<_> =
                items.iter().map(|item| compile_item(item, scope, predicates, cx)).collect();
            parts.into_iter().collect::<Option<Vec<_>>>().map(flat_all)
        }
        _ => compile_item(node, scope, predicates, cx),
    }
}

fn compile_item(
    node: &Node,
    scope: &Scope<'_>,
    predicates: &mut Predicates,
    cx: &mut Context<'_>,
) -> Option<Expr> {
    let NodeKind::Map(entries) = &node.kind else {
        let text = node.scalar().unwrap_or_default();
        let help = match text.split_whitespace().next() {
            Some(name) if name == text && fields::find(name).is_some() => {
                format!("`{name}` needs a value: write `{name}: …`")
            }
            Some(name) if fields::find(name).is_some() => {
                format!("write it as `{name}: value` or `{name}: {{ operator: value }}`")
            }
            _ if scope.segments.contains_key(text) => format!("write `segment: {text}`"),
            _ => "write a condition as `field: value` or `field: { operator: value }`".to_owned(),
        };
        let found =
            if text.is_empty() { node.what().to_owned() } else { format!("`{}`", short(text)) };
        cx.error_help(
            "wrong-type",
            node.span,
            format!("expected a condition, found {found}"),
            help,
        );
        return None;
    };
    if entries.is_empty() {
        cx.error_help(
            "wrong-type",
            node.span,
            "a condition without any field",
            "write a condition as `field: value` or `field: { operator: value }`",
        );
        return None;
    }
    let parts: Vec<_> = entries.iter().map(|e| compile_entry(e, scope, predicates, cx)).collect();
    parts.into_iter().collect::<Option<Vec<_>>>().map(flat_all)
}

fn flat_all(mut parts: Vec<Expr>) -> Expr {
    if parts.len() == 1 { parts.pop().unwrap_or(Expr::ALWAYS) } else { Expr::All(parts) }
}

fn compile_entry(
    entry: &Entry,
    scope: &Scope<'_>,
    predicates: &mut Predicates,
    cx: &mut Context<'_>,
) -> Option<Expr> {
    if entry.value.is_null() {
        cx.error_help(
            "no-value",
            entry.key_span,
            format!("`{}` has no value", entry.key),
            "give it one; for a value that is missing write `exists: false`",
        );
        return None;
    }
    match entry.key.as_str() {
        "any" | "all" => {
            let NodeKind::List(items) = &entry.value.kind else {
                // A single one, or a map of them: the conditions themselves are looked at all the same.
                let _ = compile_item(&entry.value, scope, predicates, cx);
                cx.error_help(
                    "wrong-type",
                    entry.key_span,
                    format!("`{}` takes a list of conditions, found {}", entry.key, entry.value.what()),
                    "begin each condition with `- ` on a line of its own, or write [ { … }, { … } ]",
                );
                return None;
            };
            if items.is_empty() {
                cx.error_help(
                    "empty-list",
                    entry.value.span,
                    format!("`{}` lists no conditions", entry.key),
                    "list at least one, or take the line out",
                );
                return None;
            }
            let parts: Vec<_> =
                items.iter().map(|item| compile_item(item, scope, predicates, cx)).collect();
            let parts = parts.into_iter().collect::<Option<Vec<_>>>()?;
            Some(if entry.key == "any" { Expr::Any(parts) } else { flat_all(parts) })
        }
        "not" => {
            if matches!(&entry.value.kind, NodeKind::List(items) if items.is_empty()) {
                cx.error_help(
                    "empty-list",
                    entry.value.span,
                    "`not` lists no conditions",
                    "list at least one, or take the line out",
                );
                return None;
            }
            compile(&entry.value, scope, predicates, cx).map(Expr::negated)
        }
        "segment" => segment(&entry.value, scope, cx),
        _ => field(entry, scope, predicates, cx),
    }
}

fn segment(node: &Node, scope: &Scope<'_>, cx: &mut Context<'_>) -> Option<Expr> {
    let (names, wanted) = match &node.kind {
        NodeKind::Map(entries) => {
            let [entry] = entries.as_slice() else {
                cx.error("wrong-type", node.span, "`segment` takes one operator");
                return None;
            };
            let wanted = match entry.key.as_str() {
                "is" | "in" => true,
                "is_not" | "not_in" => false,
                other => {
                    cx.unknown(
                        "unknown-operator",
                        entry.key_span,
                        "operator on segment",
                        other,
                        ["is", "is_not", "in", "not_in"],
                    );
                    return None;
                }
            };
            (cx.texts(&entry.value, "a segment's name")?, wanted)
        }
        _ => (cx.texts(node, "a segment's name")?, true),
    };
    let mut parts = Vec::new();
    let mut is_whole = true;
    for (name, span) in names {
        if let Some((name, expr)) = scope.segments.get_key_value(name) {
            parts.push(Expr::Segment {
                name: name.clone(),
                wanted: true,
                expr: Box::new(expr.clone()),
            });
        } else {
            is_whole = false;
            cx.unknown(
                "unknown-segment",
                span,
                "segment",
                name,
                scope.segments.keys().map(|k| &**k),
            );
        }
    }
    let any = if parts.len() == 1 { parts.pop()? } else { Expr::Any(parts) };
    is_whole.then(|| if wanted { any } else { any.negated() })
}

fn field(
    entry: &Entry,
    scope: &Scope<'_>,
    predicates: &mut Predicates,
    cx: &mut Context<'_>,
) -> Option<Expr> {
    let Some((field, parameter)) = fields::find(&entry.key) else {
        unknown_field(&entry.key, entry.key_span, cx);
        return None;
    };
    let operands = operands(entry, field.condition.operators(), cx)?;
    let name: Arc<str> = entry.key.as_str().into();
    let field_use = FieldUse { name: &name, parameter: &parameter, route: scope.route };
    let condition = field.condition.compile(&field_use, &operands, cx)?;
    for fact in place_facts(&name, &operands) {
        predicates.note(cx, entry.key_span, About::Place(fact));
    }
    let wanted: Vec<_> = operands
        .iter()
        .map(|operand| format!("{} {}", operand.op.words(), operand.value.inline()))
        .collect();
    let route = if field.name.starts_with("agents.") { scope.route.map_or("", |r| r) } else { "" };
    // What people read may look alike for different values; what is compared may not.
    let exact: Vec<String> = operands
        .iter()
        .map(|operand| format!("{:?}{}", operand.op, exact(operand.value)))
        .collect();
    let exact = exact.concat();
    let meaning = format!("{name}\0{route}\0{exact}");
    let predicate = predicates.intern(meaning, &name, wanted.join(" and "), condition);
    Some(Expr::Test { predicate, wanted: true })
}

fn exact(node: &Node) -> String {
    match &node.kind {
        NodeKind::Scalar { text, .. } => format!("{text:?}"),
        NodeKind::List(items) => {
            let items: Vec<_> = items.iter().map(exact).collect();
            format!("[{}]", items.join(","))
        }
        NodeKind::Map(entries) => {
            let entries: Vec<_> =
                entries.iter().map(|e| format!("{:?}:{}", e.key, exact(&e.value))).collect();
            format!("{{{}}}", entries.join(","))
        }
    }
}

/// The operators of one field: a bare value means `is`, a bare list `in`.
fn operands<'n>(
    entry: &'n Entry,
    known: &'static [Op],
    cx: &mut Context<'_>,
) -> Option<Vec<Operand<'n>>> {
    let bare = |op| Operand { op, span: entry.value.span, value: &entry.value };
    let NodeKind::Map(entries) = &entry.value.kind else {
        let op = if matches!(entry.value.kind, NodeKind::List(_)) { Op::In } else { Op::Is };
        if known.contains(&op) {
            return Some(vec![bare(op)]);
        }
        let names: Vec<_> = known.iter().map(|op| op.name()).collect();
        let first = names.first().unwrap_or(&"");
        let help = match entry.value.scalar() {
            Some(text) => format!("write `{}: {{ {first}: \"{}\" }}`", entry.key, short(text)),
            None => format!("write `{}: {{ {first}: … }}`", entry.key),
        };
        let message = format!("`{}` needs an operator", entry.key);
        cx.error_help("no-operator", entry.value.span, message, help);
        return None;
    };
    if entries.is_empty() {
        let names: Vec<_> = known.iter().map(|op| op.name()).collect();
        let message = format!("`{}` has no operator", entry.key);
        let help = format!("it takes: {}", names.join(", "));
        cx.error_help("no-operator", entry.value.span, message, help);
        return None;
    }
    let mut operands = Vec::new();
    let mut is_whole = true;
    for operator in entries {
        let op = Op::ALL.iter().copied().find(|op| op.name() == operator.key);
        match op {
            Some(op) if known.contains(&op) => {
                if operator.value.is_null() {
                    is_whole = false;
                    cx.error_help(
                        "no-value",
                        operator.key_span,
                        format!("`{}` has no value", operator.key),
                        "give it one; for a value that is missing write `exists: false`",
                    );
                } else {
                    operands.push(Operand { op, span: operator.key_span, value: &operator.value });
                }
            }
            Some(op) => {
                is_whole = false;
                suggest::operator_not_here(entry, op, operator.key_span, known, cx);
            }
            None => {
                is_whole = false;
                suggest::unknown_operator(entry, operator, known, cx);
            }
        }
    }
    is_whole.then_some(operands)
}

/// What a condition needs to know of the place.
fn place_facts(field: &str, operands: &[Operand<'_>]) -> Vec<PlaceFact> {
    match field {
        "location.country" | "location.continent" | "location.in_eu" => vec![PlaceFact::Country],
        "location.city" => vec![PlaceFact::City],
        "location.time_zone" => vec![PlaceFact::TimeZone],
        "location.region" => {
            let values = operands.iter().flat_map(|operand| match &operand.value.kind {
                NodeKind::List(items) => items.iter().collect(),
                _ => vec![operand.value],
            });
            let mut facts = Vec::new();
            for text in values.filter_map(Node::scalar) {
                let is_code = text.len() <= 6 && text.as_bytes().get(2) == Some(&b'-');
                let fact = if is_code { PlaceFact::RegionCode } else { PlaceFact::RegionName };
                // `exists` asks for either.
                let is_value = !matches!(text, "true" | "false");
                if is_value && !facts.contains(&fact) {
                    facts.push(fact);
                }
            }
            facts
        }
        _ => Vec::new(),
    }
}

/// Keeps what a rule's texts need to know of the place.
pub(super) fn note_messages(
    variants: &[Variant],
    span: Span,
    predicates: &mut Predicates,
    cx: &Context<'_>,
) {
    let texts = variants.iter().flat_map(|variant| {
        let prompt = &variant.prompt;
        let labels = prompt.actions.iter().map(|action| &action.label);
        std::iter::once(&prompt.message).chain(&prompt.title).chain(labels)
    });
    let names: BTreeSet<&str> = texts
        .flat_map(|Localized(templates)| templates)
        .flat_map(|template| template.uses().iter().map(|name| &**name))
        .collect();
    for name in names {
        let facts = match name {
            // Messages show its name.
            "location.region" => vec![PlaceFact::RegionName],
            other => place_facts(other, &[]),
        };
        for fact in facts {
            predicates.note(cx, span, About::Place(fact));
        }
    }
}
