//! The verbs for those who write rules, run as they run them: `check` in its formats, `new`,
//! `preview`, `schema`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::pedantic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

static COUNT: AtomicU64 = AtomicU64::new(0);

/// A folder of this test's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("koekake-check-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.0.join(name)).unwrap()
    }

    /// Runs the command in it; its exit code, and what it wrote to both outputs.
    fn run(&self, arguments: &[&str]) -> (i32, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_koekake"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KOEKAKE_")) {
            command.env_remove(name);
        }
        let out = command.current_dir(&self.0).args(arguments).output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (out.status.code().unwrap(), text(out.stdout), text(out.stderr))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

const SITE: &str = "origins: [\"https://shop.example\"]\ntime_zone: Asia/Tokyo\n\
                    hours: { support: \"Mo-Fr 09:00-18:00\" }\n";
const FINE: &str = "\
rules:
  - id: fine
    hours: support
    when: { page.path: { under: /pricing } }
    prompt: { message: \"Any question?\" }
    examples:
      - { given: { page.path: /pricing }, expect: show }
";

fn shop(rules: &str) -> Folder {
    let folder = Folder::new();
    folder.write("rules/shop/site.yaml", SITE);
    folder.write("rules/shop/rules.yaml", rules);
    folder
}

/// One error, one warning, one hint, and an example that fails.
const MIXED: &str = "\
rules:
  - id: never
    hours: support
    when: { page.time_on_page: { at_least: 60s, at_most: 5s } }
    prompt: { message: \"50%, off: any question?\" }
    allow: { no-example: \"cannot have one\" }
  - id: unlike
    hours: support
    when:
      - page.path: { under: /pricing }
      - any: [ { page.idle: { at_least: 40s } }, { cart.items: { at_least: 1 } } ]
    prompt: { message: Hello }
    examples:
      - name: somebody elsewhere
        given: { page.path: /pricing-old }
        expect: show
";

#[test]
fn what_it_ends_with_is_up_to_the_caller() {
    let fine = shop(FINE);
    let (code, out, _) = fine.run(&["check"]);
    assert_eq!(
        (code, out.as_str()),
        (0, "shop: 1 rule, 1 example, 0 errors, 0 warnings, 0 hints\n")
    );
    assert_eq!(fine.run(&["check", "--fail-on", "hint"]).0, 0);

    let hinted = shop(&FINE.replace("Any question?", "We are open."));
    assert_eq!(hinted.run(&["check"]).0, 0);
    assert_eq!(hinted.run(&["check", "--fail-on", "warning"]).0, 0);
    let (code, out, _) = hinted.run(&["check", "rules/shop", "--fail-on", "hint"]);
    assert_eq!(code, 1);
    assert!(out.starts_with("hint[no-question]: "), "{out}");
    assert!(out.ends_with("0 warnings, 1 hint\n"), "{out}");

    let warned = shop(&FINE.replace("under: /pricing", "under: /a, is: /b/c"));
    let warned_examples = warned.run(&["check", "--fail-on", "warning"]);
    assert_eq!(warned_examples.0, 1, "{}", warned_examples.1);

    let (code, _, err) = Folder::new().run(&["check", "nowhere"]);
    assert_eq!(code, 2, "{err}");
}

#[test]
fn a_failing_example_shows_what_decided_it() {
    let helps = |rules: &str| -> Vec<String> {
        let (_, out, _) = shop(rules).run(&["check", "--format", "json"]);
        let report: Value = serde_json::from_str(&out).unwrap();
        let findings = report["sites"][0]["findings"].as_array().unwrap().clone();
        let examples = findings.iter().filter(|finding| finding["code"] == "example");
        examples.map(|finding| finding["help"].as_str().unwrap().to_owned()).collect()
    };
    let rule = |when: &str, example: &str| {
        format!(
            "rules:\n  - id: a\n    hours: support\n    when: {when}\n    prompt: {{ message: Hello? }}\n    \
             examples: [ {{ {example} }} ]\n"
        )
    };
    for (when, example, wanted) in [
        (
            "{ page.path: { under: /pricing } }",
            "given: { page.path: /pricing-old }, expect: show",
            "it was stopped by `page.path` (wanted is under /pricing; it is /pricing-old)",
        ),
        (
            "{ not: { location.country: JP } }",
            "given: { location.country: JP }, expect: show",
            "it was stopped by `location.country` (wanted not: is JP; it is JP)",
        ),
        (
            "[ { any: [ { page.idle: { at_least: 40s } }, { visitor.attributes.plan: pro } ] } ]",
            "given: { page.idle: 5s }, expect: show",
            "it was stopped by `any`, of which none holds: `page.idle` (wanted is at least 40s; it \
             is 5s); `visitor.attributes.plan` (wanted is pro; it is missing)",
        ),
        (
            "{ page.path: / }",
            "given: { at: \"2026-11-22T10:00:00+09:00\" }, expect: show",
            "it was stopped by `hours`: `support` is closed at Sun 2026-11-22 10:00 JST",
        ),
        (
            "{ page.path: / }",
            "given: { page.path: / }, expect: no_match",
            "all that it asks for is there: `page.path` (wanted is /; it is /)",
        ),
        (
            "{ page.time_on_page: { at_least: 60s } }",
            "given: { page.time_on_page: 20s }, expect: no_match",
            "it was stopped by `page.time_on_page` (wanted is at least 60s; it is 20s); it could \
             still show on this page: after 40s",
        ),
        (
            "{ page.path: /a/b }",
            "given: { page.path: / }, expect: not_yet",
            "it was stopped by `page.path` (wanted is /a/b; it is /), and nothing that happens on \
             this page changes that",
        ),
    ] {
        assert_eq!(helps(&rule(when, example)), [wanted], "{when}");
    }
}

#[test]
fn github_gets_annotations() {
    let folder = shop(MIXED);
    folder.write("rules/shop/old.yml", "");
    let (code, out, _) = folder.run(&["check", "--format", "github"]);
    assert_eq!(code, 1);
    let lines: Vec<&str> = out.lines().collect();
    assert_eq!(lines.len(), 4, "{out}");
    assert!(
        lines[0].starts_with("::warning title=koekake%3A shop::rules/shop/old.yml is not read")
    );
    let first = "::warning file=rules/shop/rules.yaml,line=4,endLine=4,col=13,endColumn=62,\
                 title=never-shows::no visit meets";
    assert!(lines[1].starts_with(first), "{out}");
    assert!(lines[2].starts_with("::notice file=rules/shop/rules.yaml,line=12,"), "{out}");
    assert!(lines[3].starts_with("::error file=rules/shop/rules.yaml,line=14,"), "{out}");
    assert!(lines[3].contains("title=example::the rule `unlike` does not"), "{out}");
    assert!(lines[3].contains("%0Ait was stopped by `page.path`"), "{out}");
}

/// What SARIF 2.1.0's own schema requires, and the bounds that it sets, of the parts that are used.
fn sarif_schema() -> Value {
    let message = json!({ "type": "object", "required": ["text"],
        "properties": { "text": { "type": "string", "minLength": 1 } } });
    let level = json!({ "enum": ["none", "note", "warning", "error"] });
    let whole = json!({ "type": "integer", "minimum": 1 });
    let uri = json!({ "type": "string", "pattern": r"^[A-Za-z0-9._~:/%-]+$" });
    let location = json!({ "type": "object", "properties": { "physicalLocation": {
        "type": "object", "required": ["artifactLocation"], "properties": {
            "artifactLocation": { "type": "object", "properties": { "uri": uri } },
            "region": { "type": "object", "properties": {
                "startLine": whole, "startColumn": whole, "endLine": whole, "endColumn": whole } },
        } } } });
    let result = json!({ "type": "object", "required": ["message"], "properties": {
        "ruleId": { "type": "string" }, "level": level, "message": message,
        "locations": { "type": "array", "items": location } } });
    let rule = json!({ "type": "object", "required": ["id"], "properties": {
        "id": { "type": "string" }, "shortDescription": message,
        "defaultConfiguration": { "type": "object", "properties": { "level": level } } } });
    let invocation = json!({ "type": "object", "required": ["executionSuccessful"], "properties": {
        "executionSuccessful": { "type": "boolean" },
        "toolExecutionNotifications": { "type": "array", "items": { "type": "object",
            "required": ["message"], "properties": { "message": message, "level": level } } } } });
    let run = json!({ "type": "object", "required": ["tool"], "properties": {
        "tool": { "type": "object", "required": ["driver"], "properties": { "driver": {
            "type": "object", "required": ["name"], "properties": {
                "name": { "type": "string" },
                "semanticVersion": { "type": "string" },
                "rules": { "type": "array", "items": rule, "uniqueItems": true } } } } },
        "columnKind": { "enum": ["utf16CodeUnits", "unicodeCodePoints"] },
        "invocations": { "type": "array", "items": invocation },
        "results": { "type": "array", "items": result } } });
    json!({ "type": "object", "required": ["version", "runs"], "properties": {
        "$schema": { "type": "string", "format": "uri" },
        "version": { "const": "2.1.0" },
        "runs": { "type": "array", "items": run } } })
}

#[test]
fn code_scanning_gets_sarif() {
    let schema = jsonschema::draft202012::new(&sarif_schema()).unwrap();
    let broken = FINE.replace("under", "undr");
    for (rules, levels) in
        [(FINE, vec![]), (MIXED, vec!["warning", "note", "error"]), (&broken, vec!["error"])]
    {
        let (code, out, _) = shop(rules).run(&["check", "--format", "sarif"]);
        let log: Value = serde_json::from_str(&out).unwrap();
        let complaints: Vec<String> = schema.iter_errors(&log).map(|e| e.to_string()).collect();
        assert!(complaints.is_empty(), "{complaints:#?}");
        let results = log["runs"][0]["results"].as_array().unwrap();
        let found: Vec<&str> = results.iter().map(|r| r["level"].as_str().unwrap()).collect();
        assert_eq!(found, levels);
        assert_eq!(code, i32::from(levels.contains(&"error")));
        let known = log["runs"][0]["tool"]["driver"]["rules"].as_array().unwrap();
        for result in results {
            assert!(known.iter().any(|rule| rule["id"] == result["ruleId"]), "{result}");
            let place = &result["locations"][0]["physicalLocation"];
            assert_eq!(place["artifactLocation"]["uri"], "rules/shop/rules.yaml");
        }
    }
}

#[test]
fn a_new_site_is_found_fault_with_by_nobody() {
    let folder = Folder::new();
    let (code, out, err) = folder.run(&["new", "site", "my-shop"]);
    assert_eq!(code, 0, "{err}");
    assert!(out.contains("koekake check rules/my-shop"), "{out}");
    let (code, out, _) = folder.run(&["check", "--fail-on", "hint"]);
    assert_eq!(
        (code, out.as_str()),
        (0, "my-shop: 1 rule, 2 examples, 0 errors, 0 warnings, 0 hints\n")
    );

    let before = folder.read("rules/my-shop/site.yaml");
    let (code, _, err) = folder.run(&["new", "site", "my-shop"]);
    assert_eq!(code, 2);
    assert!(err.contains("is there already; nothing was written"), "{err}");
    assert_eq!(folder.read("rules/my-shop/site.yaml"), before);
    let (code, _, err) = folder.run(&["new", "site", "../evil"]);
    assert_eq!((code, err.contains("cannot be a site's key")), (2, true), "{err}");
}

#[test]
fn a_new_rule_suits_its_site() {
    for site in [
        "languages: [en, ja, pl]\nhours: { always: \"24/7\" }\n",
        "languages: [ja, en-GB]\nhours: { night: { open: \"Fr 22:00-02:00\", time_zone: Europe/Berlin } }\n",
        "languages: [de]\n",
    ] {
        let folder = Folder::new();
        let head = "origins: [\"https://shop.example\"]\ntime_zone: Asia/Tokyo\n";
        folder.write("rules/shop/site.yaml", &format!("{head}{site}"));
        let (code, out, err) = folder.run(&["new", "rule", "shop/gift-advice"]);
        assert_eq!(code, 0, "{err}");
        assert!(out.contains("koekake preview shop/gift-advice"), "{out}");
        let (code, out, _) = folder.run(&["check", "--fail-on", "hint"]);
        assert_eq!(code, 0, "{out}\n{}", folder.read("rules/shop/gift-advice.yaml"));

        let (code, _, err) = folder.run(&["new", "rule", "shop/gift-advice"]);
        assert_eq!((code, err.contains("nothing was written")), (2, true), "{err}");
    }
    // A name that YAML reads as nothing, in a folder that is named.
    let folder = Folder::new();
    assert_eq!(folder.run(&["new", "site", "null", "--in", "sites"]).0, 0);
    assert_eq!(folder.run(&["new", "rule", "null/null", "--in", "sites"]).0, 0);
    let (code, out, _) = folder.run(&["check", "sites", "--fail-on", "hint"]);
    assert_eq!(code, 0, "{out}");

    let folder = shop(FINE);
    for (name, wanted) in [
        ("fine", "koekake new rule demo-shop/fine"),
        ("shop/fine", "the rule `fine` is there already, in rules/shop/rules.yaml"),
        ("nobody/a", "`koekake new site nobody` begins one"),
        ("shop/a b", "cannot be a rule's id"),
        ("shop/../../a", "cannot be a rule's id"),
    ] {
        let (code, _, err) = folder.run(&["new", "rule", name]);
        assert_eq!((code, err.contains(wanted)), (2, true), "{name}: {err}");
    }
}

#[test]
fn a_preview_shows_each_language_and_variant() {
    let rules = "\
rules:
  - id: greet
    hours: support
    prompt:
      title: { en: Hello, ja: こんにちは }
      message: { en: \"Hi{% if visitor.name %} {{ visitor.name }}{% endif %}, any question?\", ja: \"ご質問は？\" }
      actions: [ { kind: link, label: { en: Help, ja: ヘルプ }, url: /help } ]
";
    let folder = shop(rules);
    folder.write("rules/shop/site.yaml", &format!("{SITE}languages: [en, ja]\n"));
    let (code, out, err) = folder.run(&["preview", "shop/greet"]);
    assert_eq!(code, 0, "{err}");
    let wanted = "\
shop/greet, variant default, en
with sample values of visitor.name:
╭──────────────────────────────────────────╮
│ Hello                                    │
│                                          │
│ Hi Aiko, any question?                   │
│                                          │
│ [ Help ] → /help                         │
╰──────────────────────────────────────────╯
where nothing of that is known:
╭──────────────────────────────────────────╮
│ Hello                                    │
│                                          │
│ Hi, any question?                        │
│                                          │
│ [ Help ] → /help                         │
╰──────────────────────────────────────────╯

shop/greet, variant default, ja
╭──────────────────────────────────────────╮
│ こんにちは                               │
│                                          │
│ ご質問は？                               │
│                                          │
│ [ ヘルプ ] → /help                       │
╰──────────────────────────────────────────╯
";
    assert_eq!(out, wanted);
    let (_, out, _) = folder.run(&["preview", "shop", "--format", "json"]);
    let all: Value = serde_json::from_str(&out).unwrap();
    let languages: Vec<&Value> =
        all["prompts"].as_array().unwrap().iter().map(|prompt| &prompt["language"]).collect();
    assert_eq!(languages, ["en", "ja"]);
    assert_eq!(all["prompts"][0]["known"]["message"], "Hi Aiko, any question?");
    assert_eq!(all["prompts"][0]["unknown"]["message"], "Hi, any question?");
    let (code, _, err) = folder.run(&["preview", "shop/nothing"]);
    assert_eq!((code, err.contains("there are: greet")), (2, true), "{err}");
    let (code, _, err) = folder.run(&["preview", "shpo"]);
    assert_eq!((code, err.contains("there are: shop")), (2, true), "{err}");
}

#[test]
fn the_schemas_are_written_as_they_stand_in_the_repository() {
    for of in ["site", "rules"] {
        let (code, out, _) = Folder::new().run(&["schema", of]);
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("schema/{of}.schema.json"));
        assert_eq!((code, out), (0, std::fs::read_to_string(path).unwrap()), "{of}");
    }
}
