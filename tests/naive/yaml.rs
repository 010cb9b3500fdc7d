//! YAML text → a tree of scalars (as typed), lists and maps, by a parser that `src` does not use.
//!
//! Must not: know what any key means.

use libyaml_safer::{EventData, Parser, ScalarStyle};

/// A node. Scalars keep their text: the field decides the type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Scalar { text: String, is_quoted: bool },
    List(Vec<Value>),
    Map(Vec<(String, Value)>),
}

impl Value {
    pub fn get(&self, key: &str) -> Option<&Value> {
        self.entries().iter().find(|(name, _)| name == key).map(|(_, value)| value)
    }

    /// The entries of a map; none for anything else.
    pub fn entries(&self) -> &[(String, Value)] {
        match self {
            Self::Map(entries) => entries,
            _ => &[],
        }
    }

    pub fn text(&self) -> &str {
        match self {
            Self::Scalar { text, .. } => text,
            other => panic!("expected a scalar, found {other:?}"),
        }
    }

    /// The elements of a list; anything else is a list of itself.
    pub fn items(&self) -> &[Value] {
        match self {
            Self::List(items) => items,
            other => std::slice::from_ref(other),
        }
    }

    pub fn is_true(&self) -> bool {
        match self.text() {
            "true" => true,
            "false" => false,
            other => panic!("expected true or false, found {other:?}"),
        }
    }
}

/// Reads one document.
pub fn read(text: &str) -> Result<Value, String> {
    let mut bytes = text.as_bytes();
    let mut parser = Parser::new();
    parser.set_input_string(&mut bytes);
    let mut events = Vec::new();
    for event in parser {
        match event.map_err(|error| error.to_string())?.data {
            EventData::StreamStart { .. }
            | EventData::StreamEnd
            | EventData::DocumentStart { .. }
            | EventData::DocumentEnd { .. } => {}
            other => events.push(other),
        }
    }
    if events.is_empty() {
        return Ok(Value::Map(Vec::new()));
    }
    let mut events = events.into_iter();
    let first = events.next().ok_or("an empty document")?;
    node(first, &mut events)
}

fn node(first: EventData, rest: &mut impl Iterator<Item = EventData>) -> Result<Value, String> {
    match first {
        EventData::Scalar { value, style, .. } => {
            Ok(Value::Scalar { text: value, is_quoted: style != ScalarStyle::Plain })
        }
        EventData::SequenceStart { .. } => {
            let mut items = Vec::new();
            loop {
                match rest.next().ok_or("a list without an end")? {
                    EventData::SequenceEnd => return Ok(Value::List(items)),
                    event => items.push(node(event, rest)?),
                }
            }
        }
        EventData::MappingStart { .. } => {
            let mut entries = Vec::new();
            loop {
                let key = match rest.next().ok_or("a map without an end")? {
                    EventData::MappingEnd => return Ok(Value::Map(entries)),
                    event => node(event, rest)?,
                };
                let value = rest.next().ok_or("a key without a value")?;
                entries.push((key.text().to_owned(), node(value, rest)?));
            }
        }
        other => Err(format!("not read here: {other:?}")),
    }
}
