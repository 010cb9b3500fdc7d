//! Bounds: nothing grows past them, and what is dropped takes no promise with it.

use koekake::domain::caps::{Refusal, Stage};
use koekake::domain::time::{Millis, Timestamp};
use koekake::store::{Observed, Store, StoreError};

use super::{Claim, OPEN, Room, SITE, TIMEOUT, block, call, claim, granted, refused, report};

pub const TINY: Room = Room::Of { sessions: 4, claims: 8, visitors: 8 };

pub fn active(store: &impl Store) -> u64 {
    store.stats().sessions_active.iter().filter(|(site, _)| &**site == SITE).map(|(_, n)| n).sum()
}

fn evicted(store: &impl Store, cause: &str) -> u64 {
    store.stats().sessions_evicted.iter().filter(|(known, _)| *known == cause).map(|(_, n)| n).sum()
}

/// Pushes everything out of a tiny store but its claims.
pub fn flood(store: &impl Store, at: i64) {
    for i in 0..20 {
        call(&format!("flood{i}"), at).fresh(store);
    }
}

pub fn a_flood_of_ids_stays_within_bounds<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Of { sessions: 1_000, claims: 1_000, visitors: 1_000 });
    for i in 0..20_000 {
        let (name, visitor) = (format!("s{i}"), format!("v{i}"));
        call(&name, i / 100).by(&[&visitor]).fresh(&store);
        assert!(active(&store) <= 1_000);
    }
    assert!(active(&store) > 800);
    assert!(store.stats().visitors <= 1_000);
    assert_eq!(active(&store) + evicted(&store, "capacity"), 20_000);
}

pub fn a_flood_from_all_sides_stays_within_bounds<S: Store>(make: impl Fn(Room) -> S) {
    const THREADS: u64 = 8;
    let store = make(Room::Of { sessions: 1_000, claims: 1_000, visitors: 1_000 });
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let store = &store;
            scope.spawn(move || {
                for i in 0..1_000 {
                    call(&format!("s{thread}-{i}"), i).fresh(store);
                    // Every call that is under way may be one too many.
                    assert!(active(store) <= 1_000 + THREADS);
                }
            });
        }
    });
    assert!(active(&store) <= 1_000);
    assert_eq!(active(&store) + evicted(&store, "capacity"), THREADS * 1_000);
}

pub fn the_expired_go_first_then_the_least_active<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(TINY);
    call("over", 0).fresh(&store);
    for (i, name) in (0..).zip(["a", "b", "c"]) {
        call(name, 900 + i).fresh(&store);
    }
    call("a", 910).fresh(&store);
    call("d", TIMEOUT).fresh(&store);
    assert_eq!((evicted(&store, "expired"), evicted(&store, "capacity")), (1, 0));
    call("e", TIMEOUT).fresh(&store);
    assert_eq!((evicted(&store, "expired"), evicted(&store, "capacity")), (1, 1));
    assert!(!call("a", TIMEOUT).fresh(&store).is_new);
    assert!(!call("c", TIMEOUT).fresh(&store).is_new);
}

pub fn a_sweep_drops_what_is_over<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    for i in 0..500 {
        call(&format!("s{i}"), i).fresh(&store);
    }
    assert_eq!(active(&store), 500);
    for _ in 0..10_000 {
        store.sweep(Timestamp(TIMEOUT + 249));
    }
    assert_eq!((active(&store), evicted(&store, "expired")), (250, 250));
    assert!(!call("s250", TIMEOUT + 249).fresh(&store).is_new);
}

pub fn claims_outlive_evicted_sessions<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(TINY);
    let seen = call("s", 0).by(&["v"]).event("e").later().fresh(&store);
    granted(&store, &Claim { event: Some("e".into()), ..claim("s", &seen, 1) });
    call("s", 500).fresh(&store);
    flood(&store, 600);
    // The prompt's own call again: the same prompt, and no second one.
    assert_eq!(call("s", 601).event("e").later().repeat(&store), 1);
    assert!(report(&store, "s", None, Stage::Dismissed, 602).is_some());
    let back = call("s", 499 + TIMEOUT).fresh(&store);
    assert!(!back.is_new);
    assert_eq!((back.mark, back.session.offers, back.session.page_views), (seen.mark, 1, 1));
    assert_eq!(back.session.visitors, seen.session.visitors);
    assert_eq!(back.history.last_dismissal, Some(Timestamp(602)));
    assert_eq!(back.history.sessions, 1);
    refused(&store, &claim("s", &back, 499 + TIMEOUT), Refusal::SessionCap);
}

