//! What a live session takes in memory, resident, all told; and what it costs to lay one to rest
//! and to wake it, beside a call of one that is awake.
//!
//! `cargo bench --bench session_memory -- 1000000` (the number of sessions; 1,000,000 by default).
//!
//! The mix of visits:
//!
//! - pages, and the pauses between them, of 22,226 real sessions of Wikipedia's readers
//!   (`tests/data/traffic`), drawn evenly; their addresses are the real ones, 2.9 a session;
//! - sessions begin evenly over 30 minutes, as long as one lives after its last call, so that all
//!   of them are live at the end; the sweep runs every 20 ms of that time;
//! - every call has an event id, and every page view a view id, of 32 hexadecimal digits;
//! - 90 % have a visitor id, and 5 % an identity;
//! - 60 % came from another site: half of these from one of three search engines, half from one
//!   of 500 pages;
//! - 20 % have a source, a medium and one of 50 campaigns in their first address;
//! - 10 % have a cart, and reported an event of the site's own with it;
//! - every answer is `not_yet` with a time and two things to wait for.
//!
//! Each figure comes from a process of its own: with visitors remembered, with sessions alone
//! (visitors bounded to none), and with sessions that never rest. Linux only: it reads
//! `/proc/self/status`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::pedantic,
    missing_docs,
    reason = "a measurement may fail by panicking, and need not be polished"
)]

#[path = "../tests/support/traffic.rs"]
#[allow(dead_code, reason = "only the readers are used")]
mod traffic;

use std::collections::HashMap;
use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::process::Command;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Instant;

use koekake::domain::decision::{Answer, Reason, Recheck, Trigger, Wait};
use koekake::domain::ids::{DecisionId, PageId, SessionKey, SiteKey, VisitorId, VisitorKey};
use koekake::domain::money::{Amount, Money};
use koekake::domain::page_url::PageUrl;
use koekake::domain::time::{Millis, Timestamp};
use koekake::domain::visit::{
    Cart, Device, DeviceKind, Event, EventKind, Page, Place, Profile, Visit,
};
use koekake::store::memory::{MemoryConfig, MemoryStore};
use koekake::store::{Judged, Observation, Reply, Store};

const TIMEOUT: i64 = 30 * 60 * 1_000;
const START: i64 = 1_790_000_000_000;
const SWEEP_EVERY: i64 = 20;
/// So many sessions are woken and laid to rest again for the costs.
const SAMPLE: usize = 20_000;

/// A real session: its pages, each with the milliseconds since the first.
type Trail = Vec<(i64, PageUrl)>;

/// One call to make: when, of which session, and on which of its pages.
#[derive(Clone, Copy)]
struct Due {
    at: u32,
    session: u32,
    page: u16,
}

struct Mix {
    site: SiteKey,
    trails: Vec<Trail>,
    referrers: Vec<PageUrl>,
    rules_version: Arc<str>,
    place: Arc<Place>,
}

/// Well-mixed bits of a number (SplitMix64).
fn bits(seed: u64) -> u64 {
    let mut bits = seed.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ bits >> 31
}

/// An id of a session (or of what belongs to it).
fn id(kind: u64, number: u64) -> [u8; 16] {
    let (high, low) = (bits(kind << 56 | number), bits(kind << 56 | number | 1 << 48));
    (u128::from(high) << 64 | u128::from(low)).to_be_bytes()
}

fn digits(kind: u64, number: u64) -> Arc<str> {
    PageId::from_bits(id(kind, number)).to_string().into()
}

/// Whether a session is among so many in a hundred, for that reason.
fn is_among(percent: u64, session: u32, reason: u64) -> bool {
    bits(u64::from(session) << 8 | reason) % 100 < percent
}

