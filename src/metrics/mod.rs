//! What Prometheus reads: every series, its name, its labels, its help.
//!
//! Labels are bounded by configuration, never by traffic. Handles are resolved when rules load,
//! so that counting is an atomic addition. Must not: know stores or HTTP types; callers bring
//! plain figures.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use prometheus::core::Collector;
use prometheus::{
    CounterVec, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
    IntGauge, IntGaugeVec, Opts, Registry, TextEncoder,
};

use crate::domain::ids::SiteKey;
use crate::domain::time::Timestamp;

mod http;
mod site;

pub use http::HttpMetrics;
pub use site::{PromptStage, RuleMetrics, RuleSeries, SiteMetrics, SiteSeries};

/// What a store is asked to do, as `operation` labels it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreOperation {
    /// Reads a visitor's history.
    History,
    /// Records an event.
    Observe,
    /// Looks at a session again.
    Look,
    /// Takes an offer.
    Claim,
    /// Records what became of a prompt.
    Outcome,
    /// Takes an offer for another tool's prompt.
    OtherPrompt,
    /// Remembers an opt-out or opt-in.
    OptOut,
    /// Drops a session's memory.
    Forget,
    /// Sets what a CRM says.
    SetCrm,
    /// Waits until what was recorded is durable.
    Durable,
}

impl StoreOperation {
    const ALL: [(Self, &str); 10] = [
        (Self::History, "history"),
        (Self::Observe, "observe"),
        (Self::Look, "look"),
        (Self::Claim, "claim"),
        (Self::Outcome, "outcome"),
        (Self::OtherPrompt, "other_prompt"),
        (Self::OptOut, "opt_out"),
        (Self::Forget, "forget"),
        (Self::SetCrm, "set_crm"),
        (Self::Durable, "durable"),
    ];
}

/// What a look-up of an address found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GeoipResult {
    /// A place.
    Found,
    /// Nothing.
    NotFound,
    /// The database is damaged there.
    Error,
    /// There is no database.
    NoDatabase,
}

impl GeoipResult {
    const ALL: [(Self, &str); 4] = [
        (Self::Found, "found"),
        (Self::NotFound, "not_found"),
        (Self::Error, "error"),
        (Self::NoDatabase, "no_database"),
    ];
}

/// All series of the service, in a registry of their own.
pub struct Metrics {
    registry: Registry,
    vecs: Vecs,
    decide_duration: Histogram,
    store: Vec<(Histogram, IntCounter)>,
    geoip: Vec<IntCounter>,
    geoip_build: OnceLock<IntGauge>,
    geoip_reloads: IntCounterVec,
    geoip_last_reload: OnceLock<IntGauge>,
    /// Serialises what reads a series before writing it: loading rules, and scrapes.
    sites: Mutex<HashMap<SiteKey, Arc<SiteMetrics>>>,
}

/// The families that sites have series in.
struct Vecs {
    decisions: IntCounterVec,
    prompts: IntCounterVec,
    conversion_value: CounterVec,
    rule_stopped: IntCounterVec,
    shadow_matches: IntCounterVec,
    sessions_started: IntCounterVec,
    sessions_active: IntGaugeVec,
    sessions_evicted: IntCounterVec,
    rules_loaded: IntGaugeVec,
    rules_reloads: IntCounterVec,
    rules_last_reload: IntGaugeVec,
    rules_last_success: GaugeVec,
    http_requests: IntCounterVec,
    http_duration: HistogramVec,
}

