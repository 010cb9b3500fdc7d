//! Real traffic through the running service over HTTP, each answer held against the naive one.
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

mod naive;
mod support;

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use koekake::domain::decision::Reason;
use koekake::domain::ids::PageId;
use koekake::domain::page_url::PageUrl;
use koekake::domain::visit::{Device, DeviceKind, Event, EventKind, Page, Place, Profile, Visit};
use naive::eval::Site;
use naive::service::{Answer, Service};
use support::client::Client;
use support::server::Server;
use support::traffic::{self, Call};

const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data");
/// What was counted in the data before this service was written.
const READERS_SESSIONS: u64 = 22_226;

fn naive_service(site: &str) -> Service {
    let read = |name: &str| {
        std::fs::read_to_string(format!("{DATA}/rules/{site}/{name}")).expect("a rule file")
    };
    let files = [("rules.yaml".to_owned(), read("rules.yaml"))];
    Service::new(Site::read(site, &read("site.yaml"), &files).expect("good YAML"))
}

/// What the test database says of an address.
fn place(database: &maxminddb::Reader<Vec<u8>>, address: IpAddr) -> Place {
    let found: Option<serde_json::Value> =
        database.lookup(address).ok().and_then(|found| found.decode().ok()).flatten();
    let Some(found) = found else { return Place::default() };
    let text = |path: &str| found.pointer(path).and_then(|text| text.as_str());
    Place {
        continent: text("/continent/code").map(Into::into),
        country: text("/country/iso_code").map(Into::into),
        city: text("/city/names/en").map(Into::into),
        time_zone: text("/location/time_zone").and_then(|zone| zone.parse().ok()),
        ..Place::default()
    }
}

/// The call as the service should understand it.
fn visit(call: &Call, site: &str, place: Place, number: usize) -> (Visit, Page) {
    let kind = DeviceKind::ALL.into_iter().find(|kind| kind.as_str() == call.device);
    let languages = call.accept_language.into_iter().flat_map(|list| list.split(','));
    let visit = Visit {
        site: site.into(),
        session: PageId::parse(&call.session_id).ok(),
        visitor: call.visitor_id.as_deref().and_then(|id| PageId::parse(id).ok()),
        identity: None,
        event: Event { kind: EventKind::PageView, id: None, at: Some(call.at) },
        cart: None,
        profile: Profile::default(),
        consent: None,
        place: place.into(),
        device: Device {
            kind: kind.unwrap_or(DeviceKind::Unknown),
            os: None,
            browser: None,
            is_bot: call.device == "bot",
        },
        accept_languages: languages
            .map(|range| range.split(';').next().unwrap_or_default().trim().into())
            .collect(),
    };
    let page = Page {
        url: PageUrl::parse(&call.url).expect("a URL of the log"),
        referrer: None,
        title: None,
        view_id: Some(format!("v{number}").into()),
        time_on_page: None,
        idle: None,
        scroll_percent: None,
    };
    (visit, page)
}

/// How often each reason and each rule was answered.
#[derive(Default, PartialEq, Eq, Debug)]
struct Table {
    reasons: BTreeMap<String, u64>,
    rules: BTreeMap<String, u64>,
}

impl Table {
    fn count(&mut self, reason: &str, rule: Option<&str>) {
        *self.reasons.entry(reason.to_owned()).or_default() += 1;
        if let Some(rule) = rule {
            *self.rules.entry(rule.to_owned()).or_default() += 1;
        }
    }

    fn print(&self, title: &str) {
        println!("\n{title}");
        for (name, count) in self.reasons.iter().chain(&self.rules) {
            println!("  {name:<20} {count:>7}");
        }
    }
}

/// Runs traffic through the naive service alone.
fn dry_run(site: &str, calls: &[Call]) -> (Service, Table) {
    let database = database();
    let mut service = naive_service(site);
    let mut table = Table::default();
    let mut prompts: HashMap<_, u32> = HashMap::new();
    for (number, call) in calls.iter().enumerate() {
        let (visit, page) = visit(call, site, place(&database, call.address), number);
        let answer = service.decide(&visit, &page, call.at);
        table.count(answer.reason.as_str(), answer.rule.as_deref());
        if answer.reason == Reason::RuleMatched {
            *prompts.entry(answer.mark).or_default() += 1;
        }
    }
    assert!(prompts.values().all(|count| *count == 1), "a session was prompted twice");
    table.print(&format!("{site}, naive, {} calls", calls.len()));
    (service, table)
}

fn database() -> maxminddb::Reader<Vec<u8>> {
    let bytes = std::fs::read(format!("{DATA}/geoip/GeoLite2-City-Test.mmdb")).expect("a file");
    maxminddb::Reader::from_source(bytes).expect("a database")
}

