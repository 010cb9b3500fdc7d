//! The judge: what was answered, held against what is promised.
//!
//! Must not: ask the service anything.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use crate::export::Remembered;
use crate::shop::{KIOSK_LIMIT, SCARCE_LIMIT};
use crate::witness::{Answer, Call, What, Who};

/// A promise that was broken, with all that led there.
#[derive(Debug)]
pub struct Violation {
    pub promise: &'static str,
    pub details: String,
    pub history: Vec<Call>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct Verdict {
    pub violations: Vec<Violation>,
    /// What is worth knowing and breaks no promise.
    pub notes: Vec<String>,
    pub calls: usize,
    pub prompts: usize,
    pub retries: u32,
    pub lost: usize,
    pub unavailable: usize,
    pub outcomes: usize,
    /// Page views that were answered and are not remembered.
    pub forgotten_views: usize,
    /// Sessions that were held out, and prompted later.
    pub forgotten_holdouts: usize,
}

impl Verdict {
    /// Judges all calls, in the order in which they were done with.
    pub fn of(calls: &[Call]) -> Self {
        let mut verdict = Self {
            calls: calls.len(),
            retries: calls.iter().map(|call| call.tries - 1).sum(),
            lost: calls.iter().filter(|call| call.answer == Answer::Lost).count(),
            unavailable: calls.iter().filter(|call| call.answer.is_unavailable()).count(),
            ..Self::default()
        };
        let of_session = group(calls, |call| call.who.session.clone());
        let of_visitor = group(calls, |call| one_human(&call.who));
        for calls in of_session.values() {
            let is_one = calls.iter().all(|call| call.who == calls[0].who);
            assert!(is_one, "the clients made one session's id twice");
            verdict.one_prompt_a_session(calls);
            verdict.repeats_get_the_same(calls);
            verdict.other_prompts_count(calls);
            verdict.held_out_stay_so(calls);
        }
        for calls in of_visitor.values() {
            verdict.cooldown_holds(calls);
            verdict.nothing_after_opt_out(calls);
            verdict.crm_is_the_newest(calls);
        }
        verdict.limits_hold(calls);
        for call in calls {
            if let Answer::Wrong(answer) = &call.answer {
                verdict.broken("every call is understood", answer.clone(), &[call]);
            }
        }
        verdict
    }

    /// What was acknowledged must be what is remembered at the end.
    pub fn compare(&mut self, calls: &[Call], remembered: &Remembered) {
        let accepted = |call: &&Call| call.is_accepted();
        let outcomes = group(calls, |call| match &call.what {
            What::Outcome { decision, .. } => decision.clone(),
            _ => String::new(),
        });
        for (decision, calls) in outcomes.iter().filter(|(decision, _)| !decision.is_empty()) {
            let none = BTreeSet::new();
            let stages = remembered.stages.get(decision).unwrap_or(&none);
            let mut orders = BTreeSet::new();
            for call in calls.iter().filter(|call| accepted(call)) {
                self.outcomes += 1;
                let What::Outcome { kind, order, .. } = &call.what else { continue };
                let wanted: &[&str] = match *kind {
                    "prompt_shown" => &["shown"],
                    "prompt_accepted" => &["accepted", "shown"],
                    "prompt_dismissed" => &["dismissed"],
                    _ => {
                        orders.extend(order);
                        &["converted"]
                    }
                };
                if let Some(missing) = wanted.iter().find(|stage| !stages.contains(**stage)) {
                    let details =
                        format!("`{missing}` of {decision} is not remembered: {stages:?}");
                    self.broken("an acknowledged outcome is kept", details, calls);
                }
            }
            let sent: BTreeSet<_> = calls
                .iter()
                .filter_map(|call| match &call.what {
                    What::Outcome { order, .. } => order.as_ref(),
                    _ => None,
                })
                .collect();
            let kept = remembered.conversions.get(decision).copied().unwrap_or(0);
            let kept = usize::try_from(kept).unwrap();
            if kept < orders.len() || kept > sent.len() {
                let details = format!(
                    "{kept} orders followed {decision}; {} were acknowledged, {} sent",
                    orders.len(),
                    sent.len()
                );
                self.broken("each order counts once", details, calls);
            }
        }
        for call in calls {
            if let Some(decision) = call.shown()
                && remembered.sessions.get(decision) != Some(&call.who.session)
            {
                let details = format!("{decision} is not among the session's");
                self.broken("an offer is remembered", details, &[call]);
            }
            if call.what == What::OptOut
                && call.is_accepted()
                && !remembered.opted_out.contains(&call.who.visitor)
            {
                self.broken("an opt-out is kept", "it is not remembered".to_owned(), &[call]);
            }
        }
        self.compare_page_views(calls, remembered);
    }

