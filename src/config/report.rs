//! What `--print-config` shows: each setting, its value and where it came from.
//!
//! Must not: hold a secret; it is told only that there is one.

use std::fmt::Write;

use serde_json::{Value, json};

use super::error::Origin;
use super::setting::Kind;

/// One line of it.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub name: String,
    pub kind: Kind,
    /// `None` where it is not set.
    pub value: Option<String>,
    pub origin: Origin,
}

/// Every setting with its value and origin, in the order of `--help`.
#[derive(Debug, Clone, Default)]
pub struct Report {
    pub(super) settings: Vec<Entry>,
    secrets: Vec<Entry>,
}

const HIDDEN: &str = "(hidden)";

impl Report {
    pub(super) fn add_secret(&mut self, name: &str, is_set: bool, origin: Origin) {
        let value = is_set.then(|| HIDDEN.to_owned());
        self.secrets.push(Entry { name: name.to_owned(), kind: Kind::Text, value, origin });
    }

    pub(super) fn add_path(&mut self, name: &str, path: String, origin: Origin) {
        let (name, value) = (name.to_owned(), Some(path));
        self.secrets.push(Entry { name, kind: Kind::Path, value, origin });
    }

    fn entries(&self) -> impl Iterator<Item = &Entry> {
        self.settings.iter().chain(&self.secrets)
    }

    /// For people: `name = value  # origin`, as it would stand in `koekake.toml`.
    #[must_use]
    pub fn to_text(&self) -> String {
        let lines: Vec<(String, String)> = self
            .entries()
            .map(|entry| {
                let line = match &entry.value {
                    Some(value) if value == HIDDEN => format!("# {} = {HIDDEN}", entry.name),
                    Some(value) => format!("{} = {}", entry.name, typed(entry.kind, value)),
                    None => format!("# {} is not set", entry.name),
                };
                (line, entry.origin.to_string())
            })
            .collect();
        let width = lines.iter().map(|(line, _)| line.chars().count()).max().unwrap_or(0);
        lines.iter().fold(String::new(), |mut text, (line, origin)| {
            // Writing into a String does not fail.
            let _ = writeln!(text, "{line:width$}  # {origin}");
            text
        })
    }

    /// For programs: an object of settings, each `{ "value", "origin": { "source", … } }`.
    #[must_use]
    pub fn to_json(&self) -> Value {
        self.entries()
            .map(|entry| {
                let value = entry.value.as_ref().map(|value| typed(entry.kind, value));
                let origin = match &entry.origin {
                    Origin::Default => json!({ "source": "default" }),
                    Origin::File { path, line, column } => {
                        json!({ "source": "file", "path": path, "line": line, "column": column })
                    }
                    Origin::Env(name) => json!({ "source": "environment", "name": name }),
                    Origin::Flag(name) => json!({ "source": "flag", "name": name }),
                };
                (entry.name.clone(), json!({ "value": value, "origin": origin }))
            })
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

/// The value as TOML and JSON write it; both agree on texts, numbers, booleans and lists here.
fn typed(kind: Kind, value: &str) -> Value {
    let text = || Value::from(value);
    match kind {
        Kind::Text | Kind::Path => text(),
        Kind::Number => value.parse::<u64>().map_or_else(|_| text(), Value::from),
        Kind::Switch => value.parse::<bool>().map_or_else(|_| text(), Value::from),
        Kind::List => {
            value.split(',').map(str::trim).filter(|part| !part.is_empty()).collect::<Value>()
        }
    }
}