/// The naive service itself finds the sessions that were counted, and every rule of the folder
/// wins now and then: otherwise its agreement would say little.
#[test]
fn naive_service_knows_the_readers() {
    let calls = traffic::readers();
    assert_eq!(calls.len(), 63_524);
    let (service, table) = dry_run("readers", &calls);
    assert_eq!(service.sessions_started, READERS_SESSIONS);
    assert_eq!(table.rules.len(), 8, "{:?}", table.rules);
}

#[test]
fn naive_service_knows_the_nginx_log() {
    let calls = traffic::nginx();
    let (_, table) = dry_run("adv", &calls);
    assert_eq!(table.rules.len(), 3, "{:?}", table.rules);
}

fn body(call: &Call, site: &str, number: usize) -> String {
    let at = call.at.to_utc().expect("a moment").to_rfc3339();
    let mut body = serde_json::json!({
        "site": site,
        "session_id": call.session_id,
        "event": { "type": "page_view", "id": format!("e{number}"), "at": at },
        "page": { "url": call.url, "view_id": format!("v{number}") },
    });
    if let Some(visitor) = &call.visitor_id {
        body["visitor_id"] = visitor.as_str().into();
    }
    body.to_string()
}

/// Sends the traffic, one call after the other, and compares answer by answer.
fn replay(site: &str, calls: &[Call]) -> (Server, Service) {
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
    let database = database();
    let mut naive = naive_service(site);
    let mut table = Table::default();
    let mut prompts: HashMap<_, u32> = HashMap::new();
    let started = std::time::Instant::now();
    for (number, call) in calls.iter().enumerate() {
        let address = call.address.to_string();
        let mut headers = vec![("X-Forwarded-For", address.as_str())];
        headers.extend(call.user_agent.as_deref().map(|agent| ("User-Agent", agent)));
        headers.extend(call.accept_language.map(|list| ("Accept-Language", list)));
        let response = client.post("/v1/decide", &headers, &body(call, site, number));
        assert_eq!(response.status, 200, "{call:?}: {}", response.body);
        let answer: serde_json::Value = serde_json::from_str(&response.body).expect("JSON");
        let reason = answer["reason"].as_str().expect("a reason");
        let rule = answer["rule"].as_str();
        table.count(reason, rule);

        let (mut visit, page) = visit(call, site, place(&database, call.address), number);
        if call.device == "unclear" {
            visit.device.is_bot = reason == "bot";
        }
        let Answer { reason: wanted, rule: wanted_rule, mark } =
            naive.decide(&visit, &page, call.at);
        let told = if reason == "not_yet" { "no_match" } else { reason };
        assert_eq!(
            (told, rule),
            (wanted.as_str(), wanted_rule.as_deref()),
            "call {number}: {call:?}\n{answer}"
        );
        let may_wait = ["not_yet", "cooldown"].contains(&reason);
        assert!(answer["recheck"].is_null() || may_wait, "{answer}");
        assert!(answer["recheck"].is_object() || reason != "not_yet", "{answer}");
        assert_eq!(answer["session_id"].as_str(), Some(call.session_id.as_str()));
        if answer["show"] == true {
            let count = prompts.entry(mark).or_default();
            *count += 1;
            assert_eq!(*count, 1, "a session is prompted twice: {call:?}");
        }
    }
    table.print(&format!("{site}, {} calls over HTTP in {:?}", calls.len(), started.elapsed()));
    let metrics = client.get("/metrics").body;
    for (reason, count) in &table.reasons {
        let sample =
            metric(&metrics, "koekake_decisions_total", &[("site", site), ("reason", reason)]);
        assert_eq!(sample, Some(*count), "decisions by {reason}");
    }
    let sessions = metric(&metrics, "koekake_sessions_started_total", &[("site", site)]);
    assert_eq!(sessions, Some(naive.sessions_started));
    (server, naive)
}

/// A sample of the Prometheus text format, whatever the order of its labels.
fn metric(text: &str, name: &str, labels: &[(&str, &str)]) -> Option<u64> {
    text.lines().find_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let given = series.strip_prefix(name)?.strip_prefix('{')?;
        let has_all =
            labels.iter().all(|(label, value)| given.contains(&format!("{label}=\"{value}\"")));
        has_all.then(|| value.parse().ok()).flatten()
    })
}

#[test]
fn readers_are_answered_as_the_naive_service_would() {
    let (_server, naive) = replay("readers", &traffic::readers());
    assert_eq!(naive.sessions_started, READERS_SESSIONS);
}

#[test]
fn nginx_log_is_answered_as_the_naive_service_would() {
    replay("adv", &traffic::nginx());
}
