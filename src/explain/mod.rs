//! A decision in words: every rule with every condition, what was wanted, what was there, what
//! stopped it first, and what would have to change and when.
//!
//! The words are made of the engine's own trace. What is made here is plain data, so the service
//! can send it and the command line can show it.
//!
//! Must not: judge. Whether something holds is the engine's to say.

use chrono_tz::Tz;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::decision::{Answer, Reason};
use crate::domain::facts::Facts;
use crate::domain::time::Timestamp;
use crate::engine::trace::{RuleTrace, Trace, trace};
use crate::engine::{RuleState, Win};
use crate::rules::model::{Mode, Rule, RuleSet};

mod conditions;
mod text;
mod words;

pub use text::render;

/// What an explanation is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// A call that was not made: what the service would answer to it now.
    Call,
    /// A decision that was made: what was there then, by the rules of then.
    Decision,
    /// A session as it now is, as if its newest page asked again.
    Session,
    /// A visit made up of field values, like a rule's examples.
    Sample,
}

/// Everything about one decision, in words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Explanation {
    /// What it is of: `call` (what the service would answer now), `decision` (what it answered
    /// then), `session` (the session as it now is) or `sample` (a visit made up of field values).
    pub about: About,
    /// The site's key.
    pub site: String,
    /// The moment judged: RFC 3339, in the site's zone.
    pub at: String,
    /// The version of the rules.
    pub rules_version: String,
    /// Whether a prompt is shown.
    pub show: bool,
    /// The reason, as `/v1/decide` answers it.
    pub reason: String,
    /// The reason in a sentence.
    pub summary: String,
    /// The rule that decides.
    pub rule: Option<String>,
    /// Which of its prompts.
    pub variant: Option<String>,
    /// When asking again can change the answer.
    pub recheck: Option<Opens>,
    /// What to know about this explanation.
    pub notes: Vec<String>,
    /// Every rule, in the order in which they are asked.
    pub rules: Vec<ExplainedRule>,
}

impl Explanation {
    /// The same where nothing can be remembered now: what would show does not.
    #[must_use]
    pub fn unless_kept(mut self, fault: &str) -> Self {
        if self.show {
            self.show = false;
            Reason::Unavailable.as_str().clone_into(&mut self.reason);
            self.summary = format!("No prompt is offered, as none could be remembered: {fault}");
        }
        self
    }
}

/// Everything about one rule.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExplainedRule {
    /// Its id.
    pub rule: String,
    /// What it is for.
    pub description: Option<String>,
    /// `live`, `shadow` or `off`.
    pub mode: String,
    /// What becomes of it.
    pub outcome: RuleOutcome,
    /// What stops it first: a field's name, or `off`, `dates`, `rollout`, `hours`, `repeat`,
    /// `limit`.
    pub stopped_by: Option<String>,
    /// The outcome in a sentence.
    pub summary: String,
    /// When it could show on this page, if it is stopped and could.
    pub opens: Option<Opens>,
    /// Everything that it asks, in the order in which it is asked.
    pub conditions: Vec<ExplainedCondition>,
}

/// What becomes of a rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RuleOutcome {
    /// It decides, and shows.
    Shows,
    /// It decides, and this visitor is kept without it for comparison.
    HeldOut,
    /// Nothing stops it, but a rule before it decides.
    Behind,
    /// Nothing stops it, but this visitor may not be prompted now.
    Capped,
    /// It is in shadow mode, and would have had its turn.
    Shadow,
    /// Something stops it.
    Stopped,
}

/// One thing that a rule asks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct ExplainedCondition {
    /// `condition`, `all`, `any`, `segment`, or `mode`, `dates`, `rollout`, `hours`, `repeat`,
    /// `limit`, `holdout`.
    pub kind: String,
    /// Whether the site's settings ask it of every rule.
    pub is_of_site: bool,
    /// A condition's field, or a segment's name.
    pub name: Option<String>,
    /// What is wanted.
    pub wanted: String,
    /// What is there; null where that is unknown.
    pub actual: Option<String>,
    /// Whether it lets the rule through.
    pub passed: bool,
    /// Whether it is the first thing that stops the rule.
    pub stops: bool,
    /// Where it does not pass: what would have to change, and when.
    pub change: Option<String>,
    /// When it could hold on this page, if it does not yet.
    pub opens: Option<Opens>,
    /// What it is made of.
    #[schema(no_recursion)]
    pub parts: Vec<ExplainedCondition>,
}

