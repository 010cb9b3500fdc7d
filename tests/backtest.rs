//! A backtest makes the same calls as a page would, and the service answers them the same over
//! HTTP, one for one; and what is counted of a log is what is in it.
//!
//! Must not: depend on the clock: every call brings its own time.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::pedantic,
    missing_docs,
    reason = "a test may fail by panicking, and need not be polished"
)]

mod support;

use std::collections::HashMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use koekake::backtest::json_lines::Mapping;
use koekake::backtest::logs::Logs;
use koekake::backtest::report::{Found, Report, html, text};
use koekake::backtest::run::{Backtest, Call, Options, drive};
use koekake::backtest::sift::{Sieve, browser_id};
use koekake::backtest::stream::Stream;
use koekake::domain::time::Millis;
use koekake::domain::visit::EventKind;
use koekake::enrich::geoip::GeoIp;
use koekake::rules::compile::load_bytes;
use koekake::rules::model::RuleSet;
use serde_json::{Value, json};
use support::client::Client;
use support::server::Server;
use support::traffic;

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");

/// A folder of this test's own, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("koekake-bt-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn rules_of(site: &str) -> RuleSet {
    let read = |name: &str| {
        let path = format!("{DATA}/rules/{site}/{name}");
        (name.to_owned(), std::fs::read(path).expect("a rule file"))
    };
    load_bytes(site, vec![read("site.yaml"), read("rules.yaml")]).set.expect("good rules")
}

fn geoip() -> Arc<GeoIp> {
    let path = format!("{DATA}/geoip/GeoLite2-City-Test.mmdb");
    Arc::new(GeoIp::open(Path::new(&path)).expect("a database"))
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().build().unwrap()
}

/// A call as it goes over HTTP, and what the backtest was answered.
struct Made {
    session: String,
    visitor: Option<String>,
    body: Value,
    answer: (String, bool, Option<String>, Option<String>, Option<i64>),
}

/// Runs a backtest and keeps its calls.
fn run(set: RuleSet, log: &Path, options: &Options) -> (Vec<Made>, Report) {
    let set = Arc::new(set);
    let origin = set.site.origins.first().unwrap().to_owned();
    let sieve = Sieve::new(&set.site.key, &origin, options, Some(geoip()));
    let mut logs = Logs::open(&[log.to_owned()], sieve).unwrap();
    let mut stream = Stream::new(set.site.session_timeout);
    let mut backtest = Backtest::new(set.clone(), None, options);
    let mut made = Vec::new();
    let mut keep = |call: Call<'_>| made.push(made_of(&set.site.key, call));
    runtime().block_on(drive(&mut logs, &mut stream, &mut backtest, &mut keep, &mut |_| {}));
    let span = backtest.span;
    let (tallies, comparison) = backtest.tallies();
    let report = Report::of(&Found {
        set: &set,
        tally: &tallies[0].1,
        against: None,
        comparison: &comparison,
        counts: &logs.counts,
        stream: &stream,
        span,
        options,
    });
    (made, report)
}

fn made_of(site: &str, call: Call<'_>) -> Made {
    let Call { visit, page, answer } = call;
    let at = visit.event.at.unwrap().to_utc().unwrap().to_rfc3339();
    let kind = if visit.event.kind == EventKind::Recheck { "recheck" } else { "page_view" };
    let session = visit.session.as_ref().unwrap().to_string();
    let visitor = visit.visitor.as_ref().map(ToString::to_string);
    let offer = answer.offer.as_deref();
    Made {
        body: json!({
            "site": site,
            "session_id": session,
            "visitor_id": visitor,
            "event": { "type": kind, "at": at },
            "page": {
                "url": page.url.as_str(),
                "view_id": page.view_id.as_deref(),
                "referrer": page.referrer.as_ref().map(|url| url.as_str()),
            },
        }),
        session,
        visitor,
        answer: (
            answer.reason.as_str().to_owned(),
            answer.show(),
            offer.map(|offer| offer.rule.to_string()),
            offer.map(|offer| offer.variant.to_string()),
            answer.recheck.as_ref().and_then(|recheck| Some(recheck.after?.0)),
        ),
    }
}

/// What the request besides its body tells of a session's visitor.
#[derive(Clone)]
struct Headers {
    address: String,
    user_agent: Option<String>,
    languages: Option<String>,
}

