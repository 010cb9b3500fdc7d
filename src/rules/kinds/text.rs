//! Conditions on text: titles, hosts, paths, campaigns, places, devices, languages.

use std::borrow::Cow;
use std::sync::Arc;

use regex::Regex;

use super::pattern::{Glob, regex};
use super::{ConditionType, FieldUse, Op, Operand, exists};
use crate::domain::facts::Facts;
use crate::rules::condition::{Condition, Value};
use crate::rules::context::Context;
use crate::rules::diagnostic::Span;

/// A type of text, with where its value comes from.
pub struct TextType {
    /// How its values are spelled and compared.
    pub spelling: Spelling,
    /// Reads it, given the field's own part.
    pub read: for<'a> fn(&Facts<'a>, &str) -> Texts<'a>,
}

/// A text, or several of which one that fits suffices.
#[derive(Debug)]
pub enum Texts<'a> {
    /// There is none.
    Missing,
    /// One; empty text counts as missing.
    One(Cow<'a, str>),
    /// A code and a name of the same thing.
    Either(Option<&'a str>, Option<&'a str>),
}

impl<'a> Texts<'a> {
    /// One text, if there is one.
    #[must_use]
    pub fn maybe(text: Option<&'a str>) -> Self {
        text.map_or(Self::Missing, |text| Self::One(Cow::Borrowed(text)))
    }

    fn iter(&self) -> impl Iterator<Item = &str> {
        let (a, b) = match self {
            Self::Missing => (None, None),
            Self::One(text) => (Some(&**text), None),
            Self::Either(a, b) => (*a, *b),
        };
        a.into_iter().chain(b).filter(|text| !text.is_empty())
    }
}

/// How values of a field are spelled and compared.
#[derive(Debug, Clone, Copy)]
pub enum Spelling {
    /// Any text, without case.
    Free,
    /// A host name, without case; international names in Punycode.
    Host,
    /// A URL's path, with case, in one spelling of percent-encoding.
    Path,
    /// A URL's fragment, with case.
    Fragment,
    /// A language tag; a shorter one covers the longer ones below it.
    Language,
    /// One of a known set, in the set's own spelling, compared without case.
    Known(Known),
}

/// A known set of values.
#[derive(Debug, Clone, Copy)]
pub struct Known {
    /// What one of them is called.
    pub what: &'static str,
    /// The value meant by a text, in the set's own spelling.
    pub find: fn(&str) -> Option<Cow<'static, str>>,
    /// The nearest value, or how values look: for "did you mean".
    pub suggest: fn(&str) -> Option<String>,
}

#[derive(Debug)]
struct TextCondition {
    spelling: Spelling,
    read: for<'a> fn(&Facts<'a>, &str) -> Texts<'a>,
    parameter: Arc<str>,
    tests: Vec<Test>,
}

#[derive(Debug)]
struct Test {
    kind: TestKind,
    /// Whether the answer is turned around, missing values included.
    is_negative: bool,
}

#[derive(Debug)]
enum TestKind {
    Exists,
    Equals(Vec<String>),
    Contains(Vec<String>),
    StartsWith(Vec<String>),
    EndsWith(Vec<String>),
    Under(Vec<String>),
    Glob(Vec<Glob>),
    Regex(Vec<Regex>),
}

