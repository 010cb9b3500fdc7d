//! What a site gives names to: opening hours, segments, goals, variables.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::NaiveDate;
use chrono_tz::Tz;

use super::keys::Keys;
use super::predicates::Predicates;
use super::rule::day_start;
use super::site::zone;
use super::when::{self, Scope};
use crate::domain::time::Millis;
use crate::rules::condition::Expr;
use crate::rules::context::Context;
use crate::rules::diagnostic::Diagnostic;
use crate::rules::holidays::{self, Calendar};
use crate::rules::hours::Hours;
use crate::rules::kinds::local_time::within;
use crate::rules::known;
use crate::rules::model::{About, Goal};
use crate::rules::raw::{Entry, Node, NodeKind};
use crate::rules::values;
use crate::rules::vocabulary::{GOAL_NAMES, HOURS_NAMES};

/// The most hours, segments, goals or variables of a site.
const MAX_NAMED: usize = 1_000;
/// The most conditions of one segment, those of the segments it uses included.
const MAX_SEGMENT: usize = 2_000;

fn named<'n>(keys: Keys<'n>, key: &str, cx: &mut Context<'_>) -> &'n [Entry] {
    let Some(node) = keys.get(key) else { return &[] };
    let NodeKind::Map(entries) = &node.kind else {
        cx.error_help(
            "wrong-type",
            node.span,
            format!("expected names below `{key}`, found {}", node.what()),
            match key {
                "hours" => "write `hours: { support: \"Mo-Fr 09:00-18:00\" }`",
                "segments" => "write `segments: { keen: { session.page_views: { at_least: 5 } } }`",
                "goals" => "write `goals: { order: { event: order_completed } }`",
                _ => "write `variables: { agent: Hana }`",
            },
        );
        return &[];
    };
    if let Some(first) = entries.get(MAX_NAMED) {
        cx.error_help(
            "too-many",
            first.key_span,
            format!("more than {MAX_NAMED} names in `{key}`"),
            "take out those that no rule uses",
        );
        return entries.get(..MAX_NAMED).unwrap_or_default();
    }
    for entry in entries {
        // Templates name hours and variables, and a `-` would be a minus there.
        let may_have_dash = matches!(key, "segments" | "goals");
        if !is_name(&entry.key, may_have_dash) {
            cx.error_help(
                "bad-name",
                entry.key_span,
                format!("`{}` cannot be a name in `{key}`", entry.key),
                match better_name(&entry.key, may_have_dash) {
                    Some(name) => format!("write it like `{name}`"),
                    None => "use a letter, then letters, digits and `_`, at most 64".to_owned(),
                },
            );
        }
    }
    entries
}

/// A name made of one that cannot be.
fn better_name(text: &str, may_have_dash: bool) -> Option<String> {
    let name: String =
        text.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    (text.is_ascii() && is_name(&name, may_have_dash)).then_some(name)
}

fn is_name(text: &str, may_have_dash: bool) -> bool {
    text.len() <= 64
        && text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b == b'_' || (may_have_dash && b == b'-'))
}

pub(super) fn hours(
    keys: Keys<'_>,
    predicates: &mut Predicates,
    cx: &mut Context<'_>,
) -> Vec<(Arc<str>, Arc<Hours>)> {
    let mut all = Vec::new();
    for entry in named(keys, "hours", cx) {
        let hours = one_hours(entry, predicates, cx);
        // Hours that are wrong are reported once, not wherever they are used.
        if let Some(hours) = hours.or_else(|| Hours::parse("24/7", Tz::UTC, None, &[]).ok()) {
            all.push((entry.key.as_str().into(), Arc::new(hours)));
        }
    }
    all
}

