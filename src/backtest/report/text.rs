//! A backtest's findings as a table for a terminal.
//!
//! Must not: say anything that is not in the report.

use std::fmt::Write;

use super::{ChangeReport, Report, RuleReport};

/// How many stops and near misses of a rule are shown.
const MAX_SHOWN: usize = 3;

/// Writes it out.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = write(&mut out, report);
    out
}

fn write(out: &mut String, report: &Report) -> std::fmt::Result {
    let span = match (&report.from, &report.until) {
        (Some(from), Some(until)) => format!("{from} to {until}"),
        _ => "no page views".to_owned(),
    };
    writeln!(out, "{}, rules {}: {span}\n", report.site, report.rules_version)?;
    let log = &report.log;
    writeln!(out, "{:>12}  lines", grouped(log.lines))?;
    for (why, count) in &log.left_out {
        writeln!(out, "{:>12}    left out: {why}", grouped(*count))?;
    }
    if log.unread > 0 {
        writeln!(out, "{:>12}    could not be read, such as", grouped(log.unread))?;
        for line in &log.first_unread {
            writeln!(out, "{:>12}      {line}", "")?;
        }
    }
    for broken in &log.broken {
        writeln!(out, "{:>12}    {broken}", "")?;
    }
    writeln!(out, "{:>12}  page views and events of people", grouped(report.events))?;
    writeln!(out, "{:>12}  rechecks that pages would have made", grouped(report.rechecks))?;
    writeln!(out, "{:>12}  sessions", grouped(report.sessions))?;
    let share = percent(report.prompted_sessions, report.sessions);
    let prompted = grouped(report.prompted_sessions);
    writeln!(out, "{prompted:>12}  of them with a prompt ({share})")?;
    writeln!(out, "{:>12}  prompts\n", grouped(report.prompts))?;
    let reasons: Vec<String> =
        report.reasons.iter().map(|(reason, n)| format!("{reason} {}", grouped(*n))).collect();
    writeln!(out, "Answers: {}\n", reasons.join(", "))?;

    let width = report.rules.iter().map(|rule| rule.rule.chars().count()).max().unwrap_or(0).max(4);
    writeln!(out, "{:width$}  {:>10}  {:>10}  {:>10}", "rule", "prompts", "held out", "capped")?;
    for rule in &report.rules {
        writeln!(
            out,
            "{:width$}  {:>10}  {:>10}  {:>10}{}",
            rule.rule,
            grouped(rule.prompts),
            grouped(rule.held_out),
            grouped(rule.capped_sessions),
            if rule.mode == "live" { String::new() } else { format!("  {}", mode(rule)) },
        )?;
    }
    writeln!(out, "\nWhat stopped each rule first, and how near sessions came:")?;
    for rule in &report.rules {
        self::rule(out, rule)?;
    }
    let prompts: Vec<_> = report.pages.iter().filter(|page| page.prompts > 0).take(10).collect();
    if !prompts.is_empty() {
        writeln!(out, "\n{:>10}  {:>10}  page", "prompts", "views")?;
        for page in prompts {
            let (prompts, views) = (grouped(page.prompts), grouped(page.views));
            writeln!(out, "{prompts:>10}  {views:>10}  {}", page.path)?;
        }
    }
    if report.prompts > 0 {
        writeln!(out, "\nPrompts by hour ({}):", report.time_zone)?;
        let by_hour = |hour: usize| -> u64 {
            report.rules.iter().filter_map(|rule| rule.by_hour.get(hour)).sum()
        };
        let most = (0..24).map(by_hour).max().unwrap_or(0).max(1);
        for hour in 0..24 {
            let count = by_hour(hour);
            let bar = usize::try_from(count * 40 / most).unwrap_or(0);
            writeln!(out, "  {hour:02}  {:>8}  {}", grouped(count), "█".repeat(bar))?;
        }
    }
    if let Some(changes) = &report.changes {
        self::changes(out, report, changes)?;
    }
    writeln!(out)?;
    for note in &report.notes {
        writeln!(out, "Note: {note}")?;
    }
    Ok(())
}

fn mode(rule: &RuleReport) -> String {
    if rule.mode == "shadow" {
        format!("shadow: {} calls", grouped(rule.shadow))
    } else {
        rule.mode.to_owned()
    }
}

fn rule(out: &mut String, rule: &RuleReport) -> std::fmt::Result {
    let total: u64 = rule.stopped_by.iter().map(|stop| stop.count).sum();
    writeln!(out, "\n  {}", rule.rule)?;
    for stop in rule.stopped_by.iter().take(MAX_SHOWN) {
        let wanted = stop.wanted.as_deref().map(|wanted| format!(" {wanted}")).unwrap_or_default();
        writeln!(out, "    {:>6}  {}{wanted}", percent(stop.count, total), stop.by)?;
    }
    for near in rule.near_misses.iter().take(MAX_SHOWN) {
        let half: u64 = near.reached.iter().skip(near.reached.len() / 2).sum();
        let how = if half > 0 {
            format!("; {} of them came at least half the way", grouped(half))
        } else {
            String::new()
        };
        let sessions = grouped(near.sessions);
        writeln!(out, "    {sessions} sessions lacked only {} {}{how}", near.field, near.wanted)?;
    }
    if !rule.unknown_fields.is_empty() {
        writeln!(out, "    cannot be judged from this log: {}", rule.unknown_fields.join(", "))?;
    }
    Ok(())
}

fn changes(out: &mut String, report: &Report, changes: &ChangeReport) -> std::fmt::Result {
    writeln!(
        out,
        "\nAgainst the rules {}: {} prompts instead of {}",
        changes.rules_version,
        grouped(report.prompts),
        grouped(changes.prompts)
    )?;
    for (count, what) in [
        (changes.gained, "sessions gain a prompt"),
        (changes.lost, "sessions lose it"),
        (changes.other_rule, "sessions get that of another rule"),
        (changes.same, "sessions stay as they were"),
    ] {
        writeln!(out, "{:>12}  {what}", grouped(count))?;
    }
    for (before, now, count) in changes.moves.iter().take(20) {
        let name = |rule: &Option<String>| rule.clone().unwrap_or_else(|| "no prompt".to_owned());
        writeln!(out, "{:>12}  {} → {}", grouped(*count), name(before), name(now))?;
    }
    for group in changes.groups.iter().filter(|group| group.by != "landing page") {
        let (gained, lost) = (grouped(group.gained), grouped(group.lost));
        writeln!(out, "  {} {}: +{gained} −{lost}", group.by, group.name)?;
    }
    Ok(())
}

/// `1,234,567`
pub(super) fn grouped(count: u64) -> String {
    let digits = count.to_string();
    let mut out = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A share, as people write it.
pub(super) fn percent(part: u64, whole: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a share, for people to look at")]
    let share = if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 };
    if share > 0.0 && share < 10.0 { format!("{share:.1}%") } else { format!("{share:.0}%") }
}
