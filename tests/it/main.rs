//! The running service, as pages, servers and operators meet it: over HTTP, on a port of its own,
//! by a clock that the test sets. Every answer is held against `/openapi.json`.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::pedantic,
    clippy::needless_pass_by_value,
    clippy::float_cmp,
    missing_docs,
    reason = "a test may fail by panicking, takes its JSON by value, and counts in metrics' floats"
)]

mod client;
mod schema;
mod service;

mod bodies;
mod document;
mod explain;
mod first_run;
mod identity;
mod lifecycle;
mod limits;
mod messages;
mod pains;
mod prompts;
mod reasons;
mod reload;
mod reload_kept;
mod reload_places;
mod reload_told;
mod reload_under_load;
mod reports;
mod security;
mod sessions;
