//! Settings as typed → a [`Config`] that cannot be wrong, or everything that is wrong.
//!
//! Must not: know how a text was typed beyond its origin.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::Config;
use super::error::{Origin, Problem};
use super::report::{Entry, Report};
use super::secret::{
    AdminLevel, AdminTokens, HOW_TO_MAKE, Secret, SiteSecrets, check_identity_key, check_token,
    is_world_readable,
};
use super::setting::{Kind, Setting};
use super::typed::{Given, SiteSetting, Typed};
use super::value::{self, Geoip};

pub(super) struct Resolver {
    typed: Typed,
    pub problems: Vec<Problem>,
    pub warnings: Vec<String>,
    pub report: Report,
}

impl Resolver {
    pub fn new(typed: Typed, problems: Vec<Problem>, warnings: Vec<String>) -> Self {
        Self { typed, problems, warnings, report: Report::default() }
    }

    /// `None` where something is wrong; then `problems` says what.
    pub fn run(&mut self) -> Option<Config> {
        let listen = self.value(Setting::Listen, value::address);
        let admin_listen = self.value(Setting::AdminListen, value::address);
        let token_file = self.path(Setting::AdminTokenFile);
        let admin_tokens = self.admin_tokens(token_file);
        let rules = self.path(Setting::Rules);
        let geoip = self.geoip();
        let data = self.path(Setting::Data);
        let store = self.store();
        let trusted_proxies = self.value(Setting::TrustedProxies, value::networks);
        let trust_event_time = self.value(Setting::TrustEventTime, value::switch);
        let rate_limit = self.value(Setting::RateLimit, value::rate_limit);
        let log_format = self.value(Setting::LogFormat, value::log_format);
        let log_level = self.value(Setting::LogLevel, value::log_level);
        let workers = self.workers();
        let max_sessions = self.value(Setting::MaxSessions, value::count);
        let max_visitors = self.value(Setting::MaxVisitors, value::count);
        let write_behind = self.value(Setting::WriteBehind, value::wait);
        let visitor_retention = self.value(Setting::VisitorRetention, value::retention);
        let outcome_retention = self.value(Setting::OutcomeRetention, value::retention);
        let shutdown_timeout = self.value(Setting::ShutdownTimeout, value::wait);
        let sites = self.sites();
        let config = Config {
            listen: listen?,
            admin_listen,
            admin_tokens,
            rules: rules?,
            geoip,
            data: data.filter(|folder| folder.as_os_str() != "none"),
            store: store?,
            trusted_proxies: trusted_proxies?,
            trust_event_time: trust_event_time?,
            rate_limit: rate_limit?,
            log_format: log_format?,
            log_level: log_level?,
            workers: workers?,
            max_sessions: max_sessions?,
            max_visitors: max_visitors?,
            write_behind: write_behind?,
            visitor_retention: visitor_retention?,
            outcome_retention: outcome_retention?,
            shutdown_timeout: shutdown_timeout?,
            sites,
        };
        if self.problems.is_empty() {
            self.check_together(&config);
        }
        self.problems.is_empty().then_some(config)
    }

    fn check_together(&mut self, config: &Config) {
        if config.trust_event_time && !config.is_loopback_only() && config.admin_tokens.is_empty() {
            let message = "lets callers say when something happened, so it needs the service to \
                           listen on loopback only, or an admin token";
            let help = "listen on 127.0.0.1, or set `--admin-token-file` or KOEKAKE_ADMIN_TOKEN";
            self.problems
                .push(Problem::new(self.origin(Setting::TrustEventTime), message).help(help));
        }
        if config.admin_listen == Some(config.listen) && config.listen.port() != 0 {
            let message = format!("is {}, where the public listener is already", config.listen);
            self.problems.push(
                Problem::new(self.origin(Setting::AdminListen), message)
                    .help("give it another port, or leave it out"),
            );
        }
    }

    fn origin(&self, setting: Setting) -> Origin {
        self.typed.values.get(&setting).map_or(Origin::Default, |given| given.origin.clone())
    }

