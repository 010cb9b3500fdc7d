//! What operators are told of changes: by the log, by `/v1/rules`, by the answer of a reload and on
//! the terminal, in the same words.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::client::Client;
use crate::service::{ADMIN, Folder, rule, rules, shop, until};

const SITE: &str = "name: Shop\norigins: [\"https://shop.example\"]\n";
const BROKEN: &str = "rules:\n  - id: hello\n    when: [ { page.pth: /x }, { session.duration: soon } ]\n    prompt: { message: \"{{ agent }\" }\n";

/// The real binary, its log lines as they come.
struct Binary {
    child: Child,
    address: String,
    log: Arc<Mutex<Vec<Value>>>,
}

fn command(folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_koekake"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KOEKAKE_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).stdin(Stdio::null());
    command
}

impl Binary {
    fn start(folder: &Path) -> Self {
        let mut child = command(folder)
            .args(["serve", "--listen", "127.0.0.1:0", "--geoip", "none", "--data", "none"])
            .args(["--log-format", "json"])
            .env("KOEKAKE_ADMIN_TOKEN", ADMIN)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::<Mutex<Vec<Value>>>::default();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
        let kept = log.clone();
        std::thread::spawn(move || {
            lines.for_each(|line| kept.lock().unwrap().push(serde_json::from_str(&line).unwrap()));
        });
        let mut said = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut said).unwrap();
        let address = said.trim().rsplit('/').next().unwrap().to_owned();
        Self { child, address, log }
    }

    fn logged(&self, holds: impl Fn(&Value) -> bool) -> bool {
        self.log.lock().unwrap().iter().any(holds)
    }

    fn operate(&self, method: &str, path: &str) -> Value {
        let token = format!("Bearer {ADMIN}");
        let mut client = Client::connect(self.address.parse().unwrap());
        client.send(method, path, &[("Authorization", &token)], b"").json()
    }
}

