//! Who a visitor is to the site: only a signed token says so.

use jsonwebtoken::{EncodingKey, Header, encode};
use koekake::domain::time::Millis;
use serde_json::{Value, json};

use crate::service::{Service, Setup, call, id, page, rule, rules, shop, whole};

const SECRET: &str = "identity-0123456789abcdef0123456789abcdef";
/// Settings that give the shop keys.
pub const TOKENS: &str = r#"
[sites.shop]
identity_key = "identity-0123456789abcdef0123456789abcdef"
server_keys = ["server-0123456789abcdef0123456789abcdef"]
"#;

fn signed(secret: &str, claims: &Value) -> String {
    encode(&Header::default(), claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap()
}

/// A good token for five minutes.
pub fn token(service: &Service, who: &str) -> String {
    signed(SECRET, &json!({ "sub": who, "exp": service.now().0 / 1_000 + 300 }))
}

/// `Authorization` with the shop's server key.
pub fn as_server() -> (&'static str, &'static str) {
    ("Authorization", "Bearer server-0123456789abcdef0123456789abcdef")
}

fn setup() -> Setup {
    let known =
        rule("known", "priority: 2, when: [ { visitor.identified: true }, { page.path: /known } ]");
    let pro = rule("pro", "when: [ { visitor.attributes.plan: pro } ]");
    let caps = "caps: { per_session: 100, cooldown: 0, between: 0 }";
    shop(caps, &rules([known, pro])).toml(TOKENS)
}

fn put_plan(service: &Service, who: &str, plan: &str) {
    let body = json!({ "attributes": { "plan": plan } }).to_string();
    let path = format!("/v1/sites/shop/visitors/{who}");
    let reply = service.send("PUT", &path, &[as_server()], body.as_bytes());
    assert_eq!(reply.status, 204, "{}", reply.text());
}

#[test]
fn the_crm_speaks_for_a_visitor_whose_token_is_good_and_wins_over_the_page() {
    let service = setup().start();
    put_plan(&service, "customer-7", "pro");
    put_plan(&service, "customer-8", "free");
    let ask = |session: &str, who: Option<&str>, says: &str| {
        let mut more = page("/");
        more["visitor"] = json!({ "attributes": { "plan": says } });
        more["identity_token"] = who.map(|who| token(&service, who)).into();
        service.ask(session, more)["rule"].clone()
    };
    assert_eq!(ask("a", Some("customer-7"), "free"), "pro", "the CRM's word over the page's");
    assert_eq!(ask("b", Some("customer-8"), "pro"), Value::Null, "also where it says less");
    assert_eq!(ask("c", Some("customer-9"), "pro"), "pro", "who is not in it says it by the page");
    assert_eq!(ask("d", None, "pro"), "pro", "as do strangers");
    assert_eq!(service.ask("e", json!({ "page": page("/known")["page"] }))["show"], false);
    let mut known = page("/known");
    known["identity_token"] = token(&service, "anybody").into();
    assert_eq!(service.ask("f", known)["rule"], "known");
}

#[test]
fn a_visitor_id_alone_reveals_and_changes_nothing_of_the_crm() {
    let service = setup().start();
    put_plan(&service, "customer-7", "pro");
    let mut with_token = page("/");
    with_token["visitor_id"] = id("aiko").into();
    with_token["identity_token"] = token(&service, "customer-7").into();
    assert_eq!(service.ask("hers", with_token)["rule"], "pro");

    // Somebody who knows the visitor's id, but cannot sign.
    for visitor in [id("aiko"), "customer-7______".to_owned()] {
        let mut stolen = page("/");
        stolen["visitor_id"] = visitor.into();
        assert_eq!(service.ask("theirs", stolen)["show"], false);
    }
    let mut written = json!({ "type": "identify", "visitor_id": id("aiko") });
    written["visitor"] = json!({ "attributes": { "plan": "free" } });
    service.report("theirs", written);
    let mut again = page("/");
    again["identity_token"] = token(&service, "customer-7").into();
    assert_eq!(service.ask("hers too", again)["rule"], "pro", "what was written is not hers");

    // The admin's route speaks of customers, not of pages' ids, and not to anybody.
    let path = format!("/v1/sites/shop/visitors/{}", id("aiko"));
    assert_eq!(service.send("GET", &path, &[as_server()], b"").status, 404);
    let path = "/v1/sites/shop/visitors/customer-7";
    for (method, body) in [("GET", ""), ("PUT", r#"{"attributes":{}}"#), ("DELETE", "")] {
        assert_eq!(service.send(method, path, &[], body.as_bytes()).status, 401, "{method}");
    }
    let stored = service.send("GET", path, &[as_server()], b"").json();
    assert_eq!(stored["attributes"], json!({ "plan": "pro" }));
    assert_eq!(stored["offers"].as_array().unwrap().len(), 2);
}

#[test]
fn a_customers_history_follows_from_one_visitor_id_to_another() {
    let caps = "caps: { cooldown: 24h }";
    let service = shop(caps, &rules([rule("hello", "")])).toml(TOKENS).start();
    let view = |session: &str, visitor: &str, who: Option<&str>| {
        let mut more = page("/");
        more["visitor_id"] = id(visitor).into();
        more["identity_token"] = who.map(|who| token(&service, who)).into();
        crate::service::reason(&service.ask(session, more))
    };
    // First anonymous, then logged in: what was offered before is the customer's history too.
    assert_eq!(view("a", "phone", None), "rule_matched");
    assert_eq!(view("b", "desktop", Some("customer-7")), "rule_matched");
    assert_eq!(view("c", "tablet", Some("customer-7")), "cooldown");
    // Opting out once counts everywhere.
    let out = json!({ "type": "opt_out", "identity_token": token(&service, "customer-7") });
    service.report("b", out);
    service.wait(Millis::days(2));
    assert_eq!(view("d", "laptop", Some("customer-7")), "opted_out");
    assert_eq!(view("e", "desktop", None), "opted_out", "the id that she opted out under");
}

#[test]
fn a_token_that_is_over_leaves_the_visitor_anonymous() {
    let service = setup().start();
    put_plan(&service, "customer-7", "pro");
    let token = token(&service, "customer-7");
    service.wait(Millis::hours(1));
    let mut more = page("/");
    more["identity_token"] = token.clone().into();
    assert_eq!(service.ask("a", more)["reason"], "no_match");
    let mut known = page("/known");
    known["identity_token"] = token.into();
    assert_eq!(service.ask("a", known)["show"], false);
}

#[test]
fn a_token_that_never_was_good_is_refused_before_any_effect() {
    let service = setup().start();
    let claims = json!({ "sub": "customer-7", "exp": service.now().0 / 1_000 + 300 });
    let unsigned = "eyJhbGciOiJub25lIn0.eyJzdWIiOiJjdXN0b21lci03IiwiZXhwIjo5OTk5OTk5OTk5fQ.";
    let other_site =
        json!({ "sub": "customer-7", "aud": "other", "exp": service.now().0 / 1_000 + 300 });
    for bad in [
        signed("another-0123456789abcdef0123456789abcdef", &claims),
        signed(SECRET, &json!({ "sub": "customer-7" })),
        signed(SECRET, &json!({ "exp": service.now().0 / 1_000 + 300 })),
        signed(SECRET, &other_site),
        unsigned.to_owned(),
        "not a token".to_owned(),
    ] {
        let mut body = call("a", page("/"));
        body["identity_token"] = bad.clone().into();
        let reply = service.post(&body, &[]);
        assert_eq!(reply.status, 400, "{bad}");
        assert_eq!(reply.pointers(), ["/identity_token"]);
        let event = whole("a", json!({ "type": "identify", "identity_token": bad }));
        let answer = service.report_all(&[event], &[]);
        assert_eq!(answer["accepted"], 0);
        let detail = answer["rejected"][0]["detail"].as_str().unwrap();
        assert!(detail.starts_with("/identity_token: "), "{detail}");
    }
    assert_eq!(service.sessions_started(), 0.0);
}

#[test]
fn a_site_without_a_key_takes_no_tokens() {
    let with_key = setup().start();
    let token = token(&with_key, "customer-7");
    let service = shop("", &rules([rule("hello", "")])).start();
    let mut body = call("a", page("/"));
    body["identity_token"] = token.into();
    assert_eq!(service.post(&body, &[]).pointers(), ["/identity_token"]);
}

#[test]
fn erasing_a_customer_forgets_attributes_history_and_opt_out() {
    let service = setup().start();
    put_plan(&service, "customer-7", "pro");
    let mut more = page("/");
    more["identity_token"] = token(&service, "customer-7").into();
    assert_eq!(service.ask("a", more.clone())["rule"], "pro");
    service.report("a", json!({ "type": "opt_out" }));
    let path = "/v1/sites/shop/visitors/customer-7";
    let stored = service.send("GET", path, &[as_server()], b"").json();
    assert_eq!((&stored["opted_out"], &stored["sessions"]), (&json!(true), &json!(1)));
    assert_eq!(service.send("DELETE", path, &[as_server()], b"").status, 204);
    assert_eq!(service.send("GET", path, &[as_server()], b"").status, 404);
    assert_eq!(service.ask("b", more)["reason"], "no_match", "neither opted out nor pro");
}

#[test]
fn who_was_identified_stays_so_for_the_session_and_no_longer() {
    let service = setup().start();
    put_plan(&service, "customer-7", "pro");
    let identify = json!({ "type": "identify", "identity_token": token(&service, "customer-7") });
    assert_eq!(service.report("a", identify)["accepted"], 1);
    assert_eq!(service.ask("a", page("/"))["rule"], "pro");
    assert_eq!(service.ask("a", page("/known"))["rule"], "known");
    service.wait(Millis::minutes(30));
    assert_eq!(service.ask("a", page("/"))["show"], false, "another session, and no token");
}

#[test]
fn before_consent_a_token_leaves_no_trace() {
    let service = shop("consent: required", &rules([rule("hello", "")])).toml(TOKENS).start();
    let mut more = page("/");
    more["identity_token"] = token(&service, "customer-7").into();
    assert_eq!(service.ask("a", more.clone())["reason"], "no_consent");
    let path = "/v1/sites/shop/visitors/customer-7";
    assert_eq!(service.send("GET", path, &[as_server()], b"").status, 404);
    more["consent"] = "granted".into();
    assert_eq!(service.ask("a", more)["reason"], "rule_matched");
    assert_eq!(service.send("GET", path, &[as_server()], b"").json()["sessions"], 1);
}
