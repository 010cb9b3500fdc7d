//! The schema of rule files for editors: it is what the tables make of it, it takes every file that
//! loads, and what it refuses the compiler refuses too.
//!
//! `KOEKAKE_BLESS=1 cargo test --test schema` writes `schema/` anew.
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
use std::sync::Arc;

use jsonschema::Validator;
use koekake::rules::compile::load;
use koekake::rules::diagnostic::{Report, Severity, Source};
use koekake::rules::raw::{Node, NodeKind, read};
use koekake::rules::schema;
use serde_json::{Map, Value, json};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn yaml_files(folder: &Path) -> Vec<PathBuf> {
    let mut all: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "yaml"))
        .collect();
    all.sort();
    all
}

fn is_site(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name == "site.yaml")
}

struct Schemas {
    site: Validator,
    rules: Validator,
}

impl Schemas {
    fn new() -> Self {
        let new = |schema: Value| jsonschema::draft202012::new(&schema).unwrap();
        Self { site: new(schema::site()), rules: new(schema::rules()) }
    }

    fn of(&self, path: &Path) -> &Validator {
        if is_site(path) { &self.site } else { &self.rules }
    }
}

/// A file as an editor sees it: YAML 1.2's core schema says what a plain scalar is.
fn as_editors_see(text: &str) -> Option<Value> {
    let text = text.strip_prefix('\u{FEFF}').unwrap_or(text).to_owned();
    let source = Arc::new(Source { name: "a.yaml".to_owned(), text });
    let mut report = Report::default();
    let node = read(&source, &mut report)?;
    (report.error_count() == 0).then(|| json_of(&node))
}

fn json_of(node: &Node) -> Value {
    match &node.kind {
        NodeKind::List(items) => Value::Array(items.iter().map(json_of).collect()),
        NodeKind::Map(entries) => {
            let pair = |e: &koekake::rules::raw::Entry| (e.key.clone(), json_of(&e.value));
            Value::Object(entries.iter().map(pair).collect::<Map<_, _>>())
        }
        NodeKind::Scalar { text, is_quoted: true } => json!(text),
        NodeKind::Scalar { text, .. } => match text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Value::Null,
            "true" | "True" | "TRUE" => json!(true),
            "false" | "False" | "FALSE" => json!(false),
            other => {
                if let Ok(number) = other.parse::<i64>() {
                    return json!(number);
                }
                let is_number = other.bytes().all(|b| b.is_ascii_digit() || b"+-.eE".contains(&b));
                match other.parse::<f64>() {
                    Ok(number) if is_number && number.is_finite() => json!(number),
                    _ => json!(other),
                }
            }
        },
    }
}

fn complaints(schema: &Validator, value: &Value) -> Vec<String> {
    schema.iter_errors(value).map(|error| format!("{}: {error}", error.instance_path())).collect()
}

#[test]
fn the_schemas_in_the_repository_are_the_tables_own() {
    for (name, wanted) in [("site", schema::site()), ("rules", schema::rules())] {
        let path = root().join(format!("schema/{name}.schema.json"));
        let wanted = format!("{wanted:#}\n");
        if std::env::var_os("KOEKAKE_BLESS").is_some() {
            std::fs::write(&path, &wanted).unwrap();
        }
        let actual = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(actual == wanted, "{}: KOEKAKE_BLESS=1 writes it anew", path.display());
        let meta = jsonschema::meta::is_valid(&serde_json::from_str(&wanted).unwrap());
        assert!(meta, "{name}: not a schema of draft 2020-12");
    }
}

#[test]
fn every_file_that_loads_is_valid() {
    let schemas = Schemas::new();
    let mut folders: Vec<PathBuf> =
        ["rules/demo-shop", "tests/rules/lint"].map(|folder| root().join(folder)).into();
    for below in ["tests/rules/good", "tests/rules/lint"] {
        let entries = std::fs::read_dir(root().join(below)).unwrap();
        folders.extend(entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir()));
    }
    let mut count = 0;
    for path in folders.iter().flat_map(|folder| yaml_files(folder)) {
        let value = as_editors_see(&std::fs::read_to_string(&path).unwrap()).unwrap();
        let complaints = complaints(schemas.of(&path), &value);
        assert!(complaints.is_empty(), "{}: {complaints:#?}", path.display());
        count += 1;
    }
    assert!(count > 15, "{count} files");
}

