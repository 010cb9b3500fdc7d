//! Findings about rule files: what is wrong, where, and what to do. And how a person sees them.
//!
//! Must not: find anything itself.

use std::fmt;
use std::sync::Arc;

use annotate_snippets::renderer::DecorStyle;
use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

/// A rule file's text under the name that people know it by.
#[derive(Debug, PartialEq, Eq)]
pub struct Source {
    /// Its path as shown: `rules/demo-shop/site.yaml`.
    pub name: String,
    /// Its text.
    pub text: String,
}

/// A place in a source, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Span {
    /// The first byte.
    pub start: usize,
    /// The byte after the last one.
    pub end: usize,
}

/// A place as people count it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The rules load and do what they say; they could do better. Only `check` says so.
    Hint,
    /// The rules load; somebody should look.
    Warning,
    /// The site's rules do not load.
    Error,
}

impl Severity {
    /// The word for it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Hint => "hint",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// One finding. Shown with `{}`: message, place, the line with a marker, help.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Its stable name, in kebab case: `unknown-field`.
    pub code: &'static str,
    /// Which file.
    pub source: Arc<Source>,
    /// Where in it.
    pub span: Span,
    /// What is wrong, in one line without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// The most errors, and the most warnings, kept of one site; more are only counted.
const MAX_FINDINGS: usize = 200;

/// Findings as they come.
#[derive(Debug, Default)]
pub struct Report {
    findings: Vec<Diagnostic>,
    omitted_errors: usize,
    omitted_warnings: usize,
    muted: Vec<&'static str>,
    spoilt: Vec<(Arc<Source>, Span)>,
}

impl Report {
    /// Adds a finding.
    pub fn push(&mut self, finding: Diagnostic) {
        let is_within = |(source, span): &(Arc<Source>, Span)| {
            Arc::ptr_eq(source, &finding.source)
                && (span.start..span.end).contains(&finding.span.start)
        };
        if self.muted.contains(&finding.code) || self.spoilt.iter().any(is_within) {
            return;
        }
        // Errors and warnings apart, so that none of one kind hides those of the other.
        let alike = self.findings.iter().filter(|known| known.severity == finding.severity).count();
        match finding.severity {
            _ if alike < MAX_FINDINGS => self.findings.push(finding),
            Severity::Error => self.omitted_errors += 1,
            Severity::Warning | Severity::Hint => self.omitted_warnings += 1,
        }
    }

    /// Leaves findings of that code out from now on: they would only follow from an error that is
    /// reported already.
    pub fn mute(&mut self, code: &'static str) {
        self.muted.push(code);
    }

    /// Adds a finding about something that could not be read: whatever else is found within `span`
    /// only follows from it and is left out.
    pub fn push_spoilt(&mut self, finding: Diagnostic, span: Span) {
        let source = finding.source.clone();
        self.push(finding);
        if self.spoilt.len() < MAX_FINDINGS {
            self.spoilt.push((source, span));
        }
    }

    /// How many errors there are so far.
    #[must_use]
    pub fn error_count(&self) -> usize {
        self.findings.iter().filter(|f| f.severity == Severity::Error).count() + self.omitted_errors
    }

