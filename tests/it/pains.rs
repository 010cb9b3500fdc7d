//! What users of such products suffer from, one test each, under the numbers of the list that
//! they were collected in. Those of rules and hours stand beside the rules.

use koekake::domain::time::Millis;
use serde_json::{Value, json};

use crate::identity::{TOKENS, token};
use crate::service::{Service, id, page, reason, rule, rules, shop};

/// A page view that shows a prompt: its decision.
fn shown(service: &Service, session: &str, visitor: &str) -> Value {
    let mut more = page("/");
    more["visitor_id"] = id(visitor).into();
    let answer = service.ask(session, more);
    assert_eq!(answer["show"], true, "{answer}");
    answer["decision_id"].clone()
}

#[test]
fn pain_01_a_dismissed_prompt_does_not_come_back_on_every_page_nor_the_next_day() {
    let caps = "caps: { per_session: 9, cooldown: 0, between: 0, after_dismissal: 7d }";
    let service = shop(caps, &rules([rule("hello", "")])).start();
    let decision = shown(&service, "monday", "aiko");
    service.wait(Millis::seconds(10));
    service.report("monday", json!({ "type": "prompt_dismissed", "decision_id": decision }));
    for path in ["/", "/pricing", "/checkout"] {
        assert_eq!(service.view("monday", path), "cooldown", "{path}");
    }
    service.wait(Millis::days(1));
    assert_eq!(service.view_by("tuesday", "aiko", "/"), "cooldown");
    service.wait_almost(Millis::days(6));
    assert_eq!(service.view_by("next week", "aiko", "/"), "cooldown");
    service.wait(Millis(1));
    assert_eq!(service.view_by("next week", "aiko", "/"), "rule_matched");
    assert_eq!(service.view_by("elsewhere", "somebody", "/"), "rule_matched");
}

#[test]
fn pain_01_a_prompt_without_a_word_on_it_does_not_come_back_on_every_page_nor_the_next_day() {
    let service = shop("", &rules([rule("hello", "")])).start();
    shown(&service, "monday", "aiko");
    for path in ["/", "/pricing"] {
        assert_eq!(service.view("monday", path), "already_prompted");
    }
    service.wait_almost(Millis::hours(24));
    assert_eq!(service.view_by("tuesday", "aiko", "/"), "cooldown");
    service.wait(Millis(1));
    assert_eq!(service.view_by("tuesday", "aiko", "/"), "rule_matched");
}

#[test]
fn pain_01_an_accepted_prompt_rests_longer() {
    let caps = "caps: { cooldown: 1h, after_acceptance: 30d }";
    let service = shop(caps, &rules([rule("hello", "")])).start();
    let decision = shown(&service, "a", "aiko");
    service.report("a", json!({ "type": "prompt_accepted", "decision_id": decision }));
    service.wait_almost(Millis::days(30));
    assert_eq!(service.view_by("b", "aiko", "/"), "cooldown");
    service.wait(Millis(1));
    assert_eq!(service.view_by("b", "aiko", "/"), "rule_matched");
}

#[test]
fn pain_02_one_cap_over_all_rules_and_other_tools_popups() {
    let a = rule("a", "when: [ { page.path: /a } ]");
    let b = rule("b", "when: [ { page.path: /b } ]");
    let service = shop("", &rules([&a, &b])).start();
    assert_eq!(service.view("s", "/a"), "rule_matched");
    assert_eq!(service.view("s", "/b"), "already_prompted");

    let popup = json!({ "type": "prompt_shown", "source": "other" });
    assert_eq!(service.report("t", popup.clone())["accepted"], 1);
    assert_eq!(service.view("t", "/a"), "already_prompted", "a popup before the first page");
    assert_eq!(service.view("u", "/"), "no_match");
    service.report("u", popup);
    assert_eq!(service.view("u", "/a"), "already_prompted", "a popup between two pages");
    assert_eq!(service.prompts("shown"), 0.0, "it is nobody's prompt here");

    let two = shop("caps: { per_session: 2, between: 0 }", &rules([a, b])).start();
    assert_eq!(two.view("s", "/a"), "rule_matched");
    let report = json!({ "type": "prompt_shown", "source": "other", "id": "popup" });
    for _ in 0..3 {
        two.report("t", report.clone());
    }
    assert_eq!(two.view("t", "/a"), "rule_matched", "a repeated report takes one offer");
    assert_eq!(two.view("t", "/b"), "already_prompted");
}

#[test]
fn pain_02_and_yet_a_rule_has_an_interval_of_its_own() {
    let weekly = rule("weekly", "priority: 9, repeat: { every: 7d }");
    let once = rule("once", "priority: 5, repeat: once");
    let always = rule("always", "");
    let service = shop("caps: { cooldown: 0 }", &rules([weekly, once, always])).start();
    let mut session = 0;
    let mut next = |service: &Service| {
        session += 1;
        let mut more = page("/");
        more["visitor_id"] = id("aiko").into();
        service.ask(&format!("s{session}"), more)["rule"].clone()
    };
    assert_eq!(next(&service), "weekly");
    assert_eq!(next(&service), "once");
    assert_eq!(next(&service), "always");
    service.wait_almost(Millis::days(7));
    assert_eq!(next(&service), "always");
    service.wait(Millis(1));
    assert_eq!(next(&service), "weekly");
    assert_eq!(next(&service), "always");
}

