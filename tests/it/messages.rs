//! What a visitor reads, in whose language, and what the page is told to wait for.

use koekake::domain::time::Millis;
use serde_json::{Value, json};

use crate::service::{Service, page, rule, rules, shop};

fn start() -> Service {
    let hello = r#"rules:
  - id: hello
    when: [ { page.path: /hello } ]
    prompt:
      title: { en: "Hello", ja: "こんにちは", zh-Hant: "您好" }
      message:
        en: "Hi{% if visitor.name %} {{ visitor.name }}{% endif %}, {{ variables.agent }} is here."
        ja: "{% if visitor.name %}{{ visitor.name }}様、{% endif %}{{ variables.agent }}です。"
        zh-Hant: "我是{{ variables.agent }}。"
      actions:
        - { kind: chat, label: { en: "Chat", ja: "相談する", zh-Hant: "聊天" } }
        - { kind: link, label: { en: "Help", ja: "ヘルプ", zh-Hant: "說明" }, url: /help }
      route: sales
      appearance: { position: left }
  - id: cart
    when: [ { page.path: /cart } ]
    prompt:
      message: "{{ page.title }}: {{ cart.items }} things, {{ cart.value }}."
  - id: away
    hours: { outside: support }
    when: [ { page.path: /away } ]
    prompt:
      message: { en: "Back {{ hours.support.next_open }}.", ja: "次は{{ hours.support.next_open }}。" }
      channel: links
"#;
    let site = "languages: [en, ja, zh-Hant]\ntime_zone: Asia/Tokyo\ncurrency: JPY\n\
                caps: { per_session: 100, cooldown: 0, between: 0 }\n\
                variables: { agent: Hana }\n\
                hours: { support: { open: \"Mo-Fr 09:00-18:00\" } }";
    shop(site, hello).start()
}

fn language(service: &Service, says: Option<&str>, accepts: &str) -> String {
    let mut more = page("/hello");
    if let Some(says) = says {
        more["visitor"] = json!({ "language": says });
    }
    // A session of its own: what a page said once stays.
    let session = format!("{says:?} {accepts}");
    let session: String = session.chars().filter(char::is_ascii_alphanumeric).take(30).collect();
    let answer = service.ask_with(&session, more, &[("Accept-Language", accepts)]);
    answer["prompt"]["language"].as_str().unwrap().to_owned()
}

#[test]
fn the_language_is_the_pages_word_then_the_browsers_then_the_sites_first() {
    let service = start();
    for (says, accepts, wanted) in [
        (None, "ja", "ja"),
        (None, "ja-JP,ja;q=0.9,en;q=0.8", "ja"),
        (None, "en-GB;q=0.5, ja;q=0.9", "ja"),
        (None, "fr, de;q=0.7", "en"),
        (None, "", "en"),
        (None, "zh-TW,zh;q=0.9", "zh-Hant"),
        (None, "*", "en"),
        (Some("ja"), "en-US,en", "ja"),
        (Some("en-AU"), "ja", "en"),
        (Some("fr"), "ja", "ja"),
    ] {
        assert_eq!(language(&service, says, accepts), wanted, "{says:?} {accepts}");
    }
}

#[test]
fn a_prompt_is_whole_in_one_language_and_greets_by_name() {
    let service = start();
    let mut more = page("/hello");
    more["visitor"] = json!({ "name": "愛子", "language": "ja" });
    let answer = service.ask("a", more);
    assert_eq!(answer["variant"], "default");
    assert_eq!(
        answer["prompt"],
        json!({
            "title": "こんにちは", "message": "愛子様、Hanaです。", "language": "ja",
            "actions": [
                { "kind": "chat", "label": "相談する" },
                { "kind": "link", "label": "ヘルプ", "url": "/help" },
            ],
            "channel": "chat", "route": "sales", "appearance": { "position": "left" },
        })
    );
    assert_eq!(answer["recheck"], Value::Null);
    assert_eq!(service.ask("b", page("/hello"))["prompt"]["message"], "Hi, Hana is here.");
}

#[test]
fn what_a_visitor_brings_is_text_and_never_a_template() {
    let service = start();
    let name = "{{ variables.agent }}<script>";
    let mut more = page("/hello");
    more["visitor"] = json!({ "name": name });
    let message = service.ask("a", more)["prompt"]["message"].as_str().unwrap().to_owned();
    assert_eq!(message, format!("Hi {name}, Hana is here."));
}

