//! Rules and places as they are at one moment, with what became of reading them: replaced whole,
//! so that whoever takes it once sees nothing of two sets.
//!
//! Must not: read anything.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::wire::problem::Problem;
use crate::domain::ids::SiteKey;
use crate::domain::origin::OriginSet;
use crate::domain::time::Timestamp;
use crate::enrich::geoip::GeoIp;
use crate::rules::diagnostic::Diagnostic;
use crate::service::{LiveSite, Sites};

/// What can change while the service runs.
#[derive(Clone, Default)]
pub struct Snapshot {
    /// The sites that are served.
    pub sites: Sites,
    /// All sites that there are, served or not, and what became of their rules.
    pub reports: BTreeMap<SiteKey, SiteStatus>,
    /// What is wrong with the rules folder as a whole.
    pub problem: Option<String>,
    /// All sites' origins, for preflights.
    pub origins: Arc<OriginSet>,
    /// Where addresses are.
    pub places: Places,
}

/// What came of reading a site's rules once.
#[derive(Debug, Clone)]
pub struct SiteReport {
    /// The site's key.
    pub key: SiteKey,
    /// When.
    pub read_at: Timestamp,
    /// The files, as shown.
    pub files: Vec<String>,
    /// Whether its rules loaded.
    pub is_loaded: bool,
    /// What was found.
    pub findings: Vec<Diagnostic>,
    /// What kept its files from being read at all, and files that were passed over.
    pub notes: Vec<String>,
}

/// Where a site stands.
#[derive(Debug, Clone, Default)]
pub struct SiteStatus {
    /// The set in use, if there is one.
    pub in_use: Option<InUse>,
    /// The set that was refused last, if one was.
    pub rejected: Option<Rejected>,
}

/// How the set in use came into use.
#[derive(Debug, Clone)]
pub struct InUse {
    /// What was read.
    pub report: SiteReport,
    /// Since when.
    pub since: Timestamp,
    /// Whether it is the copy of an earlier run, since what is in the folder did not load at start.
    pub is_copy: bool,
}

/// A set that did not come into use.
#[derive(Debug, Clone)]
pub struct Rejected {
    /// What was wrong with it.
    pub report: SiteReport,
    /// Whether it is what the folder still holds.
    pub is_current: bool,
}

impl SiteStatus {
    /// What is wrong with what the folder holds now.
    #[must_use]
    pub fn refused(&self) -> Option<&SiteReport> {
        let rejected = self.rejected.as_ref()?;
        rejected.is_current.then_some(&rejected.report)
    }
}

/// The place database.
#[derive(Debug, Clone, Default)]
pub struct Places {
    /// The one in use; without one no place is known.
    pub geoip: Option<GeoIp>,
    /// Since when it is.
    pub since: Option<Timestamp>,
    /// Whether it is the copy of an earlier run.
    pub is_copy: bool,
    /// What was refused last, if anything was.
    pub rejected: Option<PlacesRejected>,
}

/// Databases that did not come into use.
#[derive(Debug, Clone)]
pub struct PlacesRejected {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub errors: Vec<String>,
    /// Whether they are what is there still.
    pub is_current: bool,
}

impl Snapshot {
    /// A site's rules.
    ///
    /// # Errors
    /// 404 for a site that is not served, 503 for one whose rules never loaded.
    pub fn site(&self, key: &str) -> Result<Arc<LiveSite>, Problem> {
        if let Some(site) = self.sites.get(key) {
            return Ok(site.clone());
        }
        Err(if self.reports.contains_key(key) {
            Problem::unavailable("The site's rules did not load; its operator can see why", 60)
        } else {
            Problem::unknown_site()
        })
    }

    /// The same with other sites.
    #[must_use]
    pub fn with_sites(&self, sites: Sites, reports: BTreeMap<SiteKey, SiteStatus>) -> Self {
        let mut origins = OriginSet::default();
        // A site without origins takes calls from anywhere, and so must preflights.
        if sites.values().all(|live| !live.set.site.origins.is_empty()) {
            for live in sites.values() {
                origins.extend(&live.set.site.origins);
            }
        }
        Self { sites, reports, origins: Arc::new(origins), ..self.clone() }
    }
}
