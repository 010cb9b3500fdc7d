//! A visitor's attributes: named texts, numbers, flags and lists of text.
//!
//! Must not: say whose they are; `decide` takes the page's, `visitors` the CRM's.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::ser::{Serialize, SerializeMap, Serializer};
use utoipa::openapi::schema::{
    AdditionalProperties, ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type,
};
use utoipa::openapi::{KnownFormat, RefOr, SchemaFormat};

use super::fields::{MAX_NAME_BYTES, Text, name_fault};
use super::problem::{Faults, step};
use crate::domain::visit::{AttributeValue, Attributes};

/// The longest text of an attribute, in bytes.
pub const MAX_TEXT_BYTES: usize = 256;
/// The most texts in a list.
pub const MAX_LIST: usize = 16;

/// Attributes as they came: in order, nothing checked.
#[derive(Debug, Default, PartialEq)]
pub struct RawAttributes<'a>(Vec<(Cow<'a, str>, RawValue<'a>)>);

#[derive(Debug, PartialEq)]
enum RawValue<'a> {
    Null,
    Flag(bool),
    Number(f64),
    Text(Cow<'a, str>),
    List(Vec<RawValue<'a>>),
    Object,
}

impl<'de: 'a, 'a> Deserialize<'de> for RawAttributes<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AttributesVisitor;
        impl<'de> Visitor<'de> for AttributesVisitor {
            type Value = RawAttributes<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::new();
                while let Some((Text(name), value)) = map.next_entry()? {
                    all.push((name, value));
                }
                Ok(RawAttributes(all))
            }
        }
        deserializer.deserialize_map(AttributesVisitor)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for RawValue<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor { is_nested: false })
    }
}

/// An element of a list: whatever is in a list within it is not looked at.
struct Element<'a>(RawValue<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Element<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValueVisitor { is_nested: true }).map(Element)
    }
}

struct ValueVisitor {
    is_nested: bool,
}

impl<'de> Visitor<'de> for ValueVisitor {
    type Value = RawValue<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, a number, true, false or a list of text")
    }
    fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
        Ok(RawValue::Null)
    }
    fn visit_bool<E: Error>(self, flag: bool) -> Result<Self::Value, E> {
        Ok(RawValue::Flag(flag))
    }
    fn visit_f64<E: Error>(self, n: f64) -> Result<Self::Value, E> {
        Ok(RawValue::Number(n))
    }
    #[expect(clippy::cast_precision_loss, reason = "JSON's numbers are doubles (RFC 8259 §6)")]
    fn visit_u64<E: Error>(self, n: u64) -> Result<Self::Value, E> {
        Ok(RawValue::Number(n as f64))
    }
    #[expect(clippy::cast_precision_loss, reason = "JSON's numbers are doubles (RFC 8259 §6)")]
    fn visit_i64<E: Error>(self, n: i64) -> Result<Self::Value, E> {
        Ok(RawValue::Number(n as f64))
    }
    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
        Ok(RawValue::Text(Cow::Borrowed(text)))
    }
    fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
        Ok(RawValue::Text(Cow::Owned(text.to_owned())))
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut list = Vec::new();
        if self.is_nested {
            while seq.next_element::<IgnoredAny>()?.is_some() {}
        } else {
            while let Some(Element(value)) = seq.next_element()? {
                list.push(value);
            }
        }
        Ok(RawValue::List(list))
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(RawValue::Object)
    }
}

/// Checks attributes. Null, empty text and empty lists are missing; of two with one name the last
/// counts, as in every browser's `JSON.parse`.
pub fn parse(raw: Option<RawAttributes<'_>>, base: &str, faults: &mut Faults) -> Attributes {
    let Some(RawAttributes(raw)) = raw else { return Attributes::default() };
    // The raw ones are bounded only by the body's size: none beyond the limit is looked at, so
    // that the search for duplicates stays short.
    let mut known: Vec<(Arc<str>, AttributeValue)> = Vec::with_capacity(raw.len().min(8));
    for (name, value) in raw {
        if known.len() >= Attributes::MAX && !known.iter().any(|(key, _)| **key == *name) {
            faults.add(base, format!("may hold at most {} attributes", Attributes::MAX));
            break;
        }
        let fault = if name.is_empty() {
            Some("an attribute needs a name".to_owned())
        } else {
            name_fault(&name, MAX_NAME_BYTES).map(|fault| format!("an attribute's name {fault}"))
        };
        if let Some(fault) = fault {
            faults.add(base, fault);
            continue;
        }
        let value = value_of(value, || step(base, &name), faults);
        let old = known.iter().position(|(key, _)| **key == *name);
        match (old, value) {
            (Some(at), Some(value)) => {
                if let Some((_, old)) = known.get_mut(at) {
                    *old = value;
                }
            }
            (Some(at), None) => drop(known.remove(at)),
            (None, Some(value)) => known.push((name.into(), value)),
            (None, None) => {}
        }
    }
    Attributes(known)
}

