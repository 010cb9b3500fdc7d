//! Rule files as fingers and disks damage them: loading never panics, never hangs, and gives rules
//! exactly where it refuses nothing.

use std::time::{Duration, Instant};

use koekake::rules::compile::load_bytes;
use koekake::rules::diagnostic::Severity;
use proptest::prelude::*;

use super::{Files, below, shown};

fn demo() -> Files {
    below("rules/demo-shop")
        .into_iter()
        .map(|path| (shown("demo-shop", &path), std::fs::read(&path).unwrap()))
        .collect()
}

/// Loads, and holds what must hold of any files.
fn check(files: Files) {
    let start = Instant::now();
    let loaded = load_bytes("demo-shop", files);
    let is_refused = loaded.findings.iter().any(|f| f.severity == Severity::Error);
    assert_eq!(loaded.set.is_none(), is_refused, "rules exactly where nothing is refused");
    for finding in &loaded.findings {
        let shown = finding.to_string();
        assert!(shown.contains(&finding.source.name), "{shown}");
        assert!(!shown.contains('\u{1b}') && !shown.contains('\r'), "steers a terminal: {shown:?}");
    }
    // Far more than it takes, for a busy machine; a hang is minutes.
    assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());
}

/// What a finger adds or leaves: YAML's own signs, and what keyboards and editors bring along.
const PIECES: &[&str] = &[
    "", "{", "}", "[", "]", ":", ": ", "#", " #", "&", "*", "!", "|", ">", "'", "\"", "%", "@",
    "`", ",", "\t", "\n", "\r\n", "-", "- ", "?", "? ", "<<: ", "---\n", "...\n", "~", "null",
    "  ", "あ", "：", "\u{feff}", "\0", "\u{1b}", "{{", "}}", "{%", "\\", "0", "x", "é", "\u{85}",
    "\u{2028}",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_load_or_are_refused(site in prop::collection::vec(any::<u8>(), 0..400), rules: Vec<u8>) {
        check(vec![("rules/shop/site.yaml".to_owned(), site), ("rules/shop/a.yaml".to_owned(), rules)]);
    }

    #[test]
    fn any_text_loads_or_is_refused(site in "[ -~\n]{0,300}", rules in "(rules:\n)?([ \t:{}\\[\\]'\"#&*!|>%@,?a-zあ：-]|\n  - |\n    ){0,200}") {
        check(vec![("rules/shop/site.yaml".to_owned(), site.into_bytes()), ("rules/shop/a.yaml".to_owned(), rules.into_bytes())]);
    }

    #[test]
    fn one_slip_in_the_demo_loads_or_is_refused(file: prop::sample::Index, at: prop::sample::Index, removed in 0..3_usize, piece: prop::sample::Index) {
        let mut files = demo();
        let (_, bytes) = file.get_mut(&mut files);
        let at = at.index(bytes.len());
        let end = (at + removed).min(bytes.len());
        let piece = piece.get(PIECES);
        bytes.splice(at..end, piece.bytes());
        check(files);
    }

    #[test]
    fn a_file_cut_short_or_with_a_line_lost_loads_or_is_refused(file: prop::sample::Index, at: prop::sample::Index, is_cut: bool) {
        let mut files = demo();
        let (_, bytes) = file.get_mut(&mut files);
        if is_cut {
            bytes.truncate(at.index(bytes.len()));
        } else {
            let text = String::from_utf8(bytes.clone()).unwrap();
            let mut lines: Vec<_> = text.lines().collect();
            lines.remove(at.index(lines.len()));
            *bytes = lines.join("\n").into_bytes();
        }
        check(files);
    }
}

