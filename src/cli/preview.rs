//! `koekake preview`: prompts as visitors would read them, in each language and variant.
//!
//! Must not: write a text in any other way than the service does.

use std::collections::BTreeSet;
use std::io::Write;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::{Context, bail, ensure};
use clap::Args;
use serde_json::{Value, json};
use textwrap::core::display_width;

use super::settings::SettingsArguments;
use super::{EXIT_FINDINGS, EXIT_FINE, OutputFormat};
use crate::app::sites::load_one;
use crate::clock::{Clock, SystemClock};
use crate::domain::decision::{ActionKind, Prompt};
use crate::domain::time::Timestamp;
use crate::engine::render;
use crate::reload::site_folders;
use crate::rules::lint::PlaceKnowledge;
use crate::rules::model::{PromptText, Rule, RuleSet, Variant};
use crate::rules::showcase;

/// How wide a bubble's text is, in columns.
const COLUMNS: usize = 40;

/// What may stand after `koekake preview`.
#[derive(Debug, Clone, Args)]
pub struct PreviewArguments {
    /// A site's key, or with a rule's id: demo-shop/pricing-help; all of them where it is left out
    name: Option<String>,
    /// Where sites are; the setting `rules` where it is left out
    #[arg(long, value_name = "FOLDER")]
    r#in: Option<PathBuf>,
    /// How it is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    format: OutputFormat,
}

/// One prompt in one language: for somebody of whom everything is known, and of whom nothing is.
struct Shown {
    site: String,
    rule: Arc<str>,
    variant: Arc<str>,
    /// The names that its texts use, of visitor and page.
    uses: Vec<Arc<str>>,
    known: Prompt,
    unknown: Prompt,
}

/// Writes them. Ends with 1 where a site does not load.
pub fn run(arguments: PreviewArguments, settings: SettingsArguments) -> anyhow::Result<u8> {
    let rules = match arguments.r#in {
        Some(folder) => folder,
        None => settings.load()?.config.rules,
    };
    let (site, rule) = match &arguments.name {
        Some(name) => match name.split_once('/') {
            Some((site, rule)) => (Some(site), Some(rule)),
            None => (Some(name.as_str()), None),
        },
        None => (None, None),
    };
    let now = SystemClock.now();
    let mut shown = Vec::new();
    let mut sites = Vec::new();
    let mut is_fine = true;
    for folder in site_folders(&rules)? {
        let (report, set) = load_one(&folder, now, PlaceKnowledge::default());
        sites.push(report.key.to_string());
        if site.is_some_and(|site| *report.key != *site) {
            continue;
        }
        let Some(set) = set else {
            is_fine = false;
            // Nothing is left to tell where this cannot be told.
            let key = &report.key;
            let _ = writeln!(std::io::stderr(), "{key} does not load; `koekake check` says why");
            continue;
        };
        let chosen = |one: &&Rule| rule.is_none_or(|id| *one.id == *id);
        for rule in set.rules.iter().filter(chosen) {
            shown.extend(of_rule(&set, rule, now));
        }
        if let Some(id) = rule {
            let ids: Vec<&str> = set.rules.iter().map(|rule| &*rule.id).collect();
            ensure!(ids.contains(&id), "no rule is called `{id}`; there are: {}", ids.join(", "));
        }
    }
    if let Some(site) = site.filter(|site| !sites.iter().any(|known| known == site)) {
        bail!("no site is called `{site}`; there are: {}", sites.join(", "));
    }
    let text = match arguments.format {
        OutputFormat::Text => shown.iter().map(as_text).collect::<Vec<_>>().join("\n"),
        OutputFormat::Json => {
            let all: Vec<Value> = shown.iter().map(as_json).collect();
            format!("{:#}\n", json!({ "prompts": all }))
        }
    };
    match write!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        other => other.context("cannot write the preview")?,
    }
    Ok(if is_fine { EXIT_FINE } else { EXIT_FINDINGS })
}

fn of_rule(set: &RuleSet, rule: &Rule, now: Timestamp) -> Vec<Shown> {
    let languages = |variant: &Variant| variant.prompt.languages.clone();
    let mut all = Vec::new();
    for variant in &rule.variants {
        let uses = uses(&variant.prompt);
        for language in languages(variant) {
            let known = showcase::sample(&set.site, &uses, &language, now);
            let unknown = showcase::plain(&set.site, &language, now);
            all.push(Shown {
                site: set.site.key.to_string(),
                rule: rule.id.clone(),
                variant: variant.id.clone(),
                uses: uses.clone(),
                known: render::prompt(&set.site, &variant.prompt, &known.facts()),
                unknown: render::prompt(&set.site, &variant.prompt, &unknown.facts()),
            });
        }
    }
    all
}