fn value_of(
    raw: RawValue<'_>,
    pointer: impl Fn() -> String,
    faults: &mut Faults,
) -> Option<AttributeValue> {
    match raw {
        RawValue::Null => None,
        RawValue::Flag(flag) => Some(AttributeValue::Flag(flag)),
        RawValue::Number(n) => Some(AttributeValue::Number(n)),
        RawValue::Text(text) => text_of(&text, pointer, faults).map(AttributeValue::Text),
        RawValue::Object => {
            faults.add(pointer(), "must be text, a number, true, false or a list of text");
            None
        }
        RawValue::List(list) if list.len() > MAX_LIST => {
            faults.add(pointer(), format!("may hold at most {MAX_LIST} texts"));
            None
        }
        RawValue::List(list) => {
            let mut texts = Vec::with_capacity(list.len());
            for (index, element) in list.into_iter().enumerate() {
                let pointer = || format!("{}/{index}", pointer());
                match element {
                    RawValue::Null => {}
                    RawValue::Text(text) => texts.extend(text_of(&text, pointer, faults)),
                    _ => faults.add(pointer(), "must be text, as all of a list is"),
                }
            }
            (!texts.is_empty()).then_some(AttributeValue::List(texts))
        }
    }
}

fn text_of(text: &str, pointer: impl FnOnce() -> String, faults: &mut Faults) -> Option<Arc<str>> {
    if text.len() > MAX_TEXT_BYTES {
        faults.add(
            pointer(),
            format!("may be at most {MAX_TEXT_BYTES} bytes long, this text has {}", text.len()),
        );
        return None;
    }
    (!text.is_empty()).then(|| text.into())
}

/// Attributes on their way out, as they came in.
#[derive(Debug)]
pub struct AttributesOut<'a>(pub &'a Attributes);

impl Serialize for AttributesOut<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.0.len()))?;
        for (name, value) in &self.0.0 {
            map.serialize_key(&**name)?;
            match value {
                AttributeValue::Text(text) => map.serialize_value(&**text)?,
                AttributeValue::Number(n) if n.fract() == 0.0 && n.abs() < 9e15 => {
                    #[expect(clippy::cast_possible_truncation, reason = "a whole number in range")]
                    map.serialize_value(&(*n as i64))?;
                }
                AttributeValue::Number(n) => map.serialize_value(n)?,
                AttributeValue::Flag(flag) => map.serialize_value(flag)?,
                AttributeValue::List(list) => map.serialize_value(list)?,
            }
        }
        map.end()
    }
}

/// How attributes look in OpenAPI.
#[must_use]
pub fn schema() -> RefOr<Schema> {
    let text = || ObjectBuilder::new().schema_type(Type::String).max_length(Some(MAX_TEXT_BYTES));
    let value = OneOfBuilder::new()
        .item(text())
        .item(
            ObjectBuilder::new()
                .schema_type(Type::Number)
                .format(Some(SchemaFormat::KnownFormat(KnownFormat::Double))),
        )
        .item(ObjectBuilder::new().schema_type(Type::Boolean))
        .item(ArrayBuilder::new().items(text()).max_items(Some(MAX_LIST)))
        .item(ObjectBuilder::new().schema_type(Type::Null));
    ObjectBuilder::new()
        .schema_type(Type::Object)
        .description(Some(
            "The site's own attributes of a visitor, at most 64. Null and empty text are missing.",
        ))
        .additional_properties(Some(AdditionalProperties::RefOr(RefOr::T(value.into()))))
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> (Attributes, String) {
        let mut faults = Faults::default();
        let raw = serde_json::from_str(json).unwrap();
        let attributes = parse(Some(raw), "/a", &mut faults);
        (attributes, faults.into_line())
    }

    #[test]
    fn values_go_out_as_they_came_in() {
        let json = r#"{"plan":"pro","seats":12,"ratio":0.5,"vip":true,"tags":["a","b"]}"#;
        let (attributes, faults) = read(json);
        assert_eq!(faults, "");
        assert_eq!(serde_json::to_string(&AttributesOut(&attributes)).unwrap(), json);
    }

    #[test]
    fn null_and_empty_are_missing_and_the_last_of_a_name_counts() {
        let (attributes, faults) =
            read(r#"{"a":null,"b":"","c":[],"d":["",null],"e":"x","e":"y","f":1,"f":null}"#);
        assert_eq!(faults, "");
        assert_eq!(attributes.0, [("e".into(), AttributeValue::Text("y".into()))]);
    }

    #[test]
    fn what_is_refused_is_pointed_at() {
        let long = "x".repeat(257);
        let many = (0..65).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(",");
        for (json, faults) in [
            (
                r#"{"x/y":{"a":1}}"#.to_owned(),
                "/a/x~1y: must be text, a number, true, false or a list of text",
            ),
            (
                r#"{"x":["a",1,["b"]]}"#.to_owned(),
                "/a/x/1: must be text, as all of a list is; /a/x/2: must be text, as all of a list is",
            ),
            (
                format!(r#"{{"x":"{long}"}}"#),
                "/a/x: may be at most 256 bytes long, this text has 257",
            ),
            (format!(r#"{{"x":[{}1]}}"#, "1,".repeat(16)), "/a/x: may hold at most 16 texts"),
            (
                format!(r#"{{"{long}":1}}"#),
                "/a: an attribute's name may be at most 64 bytes long, this one has 257",
            ),
            (r#"{"":1}"#.to_owned(), "/a: an attribute needs a name"),
            (format!("{{{many}}}"), "/a: may hold at most 64 attributes"),
        ] {
            assert_eq!(read(&json).1, faults);
        }
    }
}