/// Sends the calls to a running service, and holds each answer against the backtest's.
fn replay(made: &[Made], headers: &HashMap<String, Headers>) {
    let (rules, geoip) = (format!("{DATA}/rules"), format!("{DATA}/geoip"));
    let server = Server::start(&[
        "--rules",
        &rules,
        "--geoip",
        &geoip,
        "--trust-event-time",
        "--rate-limit",
        "off",
        "--trusted-proxies",
        "127.0.0.1",
    ]);
    let mut client = Client::connect(&server.address);
    for (number, call) in made.iter().enumerate() {
        let told = &headers[&call.session];
        let mut headers = vec![("X-Forwarded-For", told.address.as_str())];
        headers.extend(told.user_agent.as_deref().map(|agent| ("User-Agent", agent)));
        headers.extend(told.languages.as_deref().map(|list| ("Accept-Language", list)));
        let response = client.post("/v1/decide", &headers, &call.body.to_string());
        assert_eq!(response.status, 200, "{}", response.body);
        let answer: Value = serde_json::from_str(&response.body).unwrap();
        let text = |name: &str| answer[name].as_str().map(str::to_owned);
        let over_http = (
            text("reason").unwrap(),
            answer["show"].as_bool().unwrap(),
            text("rule"),
            text("variant"),
            answer["recheck"]["after_ms"].as_i64(),
        );
        assert_eq!(over_http, call.answer, "call {number}: {}\n{answer}", call.body);
    }
}

fn count(made: &[Made], is_counted: impl Fn(&Made) -> bool) -> usize {
    made.iter().filter(|call| is_counted(call)).count()
}

#[test]
fn readers_are_answered_over_http_as_in_a_backtest() {
    let folder = Folder::new("readers");
    let calls = traffic::readers();
    let mut lines = Vec::new();
    let mut headers = HashMap::new();
    for call in &calls {
        // The log's own names of things, to be mapped.
        let line = json!({
            "ts": call.at.to_utc().unwrap().to_rfc3339(),
            "request": { "url": call.url, "lang": call.accept_language },
            "ip": call.address.to_string(),
            "agent": call.user_agent,
            "session": call.session_id,
            "visitor": call.visitor_id,
        });
        writeln!(lines, "{line}").unwrap();
        headers.insert(
            call.session_id.clone(),
            Headers {
                address: call.address.to_string(),
                user_agent: call.user_agent.clone(),
                languages: call.accept_language.map(str::to_owned),
            },
        );
    }
    let log = folder.write("readers.jsonl", &lines);
    let map = "at=ts,url=request.url,languages=request.lang,address=ip,user_agent=agent";
    let options = Options {
        includes_assets: true,
        includes_bots: true,
        mapping: Some(Mapping::parse(map).unwrap()),
        ..Options::default()
    };
    let (made, report) = run(rules_of("readers"), &log, &options);
    assert_eq!(count(&made, |call| call.body["event"]["type"] == "page_view"), calls.len());
    assert!(count(&made, |call| call.body["event"]["type"] == "recheck") > 300);
    assert!(count(&made, |call| call.answer.1) > 1_000);
    assert_eq!(report.log.unread, 0);
    assert_eq!(report.events, 63_524);
    let visitors = made.iter().filter(|call| call.visitor.is_some()).count();
    assert_eq!(visitors, made.len(), "the log names them");
    replay(&made, &headers);
}

