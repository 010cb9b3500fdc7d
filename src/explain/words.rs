//! Sentences: why the answer is what it is, what becomes of a rule, when something could hold.
//!
//! Must not: use a word that only programmers know.

use chrono_tz::Tz;

use super::{Opens, RuleOutcome, moment};
use crate::domain::decision::{Reason, Recheck, Trigger, Wait};
use crate::domain::facts::Facts;
use crate::domain::time::{Millis, Timestamp};
use crate::domain::visit::Consent;
use crate::engine::trace::{RuleTrace, Trace};
use crate::engine::{Stop, Win};
use crate::rules::model::RuleSet;

/// What sentences are made of.
pub(super) struct Says<'a> {
    pub(super) set: &'a RuleSet,
    pub(super) facts: &'a Facts<'a>,
    pub(super) trace: &'a Trace,
    pub(super) zone: Tz,
}

impl Says<'_> {
    /// Why the answer is what it is.
    pub(super) fn summary(
        &self,
        reason: Reason,
        rule: Option<&str>,
        variant: Option<&str>,
    ) -> String {
        let site = &self.set.site;
        match reason {
            Reason::Unavailable => {
                "No prompt: what was offered before cannot be known just now.".to_owned()
            }
            Reason::OptedOut => "No prompt: the visitor asked never to be prompted.".to_owned(),
            Reason::NoConsent => match self.facts.session.consent {
                Some(Consent::Denied) => "No prompt: the visitor denied consent.".to_owned(),
                _ => "No prompt: the site asks for consent (`consent: required`), and none was \
                      given yet."
                    .to_owned(),
            },
            Reason::Bot => {
                "No prompt: the user agent is not known to be a person's browser.".to_owned()
            }
            Reason::AlreadyPrompted => format!(
                "No prompt: this session has had its share of prompts, {} of {} \
                 (`caps.per_session`).",
                self.facts.session.offers, site.caps.per_session
            ),
            Reason::Cooldown => self.pause(),
            Reason::RuleMatched => {
                let rule = rule.unwrap_or_default();
                match variant.filter(|_| self.has_variants(rule)) {
                    Some(variant) => format!("The rule `{rule}` shows its prompt `{variant}`."),
                    None => format!("The rule `{rule}` shows its prompt."),
                }
            }
            Reason::Holdout => match rule {
                Some(rule) => format!(
                    "No prompt: the rule `{rule}` decides, and this visitor is in its holdout: \
                     kept without prompts for comparison."
                ),
                None => "No prompt: this session is in a holdout, kept without prompts for \
                         comparison."
                    .to_owned(),
            },
            Reason::NotYet => {
                "No prompt yet: no rule holds, but one could on this page.".to_owned()
            }
            Reason::NoMatch if self.trace.is_stale => {
                "No prompt: the page that this call is about is no longer in view.".to_owned()
            }
            Reason::NoMatch => {
                "No prompt: no rule holds, and waiting on this page changes nothing.".to_owned()
            }
        }
    }

    fn has_variants(&self, rule: &str) -> bool {
        self.set.rules.iter().any(|known| &*known.id == rule && known.variants.len() > 1)
    }

    fn pause(&self) -> String {
        let Some(pause) = self.trace.pause else {
            return "No prompt: the visitor had one not long ago.".to_owned();
        };
        let what = match pause.cap {
            "after_dismissal" => "the visitor dismissed a prompt",
            "after_acceptance" => "the visitor accepted a prompt",
            _ => "the visitor was offered a prompt",
        };
        let ago = rough(self.facts.now - pause.since);
        format!(
            "No prompt: {what} {ago} ago, and `caps.{}` asks for a pause of {}; it ends {}.",
            pause.cap,
            pause.length,
            self.when(pause.until)
        )
    }

    /// What becomes of a rule.
    pub(super) fn rule(
        &self,
        outcome: RuleOutcome,
        traced: &RuleTrace,
        win: Option<Win>,
        opens: Option<&Opens>,
    ) -> String {
        match outcome {
            RuleOutcome::Shows => "shows its prompt".to_owned(),
            RuleOutcome::HeldOut => "decides, and keeps this visitor without a prompt".to_owned(),
            RuleOutcome::Behind => {
                let winner = win.and_then(|win| self.set.rules.get(win.rule));
                let winner = winner.map_or("another rule", |rule| &*rule.id);
                format!("would show, but `{winner}` comes first")
            }
            RuleOutcome::Capped if self.trace.is_stale => {
                "would show, but its page is no longer in view".to_owned()
            }
            RuleOutcome::Capped => "would show, but this visitor is not prompted now".to_owned(),
            RuleOutcome::Shadow => "would show, but is in shadow mode".to_owned(),
            RuleOutcome::Stopped => {
                let by = match traced.stop {
                    Some(Stop::Off) => "is off".to_owned(),
                    Some(Stop::Dates) => "stopped by its dates".to_owned(),
                    Some(Stop::Rollout) => "stopped by its rollout".to_owned(),
                    Some(Stop::Hours) => "stopped by its hours".to_owned(),
                    Some(Stop::Repeat) => "stopped by `repeat`: offered too recently".to_owned(),
                    Some(Stop::Limit) => "stopped by its limits".to_owned(),
                    Some(stop @ Stop::Condition(_)) => format!("stopped by {}", stop.by(self.set)),
                    None => String::new(),
                };
                match opens {
                    Some(opens) => format!("{by}; could show {}", opens.words),
                    None => by,
                }
            }
        }
    }

    /// A moment, from this one: `in 48s`, `Mon 2026-11-23 09:00`.
    pub(super) fn when(&self, at: Timestamp) -> String {
        when(at, self.facts.now, self.zone)
    }
}

