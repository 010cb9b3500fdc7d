//! Origins that get in, and those that only look like them.

use actix_web::http::header::{HeaderName, ORIGIN};
use arc_swap::ArcSwap;

use super::*;

fn set(patterns: &[&str]) -> OriginSet {
    OriginSet::of(patterns.iter().copied()).unwrap()
}

#[test]
fn no_origin_is_let_in_and_two_are_not() {
    let origins = set(&["https://shop.example"]);
    let check = |sent: &[&'static str]| {
        let mut headers = HeaderMap::new();
        for origin in sent {
            headers.append(ORIGIN, HeaderValue::from_static(origin));
        }
        super::check(&origins, &headers).map_err(|problem| problem.kind.status())
    };
    assert_eq!(check(&[]), Ok(()));
    assert_eq!(check(&["https://shop.example"]), Ok(()));
    assert_eq!(check(&["null"]), Err(403));
    assert_eq!(check(&["https://shop.example", "https://shop.example"]), Err(403));
}

mod over_http {
    use actix_web::http::{Method, StatusCode};
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, call_service, init_service};
    use actix_web::{App, HttpResponse, ResponseError, web};

    use super::*;
    use crate::http::reply;

    fn header<B>(response: &actix_web::dev::ServiceResponse<B>, name: &HeaderName) -> String {
        let value = response.headers().get(name);
        value.map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default()
    }

    #[actix_web::test]
    async fn preflights_know_all_sites_and_reloads() {
        let shared = Arc::new(ArcSwap::from_pointee(set(&["https://a.example"])));
        let origins = shared.clone();
        let app = init_service(
            App::new()
                .wrap(cors(move || origins.load_full()))
                .wrap(from_fn(reply::problems))
                .route("/v1/decide", web::post().to(HttpResponse::Ok))
                .route(
                    "/bad",
                    web::post().to(|| async { Problem::unknown_site().error_response() }),
                ),
        )
        .await;
        let preflight = |origin: &'static str, method: &'static str, wants: &'static str| {
            TestRequest::with_uri("/v1/decide")
                .method(Method::OPTIONS)
                .insert_header((header::ORIGIN, origin))
                .insert_header((header::ACCESS_CONTROL_REQUEST_METHOD, method))
                .insert_header((header::ACCESS_CONTROL_REQUEST_HEADERS, wants))
                .to_request()
        };
        let answer =
            call_service(&app, preflight("https://a.example", "POST", "content-type")).await;
        assert_eq!(answer.status(), StatusCode::OK);
        assert_eq!(header(&answer, &header::ACCESS_CONTROL_ALLOW_ORIGIN), "https://a.example");
        assert_eq!(header(&answer, &header::ACCESS_CONTROL_MAX_AGE), "7200");
        assert_eq!(header(&answer, &header::ACCESS_CONTROL_ALLOW_CREDENTIALS), "");
        for (origin, method, wants) in [
            ("https://b.example", "POST", "content-type"),
            ("null", "POST", "content-type"),
            ("https://a.example", "DELETE", "content-type"),
            ("https://a.example", "POST", "authorization"),
        ] {
            let answer = call_service(&app, preflight(origin, method, wants)).await;
            assert!(answer.status().is_client_error(), "{origin} {method} {wants}");
            assert_eq!(header(&answer, &header::ACCESS_CONTROL_ALLOW_ORIGIN), "");
            assert_eq!(header(&answer, &header::CONTENT_TYPE), "application/problem+json");
        }
        shared.store(Arc::new(set(&["https://b.example"])));
        let answer =
            call_service(&app, preflight("https://b.example", "POST", "content-type")).await;
        assert_eq!(answer.status(), StatusCode::OK);

        let post = |uri: &'static str, origin: &'static str| {
            TestRequest::post().uri(uri).insert_header((header::ORIGIN, origin)).to_request()
        };
        for (uri, status) in [("/v1/decide", 200), ("/bad", 404), ("/nowhere", 404)] {
            let answer = call_service(&app, post(uri, "https://b.example")).await;
            assert_eq!(answer.status().as_u16(), status);
            assert_eq!(
                header(&answer, &header::ACCESS_CONTROL_ALLOW_ORIGIN),
                "https://b.example",
                "{uri}"
            );
            assert!(header(&answer, &header::VARY).contains("Origin"), "{uri}");
        }
        let answer = call_service(&app, post("/v1/decide", "https://a.example")).await;
        assert_eq!(header(&answer, &header::ACCESS_CONTROL_ALLOW_ORIGIN), "");
        assert!(header(&answer, &header::VARY).contains("Origin"));
    }
}