    /// While nothing could become durable, nobody may have been offered anything.
    pub fn nothing_while(&mut self, spans: &[(Duration, Duration)], calls: &[Call]) {
        for calls in group(calls, |call| call.who.session.clone()).values() {
            for (begun, ended) in spans {
                let within = |call: &&Call| call.sent >= *begun && call.done <= *ended;
                if let Some(call) = fresh_prompts(calls).find(within) {
                    let details = format!("while nothing could be written: {call}");
                    self.broken("an offer is durable", details, calls);
                }
            }
        }
    }

    fn one_prompt_a_session(&mut self, calls: &[&Call]) {
        let shown: BTreeSet<_> =
            calls.iter().filter_map(|call| Some((call.shown()?, &call.event))).collect();
        let decisions: BTreeSet<_> = shown.iter().map(|(decision, _)| decision).collect();
        self.prompts += decisions.len();
        if decisions.len() > 1 {
            self.broken("one prompt a session", format!("{decisions:?}"), calls);
        } else if shown.len() > 1 {
            let details = "the same prompt was given to two events".to_owned();
            self.broken("one prompt a session", details, calls);
        }
    }

    /// A prompt comes back to the event that it was given to.
    fn repeats_get_the_same(&mut self, calls: &[&Call]) {
        // Without consent, and after an opt-out, nothing is told again.
        let is_quiet = |call: &&Call| matches!(call.what, What::Consent(_) | What::OptOut);
        if calls.iter().any(is_quiet) {
            return;
        }
        for first in calls {
            let Some(decision) = first.shown() else { continue };
            let later = |call: &&&Call| call.event == first.event && call.sent > first.done;
            for call in calls.iter().filter(later) {
                let Answer::Decided { .. } = &call.answer else { continue };
                if call.shown() != Some(decision) && !call.answer.is_unavailable() {
                    let details = format!("{decision} did not come back: {call}");
                    self.broken("a repeat gets the same prompt", details, calls);
                }
            }
        }
    }

    fn other_prompts_count(&mut self, calls: &[&Call]) {
        let other = calls.iter().find(|call| call.what == What::OtherPrompt && call.is_accepted());
        if let Some(other) = other
            && let Some(call) = fresh_prompts(calls).find(|call| call.sent > other.done)
        {
            let details = format!("after another tool's prompt: {call}");
            self.broken("prompts of other tools count", details, calls);
        }
    }

    /// Nobody is harmed where it is forgotten, but the comparison is.
    fn held_out_stay_so(&mut self, calls: &[&Call]) {
        let held = calls.iter().find(
            |call| matches!(&call.answer, Answer::Decided { reason, .. } if reason == "holdout"),
        );
        if let Some(held) = held
            && let Some(call) = fresh_prompts(calls).find(|call| call.sent > held.done)
        {
            if self.forgotten_holdouts == 0 {
                self.notes.push(format!("held out, then prompted:\n  {held}\n  {call}"));
            }
            self.forgotten_holdouts += 1;
        }
    }

    fn cooldown_holds(&mut self, calls: &[&Call]) {
        let sessions: BTreeSet<_> = calls
            .iter()
            .filter(|call| call.shown().is_some())
            .map(|call| &call.who.session)
            .collect();
        if sessions.len() > 1 {
            let details = format!("prompts in {} sessions within 24 hours", sessions.len());
            self.broken("the cooldown", details, calls);
        }
    }

    fn nothing_after_opt_out(&mut self, calls: &[&Call]) {
        let out = calls.iter().find(|call| call.what == What::OptOut && call.is_accepted());
        if let Some(out) = out
            && let Some(call) = fresh_prompts(calls).find(|call| call.sent > out.done)
        {
            self.broken("no prompt after an opt-out", format!("{call}"), calls);
        }
    }

    /// What the CRM said last is what is known, as far as "last" can be told from outside.
    fn crm_is_the_newest(&mut self, calls: &[&Call]) {
        let said = |call: &&&Call| matches!(call.what, What::Crm(_)) && call.is_accepted();
        for read in calls.iter() {
            let Answer::Known(known) = &read.answer else { continue };
            let source = known.and_then(|n| calls.iter().find(|call| call.what == What::Crm(n)));
            let began = match (known, source) {
                (None, _) => None,
                (Some(_), Some(call)) if call.is_accepted() => Some(call.done),
                // It was sent, and its answer was lost: it may have come at any time since.
                (Some(_), Some(_)) => continue,
                (Some(number), None) => {
                    self.broken("the CRM's word", format!("nobody ever said {number}"), calls);
                    continue;
                }
            };
            let newer = calls
                .iter()
                .filter(said)
                .find(|call| call.done < read.sent && began.is_none_or(|began| call.sent > began));
            if let Some(newer) = newer {
                let details = format!("{known:?} is known after {newer}");
                self.broken("the CRM's word", details, calls);
            }
        }
    }

