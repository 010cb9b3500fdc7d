//! What a session is, and what it remembers.

use koekake::config::Setting;
use koekake::domain::time::Millis;
use serde_json::{Value, json};

use crate::service::{FRIDAY, Service, Setup, page, reason, rule, rules, shop};

const FREELY: &str = "caps: { per_session: 1000, cooldown: 0, between: 0 }\n";

fn event(kind: &str, more: Value) -> Value {
    let mut event = json!({ "type": kind });
    for (name, value) in more.as_object().unwrap() {
        event[name] = value.clone();
    }
    json!({ "event": event })
}

fn recheck() -> Value {
    event("recheck", json!({}))
}

/// A shop whose every rule asks one thing; [`holds`] asks them all.
fn asking(site: &str, conditions: &[&str]) -> Service {
    let each = conditions.iter().enumerate().map(|(n, condition)| {
        let path = format!("/ask/{n}");
        rule(&format!("r{n}"), &format!("when: [ {{ page.path: {path} }}, {{ {condition} }} ]"))
    });
    shop(&format!("{FREELY}{site}"), &rules(each)).start()
}

/// For each condition whether it holds in that session now, recording nothing.
fn holds(service: &Service, session: &str, count: usize) -> Vec<bool> {
    let ask = |n: usize| {
        let mut more = recheck();
        more["page"] = page(&format!("/ask/{n}"))["page"].clone();
        service.ask(session, more)["show"] == true
    };
    (0..count).map(ask).collect()
}

#[test]
fn a_pause_of_exactly_the_timeout_begins_a_new_session_and_one_millisecond_less_does_not() {
    let second = rule("second", "when: [ { session.page_views: { at_least: 2 } } ]");
    let service = shop(FREELY, &rules([second])).start();
    service.view("a", "/");
    service.wait_almost(Millis::minutes(30));
    assert_eq!(service.view("a", "/"), "rule_matched");
    assert_eq!(service.sessions_started(), 1.0);
    service.wait(Millis::minutes(30));
    assert_eq!(service.view("a", "/"), "no_match", "its page views began anew");
    assert_eq!(service.sessions_started(), 2.0);
    assert_eq!(service.view("a", "/"), "rule_matched", "for all tabs alike");
    assert_eq!(service.sessions_started(), 2.0);
}

#[test]
fn a_new_session_in_place_may_be_prompted_again() {
    let service = shop("session: { timeout: 10m }", &rules([rule("hello", "")])).start();
    assert_eq!(service.view("a", "/"), "rule_matched");
    service.wait(Millis::minutes(10));
    assert_eq!(service.view("a", "/"), "rule_matched", "nobody knows that it is the same visitor");
    assert_eq!(service.view("a", "/"), "already_prompted");
}

#[test]
fn a_recheck_adds_no_page_view_and_keeps_nothing_alive_but_a_signal_does() {
    let second = rule("second", "when: [ { session.page_views: { at_least: 2 } } ]");
    let service = shop(FREELY, &rules([second])).start();
    service.view("a", "/");
    for _ in 0..3 {
        assert_eq!(service.ask("a", recheck())["show"], false);
    }
    service.wait(Millis::minutes(20));
    service.ask("a", recheck());
    service.wait(Millis::minutes(10));
    assert_eq!(service.view("a", "/"), "no_match");
    assert_eq!(service.sessions_started(), 2.0, "the recheck did not keep it alive");

    service.wait(Millis::minutes(20));
    service.ask("a", event("signal", json!({ "name": "scrolled" })));
    service.wait(Millis::minutes(29));
    assert_eq!(service.view("a", "/"), "rule_matched");
    assert_eq!(service.sessions_started(), 2.0, "the signal did");
}

#[test]
fn asking_when_told_shows_and_asking_before_changes_nothing() {
    let minute = rule("minute", "when: [ { session.duration: { at_least: 60s } } ]");
    let service = shop("", &rules([minute])).start();
    let first = service.ask("a", json!({}));
    assert_eq!(first["reason"], "not_yet");
    assert_eq!(first["recheck"], json!({ "after_ms": 60_000, "spread_ms": 0, "on": [] }));
    service.wait(Millis(59_999));
    let early = service.ask("a", recheck());
    assert_eq!((&early["show"], &early["recheck"]["after_ms"]), (&json!(false), &json!(1)));
    service.wait(Millis(1));
    assert_eq!(service.ask("a", recheck())["rule"], "minute");
}