/// From 1 µs to 1 s.
const DECIDE_BUCKETS: [f64; 19] = [
    1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2,
    5e-2, 0.1, 0.25, 0.5, 1.0,
];
/// From 100 µs to 10 s.
const HTTP_BUCKETS: [f64; 16] = [
    1e-4, 2.5e-4, 5e-4, 1e-3, 2.5e-3, 5e-3, 1e-2, 2.5e-2, 5e-2, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// Makes and registers families. Every name and label is a constant below, so an error here is a
/// mistake in this file that the first test of it finds.
struct Maker(Registry);

#[expect(clippy::expect_used, reason = "constant names; `Metrics::new` runs in every test")]
impl Maker {
    fn registered<C: Collector + Clone + 'static>(&self, made: prometheus::Result<C>) -> C {
        let collector = made.expect("a valid name");
        self.0.register(Box::new(collector.clone())).expect("a name that is there once");
        collector
    }

    fn counters(&self, name: &str, help: &str, labels: &[&str]) -> IntCounterVec {
        self.registered(IntCounterVec::new(Opts::new(name, help), labels))
    }

    fn gauges(&self, name: &str, help: &str, labels: &[&str]) -> IntGaugeVec {
        self.registered(IntGaugeVec::new(Opts::new(name, help), labels))
    }

    fn histograms(&self, name: &str, help: &str, labels: &[&str], buckets: &[f64]) -> HistogramVec {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        self.registered(HistogramVec::new(options, labels))
    }

    fn gauge(&self, name: &str, help: &str) -> IntGauge {
        self.registered(IntGauge::new(name, help))
    }

    fn floats(&self, name: &str, help: &str, labels: &[&str]) -> CounterVec {
        self.registered(CounterVec::new(Opts::new(name, help), labels))
    }

    fn vecs(&self) -> Vecs {
        Vecs {
            decisions: self.counters(
                "koekake_decisions_total",
                "Answers to decide, by why they are what they are.",
                &["site", "reason"],
            ),
            prompts: self.counters(
                "koekake_prompts_total",
                "Prompts by how far they came.",
                &["site", "rule", "variant", "stage"],
            ),
            conversion_value: self.floats(
                "koekake_conversion_value_total",
                "What conversions after a prompt were worth, in units of their currency.",
                &["site", "rule", "variant", "currency"],
            ),
            rule_stopped: self.counters(
                "koekake_rule_stopped_total",
                "Times a rule did not apply, by the first thing that stopped it.",
                &["site", "rule", "by"],
            ),
            shadow_matches: self.counters(
                "koekake_shadow_matches_total",
                "Sessions in which a rule in shadow mode would have had its turn.",
                &["site", "rule"],
            ),
            sessions_started: self.counters(
                "koekake_sessions_started_total",
                "Sessions begun.",
                &["site"],
            ),
            sessions_active: self.gauges("koekake_sessions_active", "Live sessions.", &["site"]),
            sessions_evicted: self.counters(
                "koekake_sessions_evicted_total",
                "Sessions dropped, by cause: over for long enough, or pushed out by others.",
                &["cause"],
            ),
            rules_loaded: self.gauges("koekake_rules_loaded", "Rules in use.", &["site"]),
            rules_reloads: self.counters(
                "koekake_rules_reloads_total",
                "Times a site's rules were read, the first included, by result.",
                &["site", "result"],
            ),
            rules_last_reload: self.gauges(
                "koekake_rules_last_reload_successful",
                "Whether the rules last read came into use (1) or the ones before stayed (0).",
                &["site"],
            ),
            rules_last_success: self.registered(GaugeVec::new(
                Opts::new(
                    "koekake_rules_last_success_timestamp_seconds",
                    "When rules last came into use, in seconds since 1970.",
                ),
                &["site"],
            )),
            http_requests: self.counters(
                "koekake_http_requests_total",
                "Requests answered.",
                &["route", "method", "status"],
            ),
            http_duration: self.histograms(
                "koekake_http_request_duration_seconds",
                "From a request's head to its answer's.",
                &["route"],
                &HTTP_BUCKETS,
            ),
        }
    }
}

