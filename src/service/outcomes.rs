//! What became of prompts, and what else a page or a server reports without asking.

use std::sync::Arc;

use super::live::LiveSite;
use super::{Service, session_key, visitors};
use crate::domain::caps::Stage;
use crate::domain::ids::{DecisionId, SessionKey, VisitorKey};
use crate::domain::money::Money;
use crate::domain::time::{Millis, Timestamp};
use crate::domain::visit::{Consent, EventKind, Page, Visit};
use crate::metrics::{PromptStage, StoreOperation};
use crate::store::{Judged, Observation, Observed, Outcome, Reply, Store, StoreError};

/// How long after its offer an outcome still counts, where no goal says another time.
const OUTCOME_WINDOW: Millis = Millis::days(7);

/// What a report is about.
#[derive(Debug, Clone)]
pub enum Happened {
    /// The visit's own event, on a page if one is told. `value` is what a goal it reaches is
    /// worth.
    Event {
        /// The page.
        page: Option<Page>,
        /// What it is worth.
        value: Option<Money>,
    },
    /// Another tool's popup came up.
    OtherPrompt,
    /// A prompt came so far.
    Stage {
        /// How far.
        stage: Stage,
        /// Which one; the session's newest where it is not told.
        decision: Option<DecisionId>,
        /// What a conversion is about.
        conversion: Conversion,
    },
    /// The visitor wants no prompts, or wants them again.
    OptOut(bool),
}

/// What a conversion is about.
#[derive(Debug, Clone, Default)]
pub struct Conversion {
    /// The goal's name.
    pub goal: Option<Arc<str>>,
    /// The order: it counts once.
    pub order: Option<Arc<str>>,
    /// What it is worth.
    pub value: Option<Money>,
}

/// What became of a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recorded {
    /// It was taken, now or before.
    Accepted,
    /// Nothing is recorded of this visitor, but for a "no" to that.
    NotRecorded,
}

impl<S: Store> Service<S> {
    /// Takes one report.
    ///
    /// # Errors
    /// Where the store has no room for it or cannot be reached.
    pub async fn record(
        &self,
        live: &LiveSite,
        visit: &Visit,
        happened: Happened,
        now: Timestamp,
    ) -> Result<Recorded, StoreError> {
        let (key, is_issued) = session_key(visit);
        let visitors = visitors(visit);
        let now = visit.event.at.unwrap_or(now);
        if let Happened::OptOut(is_opted_out) = happened {
            self.timed(
                StoreOperation::OptOut,
                self.store.opt_out(&key, &visitors, is_opted_out, now),
            )
            .await?;
            return Ok(Recorded::Accepted);
        }
        if let Happened::Stage { stage, decision, conversion } = &happened {
            if visit.device.is_bot {
                return Ok(Recorded::NotRecorded);
            }
            let timeout = live.set.site.session_timeout;
            let said = match visit.consent {
                None => self.store.consent(&key, timeout, now).await?,
                said => said,
            };
            // What was offered stays the session's; who took it is not remembered without consent.
            let names = if said == Some(Consent::Denied) { &[] } else { visitors.as_slice() };
            self.stage(live, &key, names, *stage, *decision, conversion, now).await?;
            return Ok(Recorded::Accepted);
        }
        let skipped = self.unrecorded(live, visit, &key, &visitors, is_issued, now).await?;
        if skipped.is_some() {
            return Ok(Recorded::NotRecorded);
        }
        let page = match &happened {
            Happened::Event { page, .. } => page.as_ref(),
            _ => None,
        };
        let observation = Observation {
            key: &key,
            visitors: &visitors,
            visit,
            page,
            timeout: live.set.site.session_timeout,
            now,
        };
        if matches!(happened, Happened::OtherPrompt) {
            if self.timed(StoreOperation::OtherPrompt, self.store.other_prompt(observation)).await?
            {
                live.metrics.session_started();
            }
            return Ok(Recorded::Accepted);
        }
        let unasked = |_: crate::store::Seen<'_>| Judged {
            value: (),
            reply: Reply::Unasked,
            shadows: Vec::new(),
        };
        let observed =
            self.timed(StoreOperation::Observe, self.store.observe(observation, unasked)).await?;
        if matches!(observed, Observed::Denied) {
            return Ok(Recorded::NotRecorded);
        }
        if let Observed::Fresh { is_new_session, .. } = observed {
            if is_new_session {
                live.metrics.session_started();
            }
            let value = match happened {
                Happened::Event { value, .. } => value,
                _ => None,
            };
            self.goals(live, &key, &visitors, &visit.event.kind, value, now).await?;
        }
        Ok(Recorded::Accepted)
    }

    /// Counts the goals that an event of the site's reaches.
    pub(super) async fn goals(
        &self,
        live: &LiveSite,
        key: &SessionKey,
        visitors: &[VisitorKey],
        event: &EventKind,
        value: Option<Money>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let EventKind::Signal { name } = event else { return Ok(()) };
        for goal in live.set.site.goals.iter().filter(|goal| goal.event == *name) {
            let conversion = Conversion { goal: Some(goal.name.clone()), order: None, value };
            self.stage(live, key, visitors, Stage::Converted, None, &conversion, now).await?;
        }
        Ok(())
    }

    #[expect(clippy::too_many_arguments, reason = "each is a part of one report")]
    async fn stage(
        &self,
        live: &LiveSite,
        key: &SessionKey,
        visitors: &[VisitorKey],
        stage: Stage,
        decision: Option<DecisionId>,
        conversion: &Conversion,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let goal = conversion.goal.as_deref();
        let within = live
            .set
            .site
            .goals
            .iter()
            .find(|known| stage == Stage::Converted && Some(&*known.name) == goal)
            .map_or(OUTCOME_WINDOW, |known| known.within);
        let outcome = Outcome {
            key,
            visitors,
            decision,
            stage,
            unique: conversion.order.as_deref().or(goal),
            within,
            now,
        };
        let Some(counted) =
            self.timed(StoreOperation::Outcome, self.store.outcome(outcome)).await?
        else {
            return Ok(());
        };
        let rule = live.metrics.rule_named(&counted.rule);
        let Some(variant) = rule.variant_named(&counted.variant) else { return Ok(()) };
        if !counted.is_prompt {
            return Ok(());
        }
        if counted.implies_shown {
            rule.prompt(variant, PromptStage::Shown);
        }
        if let Some(stage) = PromptStage::of(stage) {
            rule.prompt(variant, stage);
        }
        if let (Stage::Converted, Some(value)) = (stage, conversion.value) {
            let currency = value.currency.unwrap_or(live.set.site.currency);
            rule.conversion_value(variant, value.amount, currency);
        }
        Ok(())
    }
}
