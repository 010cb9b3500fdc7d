//! A backtest's findings as one page that needs nothing else: styles and charts are in it.
//!
//! Must not: load anything, run a script, or let any text in unescaped.

use std::fmt::Write;

use super::charts::{bars, escaped, hours, nearness, parts};
use super::text::{grouped, percent};
use super::{ChangeReport, Report, RuleReport};

const STYLE: &str = include_str!("report.css");

/// Writes the page.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut out = String::with_capacity(64 << 10);
    // Writing into a String cannot fail.
    let _ = page(&mut out, report);
    out
}

fn page(out: &mut String, report: &Report) -> std::fmt::Result {
    let name = escaped(&report.name);
    writeln!(
        out,
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>{name}: what the rules would have done</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>"
    )?;
    let day =
        |at: &Option<String>| escaped(at.as_deref().and_then(|at| at.get(..10)).unwrap_or("—"));
    writeln!(
        out,
        "<header><p class=\"over\">Koekake backtest</p><h1>{name}</h1>\
         <p class=\"sub\">What these rules would have done with the traffic of {} to {} \
         <span class=\"tag\">rules {}</span></p></header>",
        day(&report.from),
        day(&report.until),
        escaped(&report.rules_version)
    )?;
    cards(out, report)?;
    if let Some(changes) = &report.changes {
        self::changes(out, report, changes)?;
    }
    let by_rule: Vec<(String, u64)> = report
        .rules
        .iter()
        .filter(|rule| rule.mode == "live")
        .map(|rule| (rule.rule.clone(), rule.prompts))
        .collect();
    writeln!(
        out,
        "<div class=\"two\"><section><h2>Prompts by rule</h2>{}</section>",
        bars(&by_rule)
    )?;
    let by_hour: Vec<u64> = (0..24)
        .map(|hour| report.rules.iter().filter_map(|rule| rule.by_hour.get(hour)).sum())
        .collect();
    writeln!(
        out,
        "<section><h2>Over the day <small>{}</small></h2>{}</section></div>",
        escaped(&report.time_zone),
        hours(&by_hour, &report.views_by_hour)
    )?;
    writeln!(
        out,
        "<h2 class=\"part\">Rule by rule</h2><p class=\"sub\">What stopped each rule first, when it \
         did not show, and how near sessions came that lacked one condition only.</p>"
    )?;
    for rule in &report.rules {
        self::rule(out, rule)?;
    }
    pages(out, report)?;
    log(out, report)?;
    writeln!(out, "</main>\n</body>\n</html>")
}

fn cards(out: &mut String, report: &Report) -> std::fmt::Result {
    let share = percent(report.prompted_sessions, report.sessions);
    let reason = |name: &str| {
        report.reasons.iter().find(|(reason, _)| *reason == name).map_or(0, |(_, count)| *count)
    };
    let capped: u64 = report.rules.iter().map(|rule| rule.capped_sessions).sum();
    write!(out, "<div class=\"cards\">")?;
    for (figure, what, more) in [
        (grouped(report.sessions), "sessions", format!("{} page views", grouped(report.events))),
        (grouped(report.prompts), "prompts", format!("{share} of sessions")),
        (
            grouped(capped),
            "kept back by caps",
            format!(
                "after a prompt in the session or the last {}",
                if reason("cooldown") > 0 { "one before" } else { "session" }
            ),
        ),
        (grouped(report.rechecks), "rechecks", "asked again while somebody stayed".to_owned()),
    ] {
        write!(
            out,
            "<div class=\"card\"><b>{figure}</b><span>{what}</span><small>{}</small></div>",
            escaped(&more)
        )?;
    }
    writeln!(out, "</div>")
}

fn rule(out: &mut String, rule: &RuleReport) -> std::fmt::Result {
    let tag = if rule.mode == "live" {
        String::new()
    } else {
        format!("<span class=\"tag\">{}</span>", rule.mode)
    };
    write!(
        out,
        "<section class=\"rule\"><h3>{}{tag}<span class=\"figure\">{} prompts</span></h3>",
        escaped(&rule.rule),
        grouped(rule.prompts)
    )?;
    if let Some(description) = &rule.description {
        write!(out, "<p class=\"sub\">{}</p>", escaped(description))?;
    }
    let mut facts = Vec::new();
    for (count, what) in [
        (rule.held_out, "kept without it for comparison"),
        (rule.capped_sessions, "sessions kept back by caps"),
        (rule.shadow, "calls in which it would have had its turn"),
    ] {
        if count > 0 {
            facts.push(format!("{} {what}", grouped(count)));
        }
    }
    if !facts.is_empty() {
        write!(out, "<p>{}</p>", facts.join(" · "))?;
    }
    if !rule.stopped_by.is_empty() {
        let mut rows: Vec<(String, u64)> = rule
            .stopped_by
            .iter()
            .map(|stop| {
                let wanted = stop.wanted.as_deref().unwrap_or_default();
                (format!("{} {wanted}", stop.by).trim().to_owned(), stop.count)
            })
            .collect();
        if rows.len() > 6 {
            let rest = rows.split_off(5).iter().map(|(_, count)| count).sum();
            rows.push(("other".to_owned(), rest));
        }
        write!(out, "<h4>Stopped by</h4>{}", parts(&rows))?;
    }
    if !rule.near_misses.is_empty() {
        write!(out, "<h4>Near misses</h4><div class=\"misses\">")?;
        for near in rule.near_misses.iter().take(4) {
            let has_measure = near.reached.iter().skip(1).any(|count| *count > 0);
            write!(
                out,
                "<div><p><b>{}</b> sessions lacked only<br><code>{} {}</code></p>{}</div>",
                grouped(near.sessions),
                escaped(&near.field),
                escaped(&near.wanted),
                if has_measure { nearness(&near.reached) } else { String::new() }
            )?;
        }
        write!(out, "</div>")?;
    }
    if !rule.unknown_fields.is_empty() {
        write!(
            out,
            "<p class=\"warn\">Cannot be judged from this log: {}</p>",
            escaped(&rule.unknown_fields.join(", "))
        )?;
    }
    writeln!(out, "</section>")
}

