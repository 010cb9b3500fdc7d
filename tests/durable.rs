//! What must outlive the process does: the memory store with a data folder, ended in order or cut
//! off, opened again, and every way in which a folder can fail.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::pedantic,
    dead_code,
    missing_docs,
    reason = "a test may fail by panicking, and need not be polished"
)]

mod store_suite;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use koekake::domain::caps::{Refusal, Stage};
use koekake::domain::time::{Millis, Timestamp};
use koekake::domain::visit::{AttributeValue, Attributes, EventKind};
use koekake::store::memory::{DiskConfig, MemoryConfig, MemoryStore};
use koekake::store::{Store, StoreError};
use store_suite::*;

/// A folder of this test's own.
struct Folder(PathBuf);

static COUNT: AtomicU32 = AtomicU32::new(0);

impl Folder {
    fn new() -> Self {
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("koekake-durable-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }

    fn file(&self) -> PathBuf {
        self.0.join("koekake.db")
    }

    fn open_at(&self, now: i64) -> Arc<MemoryStore> {
        let store = self.try_open_at(now);
        // A store that was killed may hold the folder for another moment.
        until(|| store.fault().is_none());
        store
    }

    fn try_open_at(&self, now: i64) -> Arc<MemoryStore> {
        MemoryStore::open(MemoryConfig::default(), self.config(), Timestamp(now)).unwrap()
    }

    fn config(&self) -> DiskConfig {
        DiskConfig {
            folder: self.0.clone(),
            write_behind: Duration::from_millis(20),
            is_event_time: false,
        }
    }

    fn open(&self) -> Arc<MemoryStore> {
        self.open_at(0)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Ends a store like a process that is killed, and waits until it has let go of its folder.
fn kill(store: Arc<MemoryStore>) {
    let watch = Arc::downgrade(&store);
    drop(store);
    until(|| watch.strong_count() == 0);
}

fn until(mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain");
        std::thread::yield_now();
    }
}

/// A granted claim of that session, on disk.
fn prompted(
    store: &MemoryStore,
    name: &str,
    names: &[&str],
    at: i64,
) -> koekake::domain::caps::Claim {
    let look = call(name, at).by(names).fresh(store);
    let claim = claim(name, &look, at);
    granted(store, &claim);
    block(store.durable()).unwrap();
    claim
}

#[test]
fn a_prompt_outlives_a_kill() {
    let folder = Folder::new();
    let store = folder.open();
    let before = call("s", 10).by(&["v"]).event("e1").later().fresh(&*store);
    let mut first = claim("s", &before, 10);
    first.event = Some("e1".into());
    first.answer = answer(77);
    granted(&*store, &first);
    block(store.durable()).unwrap();
    drop(before);
    kill(store);

    let store = folder.open_at(500);
    // The event that it was made for gets it again.
    assert_eq!(call("s", 500).by(&["v"]).event("e1").repeat(&*store), 77);
    let look = call("s", 510).by(&["v"]).fresh(&*store);
    assert!(!look.is_new);
    assert_eq!((look.session.offers, look.session.started_at), (1, Timestamp(10)));
    refused(&*store, &claim("s", &look, 510), Refusal::SessionCap);
    // Another session of the visitor is inside the cooldown.
    let other = call("t", 520).by(&["v"]).fresh(&*store);
    let mut second = claim("t", &other, 520);
    second.caps.cooldown = Millis(1_000);
    refused(&*store, &second, Refusal::Cooldown);
    second.at = Timestamp(1_010);
    granted(&*store, &second);
}

#[test]
fn what_became_of_it_outlives_a_kill_and_counts_once() {
    let folder = Folder::new();
    let store = folder.open();
    prompted(&store, "s", &["v"], 10);
    for stage in [Stage::Shown, Stage::Dismissed] {
        assert!(report(&*store, "s", Some(10), stage, 20).is_some());
    }
    assert!(report_as(&*store, "s", Some(10), Stage::Converted, Some("order-1"), 30).is_some());
    block(store.durable()).unwrap();
    kill(store);

    let store = folder.open_at(500);
    for stage in [Stage::Shown, Stage::Dismissed] {
        assert!(report(&*store, "s", Some(10), stage, 600).is_none());
    }
    assert!(report_as(&*store, "s", Some(10), Stage::Converted, Some("order-1"), 600).is_none());
    assert!(report_as(&*store, "s", Some(10), Stage::Converted, Some("order-2"), 600).is_some());
    let history = block(store.history(&visitors(&["v"]))).unwrap();
    assert_eq!(history.last_dismissal, Some(Timestamp(20)));
    assert_eq!(history.last_offer_of("pricing-help"), Some(Timestamp(10)));
}

#[test]
fn limits_opt_outs_and_crm_outlive_a_kill() {
    let folder = Folder::new();
    let store = folder.open();
    let look = call("s", 10).fresh(&*store);
    let mut first = claim("s", &look, 10);
    first.rule_limits = limits(&[(1_000, 1)]);
    granted(&*store, &first);
    let crm = Attributes(vec![
        ("plan".into(), AttributeValue::Text("pro".into())),
        ("seats".into(), AttributeValue::Number(12.5)),
        ("beta".into(), AttributeValue::Flag(true)),
        ("tags".into(), AttributeValue::List(vec!["a".into(), "b".into()])),
    ]);
    let [customer] = &visitors(&["@customer"])[..] else { panic!() };
    block(store.set_crm(customer, crm.clone(), Timestamp(10))).unwrap();
    block(store.opt_out(&session("o"), &visitors(&["no"]), true, Timestamp(10))).unwrap();
    block(store.durable()).unwrap();
    kill(store);

    let store = folder.open_at(500);
    assert!(store.is_limit_reached(
        &SITE.into(),
        Some("pricing-help"),
        &first.rule_limits,
        Timestamp(1_009)
    ));
    assert!(!store.is_limit_reached(
        &SITE.into(),
        Some("pricing-help"),
        &first.rule_limits,
        Timestamp(1_010)
    ));
    let known = block(store.history(&visitors(&["@customer"]))).unwrap().crm.unwrap();
    assert_eq!(known.0.len(), crm.0.len());
    assert!(crm.0.iter().all(|(name, value)| known.get(name) == Some(value)), "{known:?}");
    assert!(block(store.history(&visitors(&["no"]))).unwrap().is_opted_out);
    let look = call("o", 500).fresh(&*store);
    assert!(look.history.is_opted_out, "also in a session that had not begun");
}

#[test]
fn what_is_erased_is_gone_from_the_file() {
    let folder = Folder::new();
    let store = folder.open();
    let names = visitors(&["@a-customer-of-ours"]);
    let crm = Attributes(vec![("plan".into(), AttributeValue::Text("a-very-secret-plan".into()))]);
    block(store.set_crm(&names[0], crm, Timestamp(10))).unwrap();
    // It had a prompt, in a session that is over by now.
    prompted(&store, "s", &["@a-customer-of-ours"], 20);
    until(|| rows(&folder, "sessions") == 1);
    (0..10_000).for_each(|_| store.sweep(Timestamp(Millis::days(1).0)));
    until(|| rows(&folder, "sessions") == 0);
    assert_eq!(rows(&folder, "claims"), 1);
    block(store.erase(&names[0])).unwrap();
    block(store.durable()).unwrap();
    store.stop();
    let bytes = std::fs::read(folder.file()).unwrap();
    let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    assert!(!holds("a-customer-of-ours") && !holds("a-very-secret-plan"));
    let store = folder.open();
    assert_eq!(block(store.history(&names)).unwrap(), Default::default());
}

#[test]
fn a_session_that_may_have_gone_on_is_not_taken_to_be_over_after_a_crash() {
    let folder = Folder::new();
    let store = folder.open();
    prompted(&store, "s", &[], 10);
    kill(store);
    // Page views up to the crash may be lost, so nobody knows that it was over at 1,010.
    let store = folder.open_at(5_000);
    let look = call("s", 5_900).fresh(&*store);
    refused(&*store, &claim("s", &look, 5_900), Refusal::SessionCap);
    // Ended in order, it is known.
    store.stop();
    drop(store);
    let store = folder.open_at(9_000);
    let look = call("s", 9_000).fresh(&*store);
    assert!(look.is_new);
    granted(&*store, &claim("s", &look, 9_000));
}

#[test]
fn a_session_that_may_have_gone_on_does_so_however_often_it_is_restarted() {
    let folder = Folder::new();
    let store = folder.open();
    prompted(&store, "s", &[], 10);
    kill(store);
    // Nobody calls before it is stopped again, in order this time, or cut off a second time.
    let store = folder.open_at(950);
    store.stop();
    drop(store);
    let store = folder.open_at(960);
    (0..4).for_each(|_| store.sweep(Timestamp(20_000)));
    until(|| written_until(&folder) == Some(15_000));
    kill(store);
    let store = folder.open_at(20_000);
    let look = call("s", 1_500).fresh(&*store);
    refused(&*store, &claim("s", &look, 1_500), Refusal::SessionCap);
}

#[test]
fn by_the_time_of_events_a_session_goes_on_until_the_newest_that_was_heard_of() {
    let folder = Folder::new();
    let config = DiskConfig { is_event_time: true, ..folder.config() };
    let open = || {
        let store =
            MemoryStore::open(MemoryConfig::default(), config.clone(), Timestamp(0)).unwrap();
        until(|| store.fault().is_none());
        store
    };
    let store = open();
    prompted(&store, "s", &[], 10);
    // Others' events; those of this session since then may be lost.
    store.sweep(Timestamp(5_900));
    until(|| written_until(&folder) == Some(900));
    kill(store);
    let store = open();
    let look = call("s", 1_800).fresh(&*store);
    refused(&*store, &claim("s", &look, 1_800), Refusal::SessionCap);
}

#[test]
fn a_clean_stop_loses_nothing_of_sessions_that_were_just_being_written() {
    const MANY: usize = 3_000;
    let folder = Folder::new();
    // Always at it.
    let config = DiskConfig { write_behind: Duration::ZERO, ..folder.config() };
    let store = MemoryStore::open(MemoryConfig::default(), config, Timestamp(0)).unwrap();
    for round in 1..=3 {
        for number in 0..MANY {
            call(&format!("s{number}"), round).fresh(&*store);
        }
    }
    store.stop();
    drop(store);
    let store = folder.open_at(10);
    for number in 0..MANY {
        let look = call(&format!("s{number}"), 10).fresh(&*store);
        assert_eq!(look.session.page_views, 4, "session {number}");
    }
}

#[test]
fn whoever_reads_the_file_for_long_keeps_no_prompt_waiting() {
    let folder = Folder::new();
    let store = folder.open();
    prompted(&store, "before", &[], 10);
    let reader = rusqlite::Connection::open(folder.file()).unwrap();
    reader.execute_batch("BEGIN").unwrap();
    assert_eq!(count(&reader, "claims"), 1);
    // While it reads, the log can only grow: to more than the writer is content with.
    let names = visitors(&["@customer"]);
    for text in ["x", "y"].iter().cycle().take(70) {
        let large = AttributeValue::Text(text.repeat(1 << 20).into());
        let crm = Attributes(vec![("notes".into(), large)]);
        block(store.set_crm(&names[0], crm, Timestamp(20))).unwrap();
        block(store.durable()).unwrap();
    }
    assert!(folder.0.join("koekake.db-wal").metadata().unwrap().len() > 64 << 20);
    // Whoever waits too long for the disk is told so by the sweep.
    let is_over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !is_over.load(Ordering::Relaxed) {
                store.sweep(Timestamp(20));
                std::thread::yield_now();
            }
        });
        let offers = ["a", "b", "c"].map(|name| {
            let look = call(name, 20).fresh(&*store);
            granted(&*store, &claim(name, &look, 20));
            block(store.durable())
        });
        is_over.store(true, Ordering::Relaxed);
        assert_eq!(offers.map(|offer| offer.map_err(|error| error.to_string())), [(); 3].map(Ok));
    });
    assert_eq!(count(&reader, "claims"), 1, "it sees the moment at which it began");
}

