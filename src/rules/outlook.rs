//! When something could hold, if nothing changes but time and what the visitor does on the page.
//!
//! An outlook is a union of ways; a way is a span of time together with what must happen on the
//! page meanwhile. `any` joins ways, `all` crosses them; `not` is pushed down to single conditions
//! when rules load, and each of those tells both sides. Must not: read facts.

use std::sync::Arc;

use crate::domain::decision::Trigger;
use crate::domain::time::{Millis, Timestamp};

/// More ways than a rule written by a person has. Beyond it the latest ones are dropped, so that
/// the page asks at the earlier ones and is told of the rest then.
const MAX_WAYS: usize = 64;

/// Every way in which something could come to hold. Empty: it cannot, on this page.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outlook(Vec<Way>);

/// One way: from a moment until before another, once these things have happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// The first moment.
    pub from: Timestamp,
    /// The first moment when it is over.
    pub until: Timestamp,
    /// Whether `from` is the same for all visitors of the site.
    pub is_shared: bool,
    /// Whether the call must (or must not) report exit intent.
    pub exit_intent: Option<bool>,
    /// What must have happened on the page; each source at most once.
    pub needs: Vec<Need>,
}

/// A value that the page raises, and the bounds it must be within (both included).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Need {
    /// What is raised.
    pub source: Source,
    /// Where it stands now.
    pub now: i64,
    /// The least.
    pub least: i64,
    /// The most.
    pub most: i64,
}

/// Values that grow by what happens on the page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// The deepest point reached, in percent.
    Scroll,
    /// Time without any doing, in milliseconds.
    Idle,
    /// How often one of the site's events happened.
    Event(Arc<str>),
}

impl Need {
    /// Whether it is met as things stand.
    #[must_use]
    pub fn is_met(&self) -> bool {
        (self.least..=self.most).contains(&self.now)
    }

    /// What to wait for.
    #[must_use]
    pub fn trigger(&self) -> Trigger {
        match &self.source {
            Source::Scroll => Trigger::ScrollPercent(u8::try_from(self.least).unwrap_or(100)),
            Source::Idle => Trigger::Idle(Millis(self.least)),
            Source::Event(name) => Trigger::Event(name.clone()),
        }
    }
}

impl Way {
    /// At any time, whatever happens.
    pub const ALWAYS: Self = Self {
        from: Timestamp::MIN,
        until: Timestamp::MAX,
        is_shared: false,
        exit_intent: None,
        needs: Vec::new(),
    };

    /// From one moment until before another, whatever happens.
    #[must_use]
    pub fn during(from: Timestamp, until: Timestamp, is_shared: bool) -> Self {
        Self { from, until, is_shared, ..Self::ALWAYS }
    }

    /// Whether nothing but time is needed.
    #[must_use]
    pub fn is_time_alone(&self) -> bool {
        self.exit_intent != Some(true) && self.needs.iter().all(Need::is_met)
    }

    fn and(&self, other: &Self) -> Option<Self> {
        let later = if self.from >= other.from { self } else { other };
        let exit_intent = match (self.exit_intent, other.exit_intent) {
            (Some(a), Some(b)) if a != b => return None,
            (a, b) => a.or(b),
        };
        let mut needs = self.needs.clone();
        for need in &other.needs {
            match needs.iter_mut().find(|known| known.source == need.source) {
                Some(known) => {
                    known.least = known.least.max(need.least);
                    known.most = known.most.min(need.most);
                    if known.least > known.most {
                        return None;
                    }
                }
                None => needs.push(need.clone()),
            }
        }
        let way = Self {
            from: later.from,
            until: self.until.min(other.until),
            is_shared: later.is_shared,
            exit_intent,
            needs,
        };
        (way.from < way.until).then_some(way)
    }
}

impl Outlook {
    /// It holds, and goes on holding.
    #[must_use]
    pub fn always() -> Self {
        Self(vec![Way::ALWAYS])
    }

    /// It does not hold, and nothing on this page changes that.
    #[must_use]
    pub const fn never() -> Self {
        Self(Vec::new())
    }

    /// What cannot change on this page.
    #[must_use]
    pub fn fixed(holds: bool) -> Self {
        if holds { Self::always() } else { Self::never() }
    }

    /// These ways.
    #[must_use]
    pub fn of(ways: Vec<Way>) -> Self {
        Self(ways).trimmed()
    }

    /// The ways.
    #[must_use]
    pub fn ways(&self) -> &[Way] {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_never(&self) -> bool {
        self.0.is_empty()
    }

    /// Either of the two.
    #[must_use]
    pub fn or(mut self, other: Self) -> Self {
        for way in other.0 {
            if !self.0.contains(&way) {
                self.0.push(way);
            }
        }
        self.trimmed()
    }

    /// Both at once.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        let ways = self.0.iter().flat_map(|a| other.0.iter().filter_map(|b| a.and(b)));
        Self(ways.collect()).trimmed()
    }

    fn trimmed(mut self) -> Self {
        if self.0.len() > MAX_WAYS {
            self.0.sort_by_key(|way| way.from);
            self.0.truncate(MAX_WAYS);
        }
        self
    }
}
