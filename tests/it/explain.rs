//! Pain 9: "why did it not show?" For each reason, each thing that stops a rule, and each kind of
//! condition the explanation names the true cause, and it spends and records nothing.

use koekake::domain::time::Millis;
use koekake::engine::Unlimited;
use koekake::explain::{
    About, Case, ExplainedCondition, Explanation, RuleOutcome, explain, render,
};
use koekake::rules::compile::{load_bytes, sample};
use koekake::rules::fields::FIELDS;
use serde_json::{Value, json};

use crate::client::{BROWSER, Reply};
use crate::service::{ADMIN, FRIDAY, Service, call, id, moment, page, rule, rules, shop};

fn admin() -> String {
    format!("Bearer {ADMIN}")
}

/// Explains a call of that session.
fn post(service: &Service, session: &str, mut more: Value) -> Explanation {
    if more.get("client").is_none() {
        more["client"] = json!({ "user_agent": BROWSER });
    }
    let body = call(session, more).to_string();
    let headers = [("Authorization", &*admin())];
    let reply = service.send("POST", "/v1/explain", &headers, body.as_bytes());
    assert_eq!(reply.status, 200, "{}", reply.text());
    serde_json::from_slice(&reply.body).unwrap()
}

fn get(service: &Service, query: &str) -> Reply {
    let headers = [("Authorization", &*admin())];
    service.send("GET", &format!("/v1/explain?{query}"), &headers, b"")
}

/// Explains a call, makes it, and holds one against the other; then explains the decision.
fn both(service: &Service, session: &str, more: Value) -> Explanation {
    let before = service.sessions_started();
    let explained = post(service, session, more.clone());
    assert_eq!(explained, post(service, session, more.clone()), "explaining changed something");
    assert_eq!(service.sessions_started(), before, "explaining began a session");
    let answer = service.ask(session, more);
    assert_eq!(explained.reason, answer["reason"], "{explained:#?}\n{answer}");
    assert_eq!(explained.show, answer["show"]);
    assert_eq!(
        explained.recheck.as_ref().and_then(|opens| opens.after_ms),
        answer["recheck"]["after_ms"].as_i64(),
        "{answer}"
    );
    let reply = get(service, &format!("decision={}", answer["decision_id"].as_str().unwrap()));
    if reply.status == 200 {
        let kept: Explanation = serde_json::from_slice(&reply.body).unwrap();
        assert_eq!(kept.about, About::Decision);
        assert_eq!((&kept.reason, kept.show), (&explained.reason, explained.show));
    }
    explained
}

fn on(path: &str) -> Value {
    page(path)
}

fn by(visitor: &str, path: &str) -> Value {
    let mut more = page(path);
    more["visitor_id"] = id(visitor).into();
    more
}

