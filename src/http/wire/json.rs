//! JSON text → a typed body, with a pointer to the place where it has the wrong shape.
//!
//! Must not: know any body in particular.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_path_to_error::Segment;

use super::problem::{Faults, Problem, step};

/// A JSON object and nothing else. (What `derive` makes of a struct also takes an array.)
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Obj<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Obj<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ObjectVisitor<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for ObjectVisitor<T> {
            type Value = Obj<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Obj<T>, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map)).map(Obj)
            }
        }
        deserializer.deserialize_map(ObjectVisitor(PhantomData))
    }
}

/// The body as text: UTF-8 (RFC 8259 §8.1), a byte order mark dropped.
///
/// # Errors
/// Where it is not UTF-8.
pub fn text(body: &[u8]) -> Result<&str, Problem> {
    let text = std::str::from_utf8(body).map_err(|error| {
        Problem::at("", format!("is not UTF-8 text: byte {} is wrong", error.valid_up_to()))
    })?;
    Ok(text.strip_prefix('\u{feff}').unwrap_or(text))
}

/// Reads an object of that shape.
///
/// # Errors
/// The one place where it is no JSON or has another shape.
pub fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Result<T, Faults> {
    match serde_json::from_str::<Obj<T>>(text) {
        Ok(Obj(value)) => Ok(value),
        Err(error) => Err(locate::<T>(text, &error)),
    }
}

/// Reads the text again, slowly, to say where it is wrong.
#[cold]
fn locate<'a, T: Deserialize<'a>>(text: &'a str, first: &serde_json::Error) -> Faults {
    let mut faults = Faults::default();
    if !first.is_data() {
        faults.add("", format!("is not valid JSON: {first}"));
        return faults;
    }
    let deserializer = &mut serde_json::Deserializer::from_str(text);
    match serde_path_to_error::deserialize::<_, Obj<T>>(deserializer) {
        Ok(_) => faults.add("", explain(&first.to_string())),
        Err(error) => {
            let mut pointer = String::new();
            for segment in error.path() {
                pointer = match segment {
                    Segment::Seq { index } => format!("{pointer}/{index}"),
                    Segment::Map { key } => step(&pointer, key),
                    Segment::Enum { .. } | Segment::Unknown => break,
                };
            }
            faults.add(pointer, explain(&error.inner().to_string()));
        }
    }
    faults
}

/// The deserializer's words in ours.
fn explain(error: &str) -> String {
    let message = error.split(" at line ").next().unwrap_or(error);
    match message.strip_prefix("invalid type: ").and_then(|rest| rest.rsplit_once(", expected ")) {
        Some((found, expected)) => format!("must be {expected}, not {found}"),
        None => message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_escaped() {
        assert_eq!(step("/visitor/attributes", "a/b~c"), "/visitor/attributes/a~1b~0c");
    }

    #[test]
    fn a_byte_order_mark_is_dropped() {
        assert_eq!(text("\u{feff}{}".as_bytes()).unwrap(), "{}");
        assert_eq!(
            text(b"{\xff}").unwrap_err().errors[0].detail,
            "is not UTF-8 text: byte 1 is wrong"
        );
    }
}