impl ConditionType for TextType {
    fn operators(&self) -> &'static [Op] {
        if matches!(self.spelling, Spelling::Path) {
            &[
                Op::Is,
                Op::IsNot,
                Op::In,
                Op::NotIn,
                Op::Under,
                Op::StartsWith,
                Op::EndsWith,
                Op::Contains,
                Op::NotContains,
                Op::Matches,
                Op::Regex,
                Op::Exists,
            ]
        } else {
            &[
                Op::Is,
                Op::IsNot,
                Op::In,
                Op::NotIn,
                Op::Contains,
                Op::NotContains,
                Op::StartsWith,
                Op::EndsWith,
                Op::Matches,
                Op::Regex,
                Op::Exists,
            ]
        }
    }

    fn values(&self) -> &'static str {
        match self.spelling {
            Spelling::Free => "text, compared without case",
            Spelling::Host => "a host name: www.google.com",
            Spelling::Path => "a path from its / on, compared with case",
            Spelling::Fragment => "a fragment without its #, compared with case",
            Spelling::Language => "a language tag: en covers en-GB",
            Spelling::Known(known) => known.what,
        }
    }

    fn compile(
        &self,
        field: &FieldUse<'_>,
        operands: &[Operand<'_>],
        cx: &mut Context<'_>,
    ) -> Option<Arc<dyn Condition>> {
        let tests: Vec<_> = operands.iter().map(|operand| self.test(operand, cx)).collect();
        let tests: Option<Vec<_>> = tests.into_iter().collect();
        Some(Arc::new(TextCondition {
            spelling: self.spelling,
            read: self.read,
            parameter: field.parameter.clone(),
            tests: tests?,
        }))
    }
}

impl TextType {
    fn test(&self, operand: &Operand<'_>, cx: &mut Context<'_>) -> Option<Test> {
        let is_negative = matches!(operand.op, Op::IsNot | Op::NotIn | Op::NotContains);
        let positive = |kind| Some(Test { kind, is_negative });
        if operand.op == Op::Exists {
            let wanted = exists(operand, cx)?;
            return Some(Test { kind: TestKind::Exists, is_negative: !wanted });
        }
        let texts = cx.texts(operand.value, self.values())?;
        match operand.op {
            Op::Is | Op::IsNot | Op::In | Op::NotIn => {
                positive(TestKind::Equals(self.whole_values(&texts, cx)?))
            }
            Op::Under => positive(TestKind::Under(
                self.whole_values(&texts, cx)?
                    .into_iter()
                    .map(|path| path.trim_end_matches('/').to_owned())
                    .collect(),
            )),
            Op::StartsWith if matches!(self.spelling, Spelling::Path) => {
                positive(TestKind::StartsWith(self.whole_values(&texts, cx)?))
            }
            Op::StartsWith => positive(TestKind::StartsWith(self.parts(&texts))),
            Op::EndsWith => positive(TestKind::EndsWith(self.parts(&texts))),
            Op::Contains | Op::NotContains => positive(TestKind::Contains(self.parts(&texts))),
            Op::Matches => {
                let globs: Vec<_> =
                    texts.iter().map(|(text, span)| self.glob(text, *span, cx)).collect();
                positive(TestKind::Glob(globs.into_iter().collect::<Option<_>>()?))
            }
            Op::Regex => {
                let all: Vec<_> = texts.iter().map(|(text, span)| regex(text, *span, cx)).collect();
                positive(TestKind::Regex(all.into_iter().collect::<Option<_>>()?))
            }
            _ => None,
        }
    }

    /// Values that stand for the whole of the text.
    fn whole_values(&self, texts: &[(&str, Span)], cx: &mut Context<'_>) -> Option<Vec<String>> {
        let values: Vec<_> =
            texts.iter().map(|(text, span)| self.whole_value(text, *span, cx)).collect();
        values.into_iter().collect()
    }

    fn whole_value(&self, text: &str, span: Span, cx: &mut Context<'_>) -> Option<String> {
        if text.is_empty() {
            cx.error_help(
                "empty-value",
                span,
                "empty text never matches",
                "for a value that is missing write `exists: false`",
            );
            return None;
        }
        match self.spelling {
            Spelling::Free => Some(fold(text).into_owned()),
            Spelling::Fragment => {
                Some(crate::domain::page_url::settle(text.strip_prefix('#').unwrap_or(text)).into())
            }
            Spelling::Host => host(text, span, cx),
            Spelling::Path => path(text, span, cx),
            Spelling::Language => match crate::rules::known::language(text) {
                Ok(_) => Some(text.replace('_', "-").to_lowercase()),
                Err(help) => {
                    let message = format!("`{text}` is not a language tag");
                    cx.error_help("unknown-value", span, message, help);
                    None
                }
            },
            Spelling::Known(known) => {
                if let Some(value) = (known.find)(text) {
                    return Some(fold(&value).into_owned());
                }
                let message = format!("`{text}` is not {}", known.what);
                match (known.suggest)(text) {
                    Some(help) => cx.error_help("unknown-value", span, message, help),
                    None => cx.error("unknown-value", span, message),
                }
                None
            }
        }
    }

