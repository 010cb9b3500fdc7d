//! YAML as typed: text → a tree of scalars, lists and maps, each with its place.
//!
//! The parser is `saphyr-parser` (YAML 1.2). Aliases, anchors, tags and merge keys are refused:
//! a rule file says what it means where it stands. Must not: know what any key means.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span as ParserSpan};

use super::diagnostic::{Diagnostic, Report, Source, Span};

mod open;
mod syntax;

/// A node of a YAML document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Where it stands. For a list or map: from its first to its last character.
    pub span: Span,
    /// What it is.
    pub kind: NodeKind,
}

/// The kinds of nodes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NodeKind {
    /// A scalar.
    Scalar {
        /// Its text, escapes and folding resolved.
        text: String,
        /// Whether it was quoted or a block (`|`, `>`): then it is text, never null, a number
        /// or a boolean.
        is_quoted: bool,
    },
    /// A list.
    List(Vec<Node>),
    /// A map, in the order of the file. Keys are scalars and differ from each other.
    Map(Vec<Entry>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The key's text.
    pub key: String,
    /// Where the key stands.
    pub key_span: Span,
    /// Its value.
    pub value: Node,
}

/// The deepest nesting that is read.
const MAX_DEPTH: usize = 32;
/// The largest file that is read, in bytes.
pub const MAX_BYTES: usize = 4 << 20;

impl Node {
    /// The text of a scalar that is not null.
    #[must_use]
    pub fn scalar(&self) -> Option<&str> {
        match &self.kind {
            NodeKind::Scalar { text, .. } if !self.is_null() => Some(text),
            _ => None,
        }
    }

    /// Whether it is YAML's null: `null`, `~` or nothing at all.
    #[must_use]
    pub fn is_null(&self) -> bool {
        matches!(&self.kind, NodeKind::Scalar { text, is_quoted: false }
            if matches!(text.as_str(), "" | "~" | "null" | "Null" | "NULL"))
    }

    /// What a person would call it.
    #[must_use]
    pub fn what(&self) -> &'static str {
        match &self.kind {
            NodeKind::Scalar { .. } if self.is_null() => "nothing",
            NodeKind::Scalar { .. } => "a value",
            NodeKind::List(_) => "a list",
            NodeKind::Map(_) => "a map",
        }
    }

    /// It, written in one line, for messages.
    #[must_use]
    pub fn inline(&self) -> String {
        match &self.kind {
            NodeKind::Scalar { text, .. } => text.clone(),
            NodeKind::List(items) => {
                let items: Vec<_> = items.iter().map(Self::inline).collect();
                format!("[{}]", items.join(", "))
            }
            NodeKind::Map(entries) => {
                let entries: Vec<_> =
                    entries.iter().map(|e| format!("{}: {}", e.key, e.value.inline())).collect();
                format!("{{{}}}", entries.join(", "))
            }
        }
    }
}

/// Reads one document. `None` where the text is no YAML at all; other findings leave the rest
/// readable. An empty document is `Some` null.
pub fn read(source: &Arc<Source>, report: &mut Report) -> Option<Node> {
    if source.text.len() > MAX_BYTES {
        report.push(
            Diagnostic::error(
                "file-too-large",
                source,
                Span::default(),
                format!("the file has {} bytes; at most {MAX_BYTES} are read", source.text.len()),
            )
            .help("split its rules over several files of the folder"),
        );
        return None;
    }
    if let Some((at, found)) = source.text.char_indices().find(|(_, c)| is_unprintable(*c)) {
        let span = Span { start: at, end: at + found.len_utf8() };
        report.push(
            Diagnostic::error(
                "control-character",
                source,
                span,
                format!("an invisible control character (U+{:04X})", u32::from(found)),
            )
            .help("delete it and type the word around it again"),
        );
        return None;
    }
    let offsets = Offsets::of(&source.text);
    let mut reader = Reader {
        parser: Parser::new_from_str(&source.text),
        source,
        offsets: &offsets,
        report,
        depth: 0,
    };
    reader.document().ok()
}

/// What YAML takes nowhere in a file.
fn is_unprintable(c: char) -> bool {
    c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}')
}

/// Reading cannot go on; why is in the report.
struct Halt;

