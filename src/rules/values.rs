//! Values as rule files write them: durations, percentages, yes and no, dates.
//!
//! Must not: report; each function says what is wrong and its caller says where.

use crate::domain::money::{Amount, Currency};
use crate::domain::time::Millis;

/// The longest duration that is taken: a hundred years.
const MAX_DURATION: Millis = Millis::days(36_525);

/// A duration: `90s`, `5m`, `24h`, `7d`, or `0`.
///
/// # Errors
/// Says what is wrong and what to write instead.
pub fn duration(text: &str) -> Result<Millis, String> {
    let text = text.trim();
    if text == "0" {
        return Ok(Millis::ZERO);
    }
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, unit) = text.split_at(split);
    if !text.is_ascii() && text.chars().any(is_full_width) {
        return Err(full_width(text));
    }
    let advice = || format!("expected a duration like 90s, 5m, 24h or 7d, found `{text}`");
    let number: i64 = digits.parse().map_err(|_| advice())?;
    let unit = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        "" => {
            return Err(format!(
                "`{text}` has no unit: write {text}s for seconds, {text}m for minutes"
            ));
        }
        "w" | "week" | "weeks" => {
            return Err(format!("weeks are not a unit here: write {}d", number.saturating_mul(7)));
        }
        "month" | "months" | "mo" => {
            return Err(format!(
                "months are not a unit here: write {}d",
                number.saturating_mul(30)
            ));
        }
        "y" | "year" | "years" => {
            return Err(format!(
                "years are not a unit here: write {}d",
                number.saturating_mul(365)
            ));
        }
        "min" | "mins" | "minute" | "minutes" => {
            return Err(format!("`{text}` does not end in m: write {number}m"));
        }
        "sec" | "secs" | "second" | "seconds" => {
            return Err(format!("`{text}` does not end in s: write {number}s"));
        }
        "hour" | "hours" => return Err(format!("`{text}` does not end in h: write {number}h")),
        "day" | "days" => return Err(format!("`{text}` does not end in d: write {number}d")),
        other if other.starts_with('.') => {
            return Err(format!("`{text}` has a fraction: write it in a smaller unit, like 90s"));
        }
        other if other.chars().any(|c| c.is_ascii_digit()) => {
            return Err(format!("`{text}` has two parts: write it in the smaller unit, like 90s"));
        }
        _ => return Err(advice()),
    };
    number
        .checked_mul(unit)
        .map(Millis)
        .filter(|length| *length <= MAX_DURATION)
        .ok_or_else(|| format!("`{text}` is more than a hundred years"))
}

/// A percentage as a share of 1: `10%`, `3.5%`.
///
/// # Errors
/// Says what is wrong and what to write instead.
pub fn percentage(text: &str) -> Result<f64, String> {
    let Some(number) = text.trim().strip_suffix('%') else {
        let share = text.trim().parse::<f64>().ok();
        return Err(match share {
            Some(share) if share > 0.0 && share < 1.0 => format!(
                "`{text}` has no %: write {}% if that is meant",
                (share * 10_000.0).round() / 100.0
            ),
            Some(_) => format!("`{text}` has no %: write {}%", text.trim()),
            None => format!("expected a percentage like 10%, found `{text}`"),
        });
    };
    match number.trim().parse::<f64>() {
        Ok(percent) if (0.0..=100.0).contains(&percent) => Ok(percent / 100.0),
        Ok(_) => Err(format!("`{text}` is not between 0% and 100%")),
        Err(_) => Err(format!("expected a percentage like 10%, found `{text}`")),
    }
}

/// Yes or no, as YAML 1.2 has it.
///
/// # Errors
/// Says what is wrong and what to write instead.
pub fn boolean(text: &str) -> Result<bool, String> {
    match text {
        "true" | "True" | "TRUE" => Ok(true),
        "false" | "False" | "FALSE" => Ok(false),
        "yes" | "Yes" | "YES" | "on" | "On" | "ON" => {
            Err(format!("expected true or false, found `{text}`: write true"))
        }
        "no" | "No" | "NO" | "off" | "Off" | "OFF" => {
            Err(format!("expected true or false, found `{text}`: write false"))
        }
        _ => Err(format!("expected true or false, found `{text}`")),
    }
}

