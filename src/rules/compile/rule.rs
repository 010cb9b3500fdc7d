//! A file's `rules:`, each on its own, so that one mistake hides no other.

use std::collections::HashMap;
use std::sync::Arc;

use chrono::{Days, NaiveDate, NaiveTime};
use chrono_tz::Tz;

use super::keys::Keys;
use super::predicates::Predicates;
use super::site::{CompiledSite, Dates};
use super::when::{self, Scope};
use super::{example, prompt, site};
use crate::domain::caps::Repeat;
use crate::domain::time::Timestamp;
use crate::rules::changes::fingerprint;
use crate::rules::condition::Expr;
use crate::rules::context::Context;
use crate::rules::diagnostic::{Report, Source, Span};
use crate::rules::model::{About, HoursGate, Mode, Rule, Variant};
use crate::rules::raw::{Node, NodeKind};
use crate::rules::values;

pub(super) const KEYS: &[&str] = &[
    "id",
    "description",
    "priority",
    "mode",
    "active",
    "hours",
    "when",
    "repeat",
    "limits",
    "rollout",
    "holdout",
    "prompt",
    "variants",
    "examples",
];

/// The most rules of one site.
const MAX_RULES: usize = 100_000;

/// The most conditions of all rules of a site, those of segments wherever they are used.
const MAX_CONDITIONS: usize = 2_000_000;

/// The rules of a site as they come, file by file.
#[derive(Default)]
pub(super) struct Rules {
    /// Those that are whole.
    pub all: Vec<Rule>,
    /// Where the first dates stand.
    pub dates: Option<Dates>,
    /// Where each id stands, of broken rules too.
    ids: HashMap<Arc<str>, (Arc<Source>, Span)>,
    conditions: usize,
}

/// Adds the rules of one file.
pub(super) fn compile_file(
    source: &Arc<Source>,
    node: &Node,
    site: &CompiledSite,
    predicates: &mut Predicates,
    rules: &mut Rules,
    report: &mut Report,
) {
    let mut cx = Context { source, report, site: &site.basics };
    // An empty file, or one with everything commented out, is no mistake.
    if node.is_null() {
        return;
    }
    let Some(keys) = Keys::of(&mut cx, node, "a rule file", &["rules"]) else { return };
    let Some(node) = keys.get("rules") else {
        if keys.0.is_empty() {
            let help = "begin with `rules:`, and below it each rule with `- id: …`";
            cx.error_help("no-value", node.span, "the file has no rules", help);
        }
        return;
    };
    let NodeKind::List(items) = &node.kind else {
        cx.error_help(
            "wrong-type",
            node.span,
            format!("expected `rules` as a list, found {}", node.what()),
            "begin each rule with `- id: …`",
        );
        return;
    };
    for item in items {
        if rules.ids.len() >= MAX_RULES {
            let message = format!("a site has at most {MAX_RULES} rules");
            cx.error_help("too-many", item.span, message, "make a second site of some of them");
            return;
        }
        let Some(rule) = compile(item, site, predicates, rules, &mut cx) else { continue };
        rules.conditions += rule.when.size();
        if rules.conditions > MAX_CONDITIONS {
            let message =
                format!("a site has at most {MAX_CONDITIONS} conditions, segments included");
            cx.error_help("too-many", rule.span, message, "use smaller segments");
            return;
        }
        rules.all.push(rule);
    }
}

fn compile(
    node: &Node,
    site: &CompiledSite,
    predicates: &mut Predicates,
    rules: &mut Rules,
    cx: &mut Context<'_>,
) -> Option<Rule> {
    let errors_before = cx.report.error_count();
    let keys = Keys::of(cx, node, "a rule", KEYS)?;
    let start = keys.0.first().map_or(node.span, |entry| entry.key_span);
    let id = prompt::id(keys, start, "rule", cx);
    let id_span = keys.get("id").map_or(start, |node| node.span);
    if let Some(id) = &id {
        if let Some((source, span)) = rules.ids.get(id) {
            let line = source.position(span.start).line;
            let help = format!(
                "the first is in {}, line {line}; give one of them another id",
                source.name
            );
            cx.error_help("duplicate-id", id_span, format!("a second rule is called `{id}`"), help);
        } else {
            rules.ids.insert(id.clone(), (cx.source.clone(), id_span));
        }
    }
    let variants = prompt::compile(keys, id_span, site, cx);
    let route = variants.as_deref().and_then(common_route);
    let scope = Scope { segments: &site.segments, route: route.as_ref() };
    let when = keys.get("when").map(|node| when::compile(node, &scope, predicates, cx));
    let priority = keys.read(cx, "priority", "a whole number", |text| {
        let priority = text.parse::<i64>().ok().filter(|p| p.abs() <= 1_000_000);
        priority.ok_or_else(|| match text {
            "low" | "normal" | "medium" | "high" | "highest" => {
                format!("`{text}` is no number: write 10, 50 or 90; higher ones are asked first")
            }
            _ => format!("expected a whole number like 50, found `{text}`"),
        })
    });
    let mode = keys.read(cx, "mode", "live, shadow or off", |text| match text {
        "live" => Ok(Mode::Live),
        "shadow" => Ok(Mode::Shadow),
        "off" => Ok(Mode::Off),
        "on" | "true" | "active" | "enabled" => {
            Err(format!("expected live, shadow or off, found `{text}`: write live"))
        }
        "false" | "disabled" | "paused" => {
            Err(format!("expected live, shadow or off, found `{text}`: write off"))
        }
        _ => Err(format!("expected live, shadow or off, found `{text}`")),
    });
    let description = keys.read(cx, "description", "text", |text| Ok(text.to_owned()));
    let (active_from, active_until) = active(keys, site.basics.time_zone, cx);
    if let Some(entry) = keys.entry("active") {
        rules.dates.get_or_insert_with(|| (cx.source.clone(), entry.key_span));
        if active_until != Timestamp::MAX {
            predicates.note(cx, entry.value.span, About::ActiveUntil(active_until));
        }
    }
    let hours = keys.get("hours").map(|node| hours(node, site, cx));
    let repeat = keys.get("repeat").and_then(|node| repeat(node, cx)).unwrap_or_default();
    let limits = site::limits(keys.get("limits"), cx);
    let mut share = |key, default| {
        keys.read(cx, key, "a percentage like 10%", values::percentage).unwrap_or(default)
    };
    let (rollout, holdout) = (share("rollout", 1.0), share("holdout", 0.0));
    let examples = example::compile(keys, site, active_from, cx);
    // Whatever was wrong is in the report; a rule that is not whole goes no further.
    if cx.report.error_count() > errors_before {
        return None;
    }
    let variants = variants?;
    when::note_messages(&variants, id_span, predicates, cx);
    Some(Rule {
        id: id?,
        description,
        priority: priority.unwrap_or(0),
        mode: mode.unwrap_or(Mode::Live),
        active_from,
        active_until,
        hours: hours.flatten(),
        when: when.flatten().unwrap_or(Expr::ALWAYS),
        repeat,
        limits,
        rollout,
        holdout,
        variants,
        examples,
        source: cx.source.clone(),
        span: id_span,
        fingerprint: fingerprint(node),
    })
}

