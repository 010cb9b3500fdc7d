//! Claims: every cap to the millisecond, and that no race gets past one.

use koekake::domain::caps::{Caps, Claimed, Refusal, Repeat, Stage};
use koekake::domain::time::{Millis, Timestamp};
use koekake::store::Store;

use super::{
    OPEN, Room, TIMEOUT, block, call, claim, deny, granted, limits, refused, report, session,
    visitors,
};

pub fn sixty_four_claims_at_once_grant_one<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    for round in 0..20 {
        let name = format!("s{round}");
        let seen = call(&name, 0).by(&["v"]).fresh(&store);
        let won: usize = std::thread::scope(|scope| {
            let claims: Vec<_> = (0..64)
                .map(|at| {
                    let claim = claim(&name, &seen, at);
                    let store = &store;
                    scope.spawn(move || block(store.claim(&claim)).unwrap() == Claimed::Granted)
                })
                .collect();
            claims.into_iter().map(|claim| usize::from(claim.join().unwrap())).sum()
        });
        assert_eq!(won, 1);
    }
}

pub fn tabs_of_one_visitor_race_for_one_prompt<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    for round in 0..20 {
        let (page, identity) = (format!("v{round}"), format!("@v{round}"));
        let won: usize = std::thread::scope(|scope| {
            let (store, page, identity) = (&store, &page, &identity);
            let tabs: Vec<_> = (0..8)
                .map(|tab| {
                    scope.spawn(move || {
                        let name = format!("s{round}-{tab}");
                        let names: [&str; 2] =
                            if tab % 2 == 0 { [page, identity] } else { [identity, page] };
                        let seen = call(&name, 0).by(&names).fresh(store);
                        let mut claim = claim(&name, &seen, 0);
                        claim.caps.cooldown = Millis(100);
                        usize::from(block(store.claim(&claim)).unwrap() == Claimed::Granted)
                    })
                })
                .collect();
            tabs.into_iter().map(|tab| tab.join().unwrap()).sum()
        });
        assert_eq!(won, 1);
    }
}

pub fn names_in_any_order_never_lock_each_other_out<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let names: Vec<String> = (0..4).map(|i| format!("v{i}")).collect();
    let mut names: Vec<&str> = names.iter().map(String::as_str).collect();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            names.rotate_left(1);
            let (store, names) = (&store, names.clone());
            scope.spawn(move || {
                let name = format!("s{thread}");
                let seen = call(&name, 0).by(&names).fresh(store);
                let caps = Caps { per_session: u32::MAX, ..OPEN };
                let offer = super::Claim { caps, ..claim(&name, &seen, 0) };
                block(async {
                    for _ in 0..10_000 {
                        store.claim(&offer).await.unwrap();
                    }
                });
            });
        }
    });
}

pub fn per_session_counts_and_zero_is_never<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let seen = call("s", 0).fresh(&store);
    let mut offer = claim("s", &seen, 0);
    offer.caps.per_session = 0;
    refused(&store, &offer, Refusal::SessionCap);
    offer.caps.per_session = 2;
    granted(&store, &offer);
    granted(&store, &offer);
    refused(&store, &offer, Refusal::SessionCap);
}

pub fn cooldown_binds_other_sessions_to_the_millisecond<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let caps = Caps { cooldown: Millis(500), ..OPEN };
    let first = call("s", 0).by(&["v"]).fresh(&store);
    let second = call("t", 0).by(&["v"]).fresh(&store);
    granted(&store, &super::Claim { caps, ..claim("s", &first, 10) });
    // Not the session's own: that is `between`.
    granted(&store, &super::Claim { caps, ..claim("s", &first, 11) });
    refused(&store, &super::Claim { caps, ..claim("t", &second, 510) }, Refusal::Cooldown);
    granted(&store, &super::Claim { caps, ..claim("t", &second, 511) });
    // Without a cooldown nothing holds back, not even an offer of a clock that ran ahead.
    granted(&store, &super::Claim { caps: OPEN, ..claim("s", &first, 100) });
}

pub fn cooldown_outlives_a_restart_in_place<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let caps = Caps { cooldown: Millis(5 * TIMEOUT), ..OPEN };
    let first = call("s", 0).by(&["v"]).fresh(&store);
    granted(&store, &super::Claim { caps, ..claim("s", &first, 0) });
    let anew = call("s", TIMEOUT).by(&["v"]).fresh(&store);
    refused(&store, &super::Claim { caps, ..claim("s", &first, TIMEOUT) }, Refusal::SessionOver);
    refused(&store, &super::Claim { caps, ..claim("s", &anew, TIMEOUT) }, Refusal::Cooldown);
}

pub fn between_binds_the_same_session_to_the_millisecond<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let caps = Caps { between: Millis(300), ..OPEN };
    let seen = call("s", 0).fresh(&store);
    granted(&store, &super::Claim { caps, ..claim("s", &seen, 10) });
    refused(&store, &super::Claim { caps, ..claim("s", &seen, 309) }, Refusal::Cooldown);
    granted(&store, &super::Claim { caps, ..claim("s", &seen, 310) });
}

