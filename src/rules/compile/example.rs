//! A rule's `examples:`: visits made of field values, and what should come of them.

use chrono::{DateTime, NaiveDate};

use super::keys::Keys;
use super::rule::day_start;
use super::site::CompiledSite;
use super::suggest::unknown_field;
use crate::domain::time::{Millis, Timestamp};
use crate::rules::context::Context;
use crate::rules::diagnostic::nearest;
use crate::rules::fields;
use crate::rules::kinds::{FieldUse, Op, Operand};
use crate::rules::model::{Example, Expectation};
use crate::rules::raw::{Node, NodeKind};
use crate::rules::sample::{Given, Sample};
use crate::rules::vocabulary::{EXAMPLE_NAMES, EXPECT_NAMES};

/// What stops a rule besides its conditions, where an example can see it.
const STOPS: &[&str] = &["hours", "dates", "repeat", "off"];

/// Reads them; what is wrong is reported and left out.
pub(super) fn compile(
    rule: Keys<'_>,
    site: &CompiledSite,
    active_from: Timestamp,
    cx: &mut Context<'_>,
) -> Vec<Example> {
    let Some(node) = rule.get("examples") else { return Vec::new() };
    let NodeKind::List(items) = &node.kind else {
        cx.wrong_type(node, "a list of examples");
        return Vec::new();
    };
    items.iter().filter_map(|item| one(item, site, active_from, cx)).collect()
}

fn one(
    node: &Node,
    site: &CompiledSite,
    active_from: Timestamp,
    cx: &mut Context<'_>,
) -> Option<Example> {
    let keys = Keys::of(cx, node, "an example", EXAMPLE_NAMES)?;
    let name = keys.read(cx, "name", "text", |text| Ok(text.to_owned())).unwrap_or_default();
    let given = match keys.get("given") {
        Some(node) => sample(Some(node), site, active_from, cx),
        None => sample(None, site, active_from, cx),
    };
    let Some(expect) = keys.get("expect") else {
        if keys
            .0
            .iter()
            .any(|entry| !EXAMPLE_NAMES.contains(&entry.key.as_str()) || entry.key == "expect")
        {
            return None;
        }
        cx.error_help(
            "no-value",
            keys.0.first().map_or(node.span, |entry| entry.key_span),
            "an example without `expect`",
            "say what should come of it: show, no_match, not_yet or { stopped_by: hours }",
        );
        return None;
    };
    let expect = expectation(expect, cx)?;
    Some(Example { name, given: Box::new(given?), expect, span: node.span })
}

fn expectation(node: &Node, cx: &mut Context<'_>) -> Option<Expectation> {
    if let NodeKind::Map(_) = &node.kind {
        let keys = Keys::of(cx, node, "expect", EXPECT_NAMES)?;
        let node = keys.get("stopped_by")?;
        let text = cx.text(node, "what stops it")?;
        if !STOPS.contains(&text) && fields::find(text).is_none() {
            let near = nearest(text, STOPS.iter().copied());
            let help = match near {
                Some(name) => format!("did you mean `{name}`?"),
                None => format!("it takes the name of a field, or {}", STOPS.join(", ")),
            };
            cx.error_help(
                "unknown-value",
                node.span,
                format!("nothing called `{text}` stops a rule"),
                help,
            );
            return None;
        }
        return Some(Expectation::StoppedBy(text.to_owned()));
    }
    match cx.text(node, "show, no_match, not_yet or { stopped_by: hours }")? {
        "show" => Some(Expectation::Show),
        "no_match" => Some(Expectation::NoMatch),
        "not_yet" => Some(Expectation::NotYet),
        other if STOPS.contains(&other) || fields::find(other).is_some() => {
            let message = format!("an example cannot expect `{other}`");
            let help = format!("write `expect: {{ stopped_by: {other} }}`");
            cx.error_help("unknown-value", node.span, message, help);
            None
        }
        other => {
            cx.unknown(
                "unknown-value",
                node.span,
                "expectation",
                other,
                ["show", "no_match", "not_yet"],
            );
            None
        }
    }
}

/// The visit: at noon of an ordinary Wednesday on the site's first origin, where nothing is said.
fn sample(
    node: Option<&Node>,
    site: &CompiledSite,
    active_from: Timestamp,
    cx: &mut Context<'_>,
) -> Option<Sample> {
    let ordinary = NaiveDate::from_ymd_opt(2026, 1, 14)
        .map_or(Timestamp::MIN, |date| day_start(date, site.basics.time_zone));
    sample_at(node, site, ordinary.max(active_from) + Millis::hours(12), cx)
}

/// The visit, at that moment unless it says another.
pub(super) fn sample_at(
    node: Option<&Node>,
    site: &CompiledSite,
    mut now: Timestamp,
    cx: &mut Context<'_>,
) -> Option<Sample> {
    let origin = site.basics.origins.first().unwrap_or("https://shop.example");
    let entries = match node.map(|node| &node.kind) {
        Some(NodeKind::Map(entries)) => entries.as_slice(),
        Some(_) => {
            if let Some(node) = node {
                cx.wrong_type(node, "a map of fields and values");
            }
            return None;
        }
        None => &[],
    };
    let mut is_whole = true;
    if let Some(at) = entries.iter().find(|entry| entry.key == "at") {
        let wanted = "a moment like \"2026-11-20T10:00:00+09:00\"";
        let text = cx.text(&at.value, wanted);
        match text.map(DateTime::parse_from_rfc3339) {
            Some(Ok(at)) => now = at.to_utc().into(),
            Some(Err(_)) => {
                is_whole = false;
                cx.wrong_type(&at.value, wanted);
            }
            None => is_whole = false,
        }
    }
    let mut sample = Sample::new(&site.site.key, origin, now);
    for entry in entries.iter().filter(|entry| entry.key != "at") {
        let Some((field, parameter)) = fields::find(&entry.key) else {
            unknown_field(&entry.key, entry.key_span, cx);
            is_whole = false;
            continue;
        };
        let Some(texts) = cx.texts(&entry.value, field.condition.values()) else {
            is_whole = false;
            continue;
        };
        // What a condition could not name cannot be given either.
        let has_known_values = ["location", "device", "visitor.language", "visitor.time_zone"];
        if has_known_values.iter().any(|start| field.name.starts_with(start)) {
            let name = entry.key.as_str().into();
            let field_use = FieldUse { name: &name, parameter: &parameter, route: None };
            let is = Operand { op: Op::Is, span: entry.value.span, value: &entry.value };
            if field.condition.compile(&field_use, &[is], cx).is_none() {
                is_whole = false;
                continue;
            }
        }
        let items: Vec<&str> = texts.iter().map(|(text, _)| *text).collect();
        let text = items.first().copied().unwrap_or_default();
        let given = Given { text, items, site: &site.basics };
        if let Err(message) = (field.set)(&mut sample, &parameter, &given) {
            is_whole = false;
            cx.error("wrong-type", entry.value.span, format!("`{}`: {message}", entry.key));
        }
    }
    is_whole.then_some(sample)
}
