//! What tests of the running service share: starting it, speaking to it, and traffic to send.
//!
//! Must not: judge answers.

#![allow(dead_code, reason = "each test binary uses its own part of this module")]

pub mod client;
pub mod server;
pub mod traffic;
