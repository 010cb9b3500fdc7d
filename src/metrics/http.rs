//! Requests counted by route, method and status, each from a bounded set.
//!
//! Must not: see a path or an address; callers bring the pattern of the route.

use std::collections::HashMap;
use std::time::Duration;

use prometheus::{Histogram, IntCounterVec};

use super::Vecs;

const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
const OTHER: &str = "other";

/// Handles for counting requests.
pub struct HttpMetrics {
    requests: IntCounterVec,
    durations: HashMap<String, Histogram>,
    other: Histogram,
}

impl HttpMetrics {
    pub(super) fn new(vecs: &Vecs, routes: &[&str]) -> Self {
        let duration = |route: &str| vecs.http_duration.with_label_values(&[route]);
        Self {
            requests: vecs.http_requests.clone(),
            durations: routes.iter().map(|route| ((*route).to_owned(), duration(route))).collect(),
            other: duration(OTHER),
        }
    }

    /// Counts a request. `route` is its pattern (`/v1/sites/{site}/agents`), `None` where no
    /// route matched.
    pub fn observe(&self, route: Option<&str>, method: &str, status: u16, took: Duration) {
        let known = route.and_then(|route| self.durations.get_key_value(route));
        let (route, duration) =
            known.map_or((OTHER, &self.other), |(route, duration)| (route, duration));
        duration.observe(took.as_secs_f64());
        let method = METHODS.into_iter().find(|known| *known == method).unwrap_or(OTHER);
        let digits = status.to_string();
        let status = if (100..600).contains(&status) { digits.as_str() } else { OTHER };
        self.requests.with_label_values(&[route, method, status]).inc();
    }
}
