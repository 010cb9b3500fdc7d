//! At most one prompt, whoever asks how often: races, repeats, retries.

use std::sync::{Arc, Barrier};

use koekake::config::Setting;
use serde_json::{Value, json};

use crate::client::Client;
use crate::service::{Service, call, page, rule, rules, shop};

const EVERYWHERE_BUT_HOME: &str = "when: [ { page.path: { under: /pricing } } ]";

fn one_rule() -> Service {
    shop("", &rules([rule("hello", EVERYWHERE_BUT_HOME)])).start()
}

/// Sends all these bodies at once, each over a connection of its own: the answers' bytes.
fn all_at_once(service: &Service, bodies: Vec<Value>) -> Vec<Vec<u8>> {
    let barrier = Arc::new(Barrier::new(bodies.len()));
    let threads: Vec<_> = bodies
        .into_iter()
        .map(|body| {
            let (barrier, mut client) = (barrier.clone(), service.connect());
            std::thread::spawn(move || {
                barrier.wait();
                let reply = client.send("POST", "/v1/decide", &[], body.to_string().as_bytes());
                assert_eq!(reply.status, 200);
                reply.body
            })
        })
        .collect();
    threads.into_iter().map(|thread| thread.join().unwrap()).collect()
}

fn shown(answers: &[Vec<u8>]) -> usize {
    let is_shown = |body: &&Vec<u8>| serde_json::from_slice::<Value>(body).unwrap()["show"] == true;
    answers.iter().filter(is_shown).count()
}

#[test]
fn of_64_connections_asking_at_once_for_one_new_session_one_is_told_to_prompt() {
    let service = one_rule();
    let bodies = vec![call("a", page("/pricing")); 64];
    let answers = all_at_once(&service, bodies);
    assert_eq!(shown(&answers), 1);
    assert_eq!(service.decisions("rule_matched"), 1.0);
    assert_eq!(service.decisions("already_prompted"), 63.0);
    assert_eq!(service.prompts("offered"), 1.0);
    assert_eq!(service.sessions_started(), 1.0);
}

#[test]
fn of_64_connections_asking_at_once_for_one_known_session_one_is_told_to_prompt() {
    let service = one_rule();
    assert_eq!(service.view("a", "/"), "no_match");
    let bodies = (0..64).map(|n| {
        let mut body = call("a", page("/pricing"));
        body["event"] = json!({ "id": format!("e{n}") });
        body
    });
    let answers = all_at_once(&service, bodies.collect());
    assert_eq!(shown(&answers), 1);
    assert_eq!(service.prompts("offered"), 1.0);
    assert_eq!(service.sessions_started(), 1.0);
}

#[test]
fn of_64_connections_as_many_are_told_to_prompt_as_the_cap_allows() {
    let caps = "caps: { per_session: 3, between: 0 }";
    let service = shop(caps, &rules([rule("hello", "")])).start();
    let answers = all_at_once(&service, vec![call("a", page("/")); 64]);
    assert_eq!(shown(&answers), 3);
    assert_eq!(service.decisions("already_prompted"), 61.0);
}

#[test]
fn a_session_that_was_pushed_out_of_memory_keeps_its_cap() {
    let service = shop("", &rules([rule("hello", EVERYWHERE_BUT_HOME)]))
        .flag(Setting::MaxSessions, "300")
        .start();
    assert_eq!(service.view("a", "/pricing"), "rule_matched");
    for n in 0..400 {
        service.view(&format!("other{n}"), "/");
    }
    let evicted = [("cause", "capacity")];
    assert!(service.metric("koekake_sessions_evicted_total", &evicted) >= 100.0);
    assert!(service.metric("koekake_sessions_active", &[]) <= 300.0);
    assert_eq!(service.view("a", "/pricing"), "already_prompted");
    assert_eq!(service.sessions_started(), 401.0, "it is the same session");
}

#[test]
fn of_64_sessions_of_one_visitor_asking_at_once_one_is_told_to_prompt() {
    let service = one_rule();
    let bodies = (0..64).map(|n| {
        let mut body = call(&format!("tab{n}"), page("/pricing"));
        body["visitor_id"] = "0123456789abcdef".into();
        body
    });
    let answers = all_at_once(&service, bodies.collect());
    assert_eq!(shown(&answers), 1);
    assert_eq!(service.decisions("cooldown"), 63.0);
}

