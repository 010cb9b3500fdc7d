//! Findings for people.

use std::io::{self, Write};

use super::Checked;
use crate::rules::diagnostic::Severity;

pub(super) fn write(
    checked: &[Checked],
    is_coloured: bool,
    out: &mut impl Write,
) -> io::Result<()> {
    for site in checked {
        for note in &site.report.notes {
            writeln!(out, "{note}\n")?;
        }
        for finding in &site.report.findings {
            writeln!(out, "{}\n", finding.render(is_coloured))?;
        }
        let counts = [Severity::Error, Severity::Warning, Severity::Hint]
            .map(|severity| many(site.count(severity), severity.name()))
            .join(", ");
        let key = &site.report.key;
        match &site.set {
            Some(set) => {
                let examples: usize = set.rules.iter().map(|rule| rule.examples.len()).sum();
                let (rules, examples) = (many(set.rules.len(), "rule"), many(examples, "example"));
                writeln!(out, "{key}: {rules}, {examples}, {counts}")?;
            }
            None => writeln!(out, "{key}: does not load, {counts}")?,
        }
    }
    Ok(())
}

fn many(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