    /// Values that stand for a part of the text.
    fn parts(&self, texts: &[(&str, Span)]) -> Vec<String> {
        texts.iter().map(|(text, _)| self.part(text)).collect()
    }

    fn part(&self, text: &str) -> String {
        match self.spelling {
            Spelling::Path | Spelling::Fragment => {
                let text = match self.spelling {
                    Spelling::Fragment => text.strip_prefix('#').unwrap_or(text),
                    _ => text,
                };
                crate::domain::page_url::settle(text).replace(' ', "%20")
            }
            _ => fold(text).into_owned(),
        }
    }

    fn glob(&self, text: &str, span: Span, cx: &mut Context<'_>) -> Option<Glob> {
        let is_pattern = text.contains("/:") || text.contains('{') || text.contains('(');
        if matches!(self.spelling, Spelling::Path) && is_pattern {
            cx.error_help(
                "not-a-glob",
                span,
                "on page.path `matches` knows only `*`",
                "use page.url for URL Patterns with :names, {groups} and (expressions)",
            );
            return None;
        }
        Some(Glob::new(&self.part(text)))
    }
}

impl Condition for TextCondition {
    fn holds(&self, facts: &Facts<'_>) -> bool {
        let texts = (self.read)(facts, &self.parameter);
        let is_folded = !matches!(self.spelling, Spelling::Path | Spelling::Fragment);
        self.tests.iter().all(|test| {
            let holds = texts.iter().any(|text| {
                // A regex says itself what case it wants.
                if is_folded && !matches!(test.kind, TestKind::Regex(_)) {
                    test.holds(&fold(text), self.spelling)
                } else {
                    test.holds(text, self.spelling)
                }
            });
            holds != test.is_negative
        })
    }

    fn actual(&self, facts: &Facts<'_>) -> Option<String> {
        let texts = (self.read)(facts, &self.parameter);
        let all: Vec<_> = texts.iter().collect();
        (!all.is_empty()).then(|| all.join(" / "))
    }

    fn candidates(&self, wanted: bool) -> Vec<Value> {
        let named = |test: &Test| match &test.kind {
            TestKind::Exists if test.is_negative == wanted => vec![Value::Missing],
            TestKind::Equals(values) if test.is_negative != wanted => {
                values.iter().cloned().map(Value::Text).collect()
            }
            _ => Vec::new(),
        };
        match self.tests.as_slice() {
            [only] => named(only),
            // All of them together are not so where any one is not: that names no values.
            tests if wanted => tests.iter().flat_map(named).collect(),
            _ => Vec::new(),
        }
    }

    fn answer_to(&self, value: &Value) -> Option<bool> {
        let is_folded = !matches!(self.spelling, Spelling::Path | Spelling::Fragment);
        let answer = |test: &Test| match value {
            Value::Missing => Some(test.is_negative),
            // A regex sees the text before its case is taken away.
            Value::Text(_) if is_folded && matches!(test.kind, TestKind::Regex(_)) => None,
            // A shorter tag stands for the longer ones too.
            Value::Text(_)
                if matches!(self.spelling, Spelling::Language)
                    && !matches!(test.kind, TestKind::Equals(_) | TestKind::Exists) =>
            {
                None
            }
            Value::Text(text) => Some(test.holds(text, self.spelling) != test.is_negative),
            _ => None,
        };
        all_of(self.tests.iter().map(answer))
    }
}

