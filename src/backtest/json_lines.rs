//! A line of JSON: any, by a map of its fields; or a call of Koekake's own.
//!
//! Must not: judge whether a line matters.

use std::borrow::Cow;

use serde_json::Value;

use super::hit::Record;
use crate::domain::time::Timestamp;
use crate::http::wire::decide::{ParsedDecide, parse_decide};

/// Which field of a line is what: `url=request.url,at=ts`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mapping(Vec<(Part, Vec<String>)>);

/// What a field can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    At,
    Url,
    Host,
    Method,
    Status,
    Address,
    Referrer,
    UserAgent,
    Languages,
    ContentType,
    Session,
    Visitor,
}

const PARTS: [(&str, Part); 12] = [
    ("at", Part::At),
    ("url", Part::Url),
    ("host", Part::Host),
    ("method", Part::Method),
    ("status", Part::Status),
    ("address", Part::Address),
    ("referrer", Part::Referrer),
    ("user_agent", Part::UserAgent),
    ("languages", Part::Languages),
    ("content_type", Part::ContentType),
    ("session", Part::Session),
    ("visitor", Part::Visitor),
];

impl Mapping {
    /// Reads a map: `at=time,url=request.url`. A dot leads into an object; a part that is not
    /// named is the field of its own name.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut map: Vec<(Part, Vec<String>)> =
            PARTS.iter().map(|(name, part)| (*part, vec![(*name).to_owned()])).collect();
        for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
            let (name, path) = pair
                .split_once('=')
                .ok_or_else(|| format!("`{pair}` must be PART=FIELD, such as url=request.url"))?;
            let (_, part) =
                PARTS.iter().find(|(known, _)| *known == name.trim()).ok_or_else(|| {
                    let known: Vec<&str> = PARTS.iter().map(|(name, _)| *name).collect();
                    format!("`{name}` is no part of a page view; there are {}", known.join(", "))
                })?;
            let path = path.trim().split('.').map(str::to_owned).collect();
            if let Some(slot) = map.iter_mut().find(|(known, _)| known == part) {
                slot.1 = path;
            }
        }
        Ok(Self(map))
    }
}

/// A line by a map.
///
/// # Errors
/// What is missing.
pub(super) fn mapped(line: &str, mapping: &Mapping) -> Result<Record<'static>, String> {
    let value: Value = serde_json::from_str(line).map_err(|error| format!("no JSON: {error}"))?;
    let mut record = Record::at(Timestamp::MIN);
    let mut status = None;
    for (part, path) in &mapping.0 {
        let mut found = Some(&value);
        for step in path {
            found = found.and_then(|value| value.get(step));
        }
        let text: Option<Cow<'static, str>> = match found {
            Some(Value::String(text)) if !text.is_empty() && text != "-" => {
                Some(text.clone().into())
            }
            Some(Value::Number(number)) => Some(number.to_string().into()),
            _ => None,
        };
        let Some(text) = text else { continue };
        match part {
            Part::At => record.at = moment(&text).ok_or_else(|| format!("no time: {text}"))?,
            Part::Url => record.target = text,
            Part::Host => record.host = Some(text),
            Part::Method => record.method = text,
            Part::Status => status = text.parse().ok(),
            Part::Address => record.who = text,
            Part::Referrer => record.referrer = Some(text),
            Part::UserAgent => record.user_agent = Some(text),
            Part::Languages => record.languages = Some(text),
            Part::ContentType => record.content_type = Some(text),
            Part::Session => record.session = Some(text),
            Part::Visitor => record.visitor = Some(text),
        }
    }
    record.status = status;
    if record.at == Timestamp::MIN {
        return Err("it names no time (--map at=FIELD)".to_owned());
    }
    if record.target.is_empty() {
        return Err("it names no address (--map url=FIELD)".to_owned());
    }
    Ok(record)
}

/// RFC 3339, or seconds or milliseconds since 1970: whichever of them is not centuries away.
fn moment(text: &str) -> Option<Timestamp> {
    if let Ok(number) = text.parse::<f64>() {
        #[expect(clippy::cast_possible_truncation, reason = "`as` stays within the type's bounds")]
        let millis = if number.abs() < 1e11 { number * 1_000.0 } else { number } as i64;
        return Some(Timestamp(millis));
    }
    chrono::DateTime::parse_from_rfc3339(text).ok().map(|at| at.to_utc().into())
}

/// A call of Koekake's own: the body of `POST /v1/decide` with the time in `event.at` or `at`.
#[derive(Debug)]
pub(super) struct Own<'a> {
    pub(super) at: Timestamp,
    pub(super) call: ParsedDecide<'a>,
}

/// A line of Koekake's own log.
///
/// # Errors
/// What is wrong with it.
pub(super) fn own(line: &str) -> Result<Own<'_>, String> {
    let call = parse_decide(line.as_bytes()).map_err(|problem| {
        let told: Value = serde_json::from_slice(&problem.to_json()).unwrap_or_default();
        let first = told.pointer("/errors/0");
        let word = |name: &str| first.and_then(|first| first.get(name)?.as_str());
        format!(
            "no body of a call ({} {}); other JSON takes --map",
            word("pointer").unwrap_or_default(),
            word("detail").unwrap_or("not understood")
        )
    })?;
    let at = match call.event.at {
        Some(at) => at,
        None => {
            let whole: Value = serde_json::from_str(line).unwrap_or_default();
            let at = whole.get("at").map(|at| match at {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            });
            at.and_then(|at| moment(&at)).ok_or("it names no time: `event.at` or `at`")?
        }
    };
    Ok(Own { at, call })
}
