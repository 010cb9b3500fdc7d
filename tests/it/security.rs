//! Who may call what, from where, how often and with how much.

use koekake::config::Setting;
use serde_json::json;

use crate::client::{Client, Reply};
use crate::identity::{TOKENS, as_server};
use crate::service::{ADMIN, Service, Setup, call, loopback, page, root, rule, rules, shop, whole};

const OWN: (&str, &str) = ("Origin", "https://shop.example");
const OTHERS: (&str, &str) = ("Origin", "https://other.example");
const NOBODYS: (&str, &str) = ("Origin", "https://evil.example");
const TEXT: (&str, &str) = ("Content-Type", "text/plain");

fn hello() -> String {
    rules([rule("hello", "")])
}

fn two_shops() -> Setup {
    shop("", &hello()).site("other", "", &hello())
}

fn decide(service: &Service, headers: &[(&str, &str)]) -> Reply {
    service.post(&call("a", page("/")), headers)
}

fn bearer(token: &str) -> String {
    format!("Bearer {token}")
}

#[test]
fn a_sites_own_list_is_checked_before_any_effect() {
    let service = two_shops().start();
    let event =
        whole("a", json!({ "type": "page_view", "page": { "url": "https://shop.example/" } }));
    for origin in [OTHERS, NOBODYS, ("Origin", "null"), ("Origin", "http://shop.example")] {
        for headers in [&[origin][..], &[origin, TEXT][..]] {
            assert_eq!(decide(&service, headers).status, 403, "{headers:?}");
            let events = json!([event]).to_string();
            let reply = service.send("POST", "/v1/events", headers, events.as_bytes());
            assert_eq!(reply.status, 403, "{headers:?}");
        }
    }
    assert_eq!(service.sessions_started(), 0.0);
    assert_eq!(service.metric("koekake_decisions_total", &[]), 0.0);
    assert_eq!(decide(&service, &[OWN, TEXT]).json()["show"], true);
    assert_eq!(decide(&service, &[]).status, 200, "programs send none");
    // One event of a site that does not take the page spoils the whole body, also for the other.
    let mut foreign = event.clone();
    foreign["site"] = "other".into();
    let mixed = json!([whole("b", json!({ "type": "cart" })), foreign]).to_string();
    let reply = service.send("POST", "/v1/events", &[OWN], mixed.as_bytes());
    assert_eq!(reply.status, 403);
    assert_eq!(service.sessions_started(), 1.0);
}

#[test]
fn a_preflight_is_answered_for_all_sites_and_errors_can_be_read_by_pages() {
    let service = two_shops().flag(Setting::RateLimit, "1,burst=9").start();
    let preflight = |origin: (&str, &str)| {
        let wants = [
            origin,
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", "content-type"),
        ];
        service.send("OPTIONS", "/v1/decide", &wants, b"")
    };
    let allowed = |reply: &Reply| reply.header("access-control-allow-origin").map(str::to_owned);
    for origin in [OWN, OTHERS] {
        let reply = preflight(origin);
        assert_eq!((reply.status, allowed(&reply).as_deref()), (200, Some(origin.1)));
        assert!(reply.header("access-control-allow-methods").unwrap().contains("POST"));
        assert_eq!(reply.header("access-control-allow-credentials"), None);
    }
    for origin in [NOBODYS, ("Origin", "null")] {
        assert_eq!(allowed(&preflight(origin)), None);
    }
    let mut statuses = Vec::new();
    let long = vec![b' '; 65 * 1024];
    let unknown = json!({ "site": "nowhere", "page": { "url": "https://shop.example/" } });
    for (headers, body) in [
        (vec![OWN], b"{}".to_vec()),
        (vec![OWN], unknown.to_string().into_bytes()),
        (vec![OWN], long),
        (vec![OWN, ("Content-Type", "text/html")], b"{}".to_vec()),
        (
            vec![OWN, ("Authorization", "Bearer nobody-knows-this-token-of-mine")],
            call("a", page("/")).to_string().into_bytes(),
        ),
        (vec![OTHERS], call("a", page("/")).to_string().into_bytes()),
    ] {
        let reply = service.send("POST", "/v1/decide", &headers, &body);
        assert_eq!(allowed(&reply).as_deref(), Some(headers[0].1), "{}", reply.text());
        assert!(reply.header("vary").unwrap().to_lowercase().contains("origin"));
        statuses.push(reply.status);
    }
    assert_eq!(statuses, [400, 404, 413, 415, 401, 403]);
    let refused = (0..9).map(|_| decide(&service, &[OWN])).find(|reply| reply.status == 429);
    let refused = refused.expect("one too many");
    assert_eq!(allowed(&refused).as_deref(), Some(OWN.1));
    let shown = refused.header("access-control-expose-headers").unwrap();
    assert!(shown.to_lowercase().contains("retry-after"));
}