pub fn holdouts_and_other_tools_popups_outlive_evicted_sessions<S: Store>(
    make: impl Fn(Room) -> S,
) {
    let store = make(TINY);
    let seen = call("s", 0).fresh(&store);
    granted(&store, &Claim { is_prompt: false, ..claim("s", &seen, 1) });
    call("t", 2).event("popup").other_prompt(&store);
    flood(&store, 3);
    call("t", 4).event("popup").other_prompt(&store);
    assert!(call("s", 5).fresh(&store).session.is_held_out);
    assert_eq!(call("t", 5).fresh(&store).session.offers, 1);
}

pub fn an_evicted_session_begins_anew_after_its_timeout<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(TINY);
    let seen = call("s", 0).event("e").later().fresh(&store);
    granted(&store, &Claim { event: Some("e".into()), ..claim("s", &seen, 1) });
    flood(&store, 2);
    let anew = call("s", TIMEOUT).event("e").fresh(&store);
    assert_eq!((anew.is_new, anew.session.offers), (true, 0));
    granted(&store, &claim("s", &anew, TIMEOUT));
}

pub fn full_of_promises_it_offers_none<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Of { sessions: 100, claims: 4, visitors: 100 });
    for i in 0..4 {
        let name = format!("s{i}");
        let seen = call(&name, i).fresh(&store);
        granted(&store, &claim(&name, &seen, i));
    }
    let seen = call("fifth", 10).fresh(&store);
    let fifth = block(store.claim(&claim("fifth", &seen, 10)));
    assert!(matches!(fifth, Err(StoreError::Full(_))), "{fifth:?}");
    assert_eq!(call("fifth", 10).fresh(&store).session.offers, 0);
    // Once the first session is over, its claim makes room.
    granted(&store, &claim("fifth", &seen, TIMEOUT));
    assert_eq!(store.stats().claims, 4);
}

pub fn visitors_who_are_protected_are_not_forgotten<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Of { sessions: 100, claims: 100, visitors: 4 });
    let caps = super::Caps { cooldown: Millis(5_000), ..OPEN };
    for i in 0..4 {
        let (name, visitor) = (format!("s{i}"), format!("v{i}"));
        let seen = call(&name, i).by(&[&visitor]).fresh(&store);
        granted(&store, &Claim { caps, ..claim(&name, &seen, i) });
    }
    // A fifth is served, but not remembered, and so not prompted.
    let seen = call("fifth", 10).by(&["v5"]).fresh(&store);
    assert_eq!(seen.history.sessions, 1);
    let fifth = block(store.claim(&Claim { caps, ..claim("fifth", &seen, 10) }));
    assert!(matches!(fifth, Err(StoreError::Full(_))), "{fifth:?}");
    let again = call("t", 4_999).by(&["v0"]).fresh(&store);
    refused(&store, &Claim { caps, ..claim("t", &again, 4_999) }, Refusal::Cooldown);
    let seen = call("sixth", 5_000).by(&["v6"]).fresh(&store);
    granted(&store, &Claim { caps, ..claim("sixth", &seen, 5_000) });
}

pub fn a_session_evicted_in_flight_lets_its_repeats_go<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(TINY);
    let first = call("s", 0).event("e").later().fresh(&store);
    let repeat = call("s", 0).event("e").later();
    let got = super::after(repeat.result(&store), || {
        flood(&store, 1);
        let key = super::session("s");
        block(store.settle(&key, first.pending.unwrap(), super::answer(4)));
    });
    assert!(matches!(got, Ok(Observed::Repeat(answer)) if answer.decision.0 == 4));
}
