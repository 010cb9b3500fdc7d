//! Which bodies are taken, and what is said of those that are not.

use serde_json::{Value, json};

use crate::service::{call, page, rule, rules, shop, whole};

fn hello() -> String {
    rules([rule("hello", "")])
}

#[test]
fn bodies_are_bounded_and_of_a_known_type() {
    let service = shop("", &hello()).start();
    let send = |path: &str, headers: &[(&str, &str)], body: &[u8]| {
        service.send("POST", path, headers, body).status
    };
    let mut fits = call("a", page("/")).to_string().into_bytes();
    fits.resize(64 * 1024, b' ');
    assert_eq!(send("/v1/decide", &[], &fits), 200);
    fits.push(b' ');
    assert_eq!(send("/v1/decide", &[], &fits), 413);
    let mut events = json!([whole("a", json!({ "type": "cart" }))]).to_string().into_bytes();
    events.resize(256 * 1024, b' ');
    assert_eq!(send("/v1/events", &[], &events), 202);
    events.push(b' ');
    assert_eq!(send("/v1/events", &[], &events), 413);

    let body = call("a", page("/")).to_string().into_bytes();
    for (kind, status) in [
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("text/plain;charset=UTF-8", 200),
        ("", 200),
        ("application/xml", 415),
        ("application/x-www-form-urlencoded", 415),
        ("multipart/form-data; boundary=x", 415),
    ] {
        assert_eq!(send("/v1/decide", &[("Content-Type", kind)], &body), status, "{kind}");
    }
    assert_eq!(send("/v1/decide", &[("Content-Encoding", "gzip")], &body), 415);
    let answer = service.send("POST", "/v1/decide", &[], &body);
    assert_eq!(answer.header("cache-control"), Some("no-store"), "an answer is for one visitor");
}

#[test]
fn a_body_that_is_not_understood_says_where() {
    let service = shop("", &hello()).start();
    let url = "https://shop.example/";
    let with = |name: &str, value: Value| {
        let mut body = call("a", page("/"));
        body[name] = value;
        body
    };
    for (body, pointers) in [
        (json!({}), vec!["/site", "/page"]),
        (json!({ "site": "shop", "page": {} }), vec!["/page/url"]),
        (json!({ "site": "shop", "page": { "url": "/relative" } }), vec!["/page/url"]),
        (json!({ "site": "shop", "page": { "url": "javascript:alert(1)" } }), vec!["/page/url"]),
        (json!({ "site": 5, "page": { "url": url } }), vec!["/site"]),
        (with("session_id", json!("short")), vec!["/session_id"]),
        (with("visitor_id", json!("x".repeat(65))), vec!["/visitor_id"]),
        (with("event", json!({ "type": "click" })), vec!["/event/type"]),
        (with("event", json!({ "type": "signal" })), vec!["/event/name"]),
        (with("event", json!([])), vec!["/event"]),
        (with("cart", json!({ "value": "much", "items": -1 })), vec!["/cart/value", "/cart/items"]),
        (with("cart", json!({ "value": 1, "currency": "YENS" })), vec!["/cart/currency"]),
        (
            with("page", json!({ "url": url, "scroll_percent": "half" })),
            vec!["/page/scroll_percent"],
        ),
        (with("visitor", json!({ "time_zone": 9 })), vec!["/visitor/time_zone"]),
        (
            with("visitor", json!({ "attributes": { "a/b": { "deep": 1 } } })),
            vec!["/visitor/attributes/a~1b"],
        ),
        (with("consent", json!("maybe")), vec!["/consent"]),
    ] {
        let reply = service.post(&body, &[]);
        assert_eq!(
            (reply.status, reply.pointers()),
            (400, pointers.iter().map(|p| (*p).to_owned()).collect()),
            "{body}: {}",
            reply.text()
        );
    }
    let deep = "[".repeat(10_000);
    for body in ["", "{", "[]", "null", "\"x\"", "{\"site\":\"shop\",}", "\u{feff}{}", &deep] {
        let reply = service.send("POST", "/v1/decide", &[], body.as_bytes());
        assert_eq!(reply.status, 400, "{body:.20}");
    }
    assert_eq!(service.send("POST", "/v1/decide", &[], b"{\"site\":\"\xff\"}").status, 400);
    assert_eq!(service.sessions_started(), 0.0);
    // Unknown fields are no fault, and null is as if it were left out.
    let lenient = json!({
        "site": "shop", "page": { "url": url, "title": null, "future": [1] }, "session_id": null,
        "cart": null, "event": null, "visitor": null, "new": { "deep": {} },
    });
    assert_eq!(service.post(&lenient, &[]).status, 200);
}

#[test]
fn routes_say_what_they_take() {
    let service = shop("", &hello()).start();
    for (method, path, allow) in [
        ("GET", "/v1/decide", "POST"),
        ("PUT", "/v1/events", "POST"),
        ("POST", "/healthz", "GET, HEAD"),
        ("POST", "/v1/sites/shop/agents", "PUT"),
        ("POST", "/v1/sites/shop/visitors/x", "PUT, GET, DELETE"),
    ] {
        let reply = service.send(method, path, &[], b"");
        assert_eq!((reply.status, reply.header("allow")), (405, Some(allow)), "{method} {path}");
    }
    for path in ["/", "/v1", "/v1/decide/", "/v1/sites/shop", "/nothing"] {
        assert_eq!(service.send("GET", path, &[], b"").status, 404, "{path}");
    }
    assert_eq!(service.send("HEAD", "/readyz", &[], b"").status, 200);
}