pub fn dismissals_and_acceptances_bind_every_session<S: Store>(make: impl Fn(Room) -> S) {
    for (stage, caps) in [
        (Stage::Dismissed, Caps { after_dismissal: Millis(300), ..OPEN }),
        (Stage::Accepted, Caps { after_acceptance: Millis(300), ..OPEN }),
    ] {
        let store = make(Room::Ample);
        let own = call("s", 0).by(&["v"]).fresh(&store);
        let other = call("t", 0).by(&["v"]).fresh(&store);
        granted(&store, &super::Claim { caps, ..claim("s", &own, 1) });
        report(&store, "s", Some(1), stage, 100).unwrap();
        // Told again, it does not last longer.
        assert_eq!(report(&store, "s", Some(1), stage, 200), None);
        refused(&store, &super::Claim { caps, ..claim("s", &own, 399) }, Refusal::Cooldown);
        refused(&store, &super::Claim { caps, ..claim("t", &other, 399) }, Refusal::Cooldown);
        granted(&store, &super::Claim { caps, ..claim("s", &own, 400) });
        granted(&store, &super::Claim { caps, ..claim("t", &other, 400) });
    }
}

pub fn a_rule_repeats_per_visitor_else_session<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let every = Repeat::Every(Millis(300));
    let first = call("s", 0).by(&["v"]).fresh(&store);
    let second = call("t", 0).by(&["v"]).fresh(&store);
    let nobody = call("u", 0).fresh(&store);
    let with = |name, seen, at, repeat, rule: &str| super::Claim {
        caps: OPEN,
        repeat,
        rule: rule.into(),
        ..claim(name, seen, at)
    };
    granted(&store, &with("s", &first, 0, every, "r"));
    granted(&store, &with("s", &first, 0, every, "another"));
    refused(&store, &with("t", &second, 299, every, "r"), Refusal::Repeat);
    granted(&store, &with("t", &second, 300, every, "r"));
    granted(&store, &with("u", &nobody, 300, Repeat::Once, "r"));
    refused(&store, &with("u", &nobody, 900, Repeat::Once, "r"), Refusal::Repeat);
    granted(&store, &with("u", &nobody, 900, Repeat::Always, "r"));
}

pub fn limits_are_sliding_windows_to_the_millisecond<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let seen = call("s", 0).fresh(&store);
    let two_in_100 = limits(&[(100, 2)]);
    let by_rule = |at, rule: &str| super::Claim {
        caps: OPEN,
        rule: rule.into(),
        rule_limits: two_in_100.clone(),
        site_limits: limits(&[(100, 3)]),
        ..claim("s", &seen, at)
    };
    let site = super::SITE.into();
    let is_reached = |at| store.is_limit_reached(&site, Some("r"), &two_in_100, Timestamp(at));
    granted(&store, &by_rule(0, "r"));
    granted(&store, &by_rule(50, "r"));
    assert!(is_reached(99) && !is_reached(100));
    refused(&store, &by_rule(99, "r"), Refusal::RuleLimit);
    granted(&store, &by_rule(99, "another"));
    refused(&store, &by_rule(99, "third"), Refusal::SiteLimit);
    assert!(store.is_limit_reached(&site, None, &limits(&[(100, 3)]), Timestamp(99)));
    granted(&store, &by_rule(100, "r"));
    refused(&store, &by_rule(149, "r"), Refusal::RuleLimit);
    let none = super::Claim { rule_limits: limits(&[(100, 0)]), ..by_rule(999, "r") };
    refused(&store, &none, Refusal::RuleLimit);
}

pub fn limits_hold_under_sixteen_threads<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let mut offers: Vec<i64> = std::thread::scope(|scope| {
        let store = &store;
        let threads: Vec<_> = (0..16_i64)
            .map(|thread| {
                scope.spawn(move || {
                    let mut won = Vec::new();
                    for i in 0..100 {
                        // Clocks of sessions differ: some offers come before others already made.
                        let at = 10 * i + thread * 7 % 30;
                        let name = format!("s{thread}-{i}");
                        let seen = call(&name, at).fresh(store);
                        let mut claim = claim(&name, &seen, at);
                        claim.rule_limits = limits(&[(200, 5)]);
                        if block(store.claim(&claim)).unwrap() == Claimed::Granted {
                            won.push(at);
                        }
                    }
                    won
                })
            })
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    offers.sort_unstable();
    assert!(offers.windows(6).all(|six| six[5] - six[0] >= 200), "{offers:?}");
    assert!(offers.len() > 15, "{offers:?}");
}

pub fn a_holdout_is_silent_but_spends_cap_and_cooldown<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let caps = Caps { cooldown: Millis(500), ..OPEN };
    let seen = call("s", 0).by(&["v"]).fresh(&store);
    let other = call("t", 0).by(&["v"]).fresh(&store);
    let limit = limits(&[(500, 1)]);
    let offer = super::Claim { caps, rule_limits: limit.clone(), ..claim("s", &seen, 0) };
    granted(&store, &super::Claim { is_prompt: false, ..offer.clone() });
    refused(&store, &super::Claim { at: Timestamp(999), ..offer }, Refusal::HeldOut);
    refused(&store, &super::Claim { caps, ..claim("t", &other, 499) }, Refusal::Cooldown);
    assert!(!store.is_limit_reached(
        &super::SITE.into(),
        Some("pricing-help"),
        &limit,
        Timestamp(0)
    ));
    let again = call("s", 1).fresh(&store);
    assert!(again.session.is_held_out);
    assert_eq!(again.history.last_prompt(), None);
}

