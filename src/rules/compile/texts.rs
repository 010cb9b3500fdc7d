//! Texts of prompts: one for all languages or one for each, and where links lead.

use std::ops::Range;
use std::sync::Arc;

use super::site::CompiledSite;
use crate::rules::context::Context;
use crate::rules::diagnostic::{Diagnostic, Span};
use crate::rules::kinds::local_time::within;
use crate::rules::message::{Known, Template};
use crate::rules::model::Localized;
use crate::rules::raw::{Node, NodeKind};

/// A text as written: one for all languages, or one for each.
pub(super) enum Texts {
    One(Template),
    Each(Vec<(Arc<str>, Template)>),
}

impl Texts {
    pub fn has(&self, language: &str) -> bool {
        match self {
            Self::One(_) => true,
            Self::Each(all) => all.iter().any(|(known, _)| &**known == language),
        }
    }

    pub fn into_localized(self, languages: &[Arc<str>]) -> Localized {
        match self {
            Self::One(text) => Localized(vec![text]),
            Self::Each(mut all) => Localized(
                languages
                    .iter()
                    .filter_map(|language| {
                        let at = all.iter().position(|(known, _)| known == language)?;
                        Some(all.swap_remove(at).1)
                    })
                    .collect(),
            ),
        }
    }
}

pub(super) fn texts(node: &Node, site: &CompiledSite, cx: &mut Context<'_>) -> Option<Texts> {
    let NodeKind::Map(entries) = &node.kind else {
        return template(node, site, cx).map(Texts::One);
    };
    let mut all = Vec::new();
    let mut is_whole = true;
    for entry in entries {
        let tag = entry.key.parse::<unic_langid::LanguageIdentifier>().map(|tag| tag.to_string());
        let known = &site.site.languages;
        let language = tag.ok().and_then(|tag| known.iter().find(|known| ***known == *tag));
        if language.is_none() {
            let names: Vec<_> = known.iter().map(|l| &**l).collect();
            let help = format!(
                "it has {}; if it should have another, add that to `languages` in site.yaml",
                names.join(", ")
            );
            let message = format!("the site has no language `{}`", entry.key);
            cx.error_help("unknown-language", entry.key_span, message, help);
        }
        let text = if entry.value.is_null() {
            let message = format!("`{}` has no text", entry.key);
            cx.error_help("no-value", entry.key_span, message, "write one, or take the line out");
            None
        } else {
            template(&entry.value, site, cx)
        };
        match (language, text) {
            (Some(language), Some(text)) => all.push((language.clone(), text)),
            _ => is_whole = false,
        }
    }
    if entries.is_empty() {
        cx.error("no-message", node.span, "no text in any language");
        return None;
    }
    is_whole.then_some(Texts::Each(all))
}

fn template(node: &Node, site: &CompiledSite, cx: &mut Context<'_>) -> Option<Template> {
    let Some(text) = node.scalar() else {
        // `message: {{ … }}` without quotes is reported as it is read.
        let typed = cx.source.text.get(node.span.start..).unwrap_or_default();
        let is_template = typed.starts_with("{{")
            && matches!(&node.kind, NodeKind::Map(entries) if entries.is_empty());
        if !is_template {
            cx.error_help(
                "wrong-type",
                node.span,
                format!("expected text, found {}", node.what()),
                "put the text in quotes",
            );
        }
        return None;
    };
    if text.trim().is_empty() {
        cx.error_help("empty-value", node.span, "the text is empty", "write one, or take it out");
        return None;
    }
    let mut variables: Vec<&str> = site.site.variables.iter().map(|(name, _)| &**name).collect();
    let mut hours: Vec<&str> = site.site.hours.iter().map(|(name, _)| &**name).collect();
    if !site.knows_variables {
        variables.extend(names_after("variables.", text));
    }
    if !site.knows_hours {
        hours.extend(names_after("hours.", text));
    }
    match Template::compile(text, &Known { variables: &variables, hours: &hours }) {
        Ok(template) => {
            cut_by_comment(node, cx);
            single_braces(node, text, cx);
            Some(template)
        }
        Err(error) => {
            if let Some(at) = half_closed(text) {
                let span = within(node.span, Some(&at), text);
                cx.error_help("template", span, "`{{` is closed by a single `}`", "write `}}`");
                return None;
            }
            let span = within(node.span, error.at.as_ref(), text);
            let help = error.help.unwrap_or_else(|| {
                "write `{{ visitor.name }}` or `{% if visitor.name %}…{% endif %}`".to_owned()
            });
            cx.error_help("template", span, error.message, help);
            None
        }
    }
}

