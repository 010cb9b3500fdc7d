//! What `koekake data export` says is remembered.
//!
//! Must not: compare it with anything.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What an export tells of what the witness saw.
#[derive(Debug, Default)]
pub struct Remembered {
    /// By decision: the session it belongs to.
    pub sessions: BTreeMap<String, String>,
    /// By decision: how far it came.
    pub stages: BTreeMap<String, BTreeSet<String>>,
    /// By decision: how often it was followed by a conversion.
    pub conversions: BTreeMap<String, u64>,
    /// Visitors who want no prompts.
    pub opted_out: BTreeSet<String>,
    /// By session.
    pub page_views: BTreeMap<String, u64>,
}

impl Remembered {
    /// Reads JSON lines.
    pub fn read(lines: &str) -> Result<Self, String> {
        let mut all = Self::default();
        for line in lines.lines() {
            let line: Value = serde_json::from_str(line).map_err(|e| format!("{e}: {line}"))?;
            all.add(&line).ok_or_else(|| format!("not understood: {line}"))?;
        }
        Ok(all)
    }

    fn add(&mut self, line: &Value) -> Option<()> {
        match line["kind"].as_str()? {
            "claims" => {
                let session = line["session"].as_str()?;
                for decision in list(&line["decisions"]) {
                    let id = decision["decision"].as_str()?.to_owned();
                    let stages = list(&decision["stages"]).iter().filter_map(Value::as_str);
                    let conversions = u64::try_from(list(&decision["conversions"]).len()).ok()?;
                    self.sessions.insert(id.clone(), session.to_owned());
                    self.stages.insert(id.clone(), stages.map(str::to_owned).collect());
                    self.conversions.insert(id, conversions);
                }
            }
            "visitor" => {
                let (_, id) = line["visitor"].as_str()?.split_once(':')?;
                if line["opted_out"].as_bool() == Some(true) {
                    self.opted_out.insert(id.to_owned());
                }
            }
            "session" => {
                let views = line["page_views"].as_u64()?;
                self.page_views.insert(line["session"].as_str()?.to_owned(), views);
            }
            // Whatever else is exported is nothing that the witness saw.
            _ => {}
        }
        Some(())
    }
}

/// Empty where nothing is said.
fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}