#[test]
fn pain_9_each_reason_is_explained() {
    let soon =
        rule("soon", "when: [ { page.path: /soon }, { session.duration: { at_least: 60s } } ]");
    let held = rule("held", "priority: 5, holdout: 100%, when: [ { page.path: /held } ]");
    let now = rule("now", "when: [ { page.path: /now } ]");
    let service = shop("", &rules([soon, held, now])).admin().start();

    let explained = both(&service, "a", on("/nowhere"));
    assert_eq!(explained.reason, "no_match");

    let explained = both(&service, "a", on("/soon"));
    assert_eq!(explained.reason, "not_yet");
    assert!(explained.recheck.unwrap().words.contains("in 1m, if the visitor stays"));

    let explained = both(&service, "a", by("aiko", "/now"));
    assert_eq!(
        (explained.reason.as_str(), explained.rule.as_deref()),
        ("rule_matched", Some("now"))
    );
    assert_eq!(explained.summary, "The rule `now` shows its prompt.");

    let explained = both(&service, "a", by("aiko", "/now"));
    assert_eq!(explained.reason, "already_prompted");
    assert!(explained.summary.contains("1 of 1 (`caps.per_session`)"), "{}", explained.summary);
    let now = explained.rules.iter().find(|rule| rule.rule == "now").unwrap();
    assert_eq!(now.outcome, RuleOutcome::Capped, "its conditions hold");

    service.wait(Millis::minutes(5));
    let explained = both(&service, "b", by("aiko", "/now"));
    assert_eq!(explained.reason, "cooldown");
    assert!(
        explained.summary.contains("5m ago, and `caps.cooldown` asks for a pause of 1d"),
        "{}",
        explained.summary
    );

    let explained = both(&service, "c", on("/held"));
    assert_eq!(explained.reason, "holdout");
    assert!(explained.summary.contains("the rule `held` decides"), "{}", explained.summary);
    let explained = both(&service, "c", on("/now"));
    assert_eq!(explained.reason, "holdout");

    service.report("d", json!({ "type": "opt_out" }));
    let explained = both(&service, "d", on("/now"));
    assert_eq!(explained.reason, "opted_out");

    let mut denied = on("/now");
    denied["consent"] = "denied".into();
    let explained = post(&service, "e", denied.clone());
    assert_eq!(explained.reason, "no_consent");
    assert!(explained.summary.contains("denied consent"));

    let mut bot = on("/now");
    bot["client"] = json!({ "user_agent": "curl/8.5.0" });
    let explained = post(&service, "f", bot);
    assert_eq!(explained.reason, "bot");

    let asks = shop("consent: required", &rules([rule("now", "")])).admin().start();
    let explained = both(&asks, "a", on("/"));
    assert_eq!(explained.reason, "no_consent");
    assert!(explained.summary.contains("`consent: required`"), "{}", explained.summary);
}

#[test]
fn pain_9_pauses_after_what_the_visitor_did_are_named() {
    let service = shop("", &rules([rule("now", "")])).admin().start();
    let prompt = service.ask("a", by("aiko", "/"));
    let event = json!({
        "type": "prompt_dismissed", "visitor_id": id("aiko"), "decision_id": prompt["decision_id"],
    });
    service.report("a", event);
    service.wait(Millis::days(2));
    let explained = both(&service, "b", by("aiko", "/"));
    assert!(
        explained.summary.contains("dismissed a prompt 2d ago, and `caps.after_dismissal`"),
        "{}",
        explained.summary
    );
}

#[test]
fn pain_9_each_thing_that_stops_a_rule_is_named() {
    let all = [
        ("off", "mode: off", "would have to turn it on"),
        ("dates", "active: { from: 2026-12-01 }", "begins Tue 2026-12-01 00:00"),
        ("dates", "active: { until: 2026-11-01 }", "ended Mon 2026-11-02 00:00"),
        ("rollout", "rollout: 0%", "a larger rollout"),
        ("hours", "hours: late", "opens Fri 2026-11-20 20:00"),
        ("hours", "hours: { outside: always }", "never closes"),
        ("page.path", "when: [ { page.path: /other } ]", "another page"),
    ];
    for (by, more, change) in all {
        let site = "time_zone: Asia/Tokyo\nhours: { late: { open: \"Mo-Su 20:00-22:00\" }, always: { open: 24/7 } }";
        let service = shop(site, &rules([rule("it", more)])).admin().start();
        let explained = both(&service, "a", on("/"));
        let it = &explained.rules[0];
        assert_eq!(it.stopped_by.as_deref(), Some(by), "{more}");
        let first = first_stop(&it.conditions).unwrap_or_else(|| panic!("{more}: {it:#?}"));
        assert!(first.change.as_ref().unwrap().contains(change), "{more}: {first:#?}");
    }
}

/// The one that is marked as stopping it; there is one at most.
fn first_stop(conditions: &[ExplainedCondition]) -> Option<&ExplainedCondition> {
    fn all<'c>(conditions: &'c [ExplainedCondition], found: &mut Vec<&'c ExplainedCondition>) {
        for condition in conditions {
            found.extend(condition.stops.then_some(condition));
            all(&condition.parts, found);
        }
    }
    let mut found = Vec::new();
    all(conditions, &mut found);
    assert!(found.len() <= 1, "{found:#?}");
    found.first().copied()
}

