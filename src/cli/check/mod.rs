//! `koekake check`: everything the server would say of rule files and more, all at once, and
//! whether the files' own examples hold.
//!
//! Must not: compile or judge in any other way than the server does.

use std::io::{IsTerminal, Write};
use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, ValueEnum};

use super::settings::SettingsArguments;
use super::{EXIT_FINDINGS, EXIT_FINE};
use crate::app::open_geoip;
use crate::app::sites::{knowledge, load_one};
use crate::clock::{Clock, SystemClock};
use crate::engine::unmet;
use crate::http::snapshot::SiteReport;
use crate::reload::site_folders;
use crate::rules::diagnostic::{Diagnostic, Severity};
use crate::rules::lint::{self, Circumstances};
use crate::rules::model::RuleSet;

mod github;
mod json;
mod sarif;
mod text;

/// What may stand after `koekake check`.
#[derive(Debug, Clone, Args)]
pub struct CheckArguments {
    /// A rules folder, or the folder of one site; the setting `rules` where it is left out
    path: Option<PathBuf>,
    /// How the findings are written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    format: CheckFormat,
    /// The least finding that makes it end with 1
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t)]
    fail_on: Level,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum CheckFormat {
    /// For people.
    #[default]
    Text,
    /// For programs.
    Json,
    /// Annotations of a pull request: workflow commands of GitHub Actions.
    Github,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Level {
    /// Only what keeps rules from loading, and examples that fail.
    #[default]
    Error,
    /// Warnings too.
    Warning,
    /// Hints too.
    Hint,
}

/// One site with all that there is to say of it.
struct Checked {
    report: SiteReport,
    set: Option<RuleSet>,
}

impl Checked {
    fn count(&self, severity: Severity) -> usize {
        self.report.findings.iter().filter(|finding| finding.severity == severity).count()
    }
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
            report.findings.extend(lint::hints(set, Circumstances { now, knows }));
            report.findings.extend(unmet::findings(set));
            // Among those of the same place the worst comes first.
            report.findings.sort_by(|a, b| {
                let place = |d: &Diagnostic| (d.source.name.clone(), d.span.start);
                place(a).cmp(&place(b)).then(b.severity.cmp(&a.severity))
            });
        }
        checked.push(Checked { report, set });
    }
    let stdout = std::io::stdout();
    let is_coloured = stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let mut out = stdout.lock();
    let written = match arguments.format {
        CheckFormat::Text => text::write(&checked, is_coloured, &mut out),
        CheckFormat::Json => json::write(&checked, &mut out),
        CheckFormat::Github => github::write(&checked, &mut out),
        CheckFormat::Sarif => sarif::write(&checked, &mut out),
    };
    match written.and_then(|()| out.flush()) {
        // Whoever reads has seen enough; what was found stays found.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        other => other.context("cannot write the findings")?,
    }
    let is_fine = |checked: &Checked| {
        let least = match arguments.fail_on {
            Level::Error => Severity::Error,
            Level::Warning => Severity::Warning,
            Level::Hint => Severity::Hint,
        };
        checked.report.is_loaded && checked.report.findings.iter().all(|f| f.severity < least)
    };
    Ok(if checked.iter().all(is_fine) { EXIT_FINE } else { EXIT_FINDINGS })
}
