//! How values compare with URLs, paths and fragments.
//!
//! A value that begins with `/` is a path on any of the site's origins; one with a scheme names its
//! own origin, whole; any other is a piece of text looked for in the whole URL. Query and fragment
//! take part only where the value names them: a piece with `?`, `&` or `=` names a query.
//!
//! Must not: know fields.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::thread::LocalKey;

use koekake::domain::page_url::{PageUrl, settle};
use regex::Regex;
use url::Url;
use urlpattern::{UrlPattern, UrlPatternInit, UrlPatternMatchInput, UrlPatternOptions};

/// Whether an origin is one of the site's. A site that names none has them all.
pub fn is_own_origin(origin: &str, origins: &[String]) -> bool {
    origins.is_empty()
        || origins.iter().any(|pattern| match pattern.split_once("://*") {
            Some((scheme, below)) => origin
                .strip_prefix(scheme)
                .and_then(|rest| rest.strip_prefix("://"))
                .and_then(|host| host.strip_suffix(below))
                .is_some_and(|name| !name.is_empty()),
            None => is_of(origin, pattern),
        })
}

fn is_of(origin: &str, pattern: &str) -> bool {
    match pattern.strip_suffix(":*") {
        Some(base) => {
            origin == base
                || origin.strip_prefix(base).and_then(|rest| rest.strip_prefix(':')).is_some_and(
                    |port| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()),
                )
        }
        None => origin == pattern,
    }
}

/// The part of a URL after its origin, with query and fragment as far as the value names them.
fn tail(url: &PageUrl, value: &str) -> String {
    let mut out = url.path().to_owned();
    let (before_fragment, fragment) = match value.split_once('#') {
        Some((before, _)) => (before, true),
        None => (value, false),
    };
    if before_fragment.contains('?')
        && let Some(query) = url.query()
    {
        out.push('?');
        out.push_str(query);
    }
    if fragment && let Some(fragment) = url.fragment() {
        out.push('#');
        out.push_str(fragment);
    }
    out
}

/// One text operator between a URL and a value.
pub fn compare(operator: &str, url: &PageUrl, value: &str, origins: &[String]) -> bool {
    if operator == "matches" {
        return matches(url, value, origins);
    }
    if operator == "regex" {
        let regex = regex(value);
        return if value.starts_with('/') {
            is_own_origin(url.origin(), origins) && regex.is_match(url.path())
        } else {
            regex.is_match(url.as_str())
        };
    }
    if value.starts_with('/') {
        return is_own_origin(url.origin(), origins)
            && text(operator, &tail(url, value), &spelled(value));
    }
    if value.contains("://") {
        let wanted = PageUrl::parse(value).expect("a URL");
        return match operator {
            "is" | "starts_with" | "under" => {
                url.origin() == wanted.origin()
                    && text(operator, &tail(url, value), &tail(&wanted, value))
            }
            _ => text(operator, &format!("{}{}", url.origin(), tail(url, value)), wanted.as_str()),
        };
    }
    let names = if value.contains(['&', '=']) { format!("?{value}") } else { value.to_owned() };
    text(operator, &format!("{}{}", url.origin(), tail(url, &names)), &spelled(value))
}

/// One spelling, in which a space is written as addresses write it.
pub fn spelled(value: &str) -> String {
    settle(value).replace(' ', "%20")
}

/// One text operator between texts that compare letter by letter.
pub fn text(operator: &str, actual: &str, wanted: &str) -> bool {
    match operator {
        "is" => actual == wanted,
        "contains" => actual.contains(wanted),
        "starts_with" => actual.starts_with(wanted),
        "ends_with" => actual.ends_with(wanted),
        "under" => is_under(actual, wanted),
        "matches" => super::values::glob(wanted, actual),
        "regex" => regex(wanted).is_match(actual),
        other => panic!("no operator on text: {other}"),
    }
}

/// That path and all below it.
fn is_under(path: &str, top: &str) -> bool {
    let top = top.strip_suffix('/').unwrap_or(top);
    path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// WHATWG URL Pattern.
fn matches(url: &PageUrl, pattern: &str, origins: &[String]) -> bool {
    let is_path = pattern.starts_with('/');
    if is_path && !is_own_origin(url.origin(), origins) {
        return false;
    }
    let pattern = kept(&PATTERNS, pattern, || {
        let init = |text: &str| {
            UrlPatternInit::parse_constructor_string::<Regex>(text, None).expect("a URL pattern")
        };
        let init = if is_path {
            let init = init(&format!("https://any.example{pattern}"));
            UrlPatternInit { protocol: None, hostname: None, port: None, ..init }
        } else {
            init(pattern)
        };
        UrlPattern::parse(init, UrlPatternOptions::default()).expect("a URL pattern")
    });
    let url = Url::parse(url.as_str()).expect("a URL");
    pattern.test(UrlPatternMatchInput::Url(url)).unwrap_or(false)
}

type Kept<T> = RefCell<HashMap<String, Rc<T>>>;

thread_local! {
    static REGEXES: Kept<Regex> = RefCell::default();
    static PATTERNS: Kept<UrlPattern> = RefCell::default();
}

/// Compiling takes longer than all the rest; the cases have the same few.
fn kept<T>(all: &'static LocalKey<Kept<T>>, text: &str, make: impl FnOnce() -> T) -> Rc<T> {
    if let Some(known) = all.with_borrow(|all| all.get(text).cloned()) {
        return known;
    }
    let made = Rc::new(make());
    all.with_borrow_mut(|all| all.insert(text.to_owned(), made.clone()));
    made
}

fn regex(text: &str) -> Rc<Regex> {
    kept(&REGEXES, text, || Regex::new(text).expect("a regex"))
}
