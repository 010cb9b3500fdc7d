//! The handles of one site, resolved when its rules load.
//!
//! Must not: make a series for anything that rules and site settings do not name.

use std::collections::{HashMap, HashSet};

use prometheus::{Counter, IntCounter};

use super::Vecs;
use crate::domain::caps::Stage;
use crate::domain::decision::Reason;
use crate::domain::ids::SiteKey;
use crate::domain::money::{Amount, Currency};

/// How far a prompt came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromptStage {
    /// A rule won, and the visitor is kept without prompts for comparison.
    HeldOut,
    /// An answer offered it.
    Offered,
    /// The visitor saw it.
    Shown,
    /// The visitor took the offer.
    Accepted,
    /// The visitor closed it.
    Dismissed,
    /// A chat began.
    ChatStarted,
    /// A goal was reached.
    Converted,
}

const STAGES: [&str; 7] =
    ["held_out", "offered", "shown", "accepted", "dismissed", "chat_started", "converted"];

impl PromptStage {
    /// The stage that a report is counted under; a chat's end is not.
    #[must_use]
    pub const fn of(stage: Stage) -> Option<Self> {
        match stage {
            Stage::Shown => Some(Self::Shown),
            Stage::Accepted => Some(Self::Accepted),
            Stage::Dismissed => Some(Self::Dismissed),
            Stage::ChatStarted => Some(Self::ChatStarted),
            Stage::ChatEnded => None,
            Stage::Converted => Some(Self::Converted),
        }
    }
}

/// What of a site's settings becomes series.
#[derive(Debug, Clone, Copy, Default)]
pub struct SiteSeries<'a> {
    /// Its rules, in the order by which [`SiteMetrics::rule`] counts them.
    pub rules: &'a [RuleSeries<'a>],
    /// The currencies it accepts; any other is `other`.
    pub currencies: &'a [Currency],
}

/// What of a rule becomes series.
#[derive(Debug, Clone, Default)]
pub struct RuleSeries<'a> {
    /// Its id.
    pub id: &'a str,
    /// The ids of its variants, in order.
    pub variants: Vec<&'a str>,
    /// What can stop it, in order; the same word may be there twice.
    pub stops: Vec<&'a str>,
    /// Whether it is in shadow mode: then its matches are counted.
    pub is_shadow: bool,
}

/// One site's handles. Those of an earlier rule set stay safe to use; what they count of rules
/// that went is lost.
pub struct SiteMetrics {
    site: SiteKey,
    decisions: Vec<IntCounter>,
    sessions_started: IntCounter,
    rules: Vec<RuleMetrics>,
    by_id: HashMap<String, usize>,
    unknown: RuleMetrics,
}

/// One rule's handles.
#[derive(Default)]
pub struct RuleMetrics {
    id: String,
    variants: Vec<VariantMetrics>,
    stops: Vec<(String, IntCounter)>,
    shadow_matches: Option<IntCounter>,
}

struct VariantMetrics {
    id: String,
    stages: Vec<IntCounter>,
    values: Vec<(Option<Currency>, Counter)>,
}

fn currency_label(currency: Option<&Currency>) -> &str {
    currency.map_or("other", Currency::as_str)
}

impl SiteMetrics {
    pub(super) fn new(vecs: &Vecs, site: &SiteKey, series: &SiteSeries<'_>) -> Self {
        let decision = |reason: &Reason| vecs.decisions.with_label_values(&[site, reason.as_str()]);
        let rules: Vec<_> = series
            .rules
            .iter()
            .map(|rule| RuleMetrics::new(vecs, site, rule, series.currencies))
            .collect();
        vecs.sessions_active.with_label_values(&[site]);
        Self {
            site: site.clone(),
            decisions: Reason::ALL.iter().map(decision).collect(),
            sessions_started: vecs.sessions_started.with_label_values(&[site]),
            by_id: rules.iter().enumerate().map(|(i, rule)| (rule.id.clone(), i)).collect(),
            rules,
            unknown: RuleMetrics::default(),
        }
    }

    /// Counts an answer.
    pub fn decision(&self, reason: Reason) {
        if let Some(counter) = self.decisions.get(reason as usize) {
            counter.inc();
        }
    }

    /// Counts a session that began.
    pub fn session_started(&self) {
        self.sessions_started.inc();
    }

    /// The handles of a rule by its place in [`SiteSeries::rules`]; a place that is not there
    /// counts nothing.
    #[must_use]
    pub fn rule(&self, index: usize) -> &RuleMetrics {
        self.rules.get(index).unwrap_or(&self.unknown)
    }

    /// The handles of a rule by its id; a rule that went counts nothing.
    #[must_use]
    pub fn rule_named(&self, id: &str) -> &RuleMetrics {
        self.by_id.get(id).map_or(&self.unknown, |index| self.rule(*index))
    }

    pub(super) fn remove_series_missing_in(&self, vecs: &Vecs, now: &Self) {
        let keep: HashSet<Series<'_>> = now.series().collect();
        self.series()
            .filter(|series| !keep.contains(series))
            .for_each(|s| s.remove(vecs, &self.site));
    }

