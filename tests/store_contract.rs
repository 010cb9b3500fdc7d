//! The store contract's suite, run on every implementation.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::pedantic,
    missing_docs,
    reason = "a test may fail by panicking, and need not be polished"
)]

mod store_suite;

use koekake::domain::time::Millis;
use koekake::store::memory::{MemoryConfig, MemoryStore};
use store_suite::Room;
use store_suite::through::Through;

macro_rules! whole_suite {
    ($make:expr) => {
        $crate::store_contract! {
            $make;
            sessions:
                a_pause_of_exactly_the_timeout_ends_it, a_recheck_keeps_nothing_alive,
                a_restart_in_place_forgets_the_old_session, time_never_goes_back,
                two_first_calls_at_once_make_one_session, sessions_of_a_visitor_are_counted_once,
                a_session_bears_four_names_at_most, look_sees_without_recording,
                peeking_foresees_and_changes_nothing, peeking_foresees_what_only_claims_remember,
                a_name_that_was_pushed_out_does_not_count_again,
                crm_applies_under_the_present_identity, agents_are_missing_after_their_time,
                sessions_of_different_sites_never_meet, a_shadow_rule_counts_once_a_session,
                shadow_rules_are_bounded, erasing_forgets_a_visitor_but_not_the_cap;
            consent:
                the_last_word_lasts_as_long_as_the_session, a_no_lasts_until_a_pause_or_a_yes,
                of_a_denied_session_nothing_is_kept, a_denial_gives_no_second_prompt,
                pauses_and_holdouts_hold_across_a_denial, opting_out_while_denied_keeps_both_words,
                only_events_that_were_prompted_for_outlive_a_denial,
                where_room_is_short_a_no_is_kept_longest, a_call_under_way_does_not_undo_a_denial;
            repeats:
                a_repeat_gets_the_same_answer_and_records_nothing, the_last_eight_are_remembered,
                a_repeat_in_flight_waits_for_the_answer,
                a_repeat_in_flight_gets_the_prompt_that_was_claimed,
                a_call_that_is_cut_off_lets_its_repeats_go, a_claimed_event_is_never_recorded_twice,
                events_of_the_session_before_are_no_repeats, repeats_from_all_sides_record_once;
            caps:
                sixty_four_claims_at_once_grant_one, tabs_of_one_visitor_race_for_one_prompt,
                names_in_any_order_never_lock_each_other_out,
                per_session_counts_and_zero_is_never, cooldown_binds_other_sessions_to_the_millisecond,
                cooldown_outlives_a_restart_in_place, between_binds_the_same_session_to_the_millisecond,
                dismissals_and_acceptances_bind_every_session, a_rule_repeats_per_visitor_else_session,
                limits_are_sliding_windows_to_the_millisecond, limits_hold_under_sixteen_threads,
                a_holdout_is_silent_but_spends_cap_and_cooldown, a_refused_claim_leaves_no_trace,
                a_claim_respects_every_name, popups_of_other_tools_take_the_cap, opting_out_and_in,
                opting_out_of_a_session_that_is_over_binds_the_next, a_forgotten_session_keeps_its_cap;
            outcomes:
                each_stage_counts_once, conversions_count_once_for_each_order,
                only_answers_of_the_session_count_and_not_for_ever,
                outcomes_neither_begin_nor_keep_alive, of_a_holdout_only_conversions_count;
            rooms:
                a_flood_of_ids_stays_within_bounds, a_flood_from_all_sides_stays_within_bounds,
                the_expired_go_first_then_the_least_active,
                a_sweep_drops_what_is_over, claims_outlive_evicted_sessions,
                holdouts_and_other_tools_popups_outlive_evicted_sessions,
                an_evicted_session_begins_anew_after_its_timeout, full_of_promises_it_offers_none,
                visitors_who_are_protected_are_not_forgotten,
                a_session_evicted_in_flight_lets_its_repeats_go;
            model: random_calls_agree_with_the_model;
        }
    };
}

fn memory(room: Room) -> MemoryStore {
    let ample = MemoryConfig { max_sessions: 100_000, ..MemoryConfig::default() };
    MemoryStore::new(match room {
        Room::Ample => ample,
        Room::Of { sessions, claims, visitors } => MemoryConfig {
            max_sessions: sessions,
            max_claims: claims,
            max_visitors: visitors,
            ..ample
        },
    })
}

/// The same store, all of whose sessions rest before every call.
fn resting(room: Room) -> Through {
    let (sessions, claims, visitors) = match room {
        Room::Ample => (4_000, 4_000, 4_000),
        Room::Of { sessions, claims, visitors } => (sessions, claims, visitors),
    };
    Through::rest(MemoryStore::new(MemoryConfig {
        max_sessions: sessions,
        max_claims: claims,
        max_visitors: visitors,
        rest_after: Millis::ZERO,
        ..MemoryConfig::default()
    }))
}

whole_suite!(crate::memory);

mod laid_to_rest {
    whole_suite!(crate::resting);
}