fn changes(out: &mut String, report: &Report, changes: &ChangeReport) -> std::fmt::Result {
    write!(
        out,
        "<section class=\"changes\"><h2>Against the rules <code>{}</code></h2>\
         <p><b>{}</b> prompts instead of <b>{}</b>.</p><div class=\"cards small\">",
        escaped(&changes.rules_version),
        grouped(report.prompts),
        grouped(changes.prompts)
    )?;
    for (class, count, what) in [
        ("gain", changes.gained, "sessions gain a prompt"),
        ("lose", changes.lost, "sessions lose theirs"),
        ("", changes.other_rule, "get another rule's"),
        ("", changes.same, "stay as they were"),
    ] {
        let figure = grouped(count);
        write!(out, "<div class=\"card {class}\"><b>{figure}</b><span>{what}</span></div>")?;
    }
    write!(out, "</div>")?;
    let name = |rule: &Option<String>| match rule {
        Some(rule) => format!("<code>{}</code>", escaped(rule)),
        None => "no prompt".to_owned(),
    };
    if !changes.moves.is_empty() {
        write!(out, "<table><tr><th>before</th><th>now</th><th class=\"n\">sessions</th></tr>")?;
        for (before, now, count) in changes.moves.iter().take(20) {
            let (before, now, count) = (name(before), name(now), grouped(*count));
            write!(out, "<tr><td>{before}</td><td>{now}</td><td class=\"n\">{count}</td></tr>")?;
        }
        write!(out, "</table>")?;
    }
    if !changes.groups.is_empty() {
        write!(
            out,
            "<h4>For whom</h4><table><tr><th></th><th></th><th class=\"n\">gain</th><th class=\"n\">lose</th></tr>"
        )?;
        for group in &changes.groups {
            write!(
                out,
                "<tr><td class=\"dim\">{}</td><td>{}</td><td class=\"n gain\">+{}</td><td class=\"n lose\">−{}</td></tr>",
                group.by,
                escaped(&group.name),
                grouped(group.gained),
                grouped(group.lost)
            )?;
        }
        write!(out, "</table>")?;
    }
    writeln!(out, "</section>")
}

fn pages(out: &mut String, report: &Report) -> std::fmt::Result {
    write!(
        out,
        "<section><h2>Pages</h2><table><tr><th>page</th><th class=\"n\">prompts</th>\
         <th class=\"n\">views</th><th class=\"n\">of views</th></tr>"
    )?;
    for page in &report.pages {
        write!(
            out,
            "<tr><td class=\"path\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td><td class=\"n\">{}</td></tr>",
            escaped(&page.path),
            grouped(page.prompts),
            grouped(page.views),
            percent(page.prompts, page.views)
        )?;
    }
    writeln!(out, "</table></section>")
}

fn log(out: &mut String, report: &Report) -> std::fmt::Result {
    let log = &report.log;
    write!(out, "<section><h2>The log</h2><table>")?;
    let mut row = |name: &str, count: u64| {
        let name = escaped(name);
        write!(out, "<tr><td>{name}</td><td class=\"n\">{}</td></tr>", grouped(count))
    };
    row("lines", log.lines)?;
    row("page views and events of people", log.taken)?;
    for (why, count) in &log.left_out {
        row(&format!("left out: {why}"), *count)?;
    }
    if log.unread > 0 {
        row("could not be read", log.unread)?;
    }
    write!(out, "</table>")?;
    for line in log.first_unread.iter().chain(&log.broken) {
        write!(out, "<pre>{}</pre>", escaped(line))?;
    }
    write!(out, "<h4>What was assumed</h4><ul>")?;
    for note in &report.notes {
        write!(out, "<li>{}</li>", escaped(note))?;
    }
    writeln!(out, "</ul></section>")
}