#[test]
fn a_site_without_origins_takes_calls_from_any_page_that_has_one() {
    let service = shop("", &hello()).file("rules/shop/site.yaml", "name: Shop\n").start();
    let reply = decide(&service, &[NOBODYS]);
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("access-control-allow-origin"), Some(NOBODYS.1));
    assert_eq!(decide(&service, &[("Origin", "null")]).status, 403);
}

#[test]
fn a_key_that_one_of_the_sites_does_not_know_spoils_the_whole_body() {
    let service = two_shops().toml(TOKENS).start();
    let mut foreign = whole("a", json!({ "type": "cart" }));
    foreign["site"] = "other".into();
    let body = json!([whole("a", json!({ "type": "cart" })), foreign]).to_string();
    let reply = service.send("POST", "/v1/events", &[as_server()], body.as_bytes());
    assert_eq!(reply.status, 401);
    assert_eq!(service.sessions_started(), 0.0, "nothing of it is recorded");
}

#[test]
fn only_a_server_speaks_for_another() {
    let gb = rule("gb", "when: [ { location.country: GB }, { device.type: smartphone } ]");
    let site = "languages: [en, ja]";
    let geoip = root().join("tests/data/geoip/GeoLite2-City-Test.mmdb").display().to_string();
    let service = shop(site, &rules([gb, rule("bot", "priority: -1")]))
        .toml(TOKENS)
        .flag(Setting::Geoip, &geoip)
        .start();
    let mut body = call("a", page("/"));
    body["client"] = json!({
        "address": "81.2.69.160",
        "user_agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
    });
    let backend = ("User-Agent", "shop-backend/1.0");
    let refused = service.post(&body, &[backend]);
    assert_eq!((refused.status, refused.pointers()), (403, vec!["/client".to_owned()]));
    let wrong = bearer(&"x".repeat(40));
    assert_eq!(service.post(&body, &[backend, ("Authorization", &wrong)]).status, 401);
    assert_eq!(service.sessions_started(), 0.0);
    assert_eq!(service.post(&body, &[backend, as_server()]).json()["rule"], "gb");
    // A key is one site's.
    let two = shop("", &hello()).site("other", "", &hello()).toml(TOKENS).start();
    let mut other = body.clone();
    other["site"] = "other".into();
    other["page"]["url"] = "https://other.example/".into();
    assert_eq!(two.post(&other, &[backend, as_server()]).status, 401);
    // A server's own call without a client is a program's: no visitor, no prompt.
    let own = service.post(&call("b", page("/")), &[backend, as_server()]);
    assert_eq!(own.json()["reason"], "bot");
}

#[test]
fn on_loopback_a_token_is_made_for_the_run() {
    let service = shop("", &hello()).start();
    let token = service.made_token.clone().unwrap();
    assert!(token.len() >= 32);
    assert_eq!(service.send("GET", "/v1/rules", &[], b"").status, 401);
    let wrong = bearer(&"0".repeat(32));
    assert_eq!(service.send("GET", "/v1/rules", &[("Authorization", &wrong)], b"").status, 401);
    let all = service.send("GET", "/v1/rules", &[("Authorization", &bearer(&token))], b"").json();
    assert_eq!(all["sites"][0]["site"], "shop");
    assert_eq!(all["sites"][0]["rules"][0]["id"], "hello");
    assert_ne!(shop("", &hello()).start().made_token, Some(token));
}