/// A whole number, not negative.
///
/// # Errors
/// Says what is wrong.
pub fn count(text: &str) -> Result<i64, String> {
    match text.parse::<u32>() {
        Ok(number) => Ok(i64::from(number)),
        Err(_) => Err(wrong_number(text)
            .unwrap_or_else(|| format!("expected a whole number like 3, found `{text}`"))),
    }
}

/// A whole percentage of a page's height: `50` or `50%`.
///
/// # Errors
/// Says what is wrong.
pub fn whole_percent(text: &str) -> Result<i64, String> {
    let number = text.strip_suffix('%').unwrap_or(text).trim_end();
    match number.parse::<i64>() {
        Ok(percent) if (0..=100).contains(&percent) => Ok(percent),
        _ => Err(format!("expected a whole percentage from 0 to 100 like 50, found `{text}`")),
    }
}

/// An amount of money: `20000 JPY`, `129.90`.
///
/// # Errors
/// Says what is wrong and what to write instead.
pub fn money(text: &str) -> Result<(Amount, Option<Currency>), String> {
    let text = text.trim();
    if let Some(message) = wrong_number(text) {
        return Err(message);
    }
    let split =
        text.find(|c: char| c.is_whitespace() || c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, currency) = text.split_at(split);
    let currency = match currency.trim() {
        "" => None,
        code => Some(Currency::parse(code).ok_or_else(|| {
            format!("`{code}` is not a currency's three letters, like EUR or JPY")
        })?),
    };
    let amount = Amount::parse(number)
        .ok_or_else(|| format!("expected an amount like 129.90 or 20000 JPY, found `{text}`"))?;
    Ok((amount, currency))
}

/// A calendar date: `2026-11-30`.
///
/// # Errors
/// Says what is wrong.
pub fn date(text: &str) -> Result<chrono::NaiveDate, String> {
    chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .ok()
        .filter(|date| (1900..=2200).contains(&chrono::Datelike::year(date)))
        .ok_or_else(|| {
            let parts: Vec<&str> = text.split(['/', '.', '-']).collect();
            match parts.as_slice() {
                [year, _, _] if year.len() == 4 && text.contains('-') => {
                    format!("`{text}` is not a date of the calendar")
                }
                _ => format!("expected a date like 2026-11-30 (year-month-day), found `{text}`"),
            }
        })
}

/// What people add to numbers, and what to write instead. `None` for anything else.
fn wrong_number(text: &str) -> Option<String> {
    if text.chars().any(is_full_width) {
        return Some(full_width(text));
    }
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if digits.is_empty() {
        return None;
    }
    let is_thousands = |(at, _): (usize, &str)| {
        let after = text.get(at + 1..).unwrap_or_default();
        after.bytes().take_while(u8::is_ascii_digit).count() == 3
    };
    if text.match_indices(',').next().is_some_and(is_thousands) {
        return Some(format!("`{text}` has a comma in it: write {}", text.replace(',', "")));
    }
    let signs =
        [("¥", "JPY"), ("￥", "JPY"), ("円", "JPY"), ("€", "EUR"), ("$", "USD"), ("£", "GBP")];
    if let Some((sign, code)) = signs.into_iter().find(|(sign, _)| text.contains(sign)) {
        let number = text.replace(sign, "");
        return Some(format!("`{text}` has a sign in it: write {} {code}", number.trim()));
    }
    let (code, number) = text.split_once(' ')?;
    let is_turned = Currency::parse(code).is_some() && Amount::parse(number).is_some();
    is_turned.then(|| format!("the currency stands behind the amount: write {number} {code}"))
}

/// A digit, letter or sign of Japanese keyboards that looks like an ASCII one.
fn is_full_width(c: char) -> bool {
    ('\u{FF01}'..='\u{FF5E}').contains(&c)
}

fn full_width(text: &str) -> String {
    let plain: String = text
        .chars()
        .map(|c| match u32::from(c).checked_sub(0xFEE0).and_then(char::from_u32) {
            Some(plain) if is_full_width(c) => plain,
            _ => c,
        })
        .collect();
    format!("`{text}` has full-width characters: write {plain}")
}
