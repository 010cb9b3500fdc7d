//! Values of addresses that fit more, or less, than they seem to; and regexes that need not be.

use regex_syntax::hir::{Hir, HirKind, Look};

use super::subject::{Found, Subject, operators, scalars};
use crate::rules::kinds::Op;
use crate::rules::raw::Node;

/// Fields that are whole addresses, or paths.
const ADDRESSES: &[&str] = &[
    "page.url",
    "page.path",
    "page.referrer",
    "session.landing_page",
    "session.referrer",
    "session.visited",
];
/// Fields that are hosts.
const HOSTS: &[&str] = &["page.host", "page.referrer_host", "session.referrer_host"];

pub(super) fn look_alike(subject: &Subject<'_>, all: &mut Vec<Found>) {
    for (source, condition) in subject.conditions() {
        let judge = match condition.key.as_str() {
            "page.path" => path,
            key if ADDRESSES.contains(&key) => address,
            key if HOSTS.contains(&key) => host,
            _ => continue,
        };
        for (op, value) in operators(condition) {
            for node in scalars(value) {
                let found = node.scalar().and_then(|text| judge(op, text));
                all.extend(found.map(|(other, help)| {
                    let message = format!("this also fits {other}");
                    Found::new(source, node.span, message, help)
                }));
            }
        }
    }
}

/// What else a value of an address fits, and what to write instead.
fn address(op: Op, text: &str) -> Option<(String, String)> {
    if matches!(op, Op::Contains | Op::NotContains) && is_host(text) {
        let help = "compare the host: `page.host`, `page.referrer_host` or \
                    `session.referrer_host`, with `is` or `ends_with: \".…\"`";
        return Some((format!("`https://{text}.evil.example/` and `/{text}`"), help.to_owned()));
    }
    path(op, text)
}

/// The same of a path, or of an address's path.
fn path(op: Op, text: &str) -> Option<(String, String)> {
    if text.contains(['?', '#', '*']) {
        return None;
    }
    let path = if text.starts_with('/') {
        Some(text)
    } else {
        text.split_once("://").and_then(|(_, rest)| rest.get(rest.find('/')?..))
    };
    match (op, path) {
        (Op::Contains | Op::NotContains | Op::StartsWith, Some(path)) => {
            // What ends within a word was not meant to end there.
            let last = path.rsplit('/').next().unwrap_or_default();
            let ends_in_word = last.ends_with(char::is_alphanumeric) && !last.contains('.');
            let help = if op == Op::StartsWith {
                format!("write `under: {text}` for that page and all below it")
            } else {
                format!(
                    "write `under: {text}` for that page and all below it, or end it with a slash"
                )
            };
            ends_in_word.then(|| (format!("`{text}{}`", like(last)), help))
        }
        _ => None,
    }
}

/// A like ending, in words that people may have on their pages.
fn like(segment: &str) -> &'static str {
    if segment.is_ascii() { "-old" } else { "2" }
}

