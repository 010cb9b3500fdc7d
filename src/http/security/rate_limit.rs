//! How many requests one address may make: so many a second, with a burst (GCRA, by `governor`).
//!
//! An IPv6 address counts with its /64, for whoever has one has all of them. Loopback is not
//! exempt. Memory is bounded: beyond [`MAX_ADDRESSES`] newcomers share one allowance until
//! [`AddressLimiter::sweep`] has made room.
//!
//! Must not: find out the address; whoever knows the trusted proxies does.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use ahash::RandomState;
use dashmap::DashMap;
use governor::clock::{Clock, DefaultClock};
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::ShrinkableKeyedStateStore;
use governor::state::{InMemoryState, NotKeyed, StateStore};
use governor::{Quota, RateLimiter};

use crate::http::wire::problem::Problem;

/// The most addresses remembered, about 10 MB of them.
pub const MAX_ADDRESSES: usize = 1 << 18;
/// Locks of the map; a sweep holds one at a time.
const SHARDS: usize = 256;

/// What is counted as one caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Caller {
    V4(u32),
    V6Network(u64),
}

impl Caller {
    fn of(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self::V4(v4.to_bits()),
            IpAddr::V6(v6) => Self::V6Network((v6.to_bits() >> 64) as u64),
        }
    }
}

/// States by caller, and one for all who found no room.
struct Bounded {
    known: DashMap<Caller, InMemoryState, RandomState>,
    others: InMemoryState,
    most: usize,
}

impl StateStore for Bounded {
    type Key = Caller;

    fn measure_and_replace<T, F, E>(&self, caller: &Caller, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        if let Some(state) = self.known.get(caller) {
            return state.measure_and_replace(&NotKeyed::NonKey, f);
        }
        if self.known.len() >= self.most {
            return self.others.measure_and_replace(&NotKeyed::NonKey, f);
        }
        let state = self.known.entry(*caller).or_default().downgrade();
        state.measure_and_replace(&NotKeyed::NonKey, f)
    }
}

impl ShrinkableKeyedStateStore<Caller> for Bounded {
    fn retain_recent(&self, drop_below: Nanos) {
        self.known.retain_recent(drop_below);
    }
    fn shrink_to_fit(&self) {
        self.known.shrink_to_fit();
    }
    fn len(&self) -> usize {
        self.known.len()
    }
    fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

/// Counts requests by address.
pub struct AddressLimiter<C: Clock = DefaultClock> {
    limiter: RateLimiter<Caller, Bounded, C, NoOpMiddleware<C::Instant>>,
}

impl<C: Clock> std::fmt::Debug for AddressLimiter<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "AddressLimiter({} addresses)", self.limiter.len())
    }
}

impl AddressLimiter {
    /// So many requests a second for one address, and so many at once.
    #[must_use]
    pub fn new(per_second: NonZeroU32, burst: NonZeroU32) -> Self {
        Self::with_clock(per_second, burst, MAX_ADDRESSES, DefaultClock::default())
    }
}

impl<C: Clock> AddressLimiter<C> {
    /// The same by another clock, for at most so many addresses.
    pub fn with_clock(per_second: NonZeroU32, burst: NonZeroU32, most: usize, clock: C) -> Self {
        let quota = Quota::per_second(per_second).allow_burst(burst);
        let known = DashMap::with_hasher_and_shard_amount(RandomState::new(), SHARDS);
        let store = Bounded { known, others: InMemoryState::default(), most };
        Self { limiter: RateLimiter::new(quota, store, clock) }
    }

    /// Counts a request.
    ///
    /// # Errors
    /// How long to wait, where it is one too many.
    pub fn check(&self, address: IpAddr) -> Result<(), Duration> {
        self.limiter
            .check_key(&Caller::of(address))
            .map_err(|until| until.wait_time_from(self.limiter.clock().now()))
    }

    /// Counts a request.
    ///
    /// # Errors
    /// 429 with `Retry-After` where it is one too many.
    pub fn require(&self, address: IpAddr) -> Result<(), Problem> {
        self.check(address).map_err(|wait| {
            let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
            Problem::too_many_requests(u32::try_from(seconds.max(1)).unwrap_or(u32::MAX))
        })
    }

    /// Forgets addresses that have their whole burst again. Call it every second or so, not from
    /// a request.
    pub fn sweep(&self) {
        self.limiter.retain_recent();
    }

    /// How many addresses are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.limiter.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.limiter.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use governor::clock::FakeRelativeClock;

    use super::*;

    fn limiter(most: usize) -> (AddressLimiter<FakeRelativeClock>, FakeRelativeClock) {
        let clock = FakeRelativeClock::default();
        let ten = NonZeroU32::new(10).unwrap();
        let three = NonZeroU32::new(3).unwrap();
        (AddressLimiter::with_clock(ten, three, most, clock.clone()), clock)
    }

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_burst_and_then_the_rate() {
        let (limiter, clock) = limiter(100);
        let who = address("127.0.0.1");
        for _ in 0..3 {
            assert_eq!(limiter.check(who), Ok(()));
        }
        assert_eq!(limiter.check(who), Err(Duration::from_millis(100)));
        let problem = limiter.require(who).unwrap_err();
        assert_eq!((problem.kind.status(), problem.retry_after), (429, Some(1)));
        assert_eq!(limiter.check(address("127.0.0.2")), Ok(()));
        clock.advance(Duration::from_millis(100));
        assert_eq!(limiter.check(who), Ok(()));
        assert!(limiter.check(who).is_err());
    }

    #[test]
    fn a_whole_64_and_a_mapped_address_are_one_caller() {
        for (first, second, is_same) in [
            ("2001:db8::1", "2001:db8::ffff:1", true),
            ("2001:db8:0:1::1", "2001:db8:0:2::1", false),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
        ] {
            let (limiter, _clock) = limiter(100);
            for _ in 0..3 {
                assert_eq!(limiter.check(address(first)), Ok(()));
            }
            assert_eq!(limiter.check(address(second)).is_err(), is_same, "{first} {second}");
        }
    }

    #[test]
    fn a_flood_of_addresses_takes_no_more_memory_and_hurts_only_newcomers() {
        let (limiter, clock) = limiter(50);
        let known = address("192.0.2.1");
        assert_eq!(limiter.check(known), Ok(()));
        let answered = (0..1_000u32)
            .filter(|n| limiter.check(IpAddr::V4((0x0a00_0000 + n).into())).is_ok())
            .count();
        assert_eq!(answered, 49 + 3, "those with room, and one shared burst");
        assert_eq!(limiter.len(), 50);
        assert_eq!(limiter.check(known), Ok(()));
        clock.advance(Duration::from_secs(1));
        limiter.sweep();
        assert_eq!(limiter.len(), 0);
        assert_eq!(limiter.check(address("198.51.100.1")), Ok(()));
    }
}