impl Mix {
    fn read() -> Self {
        let mut open: HashMap<String, (i64, usize)> = HashMap::new();
        let mut trails: Vec<Trail> = Vec::new();
        for call in traffic::readers() {
            let url = PageUrl::parse(&call.url).unwrap();
            match open.get_mut(&call.session_id) {
                Some((last, trail)) if call.at.0 - *last < TIMEOUT => {
                    *last = call.at.0;
                    trails[*trail].push((call.at.0, url));
                }
                _ => {
                    open.insert(call.session_id, (call.at.0, trails.len()));
                    trails.push(vec![(call.at.0, url)]);
                }
            }
        }
        for trail in &mut trails {
            let start = trail[0].0;
            trail.iter_mut().for_each(|(at, _)| *at -= start);
        }
        let engines =
            ["https://www.google.com/", "https://duckduckgo.com/", "https://www.bing.com/"];
        let engines = engines.iter().map(|url| PageUrl::parse(url).unwrap());
        let others = (0..500)
            .map(|n| PageUrl::parse(&format!("https://blog.example/articles/{n}-tea")).unwrap());
        Self {
            site: "demo-shop".into(),
            trails,
            referrers: engines.chain(others).collect(),
            rules_version: "608453a7b42bf1de".into(),
            place: Arc::default(),
        }
    }

    fn trail(&self, session: u32) -> &Trail {
        &self.trails[(bits(session.into()) % self.trails.len() as u64) as usize]
    }

    fn dues(&self, sessions: u32) -> Vec<Due> {
        let mut dues = Vec::new();
        for session in 0..sessions {
            let begins = (bits(u64::from(session) << 20) % TIMEOUT as u64) as i64;
            for (page, (after, _)) in (0..).zip(self.trail(session)) {
                if begins + after < TIMEOUT {
                    dues.push(Due { at: (begins + after) as u32, session, page });
                }
            }
        }
        dues.sort_unstable_by_key(|due| (due.at, due.session, due.page));
        dues
    }

    fn call(&self, store: &MemoryStore, Due { at, session, page }: Due) {
        let (now, number) = (START + i64::from(at), u64::from(session));
        let key = SessionKey { site: self.site.clone(), id: PageId::from_bits(id(1, number)) };
        let named = |id| VisitorKey { site: self.site.clone(), id };
        let mut visitors = Vec::new();
        if is_among(90, session, 1) {
            visitors.push(named(VisitorId::Page(PageId::from_bits(id(2, number)))));
        }
        if is_among(5, session, 2) {
            visitors.push(named(VisitorId::Identity(format!("customer-{number}").into())));
        }
        let (_, url) = &self.trail(session)[usize::from(page)];
        // As from a request: nothing of it is shared yet.
        let is_campaign = page == 0 && is_among(20, session, 3);
        let mark = if url.query().is_some() { '&' } else { '?' };
        let url = if is_campaign && url.fragment().is_none() {
            let campaign = bits(number) % 50;
            let utm = format!("utm_source=newsletter&utm_medium=email&utm_campaign=tea-{campaign}");
            format!("{url}{mark}{utm}")
        } else {
            url.to_string()
        };
        let referrer = is_among(60, session, 4).then(|| {
            let others = self.referrers.len() as u64 - 3;
            let one = bits(number << 4);
            let at = if is_among(50, session, 5) { one % 3 } else { 3 + one % others };
            PageUrl::parse(self.referrers[at as usize].as_str()).unwrap()
        });
        let call_number = number << 16 | u64::from(page) << 1;
        let page = Page {
            url: PageUrl::parse(&url).unwrap(),
            referrer,
            title: None,
            view_id: Some(digits(3, call_number)),
            time_on_page: None,
            idle: None,
            scroll_percent: None,
        };
        let cart = is_among(10, session, 6).then(|| Cart {
            value: Some(Money {
                amount: Amount(1_000 * (bits(number) % 100_000) as i64),
                currency: None,
            }),
            items: Some(2),
        });
        self.observe(store, &key, &visitors, EventKind::PageView, cart, &page, call_number, now);
        if cart.is_some() && call_number & 0xffff == 0 {
            let kind = EventKind::Signal { name: "added_to_cart".into() };
            self.observe(store, &key, &visitors, kind, cart, &page, call_number | 1, now);
        }
    }

