//! The documents, held against the code: what is generated out of its tables is what stands
//! there, what is shown as a rule loads without a finding, what is shown as a finding is what
//! `koekake check` says, and every link leads somewhere.
//!
//! `KOEKAKE_BLESS=1 cargo test --test docs` writes the generated parts anew. Must not: hold prose.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::pedantic,
    missing_docs,
    reason = "a test may fail by panicking"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Mutex;

use koekake::config::{Kind, Setting};
use koekake::domain::countries::CONTINENTS;
use koekake::domain::time::Timestamp;
use koekake::domain::visit::{BROWSERS, DeviceKind, OPERATING_SYSTEMS};
use koekake::engine::decide::STOPS;
use koekake::engine::{Unlimited, unmet};
use koekake::explain::{About, Case, explain, render};
use koekake::rules::compile::{Loaded, load, sample};
use koekake::rules::diagnostic::{Diagnostic, Severity, Source};
use koekake::rules::fields::{FIELDS, Field, Parameter};
use koekake::rules::holidays;
use koekake::rules::kinds::Op;
use koekake::rules::lint::{self, Circumstances, LINTS, PlaceKnowledge};
use koekake::rules::vocabulary::{self, Key, Shape};
use regex::Regex;

const RULES: &str = "docs/rules.md";
const OPERATING: &str = "docs/operating.md";
const DOCUMENTS: [&str; 6] =
    ["README.md", RULES, OPERATING, "docs/http-api.md", "docs/architecture.md", "docs/storage.md"];

fn read(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Held while a document is read, changed and written.
static WRITING: Mutex<()> = Mutex::new(());

fn write(name: &str, change: impl FnOnce(String) -> String) {
    let _alone = WRITING.lock().unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    // Whoever reads meanwhile must not find half of it.
    let half = path.with_extension("half");
    std::fs::write(&half, change(read(name))).unwrap();
    std::fs::rename(half, path).unwrap();
}

fn is_blessing() -> bool {
    std::env::var_os("KOEKAKE_BLESS").is_some()
}

/// Compares what stands between two markers with what belongs there, or writes it.
fn hold(document: &str, marker: &str, wanted: &str) {
    let (start, end) = (format!("<!-- {marker} -->\n"), format!("<!-- /{marker} -->"));
    let place = |text: &str| {
        let from =
            text.find(&start).unwrap_or_else(|| panic!("{document}: no {start}")) + start.len();
        let until = text[from..].find(&end).unwrap_or_else(|| panic!("{document}: no {end}"));
        from..from + until
    };
    let wanted = format!("\n{}\n\n", wanted.trim());
    if is_blessing() {
        write(document, |mut text| {
            text.replace_range(place(&text), &wanted);
            text
        });
        return;
    }
    let text = read(document);
    assert_eq!(
        &text[place(&text)],
        wanted,
        "{document}: `{marker}` is not what the code says; KOEKAKE_BLESS=1 writes it anew"
    );
}

/// A cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}

/// What a set of operators is called in the guide.
fn set_of(field: &Field) -> &'static str {
    let takes = |op| field.condition.operators().contains(&op);
    if takes(Op::During) {
        "clock"
    } else if takes(Op::InOrder) {
        "pages"
    } else if takes(Op::Under) {
        "address"
    } else if takes(Op::Contains) && takes(Op::AtLeast) {
        "attribute"
    } else if takes(Op::AtLeast) {
        "amount"
    } else if takes(Op::Contains) {
        "text"
    } else {
        "yes or no"
    }
}

fn code_list(items: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| format!("`{}`", item.as_ref())).collect();
    items.join(", ")
}

#[test]
fn the_guide_lists_every_field() {
    let mut text = String::new();
    let mut room = "";
    for field in FIELDS {
        let own = field.name.split('.').next().unwrap();
        if own != room {
            room = own;
            writeln!(
                text,
                "\n#### `{room}`\n\n| field | what it is | values | takes | for example |"
            )
            .unwrap();
            writeln!(text, "| --- | --- | --- | --- | --- |").unwrap();
        }
        let (name, about) = match field.parameter {
            Parameter::None => (field.name.to_owned(), field.about.to_owned()),
            Parameter::Any(_) => (format!("{}.<name>", field.name), field.about.to_owned()),
            Parameter::OneOf(parts) => {
                let about = format!("{} Names: {}.", field.about, code_list(parts));
                (format!("{}.<name>", field.name), about)
            }
        };
        let values = field.condition.values();
        writeln!(
            text,
            "| `{name}` | {} | {} | {} | `{}` |",
            cell(&about),
            cell(values),
            set_of(field),
            cell(field.example)
        )
        .unwrap();
    }
    hold(RULES, "fields", &text);
}