#[test]
fn nothing_beyond_the_sessions_end_is_waited_for() {
    let hour = rule("hour", "when: [ { session.duration: { at_least: 1h } } ]");
    let service = shop("", &rules([hour])).start();
    let answer = service.ask("a", json!({}));
    assert_eq!((&answer["reason"], &answer["recheck"]), (&json!("no_match"), &Value::Null));
}

#[test]
fn landing_page_referrer_and_campaign_are_remembered() {
    let conditions = [
        "session.landing_page: /land",
        "session.referrer_host: www.google.com",
        "session.utm.campaign: winter",
        "session.utm.campaign: spring",
        "session.utm.source: exists",
        "session.landing_page: /other",
        "session.referrer: { exists: true }",
    ];
    let mut conditions = conditions.to_vec();
    conditions[4] = "session.utm.source: { exists: true }";
    let service = asking("", &conditions);
    let url = "https://shop.example/land?utm_campaign=winter&utm_source=news";
    service
        .ask("a", json!({ "page": { "url": url, "referrer": "https://www.google.com/search" } }));
    assert_eq!(holds(&service, "a", 7), [true, true, true, false, true, false, true]);
    let own = json!({ "page": { "url": "https://shop.example/other", "referrer": url } });
    service.ask("a", own);
    assert_eq!(holds(&service, "a", 7), [true, true, true, false, true, false, true]);
    // The newest campaign counts, as a whole: what it does not name is missing.
    service.ask("a", page("/?utm_campaign=Spring"));
    assert_eq!(holds(&service, "a", 7), [true, true, false, true, false, false, true]);
    service.ask("b", page("/other"));
    assert_eq!(holds(&service, "b", 7), [false, false, false, false, false, true, false]);
}

#[test]
fn visited_pages_and_events_are_remembered() {
    let conditions = [
        "session.visited: { under: /products }",
        "session.visited: { in_order: [/a, /b] }",
        "session.visited: { in_order: [/b, /a] }",
        "session.visited: { under: /products, count: 2 }",
        "session.events.form_error: { at_least: 2 }",
        "session.events.never: 0",
        "session.page_views: 4",
    ];
    let service = asking("", &conditions);
    for path in ["/a", "/products/cup", "/b"] {
        service.view("a", path);
    }
    service.ask("a", event("signal", json!({ "name": "form_error" })));
    assert_eq!(holds(&service, "a", 7), [true, true, false, false, false, true, false]);
    let error = json!({ "type": "signal", "name": "form_error", "properties": { "field": "zip" } });
    assert_eq!(service.report("a", error)["accepted"], 1);
    let view =
        json!({ "type": "page_view", "page": { "url": "https://shop.example/products/pot" } });
    assert_eq!(service.report("a", view)["accepted"], 1);
    assert_eq!(holds(&service, "a", 7), [true, true, false, true, true, true, true]);
}

#[test]
fn an_omitted_cart_keeps_the_last_and_another_currency_is_missing() {
    let conditions = [
        "cart.value: { at_least: 100 }",
        "cart.value: { at_least: 100 EUR }",
        "cart.items: 3",
        "cart.value: { exists: true }",
        "not: { cart.value: { at_least: 100 } }",
    ];
    let service = asking("currency: JPY\ncurrencies: [JPY, EUR]", &conditions);
    let cart = |cart: Value| json!({ "cart": cart });
    service.ask("a", cart(json!({ "value": "100", "currency": "JPY", "items": 3 })));
    assert_eq!(holds(&service, "a", 5), [true, false, true, true, false]);
    service.view("a", "/");
    assert_eq!(holds(&service, "a", 5), [true, false, true, true, false], "it was left out");
    service.report("a", json!({ "type": "cart", "value": 129.9, "currency": "EUR", "items": 3 }));
    assert_eq!(holds(&service, "a", 5), [false, true, true, false, true], "another currency");
    service.ask("a", cart(json!({ "value": 5000 })));
    assert_eq!(holds(&service, "a", 5), [true, false, false, true, false], "the site's currency");
    service.ask("a", cart(Value::Null));
    assert_eq!(holds(&service, "a", 5), [true, false, false, true, false], "null is left out");
    service.ask("a", cart(json!({})));
    assert_eq!(holds(&service, "a", 5), [false, false, false, false, true], "told and empty");
}

