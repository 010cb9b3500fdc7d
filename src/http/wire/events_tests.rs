//! Bodies of events, good and bad.

use super::*;
use crate::domain::ids::DecisionId;
use crate::domain::visit::{Cart, Consent};
use crate::http::wire::event_kinds::Conversion;

const SESSION: &str = "0192f0c1b6d27c1e8a3f5b0d9e7a4c21";
const DECISION: &str = "0192f0c1b6d27c1e8a3f5b0d9e7a4c22";

fn event(kind: &str, fields: &str) -> String {
    let comma = if fields.is_empty() { "" } else { "," };
    format!(
        r#"{{"type":"{kind}","id":"e1","site":"demo-shop","session_id":"{SESSION}"{comma}{fields}}}"#
    )
}

fn report(kind: &str, fields: &str) -> Result<EventReport, String> {
    let body = event(kind, fields);
    let mut events = parse_events(body.as_bytes()).unwrap();
    assert_eq!(events.len(), 1);
    events.remove(0).map(|event| event.report).map_err(|rejected| rejected.detail)
}

#[test]
fn each_kind_has_its_own_fields() {
    let decision = format!(r#""decision_id":"{DECISION}""#);
    let id = DecisionId::parse(DECISION).unwrap();
    use EventReport as R;
    assert!(matches!(
        report("page_view", r#""page":{"url":"https://shop.example/x"}"#),
        Ok(R::PageView { page }) if page.url.path() == "/x"
    ));
    assert!(matches!(
        report("signal", r#""name":"form_error","properties":{"field":"zip"}"#),
        Ok(R::Signal { name, page: None }) if &*name == "form_error"
    ));
    for fields in [r#""cart":{"value":"1.50","items":2}"#, r#""value":1.5,"items":2"#] {
        assert!(matches!(
            report("cart", fields),
            Ok(R::Cart(Cart { value: Some(value), items: Some(2) })) if value.amount.0 == 15_000
        ));
    }
    assert!(matches!(report("prompt_shown", &decision), Ok(R::PromptShown(d)) if d == id));
    assert!(matches!(report("prompt_shown", r#""source":"other""#), Ok(R::OtherPromptShown)));
    assert!(matches!(report("prompt_accepted", &decision), Ok(R::PromptAccepted(d)) if d == id));
    assert!(matches!(report("prompt_dismissed", &decision), Ok(R::PromptDismissed(d)) if d == id));
    assert!(matches!(report("chat_started", &decision), Ok(R::ChatStarted(Some(d))) if d == id));
    assert!(matches!(report("chat_ended", ""), Ok(R::ChatEnded(None))));
    assert!(matches!(
        report("converted", r#""goal":"order","value":"99","currency":"eur","order_id":"A-7""#),
        Ok(R::Converted(Conversion {
            decision: None,
            goal: Some(_),
            value: Some(_),
            order_id: Some(_)
        }))
    ));
    assert!(matches!(report("opt_out", ""), Ok(R::OptOut)));
    assert!(matches!(report("opt_in", ""), Ok(R::OptIn)));
    assert!(matches!(report("consent", r#""consent":"denied""#), Ok(R::Consent(Consent::Denied))));
    let body = event("identify", r#""visitor":{"name":"Aiko"},"identity_token":"a.b.c""#);
    let event = parse_events(body.as_bytes()).unwrap().remove(0).unwrap();
    assert_eq!(event.profile.name.as_deref(), Some("Aiko"));
    assert_eq!(event.identity_token.as_deref(), Some("a.b.c"));
}

#[test]
fn what_is_wrong_is_said_event_by_event() {
    for (kind, fields, detail) in [
        (
            "prompt_show",
            "",
            "/type: `prompt_show` is not a kind of event; did you mean `prompt_shown`?",
        ),
        ("page_view", "", "/page: is required, with at least its `url`"),
        ("page_view", r#""page":{}"#, "/page/url: is required"),
        ("page_view", r#""page":[]"#, "/page: must be an object, not sequence"),
        ("signal", "", "/name: a signal needs a name, such as `exit_intent`"),
        (
            "prompt_shown",
            "",
            "/decision_id: is required, or `source: \"other\"` for another tool's popup",
        ),
        ("prompt_shown", r#""source":"mine""#, "/source: must be `other`, not `mine`"),
        (
            "prompt_dismissed",
            r#""decision_id":"7""#,
            "/decision_id: must be a decision_id from an answer: 32 hexadecimal digits",
        ),
        (
            "converted",
            r#""value":"free""#,
            "/value: must be an amount of 0 or more, such as \"129.90\", with at most four decimals",
        ),
        ("consent", "", "/consent: is required: `granted` or `denied`"),
        (
            "consent",
            r#""consent":"maybe""#,
            "/consent: must be `granted`, `denied` or null, not `maybe`",
        ),
    ] {
        assert_eq!(report(kind, fields).unwrap_err(), detail, "{kind} {fields}");
    }
    assert!(report("xyzzy", "").unwrap_err().contains("there are page_view, signal"));
    let rejected = parse_events(b"{}").unwrap().remove(0).unwrap_err();
    assert!(rejected.detail.starts_with("/type: is required"));
    for pointer in ["; /id: is required", "; /site: is required", "; /session_id: is required"] {
        assert!(rejected.detail.contains(pointer), "{}", rejected.detail);
    }
}

#[test]
fn a_bad_event_does_not_spoil_its_neighbours() {
    let body = format!(
        r#" [{}, 7, {{"type":5}}, {}]"#,
        event("opt_out", ""),
        event("prompt_shown", r#""source":"other""#)
    );
    let events = parse_events(body.as_bytes()).unwrap();
    let seen: Vec<_> = events.iter().map(|event| event.as_ref().err().map(|r| r.index)).collect();
    assert_eq!(seen, [None, Some(1), Some(2), None]);
    let details: Vec<_> = events.iter().filter_map(|e| Some(&*e.as_ref().err()?.detail)).collect();
    assert_eq!(
        details,
        ["must be an object, not integer `7`", "/type: must be text, not integer `5`"]
    );
}

#[test]
fn what_is_no_list_of_events_is_a_400() {
    let many = format!("[{}0]", "0,".repeat(100));
    for (body, detail) in [
        ("", "is not valid JSON: EOF"),
        ("[{}", "is not valid JSON: EOF"),
        ("[{\"a\":}]", "is not valid JSON: expected value"),
        ("{} {}", "is not valid JSON: trailing characters"),
        ("7", "must be an event or an array of events"),
        (many.as_str(), "may hold at most 100 events, this array has 101"),
    ] {
        let problem = parse_events(body.as_bytes()).unwrap_err();
        assert_eq!(problem.kind.status(), 400);
        assert!(problem.errors[0].detail.starts_with(detail), "{:?}", problem.errors);
    }
    assert!(parse_events(b"[]").unwrap().is_empty());
}

#[test]
fn the_answer_as_the_contract_shows_it() {
    let rejected = vec![Rejected { index: 1, detail: "…".to_owned() }];
    assert_eq!(
        serde_json::to_string(&EventsAnswer { accepted: 2, rejected }).unwrap(),
        r#"{"accepted":2,"rejected":[{"index":1,"detail":"…"}]}"#
    );
}
