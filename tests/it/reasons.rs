//! Each of the ten reasons by a call, and which of two comes first.

use koekake::config::Setting;
use koekake::domain::time::Millis;
use serde_json::{Value, json};

use crate::service::{Service, Setup, id, page, reason, rule, rules, shop};

const NO_BROWSER: (&str, &str) = ("User-Agent", "curl/8.5.0");
const GPC: (&str, &str) = ("Sec-GPC", "1");

fn hello() -> String {
    rules([rule("hello", "")])
}

fn start(site: &str) -> Service {
    shop(site, &hello()).start()
}

fn why(service: &Service, session: &str, more: Value, headers: &[(&str, &str)]) -> String {
    let answer = service.ask_with(session, more, headers);
    let is_shown = answer["reason"] == "rule_matched";
    assert_eq!(answer["show"], is_shown, "{answer}");
    assert_eq!(answer.get("prompt").is_some(), is_shown, "{answer}");
    reason(&answer)
}

/// A shop that can remember the offers of one session only.
fn tiny() -> Setup {
    shop("", &hello()).flag(Setting::MaxSessions, "1")
}

#[test]
fn rule_matched_no_match_and_not_yet() {
    let now = rule("now", "when: [ { page.path: /now } ]");
    let soon = rule("soon", "when: [ { page.path: /soon }, { page.idle: { at_least: 10s } } ]");
    let service = shop("", &rules([now, soon])).start();
    assert_eq!(service.view("a", "/"), "no_match");
    let mut soon = page("/soon");
    soon["page"]["idle_ms"] = 0.into();
    let answer = service.ask("a", soon);
    assert_eq!(reason(&answer), "not_yet");
    assert_eq!(answer["recheck"]["on"], json!([{ "idle_ms": 10_000 }]));
    assert_eq!(service.view("a", "/now"), "rule_matched");
    assert_eq!(service.view("a", "/now"), "already_prompted");
    for reason in ["no_match", "not_yet", "rule_matched", "already_prompted"] {
        assert_eq!(service.decisions(reason), 1.0, "{reason}");
    }
    let stopped = [("rule", "now"), ("by", "page.path")];
    assert_eq!(service.metric("koekake_rule_stopped_total", &stopped), 2.0);
}

#[test]
fn unavailable_where_an_offer_could_not_be_remembered() {
    let service = tiny().start();
    assert_eq!(service.view("a", "/"), "rule_matched");
    let mut more = page("/");
    more["event"] = json!({ "id": "e1" });
    let answer = service.post(&crate::service::call("b", more.clone()), &[]);
    assert_eq!(answer.json()["reason"], "unavailable");
    let again = service.post(&crate::service::call("b", more), &[]);
    assert_eq!(again.body, answer.body, "a repeat gets the same answer");
    assert_eq!(service.decisions("unavailable"), 1.0, "and is counted once");
    assert_eq!(service.prompts("offered"), 1.0);
    // What filled it up ends, and the service recovers by itself.
    service.wait(Millis::minutes(30));
    assert_eq!(service.view("c", "/"), "rule_matched");
}

#[test]
fn opted_out_until_opted_in() {
    let service = start("");
    service.view_by("a", "aiko", "/");
    let out = |kind: &str| json!({ "type": kind, "visitor_id": id("aiko") });
    assert_eq!(service.report("b", out("opt_out"))["accepted"], 1);
    service.wait(Millis::days(100));
    assert_eq!(service.view_by("c", "aiko", "/"), "opted_out");
    assert_eq!(service.view("b", "/"), "rule_matched", "that session is long over");
    service.report("c", out("opt_in"));
    assert_eq!(service.view_by("c", "aiko", "/"), "rule_matched");

    // Also without a visitor's id, for as long as the session is.
    service.report("d", json!({ "type": "opt_out" }));
    assert_eq!(service.view("d", "/"), "opted_out");
    service.report("d", json!({ "type": "opt_in" }));
    assert_eq!(service.view("d", "/"), "rule_matched");
}

