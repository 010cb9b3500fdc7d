//! `/openapi.json`: OpenAPI 3.1 of every route, out of the same types that read and write bodies.
//!
//! Must not: describe what the types do not do.

use std::sync::OnceLock;

use actix_web::http::StatusCode;
use actix_web::web::{self, Bytes};
use actix_web::{HttpResponse, http::header};
use utoipa::openapi::OpenApi as Document;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};

use super::reply;
use super::wire::answer::AnswerBody;
use super::wire::decide::DecideBody;
use super::wire::event_kinds::{
    CartFields, ChatFields, ConsentFields, ConvertedFields, IdentifyFields, NoFields,
    PageViewFields, PromptFields, PromptShownFields, SignalFields,
};
use super::wire::events::{EventHead, EventSchema, EventsAnswer, EventsSchema};
use super::wire::problem::{FieldError, ProblemBody};
use crate::explain::{About, ExplainedCondition, ExplainedRule, Explanation, Opens, RuleOutcome};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Koekake",
        description = "Decides, for every page view, whether now is the moment to offer a visitor a chat. \
            Under /v1 things are added, never changed.",
        license(name = "MIT", identifier = "MIT"),
    ),
    tags(
        (name = "pages", description = "What pages and the site's servers call."),
        (name = "operators", description = "What dashboards and tools read."),
        (name = "admin", description = "What the site's own systems and its operators call."),
    ),
    paths(
        routes::decide, routes::events, routes::healthz, routes::readyz, routes::metrics,
        routes::openapi, routes::agents, routes::put_visitor, routes::get_visitor,
        routes::delete_visitor, routes::rules, routes::reload, routes::explain,
        routes::explain_past,
    ),
    components(schemas(
        DecideBody, AnswerBody, EventsSchema, EventSchema, EventsAnswer, EventHead, PageViewFields,
        SignalFields, CartFields, PromptShownFields, PromptFields, ChatFields, ConvertedFields,
        IdentifyFields, ConsentFields, NoFields, ProblemBody, FieldError, Explanation, ExplainedRule,
        ExplainedCondition, Opens, About, RuleOutcome,
    )),
    modifiers(&Security),
)]
struct Api;

struct Security;

impl Modify for Security {
    fn modify(&self, document: &mut Document) {
        let bearer = |description: &str| {
            SecurityScheme::Http(
                HttpBuilder::new()
                    .scheme(HttpAuthScheme::Bearer)
                    .description(Some(description))
                    .build(),
            )
        };
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("admin", bearer("An operator's token."));
        components.add_security_scheme("server_key", bearer("The site's server key."));
    }
}

/// The document.
#[must_use]
pub fn document() -> Document {
    Api::openapi()
}

/// `GET /openapi.json`.
pub async fn openapi_json() -> HttpResponse {
    static TEXT: OnceLock<Bytes> = OnceLock::new();
    // The document is plain text and maps: it always becomes JSON.
    let text = TEXT.get_or_init(|| document().to_json().unwrap_or_default().into());
    HttpResponse::build(StatusCode::OK)
        .content_type("application/json")
        .insert_header((header::CACHE_CONTROL, "no-cache"))
        .body(text.clone())
}

/// Adds `/openapi.json`.
pub fn openapi_route(config: &mut web::ServiceConfig) {
    config.service(
        web::resource("/openapi.json")
            .route(reply::get_or_head().to(openapi_json))
            .default_service(reply::only("GET, HEAD")),
    );
}

/// The routes as the document tells them; who answers them is elsewhere.
#[expect(dead_code, reason = "read by the macro alone")]
mod routes {
    use crate::explain::Explanation;
    use crate::http::wire::agents::AgentsBody;
    use crate::http::wire::answer::AnswerBody;
    use crate::http::wire::decide::DecideBody;
    use crate::http::wire::events::{EventsAnswer, EventsSchema};
    use crate::http::wire::problem::ProblemBody;
    use crate::http::wire::visitors::{VisitorAnswerBody, VisitorPutBody};