impl Metrics {
    /// All families, the process's own figures included where the system offers them (Linux).
    #[must_use]
    pub fn new() -> Self {
        let make = Maker(Registry::new());
        #[cfg(target_os = "linux")]
        {
            let process = prometheus::process_collector::ProcessCollector::for_self();
            // Only a second one could fail, and this registry is new.
            let _ = make.0.register(Box::new(process));
        }
        let build = make.gauges("koekake_build_info", "What is running.", &["version", "revision"]);
        let revision = option_env!("KOEKAKE_REVISION").unwrap_or("unknown");
        build.with_label_values(&[env!("CARGO_PKG_VERSION"), revision]).set(1);
        let decide_duration = make.histograms(
            "koekake_decide_duration_seconds",
            "From a parsed request to its answer.",
            &[],
            &DECIDE_BUCKETS,
        );
        let store_duration = make.histograms(
            "koekake_store_operation_duration_seconds",
            "How long the store took.",
            &["operation"],
            &DECIDE_BUCKETS,
        );
        let store_errors = make.counters(
            "koekake_store_errors_total",
            "Times the store could not do its work.",
            &["operation"],
        );
        let geoip = make.counters(
            "koekake_geoip_lookups_total",
            "Look-ups of an address's place.",
            &["result"],
        );
        Self {
            decide_duration: decide_duration.with_label_values::<&str>(&[]),
            store: StoreOperation::ALL
                .iter()
                .map(|(_, name)| {
                    let name = &[*name];
                    (store_duration.with_label_values(name), store_errors.with_label_values(name))
                })
                .collect(),
            geoip: GeoipResult::ALL
                .iter()
                .map(|(_, name)| geoip.with_label_values(&[*name]))
                .collect(),
            geoip_build: OnceLock::new(),
            geoip_reloads: make.counters(
                "koekake_geoip_reloads_total",
                "Times the place database was read, the first included, by result.",
                &["result"],
            ),
            geoip_last_reload: OnceLock::new(),
            vecs: make.vecs(),
            sites: Mutex::default(),
            registry: make.0,
        }
    }

    /// The handles of a site, for rules that now come into use. Series of rules that went go;
    /// the others keep counting; new ones start at 0.
    pub fn site(&self, site: &SiteKey, series: &SiteSeries<'_>) -> Arc<SiteMetrics> {
        let mut sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        let made = Arc::new(SiteMetrics::new(&self.vecs, site, series));
        if let Some(before) = sites.insert(site.clone(), made.clone()) {
            before.remove_series_missing_in(&self.vecs, &made);
        }
        made
    }

    /// Removes every series of a site that is no longer served.
    pub fn forget_site(&self, site: &SiteKey) {
        let mut sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(before) = sites.remove(site) {
            before.remove_all_series(&self.vecs);
        }
        for result in [ACCEPTED, REJECTED] {
            let _ = self.vecs.rules_reloads.remove_label_values(&[&**site, result]);
        }
        let _ = self.vecs.rules_loaded.remove_label_values(&[site]);
        let _ = self.vecs.rules_last_reload.remove_label_values(&[site]);
        let _ = self.vecs.rules_last_success.remove_label_values(&[site]);
    }

    /// Notes that a site's rules were read and came into use.
    pub fn rules_accepted(&self, site: &SiteKey, rules: usize, at: Timestamp) {
        self.reloads(site, ACCEPTED).inc();
        self.reloads(site, REJECTED);
        self.rules_kept(site, rules, at);
        self.vecs.rules_last_reload.with_label_values(&[site]).set(1);
    }

    /// Notes that a site's rules were read and refused; those before, if any, stay in use.
    pub fn rules_rejected(&self, site: &SiteKey) {
        self.reloads(site, REJECTED).inc();
        self.reloads(site, ACCEPTED);
        self.vecs.rules_loaded.with_label_values(&[site]);
        self.vecs.rules_last_reload.with_label_values(&[site]).set(0);
    }

