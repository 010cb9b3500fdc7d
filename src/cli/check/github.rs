//! Findings as annotations of a pull request: GitHub Actions' workflow commands
//! (<https://docs.github.com/actions/reference/workflow-commands-for-github-actions>).

use std::fmt::Write as _;
use std::io::{self, Write};

use super::Checked;
use crate::rules::diagnostic::{Diagnostic, Severity};

pub(super) fn write(checked: &[Checked], out: &mut impl Write) -> io::Result<()> {
    for site in checked {
        for note in &site.report.notes {
            let title = property(&format!("koekake: {}", site.report.key));
            // Without findings, what is noted is why the site could not be read.
            let command = if site.report.files.is_empty() { "error" } else { "warning" };
            writeln!(out, "::{command} title={title}::{}", data(note))?;
        }
        for finding in &site.report.findings {
            writeln!(out, "{}", annotation(finding))?;
        }
    }
    Ok(())
}

fn annotation(finding: &Diagnostic) -> String {
    let command = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Hint => "notice",
    };
    let (from, to) = finding.region();
    let file = property(&finding.source.name.replace('\\', "/"));
    let mut place = format!("file={file},line={},endLine={}", from.line, to.line);
    // Columns are taken only where both ends are on one line.
    if from.line == to.line {
        // Writing to a string cannot fail.
        let _ = write!(place, ",col={},endColumn={}", from.column, to.column);
    }
    let mut text = finding.message.clone();
    if let Some(help) = &finding.help {
        text.push('\n');
        text.push_str(help);
    }
    format!("::{command} {place},title={}::{}", property(finding.code), data(&text))
}

/// What stands behind the `::`. A rule file's text must not steer the log that it is shown in.
fn data(text: &str) -> String {
    let is_plain = |c: char| matches!(c, '\r' | '\n') || !c.is_control();
    let text: String = text.chars().map(|c| if is_plain(c) { c } else { '\u{FFFD}' }).collect();
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A value of a command's properties.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::rules::diagnostic::{Source, Span};

    #[test]
    fn nothing_in_a_finding_ends_its_command() {
        let text = "rules:\n  - id: a\n".to_owned();
        let source = Arc::new(Source { name: "rules/a,b: 100%/x.yaml".to_owned(), text });
        let message = "50% of\r\n::error::it\u{1b}".to_owned();
        let span = Span { start: 11, end: 13 };
        let finding = Diagnostic::error("some-code", &source, span, message).help("a, b: c");
        assert_eq!(
            annotation(&finding),
            "::error file=rules/a%2Cb%3A 100%25/x.yaml,line=2,endLine=2,col=5,endColumn=7,\
             title=some-code::50%25 of%0D%0A::error::it\u{FFFD}%0Aa, b: c"
        );
    }
}
