//! Sixteen connections ask while rules are reloaded two hundred times, good ones and bad: every
//! request is answered, and every answer is of one set.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::service::{call, page, shop};

const RELOADS: usize = 200;
const CONNECTIONS: usize = 16;
/// So that every answer is a prompt.
const CAPS: &str = "caps: { per_session: 1000000, between: 0, cooldown: 0 }";

/// A set in which everything names the same number: the rule, its message, a text of the site and
/// the shop's variable, from two files.
fn set(number: usize) -> (String, String) {
    let site = format!(
        "name: Shop\norigins: [\"https://shop.example\"]\n{CAPS}\nvariables: {{ edition: v{number} }}\n\
         segments:\n  all: {{ page.path: {{ under: / }} }}\n"
    );
    let rules = format!(
        "rules:\n  - id: rule-v{number}\n    when: [ {{ segment: all }} ]\n    prompt: {{ message: \"v{number} {{{{ variables.edition }}}}\" }}\n"
    );
    (site, rules)
}

/// Ends what the connections do.
struct Over<'a>(&'a AtomicBool);

impl Drop for Over<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn no_request_fails_and_no_answer_is_of_two_sets() {
    let (_, first) = set(0);
    let site = "variables: { edition: v0 }\nsegments: { all: { page.path: { under: / } } }";
    let service = shop(&format!("{CAPS}\n{site}"), &first).admin().start();
    let is_over = AtomicBool::new(false);
    // What was answered under each version.
    let seen = Mutex::new(BTreeMap::<String, BTreeMap<String, u64>>::new());
    let mut versions = BTreeMap::new();
    let version = service.standing("shop")["version"].as_str().unwrap().to_owned();
    versions.insert(version, "v0".to_owned());
    std::thread::scope(|scope| {
        // Also where this thread fails.
        let over = Over(&is_over);
        for connection in 0..CONNECTIONS {
            let (service, seen, is_over) = (&service, &seen, &is_over);
            scope.spawn(move || {
                let mut client = service.connect();
                let body = call(&format!("s{connection}"), page("/")).to_string();
                while !is_over.load(Ordering::Relaxed) {
                    let headers = [("Origin", "https://shop.example")];
                    let reply = client.send("POST", "/v1/decide", &headers, body.as_bytes());
                    assert_eq!(reply.status, 200, "{}", reply.text());
                    let answer = reply.json();
                    assert_eq!(answer["show"], true, "{answer}");
                    let rule = answer["rule"].as_str().unwrap().trim_start_matches("rule-");
                    let message = answer["prompt"]["message"].as_str().unwrap();
                    assert_eq!(message, format!("{rule} {rule}"), "of two sets: {answer}");
                    let version = answer["rules_version"].as_str().unwrap().to_owned();
                    let mut seen = seen.lock().unwrap();
                    *seen.entry(version).or_default().entry(rule.to_owned()).or_default() += 1;
                }
            });
        }
        for number in 1..=RELOADS {
            let (site, rules) = set(number);
            let is_good = number % 2 == 0;
            service.folder.write("rules/shop/site.yaml", &site);
            let rules = if is_good { rules } else { rules.replace("segment: all", "segment: al") };
            service.folder.write("rules/shop/rules.yaml", &rules);
            let answer = service.operate("POST", "/v1/rules/reload");
            let site = &answer["sites"][0];
            // It is "unchanged" where its own eyes were quicker.
            let is_live = site["outcome"] == "changed" || site["outcome"] == "unchanged";
            assert_eq!(is_live, is_good, "{answer}");
            assert_eq!(answer["ok"], json!(is_good));
            if is_good {
                versions.insert(site["version"].as_str().unwrap().to_owned(), format!("v{number}"));
            }
        }
        drop(over);
    });
    let seen = seen.into_inner().unwrap();
    for (version, rules) in &seen {
        let wanted = versions.get(version).unwrap_or_else(|| panic!("{version} was never in use"));
        assert_eq!(rules.keys().collect::<Vec<_>>(), [wanted], "{version}");
    }
    assert_eq!(versions.len(), 1 + RELOADS / 2);
    assert!(seen.len() > RELOADS / 4, "only {} sets were seen", seen.len());
    let answered: u64 = seen.values().flat_map(BTreeMap::values).sum();
    assert_eq!(service.decisions("rule_matched"), answered as f64);
}
