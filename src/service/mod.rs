//! The way of a request without HTTP: observe, decide, claim, answer. Backtests go the same way.
//!
//! Must not: know wire formats, statuses or headers.

use std::collections::HashMap;
use std::future::Future;
use std::sync::Arc;
use std::time::Instant;

use crate::domain::ids::{DecisionId, SessionId, SessionKey, SiteKey, VisitorId, VisitorKey};
use crate::domain::time::Timestamp;
use crate::domain::visit::Visit;
use crate::metrics::{Metrics, StoreOperation};
use crate::store::{Store, StoreError};

mod answer;
mod decide;
mod explain;
mod live;
mod outcomes;
mod recent;

pub use decide::Witness;
pub use explain::ExplainError;
pub use live::LiveSite;
pub use outcomes::{Conversion, Happened, Recorded};
pub use recent::{DEFAULT_KEPT, Kept, Recent};

/// What all sites share: the store, and what is counted of it. A site's rules come with each call.
pub struct Service<S: Store> {
    store: Arc<S>,
    metrics: Arc<Metrics>,
    recent: Recent,
}

/// Sites by their keys.
pub type Sites = HashMap<SiteKey, Arc<LiveSite>>;

impl<S: Store> Service<S> {
    /// A service over this store that keeps so many of its newest decisions to explain them.
    #[must_use]
    pub fn new(store: Arc<S>, metrics: Arc<Metrics>, recent: Recent) -> Self {
        Self { store, metrics, recent }
    }

    /// Forgets everything of a visitor.
    ///
    /// # Errors
    /// Where the store cannot be reached.
    pub async fn erase(&self, visitor: &VisitorKey) -> Result<(), StoreError> {
        self.recent.forget_visitor(visitor);
        self.store.erase(visitor).await
    }

    /// Waits for something of the store, and counts how long it took and whether it failed.
    ///
    /// # Errors
    /// The store's own.
    pub async fn timed<T>(
        &self,
        operation: StoreOperation,
        work: impl Future<Output = Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let began = Instant::now();
        let result = work.await;
        self.metrics.store_did(operation, began.elapsed(), result.is_err());
        result
    }

    /// Waits until all that was recorded before is as durable as the store makes it.
    ///
    /// # Errors
    /// Where it cannot be made durable now.
    pub async fn durable(&self) -> Result<(), StoreError> {
        self.timed(StoreOperation::Durable, self.store.durable()).await
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &S {
        &self.store
    }

    /// Forgets decisions that are too old to be explained.
    pub fn sweep_recent(&self, now: Timestamp) {
        self.recent.sweep(now);
    }
}

/// A session id of 128 random bits.
#[must_use]
pub fn new_session_id() -> SessionId {
    SessionId::from_bits(rand::random())
}

/// A UUID of version 7 (RFC 9562): 48 bits of the moment, 74 of chance, so that nobody guesses
/// another's.
fn new_decision_id(now: Timestamp) -> DecisionId {
    let millis = u64::try_from(now.0).unwrap_or(0);
    let id = uuid::Builder::from_unix_timestamp_millis(millis, &rand::random()).into_uuid();
    DecisionId(id.as_u128())
}

/// Every name that the visitor bears in this call.
fn visitors(visit: &Visit) -> Vec<VisitorKey> {
    let key = |id| VisitorKey { site: visit.site.clone(), id };
    visit
        .visitor
        .iter()
        .map(|id| key(VisitorId::Page(id.clone())))
        .chain(visit.identity.iter().map(|id| key(VisitorId::Identity(id.clone()))))
        .collect()
}

fn session_key(visit: &Visit) -> (SessionKey, bool) {
    let (id, is_issued) = match &visit.session {
        Some(id) => (id.clone(), false),
        None => (new_session_id(), true),
    };
    (SessionKey { site: visit.site.clone(), id }, is_issued)
}
