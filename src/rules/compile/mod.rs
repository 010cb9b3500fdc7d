//! A site's files → its rule set, whole, or everything that is wrong with them.
//!
//! Must not: read files or a clock.

use std::sync::Arc;

use twox_hash::XxHash3_64;

use super::changes::fingerprint;
use super::context::Context;
use super::diagnostic::{Diagnostic, Report, Source, Span};
use super::model::RuleSet;
use super::raw::{Node, read};
use super::sample::Sample;
use crate::domain::time::Timestamp;
use predicates::Predicates;

mod allow;
mod example;
mod keys;
mod misplaced;
mod named;
mod predicates;
mod prompt;
mod rule;
mod site;
mod suggest;
mod texts;
mod when;

/// The name of the file with a site's settings.
pub const SITE_FILE: &str = "site.yaml";

/// What came of loading a site's rules.
#[derive(Debug)]
pub struct Loaded {
    /// The rules, if nothing was wrong.
    pub set: Option<RuleSet>,
    /// Errors and warnings, by file and place.
    pub findings: Vec<Diagnostic>,
}

/// Compiles the files of one site: `site.yaml` and any number of others with `rules:`.
///
/// `key` is the name of the site's folder. The files' order does not matter.
#[must_use]
pub fn load(key: &str, mut files: Vec<Source>) -> Loaded {
    files.sort_by(|a, b| a.name.cmp(&b.name));
    for file in &mut files {
        // Windows' editors put a byte order mark there; columns count from what follows it.
        if file.text.starts_with('\u{FEFF}') {
            file.text.remove(0);
        }
    }
    let version = version(&files);
    let files: Vec<Arc<Source>> = files.into_iter().map(Arc::new).collect();
    let mut report = Report::default();
    let set = compile(key, &files, version, &mut report);
    let is_sound = report.error_count() == 0;
    Loaded { set: is_sound.then_some(set), findings: report.into_findings() }
}

/// As [`load`], from bytes as they are in the files: what is no UTF-8 is a finding too.
#[must_use]
pub fn load_bytes(key: &str, files: Vec<(String, Vec<u8>)>) -> Loaded {
    let mut report = Report::default();
    let mut sources = Vec::new();
    for (name, bytes) in files {
        let text = String::from_utf8(bytes).unwrap_or_else(|error| {
            let valid = error.utf8_error().valid_up_to();
            let bytes = error.into_bytes();
            report.push(not_utf8(&name, valid, &bytes));
            String::from_utf8_lossy(bytes.get(..valid).unwrap_or_default()).into_owned()
        });
        sources.push(Source { name, text });
    }
    let undecoded = report.into_findings();
    let Loaded { set, mut findings } = load(key, sources);
    if undecoded.is_empty() {
        return Loaded { set, findings };
    }
    // Of a file that was cut short, and of what other files use of it, there is nothing to say.
    let is_cut = |name: &str| undecoded.iter().any(|cut| cut.source.name == name);
    let is_site_cut = undecoded.iter().any(|cut| is_site_file(&cut.source.name));
    findings.retain(|finding| !is_site_cut && !is_cut(&finding.source.name));
    findings.extend(undecoded);
    findings.sort_by(|a, b| a.source.name.cmp(&b.source.name));
    Loaded { set: None, findings }
}

fn is_like_site_file(name: &str) -> bool {
    let name = name.rsplit('/').next().unwrap_or_default().to_lowercase();
    matches!(name.as_str(), "site.yaml" | "site.yml" | "sites.yaml")
}

fn no_site_file(key: &str, files: &[Arc<Source>], missing: &Arc<Source>) -> Diagnostic {
    let alike = files.iter().find(|file| is_like_site_file(&file.name));
    let help = match alike {
        Some(file) => format!("rename {} to {SITE_FILE}", file.name),
        None => "write one with at least `name`, `origins` and `time_zone`".to_owned(),
    };
    let message = format!("the site `{key}` has no {SITE_FILE}");
    Diagnostic::error("no-site-file", missing, Span::default(), message).help(help)
}

fn not_utf8(name: &str, valid: usize, bytes: &[u8]) -> Diagnostic {
    let is_utf16 = matches!(bytes, [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..]);
    let text = String::from_utf8_lossy(bytes).into_owned();
    let source = Arc::new(Source { name: name.to_owned(), text });
    let message = if is_utf16 {
        "the file is UTF-16, not UTF-8".to_owned()
    } else {
        "the file is not UTF-8 from here on".to_owned()
    };
    Diagnostic::error("not-utf-8", &source, Span { start: valid, end: valid }, message)
        .help("save it again with the encoding UTF-8")
}

fn is_site_file(name: &str) -> bool {
    name == SITE_FILE || name.ends_with("/site.yaml")
}