#[test]
fn the_same_event_id_three_times_is_one_answer_counted_once() {
    for (path, reason) in
        [("/pricing", "rule_matched"), ("/", "no_match"), ("/products", "not_yet")]
    {
        let later = rule(
            "later",
            "when: [ { page.path: /products }, { session.duration: { at_least: 60s } } ]",
        );
        let pages = rule("pages", "when: [ { session.page_views: { at_least: 2 } } ]");
        let service = shop("", &rules([rule("hello", EVERYWHERE_BUT_HOME), later, pages])).start();
        let mut body = call("a", page(path));
        body["event"] = json!({ "type": "page_view", "id": "once" });
        let first = service.post(&body, &[]).body;
        for _ in 0..2 {
            assert_eq!(service.post(&body, &[]).body, first, "{reason}");
        }
        assert_eq!(service.decisions(reason), 1.0);
        assert_eq!(service.metric("koekake_decisions_total", &[]), 1.0);
        assert_eq!(service.sessions_started(), 1.0);
        // Were it counted twice, the rule for a second page would have its turn.
        let recheck = json!({ "event": { "type": "recheck" } });
        let pages_seen = service.ask("a", recheck);
        assert_ne!(pages_seen["rule"], "pages", "{reason}");
    }
}

#[test]
fn the_same_event_id_over_many_connections_at_once_is_one_answer_counted_once() {
    for path in ["/pricing", "/"] {
        let service = one_rule();
        let mut body = call("a", page(path));
        body["event"] = json!({ "id": "once" });
        let answers = all_at_once(&service, vec![body; 24]);
        assert!(answers.iter().all(|answer| *answer == answers[0]), "{path}");
        assert_eq!(service.metric("koekake_decisions_total", &[]), 1.0, "{path}");
    }
}

#[test]
fn the_first_body_counts_and_a_repeat_records_nothing() {
    let service = one_rule();
    let mut first = call("a", page("/"));
    first["event"] = json!({ "id": "once" });
    let answer = service.post(&first, &[]).body;
    let mut other = call("a", page("/pricing"));
    other["event"] = json!({ "id": "once" });
    other["cart"] = json!({ "value": 1 });
    assert_eq!(service.post(&other, &[]).body, answer, "another body, the same event");
}

#[test]
fn a_prompt_whose_answer_got_lost_comes_back_however_much_happened_since() {
    let service = one_rule();
    let mut body = call("a", page("/pricing"));
    body["event"] = json!({ "id": "lost" });
    let prompt = service.post(&body, &[]);
    assert_eq!(prompt.json()["show"], true);
    for n in 0..20 {
        let mut more = page("/pricing");
        more["event"] = json!({ "id": format!("e{n}") });
        assert_eq!(service.ask("a", more)["reason"], "already_prompted");
    }
    assert_eq!(service.post(&body, &[]).body, prompt.body);
    assert_eq!(service.prompts("offered"), 1.0);
}

#[test]
fn a_ninth_older_event_without_a_prompt_is_a_new_one() {
    let service = one_rule();
    let event = |n: usize| {
        let mut body = call("a", page("/"));
        body["event"] = json!({ "id": format!("e{n}") });
        service.post(&body, &[]).body
    };
    let answers: Vec<_> = (0..8).map(event).collect();
    assert_eq!(event(0), answers[0], "the eighth oldest is remembered");
    event(8);
    assert_ne!(event(0), answers[0], "the ninth is not");
}

#[test]
fn the_same_event_id_in_another_session_is_another_event() {
    let service = one_rule();
    for session in ["a", "b"] {
        let mut more = page("/pricing");
        more["event"] = json!({ "id": "same" });
        assert_eq!(service.ask(session, more)["show"], true);
    }
}

#[test]
fn without_a_session_id_each_answer_issues_one_that_can_be_used() {
    let service = one_rule();
    let mut body = call("a", page("/pricing"));
    body.as_object_mut().unwrap().remove("session_id");
    let ask = |client: &mut Client, body: &Value| {
        client.send("POST", "/v1/decide", &[], body.to_string().as_bytes()).json()
    };
    let mut client = service.connect();
    let first = ask(&mut client, &body);
    let second = ask(&mut client, &body);
    assert_eq!((&first["show"], &second["show"]), (&json!(true), &json!(true)));
    assert_ne!(first["session_id"], second["session_id"]);
    body["session_id"] = first["session_id"].clone();
    assert_eq!(ask(&mut client, &body)["reason"], "already_prompted");
}
