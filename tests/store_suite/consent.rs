//! Consent: a "no" leaves nothing but itself and what was offered, and gives no second prompt.

use koekake::domain::caps::{Refusal, Stage};
use koekake::domain::time::{Millis, Timestamp};
use koekake::domain::visit::{Consent, EventKind};
use koekake::store::{Observed, Store};

use super::rooms::{TINY, active, flood};
use super::{
    Claim, OPEN, Room, TIMEOUT, block, call, claim, deny, granted, refused, report, session,
    visitors,
};

fn word(store: &impl Store, name: &str, at: i64) -> Option<Consent> {
    block(store.consent(&session(name), Millis(TIMEOUT), Timestamp(at))).unwrap()
}

pub fn the_last_word_lasts_as_long_as_the_session<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    assert_eq!(word(&store, "s", 0), None);
    call("s", 0).fresh(&store);
    assert_eq!(word(&store, "s", 0), None);
    call("s", 0).granting().fresh(&store);
    call("s", 1).fresh(&store);
    assert_eq!(word(&store, "s", TIMEOUT), Some(Consent::Granted));
    assert_eq!(word(&store, "s", TIMEOUT + 1), None);
    // To ask for it keeps no session alive.
    assert!(call("s", TIMEOUT + 1).fresh(&store).is_new);
}

pub fn a_no_lasts_until_a_pause_or_a_yes<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    deny(&store, "s", 0);
    deny(&store, "t", 0);
    // Calls without a word of their own ask for the last one: the visitor still is there.
    assert_eq!(word(&store, "s", TIMEOUT - 1), Some(Consent::Denied));
    assert_eq!(word(&store, "s", 2 * TIMEOUT - 2), Some(Consent::Denied));
    assert_eq!(word(&store, "s", 3 * TIMEOUT - 2), None);
    assert!(call("t", 1).granting().fresh(&store).is_new);
    assert_eq!(word(&store, "t", 2), Some(Consent::Granted));
    deny(&store, "t", 3);
    assert_eq!(word(&store, "t", 3), Some(Consent::Denied));
}

pub fn of_a_denied_session_nothing_is_kept<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let seen = call("s", 0).by(&["v"]).on("/secret").fresh(&store);
    call("s", 1).kind(EventKind::Signal { name: "search".into() }).fresh(&store);
    let waits = call("s", 2).event("e").later().fresh(&store);
    deny(&store, "s", 2);
    assert_eq!(active(&store), 0);
    assert!(block(store.look(&session("s"), seen.mark, &[], |_| ())).unwrap().is_none());
    refused(&store, &claim("s", &waits, 2), Refusal::SessionOver);

    let anew = call("s", 3).granting().on("/").event("e").fresh(&store);
    assert!(anew.is_new);
    assert_eq!((anew.session.started_at, anew.session.page_views), (Timestamp(3), 1));
    assert_eq!((anew.session.visited.len(), anew.session.event_count("search")), (1, 0));
    assert!(anew.session.visitors.is_empty() && !anew.session.is_bucketed_by_visitor);
    assert_eq!(active(&store), 1);
    granted(&store, &claim("s", &anew, 3));
}

pub fn a_denial_gives_no_second_prompt<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(TINY);
    let prompt = |name: &str, at| {
        let seen = call(name, at).by(&["v"]).fresh(&store);
        granted(&store, &claim(name, &seen, at));
    };
    let is_capped = |name: &str, at| {
        let back = call(name, at).granting().fresh(&store);
        assert!(back.is_new, "{name}");
        assert!(back.session.visitors.is_empty(), "{name}");
        refused(&store, &claim(name, &back, at), Refusal::SessionCap);
        // Nor when the session it began is forgotten.
        flood(&store, at);
        let again = call(name, at).fresh(&store);
        assert!(!again.is_new, "{name}");
        refused(&store, &claim(name, &again, at), Refusal::SessionCap);
    };
    prompt("soon", 0);
    deny(&store, "soon", 0);
    is_capped("soon", 0);

    prompt("later", 0);
    deny(&store, "later", 900);
    deny(&store, "later", 1_800);
    assert_eq!(word(&store, "later", 2_700), Some(Consent::Denied));
    is_capped("later", 3_600);

    prompt("forgotten", 4_000);
    flood(&store, 4_000);
    deny(&store, "forgotten", 4_900);
    is_capped("forgotten", 5_800);

    let seen = call("popup", 6_000).fresh(&store);
    call("popup", 6_000).event("popup").other_prompt(&store);
    refused(&store, &claim("popup", &seen, 6_000), Refusal::SessionCap);
    deny(&store, "popup", 6_000);
    call("popup", 6_001).event("popup").granting().other_prompt(&store);
    is_capped("popup", 6_001);

    prompt("over", 7_000);
    deny(&store, "over", 7_000);
    let anew = call("over", 7_000 + TIMEOUT).fresh(&store);
    granted(&store, &claim("over", &anew, 7_000 + TIMEOUT));
}

