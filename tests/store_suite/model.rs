//! Random calls, claims and pauses, against the simplest reading of the contract.

use std::collections::HashMap;

use koekake::domain::caps::{Caps, Claim, Claimed, Refusal, Repeat, Stage};
use koekake::domain::time::Millis;
use koekake::store::{Observed, Store};
use proptest::prelude::*;

use super::{Look, Room, TIMEOUT, block, call, claim, deny, limits, report};

const SESSIONS: [&str; 3] = ["s", "t", "u"];
const VISITORS: [&str; 2] = ["v", "w"];
const EVENTS: [&str; 12] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"];
const CAPS: Caps = Caps {
    per_session: 2,
    cooldown: Millis(1_500),
    between: Millis(400),
    after_dismissal: Millis(900),
    after_acceptance: Millis(700),
};
const REPEAT: Millis = Millis(1_200);
const LIMIT: (i64, u32) = (2_000, 3);

#[derive(Debug, Clone)]
enum Step {
    Wait(i64),
    Call { session: usize, visitor: Option<usize>, event: Option<usize> },
    Claim { session: usize, rule: bool, is_prompt: bool },
    Word { session: usize, is_dismissal: bool },
    Deny { session: usize },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let session = 0..SESSIONS.len();
    let step = prop_oneof![
        3 => prop_oneof![0_i64..300, Just(TIMEOUT), Just(TIMEOUT - 1)].prop_map(Step::Wait),
        4 => (session.clone(), prop::option::of(0..VISITORS.len()), prop::option::of(0..EVENTS.len()))
            .prop_map(|(session, visitor, event)| Step::Call { session, visitor, event }),
        4 => (session.clone(), any::<bool>(), prop::bool::weighted(0.9))
            .prop_map(|(session, rule, is_prompt)| Step::Claim { session, rule, is_prompt }),
        1 => (session.clone(), any::<bool>())
            .prop_map(|(session, is_dismissal)| Step::Word { session, is_dismissal }),
        1 => session.prop_map(|session| Step::Deny { session }),
    ];
    prop::collection::vec(step, 1..80)
}

/// An offer as it is remembered, for ever, of everybody.
#[derive(Debug, Clone)]
struct Made {
    decision: u128,
    session: usize,
    run: usize,
    visitors: Vec<usize>,
    rule: bool,
    is_prompt: bool,
    at: i64,
}

#[derive(Debug, Default)]
struct Run {
    number: usize,
    /// The first whose offers are its own: of those before it, all that ended by a denial.
    first: usize,
    is_denied: bool,
    last_active: i64,
    page_views: u32,
    visitors: Vec<usize>,
    events: Vec<usize>,
    words: Vec<(bool, i64)>,
}

#[derive(Debug, Default)]
struct Model {
    now: i64,
    runs: HashMap<usize, Run>,
    offers: Vec<Made>,
    /// Whose word, whether a dismissal, and when.
    words: Vec<(usize, bool, i64)>,
    told: Vec<(u128, bool)>,
    sessions: HashMap<usize, u32>,
    /// The run of each session that was offered something last, and its visitors.
    claimed: HashMap<usize, (usize, Vec<usize>)>,
}

impl Model {
    fn refusal(&self, session: usize, rule: bool, is_prompt: bool) -> Option<Refusal> {
        let run = &self.runs[&session];
        let now = self.now;
        let here = |o: &&Made| o.session == session && o.run >= run.first;
        let own: Vec<&Made> = self.offers.iter().filter(here).collect();
        let theirs: Vec<&Made> = self
            .offers
            .iter()
            .filter(|o| o.visitors.iter().any(|v| run.visitors.contains(v)))
            .collect();
        let pause = |is_dismissal: bool| {
            if is_dismissal { CAPS.after_dismissal.0 } else { CAPS.after_acceptance.0 }
        };
        let held_back = |is_dismissal: bool, at: i64| now < at + pause(is_dismissal);
        if own.iter().any(|o| !o.is_prompt) {
            return Some(Refusal::HeldOut);
        }
        if own.len() >= CAPS.per_session as usize {
            return Some(Refusal::SessionCap);
        }
        if own.iter().any(|o| now < o.at + CAPS.between.0)
            || theirs.iter().any(|o| !here(o) && now < o.at + CAPS.cooldown.0)
            || run.words.iter().any(|(kind, at)| held_back(*kind, *at))
            || self
                .words
                .iter()
                .any(|(who, kind, at)| run.visitors.contains(who) && held_back(*kind, *at))
        {
            return Some(Refusal::Cooldown);
        }
        let of_rule = |o: &&&Made| o.rule == rule && now < o.at + REPEAT.0;
        if own.iter().chain(&theirs).any(|o| of_rule(&o)) {
            return Some(Refusal::Repeat);
        }
        let in_window = |o: &&Made| o.rule == rule && o.is_prompt && o.at > now - LIMIT.0;
        if is_prompt && self.offers.iter().filter(in_window).count() >= LIMIT.1 as usize {
            return Some(Refusal::RuleLimit);
        }
        None
    }