    pub(super) fn remove_all_series(&self, vecs: &Vecs) {
        self.series().for_each(|series| series.remove(vecs, &self.site));
        let site = &*self.site;
        // A series that is not there needs no removing.
        for reason in Reason::ALL {
            let _ = vecs.decisions.remove_label_values(&[site, reason.as_str()]);
        }
        let _ = vecs.sessions_started.remove_label_values(&[site]);
        let _ = vecs.sessions_active.remove_label_values(&[site]);
    }

    fn series(&self) -> impl Iterator<Item = Series<'_>> {
        self.rules.iter().flat_map(|rule| {
            let stops = rule.stops.iter().map(|(by, _)| Series::Stopped(&rule.id, by));
            let prompts = rule.variants.iter().flat_map(|variant| {
                let stages =
                    STAGES.into_iter().map(|stage| Series::Prompt(&rule.id, &variant.id, stage));
                let values = variant.values.iter().map(|(currency, _)| {
                    Series::Value(&rule.id, &variant.id, currency_label(currency.as_ref()))
                });
                stages.chain(values)
            });
            let shadow = rule.shadow_matches.as_ref().map(|_| Series::Shadow(&rule.id));
            stops.chain(prompts).chain(shadow)
        })
    }
}

/// The labels of a rule's series, but for the site.
#[derive(PartialEq, Eq, Hash)]
enum Series<'a> {
    Shadow(&'a str),
    Stopped(&'a str, &'a str),
    Prompt(&'a str, &'a str, &'a str),
    Value(&'a str, &'a str, &'a str),
}

impl Series<'_> {
    fn remove(&self, vecs: &Vecs, site: &str) {
        // A series that is not there needs no removing.
        let _ = match *self {
            Self::Shadow(rule) => vecs.shadow_matches.remove_label_values(&[site, rule]),
            Self::Stopped(rule, by) => vecs.rule_stopped.remove_label_values(&[site, rule, by]),
            Self::Prompt(rule, variant, stage) => {
                vecs.prompts.remove_label_values(&[site, rule, variant, stage])
            }
            Self::Value(rule, variant, currency) => {
                vecs.conversion_value.remove_label_values(&[site, rule, variant, currency])
            }
        };
    }
}

impl RuleMetrics {
    fn new(vecs: &Vecs, site: &str, rule: &RuleSeries<'_>, currencies: &[Currency]) -> Self {
        let variant = |id: &&str| VariantMetrics {
            id: (*id).to_owned(),
            stages: STAGES
                .iter()
                .map(|stage| vecs.prompts.with_label_values(&[site, rule.id, id, stage]))
                .collect(),
            values: currencies
                .iter()
                .copied()
                .map(Some)
                .chain([None])
                .map(|currency| {
                    let label = currency_label(currency.as_ref());
                    let labels = [site, rule.id, *id, label];
                    (currency, vecs.conversion_value.with_label_values(&labels))
                })
                .collect(),
        };
        let stop = |by: &&str| {
            let counter = vecs.rule_stopped.with_label_values(&[site, rule.id, by]);
            ((*by).to_owned(), counter)
        };
        Self {
            id: rule.id.to_owned(),
            variants: rule.variants.iter().map(variant).collect(),
            stops: rule.stops.iter().map(stop).collect(),
            shadow_matches: rule
                .is_shadow
                .then(|| vecs.shadow_matches.with_label_values(&[site, rule.id])),
        }
    }

    /// Counts a session in which the rule, in shadow mode, would have had its turn.
    pub fn shadow_matched(&self) {
        if let Some(counter) = &self.shadow_matches {
            counter.inc();
        }
    }

    /// The place of a variant by its id.
    #[must_use]
    pub fn variant_named(&self, id: &str) -> Option<usize> {
        self.variants.iter().position(|variant| variant.id == id)
    }

    /// Counts a prompt that came so far. A variant that is not there counts nothing.
    pub fn prompt(&self, variant: usize, stage: PromptStage) {
        let variant = self.variants.get(variant);
        if let Some(counter) = variant.and_then(|variant| variant.stages.get(stage as usize)) {
            counter.inc();
        }
    }

    /// Adds what a conversion was worth. Negative amounts (refunds) count nothing: it only grows.
    pub fn conversion_value(&self, variant: usize, amount: Amount, currency: Currency) {
        let Some(variant) = self.variants.get(variant) else { return };
        let known = variant.values.iter().find(|(known, _)| *known == Some(currency));
        if let Some((_, counter)) = known.or(variant.values.last())
            && amount.0 > 0
        {
            #[expect(clippy::cast_precision_loss, reason = "Prometheus knows only floats")]
            counter.inc_by(amount.0 as f64 / Amount::SCALE as f64);
        }
    }

    /// Counts that the rule did not apply, by the place in [`RuleSeries::stops`] of what first
    /// stopped it. A place that is not there counts nothing.
    pub fn stopped(&self, by: usize) {
        if let Some((_, counter)) = self.stops.get(by) {
            counter.inc();
        }
    }
}