pub fn pauses_and_holdouts_hold_across_a_denial<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let caps = super::Caps {
        between: Millis(300),
        cooldown: Millis(9_000),
        after_dismissal: Millis(600),
        ..OPEN
    };
    let seen = call("s", 0).by(&["v"]).fresh(&store);
    granted(&store, &Claim { caps, ..claim("s", &seen, 0) });
    deny(&store, "s", 1);
    let back = call("s", 2).by(&["v"]).granting().fresh(&store);
    refused(&store, &Claim { caps, ..claim("s", &back, 299) }, Refusal::Cooldown);
    // It is the same visit: the pause between sessions does not bind it.
    granted(&store, &Claim { caps, ..claim("s", &back, 300) });
    deny(&store, "s", 301);
    report(&store, "s", Some(300), Stage::Dismissed, 400).unwrap();
    let back = call("s", 500).granting().fresh(&store);
    refused(&store, &Claim { caps, ..claim("s", &back, 999) }, Refusal::Cooldown);
    granted(&store, &Claim { caps, ..claim("s", &back, 1_000) });

    let seen = call("t", 0).fresh(&store);
    granted(&store, &Claim { is_prompt: false, ..claim("t", &seen, 0) });
    deny(&store, "t", 0);
    let back = call("t", 1).granting().fresh(&store);
    assert!(back.session.is_held_out);
    assert_eq!(block(store.history(&visitors(&["v"]))).unwrap().sessions, 2);
}

pub fn opting_out_while_denied_keeps_both_words<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(TINY);
    let seen = call("s", 0).fresh(&store);
    granted(&store, &claim("s", &seen, 0));
    deny(&store, "s", 1);
    block(store.opt_out(&session("s"), &[], true, Timestamp(2))).unwrap();
    assert_eq!(word(&store, "s", 3), Some(Consent::Denied));
    let back = call("s", 4).granting().fresh(&store);
    assert!(back.is_new && back.history.is_opted_out);
    block(store.opt_out(&session("s"), &[], false, Timestamp(5))).unwrap();
    refused(&store, &claim("s", &back, 6), Refusal::SessionCap);
}

pub fn only_events_that_were_prompted_for_outlive_a_denial<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    call("s", 0).event("plain").answered(9).fresh(&store);
    let first = call("s", 1).event("prompted").later().fresh(&store);
    granted(&store, &Claim { event: Some("prompted".into()), ..claim("s", &first, 1) });
    deny(&store, "s", 2);
    // Both come again, their first answers lost on the way. The prompt was made and stays made.
    assert_eq!(call("s", 3).event("prompted").granting().later().repeat(&store), 1);
    assert!(call("s", 4).event("plain").granting().answered(8).fresh(&store).is_new);
    assert_eq!(call("s", 5).event("prompted").later().repeat(&store), 1);
    assert_eq!(call("s", 5).event("plain").later().repeat(&store), 8);
}

pub fn where_room_is_short_a_no_is_kept_longest<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(TINY);
    deny(&store, "s", 0);
    flood(&store, 1);
    assert_eq!(word(&store, "s", 2), Some(Consent::Denied));
    for i in 0..20 {
        deny(&store, &format!("another{i}"), 3);
    }
    assert_eq!(word(&store, "s", 4), None);
}

pub fn a_call_under_way_does_not_undo_a_denial<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    call("s", 0).by(&["v"]).fresh(&store);
    deny(&store, "s", 1);
    // It was let in before the "no" came, and says nothing of consent itself.
    assert!(matches!(block(call("s", 1).by(&["v"]).result(&store)), Ok(Observed::Denied)));
    call("s", 2).event("popup").other_prompt(&store);
    let said = block(store.consent(&session("s"), Millis(TIMEOUT), Timestamp(3))).unwrap();
    assert_eq!(said, Some(Consent::Denied));
    assert!(call("s", 4).granting().fresh(&store).is_new);
}
