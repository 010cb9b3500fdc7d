//! Why nothing may be shown whatever the rules say: the reasons before the rules' own.
//!
//! Must not: judge rules.

use koekake::domain::caps::Caps;
use koekake::domain::decision::Reason;
use koekake::domain::facts::Facts;
use koekake::domain::history::SessionMark;
use koekake::domain::visit::Consent;

use super::eval::Site;
use super::values::duration;
use super::yaml::Value;

/// The site's caps. Without a word: one prompt a session, a day between sessions, and so on.
pub fn caps_of(site: &Site) -> Caps {
    let caps = site.settings.get("caps");
    let pause =
        |name, usual| duration(caps.and_then(|caps| caps.get(name)).map_or(usual, Value::text));
    Caps {
        per_session: caps
            .and_then(|caps| caps.get("per_session"))
            .map_or(1, |n| n.text().parse().expect("a whole number")),
        cooldown: pause("cooldown", "24h"),
        between: pause("between", "5m"),
        after_dismissal: pause("after_dismissal", "7d"),
        after_acceptance: pause("after_acceptance", "30d"),
    }
}

/// The first reason that stands before the rules, if any does. `mark` is this session's.
pub fn stopped(site: &Site, facts: &Facts<'_>, mark: SessionMark) -> Option<Reason> {
    let caps = caps_of(site);
    let needs_consent =
        site.settings.get("consent").is_some_and(|consent| consent.text() == "required");
    let consent = facts.visit.consent.or(facts.session.consent);
    let history = facts.history;
    if history.is_opted_out {
        return Some(Reason::OptedOut);
    }
    if consent == Some(Consent::Denied) || (needs_consent && consent != Some(Consent::Granted)) {
        return Some(Reason::NoConsent);
    }
    if facts.visit.device.is_bot {
        return Some(Reason::Bot);
    }
    if facts.session.is_held_out {
        return Some(Reason::Holdout);
    }
    if facts.session.offers >= caps.per_session {
        return Some(Reason::AlreadyPrompted);
    }
    let is_paused = history.offers.iter().any(|offer| {
        let pause = if offer.session == mark { caps.between } else { caps.cooldown };
        facts.now < offer.at + pause
    });
    let is_within = |at: Option<_>, pause| at.is_some_and(|at| facts.now < at + pause);
    let is_paused = is_paused
        || is_within(history.last_dismissal, caps.after_dismissal)
        || is_within(history.last_acceptance, caps.after_acceptance);
    is_paused.then_some(Reason::Cooldown)
}
