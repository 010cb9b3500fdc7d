//! Sessions: when they begin and end, what they remember, and that time never goes back.

use koekake::domain::caps::Refusal;
use koekake::domain::facts::Agents;
use koekake::domain::history::History;
use koekake::domain::session::MAX_SHADOWS;
use koekake::domain::time::{Millis, Timestamp};
use koekake::domain::visit::{AttributeValue, Attributes, Consent, EventKind};
use koekake::store::{Observed, Store};

use super::{Room, SITE, TIMEOUT, block, call, claim, deny, granted, session, visitors};

pub fn a_pause_of_exactly_the_timeout_ends_it<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    assert!(call("s", 0).fresh(&store).is_new);
    let still = call("s", TIMEOUT - 1).fresh(&store);
    assert!(!still.is_new);
    assert_eq!(still.session.page_views, 2);
    assert!(call("s", 2 * TIMEOUT - 1).fresh(&store).is_new);
}

pub fn a_recheck_keeps_nothing_alive<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    call("s", 0).fresh(&store);
    let recheck = call("s", TIMEOUT - 1).kind(EventKind::Recheck).fresh(&store);
    assert_eq!((recheck.is_new, recheck.session.page_views), (false, 1));
    assert!(call("s", TIMEOUT).fresh(&store).is_new);
}

pub fn a_restart_in_place_forgets_the_old_session<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let first = call("s", 0).by(&["v"]).on("/old").event("e").fresh(&store);
    super::granted(&store, &super::claim("s", &first, 0));
    call("s", 1).kind(EventKind::Signal { name: "search".into() }).fresh(&store);

    let anew = call("s", 1 + TIMEOUT).by(&["v"]).on("/new").event("e").fresh(&store);
    assert!(anew.is_new);
    assert_ne!(anew.mark, first.mark);
    assert_eq!(anew.session.started_at, Timestamp(1 + TIMEOUT));
    assert_eq!(anew.session.page_views, 1);
    assert_eq!(
        anew.session.landing_page.as_ref().map(koekake::domain::page_url::PageUrl::path),
        Some("/new")
    );
    assert_eq!(anew.session.visited.len(), 1);
    assert_eq!(anew.session.event_count("search"), 0);
    assert_eq!((anew.session.offers, anew.session.own.offers.len()), (0, 0));
    // The visitor, though, is remembered.
    assert_eq!((anew.history.sessions, anew.history.offers.len()), (2, 1));
}

pub fn time_never_goes_back<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    call("s", 500).fresh(&store);
    assert_eq!(call("s", 100).fresh(&store).now, 500);
    // The pause is measured from the newest moment that was seen.
    assert!(!call("s", 499 + TIMEOUT).fresh(&store).is_new);
}

pub fn two_first_calls_at_once_make_one_session<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    for round in 0..50 {
        let name = format!("s{round}");
        let begun: usize = std::thread::scope(|scope| {
            let calls: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| usize::from(call(&name, 0).fresh(&store).is_new)))
                .collect();
            calls.into_iter().map(|call| call.join().unwrap()).sum()
        });
        assert_eq!(begun, 1);
        assert_eq!(call(&name, 0).fresh(&store).session.page_views, 5);
    }
}

pub fn sessions_of_a_visitor_are_counted_once<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    assert_eq!(call("nobody", 0).fresh(&store).history.sessions, 1);
    assert_eq!(call("s", 0).fresh(&store).history.sessions, 1);
    // Consent came later, and with it a name.
    assert_eq!(call("s", 1).by(&["v"]).fresh(&store).history.sessions, 1);
    assert_eq!(call("s", 2).by(&["v", "@hanako"]).fresh(&store).history.sessions, 1);
    assert_eq!(call("t", 3).by(&["v"]).fresh(&store).history.sessions, 2);
    assert_eq!(call("s", 4).by(&["v"]).fresh(&store).history.sessions, 2);
    assert_eq!(block(store.history(&visitors(&["@hanako"]))).unwrap().sessions, 1);
}

pub fn a_session_bears_four_names_at_most<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    for name in ["a", "b", "c", "d", "e"] {
        call("s", 0).by(&[name]).fresh(&store);
    }
    let seen = call("s", 1).fresh(&store).session;
    assert_eq!(seen.visitors, visitors(&["a", "c", "d", "e"]));
    assert!(seen.is_bucketed_by_visitor);
}

pub fn a_name_that_was_pushed_out_does_not_count_again<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    for name in ["a", "b", "c", "d", "e", "b"] {
        assert_eq!(call("s", 0).by(&[name]).fresh(&store).history.sessions, 1);
    }
}

pub fn look_sees_without_recording<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let seen = call("s", 0).by(&["v"]).fresh(&store);
    let look = |mark| {
        block(store.look(&session("s"), mark, &[], |seen| {
            (seen.session.page_views, seen.history.sessions, seen.now)
        }))
        .unwrap()
    };
    assert_eq!(look(seen.mark), Some((1, 1, Timestamp(0))));
    call("s", TIMEOUT).fresh(&store);
    assert_eq!(look(seen.mark), None);
}