#[test]
fn bots_and_what_is_no_browser_get_no_prompt_and_no_session() {
    let service = start("");
    let agents = [
        "curl/8.5.0",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "",
    ];
    for agent in agents {
        assert_eq!(why(&service, "a", json!({}), &[("User-Agent", agent)]), "bot", "{agent}");
    }
    assert_eq!(service.sessions_started(), 0.0);
    assert_eq!(why(&service, "a", json!({}), &[]), "rule_matched");
}

#[test]
fn a_holdout_is_silent_spends_what_a_prompt_would_and_stays() {
    let held = rule("held", "priority: 9, holdout: 100%, when: [ { page.path: /a } ]");
    let other = rule("other", "");
    let service = shop("", &rules([held, other])).start();
    let mut more = page("/a");
    more["visitor_id"] = id("aiko").into();
    let answer = service.ask("s", more);
    assert_eq!((&answer["show"], &answer["reason"]), (&json!(false), &json!("holdout")));
    assert!(answer.get("rule").is_none() && answer.get("prompt").is_none(), "{answer}");
    assert_eq!(service.view_by("s", "aiko", "/b"), "holdout", "no other rule takes its place");
    assert_eq!(service.view_by("s", "aiko", "/a"), "holdout");
    assert_eq!(service.prompts("held_out"), 1.0);
    assert_eq!(service.prompts("offered"), 0.0);
    assert_eq!(service.view_by("t", "aiko", "/b"), "cooldown", "as after a prompt");
    service.wait(Millis::hours(24));
    assert_eq!(service.view_by("u", "aiko", "/b"), "rule_matched");
}

#[test]
fn nothing_is_stored_before_consent_and_a_later_yes_counts() {
    let second = rule("second", "when: [ { session.page_views: { at_least: 2 } } ]");
    let service = shop("consent: required", &rules([second])).start();
    for _ in 0..3 {
        assert_eq!(service.view_by("a", "aiko", "/"), "no_consent");
    }
    assert_eq!(service.sessions_started(), 0.0);
    assert_eq!(service.metric("koekake_sessions_active", &[]), 0.0);
    let yes = json!({ "consent": "granted" });
    assert_eq!(reason(&service.ask("a", yes)), "no_match", "the first page that is remembered");
    assert_eq!(service.view("a", "/"), "rule_matched", "the yes stays");
    assert_eq!(service.sessions_started(), 1.0);

    // A banner's yes may come as a report of its own.
    assert_eq!(
        service.report("b", json!({ "type": "consent", "consent": "granted" }))["accepted"],
        1
    );
    assert_eq!(service.view("b", "/"), "no_match");
    assert_eq!(service.view("b", "/"), "rule_matched");

    let page_view = json!({ "type": "page_view", "page": { "url": "https://shop.example/" } });
    let answer = service.report("c", page_view);
    assert_eq!(answer["accepted"], 0, "{answer}");
    assert!(answer["rejected"][0]["detail"].as_str().unwrap().contains("consent"), "{answer}");
}

#[test]
fn a_no_counts_everywhere_and_until_a_yes() {
    let service = start("consent: not_required");
    let no = json!({ "consent": "denied" });
    assert_eq!(reason(&service.ask("a", no.clone())), "no_consent");
    assert_eq!(service.view("a", "/"), "no_consent", "the last word counts");
    assert_eq!(service.sessions_started(), 0.0);
    assert_eq!(reason(&service.ask("a", json!({ "consent": "granted" }))), "rule_matched");

    assert_eq!(
        service.report("b", json!({ "type": "consent", "consent": "denied" }))["accepted"],
        1
    );
    assert_eq!(service.view("b", "/"), "no_consent");
    assert_eq!(why(&service, "c", json!({}), &[GPC]), "no_consent", "the browser's own word");
    assert_eq!(why(&service, "d", json!({}), &[("Sec-GPC", "0")]), "rule_matched");
    let cart = crate::service::whole("e", json!({ "type": "cart" }));
    let answer = service.report_all(&[cart], &[GPC]);
    assert_eq!(answer["accepted"], 0, "what is not recorded is not said to be: {answer}");
}

