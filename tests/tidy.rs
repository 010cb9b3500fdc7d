//! The order of the house, held: which room may use which, what pure rooms may not mention, and
//! what every file must have.
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
use std::sync::LazyLock;

use regex::Regex;

/// A source file below `src/`.
struct Source {
    /// Its path as shown: `src/engine/mod.rs`.
    name: String,
    /// The room it belongs to: `engine`.
    room: String,
    text: String,
}

impl Source {
    /// Its lines of code with their numbers: without comments, and without a module of tests,
    /// which stands at a file's end.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let is_test_file = ["tests.rs", "test.rs"].iter().any(|name| self.name.ends_with(name))
            || self.name.contains("/tests/");
        let tests = Regex::new(r"(?m)^#\[cfg\(test\)\]\n(#\[.*\]\n)*mod \w+ \{").unwrap();
        let end = tests.find(&self.text).map_or(self.text.len(), |found| found.start());
        let code = if is_test_file { "" } else { &self.text[..end] };
        (1..).zip(code.lines()).map(|(number, line)| (number, without_comment(line)))
    }
}

/// A line up to its comment. `//` in a text (a URL) stands after a quote or a colon.
fn without_comment(line: &str) -> &str {
    static COMMENT: LazyLock<Regex> = LazyLock::new(|| Regex::new(r#"(?:^|[^:"/])(//)"#).unwrap());
    let comment = COMMENT.captures(line).and_then(|found| found.get(1));
    comment.map_or(line, |found| &line[..found.start()])
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn files_below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files_below(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}

fn sources_below(folder: &str) -> Vec<Source> {
    let mut files = Vec::new();
    files_below(&root().join(folder), &mut files);
    files.sort();
    assert!(!files.is_empty(), "no source below {folder}/");
    files
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(root()).unwrap().display().to_string();
            let room = name.split('/').nth(1).unwrap().trim_end_matches(".rs").to_owned();
            Source { room, text: std::fs::read_to_string(&path).unwrap(), name }
        })
        .collect()
}

/// The rooms in the order of the table in `src/lib.rs`.
fn rooms() -> Vec<String> {
    let map = std::fs::read_to_string(root().join("src/lib.rs")).unwrap();
    let row = Regex::new(r"(?m)^//! \| \[`(\w+)`\] \|").unwrap();
    let rooms: Vec<String> = row.captures_iter(&map).map(|found| found[1].to_owned()).collect();
    let module = Regex::new(r"(?m)^pub mod (\w+);").unwrap();
    for found in module.captures_iter(&map) {
        let room = &found[1];
        assert!(rooms.iter().any(|r| r == room), "src/lib.rs: `{room}` is not in its table");
    }
    rooms
}

/// The rooms that a line names: `crate::store::Store`, `crate::{store, config::Config}`.
fn rooms_named(line: &str) -> Vec<String> {
    static NAMED: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\bcrate::(\w+)").unwrap());
    static GROUP: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\bcrate::\{(.*)").unwrap());
    static MEMBER: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?:^|[,{]\s*)(\w+)").unwrap());
    let groups =
        GROUP.captures_iter(line).flat_map(|group| MEMBER.captures_iter(group.extract::<1>().1[0]));
    NAMED.captures_iter(line).chain(groups).map(|found| found[1].to_owned()).collect()
}

fn assert_tidy(findings: &[String]) {
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

#[test]
fn no_room_uses_a_later_one() {
    let rooms = rooms();
    let place = |room: &str| rooms.iter().position(|known| known == room);
    let (first, last) = (place("store").unwrap(), place("metrics").unwrap());
    let mut findings = Vec::new();
    for source in sources_below("src") {
        let Some(own) = place(&source.room) else { continue };
        for (number, line) in source.code() {
            for used in rooms_named(line) {
                let Some(other) = place(&used) else { continue };
                let why = if other > own {
                    "comes later in the table of src/lib.rs"
                } else if other != own && (first..=last).contains(&own) && other >= first {
                    "stands beside it: rooms from `store` to `metrics` do not use each other"
                } else {
                    continue;
                };
                let Source { name, room, .. } = &source;
                findings.push(format!("{name}:{number}: `{room}` uses `{used}`, which {why}"));
            }
        }
    }
    assert_tidy(&findings);
}

#[test]
fn pure_rooms_know_no_world() {
    let world = Regex::new(
        r"\b(tokio|actix\w*|std::(fs|env|net|thread|process|time::(SystemTime|Instant))|SystemTime|Instant::now|(Utc|Local)::now|tracing|reqwest)\b|::now\(\)|\.now\(\)|\b(e?print(ln)?|dbg)!",
    )
    .unwrap();
    let mut findings = Vec::new();
    for source in sources_below("src") {
        if !["domain", "rules", "engine", "explain", "outcomes"].contains(&source.room.as_str()) {
            continue;
        }
        for (number, line) in source.code() {
            // Addresses are plain values.
            let line = line.replace("std::net::Ip", "Ip");
            if let Some(found) = world.find(&line) {
                let (name, room, found) = (&source.name, &source.room, found.as_str());
                findings.push(format!(
                    "{name}:{number}: `{found}` in `{room}`, which must stay pure: no I/O, no \
                     clock, no environment, no runtime; take what it needs as an argument"
                ));
            }
        }
    }
    assert_tidy(&findings);
}

#[test]
fn every_file_says_its_job_and_stays_short() {
    let mut findings = Vec::new();
    for folder in ["src", "tests"] {
        for source in sources_below(folder) {
            let name = &source.name;
            let job = source.text.lines().next().unwrap_or_default();
            if !job.starts_with("//! ") || job.contains("being built") {
                findings.push(format!("{name}:1: must begin with `//!` and its one job"));
            }
            let lines = source.text.lines().count();
            if folder == "src" && lines > 500 {
                findings.push(format!(
                    "{name}:{lines}: has {lines} lines; split it along a seam at 400, and before 500"
                ));
            }
        }
    }
    assert_tidy(&findings);
}

#[test]
fn nothing_is_left_for_later_in_the_code() {
    let marker = Regex::new(concat!(r"\b(TO", r"DO|FIX", r"ME|XX", r"X)\b|\bto", r"do!")).unwrap();
    let mut findings = Vec::new();
    for source in ["src", "tests"].into_iter().flat_map(sources_below) {
        for (number, line) in (1..).zip(source.text.lines()) {
            // The currency that means "none" in ISO 4217.
            let line = line.replace(concat!("\"XX", "X\""), "");
            if let Some(found) = marker.find(&line) {
                let (name, found) = (&source.name, found.as_str());
                findings.push(format!("{name}:{number}: `{found}`: do it, or open an issue"));
            }
        }
    }
    assert_tidy(&findings);
}

#[test]
fn the_readmes_commands_are_there() {
    let Ok(readme) = std::fs::read_to_string(root().join("README.md")) else { return };
    for command in ["cargo run --release", "./test"] {
        assert!(readme.contains(command), "README.md: must name `{command}`");
    }
    for file in ["test", ".ci/run"] {
        let path = root().join(file);
        assert!(path.is_file(), "README.md promises {file}");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert!(mode & 0o111 != 0, "{file}: must be executable");
        }
    }
    // What the first run serves.
    if readme.contains("rules/demo-shop") {
        assert!(root().join("rules/demo-shop/site.yaml").is_file(), "rules/demo-shop is missing");
    }
}

#[test]
fn the_reader_of_this_test_reads_rightly() {
    assert_eq!(rooms_named("use crate::store::memory;"), ["store"]);
    assert_eq!(rooms_named("let a = crate::config::load(x);"), ["config"]);
    assert_eq!(
        rooms_named("use crate::{config::{Config, load}, http};"),
        ["config", "Config", "load", "http"]
    );
    assert_eq!(without_comment("code(); // crate::http"), "code(); ");
    assert_eq!(without_comment("//! crate::http"), "");
    assert_eq!(without_comment(r#"let url = "https://a";"#), r#"let url = "https://a";"#);
}
