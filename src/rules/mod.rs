//! Rule files: text → a rule set, or every diagnostic at once.
//!
//! [`compile::load`] is the way in. Must not: read files or clocks, or decide anything about a
//! visit.

pub mod changes;
pub mod compile;
pub mod condition;
pub mod context;
pub mod diagnostic;
pub mod fields;
pub mod holidays;
pub mod hours;
pub mod kinds;
pub mod known;
pub mod language;
pub mod lint;
pub mod message;
pub mod model;
pub mod outlook;
pub mod raw;
pub mod sample;
pub mod values;