/// The single brace that should close a `{{`.
fn half_closed(text: &str) -> Option<Range<usize>> {
    let open = text.match_indices("{{").find_map(|(open, _)| {
        let close = open + text.get(open..)?.find('}')?;
        (!text.get(close..)?.starts_with("}}")).then_some(close)
    });
    open.map(|at| at..at + 1)
}

/// Text without quotes ends at ` #`; a comment has a blank behind that, a hashtag has none.
fn cut_by_comment(node: &Node, cx: &mut Context<'_>) {
    if matches!(&node.kind, NodeKind::Scalar { is_quoted: true, .. }) {
        return;
    }
    let rest = cx.source.text.get(node.span.end..).unwrap_or_default();
    let rest = rest.lines().next().unwrap_or_default();
    let cut = rest.trim_start();
    if !cut.starts_with('#') || cut.starts_with("# ") || cut == "#" {
        return;
    }
    let start = node.span.end + rest.len() - cut.len();
    let finding = Diagnostic::warning(
        "text-cut",
        cx.source,
        Span { start, end: start + cut.trim_end().len() },
        "a comment begins here, so this is no part of the text".to_owned(),
    );
    cx.report.push(finding.help("put the text in quotes; or, for a comment, a blank behind the #"));
}

/// `{visitor.name}` and `${visitor.name}` are shown as they are.
fn single_braces(node: &Node, text: &str, cx: &mut Context<'_>) {
    const ROOTS: &[&str] = &["visitor.", "location.", "cart.", "page.", "variables.", "hours."];
    for (open, _) in text.match_indices('{') {
        let Some((before, after)) = text.split_at_checked(open) else { continue };
        let Some(inside) = after.get(1..).and_then(|rest| rest.split('}').next()) else { continue };
        if before.ends_with('{') || !ROOTS.iter().any(|root| inside.trim_start().starts_with(root))
        {
            continue;
        }
        let at = open..(open + inside.len() + 2).min(text.len());
        let span = within(node.span, Some(&at), text);
        let message = format!("`{{{inside}}}` is shown as it is, not as a value");
        let finding = Diagnostic::warning("single-brace", cx.source, span, message);
        cx.report.push(finding.help(format!("write `{{{{ {} }}}}`", inside.trim())));
    }
}

/// The names that a template uses of the site's own, where the site cannot say which there are.
fn names_after<'t>(prefix: &str, text: &'t str) -> Vec<&'t str> {
    text.match_indices(prefix)
        .filter_map(|(at, _)| {
            let rest = text.get(at + prefix.len()..)?;
            rest.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').next()
        })
        .filter(|name| !name.is_empty())
        .collect()
}

/// A link's target: never a script, and nothing of the visitor's in it.
pub(super) fn link(node: &Node, site: &CompiledSite, cx: &mut Context<'_>) -> Option<Texts> {
    let check = |node: &Node, cx: &mut Context<'_>| {
        let Some(text) = node.scalar() else { return true };
        let is_safe = ["/", "https://", "http://", "mailto:", "tel:"]
            .iter()
            .any(|start| text.starts_with(start));
        let has_template = text.contains("{{") || text.contains("{%");
        let is_plain = !has_template && !text.contains(char::is_control);
        if !is_safe || !is_plain {
            let help = if has_template {
                "a link is the same for everybody: write it without a template".to_owned()
            } else if text.starts_with("www.") {
                format!("write `https://{text}`")
            } else if text.contains(':') || !is_plain {
                "begin with /, https://, http://, mailto: or tel:".to_owned()
            } else {
                format!("write `/{text}` for a page of the site, or begin with https://")
            };
            cx.error_help("bad-link", node.span, format!("`{text}` cannot be a link"), help);
        }
        is_safe && is_plain
    };
    let all: Vec<&Node> = match &node.kind {
        NodeKind::Map(entries) => entries.iter().map(|entry| &entry.value).collect(),
        _ => vec![node],
    };
    let checked: Vec<bool> = all.into_iter().map(|node| check(node, cx)).collect();
    let is_safe = checked.iter().all(|is_safe| *is_safe);
    if !is_safe {
        return None;
    }
    texts(node, site, cx)
}
