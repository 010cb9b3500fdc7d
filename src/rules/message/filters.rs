//! The filters and tests that templates may use.
//!
//! Each is bounded: what it gives is no larger than what goes in, or refused. That is why Jinja's
//! `replace` and `join` are ours, and why `format`, `indent` and `center` are not here.
//!
//! Must not: grow text without bound, or reach attributes by a name in a string.

use minijinja::value::ValueKind;
use minijinja::{Environment, Error, ErrorKind, Value};

use super::context::Moment;

/// Filters by name.
pub(super) const FILTERS: &[&str] = &[
    "abs",
    "bool",
    "capitalize",
    "count",
    "d",
    "default",
    "first",
    "float",
    "int",
    "join",
    "last",
    "length",
    "list",
    "lower",
    "max",
    "min",
    "replace",
    "reverse",
    "round",
    "sort",
    "split",
    "string",
    "sum",
    "time",
    "title",
    "trim",
    "unique",
    "upper",
];

/// Tests by name, as after `is`.
pub(super) const TESTS: &[&str] = &[
    "boolean",
    "defined",
    "divisibleby",
    "endingwith",
    "eq",
    "equalto",
    "even",
    "false",
    "float",
    "ge",
    "greaterthan",
    "gt",
    "in",
    "int",
    "integer",
    "le",
    "lessthan",
    "lower",
    "lt",
    "ne",
    "none",
    "number",
    "odd",
    "startingwith",
    "string",
    "true",
    "undefined",
    "upper",
];

/// The longest text that a filter makes, in bytes.
const MAX_BYTES: usize = 16_384;

pub(super) fn add_to(engine: &mut Environment<'static>) {
    engine.add_filter("time", time);
    engine.add_filter("replace", replace);
    engine.add_filter("join", join);
    engine.add_filter("_number", number);
}

/// A moment by a strftime format, in the language of the prompt. The format was checked at load.
fn time(moment: &Value, format: &str) -> Result<Value, Error> {
    if matches!(moment.kind(), ValueKind::Undefined | ValueKind::None) {
        return Ok(Value::UNDEFINED);
    }
    moment
        .downcast_object_ref::<Moment>()
        .map(|moment| Value::from(moment.format(format)))
        .ok_or_else(|| Error::new(ErrorKind::InvalidOperation, "not a moment"))
}

/// A number, or text that reads as one; anything else is missing. Only written by the compiler.
fn number(value: &Value) -> Value {
    let parsed = match value.as_str() {
        Some(text) => text.trim().parse::<f64>().ok().filter(|number| number.is_finite()),
        None if value.kind() == ValueKind::Number => return value.clone(),
        None => None,
    };
    parsed.map(Value::from).unwrap_or_default()
}

fn replace(text: &Value, from: &str, to: &str) -> Result<Value, Error> {
    let text = written(text);
    let growth = text.matches(from).count().saturating_mul(to.len());
    if text.len().saturating_add(growth) > MAX_BYTES {
        return Err(too_long());
    }
    Ok(Value::from(text.replace(from, to)))
}

fn join(list: &Value, separator: Option<&str>) -> Result<Value, Error> {
    let mut out = String::new();
    for (index, item) in list.try_iter()?.enumerate() {
        if index > 0 {
            out.push_str(separator.unwrap_or_default());
        }
        super::print(&item, &mut out);
        if out.len() > MAX_BYTES {
            return Err(too_long());
        }
    }
    Ok(Value::from(out))
}

fn written(value: &Value) -> String {
    let mut out = String::new();
    super::print(value, &mut out);
    out
}

fn too_long() -> Error {
    Error::new(ErrorKind::InvalidOperation, "the text would get too long")
}
