//! Fields and operators that there are not: which ones may have been meant.
//!
//! Must not: compile anything.

use super::misplaced;
use crate::rules::context::Context;
use crate::rules::diagnostic::{Span, nearest};
use crate::rules::fields::{self, FIELDS, Parameter};
use crate::rules::kinds::Op;
use crate::rules::raw::Entry;

/// Words that stand where a field could.
const WORDS: &[&str] = &["any", "all", "not", "segment"];

/// Fields by names that other products, or their own last parts, give them.
const ALIASES: &[(&str, &str)] = &[
    ("url", "page.url"),
    ("page", "page.url"),
    ("path", "page.path"),
    ("title", "page.title"),
    ("referrer", "page.referrer"),
    ("referer", "page.referrer"),
    ("page.scroll", "page.scroll_percent"),
    ("page.scroll_depth", "page.scroll_percent"),
    ("scroll", "page.scroll_percent"),
    ("time_on_page", "page.time_on_page"),
    ("page.time", "page.time_on_page"),
    ("page.views", "session.page_views"),
    ("visits", "visitor.sessions"),
    ("visitor.visits", "visitor.sessions"),
    ("session.time", "session.duration"),
    ("session.pages", "session.page_views"),
    ("session.pageviews", "session.page_views"),
    ("session.landing", "session.landing_page"),
    ("landing_page", "session.landing_page"),
    ("country", "location.country"),
    ("city", "location.city"),
    ("language", "visitor.language"),
    ("returning", "visitor.returning"),
    ("cart.total", "cart.value"),
    ("cart.amount", "cart.value"),
    ("cart.price", "cart.value"),
    ("cart", "cart.value"),
    ("cart.count", "cart.items"),
    ("cart.quantity", "cart.items"),
    ("device", "device.type"),
    ("device.kind", "device.type"),
    ("exit_intent", "signal.exit_intent"),
    ("page.exit_intent", "signal.exit_intent"),
    ("agents", "agents.available"),
    ("segments", "segment"),
    ("or", "any"),
    ("and", "all"),
    ("none", "not"),
];

/// Refuses a name that is no field; says which one may have been meant.
pub(super) fn unknown_field(typed: &str, span: Span, cx: &mut Context<'_>) {
    if let Some(help) = misplaced::in_conditions(typed) {
        let message = format!("`{typed}` is not a condition");
        cx.error_help("misplaced-key", span, message, help);
        return;
    }
    if let Some(op) = operator(typed) {
        let message = format!("`{typed}` is an operator, and stands without its field");
        let help =
            format!("write `session.duration: {{ {}: … }}`, with the field you mean", op.name());
        cx.error_help("misplaced-key", span, message, help);
        return;
    }
    let message = format!("unknown field `{typed}`");
    if let Some((name, op)) = typed.rsplit_once('.')
        && fields::find(name).is_some()
        && let Some(op) = operator(op)
    {
        let help = format!("write `{name}: {{ {}: … }}`", op.name());
        cx.error_help("unknown-field", span, message, help);
        return;
    }
    let lower = typed.to_lowercase();
    if let Some((_, name)) = ALIASES.iter().find(|(alias, _)| *alias == lower) {
        cx.error_help("unknown-field", span, message, format!("did you mean `{name}`?"));
        return;
    }
    let mut candidates: Vec<String> = WORDS.iter().map(|word| (*word).to_owned()).collect();
    for field in FIELDS {
        match field.parameter {
            Parameter::None => candidates.push(field.name.to_owned()),
            Parameter::OneOf(parts) => {
                candidates.extend(parts.iter().map(|part| format!("{}.{part}", field.name)));
            }
            Parameter::Any(what) => {
                if typed == field.name || typed.strip_suffix('.') == Some(field.name) {
                    cx.error_help(
                        "unknown-field",
                        span,
                        format!("`{typed}` lacks {what}"),
                        format!("write it like `{}`", field.example),
                    );
                    return;
                }
                // The free part is taken as typed; only what stands before it can be wrong.
                let depth = field.name.split('.').count();
                let rest: Vec<_> = typed.split('.').skip(depth).collect();
                if !rest.is_empty() {
                    candidates.push(format!("{}.{}", field.name, rest.join(".")));
                }
            }
        }
    }
    // The last part alone, under the wrong room: `visitor.country`.
    let tail = lower.rsplit('.').next().unwrap_or(&lower);
    let same_tail = || candidates.iter().find(|name| name.rsplit('.').next() == Some(tail));
    let near = nearest(typed, candidates.iter().map(String::as_str));
    // `visitor.country` is nearer to what ends alike than to another field of the visitor.
    let name = match near {
        Some(near) if typed.contains('.') && near.rsplit('.').next() != Some(tail) => {
            same_tail().map_or(near, String::as_str)
        }
        Some(near) => near,
        None => match same_tail() {
            Some(name) => name,
            None => {
                let room = typed.split('.').next().unwrap_or_default();
                cx.error_help("unknown-field", span, message, room_help(room));
                return;
            }
        },
    };
    cx.error_help("unknown-field", span, message, format!("did you mean `{name}`?"));
}