fn when(at: Timestamp, now: Timestamp, zone: Tz) -> String {
    let ahead = at - now;
    if (Millis::ZERO..Millis::hours(1)).contains(&ahead) {
        return format!("in {}", rough(ahead));
    }
    match at.to_utc() {
        Some(at) => at.with_timezone(&zone).format("%a %Y-%m-%d %H:%M %Z").to_string(),
        None => "never".to_owned(),
    }
}

/// A length of time, to the second or the minute: `48s`, `2m 5s`, `3h 20m`, `4d 2h`.
pub(super) fn rough(length: Millis) -> String {
    let seconds = length.0.max(0).div_euclid(1_000) + i64::from(length.0.max(0) % 1_000 > 0);
    let parts = [
        (seconds / 86_400, "d"),
        (seconds / 3_600 % 24, "h"),
        (seconds / 60 % 60, "m"),
        (seconds % 60, "s"),
    ];
    let told: Vec<String> = parts
        .iter()
        .skip_while(|(count, _)| *count == 0)
        .take(2)
        .filter(|(count, _)| *count > 0)
        .map(|(count, unit)| format!("{count}{unit}"))
        .collect();
    if told.is_empty() { "0s".to_owned() } else { told.join(" ") }
}

/// When something could hold.
pub(super) fn opens(recheck: &Recheck, now: Timestamp, zone: Tz) -> Opens {
    let on: Vec<String> = recheck.on.iter().map(trigger).collect();
    let at = recheck.after.map(|after| now + after);
    let mut ways = Vec::new();
    if let (Some(at), Some(after)) = (at, recheck.after) {
        // A moment that all visitors share comes whether somebody stays or not.
        let is_shared = recheck.spread > Millis::ZERO;
        ways.push(match when(at, now, zone) {
            _ if after == Millis::ZERO => "at once".to_owned(),
            moment if after >= Millis::hours(1) => format!("from {moment} on"),
            soon if is_shared => soon,
            soon => format!("{soon}, if the visitor stays"),
        });
    }
    ways.extend(on.iter().cloned());
    Opens {
        after_ms: recheck.after.map(|after| after.0),
        at: at.map(|at| moment(at, zone)),
        on,
        words: ways.join(", or "),
    }
}

fn trigger(wait: &Wait) -> String {
    let what = match &wait.on {
        Trigger::ExitIntent => "when the pointer leaves the page (exit intent)".to_owned(),
        Trigger::ScrollPercent(percent) => format!("once {percent}% of the page was scrolled"),
        Trigger::Idle(idle) => format!("once nothing was done for {idle}"),
        Trigger::Event(name) => format!("once the event `{name}` happens"),
    };
    if wait.not_before > Millis::ZERO {
        format!("{what}, but not for another {}", rough(wait.not_before))
    } else {
        what
    }
}

/// What would have to change for a condition that waiting does not help.
pub(super) fn change(field: &str) -> &'static str {
    const BY_FIELD: &[(&str, &str)] = &[
        ("page.idle", "the page does not tell how long nothing was done"),
        ("page.scroll", "it would take another page"),
        ("page.time_on_page", "it would take another view of a page"),
        ("page.", "it would take another page"),
        ("session.page_views", "a further page view can change it"),
        ("session.visited", "a further page view can change it"),
        ("session.events", "waiting does not change it"),
        ("session.utm", "it would take a page with another campaign in its address"),
        ("session.duration", "it would take another session"),
        ("session.", "it stays so for this session"),
        ("visitor.identified", "it would take an identity token in a call"),
        ("visitor.attributes", "the page or your CRM would have to say otherwise"),
        ("visitor.last_", "waiting on this page is not enough"),
        ("visitor.returning", "it stays so for this session"),
        ("visitor.sessions", "it stays so for this session"),
        ("visitor.local_time", "the visitor's clock would have to say otherwise"),
        ("visitor.", "the page or the browser would have to say otherwise"),
        ("location.", "it stays so for this address"),
        ("device.", "it stays so for this device"),
        ("cart.", "the page would have to report another cart"),
        ("agents.", "it changes when your chat tool reports it, and the next call sees it"),
        ("signal.", "it holds only in the call that reports it"),
    ];
    BY_FIELD
        .iter()
        .find(|(start, _)| field.starts_with(start))
        .map_or("waiting does not change it", |(_, words)| words)
}
