//! The small readers that several bodies share: texts, numbers, moments, lengths of time.
//!
//! Everywhere alike: `null` and empty text are missing.
//!
//! Must not: know any body in particular.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, Visitor};
use unic_langid::LanguageIdentifier;

use super::problem::Faults;
use crate::domain::ids::{DecisionId, PageId};
use crate::domain::money::{Amount, Currency, Money};
use crate::domain::time::{Millis, Timestamp};

/// The longest event id, view id or name of an event, in bytes.
pub const MAX_NAME_BYTES: usize = 64;
/// The last moment that RFC 3339 can write, in milliseconds.
const MAX_EPOCH_MS: f64 = 253_402_300_799_999.0;

/// Text that borrows from the body where it holds no escapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = Text<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text")
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

/// A number or text, for what may be written either way.
#[derive(Debug, Clone, PartialEq)]
pub enum Scalar<'a> {
    /// A number.
    Number(f64),
    /// Text.
    Text(Cow<'a, str>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Scalar<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScalarVisitor;
        impl<'de> Visitor<'de> for ScalarVisitor {
            type Value = Scalar<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number or text")
            }
            fn visit_f64<E: Error>(self, n: f64) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Number(n))
            }
            #[expect(
                clippy::cast_precision_loss,
                reason = "JSON's numbers are doubles (RFC 8259 §6)"
            )]
            fn visit_u64<E: Error>(self, n: u64) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Number(n as f64))
            }
            #[expect(
                clippy::cast_precision_loss,
                reason = "JSON's numbers are doubles (RFC 8259 §6)"
            )]
            fn visit_i64<E: Error>(self, n: i64) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Number(n as f64))
            }
            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Text(Cow::Borrowed(text)))
            }
            fn visit_str<E: Error>(self, text: &str) -> Result<Scalar<'de>, E> {
                Ok(Scalar::Text(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_any(ScalarVisitor)
    }
}

/// A JSON number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Number(pub f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberVisitor;
        impl Visitor<'_> for NumberVisitor {
            type Value = Number;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number")
            }
            fn visit_f64<E: Error>(self, n: f64) -> Result<Number, E> {
                Ok(Number(n))
            }
            #[expect(
                clippy::cast_precision_loss,
                reason = "JSON's numbers are doubles (RFC 8259 §6)"
            )]
            fn visit_u64<E: Error>(self, n: u64) -> Result<Number, E> {
                Ok(Number(n as f64))
            }
            #[expect(
                clippy::cast_precision_loss,
                reason = "JSON's numbers are doubles (RFC 8259 §6)"
            )]
            fn visit_i64<E: Error>(self, n: i64) -> Result<Number, E> {
                Ok(Number(n as f64))
            }
        }
        deserializer.deserialize_f64(NumberVisitor)
    }
}

/// An object whose content is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ignored;

impl<'de> Deserialize<'de> for Ignored {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct IgnoredVisitor;
        impl<'de> Visitor<'de> for IgnoredVisitor {
            type Value = Ignored;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ignored, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Ignored)
            }
        }
        deserializer.deserialize_map(IgnoredVisitor)
    }
}

/// The text, unless it is missing or empty.
#[must_use]
pub fn present(text: Option<Text<'_>>) -> Option<Cow<'_, str>> {
    text.map(|Text(text)| text).filter(|text| !text.is_empty())
}

/// A name or short id: at most `max` bytes, all of them printable.
pub fn name(
    text: Option<Text<'_>>,
    max: usize,
    pointer: impl FnOnce() -> String,
    faults: &mut Faults,
) -> Option<Arc<str>> {
    let text = present(text)?;
    match name_fault(&text, max) {
        None => Some(text.as_ref().into()),
        Some(fault) => {
            faults.add(pointer(), fault);
            None
        }
    }
}

/// What is wrong with a name of at most `max` bytes.
#[must_use]
pub fn name_fault(text: &str, max: usize) -> Option<String> {
    if text.len() > max {
        Some(format!("may be at most {max} bytes long, this one has {}", text.len()))
    } else if text.chars().any(char::is_control) {
        Some("may not contain control characters".to_owned())
    } else {
        None
    }
}

/// An id of the contract's alphabet and length.
pub fn page_id(
    text: Option<Text<'_>>,
    pointer: impl FnOnce() -> String,
    faults: &mut Faults,
) -> Option<PageId> {
    let text = present(text)?;
    PageId::parse(&text).map_err(|error| faults.add(pointer(), error.to_string())).ok()
}

/// A decision's id.
pub fn decision_id(
    text: Option<Text<'_>>,
    pointer: impl FnOnce() -> String,
    faults: &mut Faults,
) -> Option<DecisionId> {
    let text = present(text)?;
    let id = DecisionId::parse(&text);
    if id.is_none() {
        faults.add(pointer(), "must be a decision_id from an answer: 32 hexadecimal digits");
    }
    id
}

/// As much of the text as so many characters hold.
#[must_use]
pub fn cut(text: &str, max_chars: usize) -> &str {
    match text.char_indices().nth(max_chars) {
        Some((end, _)) => text.get(..end).unwrap_or_default(),
        None => text,
    }
}

/// Text for people, cut to so many characters.
#[must_use]
pub fn prose(text: Option<Text<'_>>, max_chars: usize) -> Option<Arc<str>> {
    present(text).map(|text| cut(&text, max_chars).into())
}

/// A length of time in milliseconds, parts of one dropped.
pub fn millis(
    number: Option<Number>,
    pointer: impl FnOnce() -> String,
    faults: &mut Faults,
) -> Option<Millis> {
    let Number(n) = number?;
    if n < 0.0 {
        faults.add(pointer(), "must be 0 or more milliseconds");
        return None;
    }
    #[expect(clippy::cast_possible_truncation, reason = "the cast saturates, and drops fractions")]
    Some(Millis(n as i64))
}

/// A count, parts of one dropped.
pub fn count(
    number: Option<Number>,
    pointer: impl FnOnce() -> String,
    faults: &mut Faults,
) -> Option<u32> {
    let Number(n) = number?;
    if n < 0.0 {
        faults.add(pointer(), "must be 0 or more");
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "the cast saturates, and drops fractions"
    )]
    Some(n as u32)
}

