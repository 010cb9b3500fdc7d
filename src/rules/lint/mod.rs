//! Lints: findings about rules that load. Each has a row in [`LINTS`], by which files can switch
//! it off, and a function that looks for it.
//!
//! Must not: read a clock or a database; what is known of both is given.

use std::collections::HashSet;

use super::diagnostic::{Diagnostic, Report, Severity};
use super::model::{Allow, RuleSet};
use crate::domain::time::Timestamp;
use subject::{Found, Subject};

mod address;
mod conflict;
mod dates;
mod emoji;
mod gaps;
mod places;
mod reach;
mod subject;
mod wording;

/// Something to look for.
pub struct Lint {
    /// Its stable name, in kebab case: the code of its findings, and a key of `allow`.
    pub name: &'static str,
    /// How bad its findings are: hints are shown by `check` alone.
    pub level: Severity,
    /// What it finds, in a sentence.
    pub about: &'static str,
    /// Whether it finds anything may change with the day or the database of places.
    pub is_of_the_moment: bool,
    look: fn(&Subject<'_>, &mut Vec<Found>),
}

/// What lints may need to know besides the rules.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances {
    /// The moment.
    pub now: Timestamp,
    /// What the database of places can tell.
    pub knows: PlaceKnowledge,
}

/// What the database of places in use can tell. Nothing, where there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each is a column that is there or not")]
pub struct PlaceKnowledge {
    /// `location.country`, and with it `continent` and `in_eu`.
    pub country: bool,
    /// `location.region` by its code: `JP-13`.
    pub region_code: bool,
    /// `location.region` by its English name.
    pub region_name: bool,
    /// `location.city`.
    pub city: bool,
    /// `location.time_zone`.
    pub time_zone: bool,
}

