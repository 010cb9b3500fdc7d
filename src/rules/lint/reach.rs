//! Rules that never show: none of their own fault, or for a higher one's sake.

use std::collections::{BTreeSet, HashMap};

use super::conflict::{Conflict, Test, conflict};
use super::subject::{Found, Subject, conditions_in, get, operators};
use crate::domain::caps::Repeat;
use crate::domain::time::{Millis, Timestamp};
use crate::rules::condition::Expr;
use crate::rules::diagnostic::Span;
use crate::rules::hours::MAX_SPANS_DAYS;
use crate::rules::model::{HoursGate, Mode, Rule};

/// How many pairs of rules are compared word by word, and how many by their meaning. A site with
/// more is compared as far as that goes: rules are read while visitors wait.
const MOST_PAIRS: usize = 200_000;
const MOST_MEANINGS: usize = 5_000;

pub(super) fn never_shows(subject: &Subject<'_>, all: &mut Vec<Found>) {
    let set = subject.set;
    let mut known = Closed::new();
    for rule in set.rules.iter().filter(|rule| rule.mode != Mode::Off) {
        let span_of = |key: &str| key_span(subject, rule, key);
        let nothing = |what: &str| {
            let help = "write `mode: off` if that is meant";
            (format!("{what}, so the rule never shows"), help.to_owned())
        };
        if rule.rollout <= 0.0 {
            let (message, help) = nothing("it is rolled out to nobody");
            all.push(Found::new(&rule.source, span_of("rollout"), message, help));
        }
        if rule.limits.iter().any(|limit| limit.most == 0) {
            let (message, help) = nothing("it has a limit of 0");
            all.push(Found::new(&rule.source, span_of("limits"), message, help));
        }
        if let Some(message) =
            rule.hours.as_ref().and_then(|gate| closed(gate, rule, subject.at.now, &mut known))
        {
            let help = "give the rule other hours, or put those in site.yaml right";
            all.push(Found::new(&rule.source, span_of("hours"), message, help));
        }
        if let Some(found) = conflict(&set.predicates, &[&set.site.when, &rule.when]) {
            all.push(excluded(subject, rule, &found));
        }
    }
}

/// Whether hours leave a stretch of time no moment: looked up once, however many rules keep them.
type Closed<'s> = HashMap<(&'s str, bool, Option<(Timestamp, Timestamp)>), bool>;

/// Why a rule's hours leave it no moment.
fn closed<'s>(
    gate: &'s HoursGate,
    rule: &Rule,
    now: Timestamp,
    known: &mut Closed<'s>,
) -> Option<String> {
    let longest = Millis::days(MAX_SPANS_DAYS);
    let from = rule.active_from.max(now);
    // A rule that has ended has nothing ahead; another lint says so.
    if rule.active_until <= from {
        return None;
    }
    let dates = (rule.active_until <= from + longest).then_some((from, rule.active_until));
    let is_closed = *known.entry((&gate.name, gate.is_outside, dates)).or_insert_with(|| {
        let (from, until) = dates.unwrap_or((now, now + longest));
        match (gate.is_outside, dates) {
            (false, None) => !gate.hours.is_ever_open(),
            (false, Some(_)) => gate.hours.open_spans(from, until).is_empty(),
            (true, _) => gate.hours.open_spans(from, until).first() == Some(&(from, until)),
        }
    });
    let what = match (gate.is_outside, dates.is_some()) {
        (true, true) => "do not close on its dates",
        (true, false) => "never close",
        (false, true) => "do not open on its dates",
        (false, false) => "never open",
    };
    is_closed.then(|| format!("the hours `{}` {what}, so the rule never shows", gate.name))
}