/// Sizes that would take for ever if anything grew with their square.
#[test]
fn large_files_load_in_time() {
    let site =
        ("rules/shop/site.yaml".to_owned(), b"name: Shop\norigins: [https://a.example]\n".to_vec());
    let rules = |one: fn(usize) -> String, count: usize| {
        let text: String = (0..count).map(one).collect();
        ("rules/shop/a.yaml".to_owned(), format!("rules:\n{text}").into_bytes())
    };
    let many = rules(|n| format!("  - {{ id: r{n}, prompt: {{ message: Hello }} }}\n"), 20_000);
    check(vec![site.clone(), many]);
    let keys: String = (0..100_000).map(|n| format!("k{n}: 1\n")).collect();
    check(vec![site.clone(), ("rules/shop/a.yaml".to_owned(), keys.into_bytes())]);
    let wrong = rules(|n| format!("  - {{ id: r{n}, priority: x }}\n"), 20_000);
    check(vec![site.clone(), wrong]);
    check(vec![site, ("rules/shop/a.yaml".to_owned(), "[".repeat(100_000).into_bytes())]);
    // Each segment waits for the next one.
    let chain: String =
        (0..1_500).map(|n| format!("  s{n}: {{ segment: s{} }}\n", n + 1)).collect();
    let chain = format!("name: Shop\norigins: [https://a.example]\nsegments:\n{chain}");
    check(vec![("rules/shop/site.yaml".to_owned(), chain.into_bytes())]);
}

/// What a slip makes of one line; `None` where it has nothing to slip on.
type Slip = fn(&str) -> Option<String>;

const SLIPS: &[(&str, Slip)] = &[
    ("no colon", |line| line.contains(": ").then(|| line.replacen(": ", " ", 1))),
    ("no blank", |line| line.contains(": ").then(|| line.replacen(": ", ":", 1))),
    ("no opening quote", |line| line.contains('"').then(|| line.replacen('"', "", 1))),
    ("no closing quote", |line| {
        line.rfind('"').map(|at| format!("{}{}", &line[..at], &line[at + 1..]))
    }),
    ("no closing brace", |line| {
        line.rfind('}').map(|at| format!("{}{}", &line[..at], &line[at + 1..]))
    }),
    ("no opening brace", |line| line.contains('{').then(|| line.replacen('{', "", 1))),
    ("no closing bracket", |line| {
        line.rfind(']').map(|at| format!("{}{}", &line[..at], &line[at + 1..]))
    }),
    ("to the right", |line| (!line.trim().is_empty()).then(|| format!(" {line}"))),
    ("to the left", |line| line.strip_prefix(' ').map(str::to_owned)),
    ("with a tab", |line| line.strip_prefix("  ").map(|rest| format!("\t{rest}"))),
    ("no dash", |line| line.contains("- ").then(|| line.replacen("- ", "  ", 1))),
    ("twice", |line| (!line.trim().is_empty()).then(|| format!("{line}\n{line}"))),
    ("a letter less", |line| {
        let key = line.split(": ").next()?.trim_start_matches([' ', '-']);
        (key.len() > 3 && line.contains(": ")).then(|| line.replacen(key, &key[1..], 1))
    }),
    ("no value", |line| Some(format!("{}:", line.split_once(": ")?.0))),
];

/// Whoever slips looks for it where the finding points: not further than two lines off.
#[test]
fn a_slip_is_found_where_it_is() {
    let (mut edits, mut far) = (0, Vec::new());
    for (index, (name, bytes)) in demo().into_iter().enumerate() {
        let text = String::from_utf8(bytes).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        for (at, line) in
            lines.iter().enumerate().filter(|(_, line)| !line.trim_start().starts_with('#'))
        {
            for (what, slip) in SLIPS {
                let Some(slipped) = slip(line) else { continue };
                // A name that is spelled in another way is missed where it is used.
                if *what == "a letter less" && name.ends_with("site.yaml") && line.starts_with(' ')
                {
                    continue;
                }
                edits += 1;
                let mut edited: Vec<&str> = lines.clone();
                edited[at] = &slipped;
                let mut files = demo();
                files[index].1 = edited.join("\n").into_bytes();
                let loaded = load_bytes("demo-shop", files);
                if loaded.set.is_some() {
                    continue;
                }
                let is_near = loaded.findings.iter().any(|finding| {
                    let found = finding.source.position(finding.span.start).line;
                    finding.source.name == name && found.abs_diff(at + 1) <= 2
                });
                if !is_near {
                    let first = loaded.findings[0].to_string();
                    far.push(format!("{name}:{} {what}: {slipped}\n{first}\n", at + 1));
                }
            }
        }
    }
    assert!(edits >= 500, "{edits}");
    assert!(far.is_empty(), "{} of {edits}\n{}", far.len(), far.join("\n"));
}
