//! The engine's answer is the naive reading's, on generated rules and visits, and its rechecks
//! keep their promises.
//!
//! Must not: know how the engine works. Only `engine` below speaks to it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::pedantic,
    missing_docs,
    reason = "a test may fail by panicking, and need not be polished"
)]

mod naive;

use std::cell::Cell;
use std::collections::BTreeMap;

use engine::Engine;
use koekake::domain::decision::Reason;
use koekake::domain::time::Millis;
use naive::eval::{self, Decision, World};
use naive::generate::{self, Case};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngSeed, TestRunner};

/// The real engine in the tests own words.
mod engine {
    use koekake::domain::decision::{Reason, Recheck};
    use koekake::engine::bucket::{Purpose, bucket as place};
    use koekake::engine::trace::RuleTrace;
    use koekake::engine::{self, RuleState, Stop, Win};
    use koekake::rules::compile::load;
    use koekake::rules::diagnostic::{Severity, Source};
    use koekake::rules::model::{Rule, RuleSet};

    use super::naive::eval::Decision;
    use super::naive::generate::{Case, SITE};
    use super::naive::verdict::Verdict;
    use super::naive::waits::Answer;

    /// A rule set, compiled.
    pub struct Engine(pub RuleSet);

    /// Rules over their limits, by id.
    struct Stopped<'a>(&'a [String]);

    impl RuleState for Stopped<'_> {
        fn is_site_limit_reached(&self) -> bool {
            false
        }
        fn is_limit_reached(&self, rule: &Rule) -> bool {
            self.0.iter().any(|id| **id == *rule.id)
        }
    }

    impl Engine {
        /// Compiles the case's files; every finding in words if they do not load.
        pub fn load(case: &Case) -> Result<Self, String> {
            let source = |name: &str, text: &str| Source { name: name.into(), text: text.into() };
            let mut files = vec![source("site.yaml", &case.site_yaml)];
            files.extend(case.files.iter().map(|(name, text)| source(name, text)));
            let loaded = load(SITE, files);
            let errors = loaded.findings.iter().filter(|f| f.severity == Severity::Error);
            let errors = errors.map(ToString::to_string).collect::<Vec<_>>().join("\n");
            loaded.set.map(Self).ok_or(errors)
        }

        /// What it decides and waits for, with `case.stopped` over their limits.
        pub fn ask(&self, case: &Case) -> Answer {
            let (verdict, recheck) = self.decide(case, &[]);
            Answer { decision: verdict.decision, recheck }
        }

        /// All that it decides; `refused` are rules whose claim was refused.
        pub fn decide(&self, case: &Case, refused: &[&str]) -> (Verdict, Option<Recheck>) {
            let Self(set) = self;
            let id = |index: usize| set.rules[index].id.to_string();
            let indices = 0..set.rules.len();
            let refused: Vec<_> = indices.filter(|at| refused.contains(&&*id(*at))).collect();
            let verdict = engine::decide(set, &case.facts(), &Stopped(&case.stopped), &refused);
            let stop = |(index, stop): &(usize, Stop)| (id(*index), stop.by(set).to_owned());
            let plain = Verdict {
                reason: verdict.reason,
                decision: verdict.win.map(|win| self.decision(win)),
                shadows: verdict.shadows.into_iter().map(id).collect(),
                stops: verdict.stops.iter().map(stop).collect(),
            };
            (plain, verdict.recheck)
        }

        /// The trace's word on the same, and what it says of each rule.
        pub fn trace(&self, case: &Case) -> (Reason, Option<Decision>, Vec<RuleTrace>) {
            let trace = engine::trace::trace(&self.0, &case.facts(), &Stopped(&case.stopped));
            (trace.reason, trace.win.map(|win| self.decision(win)), trace.rules)
        }

        fn decision(&self, win: Win) -> Decision {
            let rule = &self.0.rules[win.rule];
            let variant = &rule.variants[win.variant];
            Decision {
                rule: rule.id.to_string(),
                is_held_out: win.is_held_out,
                variant: (rule.variants.len() > 1).then(|| variant.id.to_string()),
            }
        }
    }

    /// The engine's own place in [0, 1).
    pub fn bucket(site: &str, rule: &str, purpose: &str, key: &str) -> f64 {
        let purposes = [Purpose::Rollout, Purpose::Holdout, Purpose::Variant];
        let purpose = purposes.into_iter().find(|known| known.as_str() == purpose);
        place(site, rule, purpose.expect("a purpose"), key)
    }
}