fn one_hours(entry: &Entry, predicates: &mut Predicates, cx: &mut Context<'_>) -> Option<Hours> {
    let node = &entry.value;
    if node.is_null() {
        cx.error_help(
            "no-value",
            entry.key_span,
            format!("`{}` has no opening hours", entry.key),
            "write them like \"Mo-Fr 09:00-18:00\"",
        );
        return None;
    }
    let (open, calendar, zone, closed) = if node.scalar().is_some() {
        (node, None, cx.site.time_zone, Vec::new())
    } else {
        let keys = Keys::of(cx, node, "hours", HOURS_NAMES)?;
        let has_unknown = keys.0.iter().any(|e| !HOURS_NAMES.contains(&e.key.as_str()));
        if keys.get("open").is_none() && !has_unknown {
            cx.error_help(
                "no-value",
                entry.key_span,
                format!("the hours `{}` do not say when it is open", entry.key),
                "write them like { open: \"Mo-Fr 09:00-18:00\", holidays: JP }",
            );
        }
        let country = keys.get("holidays").map(|node| calendar(node, cx));
        let zone = keys.get("time_zone").map(|node| zone(node, cx));
        let closed = keys.get("closed").map(|node| dates(node, cx));
        let zone = zone.unwrap_or(Some(cx.site.time_zone)).unwrap_or(Tz::UTC);
        if let Some((node, country)) = keys.get("holidays").zip(country.flatten()) {
            predicates.note(cx, node.span, About::Holidays(country, zone));
        }
        let closed_until = closed.iter().flatten().flatten().max().and_then(NaiveDate::succ_opt);
        if let Some((node, until)) = keys.get("closed").zip(closed_until) {
            predicates.note(cx, node.span, About::ClosedUntil(day_start(until, zone)));
        }
        // A calendar that is wrong is reported already, and stands for one.
        let calendar = country.map(|country| country.unwrap_or(Calendar::Japan));
        (keys.get("open")?, calendar, zone, closed.flatten().unwrap_or_default())
    };
    let text = cx.text(open, "opening hours like \"Mo-Fr 09:00-18:00\"")?;
    if calendar.is_none() && (text.contains("PH") || text.contains("SH")) {
        let finding = Diagnostic::warning(
            "no-calendar",
            cx.source,
            open.span,
            "the hours speak of holidays, and no calendar says which days those are".to_owned(),
        );
        cx.report.push(finding.help("add `holidays: JP`, or list the days under `closed`"));
    }
    match Hours::parse(text, zone, calendar, &closed) {
        Ok(hours) => Some(hours),
        Err(error) => {
            let span = within(open.span, error.at.as_ref(), text);
            let message = format!("not opening hours: {}", error.message);
            match error.help {
                Some(help) => cx.error_help("hours-syntax", span, message, help),
                None => cx.error("hours-syntax", span, message),
            }
            None
        }
    }
}

fn calendar(node: &Node, cx: &mut Context<'_>) -> Option<Calendar> {
    let text = cx.text(node, "a country's two letters")?;
    let found = holidays::calendar(text);
    if found.is_none() {
        let message = format!("there is no calendar of holidays called `{text}`");
        let help = (known::COUNTRY.suggest)(text)
            .unwrap_or_else(|| "write a country's two letters, like JP or DE".to_owned());
        cx.error_help("unknown-calendar", node.span, message, help);
    }
    found
}

fn dates(node: &Node, cx: &mut Context<'_>) -> Option<Vec<NaiveDate>> {
    let texts = cx.texts(node, "a date like 2026-12-31")?;
    let dates: Vec<_> = texts
        .into_iter()
        .map(|(text, span)| {
            values::date(text).map_err(|message| cx.error("wrong-type", span, message)).ok()
        })
        .collect();
    dates.into_iter().collect()
}

pub(super) fn goals(keys: Keys<'_>, cx: &mut Context<'_>) -> Vec<Goal> {
    let mut goals = Vec::new();
    for entry in named(keys, "goals", cx) {
        let Some(keys) = Keys::of(cx, &entry.value, "a goal", GOAL_NAMES) else {
            continue;
        };
        let Some(event) = keys.read(cx, "event", "an event's name", |text| Ok(Arc::from(text)))
        else {
            if keys.get("event").is_none() && keys.0.iter().all(|entry| entry.key != "event") {
                cx.error_help(
                    "no-value",
                    entry.key_span,
                    format!("the goal `{}` names no event", entry.key),
                    "write { event: order_completed, within: 7d }",
                );
            }
            continue;
        };
        let within = keys
            .read(cx, "within", "a duration like 7d", |text| {
                let length = values::duration(text)?;
                let range = Millis::minutes(1)..=Millis::days(90);
                if range.contains(&length) {
                    Ok(length)
                } else {
                    Err(format!("a goal's window is from 1m to 90d, not {text}"))
                }
            })
            .unwrap_or(Millis::days(7));
        goals.push(Goal { name: entry.key.as_str().into(), event, within });
    }
    goals
}