pub fn peeking_foresees_and_changes_nothing<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let first = call("s", 0).by(&["v"]).foreseen(&store);
    assert_eq!((first.session.page_views, first.history.sessions), (1, 1));
    granted(&store, &claim("s", &first, 0));
    call("s", 10).on("/a").foreseen(&store);
    call("s", 20).by(&["@aiko"]).foreseen(&store);
    call("s", 5).by(&["@aiko", "v"]).foreseen(&store);
    call("s", 30).kind(EventKind::Recheck).foreseen(&store);
    // Another of the visitor's, and the next under the same id.
    call("t", 40).by(&["v"]).foreseen(&store);
    call("s", 30 + TIMEOUT).by(&["v"]).foreseen(&store);
    // An opt-out waits for a session to begin.
    block(store.opt_out(&session("u"), &[], true, Timestamp(50))).unwrap();
    assert!(call("u", 60).foreseen(&store).history.is_opted_out);
    // A denial is seen as one, and a "yes" after it begins a session with its offers.
    let offered = call("d", 100).by(&["w"]).foreseen(&store);
    granted(&store, &claim("d", &offered, 100));
    deny(&store, "d", 110);
    let denied = call("d", 120).peek(&store);
    assert_eq!(denied.session.consent, Some(Consent::Denied));
    assert_eq!(denied.session.page_views, 0, "nothing of it is recorded");
    assert_eq!(call("d", 130).granting().foreseen(&store).session.offers, 1);
}

pub fn peeking_foresees_what_only_claims_remember<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Of { sessions: 1, claims: 100, visitors: 100 });
    let first = call("s", 0).by(&["v"]).fresh(&store);
    granted(&store, &claim("s", &first, 0));
    call("t", 1).fresh(&store);
    assert_eq!(call("s", 2).foreseen(&store).session.offers, 1);
}

pub fn crm_applies_under_the_present_identity<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let names = visitors(&["@aiko", "@ben"]);
    let plan = |plan: &str| Attributes(vec![("plan".into(), AttributeValue::Text(plan.into()))]);
    block(store.set_crm(&names[0], plan("pro"), Timestamp(0))).unwrap();
    let crm = |call: super::Call<'_>| call.fresh(&store).history.crm.map(|crm| (*crm).clone());
    assert_eq!(crm(call("s", 0)), None);
    assert_eq!(crm(call("s", 0).by(&["v", "@aiko"])), Some(plan("pro")));
    let ben = call("s", 0).by(&["v", "@ben"]).fresh(&store);
    assert_eq!(ben.history.crm, None);
    let again = |called: &[&str]| {
        block(store.look(&session("s"), ben.mark, &visitors(called), |s| s.history.crm.is_some()))
            .unwrap()
    };
    assert_eq!((again(&["v", "@ben"]), again(&["@aiko"])), (Some(false), Some(true)));
    block(store.set_crm(&names[0], Attributes::default(), Timestamp(0))).unwrap();
    assert_eq!(crm(call("s", 0).by(&["v", "@aiko"])), None);
}

pub fn agents_are_missing_after_their_time<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let agents = Agents { online: 2, waiting: None, capacity: None };
    let set = |route, until| block(store.set_agents(&SITE.into(), route, agents, Timestamp(until)));
    assert_eq!(store.agents(&SITE.into(), Timestamp(0)).total, None);
    set(None, 10).unwrap();
    set(Some("sales"), 20).unwrap();
    assert_eq!(store.agents(&SITE.into(), Timestamp(9)).total, Some(agents));
    let board = store.agents(&SITE.into(), Timestamp(10));
    assert_eq!((board.total, board.of(Some("sales"))), (None, Some(agents)));
    store.sweep(Timestamp(10));
    assert_eq!(store.agents(&SITE.into(), Timestamp(19)).routes.len(), 1);
    assert_eq!(store.agents(&SITE.into(), Timestamp(20)).routes.len(), 0);
}

pub fn sessions_of_different_sites_never_meet<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    call("s", 0).event("e").fresh(&store);
    assert!(matches!(
        block(call("s", 0).event("e").result(&store)),
        Ok(Observed::RepeatUnanswered)
    ));
    let mut elsewhere = session("s");
    elsewhere.site = "other".into();
    block(store.deny(&elsewhere, Millis(TIMEOUT), Timestamp(0))).unwrap();
    assert!(!call("s", 0).fresh(&store).is_new);
}

pub fn a_shadow_rule_counts_once_a_session<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let count = |call: super::Call<'_>| call.fresh(&store).shadows.len();
    assert_eq!(count(call("s", 0).shadowing(&["a", "b"]).event("e").answered(1)), 2);
    // A repeat records nothing, so counts nothing.
    assert_eq!(call("s", 0).shadowing(&["c"]).event("e").repeat(&store), 1);
    let met = call("s", 1).shadowing(&["b", "c"]).fresh(&store).shadows;
    assert_eq!(met, ["c".into()]);
    assert_eq!(count(call("t", 1).shadowing(&["a"])), 1);
    assert_eq!(count(call("s", 1 + TIMEOUT).shadowing(&["a"])), 1);
}

pub fn shadow_rules_are_bounded<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let names: Vec<String> = (0..2 * MAX_SHADOWS).map(|i| format!("rule{i}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let count = |names: &[&str]| call("s", 0).shadowing(names).fresh(&store).shadows.len();
    assert_eq!(count(&names[..20]), 20);
    assert_eq!(count(&names), MAX_SHADOWS - 20);
    assert_eq!(count(&names), 0);
}

pub fn erasing_forgets_a_visitor_but_not_the_cap<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let seen = call("s", 0).by(&["v"]).fresh(&store);
    super::granted(&store, &super::claim("s", &seen, 0));
    let names = visitors(&["v"]);
    block(store.erase(&names[0])).unwrap();
    assert_eq!(block(store.history(&names)).unwrap(), History::default());
    let again = call("s", 1).by(&["v"]).fresh(&store);
    super::refused(&store, &super::claim("s", &again, 1), Refusal::SessionCap);
}
