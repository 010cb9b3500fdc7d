//! Which rule decides: the first eligible one, by priority, whose every condition holds.

use super::bucket::{Purpose, bucket, weighted};
use super::evaluate::Evaluator;
use super::gate::{Gate, gate};
use super::recheck;
use crate::domain::decision::{Reason, Recheck};
use crate::domain::facts::Facts;
use crate::domain::session::ViewState;
use crate::domain::time::Timestamp;
use crate::rules::model::{HoursGate, Mode, Rule, RuleSet};

/// What is known of rules beyond this visit: how often they were offered to everybody.
pub trait RuleState {
    /// Whether the site's own limits leave no room.
    fn is_site_limit_reached(&self) -> bool;
    /// Whether a rule's limits leave no room.
    fn is_limit_reached(&self, rule: &Rule) -> bool;
}

/// No rule has reached a limit.
#[derive(Debug, Clone, Copy)]
pub struct Unlimited;

impl RuleState for Unlimited {
    fn is_site_limit_reached(&self) -> bool {
        false
    }
    fn is_limit_reached(&self, _rule: &Rule) -> bool {
        false
    }
}

/// What stopped a rule first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// It is off.
    Off,
    /// It is not yet, or no longer, active.
    Dates,
    /// It is not for this visitor.
    Rollout,
    /// The condition of that index, of the rule or of the whole site.
    Condition(usize),
    /// It is out of its hours.
    Hours,
    /// The visitor had it too recently.
    Repeat,
    /// It, or the site, was offered often enough.
    Limit,
}

/// Every stop that is no condition, by the word for it.
pub const STOPS: &[&str] = &["off", "dates", "rollout", "hours", "repeat", "limit"];

impl Stop {
    /// The word for it in metrics, examples and explanations; a condition goes by its field.
    #[must_use]
    pub fn by(self, set: &RuleSet) -> &str {
        match self {
            Self::Off => "off",
            Self::Dates => "dates",
            Self::Rollout => "rollout",
            Self::Condition(index) => set.predicates.get(index).map_or("", |p| &p.field),
            Self::Hours => "hours",
            Self::Repeat => "repeat",
            Self::Limit => "limit",
        }
    }
}

/// The rule that decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Win {
    /// Its index in the set.
    pub rule: usize,
    /// The index of its prompt.
    pub variant: usize,
    /// Whether the visitor is kept without it.
    pub is_held_out: bool,
}

/// What the rules say to one visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Why.
    pub reason: Reason,
    /// The rule that decides, if one does. Nothing is taken yet.
    pub win: Option<Win>,
    /// What to wait for, where none does.
    pub recheck: Option<Recheck>,
    /// Rules in shadow mode that would have had their turn.
    pub shadows: Vec<usize>,
    /// What stopped each rule that was asked.
    pub stops: Vec<(usize, Stop)>,
}

impl Verdict {
    /// A verdict that no rule was asked for.
    #[must_use]
    pub const fn closed(reason: Reason) -> Self {
        Self { reason, win: None, recheck: None, shadows: Vec::new(), stops: Vec::new() }
    }
}

/// Decides for one visit at one moment.
///
/// Rules in `refused` are passed over as being over a limit: a claim that was refused for that
/// gives lower rules their turn.
#[must_use]
pub fn decide(
    set: &RuleSet,
    facts: &Facts<'_>,
    state: &dyn RuleState,
    refused: &[usize],
) -> Verdict {
    let gate = gate(&set.site, facts);
    if let Gate::Closed(reason) = gate {
        return Verdict::closed(reason);
    }
    if facts.session.view_state(&facts.visit.event.kind, facts.page) == ViewState::Stale {
        let is_paused = matches!(gate, Gate::ClosedUntil(_));
        return Verdict::closed(if is_paused { Reason::Cooldown } else { Reason::NoMatch });
    }
    let mut judge = Judge::new(set, facts, state);
    let mut verdict = Verdict::closed(Reason::NoMatch);
    for (index, rule) in set.rules.iter().enumerate() {
        // Below the winner only those beside the live ones are still asked.
        if verdict.win.is_some() && rule.mode != Mode::Shadow {
            continue;
        }
        let stop = if refused.contains(&index) { Some(Stop::Limit) } else { judge.stop(rule) };
        match stop {
            Some(stop) => verdict.stops.push((index, stop)),
            None if rule.mode == Mode::Shadow => verdict.shadows.push(index),
            None if gate == Gate::Open => verdict.win = Some(judge.win(index, rule)),
            None => {}
        }
    }
    match (gate, verdict.win) {
        (Gate::ClosedUntil(_), _) => {
            verdict.reason = Reason::Cooldown;
            verdict.shadows.clear();
            verdict.stops.clear();
            verdict.recheck = recheck::recheck(&mut judge, gate, refused);
        }
        (_, Some(win)) => {
            verdict.reason = if win.is_held_out { Reason::Holdout } else { Reason::RuleMatched };
        }
        _ => {
            verdict.recheck = recheck::recheck(&mut judge, gate, refused);
            if verdict.recheck.is_some() {
                verdict.reason = Reason::NotYet;
            }
        }
    }
    verdict
}

