//! Data folders of every format that was ever written still open, with all that was put there.
//!
//! `tests/data/data-vN/koekake.db` was written by the version whose format N was, and never changes
//! again. With a new format, `KOEKAKE_BLESS=1 cargo test --test data_formats` adds its file.
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

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use koekake::domain::caps::{Claim, Claimed, Refusal, Stage};
use koekake::domain::time::{Millis, Timestamp};
use koekake::domain::visit::{AttributeValue, Attributes, EventKind};
use koekake::store::Store;
use koekake::store::disk::FORMAT;
use koekake::store::memory::{DiskConfig, MemoryConfig, MemoryStore};
use store_suite::*;

const HOUR: i64 = 3_600_000;

fn kept(format: i64) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    root.join(format!("tests/data/data-v{format}")).join("koekake.db")
}

fn open(folder: &Path, now: i64) -> Arc<MemoryStore> {
    let disk = DiskConfig {
        folder: folder.to_owned(),
        write_behind: Duration::from_millis(20),
        is_event_time: false,
    };
    MemoryStore::open(MemoryConfig::default(), disk, Timestamp(now)).unwrap()
}

/// A folder that is gone with its test.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("koekake-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn crm() -> Attributes {
    Attributes(vec![
        ("plan".into(), AttributeValue::Text("pro".into())),
        ("seats".into(), AttributeValue::Number(12.5)),
        ("beta".into(), AttributeValue::Flag(true)),
        ("tags".into(), AttributeValue::List(vec!["a".into(), "b".into()])),
    ])
}

fn limited(mut claim: Claim) -> Claim {
    claim.rule_limits = limits(&[(HOUR, 1)]);
    claim.site_limits = limits(&[(HOUR, 2)]);
    claim
}

/// What every format's file holds.
fn fill(store: &MemoryStore) {
    call("prompted", 10).by(&["visitor", "@customer"]).on("/one").fresh(store);
    let look = call("prompted", 20)
        .by(&["visitor", "@customer"])
        .on("/two")
        .event("view-2")
        .later()
        .fresh(store);
    let mut prompt = limited(claim("prompted", &look, 20));
    prompt.event = Some("view-2".into());
    prompt.answer = answer(77);
    granted(store, &prompt);
    drop(look);
    for stage in [Stage::Shown, Stage::Dismissed] {
        assert!(report(store, "prompted", Some(77), stage, 30).is_some());
    }
    assert!(
        report_as(store, "prompted", Some(77), Stage::Converted, Some("order-1"), 40).is_some()
    );
    block(store.set_crm(&visitors(&["@customer"])[0], crm(), Timestamp(50))).unwrap();

    call("reading", 10).on("/start").fresh(store);
    call("reading", 20)
        .kind(EventKind::Signal { name: "opened-sizes".into() })
        .on("/start")
        .fresh(store);
    call("refused", 10).by(&["no"]).fresh(store);
    block(store.opt_out(&session("refused"), &visitors(&["no"]), true, Timestamp(60))).unwrap();
}