#[test]
fn pain_03_the_cap_holds_across_tabs() {
    let service = shop("caps: { cooldown: 0 }", &rules([rule("hello", "")])).start();
    let (mut left, mut right) = (service.connect(), service.connect());
    let body = crate::service::call("a", page("/")).to_string();
    let mut ask = |left_one: bool| {
        let tab = if left_one { &mut left } else { &mut right };
        reason(&tab.send("POST", "/v1/decide", &[], body.as_bytes()).json())
    };
    assert_eq!(ask(true), "rule_matched");
    assert_eq!(ask(false), "already_prompted");
    assert_eq!(ask(true), "already_prompted");
}

#[test]
fn pain_03_the_cap_holds_across_devices_of_one_customer() {
    let service = shop("", &rules([rule("hello", "")])).toml(TOKENS).start();
    let view = |session: &str, visitor: &str, who: &str| {
        let mut more = page("/");
        more["visitor_id"] = id(visitor).into();
        more["identity_token"] = token(&service, who).into();
        reason(&service.ask(session, more))
    };
    assert_eq!(view("on the phone", "phone", "customer-7"), "rule_matched");
    assert_eq!(view("on the desk", "desktop", "customer-7"), "cooldown");
    assert_eq!(view("somebody else", "other", "customer-8"), "rule_matched");
}

#[test]
fn pain_03_the_cap_holds_after_storage_was_cleared() {
    let service = shop("caps: { cooldown: 0 }", &rules([rule("hello", "")])).start();
    assert_eq!(service.view_by("a", "before", "/"), "rule_matched");
    assert_eq!(service.view_by("a", "after", "/"), "already_prompted", "the session is the same");

    // A session that bore a name keeps the pause of that name.
    let caps = "caps: { per_session: 3, between: 0, cooldown: 24h }";
    let service = shop(caps, &rules([rule("hello", "when: [ { page.path: /b } ]")])).start();
    assert_eq!(service.view_by("yesterday", "before", "/b"), "rule_matched");
    assert_eq!(service.view_by("a", "before", "/"), "cooldown");
    assert_eq!(service.view_by("a", "after", "/b"), "cooldown");
}

#[test]
fn pain_06_a_delayed_prompt_does_not_show_on_the_wrong_page() {
    let late =
        "when: [ { page.path: { under: /pricing } }, { page.time_on_page: { at_least: 30s } } ]";
    let any = "priority: -1, when: [ { session.events.help: { at_least: 1 } } ]";
    let service = shop("", &rules([rule("late", late), rule("any", any)])).start();
    let on = |path: &str, view: &str, time: i64| json!({ "url": format!("https://shop.example{path}"), "view_id": view, "time_on_page_ms": time });
    let first = service.ask("a", json!({ "page": on("/pricing", "v1", 0) }));
    assert_eq!(first["recheck"]["after_ms"], 30_000);
    // The visitor goes on without a new document; the timer of the first view fires late.
    service.wait(Millis::seconds(10));
    service.ask("a", json!({ "page": on("/careers", "v2", 0) }));
    service.wait(Millis::seconds(20));
    let recheck = |path: &str, view: &str, time: i64| {
        let event = json!({ "type": "recheck" });
        service.ask("a", json!({ "event": event, "page": on(path, view, time) }))
    };
    let stale = recheck("/careers", "v1", 30_000);
    assert_eq!((&stale["show"], &stale["recheck"]), (&json!(false), &Value::Null), "{stale}");
    // Also a page whose rule would match now is not the one the timer was of.
    assert_eq!(recheck("/pricing/plans", "v2", 30_000)["show"], false);
    let signal = json!({ "type": "signal", "name": "help" });
    let event = json!({ "event": signal, "page": on("/pricing", "v2", 60_000) });
    assert_eq!(service.ask("a", event)["show"], false);
    // Back on the page in question, with a view of its own.
    service.ask("b", json!({ "page": on("/pricing?tab=2", "v1", 0) }));
    service.wait(Millis::seconds(30));
    let own = json!({ "event": { "type": "recheck" }, "page": on("/pricing?tab=3", "v1", 30_000) });
    assert_eq!(service.ask("b", own)["show"], true, "a query is no other page");
}

#[test]
fn pain_10_a_higher_rule_that_is_not_yet_true_blocks_no_lower_one() {
    let high = rule("high", "priority: 90, when: [ { session.duration: { at_least: 60s } } ]");
    let exit = rule("exit", "priority: 80, when: [ { signal.exit_intent: true } ]");
    let low = rule("low", "priority: 1, when: [ { page.path: /pricing } ]");
    let service = shop("", &rules([high, exit, low])).start();
    assert_eq!(service.view("a", "/"), "not_yet");
    assert_eq!(service.ask("a", page("/pricing"))["rule"], "low");
}

#[test]
fn pain_15_a_cooldown_of_0_is_none() {
    let service =
        shop("caps: { per_session: 3, cooldown: 0, between: 0, after_dismissal: 0, after_acceptance: 0 }",
            &rules([rule("hello", "")])).start();
    for (session, stage) in [
        ("a", "prompt_dismissed"),
        ("a", "prompt_accepted"),
        ("b", "prompt_shown"),
        ("c", "prompt_shown"),
    ] {
        let decision = shown(&service, session, "aiko");
        service.report(session, json!({ "type": stage, "decision_id": decision }));
    }
    let none = shop("caps: { per_session: 0 }", &rules([rule("hello", "")])).start();
    assert_eq!(none.view("a", "/"), "already_prompted", "0 prompts a session are none");
}
