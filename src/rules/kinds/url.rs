//! Conditions on whole addresses.
//!
//! A value that begins with `/` is compared with the path, on any of the site's own origins; any
//! other is an absolute URL, whose host is compared whole. Query and fragment count only where
//! the value names them.

use std::fmt;
use std::sync::Arc;

use ::url::Url;
use regex::Regex;
use urlpattern::{UrlPattern, UrlPatternInit, UrlPatternMatchInput, UrlPatternOptions};

use super::pattern::regex;
use super::text::{all_of, is_under};
use super::{ConditionType, FieldUse, Op, Operand, exists};
use crate::domain::facts::Facts;
use crate::domain::origin::OriginSet;
use crate::domain::page_url::{PageUrl, settle};
use crate::rules::condition::{Condition, Value as Possible};
use crate::rules::context::Context;
use crate::rules::diagnostic::Span;

/// An address, with where it comes from.
pub struct UrlType {
    /// Reads it.
    pub read: for<'a> fn(&Facts<'a>) -> Option<&'a PageUrl>,
}

#[derive(Debug)]
struct UrlCondition {
    read: for<'a> fn(&Facts<'a>) -> Option<&'a PageUrl>,
    tests: Vec<UrlTest>,
}

/// One operator on an address.
#[derive(Debug)]
pub(super) struct UrlTest {
    kind: TestKind,
    /// Whether the answer is turned around, missing values included.
    pub is_negative: bool,
    own: Arc<OriginSet>,
}

#[derive(Debug)]
enum TestKind {
    Exists,
    Equals(Vec<Value>),
    Under(Vec<Value>),
    StartsWith(Vec<Value>),
    Contains(Vec<String>),
    EndsWith(Vec<String>),
    Pattern(Vec<Pattern>),
    Regex(Vec<Regex>),
}

/// An address as a rule names it.
#[derive(Debug)]
struct Value {
    /// `None`: any of the site's own.
    origin: Option<String>,
    path: String,
    query: Option<String>,
    fragment: Option<String>,
}

struct Pattern {
    compiled: UrlPattern,
    is_own_only: bool,
    typed: String,
}

impl fmt::Debug for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.typed)
    }
}

/// The operators on addresses.
pub(super) const OPERATORS: &[Op] = &[
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
];

/// What values of addresses look like.
pub(super) const VALUES: &str =
    "a path on the site from its / on, or an absolute URL: /pricing, https://shop.example/pricing";

impl ConditionType for UrlType {
    fn operators(&self) -> &'static [Op] {
        OPERATORS
    }

    fn values(&self) -> &'static str {
        VALUES
    }

    fn compile(
        &self,
        _field: &FieldUse<'_>,
        operands: &[Operand<'_>],
        cx: &mut Context<'_>,
    ) -> Option<Arc<dyn Condition>> {
        let tests: Vec<_> = operands.iter().map(|operand| UrlTest::compile(operand, cx)).collect();
        let tests: Option<Vec<_>> = tests.into_iter().collect();
        Some(Arc::new(UrlCondition { read: self.read, tests: tests? }))
    }
}

impl Condition for UrlCondition {
    fn holds(&self, facts: &Facts<'_>) -> bool {
        let url = (self.read)(facts);
        self.tests.iter().all(|test| url.is_some_and(|url| test.fits(url)) != test.is_negative)
    }

    fn actual(&self, facts: &Facts<'_>) -> Option<String> {
        (self.read)(facts).map(PageUrl::to_string)
    }

    fn candidates(&self, wanted: bool) -> Vec<Possible> {
        if !wanted {
            return Vec::new();
        }
        let named = |test: &UrlTest| match &test.kind {
            TestKind::Exists if test.is_negative => vec![Possible::Missing],
            TestKind::Equals(values) if !test.is_negative => {
                values.iter().map(|value| Possible::Text(value.path.clone())).collect()
            }
            _ => Vec::new(),
        };
        self.tests.iter().flat_map(named).collect()
    }

    fn answer_to(&self, value: &Possible) -> Option<bool> {
        all_of(self.tests.iter().map(|test| match value {
            Possible::Missing => Some(test.is_negative),
            Possible::Text(path) => test.could_fit(path).map(|fits| fits != test.is_negative),
            _ => None,
        }))
    }
}

