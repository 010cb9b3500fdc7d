//! Granting an offer: everything that could forbid it is locked, looked at, and only then changed.
//!
//! Must not: change anything before it is certain that the offer is granted.

use super::MemoryStore;
use super::claims::{Decision, Record};
use super::repeats::Known;
use super::sessions::Entry;
use crate::domain::caps::{Claim, Claimed, Refusal};
use crate::domain::history::{History, Offer};
use crate::domain::ids::VisitorKey;
use crate::domain::session::Session;
use crate::domain::time::{Millis, Timestamp};
use crate::store::StoreError;
use crate::store::disk::OfferRow;

impl MemoryStore {
    pub(super) fn claim_now(&self, claim: &Claim) -> Result<Claimed, StoreError> {
        let key = &claim.session;
        let Some(mut guard) = self.sessions.get_mut(key) else {
            return Ok(Claimed::Refused(Refusal::SessionOver));
        };
        let entry = &mut **guard;
        if entry.mark() != claim.mark || entry.is_denial() {
            return Ok(Claimed::Refused(Refusal::SessionOver));
        }
        let at = claim.at.max(entry.session.clock);
        if entry.is_expired(at) {
            return Ok(Claimed::Refused(Refusal::SessionOver));
        }
        if let Some(refusal) = session_refusal(entry, claim, at) {
            return Ok(Claimed::Refused(refusal));
        }
        let names = union(&claim.visitors, &entry.session.visitors);
        let mut records = self.claims.lock(key);
        let mut visitors = self.visitors.lock_all(&names);
        let mut last_offer = entry.session.own.last_offer_of(&claim.rule);
        for name in &names {
            let Some(visitor) = visitors.get_mut(name) else { continue };
            if let Some(refusal) = visitor_refusal(&visitor.history, &entry.session, claim, at) {
                return Ok(Claimed::Refused(refusal));
            }
            last_offer = last_offer.max(visitor.history.last_offer_of(&claim.rule));
        }
        if last_offer.is_some_and(|last| at < claim.repeat.next_after(last)) {
            return Ok(Claimed::Refused(Refusal::Repeat));
        }
        let mut windows = self.limits.lock(&key.site);
        if claim.is_prompt
            && let Some(refusal) =
                windows.refusal(&claim.rule, &claim.rule_limits, &claim.site_limits, at)
        {
            return Ok(Claimed::Refused(refusal));
        }
        self.claims.make_room(&mut records, key, at)?;
        visitors.ensure(&names, at)?;

        // Granted: from here on nothing can fail.
        let offer = Offer { session: claim.mark, at, is_prompt: claim.is_prompt };
        if claim.is_prompt {
            windows.spend(&claim.rule, &claim.rule_limits, &claim.site_limits, at);
        }
        for name in &names {
            if let Some(visitor) = visitors.get_mut(name) {
                visitor.history.remember(offer.clone(), Some(&claim.rule));
                visitor.protect(claim);
            }
        }
        let session = &mut entry.session;
        session.offers = session.offers.saturating_add(1);
        session.is_held_out |= !claim.is_prompt;
        session.own.remember(offer, Some(&claim.rule));
        entry.has_claims = true;
        let event = claim.event.as_ref().map(|event| self.hash(event));
        if let Some(event) = event {
            entry.recent.set(event, Known::Answered(claim.answer.clone()));
        }
        let record = records
            .entry(key.clone())
            .or_insert_with(|| Box::new(Record::of(session, claim.mark, entry.timeout)));
        record.refresh(session, claim.mark, entry.timeout);
        record.decided(Decision::new(claim, event, at));
        self.sessions.touch(key, entry);
        if let Some(journal) = &self.journal {
            // Nobody waits for what is silent, but a crash should not bring a prompt after it.
            journal.mark_urgent(|marks| {
                marks.claim(key);
                marks.visitors.extend(names);
                marks.offers.extend(counted(claim, at));
            });
        }
        Ok(Claimed::Granted)
    }
}

/// The offer, once for each that limits it.
fn counted(claim: &Claim, at: Timestamp) -> impl Iterator<Item = OfferRow> {
    let row = |rule| OfferRow { site: claim.session.site.clone(), rule, at: at.0 };
    let of_rule = (!claim.rule_limits.is_empty()).then(|| row(Some(claim.rule.clone())));
    let of_site = (!claim.site_limits.is_empty()).then(|| row(None));
    of_rule.into_iter().chain(of_site).filter(|_| claim.is_prompt)
}

/// What the session itself forbids.
fn session_refusal(entry: &Entry, claim: &Claim, at: Timestamp) -> Option<Refusal> {
    let session = &entry.session;
    if session.own.is_opted_out {
        return Some(Refusal::OptedOut);
    }
    if session.is_held_out {
        return Some(Refusal::HeldOut);
    }
    if session.offers >= claim.caps.per_session {
        return Some(Refusal::SessionCap);
    }
    let last = session.own.offers.iter().map(|offer| offer.at).max();
    if is_within(claim.caps.between, last, at) {
        return Some(Refusal::Cooldown);
    }
    word_refusal(&session.own, claim, at)
}

/// What the visitor's history forbids, but for the rule's own repeat.
fn visitor_refusal(
    history: &History,
    session: &Session,
    claim: &Claim,
    at: Timestamp,
) -> Option<Refusal> {
    if history.is_opted_out {
        return Some(Refusal::OptedOut);
    }
    let elsewhere = history
        .offers
        .iter()
        .filter(|offer| offer.session != claim.mark && !session.is_own_offer(offer));
    if is_within(claim.caps.cooldown, elsewhere.map(|offer| offer.at).max(), at) {
        return Some(Refusal::Cooldown);
    }
    word_refusal(history, claim, at)
}

/// What a dismissal or an acceptance forbids.
fn word_refusal(history: &History, claim: &Claim, at: Timestamp) -> Option<Refusal> {
    let is_held_back = is_within(claim.caps.after_dismissal, history.last_dismissal, at)
        || is_within(claim.caps.after_acceptance, history.last_acceptance, at);
    is_held_back.then_some(Refusal::Cooldown)
}

/// Whether a pause since then is not over. No pause never holds back, wherever clocks went.
fn is_within(pause: Millis, since: Option<Timestamp>, at: Timestamp) -> bool {
    pause > Millis::ZERO && since.is_some_and(|since| at < since + pause)
}

/// All these names, each once.
pub(super) fn union(some: &[VisitorKey], others: &[VisitorKey]) -> Vec<VisitorKey> {
    let mut all: Vec<VisitorKey> = Vec::with_capacity(some.len() + others.len());
    for name in some.iter().chain(others) {
        if !all.contains(name) {
            all.push(name.clone());
        }
    }
    all
}
