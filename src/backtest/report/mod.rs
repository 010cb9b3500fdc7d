//! What a backtest found, as data. [`text`] and [`html`] show it.
//!
//! Must not: count anything anew.

use serde::Serialize;

use super::hit::LeftOut;
use super::logs::Counts;
use super::run::Options;
use super::stream::Stream;
use super::tally::{Comparison, Group, NEAR_PARTS, Tally};
use crate::domain::decision::Reason;
use crate::domain::time::Timestamp;
use crate::rules::condition::Expr;
use crate::rules::model::{Mode, Rule, RuleSet};

mod charts;
pub mod html;
pub mod text;

/// How many pages are listed.
const MAX_PAGES: usize = 25;
/// How many groups of a kind are listed.
const MAX_GROUPS: usize = 10;

/// Everything a backtest found.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The site's key.
    pub site: String,
    /// What people call it.
    pub name: String,
    /// The version of the rules.
    pub rules_version: String,
    /// The first page view and the last: RFC 3339, in the site's zone.
    pub from: Option<String>,
    /// See `from`.
    pub until: Option<String>,
    /// The zone of hours.
    pub time_zone: String,
    /// What was in the logs.
    pub log: LogReport,
    /// Page views and other events of pages.
    pub events: u64,
    /// Rechecks that pages would have made.
    pub rechecks: u64,
    /// Sessions.
    pub sessions: u64,
    /// Of those, how many had a prompt.
    pub prompted_sessions: u64,
    /// Prompts.
    pub prompts: u64,
    /// Answers by reason.
    pub reasons: Vec<(&'static str, u64)>,
    /// Page views by hour of day.
    pub views_by_hour: Vec<u64>,
    /// Rule by rule.
    pub rules: Vec<RuleReport>,
    /// Pages with the most prompts, then with the most views.
    pub pages: Vec<PageReport>,
    /// What changes against other rules.
    pub changes: Option<ChangeReport>,
    /// What was assumed, and what cannot be known from this log.
    pub notes: Vec<String>,
}

/// What was in the logs.
#[derive(Debug, Serialize)]
pub struct LogReport {
    /// Lines.
    pub lines: u64,
    /// Page views and other events that were taken.
    pub taken: u64,
    /// Lines that were none, by reason.
    pub left_out: Vec<(&'static str, u64)>,
    /// Lines that could not be read.
    pub unread: u64,
    /// The first of these.
    pub first_unread: Vec<String>,
    /// Logs that break off or are damaged.
    pub broken: Vec<String>,
    /// Lines that were put back in the order of time.
    pub sorted: u64,
    /// Lines that came too late for that.
    pub late: u64,
}

/// What a rule did.
#[derive(Debug, Serialize)]
pub struct RuleReport {
    /// Its id.
    pub rule: String,
    /// What it is for.
    pub description: Option<String>,
    /// `live`, `shadow` or `off`.
    pub mode: &'static str,
    /// Prompts.
    pub prompts: u64,
    /// Visitors kept without it, for comparison.
    pub held_out: u64,
    /// In shadow mode: calls in which it would have had its turn.
    pub shadow: u64,
    /// Sessions that the caps kept from it.
    pub capped_sessions: u64,
    /// Prompts by hour of day.
    pub by_hour: Vec<u64>,
    /// What stopped it first, and how often, most often first.
    pub stopped_by: Vec<StopReport>,
    /// Sessions that lacked one condition only.
    pub near_misses: Vec<NearReport>,
    /// Its conditions that no access log can answer.
    pub unknown_fields: Vec<String>,
}

/// What stopped a rule.
#[derive(Debug, Serialize)]
pub struct StopReport {
    /// A field, or `dates`, `rollout`, `hours`, `repeat`, `limit`.
    pub by: String,
    /// What was wanted of the field.
    pub wanted: Option<String>,
    /// How often.
    pub count: u64,
}

/// Sessions that lacked one condition only.
#[derive(Debug, Serialize)]
pub struct NearReport {
    /// The field.
    pub field: String,
    /// What was wanted of it.
    pub wanted: String,
    /// How many sessions.
    pub sessions: u64,
    /// How near their nearest moment was, in tenths of the way; all in the first where the
    /// condition has no measure.
    pub reached: [u64; NEAR_PARTS],
}

/// What happened on a page.
#[derive(Debug, Serialize)]
pub struct PageReport {
    /// Its path.
    pub path: String,
    /// Views.
    pub views: u64,
    /// Prompts.
    pub prompts: u64,
}

/// What changes between two sets of rules.
#[derive(Debug, Serialize)]
pub struct ChangeReport {
    /// The version of the rules compared with.
    pub rules_version: String,
    /// Their prompts.
    pub prompts: u64,
    /// Sessions that now have a prompt.
    pub gained: u64,
    /// Sessions that no longer have one.
    pub lost: u64,
    /// Sessions with a prompt of another rule.
    pub other_rule: u64,
    /// Sessions for which nothing changes.
    pub same: u64,
    /// From which rule to which, most often first; null is no prompt.
    pub moves: Vec<(Option<String>, Option<String>, u64)>,
    /// Who gains and loses: by device, country and landing page.
    pub groups: Vec<GroupReport>,
}

/// A group of sessions that gain or lose prompts.
#[derive(Debug, Serialize)]
pub struct GroupReport {
    /// `device`, `country` or `landing page`.
    pub by: &'static str,
    /// Which.
    pub name: String,
    /// Sessions that now have a prompt.
    pub gained: u64,
    /// Sessions that no longer have one.
    pub lost: u64,
}

/// What a report is made of.
pub struct Found<'a> {
    /// The rules.
    pub set: &'a RuleSet,
    /// What they did.
    pub tally: &'a Tally,
    /// Other rules and what those did.
    pub against: Option<(&'a RuleSet, &'a Tally)>,
    /// What changes between them.
    pub comparison: &'a Comparison,
    /// What was in the logs.
    pub counts: &'a Counts,
    /// How it was put in order.
    pub stream: &'a Stream,
    /// The first page view and the last.
    pub span: Option<(Timestamp, Timestamp)>,
    /// What was assumed.
    pub options: &'a Options,
}

