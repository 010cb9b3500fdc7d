//! The kinds of values that settings have, and how each reads from text.
//!
//! Must not: know which setting or source a text comes from. An error says what is wanted.

use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;

/// How many requests one address may make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RateLimit {
    /// So many a second in the long run.
    pub per_second: NonZeroU32,
    /// So many at once after a pause.
    pub burst: NonZeroU32,
}

/// Where the place database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Geoip {
    /// Nothing was set: what is in that folder, if anything.
    Default(PathBuf),
    /// A file, or a folder with one; it must be there.
    At(PathBuf),
    /// None is wanted.
    Off,
}

/// Where sessions live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreKind {
    /// In this process.
    Memory,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let numeric = match text.strip_prefix("localhost:") {
        Some(port) => format!("127.0.0.1:{port}"),
        None => text.to_owned(),
    };
    numeric
        .parse()
        .map_err(|_| "an IP address with a port, such as 127.0.0.1:8080 or [::1]:8080".to_owned())
}

/// Whether only this machine can reach it. `::ffff:127.0.0.1` counts; `0.0.0.0` and `::` do not.
#[must_use]
pub fn is_loopback(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}

pub(super) fn networks(text: &str) -> Result<Vec<IpNet>, String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    parts
        .map(|part| {
            let network = part.parse::<IpNet>().map(|network| network.trunc());
            network
                .or_else(|_| part.parse::<IpAddr>().map(IpNet::from))
                .map_err(|_| format!("addresses and networks such as 10.0.0.0/8, not `{part}`"))
        })
        .collect()
}

pub(super) fn switch(text: &str) -> Result<bool, String> {
    match text {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err("`true` or `false`".to_owned()),
    }
}

pub(super) fn rate_limit(text: &str) -> Result<Option<RateLimit>, String> {
    let wanted =
        || "requests a second such as `50`, `50,burst=100`, or `off`; both at least 1".to_owned();
    if text == "off" {
        return Ok(None);
    }
    let (rate, burst) = match text.split_once(',') {
        Some((rate, rest)) => (rate, Some(rest.trim().strip_prefix("burst=").ok_or_else(wanted)?)),
        None => (text, None),
    };
    let number = |digits: &str| digits.trim().parse::<NonZeroU32>().map_err(|_| wanted());
    let per_second = number(rate)?;
    let burst = match burst {
        Some(burst) => number(burst)?,
        None => per_second.saturating_mul(const { NonZeroU32::MIN.saturating_add(1) }),
    };
    Ok(Some(RateLimit { per_second, burst }))
}

pub(super) fn store(text: &str) -> Result<StoreKind, String> {
    match text {
        "memory" => Ok(StoreKind::Memory),
        _ => Err("`memory`".to_owned()),
    }
}

pub(super) fn log_format(text: &str) -> Result<LogFormat, String> {
    match text {
        "text" => Ok(LogFormat::Text),
        "json" => Ok(LogFormat::Json),
        _ => Err("`text` or `json`".to_owned()),
    }
}

/// A filter as `tracing` takes it, narrowed to what cannot be mistyped into silence: there, a
/// lone unknown word is the name of a part and not a level.
pub(super) fn log_level(text: &str) -> Result<String, String> {
    const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];
    let is_part = |name: &str| {
        !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "_:".contains(c))
    };
    let is_directive = |directive: &str| match directive.split_once('=') {
        Some((part, level)) => is_part(part) && LEVELS.contains(&level),
        None => LEVELS.contains(&directive),
    };
    let lower = text.to_lowercase();
    if lower.split(',').all(is_directive) {
        return Ok(lower);
    }
    let levels = LEVELS.join(", ");
    Err(format!("one of {levels}, also for one part: `info,koekake::store=debug`"))
}

pub(super) fn count(text: &str) -> Result<NonZeroUsize, String> {
    let digits = text.replace('_', "");
    digits.parse().map_err(|_| "a whole number from 1".to_owned())
}

/// Threads: beyond a thousand somebody mistyped.
pub(super) fn workers(text: &str) -> Result<NonZeroUsize, String> {
    count(text).ok().filter(|n| n.get() <= 1_024).ok_or("a whole number from 1 to 1024".to_owned())
}

/// A short time: to wait, or to be late.
pub(super) fn wait(text: &str) -> Result<Duration, String> {
    time(text)
        .filter(|length| *length <= Duration::from_secs(3_600))
        .ok_or_else(|| "a time such as `20s` or `2m`, at most an hour".to_owned())
}

/// A time to keep something.
pub(super) fn retention(text: &str) -> Result<Duration, String> {
    const DAY: Duration = Duration::from_secs(86_400);
    time(text).filter(|length| (DAY..=DAY * 3_660).contains(length)).ok_or_else(|| {
        "a time such as `400d` or `36h`, at least a day and at most 3660d".to_owned()
    })
}

fn time(text: &str) -> Option<Duration> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: u64 = digits.parse().ok()?;
    let millis = match text.strip_prefix(digits)? {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    Some(Duration::from_millis(number.checked_mul(millis)?))
}