#[test]
fn the_guide_lists_every_operator() {
    let mut text = String::from("| takes | operators |\n| --- | --- |\n");
    let mut sets: Vec<(&str, BTreeSet<&str>)> = Vec::new();
    for field in FIELDS {
        let operators: BTreeSet<&str> =
            field.condition.operators().iter().map(|op| op.name()).collect();
        match sets.iter().find(|(name, _)| *name == set_of(field)) {
            Some((name, known)) => assert_eq!(*known, operators, "two sets are called `{name}`"),
            None => sets.push((set_of(field), operators)),
        }
    }
    for (name, operators) in &sets {
        let ordered = Op::ALL.iter().map(|op| op.name()).filter(|op| operators.contains(op));
        writeln!(text, "| {name} | {} |", code_list(ordered)).unwrap();
    }
    text.push_str("\n| operator | what it does |\n| --- | --- |\n");
    for op in Op::ALL {
        writeln!(text, "| `{}` | {} |", op.name(), cell(op.about().trim())).unwrap();
    }
    hold(RULES, "operators", &text);
}

/// The rows of a map's keys; those of maps within it by their whole names.
fn rows_of(keys: &[Key], prefix: &str, text: &mut String) {
    for key in keys {
        let name = format!("{prefix}{}", key.name);
        match key.shape {
            Shape::Map(inner) if key.default.is_empty() => {
                rows_of(inner, &format!("{name}."), text);
            }
            shape => {
                let name =
                    if matches!(shape, Shape::Named(..)) { format!("{name}.<name>") } else { name };
                let mut about = key.about.to_owned();
                let parts: &[Key] = match shape {
                    Shape::Map(parts) => parts,
                    Shape::Named(Shape::Map(parts), _) => parts,
                    _ => &[],
                };
                if !parts.is_empty() && key.name != "prompt" {
                    let parts: Vec<String> = parts
                        .iter()
                        .map(|part| {
                            format!("`{}`: {}", part.name, part.about.trim_end_matches('.'))
                        })
                        .collect();
                    write!(about, " {}.", parts.join("; ")).unwrap();
                }
                writeln!(text, "| `{name}` | {} | {} |", key.default, cell(&about)).unwrap();
            }
        }
    }
}

#[test]
fn the_guide_lists_every_key() {
    for (marker, keys) in
        [("keys of a site", vocabulary::SITE), ("keys of a rule", vocabulary::RULE)]
    {
        let mut text = String::from("| key | default | what it says |\n| --- | --- | --- |\n");
        rows_of(keys, "", &mut text);
        hold(RULES, marker, &text);
    }
}

#[test]
fn the_guide_lists_every_lint() {
    let mut text = String::from("| name | level | what it finds |\n| --- | --- | --- |\n");
    for lint in LINTS {
        let (name, level) = (lint.name, lint.level.name());
        writeln!(text, "| `{name}` | {level} | {} |", cell(lint.about)).unwrap();
    }
    hold(RULES, "lints", &text);
}

#[test]
fn the_guide_lists_every_known_value() {
    let continents = CONTINENTS.iter().map(|(code, name)| format!("`{code}` {name}"));
    let text = [
        format!("- `device.type`: {}", code_list(DeviceKind::ALL.map(DeviceKind::as_str))),
        format!("- `device.os`: {}", code_list(OPERATING_SYSTEMS)),
        format!("- `device.browser`: {}", code_list(BROWSERS)),
        format!("- `location.continent`: {}", continents.collect::<Vec<_>>().join(", ")),
        format!("- `holidays`: {}", holidays::known_codes().collect::<Vec<_>>().join(", ")),
        format!("- what stops a rule besides a field: {}", code_list(STOPS)),
    ];
    hold(RULES, "known values", &text.join("\n"));
}

#[test]
fn the_operators_manual_lists_every_setting() {
    let mut text = String::from(
        "| flag | in `koekake.toml` | variable | default | what it does |\n\
         | --- | --- | --- | --- | --- |\n",
    );
    for setting in Setting::ALL {
        let spec = setting.spec();
        let default = match spec.default {
            None => "not set".to_owned(),
            Some("") => "none".to_owned(),
            Some(default) => format!("`{default}`"),
        };
        let value = match spec.kind {
            Kind::Text | Kind::Path => "text",
            Kind::Number => "number",
            Kind::Switch => "`true` or `false`",
            Kind::List => "list of text",
        };
        writeln!(
            text,
            "| `--{} {}` | `{}`, {value} | `{}` | {default} | {} |",
            spec.name,
            spec.value_name,
            setting.key(),
            setting.variable(),
            cell(spec.help)
        )
        .unwrap();
    }
    hold(OPERATING, "settings", &text);
}

