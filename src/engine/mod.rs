//! A rule set, facts and a moment → a verdict, what to wait for, and the trace of it all.
//!
//! Everything is in the arguments. Must not: read a clock, look anything up, or change anything.

pub mod bucket;
pub mod checks;
pub mod decide;
pub mod evaluate;
pub mod examples;
pub mod gate;
pub mod near;
pub mod recheck;
pub mod render;
pub mod trace;
pub mod unmet;

pub use decide::{RuleState, Stop, Unlimited, Verdict, Win, decide};
