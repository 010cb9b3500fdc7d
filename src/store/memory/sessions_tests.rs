//! That sessions do rest, and are counted, let go of and found all the same.

use super::*;
use crate::domain::visit::{EventKind, Page};

const TIMEOUT: Millis = Millis(1_000);
const REST_AFTER: Millis = Millis(100);

fn sessions() -> Sessions {
    Sessions::new(4, REST_AFTER, Arc::new(Interner::new(100)), None)
}

fn key(number: u8) -> SessionKey {
    SessionKey { site: "demo-shop".into(), id: crate::domain::ids::PageId::from_bits([number; 16]) }
}

fn page(path: &str) -> Page {
    Page {
        url: PageUrl::parse(&format!("https://shop.example{path}")).unwrap(),
        referrer: None,
        title: None,
        view_id: None,
        time_on_page: None,
        idle: None,
        scroll_percent: None,
    }
}

/// A session that has seen that page at that moment.
fn begin(sessions: &Sessions, number: u8, path: &str, now: Timestamp) {
    let page = page(path);
    let mut session = Session::begin(Some(&page), Vec::new(), now);
    session.visited.push(page.url.clone());
    sessions.shared.share(&mut session, &EventKind::PageView, Some(&page), true);
    let begun = Begun { session, timeout: TIMEOUT, has_claims: true };
    match sessions.lock_with_room(&key(number), now) {
        Locked::Free(free) => drop(sessions.fill(free, begun)),
        Locked::There(_) => panic!("it is there"),
    }
}

fn is_resting(sessions: &Sessions, number: u8) -> bool {
    matches!(*sessions.entries.get(&key(number)).unwrap(), Slot::Resting(_))
}

fn live(sessions: &Sessions) -> u64 {
    sessions.active().iter().map(|(_, count)| count).sum()
}

/// How many copies of an address there are, the asker's not counted, and how many rows name it.
fn copies(sessions: &Sessions, path: &str) -> usize {
    let url = page(path).url;
    sessions.shared.copy(&url).map_or(0, |copy| copy.holders() - 1)
}

#[test]
fn a_session_rests_after_a_while_and_wakes_as_it_was() {
    let sessions = sessions();
    begin(&sessions, 1, "/a", Timestamp(0));
    let before = format!("{:?}", sessions.get(&key(1)).unwrap().session);
    sessions.sweep(Timestamp(99));
    assert!(!is_resting(&sessions, 1));
    sessions.sweep(Timestamp(100));
    assert!(is_resting(&sessions, 1));
    assert_eq!(live(&sessions), 1);
    // The table of copies and that of numbers; the session itself holds none.
    assert_eq!(copies(&sessions, "/a"), 2);
    let entry = sessions.get(&key(1)).unwrap();
    assert_eq!(format!("{:?}", entry.session), before);
    assert_eq!((entry.timeout, entry.has_claims), (TIMEOUT, true));
    drop(entry);
    assert!(!is_resting(&sessions, 1));
    assert_eq!((live(&sessions), copies(&sessions, "/a")), (1, 4));
}

#[test]
fn one_that_waits_for_an_answer_stays_awake() {
    let sessions = sessions();
    begin(&sessions, 1, "/a", Timestamp(0));
    let mut guard = sessions.get_mut(&key(1)).unwrap();
    let (pending, waiting) = crate::store::Pending::new("e".into(), guard.mark());
    guard.recent.push(7);
    guard.recent.set(7, Known::Pending(Box::new(waiting)));
    drop(guard);
    sessions.sweep(Timestamp(500));
    assert!(!is_resting(&sessions, 1));
    drop(pending);
    sessions.get_mut(&key(1)).unwrap().recent.set(7, Known::Unasked);
    sessions.sweep(Timestamp(500));
    assert!(is_resting(&sessions, 1));
}

#[test]
fn a_clock_that_jumps_back_keeps_nobody_awake() {
    let sessions = sessions();
    begin(&sessions, 1, "/a", Timestamp(3_600_000));
    sessions.sweep(Timestamp(0));
    assert!(is_resting(&sessions, 1));
}

#[test]
fn what_rests_is_dropped_when_it_is_over_or_in_the_way() {
    let sessions = sessions();
    for number in 1..5 {
        begin(&sessions, number, "/a", Timestamp(number.into()));
    }
    sessions.sweep(Timestamp(200));
    assert!((1..5).all(|number| is_resting(&sessions, number)));
    begin(&sessions, 5, "/b", Timestamp(200));
    assert!(sessions.get(&key(1)).is_none());
    assert_eq!(live(&sessions), 4);
    sessions.sweep(Timestamp(2_000));
    assert_eq!(live(&sessions), 0);
    assert_eq!(sessions.evicted(), [("expired", 4), ("capacity", 1)]);
    // Nothing names the address any longer: it goes, and its number is another's.
    (0..4).for_each(|_| sessions.shared.sweep());
    assert_eq!((copies(&sessions, "/a"), copies(&sessions, "/b")), (0, 0));
    begin(&sessions, 6, "/c", Timestamp(2_000));
    begin(&sessions, 7, "/d", Timestamp(2_000));
    sessions.sweep(Timestamp(2_100));
    let landing = |number| sessions.get(&key(number)).unwrap().session.landing_page.clone();
    assert_eq!((landing(6), landing(7)), (Some(page("/c").url), Some(page("/d").url)));
}

#[test]
fn a_no_rests_uncounted() {
    let sessions = sessions();
    let mut session = Session::begin(None, Vec::new(), Timestamp(0));
    session.consent = Some(Consent::Denied);
    let begun = Begun { session, timeout: TIMEOUT, has_claims: false };
    match sessions.lock_with_room(&key(1), Timestamp(0)) {
        Locked::Free(free) => drop(sessions.fill(free, begun)),
        Locked::There(_) => panic!("it is there"),
    }
    sessions.sweep(Timestamp(100));
    assert!(is_resting(&sessions, 1));
    // Where room is short, it goes last.
    for number in 2..6 {
        begin(&sessions, number, "/a", Timestamp(300));
    }
    assert!(sessions.get(&key(1)).unwrap().is_denial());
    assert_eq!(live(&sessions), 3);
    sessions.sweep(Timestamp(1_000));
    assert_eq!((sessions.get(&key(1)).is_none(), live(&sessions)), (true, 3));
}

#[test]
fn a_session_goes_to_another_store_awake_or_at_rest() {
    let (sessions, others) = (sessions(), sessions());
    begin(&sessions, 1, "/a", Timestamp(0));
    let awake = sessions.row_of(&key(1)).unwrap();
    sessions.sweep(Timestamp(100));
    assert_eq!(sessions.row_of(&key(1)), Some(awake.clone()));
    assert!(is_resting(&sessions, 1));
    assert_eq!(others.put(&key(1), &awake), Ok(()));
    assert!(is_resting(&others, 1));
    assert_eq!((live(&others), copies(&others, "/a")), (1, 2));
    let read = |sessions: &Sessions| sessions.get(&key(1)).unwrap().session.clone();
    assert_eq!(read(&others), read(&sessions));
    assert!(others.put(&key(2), &awake[1..]).is_err());
    // Where there is no room, others go.
    (2..8).for_each(|number| assert_eq!(others.put(&key(number), &awake), Ok(())));
    assert_eq!(live(&others), 4);
}
