//! The service's outside: wire formats, routes, errors as statuses, and who may call what.
//!
//! | file | what it does |
//! | --- | --- |
//! | [`wire`] | JSON in and out, apart from the domain; knows no web framework |
//! | [`security`] | origins, tokens, identity tokens, rate limits |
//! | [`body`] | reads a request's body within its limits |
//! | [`reply`] | answers and problems as HTTP responses; what a route answers when it cannot |
//! | [`state`] | what all routes share |
//! | [`snapshot`] | rules and places as they are at one moment, and what became of reading them |
//! | [`reload`] | the way to whoever reads them anew |
//! | [`caller`] | what a request tells of its visitor besides its body |
//! | [`decide`], [`events`] | the two public routes |
//! | [`explain`] | why a call is answered as it is |
//! | [`admin`] | what operators and the sites' servers do |
//! | [`operator`] | `/healthz`, `/readyz`, `/metrics` |
//! | [`openapi`] | `/openapi.json`, out of the wire types |
//!
//! Must not: judge rules, or keep anything about visitors.

pub mod admin;
pub mod body;
pub mod caller;
pub mod decide;
pub mod events;
pub mod explain;
pub mod openapi;
pub mod operator;
pub mod reload;
pub mod reply;
pub mod security;
pub mod snapshot;
pub mod state;
pub mod wire;