#[test]
fn pain_9_repeat_limits_shadow_and_lower_rules_are_named() {
    let site = "caps: { per_session: 9, between: 0s, cooldown: 0s }";
    let once = rule("once", "priority: 3, repeat: { every: 7d }, when: [ { page.path: /once } ]");
    let few = rule("few", "priority: 2, limits: { per_hour: 1 }, when: [ { page.path: /few } ]");
    let shadow = rule("trial", "mode: shadow, priority: 9");
    let lower = rule("lower", "when: [ { page.path: { under: [/once, /few] } } ]");
    let service = shop(site, &rules([once, few, shadow, lower])).admin().start();
    let outcome = |explained: &Explanation, rule: &str| {
        let rule = explained.rules.iter().find(|known| known.rule == rule).unwrap();
        (rule.outcome, rule.stopped_by.clone(), rule.summary.clone())
    };
    let explained = both(&service, "a", on("/once"));
    assert_eq!(outcome(&explained, "once").0, RuleOutcome::Shows);
    assert_eq!(outcome(&explained, "trial").0, RuleOutcome::Shadow);
    let (lower, _, words) = outcome(&explained, "lower");
    assert_eq!(
        (lower, words.as_str()),
        (RuleOutcome::Behind, "would show, but `once` comes first")
    );

    let explained = both(&service, "a", on("/once"));
    assert_eq!(outcome(&explained, "once").1.as_deref(), Some("repeat"));
    assert_eq!(explained.rule.as_deref(), Some("lower"), "a lower one has its turn");

    service.ask("b", on("/few"));
    let explained = both(&service, "c", on("/few"));
    assert_eq!(outcome(&explained, "few").1.as_deref(), Some("limit"));
    let few = explained.rules.iter().find(|known| known.rule == "few").unwrap();
    assert_eq!(first_stop(&few.conditions).unwrap().actual.as_deref(), Some("used up"));
}

const SITE: &str = "name: shop\norigins: [\"https://shop.example\"]\ntime_zone: Asia/Tokyo\ncurrency: JPY\n\
                    segments: { keen: { session.page_views: { at_least: 5 } } }\n";

/// Explains a rule of these conditions to a visit of these values.
fn of(when: &str, given: &[(&str, &str)]) -> Explanation {
    let text = rules([rule("it", &format!("when: [ {{ {when} }} ]"))]);
    let files = vec![
        ("site.yaml".to_owned(), SITE.as_bytes().to_vec()),
        ("rules.yaml".to_owned(), text.into_bytes()),
    ];
    let loaded = load_bytes("shop", files.clone());
    let set = loaded.set.unwrap_or_else(|| panic!("{when}: {:#?}", loaded.findings));
    let visit = sample("shop", files, given, moment(FRIDAY)).unwrap_or_else(|f| panic!("{f:#?}"));
    let facts = visit.facts();
    let case = Case { about: About::Sample, set: &set, facts: &facts, answer: None };
    explain(case, &Unlimited, Vec::new())
}

/// When, what is given, what was wanted, what was there, what would have to change.
type Row = (
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
    Option<&'static str>,
    &'static str,
);