const fn doubt(
    name: &'static str,
    about: &'static str,
    look: fn(&Subject<'_>, &mut Vec<Found>),
) -> Lint {
    Lint { name, level: Severity::Warning, about, is_of_the_moment: false, look }
}

const fn passing(
    name: &'static str,
    about: &'static str,
    look: fn(&Subject<'_>, &mut Vec<Found>),
) -> Lint {
    Lint { is_of_the_moment: true, ..doubt(name, about, look) }
}

const fn hint(
    name: &'static str,
    about: &'static str,
    look: fn(&Subject<'_>, &mut Vec<Found>),
) -> Lint {
    Lint { level: Severity::Hint, ..doubt(name, about, look) }
}

/// What goes with the database of places.
const PLACE_NOT_KNOWN: &str = "place-not-known";
/// Allowances that silence nothing are known once all others have looked.
const UNUSED_ALLOW: &str = "unused-allow";

/// Every lint.
pub static LINTS: &[Lint] = &[
    doubt(
        "never-shows",
        "A rule that no visit can meet: conditions that exclude each other, hours that are never \
         open, a rollout or a limit of nothing.",
        reach::never_shows,
    ),
    doubt(
        "hidden-rule",
        "A rule that a higher one always comes before: it holds whenever the lower one does.",
        reach::hidden,
    ),
    passing("rule-ended", "The last day of a rule has passed.", dates::rule_ended),
    passing("closed-dates-passed", "Every date under `closed` has passed.", dates::closed_passed),
    passing(
        "calendar-ended",
        "The list of holidays that is known here has ended.",
        dates::calendar_ended,
    ),
    passing(
        PLACE_NOT_KNOWN,
        "A condition or a text needs a place that the database in use does not know.",
        places::not_known,
    ),
    hint(
        "any-hour",
        "A chat is offered at any hour, whether anybody is there or not: no `hours`, and no \
         condition on agents.",
        gaps::any_hour,
    ),
    hint("no-example", "A rule without an example, so nothing tests it.", gaps::no_example),
    hint(
        "look-alike",
        "A value of an address that also fits others with a like beginning or a like host: \
         `/price` in `/priceless`, `shop.example` in `shop.example.evil`.",
        address::look_alike,
    ),
    hint(
        "trailing-slash",
        "`is: /pricing` does not fit `/pricing/`, and the other way round.",
        address::trailing_slash,
    ),
    hint(
        "plain-regex",
        "A regex without anything special in it: another operator says the same more plainly.",
        address::plain_regex,
    ),
    hint("missing-language", "A prompt lacks one of the site's languages.", gaps::missing_language),
    hint(
        "empty-variable",
        "A text prints a value that may be missing, which leaves a gap.",
        gaps::empty_variable,
    ),
    hint("too-long", "A text is too long for a small bubble.", wording::too_long),
    hint("too-many-emoji", "More than two emoji in a message.", wording::too_many_emoji),
    hint("capitals", "Words in capitals, which read as shouting.", wording::capitals),
    hint("exclamation-marks", "More than one exclamation mark.", wording::exclamation_marks),
    hint(
        "no-question",
        "A message that neither asks nor offers anything, so there is nothing to answer.",
        wording::no_question,
    ),
    hint(UNUSED_ALLOW, "An `allow` that silences nothing.", |_, _| {}),
];

/// What is likely not meant, or no longer or not here: as the service says when it reads rules. By
/// file and place.
#[must_use]
pub fn warnings(set: &RuleSet, at: Circumstances) -> Vec<Diagnostic> {
    sorted(run(set, at, |lint| lint.level == Severity::Warning).0)
}

/// What could be better, allowances that silence nothing among it: as `check` says besides
/// [`warnings`]. By file and place.
#[must_use]
pub fn hints(set: &RuleSet, at: Circumstances) -> Vec<Diagnostic> {
    // An allowance may be there for the sake of a warning.
    let (mut findings, used) = run(set, at, |_| true);
    findings.retain(|finding| finding.severity == Severity::Hint);
    let is_idle = |allow: &&Allow| {
        let key = (allow.source.name.as_str(), allow.span.start);
        let lint = LINTS.iter().find(|lint| lint.name == allow.lint);
        !used.contains(&key) && lint.is_some_and(|lint| !lint.is_of_the_moment)
    };
    let allows = set.site.allow.iter().chain(set.rules.iter().flat_map(|rule| &rule.allow));
    for allow in allows.filter(is_idle) {
        let message = format!("there is no `{}` here to allow", allow.lint);
        let (source, span) = (&allow.source, allow.span);
        let finding = Diagnostic::of(Severity::Hint, UNUSED_ALLOW, source, span, message);
        findings.push(finding.help("take the line out"));
    }
    sorted(findings)
}

/// Those [`warnings`] that another database of places may change.
#[must_use]
pub fn place_warnings(set: &RuleSet, knows: PlaceKnowledge) -> Vec<Diagnostic> {
    // The moment makes no difference to them.
    let at = Circumstances { now: Timestamp::MIN, knows };
    sorted(run(set, at, |lint| lint.name == PLACE_NOT_KNOWN).0)
}

/// Whether a finding is one of [`place_warnings`]: with another database, it may not hold.
#[must_use]
pub fn is_about_places(finding: &Diagnostic) -> bool {
    finding.code == PLACE_NOT_KNOWN
}

/// The findings that nobody allowed, and which allowances were needed.
fn run(
    set: &RuleSet,
    at: Circumstances,
    is_asked: impl Fn(&Lint) -> bool,
) -> (Vec<Diagnostic>, HashSet<(&str, usize)>) {
    let subject = Subject::new(set, at);
    let mut findings = Vec::new();
    let mut used = HashSet::new();
    for lint in LINTS.iter().filter(|lint| is_asked(lint)) {
        let mut found = Vec::new();
        (lint.look)(&subject, &mut found);
        for Found { source, span, message, help } in found {
            let rule = subject.rule_at(&source, span);
            let mut allows = rule.iter().flat_map(|rule| &rule.allow).chain(&set.site.allow);
            if let Some(allow) = allows.find(|allow| allow.lint == lint.name) {
                used.insert((allow.source.name.as_str(), allow.span.start));
                continue;
            }
            let finding = Diagnostic::of(lint.level, lint.name, &source, span, message);
            findings.push(finding.help(help));
        }
    }
    (findings, used)
}

/// By file and place, and not more than are worth reading.
fn sorted(findings: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut report = Report::default();
    for finding in findings {
        report.push(finding);
    }
    report.into_findings()
}