    /// Record what happened on a page, and ask whether a chat should be offered now
    ///
    /// The body is JSON, also when sent as `text/plain`. Unknown fields are ignored. A `client`
    /// needs the site's server key.
    #[utoipa::path(post, path = "/v1/decide", operation_id = "decide", tag = "pages",
        request_body(content(
            (DecideBody = "application/json"),
            (DecideBody = "text/plain"),
        )),
        security((), ("server_key" = [])),
        responses(
            (status = 200, description = "The question was understood", body = AnswerBody, content_type = "application/json",
                headers(("Cache-Control" = String, description = "`no-store`"))),
            (status = 400, description = "The body is not understood", body = ProblemBody, content_type = "application/problem+json"),
            (status = 401, description = "The bearer token is no key of the site", body = ProblemBody, content_type = "application/problem+json"),
            (status = 403, description = "The origin may not ask for this site, or `client` came without the server key", body = ProblemBody, content_type = "application/problem+json"),
            (status = 404, description = "No such site", body = ProblemBody, content_type = "application/problem+json"),
            (status = 408, description = "The body did not arrive in time", body = ProblemBody, content_type = "application/problem+json"),
            (status = 413, description = "The body is longer than 64 KiB", body = ProblemBody, content_type = "application/problem+json"),
            (status = 415, description = "Neither JSON nor text/plain, or coded", body = ProblemBody, content_type = "application/problem+json"),
            (status = 429, description = "Too many requests from this address", body = ProblemBody, content_type = "application/problem+json",
                headers(("Retry-After" = i64, description = "Seconds to wait"))),
            (status = 503, description = "Not now, or the site's rules never loaded", body = ProblemBody, content_type = "application/problem+json",
                headers(("Retry-After" = i64, description = "Seconds to wait"))),
        ))]
    fn decide() {}

    /// Report what became of prompts, and what else happened
    ///
    /// One event or an array of up to 100, also as `text/plain` for `sendBeacon`. Each event is
    /// taken or rejected by itself.
    #[utoipa::path(post, path = "/v1/events", operation_id = "events", tag = "pages",
        request_body(content(
            (EventsSchema = "application/json"),
            (EventsSchema = "text/plain"),
        )),
        security((), ("server_key" = [])),
        responses(
            (status = 202, description = "The body was understood; which events were taken", body = EventsAnswer, content_type = "application/json"),
            (status = 400, description = "The body is not understood", body = ProblemBody, content_type = "application/problem+json"),
            (status = 401, description = "The bearer token is no key of the site", body = ProblemBody, content_type = "application/problem+json"),
            (status = 403, description = "The origin may not report for this site", body = ProblemBody, content_type = "application/problem+json"),
            (status = 404, description = "No such site", body = ProblemBody, content_type = "application/problem+json"),
            (status = 408, description = "The body did not arrive in time", body = ProblemBody, content_type = "application/problem+json"),
            (status = 413, description = "The body is longer than 256 KiB", body = ProblemBody, content_type = "application/problem+json"),
            (status = 415, description = "Neither JSON nor text/plain, or coded", body = ProblemBody, content_type = "application/problem+json"),
            (status = 429, description = "Too many requests from this address", body = ProblemBody, content_type = "application/problem+json",
                headers(("Retry-After" = i64, description = "Seconds to wait"))),
            (status = 503, description = "Not now", body = ProblemBody, content_type = "application/problem+json",
                headers(("Retry-After" = i64, description = "Seconds to wait"))),
        ))]
    fn events() {}

    /// Whether the service is alive
    #[utoipa::path(get, path = "/healthz", operation_id = "healthz", tag = "operators",
        responses((status = 200, description = "Alive", body = Value, content_type = "application/json", example = json!({ "status": "alive" }))))]
    fn healthz() {}

    /// Whether the service is ready: rules loaded, store reachable
    #[utoipa::path(get, path = "/readyz", operation_id = "readyz", tag = "operators",
        responses(
            (status = 200, description = "Ready", body = Value, content_type = "application/json", example = json!({ "status": "ready" })),
            (status = 503, description = "Not ready, and why", body = ProblemBody, content_type = "application/problem+json",
                headers(("Retry-After" = i64, description = "Seconds to wait"))),
        ))]
    fn readyz() {}

    /// Metrics in Prometheus' text format
    #[utoipa::path(get, path = "/metrics", operation_id = "metrics", tag = "operators",
        security((), ("admin" = [])),
        responses(
            (status = 200, description = "All metrics", body = String, content_type = "text/plain"),
            (status = 401, description = "A token is needed here", body = ProblemBody, content_type = "application/problem+json"),
        ))]
    fn metrics() {}

    /// This document
    #[utoipa::path(get, path = "/openapi.json", operation_id = "openapi", tag = "operators",
        responses((status = 200, description = "OpenAPI 3.1", body = Value, content_type = "application/json")))]
    fn openapi() {}

    /// Say who is on duty
    #[utoipa::path(put, path = "/v1/sites/{site}/agents", operation_id = "putAgents", tag = "admin",
        params(("site" = String, Path, description = "The site's key")),
        request_body(content = AgentsBody, content_type = "application/json"),
        security(("admin" = []), ("server_key" = [])),
        responses(
            (status = 204, description = "Taken, until `ttl` is over"),
            (status = 400, description = "The body is not understood", body = ProblemBody, content_type = "application/problem+json"),
            (status = 401, description = "A token is needed", body = ProblemBody, content_type = "application/problem+json"),
            (status = 403, description = "This token may only read", body = ProblemBody, content_type = "application/problem+json"),
            (status = 404, description = "No such site", body = ProblemBody, content_type = "application/problem+json"),
            (status = 408, description = "The body did not arrive in time", body = ProblemBody, content_type = "application/problem+json"),
            (status = 413, description = "The body is too long", body = ProblemBody, content_type = "application/problem+json"),
            (status = 415, description = "Not JSON", body = ProblemBody, content_type = "application/problem+json"),
            (status = 503, description = "Not now", body = ProblemBody, content_type = "application/problem+json"),
        ))]
    fn agents() {}

    /// Say what the CRM knows of a visitor, in place of what it said before
    #[utoipa::path(put, path = "/v1/sites/{site}/visitors/{id}", operation_id = "putVisitor", tag = "admin",
        params(
            ("site" = String, Path, description = "The site's key"),
            ("id" = String, Path, description = "Who the visitor is to the site: the `sub` of the identity token"),
        ),
        request_body(content = VisitorPutBody, content_type = "application/json"),
        security(("admin" = []), ("server_key" = [])),
        responses(
            (status = 204, description = "Taken"),
            (status = 400, description = "The body is not understood", body = ProblemBody, content_type = "application/problem+json"),
            (status = 401, description = "A token is needed", body = ProblemBody, content_type = "application/problem+json"),
            (status = 403, description = "This token may only read", body = ProblemBody, content_type = "application/problem+json"),
            (status = 404, description = "No such site", body = ProblemBody, content_type = "application/problem+json"),
            (status = 408, description = "The body did not arrive in time", body = ProblemBody, content_type = "application/problem+json"),
            (status = 413, description = "The body is too long", body = ProblemBody, content_type = "application/problem+json"),
            (status = 415, description = "Not JSON", body = ProblemBody, content_type = "application/problem+json"),
            (status = 503, description = "Not now", body = ProblemBody, content_type = "application/problem+json"),
        ))]
    fn put_visitor() {}

    /// See what is stored of a visitor
    #[utoipa::path(get, path = "/v1/sites/{site}/visitors/{id}", operation_id = "getVisitor", tag = "admin",
        params(
            ("site" = String, Path, description = "The site's key"),
            ("id" = String, Path, description = "Who the visitor is to the site"),
        ),
        security(("admin" = []), ("server_key" = [])),
        responses(
            (status = 200, description = "All of it", body = VisitorAnswerBody, content_type = "application/json"),
            (status = 400, description = "The id is not 1 to 256 bytes of UTF-8 text", body = ProblemBody, content_type = "application/problem+json"),
            (status = 401, description = "A token is needed", body = ProblemBody, content_type = "application/problem+json"),
            (status = 404, description = "No such site, or nothing is stored", body = ProblemBody, content_type = "application/problem+json"),
            (status = 503, description = "Not now", body = ProblemBody, content_type = "application/problem+json"),
        ))]
    fn get_visitor() {}

    /// Erase what is stored of a visitor
    #[utoipa::path(delete, path = "/v1/sites/{site}/visitors/{id}", operation_id = "deleteVisitor", tag = "admin",
        params(
            ("site" = String, Path, description = "The site's key"),
            ("id" = String, Path, description = "Who the visitor is to the site"),
        ),
        security(("admin" = []), ("server_key" = [])),
        responses(
            (status = 204, description = "Nothing is stored any more"),
            (status = 400, description = "The id is not 1 to 256 bytes of UTF-8 text", body = ProblemBody, content_type = "application/problem+json"),
            (status = 401, description = "A token is needed", body = ProblemBody, content_type = "application/problem+json"),
            (status = 403, description = "This token may only read", body = ProblemBody, content_type = "application/problem+json"),
            (status = 404, description = "No such site", body = ProblemBody, content_type = "application/problem+json"),
            (status = 503, description = "Not now", body = ProblemBody, content_type = "application/problem+json"),
        ))]
    fn delete_visitor() {}

    /// See each site's rules: their version, since when and from which files they are in use, every
    /// rule's state, and the set that was refused last with what is wrong with it; and the places
    #[utoipa::path(get, path = "/v1/rules", operation_id = "rules", tag = "admin",
        security(("admin" = [])),
        responses(
            (status = 200, description = "All sites, and the place database", body = Value, content_type = "application/json"),
            (status = 401, description = "A token is needed", body = ProblemBody, content_type = "application/problem+json"),
            (status = 404, description = "Operators have no token here, or a listener of their own", body = ProblemBody, content_type = "application/problem+json"),
        ))]
    fn rules() {}

    /// Read rules and places anew, now
    ///
    /// No body is needed. `ok` tells whether everything that is there is in use, `changed` whether
    /// anything else than before is; for each site what changed, or what is wrong.
    #[utoipa::path(post, path = "/v1/rules/reload", operation_id = "reload", tag = "admin",
        security(("admin" = [])),
        responses(
            (status = 200, description = "What came of it, good or bad", body = Value, content_type = "application/json"),
            (status = 401, description = "A token is needed", body = ProblemBody, content_type = "application/problem+json"),
            (status = 403, description = "This token may only read", body = ProblemBody, content_type = "application/problem+json"),
            (status = 404, description = "Operators have no token here, or a listener of their own", body = ProblemBody, content_type = "application/problem+json"),
            (status = 503, description = "Nothing came of it in time, or changes are no longer read", body = ProblemBody, content_type = "application/problem+json",
                headers(("Retry-After" = i64, description = "Seconds to wait"))),
        ))]
    fn reload() {}

    /// Explain what would be answered to a call now, rule by rule
    ///
    /// The body is that of `/v1/decide`. Nothing is spent or recorded. Of the visitor only the
    /// body tells: `client` may be given, and what it leaves out is assumed and noted. `event.at`
    /// asks about another moment; `event.id` is not looked at.
    #[utoipa::path(post, path = "/v1/explain", operation_id = "explain", tag = "admin",
        request_body(content(
            (DecideBody = "application/json"),
            (DecideBody = "text/plain"),
        )),
        security(("admin" = [])),
        responses(
            (status = 200, description = "Every rule with every condition", body = Explanation, content_type = "application/json"),
            (status = 400, description = "The body is not understood", body = ProblemBody, content_type = "application/problem+json"),
            (status = 401, description = "A token is needed", body = ProblemBody, content_type = "application/problem+json"),
            (status = 404, description = "No such site, or operators have no token here, or a listener of their own", body = ProblemBody, content_type = "application/problem+json"),
            (status = 408, description = "The body did not arrive in time", body = ProblemBody, content_type = "application/problem+json"),
            (status = 413, description = "The body is longer than 64 KiB", body = ProblemBody, content_type = "application/problem+json"),
            (status = 415, description = "Neither JSON nor text/plain, or coded", body = ProblemBody, content_type = "application/problem+json"),
            (status = 503, description = "Not now, or the site's rules never loaded", body = ProblemBody, content_type = "application/problem+json"),
        ))]
    fn explain() {}

    /// Explain a decision that was made, or a session as it now is
    ///
    /// The newest decisions are kept in memory for this: what was there then, judged by the rules
    /// of then. A session is judged as it now is, as if its newest page asked again.
    #[utoipa::path(get, path = "/v1/explain", operation_id = "explainPast", tag = "admin",
        params(
            ("decision" = Option<String>, Query, description = "The id of an answer"),
            ("site" = Option<String>, Query, description = "With `session`: the site's key"),
            ("session" = Option<String>, Query, description = "With `site`: the session's id"),
        ),
        security(("admin" = [])),
        responses(
            (status = 200, description = "Every rule with every condition", body = Explanation, content_type = "application/json"),
            (status = 400, description = "Neither a decision nor a site's session is named", body = ProblemBody, content_type = "application/problem+json"),
            (status = 401, description = "A token is needed", body = ProblemBody, content_type = "application/problem+json"),
            (status = 404, description = "No such site, the decision is not kept, or operators have no token here", body = ProblemBody, content_type = "application/problem+json"),
            (status = 503, description = "Not now, or the site's rules never loaded", body = ProblemBody, content_type = "application/problem+json"),
        ))]
    fn explain_past() {}
}

#[cfg(test)]
#[path = "openapi_tests.rs"]
mod tests;
