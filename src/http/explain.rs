//! `/v1/explain`: why a call is answered as it is, rule by rule.
//!
//! Must not: spend or record anything, or be mounted where no token protects it.

use std::net::IpAddr;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};
use serde::Deserialize;

use super::security::tokens;
use super::state::State;
use super::wire::decide::{ParsedDecide, parse_decide};
use super::wire::problem::{Problem, ProblemKind};
use super::{body, caller, reply};
use crate::config::AdminLevel;
use crate::domain::ids::{DecisionId, PageId, SessionKey};
use crate::domain::visit::{Device, DeviceKind, Place};
use crate::enrich::device::{ClientHints, Devices};
use crate::explain::{About, Explanation};
use crate::rules::language::accept_language;
use crate::service::ExplainError;

/// Adds the route.
pub fn explain_route(config: &mut web::ServiceConfig) {
    config.service(
        web::resource("/v1/explain")
            .route(web::post().to(explain_call))
            .route(web::get().to(explain_past))
            .default_service(reply::only("POST, GET")),
    );
}

/// What a call that is only asked about tells of its visitor.
#[derive(Debug)]
pub struct Client {
    /// Where.
    pub place: Arc<Place>,
    /// On what.
    pub device: Device,
    /// Best first.
    pub accept_languages: Vec<Arc<str>>,
    /// What was assumed.
    pub notes: Vec<String>,
}

/// The visitor of a call that is only asked about. Who asks is an operator at a terminal, so
/// nothing of that request tells of the visitor: the body's `client` does, and what it leaves out
/// is assumed to be ordinary.
pub fn client(
    parsed: &mut ParsedDecide<'_>,
    devices: &Devices,
    place: impl FnOnce(IpAddr) -> Arc<Place>,
) -> Client {
    let instead = parsed.client.take();
    let touch_points = parsed.touch_points;
    let hints = ClientHints { touch_points, ..ClientHints::default() };
    let mut notes = Vec::new();
    let agent = instead.as_ref().and_then(|client| client.user_agent.as_deref());
    let device = match agent {
        Some(agent) => devices.device(Some(agent), &hints),
        None => {
            notes.push(
                "No `client.user_agent` is given: the visitor is taken for a person at a computer."
                    .to_owned(),
            );
            Device { kind: DeviceKind::Desktop, os: None, browser: None, is_bot: false }
        }
    };
    let address = instead.as_ref().and_then(|client| client.address);
    let place = match address {
        Some(address) => place(address),
        None => {
            notes.push("No `client.address` is given: the place is unknown.".to_owned());
            Arc::default()
        }
    };
    let languages = instead.as_ref().and_then(|client| client.accept_language.as_deref());
    let accept_languages = languages.map(accept_language).unwrap_or_default();
    Client { place, device, accept_languages, notes }
}

async fn explain_call(
    state: web::Data<State>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    tokens::require(&state.admin, request.headers(), AdminLevel::ReadOnly)?;
    let bytes = body::read(&request, payload, body::DECIDE_LIMIT).await?;
    let mut parsed = parse_decide(&bytes)?;
    let snapshot = state.snapshot();
    let live = snapshot.site(&parsed.site)?;
    let site = live.set.site.key.clone();
    let identity = caller::identity(&state, &site, parsed.identity_token.as_deref())
        .map_err(|why| Problem::at("/identity_token", why))?;
    let client = client(&mut parsed, &state.devices, |address| state.place(&snapshot, address));
    let (visit, page) =
        parsed.into_visit(site, identity, client.place, client.device, client.accept_languages);
    let now = state.clock.now();
    let explained = state
        .service
        .explain_call(&live, &visit, &page, now, client.notes)
        .await
        .map_err(|error| Problem::unavailable(error.to_string(), 5))?;
    Ok(answer(&state, explained))
}

/// What is asked of the past.
#[derive(Debug, Deserialize)]
struct Past {
    decision: Option<String>,
    site: Option<String>,
    session: Option<String>,
}

async fn explain_past(
    state: web::Data<State>,
    request: HttpRequest,
    past: Result<web::Query<Past>, actix_web::Error>,
) -> Result<HttpResponse, Problem> {
    tokens::require(&state.admin, request.headers(), AdminLevel::ReadOnly)?;
    let wrong = || {
        Problem::new(
            ProblemKind::BadRequest,
            "Ask for `?decision=ID`, or for `?site=KEY&session=ID`",
        )
    };
    let past = past.map_err(|_| wrong())?.into_inner();
    let explained = match (past.decision, past.site, past.session) {
        (Some(id), None, None) => {
            let id = DecisionId::parse(&id).ok_or_else(|| {
                Problem::new(
                    ProblemKind::BadRequest,
                    "A decision's id is the 32 hexadecimal digits of its answer",
                )
            })?;
            state.service.explain_decision(id)
        }
        (None, Some(site), Some(session)) => {
            let live = state.site(&site)?;
            let id = PageId::parse(&session).map_err(|error| {
                Problem::new(ProblemKind::BadRequest, format!("The session's id {error}"))
            })?;
            let key = SessionKey { site: live.set.site.key.clone(), id };
            state.service.explain_session(&live, &key, state.clock.now()).await
        }
        _ => return Err(wrong()),
    };
    match explained {
        Ok(explained) => Ok(answer(&state, explained)),
        Err(error @ ExplainError::NotKept) => {
            Err(Problem::new(ProblemKind::NotFound, format!("Nothing to explain: {error}")))
        }
        Err(ExplainError::Store(error)) => Err(Problem::unavailable(error.to_string(), 5)),
    }
}

fn answer(state: &State, explained: Explanation) -> HttpResponse {
    let explained = match state.service.store().fault() {
        // What was answered then was answered.
        Some(fault) if explained.about != About::Decision => explained.unless_kept(&fault),
        _ => explained,
    };
    // Plain texts and numbers: it always becomes JSON.
    reply::json(StatusCode::OK, serde_json::to_vec(&explained).unwrap_or_default())
}
