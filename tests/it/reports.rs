//! What pages and servers report without asking: what became of prompts, and what else happened.

use std::time::{Duration, Instant};

use koekake::config::Setting;
use koekake::domain::time::Millis;
use serde_json::{Value, json};

use crate::identity::{TOKENS, as_server};
use crate::service::{Service, id, page, reason, rule, rules, shop, whole};

fn start() -> Service {
    shop(
        "goals: { order: { event: order_completed, within: 7d } }\ncurrency: JPY",
        &rules([rule("hello", "when: [ { page.path: /offer } ]")]),
    )
    .toml(TOKENS)
    .start()
}

/// Is offered a prompt in that session: its decision.
fn offered(service: &Service, session: &str) -> Value {
    let answer = service.ask(session, page("/offer"));
    assert_eq!(answer["show"], true, "{answer}");
    answer["decision_id"].clone()
}

fn stages(service: &Service) -> [f64; 6] {
    ["offered", "shown", "accepted", "dismissed", "chat_started", "converted"]
        .map(|stage| service.prompts(stage))
}

fn post(service: &Service, body: &str, headers: &[(&str, &str)]) -> (u16, Value) {
    let reply = service.send("POST", "/v1/events", headers, body.as_bytes());
    (reply.status, reply.json())
}

#[test]
fn one_flat_event_or_up_to_100_also_as_text() {
    let service = start();
    let one =
        |n: usize| whole("a", json!({ "type": "signal", "name": "help", "id": format!("e{n}") }));
    assert_eq!(
        post(&service, &one(0).to_string(), &[]).1,
        json!({ "accepted": 1, "rejected": [] })
    );
    let hundred: Vec<_> = (0..100).map(one).collect();
    let text = [("Content-Type", "text/plain;charset=UTF-8")];
    let (status, answer) = post(&service, &Value::from(hundred).to_string(), &text);
    assert_eq!((status, &answer["accepted"]), (202, &json!(100)));
    let more: Vec<_> = (0..101).map(one).collect();
    let (status, problem) = post(&service, &Value::from(more).to_string(), &[]);
    assert_eq!(status, 400);
    assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("100"), "{problem}");
    assert_eq!(post(&service, "[]", &[]).1["accepted"], 0);
    for body in ["", "1", "\"x\"", "[1", "null"] {
        assert_eq!(post(&service, body, &[]).0, 400, "{body}");
    }
}

#[test]
fn each_event_is_taken_or_rejected_by_itself() {
    let service = start();
    let good = whole("a", json!({ "type": "cart", "cart": { "value": 5 } }));
    let mut no_session = good.clone();
    no_session.as_object_mut().unwrap().remove("session_id");
    let mut no_id = good.clone();
    no_id.as_object_mut().unwrap().remove("id");
    let typo = whole("a", json!({ "type": "prompt_shwon" }));
    let half = whole("a", json!({ "type": "prompt_dismissed" }));
    let answer =
        service.report_all(&[good.clone(), no_session, no_id, json!(7), typo, half, good], &[]);
    assert_eq!(answer["accepted"], 2);
    let rejected: Vec<_> = answer["rejected"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| format!("{}: {}", one["index"], one["detail"].as_str().unwrap()))
        .collect();
    let starts = [
        "1: /session_id: is required",
        "2: /id: is required",
        "3: ",
        "4: /type: `prompt_shwon`",
        "5: /decision_id: is required",
    ];
    for (detail, start) in rejected.iter().zip(starts) {
        assert!(detail.starts_with(start), "{detail}");
    }
    assert_eq!(rejected.len(), starts.len());
    assert!(rejected[3].contains("did you mean `prompt_shown`"), "{rejected:?}");
}

#[test]
fn a_funnel_counts_each_stage_once_and_an_acceptance_is_a_sign_of_sight() {
    let service = start();
    let decision = offered(&service, "a");
    for _ in 0..2 {
        for kind in ["prompt_accepted", "prompt_shown", "chat_started", "chat_ended"] {
            let answer = service.report("a", json!({ "type": kind, "decision_id": decision }));
            assert_eq!(answer["accepted"], 1, "{kind}");
        }
    }
    assert_eq!(stages(&service), [1.0, 1.0, 1.0, 0.0, 1.0, 0.0]);
    let decision = offered(&service, "b");
    service.report("b", json!({ "type": "prompt_shown", "decision_id": decision }));
    service.report("b", json!({ "type": "prompt_dismissed", "decision_id": decision }));
    assert_eq!(stages(&service), [2.0, 2.0, 1.0, 1.0, 1.0, 0.0], "a dismissal is no acceptance");
}