#[test]
fn nginx_log_is_answered_over_http_as_in_a_backtest() {
    let log = PathBuf::from(format!("{DATA}/traffic/adv_nginx_access.log.gz"));
    // Everything that asked for a path, as the log has it.
    let options = Options {
        includes_assets: true,
        includes_bots: true,
        last_page: Millis::seconds(30),
        ..Options::default()
    };
    let (made, report) = run(rules_of("adv"), &log, &options);
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(std::fs::File::open(&log).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    let mut headers = HashMap::new();
    for line in text.lines() {
        let address = line.split(' ').next().unwrap().to_owned();
        let agent = line.split('"').nth(5).filter(|agent| *agent != "-").map(str::to_owned);
        let session = browser_id(&address, agent.as_deref().unwrap_or_default()).to_string();
        headers.insert(session, Headers { address, user_agent: agent, languages: None });
    }
    assert_eq!(report.log.lines, 1_000);
    assert!(count(&made, |call| call.body["event"]["type"] == "recheck") > 5);
    assert!(count(&made, |call| call.answer.1) > 5);
    replay(&made, &headers);
}

/// A small shop: help after half a minute, a greeting on the third page.
const SITE: &str = "name: Shop\norigins: [\"https://shop.example\"]\ntime_zone: Etc/UTC\n\
                    caps: { per_session: 1, cooldown: 24h }\n";
const RULES: &str = "rules:\n  \
    - { id: help, priority: 9, when: [ { page.path: /a }, { page.time_on_page: { at_least: 30s } } ], prompt: { message: Hi } }\n  \
    - { id: third, when: [ { session.page_views: { at_least: 3 } } ], prompt: { message: Hi } }\n  \
    - { id: deep, when: [ { page.scroll_percent: { at_least: 50 } } ], prompt: { message: Hi } }\n";

const BROWSER: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36";

fn line(who: &str, at: &str, request: &str, status: u16, agent: &str) -> String {
    format!("{who} - - [20/Nov/2026:{at} +0000] \"{request}\" {status} 10 \"-\" \"{agent}\"\n")
}

fn small() -> String {
    [
        line("1.1.1.1", "10:00:00", "GET /a HTTP/1.1", 200, BROWSER),
        line("1.1.1.1", "10:00:00", "GET /a.css HTTP/1.1", 200, BROWSER),
        line("2.2.2.2", "10:00:01", "GET /a HTTP/1.1", 200, BROWSER),
        line("2.2.2.2", "10:00:21", "GET /b HTTP/1.1", 200, BROWSER),
        // Out of order, as servers write.
        line("1.1.1.1", "10:01:00", "GET /b HTTP/1.1", 200, BROWSER),
        line("2.2.2.2", "10:00:50", "GET /c HTTP/1.1", 200, BROWSER),
        line("3.3.3.3", "10:02:00", "POST /a HTTP/1.1", 200, BROWSER),
        line("3.3.3.3", "10:02:00", "GET /gone HTTP/1.1", 404, BROWSER),
        line("3.3.3.3", "10:02:00", "GET /old HTTP/1.1", 301, BROWSER),
        line("4.4.4.4", "10:02:01", "GET /a HTTP/1.1", 200, "curl/8.5.0"),
        "what is this\n".to_owned(),
        // A second session, within the cooldown.
        line("1.1.1.1", "11:00:00", "GET /a HTTP/1.1", 200, BROWSER),
        line("1.1.1.1", "11:00:40", "GET /b HTTP/1.1", 200, BROWSER),
    ]
    .concat()
}

fn shop() -> RuleSet {
    let files = [("site.yaml", SITE), ("rules.yaml", RULES)];
    let files = files.map(|(name, text)| (name.to_owned(), text.as_bytes().to_vec()));
    load_bytes("shop", files.to_vec()).set.expect("good rules")
}

#[test]
fn counts_what_is_in_a_log() {
    let folder = Folder::new("small");
    let log = folder.write("access.log", small().as_bytes());
    let (made, report) = run(shop(), &log, &Options::default());
    assert_eq!(report.log.lines, 13);
    assert_eq!(
        report.log.left_out,
        [
            ("no GET", 1),
            ("redirected", 1),
            ("refused or not found", 1),
            ("pictures, scripts, downloads", 1),
            ("bots", 1),
        ]
    );
    assert_eq!(report.log.unread, 1);
    assert!(
        report.log.first_unread[0].contains("access.log:11: "),
        "{:?}",
        report.log.first_unread
    );
    assert_eq!(report.log.sorted, 1);
    assert_eq!((report.events, report.sessions, report.prompted_sessions), (7, 3, 2));
    // The first stayed on /a for a minute, so the recheck after half of it showed.
    let rules: Vec<_> =
        report.rules.iter().map(|rule| (rule.rule.as_str(), rule.prompts)).collect();
    assert_eq!(rules, [("help", 1), ("third", 1), ("deep", 0)]);
    let shown: Vec<_> = made.iter().filter(|call| call.answer.1).map(|call| &call.body).collect();
    assert_eq!(shown[0]["event"]["at"], "2026-11-20T10:00:30+00:00");
    assert_eq!(shown[0]["event"]["type"], "recheck");
    assert_eq!(shown[1]["event"]["at"], "2026-11-20T10:00:50+00:00");
    assert_eq!(report.rules[0].by_hour[10], 1);
    // The second session of the first visitor fell into the cooldown.
    let reasons: HashMap<_, _> = report.reasons.iter().copied().collect();
    assert_eq!(reasons["cooldown"], 2, "{reasons:?}");
    // The second visitor lacked nothing but time, and came two thirds of the way at most.
    assert_eq!(report.rules[2].unknown_fields, ["page.scroll_percent"]);
    let stops: Vec<_> = report.rules[1].stopped_by.iter().map(|stop| stop.by.as_str()).collect();
    assert_eq!(stops, ["session.page_views"]);
    let near = &report.rules[1].near_misses;
    assert!(near.iter().all(|near| near.field == "session.page_views"), "{near:?}");
    for page in [text::render(&report), html::render(&report)] {
        assert!(page.contains("help") && page.contains("access.log:11"), "{page}");
    }
}

#[test]
fn the_last_page_is_assumed_as_told() {
    let folder = Folder::new("last");
    let log = line("1.1.1.1", "10:00:00", "GET /a HTTP/1.1", 200, BROWSER);
    let log = folder.write("access.log", log.as_bytes());
    for (last_page, prompts) in [(0, 0), (29, 0), (30, 1)] {
        let options = Options { last_page: Millis::seconds(last_page), ..Options::default() };
        let (_, report) = run(shop(), &log, &options);
        assert_eq!(report.prompts, prompts, "{last_page} s");
    }
}

#[test]
fn packed_logs_in_any_order_give_the_same() {
    let folder = Folder::new("packed");
    let text = small();
    let half = text.match_indices('\n').nth(5).unwrap().0 + 1;
    let (first, second) = text.split_at(half);
    let gz = {
        let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        packer.write_all(first.as_bytes()).unwrap();
        packer.finish().unwrap()
    };
    let zst = zstd::encode_all(second.as_bytes(), 1).unwrap();
    let mut xz = Vec::new();
    lzma_rs::xz_compress(&mut text.as_bytes(), &mut xz).unwrap();
    let rules = folder.write("rules/shop/rules.yaml", RULES.as_bytes());
    folder.write("rules/shop/site.yaml", SITE.as_bytes());
    let rules = rules.parent().unwrap().display().to_string();
    // Names tell nothing: what is in them does.
    let (gz, zst) = (folder.write("a.log", &gz), folder.write("b.log", &zst));
    let xz = folder.write("all.log", &xz);
    let plain = folder.write("plain.log", text.as_bytes());
    let told = |logs: &[&Path]| {
        let output = Command::new(env!("CARGO_BIN_EXE_koekake"))
            .args(["backtest", "--geoip", "none", "--format", "json", "--rules", &rules, "--log"])
            .args(logs)
            .current_dir(&folder.0)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let mut report: Value = serde_json::from_slice(&output.stdout).unwrap();
        // Which line of which file it was differs; so does what had to be sorted.
        report["log"]["first_unread"] = Value::Null;
        report["log"]["sorted"] = Value::Null;
        report
    };
    let wanted = told(&[&plain]);
    assert_eq!(wanted["prompts"], 2);
    assert_eq!(told(&[&xz]), wanted);
    assert_eq!(told(&[&zst, &gz]), wanted);
}

#[test]
fn compares_with_other_rules_and_writes_a_page() {
    let folder = Folder::new("against");
    let log = folder.write("access.log", small().as_bytes());
    folder.write("old/shop/site.yaml", SITE.as_bytes());
    folder.write("old/shop/rules.yaml", RULES.as_bytes());
    folder.write("new/shop/site.yaml", SITE.replace("Shop", "<script>Shop").as_bytes());
    let only = "rules:\n  - { id: second, when: [ { session.page_views: { at_least: 2 } }, { page.path: /c } ], prompt: { message: Hi } }\n";
    folder.write("new/shop/rules.yaml", only.as_bytes());
    let page = folder.0.join("out.html");
    let path = |name: &str| folder.0.join(name).display().to_string();
    let output = Command::new(env!("CARGO_BIN_EXE_koekake"))
        .args(["backtest", "--geoip", "none", "--rules", &path("new"), "--against", &path("old")])
        .arg("--report")
        .arg(&page)
        .arg("--log")
        .arg(&log)
        .current_dir(&folder.0)
        .output()
        .unwrap();
    let told = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for wanted in ["1  sessions lose it", "help → no prompt", "third → second"] {
        assert!(told.contains(wanted), "{wanted}:\n{told}");
    }
    let page = std::fs::read_to_string(page).unwrap();
    assert!(page.starts_with("<!doctype html>") && !page.contains("<script>"), "escaped");
    assert!(!page.contains("http://") && !page.contains("https://"), "loads nothing");
}

#[test]
fn its_own_calls_bring_what_a_log_cannot_tell() {
    let folder = Folder::new("own");
    let call = |at: i64, kind: Value, scroll: u8| {
        json!({
            "site": "shop", "session_id": "a-session-of-the-log", "event": kind, "at": at,
            "page": { "url": "https://shop.example/x", "view_id": "v", "scroll_percent": scroll },
            "client": { "user_agent": BROWSER, "address": "1.1.1.1" },
        })
        .to_string()
    };
    let lines = [
        call(1_795_136_400, json!({ "type": "page_view" }), 0),
        call(1_795_136_410, json!({ "type": "recheck" }), 60),
        call(1_795_136_420, json!({ "type": "signal", "name": "form_error" }), 60),
        call(1_795_136_430, json!({ "type": "page_view" }), 0).replace("\"shop\"", "\"other\""),
        "{\"site\":\"shop\"}".to_owned(),
    ];
    let log = folder.write("calls.jsonl", lines.join("\n").as_bytes());
    let (made, report) = run(shop(), &log, &Options::default());
    assert_eq!(report.log.left_out, [("rechecks of the page script", 1), ("other sites", 1)],);
    assert_eq!(report.log.unread, 1);
    // The signal told how far was scrolled.
    assert_eq!(made.last().unwrap().answer.2.as_deref(), Some("deep"));
    assert!(report.rules.iter().all(|rule| rule.unknown_fields.is_empty()));
}
