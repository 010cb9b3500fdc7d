//! Why a text is no YAML, in words for those who wrote it: the parser's complaint and the line.
//!
//! Must not: parse; what it sees in a line is a guess at what was meant.

use std::sync::Arc;

use super::open::open_at;
use crate::rules::diagnostic::{Diagnostic, Source, Span};

struct Words {
    span: Span,
    message: String,
    help: String,
}

/// A finding about the place where the parser gave up.
pub(super) fn explain(source: &Arc<Source>, at: usize, info: &str) -> Diagnostic {
    let line = Line::around(source, at);
    let words = tabs(&line)
        .or_else(|| by_complaint(source, &line, at, info))
        .or_else(|| unclosed(source, at))
        .or_else(|| no_colon(source, &line))
        .unwrap_or_else(|| Words {
            span: Span { start: at, end: at },
            message: format!("not YAML: {info}"),
            help: "look at this line and the one above it: indentation, quotes, brackets, colons"
                .to_owned(),
        });
    Diagnostic::error("yaml-syntax", source, words.span, words.message).help(words.help)
}

/// A line and where it begins.
#[derive(Clone, Copy)]
struct Line<'s> {
    start: usize,
    text: &'s str,
}

impl<'s> Line<'s> {
    fn around(source: &'s Source, at: usize) -> Self {
        let before = source.text.get(..at).unwrap_or(&source.text);
        let start = before.rfind('\n').map_or(0, |at| at + 1);
        Self { start, text: source.line_of(at).trim_end() }
    }

    /// The one before it that says something.
    fn above(self, source: &'s Source) -> Option<Self> {
        let mut line = self;
        loop {
            line = Self::around(source, line.start.checked_sub(1)?);
            let text = line.text.trim_start();
            if !text.is_empty() && !text.starts_with('#') {
                return Some(line);
            }
        }
    }

    fn indent(self) -> usize {
        self.text.len() - self.text.trim_start_matches([' ', '\t']).len()
    }

    /// Its text without indentation and dashes, and where that begins.
    fn content(self) -> (usize, &'s str) {
        let mut rest = self.text.trim_start();
        while let Some(after) = rest.strip_prefix("- ") {
            rest = after.trim_start();
        }
        (self.start + self.text.len() - rest.len(), rest)
    }

    fn span(self) -> Span {
        let (start, text) = self.content();
        Span { start, end: start + text.len() }
    }
}

#[expect(clippy::unnecessary_wraps, reason = "what calls it returns it or nothing")]
fn words(span: Span, message: impl Into<String>, help: impl Into<String>) -> Option<Words> {
    Some(Words { span, message: message.into(), help: help.into() })
}

fn tabs(line: &Line<'_>) -> Option<Words> {
    let indent = line.text.get(..line.indent())?;
    let start = line.start + indent.find('\t')?;
    let end = line.start + indent.rfind('\t')? + 1;
    words(Span { start, end }, "a tab indents this line", "YAML takes only spaces there")
}

fn by_complaint(source: &Source, line: &Line<'_>, at: usize, info: &str) -> Option<Words> {
    let here = Span { start: at, end: at };
    if info.contains("unknown anchor") || info.contains("anchor or alias") {
        let is_sign = |c: char| matches!(c, '*' | '&');
        let start = match source.text.get(at..)?.chars().next() {
            Some(c) if is_sign(c) => at,
            _ => source.text.get(..at)?.rfind(is_sign).filter(|start| *start >= line.start)?,
        };
        let found = source.text.get(start..=start)?;
        let span = Span { start, end: start + 1 };
        return words(span, format!("text that begins with `{found}` needs quotes"), quoted(line));
    }
    if info.contains("unexpected character") {
        let found = source.text.get(at..)?.chars().next()?;
        let span = Span { start: at, end: at + found.len_utf8() };
        return words(span, format!("text that begins with `{found}` needs quotes"), quoted(line));
    }
    if info.contains("escape") {
        let backslash = source.text.get(at..).and_then(|rest| rest.find('\\'));
        let start = at + backslash.unwrap_or_default();
        return words(
            Span { start, end: start + 1 },
            "this `\\` means something else within double quotes",
            "use single quotes, as in '\\d+', or write it twice: \"\\\\d+\"",
        );
    }
    if info.contains("trailing content") {
        return trailing(source, line, at);
    }
    if info.contains("quoted scalar") {
        let quote = source.text.get(at..)?.chars().next().filter(|c| matches!(c, '"' | '\''))?;
        return words(
            Span { start: at, end: at + 1 },
            "the text that begins with this quotation mark is not closed",
            format!("close it with {quote} where it should end"),
        );
    }
    if info.contains("mapping values are not allowed") || info.contains("illegal placement of ':'")
    {
        return second_colon(source, line, at);
    }
    if info.contains("'-' indicator") {
        return no_dash(source, line);
    }
    if info.contains("block sequence entries are not allowed") {
        return words(
            here,
            "a list item (`- `) cannot begin here",
            "put it on a line of its own, below its key, as far to the left as the other items",
        );
    }
    if info.contains("expected key") {
        return expected_key(source, line);
    }
    None
}