/// The same cases every time; `KOEKAKE_SEED` asks for others, `KOEKAKE_CASES` for more, and the
/// long run of `./test --long` for twenty times as many.
fn cases(count: u32) -> Config {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse::<u64>().ok());
    Config {
        cases: number("KOEKAKE_CASES")
            .and_then(|n| u32::try_from(n).ok())
            .unwrap_or(if std::env::var_os("KOEKAKE_LONG").is_some() { count * 20 } else { count }),
        rng_seed: RngSeed::Fixed(number("KOEKAKE_SEED").unwrap_or(2)),
        failure_persistence: None,
        max_shrink_iters: 3_000,
        ..Config::default()
    }
}

/// The first rule by priority whose every condition holds: invariant 2.
#[test]
fn engine_decides_as_the_naive_reading() {
    TestRunner::new(cases(10_000))
        .run(&generate::case(), |case| {
            let engine = Engine::load(&case).map_err(TestCaseError::fail)?;
            let (site, facts) = (case.site(), case.facts());
            let stops = with_world(&case, |world| naive::verdict::stops(&site, &facts, world));
            let wanted = |stops: &[Option<String>]| {
                with_world(&case, |world| {
                    naive::verdict::read(&site, &facts, case.mark, world, stops)
                })
            };
            let (mut verdict, recheck) = engine.decide(&case, &[]);
            let (reason, decision, rules) = engine.trace(&case);
            prop_assert_eq!(reason, verdict.reason, "the trace's reason");
            prop_assert_eq!(&decision, &verdict.decision, "the trace's win");
            match verdict.reason {
                Reason::NotYet => prop_assert!(recheck.is_some(), "`not_yet` names a wait"),
                Reason::Cooldown => {}
                reason => prop_assert_eq!(recheck, None, "{:?} waits for nothing", reason),
            }
            if verdict.reason == Reason::NotYet {
                verdict.reason = Reason::NoMatch;
            }
            prop_assert_eq!(&verdict, &wanted(&stops));
            prop_assert_eq!(&verdict.decision, &naive_decision(&case));
            // Also the rules that were not asked: what stops each, and which conditions hold.
            prop_assert_eq!(site.rules().len(), rules.len());
            for ((rule, traced), stop) in site.rules().iter().zip(&rules).zip(&stops) {
                prop_assert_eq!(rule.id, &*traced.rule, "the order of rules");
                prop_assert_eq!(stop, &traced.stopped_by, "what stops {}", rule.id);
                let holds = (traced.site.holds(), traced.when.holds());
                let wanted = eval::conditions(&site, rule, &facts);
                prop_assert_eq!(wanted, holds, "the conditions of {}", rule.id);
            }
            // A claim that was refused gives the next rule its turn, as if that one were full.
            if let Some(Decision { rule: refused, .. }) = &verdict.decision {
                let mut full = stops;
                for (rule, stop) in site.rules().iter().zip(&mut full) {
                    if rule.id == refused {
                        *stop = Some("limit".to_owned());
                    }
                }
                let (next, _) = engine.decide(&case, &[refused]);
                prop_assert_eq!(next.decision, wanted(&full).decision, "after a refusal");
            }
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

/// Asking as told shows or names another wait, asking earlier changes nothing, nothing is missed.
#[test]
fn rechecks_keep_their_promises() {
    let (waits, pauses) = (Cell::new(0u32), Cell::new(0u32));
    let config = cases(4_000);
    let count = config.cases;
    TestRunner::new(config)
        .run(&generate::waiting_case(), |case| {
            let engine = Engine::load(&case).map_err(TestCaseError::fail)?;
            let (verdict, recheck) = engine.decide(&case, &[]);
            if recheck.is_some() {
                waits.update(|n| n + 1);
                pauses.update(|n| n + u32::from(verdict.reason == Reason::Cooldown));
            }
            let ask = |case: &Case| engine.ask(case);
            naive::waits::check(&case, &ask, &naive_decision).map_err(TestCaseError::fail)
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
    let (waits, pauses) = (waits.get(), pauses.get());
    println!("{waits} of {count} wait, {pauses} of them for a pause to end");
    assert!(waits > count / 5 && pauses > count / 200, "{waits} {pauses}");
}

fn with_world<T>(case: &Case, ask: impl FnOnce(World<'_>) -> T) -> T {
    let key = eval::bucket_key(&case.facts());
    let is_stopped = |rule: &str| case.stopped.iter().any(|stopped| stopped == rule);
    ask(World { bucket: &engine::bucket, key: &key, is_stopped: &is_stopped })
}

fn naive_decision(case: &Case) -> Option<Decision> {
    with_world(case, |world| naive::verdict::decide(&case.site(), &case.facts(), case.mark, world))
}

/// The cases say something: rules are true now and then, and the whole language turns up.
#[test]
fn generated_cases_are_worth_comparing() {
    let mut runner = TestRunner::new(cases(1));
    let strategy = generate::case();
    let (mut rules, mut truths, mut decisions) = (0usize, 0usize, 0usize);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    const CASES: usize = 3_000;
    for _ in 0..CASES {
        let case = strategy.new_tree(&mut runner).expect("a case").current();
        let site = case.site();
        rules += site.rules().len();
        truths += eval::true_rules(&site, &case.facts()).len();
        decisions += usize::from(naive_decision(&case).is_some());
        for (_, text) in &case.files {
            for line in text.lines() {
                *seen.entry(line.trim().to_owned()).or_default() += 1;
            }
        }
    }
    let share = truths as f64 / rules as f64;
    println!("{rules} rules, {:.1} % true, {decisions} of {CASES} cases decided", share * 100.0);
    assert!((0.1..0.6).contains(&share), "{share}");
    assert!((CASES / 8..CASES * 9 / 10).contains(&decisions), "{decisions}");
    let text = seen.keys().cloned().collect::<Vec<_>>().join("\n");
    for (field, conditions) in generate::LEAVES.iter() {
        assert!(text.contains(&format!("{field}:")), "{field} never appears");
        let seen = conditions.iter().filter(|condition| text.contains(&**condition)).count();
        assert!(seen * 2 >= conditions.len(), "of {field}'s conditions only {seen} appear");
    }
    for operator in [
        "is",
        "is_not",
        "in",
        "not_in",
        "contains",
        "not_contains",
        "starts_with",
        "ends_with",
        "under",
        "matches",
        "regex",
        "at_least",
        "at_most",
        "more_than",
        "less_than",
        "between",
        "exists",
        "in_order",
        "count",
        "during",
        "any",
        "all",
        "not",
    ] {
        assert!(text.contains(&format!("{operator}: ")), "{operator} never appears");
    }
}

/// The naive reading itself, where the contract says it in so many words.
#[test]
fn naive_reading_says_what_the_contract_says() {
    let mut runner = TestRunner::new(cases(1));
    let mut case = generate::case().new_tree(&mut runner).expect("a case").current();
    case.site_yaml = "origins: [\"https://shop.example\", \"http://localhost:*\"]".to_owned();
    case.page.referrer = None;
    case.session.events.clear();
    for (url, condition, wanted) in [
        ("https://shop.example/pricing?a=1#b", "page.url: /pricing", true),
        ("https://shop.example/pricing", "page.url: /pricing?a=1", false),
        ("https://shop.example/pricing?a=1#b", "page.url: https://shop.example/pricing", true),
        ("https://shop.example.evil/", "page.url: { starts_with: https://shop.example }", false),
        ("https://shop.example.evil/pricing", "page.url: { under: /pricing }", false),
        ("http://localhost:3000/pricing/plans", "page.url: { under: /pricing }", true),
        ("https://shop.example/pricing-old", "page.url: { under: /pricing }", false),
        ("https://shop.example/pricing-old", "page.path: { starts_with: /pricing }", true),
        ("https://shop.example/Pricing", "page.path: /pricing", false),
        ("https://shop.example/%e3%82%ab", "page.path: /カ", true),
        ("https://shop.example/docs/a?b=1", "page.url: { matches: \"/docs/:page\" }", true),
        ("https://shop.example/docs/a/b", "page.url: { matches: \"/docs/:page\" }", false),
        ("https://shop.example/?plan=PRO", "page.query.plan: pro", true),
        ("https://shop.example/?plan=404", "page.query.plan: 404", true),
        ("https://shop.example/?plan=", "page.query.plan: { exists: false }", true),
        ("https://shop.example/", "page.referrer: /pricing", false),
        ("https://shop.example/", "page.referrer: { is_not: /pricing }", true),
        ("https://shop.example/", "page.referrer: { not_contains: x }", true),
        ("https://shop.example/", "not: { page.referrer: { is: /pricing } }", true),
        ("https://shop.example/", "session.events.form_error: { at_most: 0 }", true),
    ] {
        case.page.url = koekake::domain::page_url::PageUrl::parse(url).expect("a URL");
        let rules = format!("rules: [ {{ id: r0, when: [ {{ {condition} }} ] }} ]");
        case.files = vec![("a.yaml".to_owned(), rules)];
        let is_true = !eval::true_rules(&case.site(), &case.facts()).is_empty();
        assert_eq!(is_true, wanted, "{url}: {condition}");
    }
}

/// A recheck found by trying everything passes its checks, and one that is spoilt does not.
#[test]
fn checks_of_rechecks_tell_right_from_wrong() {
    type Spoil = fn(&mut koekake::domain::decision::Recheck);
    let spoils: [(&str, Spoil); 4] = [
        ("right", |_| ()),
        ("no time", |recheck| recheck.after = None),
        ("late", |recheck| recheck.after = recheck.after.map(|after| Millis(after.0 + 1))),
        ("no events", |recheck| recheck.on.clear()),
    ];
    let mut runner = TestRunner::new(cases(1));
    let strategy = generate::waiting_case();
    let mut failures = [0usize; 4];
    let (mut times, mut events, mut decided) = (0, 0, 0);
    for _ in 0..150 {
        let case = strategy.new_tree(&mut runner).expect("a case").current();
        let right = naive::waits::brute(&case, &naive_decision);
        decided += usize::from(right.decision.is_some());
        times += usize::from(right.recheck.as_ref().is_some_and(|r| r.after.is_some()));
        events += usize::from(right.recheck.as_ref().is_some_and(|r| !r.on.is_empty()));
        for (at, (_, spoil)) in spoils.iter().enumerate() {
            let ask = |asked: &Case| {
                let mut answer = if asked.now == case.now && asked.visit.event == case.visit.event {
                    right.clone()
                } else {
                    naive::waits::brute(asked, &naive_decision)
                };
                if asked.now == case.now
                    && let Some(recheck) = &mut answer.recheck
                {
                    spoil(recheck);
                }
                answer
            };
            if let Err(why) = naive::waits::check(&case, &ask, &naive_decision) {
                failures[at] += 1;
                assert!(at > 0, "{why}\n{case:?}");
            }
        }
    }
    println!(
        "{decided} decided, {times} wait for a time, {events} for an event; {failures:?} of 150 found wrong"
    );
    assert!(times > 8 && events > 25, "{times} {events}");
    assert!(failures[1..].iter().all(|n| *n > 5), "{failures:?}");
}