impl UrlTest {
    /// Compiles one operator. `None` once a finding is reported.
    pub fn compile(operand: &Operand<'_>, cx: &mut Context<'_>) -> Option<Self> {
        let own = cx.site.origins.clone();
        if operand.op == Op::Exists {
            let wanted = exists(operand, cx)?;
            return Some(Self { kind: TestKind::Exists, is_negative: !wanted, own });
        }
        let texts = cx.texts(operand.value, VALUES)?;
        let values = |cx: &mut Context<'_>| {
            let all: Vec<_> =
                texts.iter().map(|(text, span)| Value::read(text, *span, cx)).collect();
            all.into_iter().collect::<Option<Vec<_>>>()
        };
        let parts = || texts.iter().map(|(text, _)| piece(text)).collect();
        let kind = match operand.op {
            Op::Under => {
                let mut bases = values(cx)?;
                for (base, (_, span)) in bases.iter_mut().zip(&texts) {
                    if base.query.is_some() || base.fragment.is_some() {
                        cx.error(
                            "path-with-query",
                            *span,
                            "`under` compares paths; it takes no query and no fragment",
                        );
                        return None;
                    }
                    base.path.truncate(base.path.trim_end_matches('/').len());
                }
                TestKind::Under(bases)
            }
            Op::StartsWith => TestKind::StartsWith(values(cx)?),
            Op::Contains | Op::NotContains => TestKind::Contains(parts()),
            Op::EndsWith => TestKind::EndsWith(parts()),
            Op::Matches => {
                let all: Vec<_> =
                    texts.iter().map(|(text, span)| Pattern::read(text, *span, cx)).collect();
                TestKind::Pattern(all.into_iter().collect::<Option<_>>()?)
            }
            Op::Regex => {
                let all: Vec<_> = texts.iter().map(|(text, span)| regex(text, *span, cx)).collect();
                TestKind::Regex(all.into_iter().collect::<Option<_>>()?)
            }
            _ => TestKind::Equals(values(cx)?),
        };
        let is_negative = matches!(operand.op, Op::IsNot | Op::NotIn | Op::NotContains);
        Some(Self { kind, is_negative, own })
    }

    /// Whether an address fits, before the answer is turned around.
    pub fn fits(&self, url: &PageUrl) -> bool {
        let is_own = || self.is_own(url);
        match &self.kind {
            TestKind::Exists => true,
            TestKind::Equals(values) => values.iter().any(|value| {
                value.path == url.path()
                    && value.query.as_deref().is_none_or(|query| url.query() == Some(query))
                    && value.fragment.as_deref().is_none_or(|f| url.fragment() == Some(f))
                    && value.is_on(url, is_own)
            }),
            TestKind::Under(values) => values
                .iter()
                .any(|value| is_under(url.path(), &value.path) && value.is_on(url, is_own)),
            TestKind::StartsWith(values) => {
                values.iter().any(|value| value.begins(url) && value.is_on(url, is_own))
            }
            TestKind::Contains(parts) => parts.iter().any(|part| {
                subject(url, part).contains(part.as_str()) && (!part.starts_with('/') || is_own())
            }),
            TestKind::EndsWith(parts) => parts.iter().any(|part| {
                subject(url, part).ends_with(part.as_str()) && (!part.starts_with('/') || is_own())
            }),
            TestKind::Pattern(patterns) => patterns
                .iter()
                .any(|pattern| pattern.fits(url) && (!pattern.is_own_only || is_own())),
            TestKind::Regex(all) => all.iter().any(|regex| {
                if regex.as_str().starts_with('/') {
                    regex.is_match(url.path()) && is_own()
                } else {
                    regex.is_match(url.as_str())
                }
            }),
        }
    }

    /// Whether an address with that path fits: `false` where none does, `None` where that depends
    /// on the rest of it.
    fn could_fit(&self, path: &str) -> Option<bool> {
        let could = match &self.kind {
            TestKind::Exists => return Some(true),
            TestKind::Equals(values) => values.iter().any(|value| value.path == path),
            TestKind::Under(values) => values.iter().any(|value| is_under(path, &value.path)),
            TestKind::StartsWith(values) => {
                values.iter().any(|value| path.starts_with(&value.path))
            }
            TestKind::Contains(parts) | TestKind::EndsWith(parts)
                if parts.iter().all(|part| part.starts_with('/') && !part.contains(['?', '#'])) =>
            {
                parts.iter().any(|part| path.contains(part.as_str()))
            }
            TestKind::Regex(all) if all.iter().all(|regex| regex.as_str().starts_with('/')) => {
                all.iter().any(|regex| regex.is_match(path))
            }
            _ => true,
        };
        if could { None } else { Some(false) }
    }

    fn is_own(&self, url: &PageUrl) -> bool {
        self.own.is_empty() || self.own.allows(url.origin())
    }
}

