//! Events with an id: recorded once, answered alike, never waited for in vain.

use std::sync::atomic::{AtomicUsize, Ordering};

use koekake::domain::caps::Refusal;
use koekake::store::{Observed, Store, StoreError};

use super::{Claim, Room, TIMEOUT, after, answer, block, call, claim, granted, refused, session};

pub fn a_repeat_gets_the_same_answer_and_records_nothing<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    call("s", 0).event("e").answered(1).fresh(&store);
    assert_eq!(call("s", 1).event("e").answered(2).repeat(&store), 1);
    assert_eq!(call("s", 2).event("e").answered(3).repeat(&store), 1);
    // Not even keeping the session alive.
    assert!(call("s", TIMEOUT).fresh(&store).is_new);
}

pub fn the_last_eight_are_remembered<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let ids: Vec<String> = (0..9).map(|i| format!("e{i}")).collect();
    for (i, id) in (0..).zip(&ids) {
        call("s", 0).event(id).answered(i).fresh(&store);
    }
    for (i, id) in (0..).zip(&ids).skip(1) {
        assert_eq!(call("s", 0).event(id).answered(99).repeat(&store), i);
    }
    assert_eq!(call("s", 0).event("e0").fresh(&store).session.page_views, 10);
}

pub fn a_repeat_in_flight_waits_for_the_answer<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let first = call("s", 0).event("e").later().fresh(&store);
    let repeat = call("s", 0).event("e").later();
    let got = after(repeat.result(&store), || {
        block(store.settle(&session("s"), first.pending.unwrap(), answer(7)));
    });
    assert!(matches!(got, Ok(Observed::Repeat(answer)) if answer.decision.0 == 7));
    assert_eq!(repeat.repeat(&store), 7);
    assert_eq!(call("s", 0).fresh(&store).session.page_views, 2);
}

pub fn a_repeat_in_flight_gets_the_prompt_that_was_claimed<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let mut first = call("s", 5).event("e").later().fresh(&store);
    let pending = first.pending.take();
    let repeat = call("s", 6).event("e").later();
    let got = after(repeat.result(&store), || {
        let mut claim = claim("s", &first, 5);
        claim.event = Some("e".into());
        granted(&store, &claim);
        // Granted, and then cut off before anybody was told.
        drop(pending);
    });
    assert!(matches!(got, Ok(Observed::Repeat(answer)) if answer.decision.0 == 5));
    assert_eq!(repeat.repeat(&store), 5);
}

pub fn a_call_that_is_cut_off_lets_its_repeats_go<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let first = call("s", 0).event("e").later().fresh(&store);
    let repeat = call("s", 0).event("e").later();
    let got = after(repeat.result(&store), || drop(first));
    assert!(matches!(got, Err(StoreError::CutOff)));
    assert!(matches!(block(repeat.result(&store)), Err(StoreError::CutOff)));
    assert_eq!(call("s", 0).fresh(&store).session.page_views, 2);
}

pub fn a_claimed_event_is_never_recorded_twice<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let first = call("s", 3).event("e").later().fresh(&store);
    let mut offer = claim("s", &first, 3);
    offer.event = Some("e".into());
    granted(&store, &offer);
    for i in 0..20 {
        call("s", 4).event(&format!("later {i}")).answered(1).fresh(&store);
    }
    assert_eq!(call("s", 5).event("e").later().repeat(&store), 3);
    refused(&store, &offer, Refusal::SessionCap);
}

pub fn events_of_the_session_before_are_no_repeats<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let first = call("s", 0).event("e").later().fresh(&store);
    granted(&store, &Claim { event: Some("e".into()), ..claim("s", &first, 0) });
    let anew = call("s", TIMEOUT).event("f").later().fresh(&store);
    granted(&store, &Claim { event: Some("f".into()), ..claim("s", &anew, TIMEOUT) });
    assert_eq!(call("s", TIMEOUT).event("e").fresh(&store).session.page_views, 2);
}

pub fn repeats_from_all_sides_record_once<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    for round in 0..50 {
        let name = format!("s{round}");
        let fresh = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let call = call(&name, 0).event("e").later();
                    match block(call.result(&store)).unwrap() {
                        Observed::Fresh { pending, .. } => {
                            fresh.fetch_add(1, Ordering::Relaxed);
                            block(store.settle(&session(&name), pending.unwrap(), answer(9)));
                        }
                        Observed::Repeat(answer) => assert_eq!(answer.decision.0, 9),
                        Observed::RepeatUnanswered | Observed::Denied => {
                            panic!("the answer was lost")
                        }
                    }
                });
            }
        });
        assert_eq!(fresh.into_inner(), 1);
    }
}