impl Drop for Binary {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn texts(findings: &Value) -> Vec<String> {
    let findings = findings.as_array().unwrap().iter();
    findings.map(|finding| finding["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn log_route_reload_and_terminal_say_the_same() {
    let folder = Folder::new();
    folder.write("rules/shop/site.yaml", SITE);
    folder.write("rules/shop/rules.yaml", &rules([rule("hello", "")]));
    let binary = Binary::start(&folder.path(""));
    folder.write("rules/shop/rules.yaml", BROKEN);
    let stays = "the site's rules did not load; those in use stay";
    until("the refusal", || binary.logged(|line| line["message"] == stays));

    let standing = binary.operate("GET", "/v1/rules")["sites"][0].clone();
    let told = texts(&standing["rejected"]["findings"]);
    assert_eq!(told.len(), 3, "{told:#?}");
    assert_eq!(standing["loaded"], true);
    for text in &told {
        assert!(binary.logged(|line| line["message"] == **text), "not in the log: {text}");
    }
    let answer = binary.operate("POST", "/v1/rules/reload");
    assert_eq!(answer["ok"], false);
    assert_eq!(texts(&answer["sites"][0]["findings"]), told);

    let check = ["check", "rules", "--format", "json"];
    let check = command(&folder.path("")).args(check).output().unwrap();
    assert_eq!(check.status.code(), Some(1));
    let check: Value = serde_json::from_slice(&check.stdout).unwrap();
    assert_eq!(texts(&check["sites"][0]["findings"]), told);
    let terminal = command(&folder.path("")).args(["check", "rules"]).output().unwrap();
    let terminal = String::from_utf8(terminal.stdout).unwrap();
    let all = told.iter().fold(String::new(), |all, text| all + text + "\n\n");
    assert!(terminal.starts_with(&all), "{terminal}");
}

#[cfg(unix)]
#[test]
fn a_hangup_reloads_and_does_not_end_it() {
    let folder = Folder::new();
    folder.write("rules/shop/site.yaml", SITE);
    folder.write("rules/shop/rules.yaml", &rules([rule("hello", "")]));
    let mut binary = Binary::start(&folder.path(""));
    let hangup = || {
        let id = binary.child.id().to_string();
        assert!(Command::new("kill").args(["-HUP", &id]).status().unwrap().success());
    };
    hangup();
    let unchanged = "rules and places were read anew: nothing has changed";
    until("the word of it", || binary.logged(|line| line["message"] == unchanged));
    folder.write("rules/shop/rules.yaml", &rules([rule("hello", ""), rule("second", "")]));
    hangup();
    until("both rules", || {
        binary.logged(|line| line["message"] == "rules loaded" && line["rules"] == 2)
    });
    assert!(binary.child.try_wait().unwrap().is_none());
}

#[test]
fn a_reload_answers_with_what_changed_or_what_is_wrong() {
    let service = shop("", &rules([rule("a", ""), rule("b", "")]))
        .site("other", "", &rules([rule("a", "")]))
        .admin()
        .start();
    let before = service.standing("shop")["version"].clone();
    service.folder.write(
        "rules/shop/rules.yaml",
        // Another layout and a comment are no change of `a`.
        &format!("rules:\n  # the first\n{}{}", rule("a", "").replace(", ", ",  "), rule("c", "")),
    );
    let answer = service.operate("POST", "/v1/rules/reload");
    assert_eq!((&answer["ok"], &answer["changed"]), (&json!(true), &json!(true)), "{answer}");
    let shop = &answer["sites"][1];
    assert_eq!(shop["outcome"], "changed");
    assert_eq!((&shop["version_before"], shop["version"] == before), (&before, false));
    assert_eq!(shop["rules"], json!({ "added": ["c"], "removed": ["b"], "changed": [] }));
    assert_eq!(shop["site_settings_changed"], false);
    assert_eq!(answer["sites"][0]["outcome"], "unchanged");

    service.folder.write("rules/shop/rules.yaml", BROKEN);
    service.folder.write("rules/third/site.yaml", &SITE.replace("shop", "third"));
    for _ in 0..2 {
        let answer = service.operate("POST", "/v1/rules/reload");
        assert_eq!(answer["ok"], false);
        let (shop, third) = (&answer["sites"][1], &answer["sites"][2]);
        assert_eq!((&shop["outcome"], texts(&shop["findings"]).len()), (&json!("rejected"), 3));
        assert!(matches!(third["outcome"].as_str(), Some("added" | "unchanged")), "{third}");
    }
    let rejected = [("site", "shop"), ("result", "rejected")];
    assert_eq!(service.metric("koekake_rules_reloads_total", &rejected), 1.0, "read once");
    fs::remove_dir_all(service.folder.path("rules/third")).unwrap();
    let answer = service.operate("POST", "/v1/rules/reload");
    assert_eq!(answer["sites"][2]["outcome"], "removed", "{answer}");
}

#[test]
fn only_operators_with_a_full_token_reload() {
    let service = shop("", &rules([rule("a", "")]))
        .file("tokens", &format!("full {ADMIN}\nread-only reader-0123456789abcdef\n"))
        .toml("admin_token_file = \"tokens\"")
        .start();
    let status = |method: &str, token: &str| {
        let token = format!("Bearer {token}");
        service.send(method, "/v1/rules/reload", &[("Authorization", &token)], b"").status
    };
    assert_eq!(service.send("POST", "/v1/rules/reload", &[], b"").status, 401);
    assert_eq!(status("POST", "reader-0123456789abcdef"), 403);
    assert_eq!(status("GET", ADMIN), 405);
    assert_eq!(status("POST", ADMIN), 200);
}

#[test]
fn every_rule_tells_its_state() {
    let all = rules([
        rule("live", "hours: office, rollout: 50%, holdout: 10%"),
        rule("shadow", "mode: shadow"),
        rule("off", "mode: off"),
        rule("not-yet", "active: { from: 2026-12-01 }"),
        rule("over", "active: { until: 2026-10-31 }"),
        rule("now", "active: { from: 2026-11-01, until: 2026-11-30 }"),
    ]);
    let site = "time_zone: Asia/Tokyo\nhours: { office: { open: \"Mo-Fr 09:00-18:00\" } }";
    let service = shop(site, &all).admin().start();
    let standing = service.standing("shop");
    let one = |id: &str| {
        let rules = standing["rules"].as_array().unwrap();
        rules.iter().find(|rule| rule["id"] == id).unwrap().clone()
    };
    for (id, state) in [
        ("live", "live"),
        ("shadow", "shadow"),
        ("off", "off"),
        ("not-yet", "not_yet"),
        ("over", "over"),
        ("now", "live"),
    ] {
        assert_eq!(one(id)["state"], state, "{id}");
    }
    assert_eq!(one("live")["hours"], json!({ "name": "office", "outside": false, "open": true }));
    assert_eq!((&one("live")["rollout"], &one("live")["holdout"]), (&json!(0.5), &json!(0.1)));
    assert_eq!(one("now")["active"]["from"], "2026-10-31T15:00:00+00:00");
    assert_eq!(one("now")["active"]["until"], "2026-11-30T15:00:00+00:00");
    assert_eq!(one("live")["active"], json!({ "from": null, "until": null }));
    assert_eq!(standing["since"], "2026-11-20T01:00:00+00:00");
    assert_eq!(standing["files"].as_array().unwrap().len(), 2);
    assert_eq!((&standing["rejected"], &standing["from_copy"]), (&Value::Null, &json!(false)));
}