impl Report {
    /// Puts together what was found.
    #[must_use]
    pub fn of(found: &Found<'_>) -> Self {
        let Found { set, tally, counts, stream, .. } = found;
        let zone = set.site.time_zone;
        let moment = |at: Timestamp| Some(at.to_utc()?.with_timezone(&zone).to_rfc3339());
        let left_out = LeftOut::ALL.into_iter().zip(counts.left_out);
        Self {
            site: set.site.key.to_string(),
            name: set.site.name.clone(),
            rules_version: set.version.to_string(),
            from: found.span.and_then(|(from, _)| moment(from)),
            until: found.span.and_then(|(_, until)| moment(until)),
            time_zone: zone.name().to_owned(),
            log: LogReport {
                lines: counts.lines,
                taken: counts.taken,
                left_out: left_out
                    .filter(|(_, count)| *count > 0)
                    .map(|(why, count)| (why.words(), count))
                    .collect(),
                unread: counts.unread,
                first_unread: counts.shown.clone(),
                broken: counts.broken.clone(),
                sorted: stream.sorted,
                late: stream.late,
            },
            events: tally.events,
            rechecks: tally.rechecks,
            sessions: tally.sessions,
            prompted_sessions: tally.prompted_sessions,
            prompts: tally.prompts(),
            reasons: Reason::ALL
                .into_iter()
                .map(|reason| (reason.as_str(), tally.reason(reason)))
                .filter(|(_, count)| *count > 0)
                .collect(),
            views_by_hour: tally.views_by_hour.to_vec(),
            rules: (0..set.rules.len()).filter_map(|index| rule(found, index)).collect(),
            pages: pages(tally),
            changes: found.against.map(|(set, tally)| changes(set, tally, found.comparison)),
            notes: notes(found),
        }
    }
}

fn rule(found: &Found<'_>, index: usize) -> Option<RuleReport> {
    let set = found.set;
    let (rule, tally) = (set.rules.get(index)?, found.tally.rules.get(index)?);
    let words = |index: usize| {
        let Some(predicate) = set.predicates.get(index) else { return Default::default() };
        let is_negated = wants_not(&set.site.when, index) || wants_not(&rule.when, index);
        let not = if is_negated { "not so: " } else { "" };
        (predicate.field.to_string(), format!("{not}{}", predicate.wanted))
    };
    let mut stopped_by: Vec<StopReport> = tally
        .stops
        .iter()
        .map(|(stop, count)| StopReport {
            by: stop.by(set).to_owned(),
            wanted: match stop {
                crate::engine::Stop::Condition(predicate) => Some(words(*predicate).1),
                _ => None,
            },
            count: *count,
        })
        .collect();
    stopped_by.sort_by_key(|stop| std::cmp::Reverse(stop.count));
    let mut near_misses: Vec<NearReport> = tally
        .near
        .iter()
        .map(|(predicate, reached)| {
            let (field, wanted) = words(*predicate);
            NearReport { field, wanted, sessions: reached.iter().sum(), reached: *reached }
        })
        .collect();
    near_misses.sort_by_key(|near| std::cmp::Reverse(near.sessions));
    Some(RuleReport {
        rule: rule.id.to_string(),
        description: rule.description.clone(),
        mode: rule.mode.as_str(),
        prompts: tally.prompts,
        held_out: tally.held_out,
        shadow: tally.shadow,
        capped_sessions: tally.capped,
        by_hour: tally.by_hour.to_vec(),
        stopped_by,
        near_misses,
        unknown_fields: if found.counts.is_own { Vec::new() } else { unknown_fields(set, rule) },
    })
}

/// Whether an expression wants that predicate not to hold.
fn wants_not(expr: &Expr, index: usize) -> bool {
    match expr {
        Expr::Test { predicate, wanted } => *predicate == index && !wanted,
        Expr::All(parts) | Expr::Any(parts) => parts.iter().any(|part| wants_not(part, index)),
        Expr::Segment { expr, .. } => wants_not(expr, index),
    }
}

