//! `/healthz`, `/readyz` and `/metrics`: what operators and their tools read.
//!
//! Must not: decide who may read metrics; whoever mounts the routes does.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::CACHE_CONTROL;
use actix_web::{HttpResponse, web};

use super::reply;
use super::wire::problem::Problem;

/// Says what still keeps the service from being ready; nothing where it is.
#[derive(Clone)]
pub struct Readiness(Arc<dyn Fn() -> Vec<String> + Send + Sync>);

impl Readiness {
    /// Readiness as `reasons` tells it: one sentence for each thing that is missing.
    pub fn new(reasons: impl Fn() -> Vec<String> + Send + Sync + 'static) -> Self {
        Self(Arc::new(reasons))
    }
}

impl std::fmt::Debug for Readiness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries((self.0)()).finish()
    }
}

/// What is scraped: text made when somebody looks.
#[derive(Clone)]
pub struct Scrape(Arc<dyn Fn() -> String + Send + Sync>);

impl Scrape {
    /// Metrics as `render` writes them, in Prometheus' text format, version 0.0.4.
    pub fn new(render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        Self(Arc::new(render))
    }
}

impl std::fmt::Debug for Scrape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Scrape")
    }
}

/// `GET /healthz`: alive.
pub async fn healthz() -> HttpResponse {
    reply::json(StatusCode::OK, br#"{"status":"alive"}"#.to_vec())
}

/// `GET /readyz`: ready to answer, or why not.
///
/// # Errors
/// 503 with every reason.
pub async fn readyz(readiness: web::Data<Readiness>) -> Result<HttpResponse, Problem> {
    let reasons = (readiness.0)();
    if reasons.is_empty() {
        return Ok(reply::json(StatusCode::OK, br#"{"status":"ready"}"#.to_vec()));
    }
    Err(Problem::unavailable(format!("Not ready: {}", reasons.join("; ")), 1))
}

/// `GET /metrics`.
pub async fn metrics(scrape: web::Data<Scrape>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4")
        .insert_header((CACHE_CONTROL, "no-store"))
        .body((scrape.0)())
}

/// Adds `/healthz` and `/readyz`; the application has [`Readiness`] as its data.
pub fn health_routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/healthz")
                .route(reply::get_or_head().to(healthz))
                .default_service(reply::only("GET, HEAD")),
        )
        .service(
            web::resource("/readyz")
                .route(reply::get_or_head().to(readyz))
                .default_service(reply::only("GET, HEAD")),
        );
}

/// Adds `/metrics`; the application has [`Scrape`] as its data.
pub fn metrics_route(config: &mut web::ServiceConfig) {
    config.service(
        web::resource("/metrics")
            .route(reply::get_or_head().to(metrics))
            .default_service(reply::only("GET, HEAD")),
    );
}
