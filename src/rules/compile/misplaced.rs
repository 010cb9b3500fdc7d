//! Keys that stand in the wrong place of a file, or go by another name elsewhere: where they
//! belong.
//!
//! Must not: report; it knows words, not files.

use crate::rules::fields;
use crate::rules::vocabulary::{CAPS_NAMES, LIMITS_NAMES, PROMPT_NAMES, RULE_NAMES, SITE_NAMES};

/// Where a key belongs that `what` does not have. `None` where it may be a slip of the fingers.
pub(super) fn home(what: &str, key: &str) -> Option<&'static str> {
    match what {
        "a rule file" => in_file(key),
        "a site" => in_site(key),
        "a rule" => in_rule(key),
        "a variant" if PROMPT_NAMES.contains(&key) => Some("put it under the variant's `prompt:`"),
        "a prompt" => in_prompt(key),
        "an action" => match key {
            "text" | "title" | "message" => Some("what the button says is its `label`"),
            "link" | "href" | "to" => Some("where a link leads is its `url`"),
            "type" => Some("whether it opens a chat or follows a link is its `kind`"),
            _ => None,
        },
        "an example" if is_condition(key) || key == "at" => Some("put it under `given:`"),
        "an example" if key == "stopped_by" => Some("write `expect: { stopped_by: … }`"),
        "hours" if looks_like_days(key) => {
            Some("write them as one text: `open: \"Mo-Fr 09:00-18:00; Sa 10:00-17:00\"`")
        }
        "caps" if LIMITS_NAMES.contains(&key) => Some("put it under `limits:`"),
        "caps" if key == "timeout" => Some("put it under `session:`"),
        "limits" if CAPS_NAMES.contains(&key) => Some("put it under `caps:` in site.yaml"),
        _ => None,
    }
}

/// The key that is meant by one that goes by another name, or is spelled in another way:
/// `conditions`, `Priority`, `time-zone`, `perSession`.
pub(super) fn meant<'k>(key: &str, known: &[&'k str]) -> Option<&'k str> {
    let plain = plain(key);
    let other = renamed(&plain);
    let is_meant = |name: &&&str| self::plain(name) == plain || Some(**name) == other;
    known.iter().find(is_meant).copied()
}

/// How a part of a file is written, for those who wrote a value or a list instead.
pub(super) fn example(what: &str) -> Option<&'static str> {
    Some(match what {
        "a rule file" => "rules:` as the first line, and the list of rules indented below it",
        "a rule" => "- id: a-short-name",
        "a prompt" => "prompt: { message: \"…\" }",
        "a variant" => "- { id: a, prompt: { message: \"…\" } }",
        "an action" => "- { kind: link, label: \"…\", url: /pricing }",
        "an example" => "- { name: \"…\", given: { page.path: /pricing }, expect: show }",
        "a goal" => "order: { event: order_completed, within: 7d }",
        "hours" => "support: { open: \"Mo-Fr 09:00-18:00\" }",
        "active" => "active: { from: 2026-11-01, until: 2026-12-31 }",
        "limits" => "limits: { per_hour: 200 }",
        "caps" => "caps: { per_session: 1, cooldown: 24h }",
        "session" => "session: { timeout: 30m }",
        _ => return None,
    })
}

/// Where a key belongs that stands among conditions.
pub(super) fn in_conditions(key: &str) -> Option<&'static str> {
    match key {
        "hours" => Some("put `hours: …` beside `when:`, in the rule"),
        key if PROMPT_NAMES.contains(&key) => Some("put it under the rule's `prompt:`"),
        key if RULE_NAMES.contains(&key) => Some("put it beside `when:`, in the rule"),
        _ => None,
    }
}

fn in_file(key: &str) -> Option<&'static str> {
    match key {
        "id" | "prompt" | "priority" | "message" => {
            Some("begin with `rules:`, and below it each rule with `- id: …`")
        }
        key if SITE_NAMES.contains(&key) => Some("put it into site.yaml"),
        key if RULE_NAMES.contains(&key) => {
            Some("begin with `rules:`, and below it each rule with `- id: …`")
        }
        _ => None,
    }
}

