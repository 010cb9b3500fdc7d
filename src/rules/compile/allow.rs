//! `allow:` of a site or a rule: lints that are switched off, each with a reason.
//!
//! Must not: know what a lint looks for.

use super::keys::{Keys, short};
use crate::rules::context::Context;
use crate::rules::lint::LINTS;
use crate::rules::model::Allow;
use crate::rules::raw::NodeKind;

const EXAMPLE: &str = "write `allow: { no-example: \"covered by the rule pricing-help\" }`";

/// Reads them; what is wrong is reported and left out.
pub(super) fn compile(keys: Keys<'_>, cx: &mut Context<'_>) -> Vec<Allow> {
    let Some(node) = keys.get("allow") else { return Vec::new() };
    let NodeKind::Map(entries) = &node.kind else {
        let found =
            node.scalar().map_or_else(|| node.what().to_owned(), |t| format!("`{}`", short(t)));
        let message = format!("expected names of lints with a reason each, found {found}");
        cx.error_help("wrong-type", node.span, message, EXAMPLE);
        return Vec::new();
    };
    let mut all = Vec::new();
    for entry in entries {
        let known = LINTS.iter().find(|lint| lint.name == entry.key);
        if known.is_none() {
            let names = LINTS.iter().map(|lint| lint.name);
            cx.unknown("unknown-lint", entry.key_span, "lint", &entry.key, names);
        }
        let reason = match entry.value.scalar() {
            Some(reason) if !reason.trim().is_empty() => Some(reason.trim()),
            None if !entry.value.is_null() => {
                cx.wrong_type(&entry.value, "a reason");
                None
            }
            _ => {
                let message = format!("`{}` is allowed without a reason", entry.key);
                let help = "say why, for whoever reads the file next";
                cx.error_help("no-reason", entry.key_span, message, help);
                None
            }
        };
        if let (Some(lint), Some(reason)) = (known, reason) {
            all.push(Allow {
                lint: lint.name,
                reason: reason.into(),
                source: cx.source.clone(),
                span: entry.key_span,
            });
        }
    }
    all
}
