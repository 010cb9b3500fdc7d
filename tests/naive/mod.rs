//! The contract read a second time, slowly and plainly: what the real engine is held against.
//!
//! Must not: share anything with `src/rules` or `src/engine`.

#![allow(dead_code, unused_imports, reason = "each test binary uses its own part of this module")]

pub mod caps;
pub mod eval;
pub mod generate;
pub mod hours;
pub mod service;
pub mod urls;
pub mod values;
pub mod verdict;
pub mod waits;
pub mod yaml;