#[test]
fn an_outcome_counts_only_for_the_sessions_own_decision() {
    let service = start();
    let decision = offered(&service, "a");
    offered(&service, "b");
    let kinds =
        ["prompt_shown", "prompt_accepted", "prompt_dismissed", "chat_started", "converted"];
    for session in ["b", "never seen"] {
        for kind in kinds {
            service.report(session, json!({ "type": kind, "decision_id": decision }));
        }
    }
    assert_eq!(stages(&service), [2.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    let unknown = json!({ "type": "prompt_accepted", "decision_id": "0".repeat(32) });
    assert_eq!(service.report("a", unknown)["accepted"], 1);
    assert_eq!(stages(&service)[2], 0.0);
}

#[test]
fn somebody_elses_dismissal_does_not_silence_a_visitor() {
    let caps = "caps: { per_session: 9, between: 0, cooldown: 0 }";
    let service = shop(caps, &rules([rule("hello", "")])).start();
    let decision = service.ask("a", json!({}))["decision_id"].clone();
    let mut foreign = json!({ "type": "prompt_dismissed", "decision_id": decision });
    foreign["visitor_id"] = id("aiko").into();
    service.report("b", foreign);
    assert_eq!(service.view_by("c", "aiko", "/"), "rule_matched");
    assert_eq!(service.view("a", "/"), "rule_matched");
}

#[test]
fn a_repeated_event_counts_once() {
    let service = shop(
        "caps: { per_session: 9, between: 0 }",
        &rules([rule("two", "when: [ { session.events.help: { at_least: 2 } } ]")]),
    )
    .start();
    let signal = whole("a", json!({ "type": "signal", "name": "help", "id": "same" }));
    let answer = service.report_all(&[signal.clone(), signal.clone()], &[]);
    assert_eq!(answer["accepted"], 2, "repeats are accepted");
    service.report_all(&[signal], &[]);
    assert_eq!(service.view("a", "/"), "not_yet");
    service.report("a", json!({ "type": "signal", "name": "help" }));
    assert_eq!(service.view("a", "/"), "rule_matched");
}

#[test]
fn a_reported_event_and_a_call_to_decide_under_one_id_are_one() {
    let service =
        shop("", &rules([rule("two", "when: [ { session.page_views: { at_least: 2 } } ]")]))
            .start();
    let view =
        json!({ "type": "page_view", "id": "v", "page": { "url": "https://shop.example/" } });
    service.report("a", view);
    let answer = service.ask("a", json!({ "event": { "type": "page_view", "id": "v" } }));
    assert_eq!(answer["show"], false);
    assert_eq!(service.view("a", "/"), "rule_matched", "the second page");
    assert_eq!(service.sessions_started(), 1.0);
}

#[test]
fn a_conversion_counts_once_with_its_value() {
    let service = start();
    let decision = offered(&service, "a");
    let order = json!({
        "type": "converted", "decision_id": decision, "goal": "order",
        "value": "1999.50", "currency": "JPY", "order_id": "A-1",
    });
    let value = |currency: &str| {
        service.metric("koekake_conversion_value_total", &[("currency", currency)])
    };
    for _ in 0..3 {
        service.report("a", order.clone());
    }
    assert_eq!((service.prompts("converted"), value("JPY")), (1.0, 1999.5));
    // Another order is another conversion; a currency that the site does not take is `other`.
    let mut second = order.clone();
    second["order_id"] = "A-2".into();
    second["currency"] = "SEK".into();
    service.report("a", second);
    assert_eq!((service.prompts("converted"), value("JPY"), value("other")), (2.0, 1999.5, 1999.5));
    // The site's own server reports the order again: it counted already.
    let body = whole("a", order);
    service.report_all(&[body], &[as_server(), ("User-Agent", "shop-backend/1.0")]);
    assert_eq!(service.prompts("converted"), 2.0);
}

#[test]
fn a_goal_is_reached_by_its_event_within_its_time() {
    let service = start();
    for session in ["a", "b", "c"] {
        offered(&service, session);
    }
    let done = json!({ "type": "signal", "name": "order_completed" });
    service.report("a", done.clone());
    service.report("a", done.clone());
    assert_eq!(service.prompts("converted"), 1.0, "once for each prompt");
    service.ask("b", json!({ "event": done.clone() }));
    assert_eq!(service.prompts("converted"), 2.0, "also where it is asked with");
    service.report("stranger", done.clone());
    assert_eq!(service.prompts("converted"), 2.0);
    service.wait(Millis(Millis::days(7).0 + 1));
    service.report("c", done);
    assert_eq!(service.prompts("converted"), 2.0, "too late");
}

#[test]
fn a_goal_that_takes_longer_than_a_week_is_waited_for() {
    let goals = "goals: { contract: { event: signed, within: 30d } }";
    let service =
        shop(goals, &rules([rule("hello", "")])).flag(Setting::MaxSessions, "256").start();
    assert_eq!(service.view("a", "/"), "rule_matched");
    service.wait(Millis::days(20));
    let began = Instant::now();
    while service.metric("koekake_sessions_active", &[]) > 0.0 {
        assert!(began.elapsed() < Duration::from_secs(20), "nothing is swept");
    }
    service.report("a", json!({ "type": "signal", "name": "signed" }));
    assert_eq!(service.prompts("converted"), 1.0);
}

#[test]
fn what_became_of_a_holdout_is_no_prompts_success() {
    let service = shop("", &rules([rule("held", "holdout: 100%")])).start();
    let answer = service.ask("a", json!({}));
    assert_eq!(answer["reason"], "holdout");
    let decision = answer["decision_id"].clone();
    for kind in ["prompt_shown", "prompt_accepted", "converted"] {
        service.report("a", json!({ "type": kind, "decision_id": decision, "value": 5 }));
    }
    assert_eq!(stages(&service), [0.0; 6]);
    assert_eq!(service.metric("koekake_conversion_value_total", &[]), 0.0);
}

#[test]
fn a_session_that_begins_with_a_report_is_counted_once() {
    let service = start();
    service.report("a", json!({ "type": "cart", "cart": { "items": 1 } }));
    service.report("b", json!({ "type": "signal", "name": "help" }));
    for session in ["a", "b"] {
        service.view(session, "/");
    }
    assert_eq!(service.sessions_started(), 2.0);
}

#[test]
fn a_session_that_begins_with_another_tools_popup_is_counted_once() {
    let service = start();
    service.report("a", json!({ "type": "prompt_shown", "source": "other" }));
    service.view("a", "/");
    assert_eq!(service.sessions_started(), 1.0);
}

#[test]
fn a_server_reports_for_a_visitor_in_its_own_name() {
    let service = start();
    let decision = offered(&service, "a");
    let backend = ("User-Agent", "shop-backend/1.0");
    let chat =
        |decision: &Value| whole("a", json!({ "type": "chat_started", "decision_id": decision }));
    let signal = whole("a", json!({ "type": "signal", "name": "order_completed" }));
    let answer = service.report_all(&[chat(&decision), signal.clone()], &[as_server(), backend]);
    assert_eq!(answer["accepted"], 2, "{answer}");
    assert_eq!((service.prompts("chat_started"), service.prompts("converted")), (1.0, 1.0));
    // Without the key, a program is a bot, of which nothing is recorded.
    let answer = service.report_all(&[signal], &[backend]);
    assert_eq!(answer["accepted"], 0);
}

#[test]
fn consent_identify_and_opt_out_as_reports() {
    let pro = rule("pro", "when: [ { visitor.attributes.plan: pro } ]");
    let service = shop("", &rules([pro])).start();
    let profile = json!({ "type": "identify", "visitor": { "attributes": { "plan": "pro" } } });
    service.report("a", profile);
    assert_eq!(service.view("a", "/"), "rule_matched");
    service.report("b", json!({ "type": "opt_out" }));
    assert_eq!(service.view("b", "/"), "opted_out");
    service.report("c", json!({ "type": "consent", "consent": "denied" }));
    assert_eq!(service.view("c", "/"), "no_consent");
    service.report("c", json!({ "type": "consent", "consent": "granted" }));
    assert_eq!(service.view("c", "/"), "no_match");
    assert_eq!(reason(&service.ask("d", json!({}))), "no_match");
}

#[test]
fn a_program_without_the_key_reports_no_outcome() {
    let service = start();
    let decision = offered(&service, "a");
    let shown = whole("a", json!({ "type": "prompt_shown", "decision_id": decision }));
    let answer = service.report_all(std::slice::from_ref(&shown), &[("User-Agent", "curl/8.5.0")]);
    assert_eq!(answer["accepted"], 0, "{answer}");
    assert_eq!(service.prompts("shown"), 0.0);
    assert_eq!(service.report_all(&[shown], &[])["accepted"], 1);
    assert_eq!(service.prompts("shown"), 1.0);
}
