//! Answers and problems as HTTP responses, and what a route answers when it cannot.
//!
//! Must not: read bodies, or know any route's meaning.

use actix_web::body::{EitherBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE,
};
use actix_web::middleware::Next;
use actix_web::{Error, HttpRequest, HttpResponse, ResponseError, Route, guard, web};

use super::wire::problem::{Problem, ProblemKind};

const PROBLEM_JSON: HeaderValue = HeaderValue::from_static("application/problem+json");
const JSON: HeaderValue = HeaderValue::from_static("application/json");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        response.insert_header((CONTENT_TYPE, PROBLEM_JSON));
        response.insert_header((CACHE_CONTROL, NO_STORE));
        if let Some(seconds) = self.retry_after {
            response.insert_header((RETRY_AFTER, seconds));
        }
        if let Some(methods) = self.allow {
            response.insert_header((ALLOW, methods));
        }
        if self.kind == ProblemKind::Unauthorized {
            // RFC 9110 §11.6.1 wants a challenge, RFC 6750 §3 this one.
            response.insert_header((WWW_AUTHENTICATE, "Bearer realm=\"koekake\""));
        }
        response.body(self.to_json())
    }
}

/// A JSON answer that nobody is to cache.
#[must_use]
pub fn json(status: StatusCode, body: Vec<u8>) -> HttpResponse {
    HttpResponse::build(status)
        .insert_header((CONTENT_TYPE, JSON))
        .insert_header((CACHE_CONTROL, NO_STORE))
        .body(body)
}

/// What a resource answers to methods that it does not take: 405 with `Allow` (RFC 9110 §15.5.6).
#[must_use]
pub fn only(methods: &'static str) -> Route {
    web::to(move || async move {
        let mut problem =
            Problem::new(ProblemKind::MethodNotAllowed, format!("This route only takes {methods}"));
        problem.allow = Some(methods);
        problem.error_response()
    })
}

/// A route for `GET` and `HEAD`: whatever can be read can be asked about (RFC 9110 §9.1).
#[must_use]
pub fn get_or_head() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

/// What the service answers where no route is.
pub async fn no_such_route(request: HttpRequest) -> Problem {
    let path = request.path();
    let shown: String = path.chars().take(100).collect();
    Problem::new(ProblemKind::NotFound, format!("There is nothing at {shown}"))
}

impl actix_web::Responder for Problem {
    type Body = actix_web::body::BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        self.error_response()
    }
}

/// Middleware that makes a problem of every error which a library answered in its own words.
///
/// Wrap it around everything else, CORS included.
///
/// # Errors
/// Those of the middleware within, as they are.
pub async fn problems<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<EitherBody<B>>, Error> {
    match next.call(request).await {
        Ok(response) if is_foreign(&response) => {
            let status = response.status();
            let (request, mut old) = response.into_parts();
            let mut new = foreign(status).error_response();
            // CORS and challenges were put there for a reason; the words and their type were not.
            for (name, value) in old.headers_mut().drain().filter_map(|(n, v)| Some((n?, v))) {
                if !new.headers().contains_key(&name) {
                    new.headers_mut().append(name, value);
                }
            }
            Ok(ServiceResponse::new(request, new).map_into_right_body())
        }
        Ok(response) => Ok(response.map_into_left_body()),
        // Handlers' errors are responses by now; what is left comes from middleware of our own.
        Err(error) => Err(error),
    }
}

fn is_foreign<B>(response: &ServiceResponse<B>) -> bool {
    (response.status().is_client_error() || response.status().is_server_error())
        && response.headers().get(CONTENT_TYPE) != Some(&PROBLEM_JSON)
}

fn foreign(status: StatusCode) -> Problem {
    let detail = match status {
        StatusCode::BAD_REQUEST => "The request is not understood",
        StatusCode::NOT_FOUND => "There is nothing here",
        StatusCode::FORBIDDEN => "This is not allowed",
        status if status.is_server_error() => "The service could not answer",
        _ => "The request was refused",
    };
    Problem::new(ProblemKind::of(status.as_u16()), detail)
}
