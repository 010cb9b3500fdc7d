//! Wires it all: settings, clock and listeners in; a running service out.
//!
//! Must not: answer requests, or read settings.

use std::collections::HashMap;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::web;
use arc_swap::ArcSwap;

use crate::clock::Clock;
use crate::config::{AdminTokens, Config, Geoip, Secret, is_loopback};
use crate::domain::time::{Millis, Timestamp};
use crate::enrich::client_ip::TrustedProxies;
use crate::enrich::device::Devices;
use crate::enrich::geoip::{self, GeoIp};
use crate::http::reload::{Reloads, Wake};
use crate::http::security::identity::{IdentityKey, IdentityKeyError};
use crate::http::security::rate_limit::AddressLimiter;
use crate::http::snapshot::Snapshot;
use crate::http::state::{EventTime, State};
use crate::metrics::Metrics;
use crate::reload::ReadError;
use crate::reload::watch::Watch;
use crate::service::{DEFAULT_KEPT, Recent, Service};
use crate::store::Store;
use crate::store::memory::{DiskConfig, MemoryConfig, MemoryStore};

mod places;
mod reload;
mod serve;
pub mod sites;
mod watch;

/// How often a slice of what is over is dropped.
const SWEEP_EVERY: Duration = Duration::from_millis(20);

/// Why a service cannot start.
#[derive(Debug, thiserror::Error)]
pub enum AppError {
    /// An address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// Why not.
        source: std::io::Error,
    },
    /// The rules folder cannot be read.
    #[error(transparent)]
    Rules(#[from] ReadError),
    /// Nothing to serve.
    #[error(
        "no site's rules loaded from {0}: the log says why; `koekake check` shows all of it at once"
    )]
    NoSite(String),
    /// A place database that was asked for cannot be used.
    #[error("{0}")]
    Geoip(String),
    /// A site's key for identity tokens is none.
    #[error("the identity key of the site `{site}`: {source}")]
    IdentityKey {
        /// Which site.
        site: String,
        /// Why not.
        source: IdentityKeyError,
    },
    /// The system's own word.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Sockets that listen already: tests bind port 0 and know the port.
#[derive(Debug)]
pub struct Listeners {
    /// For everybody.
    pub public: TcpListener,
    /// For operators.
    pub admin: Option<TcpListener>,
}

impl Listeners {
    /// Binds the addresses of the settings.
    ///
    /// # Errors
    /// Where one cannot be bound.
    pub fn bind(config: &Config) -> Result<Self, AppError> {
        let bind = |address: SocketAddr| {
            TcpListener::bind(address).map_err(|source| AppError::Listen { address, source })
        };
        Ok(Self { public: bind(config.listen)?, admin: config.admin_listen.map(bind).transpose()? })
    }
}

/// A service that answers.
pub struct Running {
    /// Where everybody reaches it.
    pub address: SocketAddr,
    /// Where operators reach it, if elsewhere.
    pub admin_address: Option<SocketAddr>,
    /// The token made for this run, where none was configured.
    pub made_token: Option<String>,
    /// What its routes share.
    pub state: web::Data<State>,
    servers: Vec<ServerHandle>,
    finished: Vec<tokio::task::JoinHandle<std::io::Result<()>>>,
    sweeper: tokio::task::JoinHandle<()>,
    reloader: std::thread::JoinHandle<()>,
}

impl Running {
    /// Has rules and places read anew now; the log says what came of it.
    pub fn reload(&self) {
        self.state.reloads.wake(Wake::Now(None));
    }

    /// Stops taking connections, answers what is in flight, writes what is not written yet, and
    /// ends.
    pub async fn stop(self) {
        for server in &self.servers {
            server.stop(true).await;
        }
        self.sweeper.abort();
        self.state.reloads.wake(Wake::Stop);
        let reloader = self.reloader;
        // It ended either way, also if it panicked.
        let _ = tokio::task::spawn_blocking(move || reloader.join()).await;
        for finished in self.finished {
            // It ended either way; an error of its last moments changes nothing.
            let _ = finished.await;
        }
        self.state.service.store().stop();
    }
}

