//! Settings: `koekake.toml`, then `KOEKAKE_*`, then flags → a [`Config`] that cannot be wrong.
//!
//! As typed (texts with their origins) and resolved are two types; only the second leaves this
//! room. Must not: start anything, or look at rules.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;

mod error;
mod file;
mod report;
mod resolve;
mod secret;
mod setting;
mod typed;
mod value;

pub use error::{ConfigError, Origin, Problem};
pub use report::Report;
pub use secret::{AdminLevel, AdminTokens, Secret, SiteSecrets};
pub use setting::{Kind, Setting, Spec};
pub use value::{Geoip, LogFormat, RateLimit, StoreKind, is_loopback};

use typed::Typed;

/// The file that is read where none is named, if it exists.
pub const DEFAULT_FILE: &str = "koekake.toml";

/// The resolved settings. Made only by [`load`], so that what must hold between them does.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Config {
    /// Where the public listener listens; port 0 picks a free one.
    pub listen: SocketAddr,
    /// Where the admin routes have a listener of their own. Never the same as `listen`.
    pub admin_listen: Option<SocketAddr>,
    /// Who may use the admin routes.
    pub admin_tokens: AdminTokens,
    /// The folder of sites and their rules.
    pub rules: PathBuf,
    /// The place database.
    pub geoip: Geoip,
    /// The folder for what must outlive the process; `None` where none is wanted.
    pub data: Option<PathBuf>,
    /// Where sessions live.
    pub store: StoreKind,
    /// Whose word on a client's address counts.
    pub trusted_proxies: Vec<IpNet>,
    /// Whether `event.at` counts. Only where loopback or an admin token protects it.
    pub trust_event_time: bool,
    /// How many requests one address may make; `None` for any number.
    pub rate_limit: Option<RateLimit>,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// Which log lines are written: a filter that `tracing-subscriber`'s `EnvFilter` takes.
    pub log_level: String,
    /// Threads that answer requests.
    pub workers: NonZeroUsize,
    /// The most sessions in memory.
    pub max_sessions: NonZeroUsize,
    /// The most visitors in memory.
    pub max_visitors: NonZeroUsize,
    /// How long page views may wait to be written.
    pub write_behind: Duration,
    /// How long visitors are remembered.
    pub visitor_retention: Duration,
    /// How long prompts are remembered for what becomes of them.
    pub outcome_retention: Duration,
    /// How long a shutdown waits for requests in flight.
    pub shutdown_timeout: Duration,
    /// The secrets of sites, by their keys.
    pub sites: BTreeMap<Arc<str>, SiteSecrets>,
}

impl Config {
    /// Whether only this machine can reach the service.
    #[must_use]
    pub fn is_loopback_only(&self) -> bool {
        is_loopback(self.listen) && self.admin_listen.is_none_or(is_loopback)
    }

    /// What to say at start about how long things are remembered.
    #[must_use]
    pub fn memory_notice(&self) -> String {
        match &self.data {
            None => "sessions, prompt histories and caps are kept in memory only: a restart \
                     forgets them"
                .to_owned(),
            Some(folder) => format!(
                "what must outlive a restart is kept in `{}`: prompts before they are shown, page \
                 views within {:?}",
                folder.display(),
                self.write_behind
            ),
        }
    }
}

/// What the settings are made of. Empty means: the default file if it exists, else the defaults.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file named by `--config`.
    pub file: Option<PathBuf>,
    /// The environment; only `KOEKAKE_*` is looked at.
    pub environment: Vec<(OsString, OsString)>,
    /// The flags as typed; of two for one setting the later counts.
    pub flags: Vec<(Setting, String)>,
}

/// Settings that were read.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The settings.
    pub config: Config,
    /// Where each came from.
    pub report: Report,
    /// What works, but should be looked at.
    pub warnings: Vec<String>,
}

/// Reads and resolves the settings.
///
/// # Errors
/// Everything that is wrong with them, each with where it was typed.
pub fn load(sources: Sources) -> Result<Loaded, ConfigError> {
    let (mut problems, mut warnings) = (Vec::new(), Vec::new());
    let mut typed = read_file(&sources, &mut problems);
    typed.overlay(Typed::from_env(&sources.environment, &mut problems, &mut warnings));
    typed.overlay(Typed::from_flags(sources.flags));
    let mut resolver = resolve::Resolver::new(typed, problems, warnings);
    match resolver.run() {
        Some(config) => Ok(Loaded { config, report: resolver.report, warnings: resolver.warnings }),
        None => Err(ConfigError(resolver.problems)),
    }
}

fn read_file(sources: &Sources, problems: &mut Vec<Problem>) -> Typed {
    let from_env = || {
        let named = sources.environment.iter().find(|(name, _)| name == typed::CONFIG);
        named.filter(|(_, value)| !value.is_empty())
    };
    let (path, origin) = match (&sources.file, from_env()) {
        (Some(path), _) => (path.clone(), Some(Origin::Flag("--config".to_owned()))),
        (None, Some((_, path))) => (path.into(), Some(Origin::Env(typed::CONFIG.to_owned()))),
        (None, None) => (DEFAULT_FILE.into(), None),
    };
    match (std::fs::read_to_string(&path), origin) {
        (Ok(text), _) => {
            let path: Arc<Path> = path.into();
            file::parse(&path, text.strip_prefix('\u{feff}').unwrap_or(&text), problems)
        }
        (Err(error), None) if error.kind() == std::io::ErrorKind::NotFound => Typed::default(),
        (Err(error), origin) => {
            let origin = origin.unwrap_or(Origin::Default);
            let message = format!("cannot read {}: {error}", path.display());
            problems.push(Problem::new(origin, message));
            Typed::default()
        }
    }
}
