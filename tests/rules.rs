//! Rule files: what loads, what is refused, and in which words.
//!
//! `tests/rules/bad` holds mistakes: a single file `name.yaml` beside `tests/rules/site.yaml`, with
//! what a person sees in `name.txt`; or a folder with a site of its own and `expected.txt`. A first
//! line `# checked at <moment>` or `# checked with a database of countries alone` asks for the
//! findings about time or places as well. `KOEKAKE_BLESS=1 cargo test --test rules` writes what
//! is expected anew; look at the difference before you keep it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::pedantic,
    missing_docs,
    reason = "tests"
)]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use koekake::domain::time::Timestamp;
use koekake::engine::examples;
use koekake::rules::compile::{Loaded, load_bytes};
use koekake::rules::diagnostic::{Diagnostic, Severity};
use koekake::rules::lint::{PlaceKnowledge, calendar_warnings, place_warnings};
use regex::Regex;

#[path = "rules/mutations.rs"]
mod mutations;
#[path = "naive/yaml.rs"]
#[allow(dead_code, reason = "the naive reading of rules uses more of it")]
mod yaml;

type Files = Vec<(String, Vec<u8>)>;

fn below(folder: &str) -> Vec<PathBuf> {
    let mut all: Vec<_> = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).collect();
    all.sort();
    all
}

/// The YAML files of a folder, under the names that a person would see.
fn folder(path: &Path) -> Files {
    below(path.to_str().unwrap())
        .into_iter()
        .filter(|path| path.extension().is_some_and(|e| e == "yaml"))
        .map(|path| (shown("shop", &path), std::fs::read(&path).unwrap()))
        .collect()
}

fn shown(key: &str, path: &Path) -> String {
    format!("rules/{key}/{}", path.file_name().unwrap().to_str().unwrap())
}

fn words(findings: &[Diagnostic]) -> String {
    findings
        .iter()
        .map(|finding| format!("{finding}\n\n"))
        .collect::<String>()
        .trim_end()
        .to_owned()
}

/// Everything that there is to say of these files, those of time and place only where asked for.
fn findings(files: Files) -> (Loaded, Vec<Diagnostic>) {
    let asked: Vec<String> = files
        .iter()
        .filter_map(|(_, bytes)| std::str::from_utf8(bytes).ok()?.lines().next())
        .filter_map(|line| line.strip_prefix("# checked ").map(str::to_owned))
        .collect();
    let loaded = load_bytes("shop", files);
    let mut all = loaded.findings.clone();
    for asked in asked {
        let set = loaded.set.as_ref().expect("findings of time and place are for rules that load");
        if let Some(at) = asked.strip_prefix("at ") {
            let at = chrono::DateTime::parse_from_rfc3339(at).unwrap();
            all.extend(calendar_warnings(set, Timestamp::from(at.to_utc())));
        } else {
            let knows = PlaceKnowledge { country: true, ..PlaceKnowledge::default() };
            all.extend(place_warnings(set, knows));
        }
    }
    (loaded, all)
}

/// The cases: where what is expected stands, and the files.
fn bad() -> Vec<(PathBuf, Files)> {
    let site = std::fs::read("tests/rules/site.yaml").unwrap();
    below("tests/rules/bad")
        .into_iter()
        .filter_map(|path| {
            if path.is_dir() {
                return Some((path.join("expected.txt"), folder(&path)));
            }
            (path.extension()? == "yaml").then(|| {
                let files = vec![
                    ("rules/shop/site.yaml".to_owned(), site.clone()),
                    (shown("shop", &path), std::fs::read(&path).unwrap()),
                ];
                (path.with_extension("txt"), files)
            })
        })
        .collect()
}

