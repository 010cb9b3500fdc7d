//! What is remembered of a visitor from one session to the next.

use std::sync::Arc;

use super::time::Timestamp;
use super::visit::Attributes;

/// The most rules whose offers are remembered for one visitor; the longest ago go first.
pub const MAX_RULES: usize = 64;
/// The most offers remembered one by one, for the cooldown between sessions.
pub const MAX_OFFERS: usize = 4;

/// What prompts a visitor was offered, and what the visitor made of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History {
    /// Sessions begun, the running one included.
    pub sessions: u32,
    /// The newest offers and the sessions they were made in, newest last.
    pub offers: Vec<Offer>,
    /// Offers rule by rule.
    pub rules: Vec<RuleOffers>,
    /// When a prompt was last dismissed.
    pub last_dismissal: Option<Timestamp>,
    /// When one was last accepted.
    pub last_acceptance: Option<Timestamp>,
    /// When a chat last began.
    pub last_chat: Option<Timestamp>,
    /// Whether the visitor asked never to be prompted.
    pub is_opted_out: bool,
    /// What the site's CRM says; only under an identity.
    pub crm: Option<Arc<Attributes>>,
}

/// One offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    /// In which session: told apart from others of the same visitor, not named.
    pub session: SessionMark,
    /// When.
    pub at: Timestamp,
    /// Whether the visitor could have seen it (not a silent one of a holdout).
    pub is_prompt: bool,
}

/// Tells one run of a session id from any other: a stable hash of the id, and its start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionMark {
    /// A hash of the session's id.
    pub id: u64,
    /// When that run of it began.
    pub started_at: Timestamp,
}

/// A rule's offers to one visitor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RuleOffers {
    /// The rule's id.
    pub rule: Arc<str>,
    /// The last one.
    pub last_at: Timestamp,
}

impl History {
    /// Remembers an offer, of a rule or (`None`) of another tool. Gives what was known of the
    /// rule's last offer, for [`History::forget`].
    pub fn remember(&mut self, offer: Offer, rule: Option<&Arc<str>>) -> Option<Timestamp> {
        let at = offer.at;
        if self.offers.len() >= MAX_OFFERS {
            self.offers.remove(0);
        }
        self.offers.push(offer);
        let rule = rule?;
        if let Some(known) = self.rules.iter_mut().find(|known| known.rule == *rule) {
            let previous = known.last_at;
            known.last_at = previous.max(at);
            return Some(previous);
        }
        if self.rules.len() >= MAX_RULES
            && let Some(oldest) =
                (0..self.rules.len()).min_by_key(|i| self.rules.get(*i).map(|r| r.last_at))
        {
            self.rules.swap_remove(oldest);
        }
        self.rules.push(RuleOffers { rule: rule.clone(), last_at: at });
        None
    }

    /// Takes back an offer whose claim failed halfway: `previous` is what remembering it gave.
    pub fn forget(&mut self, offer: &Offer, rule: Option<&str>, previous: Option<Timestamp>) {
        self.offers.retain(|known| known != offer);
        let Some(rule) = rule else { return };
        match previous {
            Some(previous) => {
                if let Some(known) = self.rules.iter_mut().find(|known| &*known.rule == rule) {
                    known.last_at = previous;
                }
            }
            None => self.rules.retain(|known| &*known.rule != rule),
        }
    }

    /// When that rule was last offered.
    #[must_use]
    pub fn last_offer_of(&self, rule: &str) -> Option<Timestamp> {
        self.rules.iter().find(|known| &*known.rule == rule).map(|known| known.last_at)
    }

    /// When the visitor last could see a prompt.
    #[must_use]
    pub fn last_prompt(&self) -> Option<Timestamp> {
        self.offers.iter().filter(|offer| offer.is_prompt).map(|offer| offer.at).max()
    }

    /// Joins what is known under another name of the same visitor: newest moments, any opt-out.
    pub fn merge(&mut self, other: &Self) {
        self.sessions = self.sessions.max(other.sessions);
        for offer in &other.offers {
            if !self.offers.contains(offer) {
                self.offers.push(offer.clone());
            }
        }
        for rule in &other.rules {
            match self.rules.iter_mut().find(|known| known.rule == rule.rule) {
                Some(known) => known.last_at = known.last_at.max(rule.last_at),
                None => self.rules.push(rule.clone()),
            }
        }
        self.last_dismissal = self.last_dismissal.max(other.last_dismissal);
        self.last_acceptance = self.last_acceptance.max(other.last_acceptance);
        self.last_chat = self.last_chat.max(other.last_chat);
        self.is_opted_out |= other.is_opted_out;
        if other.crm.is_some() {
            self.crm.clone_from(&other.crm);
        }
    }
}
