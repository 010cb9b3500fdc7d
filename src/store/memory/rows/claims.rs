//! What a session was offered ↔ its row.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Hash, HistoryRow, MarkRow, RowError, json, visitor_name, visitor_named};
use crate::domain::caps::Stage;
use crate::domain::decision::{Action, ActionKind, Answer, Prompt, Reason, ShownOffer};
use crate::domain::history::SessionMark;
use crate::domain::ids::{DecisionId, SessionKey};
use crate::domain::time::{Millis, Timestamp};
use crate::store::memory::claims::{Decision, Record};

#[derive(Debug, Serialize, Deserialize)]
struct ClaimsRow {
    #[serde(flatten)]
    mark: MarkRow,
    is_begun: bool,
    last_active_at: i64,
    clock: i64,
    timeout_ms: i64,
    offers: u32,
    is_held_out: bool,
    own: HistoryRow,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    visitors: Vec<String>,
    #[serde(default)]
    is_bucketed_by_visitor: bool,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    decisions: Vec<DecisionRow>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    others: Vec<Hash>,
}

#[derive(Debug, Serialize, Deserialize)]
struct DecisionRow {
    decision: DecisionId,
    rule: Arc<str>,
    variant: Arc<str>,
    is_prompt: bool,
    at: i64,
    /// In which run of the session.
    #[serde(flatten)]
    mark: MarkRow,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    event: Option<Hash>,
    rules_version: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prompt: Option<PromptRow>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    stages: Vec<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    conversions: Vec<Hash>,
}

#[derive(Debug, Serialize, Deserialize)]
struct PromptRow {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    title: Option<String>,
    message: String,
    language: Arc<str>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    actions: Vec<ActionRow>,
    channel: Arc<str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    route: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    appearance: BTreeMap<String, String>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ActionRow {
    kind: ActionKindRow,
    label: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    url: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum ActionKindRow {
    Chat,
    Link,
}

impl Record {
    /// As its row says it.
    pub(in super::super) fn to_row(&self) -> Vec<u8> {
        json(&ClaimsRow {
            mark: self.mark.into(),
            is_begun: self.is_begun,
            last_active_at: self.last_active_at.0,
            clock: self.clock.0,
            timeout_ms: self.timeout.0,
            offers: self.offers,
            is_held_out: self.is_held_out,
            own: (&self.own).into(),
            visitors: self.visitors.iter().map(|visitor| visitor_name(&visitor.id)).collect(),
            is_bucketed_by_visitor: self.is_bucketed_by_visitor,
            decisions: self.decisions.iter().map(DecisionRow::from).collect(),
            others: self.others.iter().copied().map(Hash).collect(),
        })
    }

    /// Reads the row of that session.
    pub(in super::super) fn from_row(key: &SessionKey, body: &[u8]) -> Result<Self, RowError> {
        let row: ClaimsRow = serde_json::from_slice(body)?;
        let visitors = row.visitors.iter().map(|name| visitor_named(&key.site, name));
        let decisions = row.decisions.into_iter().map(|decision| decision.read(key));
        Ok(Self {
            mark: row.mark.into(),
            is_begun: row.is_begun,
            last_active_at: Timestamp(row.last_active_at),
            clock: Timestamp(row.clock),
            timeout: Millis(row.timeout_ms),
            offers: row.offers,
            is_held_out: row.is_held_out,
            own: row.own.into(),
            visitors: visitors.collect::<Result<_, _>>()?,
            is_bucketed_by_visitor: row.is_bucketed_by_visitor,
            decisions: decisions.collect::<Result<_, _>>()?,
            others: row.others.into_iter().map(|hash| hash.0).collect(),
        })
    }
}

impl From<&Decision> for DecisionRow {
    fn from(decision: &Decision) -> Self {
        let offer = decision.answer.offer.as_deref();
        Self {
            decision: decision.id,
            rule: decision.rule.clone(),
            variant: decision.variant.clone(),
            is_prompt: decision.is_prompt,
            at: decision.at.0,
            mark: decision.mark.into(),
            event: decision.event.map(Hash),
            rules_version: decision.answer.rules_version.clone(),
            prompt: offer.map(|offer| (&offer.prompt).into()),
            stages: decision.stages().map(|stage| stage.as_str().to_owned()).collect(),
            conversions: decision.conversions.iter().copied().map(Hash).collect(),
        }
    }
}

impl DecisionRow {
    fn read(self, key: &SessionKey) -> Result<Decision, RowError> {
        let stages = self.stages.iter().map(|word| {
            let known = Stage::ALL.into_iter().find(|stage| stage.as_str() == word);
            known.ok_or_else(|| RowError::form(word, "stage"))
        });
        let offer = self.prompt.map(|prompt| {
            let (rule, variant) = (self.rule.clone(), self.variant.clone());
            Arc::new(ShownOffer { rule, variant, prompt: prompt.into() })
        });
        let answer = Answer {
            reason: if self.is_prompt { Reason::RuleMatched } else { Reason::Holdout },
            session: key.id.clone(),
            decision: self.decision,
            rules_version: self.rules_version,
            offer,
            recheck: None,
        };
        let mut decision = Decision {
            id: self.decision,
            rule: self.rule,
            variant: self.variant,
            is_prompt: self.is_prompt,
            mark: SessionMark::from(self.mark),
            at: Timestamp(self.at),
            event: self.event.map(|hash| hash.0),
            answer: Arc::new(answer),
            stages: 0,
            conversions: self.conversions.into_iter().map(|hash| hash.0).collect(),
        };
        for stage in stages {
            decision.reached(stage?);
        }
        Ok(decision)
    }
}

impl From<&Prompt> for PromptRow {
    fn from(prompt: &Prompt) -> Self {
        let action = |action: &Action| ActionRow {
            kind: match action.kind {
                ActionKind::Chat => ActionKindRow::Chat,
                ActionKind::Link => ActionKindRow::Link,
            },
            label: action.label.clone(),
            url: action.url.clone(),
        };
        Self {
            title: prompt.title.clone(),
            message: prompt.message.clone(),
            language: prompt.language.clone(),
            actions: prompt.actions.iter().map(action).collect(),
            channel: prompt.channel.clone(),
            route: prompt.route.clone(),
            appearance: (*prompt.appearance).clone(),
        }
    }
}

impl From<PromptRow> for Prompt {
    fn from(row: PromptRow) -> Self {
        let action = |row: ActionRow| Action {
            kind: match row.kind {
                ActionKindRow::Chat => ActionKind::Chat,
                ActionKindRow::Link => ActionKind::Link,
            },
            label: row.label,
            url: row.url,
        };
        Self {
            title: row.title,
            message: row.message,
            language: row.language,
            actions: row.actions.into_iter().map(action).collect(),
            channel: row.channel,
            route: row.route,
            appearance: Arc::new(row.appearance),
        }
    }
}
