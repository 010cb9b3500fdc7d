//! JSON Schema (2020-12, <https://json-schema.org/draft/2020-12/schema>) of rule files, for editors:
//! made of the compiler's own tables of keys, fields and operators.
//!
//! Whatever it refuses, the compiler refuses too; the compiler refuses more. Must not: know a key, a
//! field or an operator that those tables do not have.

use serde_json::{Map, Value, json};

use super::fields::{FIELDS, Field, Parameter};
use super::kinds::Op;
use super::lint::LINTS;
use super::vocabulary::{FILE, Key, Names, SITE, Shape};
use crate::domain::countries::{ALL, CONTINENTS};
use crate::domain::visit::{BROWSERS, DeviceKind, OPERATING_SYSTEMS};

/// The schema of `site.yaml`.
#[must_use]
pub fn site() -> Value {
    whole("Koekake: site.yaml", "What holds for a whole site.", SITE, &["object"])
}

/// The schema of any other file of a site.
#[must_use]
pub fn rules() -> Value {
    whole("Koekake: rules", "Rules of a site.", FILE, &["object", "null"])
}

fn whole(title: &str, about: &str, keys: &[Key], types: &[&str]) -> Value {
    let mut schema = map(keys);
    if let Some(object) = schema.as_object_mut() {
        object.insert("$schema".into(), "https://json-schema.org/draft/2020-12/schema".into());
        object.insert("title".into(), title.into());
        object.insert("description".into(), about.into());
        object.insert("type".into(), json!(types));
        object.insert("$defs".into(), definitions());
    }
    schema
}

fn definitions() -> Value {
    let mut all = Map::new();
    all.insert("scalar".into(), json!({ "type": ["string", "number", "boolean"] }));
    all.insert("conditions".into(), conditions());
    all.insert("condition".into(), condition());
    all.insert("given".into(), given());
    all.insert("allow".into(), allow());
    all.insert("scalars".into(), one_or_list(&scalar()));
    for field in FIELDS {
        let of_value = shared(&mut all, "value", field, value(field));
        let of_operators = shared(&mut all, "operators", field, operators(field, &of_value));
        all.insert(field.name.into(), on_field(field, &of_value, &of_operators));
    }
    Value::Object(all)
}

/// A reference to a part that fields have in common, which goes by the first that has it.
fn shared(all: &mut Map<String, Value>, what: &str, field: &Field, part: Value) -> Value {
    let known = all.iter().find(|(_, known)| **known == part).map(|(name, _)| reference(name));
    known.unwrap_or_else(|| {
        let name = format!("{what}.{}", field.name);
        all.insert(name.clone(), part);
        reference(&name)
    })
}

fn reference(name: &str) -> Value {
    json!({ "$ref": format!("#/$defs/{name}") })
}

fn scalar() -> Value {
    reference("scalar")
}

/// One such value, or a list of at least one.
fn one_or_list(item: &Value) -> Value {
    json!({ "anyOf": [item, { "type": "array", "items": item, "minItems": 1 }] })
}

fn map(keys: &[Key]) -> Value {
    let mut properties = Map::new();
    for key in keys {
        let mut schema = of(key.shape);
        if let Some(object) = schema.as_object_mut() {
            object.insert("description".into(), about(key).into());
        }
        properties.insert(key.name.into(), schema);
    }
    let required: Vec<&str> =
        keys.iter().filter(|key| key.is_required()).map(|key| key.name).collect();
    let mut schema = json!({
        "type": "object",
        "properties": properties,
        "additionalProperties": false,
    });
    let has_choice = keys.iter().any(|key| key.name == "variants");
    if let Some(object) = schema.as_object_mut() {
        if !required.is_empty() {
            object.insert("required".into(), json!(required));
        }
        if has_choice {
            let either = json!([{ "required": ["prompt"] }, { "required": ["variants"] }]);
            object.insert("oneOf".into(), either);
        }
    }
    schema
}

fn about(key: &Key) -> String {
    match key.default {
        "" => key.about.to_owned(),
        "required" => format!("{} Required.", key.about),
        default => format!("{} Left out: {default}.", key.about),
    }
}