#[test]
fn without_a_token_admin_routes_do_not_exist_where_others_reach_them() {
    let service = shop("", &hello()).flag(Setting::Listen, "0.0.0.0:0").start();
    assert_eq!(service.made_token, None);
    let mut client = service.connect();
    for path in ["/v1/rules", "/v1/reports/funnel", "/dashboard", "/demo"] {
        assert_eq!(client.get(path, &[("Authorization", &bearer(ADMIN))]).status, 404, "{path}");
    }
    assert_eq!(client.get("/metrics", &[]).status, 401);
    assert_eq!(client.get("/healthz", &[]).status, 200);
    assert_eq!(client.get("/readyz", &[]).status, 200);
    let mut put = |path: &str| client.send("PUT", path, &[], b"{\"online\":1}").status;
    assert_eq!(put("/v1/sites/shop/agents"), 401);
}

#[test]
fn with_a_token_metrics_and_rules_are_for_those_who_have_it() {
    let service = shop("", &hello()).admin().flag(Setting::Listen, "0.0.0.0:0").start();
    let mut client = service.connect();
    let token = bearer(ADMIN);
    for path in ["/metrics", "/v1/rules"] {
        assert_eq!(client.get(path, &[]).status, 401, "{path}");
        assert_eq!(client.get(path, &[("Authorization", &token)]).status, 200, "{path}");
        let twice = [("Authorization", token.as_str()), ("authorization", "Bearer x")];
        assert_eq!(client.get(path, &twice[..1]).status, 200);
    }
    let unknown = bearer("nobody-knows-this-token-of-mine");
    assert_eq!(decide_over(&mut client, &unknown), 401, "whoever shows a token means it");
}

fn decide_over(client: &mut Client, authorization: &str) -> u16 {
    let body = call("a", page("/")).to_string();
    client.send("POST", "/v1/decide", &[("Authorization", authorization)], body.as_bytes()).status
}

#[test]
fn an_admin_listener_takes_the_admin_routes_from_the_public_one() {
    let service = shop("", &hello()).admin().flag(Setting::AdminListen, "127.0.0.1:0").start();
    let mut admin = Client::connect(loopback(service.admin_address.unwrap()));
    let token = [("Authorization", "Bearer admin-0123456789abcdef0123456789abcdef")];
    assert_eq!(service.send("GET", "/v1/rules", &token, b"").status, 404);
    assert_eq!(admin.get("/v1/rules", &token).status, 200);
    assert_eq!(admin.get("/metrics", &[]).status, 200);
    assert_eq!(admin.get("/readyz", &[]).status, 200);
    let decide = admin.send("POST", "/v1/decide", &[], call("a", page("/")).to_string().as_bytes());
    assert_eq!(decide.status, 404, "visitors have no business there");
}