/// One visit before one rule set.
pub struct Judge<'a> {
    /// The rules.
    pub set: &'a RuleSet,
    /// Their conditions.
    pub evaluator: Evaluator<'a>,
    state: &'a dyn RuleState,
    bucket_key: Option<String>,
}

impl<'a> Judge<'a> {
    /// Nothing judged yet.
    #[must_use]
    pub fn new(set: &'a RuleSet, facts: &'a Facts<'a>, state: &'a dyn RuleState) -> Self {
        let evaluator = Evaluator::new(&set.predicates, facts);
        Self { set, evaluator, state, bucket_key: None }
    }

    /// The facts.
    #[must_use]
    pub const fn facts(&self) -> &'a Facts<'a> {
        self.evaluator.facts()
    }

    /// What stops a rule, if anything does. Conditions come before hours and limits, so that
    /// those are named only where nothing else was in the way.
    pub fn stop(&mut self, rule: &Rule) -> Option<Stop> {
        let now = self.facts().now;
        if rule.mode == Mode::Off {
            return Some(Stop::Off);
        }
        if now < rule.active_from || now >= rule.active_until {
            return Some(Stop::Dates);
        }
        if !self.is_in_rollout(rule) {
            return Some(Stop::Rollout);
        }
        self.stop_of_content(rule).or_else(|| self.is_limited(rule).then_some(Stop::Limit))
    }

    /// As [`Judge::stop`], but blind to dates, rollout and limits: what an example tests.
    pub fn stop_of_content(&mut self, rule: &Rule) -> Option<Stop> {
        let now = self.facts().now;
        let failure = self
            .evaluator
            .first_failure(&self.set.site.when)
            .or_else(|| self.evaluator.first_failure(&rule.when));
        if let Some(predicate) = failure {
            return Some(Stop::Condition(predicate));
        }
        if rule.hours.as_ref().is_some_and(|gate| !is_hours_open(gate, now)) {
            return Some(Stop::Hours);
        }
        (self.repeat_end(rule) > now).then_some(Stop::Repeat)
    }

    /// Whether a rule, or the site, was offered often enough.
    #[must_use]
    pub fn is_limited(&self, rule: &Rule) -> bool {
        self.state.is_site_limit_reached() || self.state.is_limit_reached(rule)
    }

    /// When the visitor may have a rule again.
    #[must_use]
    pub fn repeat_end(&self, rule: &Rule) -> Timestamp {
        self.facts()
            .history
            .last_offer_of(&rule.id)
            .map_or(Timestamp::MIN, |last| rule.repeat.next_after(last))
    }

    /// Whether a rule is for this visitor.
    pub fn is_in_rollout(&mut self, rule: &Rule) -> bool {
        rule.rollout >= 1.0 || self.place(rule, Purpose::Rollout) < rule.rollout
    }

    fn place(&mut self, rule: &Rule, purpose: Purpose) -> f64 {
        let facts = self.facts();
        let key = self.bucket_key.get_or_insert_with(|| facts.bucket_key());
        bucket(&self.set.site.key, &rule.id, purpose, key)
    }

    /// A rule's win: its prompt, or none for one held out.
    pub fn win(&mut self, index: usize, rule: &Rule) -> Win {
        let is_held_out = rule.holdout > 0.0 && self.place(rule, Purpose::Holdout) < rule.holdout;
        let variant = if rule.variants.len() > 1 {
            let place = self.place(rule, Purpose::Variant);
            weighted(place, rule.variants.iter().map(|variant| variant.weight)).unwrap_or(0)
        } else {
            0
        };
        Win { rule: index, variant, is_held_out }
    }
}

fn is_hours_open(gate: &HoursGate, now: Timestamp) -> bool {
    gate.hours.is_open(now) != gate.is_outside
}