fn excluded(subject: &Subject<'_>, rule: &Rule, found: &Conflict) -> Found {
    let set = subject.set;
    let mut found = found.clone();
    // As they stand in the files, which is the order in which conditions were first seen.
    found.sort_by_key(|test| test.predicate);
    let mut words = Vec::new();
    let mut place = None;
    for test in &found {
        let Some(predicate) = set.predicates.get(test.predicate) else { continue };
        let not = if test.wanted { "" } else { "not: " };
        words.push(format!("{not}`{}` {}", predicate.field, predicate.wanted));
        place = typed_at(subject, rule, &predicate.field, &predicate.wanted).or(place);
    }
    let own = tests_in(&rule.when);
    let is_site = found.iter().any(|test| !own.contains(test));
    let message = match words.as_slice() {
        [only] => format!("no visit meets {only}; so the rule never shows"),
        _ => format!("no visit meets all of {}; so the rule never shows", words.join(", ")),
    };
    let help = if is_site {
        "one of them stands under `when` in site.yaml, which must hold for every rule"
    } else if found.len() > 1 {
        "take one of them out, or put them under `any` if either will do"
    } else {
        "put it right: all operators of a condition must hold at once"
    };
    Found::new(&rule.source, place.unwrap_or(rule.span), message, help)
}

/// Where a rule's condition stands.
fn typed_at(subject: &Subject<'_>, rule: &Rule, field: &str, wanted: &str) -> Option<Span> {
    let mut conditions = Vec::new();
    conditions_in(get(subject.keys_of(rule), "when")?, &mut conditions);
    let words = |entry| {
        let parts: Vec<_> = operators(entry)
            .into_iter()
            .map(|(op, value)| format!("{} {}", op.words(), value.inline()))
            .collect();
        parts.join(" and ")
    };
    let entry =
        conditions.into_iter().rfind(|entry| entry.key == field && words(entry) == wanted)?;
    Some(Span { start: entry.key_span.start, end: entry.value.span.end })
}

fn key_span(subject: &Subject<'_>, rule: &Rule, key: &str) -> Span {
    get(subject.keys_of(rule), key).map_or(rule.span, |node| node.span)
}

fn tests_in(expr: &Expr) -> Vec<Test> {
    match expr {
        Expr::Test { predicate, wanted } => {
            vec![Test { predicate: *predicate, wanted: *wanted }]
        }
        Expr::All(parts) | Expr::Any(parts) => parts.iter().flat_map(tests_in).collect(),
        Expr::Segment { expr, .. } => tests_in(expr),
    }
}

/// What must hold, one by one.
fn conjuncts(expr: &Expr) -> Vec<&Expr> {
    match expr {
        Expr::All(parts) => parts.iter().flat_map(conjuncts).collect(),
        Expr::Segment { expr, .. } => conjuncts(expr),
        other => vec![other],
    }
}

/// A rule as seen from others.
struct Seen<'a> {
    rule: &'a Rule,
    parts: Vec<&'a Expr>,
    fields: BTreeSet<&'a str>,
}

/// The higher rules that were seen, to be found by a condition of theirs.
#[derive(Default)]
struct Above<'a> {
    rules: Vec<Seen<'a>>,
    /// By the first of their conditions; those without a plain one under `None`.
    by_test: HashMap<Option<Test>, Vec<usize>>,
    pairs: usize,
    meanings: usize,
}

impl<'a> Above<'a> {
    fn add(&mut self, seen: Seen<'a>) {
        let key = seen.parts.iter().find_map(|part| plain_test(part));
        self.by_test.entry(key).or_default().push(self.rules.len());
        self.rules.push(seen);
    }