fn compile(key: &str, files: &[Arc<Source>], version: Arc<str>, report: &mut Report) -> RuleSet {
    let mut documents: Vec<(&Arc<Source>, Option<Node>)> = Vec::new();
    let mut is_site_certain = true;
    for file in files {
        let errors_before = report.error_count();
        documents.push((file, read(file, report)));
        if is_site_file(&file.name) {
            is_site_certain = report.error_count() == errors_before;
        }
    }
    let folder = files.first().and_then(|file| Some(file.name.rsplit_once('/')?.0)).unwrap_or(key);
    let missing = Arc::new(Source { name: format!("{folder}/{SITE_FILE}"), text: String::new() });
    let site = documents.iter().find(|(file, _)| is_site_file(&file.name));
    // Without a site that can be read, the rule files are still looked at for what is wrong there.
    let (site_file, site_node) =
        site.map_or((&missing, None), |(file, node)| (*file, node.as_ref()));
    if site.is_none() {
        report.push(no_site_file(key, files, &missing));
    }
    if !is_key(key) {
        report.push(
            Diagnostic::error(
                "site-key",
                site_file,
                Span::default(),
                format!("`{key}` cannot be a site's key"),
            )
            .help("name the folder with up to 64 of a-z, A-Z, 0-9, '-', '_' and '.'"),
        );
    }
    let mut predicates = Predicates::default();
    let compiled =
        site::compile(key, site_file, site_node, is_site_certain, &mut predicates, report);
    let mut rules = rule::Rules::default();
    for (file, node) in &documents {
        let Some(node) = node else { continue };
        if is_site_file(&file.name) || (site.is_none() && is_like_site_file(&file.name)) {
            continue;
        }
        rule::compile_file(file, node, &compiled, &mut predicates, &mut rules, report);
    }
    compiled.check_zone(site_file, rules.dates, report);
    let mut rules = rules.all;
    // Files are in order of their names and rules in order within them: a stable sort keeps both.
    rules.sort_by_key(|rule| std::cmp::Reverse(rule.priority));
    let (predicates, notes) = predicates.into_parts();
    let fingerprint = site_node.map(fingerprint).unwrap_or_default();
    let sources = files.to_vec();
    RuleSet { site: compiled.site, rules, predicates, notes, sources, version, fingerprint }
}

/// A visit made up of field values, as the `given` of a rule's example reads them; at `now` unless
/// `at` is among them. A value that begins with `[` is a list.
///
/// # Errors
/// Everything that is wrong with the values.
pub fn sample(
    key: &str,
    files: Vec<(String, Vec<u8>)>,
    given: &[(&str, &str)],
    now: Timestamp,
) -> Result<Sample, Vec<Diagnostic>> {
    let mut text = String::new();
    for (field, value) in given {
        let is_list = value.starts_with('[');
        let value = if is_list { (*value).to_owned() } else { quoted(value) };
        text.extend([&*quoted(field), ": ", &*value, "\n"]);
    }
    let source = Arc::new(Source { name: "the values".to_owned(), text });
    let mut report = Report::default();
    let node = read(&source, &mut report).filter(|node| !node.is_null());
    // The site's own mistakes are told where its rules are loaded.
    let mut unsaid = Report::default();
    let site_file = files.into_iter().find(|(name, _)| is_site_file(name));
    let site_file = site_file.map(|(name, bytes)| {
        Arc::new(Source { name, text: String::from_utf8_lossy(&bytes).into_owned() })
    });
    let missing = || Arc::new(Source { name: SITE_FILE.to_owned(), text: String::new() });
    let site_file = site_file.unwrap_or_else(missing);
    let site_node = read(&site_file, &mut unsaid);
    let mut predicates = Predicates::default();
    let compiled =
        site::compile(key, &site_file, site_node.as_ref(), true, &mut predicates, &mut unsaid);
    let mut cx = Context { source: &source, report: &mut report, site: &compiled.basics };
    let sample = example::sample_at(node.as_ref(), &compiled, now, &mut cx);
    sample.ok_or_else(|| report.into_findings())
}

/// As a double-quoted scalar of YAML, which takes JSON's escapes.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Whether a text may name a site, and so a folder, a metric's label and a part of a route.
#[must_use]
pub fn is_key(text: &str) -> bool {
    (1..=64).contains(&text.len())
        && !text.starts_with('.')
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

/// A hash of names and texts: XXH3, 64 bits, as 16 hexadecimal digits.
fn version(files: &[Source]) -> Arc<str> {
    let mut bytes = Vec::new();
    for file in files {
        // The folder's own place does not matter, only what is in it.
        let name = file.name.rsplit('/').next().unwrap_or_default();
        for part in [name, &file.text] {
            bytes.extend_from_slice(&(part.len() as u64).to_le_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
    }
    format!("{:016x}", XxHash3_64::oneshot(&bytes)).into()
}
