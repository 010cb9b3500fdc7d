//! `POST /v1/decide`.

use std::time::Instant;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::security::origins;
use super::state::State;
use super::wire::answer::answer_json;
use super::wire::decide::parse_decide;
use super::wire::problem::Problem;
use super::{body, caller, reply};

/// Records what happened on a page, and answers whether to offer a prompt now.
///
/// # Errors
/// 400, 401, 403, 404, 413, 415, 429 or 503, as a problem.
pub async fn decide(
    state: web::Data<State>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let address = caller::address(&state, &request);
    caller::count(&state, &request, address)?;
    let bytes = body::read(&request, payload, body::DECIDE_LIMIT).await?;
    let mut parsed = parse_decide(&bytes)?;
    let parsed_at = Instant::now();
    let snapshot = state.snapshot();
    let live = snapshot.site(&parsed.site)?;
    let site = &live.set.site;
    origins::check(&site.origins, request.headers())?;
    let who = caller::caller(&state, &request, &site.key)?;
    let instead = parsed.client.take();
    let (instead, touch_points) = (instead.as_ref(), parsed.touch_points);
    let client = caller::client(&state, &snapshot, &request, who, address, instead, touch_points)?;
    let identity = caller::identity(&state, &site.key, parsed.identity_token.as_deref())
        .map_err(|why| Problem::at("/identity_token", why))?;
    parsed.event.at = caller::event_time(&state, who, parsed.event.at);
    parsed.consent = client.consent.or(parsed.consent);
    let (visit, page) = parsed.into_visit(
        site.key.clone(),
        identity,
        client.place,
        client.device,
        client.accept_languages,
    );
    let answer = state.service.decide(&live, &visit, &page, state.clock.now()).await;
    let json = answer_json(&answer);
    state.metrics.decided_in(parsed_at.elapsed());
    Ok(reply::json(StatusCode::OK, json))
}