/// The names that may be known of one visitor and not of another.
fn uses(prompt: &PromptText) -> Vec<Arc<str>> {
    let labels = prompt.actions.iter().map(|action| &action.label);
    let texts = std::iter::once(&prompt.message).chain(&prompt.title).chain(labels);
    let names: BTreeSet<Arc<str>> = texts
        .flat_map(|texts| &texts.0)
        .flat_map(|template| template.uses().iter().cloned())
        .filter(|name| !name.starts_with("variables.") && !name.starts_with("hours."))
        .collect();
    names.into_iter().collect()
}

fn as_json(shown: &Shown) -> Value {
    let prompt = |prompt: &Prompt| {
        let action = |action: &crate::domain::decision::Action| {
            let kind = if action.kind == ActionKind::Chat { "chat" } else { "link" };
            json!({ "kind": kind, "label": action.label, "url": action.url })
        };
        json!({
            "title": prompt.title,
            "message": prompt.message,
            "language": &*prompt.language,
            "actions": prompt.actions.iter().map(action).collect::<Vec<_>>(),
            "channel": &*prompt.channel,
            "route": prompt.route.as_deref(),
        })
    };
    json!({
        "site": shown.site,
        "rule": &*shown.rule,
        "variant": &*shown.variant,
        "language": &*shown.known.language,
        "uses": shown.uses.iter().map(|name| &**name).collect::<Vec<_>>(),
        "known": prompt(&shown.known),
        "unknown": prompt(&shown.unknown),
    })
}

fn as_text(shown: &Shown) -> String {
    let Shown { site, rule, variant, known, unknown, .. } = shown;
    let head = format!("{site}/{rule}, variant {variant}, {}", known.language);
    let uses: Vec<&str> = shown.uses.iter().map(|name| &**name).collect();
    let (known, unknown) = (boxed(known), boxed(unknown));
    if known == unknown {
        return format!("{head}\n{known}");
    }
    let uses = uses.join(", ");
    format!(
        "{head}\nwith sample values of {uses}:\n{known}where nothing of that is known:\n{unknown}"
    )
}

/// A prompt in a frame.
fn boxed(prompt: &Prompt) -> String {
    let mut lines = Vec::new();
    if let Some(title) = &prompt.title {
        lines.extend(wrapped(title));
        lines.push(String::new());
    }
    lines.extend(wrapped(&prompt.message));
    lines.push(String::new());
    for action in &prompt.actions {
        let label = match &action.url {
            Some(url) => format!("[ {} ] → {url}", action.label),
            None => format!("[ {} ]", action.label),
        };
        lines.extend(wrapped(&label));
    }
    let edge = "─".repeat(COLUMNS + 2);
    let framed: Vec<String> = lines
        .iter()
        .map(|line| {
            let room = COLUMNS.saturating_sub(display_width(line));
            format!("│ {line}{} │\n", " ".repeat(room))
        })
        .collect();
    format!("╭{edge}╮\n{}╰{edge}╯\n", framed.concat())
}

/// A text in lines that fit: control characters must not steer the terminal.
fn wrapped(text: &str) -> Vec<String> {
    let lines = textwrap::wrap(text.trim_end(), COLUMNS);
    let plain = |line: &str| -> String {
        line.chars().map(|c| if c.is_control() { '\u{FFFD}' } else { c }).collect()
    };
    lines.iter().map(|line| plain(line)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_as_wide_as_they_look() {
        let text = "お支払いや配送について、担当のHanaがご案内します。ご一緒に確認しましょうか？";
        let lines = wrapped(text);
        assert!(lines.len() > 1 && lines.iter().all(|line| display_width(line) <= COLUMNS));
        assert_eq!(lines.concat(), text);
        // No line begins with a full stop.
        assert!(lines.iter().all(|line| !line.starts_with(['。', '、', '？'])), "{lines:?}");
        assert_eq!(wrapped("a\u{1b}[2J"), ["a\u{FFFD}[2J"]);
    }
}
