//! A whole answer, read plainly: what stands before the rules, which rule decides, which shadow
//! rules would have, and what stopped each rule that was asked.
//!
//! Must not: say what to wait for.

use koekake::domain::decision::Reason;
use koekake::domain::facts::Facts;
use koekake::domain::history::SessionMark;
use koekake::domain::visit::EventKind;

use super::caps;
use super::eval::{self, Decision, Site, World};

/// What the rules say to one visit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// `NoMatch` stands for `NotYet` too: what is waited for is not told here.
    pub reason: Reason,
    pub decision: Option<Decision>,
    /// Shadow rules that would have had their turn.
    pub shadows: Vec<String>,
    /// What first stopped each rule that was asked, shadows beside the others.
    pub stops: Vec<(String, String)>,
}

/// What first stops each rule, in their order; `None` where nothing does.
pub fn stops(site: &Site, facts: &Facts<'_>, world: World<'_>) -> Vec<Option<String>> {
    site.rules().iter().map(|rule| eval::first_stop(site, rule, facts, world)).collect()
}

/// `mark` is this session's, `stops` what [`stops`] gives.
pub fn read(
    site: &Site,
    facts: &Facts<'_>,
    mark: SessionMark,
    world: World<'_>,
    stops: &[Option<String>],
) -> Verdict {
    let silent =
        |reason| Verdict { reason, decision: None, shadows: Vec::new(), stops: Vec::new() };
    if let Some(reason) = caps::stopped(site, facts, mark) {
        return silent(reason);
    }
    if is_stale(facts) {
        return silent(Reason::NoMatch);
    }
    let mut verdict = silent(Reason::NoMatch);
    for (rule, stop) in site.rules().iter().zip(stops) {
        let is_shadow = eval::mode(rule) == "shadow";
        if verdict.decision.is_some() && !is_shadow {
            continue;
        }
        match stop {
            Some(by) => verdict.stops.push((rule.id.to_owned(), by.clone())),
            None if is_shadow => verdict.shadows.push(rule.id.to_owned()),
            None => verdict.decision = Some(eval::decision(site, rule, world)),
        }
    }
    if let Some(decision) = &verdict.decision {
        verdict.reason = if decision.is_held_out { Reason::Holdout } else { Reason::RuleMatched };
    }
    verdict
}

/// Which rule decides, and nothing else; the same by another way.
pub fn decide(
    site: &Site,
    facts: &Facts<'_>,
    mark: SessionMark,
    world: World<'_>,
) -> Option<Decision> {
    if caps::stopped(site, facts, mark).is_some() || is_stale(facts) {
        return None;
    }
    eval::decide(site, facts, world)
}

/// A recheck or signal of a view that was of another page: what was waited for there is over.
fn is_stale(facts: &Facts<'_>) -> bool {
    let page = facts.page;
    let view = facts.session.views.iter().find(|view| Some(&view.id) == page.view_id.as_ref());
    facts.visit.event.kind != EventKind::PageView
        && view.is_some_and(|view| {
            (view.url.host(), view.url.path(), view.url.fragment())
                != (page.url.host(), page.url.path(), page.url.fragment())
        })
}