    fn limits_hold(&mut self, calls: &[Call]) {
        let mut scarce: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        let mut kiosk = BTreeSet::new();
        for call in calls {
            let Some(decision) = call.shown() else { continue };
            if matches!(&call.answer, Answer::Decided { rule: Some(rule), .. } if rule == "scarce")
            {
                scarce.entry(call.who.site).or_default().insert(decision);
            }
            if call.who.site == "kiosk" {
                kiosk.insert(decision);
            }
        }
        for (site, offers) in &scarce {
            if offers.len() > SCARCE_LIMIT {
                let details = format!("{} of {SCARCE_LIMIT} in {site}", offers.len());
                self.broken("a rule's limit", details, &[]);
            }
        }
        if kiosk.len() > KIOSK_LIMIT {
            let details = format!("{} of {KIOSK_LIMIT}", kiosk.len());
            self.broken("a site's limit", details, &[]);
        }
    }

    /// Sessions are written behind: what a kill takes of them is told, not judged.
    fn compare_page_views(&mut self, calls: &[Call], remembered: &Remembered) {
        let (mut sessions, mut views, mut short, mut worst) = (0, 0, 0, 0);
        for (session, calls) in group(calls, |call| call.who.session.clone()) {
            if calls.iter().any(|call| matches!(call.what, What::Consent(_))) {
                continue;
            }
            let seen: BTreeSet<_> = calls
                .iter()
                .filter(|call| {
                    matches!(call.answer, Answer::Decided { .. }) && !call.answer.is_unavailable()
                })
                .map(|call| &call.event)
                .collect();
            let kept = remembered.page_views.get(&session).copied().unwrap_or(0);
            let missing = seen.len().saturating_sub(usize::try_from(kept).unwrap());
            sessions += 1;
            views += seen.len();
            short += missing;
            worst = worst.max(missing);
        }
        self.forgotten_views = short;
        self.notes.push(format!(
            "page views: {views} answered in {sessions} sessions, {short} of them forgotten, at \
             most {worst} of one session"
        ));
    }

    fn broken(&mut self, promise: &'static str, details: String, history: &[&Call]) {
        let history = history.iter().map(|call| (*call).clone()).collect();
        self.violations.push(Violation { promise, details, history });
    }
}

impl fmt::Display for Verdict {
    /// The counts, then each kind of violation with the history of its first case.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { calls, prompts, retries, lost, unavailable, outcomes, .. } = self;
        writeln!(
            f,
            "{calls} calls done with, {retries} sent again, {lost} never answered, {unavailable} \
             unavailable; {prompts} prompts, {outcomes} outcomes acknowledged and compared; {} \
             violations",
            self.violations.len()
        )?;
        let mut kinds: BTreeMap<&str, Vec<&Violation>> = BTreeMap::new();
        for violation in &self.violations {
            kinds.entry(violation.promise).or_default().push(violation);
        }
        for (promise, cases) in kinds {
            writeln!(f, "BROKEN {}x: {promise}", cases.len())?;
            writeln!(f, "  {}", cases[0].details)?;
            for call in &cases[0].history {
                writeln!(f, "  {call}")?;
            }
        }
        self.notes.iter().try_for_each(|note| writeln!(f, "note: {note}"))?;
        if self.forgotten_holdouts > 0 {
            writeln!(
                f,
                "note: {} sessions in all were held out, then prompted",
                self.forgotten_holdouts
            )?;
        }
        Ok(())
    }
}

/// Prompts for events that were not sent before: what was claimed before comes back later too.
fn fresh_prompts<'a>(calls: &'a [&'a Call]) -> impl Iterator<Item = &'a Call> {
    calls.iter().copied().filter(move |call| {
        let first = |other: &Call| {
            other.who.session == call.who.session
                && other.event == call.event
                && other.sent < call.sent
        };
        call.shown().is_some() && !calls.iter().any(|other| first(other))
    })
}

/// Who is known to be one human being: all of a customer's visitors, else each for itself.
fn one_human(who: &Who) -> String {
    format!("{} {}", who.site, who.customer.as_ref().unwrap_or(&who.visitor))
}

fn group(calls: &[Call], by: impl Fn(&Call) -> String) -> BTreeMap<String, Vec<&Call>> {
    let mut groups: BTreeMap<String, Vec<&Call>> = BTreeMap::new();
    for call in calls {
        groups.entry(by(call)).or_default().push(call);
    }
    groups
}
