//! What operators and the sites' own servers do: who is on duty, what the CRM knows, which rules
//! are in use.
//!
//! Must not: be mounted where no token protects it.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde_json::json;

use super::security::tokens;
use super::state::{SiteReport, State};
use super::wire::agents::parse_agents;
use super::wire::problem::{Problem, ProblemKind};
use super::wire::visitors::{parse_visitor, visitor_json};
use super::{body, reply};
use crate::config::AdminLevel;
use crate::domain::history::History;
use crate::domain::ids::{VisitorId, VisitorKey};
use crate::metrics::StoreOperation;
use crate::rules::diagnostic::Diagnostic;
use crate::service::LiveSite;
use crate::store::Store;

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
    config.service(
        web::resource("/v1/rules")
            .route(reply::get_or_head().to(rules))
            .default_service(reply::only("GET, HEAD")),
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
    Ok(no_content())
}

async fn rules(state: web::Data<State>, request: HttpRequest) -> Result<HttpResponse, Problem> {
    tokens::require(&state.admin, request.headers(), AdminLevel::ReadOnly)?;
    let sites = state.service.sites();
    let reports = state.reports.load();
    let all: Vec<_> =
        reports.iter().map(|report| site_json(report, sites.get(&report.key))).collect();
    let body = serde_json::to_vec(&json!({ "sites": all })).unwrap_or_default();
    Ok(reply::json(StatusCode::OK, body))
}

fn site_json(report: &SiteReport, live: Option<&Arc<LiveSite>>) -> serde_json::Value {
    let rules: Vec<_> = live
        .map(|live| live.set.rules.as_slice())
        .unwrap_or_default()
        .iter()
        .map(|rule| {
            json!({
                "id": &*rule.id,
                "description": rule.description,
                "priority": rule.priority,
                "mode": rule.mode.as_str(),
                "file": rule.source.name,
                "line": rule.source.position(rule.span.start).line,
                "variants": rule.variants.iter().map(|v| &*v.id).collect::<Vec<_>>(),
            })
        })
        .collect();
    json!({
        "site": &*report.key,
        "loaded": report.is_loaded,
        "version": live.map(|live| &*live.set.version),
        "read_at": report.read_at.to_utc().map(|at| at.to_rfc3339()),
        "files": report.files,
        "rules": rules,
        "findings": report.findings.iter().map(finding_json).collect::<Vec<_>>(),
        "notes": report.notes,
    })
}

/// A finding, for programs and for people.
pub fn finding_json(finding: &Diagnostic) -> serde_json::Value {
    let at = finding.source.position(finding.span.start);
    json!({
        "severity": finding.severity,
        "code": finding.code,
        "file": finding.source.name,
        "line": at.line,
        "column": at.column,
        "message": finding.message,
        "help": finding.help,
        "text": finding.to_string(),
    })
}
