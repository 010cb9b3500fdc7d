//! Logs of real traffic → what the rules would have done with it.
//!
//! | file | what it does |
//! | --- | --- |
//! | [`input`] | files and standard input, packed or not → lines, each with its place |
//! | [`access_log`] | a line of nginx's or Apache's log → what was asked for |
//! | [`json_lines`] | the same of JSON, by a map of fields; and Koekake's own calls |
//! | [`hit`] | what a line says, and the page view that it may be |
//! | [`sift`] | which of it were page views of people, and of which session |
//! | [`logs`] | several logs → page views by time, and what else was in them |
//! | [`stream`] | page views in the order of time, each with the moment of its session's next |
//! | [`run`] | calls of the service as a page would make them, rechecks included |
//! | [`tally`] | what is counted of each call |
//! | [`report`] | the counts as data, as a table and as a page with charts |
//!
//! The calls go the service's own way ([`crate::service::Service`]), over a store of their own, by
//! the log's clock. Memory grows with the sessions that are live at once, never with the log.
//!
//! Must not: decide anything in another way than the service does.

pub mod access_log;
pub mod hit;
pub mod input;
pub mod json_lines;
pub mod logs;
pub mod report;
pub mod run;
pub mod sift;
pub mod stream;
pub mod tally;

pub use run::{Backtest, Options};
