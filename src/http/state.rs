//! What all routes share: the service, who may call it, and what tells of a caller.
//!
//! Must not: answer anything itself.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use arc_swap::ArcSwap;

use super::security::identity::IdentityKey;
use super::security::origins::SharedOrigins;
use super::security::rate_limit::AddressLimiter;
use super::wire::problem::Problem;
use crate::clock::Clock;
use crate::config::{AdminTokens, SiteSecrets};
use crate::domain::ids::SiteKey;
use crate::domain::origin::OriginSet;
use crate::domain::time::Timestamp;
use crate::domain::visit::Place;
use crate::enrich::client_ip::TrustedProxies;
use crate::enrich::device::Devices;
use crate::enrich::geoip::{GeoIp, LookupResult};
use crate::metrics::{GeoipResult, Metrics};
use crate::rules::diagnostic::Diagnostic;
use crate::service::{LiveSite, Service, Sites};
use crate::store::memory::MemoryStore;

/// What became of a site's rules when they were last read.
#[derive(Debug, Clone)]
pub struct SiteReport {
    /// The site's key.
    pub key: SiteKey,
    /// When.
    pub read_at: Timestamp,
    /// The files, as shown.
    pub files: Vec<String>,
    /// Whether its rules are in use.
    pub is_loaded: bool,
    /// What was found.
    pub findings: Vec<Diagnostic>,
    /// What kept its files from being read at all, and files that were passed over.
    pub notes: Vec<String>,
}

/// Shared by all workers.
pub struct State {
    /// The way of a request.
    pub service: Service<MemoryStore>,
    /// The moment.
    pub clock: Arc<dyn Clock>,
    /// What Prometheus reads.
    pub metrics: Arc<Metrics>,
    /// Address → place.
    pub geoip: Option<GeoIp>,
    /// User agent → device.
    pub devices: Devices,
    /// Whose word on the client's address counts.
    pub proxies: TrustedProxies,
    /// How often one address may ask.
    pub limiter: Option<AddressLimiter>,
    /// The operators' tokens.
    pub admin: AdminTokens,
    /// The sites' server keys.
    pub secrets: BTreeMap<SiteKey, SiteSecrets>,
    /// The sites' keys for identity tokens.
    pub identity_keys: HashMap<SiteKey, IdentityKey>,
    /// All sites' origins, for preflights.
    pub origins: SharedOrigins,
    /// What became of each site's rules.
    pub reports: ArcSwap<Vec<SiteReport>>,
    /// Whose word on an event's time counts.
    pub event_time: EventTime,
    /// The newest event time that was trusted.
    pub newest_event: AtomicI64,
}

/// Whose `event.at` counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventTime {
    /// Nobody's.
    Ignored,
    /// An operator's.
    FromOperators,
    /// Everybody's: only this machine reaches the service.
    FromAll,
}

impl State {
    /// A site's rules.
    ///
    /// # Errors
    /// 404 for a site that is not served, 503 for one whose rules never loaded.
    pub fn site(&self, key: &str) -> Result<Arc<LiveSite>, Problem> {
        if let Some(site) = self.service.site(key) {
            return Ok(site);
        }
        let is_broken = self.reports.load().iter().any(|report| &*report.key == key);
        Err(if is_broken {
            Problem::unavailable("The site's rules did not load; its operator can see why", 60)
        } else {
            Problem::unknown_site()
        })
    }

    /// Puts these sites in place of those before.
    pub fn replace_sites(&self, sites: Sites, reports: Vec<SiteReport>) {
        let mut all = OriginSet::default();
        // A site without origins takes calls from anywhere, and so must preflights.
        if sites.values().all(|live| !live.set.site.origins.is_empty()) {
            for live in sites.values() {
                all.extend(&live.set.site.origins);
            }
        }
        self.origins.store(Arc::new(all));
        self.service.replace_sites(sites);
        self.reports.store(Arc::new(reports));
    }

    /// The secrets of a site.
    pub fn secrets_of(&self, site: &str) -> Option<&SiteSecrets> {
        self.secrets.get(site)
    }

    /// Whether a token is anybody's that is known here.
    pub fn is_known_token(&self, token: &str) -> bool {
        let is_key = self.secrets.values().filter(|site| site.is_server_key(token)).count() > 0;
        is_key || self.admin.level_of(token).is_some()
    }

    /// Where an address is.
    pub fn place(&self, address: IpAddr) -> Arc<Place> {
        let Some(geoip) = &self.geoip else {
            self.metrics.geoip_lookup(GeoipResult::NoDatabase);
            return Arc::default();
        };
        let (place, result) = geoip.lookup(address);
        self.metrics.geoip_lookup(match result {
            LookupResult::Found => GeoipResult::Found,
            LookupResult::NotFound => GeoipResult::NotFound,
            LookupResult::Error => GeoipResult::Error,
        });
        place
    }

    /// The time by which sessions are over: where events bring their own, the newest of those.
    pub fn sweep_time(&self) -> Timestamp {
        match self.event_time {
            EventTime::Ignored => self.clock.now(),
            _ => match self.newest_event.load(Ordering::Relaxed) {
                i64::MIN => self.clock.now(),
                newest => Timestamp(newest),
            },
        }
    }

    /// Remembers an event time that was trusted.
    pub fn trusted_event(&self, at: Timestamp) {
        self.newest_event.fetch_max(at.0, Ordering::Relaxed);
    }

    /// What keeps the service from being ready.
    pub fn unready(&self) -> Vec<String> {
        let no_site =
            self.service.sites().is_empty().then(|| "no site's rules are loaded".to_owned());
        let no_store = self.service.store().fault().map(|why| why.to_string());
        no_site.into_iter().chain(no_store).collect()
    }
}