    #[allow(clippy::too_many_arguments, reason = "a measurement")]
    fn observe(
        &self,
        store: &MemoryStore,
        key: &SessionKey,
        visitors: &[VisitorKey],
        kind: EventKind,
        cart: Option<Cart>,
        page: &Page,
        call_number: u64,
        now: i64,
    ) {
        let visit = Visit {
            site: self.site.clone(),
            session: None,
            visitor: None,
            identity: None,
            event: Event { kind, id: Some(digits(4, call_number)), at: None },
            cart,
            profile: Profile::default(),
            consent: None,
            place: self.place.clone(),
            device: Device { kind: DeviceKind::Desktop, os: None, browser: None, is_bot: false },
            accept_languages: Vec::new(),
        };
        let answer = Arc::new(Answer {
            reason: Reason::NotYet,
            session: key.id.clone(),
            decision: DecisionId(
                (now as u128) << 80 | u128::from_be_bytes(id(5, call_number)) >> 48,
            ),
            rules_version: self.rules_version.clone(),
            offer: None,
            recheck: Some(Recheck {
                after: Some(Millis(30_000)),
                spread: Millis::ZERO,
                on: vec![
                    Wait { on: Trigger::ExitIntent, not_before: Millis(60_000) },
                    Wait { on: Trigger::Idle(Millis(45_000)), not_before: Millis::ZERO },
                ],
            }),
        });
        let observation = Observation {
            key,
            visitors,
            visit: &visit,
            page: Some(page),
            timeout: Millis(TIMEOUT),
            now: Timestamp(now),
        };
        let reply = Reply::Given(answer);
        black_box(
            ready(store.observe(observation, |_| Judged { value: (), reply, shadows: Vec::new() }))
                .unwrap(),
        );
    }
}

/// What is there at once: a store in memory does not wait here.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits"),
    }
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
}

fn measure(mode: &str, sessions: u32) {
    let mix = Mix::read();
    let dues = mix.dues(sessions);
    let most = sessions as usize * 5 / 4;
    let store = MemoryStore::new(MemoryConfig {
        max_sessions: most,
        max_visitors: if mode == "sessions alone" { 1 } else { 2 * most },
        rest_after: if mode == "never at rest" { Millis(i64::MAX) } else { Millis::seconds(3) },
        ..MemoryConfig::default()
    });
    let before = resident();
    let mut swept = START;
    for due in &dues {
        while swept < START + i64::from(due.at) {
            store.sweep(Timestamp(swept));
            swept += SWEEP_EVERY;
        }
        mix.call(&store, *due);
    }
    let taken = resident() - before;
    let live: u64 = store.stats().sessions_active.iter().map(|(_, live)| live).sum();
    assert_eq!(live, u64::from(sessions), "not all of them are live");
    println!("{mode}: {} bytes a session", taken / live);
    if mode != "all told" {
        return;
    }

    let end = START + TIMEOUT;
    let lay = |now: i64| {
        let start = Instant::now();
        (0..store.slices()).for_each(|_| store.sweep(Timestamp(now)));
        start.elapsed().as_nanos()
    };
    // All rest, and nobody is over yet.
    lay(end);
    let sample: Vec<Due> = (0..SAMPLE)
        .map(|n| (bits(n as u64) % u64::from(sessions)) as u32)
        .map(|session| Due { at: TIMEOUT as u32, session, page: 0 })
        .collect();
    // The first event of each again: a repeat, so that nothing changes but that it is awake.
    let time = |dues: &[Due]| {
        let start = Instant::now();
        dues.iter().for_each(|due| mix.call(&store, *due));
        start.elapsed().as_nanos() as f64 / dues.len() as f64
    };
    let idle = lay(end) as f64;
    let woken = time(&sample);
    let awake = time(&sample);
    // In the past nobody is over; to rest, only the distance counts.
    let laid = (lay(end - 10_000) as f64 - idle) / SAMPLE as f64;
    println!("a call that wakes its session: {:.2} of one whose session is awake", woken / awake);
    println!("to lay one to rest: {:.2} of it", laid / awake);
}

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let sessions = arguments.first().map_or(Ok(1_000_000), |n| n.parse()).expect("a number");
    if let Some(mode) = arguments.get(1) {
        return measure(mode, sessions);
    }
    println!("{sessions} live sessions:");
    for mode in ["all told", "sessions alone", "never at rest"] {
        let this = std::env::current_exe().unwrap();
        let status = Command::new(this).args([&sessions.to_string(), mode]).status().unwrap();
        assert!(status.success(), "{mode} failed");
    }
}