struct Reader<'s, 'r> {
    parser: Parser<'s, saphyr_parser::StrInput<'s>>,
    source: &'r Arc<Source>,
    offsets: &'r Offsets,
    report: &'r mut Report,
    depth: usize,
}

impl<'s> Reader<'s, '_> {
    fn next(&mut self) -> Result<(Event<'s>, Span), Halt> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, self.offsets.span(span))),
            Some(Err(error)) => {
                self.refuse(&error);
                Err(Halt)
            }
            None => Ok((Event::StreamEnd, Span::default())),
        }
    }

    fn refuse(&mut self, error: &ScanError) {
        let at = self.offsets.byte(error.marker().index());
        self.report.push(syntax::explain(self.source, at, error.info()));
    }

    fn document(&mut self) -> Result<Node, Halt> {
        let mut document = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentEnd | Event::Nothing => {}
                Event::StreamEnd => {
                    return Ok(document.unwrap_or(Node {
                        span: Span::default(),
                        kind: NodeKind::Scalar { text: String::new(), is_quoted: false },
                    }));
                }
                Event::DocumentStart(_) if document.is_none() => {
                    let (event, span) = self.next()?;
                    document = Some(self.node(event, span)?);
                }
                _ => {
                    self.error(
                        "several-documents",
                        span,
                        "a second YAML document begins here",
                        "take the line `---` out, or split the file in two",
                    );
                    return Err(Halt);
                }
            }
        }
    }

    fn node(&mut self, event: Event<'s>, span: Span) -> Result<Node, Halt> {
        if self.depth >= MAX_DEPTH {
            self.error(
                "nested-too-deep",
                span,
                &format!("nested deeper than {MAX_DEPTH} levels"),
                "name parts of a long condition as segments in site.yaml",
            );
            return Err(Halt);
        }
        self.depth += 1;
        let node = match event {
            Event::Scalar(text, style, anchor, tag) => {
                self.no_anchor(anchor, tag.is_some(), span);
                let is_quoted = style != ScalarStyle::Plain;
                let span = self.without_rest(span, style);
                Node { span, kind: NodeKind::Scalar { text: text.into_owned(), is_quoted } }
            }
            Event::Alias(_) => {
                self.no_anchor(1, false, span);
                Node { span, kind: NodeKind::Scalar { text: String::new(), is_quoted: true } }
            }
            Event::SequenceStart(anchor, tag) => {
                self.no_anchor(anchor, tag.is_some(), span);
                self.list(span)?
            }
            Event::MappingStart(anchor, tag) => {
                self.no_anchor(anchor, tag.is_some(), span);
                self.map(span)?
            }
            _ => Node { span, kind: NodeKind::Scalar { text: String::new(), is_quoted: false } },
        };
        self.depth -= 1;
        Ok(node)
    }

    fn list(&mut self, start: Span) -> Result<Node, Halt> {
        let mut items: Vec<Node> = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                let end = items.last().map_or(span.end, |last| span.end.max(last.span.end));
                let end = self.trimmed(start.start, end);
                return Ok(Node {
                    span: Span { start: start.start, end },
                    kind: NodeKind::List(items),
                });
            }
            items.push(self.node(event, span)?);
        }
    }

    fn map(&mut self, start: Span) -> Result<Node, Halt> {
        let mut entries: Vec<Entry> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                let end = entries.last().map_or(span.end, |last| span.end.max(last.value.span.end));
                let end = self.trimmed(start.start, end);
                return Ok(Node {
                    span: Span { start: start.start, end },
                    kind: NodeKind::Map(entries),
                });
            }
            let key_node = self.node(event, span)?;
            let (event, span) = self.next()?;
            let value = self.node(event, span)?;
            let key_span = key_node.span;
            let NodeKind::Scalar { text: key, .. } = key_node.kind else {
                self.key_not_text(&key_node);
                continue;
            };
            if key == "<<" {
                self.error(
                    "yaml-reference",
                    key_span,
                    "merge keys (`<<`) are not supported",
                    "write the keys out; conditions that several rules share can be a segment",
                );
                continue;
            }
            if let Some(first) = places.get(&key).and_then(|at| entries.get_mut(*at)) {
                let line = self.source.position(first.key_span.start).line;
                let help = match (&mut first.value.kind, value.kind) {
                    // Whatever stands below either of them is looked at.
                    (NodeKind::List(items), NodeKind::List(more)) => {
                        items.extend(more);
                        format!("the first is on line {line}; put everything below that one")
                    }
                    (NodeKind::Map(known), NodeKind::Map(more)) => {
                        let names: HashSet<String> = known.iter().map(|e| e.key.clone()).collect();
                        known.extend(more.into_iter().filter(|e| !names.contains(&e.key)));
                        format!("the first is on line {line}; put everything below that one")
                    }
                    _ => format!("the first is on line {line}; keep one of them"),
                };
                self.error("duplicate-key", key_span, &format!("`{key}` stands twice here"), &help);
                continue;
            }
            places.insert(key.clone(), entries.len());
            entries.push(Entry { key, key_span, value });
        }
    }

    fn error(&mut self, code: &'static str, span: Span, message: &str, help: &str) {
        self.report.push(Diagnostic::error(code, self.source, span, message.to_owned()).help(help));
    }

    /// `{{ name }}` without quotes is a map whose key is a map.
    fn key_not_text(&mut self, key: &Node) {
        let before = self.source.text.get(..key.span.start).unwrap_or_default();
        if before.ends_with('{') {
            let start = key.span.start.saturating_sub(1);
            let rest = self.source.text.get(start..).unwrap_or_default();
            let line = rest.lines().next().unwrap_or_default();
            let typed = line.split_inclusive("}}").next().unwrap_or(line);
            let span = Span { start, end: start + typed.len() };
            let finding = Diagnostic::error(
                "key-not-text",
                self.source,
                span,
                "text that begins with `{{` needs quotes".to_owned(),
            );
            let finding = finding.help("write it like \"{{ visitor.name }}\"");
            self.report.push_spoilt(finding, Span { start, end: start + line.len() + 1 });
        } else {
            let message = format!("a key must be text, not {}", key.what());
            self.error("key-not-text", key.span, &message, "put it in quotes if it is text");
        }
    }

    /// The end of the last thing written: a block's own end is the start of what follows it.
    fn trimmed(&self, start: usize, end: usize) -> usize {
        let text = self.source.text.get(start..end).unwrap_or_default();
        start + text.trim_end().len()
    }

    /// A quoted scalar within brackets is said to end with the blanks behind it.
    fn without_rest(&self, span: Span, style: ScalarStyle) -> Span {
        let quote = match style {
            ScalarStyle::SingleQuoted => '\'',
            ScalarStyle::DoubleQuoted => '"',
            _ => return span,
        };
        let text = self.source.text.get(span.start..span.end).unwrap_or_default();
        let length = text.rfind(quote).map_or(text.len(), |at| at + 1);
        Span { start: span.start, end: span.start + length }
    }

    fn no_anchor(&mut self, anchor: usize, is_tagged: bool, span: Span) {
        if anchor == 0 && !is_tagged {
            return;
        }
        let (message, help) = if is_tagged {
            ("tags (`!…`) are not supported", "put text that begins with `!` in quotes")
        } else {
            (
                "anchors (`&…`) and aliases (`*…`) are not supported",
                "put text that begins with `&` or `*` in quotes; conditions that several rules \
                 share can be a segment",
            )
        };
        let finding = Diagnostic::error("yaml-reference", self.source, span, message.to_owned());
        self.report.push_spoilt(finding.help(help), span);
    }
}

/// The parser counts characters, we count bytes.
enum Offsets {
    Ascii(usize),
    Wide(Vec<usize>),
}

impl Offsets {
    fn of(text: &str) -> Self {
        if text.is_ascii() {
            Self::Ascii(text.len())
        } else {
            let ends = std::iter::once(text.len());
            Self::Wide(text.char_indices().map(|(at, _)| at).chain(ends).collect())
        }
    }

    fn byte(&self, index: usize) -> usize {
        match self {
            Self::Ascii(length) => index.min(*length),
            Self::Wide(starts) => starts.get(index).or(starts.last()).copied().unwrap_or_default(),
        }
    }

    fn span(&self, span: ParserSpan) -> Span {
        Span { start: self.byte(span.start.index()), end: self.byte(span.end.index()) }
    }
}
