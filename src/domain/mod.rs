//! Plain values that every other room speaks of: ids, time, URLs, visits, sessions, decisions.
//!
//! Must not: do I/O, read a clock, or know how anything is stored, sent or configured.

pub mod caps;
pub mod countries;
pub mod decision;
pub mod facts;
pub mod history;
pub mod ids;
pub mod money;
pub mod origin;
pub mod page_url;
pub mod session;
pub mod time;
pub mod visit;
