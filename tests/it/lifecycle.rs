//! Starting, with what is broken, and stopping, with what is in flight.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use koekake::config::Setting;
use serde_json::{Value, json};

use crate::client::head;
use crate::service::{ADMIN, Setup, call, page, reason, root, rule, rules, shop};

fn hello() -> String {
    rules([rule("hello", "")])
}

/// A condition that does not exist.
fn broken() -> String {
    rules([rule("hello", "when: [ { page.pth: /x } ]")])
}

#[test]
fn without_any_site_it_does_not_start_and_says_where_it_looked() {
    let empty = Setup::new().file("rules/README", "no site").try_start().err().unwrap();
    assert!(empty.contains("no site's rules loaded from") && empty.contains("rules"), "{empty}");
    let all_broken = shop("", &broken()).try_start().err().unwrap();
    assert!(all_broken.contains("koekake check"), "{all_broken}");
    let nowhere =
        Setup::new().flag(Setting::Rules, "/nonexistent/rules").try_start().err().unwrap();
    assert!(nowhere.contains("/nonexistent/rules"), "{nowhere}");
}

#[test]
fn a_folder_that_is_a_site_itself_is_served_alone() {
    let demo = root().join("rules/demo-shop").display().to_string();
    let service = Setup::new().flag(Setting::Rules, &demo).start();
    let mut more = page("/");
    more["site"] = "demo-shop".into();
    assert_eq!(service.ask("a", more)["show"], false);
}

#[test]
fn a_broken_site_leaves_the_others_served() {
    let service = shop("", &hello()).site("broken", "", &broken()).admin().start();
    assert_eq!(service.view("a", "/"), "rule_matched");
    let mut body = call("a", page("/"));
    body["site"] = "broken".into();
    let reply = service.post(&body, &[]);
    assert_eq!(reply.status, 503, "{}", reply.text());
    assert!(reply.header("retry-after").is_some());
    body["site"] = "unknown".into();
    assert_eq!(service.post(&body, &[]).status, 404);
    let event =
        json!({ "type": "cart", "id": "e", "site": "broken", "session_id": "x".repeat(32) });
    let reply = service.send("POST", "/v1/events", &[], event.to_string().as_bytes());
    assert_eq!(reply.status, 503);

    let token = format!("Bearer {ADMIN}");
    let all = service.send("GET", "/v1/rules", &[("Authorization", &token)], b"").json();
    let site = |key: &str| {
        let all = all["sites"].as_array().unwrap();
        all.iter().find(|site| site["site"] == key).unwrap().clone()
    };
    assert_eq!((&site("shop")["loaded"], &site("broken")["loaded"]), (&json!(true), &json!(false)));
    let finding = &site("broken")["findings"][0];
    assert_eq!(finding["severity"], "error");
    assert_eq!(finding["line"], 2);
    assert!(finding["help"].as_str().unwrap().contains("page.path"), "{finding}");
    let rejected = [("site", "broken"), ("result", "rejected")];
    assert_eq!(service.metric("koekake_rules_reloads_total", &rejected), 1.0);
    assert_eq!(service.metric("koekake_rules_loaded", &[("site", "shop")]), 1.0);
    assert_eq!(service.send("GET", "/readyz", &[], b"").json(), json!({ "status": "ready" }));
    assert_eq!(service.send("GET", "/healthz", &[], b"").json(), json!({ "status": "alive" }));
}

#[test]
fn stopping_answers_what_is_in_flight_and_takes_nothing_new() {
    let mut service = shop("", &hello()).flag(Setting::ShutdownTimeout, "60s").start();
    let address = service.address;
    let body = call("a", page("/")).to_string();
    let (first_half, second_half) = body.as_bytes().split_at(body.len() / 2);
    let mut slow = service.connect();
    slow.write(&head("POST", "/v1/decide", &[("Expect", "100-continue")], body.len()));
    assert_eq!(slow.receive(false).status, 100, "the service waits for the body");
    slow.write(first_half);
    let mut idle = service.connect();
    assert_eq!(idle.get("/healthz", &[]).status, 200);

    let began = Instant::now();
    service.begin_stop();
    while TcpStream::connect(address).is_ok() {
        assert!(began.elapsed() < Duration::from_secs(20), "it still takes connections");
        std::thread::yield_now();
    }
    slow.write(second_half);
    let answer = slow.receive(false);
    assert_eq!((answer.status, reason(&answer.json())), (200, "rule_matched".to_owned()));
    service.ended();
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "an idle connection kept it for {:?}",
        began.elapsed()
    );
    assert!(idle.is_closed());
}

/// Values that nobody should send and somebody will.
fn nasty() -> Vec<Value> {
    let long = "長".repeat(5_000);
    let numbers = ["-1", "0", "0.5", "1e308", "-1e308", "9007199254740993", "18446744073709551616"];
    let mut all: Vec<Value> =
        numbers.iter().map(|number| serde_json::from_str(number).unwrap_or(Value::Null)).collect();
    all.extend(
        ["", " ", "\u{0}", "\u{202e}evil", "{{ 7*7 }}", "../../etc/passwd", "NaN", &long]
            .map(Value::from),
    );
    all.extend(
        [
            "https://",
            "https://shop.example/%zz%00",
            "https://[::1]:99999/",
            "file:///etc/passwd",
            "https://shop.example./\u{1f600}?a=%ff&a=b#%",
        ]
        .map(Value::from),
    );
    all.extend([
        json!(true),
        json!([]),
        json!({}),
        json!([[[[]]]]),
        json!({ "a": { "b": [1] } }),
        json!({ "": "" }),
    ]);
    all.push(json!(
        (0..200).map(|n| (format!("k{n}"), json!(n))).collect::<serde_json::Map<_, _>>()
    ));
    all
}

