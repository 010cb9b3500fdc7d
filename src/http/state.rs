//! What all routes share: the service, who may call it, and what tells of a caller.
//!
//! Must not: answer anything itself.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use arc_swap::ArcSwap;

use super::reload::Reloads;
use super::security::identity::IdentityKey;
use super::security::rate_limit::AddressLimiter;
use super::snapshot::Snapshot;
use super::wire::problem::Problem;
use crate::clock::Clock;
use crate::config::{AdminTokens, SiteSecrets};
use crate::domain::ids::SiteKey;
use crate::domain::time::Timestamp;
use crate::domain::visit::Place;
use crate::enrich::client_ip::TrustedProxies;
use crate::enrich::device::Devices;
use crate::enrich::geoip::LookupResult;
use crate::metrics::{GeoipResult, Metrics};
use crate::service::{LiveSite, Service};
use crate::store::memory::MemoryStore;

/// Shared by all workers.
pub struct State {
    /// The way of a request.
    pub service: Service<MemoryStore>,
    /// The moment.
    pub clock: Arc<dyn Clock>,
    /// What Prometheus reads.
    pub metrics: Arc<Metrics>,
    /// What can change while it runs: rules and places. Take it once for a request.
    pub current: ArcSwap<Snapshot>,
    /// Asks for what changed to be read.
    pub reloads: Reloads,
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
    /// Whose word on an event's time counts.
    pub event_time: EventTime,
    /// The newest event time that was trusted.
    pub newest_event: AtomicI64,
    /// Whether a call came whose time is the clock's.
    pub is_clocked: AtomicBool,
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
    /// Rules and places as they are now.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        self.current.load_full()
    }

    /// A site's rules, for a request that needs nothing else of the snapshot.
    ///
    /// # Errors
    /// As [`Snapshot::site`].
    pub fn site(&self, key: &str) -> Result<Arc<LiveSite>, Problem> {
        self.current.load().site(key)
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

    /// Where an address is, by the places of that snapshot.
    pub fn place(&self, snapshot: &Snapshot, address: IpAddr) -> Arc<Place> {
        let Some(geoip) = &snapshot.places.geoip else {
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
    /// Before any call came nobody knows which it will be: then nothing is over, least of all what
    /// an earlier process kept by the time of events.
    pub fn sweep_time(&self) -> Timestamp {
        match self.event_time {
            EventTime::Ignored => self.clock.now(),
            _ => match self.newest_event.load(Ordering::Relaxed) {
                i64::MIN if self.is_clocked.load(Ordering::Relaxed) => self.clock.now(),
                newest => Timestamp(newest),
            },
        }
    }

    /// Remembers that a call's time is the clock's.
    pub fn clocked(&self) {
        self.is_clocked.store(true, Ordering::Relaxed);
    }

    /// Remembers an event time that was trusted.
    pub fn trusted_event(&self, at: Timestamp) {
        self.newest_event.fetch_max(at.0, Ordering::Relaxed);
    }

    /// What keeps the service from being ready.
    pub fn unready(&self) -> Vec<String> {
        let mut reasons = Vec::new();
        if self.current.load().sites.is_empty() {
            reasons.push("no site's rules are loaded".to_owned());
        }
        if self.reloads.have_ended() {
            reasons.push("changes of rules and places are no longer read; restart it".to_owned());
        }
        reasons.extend(self.service.store().fault().map(|why| why.to_string()));
        reasons
    }
}
