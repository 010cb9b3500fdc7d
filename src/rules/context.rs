//! What compiling a value may need to know, and where its findings go.
//!
//! Must not: know any field or kind of condition.

use std::fmt;
use std::sync::Arc;

use chrono_tz::Tz;

use super::diagnostic::{Diagnostic, Report, Source, Span, nearest};
use super::raw::Node;
use crate::domain::money::Currency;
use crate::domain::origin::OriginSet;

/// What conditions need to know of their site.
#[derive(Debug, Clone)]
pub struct SiteBasics {
    /// Where its pages are; none listed: anywhere.
    pub origins: Arc<OriginSet>,
    /// Its zone.
    pub time_zone: Tz,
    /// The currency of amounts that name none.
    pub currency: Currency,
    /// All that it takes.
    pub currencies: Vec<Currency>,
}

/// One file being compiled.
pub struct Context<'a> {
    /// The file.
    pub source: &'a Arc<Source>,
    /// Where findings go.
    pub report: &'a mut Report,
    /// The site.
    pub site: &'a SiteBasics,
}

impl Context<'_> {
    /// Refuses something.
    pub fn error(&mut self, code: &'static str, span: Span, message: impl fmt::Display) {
        let message = message.to_string();
        // What values say of themselves ends with what to write instead.
        let finding = match message.split_once(": write ") {
            Some((wrong, write)) => Diagnostic::error(code, self.source, span, wrong.to_owned())
                .help(format!("write {write}")),
            None => Diagnostic::error(code, self.source, span, message),
        };
        self.report.push(finding);
    }

    /// Refuses something, with advice.
    pub fn error_help(
        &mut self,
        code: &'static str,
        span: Span,
        message: impl fmt::Display,
        help: impl Into<String>,
    ) {
        self.report
            .push(Diagnostic::error(code, self.source, span, message.to_string()).help(help));
    }

    /// Refuses a name outside a known set; says which one may have been meant.
    pub fn unknown<'n>(
        &mut self,
        code: &'static str,
        span: Span,
        what: &str,
        typed: &str,
        known: impl IntoIterator<Item = &'n str> + Clone,
    ) {
        let help = match nearest(typed, known.clone()) {
            Some(name) => format!("did you mean `{name}`?"),
            None => {
                let names: Vec<_> = known.into_iter().collect();
                if names.is_empty() {
                    "none is defined".to_owned()
                } else if names.len() > 40 {
                    "see the guide to rules for the names that there are".to_owned()
                } else {
                    format!("there are: {}", names.join(", "))
                }
            }
        };
        self.error_help(code, span, format!("unknown {what} `{typed}`"), help);
    }

    /// The text of a scalar, else an error that says what should stand there.
    pub fn text<'n>(&mut self, node: &'n Node, wanted: &str) -> Option<&'n str> {
        let text = node.scalar();
        if text.is_none() {
            self.wrong_type(node, wanted);
        }
        text
    }

    /// Refuses a node that is not what should stand there.
    pub fn wrong_type(&mut self, node: &Node, wanted: &str) {
        let found = match node.scalar() {
            Some(text) => format!("`{text}`"),
            None => node.what().to_owned(),
        };
        self.error("wrong-type", node.span, format!("expected {wanted}, found {found}"));
    }

    /// One scalar, or each of a list of them.
    pub fn texts<'n>(&mut self, node: &'n Node, wanted: &str) -> Option<Vec<(&'n str, Span)>> {
        match &node.kind {
            super::raw::NodeKind::List(items) => {
                if items.is_empty() {
                    self.error_help(
                        "empty-list",
                        node.span,
                        "an empty list matches nothing",
                        format!("list at least one value: {wanted}"),
                    );
                    return None;
                }
                let texts: Vec<_> = items
                    .iter()
                    .map(|item| self.text(item, wanted).map(|text| (text, item.span)))
                    .collect();
                texts.into_iter().collect()
            }
            _ => self.text(node, wanted).map(|text| vec![(text, node.span)]),
        }
    }
}
