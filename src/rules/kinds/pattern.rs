//! Patterns of text: regular expressions, and `*` for any run of characters.
//!
//! Must not: know what text they are held against.

use regex::Regex;

use crate::rules::context::Context;
use crate::rules::diagnostic::Span;

/// The largest compiled regular expression, in bytes.
const MAX_REGEX_BYTES: usize = 1 << 20;

/// Compiles a regular expression; its matching time is linear in the text.
pub(super) fn regex(text: &str, span: Span, cx: &mut Context<'_>) -> Option<Regex> {
    if text.is_empty() {
        cx.error("empty-value", span, "an empty regex matches everything");
        return None;
    }
    let built = regex::RegexBuilder::new(text).size_limit(MAX_REGEX_BYTES).build();
    match built {
        Ok(regex) => Some(regex),
        Err(regex::Error::CompiledTooBig(_)) => {
            cx.error_help(
                "regex-too-large",
                span,
                "the regex is too large once compiled",
                "smaller repetitions, or several values, do the same",
            );
            None
        }
        Err(_) => {
            let message = match regex_syntax::parse(text) {
                Err(regex_syntax::Error::Parse(error)) => {
                    format!("{} (at character {})", error.kind(), error.span().start.column)
                }
                Err(regex_syntax::Error::Translate(error)) => error.kind().to_string(),
                _ => "it cannot be read".to_owned(),
            };
            let help = if text.contains("(?=") || text.contains("(?!") || text.contains("(?<") {
                "look-around is not supported: combine conditions with `not` instead"
            } else {
                "the syntax is that of Rust's regex crate; `contains` or `matches` often do without"
            };
            cx.error_help("regex-syntax", span, format!("not a regex: {message}"), help);
            None
        }
    }
}

/// A text with `*` for any run of characters.
#[derive(Debug)]
pub(super) struct Glob {
    pieces: Vec<String>,
}

impl Glob {
    pub(super) fn new(text: &str) -> Self {
        Self { pieces: text.split('*').map(str::to_owned).collect() }
    }

    pub(super) fn matches(&self, text: &str) -> bool {
        let [first, middle @ .., last] = self.pieces.as_slice() else {
            return self.pieces.first().is_some_and(|only| only == text);
        };
        let Some(mut rest) = text.strip_prefix(first.as_str()) else { return false };
        for piece in middle {
            match rest.find(piece.as_str()) {
                Some(at) => rest = rest.get(at + piece.len()..).unwrap_or_default(),
                None => return false,
            }
        }
        rest.ends_with(last.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        for (pattern, text, fits) in [
            ("*.google.*", "www.google.com", true),
            ("*.google.*", "google.com", false),
            ("/blog/*", "/blog/", true),
            ("/blog/*", "/blog", false),
            ("a*a", "a", false),
            ("a*b*c", "abbc", true),
            ("plain", "plain", true),
            ("plain", "plainer", false),
            ("*", "", true),
        ] {
            assert_eq!(Glob::new(pattern).matches(text), fits, "{pattern} on {text}");
        }
    }
}