fn in_site(key: &str) -> Option<&'static str> {
    match key {
        "rules" => Some("put the rules into another file of this folder, like rules.yaml"),
        "timeout" => Some("put it under `session:`"),
        "open" | "holidays" | "closed" => Some("put it under a name in `hours:`"),
        key if CAPS_NAMES.contains(&key) => Some("put it under `caps:`"),
        key if LIMITS_NAMES.contains(&key) => Some("put it under `limits:`"),
        key if is_condition(key) => Some("put it under `when:`"),
        key if PROMPT_NAMES.contains(&key) || RULE_NAMES.contains(&key) => {
            Some("it belongs to a rule, in another file of this folder")
        }
        _ => None,
    }
}

fn in_rule(key: &str) -> Option<&'static str> {
    match key {
        "kind" | "label" | "url" => Some("put it under `actions:` of the rule's `prompt:`"),
        "per_session" => {
            Some("how many prompts a session may see stands under `caps:` in site.yaml")
        }
        "cooldown" | "every" | "once" => {
            Some("how often one visitor may see the rule is its `repeat: { every: 7d }`")
        }
        "from" | "until" => Some("put it under `active:`"),
        "given" | "expect" => Some("put it under `examples:`"),
        "weight" => Some("put it into one of the rule's `variants:`"),
        "name" => Some("its name is its `id`; what it is for, its `description`"),
        "enabled" | "disabled" | "on" | "off" => Some("write `mode: live` or `mode: off`"),
        key if CAPS_NAMES.contains(&key) => Some("put it under `caps:` in site.yaml"),
        key if LIMITS_NAMES.contains(&key) => Some("put it under `limits:`"),
        key if PROMPT_NAMES.contains(&key) => Some("put it under `prompt:`"),
        key if is_condition(key) => Some("conditions stand under `when:`"),
        key if SITE_NAMES.contains(&key) => Some("put it into site.yaml"),
        _ => None,
    }
}

fn in_prompt(key: &str) -> Option<&'static str> {
    match key {
        "kind" | "label" | "url" => Some("put it under `actions:`"),
        key if is_condition(key) => Some("conditions stand under `when:`, in the rule"),
        key if RULE_NAMES.contains(&key) => Some("put it beside `prompt:`, in the rule"),
        _ => None,
    }
}

fn is_condition(key: &str) -> bool {
    matches!(key, "any" | "all" | "not" | "segment") || fields::find(key).is_some()
}

fn looks_like_days(key: &str) -> bool {
    let lower = key.to_lowercase();
    ["mo", "tu", "we", "th", "fr", "sa", "su", "ph"].iter().any(|day| lower.starts_with(day))
}

/// What people call it elsewhere.
fn renamed(plain: &str) -> Option<&'static str> {
    Some(match plain {
        "rule" => "rules",
        "timezone" | "tz" | "zone" => "time_zone",
        "conditions" | "condition" | "if" | "match" | "matches" => "when",
        "text" | "body" | "content" | "msg" => "message",
        "heading" | "headline" => "title",
        "buttons" | "button" | "cta" => "actions",
        "team" | "department" | "queue" => "route",
        "style" | "theme" | "design" => "appearance",
        "frequency" => "repeat",
        "dates" | "schedule" | "period" => "active",
        "start" | "startdate" | "begin" | "since" => "from",
        "end" | "enddate" | "to" => "until",
        "status" | "state" => "mode",
        "domains" | "domain" | "hosts" | "sites" => "origins",
        "locales" | "locale" => "languages",
        "openinghours" | "businesshours" => "hours",
        "tests" | "test" => "examples",
        "abtest" | "ab" => "variants",
        "percentage" | "percent" | "traffic" => "rollout",
        "control" | "controlgroup" => "holdout",
        "vars" => "variables",
        "groups" | "audiences" => "segments",
        "key" | "name" => "id",
        _ => return None,
    })
}

/// Without case, hyphens and underscores.
fn plain(key: &str) -> String {
    key.chars().filter(|c| !matches!(c, '-' | '_' | ' ')).flat_map(char::to_lowercase).collect()
}