#[test]
fn one_process_at_a_time() {
    let folder = Folder::new();
    let first = folder.open();
    let second = folder.try_open_at(0);
    let fault = second.fault().expect("the folder is taken");
    assert!(fault.contains("is in use by another Koekake (process "), "{fault}");
    assert!(matches!(block(call("s", 10).result(&*second)), Err(StoreError::Disk(_))));
    // It goes on by itself once the other one is gone.
    prompted(&first, "s", &[], 10);
    first.stop();
    until(|| second.fault().is_none());
    let look = call("s", 500).fresh(&*second);
    refused(&*second, &claim("s", &look, 500), Refusal::SessionCap);
}

/// A folder whose file is `content`: what the store says of it.
fn fault_of(content: &[u8]) -> String {
    let folder = Folder::new();
    std::fs::create_dir_all(&folder.0).unwrap();
    std::fs::write(folder.file(), content).unwrap();
    let store = folder.try_open_at(0);
    let fault = store.fault().expect("it cannot be used").to_string();
    assert!(matches!(block(call("s", 10).result(&*store)), Err(StoreError::Disk(_))));
    assert!(folder.file().metadata().unwrap().len() == content.len() as u64, "it is left alone");
    // With a file that can be used in its place it goes on.
    std::fs::remove_file(folder.file()).unwrap();
    until(|| store.fault().is_none());
    prompted(&store, "s", &[], 10);
    fault.replace(&folder.0.display().to_string(), "DATA")
}

