//! Bodies as they travel: JSON text → checked values of the domain, and answers → JSON text.
//!
//! A body is read in two steps. Shapes come first (`serde`, borrowing from the body); only when
//! that fails is the body read again to find where. Then everything that a shape cannot say is
//! checked, and all that is wrong is reported at once.
//!
//! Must not: know the web framework, look anything up, or read a clock.

pub mod agents;
pub mod answer;
pub mod attributes;
pub mod decide;
pub mod event_kinds;
pub mod events;
pub mod fields;
pub mod json;
pub mod page;
pub mod problem;
pub mod rules;
pub mod visitors;