    /// Notes that a site has rules in use that came into use at that moment, in an earlier run.
    pub fn rules_kept(&self, site: &SiteKey, rules: usize, since: Timestamp) {
        let rules = i64::try_from(rules).unwrap_or(i64::MAX);
        self.vecs.rules_loaded.with_label_values(&[site]).set(rules);
        self.vecs.rules_last_success.with_label_values(&[site]).set(seconds(since));
    }

    fn reloads(&self, site: &SiteKey, result: &str) -> IntCounter {
        self.vecs.rules_reloads.with_label_values(&[&**site, result])
    }

    /// Notes how long an answer took, from parsed request to reply.
    pub fn decided_in(&self, took: Duration) {
        self.decide_duration.observe(took.as_secs_f64());
    }

    /// Notes how long the store took, and whether it failed.
    pub fn store_did(&self, operation: StoreOperation, took: Duration, is_error: bool) {
        if let Some((duration, errors)) = self.store.get(operation as usize) {
            duration.observe(took.as_secs_f64());
            errors.inc_by(u64::from(is_error));
        }
    }

    /// Notes a look-up of an address.
    pub fn geoip_lookup(&self, result: GeoipResult) {
        if let Some(counter) = self.geoip.get(result as usize) {
            counter.inc();
        }
    }

    /// Notes when the place database in use was built. Without one there is no such series.
    pub fn geoip_built(&self, seconds_since_1970: u64) {
        let gauge = self.geoip_build.get_or_init(|| {
            Maker(self.registry.clone()).gauge(
                "koekake_geoip_build_timestamp_seconds",
                "When the place database in use was built, in seconds since 1970.",
            )
        });
        gauge.set(i64::try_from(seconds_since_1970).unwrap_or(i64::MAX));
    }

    /// Notes that the place database was read, and whether it came into use.
    pub fn geoip_reloaded(&self, is_accepted: bool) {
        for (result, count) in [(ACCEPTED, is_accepted), (REJECTED, !is_accepted)] {
            self.geoip_reloads.with_label_values(&[result]).inc_by(u64::from(count));
        }
        let gauge = self.geoip_last_reload.get_or_init(|| {
            Maker(self.registry.clone()).gauge(
                "koekake_geoip_last_reload_successful",
                "Whether the place database last read came into use (1) or the one before stayed (0).",
            )
        });
        gauge.set(i64::from(is_accepted));
    }

    /// Takes over what a store counts itself; call it before [`Metrics::render`]. `active` is by
    /// site (a site not named has none), `evicted` counts by cause since the start.
    pub fn refresh_sessions(&self, active: &[(SiteKey, u64)], evicted: &[(&'static str, u64)]) {
        let sites = self.sites.lock().unwrap_or_else(PoisonError::into_inner);
        for site in sites.keys() {
            let count = active.iter().find(|(name, _)| name == site).map_or(0, |(_, count)| *count);
            let gauge = self.vecs.sessions_active.with_label_values(&[site]);
            gauge.set(i64::try_from(count).unwrap_or(i64::MAX));
        }
        for (cause, total) in evicted {
            let counter = self.vecs.sessions_evicted.with_label_values(&[*cause]);
            counter.inc_by(total.saturating_sub(counter.get()));
        }
    }

    /// Handles for requests to these routes; any other route is `other`.
    #[must_use]
    pub fn http(&self, routes: &[&str]) -> HttpMetrics {
        HttpMetrics::new(&self.vecs, routes)
    }

    /// Everything in Prometheus' text format 0.0.4.
    #[must_use]
    pub fn render(&self) -> String {
        // It fails only for families without a name or help.
        TextEncoder::new().encode_to_string(&self.registry.gather()).unwrap_or_default()
    }
}

fn seconds(at: Timestamp) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "seconds to the millisecond fit")]
    let seconds = at.0 as f64 / 1_000.0;
    seconds
}

const ACCEPTED: &str = "accepted";
const REJECTED: &str = "rejected";

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}
