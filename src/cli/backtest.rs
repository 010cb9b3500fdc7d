//! `koekake backtest`: what rules would have done with the traffic of a log.
//!
//! Must not: read logs, judge or count; `backtest` does.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, anyhow, bail, ensure};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};

use super::settings::SettingsArguments;
use super::{EXIT_FINE, OutputFormat};
use crate::app::open_geoip;
use crate::app::sites::{knowledge, load_one};
use crate::backtest::input::total_bytes;
use crate::backtest::json_lines::Mapping;
use crate::backtest::logs::{Counts, Logs};
use crate::backtest::report::{Found, Report, html, text};
use crate::backtest::run::drive;
use crate::backtest::sift::Sieve;
use crate::backtest::stream::Stream;
use crate::backtest::{Backtest, Options};
use crate::clock::{Clock, SystemClock};
use crate::domain::time::Millis;
use crate::enrich::geoip::GeoIp;
use crate::reload::site_folders;
use crate::rules::model::RuleSet;
use crate::rules::values;

/// What may stand after `koekake backtest`.
#[derive(Debug, Clone, Args)]
pub struct BacktestArguments {
    /// Logs in any order: access logs of nginx or Apache, or lines of JSON; plain, gzip, zstd or
    /// xz; `-` is standard input
    #[arg(long, value_name = "FILE", num_args = 1.., required = true)]
    log: Vec<PathBuf>,
    /// Other rules to compare with: their folder
    #[arg(long, value_name = "DIR")]
    against: Option<PathBuf>,
    /// The site, where the rules folder has several
    #[arg(long, value_name = "KEY")]
    site: Option<String>,
    /// Where the log's pages are [default: the site's first origin]
    #[arg(long, value_name = "URL")]
    origin: Option<String>,
    /// Which field of a line of JSON is what: at=ts,url=request.url; without it such lines are
    /// calls of Koekake's own
    #[arg(long, value_name = "PART=FIELD,…", value_parser = Mapping::parse)]
    map: Option<Mapping>,
    /// Count pictures, scripts and downloads as pages
    #[arg(long)]
    include_assets: bool,
    /// Ask about bots too; the service answers them `bot`
    #[arg(long)]
    include_bots: bool,
    /// Let nobody be remembered from one session to the next
    #[arg(long)]
    forget_visitors: bool,
    /// How long the last page of a session was looked at
    #[arg(long, value_name = "TIME", default_value = "0s", value_parser = values::duration)]
    last_page: Millis,
    /// Write a page with charts
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,
    /// How it is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    format: OutputFormat,
    #[command(flatten)]
    settings: SettingsArguments,
}

/// Runs the rules over the logs.
pub fn run(arguments: BacktestArguments, settings: SettingsArguments) -> anyhow::Result<u8> {
    let config = settings.then(arguments.settings).load()?.config;
    let geoip = open_geoip(&config)?.map(Arc::new);
    let set = Arc::new(load(&config.rules, arguments.site.as_deref(), geoip.as_deref())?);
    let against = match &arguments.against {
        Some(rules) => Some(Arc::new(load(rules, Some(&set.site.key), geoip.as_deref())?)),
        None => None,
    };
    let options = Options {
        includes_assets: arguments.include_assets,
        includes_bots: arguments.include_bots,
        remembers_visitors: !arguments.forget_visitors,
        last_page: arguments.last_page,
        mapping: arguments.map,
        ..Options::default()
    };
    let origin = match &arguments.origin {
        Some(origin) => origin.trim_end_matches('/').to_owned(),
        None => set.site.origins.first().unwrap_or("https://localhost").to_owned(),
    };
    let sieve = Sieve::new(&set.site.key, &origin, &options, geoip);
    let mut logs = Logs::open(&arguments.log, sieve)?;
    let mut stream = Stream::new(set.site.session_timeout);
    let mut backtest = Backtest::new(set, against, &options);
    let bar = progress(&arguments.log);
    let bytes = logs.bytes.clone();
    let mut tick = |counts: &Counts| {
        bar.set_position(bytes.load(Ordering::Relaxed));
        #[expect(clippy::cast_precision_loss, reason = "a rate, to look at")]
        let rate = counts.lines as f64 / bar.elapsed().as_secs_f64().max(0.001);
        bar.set_message(format!("{} lines, {rate:.0} a second", counts.lines));
    };
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    runtime.block_on(drive(&mut logs, &mut stream, &mut backtest, &mut |_| {}, &mut tick));
    bar.finish_and_clear();
    let span = backtest.span;
    let (tallies, comparison) = backtest.tallies();
    let (Some((set, tally)), other) = (tallies.first(), tallies.get(1)) else {
        bail!("no rules were run");
    };
    let report = Report::of(&Found {
        set,
        tally,
        against: other.map(|(set, tally)| (&**set, tally)),
        comparison: &comparison,
        counts: &logs.counts,
        stream: &stream,
        span,
        options: &options,
    });
    if let Some(path) = &arguments.report {
        std::fs::write(path, html::render(&report))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let out = match arguments.format {
        OutputFormat::Text => text::render(&report),
        OutputFormat::Json => serde_json::to_string_pretty(&report)? + "\n",
    };
    match std::io::stdout().write_all(out.as_bytes()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        other => other.context("cannot write the findings")?,
    }
    Ok(EXIT_FINE)
}

/// The rules of that site, or of the only one, as the service would load them.
fn load(rules: &Path, site: Option<&str>, geoip: Option<&GeoIp>) -> anyhow::Result<RuleSet> {
    let mut folders = site_folders(rules)?;
    if folders.len() > 1
        && let Some(key) = site
    {
        folders.retain(|folder| folder.file_name().is_some_and(|name| name == key));
        ensure!(!folders.is_empty(), "{} holds no site `{key}`", rules.display());
    }
    let [folder] = folders.as_slice() else {
        bail!(
            "{} holds {}: name one with --site",
            rules.display(),
            if folders.is_empty() { "no site" } else { "several sites" }
        );
    };
    let (report, set) = load_one(folder, SystemClock.now(), knowledge(geoip));
    set.ok_or_else(|| {
        let told: Vec<String> =
            report.findings.iter().map(ToString::to_string).chain(report.notes).collect();
        anyhow!("{}\n\nthe rules of `{}` do not load", told.join("\n\n"), report.key)
    })
}

fn progress(logs: &[PathBuf]) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let (bar, style) = match total_bytes(logs) {
        Some(total) => (ProgressBar::new(total), "{wide_bar} {percent:>3}%  {msg}, {eta} left"),
        None => (ProgressBar::new_spinner(), "{spinner} {bytes}  {msg}"),
    };
    bar.enable_steady_tick(Duration::from_millis(200));
    // The templates above are right, as their test says.
    match ProgressStyle::with_template(style) {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}