/// A piece of text as it stands in an address. One that names an origin names all of it:
/// `https://shop.example` is not found in `https://shop.example.evil/`.
fn piece(text: &str) -> String {
    match PageUrl::parse(text) {
        Ok(url) => url.as_str().to_owned(),
        Err(_) => settle(text).replace(' ', "%20"),
    }
}

/// The part of an address that a piece of text is looked for in.
fn subject(url: &PageUrl, part: &str) -> String {
    let mut text = if part.starts_with('/') {
        url.path().to_owned()
    } else {
        format!("{}{}", url.origin(), url.path())
    };
    // In a path `&` and `=` are letters like any other.
    let names_query =
        if part.starts_with('/') { part.contains('?') } else { part.contains(['?', '&', '=']) };
    if names_query {
        for piece in url.query().into_iter().flat_map(|query| ["?", query]) {
            text.push_str(piece);
        }
    }
    if part.contains('#') {
        for piece in url.fragment().into_iter().flat_map(|fragment| ["#", fragment]) {
            text.push_str(piece);
        }
    }
    text
}

impl Value {
    fn read(text: &str, span: Span, cx: &mut Context<'_>) -> Option<Self> {
        let is_path = text.starts_with('/') && !text.starts_with("//");
        let whole = if is_path { format!("http://x{text}") } else { text.to_owned() };
        match PageUrl::parse(&whole) {
            Ok(url) => Some(Self {
                origin: (!is_path).then(|| url.origin().to_owned()),
                path: url.path().to_owned(),
                query: url.query().map(str::to_owned),
                fragment: url.fragment().map(str::to_owned),
            }),
            Err(error) => {
                let help = if text.contains("://") {
                    "write an http:// or https:// URL, or a path from its / on".to_owned()
                } else {
                    format!(
                        "begin with / for a path on the site (`/{text}`) or with https:// for any other; \
                         to find text anywhere use `contains`"
                    )
                };
                cx.error_help("not-an-url", span, format!("`{text}` {error}"), help);
                None
            }
        }
    }

    fn is_on(&self, url: &PageUrl, is_own: impl Fn() -> bool) -> bool {
        match &self.origin {
            Some(origin) => url.origin() == origin,
            None => is_own(),
        }
    }

    fn begins(&self, url: &PageUrl) -> bool {
        match (&self.query, &self.fragment) {
            (None, None) => url.path().starts_with(&self.path),
            (Some(query), None) => {
                url.path() == self.path
                    && url.query().is_some_and(|q| q.starts_with(query.as_str()))
            }
            (query, Some(fragment)) => {
                url.path() == self.path
                    && query.as_deref().is_none_or(|query| url.query() == Some(query))
                    && url.fragment().is_some_and(|f| f.starts_with(fragment.as_str()))
            }
        }
    }
}

/// The longest URL Pattern, in bytes.
const MAX_PATTERN_BYTES: usize = 1_000;

impl Pattern {
    fn read(text: &str, span: Span, cx: &mut Context<'_>) -> Option<Self> {
        let refuse = |cx: &mut Context<'_>, why: &str| {
            cx.error_help(
                "url-pattern",
                span,
                format!("`{text}` is not a URL Pattern: {why}"),
                "write it like /blog/*, /blog/:slug or https://*.shop.example/blog/*",
            );
        };
        if text.len() > MAX_PATTERN_BYTES {
            refuse(cx, "it is longer than 1000 bytes");
            return None;
        }
        let is_path = text.starts_with('/');
        if !is_path && !text.contains("://") && !text.starts_with('*') {
            refuse(cx, "it begins neither with / nor with https://");
            return None;
        }
        let base = Url::parse("https://x/").ok();
        let init = UrlPatternInit::parse_constructor_string::<Regex>(
            text,
            if is_path { base } else { None },
        );
        let built = init.and_then(|init| {
            // A path fits on any origin; which of them are the site's is asked beside it.
            let init = if is_path {
                UrlPatternInit {
                    pathname: init.pathname,
                    search: init.search,
                    hash: init.hash,
                    ..UrlPatternInit::default()
                }
            } else {
                init
            };
            UrlPattern::parse(init, UrlPatternOptions::default())
        });
        match built {
            Ok(compiled) => Some(Self { compiled, is_own_only: is_path, typed: text.to_owned() }),
            Err(error) => {
                refuse(cx, &error.to_string());
                None
            }
        }
    }

    fn fits(&self, url: &PageUrl) -> bool {
        Url::parse(url.as_str())
            .is_ok_and(|url| self.compiled.test(UrlPatternMatchInput::Url(url)).unwrap_or(false))
    }
}
