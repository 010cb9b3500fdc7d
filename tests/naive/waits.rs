//! What an answer's `recheck` promises, held against the naive reading by stepping time and by
//! letting things happen on the page.
//!
//! Must not: know how an engine finds its waits.

use std::collections::BTreeSet;

use koekake::domain::decision::{Recheck, Trigger, Wait};
use koekake::domain::time::{Millis, Timestamp};
use koekake::domain::visit::{EXIT_INTENT, EventKind};

use super::eval::Decision;
use super::generate::Case;
use super::values;

/// An engine's word on a case.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    pub decision: Option<Decision>,
    pub recheck: Option<Recheck>,
}

/// Nothing beyond it is named.
const HORIZON: Millis = Millis::hours(6);

/// What can happen on a page that some generated rule asks for, and a little more.
fn happenings(case: &Case) -> Vec<Trigger> {
    let is_deeper = |percent: &u8| case.page.scroll_percent.is_none_or(|known| *percent > known);
    let is_longer = |length: &Millis| case.page.idle.is_none_or(|known| *length > known);
    let mut out = vec![Trigger::ExitIntent];
    out.extend(["form_error", "added"].map(|name| Trigger::Event(name.into())));
    let deeper = [0, 25, 26, 50, 51, 75, 76, 100].into_iter().filter(is_deeper);
    out.extend(deeper.map(Trigger::ScrollPercent));
    let longer = [0, 10_000, 10_001, 30_000, 30_001, 45_000, 45_001, 60_000].map(Millis);
    out.extend(longer.into_iter().filter(is_longer).map(Trigger::Idle));
    out
}

/// The case as the page reports it when that happened, so much later.
pub fn after_happening(case: &Case, trigger: &Trigger, elapsed: Millis) -> Case {
    let mut case = case.later(elapsed);
    let signal = |case: &mut Case, name: &str| {
        case.visit.event.kind = EventKind::Signal { name: name.into() };
        case.session.last_active_at = case.now;
        match case.session.events.iter_mut().find(|(known, _)| &**known == name) {
            Some((_, count)) => *count += 1,
            None => case.session.events.push((name.into(), 1)),
        }
    };
    match trigger {
        Trigger::ExitIntent => signal(&mut case, EXIT_INTENT),
        Trigger::Event(name) => signal(&mut case, name),
        Trigger::ScrollPercent(percent) => case.page.scroll_percent = Some(*percent),
        Trigger::Idle(length) => case.page.idle = Some(*length),
    }
    case
}

/// Whether a page that watches for `wait` would have asked in that case.
fn is_fired(wait: &Wait, before: &Case, case: &Case) -> bool {
    if case.now - before.now < wait.not_before {
        return false;
    }
    match &wait.on {
        Trigger::ExitIntent => case.visit.event.kind.is_exit_intent(),
        Trigger::Event(name) => case.session.event_count(name) > before.session.event_count(name),
        Trigger::ScrollPercent(percent) => case.page.scroll_percent.is_some_and(|p| p >= *percent),
        Trigger::Idle(length) => case.page.idle.is_some_and(|idle| idle >= *length),
    }
}

/// Lengths of time from now at which something may change, up to six hours or the session's end:
/// every length that the rules name since every moment that they may count from, and the quarters
/// of the hour; each with its neighbours.
pub fn instants(case: &Case) -> Vec<Millis> {
    let end = session_end(case) - case.now;
    let text: String = case.files.iter().map(|(_, text)| text.as_str()).collect();
    // And the pauses that a site has which names none.
    let text = text + &case.site_yaml + " 5m 24h 7d 30d";
    let lengths: BTreeSet<Millis> = regex::Regex::new(r"\b\d+(s|m|h|d)\b")
        .expect("a regex")
        .find_iter(&text)
        .map(|found| values::duration(found.as_str()))
        .collect();
    let since = |length: Option<Millis>| length.map(|length| case.now - length);
    let anchors: BTreeSet<Timestamp> = [
        Some(case.session.started_at),
        since(case.facts().time_on_page()),
        since(case.page.idle),
        case.history.last_dismissal,
        case.history.last_acceptance,
        case.history.last_chat,
    ]
    .into_iter()
    .flatten()
    .chain(case.history.offers.iter().map(|offer| offer.at))
    .chain(case.history.rules.iter().map(|rule| rule.last_at))
    .collect();
    let mut moments: BTreeSet<i64> = anchors
        .iter()
        .flat_map(|anchor| lengths.iter().map(|length| (*anchor + *length).0))
        .collect();
    const QUARTER: i64 = 15 * 60_000;
    moments.extend((0..=24).map(|n| (case.now.0.div_euclid(QUARTER) + n) * QUARTER));
    moments
        .into_iter()
        .flat_map(|moment| [moment - 1, moment, moment + 1])
        .map(|moment| Millis(moment - case.now.0))
        .filter(|elapsed| *elapsed > Millis::ZERO && *elapsed <= HORIZON && *elapsed < end)
        .collect::<BTreeSet<_>>()
        .into_iter()
        .collect()
}

/// When a session that only rechecks ends.
fn session_end(case: &Case) -> Timestamp {
    let site = case.site();
    let timeout = site.settings.get("session").and_then(|s| s.get("timeout")).expect("a timeout");
    case.session.last_active_at + values::duration(timeout.text())
}