/// Starts a service, inside a tokio runtime. It answers from the moment this returns.
///
/// # Errors
/// Where no site's rules load, or something that was asked for cannot be had.
pub fn start(
    config: &Config,
    clock: Arc<dyn Clock>,
    listeners: Listeners,
    watch: Watch,
) -> Result<Running, AppError> {
    let metrics = Arc::new(Metrics::new());
    let (admin, made_token) = admin_tokens(config, listeners.public.local_addr()?);
    let state = web::Data::new(State {
        service: Service::new(
            store(config, clock.now())?,
            metrics.clone(),
            Recent::new(DEFAULT_KEPT),
        ),
        clock,
        metrics,
        current: ArcSwap::from_pointee(Snapshot::default()),
        reloads: Reloads::default(),
        devices: Devices::default(),
        proxies: TrustedProxies::of(config.trusted_proxies.clone()),
        limiter: config.rate_limit.map(|limit| AddressLimiter::new(limit.per_second, limit.burst)),
        admin,
        secrets: config.sites.clone(),
        identity_keys: identity_keys(config)?,
        event_time: event_time(config),
        newest_event: AtomicI64::new(i64::MIN),
        is_clocked: AtomicBool::new(false),
    });
    let mut reloader = reload::Reloader::new(config, state.clone());
    reloader.first()?;
    let served = state.snapshot();
    for site in config.sites.keys().filter(|site| !served.sites.contains_key(*site)) {
        tracing::warn!(%site, "the settings have secrets for a site that is not served");
    }
    let sweeper = tokio::spawn(sweep(state.clone()));
    let reloader = watch::spawn(reloader, watch)?;
    serve::serve(config, &state, listeners, made_token, sweeper, reloader)
}

/// The store of the settings, with what an earlier process kept; where that cannot be read now, it
/// is tried again.
///
/// # Errors
/// Where no thread can be had.
pub fn store(config: &Config, now: Timestamp) -> std::io::Result<Arc<MemoryStore>> {
    let kept = MemoryConfig {
        max_sessions: config.max_sessions.get(),
        max_claims: config.max_sessions.get(),
        max_visitors: config.max_visitors.get(),
        outcome_window: millis(config.outcome_retention),
        visitor_retention: millis(config.visitor_retention),
        ..MemoryConfig::default()
    };
    let Some(folder) = config.data.clone() else { return Ok(Arc::new(MemoryStore::new(kept))) };
    let disk = DiskConfig {
        folder,
        write_behind: config.write_behind,
        is_event_time: config.trust_event_time,
    };
    MemoryStore::open(kept, disk, now)
}

fn millis(length: Duration) -> Millis {
    Millis(i64::try_from(length.as_millis()).unwrap_or(i64::MAX))
}

async fn sweep(state: web::Data<State>) {
    let mut ticks = tokio::time::interval(SWEEP_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut count: u64 = 0;
    loop {
        ticks.tick().await;
        state.service.store().sweep(state.sweep_time());
        count += 1;
        if count.is_multiple_of(50) {
            state.service.sweep_recent(state.sweep_time());
            if let Some(limiter) = &state.limiter {
                limiter.sweep();
            }
        }
    }
}

/// Opens the place database of the settings, if there is one, as `check` wants it. The log says
/// which.
///
/// # Errors
/// Where one was asked for and cannot be used.
pub fn open_geoip(config: &Config) -> Result<Option<GeoIp>, AppError> {
    let (path, is_asked_for) = match &config.geoip {
        Geoip::Default(path) => (path, false),
        Geoip::At(path) => (path, true),
        Geoip::Off => return Ok(None),
    };
    let opened = geoip::open_path(path);
    opened.notes.iter().for_each(|note| tracing::info!("{note}"));
    opened.errors.iter().for_each(|error| tracing::error!("{error}"));
    match opened.geoip {
        Some(geoip) => Ok(Some(geoip)),
        None if is_asked_for => {
            let why: Vec<String> = opened.errors.iter().map(ToString::to_string).collect();
            Err(AppError::Geoip(format!(
                "no place database in {}: {}",
                path.display(),
                if why.is_empty() { opened.notes.join("; ") } else { why.join("; ") }
            )))
        }
        None => {
            tracing::warn!("no place database: conditions on places never hold");
            Ok(None)
        }
    }
}

/// The operators' tokens. Where none is configured and only this machine can reach the routes,
/// one is made for this run.
fn admin_tokens(config: &Config, public: SocketAddr) -> (AdminTokens, Option<String>) {
    if !config.admin_tokens.is_empty() {
        return (config.admin_tokens.clone(), None);
    }
    if !is_loopback(config.admin_listen.unwrap_or(public)) {
        return (AdminTokens::default(), None);
    }
    let token = format!("{:032x}", rand::random::<u128>());
    (AdminTokens::one(Secret::new(&token)), Some(token))
}

fn identity_keys(
    config: &Config,
) -> Result<HashMap<crate::domain::ids::SiteKey, IdentityKey>, AppError> {
    let mut keys = HashMap::new();
    for (site, secrets) in &config.sites {
        if let Some(key) = &secrets.identity_key {
            let key = IdentityKey::parse(key.expose())
                .map_err(|source| AppError::IdentityKey { site: site.to_string(), source })?;
            keys.insert(site.clone(), key);
        }
    }
    Ok(keys)
}

fn event_time(config: &Config) -> EventTime {
    match (config.trust_event_time, config.is_loopback_only()) {
        (false, _) => EventTime::Ignored,
        (true, true) => EventTime::FromAll,
        (true, false) => EventTime::FromOperators,
    }
}
