//! `koekake check`: everything the server would say of rule files, all at once, and whether the
//! files' own examples hold.
//!
//! Must not: compile or judge in any other way than the server does.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde_json::json;

use super::settings::SettingsArguments;
use super::{EXIT_FINDINGS, EXIT_FINE, OutputFormat};
use crate::app::open_geoip;
use crate::app::sites::{knowledge, load_one};
use crate::clock::{Clock, SystemClock};
use crate::engine::examples;
use crate::http::snapshot::SiteReport;
use crate::http::wire::rules::finding_json;
use crate::reload::site_folders;
use crate::rules::diagnostic::{Diagnostic, Severity};
use crate::rules::model::RuleSet;

/// What may stand after `koekake check`.
#[derive(Debug, Clone, Args)]
pub struct CheckArguments {
    /// A rules folder, or the folder of one site; the setting `rules` where it is left out
    path: Option<PathBuf>,
    /// How the findings are written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    format: OutputFormat,
}

/// Checks every site. Errors and examples that fail make it end with 1.
pub fn run(arguments: CheckArguments, settings: SettingsArguments) -> anyhow::Result<u8> {
    let config = settings.load()?.config;
    let knows = knowledge(open_geoip(&config)?.as_ref());
    let path = arguments.path.unwrap_or(config.rules);
    let folders = site_folders(&path)?;
    anyhow::ensure!(
        !folders.is_empty(),
        "{} holds no site: a site is a folder with a site.yaml",
        path.display()
    );
    let now = SystemClock.now();
    let mut checked = Vec::new();
    for folder in folders {
        let (mut report, set) = load_one(&folder, now, knows);
        if let Some(set) = &set {
            report.findings.extend(failed_examples(set));
        }
        checked.push((report, set));
    }
    let written = match arguments.format {
        OutputFormat::Text => write_text(&checked),
        OutputFormat::Json => write_json(&checked),
    };
    match written {
        // Whoever reads has seen enough; what was found stays found.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        other => other.context("cannot write the findings")?,
    }
    let is_fine = checked.iter().all(|(report, _)| {
        report.is_loaded && report.findings.iter().all(|f| f.severity != Severity::Error)
    });
    Ok(if is_fine { EXIT_FINE } else { EXIT_FINDINGS })
}

/// Examples that did not come out as they say, as findings at their place.
fn failed_examples(set: &RuleSet) -> Vec<Diagnostic> {
    examples::run(set)
        .into_iter()
        .filter_map(|failure| {
            let rule = set.rules.get(failure.rule)?;
            let example = rule.examples.get(failure.example)?;
            let message = format!(
                "the rule `{}` does not do what its example says: expected {}, got {}",
                rule.id, example.expect, failure.actual
            );
            let finding = Diagnostic::error("example", &rule.source, example.span, message);
            Some(match failure.stop {
                Some(stop) => finding.help(format!("it was stopped by `{}`", stop.by(set))),
                None => finding,
            })
        })
        .collect()
}

fn write_text(checked: &[(SiteReport, Option<RuleSet>)]) -> std::io::Result<()> {
    let stdout = std::io::stdout();
    let is_coloured = stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let mut out = stdout.lock();
    for (report, set) in checked {
        for note in &report.notes {
            writeln!(out, "{note}\n")?;
        }
        for finding in &report.findings {
            writeln!(out, "{}\n", finding.render(is_coloured))?;
        }
        let (errors, warnings) = counts(report);
        let (errors, warnings) = (many(errors, "error"), many(warnings, "warning"));
        let site = &report.key;
        match set {
            Some(set) => {
                let examples: usize = set.rules.iter().map(|rule| rule.examples.len()).sum();
                let (rules, examples) = (many(set.rules.len(), "rule"), many(examples, "example"));
                writeln!(out, "{site}: {rules}, {examples}, {errors}, {warnings}")?;
            }
            None => writeln!(out, "{site}: does not load, {errors}, {warnings}")?,
        }
    }
    Ok(())
}

fn many(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn counts(report: &SiteReport) -> (usize, usize) {
    let errors = report.findings.iter().filter(|f| f.severity == Severity::Error).count();
    (errors, report.findings.len() - errors)
}

fn write_json(checked: &[(SiteReport, Option<RuleSet>)]) -> std::io::Result<()> {
    let sites: Vec<_> = checked
        .iter()
        .map(|(report, set)| {
            json!({
                "site": &*report.key,
                "loads": report.is_loaded,
                "version": set.as_ref().map(|set| &*set.version),
                "findings": report.findings.iter().map(finding_json).collect::<Vec<_>>(),
                "notes": report.notes,
            })
        })
        .collect();
    writeln!(std::io::stdout(), "{:#}", json!({ "sites": sites }))
}