    /// A rule that always comes before that one.
    fn before(&mut self, subject: &Subject<'_>, lower: &Seen<'_>) -> Option<&'a Rule> {
        let keys = lower.parts.iter().filter_map(|part| plain_test(part)).map(Some);
        let alike: Vec<usize> = keys
            .chain([None])
            .filter_map(|key| self.by_test.get(&key))
            .flatten()
            .copied()
            .take(MOST_PAIRS.saturating_sub(self.pairs))
            .collect();
        self.pairs += alike.len();
        let has_all = |higher: &Seen<'_>| higher.parts.iter().all(|p| lower.parts.contains(p));
        let word_by_word = alike
            .into_iter()
            .filter_map(|at| self.rules.get(at))
            .find(|higher| leaves_no_gap(higher.rule, lower.rule) && has_all(higher));
        if let Some(higher) = word_by_word {
            return Some(higher.rule);
        }
        let open = MOST_PAIRS.saturating_sub(self.pairs);
        let mut by_meaning = None;
        for higher in self.rules.iter().take(open) {
            self.pairs += 1;
            // A condition on a field that the lower one leaves open lets some visits through.
            if higher.fields.is_subset(&lower.fields) && leaves_no_gap(higher.rule, lower.rule) {
                self.meanings += 1;
                if self.meanings > MOST_MEANINGS {
                    break;
                }
                if is_implied(subject, lower, higher) {
                    by_meaning = Some(higher.rule);
                    break;
                }
            }
        }
        by_meaning
    }
}

fn plain_test(part: &Expr) -> Option<Test> {
    match part {
        Expr::Test { predicate, wanted } => Some(Test { predicate: *predicate, wanted: *wanted }),
        _ => None,
    }
}

pub(super) fn hidden(subject: &Subject<'_>, all: &mut Vec<Found>) {
    let set = subject.set;
    let fields = |expr: &Expr| -> BTreeSet<&str> {
        let field = |test: Test| set.predicates.get(test.predicate).map(|p| &*p.field);
        tests_in(expr).into_iter().filter_map(field).collect()
    };
    let of_site = fields(&set.site.when);
    let mut above = Above::default();
    for rule in set.rules.iter().filter(|rule| rule.mode == Mode::Live) {
        let mut own = fields(&rule.when);
        own.extend(&of_site);
        let seen = Seen { rule, parts: conjuncts(&rule.when), fields: own };
        let Some(higher) = above.before(subject, &seen) else {
            above.add(seen);
            continue;
        };
        // A rule that no visit meets is told as that.
        if conflict(&set.predicates, &[&set.site.when, &rule.when]).is_some() {
            continue;
        }
        let line = higher.source.position(higher.span.start).line;
        let message = format!(
            "`{}` never shows: `{}` comes first and holds whenever it does",
            rule.id, higher.id
        );
        let help = format!(
            "`{}` is in {}, line {line}; give this rule a higher priority than {}",
            higher.id, higher.source.name, higher.priority
        );
        all.push(Found::new(&rule.source, rule.span, message, help));
    }
}

/// Whether nothing but its conditions keeps the higher rule from coming first. A holdout does not:
/// it ends the evaluation as a prompt does.
fn leaves_no_gap(higher: &Rule, lower: &Rule) -> bool {
    let is_same = |a: &HoursGate, b: &HoursGate| a.name == b.name && a.is_outside == b.is_outside;
    let keeps_hours = match (&higher.hours, &lower.hours) {
        (None, _) => true,
        (Some(higher), Some(lower)) => is_same(higher, lower),
        (Some(_), None) => false,
    };
    keeps_hours
        && higher.rollout >= 1.0
        && higher.limits.is_empty()
        && higher.repeat == Repeat::Always
        && higher.active_from <= lower.active_from
        && lower.active_until <= higher.active_until
}

/// Whether the higher rule's conditions hold wherever the lower one's do.
fn is_implied(subject: &Subject<'_>, lower: &Seen<'_>, higher: &Seen<'_>) -> bool {
    let set = subject.set;
    let (site, own) = (&set.site.when, &lower.rule.when);
    let follows = |part: &&Expr| {
        lower.parts.contains(part) || {
            let opposite = (*part).clone().negated();
            conflict(&set.predicates, &[site, own, &opposite]).is_some()
        }
    };
    higher.parts.iter().all(follows)
}
