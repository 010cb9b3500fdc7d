//! How long a store takes to know again what it kept: with so many live sessions and as many
//! visitors, one in ten of them prompted; after a stop in order and after a kill. Beside it, in
//! the same run, a bare read of the same rows.
//!
//! `cargo bench --bench start -- 1000000` (the number of sessions; 1,000,000 by default).
//!
//! Each session has three page views of a shop's 1,000 pages, with event and view ids. Each figure
//! of memory is of a process that does nothing but open the folder. Linux only: it reads
//! `/proc/self/status`.
//!
//! Must not: say that anything is fast enough.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::pedantic,
    missing_docs,
    reason = "a measurement may fail by panicking, and need not be polished"
)]

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use koekake::domain::caps::{Caps, Claim, Claimed, Repeat};
use koekake::domain::decision::{Answer, Prompt, Reason, ShownOffer};
use koekake::domain::ids::{DecisionId, PageId, SessionKey, SiteKey, VisitorId, VisitorKey};
use koekake::domain::page_url::PageUrl;
use koekake::domain::time::{Millis, Timestamp};
use koekake::domain::visit::{Device, DeviceKind, Event, EventKind, Page, Place, Profile, Visit};
use koekake::store::disk::{Snapshot, Table};
use koekake::store::memory::{DiskConfig, MemoryConfig, MemoryStore};
use koekake::store::{Judged, Observation, Observed, Reply, Store};

const START: i64 = 1_790_000_000_000;
const PAGES: usize = 1_000;

fn main() {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    if let [open, folder, sessions] = &arguments[..]
        && open == "open"
    {
        return report_open(Path::new(folder), sessions.parse().unwrap());
    }
    let sessions: u32 = arguments.first().map_or(1_000_000, |number| number.parse().unwrap());
    let folder = std::env::temp_dir().join(format!("koekake-start-{}", std::process::id()));
    let began = Instant::now();
    fill(&folder, sessions);
    let size = std::fs::metadata(folder.join("koekake.db")).unwrap().len();
    println!(
        "{sessions} sessions and visitors: {} B each in the file, filled and written in {:.0?}",
        size / u64::from(sessions),
        began.elapsed()
    );
    let bare = bare(&folder);
    println!("{:<28}{:>8.2} s  ratio 1.00", "a bare read of the rows", bare.as_secs_f64());
    // The first opening is killed, so the second comes after a crash.
    for what in ["opened after a stop", "opened after a kill"] {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["open", &folder.display().to_string(), &sessions.to_string()])
            .output()
            .unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(text.contains(' '), "it told no figures: {errors}");
        let (seconds, memory) = text.trim().split_once(' ').expect("two figures");
        let seconds: f64 = seconds.parse().unwrap();
        let ratio = seconds / bare.as_secs_f64();
        println!("{what:<28}{seconds:>8.2} s  ratio {ratio:.2}, {memory} B resident a session");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

fn config(sessions: u32) -> MemoryConfig {
    let most = sessions as usize * 5 / 4;
    MemoryConfig {
        max_sessions: most,
        max_claims: most,
        max_visitors: most,
        rest_after: Millis::ZERO,
        ..MemoryConfig::default()
    }
}

fn open(folder: &Path, sessions: u32) -> Arc<MemoryStore> {
    let disk = DiskConfig {
        folder: folder.to_owned(),
        write_behind: Duration::from_secs(1),
        is_event_time: false,
    };
    MemoryStore::open(config(sessions), disk, Timestamp(START)).unwrap()
}

/// Opens it, says how long that took and how much it takes, and ends without another word.
fn report_open(folder: &Path, sessions: u32) {
    let began = Instant::now();
    let store = open(folder, sessions);
    let took = began.elapsed().as_secs_f64();
    assert_eq!(store.fault(), None);
    let live: u64 = store.stats().sessions_active.iter().map(|(_, count)| count).sum();
    assert_eq!(live, u64::from(sessions));
    println!("{took} {}", resident() / u64::from(sessions));
    std::process::abort();
}

fn resident() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1_024
}

fn bare(folder: &Path) -> Duration {
    let snapshot = Snapshot::open(folder).unwrap();
    let began = Instant::now();
    let mut bytes = 0;
    for table in Table::ALL {
        snapshot.rows(table, |row| bytes += row.body.len()).unwrap();
    }
    assert!(bytes > 0);
    began.elapsed()
}