fn of(shape: Shape) -> Value {
    match shape {
        Shape::Text => scalar(),
        Shape::Id => json!({
            "type": ["string", "number", "boolean"],
            "pattern": "^[A-Za-z0-9._-]{1,64}$",
        }),
        Shape::Flag => json!({ "anyOf": [
            { "type": "boolean" },
            { "enum": ["true", "True", "TRUE", "false", "False", "FALSE"] },
        ] }),
        Shape::Whole => json!({ "type": ["integer", "string"] }),
        Shape::WholePercent => {
            json!({ "type": ["integer", "string"], "minimum": 0, "maximum": 100 })
        }
        Shape::Duration => json!({
            "anyOf": [
                { "type": "string", "pattern": r"^\s*([0-9]+\s*(ms|s|m|h|d)|0)\s*$" },
                { "const": 0 },
            ],
            "examples": ["90s", "5m", "24h", "7d"],
        }),
        Shape::Percentage => {
            json!({ "type": "string", "pattern": r"[0-9].*%\s*$", "examples": ["10%", "3.5%"] })
        }
        Shape::Date => json!({ "type": "string", "examples": ["2026-11-30"] }),
        Shape::Money => json!({ "type": ["number", "string"], "examples": ["20000 JPY", 129.9] }),
        Shape::OneOf(words) => json!({ "enum": words }),
        Shape::Texts => reference("scalars"),
        Shape::Localized => json!({ "anyOf": [
            scalar(),
            { "type": "object", "additionalProperties": scalar(), "minProperties": 1 },
        ] }),
        Shape::Conditions => reference("conditions"),
        Shape::Given => reference("given"),
        Shape::Allow => reference("allow"),
        Shape::Map(keys) => map(keys),
        Shape::Named(shape, names) => {
            let mut schema = json!({ "type": "object", "additionalProperties": of(*shape) });
            let pattern = match names {
                Names::Plain => Some("^[A-Za-z_][A-Za-z0-9_]{0,63}$"),
                Names::Dashed => Some("^[A-Za-z_][A-Za-z0-9_-]{0,63}$"),
                Names::Any => None,
            };
            if let (Some(pattern), Some(object)) = (pattern, schema.as_object_mut()) {
                object.insert("propertyNames".into(), json!({ "pattern": pattern }));
            }
            schema
        }
        Shape::List(shape) => json!({ "type": "array", "items": of(*shape) }),
        Shape::Either(shapes) => {
            json!({ "anyOf": shapes.iter().map(|shape| of(*shape)).collect::<Vec<_>>() })
        }
    }
}

fn allow() -> Value {
    let reason = |about: &str| {
        json!({
            "type": ["string", "number", "boolean"],
            "pattern": r"\S",
            "description": about,
        })
    };
    let properties: Map<String, Value> =
        LINTS.iter().map(|lint| (lint.name.to_owned(), reason(lint.about))).collect();
    json!({ "type": "object", "properties": properties, "additionalProperties": false })
}

/// A list (all of them) or a map.
fn conditions() -> Value {
    let condition = reference("condition");
    json!({ "anyOf": [condition, { "type": "array", "items": condition }] })
}

fn condition() -> Value {
    let condition = reference("condition");
    let list = |about: &str| json!({ "type": "array", "items": condition, "minItems": 1, "description": about });
    let mut properties = Map::new();
    properties.insert("any".into(), list("At least one of these must hold."));
    properties.insert("all".into(), list("All of these must hold."));
    properties.insert(
        "not".into(),
        json!({
            "anyOf": [condition, { "type": "array", "items": condition, "minItems": 1 }],
            "description": "These must not all hold. What is missing satisfies this.",
        }),
    );
    properties.insert("segment".into(), segment());
    let patterns = each_field(&mut properties, |field| reference(field.name));
    json!({
        "type": "object",
        "properties": properties,
        "patternProperties": patterns,
        "additionalProperties": false,
        "minProperties": 1,
    })
}

fn segment() -> Value {
    let names = reference("scalars");
    let operators = ["is", "in", "is_not", "not_in"].map(|op| (op.to_owned(), names.clone()));
    let operators: Map<String, Value> = operators.into_iter().collect();
    json!({
        "anyOf": [names, {
            "type": "object",
            "properties": operators,
            "additionalProperties": false,
            "minProperties": 1,
            "maxProperties": 1,
        }],
        "description": "Segments of site.yaml: the visit must be in one of them.",
    })
}