fn is_host(text: &str) -> bool {
    let labels: Vec<&str> = text.split('.').collect();
    let is_label = |label: &&str| {
        !label.is_empty() && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let is_word = labels.last().is_some_and(|last| last.bytes().all(|b| b.is_ascii_alphabetic()));
    let is_file = ["html", "htm", "php", "pdf", "aspx", "jsp"];
    labels.len() >= 2
        && labels.iter().all(is_label)
        && is_word
        && !labels.last().is_some_and(|last| is_file.contains(last))
}

/// What else a value of a host fits, and what to write instead.
fn host(op: Op, text: &str) -> Option<(String, String)> {
    let inner = text.trim_matches('*').trim_matches('.');
    match op {
        Op::Contains | Op::NotContains | Op::StartsWith => {
            let help = "compare the whole host with `is`, or its end with `ends_with: \".…\"`";
            Some((format!("`{inner}.evil.example`"), help.to_owned()))
        }
        Op::EndsWith if !text.starts_with('.') => {
            let help = format!("write `ends_with: .{text}`, and beside it `{text}` under `any`");
            Some((format!("`not{text}`"), help))
        }
        Op::Matches if text.ends_with('*') => {
            let help = "list the hosts that are meant: [www.google.com, www.google.co.jp]";
            Some((
                format!("`{}`", text.replace('*', "www").replace("..", ".") + ".evil.example"),
                help.to_owned(),
            ))
        }
        Op::Matches if text.starts_with('*') && !text.starts_with("*.") => {
            let help = format!("write `*.{}`", text.trim_start_matches('*'));
            Some((format!("`{}`", text.replacen('*', "not", 1)), help))
        }
        _ => None,
    }
}

pub(super) fn trailing_slash(subject: &Subject<'_>, all: &mut Vec<Found>) {
    for (source, condition) in subject.conditions() {
        if !ADDRESSES.contains(&condition.key.as_str()) {
            continue;
        }
        for (op, value) in operators(condition) {
            if !matches!(op, Op::Is | Op::IsNot | Op::In | Op::NotIn) {
                continue;
            }
            let values = scalars(value);
            let texts: Vec<&str> = values.iter().filter_map(|node| node.scalar()).collect();
            all.extend(values.iter().filter_map(|node| {
                let other = other_form(node)?;
                let text = node.scalar()?;
                let message = format!("this does not fit `{other}`");
                let base = text.trim_end_matches('/');
                let help = format!(
                    "write `under: {base}` for that page and all below it, or list both: \
                     [{base}, {base}/]"
                );
                (!texts.contains(&other.as_str()))
                    .then(|| Found::new(source, node.span, message, help))
            }));
        }
    }
}

/// The same path with a slash at its end, or without one.
fn other_form(node: &Node) -> Option<String> {
    let text = node.scalar()?;
    let last = text.trim_end_matches('/').rsplit('/').next()?;
    let is_page = text.starts_with('/') && !text.contains(['?', '#', '*']) && !last.contains('.');
    if !is_page || last.is_empty() {
        return None;
    }
    Some(match text.strip_suffix('/') {
        Some(without) => without.to_owned(),
        None => format!("{text}/"),
    })
}

pub(super) fn plain_regex(subject: &Subject<'_>, all: &mut Vec<Found>) {
    for (source, condition) in subject.conditions() {
        for (op, value) in operators(condition) {
            if op != Op::Regex {
                continue;
            }
            for node in scalars(value) {
                let Some((op, plain)) = node.scalar().and_then(plain) else { continue };
                let message = "this regex has nothing special in it";
                let mut help = format!("write `{}: {plain}`", op.name());
                if !ADDRESSES.contains(&condition.key.as_str()) {
                    help.push_str(", which also does without case");
                }
                all.push(Found::new(source, node.span, message, help));
            }
        }
    }
}

/// The operator and the text that say the same as a regex.
fn plain(regex: &str) -> Option<(Op, String)> {
    let hir = regex_syntax::parse(regex).ok()?;
    let literal = |hir: &Hir| match hir.kind() {
        HirKind::Literal(literal) => String::from_utf8(literal.0.to_vec()).ok(),
        _ => None,
    };
    let is_look = |hir: &Hir, wanted| matches!(hir.kind(), HirKind::Look(look) if *look == wanted);
    match hir.kind() {
        HirKind::Literal(_) => Some((Op::Contains, literal(&hir)?)),
        HirKind::Concat(parts) => match parts.as_slice() {
            [start, text] if is_look(start, Look::Start) => Some((Op::StartsWith, literal(text)?)),
            [text, end] if is_look(end, Look::End) => Some((Op::EndsWith, literal(text)?)),
            [start, text, end] if is_look(start, Look::Start) && is_look(end, Look::End) => {
                Some((Op::Is, literal(text)?))
            }
            _ => None,
        },
        _ => None,
    }
}
