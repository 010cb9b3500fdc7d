//! Rule files as fingers and disks damage them: loading never panics, never hangs, and gives rules
//! exactly where it refuses nothing.

use std::sync::Arc;
use std::time::{Duration, Instant};

use koekake::rules::compile::load_bytes;
use koekake::rules::diagnostic::{Report, Severity, Source};
use koekake::rules::raw::{Node, NodeKind, read};
use proptest::prelude::*;

use super::{Files, below, shown, yaml};

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

/// What a slip makes of one line, given the whole file and its number: the lines in its place.
/// `None` where it has nothing to slip on.
type Slip = fn(&[&str], usize) -> Option<Vec<String>>;

fn instead(text: String) -> Option<Vec<String>> {
    Some(vec![text])
}

/// Its key and value, of a line with both.
fn parts(line: &str) -> Option<(&str, &str)> {
    line.split_once(": ").filter(|(_, value)| !value.trim().is_empty())
}

/// One letter of a text, chosen by the line's number, replaced by its neighbour on the keyboard.
fn mistyped(text: &str, number: usize) -> Option<String> {
    let letters: Vec<usize> =
        text.char_indices().filter(|(_, c)| c.is_ascii_alphabetic()).map(|(at, _)| at).collect();
    let at = *letters.get(number % letters.len().max(1))?;
    let keys = "qwertyuiopasdfghjklzxcvbnmq";
    let letter = text[at..].chars().next()?.to_ascii_lowercase();
    let neighbour = &keys[keys.find(letter)? + 1..][..1];
    Some(format!("{}{neighbour}{}", &text[..at], &text[at + 1..]))
}

const SLIPS: &[(&str, Slip)] = &[
    ("no colon", |all, at| parts(all[at]).and_then(|_| instead(all[at].replacen(": ", " ", 1)))),
    ("no blank", |all, at| parts(all[at]).and_then(|_| instead(all[at].replacen(": ", ":", 1)))),
    ("no opening quote", |all, at| {
        all[at].contains('"').then(|| vec![all[at].replacen('"', "", 1)])
    }),
    ("no closing quote", |all, at| {
        let line = all[at];
        line.rfind('"').and_then(|at| instead(format!("{}{}", &line[..at], &line[at + 1..])))
    }),
    ("no closing brace", |all, at| {
        let line = all[at];
        line.rfind('}').and_then(|at| instead(format!("{}{}", &line[..at], &line[at + 1..])))
    }),
    ("no opening brace", |all, at| {
        all[at].contains('{').then(|| vec![all[at].replacen('{', "", 1)])
    }),
    ("no closing bracket", |all, at| {
        let line = all[at];
        line.rfind(']').and_then(|at| instead(format!("{}{}", &line[..at], &line[at + 1..])))
    }),
    ("an indent to the right", |all, at| instead(format!(" {}", all[at]))),
    ("an indent to the left", |all, at| instead(all[at].strip_prefix(' ')?.to_owned())),
    ("an indent of two to the left", |all, at| instead(all[at].strip_prefix("  ")?.to_owned())),
    ("a tab", |all, at| instead(format!("\t{}", all[at].strip_prefix("  ")?))),
    ("no dash", |all, at| all[at].contains("- ").then(|| vec![all[at].replacen("- ", "  ", 1)])),
    ("a line twice", |all, at| Some(vec![all[at].to_owned(), all[at].to_owned()])),
    ("a key doubled", |all, at| {
        let (key, _) = parts(all[at])?;
        let again = format!("{}: other", key.replacen("- ", "  ", 1));
        Some(vec![all[at].to_owned(), again])
    }),
    ("no line", |_, _| Some(Vec::new())),
    ("a letter less", |all, at| {
        let key = parts(all[at])?.0.trim_start_matches([' ', '-']);
        (key.len() > 3).then(|| vec![all[at].replacen(key, &key[1..], 1)])
    }),
    ("a letter changed in a key", |all, at| {
        let (key, value) = parts(all[at])?;
        instead(format!("{}: {value}", mistyped(key, at)?))
    }),
    ("a letter changed in a value", |all, at| {
        let (key, value) = parts(all[at])?;
        instead(format!("{key}: {}", mistyped(value, at)?))
    }),
    ("no value", |all, at| instead(format!("{}:", parts(all[at])?.0))),
    ("a value swapped with the next line's", |all, at| {
        let ((key, value), (next_key, next)) = (parts(all[at])?, parts(all.get(at + 1)?)?);
        Some(vec![format!("{key}: {next}"), format!("{next_key}: {value}")])
    }),
    ("a value of another kind", |all, at| {
        let others = ["soon", "7", "[a]", "{ a: b }", "true", "1.5%", "\"\""];
        instead(format!("{}: {}", parts(all[at])?.0, others[at % others.len()]))
    }),
];