    /// What was typed, else the default; noted for the report.
    fn given(&mut self, setting: Setting) -> Option<Given> {
        let default = || {
            let text = setting.spec().default?.to_owned();
            Some(Given { text, origin: Origin::Default })
        };
        let mut given = self.typed.values.get(&setting).cloned().or_else(default);
        if let Some(given) = &mut given {
            given.text = given.text.trim().to_owned();
            if setting.spec().kind == Kind::Path && given.text != "none" {
                given.text = beside(&given.origin, &given.text).display().to_string();
            }
        }
        self.report.settings.push(Entry {
            name: setting.key(),
            kind: setting.spec().kind,
            value: given.as_ref().map(|given| given.text.clone()),
            origin: given.as_ref().map_or(Origin::Default, |given| given.origin.clone()),
        });
        given
    }

    fn value<T>(
        &mut self,
        setting: Setting,
        parse: impl FnOnce(&str) -> Result<T, String>,
    ) -> Option<T> {
        let given = self.given(setting)?;
        match parse(&given.text) {
            Ok(value) => Some(value),
            Err(wanted) => {
                let (key, text) = (setting.key(), &given.text);
                let message = format!("`{key}` is `{text}`, but must be {wanted}");
                self.problems.push(Problem::new(given.origin, message));
                None
            }
        }
    }

    fn path(&mut self, setting: Setting) -> Option<PathBuf> {
        let given = self.given(setting)?;
        if given.text.is_empty() {
            let message = format!("`{}` is empty, but must be a path", setting.key());
            self.problems.push(Problem::new(given.origin, message));
            return None;
        }
        Some(given.text.into())
    }

    fn geoip(&mut self) -> Geoip {
        match self.path(Setting::Geoip) {
            None => Geoip::Default("geoip".into()),
            Some(path) if path.as_os_str() == "none" => Geoip::Off,
            Some(path) => Geoip::At(path),
        }
    }

    /// A Redis URL may hold a password: neither the report nor a message repeats it.
    fn store(&mut self) -> Option<value::StoreKind> {
        let given = self.typed.values.get(&Setting::Store).cloned();
        let Some(given) = given.filter(|given| given.text.starts_with("redis")) else {
            return self.value(Setting::Store, value::store);
        };
        let message = "Redis is not built into this version; `store` must be `memory`";
        self.problems.push(Problem::new(given.origin, message));
        None
    }

    fn workers(&mut self) -> Option<NonZeroUsize> {
        let is_given = self.typed.values.contains_key(&Setting::Workers);
        let cores = std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        let workers = self.value(Setting::Workers, value::workers);
        if is_given {
            return workers;
        }
        if let Some(entry) = self.report.settings.last_mut() {
            entry.value = Some(cores.to_string());
        }
        Some(cores)
    }

    fn admin_tokens(&mut self, file: Option<PathBuf>) -> AdminTokens {
        let mut tokens = AdminTokens::default();
        if let Some(path) = file {
            let origin = self.origin(Setting::AdminTokenFile);
            if let Some(text) = self.secret_file(origin.clone(), &path) {
                let before = self.problems.len();
                let path: Arc<Path> = path.into();
                self.problems.extend(tokens.add_file(&path, &text));
                if tokens.is_empty() && self.problems.len() == before {
                    let message = format!("{} has no token in it", path.display());
                    self.problems.push(Problem::new(origin, message).help(HOW_TO_MAKE));
                }
            }
        }
        let given = self.typed.admin_token.take();
        let origin = given.as_ref().map_or(Origin::Default, |given| given.origin.clone());
        self.report.add_secret("admin_token", given.is_some(), origin);
        if let Some(Given { text, origin }) = given
            && let Err(message) = tokens.add(text.trim(), AdminLevel::Full)
        {
            self.problems.push(Problem::new(origin, message).help(HOW_TO_MAKE));
        }
        tokens
    }

    fn sites(&mut self) -> BTreeMap<Arc<str>, SiteSecrets> {
        let sites = std::mem::take(&mut self.typed.sites);
        sites
            .into_iter()
            .map(|(site, given)| (site.as_str().into(), self.site(&site, &given)))
            .collect()
    }