pub(super) fn variables(keys: Keys<'_>, cx: &mut Context<'_>) -> Vec<(Arc<str>, Arc<str>)> {
    named(keys, "variables", cx)
        .iter()
        .map(|entry| {
            // One that is wrong is reported once, not wherever it is used.
            let text = cx.text(&entry.value, "text").unwrap_or_default();
            (Arc::from(entry.key.as_str()), Arc::from(text))
        })
        .collect()
}

/// Segments may use each other; going round in a circle is refused.
pub(super) fn segments(
    keys: Keys<'_>,
    predicates: &mut Predicates,
    cx: &mut Context<'_>,
) -> HashMap<Arc<str>, Expr> {
    let mut waiting: Vec<&Entry> = named(keys, "segments", cx).iter().collect();
    let names: Vec<&str> = waiting.iter().map(|entry| entry.key.as_str()).collect();
    let mut done: HashMap<Arc<str>, Expr> = HashMap::new();
    while !waiting.is_empty() {
        let before = waiting.len();
        waiting.retain(|entry| {
            let mut used = Vec::new();
            used_segments(&entry.value, &mut used);
            if used.iter().any(|name| names.contains(name) && !done.contains_key(*name)) {
                return true;
            }
            let scope = Scope { segments: &done, route: None };
            // A segment that is wrong is reported once, not wherever it is used.
            let mut expr =
                when::compile(&entry.value, &scope, predicates, cx).unwrap_or(Expr::ALWAYS);
            if expr.size() > MAX_SEGMENT {
                cx.error_help(
                    "segment-too-large",
                    entry.key_span,
                    format!(
                        "the segment `{}` comes to more than {MAX_SEGMENT} conditions",
                        entry.key
                    ),
                    "segments that use each other multiply; write it with fewer",
                );
                expr = Expr::ALWAYS;
            }
            done.insert(entry.key.as_str().into(), expr);
            false
        });
        if waiting.len() == before {
            // Every one that waits leads into a circle, which is one mistake.
            let circle = circle(&waiting);
            if let Some(first) = circle.iter().min_by_key(|entry| entry.key_span.start) {
                let names: Vec<_> = circle.iter().map(|e| format!("`{}`", e.key)).collect();
                let message = match names.as_slice() {
                    [name] => format!("the segment {name} is made of itself"),
                    _ => format!("the segments {} are made of each other", names.join(", ")),
                };
                let help = "a segment may use others, not in a circle";
                cx.error_help("segment-circle", first.key_span, message, help);
            }
            done.extend(circle.iter().map(|e| (Arc::from(e.key.as_str()), Expr::ALWAYS)));
            waiting.retain(|entry| !done.contains_key(entry.key.as_str()));
        }
    }
    done
}

/// Some of those that wait and go round in a circle.
fn circle<'n>(waiting: &[&'n Entry]) -> Vec<&'n Entry> {
    let mut way: Vec<&Entry> = Vec::new();
    let mut next = waiting.first().copied();
    while let Some(entry) = next {
        if let Some(at) = way.iter().position(|known| known.key == entry.key) {
            return way.split_off(at);
        }
        way.push(entry);
        let mut used = Vec::new();
        used_segments(&entry.value, &mut used);
        next = waiting.iter().copied().find(|other| used.contains(&other.key.as_str()));
    }
    // What waits for nothing that waits would have been compiled.
    way
}

fn used_segments<'n>(node: &'n Node, used: &mut Vec<&'n str>) {
    match &node.kind {
        NodeKind::Scalar { .. } => {}
        NodeKind::List(items) => items.iter().for_each(|item| used_segments(item, used)),
        NodeKind::Map(entries) => {
            for entry in entries {
                if entry.key == "segment" {
                    scalars(&entry.value, used);
                } else {
                    used_segments(&entry.value, used);
                }
            }
        }
    }
}

fn scalars<'n>(node: &'n Node, all: &mut Vec<&'n str>) {
    match &node.kind {
        NodeKind::Scalar { text, .. } => all.push(text),
        NodeKind::List(items) => items.iter().for_each(|item| scalars(item, all)),
        NodeKind::Map(entries) => entries.iter().for_each(|entry| scalars(&entry.value, all)),
    }
}