/// Every slip on every line of the demo's files: which file, which line, what, and all files.
fn slips() -> Vec<(usize, usize, &'static str, Files)> {
    let mut all = Vec::new();
    for (index, (_, bytes)) in demo().into_iter().enumerate() {
        let text = String::from_utf8(bytes).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let says_something =
            |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
        for at in (0..lines.len()).filter(|at| says_something(lines[*at])) {
            for (what, slip) in SLIPS {
                let Some(slipped) = slip(&lines, at) else { continue };
                let taken = if what.contains("next line") { 2 } else { 1 };
                let mut edited: Vec<String> = lines.iter().map(|&line| line.to_owned()).collect();
                edited.splice(at..at + taken, slipped);
                if edited == lines {
                    continue;
                }
                let mut files = demo();
                files[index].1 = (edited.join("\n") + "\n").into_bytes();
                all.push((index, at, *what, files));
            }
        }
    }
    assert!(all.len() >= 500, "{}", all.len());
    all
}

/// Whoever slips looks for it where the findings point: not further than two lines off. Only what
/// other places use (a name in `site.yaml`, a language) is missed where it is used. And what loads
/// all the same, loads as another reader of YAML reads it.
#[test]
fn a_slip_is_found_where_it_is_or_means_what_yaml_says() {
    let used = ["unknown-hours", "unknown-segment", "unknown-language", "no-currency", "template"];
    let (mut far, mut loaded_all_the_same) = (Vec::new(), 0);
    for (index, at, what, files) in slips() {
        let (name, bytes) = files[index].clone();
        let text = String::from_utf8(bytes).unwrap();
        let loaded = load_bytes("demo-shop", files);
        if loaded.set.is_some() {
            loaded_all_the_same += 1;
            let other = yaml::read(&text);
            let source = Arc::new(Source { name: name.clone(), text });
            let own = read(&source, &mut Report::default()).map(|node| plain(&node));
            assert_eq!(own, other.ok(), "{name}:{} {what}", at + 1);
            continue;
        }
        let is_missed_elsewhere = name.ends_with("site.yaml")
            && loaded.findings.iter().all(|finding| used.contains(&finding.code));
        let is_near = loaded.findings.iter().any(|finding| {
            let found = finding.source.position(finding.span.start).line;
            finding.source.name == name && found.abs_diff(at + 1) <= 2
        });
        if !is_near && !is_missed_elsewhere {
            let line = text.lines().nth(at).unwrap_or_default();
            let first = loaded.findings[0].to_string();
            far.push(format!("{name}:{} {what}: {line}\n{first}\n", at + 1));
        }
    }
    assert!(far.is_empty(), "{}\n{}", far.len(), far.join("\n"));
    assert!(loaded_all_the_same >= 100, "{loaded_all_the_same}");
}

/// A tree without its places.
fn plain(node: &Node) -> yaml::Value {
    match &node.kind {
        NodeKind::Scalar { text, is_quoted } => {
            yaml::Value::Scalar { text: text.clone(), is_quoted: *is_quoted }
        }
        NodeKind::List(items) => yaml::Value::List(items.iter().map(plain).collect()),
        NodeKind::Map(entries) => yaml::Value::Map(
            entries.iter().map(|entry| (entry.key.clone(), plain(&entry.value))).collect(),
        ),
    }
}
