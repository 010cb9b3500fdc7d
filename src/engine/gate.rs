//! Whether this visitor may be prompted at all, before any rule is asked.
//!
//! Must not: take anything; the store's claim checks the same caps again, and takes.

use crate::domain::caps::Caps;
use crate::domain::decision::Reason;
use crate::domain::facts::Facts;
use crate::domain::time::{Millis, Timestamp};
use crate::domain::visit::Consent;
use crate::rules::model::Site;

/// What the caps say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gate {
    /// A prompt is allowed.
    Open,
    /// None until that moment.
    ClosedUntil(Timestamp),
    /// None, and nothing on this page changes that.
    Closed(Reason),
}

/// The first reason that applies.
#[must_use]
pub fn gate(site: &Site, facts: &Facts<'_>) -> Gate {
    let session = facts.session;
    if facts.history.is_opted_out {
        return Gate::Closed(Reason::OptedOut);
    }
    let lacks_consent = match session.consent {
        Some(Consent::Denied) => true,
        Some(Consent::Granted) => false,
        None => site.is_consent_required,
    };
    if lacks_consent {
        return Gate::Closed(Reason::NoConsent);
    }
    if facts.visit.device.is_bot {
        return Gate::Closed(Reason::Bot);
    }
    if session.is_held_out {
        return Gate::Closed(Reason::Holdout);
    }
    if session.offers >= site.caps.per_session {
        return Gate::Closed(Reason::AlreadyPrompted);
    }
    match pause(&site.caps, facts) {
        Some(pause) if pause.until > facts.now => Gate::ClosedUntil(pause.until),
        _ => Gate::Open,
    }
}

/// A pause between prompts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pause {
    /// The first moment after it.
    pub until: Timestamp,
    /// The cap that sets it, as rule files name it.
    pub cap: &'static str,
    /// Its length.
    pub length: Millis,
    /// When it began.
    pub since: Timestamp,
}

/// The visitor's pause that ends last. One of zero never begins.
#[must_use]
pub fn pause(caps: &Caps, facts: &Facts<'_>) -> Option<Pause> {
    let history = facts.history;
    let after = |at: Option<Timestamp>, cap, length: Millis| {
        let since = at.filter(|_| length > Millis::ZERO)?;
        Some(Pause { until: since + length, cap, length, since })
    };
    let offers = history.offers.iter().map(|offer| {
        if facts.session.is_own_offer(offer) {
            after(Some(offer.at), "between", caps.between)
        } else {
            after(Some(offer.at), "cooldown", caps.cooldown)
        }
    });
    offers
        .chain([
            after(history.last_dismissal, "after_dismissal", caps.after_dismissal),
            after(history.last_acceptance, "after_acceptance", caps.after_acceptance),
        ])
        .flatten()
        .max_by_key(|pause| pause.until)
}
