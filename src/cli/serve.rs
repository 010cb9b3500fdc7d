//! `koekake serve`: settings → log → the running service.
//!
//! Must not: wire the service; that is `app`'s.

use std::io::Write;
use std::sync::Arc;

use clap::Args;

use super::settings::SettingsArguments;
use super::{EXIT_FINE, OutputFormat, logging};
use crate::app::{self, Listeners, Running};
use crate::clock::SystemClock;
use crate::config::{Config, LogFormat, Report};
use crate::reload::watch::Watch;

/// What may stand after `koekake` and after `koekake serve`.
#[derive(Debug, Clone, Args)]
pub struct ServeArguments {
    #[command(flatten)]
    settings: SettingsArguments,
    /// Show every setting with where it came from, and stop; secrets stay hidden
    #[arg(long)]
    print_config: bool,
    /// How --print-config writes (log lines have --log-format)
    #[arg(long, value_enum, value_name = "FORMAT")]
    format: Option<OutputFormat>,
}

impl ServeArguments {
    /// The settings alone, for another verb.
    pub fn into_settings(self) -> SettingsArguments {
        self.settings
    }

    /// These with others, typed after the verb, over them.
    pub fn then(self, later: Self) -> Self {
        Self {
            settings: self.settings.then(later.settings),
            print_config: self.print_config || later.print_config,
            format: later.format.or(self.format),
        }
    }
}

/// Runs the service until it is told to stop.
pub fn run(arguments: ServeArguments) -> anyhow::Result<u8> {
    let loaded = arguments.settings.load()?;
    if arguments.print_config {
        print_config(&loaded.report, arguments.format.unwrap_or_default())?;
        loaded.warnings.iter().for_each(|warning| eprintln!("warning: {warning}"));
        return Ok(EXIT_FINE);
    }
    logging::start(&loaded.config)?;
    loaded.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    start(&loaded.config)
}

fn print_config(report: &Report, format: OutputFormat) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    match format {
        OutputFormat::Text => write!(out, "{}", report.to_text()),
        OutputFormat::Json => writeln!(out, "{:#}", report.to_json()),
    }
}

fn start(config: &Config) -> anyhow::Result<u8> {
    tracing::info!("{}", config.memory_notice());
    let listeners = Listeners::bind(config)?;
    // One thread beside the workers: it accepts no requests, it only waits, sweeps and stops.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        let mut signals = Signals::listen()?;
        let running = app::start(config, Arc::new(SystemClock), listeners, Watch::default())?;
        welcome(config, &running)?;
        while signals.wait().await == Asked::Reload {
            running.reload();
        }
        tracing::info!("stopping: requests in flight are answered");
        running.stop().await;
        Ok(EXIT_FINE)
    })
}

/// The one line on standard output; the rest is for people who look on.
fn welcome(config: &Config, running: &Running) -> std::io::Result<()> {
    let address = running.address;
    writeln!(std::io::stdout(), "Koekake listens on http://{address}")?;
    if config.log_format != LogFormat::Text {
        return Ok(());
    }
    let mut out = std::io::stderr().lock();
    if let Some(token) = &running.made_token {
        let admin = running.admin_address.unwrap_or(address);
        writeln!(
            out,
            "\nNo admin token is configured, so one was made for this run. Which rules are in use:\n\n  \
             curl -s -H 'Authorization: Bearer {token}' http://{admin}/v1/rules"
        )?;
    }
    if running.state.site("demo-shop").is_ok() {
        writeln!(
            out,
            "\nTry it: somebody with a full cart has stood still at the demo shop's checkout.\n\n  \
             curl -s http://{address}/v1/decide -A '{BROWSER}' -H 'Accept-Language: en' \
             -H 'Content-Type: application/json' -d '{TRY}'\n"
        )?;
    }
    Ok(())
}

/// A person's browser: what is none gets no prompt.
const BROWSER: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like \
                       Gecko) Chrome/142.0.0.0 Safari/537.36";
/// Shows a prompt at any hour: a chat while somebody is there, links and opening times otherwise.
const TRY: &str = r#"{"site":"demo-shop","page":{"url":"https://shop.example/checkout","time_on_page_ms":61000,"idle_ms":61000},"cart":{"value":"24000","currency":"JPY"}}"#;

/// What a signal asks for.
#[derive(PartialEq)]
enum Asked {
    Reload,
    Stop,
}

/// The signals that the service listens to: `SIGHUP` reloads, `SIGTERM` and Ctrl-C end it.
struct Signals {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
    #[cfg(unix)]
    hangup: tokio::signal::unix::Signal,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        #[cfg(unix)]
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            #[cfg(unix)]
            terminate: signal(SignalKind::terminate())?,
            #[cfg(unix)]
            hangup: signal(SignalKind::hangup())?,
        })
    }

    async fn wait(&mut self) -> Asked {
        #[cfg(unix)]
        tokio::select! {
            _ = tokio::signal::ctrl_c() => Asked::Stop,
            _ = self.terminate.recv() => Asked::Stop,
            _ = self.hangup.recv() => Asked::Reload,
        }
        #[cfg(not(unix))]
        {
            let _ = tokio::signal::ctrl_c().await;
            Asked::Stop
        }
    }
}