#[test]
fn an_events_own_time_counts_only_where_it_is_trusted() {
    let minute = rules([rule("minute", "when: [ { session.duration: { at_least: 60s } } ]")]);
    let late = event("recheck", json!({ "at": "2026-11-20T10:01:00+09:00" }));
    let service = shop("", &minute).start();
    service.ask("a", event("page_view", json!({ "at": FRIDAY })));
    assert_eq!(service.ask("a", late.clone())["show"], false, "the time is the server's");

    let service = shop("", &minute).flag(Setting::TrustEventTime, "true").start();
    service.ask("a", event("page_view", json!({ "at": FRIDAY })));
    assert_eq!(service.ask("a", late)["show"], true, "unless it is told to trust");
    // It never goes back within a session: in the past, the session's newest moment counts.
    service.ask("b", event("page_view", json!({ "at": "2026-11-20T10:00:30+09:00" })));
    let back = service.ask("b", event("recheck", json!({ "at": FRIDAY })));
    assert_eq!(back["recheck"]["after_ms"], 60_000);
}

#[test]
fn where_others_can_reach_the_service_only_operators_tell_the_time() {
    let minute = rules([rule("minute", "when: [ { session.duration: { at_least: 60s } } ]")]);
    let service = shop("", &minute)
        .admin()
        .flag(Setting::Listen, "0.0.0.0:0")
        .flag(Setting::TrustEventTime, "true")
        .start();
    let late = event("recheck", json!({ "at": "2026-11-20T10:01:00+09:00" }));
    service.ask("a", json!({}));
    assert_eq!(service.ask("a", late.clone())["show"], false);
    let bearer = format!("Bearer {}", crate::service::ADMIN);
    assert_eq!(service.ask_with("a", late, &[("Authorization", &bearer)])["show"], true);
    let untrusted = shop("", &rules([rule("hello", "")]))
        .flag(Setting::Listen, "0.0.0.0:0")
        .flag(Setting::TrustEventTime, "true")
        .try_start();
    assert!(untrusted.err().unwrap().contains("admin token"));
}

#[test]
fn a_clock_that_is_set_back_changes_no_cap_and_ends_no_session() {
    let service = shop("", &rules([rule("hello", "when: [ { page.path: /offer } ]")])).start();
    assert_eq!(service.view_by("a", "aiko", "/"), "no_match");
    assert_eq!(service.view_by("a", "aiko", "/offer"), "rule_matched");
    service.set_time("2026-11-20T08:00:00+09:00");
    assert_eq!(service.view_by("a", "aiko", "/offer"), "already_prompted");
    assert_eq!(service.view_by("b", "aiko", "/offer"), "cooldown");
    assert_eq!(service.sessions_started(), 2.0);
}

#[test]
fn many_pages_at_once_are_each_counted() {
    let all = rule("all", "when: [ { session.page_views: 64 }, { page.path: /asked } ]");
    let service = shop("", &rules([all])).start();
    let threads: Vec<_> = (0..16)
        .map(|thread| {
            let mut client = service.connect();
            std::thread::spawn(move || {
                for n in 0..4 {
                    let mut body = crate::service::call("a", page("/"));
                    body["event"] = json!({ "id": format!("{thread}-{n}") });
                    let body = body.to_string();
                    client.send("POST", "/v1/decide", &[], body.as_bytes());
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().unwrap();
    }
    let mut asked = recheck();
    asked["page"] = page("/asked")["page"].clone();
    assert_eq!(service.ask("a", asked)["rule"], "all");
    assert_eq!(service.sessions_started(), 1.0);
}

#[test]
fn one_session_id_at_two_sites_is_two_sessions() {
    let service = shop("", &rules([rule("hello", "")]))
        .site("other", "", &rules([rule("hello", "")]))
        .start();
    assert_eq!(service.view("a", "/"), "rule_matched");
    let mut more = page("/");
    more["site"] = "other".into();
    assert_eq!(service.ask("a", more)["reason"], "rule_matched");
}

#[test]
fn by_the_time_of_events_nobody_is_forgotten_at_a_restart() {
    // Years ago by the clock: what was kept must not be judged by that before anybody called.
    let of_years_ago = |setup: Setup| {
        setup
            .flag(Setting::TrustEventTime, "true")
            .flag(Setting::MaxSessions, "10")
            .keeping()
            .admin()
            .start()
    };
    let all = rules([rule("all", "")]);
    let service = of_years_ago(shop("caps: { cooldown: 0s, between: 0s }", &all));
    let at = |at: &str| event("page_view", json!({ "at": at }));
    assert_eq!(service.ask("a", at("2019-11-20T10:00:00+09:00"))["show"], true);

    let service = of_years_ago(Setup::again(service.stopped()));
    // Long enough for some sweeps, which are every 20 ms.
    (0..500).for_each(|_| drop(service.operate("GET", "/v1/rules")));
    let later = service.ask("a", at("2019-11-20T10:01:00+09:00"));
    assert_eq!((&later["show"], reason(&later)), (&json!(false), "already_prompted".to_owned()));
}
