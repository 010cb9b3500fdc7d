//! What became of prompts: counted once, for whom, and how late.

use koekake::domain::caps::Stage;
use koekake::domain::time::Timestamp;
use koekake::store::Store;

use super::{Claim, Room, TIMEOUT, block, call, claim, granted, report, report_as, visitors};

pub fn each_stage_counts_once<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let seen = call("s", 0).fresh(&store);
    granted(&store, &claim("s", &seen, 1));
    let accepted = report(&store, "s", Some(1), Stage::Accepted, 2).unwrap();
    assert!(accepted.is_first && accepted.implies_shown && accepted.is_prompt);
    assert_eq!((&*accepted.rule, &*accepted.variant), ("pricing-help", "a"));
    assert_eq!(report(&store, "s", Some(1), Stage::Shown, 3), None);
    assert_eq!(report(&store, "s", Some(1), Stage::Accepted, 3), None);
    assert!(!report(&store, "s", None, Stage::ChatStarted, 4).unwrap().implies_shown);
    assert_eq!(call("s", 5).fresh(&store).history.last_chat, Some(Timestamp(4)));
}

pub fn conversions_count_once_for_each_order<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let seen = call("s", 0).fresh(&store);
    granted(&store, &claim("s", &seen, 1));
    let order = |id| report_as(&store, "s", None, Stage::Converted, Some(id), 9);
    assert!(order("1001").unwrap().is_first);
    assert_eq!(order("1001"), None);
    assert!(!order("1002").unwrap().is_first);
}

pub fn only_answers_of_the_session_count_and_not_for_ever<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let seen = call("s", 0).fresh(&store);
    call("t", 0).fresh(&store);
    granted(&store, &claim("s", &seen, 1));
    assert_eq!(report(&store, "t", Some(1), Stage::Shown, 2), None);
    assert_eq!(report(&store, "t", None, Stage::Shown, 2), None);
    assert_eq!(report(&store, "s", Some(2), Stage::Shown, 2), None);
    assert_eq!(report(&store, "s", Some(1), Stage::Dismissed, 10_002), None);
    assert!(report(&store, "s", Some(1), Stage::Dismissed, 10_001).is_some());
}

pub fn outcomes_neither_begin_nor_keep_alive<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    assert_eq!(report(&store, "s", None, Stage::Shown, 0), None);
    let seen = call("s", 0).by(&["v"]).fresh(&store);
    assert!(seen.is_new);
    granted(&store, &claim("s", &seen, 1));
    report(&store, "s", Some(1), Stage::Shown, TIMEOUT - 1).unwrap();
    assert!(call("s", TIMEOUT).fresh(&store).is_new);
    // The offer of the session before still has its outcomes.
    report(&store, "s", Some(1), Stage::Dismissed, TIMEOUT + 1).unwrap();
    let history = block(store.history(&visitors(&["v"]))).unwrap();
    assert_eq!(history.last_dismissal, Some(Timestamp(TIMEOUT + 1)));
}

pub fn of_a_holdout_only_conversions_count<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let seen = call("s", 0).fresh(&store);
    granted(&store, &Claim { is_prompt: false, ..claim("s", &seen, 1) });
    for stage in [Stage::Shown, Stage::Accepted, Stage::Dismissed, Stage::ChatStarted] {
        assert_eq!(report(&store, "s", Some(1), stage, 2), None);
    }
    assert!(!report(&store, "s", None, Stage::Converted, 2).unwrap().is_prompt);
    assert_eq!(call("s", 3).fresh(&store).history.last_dismissal, None);
}