/// When something could hold, if nothing changes but time and what the visitor does on the page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Opens {
    /// After so many milliseconds, if time alone suffices.
    pub after_ms: Option<i64>,
    /// That moment: RFC 3339, in the site's zone.
    pub at: Option<String>,
    /// Or on any of these.
    pub on: Vec<String>,
    /// All of it in words.
    pub words: String,
}

/// What is to be explained.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// What it is.
    pub about: About,
    /// The rules.
    pub set: &'a RuleSet,
    /// The moment.
    pub facts: &'a Facts<'a>,
    /// The answer that was given, of a decision that was made.
    pub answer: Option<&'a Answer>,
}

/// Explains a decision.
#[must_use]
pub fn explain(case: Case<'_>, state: &dyn RuleState, mut notes: Vec<String>) -> Explanation {
    let Case { about, set, facts, answer } = case;
    let trace = trace(set, facts, state);
    let is_drawn =
        |rule: &Rule| rule.rollout < 1.0 || rule.holdout > 0.0 || rule.variants.len() > 1;
    if about == About::Sample && set.rules.iter().any(is_drawn) {
        notes.push(
            "Who is in a rollout or holdout, and who gets which variant, is drawn by ids; here by \
             a made-up one."
                .to_owned(),
        );
    }
    let zone = set.site.time_zone;
    let reason = answer.map_or(trace.reason, |answer| answer.reason);
    if reason != trace.reason {
        notes.push(format!(
            "The rules alone say {}; what was kept of other sessions and calls decided otherwise.",
            trace.reason.as_str()
        ));
    }
    let win = trace.win.filter(|_| reason == trace.reason);
    let offer = answer.and_then(|answer| answer.offer.as_deref());
    let winner = win.and_then(|win| Some((win, set.rules.get(win.rule)?)));
    let shown = winner.filter(|(win, _)| !win.is_held_out);
    let rule = offer
        .map(|offer| offer.rule.to_string())
        .or_else(|| winner.map(|(_, rule)| rule.id.to_string()));
    let variant = offer.map(|offer| offer.variant.to_string()).or_else(|| {
        shown.and_then(|(win, rule)| Some(rule.variants.get(win.variant)?.id.to_string()))
    });
    let says = words::Says { set, facts, trace: &trace, zone };
    let rules = (0..)
        .zip(set.rules.iter().zip(&trace.rules))
        .map(|(index, (rule, traced))| one_rule(&says, index, rule, traced, win))
        .collect();
    Explanation {
        about,
        site: set.site.key.to_string(),
        at: moment(facts.now, zone),
        rules_version: set.version.to_string(),
        show: answer.map_or(shown.is_some(), Answer::show),
        reason: reason.as_str().to_owned(),
        summary: says.summary(reason, rule.as_deref(), variant.as_deref()),
        rule,
        variant,
        recheck: trace.recheck.as_ref().map(|recheck| words::opens(recheck, facts.now, zone)),
        notes,
        rules,
    }
}

fn one_rule(
    says: &words::Says<'_>,
    index: usize,
    rule: &Rule,
    traced: &RuleTrace,
    win: Option<Win>,
) -> ExplainedRule {
    let outcome = outcome(says.trace, index, rule, traced, win);
    let opens =
        traced.opens.as_ref().map(|recheck| words::opens(recheck, says.facts.now, says.zone));
    let conditions = conditions::of(says, rule, traced, win.filter(|win| win.rule == index));
    ExplainedRule {
        rule: rule.id.to_string(),
        description: rule.description.clone(),
        mode: rule.mode.as_str().to_owned(),
        outcome,
        stopped_by: traced.stopped_by.clone(),
        summary: says.rule(outcome, traced, win, opens.as_ref()),
        opens,
        conditions,
    }
}

fn outcome(
    trace: &Trace,
    index: usize,
    rule: &Rule,
    traced: &RuleTrace,
    win: Option<Win>,
) -> RuleOutcome {
    match win {
        _ if traced.stop.is_some() => RuleOutcome::Stopped,
        Some(win) if win.rule == index && win.is_held_out => RuleOutcome::HeldOut,
        Some(win) if win.rule == index => RuleOutcome::Shows,
        _ if trace.gate != crate::engine::gate::Gate::Open || trace.is_stale => RuleOutcome::Capped,
        _ if rule.mode == Mode::Shadow => RuleOutcome::Shadow,
        Some(_) => RuleOutcome::Behind,
        None => RuleOutcome::Capped,
    }
}

/// A moment on the site's own clock.
fn moment(at: Timestamp, zone: Tz) -> String {
    at.to_utc().map_or_else(|| "never".to_owned(), |at| at.with_timezone(&zone).to_rfc3339())
}
