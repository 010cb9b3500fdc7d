//! How much all visitors together are offered, how often one is, and whether somebody is there.

use std::sync::{Arc, Mutex};

use koekake::domain::time::Millis;
use serde_json::{Value, json};

use crate::identity::{TOKENS, as_server};
use crate::service::{Service, call, page, rule, rules, shop};

/// Asks once in each of so many sessions over 16 connections at once: how many are shown.
fn crowd(service: &Service, wave: &str, sessions: usize) -> usize {
    let todo: Vec<String> =
        (0..sessions).map(|n| call(&format!("{wave}-{n}"), page("/")).to_string()).collect();
    let todo = Arc::new(Mutex::new(todo));
    let threads: Vec<_> = (0..16)
        .map(|_| {
            let (todo, mut client) = (todo.clone(), service.connect());
            std::thread::spawn(move || {
                let mut shown = 0;
                loop {
                    let Some(body) = todo.lock().unwrap().pop() else { return shown };
                    let answer = client.send("POST", "/v1/decide", &[], body.as_bytes()).json();
                    shown += usize::from(answer["show"] == true);
                }
            })
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).sum()
}

#[test]
fn a_rules_limit_is_a_window_that_slides_and_holds_under_a_crowd() {
    let service = shop("", &rules([rule("few", "limits: { per_hour: 10 }")])).start();
    assert_eq!(crowd(&service, "first", 50), 10);
    assert_eq!(service.prompts("offered"), 10.0);
    let stopped = [("rule", "few"), ("by", "limit")];
    assert_eq!(service.metric("koekake_rule_stopped_total", &stopped), 40.0);
    service.wait_almost(Millis::hours(1));
    assert_eq!(crowd(&service, "second", 50), 0);
    service.wait(Millis(1));
    assert_eq!(crowd(&service, "third", 50), 10);
}

#[test]
fn a_window_is_not_a_clock_hour() {
    let service = shop("", &rules([rule("few", "limits: { per_hour: 10 }")])).start();
    service.wait(Millis::minutes(50));
    assert_eq!(crowd(&service, "a", 6), 6);
    service.wait(Millis::minutes(20));
    assert_eq!(crowd(&service, "b", 50), 4, "a new hour by the clock, the same window");
    service.wait(Millis::minutes(40));
    assert_eq!(crowd(&service, "c", 50), 6, "those of an hour ago are out of it");
}

#[test]
fn the_sites_limit_is_over_all_rules_and_a_full_rule_gives_way_to_the_next() {
    let rules = rules([
        rule("first", "priority: 9, limits: { per_hour: 7 }"),
        rule("second", "limits: { per_minute: 20 }"),
    ]);
    let service = shop("limits: { per_hour: 20 }", &rules).start();
    assert_eq!(crowd(&service, "a", 50), 20);
    let offered = |rule: &str| {
        service.metric("koekake_prompts_total", &[("rule", rule), ("stage", "offered")])
    };
    assert_eq!((offered("first"), offered("second")), (7.0, 13.0));
}

#[test]
fn a_limit_of_0_is_none_at_all_and_holdouts_spend_nothing() {
    let service = shop("", &rules([rule("never", "limits: { per_day: 0 }")])).start();
    assert_eq!(crowd(&service, "a", 8), 0);
    let held = rule("held", "holdout: 100%, limits: { per_hour: 1 }");
    let service = shop("", &rules([held])).start();
    crowd(&service, "a", 8);
    assert_eq!(service.prompts("held_out"), 8.0);
}

#[test]
fn a_rule_that_repeats_once_is_offered_to_a_visitor_once_else_to_a_session() {
    let service = shop(
        "caps: { per_session: 5, cooldown: 0, between: 0 }",
        &rules([rule("once", "repeat: once")]),
    )
    .start();
    assert_eq!(service.view_by("a", "aiko", "/"), "rule_matched");
    assert_eq!(service.view_by("a", "aiko", "/"), "no_match");
    service.wait(Millis::days(300));
    assert_eq!(service.view_by("b", "aiko", "/"), "no_match");
    assert_eq!(service.view("c", "/"), "rule_matched", "without a visitor, the session counts");
    assert_eq!(service.view("c", "/"), "no_match");
}

#[test]
fn a_rule_that_repeats_after_a_while_says_when() {
    let service = shop(
        "caps: { per_session: 5, cooldown: 0, between: 0 }",
        &rules([rule("often", "repeat: { every: 10m }")]),
    )
    .start();
    assert_eq!(service.view("a", "/"), "rule_matched");
    let answer = service.ask("a", json!({}));
    assert_eq!(answer["reason"], "not_yet");
    assert_eq!(answer["recheck"]["after_ms"], 600_000);
    service.wait(Millis::minutes(10));
    assert_eq!(service.ask("a", json!({ "event": { "type": "recheck" } }))["show"], true);
}

fn put_agents(service: &Service, body: Value) -> u16 {
    let body = body.to_string();
    service.send("PUT", "/v1/sites/shop/agents", &[as_server()], body.as_bytes()).status
}

#[test]
fn a_rule_on_agents_stops_when_their_figures_are_over() {
    let chat = rule("chat", "when: [ { agents.available: true } ]");
    let alone = rule("alone", "when: [ { agents.available: false } ]");
    let unknown = rule("unknown", "when: [ { agents.online: { exists: false } } ]");
    let freely = "caps: { per_session: 100, cooldown: 0, between: 0 }";
    let service = shop(freely, &rules([chat, alone, unknown])).toml(TOKENS).start();
    let ask = || service.ask("a", json!({}))["rule"].clone();
    assert_eq!(ask(), "unknown");
    assert_eq!(put_agents(&service, json!({ "online": 2, "ttl": "90s" })), 204);
    assert_eq!(ask(), "chat");
    service.wait_almost(Millis::seconds(90));
    assert_eq!(ask(), "chat");
    service.wait(Millis(1));
    assert_eq!(ask(), "unknown", "a stale word is none");
    put_agents(&service, json!({ "online": 2, "waiting": 3, "capacity": 3, "ttl": 60 }));
    assert_eq!(ask(), "alone", "all of them are taken");
    put_agents(&service, json!({ "online": 0 }));
    assert_eq!(ask(), "alone");
    service.wait(Millis::minutes(2));
    assert_eq!(ask(), "unknown", "two minutes where nothing else was said");
}

#[test]
fn a_rule_of_a_route_asks_for_that_routes_agents() {
    let sales = "  - { id: sales, when: [ { agents.available: true } ], prompt: { message: Hi, route: sales } }\n";
    let service = shop("", &rules([sales])).toml(TOKENS).start();
    put_agents(&service, json!({ "online": 5, "routes": { "sales": { "online": 0 } } }));
    assert_eq!(service.view("a", "/"), "no_match");
    put_agents(&service, json!({ "routes": { "sales": { "online": 1, "capacity": 1 } } }));
    assert_eq!(service.view("a", "/"), "rule_matched");
}