/// Puts every field's schema under its names; those with a free part come back by their pattern.
fn each_field(
    properties: &mut Map<String, Value>,
    schema: impl Fn(&Field) -> Value,
) -> Map<String, Value> {
    let mut patterns = Map::new();
    for field in FIELDS {
        match field.parameter {
            Parameter::None => {
                properties.insert(field.name.into(), schema(field));
            }
            Parameter::OneOf(parts) => {
                for part in parts {
                    properties.insert(format!("{}.{part}", field.name), schema(field));
                }
            }
            Parameter::Any(_) => {
                let pattern = format!("^{}\\..+$", field.name.replace('.', "\\."));
                patterns.insert(pattern, schema(field));
            }
        }
    }
    patterns
}

fn on_field(field: &Field, value: &Value, operators: &Value) -> Value {
    let takes = field.condition.operators();
    let mut ways = Vec::new();
    if takes.contains(&Op::Is) {
        ways.push(value.clone());
    }
    if takes.contains(&Op::In) {
        ways.push(json!({ "type": "array", "items": value, "minItems": 1 }));
    }
    ways.push(operators.clone());
    let about = format!(
        "{} Takes {}. For example: {}",
        field.about,
        field.condition.values(),
        field.example
    );
    json!({ "anyOf": ways, "description": about })
}

/// The operators that a field takes.
fn operators(field: &Field, value: &Value) -> Value {
    let is_text = matches!(field.condition.shape(), Shape::Text);
    let operators: Map<String, Value> = field
        .condition
        .operators()
        .iter()
        .map(|op| {
            let mut schema = operand(*op, value, is_text);
            if let Some(object) = schema.as_object_mut() {
                object.insert("description".into(), op.about().trim().into());
            }
            (op.name().to_owned(), schema)
        })
        .collect();
    json!({
        "type": "object",
        "properties": operators,
        "additionalProperties": false,
        "minProperties": 1,
    })
}

/// What an operator is given. Operators on text take several values too: any of them suffices.
fn operand(op: Op, value: &Value, is_text: bool) -> Value {
    match op {
        Op::Exists => of(Shape::Flag),
        Op::Count => of(Shape::Whole),
        Op::During => scalar(),
        Op::In | Op::NotIn => one_or_list(value),
        Op::Between => {
            json!({ "type": "array", "items": value, "minItems": 2, "maxItems": 2 })
        }
        Op::InOrder => json!({ "type": "array", "items": value, "minItems": 2 }),
        // By size goes with one value, whatever the type.
        Op::AtLeast | Op::AtMost | Op::MoreThan | Op::LessThan => value.clone(),
        _ if is_text => one_or_list(value),
        _ => value.clone(),
    }
}

/// A value of a field. Known ones are offered; whether another will do is the compiler's to say,
/// which goes without case.
fn value(field: &Field) -> Value {
    let known: Vec<&str> = match field.name {
        "device.type" => DeviceKind::ALL.map(DeviceKind::as_str).to_vec(),
        "device.os" => OPERATING_SYSTEMS.to_vec(),
        "device.browser" => BROWSERS.to_vec(),
        "location.continent" => CONTINENTS.iter().map(|(code, _)| *code).collect(),
        "location.country" => ALL.iter().map(|country| country.code).collect(),
        _ => Vec::new(),
    };
    let value = of(field.condition.shape());
    if known.is_empty() { value } else { json!({ "anyOf": [{ "enum": known }, value] }) }
}

/// The visit of an example.
fn given() -> Value {
    let mut properties = Map::new();
    let at = json!({
        "type": "string",
        "description": "The moment, with its offset.",
        "examples": ["2026-11-20T10:00:00+09:00"],
    });
    properties.insert("at".into(), at);
    let patterns = each_field(&mut properties, |field| {
        let mut schema = reference("scalars");
        if let Some(object) = schema.as_object_mut() {
            object.insert("description".into(), field.about.into());
        }
        schema
    });
    json!({
        "type": "object",
        "properties": properties,
        "patternProperties": patterns,
        "additionalProperties": false,
    })
}
