//! Listeners and routes: who reaches what.
//!
//! Must not: know what a route does.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, Error, HttpResponse, HttpServer, web};

use super::{AppError, Listeners, Running};
use crate::config::{AdminLevel, Config, is_loopback};
use crate::http::operator::{self, Readiness, Scrape};
use crate::http::security::{origins, tokens};
use crate::http::state::State;
use crate::http::wire::problem::Problem;
use crate::http::{admin, decide, events, explain, openapi, reply};
use crate::metrics::HttpMetrics;
use crate::store::Store;

/// How long a client may take to send its request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// How long an idle connection is kept.
const KEEP_ALIVE: Duration = Duration::from_secs(75);
/// The most connections of one worker: beyond them new ones wait to be accepted.
const MAX_CONNECTIONS: usize = 25_000;

/// Routes, as they are counted.
const ROUTES: &[&str] = &[
    "/v1/decide",
    "/v1/events",
    "/v1/explain",
    "/v1/rules",
    "/v1/rules/reload",
    "/v1/sites/{site}/agents",
    "/v1/sites/{site}/visitors/{id}",
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
];

/// What a listener serves besides health.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Offer {
    /// Decide, events, and what servers call.
    public: bool,
    /// What only operators call.
    admin: bool,
    /// Whether metrics need no token.
    open_metrics: bool,
}

/// Starts the servers on their listeners.
pub(super) fn serve(
    config: &Config,
    state: &web::Data<State>,
    listeners: Listeners,
    made_token: Option<String>,
    sweeper: tokio::task::JoinHandle<()>,
    reloader: std::thread::JoinHandle<()>,
) -> Result<Running, AppError> {
    let address = listeners.public.local_addr()?;
    let has_admin = !state.admin.is_empty();
    let mut running = Running {
        address,
        admin_address: None,
        made_token,
        state: state.clone(),
        servers: Vec::new(),
        finished: Vec::new(),
        sweeper,
        reloader,
    };
    let public = Offer {
        public: true,
        admin: has_admin && listeners.admin.is_none(),
        open_metrics: is_loopback(address),
    };
    start(config, state, listeners.public, public, &mut running)?;
    if let Some(listener) = listeners.admin {
        running.admin_address = Some(listener.local_addr()?);
        let offer = Offer { public: false, admin: has_admin, open_metrics: true };
        start(config, state, listener, offer, &mut running)?;
    }
    Ok(running)
}

fn start(
    config: &Config,
    state: &web::Data<State>,
    listener: TcpListener,
    offer: Offer,
    running: &mut Running,
) -> Result<(), AppError> {
    let readiness = {
        let state = state.clone();
        web::Data::new(Readiness::new(move || state.unready()))
    };
    let scrape = web::Data::new(scrape(state));
    let counted = web::Data::new(state.metrics.http(ROUTES));
    let state = state.clone();
    let server = HttpServer::new(move || {
        App::new()
            .app_data(state.clone())
            .app_data(readiness.clone())
            .app_data(scrape.clone())
            .app_data(counted.clone())
            .wrap(origins::cors({
                let state = state.clone();
                move || state.current.load().origins.clone()
            }))
            .wrap(from_fn(reply::problems))
            .wrap(from_fn(count))
            .configure(|routes| mount(routes, offer))
            .default_service(web::to(reply::no_such_route))
    })
    .workers(config.workers.get())
    .client_request_timeout(HEAD_TIMEOUT)
    .keep_alive(KEEP_ALIVE)
    .max_connections(MAX_CONNECTIONS)
    .shutdown_timeout(config.shutdown_timeout.as_secs())
    .disable_signals()
    .listen(listener)?
    .run();
    running.servers.push(server.handle());
    running.finished.push(tokio::spawn(server));
    Ok(())
}

fn mount(routes: &mut web::ServiceConfig, offer: Offer) {
    operator::health_routes(routes);
    if offer.open_metrics {
        operator::metrics_route(routes);
    } else {
        routes.service(
            web::resource("/metrics")
                .route(reply::get_or_head().to(metrics_for_tokens))
                .default_service(reply::only("GET, HEAD")),
        );
    }
    if offer.public {
        openapi::openapi_route(routes);
        routes
            .service(
                web::resource("/v1/decide")
                    .route(web::post().to(decide::decide))
                    .default_service(reply::only("POST")),
            )
            .service(
                web::resource("/v1/events")
                    .route(web::post().to(events::events))
                    .default_service(reply::only("POST")),
            );
    }
    admin::server_routes(routes);
    if offer.admin {
        admin::admin_routes(routes);
        explain::explain_route(routes);
    }
}

async fn metrics_for_tokens(
    state: web::Data<State>,
    scrape: web::Data<Scrape>,
    request: actix_web::HttpRequest,
) -> Result<HttpResponse, Problem> {
    tokens::require(&state.admin, request.headers(), AdminLevel::ReadOnly)?;
    Ok(operator::metrics(scrape).await)
}

fn scrape(state: &web::Data<State>) -> Scrape {
    let state = state.clone();
    Scrape::new(move || {
        let figures = state.service.store().stats();
        state.metrics.refresh_sessions(&figures.sessions_active, &figures.sessions_evicted);
        state.metrics.render()
    })
}

async fn count<B: MessageBody>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<B>, Error> {
    let began = Instant::now();
    let metrics = request.app_data::<web::Data<HttpMetrics>>().cloned();
    let response = next.call(request).await?;
    if let Some(metrics) = metrics {
        let request = response.request();
        let route = request.match_pattern();
        let status = response.status().as_u16();
        metrics.observe(route.as_deref(), request.method().as_str(), status, began.elapsed());
    }
    Ok(response)
}