/// The fields of a room, or the rooms.
fn room_help(room: &str) -> String {
    let mut parts = Vec::new();
    let mut rooms: Vec<&str> = Vec::new();
    for field in FIELDS {
        let Some((of, part)) = field.name.split_once('.') else { continue };
        if of == room {
            parts.push(part);
        }
        if !rooms.contains(&of) {
            rooms.push(of);
        }
    }
    if parts.is_empty() {
        format!("fields begin with {}", rooms.join("., ") + ".")
    } else {
        format!("{room} has: {}", parts.join(", "))
    }
}

/// The operator meant by a word or a sign, in its own name or another.
fn operator(typed: &str) -> Option<Op> {
    let own = Op::ALL.iter().copied().find(|op| op.name() == typed);
    own.or_else(|| {
        Some(match typed.to_lowercase().replace(['-', ' '], "_").as_str() {
            "=" | "==" | "eq" | "equals" | "equal" | "equal_to" => Op::Is,
            "!=" | "<>" | "ne" | "neq" | "not_equal" | "not_equals" | "isnot" => Op::IsNot,
            ">=" | "gte" | "ge" | "min" | "minimum" | "from" => Op::AtLeast,
            "<=" | "lte" | "le" | "max" | "maximum" | "up_to" => Op::AtMost,
            ">" | "gt" | "greater_than" | "greater" | "over" | "above" | "longer_than" => {
                Op::MoreThan
            }
            "<" | "lt" | "below" | "fewer_than" | "shorter_than" => Op::LessThan,
            "one_of" | "any_of" => Op::In,
            "none_of" | "notin" => Op::NotIn,
            "includes" | "include" | "has" | "like" => Op::Contains,
            "excludes" | "exclude" | "not_includes" => Op::NotContains,
            "begins_with" | "prefix" | "startswith" => Op::StartsWith,
            "suffix" | "endswith" => Op::EndsWith,
            "wildcard" | "glob" | "pattern" => Op::Matches,
            "regexp" | "re" => Op::Regex,
            "range" => Op::Between,
            "is_set" | "present" | "defined" => Op::Exists,
            _ => return None,
        })
    })
}

/// Refuses an operator that there is not.
pub(super) fn unknown_operator(
    field: &Entry,
    typed: &Entry,
    known: &'static [Op],
    cx: &mut Context<'_>,
) {
    let key = typed.key.as_str();
    let is_bare = typed.value.is_null();
    // `{ at_least: 20,000 JPY }`: a comma ends the value.
    if is_bare && key.starts_with(|c: char| c.is_ascii_digit()) {
        cx.error_help(
            "unknown-operator",
            typed.key_span,
            format!("a comma within {{ }} ends the value, so `{key}` stands alone here"),
            "write the number without a comma",
        );
        return;
    }
    let meant = operator(key).filter(|op| known.contains(op));
    let message = format!("unknown operator `{key}`");
    if let Some(op) = meant {
        cx.error_help(
            "unknown-operator",
            typed.key_span,
            message,
            format!("write `{}`", op.name()),
        );
    } else if fields::find(key).is_some() || WORDS.contains(&key) {
        let help = "begin it with `- ` on a line of its own, as far to the left as the one above";
        let message =
            format!("`{key}` is a condition of its own, not an operator of `{}`", field.key);
        cx.error_help("misplaced-key", typed.key_span, message, help);
    } else if key.starts_with('{') || key.is_empty() {
        cx.error_help("unknown-operator", typed.key_span, message, "put text in quotes");
    } else {
        let names = known.iter().map(|op| op.name());
        cx.unknown("unknown-operator", typed.key_span, "operator", key, names);
    }
}

/// Refuses an operator that another type of field takes.
pub(super) fn operator_not_here(
    field: &Entry,
    op: Op,
    span: Span,
    known: &'static [Op],
    cx: &mut Context<'_>,
) {
    let names: Vec<_> = known.iter().map(|op| op.name()).collect();
    let message = format!("`{}` does not go with `{}`", op.name(), field.key);
    cx.error_help("operator-not-here", span, message, format!("it takes: {}", names.join(", ")));
}
