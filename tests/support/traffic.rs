//! Real traffic as calls: who, when, which page, from where and with what.
//!
//! Must not: send anything.

use std::io::Read;
use std::net::IpAddr;

use koekake::domain::page_url::PageUrl;
use koekake::domain::time::Timestamp;

/// One page view of a log.
#[derive(Debug, Clone)]
pub struct Call {
    pub at: Timestamp,
    /// 32 hexadecimal digits.
    pub session_id: String,
    pub visitor_id: Option<String>,
    pub url: String,
    pub address: IpAddr,
    pub user_agent: Option<String>,
    pub accept_language: Option<&'static str>,
    /// The kind of device, or `bot`, as somebody who knows would say; `unclear` where nobody does.
    pub device: String,
}

const READERS: &[u8] = include_bytes!("../data/traffic/wikipedia_readers_63524.csv.xz");
const NGINX: &[u8] = include_bytes!("../data/traffic/adv_nginx_access.log.gz");
const USER_AGENTS: &str = include_str!("../data/traffic/user_agents.tsv");
const NGINX_USER_AGENTS: &str = include_str!("../data/traffic/nginx_user_agents.tsv");

/// Addresses of which the test database knows something, and two it does not know.
const ADDRESSES: &[&str] = &[
    "81.2.69.160",
    "81.2.69.161",
    "2.125.160.216",
    "216.160.83.56",
    "89.160.20.112",
    "89.160.20.113",
    "175.16.199.5",
    "202.196.224.1",
    "67.43.156.1",
    "2001:218::1",
    "198.51.100.7",
    "203.0.113.9",
];

const LANGUAGES: &[Option<&str>] =
    &[Some("en-GB,en;q=0.8"), Some("en-US"), Some("ja"), Some("de"), None];

/// Wikipedia's readers in the order of time. Their devices, addresses and languages are drawn by
/// their ids.
pub fn readers() -> Vec<Call> {
    let mut text = Vec::new();
    lzma_rs::xz_decompress(&mut &*READERS, &mut text).expect("an xz file");
    let text = String::from_utf8(text).expect("UTF-8");
    let agents: Vec<_> = USER_AGENTS.lines().filter_map(|line| line.split_once('\t')).collect();
    // Two of the addresses hold a line break.
    let mut records: Vec<String> = Vec::new();
    for line in text.lines().skip(1) {
        match records.last_mut().filter(|record| record.matches('"').count() % 2 == 1) {
            Some(record) => {
                record.push('\n');
                record.push_str(line);
            }
            None => records.push(line.to_owned()),
        }
    }
    let mut calls: Vec<Call> = records
        .iter()
        .map(|line| {
            let mut columns = line.splitn(4, ',');
            let id = columns.next().expect("an id").to_owned();
            let second: i64 =
                columns.nth(1).expect("an epoch").parse().expect("a second since 1970");
            let mut url = columns.next().expect("a URL").trim_matches('"').to_owned();
            if PageUrl::parse(&url).is_err() {
                // One of them lacks the `/` after its host; a page's own address never does.
                url = url.replacen(".gov", ".gov/", 1);
            }
            let (device, user_agent) = *pick(&agents, &id, "device");
            Call {
                at: Timestamp(second * 1_000),
                visitor_id: Some(id.chars().rev().collect()),
                url,
                address: pick(ADDRESSES, &id, "address").parse().expect("an address"),
                user_agent: Some(user_agent.to_owned()),
                accept_language: *pick(LANGUAGES, &id, "language"),
                device: device.to_owned(),
                session_id: id,
            }
        })
        .collect();
    calls.sort_by_key(|call| call.at);
    calls
}

/// The nginx log in the order of time: lines that asked for a path. A session is an address with
/// a user agent; nobody has a visitor's id.
pub fn nginx() -> Vec<Call> {
    let mut text = Vec::new();
    flate2::read::GzDecoder::new(NGINX).read_to_end(&mut text).expect("a gzip file");
    let text = String::from_utf8_lossy(&text).into_owned();
    let mut calls: Vec<Call> = text.lines().filter_map(nginx_line).collect();
    calls.sort_by_key(|call| call.at);
    calls
}

fn nginx_line(line: &str) -> Option<Call> {
    let parts: Vec<&str> = line.split('"').collect();
    let [head, request, _, _, _, user_agent, ..] = parts[..] else { return None };
    let target = request.split(' ').nth(1).filter(|target| target.starts_with('/'))?;
    let (address, rest) = head.split_once(' ')?;
    let (_, time) = rest.split_once('[')?;
    let (time, _) = time.split_once(']')?;
    let at = chrono::DateTime::parse_from_str(time, "%d/%b/%Y:%H:%M:%S %z").ok()?;
    let who = format!("{address} {user_agent}");
    let label = NGINX_USER_AGENTS.lines().find_map(|line| {
        let (label, known) = line.split_once('\t')?;
        (known == user_agent).then_some(label)
    });
    Some(Call {
        at: at.to_utc().into(),
        session_id: format!("{:016x}{:016x}", hash(&who, "a"), hash(&who, "b")),
        visitor_id: None,
        url: format!("https://adv.example{target}"),
        address: address.parse().ok()?,
        user_agent: (user_agent != "-").then(|| user_agent.to_owned()),
        accept_language: None,
        device: label.unwrap_or("unclear").to_owned(),
    })
}

fn pick<'a, T>(pool: &'a [T], id: &str, purpose: &str) -> &'a T {
    let count = u64::try_from(pool.len()).expect("a small pool");
    &pool[usize::try_from(hash(id, purpose) % count).expect("an index")]
}

/// FNV-1a, stirred.
fn hash(text: &str, purpose: &str) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325u64;
    for byte in text.bytes().chain([0]).chain(purpose.bytes()) {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    (hash ^ (hash >> 31)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 1
}