#[test]
fn mistakes_are_explained_word_for_word() {
    let is_blessing = std::env::var_os("KOEKAKE_BLESS").is_some();
    let mut wrong = Vec::new();
    for (expected, files) in bad() {
        let actual = format!("{}\n", words(&findings(files).1));
        if is_blessing {
            std::fs::write(&expected, &actual).unwrap();
            continue;
        }
        let wanted = std::fs::read_to_string(&expected).unwrap_or_default();
        if wanted != actual {
            wrong.push(format!("{}\n--- wanted\n{wanted}\n--- got\n{actual}", expected.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_code_has_a_case() {
    let call =
        Regex::new(r#"(?:error|error_help|unknown|warning)\(\s*"([a-z0-9]+(?:-[a-z0-9]+)*)""#)
            .unwrap();
    let mut codes = BTreeSet::new();
    let mut folders = vec![PathBuf::from("src/rules")];
    while let Some(folder) = folders.pop() {
        for path in below(folder.to_str().unwrap()) {
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                codes.extend(call.captures_iter(&text).map(|found| found[1].to_owned()));
            }
        }
    }
    assert!(codes.len() > 50, "{codes:?}");
    let seen: BTreeSet<String> = bad()
        .into_iter()
        .flat_map(|(_, files)| findings(files).1)
        .map(|finding| finding.code.to_owned())
        .collect();
    // These take a file or a set that is too large for a folder of cases.
    let apart = ["file-too-large", "site-key", "too-many-rules"].map(str::to_owned);
    let missing: Vec<_> =
        codes.iter().filter(|code| !seen.contains(*code) && !apart.contains(code)).collect();
    assert!(missing.is_empty(), "no case in tests/rules/bad has {missing:?}");
}

#[test]
fn what_is_too_large_is_refused() {
    let site =
        ("shop/site.yaml".to_owned(), b"name: Shop\norigins: [https://a.example]\n".to_vec());
    let large = ("shop/large.yaml".to_owned(), vec![b'#'; 5 << 20]);
    let loaded = load_bytes("shop", vec![site.clone(), large]);
    assert!(words(&loaded.findings).contains("file-too-large"), "{}", words(&loaded.findings));
    let loaded = load_bytes("a shop", vec![site]);
    assert!(words(&loaded.findings).contains("site-key"), "{}", words(&loaded.findings));
}

#[test]
fn good_files_load_without_a_word() {
    for path in below("tests/rules/good") {
        let (loaded, all) = findings(folder(&path));
        assert_eq!(words(&all), "", "{}", path.display());
        assert!(loaded.set.is_some(), "{}", path.display());
    }
}

#[test]
fn a_set_comes_exactly_where_nothing_is_refused() {
    for (expected, files) in bad() {
        let (loaded, all) = findings(files);
        let is_refused = all.iter().any(|finding| finding.severity == Severity::Error);
        assert_eq!(loaded.set.is_none(), is_refused, "{}", expected.display());
        assert!(!all.is_empty(), "{}: nothing was found", expected.display());
    }
}

#[test]
fn the_demo_shop_loads_and_its_examples_hold() {
    let files = below("rules/demo-shop")
        .into_iter()
        .map(|path| (shown("demo-shop", &path), std::fs::read(&path).unwrap()))
        .collect();
    let loaded = load_bytes("demo-shop", files);
    assert_eq!(words(&loaded.findings), "");
    let set = loaded.set.unwrap();
    let failures: Vec<_> = examples::run(&set)
        .into_iter()
        .map(|failure| {
            let rule = &set.rules[failure.rule];
            let stop = failure.stop.map(|stop| stop.by(&set).to_owned());
            (rule.id.to_string(), rule.examples[failure.example].name.clone(), failure.actual, stop)
        })
        .collect();
    assert_eq!(failures, []);
}

/// The table of fields shows how each is written; that must load as it stands.
#[test]
fn every_fields_example_loads() {
    let site = std::fs::read("tests/rules/site.yaml").unwrap();
    for field in koekake::rules::fields::FIELDS {
        let rules = format!(
            "rules:\n  - id: offer\n    when:\n      - {}\n    prompt: {{ message: Hello }}\n",
            field.example
        );
        let files = vec![
            ("rules/shop/site.yaml".to_owned(), site.clone()),
            ("rules/shop/rules.yaml".to_owned(), rules.into_bytes()),
        ];
        assert_eq!(words(&load_bytes("shop", files).findings), "", "{}", field.name);
    }
}
