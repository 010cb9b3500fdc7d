//! A site as it runs: its rules with the metrics' handles that belong to them.

use std::sync::Arc;

use crate::domain::decision::Reason;
use crate::engine::decide::STOPS;
use crate::engine::{Stop, Verdict};
use crate::metrics::{Metrics, RuleSeries, SiteMetrics, SiteSeries};
use crate::rules::condition::Expr;
use crate::rules::model::{Mode, Rule, RuleSet};

/// A site's rules, ready to be asked.
pub struct LiveSite {
    /// The rules.
    pub set: Arc<RuleSet>,
    /// Their handles.
    pub metrics: Arc<SiteMetrics>,
    /// For each rule the predicates that can stop it, in the order of its series.
    stoppers: Vec<Vec<usize>>,
}

impl LiveSite {
    /// Resolves the handles of a rule set.
    #[must_use]
    pub fn new(set: Arc<RuleSet>, metrics: &Metrics) -> Self {
        let stoppers: Vec<Vec<usize>> =
            set.rules.iter().map(|rule| predicates_of(&set, rule)).collect();
        let field = |index: &usize| set.predicates.get(*index).map_or("", |p| &*p.field);
        let rules: Vec<RuleSeries<'_>> = set
            .rules
            .iter()
            .zip(&stoppers)
            .map(|(rule, stoppers)| RuleSeries {
                id: &rule.id,
                variants: rule.variants.iter().map(|variant| &*variant.id).collect(),
                stops: STOPS.iter().copied().chain(stoppers.iter().map(field)).collect(),
                is_shadow: rule.mode == Mode::Shadow,
            })
            .collect();
        let series = SiteSeries { rules: &rules, currencies: &set.site.currencies };
        let metrics = metrics.site(&set.site.key, &series);
        Self { set, metrics, stoppers }
    }

    /// Counts a verdict's stops and its reason.
    pub fn count(&self, reason: Reason, verdict: Option<&Verdict>) {
        self.metrics.decision(reason);
        for (rule, stop) in verdict.map(|verdict| verdict.stops.as_slice()).unwrap_or_default() {
            let place = match stop {
                Stop::Condition(predicate) => self
                    .stoppers
                    .get(*rule)
                    .and_then(|all| all.iter().position(|known| known == predicate))
                    .map(|at| STOPS.len() + at),
                other => STOPS.iter().position(|word| *word == other.by(&self.set)),
            };
            if let Some(place) = place {
                self.metrics.rule(*rule).stopped(place);
            }
        }
    }
}

fn predicates_of(set: &RuleSet, rule: &Rule) -> Vec<usize> {
    let mut all = Vec::new();
    collect(&set.site.when, &mut all);
    collect(&rule.when, &mut all);
    all
}

fn collect(expr: &Expr, all: &mut Vec<usize>) {
    match expr {
        Expr::Test { predicate, .. } => {
            if !all.contains(predicate) {
                all.push(*predicate);
            }
        }
        Expr::All(parts) | Expr::Any(parts) => parts.iter().for_each(|part| collect(part, all)),
        Expr::Segment { expr, .. } => collect(expr, all),
    }
}
