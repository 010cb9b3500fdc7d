//! What operators and the sites' own servers do: who is on duty, what the CRM knows, which rules
//! are in use.
//!
//! Must not: be mounted where no token protects it.

use std::sync::Arc;

use super::security::tokens;
use super::state::State;
use super::wire::agents::parse_agents;
use super::wire::problem::{Problem, ProblemKind};
use super::wire::rules::{reloaded_json, rules_json};
use super::wire::visitors::{parse_visitor, visitor_json};
use super::{body, reply};
use crate::config::AdminLevel;
use crate::domain::history::History;
use crate::domain::ids::{VisitorId, VisitorKey};
use crate::metrics::StoreOperation;
use crate::service::LiveSite;
use crate::store::Store;
use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

/// The longest id of a visitor.
const MAX_ID_BYTES: usize = 256;

/// Adds the routes that a site's own server may call too.
pub fn server_routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/v1/sites/{site}/agents")
                .route(web::put().to(put_agents))
                .default_service(reply::only("PUT")),
        )
        .service(
            web::resource("/v1/sites/{site}/visitors/{id}")
                .route(web::put().to(put_visitor))
                .route(web::get().to(get_visitor))
                .route(web::delete().to(delete_visitor))
                .default_service(reply::only("PUT, GET, DELETE")),
        );
}

/// Adds the routes that only operators may call.
pub fn admin_routes(config: &mut web::ServiceConfig) {
    config
        .service(
            web::resource("/v1/rules")
                .route(reply::get_or_head().to(rules))
                .default_service(reply::only("GET, HEAD")),
        )
        .service(
            web::resource("/v1/rules/reload")
                .route(web::post().to(reload))
                .default_service(reply::only("POST")),
        );
}

fn allow(
    state: &State,
    request: &HttpRequest,
    site: &str,
    level: AdminLevel,
) -> Result<Arc<LiveSite>, Problem> {
    tokens::require_key_or_token(state.secrets_of(site), &state.admin, request.headers(), level)?;
    state.site(site)
}

fn visitor(live: &LiveSite, id: &str) -> Result<VisitorKey, Problem> {
    // Bytes that are no UTF-8 come as U+FFFD: ids that differ in them alone would be one.
    let is_text = !id.contains(|c: char| c == char::REPLACEMENT_CHARACTER || c.is_control());
    if id.is_empty() || id.len() > MAX_ID_BYTES || !is_text {
        let detail = format!("A visitor's id is 1 to {MAX_ID_BYTES} bytes of UTF-8 text");
        return Err(Problem::new(ProblemKind::BadRequest, detail));
    }
    Ok(VisitorKey { site: live.set.site.key.clone(), id: VisitorId::Identity(id.into()) })
}

fn unavailable(error: impl std::fmt::Display) -> Problem {
    Problem::unavailable(error.to_string(), 5)
}

fn no_content() -> HttpResponse {
    HttpResponse::NoContent().finish()
}

async fn put_agents(
    state: web::Data<State>,
    request: HttpRequest,
    site: web::Path<String>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let live = allow(&state, &request, &site, AdminLevel::Full)?;
    let bytes = body::read(&request, payload, body::DECIDE_LIMIT).await?;
    let parsed = parse_agents(&bytes)?;
    let until = state.clock.now() + parsed.ttl;
    let key = &live.set.site.key;
    let store = state.service.store();
    if let Some(total) = parsed.total {
        store.set_agents(key, None, total, until).await.map_err(unavailable)?;
    }
    for (route, agents) in parsed.routes {
        store.set_agents(key, Some(&route), agents, until).await.map_err(unavailable)?;
    }
    Ok(no_content())
}

async fn put_visitor(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let (site, id) = path.into_inner();
    let live = allow(&state, &request, &site, AdminLevel::Full)?;
    let visitor = visitor(&live, &id)?;
    let bytes = body::read(&request, payload, body::DECIDE_LIMIT).await?;
    let attributes = parse_visitor(&bytes)?;
    let now = state.clock.now();
    let work = state.service.store().set_crm(&visitor, attributes, now);
    state.service.timed(StoreOperation::SetCrm, work).await.map_err(unavailable)?;
    state.service.durable().await.map_err(unavailable)?;
    Ok(no_content())
}

async fn get_visitor(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (site, id) = path.into_inner();
    let live = allow(&state, &request, &site, AdminLevel::ReadOnly)?;
    let visitor = visitor(&live, &id)?;
    let store = state.service.store();
    let history = store.history(std::slice::from_ref(&visitor)).await.map_err(unavailable)?;
    if history == History::default() {
        return Err(Problem::new(ProblemKind::NotFound, "Nothing is stored of this visitor"));
    }
    Ok(reply::json(StatusCode::OK, visitor_json(&site, &id, &history)))
}

async fn delete_visitor(
    state: web::Data<State>,
    request: HttpRequest,
    path: web::Path<(String, String)>,
) -> Result<HttpResponse, Problem> {
    let (site, id) = path.into_inner();
    let live = allow(&state, &request, &site, AdminLevel::Full)?;
    let visitor = visitor(&live, &id)?;
    state.service.erase(&visitor).await.map_err(unavailable)?;
    state.service.durable().await.map_err(unavailable)?;
    Ok(no_content())
}

async fn rules(state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    tokens::require(&state.admin, request.headers(), AdminLevel::ReadOnly)?;
    let body = rules_json(&state.snapshot(), state.clock.now());
    Ok(reply::json(StatusCode::OK, body))
}

async fn reload(state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    tokens::require(&state.admin, request.headers(), AdminLevel::Full)?;
    let reloaded = state.reloads.now().await?;
    Ok(reply::json(StatusCode::OK, reloaded_json(&reloaded)))
}