fn database(change: impl FnOnce(&rusqlite::Connection)) -> Vec<u8> {
    let folder = Folder::new();
    let store = folder.open();
    prompted(&store, "s", &["v"], 10);
    store.stop();
    drop(store);
    let connection = rusqlite::Connection::open(folder.file()).unwrap();
    connection.pragma_update_and_check(None, "journal_mode", "DELETE", |_| Ok(())).unwrap();
    change(&connection);
    drop(connection);
    std::fs::read(folder.file()).unwrap()
}

#[test]
fn a_file_that_cannot_be_used_is_told_apart_and_left_alone() {
    let newer = database(|file| file.pragma_update(None, "user_version", 99).unwrap());
    assert_eq!(
        fault_of(&newer),
        "DATA/koekake.db has format 99 and this version knows 1: a newer Koekake wrote it. Run \
         that version, or give another folder with --data"
    );
    let foreign = database(|file| file.pragma_update(None, "application_id", 7).unwrap());
    assert_eq!(
        fault_of(&foreign),
        "DATA/koekake.db is a database of some other program: give a folder of its own with --data"
    );
    let text = fault_of(b"This is a letter to the editor, and no database at all.");
    assert!(text.starts_with("DATA/koekake.db is damaged (file is not a database): put a backup"));
    let flipped = database(|file| {
        file.execute("UPDATE claims SET body = replace(body, '\"offers\":1', '\"offers\":0')", [])
            .unwrap();
    });
    let text = fault_of(&flipped);
    assert!(
        text.starts_with(
            "DATA/koekake.db is damaged (claims demo-shop/s-------------------: its checksum \
             does not fit)"
        ),
        "{text}"
    );
}

