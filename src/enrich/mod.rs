//! What a request tells of where it came from: address → client → place; user agent → device.
//!
//! Must not: know rules, stores or HTTP types, or keep an address or a user agent.

pub mod bots;
mod cache;
pub mod client_ip;
pub mod device;
pub mod geoip;
mod mmdb;
