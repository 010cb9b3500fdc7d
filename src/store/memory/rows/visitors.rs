//! A visitor ↔ its row.

use serde::{Deserialize, Serialize};

use super::{HistoryRow, MarkRow, RowError, json};
use crate::domain::time::{Millis, Timestamp};
use crate::store::memory::visitors::Visitor;

#[derive(Debug, Serialize, Deserialize)]
struct VisitorRow {
    last_seen: i64,
    /// The session that was counted last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    counted: Option<MarkRow>,
    #[serde(default)]
    protects_for_ms: i64,
    #[serde(flatten)]
    history: HistoryRow,
}

impl Visitor {
    /// As its row says it.
    pub(in super::super) fn to_row(&self) -> Vec<u8> {
        json(&VisitorRow {
            last_seen: self.last_seen.0,
            counted: self.counted.map(Into::into),
            protects_for_ms: self.protects_for.0,
            history: (&self.history).into(),
        })
    }

    /// Reads a row.
    pub(in super::super) fn from_row(body: &[u8]) -> Result<Self, RowError> {
        let row: VisitorRow = serde_json::from_slice(body)?;
        Ok(Self {
            history: row.history.into(),
            last_seen: Timestamp(row.last_seen),
            counted: row.counted.map(Into::into),
            protects_for: Millis(row.protects_for_ms),
        })
    }
}