fn common_route(variants: &[Variant]) -> Option<Arc<str>> {
    let first = variants.first()?.prompt.route.as_ref()?;
    let is_common = variants.iter().all(|variant| variant.prompt.route.as_ref() == Some(first));
    is_common.then(|| first.clone())
}

/// `active`: from the first moment of one day to the last of another, in the site's zone.
fn active(keys: Keys<'_>, zone: Tz, cx: &mut Context<'_>) -> (Timestamp, Timestamp) {
    let always = (Timestamp::MIN, Timestamp::MAX);
    let Some(node) = keys.get("active") else { return always };
    let Some(keys) = Keys::of(cx, node, "active", &["from", "until"]) else { return always };
    let from = keys.read(cx, "from", "a date like 2026-11-30", values::date);
    let until = keys.read(cx, "until", "a date like 2026-11-30", values::date);
    if let (Some(from), Some(until)) = (from, until)
        && from > until
    {
        cx.error_help(
            "empty-range",
            node.span,
            "`active` ends before it begins",
            "`from` is the first day and `until` the last",
        );
    }
    let next_day = |date: NaiveDate| date.checked_add_days(Days::new(1));
    (
        from.map_or(Timestamp::MIN, |date| day_start(date, zone)),
        until.and_then(next_day).map_or(Timestamp::MAX, |date| day_start(date, zone)),
    )
}

/// The first moment of a day. Where clocks go forward over midnight, that is later than 00:00.
pub(super) fn day_start(date: NaiveDate, zone: Tz) -> Timestamp {
    let midnight = date.and_time(NaiveTime::MIN);
    // No gap is longer than a day (Samoa skipped one whole day in 2011).
    (0..=24 * 60)
        .find_map(|minutes| {
            let local = midnight.checked_add_signed(chrono::TimeDelta::minutes(minutes))?;
            local.and_local_timezone(zone).earliest()
        })
        .map_or(Timestamp::MIN, |at| at.to_utc().into())
}

fn hours(node: &Node, site: &CompiledSite, cx: &mut Context<'_>) -> Option<HoursGate> {
    let (name_node, is_outside) = match &node.kind {
        NodeKind::Map(_) => {
            let keys = Keys::of(cx, node, "hours of a rule", &["outside"])?;
            (keys.get("outside")?, true)
        }
        _ => (node, false),
    };
    let name = cx.text(name_node, "the name of the site's hours")?;
    let found = site.site.hours.iter().find(|(known, _)| &**known == name);
    match found {
        Some((name, hours)) => {
            Some(HoursGate { name: name.clone(), hours: hours.clone(), is_outside })
        }
        None => {
            let known = site.site.hours.iter().map(|(name, _)| &**name);
            cx.unknown("unknown-hours", name_node.span, "hours", name, known);
            None
        }
    }
}

fn repeat(node: &Node, cx: &mut Context<'_>) -> Option<Repeat> {
    match &node.kind {
        NodeKind::Map(_) => {
            let keys = Keys::of(cx, node, "repeat", &["every"])?;
            keys.read(cx, "every", "a duration like 7d", values::duration).map(Repeat::Every)
        }
        _ => match cx.text(node, "once, always or { every: 7d }")? {
            "once" => Some(Repeat::Once),
            "always" => Some(Repeat::Always),
            other => {
                let message = format!("expected once, always or {{ every: 7d }}, found `{other}`");
                let help = match other {
                    _ if values::duration(other).is_ok() => format!("write `{{ every: {other} }}`"),
                    "daily" => "write `{ every: 1d }`".to_owned(),
                    "weekly" => "write `{ every: 7d }`".to_owned(),
                    "monthly" => "write `{ every: 30d }`".to_owned(),
                    "never" | "no" | "false" => "write `once`".to_owned(),
                    _ => "write `once`, `always` or `{ every: 7d }`".to_owned(),
                };
                cx.error_help("wrong-type", node.span, message, help);
                None
            }
        },
    }
}
