//! Findings as SARIF 2.1.0
//! (<https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html>), for code scanning.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::io::{self, Write};

use serde_json::{Value, json};

use super::Checked;
use crate::rules::diagnostic::{Diagnostic, Position, Severity};
use crate::rules::lint::LINTS;

pub(super) fn write(checked: &[Checked], out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "{:#}", log(checked))
}

fn log(checked: &[Checked]) -> Value {
    let findings: Vec<&Diagnostic> =
        checked.iter().flat_map(|site| &site.report.findings).collect();
    let codes: BTreeSet<&str> = findings.iter().map(|finding| finding.code).collect();
    let rules: Vec<Value> = codes.iter().map(|code| rule(code)).collect();
    let results: Vec<Value> = findings.into_iter().map(result).collect();
    let notes: Vec<Value> = checked
        .iter()
        .flat_map(|site| &site.report.notes)
        .map(|note| json!({ "level": "warning", "message": { "text": note } }))
        .collect();
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "koekake",
                "semanticVersion": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            } },
            "columnKind": "unicodeCodePoints",
            "invocations": [{
                "executionSuccessful": checked.iter().all(|site| !site.report.files.is_empty()),
                "toolExecutionNotifications": notes,
            }],
            "results": results,
        }],
    })
}

fn rule(code: &str) -> Value {
    let mut rule = json!({ "id": code });
    if let (Some(lint), Some(object)) =
        (LINTS.iter().find(|lint| lint.name == code), rule.as_object_mut())
    {
        object.insert("shortDescription".to_owned(), json!({ "text": lint.about }));
        let level = json!({ "level": level(lint.level) });
        object.insert("defaultConfiguration".to_owned(), level);
    }
    rule
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Hint => "note",
    }
}

fn result(finding: &Diagnostic) -> Value {
    let text = match &finding.help {
        Some(help) => format!("{}\n{help}", finding.message),
        None => finding.message.clone(),
    };
    let (from, Position { line, column }) = finding.region();
    json!({
        "ruleId": finding.code,
        "level": level(finding.severity),
        "message": { "text": text },
        "locations": [{ "physicalLocation": {
            "artifactLocation": { "uri": uri(&finding.source.name) },
            "region": {
                "startLine": from.line,
                "startColumn": from.column,
                "endLine": line,
                "endColumn": column,
            },
        } }],
    })
}

/// A path as a URI reference (RFC 3986): relative ones stay so.
fn uri(path: &str) -> String {
    let path = path.replace('\\', "/");
    let path = path.strip_prefix("./").unwrap_or(&path);
    let mut uri = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.bytes() {
        let is_plain = byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte);
        if is_plain {
            uri.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(uri, "%{byte:02X}");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_become_uris() {
        assert_eq!(uri("./rules/a b/料.yaml"), "rules/a%20b/%E6%96%99.yaml");
        assert_eq!(uri("/srv/rules/a.yaml"), "file:///srv/rules/a.yaml");
    }
}