    /// Whether the call is recorded, and whether it begins a session.
    fn call(
        &mut self,
        session: usize,
        visitor: Option<usize>,
        event: Option<usize>,
    ) -> (bool, bool) {
        let now = self.now;
        let run = self.runs.get(&session);
        let is_new = run.is_none_or(|run| now - run.last_active >= TIMEOUT);
        if is_new {
            let number = run.map_or(0, |run| run.number + 1);
            self.runs.insert(session, Run { number, first: number, ..Run::default() });
        }
        let Some(run) = self.runs.get_mut(&session) else { return (false, false) };
        let is_new = is_new || std::mem::take(&mut run.is_denied);
        if let Some(event) = event {
            if run.events.iter().rev().take(8).any(|known| *known == event) {
                return (false, false);
            }
            run.events.push(event);
        }
        run.last_active = now;
        run.page_views += 1;
        if let Some(visitor) = visitor.filter(|visitor| !run.visitors.contains(visitor)) {
            run.visitors.push(visitor);
            *self.sessions.entry(visitor).or_default() += 1;
        }
        if let Some((number, visitors)) = self.claimed.get_mut(&session)
            && *number == run.number
        {
            visitors.clone_from(&run.visitors);
        }
        (true, is_new)
    }

    fn deny(&mut self, session: usize) {
        let now = self.now;
        let mut denied = Run { is_denied: true, last_active: now, ..Run::default() };
        if let Some(run) = self.runs.remove(&session) {
            denied.number = run.number + 1;
            denied.first = denied.number;
            if now - run.last_active < TIMEOUT {
                denied.first = run.first;
                denied.words = run.words;
            }
        }
        if let Some((number, visitors)) = self.claimed.get_mut(&session) {
            if *number >= denied.first {
                *number = denied.number;
            }
            visitors.clear();
        }
        self.runs.insert(session, denied);
    }
}

fn agree(store: &impl Store, steps: &[Step]) {
    let mut model = Model { now: 10_000, ..Model::default() };
    let mut looks: HashMap<usize, Look> = HashMap::new();
    for (number, step) in steps.iter().enumerate() {
        match *step {
            Step::Wait(pause) => model.now += pause,
            Step::Call { session, visitor, event } => {
                let names: Vec<&str> = visitor.iter().map(|visitor| VISITORS[*visitor]).collect();
                let mut call = call(SESSIONS[session], model.now).by(&names).granting();
                call.event = event.map(|event| EVENTS[event]);
                let (is_recorded, is_new) = model.call(session, visitor, event);
                match block(call.result(store)).unwrap() {
                    Observed::Fresh { value, is_new_session, .. } => {
                        assert_eq!((true, is_new_session), (is_recorded, is_new), "step {number}");
                        let run = &model.runs[&session];
                        assert_eq!(value.session.page_views, run.page_views, "step {number}");
                        let sessions = run.visitors.iter().map(|v| model.sessions[v]).max();
                        assert_eq!(value.history.sessions, sessions.unwrap_or(1), "step {number}");
                        looks.insert(session, value);
                    }
                    _ => assert!(!is_recorded, "step {number}"),
                }
            }
            Step::Claim { session, rule, is_prompt } => {
                let Some(look) = looks.get(&session) else { continue };
                let offer = Claim {
                    caps: CAPS,
                    rule: if rule { "a".into() } else { "b".into() },
                    is_prompt,
                    repeat: Repeat::Every(REPEAT),
                    rule_limits: limits(&[LIMIT]),
                    answer: super::answer(number as u128),
                    ..claim(SESSIONS[session], look, model.now)
                };
                let run = &model.runs[&session];
                let expected = if run.is_denied || model.now - run.last_active >= TIMEOUT {
                    Some(Refusal::SessionOver)
                } else {
                    model.refusal(session, rule, is_prompt)
                };
                let got = match block(store.claim(&offer)).unwrap() {
                    Claimed::Granted => None,
                    Claimed::Refused(why) => Some(why),
                };
                assert_eq!(got, expected, "step {number}");
                if got.is_none() {
                    model.claimed.insert(session, (run.number, run.visitors.clone()));
                    model.offers.push(Made {
                        decision: number as u128,
                        session,
                        run: run.number,
                        visitors: run.visitors.clone(),
                        rule,
                        is_prompt,
                        at: model.now,
                    });
                }
            }
            Step::Deny { session } => {
                model.now += 1;
                model.deny(session);
                deny(store, SESSIONS[session], model.now);
            }
            Step::Word { session, is_dismissal } => {
                let newest =
                    model.offers.iter().rev().find(|o| o.session == session && o.is_prompt);
                let counts = newest.filter(|o| {
                    model.now - o.at <= 10_000 && !model.told.contains(&(o.decision, is_dismissal))
                });
                let stage = if is_dismissal { Stage::Dismissed } else { Stage::Accepted };
                let got = report(store, SESSIONS[session], None, stage, model.now);
                assert_eq!(got.map(|c| c.decision.0), counts.map(|o| o.decision), "step {number}");
                if let Some(decision) = counts.map(|o| o.decision) {
                    model.told.push((decision, is_dismissal));
                    let now = model.now;
                    if let Some(run) = model.runs.get_mut(&session) {
                        run.words.push((is_dismissal, now));
                        let of_offer = model.claimed.get(&session).map(|(_, visitors)| visitors);
                        let who = run.visitors.iter().chain(of_offer.into_iter().flatten());
                        model.words.extend(who.map(|v| (*v, is_dismissal, now)));
                    }
                }
            }
        }
    }
}

pub fn random_calls_agree_with_the_model<S: Store>(make: impl Fn(Room) -> S) {
    let mut runner = proptest::test_runner::TestRunner::new(ProptestConfig {
        cases: 500,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let result = runner.run(&steps(), |steps| {
        agree(&make(Room::Ample), &steps);
        Ok(())
    });
    if let Err(error) = result {
        panic!("{error}");
    }
}
