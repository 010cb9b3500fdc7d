//! What to wait for: every moment and page event that a live rule, not yet impossible on this
//! page, still needs.

use super::decide::Judge;
use super::gate::Gate;
use crate::domain::decision::{Recheck, Trigger, Wait};
use crate::domain::facts::Facts;
use crate::domain::time::{Millis, Timestamp};
use crate::rules::kinds::local_time::gaps;
use crate::rules::model::{HoursGate, Mode, Rule, Site};
use crate::rules::outlook::{Need, Outlook, Source, Way};

/// Nothing later than that is named: pages are not open so long.
const MAX_AHEAD: Millis = Millis::hours(6);
/// Over how long pages spread their calls at a moment that all visitors share.
const SPREAD: Millis = Millis::seconds(30);
/// The most triggers named at once.
const MAX_TRIGGERS: usize = 16;

/// The time that is looked ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Horizon {
    /// The first moment at which anything may be shown.
    pub from: Timestamp,
    /// The first moment that is too far: beyond six hours, or the session's end.
    pub until: Timestamp,
}

impl Horizon {
    /// How far to look for this visit; `None` where nothing may be shown before it ends.
    #[must_use]
    pub fn of(site: &Site, facts: &Facts<'_>, gate: Gate) -> Option<Self> {
        let from = match gate {
            Gate::Open => facts.now,
            Gate::ClosedUntil(until) => facts.now.max(until),
            Gate::Closed(_) => return None,
        };
        let session_end = facts.session.last_active_at + site.session_timeout;
        // Six hours themselves are not beyond them; a session that ends has ended.
        let until = session_end.min(facts.now + MAX_AHEAD + Millis(1));
        (from < until).then_some(Self { from, until })
    }

    /// It, as an outlook.
    #[must_use]
    pub fn ahead(self) -> Outlook {
        Outlook::of(vec![Way::during(self.from, self.until, false)])
    }
}

/// What could change the answer.
pub fn recheck(judge: &mut Judge<'_>, gate: Gate, refused: &[usize]) -> Option<Recheck> {
    let facts = judge.facts();
    let horizon = Horizon::of(&judge.set.site, facts, gate)?;
    let site = judge.evaluator.outlook(&judge.set.site.when, horizon.until).and(&horizon.ahead());
    if site.is_never() {
        return None;
    }
    let mut all = Waits::default();
    for (index, rule) in judge.set.rules.iter().enumerate() {
        if rule.mode != Mode::Live || refused.contains(&index) || !judge.is_in_rollout(rule) {
            continue;
        }
        let outlook = outlook(judge, rule, &site, horizon.until);
        // Limits change by what others do; those are not waited for.
        if !outlook.is_never() && !judge.is_limited(rule) {
            all.add(&outlook, facts.now);
        }
    }
    all.into_recheck()
}

/// What one outlook waits for.
#[must_use]
pub fn waits(outlook: &Outlook, now: Timestamp) -> Option<Recheck> {
    let mut all = Waits::default();
    all.add(outlook, now);
    all.into_recheck()
}

/// When a rule could show.
pub fn outlook(judge: &Judge<'_>, rule: &Rule, within: &Outlook, horizon: Timestamp) -> Outlook {
    let dates = Way::during(rule.active_from, rule.active_until, true);
    let again = Way::during(judge.repeat_end(rule), Timestamp::MAX, false);
    let mut all = within.and(&Outlook::of(vec![dates])).and(&Outlook::of(vec![again]));
    if all.is_never() {
        return all;
    }
    all = all.and(&judge.evaluator.outlook(&rule.when, horizon));
    if let Some(gate) = &rule.hours
        && !all.is_never()
    {
        all = all.and(&hours(gate, judge.facts().now, horizon));
    }
    all
}

fn hours(gate: &HoursGate, now: Timestamp, horizon: Timestamp) -> Outlook {
    let open = gate.hours.open_spans(now, horizon);
    let spans = if gate.is_outside { gaps(&open, now, horizon) } else { open };
    Outlook::of(spans.into_iter().map(|(from, until)| Way::during(from, until, true)).collect())
}

#[derive(Debug, Default)]
struct Waits {
    after: Option<(Millis, bool)>,
    on: Vec<Wait>,
}

impl Waits {
    fn add(&mut self, outlook: &Outlook, now: Timestamp) {
        for way in outlook.ways() {
            let not_before = Millis((way.from - now).0.max(0));
            if way.is_time_alone() {
                let is_earlier = self.after.is_none_or(|(known, _)| not_before < known);
                let is_same = self.after.is_some_and(|(known, _)| not_before == known);
                if is_earlier {
                    self.after = Some((not_before, way.is_shared));
                } else if is_same && way.is_shared {
                    self.after = Some((not_before, true));
                }
                continue;
            }
            for trigger in triggers(way) {
                self.on.push(Wait { on: trigger, not_before });
            }
        }
    }

    fn into_recheck(mut self) -> Option<Recheck> {
        // One that comes earlier on the page and in time makes a later one of its kind needless:
        // asking at it names that one, if it is still waited for.
        let all = std::mem::take(&mut self.on);
        let is_covered = |wait: &Wait| {
            all.iter().any(|other| {
                other != wait && covers(&other.on, &wait.on) && other.not_before <= wait.not_before
            })
        };
        let mut on: Vec<Wait> = all.iter().filter(|wait| !is_covered(wait)).cloned().collect();
        on.sort();
        on.dedup();
        if on.len() > MAX_TRIGGERS {
            on.sort_by_key(|wait| wait.not_before);
            on.truncate(MAX_TRIGGERS);
        }
        if self.after.is_none() && on.is_empty() {
            return None;
        }
        let spread = match self.after {
            Some((after, true)) if after > Millis::ZERO => SPREAD,
            _ => Millis::ZERO,
        };
        Some(Recheck { after: self.after.map(|(after, _)| after), spread, on })
    }
}

/// Whether whoever waits for `first` also learns of `then` in time.
fn covers(first: &Trigger, then: &Trigger) -> bool {
    match (first, then) {
        (Trigger::ScrollPercent(a), Trigger::ScrollPercent(b)) => a <= b,
        (Trigger::Idle(a), Trigger::Idle(b)) => a <= b,
        (a, b) => a == b,
    }
}

/// What must happen on the page for a way to open. What stays once it has happened is named
/// first: until it has, a fleeting signal would be asked about in vain.
fn triggers(way: &Way) -> Vec<Trigger> {
    let unmet = || way.needs.iter().filter(|need| !need.is_met());
    // Grown past what is wanted: nothing that could be named brings it back.
    if unmet().any(|need| need.now > need.most) {
        return Vec::new();
    }
    let lasting = |need: &&Need| !matches!(need.source, Source::Idle);
    let first: Vec<_> = unmet().filter(lasting).map(Need::trigger).collect();
    if !first.is_empty() {
        return first;
    }
    let exit = (way.exit_intent == Some(true)).then_some(Trigger::ExitIntent);
    unmet().map(Need::trigger).chain(exit).collect()
}