/// Fields that no access log tells.
const UNKNOWN: &[&str] = &[
    "page.fragment",
    "page.idle",
    "page.scroll_percent",
    "page.title",
    "session.events.",
    "cart.",
    "agents.",
    "signal.",
    "visitor.attributes.",
    "visitor.identified",
    "visitor.last_acceptance",
    "visitor.last_chat",
    "visitor.last_dismissal",
    "visitor.time_zone",
];

fn unknown_fields(set: &RuleSet, rule: &Rule) -> Vec<String> {
    fn collect(set: &RuleSet, expr: &Expr, all: &mut Vec<String>) {
        match expr {
            Expr::Test { predicate, .. } => {
                let Some(predicate) = set.predicates.get(*predicate) else { return };
                let field = &*predicate.field;
                if UNKNOWN.iter().any(|start| field.starts_with(start))
                    && !all.iter().any(|known| known == field)
                {
                    all.push(field.to_owned());
                }
            }
            Expr::All(parts) | Expr::Any(parts) => {
                for part in parts {
                    collect(set, part, all);
                }
            }
            Expr::Segment { expr, .. } => collect(set, expr, all),
        }
    }
    let mut all = Vec::new();
    if rule.mode != Mode::Off {
        collect(set, &set.site.when, &mut all);
        collect(set, &rule.when, &mut all);
    }
    all
}

fn pages(tally: &Tally) -> Vec<PageReport> {
    let mut all: Vec<PageReport> = tally
        .pages
        .iter()
        .map(|(path, page)| PageReport {
            path: path.to_string(),
            views: page.views,
            prompts: page.prompts,
        })
        .collect();
    all.sort_by(|a, b| (b.prompts, b.views, &a.path).cmp(&(a.prompts, a.views, &b.path)));
    all.truncate(MAX_PAGES);
    all
}

fn changes(set: &RuleSet, tally: &Tally, comparison: &Comparison) -> ChangeReport {
    let (mut gained, mut lost, mut other_rule, mut same) = (0, 0, 0, 0);
    let mut moves = Vec::new();
    for ((before, now), count) in &comparison.changes {
        match (before, now) {
            _ if before == now => same += count,
            (None, Some(_)) => gained += count,
            (Some(_), None) => lost += count,
            _ => other_rule += count,
        }
        if before != now {
            let name = |rule: &Option<std::sync::Arc<str>>| rule.as_ref().map(ToString::to_string);
            moves.push((name(before), name(now), *count));
        }
    }
    moves.sort_by_key(|(_, _, count)| std::cmp::Reverse(*count));
    let mut groups: Vec<GroupReport> = comparison
        .groups
        .iter()
        .map(|(group, moved)| {
            let (by, name) = match group {
                Group::Device(name) => ("device", (*name).to_owned()),
                Group::Country(name) => ("country", name.to_string()),
                Group::Landing(name) => ("landing page", name.to_string()),
            };
            GroupReport { by, name, gained: moved.gained, lost: moved.lost }
        })
        .collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.gained + group.lost));
    let mut kept: Vec<GroupReport> = Vec::new();
    for by in ["device", "country", "landing page"] {
        let (of_kind, others) = groups.into_iter().partition(|group| group.by == by);
        let of_kind: Vec<GroupReport> = of_kind;
        kept.extend(of_kind.into_iter().take(MAX_GROUPS));
        groups = others;
    }
    ChangeReport {
        rules_version: set.version.to_string(),
        prompts: tally.prompts(),
        gained,
        lost,
        other_rule,
        same,
        moves,
        groups: kept,
    }
}

fn notes(found: &Found<'_>) -> Vec<String> {
    let mut notes = Vec::new();
    let options = found.options;
    if !found.counts.is_own {
        notes.push(
            "Where the log names no session, an address with a user agent is one visitor: people \
             behind one address with the same browser count as one."
                .to_owned(),
        );
    }
    notes.push(format!(
        "A page asks again where a rule waits for a time and the session's next page view shows \
         that the visitor was still there. How long the last page of a session was looked at is \
         not in a log; it is taken to be {} (--last-page). {} rechecks were left out for that.",
        options.last_page, found.tally.unknown_stays
    ));
    let blind = found
        .set
        .rules
        .iter()
        .filter(|rule| !found.counts.is_own && !unknown_fields(found.set, rule).is_empty())
        .count();
    if blind > 0 {
        notes.push(format!(
            "{blind} of {} rules ask what no access log tells (scrolling, idleness, exit intent, \
             carts, agents, attributes): what they would have done cannot be judged, and is \
             counted as if it were unknown there.",
            found.set.rules.len()
        ));
    }
    notes.push(
        "What visitors make of prompts is not in a log: nobody dismisses or accepts one here, so \
         the pauses after that never begin."
            .to_owned(),
    );
    if found.stream.unforeseen > 0 {
        notes.push(format!(
            "More page views came within one session's timeout than are held back at once: {} \
             were judged without knowing how long the visitor stayed.",
            found.stream.unforeseen
        ));
    }
    notes
}