/// A percentage. Elastic scrolling overshoots a little: up to ten on either side are taken as the
/// end itself.
pub fn percent(
    number: Option<Number>,
    pointer: impl FnOnce() -> String,
    faults: &mut Faults,
) -> Option<u8> {
    let Number(n) = number?;
    if !(-10.0..=110.0).contains(&n) {
        faults.add(pointer(), "must be a number from 0 to 100");
        return None;
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "clamped to 0..=100, and fractions are to be dropped"
    )]
    Some(n.clamp(0.0, 100.0) as u8)
}

/// A moment: RFC 3339 text, or milliseconds since 1970.
pub fn moment(
    value: Option<Scalar<'_>>,
    pointer: impl FnOnce() -> String,
    faults: &mut Faults,
) -> Option<Timestamp> {
    let at = match value? {
        Scalar::Text(text) if text.is_empty() => return None,
        Scalar::Text(text) => chrono::DateTime::parse_from_rfc3339(&text)
            .ok()
            .map(|at| Timestamp::from(at.with_timezone(&chrono::Utc))),
        #[expect(clippy::cast_possible_truncation, reason = "within range, fractions dropped")]
        Scalar::Number(n) => (0.0..=MAX_EPOCH_MS).contains(&n).then_some(Timestamp(n as i64)),
    };
    if at.is_none() {
        faults.add(
            pointer(),
            "must be an RFC 3339 time (2026-11-20T10:00:00+09:00) or milliseconds since 1970",
        );
    }
    at
}

/// An amount of money. A JSON number is rounded to ten-thousandths, for sums of doubles have dust
/// behind the point; text is taken exactly.
pub fn money(
    value: Option<Scalar<'_>>,
    currency: Option<Text<'_>>,
    base: &str,
    faults: &mut Faults,
) -> Option<Money> {
    let currency = present(currency).and_then(|text| {
        let currency = Currency::parse(&text);
        if currency.is_none() {
            faults.add(format!("{base}/currency"), "must be an ISO 4217 code such as EUR");
        }
        currency
    });
    let amount = match value? {
        Scalar::Text(text) if text.is_empty() => return None,
        Scalar::Text(text) => Amount::parse(&text),
        Scalar::Number(n) => Amount::parse(&format!("{n:.4}")),
    };
    let amount = amount.filter(|amount| amount.0 >= 0);
    if amount.is_none() {
        faults.add(
            format!("{base}/value"),
            "must be an amount of 0 or more, such as \"129.90\", with at most four decimals",
        );
    }
    Some(Money { amount: amount?, currency })
}

/// A BCP 47 tag in its canonical spelling, extensions dropped; `None` for anything else.
#[must_use]
pub fn language(text: &str) -> Option<Arc<str>> {
    if text.len() > 128 {
        return None;
    }
    // A subtag of one character begins extensions, which no rule asks for.
    let mut end = 0;
    for subtag in text.split(['-', '_']) {
        if end > 0 && subtag.len() == 1 {
            break;
        }
        end += subtag.len() + usize::from(end > 0);
    }
    let tag = LanguageIdentifier::from_str(text.get(..end)?).ok()?;
    (tag.language != unic_langid::subtags::Language::default()).then(|| tag.to_string().into())
}

/// A length of time as rule files write it (`90s`, `5m`, `24h`, `7d`).
#[must_use]
pub fn duration(text: &str) -> Option<Millis> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let number: i64 = number.parse().ok()?;
    let size = match unit {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.checked_mul(size).map(Millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_read_as_browsers_and_systems_write_them() {
        for (text, tag) in [
            ("ja", Some("ja")),
            ("EN-gb", Some("en-GB")),
            ("zh_hant_TW", Some("zh-Hant-TW")),
            ("en-US-u-ca-gregory", Some("en-US")),
            ("日本語", None),
            ("x", None),
            ("", None),
            ("und", None),
        ] {
            assert_eq!(language(text).as_deref(), tag, "{text}");
        }
    }

    #[test]
    fn durations() {
        assert_eq!(duration("90s"), Some(Millis(90_000)));
        assert_eq!(duration("7d"), Some(Millis::days(7)));
        for text in ["", "s", "90", "-1s", "9223372036854775807d", "1 s"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn sums_of_doubles_are_amounts() {
        let mut faults = Faults::default();
        let money = money(Some(Scalar::Number(0.1 + 0.2)), None, "", &mut faults).unwrap();
        assert_eq!(money.amount.to_string(), "0.3");
    }
}
