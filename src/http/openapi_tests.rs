//! The document holds what the service really reads and writes.

use std::sync::Arc;

use serde_json::{Value, json};

use super::*;
use crate::domain::decision::{Answer, Prompt, Reason, Recheck, ShownOffer, Trigger, Wait};
use crate::domain::ids::{DecisionId, PageId};
use crate::domain::time::Millis;
use crate::http::wire::answer::answer_json;
use crate::http::wire::problem::Problem;

fn api() -> Value {
    serde_json::to_value(document()).unwrap()
}

/// Checks a value against one of the document's schemas.
fn check(api: &Value, name: &str, value: &Value) -> Result<(), String> {
    let mut schema = api.clone();
    schema["$ref"] = json!(format!("#/components/schemas/{name}"));
    let validator = jsonschema::draft202012::new(&schema).unwrap();
    validator.validate(value).map_err(|error| format!("{name}: {error}"))
}

#[test]
fn every_route_is_told_with_its_errors() {
    let api = api();
    assert_eq!(api["openapi"], "3.1.0");
    let mut routes: Vec<String> = Vec::new();
    for (path, methods) in api["paths"].as_object().unwrap() {
        for method in methods.as_object().unwrap().keys() {
            routes.push(format!("{} {path}", method.to_uppercase()));
        }
    }
    routes.sort();
    assert_eq!(
        routes,
        [
            "DELETE /v1/sites/{site}/visitors/{id}",
            "GET /healthz",
            "GET /metrics",
            "GET /openapi.json",
            "GET /readyz",
            "GET /v1/explain",
            "GET /v1/rules",
            "GET /v1/sites/{site}/visitors/{id}",
            "POST /v1/decide",
            "POST /v1/events",
            "POST /v1/explain",
            "POST /v1/rules/reload",
            "PUT /v1/sites/{site}/agents",
            "PUT /v1/sites/{site}/visitors/{id}",
        ]
    );
    for status in ["400", "403", "404", "413", "415", "429", "503"] {
        let response = &api["paths"]["/v1/decide"]["post"]["responses"][status];
        assert!(response["content"]["application/problem+json"].is_object(), "{status}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(api: &Value, value: &Value) {
        match value {
            Value::Object(map) => {
                if let Some(Value::String(target)) = map.get("$ref") {
                    let pointer = target.strip_prefix('#').unwrap();
                    assert!(api.pointer(pointer).is_some(), "{target}");
                }
                map.values().for_each(|value| walk(api, value));
            }
            Value::Array(list) => list.iter().for_each(|value| walk(api, value)),
            _ => {}
        }
    }
    let api = api();
    walk(&api, &api);
}

#[test]
fn real_bodies_fit_their_schemas() {
    let api = api();
    let mut answer = Answer {
        reason: Reason::NotYet,
        session: PageId::from_bits([7; 16]),
        decision: DecisionId(7),
        rules_version: "9f2c".into(),
        offer: None,
        recheck: Some(Recheck {
            after: None,
            spread: Millis::ZERO,
            on: vec![
                Wait { on: Trigger::ExitIntent, not_before: Millis(5) },
                Wait { on: Trigger::Idle(Millis(5)), not_before: Millis::ZERO },
            ],
        }),
    };
    let json = |answer: &Answer| serde_json::from_slice::<Value>(&answer_json(answer)).unwrap();
    check(&api, "DecideAnswer", &json(&answer)).unwrap();
    answer.recheck = None;
    answer.offer = Some(Arc::new(ShownOffer {
        rule: "r".into(),
        variant: "v".into(),
        prompt: Prompt::default(),
    }));
    check(&api, "DecideAnswer", &json(&answer)).unwrap();
    let problem = serde_json::from_slice(&Problem::at("/x", "y").to_json()).unwrap();
    check(&api, "Problem", &problem).unwrap();

    let example = api.pointer("/components/schemas/DecideRequest/example").unwrap();
    check(&api, "DecideRequest", example).unwrap();
    check(&api, "DecideRequest", &json!({ "site": "a" })).unwrap_err();
    check(&api, "DecideRequest", &json!({ "site": 1, "page": { "url": "https://a/" } }))
        .unwrap_err();
    let event = json!({ "type": "signal", "id": "e", "site": "a", "name": "x",
        "session_id": "0192f0c1b6d27c1e8a3f5b0d9e7a4c21" });
    check(&api, "EventsRequest", &event).unwrap();
    check(&api, "EventsRequest", &json!([event])).unwrap();
    check(&api, "EventsRequest", &json!({ "type": "signal" })).unwrap_err();
}