#[test]
fn pain_9_each_kind_of_condition_is_explained() {
    let all: &[Row] = &[
        (
            "page.path: { under: /pricing }",
            &[("page.path", "/help")],
            "is under /pricing",
            Some("/help"),
            "another page",
        ),
        (
            "page.url: { matches: /products/:id }",
            &[("page.url", "/cart?x=1")],
            "matches /products/:id",
            Some("https://shop.example/cart?x=1"),
            "another page",
        ),
        ("page.query.ref: newsletter", &[("page.url", "/")], "is newsletter", None, "another page"),
        (
            "session.duration: { at_least: 60s }",
            &[("session.duration", "12s")],
            "is at least 60s",
            Some("12s"),
            "holds in 48s, if the visitor stays",
        ),
        (
            "page.time_on_page: { between: [30s, 60s] }",
            &[("page.time_on_page", "90s")],
            "is between",
            Some("90s"),
            "another view",
        ),
        (
            "page.idle: { at_least: 45s }",
            &[("page.idle", "5s")],
            "is at least 45s",
            Some("5s"),
            "once nothing was done for 45s",
        ),
        (
            "page.scroll_percent: { at_least: 50 }",
            &[("page.scroll_percent", "20")],
            "is at least 50",
            Some("20%"),
            "once 50% of the page was scrolled",
        ),
        (
            "session.events.form_error: { at_least: 2 }",
            &[("session.events.form_error", "1")],
            "is at least 2",
            Some("1"),
            "once the event `form_error` happens",
        ),
        (
            "session.page_views: { more_than: 3 }",
            &[("session.page_views", "2")],
            "is more than 3",
            Some("2"),
            "further page view",
        ),
        (
            "session.visited: { under: /products, count: 3 }",
            &[("session.visited", "[/products/a, /help]")],
            "at least 3",
            Some("/products/a, /help"),
            "further page view",
        ),
        (
            "session.visited: { in_order: [/a, /b] }",
            &[("session.visited", "[/b, /a]")],
            "in this order",
            Some("/b, /a"),
            "further page view",
        ),
        (
            "session.utm.campaign: { starts_with: winter }",
            &[("session.utm.campaign", "summer")],
            "starts with winter",
            Some("summer"),
            "another campaign",
        ),
        (
            "cart.value: { at_least: 20000 JPY }",
            &[("cart.value", "900")],
            "is at least 20000 JPY",
            Some("900 JPY"),
            "another cart",
        ),
        ("cart.items: { exists: true }", &[], "exists: true", None, "another cart"),
        (
            "visitor.returning: true",
            &[("visitor.returning", "false")],
            "is true",
            Some("false"),
            "stays so for this session",
        ),
        ("visitor.identified: true", &[], "is true", Some("false"), "identity token"),
        (
            "visitor.attributes.plan: [pro, team]",
            &[("visitor.attributes.plan", "free")],
            "is one of",
            Some("free"),
            "your CRM",
        ),
        (
            "visitor.language: ja",
            &[("visitor.language", "en-GB")],
            "is ja",
            Some("en-GB"),
            "the page or the browser",
        ),
        (
            "visitor.last_prompt: { more_than: 7d }",
            &[("visitor.last_prompt", "2d")],
            "is more than 7d",
            Some("2d"),
            "holds from Wed 2026-11-25 10:00",
        ),
        (
            "visitor.local_time: { during: \"Mo-Fr 18:00-22:00\" }",
            &[("visitor.time_zone", "Asia/Tokyo")],
            "is during",
            Some("Fri 10:00, JST"),
            "clock",
        ),
        (
            "location.country: [JP, TW]",
            &[("location.country", "DE")],
            "is one of",
            Some("DE"),
            "this address",
        ),
        (
            "device.type: smartphone",
            &[("device.type", "desktop")],
            "is smartphone",
            Some("desktop"),
            "this device",
        ),
        ("agents.available: true", &[], "is true", None, "chat tool"),
        (
            "signal.exit_intent: true",
            &[],
            "is true",
            Some("false"),
            "when the pointer leaves the page",
        ),
        (
            "page.title: { regex: \"(?i)sale\" }",
            &[("page.title", "News")],
            "matches the regex",
            Some("News"),
            "another page",
        ),
    ];
    for (when, given, wanted, actual, change) in all {
        let explained = of(when, given);
        let it = &explained.rules[0];
        let field = when.split(": ").next().unwrap();
        assert_eq!(it.stopped_by.as_deref(), Some(field), "{when}");
        let stop = first_stop(&it.conditions).unwrap();
        assert_eq!(stop.name.as_deref(), Some(field), "{when}");
        assert!(stop.wanted.contains(wanted), "{when}: {stop:#?}");
        assert_eq!(stop.actual.as_deref(), *actual, "{when}");
        assert!(stop.change.as_deref().unwrap().contains(change), "{when}: {stop:#?}");
        let text = render(&explained, None, false);
        assert!(text.contains("◄ stops it first"), "{text}");
    }
}

