//! Answers of the service → JSON, exactly as the contract shows them.
//!
//! Must not: decide anything; what is in an answer was settled before.

use std::collections::BTreeMap;

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::decision::{ActionKind, Answer, Recheck, ShownOffer, Trigger};
use crate::domain::ids::{DecisionId, SessionId};
use crate::domain::time::Millis;
use crate::domain::visit::EXIT_INTENT;

/// Whether to offer a chat, with what, and what to wait for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = DecideAnswer, example = json!({
    "show": false, "reason": "not_yet", "session_id": "0192f0c1b6d27c1e8a3f5b0d9e7a4c21",
    "decision_id": "0192f0c1b6d27c1e8a3f5b0d9e7a4c22", "rules_version": "9f2c41d0a7b3e865",
    "recheck": { "after_ms": 41000, "spread_ms": 0, "on": [
        { "signal": "exit_intent", "not_before_ms": 60000 }, { "scroll_percent": 50 }, { "idle_ms": 45000 }, { "event": "form_error" } ] },
}))]
pub struct AnswerBody<'a> {
    /// Whether to show a prompt.
    show: bool,
    /// `unavailable`, `opted_out`, `no_consent`, `bot`, `already_prompted`, `cooldown`,
    /// `rule_matched`, `holdout`, `not_yet` or `no_match`: the first that applies.
    reason: &'static str,
    /// The session; the one to name in the next call.
    #[schema(value_type = String)]
    session_id: &'a SessionId,
    /// This answer's own id, for reports of what became of it.
    #[schema(value_type = String)]
    decision_id: DecisionId,
    /// The rule that won.
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    /// Which of its prompts.
    #[serde(skip_serializing_if = "Option::is_none")]
    variant: Option<&'a str>,
    /// The version of the rules.
    rules_version: &'a str,
    /// What to show.
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<PromptBody<'a>>,
    /// When to ask again; null where nothing on this page can change the answer.
    #[schema(required = true)]
    recheck: Option<RecheckBody<'a>>,
}

/// A prompt: plain text in one language.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Prompt)]
struct PromptBody<'a> {
    /// A heading.
    #[schema(required = true)]
    title: Option<&'a str>,
    /// The message.
    message: &'a str,
    /// The BCP 47 tag of its language.
    language: &'a str,
    /// What the visitor can do.
    actions: Vec<ActionBody<'a>>,
    /// `chat`, or a name that the site's page knows.
    channel: &'a str,
    /// Which team answers.
    #[schema(required = true)]
    route: Option<&'a str>,
    /// The site's own settings of its look.
    appearance: &'a BTreeMap<String, String>,
}

/// Something a prompt lets the visitor do.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Action)]
struct ActionBody<'a> {
    /// `chat` or `link`.
    kind: &'static str,
    /// What the button says.
    label: &'a str,
    /// Where a link leads.
    #[serde(skip_serializing_if = "Option::is_none")]
    url: Option<&'a str>,
}

/// When asking again could change the answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Recheck)]
struct RecheckBody<'a> {
    /// After so many milliseconds; null where only events are waited for.
    #[schema(required = true)]
    after_ms: Option<i64>,
    /// Over how many milliseconds to spread the call, at random.
    spread_ms: i64,
    /// On any of these.
    on: Vec<WaitBody<'a>>,
}

/// Something on the page to ask again on.
#[derive(Debug, Serialize, ToSchema)]
#[serde(untagged)]
#[schema(as = Wait)]
enum WaitBody<'a> {
    /// A signal of the browser.
    Signal {
        /// `exit_intent`
        signal: &'static str,
        /// It changes nothing before so many milliseconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        not_before_ms: Option<i64>,
    },
    /// So deep a point of the page.
    Scroll {
        /// 0 to 100
        scroll_percent: u8,
        /// It changes nothing before so many milliseconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        not_before_ms: Option<i64>,
    },
    /// So long without a sign of the visitor.
    Idle {
        /// In milliseconds.
        idle_ms: i64,
        /// It changes nothing before so many milliseconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        not_before_ms: Option<i64>,
    },
    /// One of the site's own events.
    Event {
        /// Its name.
        event: &'a str,
        /// It changes nothing before so many milliseconds.
        #[serde(skip_serializing_if = "Option::is_none")]
        not_before_ms: Option<i64>,
    },
}

impl<'a> From<&'a Answer> for AnswerBody<'a> {
    fn from(answer: &'a Answer) -> Self {
        let offer = answer.offer.as_deref();
        Self {
            show: answer.show(),
            reason: answer.reason.as_str(),
            session_id: &answer.session,
            decision_id: answer.decision,
            rule: offer.map(|offer| &*offer.rule),
            variant: offer.map(|offer| &*offer.variant),
            rules_version: &answer.rules_version,
            prompt: offer.map(prompt),
            recheck: answer.recheck.as_ref().map(recheck),
        }
    }
}

fn prompt(offer: &ShownOffer) -> PromptBody<'_> {
    let prompt = &offer.prompt;
    PromptBody {
        title: prompt.title.as_deref(),
        message: &prompt.message,
        language: &prompt.language,
        actions: prompt
            .actions
            .iter()
            .map(|action| ActionBody {
                kind: match action.kind {
                    ActionKind::Chat => "chat",
                    ActionKind::Link => "link",
                },
                label: &action.label,
                url: action.url.as_deref(),
            })
            .collect(),
        channel: &prompt.channel,
        route: prompt.route.as_deref(),
        appearance: &prompt.appearance,
    }
}

fn recheck(recheck: &Recheck) -> RecheckBody<'_> {
    let on = recheck.on.iter().map(|wait| {
        let not_before_ms = (wait.not_before > Millis::ZERO).then_some(wait.not_before.0);
        match &wait.on {
            Trigger::ExitIntent => WaitBody::Signal { signal: EXIT_INTENT, not_before_ms },
            Trigger::ScrollPercent(percent) => {
                WaitBody::Scroll { scroll_percent: *percent, not_before_ms }
            }
            Trigger::Idle(idle) => WaitBody::Idle { idle_ms: idle.0, not_before_ms },
            Trigger::Event(name) => WaitBody::Event { event: name, not_before_ms },
        }
    });
    RecheckBody {
        after_ms: recheck.after.map(|after| after.0),
        spread_ms: recheck.spread.0,
        on: on.collect(),
    }
}

/// The answer as JSON text.
#[must_use]
pub fn answer_json(answer: &Answer) -> Vec<u8> {
    let mut out = Vec::with_capacity(if answer.show() { 768 } else { 320 });
    // Nothing in an answer has no form in JSON, and a Vec takes all that is written.
    let _ = serde_json::to_writer(&mut out, &AnswerBody::from(answer));
    out
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