/// The demo's own files point to the schemas, so that an editor finds them.
#[test]
fn the_demo_points_to_its_schema() {
    for path in yaml_files(&root().join("rules/demo-shop")) {
        let text = std::fs::read_to_string(&path).unwrap();
        let first = text.lines().next().unwrap();
        let schema = first.strip_prefix("# yaml-language-server: $schema=").expect("a modeline");
        let schema = path.parent().unwrap().join(schema);
        assert!(schema.is_file(), "{}: {}", path.display(), schema.display());
        assert_eq!(is_site(&path), schema.ends_with("schema/site.schema.json"));
    }
}

/// Whether a set of one changed file and a sound rest loads.
fn is_refused(path: &str, text: String, rest: &[(&str, String)]) -> bool {
    let mut files = vec![Source { name: path.to_owned(), text }];
    files.extend(
        rest.iter().map(|(name, text)| Source { name: (*name).to_owned(), text: text.clone() }),
    );
    load("shop", files).findings.iter().any(|finding| finding.severity == Severity::Error)
}

#[test]
fn what_it_refuses_the_compiler_refuses_too() {
    let schemas = Schemas::new();
    let site = std::fs::read_to_string(root().join("tests/rules/site.yaml")).unwrap();
    let mut refused = 0;
    for path in yaml_files(&root().join("tests/rules/bad")) {
        let Ok(text) = std::fs::read_to_string(&path) else { continue };
        let Some(value) = as_editors_see(&text) else { continue };
        if complaints(&schemas.rules, &value).is_empty() {
            continue;
        }
        refused += 1;
        let rest = [("rules/shop/site.yaml", site.clone())];
        assert!(is_refused("rules/shop/rules.yaml", text, &rest), "{}", path.display());
    }
    assert!(refused >= 30, "only {refused} of the mistakes are seen by the schema");
}

/// Every value of the demo replaced by every kind of value: JSON is YAML too.
#[test]
fn it_is_never_stricter_than_the_compiler() {
    let schemas = Schemas::new();
    let read = |path: &str| std::fs::read_to_string(root().join(path)).unwrap();
    let name = |path: &str| format!("rules/shop/{}", path.rsplit('/').next().unwrap());
    let others = [
        Value::Null,
        json!(true),
        json!(7),
        json!(-1),
        json!(1.5),
        json!("word"),
        json!("7d"),
        json!("10%"),
        json!("2026-1-5"),
        json!([]),
        json!(["a"]),
        json!([1, 2]),
        json!({}),
        json!({ "is": "a" }),
        json!({ "page.path": "/a" }),
        json!({ "en": "a" }),
    ];
    let (mut refused, mut stricter) = (0, Vec::new());
    for (path, rest) in [
        ("tests/rules/good/every-key/rules.yaml", vec!["tests/rules/good/every-key/site.yaml"]),
        ("tests/rules/good/every-key/site.yaml", vec!["tests/rules/good/every-key/rules.yaml"]),
        ("tests/rules/good/contract/rules.yaml", vec!["tests/rules/good/contract/site.yaml"]),
    ] {
        let whole = as_editors_see(&read(path)).unwrap();
        let rest: Vec<(String, String)> =
            rest.into_iter().map(|path| (name(path), read(path))).collect();
        let rest: Vec<(&str, String)> = rest.iter().map(|(n, t)| (n.as_str(), t.clone())).collect();
        let mut places = Vec::new();
        places_of(&whole, String::new(), &mut places);
        for place in places {
            for other in &others {
                let mut changed = whole.clone();
                *changed.pointer_mut(&place).unwrap() = other.clone();
                if schemas.of(Path::new(path)).is_valid(&changed) {
                    continue;
                }
                refused += 1;
                let text = changed.to_string();
                if !is_refused(&name(path), text, &rest) {
                    stricter.push(format!("{path}: {place}: {other}"));
                }
            }
        }
    }
    assert!(stricter.is_empty(), "{stricter:#?}");
    assert!(refused > 1_000, "{refused}");
}

fn places_of(value: &Value, at: String, places: &mut Vec<String>) {
    if !at.is_empty() {
        places.push(at.clone());
    }
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(i, v)| places_of(v, format!("{at}/{i}"), places));
        }
        Value::Object(map) => {
            map.iter().for_each(|(k, v)| places_of(v, format!("{at}/{}", escaped(k)), places));
        }
        _ => {}
    }
}
