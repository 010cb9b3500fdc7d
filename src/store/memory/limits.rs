//! How many prompts a rule or a site made in sliding windows, exactly.
//!
//! A window `(t - length, t]` holds at most `most` offers, for every `t`, whatever order they come
//! in. Offers older than twice the longest window are forgotten; one that should be counted among
//! them (a clock jumped back) is refused. A limit that a reload adds starts to count then.
//!
//! Must not: count offers nobody can see. Callers must not ask for anything here while they hold
//! a guard from here.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use ahash::RandomState;
use dashmap::DashMap;
use dashmap::mapref::one::RefMut;

use super::slices::small;
use crate::domain::caps::{Limit, Refusal};
use crate::domain::ids::SiteKey;
use crate::domain::time::{Millis, Timestamp};
use crate::store::disk::OfferRow;

/// The most offers counted in one window; a limit above it acts as this one.
const MAX_COUNTED: usize = 1_000_000;

/// The longest window that a rule file can ask for.
pub(super) const LONGEST: Millis = Millis::days(1);

/// One rule's or site's offers.
#[derive(Debug, Default)]
struct Window {
    /// When, in order.
    offers: VecDeque<i64>,
    /// The longest window asked for.
    longest: i64,
    /// The newest offer that was forgotten.
    forgotten: Option<i64>,
}

/// One site's windows.
#[derive(Debug, Default)]
pub(super) struct SiteWindows {
    all: Window,
    rules: HashMap<Arc<str>, Window>,
}

/// All sites'.
#[derive(Debug)]
pub(super) struct Windows(DashMap<SiteKey, SiteWindows, RandomState>);

impl Default for Windows {
    fn default() -> Self {
        Self(small())
    }
}

fn most_of(limit: &Limit) -> usize {
    usize::try_from(limit.most).unwrap_or(usize::MAX).min(MAX_COUNTED)
}

impl Window {
    fn has_room(&self, limits: &[Limit], at: i64) -> bool {
        // Sessions' clocks differ a little, so an offer may belong before ones already made: then
        // every window that would hold it is looked at.
        let place = self.offers.partition_point(|offer| *offer <= at);
        let with = |i: usize| match i.cmp(&place) {
            std::cmp::Ordering::Less => self.offers.get(i).copied(),
            std::cmp::Ordering::Equal => Some(at),
            std::cmp::Ordering::Greater => self.offers.get(i - 1).copied(),
        };
        limits.iter().all(|limit| {
            let most = most_of(limit);
            let first = place.saturating_sub(most);
            most > 0
                && self.forgotten.is_none_or(|o| at.saturating_sub(o) >= limit.window.0)
                && (first..=place.min(self.offers.len().saturating_sub(most))).all(|i| {
                    match (with(i), with(i + most)) {
                        (Some(oldest), Some(newest)) => {
                            newest.saturating_sub(oldest) >= limit.window.0
                        }
                        _ => true,
                    }
                })
        })
    }

    fn spend(&mut self, limits: &[Limit], at: i64) {
        let Some(longest) = limits.iter().map(|limit| limit.window.0).max() else { return };
        let most = limits.iter().map(most_of).max().unwrap_or(0);
        self.longest = longest;
        let place = self.offers.partition_point(|offer| *offer <= at);
        self.offers.insert(place, at);
        let newest = self.offers.back().copied().unwrap_or(at);
        while self.offers.len() > most.saturating_mul(2)
            || self.offers.front().is_some_and(|o| self.is_past(*o, newest))
        {
            self.forgotten = self.forgotten.max(self.offers.pop_front());
        }
    }

    fn is_past(&self, offer: i64, now: i64) -> bool {
        now.saturating_sub(offer) >= self.longest.saturating_mul(2)
    }

    fn is_over(&self, now: Timestamp) -> bool {
        self.offers.back().is_none_or(|newest| self.is_past(*newest, now.0))
    }
}

impl SiteWindows {
    /// Which limit leaves no room for another offer at that moment, if one does.
    pub(super) fn refusal(
        &self,
        rule: &str,
        rule_limits: &[Limit],
        site_limits: &[Limit],
        at: Timestamp,
    ) -> Option<Refusal> {
        let nothing = Window::default();
        if !self.rules.get(rule).unwrap_or(&nothing).has_room(rule_limits, at.0) {
            Some(Refusal::RuleLimit)
        } else if !self.all.has_room(site_limits, at.0) {
            Some(Refusal::SiteLimit)
        } else {
            None
        }
    }

    /// Counts an offer.
    pub(super) fn spend(
        &mut self,
        rule: &Arc<str>,
        rule_limits: &[Limit],
        site_limits: &[Limit],
        at: Timestamp,
    ) {
        if !rule_limits.is_empty() {
            self.rules.entry(rule.clone()).or_default().spend(rule_limits, at.0);
        }
        self.all.spend(site_limits, at.0);
    }
}

impl Windows {
    /// A site's windows, locked.
    pub(super) fn lock(&self, site: &SiteKey) -> RefMut<'_, SiteKey, SiteWindows> {
        if let Some(known) = self.0.get_mut(site) {
            return known;
        }
        self.0.entry(site.clone()).or_default()
    }

    /// Whether one of the limits of a rule, or of the site, is reached.
    pub(super) fn is_reached(
        &self,
        site: &SiteKey,
        rule: Option<&str>,
        limits: &[Limit],
        now: Timestamp,
    ) -> bool {
        if limits.is_empty() {
            return false;
        }
        let nothing = Window::default();
        let Some(site) = self.0.get(site) else { return !nothing.has_room(limits, now.0) };
        let window = match rule {
            Some(rule) => site.rules.get(rule).unwrap_or(&nothing),
            None => &site.all,
        };
        !window.has_room(limits, now.0)
    }

    /// Counts an offer that was read from the data folder: of a rule, or of the site.
    pub(super) fn put(&self, offer: OfferRow) {
        let OfferRow { site, rule, at } = offer;
        let mut windows = self.lock(&site);
        let window = match rule {
            Some(rule) => windows.rules.entry(rule).or_default(),
            None => &mut windows.all,
        };
        let place = window.offers.partition_point(|known| *known <= at);
        window.offers.insert(place, at);
        // How long a window the rules ask for is not known before the next offer.
        window.longest = LONGEST.0;
    }

    /// Calls `each` with every offer that is counted.
    pub(super) fn for_each(&self, mut each: impl FnMut(OfferRow)) {
        for site in &self.0 {
            let rules = site.rules.iter().map(|(rule, window)| (Some(rule), window));
            for (rule, window) in rules.chain([(None, &site.all)]) {
                for at in &window.offers {
                    each(OfferRow { site: site.key().clone(), rule: rule.cloned(), at: *at });
                }
            }
        }
    }

    /// Forgets all offers.
    pub(super) fn clear(&self) {
        self.0.clear();
    }

    /// Drops windows in which nothing is left, of rules that went for instance.
    pub(super) fn sweep(&self, now: Timestamp) {
        self.0.iter_mut().for_each(|mut site| site.rules.retain(|_, window| !window.is_over(now)));
    }
}
