//! Verdicts → answers and claims.

use std::sync::Arc;

use super::new_decision_id;
use crate::domain::caps::Claim;
use crate::domain::decision::{Answer, Reason, ShownOffer};
use crate::domain::facts::Facts;
use crate::domain::ids::SessionKey;
use crate::domain::visit::Visit;
use crate::engine::{Verdict, Win, render};
use crate::rules::model::RuleSet;
use crate::store::Seen;

/// An answer without an offer.
pub(super) fn silent(
    set: &RuleSet,
    key: &SessionKey,
    verdict: &Verdict,
    now: crate::domain::time::Timestamp,
) -> Arc<Answer> {
    Arc::new(Answer {
        reason: verdict.reason,
        session: key.id.clone(),
        decision: new_decision_id(now),
        rules_version: set.version.clone(),
        offer: None,
        recheck: verdict.recheck.clone(),
    })
}

/// The claim for a win, with the answer to give once it is granted.
pub(super) fn claim(
    set: &RuleSet,
    key: &SessionKey,
    visit: &Visit,
    seen: &Seen<'_>,
    facts: &Facts<'_>,
    win: Win,
) -> Option<Claim> {
    let rule = set.rules.get(win.rule)?;
    let variant = rule.variants.get(win.variant)?;
    let offer = (!win.is_held_out).then(|| {
        Arc::new(ShownOffer {
            rule: rule.id.clone(),
            variant: variant.id.clone(),
            prompt: render::prompt(&set.site, &variant.prompt, facts),
        })
    });
    let answer = Arc::new(Answer {
        reason: if win.is_held_out { Reason::Holdout } else { Reason::RuleMatched },
        session: key.id.clone(),
        decision: new_decision_id(seen.now),
        rules_version: set.version.clone(),
        offer,
        recheck: None,
    });
    Some(Claim {
        session: key.clone(),
        mark: seen.mark,
        visitors: seen.session.visitors.clone(),
        rule: rule.id.clone(),
        variant: variant.id.clone(),
        is_prompt: !win.is_held_out,
        caps: set.site.caps,
        repeat: rule.repeat,
        rule_limits: rule.limits.clone(),
        site_limits: set.site.limits.clone(),
        event: visit.event.id.clone(),
        answer,
        at: seen.now,
    })
}