/// Every promise of the answer's recheck; the first one broken, in words.
pub fn check(
    case: &Case,
    ask: &dyn Fn(&Case) -> Answer,
    naive: &dyn Fn(&Case) -> Option<Decision>,
) -> Result<(), String> {
    let answer = ask(case);
    if answer.decision.is_some() {
        return match answer.recheck {
            None => Ok(()),
            Some(recheck) => Err(format!("a rule decides, and {recheck:?} is named")),
        };
    }
    let recheck = answer.recheck.unwrap_or_default();
    let shows_unasked = |later: &Case| -> bool {
        naive(later).is_some() && !recheck.on.iter().any(|wait| is_fired(wait, case, later))
    };
    let instants = instants(case);
    let until = recheck.after.unwrap_or(Millis(i64::MAX));
    let before: Vec<_> = instants.iter().copied().filter(|elapsed| *elapsed < until).collect();

    // Asking earlier with nothing else changed never shows; nothing that comes by time is missed.
    for elapsed in &before {
        if shows_unasked(&case.later(*elapsed)) {
            return Err(format!("shows after {elapsed:?}, but {recheck:?} does not say so"));
        }
    }
    // What a page event would change is named, with the moment from which on it does.
    let some = [0, before.len() / 3, before.len() * 2 / 3, before.len().saturating_sub(1)];
    let some: BTreeSet<_> = some.iter().filter_map(|at| before.get(*at).copied()).collect();
    for elapsed in std::iter::once(Millis::ZERO).chain(some) {
        for trigger in happenings(case) {
            if shows_unasked(&after_happening(case, &trigger, elapsed)) {
                return Err(format!(
                    "{trigger:?} after {elapsed:?} shows, but {recheck:?} does not say so"
                ));
            }
        }
    }
    check_after(case, &recheck, ask)?;
    for wait in &recheck.on {
        check_wait(case, wait, &recheck, ask, naive)?;
    }
    Ok(())
}

/// Asking at the moment that was named shows, or names a later or another wait.
fn check_after(
    case: &Case,
    recheck: &Recheck,
    ask: &dyn Fn(&Case) -> Answer,
) -> Result<(), String> {
    let Some(after) = recheck.after else { return Ok(()) };
    if after <= Millis::ZERO || after > HORIZON || case.now + after > session_end(case) {
        return Err(format!("{after:?} is not within six hours and the session"));
    }
    if case.now + after == session_end(case) {
        return Ok(());
    }
    let is_known = |trigger: &Trigger| recheck.on.iter().any(|wait| wait.on == *trigger);
    // The visitor may have sat still, or done something meanwhile.
    let idle = case.page.idle;
    let then = [idle.map(|i| Millis(i.0 + after.0)), idle, idle.map(|_| Millis::ZERO)];
    let is_good = then.into_iter().any(|idle| {
        let mut later = case.later(after);
        later.page.idle = idle;
        let answer = ask(&later);
        answer.decision.is_some()
            || answer.recheck.is_some_and(|next| {
                next.after.is_some() || next.on.iter().any(|wait| !is_known(&wait.on))
            })
    });
    is_good.then_some(()).ok_or_else(|| format!("asking after {after:?} as told changes nothing"))
}

/// Asking on a named event shows or names a wait; before its time it shows nothing.
fn check_wait(
    case: &Case,
    wait: &Wait,
    recheck: &Recheck,
    ask: &dyn Fn(&Case) -> Answer,
    naive: &dyn Fn(&Case) -> Option<Decision>,
) -> Result<(), String> {
    let idle = case.page.idle.unwrap_or(Millis::ZERO);
    let natural = match &wait.on {
        Trigger::Idle(length) => wait.not_before.max(Millis(length.0 - idle.0)),
        _ => wait.not_before,
    };
    let is_good = [wait.not_before, natural].into_iter().any(|elapsed| {
        let mut later = after_happening(case, &wait.on, elapsed);
        let changes = |later: &Case| {
            let answer = ask(later);
            answer.decision.is_some() || answer.recheck.is_some()
        };
        changes(&later) || {
            // Whoever does something is no longer idle.
            let is_doing = !matches!(wait.on, Trigger::Idle(_));
            later.page.idle = later.page.idle.map(|_| Millis::ZERO);
            is_doing && changes(&later)
        }
    });
    if !is_good {
        return Err(format!("{wait:?} of {recheck:?} as told changes nothing"));
    }
    for elapsed in [Millis::ZERO, Millis(wait.not_before.0 / 2), Millis(wait.not_before.0 - 1)] {
        let is_early = elapsed >= Millis::ZERO && elapsed < wait.not_before;
        if !is_early || recheck.after.is_some_and(|after| elapsed >= after) {
            continue;
        }
        let later = after_happening(case, &wait.on, elapsed);
        if naive(&later).is_some() && !recheck.on.iter().any(|wait| is_fired(wait, case, &later)) {
            return Err(format!("{wait:?} shows after {elapsed:?} already"));
        }
    }
    Ok(())
}

/// A recheck found by trying everything: right, if wordy. The checks are checked with it.
pub fn brute(case: &Case, naive: &dyn Fn(&Case) -> Option<Decision>) -> Answer {
    let decision = naive(case);
    if decision.is_some() {
        return Answer { decision, recheck: None };
    }
    let instants = instants(case);
    let on: Vec<_> = happenings(case)
        .into_iter()
        .filter_map(|on| {
            std::iter::once(Millis::ZERO)
                .chain(instants.iter().copied())
                .find(|elapsed| naive(&after_happening(case, &on, *elapsed)).is_some())
                .map(|not_before| Wait { on, not_before })
        })
        .collect();
    let after = instants.into_iter().find(|elapsed| {
        let later = case.later(*elapsed);
        naive(&later).is_some() && !on.iter().any(|wait| is_fired(wait, case, &later))
    });
    let recheck = Recheck { after, spread: Millis::ZERO, on };
    let is_empty = recheck.after.is_none() && recheck.on.is_empty();
    Answer { decision, recheck: (!is_empty).then_some(recheck) }
}