pub fn a_refused_claim_leaves_no_trace<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let seen = call("s", 0).by(&["v", "@v"]).fresh(&store);
    let before = block(store.history(&visitors(&["v", "@v"]))).unwrap();
    let mut offer = claim("s", &seen, 0);
    offer.rule_limits = limits(&[(100, 1)]);
    offer.site_limits = limits(&[(100, 0)]);
    refused(&store, &offer, Refusal::SiteLimit);
    let after = call("s", 0).fresh(&store);
    assert_eq!((after.session.offers, after.session.own.offers.len()), (0, 0));
    assert_eq!(block(store.history(&visitors(&["v", "@v"]))).unwrap(), before);
    offer.site_limits = limits(&[]);
    granted(&store, &offer);
}

pub fn a_claim_respects_every_name<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let caps = Caps { cooldown: Millis(500), ..OPEN };
    let first = call("s", 0).by(&["@aiko"]).fresh(&store);
    granted(&store, &super::Claim { caps, ..claim("s", &first, 0) });
    call("t", 0).by(&["phone"]).fresh(&store);
    call("t", 0).by(&["phone", "@aiko"]).fresh(&store);
    let seen = call("t", 0).by(&["tablet"]).fresh(&store);
    let offer = super::Claim { caps, visitors: visitors(&["tablet"]), ..claim("t", &seen, 1) };
    refused(&store, &offer, Refusal::Cooldown);
}

pub fn popups_of_other_tools_take_the_cap<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let seen = call("s", 0).fresh(&store);
    call("s", 1).event("popup").other_prompt(&store);
    call("s", 2).event("popup").other_prompt(&store);
    let mut offer = claim("s", &seen, 3);
    refused(&store, &offer, Refusal::SessionCap);
    offer.caps.per_session = 2;
    granted(&store, &offer);
    // One may come before anything else is known of the session.
    call("t", 0).event("popup").other_prompt(&store);
    let seen = call("t", 1).fresh(&store);
    assert_eq!((seen.is_new, seen.session.offers), (false, 1));
}

pub fn opting_out_and_in<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let seen = call("s", 0).by(&["v"]).fresh(&store);
    let other = call("t", 0).by(&["v"]).fresh(&store);
    let set = |name: &str, word| {
        block(store.opt_out(&session(name), &[], word, Timestamp(1))).unwrap();
    };
    set("s", true);
    refused(&store, &claim("s", &seen, 2), Refusal::OptedOut);
    refused(&store, &claim("t", &other, 2), Refusal::OptedOut);
    assert!(call("u", 2).by(&["v"]).fresh(&store).history.is_opted_out);
    set("s", false);
    granted(&store, &claim("s", &seen, 2));
    granted(&store, &claim("t", &other, 2));
    // Before the first event, and of somebody without a name.
    set("w", true);
    let first = call("w", 3).fresh(&store);
    assert!(first.is_new && first.history.is_opted_out);
    refused(&store, &claim("w", &first, 3), Refusal::OptedOut);
}

pub fn opting_out_of_a_session_that_is_over_binds_the_next<S: Store>(make: impl Fn(Room) -> S) {
    for is_offered in [false, true] {
        let store = make(Room::Ample);
        let seen = call("s", 0).fresh(&store);
        if is_offered {
            granted(&store, &claim("s", &seen, 0));
        }
        let at = TIMEOUT + 1;
        block(store.opt_out(&session("s"), &[], true, Timestamp(at))).unwrap();
        let next = call("s", at).fresh(&store);
        assert!(next.is_new && next.history.is_opted_out);
        assert_eq!((next.session.offers, next.session.started_at), (0, Timestamp(at)));
        refused(&store, &claim("s", &next, at), Refusal::OptedOut);
        // The offer of the session before still has its outcomes.
        assert_eq!(report(&store, "s", Some(0), Stage::Shown, at).is_some(), is_offered);
    }
}

pub fn a_forgotten_session_keeps_its_cap<S: Store>(make: impl Fn(Room) -> S) {
    let store = make(Room::Ample);
    let seen = call("s", 0).on("/secret").fresh(&store);
    granted(&store, &claim("s", &seen, 1));
    deny(&store, "s", 1);
    let back = call("s", 2).granting().on("/").fresh(&store);
    assert_eq!(back.session.visited.len(), 1);
    refused(&store, &claim("s", &back, 2), Refusal::SessionCap);
}