#[test]
fn a_file_taken_away_while_it_runs_is_written_anew() {
    let folder = Folder::new();
    let store = folder.open();
    prompted(&store, "before", &["v"], 10);
    std::fs::rename(&folder.0, folder.0.with_extension("away")).unwrap();
    // Until the next write nobody knows; then nothing can be made durable, for a moment.
    let look = call("during", 20).fresh(&*store);
    granted(&*store, &claim("during", &look, 20));
    assert!(
        matches!(block(store.durable()), Err(StoreError::Disk(why)) if why.contains("was moved"))
    );
    until(|| store.fault().is_none());
    block(store.durable()).unwrap();
    kill(store);
    // Everything is in the new file.
    let store = folder.open_at(100);
    for name in ["before", "during"] {
        let look = call(name, 100).fresh(&*store);
        refused(&*store, &claim(name, &look, 100), Refusal::SessionCap);
    }
    std::fs::remove_dir_all(folder.0.with_extension("away")).unwrap();
}

#[test]
fn a_log_taken_away_while_it_runs_loses_nothing() {
    let folder = Folder::new();
    let store = folder.open();
    prompted(&store, "before", &["v"], 10);
    std::fs::remove_file(folder.0.join("koekake.db-wal")).unwrap();
    let look = call("during", 20).fresh(&*store);
    granted(&*store, &claim("during", &look, 20));
    until(|| block(store.durable()).is_ok());
    kill(store);
    let store = folder.open_at(100);
    for name in ["before", "during"] {
        let look = call(name, 100).fresh(&*store);
        refused(&*store, &claim(name, &look, 100), Refusal::SessionCap);
    }
}

