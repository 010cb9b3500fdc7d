//! What people write when they mean opening hours: words for what is wrong, and a guess at what was
//! meant.
//!
//! A guess is only offered where the grammar takes it. It is never used in place of what was
//! written.
//!
//! Must not: evaluate anything.

use std::ops::Range;

use opening_hours_syntax::Error;
use opening_hours_syntax::rules::RuleSequence;
use pest::error::InputLocation;

use super::{HoursError, MAX_EXPRESSION_BYTES};

mod guess;

/// Nth weekdays of a month (`Jan Mo[1]`): the grammar's look-ahead doubles its work with each.
const MAX_BRACKETS: usize = 8;
const EXAMPLE: &str =
    "write days in two letters and times with a colon: `Mo-Fr 09:00-18:00; Sa 10:00-17:00; PH off`";

/// Reads an expression of the grammar, or says in plain words why it is none.
pub(super) fn parse(expression: &str) -> Result<Vec<RuleSequence>, HoursError> {
    if expression.len() > MAX_EXPRESSION_BYTES {
        return Err(HoursError {
            message: format!(
                "the opening hours are {} bytes long; at most {MAX_EXPRESSION_BYTES} are taken",
                expression.len()
            ),
            help: Some("leave single dates out and list them under `closed`".to_owned()),
            at: None,
        });
    }
    if expression.trim().is_empty() {
        return Err(HoursError {
            message: "the opening hours are empty".to_owned(),
            help: Some("write `24/7` for always, `off` for never".to_owned()),
            at: None,
        });
    }
    if expression.matches('[').count() > MAX_BRACKETS {
        return Err(HoursError {
            message: format!("there are more than {MAX_BRACKETS} choices in brackets"),
            help: Some("name several in one: `Mo[1,3]`".to_owned()),
            at: None,
        });
    }
    opening_hours_syntax::parse(expression)
        .map(|parsed| parsed.rules)
        .map_err(|error| explain(expression, &error))
}

/// Days that the grammar takes and the evaluation does not.
pub(super) fn unsupported_days(days: &str) -> HoursError {
    HoursError {
        message: format!("the choice of days `{days}` is not supported"),
        help: Some("split it into several rules with `;`".to_owned()),
        at: None,
    }
}

/// `10:00-16:00/01:30` names moments, not stretches of time.
pub(super) fn repeated_moments(expression: &str) -> HoursError {
    HoursError {
        message: "`/` after a time means single moments, and those are never open".to_owned(),
        help: Some("write each stretch as `10:00-12:00,13:00-15:00`".to_owned()),
        at: expression.find('/').map(|at| at..at + 1),
    }
}

/// Hours know a zone, but no place on earth.
pub(super) fn sun(expression: &str) -> HoursError {
    let lower = expression.to_ascii_lowercase();
    let at = ["sunrise", "sunset", "dawn", "dusk"]
        .iter()
        .filter_map(|word| lower.find(word).map(|at| at..at + word.len()))
        .min_by_key(|at| at.start);
    HoursError {
        message: "sunrise and sunset depend on a place, which opening hours do not have".to_owned(),
        help: Some("write the time: `09:00-18:00`".to_owned()),
        at,
    }
}

fn explain(expression: &str, error: &Error) -> HoursError {
    let at = match error {
        Error::Syntax(syntax) => Some(match syntax.location {
            InputLocation::Pos(at) | InputLocation::Span((at, _)) => word_at(expression, at),
        }),
        _ => None,
    };
    let message = match error {
        Error::Syntax(_) => match at.clone().and_then(|at| expression.get(at)) {
            Some(word) if !word.trim().is_empty() => {
                format!("`{word}` cannot be read as opening hours")
            }
            _ => "the opening hours end too early".to_owned(),
        },
        Error::Unsupported(_) => "a time without an end opens nothing".to_owned(),
        Error::InvalidExtendedTime { hour, minutes } => {
            format!("{hour:02}:{minutes:02} is no time of day")
        }
        other => other.to_string(),
    };
    let guess = guess::guess(expression)
        .filter(|guess| guess != expression && opening_hours_syntax::parse(guess).is_ok());
    let help = match guess {
        Some(guess) => format!("did you mean `{guess}`?"),
        None if guess::begins_after_midnight(expression) => {
            "times after midnight belong to the day before: write `18:00-02:00`".to_owned()
        }
        None => EXAMPLE.to_owned(),
    };
    HoursError { message, help: Some(help), at }
}

/// The word around that byte, or the character there.
fn word_at(text: &str, at: usize) -> Range<usize> {
    let (Some(before), Some(after)) = (text.get(..at), text.get(at..)) else {
        return at..at;
    };
    let is_word = |c: char| c.is_alphanumeric() || c == ':';
    let start = before.trim_end_matches(is_word).len();
    let length = after.find(|c| !is_word(c)).unwrap_or(after.len());
    if start == at && length == 0 {
        return at..at + after.chars().next().map_or(0, char::len_utf8);
    }
    start..at + length
}
