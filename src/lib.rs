//! Koekake decides, for every page view, whether now is the moment to offer a visitor a chat.
//!
//! # The rooms
//!
//! | room | what it does |
//! | --- | --- |
//! | [`domain`] | plain values: ids, time, URLs, visits, sessions, histories, answers |
//! | [`rules`] | rule files → a [`rules::model::RuleSet`], or every diagnostic at once |
//! | [`engine`] | a rule set, facts and a moment → a verdict, its recheck and its trace |
//! | [`explain`] | the engine's trace in words: what was wanted, what was there, what would have to change |
//! | [`store`] | sessions, histories and claims behind one contract; in memory, with a data folder as its mirror |
//! | [`enrich`] | address → client → place; user agent → device |
//! | [`reload`] | rule folders on disk → the files of each site |
//! | [`config`] | file, environment and flags → settings, with where each came from |
//! | [`clock`] | the moment, given so that tests can set it |
//! | [`metrics`] | what Prometheus reads |
//! | [`service`] | the way of a request without HTTP: observe, decide, claim, answer |
//! | [`http`] | wire formats, routes, errors → status, who may call what |
//! | [`backtest`] | logs of real traffic → what the rules would have done, by the service's own way |
//! | [`app`] | wires it all: settings, clock and listeners in; a running service out |
//! | [`cli`] | one file for each verb of the command |
//!
//! # The way of a request
//!
//! ```text
//! bytes ─ http ─► Visit, Page ─ enrich (address → place, user agent → device)
//!                     │
//!                     ▼  service
//!         store.observe(session, event, now) ─► session + history
//!                     │
//!                     ▼
//!         engine.decide(rules, facts) ─► verdict            pure
//!                     │ a rule won
//!                     ▼
//!         store.claim(session, visitors, caps, now)         at most once, before the answer
//!                     │
//!                     ▼
//!         http ─► answer
//! ```
//!
//! Each room may use the ones above it in the table and never one below; those from `store` to
//! `metrics` do not use each other. `domain`, `rules`, `engine` and `explain` know no tokio,
//! no actix, no file, no environment and no `now()`. `tests/tidy.rs` holds this.
//!
//! # Invariants
//!
//! 1. A session is offered at most `caps.per_session` prompts, whatever is retried, raced or
//!    evicted, and whenever the process is killed or the power fails. Where the service cannot
//!    know, it offers none.
//! 2. The answer of the engine is the answer of the naive reading: the first eligible rule by
//!    priority whose every condition holds.
//! 3. Every command runs the same compile and the same decide.
//! 4. A request sees one rule set, whole, and one moment in time.
//! 5. No input makes the service panic, answer 5xx, or grow without bound.
//! 6. Nothing personal is kept that a rule does not need: no address, no user agent.
//! 7. A rule that is not yet true never blocks a lower one that is.
//! 8. A metric's labels are bounded by configuration, never by traffic.

#![cfg_attr(test, allow(clippy::pedantic, reason = "tests need not be polished"))]

pub mod app;
pub mod backtest;
pub mod cli;
pub mod clock;
pub mod config;
pub mod domain;
pub mod engine;
pub mod enrich;
pub mod explain;
pub mod http;
pub mod metrics;
pub mod reload;
pub mod rules;
pub mod service;
pub mod store;