    /// All of them, by file and place; the last one says so where there were too many.
    #[must_use]
    pub fn into_findings(mut self) -> Vec<Diagnostic> {
        self.findings.sort_by(|a, b| {
            (&a.source.name, a.span.start, a.span.end).cmp(&(
                &b.source.name,
                b.span.start,
                b.span.end,
            ))
        });
        self.findings.dedup();
        let omitted = self.omitted_errors + self.omitted_warnings;
        if omitted > 0
            && let Some(last) = self.findings.last_mut()
        {
            let more = format!("{omitted} more findings are not shown");
            last.help = Some(match last.help.take() {
                Some(help) => format!("{help}; {more}"),
                None => more,
            });
        }
        self.findings
    }
}

impl Source {
    /// Line and column of a byte.
    #[must_use]
    pub fn position(&self, byte: usize) -> Position {
        let before = self.text.get(..byte).unwrap_or(&self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Position {
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
        }
    }

    /// The line that a byte is on, without its end.
    #[must_use]
    pub fn line_of(&self, byte: usize) -> &str {
        let (before, after) = self.text.split_at_checked(byte).unwrap_or((self.text.as_str(), ""));
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        let end = after.find('\n').map_or(self.text.len(), |at| before.len() + at);
        self.text.get(start..end).unwrap_or_default()
    }
}

impl Diagnostic {
    /// An error: the site's rules do not load.
    #[must_use]
    pub fn error(code: &'static str, source: &Arc<Source>, span: Span, message: String) -> Self {
        let message = clip(message);
        Self { severity: Severity::Error, code, source: source.clone(), span, message, help: None }
    }

    /// A warning: the rules load all the same.
    #[must_use]
    pub fn warning(code: &'static str, source: &Arc<Source>, span: Span, message: String) -> Self {
        Self { severity: Severity::Warning, ..Self::error(code, source, span, message) }
    }

    /// A finding of any severity.
    #[must_use]
    pub fn of(
        severity: Severity,
        code: &'static str,
        source: &Arc<Source>,
        span: Span,
        message: String,
    ) -> Self {
        Self { severity, ..Self::error(code, source, span, message) }
    }

    /// With what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(clip(help.into()));
        self
    }

    /// Where it begins, and the character after its end.
    #[must_use]
    pub fn region(&self) -> (Position, Position) {
        let at = |byte| self.source.position(floor(&self.source.text, byte));
        (at(self.span.start), at(self.span.end.max(self.span.start)))
    }

    /// As a person sees it, with colours for a terminal or without.
    #[must_use]
    pub fn render(&self, is_coloured: bool) -> String {
        let renderer = if is_coloured { Renderer::styled() } else { Renderer::plain() };
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Hint => Level::NOTE.with_name("hint"),
        };
        // One line is enough to find the place; a whole map would bury it.
        let text = &self.source.text;
        let start = floor(text, self.span.start);
        let line_end =
            text.get(start..).and_then(|t| t.find('\n')).map_or(text.len(), |n| start + n);
        let line_end =
            line_end - usize::from(text.get(..line_end).is_some_and(|t| t.ends_with('\r')));
        let end = floor(text, self.span.end.clamp(start, line_end.max(start)));
        let message = printable(&self.message);
        let snippet = Snippet::source(text.as_str())
            .path(self.source.name.as_str())
            .annotation(AnnotationKind::Primary.span(start..end));
        let group = level.primary_title(message.as_str()).id(self.code).element(snippet);
        let help = self.help.as_deref().map(printable);
        let group = match &help {
            Some(help) => group.element(Level::HELP.message(help.as_str())),
            None => group,
        };
        renderer.decor_style(DecorStyle::Ascii).render(&[group])
    }
}

/// A text that is not too long for a line or two: its beginning and its end.
fn clip(text: String) -> String {
    const HALF: usize = 150;
    let length = text.chars().count();
    if length <= 2 * HALF {
        return text;
    }
    let end: String = text.chars().skip(length - HALF).collect();
    format!("{}…{end}", text.chars().take(HALF).collect::<String>())
}

/// The nearest character's start at or before that byte.
fn floor(text: &str, byte: usize) -> usize {
    let byte = byte.min(text.len());
    (0..=byte).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// Without control characters: a rule file's text must not steer a terminal or forge a log line.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(false))
    }
}

/// "did you mean": the nearest of the known names, if any is near.
#[must_use]
pub fn nearest<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = typed.to_lowercase();
    known
        .into_iter()
        .map(|name| (strsim::damerau_levenshtein(&typed, &name.to_lowercase()), name))
        .filter(|(distance, name)| {
            *distance <= (name.chars().count().max(typed.chars().count()) / 3).clamp(1, 4)
        })
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, name)| name)
}