#[test]
fn neither_cap_nor_opt_out_is_forgotten_by_a_no_and_a_yes() {
    let service = start("");
    assert_eq!(service.view("a", "/"), "rule_matched");
    assert_eq!(reason(&service.ask("a", json!({ "consent": "denied" }))), "no_consent");
    let yes = service.ask("a", json!({ "consent": "granted" }));
    assert_eq!(reason(&yes), "already_prompted", "still the same session");

    service.report("b", json!({ "type": "opt_out" }));
    assert_eq!(service.view("b", "/"), "opted_out");
    service.ask("b", json!({ "consent": "denied" }));
    assert_eq!(reason(&service.ask("b", json!({ "consent": "granted" }))), "opted_out");
}

#[test]
fn of_two_reasons_the_first_in_order_is_told() {
    let service = start("caps: { per_session: 1, cooldown: 24h }");
    let by = |visitor: &str| json!({ "visitor_id": id(visitor) });
    assert_eq!(why(&service, "a", by("aiko"), &[]), "rule_matched");
    // Already prompted and in the pause: another session only is in the pause.
    assert_eq!(why(&service, "a", by("aiko"), &[]), "already_prompted");
    assert_eq!(why(&service, "b", by("aiko"), &[]), "cooldown");
    // A bot over both.
    assert_eq!(why(&service, "a", by("aiko"), &[NO_BROWSER]), "bot");
    // No consent over a bot.
    assert_eq!(why(&service, "x", by("aiko"), &[NO_BROWSER, GPC]), "no_consent");
    // The opt-out over all of them.
    service.report("a", json!({ "type": "opt_out" }));
    assert_eq!(why(&service, "a", by("aiko"), &[]), "opted_out");
    assert_eq!(why(&service, "a", by("aiko"), &[NO_BROWSER]), "opted_out");
    assert_eq!(why(&service, "y", by("aiko"), &[NO_BROWSER, GPC]), "opted_out");
}

#[test]
fn a_pause_that_ends_on_the_page_is_waited_for() {
    let service = start("caps: { per_session: 2, between: 5m }");
    assert_eq!(service.view("a", "/"), "rule_matched");
    let answer = service.ask("a", json!({}));
    assert_eq!(reason(&answer), "cooldown");
    assert_eq!(answer["recheck"]["after_ms"], 300_000);
    service.wait(Millis::minutes(5));
    let recheck = json!({ "event": { "type": "recheck" } });
    assert_eq!(reason(&service.ask("a", recheck)), "rule_matched");
}

#[test]
fn a_shadow_rule_never_wins_spends_nothing_and_counts_once_a_session() {
    let shadow = rule("shadow", "priority: 9, mode: shadow, limits: { per_hour: 1 }");
    let off = rule("off", "priority: 8, mode: off");
    let live = rule("live", "when: [ { page.path: /live } ]");
    let service = shop("", &rules([shadow, off, live])).start();
    for session in ["a", "b"] {
        assert_eq!(service.view(session, "/"), "no_match");
        assert_eq!(service.view(session, "/"), "no_match");
        assert_eq!(service.ask(session, page("/live"))["rule"], "live");
        assert_eq!(service.view(session, "/"), "already_prompted");
    }
    let matches = service.metric("koekake_shadow_matches_total", &[("rule", "shadow")]);
    assert_eq!(matches, 2.0);
    let offered = [("rule", "shadow"), ("stage", "offered")];
    assert_eq!(service.metric("koekake_prompts_total", &offered), 0.0);
}

#[test]
fn what_must_hold_for_the_whole_site_holds_for_every_rule() {
    let site = "when: [ { not: { page.path: { under: [/careers, /legal] } } } ]";
    let service = start(site);
    for path in ["/careers", "/careers/tokyo", "/legal?x=1"] {
        assert_eq!(service.view("a", path), "no_match", "{path}");
    }
    assert_eq!(service.view("a", "/career"), "rule_matched");
}