fn fill(folder: &Path, sessions: u32) {
    let store = open(folder, sessions);
    let site: SiteKey = "shop".into();
    let pages: Vec<PageUrl> = (0..PAGES)
        .map(|number| PageUrl::parse(&format!("https://shop.example/goods/{number}")).unwrap())
        .collect();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    for number in 0..sessions {
        runtime.block_on(one(&store, &site, &pages, number));
        if number.is_multiple_of(64) {
            store.sweep(Timestamp(START));
        }
    }
    let stats = store.stats();
    let live: u64 = stats.sessions_active.iter().map(|(_, count)| count).sum();
    assert_eq!(live, u64::from(sessions), "{:?}", stats.sessions_evicted);
    store.stop();
}

async fn one(store: &MemoryStore, site: &SiteKey, pages: &[PageUrl], number: u32) {
    let id = |salt: u128| {
        PageId::from_bits((u128::from(number) * 0x9e37_79b9_7f4a_7c15 + salt).to_be_bytes())
    };
    let key = SessionKey { site: site.clone(), id: id(1) };
    let names = [VisitorKey { site: site.clone(), id: VisitorId::Page(id(2)) }];
    for step in 0..3_u32 {
        let visit = Visit {
            site: site.clone(),
            session: Some(key.id.clone()),
            visitor: None,
            identity: None,
            event: Event {
                kind: EventKind::PageView,
                id: Some(id(3 + u128::from(step)).to_string().into()),
                at: None,
            },
            cart: None,
            profile: Profile::default(),
            consent: None,
            place: Place::default().into(),
            device: Device { kind: DeviceKind::Desktop, os: None, browser: None, is_bot: false },
            accept_languages: Vec::new(),
        };
        let page = Page {
            url: pages[(number + step * 7) as usize % pages.len()].clone(),
            referrer: None,
            title: None,
            view_id: Some(id(9 + u128::from(step)).to_string().into()),
            time_on_page: None,
            idle: None,
            scroll_percent: None,
        };
        let observation = Observation {
            key: &key,
            visitors: &names,
            visit: &visit,
            page: Some(&page),
            timeout: Millis::minutes(30),
            now: Timestamp(START - 60_000 + i64::from(step) * 1_000),
        };
        let answer = answer(&key, Reason::NoMatch, None);
        let judge = |seen: koekake::store::Seen<'_>| Judged {
            value: seen.mark,
            reply: Reply::Given(answer),
            shadows: Vec::new(),
        };
        let Ok(Observed::Fresh { value: mark, .. }) = store.observe(observation, judge).await
        else {
            panic!("not recorded");
        };
        if step == 2 && number.is_multiple_of(10) {
            let claim = claim(&key, &names, mark, number);
            assert_eq!(store.claim(&claim).await, Ok(Claimed::Granted));
        }
    }
}

fn answer(key: &SessionKey, reason: Reason, offer: Option<Arc<ShownOffer>>) -> Arc<Answer> {
    Arc::new(Answer {
        reason,
        session: key.id.clone(),
        decision: DecisionId(rand::random()),
        rules_version: "0123456789abcdef".into(),
        offer,
        recheck: None,
    })
}

fn claim(
    key: &SessionKey,
    names: &[VisitorKey],
    mark: koekake::domain::history::SessionMark,
    number: u32,
) -> Claim {
    let prompt = Prompt {
        message: "Any question about our plans? We are here until six.".to_owned(),
        language: "en".into(),
        channel: "chat".into(),
        ..Prompt::default()
    };
    let offer = ShownOffer { rule: "pricing-help".into(), variant: "a".into(), prompt };
    Claim {
        session: key.clone(),
        mark,
        visitors: names.to_vec(),
        rule: "pricing-help".into(),
        variant: "a".into(),
        is_prompt: true,
        caps: Caps {
            per_session: 1,
            cooldown: Millis::hours(24),
            between: Millis::minutes(5),
            after_dismissal: Millis::days(7),
            after_acceptance: Millis::days(30),
        },
        repeat: Repeat::Always,
        rule_limits: [].into(),
        site_limits: [].into(),
        event: None,
        answer: answer(key, Reason::RuleMatched, Some(Arc::new(offer))),
        at: Timestamp(START - 58_000 + i64::from(number % 7)),
    }
}
