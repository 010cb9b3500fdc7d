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
    let until = pause_end(&site.caps, facts);
    if until > facts.now { Gate::ClosedUntil(until) } else { Gate::Open }
}

/// When the visitor's last pause ends. A pause of zero never begins.
fn pause_end(caps: &Caps, facts: &Facts<'_>) -> Timestamp {
    let history = facts.history;
    let after = |at: Option<Timestamp>, pause: Millis| match at {
        Some(at) if pause > Millis::ZERO => at + pause,
        _ => Timestamp::MIN,
    };
    let offers = history.offers.iter().map(|offer| {
        let pause = if facts.session.is_own_offer(offer) { caps.between } else { caps.cooldown };
        after(Some(offer.at), pause)
    });
    offers
        .chain([
            after(history.last_dismissal, caps.after_dismissal),
            after(history.last_acceptance, caps.after_acceptance),
        ])
        .max()
        .unwrap_or(Timestamp::MIN)
}