#[test]
fn the_operators_manual_lists_every_metric() {
    let named = |text: &str, pattern: &str| -> BTreeSet<String> {
        let pattern = Regex::new(pattern).unwrap();
        pattern.captures_iter(text).map(|found| found[1].to_owned()).collect()
    };
    let in_code = named(&read("src/metrics/mod.rs"), r#""(koekake_[a-z_]+)""#);
    let in_manual = named(&read(OPERATING), r"(?m)^\| `(koekake_[a-z_]+)");
    assert_eq!(in_code, in_manual, "{OPERATING} and src/metrics/mod.rs name the same metrics");
}

/// The demo shop's files, under the names that `koekake check` shows.
fn demo() -> Vec<Source> {
    let files = ["selling", "site", "welcoming"];
    let source = |name: &str| {
        let name = format!("rules/demo-shop/{name}.yaml");
        Source { text: read(&name), name }
    };
    files.map(source).into()
}

/// The rule files that a document shows under a name: `<!-- a rule file: gifts.yaml -->`.
fn shown_files(document: &str) -> Vec<Source> {
    blocks(document)
        .into_iter()
        .filter_map(|(mark, _, text)| {
            let name = mark.strip_prefix("a rule file: ")?;
            Some(Source { name: format!("rules/demo-shop/{name}"), text })
        })
        .collect()
}

/// Every fenced block with what the line before it says of it.
fn blocks(document: &str) -> Vec<(String, String, String)> {
    let fenced = Regex::new(r"(?ms)^(?:<!-- ([^\n]*) -->\n)?```(\w+)\n(.*?)^```$").unwrap();
    fenced
        .captures_iter(&read(document))
        .map(|found| {
            let part = |i| found.get(i).map_or(String::new(), |text| text.as_str().to_owned());
            (part(1), part(2), part(3))
        })
        .collect()
}

fn words(findings: &[Diagnostic]) -> String {
    findings.iter().fold(String::new(), |text, finding| text + &format!("{finding}\n\n"))
}

/// All that `check` says on a day in 2026 with the database that comes along, and its last line.
fn checked(files: Vec<Source>) -> (Vec<Diagnostic>, String) {
    let Loaded { set, mut findings } = load("demo-shop", files);
    let knows = PlaceKnowledge { country: true, ..PlaceKnowledge::default() };
    let at = Circumstances { now: Timestamp(1_795_000_000_000), knows };
    if let Some(set) = &set {
        findings.extend(lint::warnings(set, at));
        findings.extend(lint::hints(set, at));
        findings.extend(unmet::findings(set));
        findings
            .sort_by(|a, b| (&a.source.name, a.span.start).cmp(&(&b.source.name, b.span.start)));
    }
    let counts = [Severity::Error, Severity::Warning, Severity::Hint]
        .map(|level| {
            let count = findings.iter().filter(|finding| finding.severity == level).count();
            many(count, level.name())
        })
        .join(", ");
    let state = set.map_or("does not load".to_owned(), |set| {
        let examples = set.rules.iter().map(|rule| rule.examples.len()).sum();
        format!("{}, {}", many(set.rules.len(), "rule"), many(examples, "example"))
    });
    (findings, format!("demo-shop: {state}, {counts}\n"))
}

fn assert_sound(document: &str, text: &str, files: Vec<Source>) {
    let loaded = load("demo-shop", files);
    assert_eq!(words(&loaded.findings), "", "{document}: shown as right:\n{text}");
    let unmet = unmet::findings(&loaded.set.unwrap());
    assert_eq!(words(&unmet), "", "{document}: shown as right:\n{text}");
}

fn indented(text: &str, by: &str) -> String {
    text.lines().fold(String::new(), |all, line| all + by + line + "\n")
}

#[test]
fn what_is_shown_as_right_is_right() {
    let mut count = 0;
    for document in DOCUMENTS {
        for (mark, _, text) in blocks(document).iter().filter(|(_, language, _)| language == "yaml")
        {
            count += 1;
            let mut files = demo();
            let shown = |text: String| Source { name: "rules/demo-shop/shown.yaml".into(), text };
            match mark.as_str() {
                // What somebody may take as it is leaves nothing to be said.
                mark if mark == "a recipe" || mark.starts_with("a rule file: ") => {
                    let with = || demo().into_iter().chain([shown(text.clone())]).collect();
                    let (findings, _) = checked(with());
                    assert_eq!(words(&findings), "", "{document}: shown as right:\n{text}");
                    files.push(shown(text.clone()));
                }
                "a rule file" => files.push(shown(text.clone())),
                // Another program's, in YAML too.
                mark if mark.starts_with("for ") || mark == "rules of prometheus" => continue,
                "site.yaml" => {
                    files = vec![Source {
                        name: "rules/demo-shop/site.yaml".into(),
                        text: text.clone(),
                    }];
                }
                "part of a rule" => {
                    let mut rule = String::from("rules:\n  - id: shown\n");
                    if !text.contains("prompt:") && !text.contains("variants:") {
                        rule.push_str("    prompt: { message: Hello }\n");
                    }
                    files.push(shown(rule + &indented(text, "    ")));
                }
                "part of site.yaml" => {
                    let site =
                        files.iter_mut().find(|file| file.name.ends_with("site.yaml")).unwrap();
                    let key = text.split(':').next().unwrap();
                    // The shown key in place of the demo's own, if it has one.
                    let own = Regex::new(&format!(r"(?m)^{key}:.*\n(?:[ #].*\n)*")).unwrap();
                    site.text = own.replace(&site.text, "").into_owned() + text;
                    files.retain(|file| file.name.ends_with("site.yaml"));
                }
                other => panic!("{document}: a YAML block is marked `{other}`:\n{text}"),
            }
            assert_sound(document, text, files);
        }
    }
    assert!(count > 20, "{count} blocks were found");
}

#[test]
fn findings_are_shown_as_the_command_writes_them() {
    let mark = Regex::new(r#"^findings of (\S+) with "(.*)" for "(.*)"$"#).unwrap();
    let mut count = 0;
    for document in DOCUMENTS {
        for (said, _, shown) in blocks(document) {
            let Some(found) = mark.captures(&said) else { continue };
            count += 1;
            let mut files = demo();
            if files.iter().all(|file| !file.name.ends_with(&found[1])) {
                files.extend(shown_files(document));
            }
            let file = files.iter_mut().find(|file| file.name.ends_with(&found[1])).unwrap();
            assert!(
                file.text.contains(&found[3]),
                "{document}: {} has no {}",
                &found[1],
                &found[3]
            );
            file.text = file.text.replacen(&found[3], &found[2], 1);
            let (findings, summary) = checked(files);
            let wanted = words(&findings) + &summary;
            if is_blessing() {
                let block = |text: &str| format!("<!-- {said} -->\n```text\n{text}```");
                write(document, |text| text.replacen(&block(&shown), &block(&wanted), 1));
            } else {
                assert_eq!(shown, wanted, "{document}: {said}");
            }
        }
    }
    assert!(count >= 13, "{count} findings were found");
}

#[test]
fn explanations_are_shown_as_the_command_writes_them() {
    let mark = Regex::new(r"^explanation of (\S+): (.*)$").unwrap();
    let mut count = 0;
    for document in DOCUMENTS {
        for (said, _, shown) in blocks(document) {
            let Some(found) = mark.captures(&said) else { continue };
            count += 1;
            let given: Vec<_> =
                found[2].split(' ').map(|pair| pair.split_once('=').unwrap()).collect();
            let set = load("demo-shop", demo()).set.unwrap();
            let files = demo().into_iter().map(|file| (file.name, file.text.into_bytes()));
            let visit = sample("demo-shop", files.collect(), &given, Timestamp(0)).unwrap();
            let facts = visit.facts();
            let case = Case { about: About::Sample, set: &set, facts: &facts, answer: None };
            let wanted = render(&explain(case, &Unlimited, Vec::new()), Some(&found[1]), false);
            if is_blessing() {
                let block = |text: &str| format!("<!-- {said} -->\n```text\n{text}```");
                write(document, |text| text.replacen(&block(&shown), &block(&wanted), 1));
            } else {
                assert_eq!(shown, wanted, "{document}: {said}");
            }
        }
    }
    assert_eq!(count, 2);
}

#[test]
fn what_is_shown_as_json_is_json() {
    for document in DOCUMENTS {
        for (_, _, text) in blocks(document).iter().filter(|(_, language, _)| language == "json") {
            let parsed: Result<serde_json::Value, _> = serde_json::from_str(text);
            assert!(parsed.is_ok(), "{document}: {parsed:?} in\n{text}");
        }
    }
}

#[test]
fn links_lead_somewhere() {
    let link = Regex::new(r"\]\(([^)#:\s]+)(#[^)]*)?\)").unwrap();
    for document in DOCUMENTS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(document);
        let folder = folder.parent().unwrap();
        for found in link.captures_iter(&read(document)) {
            assert!(folder.join(&found[1]).exists(), "{document}: there is no {}", &found[1]);
        }
    }
}

fn many(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