#[test]
fn a_cart_in_a_message_and_what_is_missing_in_it() {
    let service = start();
    let mut more = page("/cart");
    more["page"]["title"] = "Your cart".into();
    more["cart"] = json!({ "value": "24000", "currency": "JPY", "items": 2 });
    let message = service.ask("a", more)["prompt"]["message"].as_str().unwrap().to_owned();
    assert!(message.starts_with("Your cart: 2 things, ") && message.contains("24"), "{message}");
    let answer = service.ask("b", page("/cart"));
    assert_eq!(answer["prompt"]["message"], ":  things, .", "missing is empty");
}

#[test]
fn out_of_hours_the_next_opening_is_told_in_the_sites_zone() {
    let service = start();
    assert_eq!(service.view("a", "/away"), "no_match");
    service.set_time("2026-11-20T18:00:00+09:00");
    let answer = service.ask("b", page("/away"));
    assert_eq!(answer["prompt"]["channel"], "links");
    let message = answer["prompt"]["message"].as_str().unwrap();
    assert!(message.contains("9:00") && message.contains("Monday"), "{message}");
    let mut more = page("/away");
    more["visitor"] = json!({ "language": "ja" });
    let message = service.ask("c", more)["prompt"]["message"].as_str().unwrap().to_owned();
    assert!(message.contains("月曜") && message.contains('9'), "{message}");
}

#[test]
fn an_opening_that_all_visitors_share_is_spread() {
    let open = rule("open", "hours: support");
    let site = "time_zone: Asia/Tokyo\nhours: { support: { open: \"Mo-Fr 09:00-18:00\" } }\nsession: { timeout: 2h }";
    let service = shop(site, &rules([open])).at("2026-11-20T08:00:00+09:00").start();
    let answer = service.ask("a", json!({}));
    assert_eq!(answer["reason"], "not_yet");
    assert_eq!(answer["recheck"]["after_ms"], 3_600_000);
    assert!(answer["recheck"]["spread_ms"].as_i64().unwrap() > 0, "{answer}");
    service.wait(Millis::hours(1));
    assert_eq!(service.ask("a", json!({ "event": { "type": "recheck" } }))["show"], true);
}

#[test]
fn exit_intent_once_a_minute_has_passed() {
    let exit = rule(
        "exit",
        "when: [ { signal.exit_intent: true }, { session.duration: { at_least: 60s } } ]",
    );
    let service = shop("", &rules([exit])).start();
    let answer = service.ask("a", json!({}));
    assert_eq!(
        answer["recheck"],
        json!({
            "after_ms": null, "spread_ms": 0,
            "on": [{ "signal": "exit_intent", "not_before_ms": 60_000 }],
        })
    );
    let leaving = json!({ "event": { "type": "signal", "name": "exit_intent" } });
    service.wait(Millis::seconds(30));
    let early = service.ask("a", leaving.clone());
    assert_eq!(
        (&early["reason"], &early["recheck"]["on"][0]["not_before_ms"]),
        (&json!("not_yet"), &json!(30_000))
    );
    service.wait(Millis::seconds(30));
    let later = service.ask("a", json!({ "event": { "type": "recheck" } }));
    assert_eq!(later["show"], false, "the minute alone is not enough");
    assert_eq!(later["recheck"]["on"], json!([{ "signal": "exit_intent" }]));
    assert_eq!(service.ask("a", leaving)["rule"], "exit");
}

#[test]
fn all_that_a_page_can_wait_for_is_named() {
    let any = "when: [ { any: [ { page.scroll_percent: { at_least: 50 } }, { page.idle: { at_least: 45s } }, { session.events.form_error: { at_least: 1 } }, { session.duration: { at_least: 41s } } ] } ]";
    let service = shop("", &rules([rule("any", any)])).start();
    let mut more = page("/");
    more["page"]["idle_ms"] = 0.into();
    more["page"]["scroll_percent"] = 10.into();
    let answer = service.ask("a", more);
    assert_eq!(answer["recheck"]["after_ms"], 41_000);
    let on = answer["recheck"]["on"].as_array().unwrap();
    for wait in [
        json!({ "scroll_percent": 50 }),
        json!({ "idle_ms": 45_000 }),
        json!({ "event": "form_error" }),
    ] {
        assert!(on.contains(&wait), "{wait} in {answer}");
    }
    let mut deeper = page("/");
    deeper["page"]["scroll_percent"] = 50.into();
    deeper["event"] = json!({ "type": "recheck" });
    assert_eq!(service.ask("a", deeper)["show"], true);
}