#[test]
fn a_read_only_token_reads() {
    const READER: &str = "reader-0123456789abcdef0123456789abcdef";
    let service = shop("", &hello())
        .toml("admin_token_file = \"tokens\"")
        .file("tokens", &format!("full {ADMIN}\nread-only {READER}\n"))
        .start();
    let (reader, full) = (bearer(READER), bearer(ADMIN));
    let send = |method: &str, path: &str, token: &str, body: &str| {
        service.send(method, path, &[("Authorization", token)], body.as_bytes()).status
    };
    let visitor = "/v1/sites/shop/visitors/customer-7";
    assert_eq!(send("GET", "/v1/rules", &reader, ""), 200);
    assert_eq!(send("GET", visitor, &reader, ""), 404);
    assert_eq!(send("PUT", visitor, &reader, r#"{"attributes":{"plan":"pro"}}"#), 403);
    assert_eq!(send("PUT", "/v1/sites/shop/agents", &reader, r#"{"online":1}"#), 403);
    assert_eq!(send("DELETE", visitor, &reader, ""), 403);
    assert_eq!(send("PUT", visitor, &full, r#"{"attributes":{"plan":"pro"}}"#), 204);
    assert_eq!(send("GET", visitor, &reader, ""), 200);
    assert_eq!(send("DELETE", visitor, &full, ""), 204);
    assert_eq!(send("PUT", "/v1/sites/nowhere/agents", &full, r#"{"online":1}"#), 404);
    assert_eq!(send("PUT", "/v1/sites/nowhere/agents", "Basic abc", r#"{"online":1}"#), 401);
}

#[test]
fn one_address_asks_so_often_and_known_tokens_as_often_as_they_like() {
    let service = shop("", &hello()).toml(TOKENS).flag(Setting::RateLimit, "1,burst=3").start();
    let statuses: Vec<u16> = (0..5).map(|_| decide(&service, &[]).status).collect();
    assert_eq!(statuses[..3], [200, 200, 200]);
    assert_eq!(statuses[4], 429);
    let refused = (0..5).map(|_| decide(&service, &[])).find(|reply| reply.status == 429).unwrap();
    assert!(refused.header("retry-after").unwrap().parse::<u32>().unwrap() >= 1);
    let body = json!([whole("a", json!({ "type": "cart" }))]).to_string();
    let events = |headers: &[(&str, &str)]| {
        (0..5).map(|_| service.send("POST", "/v1/events", headers, body.as_bytes()).status).max()
    };
    assert_eq!(events(&[]), Some(429), "both routes count together");
    assert_eq!(events(&[as_server()]), Some(202));
    let wrong = bearer("nobody-knows-this-token-of-mine");
    assert_eq!(decide(&service, &[("Authorization", &wrong)]).status, 429, "a guess is counted");
    let forged = ("X-Forwarded-For", "203.0.113.77");
    assert_eq!(decide(&service, &[forged]).status, 429, "an address is not the caller's to choose");
    assert_eq!(service.send("GET", "/healthz", &[], b"").status, 200);
    assert_eq!(service.sessions_started(), 1.0);
}

#[test]
fn behind_a_trusted_proxy_each_visitor_has_an_allowance() {
    let service = shop("", &hello())
        .flag(Setting::TrustedProxies, "127.0.0.1")
        .flag(Setting::RateLimit, "1,burst=1")
        .start();
    for address in ["203.0.113.1", "203.0.113.2", "2001:db8:1::1", "2001:db8:2::1"] {
        assert_eq!(decide(&service, &[("X-Forwarded-For", address)]).status, 200, "{address}");
    }
    let again = ("X-Forwarded-For", "198.51.100.1, 203.0.113.2");
    assert_eq!(decide(&service, &[again]).status, 429, "the proxy's word, not the visitor's");
}

#[test]
fn a_forwarded_address_counts_only_through_a_trusted_proxy() {
    let geoip = root().join("tests/data/geoip/GeoLite2-City-Test.mmdb").display().to_string();
    let start = |proxies: &str| {
        shop("", &rules([rule("gb", "when: [ { location.country: GB } ]")]))
            .flag(Setting::Geoip, &geoip)
            .flag(Setting::TrustedProxies, proxies)
            .start()
    };
    let mut session = 0;
    let mut is_gb = |service: &Service, header: (&str, &str)| {
        session += 1;
        let more = page("/");
        service.ask_with(&format!("s{session}"), more, &[header])["show"] == true
    };
    let plain = start("");
    assert!(!is_gb(&plain, ("X-Forwarded-For", "81.2.69.160")));
    assert!(!is_gb(&plain, ("Forwarded", "for=81.2.69.160")));
    let behind = start("127.0.0.0/8, 10.0.0.0/8");
    assert!(is_gb(&behind, ("X-Forwarded-For", "81.2.69.160")));
    assert!(is_gb(&behind, ("X-Forwarded-For", "81.2.69.160, 10.1.2.3")));
    assert!(is_gb(&behind, ("X-Forwarded-For", "203.0.113.9, 81.2.69.160")));
    assert!(!is_gb(&behind, ("X-Forwarded-For", "81.2.69.160, 203.0.113.9")), "forged");
    assert!(!is_gb(&behind, ("X-Forwarded-For", "nonsense")));
    assert!(is_gb(&behind, ("Forwarded", "for=81.2.69.160;proto=https")));
}