#[test]
fn a_clock_that_went_back_an_hour_frees_nobody() {
    const HOUR: i64 = 3_600_000;
    let folder = Folder::new();
    let store = folder.open_at(10 * HOUR);
    prompted(&store, "s", &["v"], 10 * HOUR);
    kill(store);
    let store = folder.open_at(9 * HOUR);
    let look = call("s", 9 * HOUR).by(&["v"]).fresh(&*store);
    refused(&*store, &claim("s", &look, 9 * HOUR), Refusal::SessionCap);
    let other = call("t", 9 * HOUR).by(&["v"]).fresh(&*store);
    let mut second = claim("t", &other, 9 * HOUR);
    second.caps.cooldown = Millis(HOUR);
    refused(&*store, &second, Refusal::Cooldown);
}

/// A session with all that a session can have.
fn full(store: &MemoryStore) {
    use koekake::domain::visit::Cart;
    let names = visitors(&["v", "@customer"]);
    let mut shopping = visit(EventKind::PageView, Some("e1"));
    shopping.cart = Some(Cart { value: None, items: Some(3) });
    shopping.profile.name = Some("Aiko".into());
    let key = session("full");
    for (at, path) in [(10, "/?utm_source=news"), (20, "/pricing"), (30, "/パス?q=1#top")] {
        shopping.event.id = Some(format!("e{at}").into());
        let page = page(path);
        let observation = koekake::store::Observation {
            key: &key,
            visitors: &names,
            visit: &shopping,
            page: Some(&page),
            timeout: Millis(TIMEOUT),
            now: Timestamp(at),
        };
        let judge = |_: koekake::store::Seen<'_>| koekake::store::Judged {
            value: (),
            reply: koekake::store::Reply::Given(answer(at.unsigned_abs().into())),
            shadows: vec!["shadow".into()],
        };
        block(store.observe(observation, judge)).unwrap();
    }
    call("full", 40).kind(EventKind::Signal { name: "form_error".into() }).fresh(store);
}

fn goes_on(store: &MemoryStore) {
    assert_eq!(call("full", 50).event("e20").repeat(store), 20, "repeats are known");
    let look = call("full", 60).on("/next").shadowing(&["shadow"]).fresh(store);
    let session = &look.session;
    assert!(!look.is_new);
    assert_eq!((session.started_at, session.page_views), (Timestamp(10), 4));
    assert_eq!(session.visited.len(), 4);
    assert_eq!(session.visited[2].path(), "/パス");
    assert_eq!(session.utm.as_ref().unwrap().source.as_deref(), Some("news"));
    assert_eq!(session.cart.unwrap().items, Some(3));
    assert_eq!(session.event_count("form_error"), 1);
    assert_eq!(session.profile.name.as_deref(), Some("Aiko"));
    assert_eq!(session.visitors, visitors(&["v", "@customer"]));
    assert!(look.shadows.is_empty(), "the shadow rule is counted already");
    assert_eq!(look.history.sessions, 1);
}