/// How the value of that line would be quoted.
fn quoted(line: &Line<'_>) -> String {
    let (_, text) = line.content();
    let (key, value) =
        text.split_once(": ").map_or((None, text), |(key, value)| (Some(key), value));
    let value = value.trim();
    let is_simple = !value.contains(['{', '[', '"', '\'', '\\']) && value.chars().count() <= 60;
    match key {
        _ if !is_simple => "put the text in quotes".to_owned(),
        Some(key) => format!("write `{key}: \"{value}\"`"),
        None => format!("write `\"{value}\"`"),
    }
}

/// A quoted text that ended and is followed by more.
fn trailing(source: &Source, line: &Line<'_>, at: usize) -> Option<Words> {
    let text = source.text.as_str();
    let close = text.get(..at)?.trim_end().len().checked_sub(1)?;
    let quote = text.get(close..=close)?;
    let Some(open) = open_of(text, close) else {
        return words(
            Span { start: at, end: at },
            "this follows a closing quotation mark",
            "put the whole text in one pair of quotes",
        );
    };
    if open < line.start {
        let span = Span { start: open, end: open + 1 };
        let closing = source.position(close).line;
        return words(
            span,
            format!("the text that begins here ends only at a quotation mark on line {closing}"),
            format!("close it with {quote} where it should end"),
        );
    }
    let help = if quote == "'" {
        "use double quotes around the text, or write the apostrophe twice: ''"
    } else {
        "use single quotes around the text, or write \\\" for those inside it"
    };
    let span = Span { start: close, end: close + 1 };
    words(span, "the quoted text ends here already, and more follows", help)
}

/// A `: ` that makes a key of what was meant as text, or a line that is too far to the right.
fn second_colon(source: &Source, line: &Line<'_>, at: usize) -> Option<Words> {
    if let Some(found) = unclosed(source, line.start) {
        return Some(found);
    }
    let (start, text) = line.content();
    let before = source.text.get(start..at).unwrap_or_default();
    if let Some((key, value)) = before.split_once(": ").or_else(|| before.split_once(":\t")) {
        let span = Span { start: at, end: at + 1 };
        if crate::rules::fields::find(value.trim()).is_some() {
            let rest = text.get(key.len() + 2..).unwrap_or_default();
            return words(
                span,
                format!("`{key}` and `{}` cannot share a line", value.trim()),
                format!("write `- {rest}` on a line of its own below `{key}:`"),
            );
        }
        return words(span, "a second `: ` on this line, in text without quotes", quoted(line));
    }
    let above = line.above(source)?;
    if line.indent() > above.indent() {
        let span = Span { start: line.start, end: line.start + line.indent() };
        return words(
            span,
            "this line is further to the right than the one above, which has a value already",
            "indent it like the line above",
        );
    }
    None
}

/// A block of list items, interrupted.
fn no_dash(source: &Source, line: &Line<'_>) -> Option<Words> {
    let above = line.above(source)?;
    let (start, text) = line.content();
    let key = text.split(':').next().unwrap_or_default();
    let is_field = crate::rules::fields::find(key).is_some();
    if is_field || matches!(key, "any" | "all" | "not" | "segment" | "id") {
        let span = Span { start, end: start + key.len() };
        return words(
            span,
            format!("`{key}` stands among list items without a `- ` of its own"),
            format!("write `- {key}: …`, as far to the left as the other items"),
        );
    }
    off_by_one(source, *line).or_else(|| {
        let right = above.content().0 - above.start;
        words(
            Span { start: line.start, end: start },
            "this line lines up with none above it",
            format!("indent it with {right} spaces, like the line above, or begin it with `- `"),
        )
    })
}

fn expected_key(source: &Source, line: &Line<'_>) -> Option<Words> {
    if let Some(found) = no_colon_in(line) {
        return Some(found);
    }
    let (start, text) = line.content();
    if text.starts_with(['{', '"', '\'']) || line.text.contains("{{") {
        let value = text.find(": ").map_or(0, |at| at + 2);
        let span = Span { start: start + value, ..line.span() };
        return words(span, "text that holds `{{ … }}` needs quotes", quoted(line));
    }
    if line.text.trim_start().starts_with('-') {
        let span = Span { start: line.start + line.indent(), end: start };
        // The list began with an item whose dash is lost.
        let first = first_of_block(source, *line);
        let (first_start, first_text) = first.content();
        if has_lost_its_dash(source, first, *line) {
            let key = first_text.split(':').next().unwrap_or_default();
            return words(
                Span { start: first_start, end: first_start + key.len() },
                format!("`{key}` begins a list without a `- `, and others of the list have one"),
                format!("write `- {first_text}`, as far to the left as the other items"),
            );
        }
        return words(
            span,
            "a list item stands where a key is expected",
            "indent it below the key whose list it is in, like the other items",
        );
    }
    off_by_one(source, *line).or_else(|| no_line_up(source, line))
}

