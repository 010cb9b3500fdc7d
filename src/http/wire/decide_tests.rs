//! Decide bodies, good and bad.

use proptest::prelude::*;

use super::*;
use crate::domain::money::{Amount, Currency};
use crate::domain::time::Millis;
use crate::domain::visit::AttributeValue;

/// The contract's example.
const EXAMPLE: &str = r#"{
  "site": "demo-shop",
  "session_id": "0192f0c1b6d27c1e8a3f5b0d9e7a4c21",
  "visitor_id": "7c1e8a3f5b0d9e7a4c210192f0c1b6d2",
  "event": { "type": "page_view", "id": "c0ffee01" },
  "page": { "url": "https://shop.example/pricing?utm_source=news", "referrer": "https://www.google.com/", "title": "Pricing",
            "view_id": "a1", "time_on_page_ms": 0, "idle_ms": 0, "scroll_percent": 0 },
  "cart": { "value": "129.90", "currency": "EUR", "items": 3 },
  "visitor": { "name": "Aiko", "language": "ja", "time_zone": "Asia/Tokyo", "attributes": { "plan": "pro" } },
  "identity_token": null, "consent": "granted"
}"#;

fn with(fields: &str) -> String {
    format!(r#"{{"site":"demo-shop","page":{{"url":"https://shop.example/"}},{fields}}}"#)
}

fn on_page(fields: &str) -> String {
    format!(r#"{{"site":"demo-shop","page":{{"url":"https://shop.example/",{fields}}}}}"#)
}

/// The problem's errors, one line for each.
fn errors(body: impl AsRef<[u8]>) -> Vec<String> {
    let problem = parse_decide(body.as_ref()).expect_err("should be refused");
    assert_eq!(problem.kind.status(), 400);
    problem.errors.iter().map(|error| format!("{} {}", error.pointer, error.detail)).collect()
}

#[test]
fn the_contract_s_example_is_read_whole() {
    let parsed = parse_decide(EXAMPLE.as_bytes()).unwrap();
    assert!(matches!(parsed.site, Cow::Borrowed("demo-shop")));
    assert_eq!(parsed.event.kind, EventKind::PageView);
    assert_eq!(parsed.event.id.as_deref(), Some("c0ffee01"));
    let cart = parsed.cart.unwrap();
    assert_eq!(cart.value.unwrap().amount, Amount(1_299_000));
    assert_eq!(cart.value.unwrap().currency, Currency::parse("EUR"));
    assert_eq!(cart.items, Some(3));
    assert_eq!(parsed.profile.language.as_deref(), Some("ja"));
    assert_eq!(parsed.profile.time_zone, Some(chrono_tz::Asia::Tokyo));
    assert_eq!(parsed.profile.attributes.get("plan"), Some(&AttributeValue::Text("pro".into())));
    assert_eq!(parsed.consent, Some(Consent::Granted));
    assert!(parsed.identity_token.is_none() && parsed.client.is_none());
    assert_eq!(parsed.page.url.path(), "/pricing");
    assert_eq!(parsed.page.view_id.as_deref(), Some("a1"));
    assert_eq!(parsed.page.time_on_page, Some(Millis::ZERO));
    assert_eq!(parsed.session.unwrap().to_string(), "0192f0c1b6d27c1e8a3f5b0d9e7a4c21");
}

#[test]
fn only_site_and_url_are_required_and_null_and_empty_text_are_missing() {
    let nothing = r#""session_id":null,"visitor_id":"","event":null,"cart":null,"visitor":null,
        "identity_token":"","consent":"","client":null,"unknown":{"deep":[1]}"#;
    let parsed = parse_decide(with(nothing).as_bytes()).map(|p| {
        assert_eq!(p.event, Event { kind: EventKind::PageView, id: None, at: None });
        assert_eq!(p.profile, Profile::default());
        assert!(p.session.is_none() && p.visitor.is_none() && p.cart.is_none());
        assert!(p.consent.is_none() && p.identity_token.is_none() && p.client.is_none());
    });
    parsed.unwrap();
    let fields = r#""referrer":"","title":null,"view_id":"","idle_ms":null,"scroll_percent":null"#;
    let body = on_page(fields);
    let page = parse_decide(body.as_bytes()).unwrap().page;
    assert!(page.referrer.is_none() && page.title.is_none() && page.view_id.is_none());
    assert!(page.idle.is_none() && page.scroll_percent.is_none());
    let body =
        with(r#""cart":{"value":"","currency":null},"visitor":{"name":""},"event":{"type":null}"#);
    let parsed = parse_decide(body.as_bytes()).unwrap();
    assert_eq!(parsed.cart, Some(Cart::default()));
    assert_eq!(parsed.profile.name, None);
}

#[test]
fn a_wrong_shape_is_pointed_at() {
    for (body, error) in [
        (r#"{"site":5}"#.to_owned(), "/site must be text, not integer `5`"),
        (with(r#""event":"page_view""#), "/event must be an object, not string \"page_view\""),
        (with(r#""cart":[]"#), "/cart must be an object, not sequence"),
        (with(r#""cart":{"items":"3"}"#), "/cart/items must be a number, not string \"3\""),
        (with(r#""cart":{"value":{}}"#), "/cart/value must be a number or text, not map"),
        (
            with(r#""visitor":{"attributes":[1]}"#),
            "/visitor/attributes must be an object, not sequence",
        ),
        (
            with(r#""event":{"properties":7}"#),
            "/event/properties must be an object, not integer `7`",
        ),
        (with(r#""consent":true"#), "/consent must be text, not boolean `true`"),
        (
            on_page(r#""scroll_percent":"50""#),
            "/page/scroll_percent must be a number, not string \"50\"",
        ),
        (on_page(r#""referrer":1.5"#), "/page/referrer must be text, not floating point `1.5`"),
        (r#"["demo-shop"]"#.to_owned(), " must be an object, not sequence"),
        ("null".to_owned(), " must be an object, not null"),
        (r#"{"site":"a","site":"b"}"#.to_owned(), " duplicate field `site`"),
    ] {
        assert_eq!(errors(&body), [error], "{body}");
    }
}

#[test]
fn what_is_no_json_is_said_to_be_none() {
    for (body, error) in [
        ("", " is not valid JSON: EOF"),
        ("{", " is not valid JSON: EOF"),
        ("{\"site\":\"a\"} x", " is not valid JSON: trailing characters"),
        ("{'site':'a'}", " is not valid JSON: key must be a string"),
        ("{\"site\":\"\\ud800\"}", " is not valid JSON: "),
        ("{\"cart\":{\"items\":1e999}}", " is not valid JSON: number out of range"),
    ] {
        let found = errors(body);
        assert!(found.len() == 1 && found[0].starts_with(error), "{body:.20}: {found:?}");
    }
    assert_eq!(errors(b"{\"site\":\"\xff\"}"), [" is not UTF-8 text: byte 9 is wrong"]);
}

#[test]
fn depth_costs_nothing() {
    let deep = format!("{}1{}", "[".repeat(20_000), "]".repeat(20_000));
    assert!(parse_decide(with(&format!("\"unknown\":{deep}")).as_bytes()).is_ok());
    let body = with(&format!("\"visitor\":{{\"attributes\":{{\"a\":{deep}}}}}"));
    assert_eq!(errors(body), ["/visitor/attributes/a/0 must be text, as all of a list is"]);
    assert_eq!(
        errors(with(&format!("\"cart\":{deep}"))),
        ["/cart must be an object, not sequence"]
    );
}

#[test]
fn everything_wrong_is_told_at_once() {
    let body = r#"{"session_id":"short","visitor_id":"not allowed here!!","event":{"type":"click","id":"a\u0000b","at":"yesterday"},
        "page":{"url":"/pricing","idle_ms":-1,"scroll_percent":300,"view_id":"0123456789012345678901234567890123456789012345678901234567890123456789"},
        "cart":{"value":"-1","currency":"EURO","items":-2},"consent":"yes","client":{"address":"home"},
        "visitor":{"attributes":{"a":{"b":1}}}}"#;
    assert_eq!(
        errors(body),
        [
            "/site is required: the site's key",
            "/session_id must be 16 to 64 characters long, this one has 5",
            "/visitor_id may only contain A-Z, a-z, 0-9, '_' and '-'",
            "/event/type must be `page_view`, `recheck` or `signal`, not `click`",
            "/event/at must be an RFC 3339 time (2026-11-20T10:00:00+09:00) or milliseconds since 1970",
            "/event/id may not contain control characters",
            "/page/url is not an absolute URL: relative URL without a base",
            "/page/view_id may be at most 64 bytes long, this one has 70",
            "/page/idle_ms must be 0 or more milliseconds",
            "/page/scroll_percent must be a number from 0 to 100",
            "/cart/currency must be an ISO 4217 code such as EUR",
            "/cart/value must be an amount of 0 or more, such as \"129.90\", with at most four decimals",
            "/cart/items must be 0 or more",
            "/visitor/attributes/a must be text, a number, true, false or a list of text",
            "/consent must be `granted`, `denied` or null, not `yes`",
            "/client/address must be an IPv4 or IPv6 address",
        ]
    );
    assert_eq!(
        errors("{}"),
        ["/site is required: the site's key", "/page is required, with at least its `url`"]
    );
    assert_eq!(errors(r#"{"site":"a","page":{}}"#), ["/page/url is required"]);
    assert_eq!(
        errors(r#"{"site":"a","page":{"url":"ftp://a.example/"}}"#),
        ["/page/url must be an http:// or https:// URL, not ftp:"]
    );
    assert_eq!(
        errors(with(r#""event":{"type":"signal"}"#)),
        ["/event/name a signal needs a name, such as `exit_intent`"]
    );
}

#[test]
fn numbers_are_taken_as_browsers_measure_them() {
    for (sent, kept) in [("50.9", 50), ("100.4", 100), ("107", 100), ("-3.5", 0), ("0", 0)] {
        let body = on_page(&format!(r#""scroll_percent":{sent},"time_on_page_ms":1234.9"#));
        let page = parse_decide(body.as_bytes()).unwrap().page;
        assert_eq!(page.scroll_percent, Some(kept), "{sent}");
        assert_eq!(page.time_on_page, Some(Millis(1_234)));
    }
    for (sent, kept) in [
        ("129.9", 1_299_000),
        ("\"129.90\"", 1_299_000),
        ("0", 0),
        ("0.30000000000000004", 3_000),
        ("20000", 200_000_000),
    ] {
        let body = with(&format!(r#""cart":{{"value":{sent}}}"#));
        let value = parse_decide(body.as_bytes()).unwrap().cart.unwrap().value.unwrap();
        assert_eq!((value.amount, value.currency), (Amount(kept), None), "{sent}");
    }
    for sent in ["-0.01", "\"1.299,90\"", "\"0.00001\"", "1e30", "\"abc\"", "\"NaN\""] {
        let body = with(&format!(r#""cart":{{"value":{sent}}}"#));
        assert!(errors(&body)[0].starts_with("/cart/value"), "{sent}");
    }
}

#[test]
fn signals_rechecks_and_moments() {
    let body =
        with(r#""event":{"type":"signal","name":"exit_intent","at":"2026-11-20T10:00:00+09:00"}"#);
    let event = parse_decide(body.as_bytes()).unwrap().event;
    assert!(event.kind.is_exit_intent());
    assert_eq!(event.at, Some(Timestamp(1_763_600_400_000 + 31_536_000_000)));
    let body = with(r#""event":{"type":"recheck","at":1795136400000}"#);
    let event = parse_decide(body.as_bytes()).unwrap().event;
    assert_eq!(event.kind, EventKind::Recheck);
    assert_eq!(event.at, Some(Timestamp(1_795_136_400_000)));
    for at in ["-1", "1e18", "\"2026-13-01T00:00:00Z\"", "\"2026-11-20\""] {
        assert!(errors(with(&format!(r#""event":{{"at":{at}}}"#)))[0].starts_with("/event/at"));
    }
}

#[test]
fn what_only_helps_is_dropped_when_it_is_no_help() {
    let body = with(r#""visitor":{"language":"Japanese please","time_zone":"Mars/Olympus"}"#);
    assert_eq!(parse_decide(body.as_bytes()).unwrap().profile, Profile::default());
    for referrer in ["android-app://com.google.android.gm/", "about:blank", "not a url", "/x"] {
        let body = on_page(&format!(r#""referrer":"{referrer}""#));
        assert_eq!(parse_decide(body.as_bytes()).unwrap().page.referrer, None, "{referrer}");
    }
    let body = on_page(&format!(r#""title":"{}","touch_points":5"#, "あ".repeat(600)));
    let parsed = parse_decide(body.as_bytes()).unwrap();
    assert_eq!(parsed.page.title.unwrap().chars().count(), 512);
    assert_eq!(parsed.touch_points, Some(5));
}

#[test]
fn a_server_speaks_for_its_visitor() {
    let body = with(
        r#""client":{"address":"2001:db8::7","user_agent":"Mozilla\/5.0","accept_language":"ja"}"#,
    );
    let client = parse_decide(body.as_bytes()).unwrap().client.unwrap();
    assert_eq!(client.address, "2001:db8::7".parse().ok());
    assert_eq!(client.user_agent.as_deref(), Some("Mozilla/5.0"));
    assert_eq!(client.accept_language.as_deref(), Some("ja"));
}

#[test]
fn a_byte_order_mark_and_escapes_do_no_harm() {
    let body = format!("\u{feff}{EXAMPLE}");
    assert!(parse_decide(body.as_bytes()).is_ok());
    let body = r#"{"s\u0069te":"d\u0065mo","page":{"url":"https:\/\/shop.example\/\u30d1"}}"#;
    let parsed = parse_decide(body.as_bytes()).unwrap();
    assert_eq!((&*parsed.site, parsed.page.url.path()), ("demo", "/パ"));
}

#[test]
fn a_body_never_comes_back_whole() {
    let body = with(&format!(r#""cart":"{}""#, "x".repeat(60_000)));
    let problem = parse_decide(body.as_bytes());
    assert!(problem.unwrap_err().to_json().len() < 1_000);
    let many = (0..5_000).map(|n| format!("\"k{n}\":{{}}")).collect::<Vec<_>>().join(",");
    let body = with(&format!(r#""visitor":{{"attributes":{{{many}}}}}"#));
    let problem = parse_decide(body.as_bytes()).unwrap_err();
    assert_eq!(problem.errors.len(), 32);
    assert_eq!(problem.detail.as_deref(), Some("5000 fields are not understood"));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = parse_decide(&body);
        let _ = super::super::events::parse_events(&body);
        let _ = super::super::agents::parse_agents(&body);
        let _ = super::super::visitors::parse_visitor(&body);
    }

    #[test]
    fn no_change_to_a_good_body_makes_it_panic(
        changes in proptest::collection::vec((0..EXAMPLE.len(), any::<u8>()), 1..6),
        cut in 0..EXAMPLE.len(),
        is_cut in any::<bool>(),
    ) {
        let mut body = EXAMPLE.as_bytes().to_vec();
        for (at, byte) in changes {
            body[at] = byte;
        }
        if is_cut {
            body.truncate(cut);
        }
        let _ = parse_decide(&body);
    }

    #[test]
    fn any_json_in_any_field_is_read_or_pointed_at(
        field in prop::sample::select(vec![
            "/site", "/session_id", "/event", "/event/type", "/event/at", "/event/properties", "/page",
            "/page/url", "/page/idle_ms", "/cart/value", "/cart/items", "/visitor",
            "/visitor/attributes", "/consent", "/identity_token",
        ]),
        value in any_json(),
    ) {
        let mut body: serde_json::Value = serde_json::from_str(EXAMPLE).unwrap();
        body["event"]["at"] = 0.into();
        body["event"]["properties"] = serde_json::json!({});
        *body.pointer_mut(field).unwrap() = value;
        if let Err(problem) = parse_decide(body.to_string().as_bytes()) {
            prop_assert!(!problem.errors.is_empty());
            for error in problem.errors {
                prop_assert!(error.pointer.starts_with(field), "{} for {field}", error.pointer);
            }
        }
    }
}

fn any_json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        any::<f64>().prop_map(Into::into),
        any::<i64>().prop_map(Into::into),
        ".{0,80}".prop_map(serde_json::Value::String),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::Array),
            proptest::collection::hash_map("[a-z~/]{0,6}", inner, 0..4)
                .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
        ]
    })
}