#[test]
fn a_clean_stop_loses_nothing_of_a_session() {
    let folder = Folder::new();
    let config = DiskConfig { write_behind: Duration::from_secs(3_600), ..folder.config() };
    let store = MemoryStore::open(MemoryConfig::default(), config, Timestamp(0)).unwrap();
    full(&store);
    store.stop();
    drop(store);
    goes_on(&folder.open_at(45));
}

#[test]
fn a_kill_loses_no_more_than_is_written_behind() {
    let folder = Folder::new();
    let store = folder.open();
    full(&store);
    until(|| rows(&folder, "sessions") == 1);
    // Whatever was written is of one moment; wait until it is the last one.
    until(|| {
        let copy = Folder::new();
        std::fs::create_dir_all(&copy.0).unwrap();
        koekake::store::disk::Snapshot::open(&folder.0).unwrap().backup(&copy.file()).unwrap();
        let look = call("full", 45).kind(EventKind::Recheck).fresh(&*copy.open());
        look.session.event_count("form_error") == 1
    });
    kill(store);
    goes_on(&folder.open_at(45));
}

fn written_until(folder: &Folder) -> Option<i64> {
    let file = rusqlite::Connection::open(folder.file()).unwrap();
    let select = "SELECT CAST(value AS INTEGER) FROM meta WHERE name = 'watermark'";
    file.query_row(select, [], |row| row.get(0)).ok()
}

fn rows(folder: &Folder, table: &str) -> i64 {
    count(&rusqlite::Connection::open(folder.file()).unwrap(), table)
}

fn count(file: &rusqlite::Connection, table: &str) -> i64 {
    file.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
}

#[test]
fn what_is_over_goes_from_the_file_too() {
    let folder = Folder::new();
    let store = folder.open();
    full(&store);
    prompted(&store, "s", &["w"], 50);
    until(|| rows(&folder, "sessions") == 2);
    assert_eq!((rows(&folder, "claims"), rows(&folder, "visitors")), (1, 3));
    for _ in 0..10_000 {
        store.sweep(Timestamp(Millis::days(500).0));
    }
    until(|| rows(&folder, "sessions") + rows(&folder, "claims") + rows(&folder, "visitors") == 0);
}

#[test]
fn of_a_denied_session_nothing_stays_in_the_file() {
    let folder = Folder::new();
    let store = folder.open();
    full(&store);
    until(|| rows(&folder, "sessions") == 1);
    deny(&*store, "full", 50);
    block(store.durable()).unwrap();
    kill(store);
    let store = folder.open_at(60);
    assert!(matches!(
        block(call("full", 60).result(&*store)),
        Ok(koekake::store::Observed::Denied)
    ));
    let look = call("full", 70).granting().fresh(&*store);
    assert_eq!((look.session.page_views, look.session.visitors.len()), (1, 0));
}

#[test]
fn a_session_written_before_its_claim_gives_no_prompt_again() {
    use koekake::domain::decision::{Answer, Prompt, ShownOffer};
    let folder = Folder::new();
    let store = folder.open();
    let look = call("s", 10).by(&["v"]).event("e1").later().fresh(&*store);
    let mut first = claim("s", &look, 10);
    let (rule, variant) = (first.rule.clone(), first.variant.clone());
    let offer = ShownOffer { rule, variant, prompt: Prompt::default() };
    first.event = Some("e1".into());
    first.answer = Arc::new(Answer { offer: Some(offer.into()), ..(*answer(77)).clone() });
    granted(&*store, &first);
    store.stop();
    drop((look, store));
    // What a crash between the two commits leaves.
    let file = rusqlite::Connection::open(folder.file()).unwrap();
    file.execute_batch("DELETE FROM claims; DELETE FROM visitors").unwrap();
    drop(file);
    let store = folder.open_at(20);
    let again = block(call("s", 20).by(&["v"]).event("e1").result(&*store));
    assert!(matches!(again, Err(StoreError::CutOff)), "{again:?}");
    let look = call("s", 30).by(&["v"]).fresh(&*store);
    refused(&*store, &claim("s", &look, 30), Refusal::SessionCap);
}