/// Whether all answers are yes, as far as they are known.
pub(super) fn all_of(answers: impl Iterator<Item = Option<bool>>) -> Option<bool> {
    let answers: Vec<Option<bool>> = answers.collect();
    if answers.contains(&Some(false)) {
        return Some(false);
    }
    (!answers.contains(&None)).then_some(true)
}

impl Test {
    fn holds(&self, text: &str, spelling: Spelling) -> bool {
        match &self.kind {
            TestKind::Exists => true,
            TestKind::Equals(values) if matches!(spelling, Spelling::Language) => {
                values.iter().any(|value| covers(value, text))
            }
            TestKind::Equals(values) => values.iter().any(|value| value == text),
            TestKind::Contains(values) => values.iter().any(|value| text.contains(value.as_str())),
            TestKind::StartsWith(values) => {
                values.iter().any(|value| text.starts_with(value.as_str()))
            }
            TestKind::EndsWith(values) => values.iter().any(|value| text.ends_with(value.as_str())),
            TestKind::Under(values) => values.iter().any(|value| is_under(text, value)),
            TestKind::Glob(globs) => globs.iter().any(|glob| glob.matches(text)),
            TestKind::Regex(all) => all.iter().any(|regex| regex.is_match(text)),
        }
    }
}

/// Whether a path is that one (given without a slash at its end) or below it.
#[must_use]
pub fn is_under(path: &str, base: &str) -> bool {
    path.strip_prefix(base).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a language tag is that one or a narrower one.
fn covers(wanted: &str, tag: &str) -> bool {
    // Some pages write `en_GB`.
    let is_same = |(a, b): (u8, u8)| a == b || (a == b'-' && b == b'_');
    wanted.bytes().zip(tag.bytes()).all(is_same)
        && tag.len() >= wanted.len()
        && matches!(tag.as_bytes().get(wanted.len()), None | Some(b'-' | b'_'))
}

/// Without case: Unicode's lower case, language aside.
fn fold(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|b| b.is_ascii() && !b.is_ascii_uppercase()) {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.to_lowercase())
    }
}

fn host(text: &str, span: Span, cx: &mut Context<'_>) -> Option<String> {
    let is_plain = !text.contains(['/', ':', '?', '#', '@', '*', ' ']);
    match url::Host::parse(text) {
        Ok(host) if is_plain => Some(host.to_string()),
        _ => {
            cx.error_help(
                "not-a-host",
                span,
                format!("`{text}` is not a host name"),
                "write the name alone, like www.google.com; for several hosts use `matches: \"*.google.com\"` or `ends_with`",
            );
            None
        }
    }
}

fn path(text: &str, span: Span, cx: &mut Context<'_>) -> Option<String> {
    if !text.starts_with('/') {
        let help = if text.contains("://") {
            "for whole addresses use page.url".to_owned()
        } else if let Some(rest) = text.strip_prefix('／') {
            format!("write `/{rest}`, with a plain slash")
        } else {
            format!("write `/{text}`")
        };
        cx.error_help(
            "path-without-slash",
            span,
            format!("the path `{text}` does not begin with /"),
            help,
        );
        return None;
    }
    if text.contains(['?', '#']) {
        cx.error_help(
            "path-with-query",
            span,
            "a path has no query and no fragment",
            "use page.url with the whole value, or page.query.<name> and page.fragment",
        );
        return None;
    }
    // `//evil` would be read as a host.
    let url = crate::domain::page_url::PageUrl::parse(&format!("http://x{text}"));
    match url {
        Ok(url) => Some(url.path().to_owned()),
        Err(error) => {
            cx.error("not-a-path", span, format!("`{text}` is not a path: it {error}"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn under_is_by_segments() {
        assert!(is_under("/pricing", "/pricing"));
        assert!(is_under("/pricing/plans", "/pricing"));
        assert!(is_under("/anything", ""));
        assert!(!is_under("/pricing-old", "/pricing"));
    }
}