#[test]
fn pain_9_negations_alternatives_and_segments_are_explained() {
    let explained = of("not: { page.path: /a }", &[("page.path", "/a")]);
    let stop = first_stop(&explained.rules[0].conditions).unwrap();
    assert_eq!(stop.wanted, "not so: is /a");
    let explained = of(
        "any: [ { page.path: /a }, { segment: keen }, { page.path: /b } ]",
        &[("page.path", "/c")],
    );
    let it = &explained.rules[0];
    let any = &it.conditions[0];
    assert_eq!((any.kind.as_str(), any.passed, any.parts.len()), ("any", false, 3));
    assert_eq!(any.parts[1].kind, "segment");
    assert_eq!(any.parts[1].parts[0].name.as_deref(), Some("session.page_views"));
    assert_eq!(first_stop(&it.conditions).unwrap().name.as_deref(), Some("page.path"));
    let explained = of("any: [ { page.path: /a }, { page.path: /c } ]", &[("page.path", "/c")]);
    assert!(first_stop(&explained.rules[0].conditions).is_none());
    assert_eq!(explained.reason, "rule_matched");
}

/// Of every field's own example: where it stops the rule, it is the one that is named.
#[test]
fn pain_9_every_field_can_be_named() {
    for field in FIELDS.iter().filter(|field| field.name != "segment") {
        let explained = of(field.example, &[]);
        let it = &explained.rules[0];
        let Some(stop) = first_stop(&it.conditions) else {
            assert_eq!(it.outcome, RuleOutcome::Shows, "{}", field.example);
            continue;
        };
        let name = stop.name.as_deref().unwrap();
        assert!(name.starts_with(field.name), "{}: {name}", field.example);
        assert!(!stop.passed && stop.change.is_some(), "{}: {stop:#?}", field.example);
    }
}

#[test]
fn past_decisions_and_sessions_are_explained() {
    let soon = rule("soon", "when: [ { session.duration: { at_least: 60s } } ]");
    let service = shop("", &rules([soon])).admin().start();
    let answer = service.ask("a", by("aiko", "/"));
    let decision = format!("decision={}", answer["decision_id"].as_str().unwrap());
    let session = format!("site=shop&session={}", id("a"));
    service.wait(Millis::seconds(40));
    let then: Explanation = serde_json::from_slice(&get(&service, &decision).body).unwrap();
    assert_eq!(then.rules[0].conditions[0].actual.as_deref(), Some("0s"), "what was there then");
    let now: Explanation = serde_json::from_slice(&get(&service, &session).body).unwrap();
    assert_eq!(now.about, About::Session);
    assert_eq!(now.rules[0].conditions[0].actual.as_deref(), Some("40s"), "what is there now");
    // What is forgotten elsewhere is forgotten here.
    let mut denied = on("/");
    denied["consent"] = "denied".into();
    service.ask("a", denied);
    assert_eq!(get(&service, &decision).status, 404);
    assert_eq!(get(&service, &session).status, 404);
}

#[test]
fn explaining_takes_a_token_and_a_question() {
    let service = shop("", &rules([rule("now", "")])).admin().start();
    let body = call("a", json!({})).to_string();
    assert_eq!(service.send("POST", "/v1/explain", &[], body.as_bytes()).status, 401);
    assert_eq!(service.send("GET", "/v1/explain?decision=1", &[], b"").status, 401);
    for query in ["", "decision=12", "session=x", "site=shop", "site=shop&session=short"] {
        assert_eq!(get(&service, query).status, 400, "{query}");
    }
    assert_eq!(get(&service, &format!("decision={:032x}", 7)).status, 404);
    assert_eq!(get(&service, &format!("site=none&session={}", id("a"))).status, 404);
    let headers = [("Authorization", &*admin())];
    assert_eq!(service.send("POST", "/v1/explain", &headers, b"{}").status, 400);
    // Who asks tells nothing of the visitor; what is assumed is noted.
    let reply = service.send("POST", "/v1/explain", &headers, body.as_bytes());
    let explained: Explanation = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(explained.reason, "rule_matched");
    assert_eq!(explained.notes.len(), 2, "{:?}", explained.notes);
}