#[test]
fn a_claim_counts_though_its_session_was_not_written() {
    let folder = Folder::new();
    // Sessions are never written in time.
    let config = DiskConfig { write_behind: Duration::from_secs(3_600), ..folder.config() };
    let open =
        |at| MemoryStore::open(MemoryConfig::default(), config.clone(), Timestamp(at)).unwrap();
    let store = open(0);
    call("s", 5).fresh(&*store);
    store.stop();
    drop(store);
    // Known to the file without an offer; prompted; cut off.
    let store = open(8);
    prompted(&store, "s", &[], 10);
    kill(store);
    let store = open(20);
    until(|| store.fault().is_none());
    let look = call("s", 20).fresh(&*store);
    assert_eq!(look.session.offers, 1);
    refused(&*store, &claim("s", &look, 20), Refusal::SessionCap);
}

/// Restarted again and again, it is the same store: nothing that a call can tell is lost.
fn restarting(room: Room) -> store_suite::through::Through {
    let folder = Folder::new();
    let mut config = MemoryConfig::default();
    if let Room::Of { sessions, claims, visitors } = room {
        config.max_sessions = sessions;
        config.max_claims = claims;
        config.max_visitors = visitors;
    }
    let open = move || MemoryStore::open(config, folder.config(), Timestamp(0)).unwrap();
    store_suite::through::Through::restarts(3, open)
}

mod restarted {
    crate::store_contract! {
        crate::restarting;
        sessions:
            a_pause_of_exactly_the_timeout_ends_it, a_recheck_keeps_nothing_alive,
            a_restart_in_place_forgets_the_old_session, time_never_goes_back,
            sessions_of_a_visitor_are_counted_once, a_session_bears_four_names_at_most,
            a_name_that_was_pushed_out_does_not_count_again,
            crm_applies_under_the_present_identity, sessions_of_different_sites_never_meet,
            a_shadow_rule_counts_once_a_session, erasing_forgets_a_visitor_but_not_the_cap;
        consent:
            the_last_word_lasts_as_long_as_the_session, a_no_lasts_until_a_pause_or_a_yes,
            of_a_denied_session_nothing_is_kept, a_denial_gives_no_second_prompt,
            pauses_and_holdouts_hold_across_a_denial, opting_out_while_denied_keeps_both_words,
            only_events_that_were_prompted_for_outlive_a_denial;
        repeats:
            a_repeat_gets_the_same_answer_and_records_nothing, the_last_eight_are_remembered,
            a_claimed_event_is_never_recorded_twice, events_of_the_session_before_are_no_repeats;
        caps:
            per_session_counts_and_zero_is_never, cooldown_binds_other_sessions_to_the_millisecond,
            cooldown_outlives_a_restart_in_place, between_binds_the_same_session_to_the_millisecond,
            dismissals_and_acceptances_bind_every_session, a_rule_repeats_per_visitor_else_session,
            limits_are_sliding_windows_to_the_millisecond,
            a_holdout_is_silent_but_spends_cap_and_cooldown, a_refused_claim_leaves_no_trace,
            a_claim_respects_every_name, popups_of_other_tools_take_the_cap, opting_out_and_in,
            opting_out_of_a_session_that_is_over_binds_the_next;
        outcomes:
            each_stage_counts_once, conversions_count_once_for_each_order,
            only_answers_of_the_session_count_and_not_for_ever,
            outcomes_neither_begin_nor_keep_alive, of_a_holdout_only_conversions_count;
    }
}
