//! Claims and visitors ↔ the JSON of their rows in the data folder, in words that a person who
//! looks there understands. Times are milliseconds since 1970.
//!
//! What is added gets a default, so that older rows still read. Must not: know tables or files.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::domain::history::{History, Offer, RuleOffers, SessionMark};
use crate::domain::ids::{PageId, SiteKey, VisitorId, VisitorKey};
use crate::domain::time::Timestamp;
use crate::domain::visit::{AttributeValue, Attributes};

mod claims;
mod visitors;

/// Why a row cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum RowError {
    /// It is no JSON of this shape.
    #[error("{0}")]
    Json(#[from] serde_json::Error),
    /// A part of it has another form.
    #[error("`{0}` is no {1}")]
    Form(String, &'static str),
}

impl RowError {
    fn form(text: &str, what: &'static str) -> Self {
        Self::Form(text.to_owned(), what)
    }
}

/// As JSON. What rows are made of always can be written so.
fn json(row: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(row).unwrap_or_default()
}

/// A visitor's name within its site: `page:` or `identity:`, and the id.
pub(super) fn visitor_name(id: &VisitorId) -> String {
    match id {
        VisitorId::Page(id) => format!("page:{id}"),
        VisitorId::Identity(id) => format!("identity:{id}"),
    }
}

/// A visitor by its name.
pub(super) fn visitor_named(site: &SiteKey, name: &str) -> Result<VisitorKey, RowError> {
    let id = match name.split_once(':') {
        Some(("page", id)) => PageId::parse(id).ok().map(VisitorId::Page),
        Some(("identity", id)) => Some(VisitorId::Identity(id.into())),
        _ => None,
    };
    let id = id.ok_or_else(|| RowError::form(name, "visitor"))?;
    Ok(VisitorKey { site: site.clone(), id })
}

/// A hash, in hexadecimal: JSON's numbers end at 53 bits.
#[derive(Debug, Clone, Copy)]
struct Hash(u64);

impl Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:016x}", self.0))
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        u64::from_str_radix(&text, 16).map(Self).map_err(serde::de::Error::custom)
    }
}

/// A run of a session.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct MarkRow {
    session: Hash,
    started_at: i64,
}

impl From<SessionMark> for MarkRow {
    fn from(mark: SessionMark) -> Self {
        Self { session: Hash(mark.id), started_at: mark.started_at.0 }
    }
}

impl From<MarkRow> for SessionMark {
    fn from(row: MarkRow) -> Self {
        Self { id: row.session.0, started_at: Timestamp(row.started_at) }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct OfferRow {
    #[serde(flatten)]
    mark: MarkRow,
    at: i64,
    is_prompt: bool,
}

/// A history.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct HistoryRow {
    sessions: u32,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    offers: Vec<OfferRow>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    rules: BTreeMap<Arc<str>, i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_dismissal: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_acceptance: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_chat: Option<i64>,
    opted_out: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    crm: Option<BTreeMap<Arc<str>, AttributeRow>>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum AttributeRow {
    Flag(bool),
    Number(f64),
    Text(Arc<str>),
    List(Vec<Arc<str>>),
}

impl From<&History> for HistoryRow {
    fn from(history: &History) -> Self {
        let millis = |at: Option<Timestamp>| at.map(|at| at.0);
        Self {
            sessions: history.sessions,
            offers: history
                .offers
                .iter()
                .map(|offer| OfferRow {
                    mark: offer.session.into(),
                    at: offer.at.0,
                    is_prompt: offer.is_prompt,
                })
                .collect(),
            rules: history.rules.iter().map(|rule| (rule.rule.clone(), rule.last_at.0)).collect(),
            last_dismissal: millis(history.last_dismissal),
            last_acceptance: millis(history.last_acceptance),
            last_chat: millis(history.last_chat),
            opted_out: history.is_opted_out,
            crm: history.crm.as_deref().map(|crm| {
                crm.0.iter().map(|(name, value)| (name.clone(), value.into())).collect()
            }),
        }
    }
}

impl From<HistoryRow> for History {
    fn from(row: HistoryRow) -> Self {
        let offer = |row: OfferRow| Offer {
            session: row.mark.into(),
            at: Timestamp(row.at),
            is_prompt: row.is_prompt,
        };
        let rule = |(rule, at)| RuleOffers { rule, last_at: Timestamp(at) };
        Self {
            sessions: row.sessions,
            offers: row.offers.into_iter().map(offer).collect(),
            rules: row.rules.into_iter().map(rule).collect(),
            last_dismissal: row.last_dismissal.map(Timestamp),
            last_acceptance: row.last_acceptance.map(Timestamp),
            last_chat: row.last_chat.map(Timestamp),
            is_opted_out: row.opted_out,
            crm: row.crm.map(|crm| {
                let crm = crm.into_iter().map(|(name, value)| (name, value.into()));
                Arc::new(Attributes(crm.collect()))
            }),
        }
    }
}

impl From<&AttributeValue> for AttributeRow {
    fn from(value: &AttributeValue) -> Self {
        match value {
            AttributeValue::Text(text) => Self::Text(text.clone()),
            AttributeValue::Number(number) => Self::Number(*number),
            AttributeValue::Flag(flag) => Self::Flag(*flag),
            AttributeValue::List(texts) => Self::List(texts.clone()),
        }
    }
}

impl From<AttributeRow> for AttributeValue {
    fn from(row: AttributeRow) -> Self {
        match row {
            AttributeRow::Text(text) => Self::Text(text),
            AttributeRow::Number(number) => Self::Number(number),
            AttributeRow::Flag(flag) => Self::Flag(flag),
            AttributeRow::List(texts) => Self::List(texts),
        }
    }
}
