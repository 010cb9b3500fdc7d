//! Who may call what: origins, tokens, identity tokens, and how often.
//!
//! Must not: read files or settings; secrets are handed in and never come out again.

pub mod identity;
pub mod origins;
pub mod rate_limit;
pub mod tokens;