/// It is all there.
fn find(store: &MemoryStore) {
    // The session with its prompt, and the same answer to the event that it was made for.
    assert_eq!(
        call("prompted", 100).by(&["visitor", "@customer"]).event("view-2").repeat(store),
        77
    );
    let look = call("prompted", 110).by(&["visitor", "@customer"]).fresh(store);
    assert!(!look.is_new);
    assert_eq!((look.session.started_at, look.session.offers), (Timestamp(10), 1));
    assert_eq!(look.session.page_views, 3);
    assert_eq!(
        look.session.landing_page.as_ref().map(|url| url.as_str()),
        Some("https://shop.example/one")
    );
    refused(store, &claim("prompted", &look, 110), Refusal::SessionCap);
    // What became of it counts once.
    assert!(report(store, "prompted", Some(77), Stage::Dismissed, 120).is_none());
    let ordered =
        |order| report_as(store, "prompted", Some(77), Stage::Converted, Some(order), 120);
    assert!(ordered("order-1").is_none());
    assert!(ordered("order-2").is_some());

    // Both of its visitors are in the cooldown, and after the dismissal.
    for (number, name) in ["visitor", "@customer"].into_iter().enumerate() {
        let other = format!("other-{number}");
        let names = [name];
        let look = call(&other, 130).by(&names).fresh(store);
        assert_eq!(look.history.last_dismissal, Some(Timestamp(30)), "{name}");
        assert_eq!(look.history.offers.len(), 1, "{name}");
        let mut second = claim(&other, &look, 130);
        second.caps.cooldown = Millis(HOUR);
        refused(store, &second, Refusal::Cooldown);
        second.caps.cooldown = Millis::ZERO;
        second.caps.after_dismissal = Millis(HOUR);
        assert!(matches!(block(store.claim(&second)).unwrap(), Claimed::Refused(_)));
    }
    let known = block(store.history(&visitors(&["@customer"]))).unwrap().crm.unwrap();
    assert!(crm().0.iter().all(|(name, value)| known.get(name) == Some(value)), "{known:?}");
    assert_eq!(known.0.len(), crm().0.len());

    // Limits of the rule and of the site.
    let reached = |rule: Option<&str>, most, at| {
        store.is_limit_reached(&SITE.into(), rule, &limits(&[(HOUR, most)]), Timestamp(at))
    };
    assert!(reached(Some("pricing-help"), 1, HOUR + 19) && reached(None, 1, HOUR + 19));
    assert!(!reached(Some("pricing-help"), 1, HOUR + 20) && !reached(None, 1, HOUR + 20));

    // The other session goes on, and the "no" holds in the next one too.
    let look = call("reading", 140).on("/start").fresh(store);
    assert!(!look.is_new);
    assert_eq!((look.session.page_views, look.session.offers), (2, 0));
    let signals: Vec<_> =
        look.session.events.iter().map(|(name, count)| (&**name, *count)).collect();
    assert_eq!(signals, [("opened-sizes", 1)]);
    assert!(block(store.history(&visitors(&["no"]))).unwrap().is_opted_out);
    let next = call("next", 150).by(&["no"]).fresh(store);
    assert!(next.history.is_opted_out);
}

/// Writes the file of the present format, where it is missing and that is asked for.
fn add_the_present() {
    let file = kept(FORMAT);
    if std::env::var_os("KOEKAKE_BLESS").is_none() || file.exists() {
        return;
    }
    let folder = Folder::new("format");
    let store = open(&folder.0, 0);
    fill(&store);
    store.stop();
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::copy(folder.0.join("koekake.db"), &file).unwrap();
}

#[test]
fn every_format_opens_with_all_that_was_put_there() {
    add_the_present();
    for format in 1..=FORMAT {
        let (folder, file) = (Folder::new(&format!("opens-{format}")), kept(format));
        assert!(file.exists(), "{} is missing: KOEKAKE_BLESS=1 makes it", file.display());
        std::fs::copy(file, folder.0.join("koekake.db")).unwrap();
        let said = data_check(&folder.0);
        assert!(said.ends_with(" rows, all can be read\n"), "format {format}: {said}");
        let store = open(&folder.0, 100);
        assert_eq!(store.fault().as_deref(), None, "format {format}");
        find(&store);
        store.stop();
        drop(store);
        // And it is of the present format now.
        let file = rusqlite::Connection::open(folder.0.join("koekake.db")).unwrap();
        let now: i64 = file.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
        assert_eq!(now, FORMAT);
        drop(file);
        data_check(&folder.0);
    }
}

/// What `koekake data check` says of a folder in which it finds nothing wrong.
fn data_check(folder: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_koekake"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KOEKAKE_")) {
        command.env_remove(name);
    }
    let command = command.args(["data", "check", "--data"]).arg(folder).current_dir(folder);
    let output = command.output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
    said
}
