//! `POST /v1/events`.

use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{HttpRequest, HttpResponse, web};

use super::security::{origins, tokens};
use super::snapshot::Snapshot;
use super::state::State;
use super::wire::event_kinds::EventReport;
use super::wire::events::{EventsAnswer, ParsedEvent, Rejected, parse_events};
use super::wire::problem::Problem;
use super::{body, caller, reply};
use crate::domain::caps::Stage;
use crate::domain::ids::DecisionId;
use crate::domain::visit::Consent;
use crate::service::{Conversion, Happened, Recorded};
use crate::store::StoreError;

/// Records what became of prompts, and what else happened, each event on its own.
///
/// # Errors
/// 400 where the body is no list of events, 413, 415, 429; 401, 403 or 404, and nothing is
/// recorded, where the site of any of them is not there or does not take calls from this page or
/// with this token; 503 where the store has no room, or what
/// was reported cannot be made durable now: it may be reported again, and counts once.
pub async fn events(
    state: web::Data<State>,
    request: HttpRequest,
    payload: web::Payload,
) -> Result<HttpResponse, Problem> {
    let address = caller::address(&state, &request);
    caller::count(&state, &request, address)?;
    let bytes = body::read(&request, payload, body::EVENTS_LIMIT).await?;
    let parsed = parse_events(&bytes)?;
    let snapshot = state.snapshot();
    check_sites(&state, &snapshot, &request, &parsed)?;
    let must_last = parsed.iter().flatten().any(|event| !event.report.may_be_lost());
    let mut answer = EventsAnswer { accepted: 0, rejected: Vec::new() };
    for (index, event) in parsed.into_iter().enumerate() {
        match event {
            Ok(event) => match record(&state, &snapshot, &request, address, event).await? {
                Ok(()) => answer.accepted += 1,
                Err(detail) => answer.rejected.push(Rejected { index, detail }),
            },
            Err(rejected) => answer.rejected.push(rejected),
        }
    }
    if must_last {
        state.service.durable().await.map_err(|error| unavailable(&error))?;
    }
    let json = serde_json::to_vec(&answer).unwrap_or_default();
    Ok(reply::json(StatusCode::ACCEPTED, json))
}

/// Every site must be there and take these calls before anything has an effect.
fn check_sites(
    state: &State,
    snapshot: &Snapshot,
    request: &HttpRequest,
    events: &[Result<ParsedEvent<'_>, Rejected>],
) -> Result<(), Problem> {
    let mut checked: Vec<&str> = Vec::new();
    for event in events.iter().flatten() {
        if !checked.contains(&&*event.site) {
            let live = snapshot.site(&event.site)?;
            origins::check(&live.set.site.origins, request.headers())?;
            caller::caller(state, request, &live.set.site.key)?;
            checked.push(&event.site);
        }
    }
    Ok(())
}

async fn record(
    state: &State,
    snapshot: &Snapshot,
    request: &HttpRequest,
    address: std::net::IpAddr,
    mut event: ParsedEvent<'_>,
) -> Result<Result<(), String>, Problem> {
    let live = snapshot.site(&event.site)?;
    let site = &live.set.site;
    let who = caller::caller(state, request, &site.key)?;
    let client = caller::client(state, snapshot, request, who, address, None, None)?;
    let identity = match caller::identity(state, &site.key, event.identity_token.as_deref()) {
        Ok(identity) => identity,
        Err(why) => return Ok(Err(format!("/identity_token: {why}"))),
    };
    event.at = caller::event_time(state, who, event.at);
    let is_denial = matches!(event.report, EventReport::Consent(Consent::Denied));
    let happened = happened(&event.report);
    let (mut visit, page) = event.into_visit(
        site.key.clone(),
        identity,
        client.place,
        client.device,
        client.accept_languages,
    );
    visit.consent = client.consent.or(visit.consent);
    if who == tokens::Caller::Server {
        // The site's own server speaks, not the visitor's browser: it is no bot for that.
        visit.device.is_bot = false;
        visit.place = Arc::default();
    }
    let happened = happened.unwrap_or(Happened::Event { page, value: None });
    match state.service.record(&live, &visit, happened, state.clock.now()).await {
        Ok(Recorded::Accepted) => Ok(Ok(())),
        // A "no" to being recorded is itself a report that was taken.
        Ok(Recorded::NotRecorded) if is_denial => Ok(Ok(())),
        Ok(Recorded::NotRecorded) => {
            Ok(Err("nothing is recorded of this visitor: no consent, or no person".to_owned()))
        }
        Err(error) => Err(unavailable(&error)),
    }
}

fn unavailable(error: &StoreError) -> Problem {
    Problem::unavailable(error.to_string(), 5)
}

/// What a report is to the service; `None` for what the visit itself tells.
fn happened(report: &EventReport) -> Option<Happened> {
    let stage = |stage: Stage, decision: Option<DecisionId>| Happened::Stage {
        stage,
        decision,
        conversion: Conversion::default(),
    };
    Some(match report {
        EventReport::PromptShown(decision) => stage(Stage::Shown, Some(*decision)),
        EventReport::PromptAccepted(decision) => stage(Stage::Accepted, Some(*decision)),
        EventReport::PromptDismissed(decision) => stage(Stage::Dismissed, Some(*decision)),
        EventReport::ChatStarted(decision) => stage(Stage::ChatStarted, *decision),
        EventReport::ChatEnded(decision) => stage(Stage::ChatEnded, *decision),
        EventReport::OtherPromptShown => Happened::OtherPrompt,
        EventReport::OptOut => Happened::OptOut(true),
        EventReport::OptIn => Happened::OptOut(false),
        EventReport::Converted(conversion) => Happened::Stage {
            stage: Stage::Converted,
            decision: conversion.decision,
            conversion: Conversion {
                goal: conversion.goal.clone(),
                order: conversion.order_id.clone(),
                value: conversion.value,
            },
        },
        EventReport::PageView { .. }
        | EventReport::Signal { .. }
        | EventReport::Cart(_)
        | EventReport::Identify
        | EventReport::Consent(_) => return None,
    })
}
