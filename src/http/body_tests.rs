//! Bodies and routes as an application meets them.

use std::num::NonZeroU32;
use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::{ALLOW, RETRY_AFTER};
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, call_service, init_service, read_body_json};
use actix_web::{App, HttpResponse, web};
use serde_json::Value;

use super::*;
use crate::http::operator::{Readiness, Scrape, health_routes, metrics_route};
use crate::http::reply;
use crate::http::security::rate_limit::AddressLimiter;

async fn echo(request: HttpRequest, payload: Payload) -> Result<HttpResponse, Problem> {
    let body = read(&request, payload, 1_024).await?;
    Ok(HttpResponse::Ok().body(body))
}

macro_rules! app {
    () => {
        init_service(
            App::new()
                .wrap(from_fn(reply::problems))
                .service(
                    web::resource("/echo")
                        .route(web::post().to(echo))
                        .default_service(reply::only("POST")),
                )
                .route("/number/{n}", web::get().to(|_: web::Path<u8>| HttpResponse::Ok()))
                .app_data(web::Data::new(Readiness::new(|| vec!["no site has rules".to_owned()])))
                .app_data(web::Data::new(Scrape::new(String::new)))
                .configure(health_routes)
                .configure(metrics_route)
                .default_service(web::to(reply::no_such_route)),
        )
        .await
    };
}

#[actix_web::test]
async fn types_codings_and_lengths() {
    let app = app!();
    let long = "x".repeat(1_025);
    for (headers, body, status) in [
        (&[("Content-Type", "application/json")][..], "{}", 200),
        (&[("Content-Type", "text/plain;charset=UTF-8")], "{}", 200),
        (&[("Content-Type", "Application/JSON ; charset=utf-8")], "{}", 200),
        (&[], "{}", 200),
        (&[("Content-Encoding", "identity")], "{}", 200),
        (&[("Content-Type", "application/x-www-form-urlencoded")], "{}", 415),
        (&[("Content-Type", "text/plainer")], "{}", 415),
        (&[("Content-Type", "")], "{}", 415),
        (&[("Content-Encoding", "gzip")], "{}", 415),
        (&[], &long[1..], 200),
        (&[], &long, 413),
        (&[("Content-Length", "1025")], "{}", 413),
        (&[("Content-Length", "99999999999999999999")], &long, 413),
    ] {
        let mut request = TestRequest::post().uri("/echo").set_payload(body.to_owned());
        for header in headers {
            request = request.insert_header(*header);
        }
        let response = call_service(&app, request.to_request()).await;
        assert_eq!(response.status().as_u16(), status, "{headers:?}");
        if status == 200 {
            assert_eq!(actix_web::test::read_body(response).await, body);
        } else {
            assert_eq!(response.headers().get(CONTENT_TYPE).unwrap(), "application/problem+json");
            let problem: Value = read_body_json(response).await;
            assert_eq!(problem["status"], status);
            assert_eq!(problem["type"], "about:blank");
        }
    }
}

#[actix_web::test]
async fn whatever_goes_wrong_is_a_problem() {
    let app = app!();
    for (method, uri, status, allow) in [
        (Method::GET, "/echo", 405, Some("POST")),
        (Method::OPTIONS, "/echo", 405, Some("POST")),
        (Method::DELETE, "/healthz", 405, Some("GET, HEAD")),
        (Method::GET, "/nowhere/\u{1b}[31m", 404, None),
        (Method::GET, "/number/x", 404, None),
        (Method::GET, "/readyz", 503, None),
    ] {
        let uri = uri.replace('\u{1b}', "%1b");
        let request = TestRequest::with_uri(&uri).method(method.clone()).to_request();
        let response = call_service(&app, request).await;
        assert_eq!(response.status().as_u16(), status, "{method} {uri}");
        assert_eq!(response.headers().get(CONTENT_TYPE).unwrap(), "application/problem+json");
        assert_eq!(response.headers().get(ALLOW).map(|v| v.to_str().unwrap()), allow);
        let problem: Value = read_body_json(response).await;
        assert!(problem["detail"].is_string() && problem["title"].is_string());
    }
    for uri in ["/healthz", "/metrics"] {
        for method in [Method::GET, Method::HEAD] {
            let request = TestRequest::with_uri(uri).method(method).to_request();
            assert_eq!(call_service(&app, request).await.status(), 200);
        }
    }
}

#[actix_web::test]
async fn one_request_too_many_is_told_when_to_come_back() {
    let one = NonZeroU32::new(1).unwrap();
    let limiter = Arc::new(AddressLimiter::new(one, one));
    let app = init_service(App::new().route(
        "/",
        web::get().to(move || {
            let limiter = limiter.clone();
            async move {
                limiter.require([192, 0, 2, 1].into())?;
                Ok::<_, Problem>(HttpResponse::Ok().finish())
            }
        }),
    ))
    .await;
    assert_eq!(call_service(&app, TestRequest::get().to_request()).await.status(), 200);
    let response = call_service(&app, TestRequest::get().to_request()).await;
    assert_eq!(response.status(), 429);
    assert_eq!(response.headers().get(RETRY_AFTER).unwrap(), "1");
}

/// A body whose sender went quiet after its first byte.
struct Quiet {
    is_first: bool,
}

impl MessageBody for Quiet {
    type Error = std::io::Error;

    fn size(&self) -> actix_web::body::BodySize {
        actix_web::body::BodySize::Stream
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        _: &mut std::task::Context<'_>,
    ) -> Poll<Option<std::io::Result<Bytes>>> {
        if std::mem::take(&mut self.is_first) {
            Poll::Ready(Some(Ok(Bytes::from_static(b"{"))))
        } else {
            Poll::Pending
        }
    }
}

#[actix_web::test]
async fn a_sender_that_goes_quiet_is_not_waited_for_for_ever() {
    let quiet = Quiet { is_first: true };
    let problem = arrive(quiet, 1_024, Duration::from_millis(1)).await.unwrap_err();
    assert_eq!(problem.kind.status(), 408);
}
