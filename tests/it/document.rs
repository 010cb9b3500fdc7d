//! `/openapi.json` tells of every route there is, and of none that there is not. That answers are
//! what it says, every test here holds by its client.

use std::collections::BTreeSet;

use regex::Regex;
use serde_json::json;

use crate::schema::API;
use crate::service::{ADMIN, root, rule, rules, shop};

fn routes() -> BTreeSet<&'static str> {
    API["paths"].as_object().unwrap().keys().map(String::as_str).collect()
}

#[test]
fn the_document_is_served_and_is_openapi_3_1() {
    let service = shop("", &rules([rule("hello", "")])).start();
    let reply = service.send("GET", "/openapi.json", &[], b"");
    assert_eq!(reply.json(), *API);
    assert_eq!(reply.json()["openapi"], "3.1.0");
}

#[test]
fn no_route_is_undocumented() {
    fn search(folder: &std::path::Path, found: &mut BTreeSet<String>) {
        let route = Regex::new(r#"web::resource\(\s*"([^"]+)""#).unwrap();
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                search(&path, found);
            } else if !path.to_string_lossy().ends_with("tests.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.extend(route.captures_iter(&text).map(|found| found[1].to_owned()));
            }
        }
    }
    let mut mounted = BTreeSet::new();
    search(&root().join("src"), &mut mounted);
    assert!(mounted.contains("/v1/decide"), "{mounted:?}");
    let documented: BTreeSet<String> = routes().into_iter().map(str::to_owned).collect();
    assert_eq!(mounted, documented);
}

#[test]
fn every_documented_route_is_there_with_its_methods_and_asks_for_what_it_says() {
    let service = shop("", &rules([rule("hello", "")])).admin().start();
    let token = format!("Bearer {ADMIN}");
    for (path, methods) in API["paths"].as_object().unwrap() {
        let concrete = path.replace("{site}", "shop").replace("{id}", "customer-7");
        for (method, operation) in methods.as_object().unwrap() {
            let method = method.to_uppercase();
            let body: &[u8] = if matches!(method.as_str(), "POST" | "PUT") { b"{}" } else { b"" };
            let needs_token = operation["security"].as_array().is_some_and(|all| {
                !all.is_empty() && all.iter().all(|one| !one.as_object().unwrap().is_empty())
            });
            let reply = service.send(&method, &concrete, &[], body);
            assert_ne!(reply.status, 405, "{method} {path}");
            assert_eq!(reply.status == 401, needs_token, "{method} {path}: {}", reply.text());
            let allowed = [("Authorization", token.as_str())];
            let reply = service.send(&method, &concrete, &allowed, body);
            let is_there = reply.status != 404 || reply.text().contains("stored");
            assert!(is_there && reply.status < 500, "{method} {path}: {}", reply.text());
        }
    }
}

#[test]
fn a_visitors_id_may_hold_what_customers_numbers_hold() {
    let service = shop("", &rules([rule("hello", "")])).admin().start();
    let token = format!("Bearer {ADMIN}");
    let allowed = [("Authorization", token.as_str())];
    let body = json!({ "attributes": { "plan": "pro" } }).to_string();
    for (path, id) in [
        ("customer-7", "customer-7"),
        ("a%40b.example", "a@b.example"),
        ("a%20b%2Fc", "a b/c"),
        ("%E9%A1%A7%E5%AE%A2", "顧客"),
        ("100%25", "100%"),
    ] {
        let path = format!("/v1/sites/shop/visitors/{path}");
        assert_eq!(service.send("PUT", &path, &allowed, body.as_bytes()).status, 204, "{path}");
        let stored = service.send("GET", &path, &allowed, b"");
        assert_eq!((stored.status, &stored.json()["id"]), (200, &json!(id)));
    }
    let long = format!("/v1/sites/shop/visitors/{}", "x".repeat(257));
    for (method, body) in [("PUT", body.as_str()), ("GET", ""), ("DELETE", "")] {
        assert_eq!(service.send(method, &long, &allowed, body.as_bytes()).status, 400, "{method}");
    }
}
