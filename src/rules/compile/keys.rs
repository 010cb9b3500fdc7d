//! A map of a rule file under the keys that it may have.
//!
//! Must not: know what any key means.

use super::misplaced;
use crate::rules::context::Context;
use crate::rules::raw::{Entry, Node, NodeKind};

fn unknown(cx: &mut Context<'_>, entry: &Entry, what: &str, known: &'static [&'static str]) {
    let (key, span) = (entry.key.as_str(), entry.key_span);
    // `{ per_hour: 5,000 }`: a comma ends the value.
    if entry.value.is_null() && key.starts_with(|c: char| c.is_ascii_digit()) {
        let message = format!("a comma within {{ }} ends the value, so `{key}` stands alone here");
        cx.error_help("unknown-key", span, message, "write the number without a comma");
    } else if let Some(help) = misplaced::home(what, key) {
        let message = format!("`{key}` does not belong in {what}");
        cx.error_help("misplaced-key", span, message, help);
    } else if let Some(name) = misplaced::meant(key, known) {
        let message = format!("unknown key of {what} `{key}`");
        cx.error_help("unknown-key", span, message, format!("write `{name}`"));
    } else {
        cx.unknown("unknown-key", span, &format!("key of {what}"), key, known.iter().copied());
    }
}

/// A text's beginning, for messages.
pub(super) fn short(text: &str) -> String {
    const MOST: usize = 60;
    if text.chars().count() <= MOST {
        return text.to_owned();
    }
    format!("{}…", text.chars().take(MOST).collect::<String>())
}

/// A map whose keys are checked against those that it may have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys<'n>(pub &'n [Entry]);

impl<'n> Keys<'n> {
    /// Reports a node that is no map, keys that are unknown, and keys without a value.
    pub(super) fn of(
        cx: &mut Context<'_>,
        node: &'n Node,
        what: &str,
        known: &'static [&'static str],
    ) -> Option<Self> {
        let NodeKind::Map(entries) = &node.kind else {
            let first = known.first().unwrap_or(&"");
            let found = match node.scalar() {
                Some(text) => format!("`{}`", short(text)),
                None => node.what().to_owned(),
            };
            let example = misplaced::example(what).map_or_else(
                || format!("write `{first}: …`"),
                |example| {
                    // The one of a file goes on behind its own backtick.
                    let end = if example.contains('`') { "" } else { "`" };
                    format!("write `{example}{end}")
                },
            );
            let message = format!("expected {what} with keys like `{first}`, found {found}");
            cx.error_help("wrong-type", node.span, message, example);
            return None;
        };
        // Each of these says one thing, and without it nothing.
        if entries.is_empty() && matches!(what, "expect" | "hours of a rule" | "repeat") {
            let first = known.first().unwrap_or(&"");
            let message = format!("{what} without `{first}`");
            cx.error_help("no-value", node.span, message, format!("write `{first}: …`"));
        }
        for entry in entries {
            if !known.contains(&entry.key.as_str()) {
                unknown(cx, entry, what, known);
            } else if entry.value.is_null() {
                let rest = cx.source.text.get(entry.key_span.end..).unwrap_or_default();
                let rest = rest.lines().next().unwrap_or_default();
                let help = if entry.key == "rules" {
                    "write `rules: []` for none at all"
                } else if rest.contains('#') {
                    "what follows a # is a comment; put text with a # in quotes"
                } else {
                    "give it one, or take the line out"
                };
                let message = format!("`{}` has no value", entry.key);
                cx.error_help("no-value", entry.key_span, message, help);
            }
        }
        Some(Self(entries))
    }

    /// The value of a key, if it is there and not null.
    pub(super) fn get(&self, key: &str) -> Option<&'n Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    pub(super) fn entry(&self, key: &str) -> Option<&'n Entry> {
        self.0.iter().find(|entry| entry.key == key && !entry.value.is_null())
    }

    /// A scalar read by that function; the default where it is left out or wrong.
    pub(super) fn read<T>(
        &self,
        cx: &mut Context<'_>,
        key: &str,
        wanted: &str,
        read: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let node = self.get(key)?;
        let text = cx.text(node, wanted)?;
        read(text).map_err(|message| cx.error("wrong-type", node.span, message)).ok()
    }
}