/// Whether a block's first line is an item without its dash, and not a key of the map that an item
/// stands in by mistake.
fn has_lost_its_dash(source: &Source, first: Line<'_>, item: Line<'_>) -> bool {
    if first.text.trim_start().starts_with('-') {
        return false;
    }
    let mut is_alone = !first.text.ends_with(':');
    let mut line = item;
    while let Some(above) = line.above(source).filter(|above| above.start > first.start) {
        is_alone &= above.indent() > item.indent() || above.text.trim_start().starts_with('-');
        line = above;
    }
    first.indent() > item.indent() || is_alone
}

/// The first line of the block that a line is in.
fn first_of_block<'s>(source: &'s Source, line: Line<'s>) -> Line<'s> {
    let mut first = line;
    while let Some(above) = first.above(source).filter(|above| above.indent() >= line.indent()) {
        first = above;
    }
    first
}

/// A line above that should line up with this one and is a blank off.
fn off_by_one(source: &Source, line: Line<'_>) -> Option<Words> {
    let mut other = line.above(source)?;
    while other.indent() > line.indent() + 1 {
        other = other.above(source)?;
    }
    if other.indent().abs_diff(line.indent()) != 1 {
        return None;
    }
    // People indent by two.
    let (off, right) = if line.indent().is_multiple_of(2) { (other, line) } else { (line, other) };
    words(
        Span { start: off.start, end: off.content().0 },
        format!("this line does not line up with line {}", source.position(right.start).line),
        format!("indent it with {} spaces", right.indent()),
    )
}

/// The line further left that a block is interrupted by: it is what slipped.
fn slipped_left(source: &Source, line: Line<'_>) -> Option<Words> {
    let mut out = line.above(source)?;
    while out.indent() >= line.indent() {
        out = out.above(source)?;
    }
    let mut other = out.above(source)?;
    while other.indent() > line.indent() {
        other = other.above(source)?;
    }
    // It may be the first of its block: then it is level with the key that the block is of.
    let is_first = other.indent() == out.indent() && other.text.ends_with(':');
    let is_within = other.indent() == line.indent() || is_first;
    if !is_within || out.text.trim_start().starts_with('-') {
        return None;
    }
    words(
        Span { start: out.start, end: out.content().0 },
        format!("this line does not line up with line {}", source.position(line.start).line),
        format!("indent it with {} spaces", line.indent()),
    )
}

fn no_line_up(source: &Source, line: &Line<'_>) -> Option<Words> {
    if let Some(found) = slipped_left(source, *line) {
        return Some(found);
    }
    let right = line.above(source)?.indent();
    words(
        Span { start: line.start, end: line.content().0 },
        "this line lines up with none above it",
        format!("indent it with {right} spaces, like the line above, or like a line further up"),
    )
}

/// A key without its colon, on that line or on the one above: there the parser notices it late.
fn no_colon(source: &Source, line: &Line<'_>) -> Option<Words> {
    let mut candidate = Some(*line);
    for _ in 0..3 {
        let line = candidate?;
        if let Some(found) = no_colon_in(&line) {
            return Some(found);
        }
        candidate = line.above(source);
    }
    None
}

fn no_colon_in(line: &Line<'_>) -> Option<Words> {
    let (start, text) = line.content();
    if text.is_empty() || text.starts_with(['#', '"', '\'', '{', '[', '}', ']']) {
        return None;
    }
    let has_colon = text.contains(": ") || text.ends_with(':');
    if has_colon {
        return None;
    }
    if let Some(at) = text.find('：') {
        let span = Span { start: start + at, end: start + at + '：'.len_utf8() };
        return words(span, "a full-width colon", "write `: `, a plain colon and a space");
    }
    if let Some((key, value)) = text.split_once(':').filter(|(key, _)| is_word(key)) {
        let span = Span { start: start + key.len(), end: start + key.len() + 1 };
        return words(span, "no space after the colon", format!("write `{key}: {value}`"));
    }
    let mut parts = text.splitn(2, ' ');
    let key = parts.next().filter(|key| is_word(key))?;
    let help = match parts.next() {
        Some(value) if value.chars().count() <= 60 => format!("write `{key}: {}`", value.trim()),
        _ => format!("write `{key}: …`, with a colon and a space"),
    };
    words(line.span(), "this line has no colon", help)
}

fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b))
}

/// The bracket or quotation mark that is open at a place.
fn unclosed(source: &Source, until: usize) -> Option<Words> {
    let (at, c) = open_at(source.text.get(..until.min(source.text.len()))?)?;
    let span = Span { start: at, end: at + 1 };
    match c {
        '[' => words(span, "this `[` is not closed", "end the list with `]` on the same line"),
        '{' => words(span, "this `{` is not closed", "end it with `}` on the same line"),
        other => words(
            span,
            "the text that begins with this quotation mark is not closed",
            format!("close it with {other} where it should end"),
        ),
    }
}

/// Where the quoted text opened that closes at that byte.
fn open_of(text: &str, close: usize) -> Option<usize> {
    let quote = text.get(close..=close)?;
    let (at, open) = open_at(text.get(..close)?)?;
    quote.starts_with(open).then_some(at)
}
