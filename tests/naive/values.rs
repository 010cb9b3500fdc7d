//! The contract's values: durations, percentages, money, numbers, and text that compares without
//! case.
//!
//! Must not: look at a visit.

use koekake::domain::money::{Amount, Currency};
use koekake::domain::time::Millis;

/// `90s`, `5m`, `24h`, `7d`; also `500ms`, and a bare 0.
pub fn duration(text: &str) -> Millis {
    let text = text.trim();
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: i64 = digits.trim().parse().unwrap_or_else(|_| panic!("no duration: {text}"));
    let unit = match &text[digits.len()..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "" if number == 0 => 0,
        other => panic!("no unit of time: {other}"),
    };
    Millis(number * unit)
}

/// `3.5%` as a share of one.
pub fn share(text: &str) -> f64 {
    let number = text.trim().strip_suffix('%').unwrap_or_else(|| panic!("no percentage: {text}"));
    number.trim().parse::<f64>().unwrap_or_else(|_| panic!("no percentage: {text}")) / 100.0
}

/// `20000 JPY`, or `20000` in the site's currency.
pub fn money(text: &str, site: Option<Currency>) -> (Amount, Option<Currency>) {
    let mut parts = text.split_whitespace();
    let amount = parts.next().and_then(Amount::parse).unwrap_or_else(|| panic!("no money: {text}"));
    (amount, parts.next().and_then(Currency::parse).or(site))
}

/// What reads as a number; `1e5` is a word to those who write it.
pub fn number(text: &str) -> Option<f64> {
    if text.contains(|c: char| c.is_alphabetic()) {
        return None;
    }
    text.trim().parse::<f64>().ok().filter(|number| number.is_finite())
}

/// Text as it compares: without case.
pub fn fold(text: &str) -> String {
    text.to_lowercase()
}

/// `*` stands for any run of characters, everything else for itself; the whole text must match.
pub fn glob(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((before, after)) => text.strip_prefix(before).is_some_and(|rest| {
            std::iter::once(0)
                .chain(rest.char_indices().map(|(at, c)| at + c.len_utf8()))
                .any(|at| glob(after, &rest[at..]))
        }),
    }
}