    fn site(&mut self, site: &str, typed: &BTreeMap<SiteSetting, Given>) -> SiteSecrets {
        for (setting, given) in typed {
            let name = format!("sites.{site}.{}", setting.key());
            if setting.is_secret() {
                self.report.add_secret(&name, true, given.origin.clone());
                if let Origin::File { path, .. } = &given.origin {
                    let path = path.clone();
                    self.warn_if_open(&path);
                }
            } else {
                let value = beside(&given.origin, &given.text).display().to_string();
                self.report.add_path(&name, value, given.origin.clone());
            }
        }
        let mut secrets = SiteSecrets::default();
        let (inline, file) = (SiteSetting::ServerKeys, SiteSetting::ServerKeysFile);
        for (place, line) in self.lines(site, typed, inline, file) {
            match check_token(&line) {
                Ok(()) => secrets.server_keys.push(Secret::new(&line)),
                Err(message) => {
                    let message = format!("a server key of `{site}` {message}");
                    self.problems.push(Problem::new(place, message).help(HOW_TO_MAKE));
                }
            }
        }
        let (inline, file) = (SiteSetting::IdentityKey, SiteSetting::IdentityKeyFile);
        if let Some((place, text)) = self.text(site, typed, inline, file) {
            match check_identity_key(text.trim()) {
                Ok(()) => secrets.identity_key = Some(Secret::new(text.trim())),
                Err(message) => {
                    let message = format!("the identity key of `{site}` {message}");
                    self.problems.push(Problem::new(place, message).help(HOW_TO_MAKE));
                }
            }
        }
        secrets
    }

    /// The lines of a text that say something, each with its place.
    fn lines(
        &mut self,
        site: &str,
        typed: &BTreeMap<SiteSetting, Given>,
        inline: SiteSetting,
        file: SiteSetting,
    ) -> Vec<(Origin, String)> {
        let Some((origin, text)) = self.text(site, typed, inline, file) else { return Vec::new() };
        let is_file = typed.contains_key(&file);
        let lines = (1..).zip(text.lines()).map(|(number, line)| {
            let place = match &origin {
                Origin::File { path, .. } if is_file => {
                    Origin::File { path: path.clone(), line: number, column: 1 }
                }
                other => other.clone(),
            };
            (place, line.trim().to_owned())
        });
        lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).collect()
    }

    /// A secret given inline or by a file, with the place to name where it is wrong.
    fn text(
        &mut self,
        site: &str,
        typed: &BTreeMap<SiteSetting, Given>,
        inline: SiteSetting,
        file: SiteSetting,
    ) -> Option<(Origin, String)> {
        match (typed.get(&inline), typed.get(&file)) {
            (None, None) => None,
            (Some(given), None) => Some((given.origin.clone(), given.text.clone())),
            (None, Some(given)) => {
                let path = beside(&given.origin, &given.text);
                let text = self.secret_file(given.origin.clone(), &path)?;
                Some((Origin::File { path: path.into(), line: 1, column: 1 }, text))
            }
            (Some(_), Some(given)) => {
                let (inline, file) = (inline.key(), file.key());
                let message = format!("`sites.{site}` has both `{inline}` and `{file}`");
                self.problems.push(Problem::new(given.origin.clone(), message).help("keep one"));
                None
            }
        }
    }

    fn secret_file(&mut self, origin: Origin, path: &Path) -> Option<String> {
        match std::fs::read_to_string(path) {
            Ok(text) => {
                self.warn_if_open(path);
                Some(text)
            }
            Err(error) => {
                let message = format!("cannot read {}: {error}", path.display());
                self.problems.push(Problem::new(origin, message));
                None
            }
        }
    }

    fn warn_if_open(&mut self, path: &Path) {
        let warning = format!(
            "{} holds secrets and everybody on this machine can read it: chmod 600",
            path.display()
        );
        if is_world_readable(path) && !self.warnings.contains(&warning) {
            self.warnings.push(warning);
        }
    }
}

/// A path typed in a file is relative to that file's folder.
fn beside(origin: &Origin, text: &str) -> PathBuf {
    match origin {
        Origin::File { path, .. } => path.parent().unwrap_or(Path::new("")).join(text),
        _ => text.into(),
    }
}