#[test]
fn no_input_makes_it_fail() {
    let demo = root().join("rules").display().to_string();
    let service = Setup::new().flag(Setting::Rules, &demo).admin().start();
    let whole = json!({
        "site": "demo-shop", "session_id": "x".repeat(32), "visitor_id": "y".repeat(32),
        "event": { "type": "signal", "id": "e", "at": 1, "name": "n", "properties": {} },
        "page": { "url": "https://shop.example/", "referrer": "https://a.example/", "title": "t",
            "view_id": "v", "time_on_page_ms": 1, "idle_ms": 1, "scroll_percent": 1, "touch_points": 0 },
        "cart": { "value": "1", "currency": "JPY", "items": 1 },
        "visitor": { "name": "n", "language": "en", "time_zone": "Asia/Tokyo", "attributes": { "a": "b" } },
        "identity_token": null, "consent": "granted",
    });
    let event = json!({
        "type": "converted", "id": "e", "site": "demo-shop", "session_id": "x".repeat(32), "at": 1,
        "decision_id": "0".repeat(32), "goal": "order", "value": 1, "currency": "JPY",
        "order_id": "o", "page": { "url": "https://shop.example/" }, "name": "n",
        "source": "other", "consent": "granted", "visitor": {}, "cart": {}, "items": 1,
    });
    let agents = json!({ "online": 1, "waiting": 1, "capacity": 1, "routes": {}, "ttl": "1m" });
    let token = format!("Bearer {ADMIN}");
    let allowed = [("Authorization", token.as_str())];
    let send = |path: &str, body: &Value| {
        let (method, headers) =
            if path.ends_with("agents") { ("PUT", &allowed[..]) } else { ("POST", &[][..]) };
        // The client refuses 5xx, and whatever the document does not tell of.
        let status = service.send(method, path, headers, body.to_string().as_bytes()).status;
        assert!(matches!(status, 200 | 202 | 204 | 400 | 404), "{status} to {body}");
    };
    for value in nasty() {
        for (path, body) in [
            ("/v1/decide", &whole),
            ("/v1/events", &event),
            ("/v1/sites/demo-shop/agents", &agents),
        ] {
            send(path, &value);
            for name in body.as_object().unwrap().keys() {
                let mut changed = body.clone();
                changed[name] = value.clone();
                send(path, &changed);
                for inner in body[name].as_object().into_iter().flatten() {
                    let mut changed = body.clone();
                    changed[name][inner.0] = value.clone();
                    send(path, &changed);
                }
            }
        }
        for kind in
            ["page_view", "signal", "cart", "prompt_shown", "identify", "consent", "opt_out"]
        {
            let mut changed = event.clone();
            changed["type"] = kind.into();
            for name in ["page", "name", "value", "decision_id", "visitor", "consent"] {
                let mut changed = changed.clone();
                changed[name] = value.clone();
                send("/v1/events", &changed);
            }
        }
    }
    assert_eq!(service.send("GET", "/healthz", &[], b"").status, 200);
}

#[test]
fn labels_of_metrics_are_bounded() {
    let service = shop("", &hello()).start();
    service.view("a", "/");
    for path in ["/a", "/b/c?d", "/v1/decide/x", "/%00"] {
        service.send("BREW", path, &[], b"");
    }
    service.send("BREW", "/v1/decide", &[], b"");
    let count = |labels: &[(&str, &str)]| service.metric("koekake_http_requests_total", labels);
    assert_eq!(count(&[("route", "other"), ("method", "other"), ("status", "404")]), 4.0);
    assert_eq!(count(&[("route", "/v1/decide"), ("method", "other"), ("status", "405")]), 1.0);
    assert_eq!(count(&[("route", "/v1/decide"), ("method", "POST"), ("status", "200")]), 1.0);
    assert_eq!(service.metric("koekake_decide_duration_seconds_count", &[]), 1.0);
    let text = service.send("GET", "/metrics", &[], b"").text().to_owned();
    for unwanted in ["BREW", "/b/c", "shop.example", "127.0.0.1", "a____"] {
        assert!(!text.contains(unwanted), "{unwanted}");
    }
}

/// What is likely not meant is said by whoever reads rules; what could be better, by `check` alone.
#[test]
fn the_service_says_warnings_and_leaves_hints_to_check() {
    let rules = "rules:\n  - id: a\n    when: { page.idle: { at_least: 60s, at_most: 5s } }\n    \
                 prompt: { message: Hello }\n";
    let service = shop("", rules).admin().start();
    let token = format!("Bearer {ADMIN}");
    let all = service.send("GET", "/v1/rules", &[("Authorization", &token)], b"").json();
    let findings = all["sites"][0]["findings"].as_array().unwrap();
    let said: Vec<(&str, &str)> = findings
        .iter()
        .map(|f| (f["severity"].as_str().unwrap(), f["code"].as_str().unwrap()))
        .collect();
    assert!(said.contains(&("warning", "never-shows")), "{said:?}");
    assert!(said.iter().all(|(severity, _)| *severity == "warning"), "{said:?}");
}
