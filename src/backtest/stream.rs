//! Several logs → one stream of page views in the order of time, each with the moment of its
//! session's next one: by that it is known how long the visitor stayed.
//!
//! What is held back is what came within one timeout of the newest line, and never more than
//! [`MAX_AHEAD`] page views. Must not: read a whole log into memory.

use std::collections::{HashMap, VecDeque};

use ahash::RandomState;

use super::hit::Hit;
use crate::domain::ids::SessionId;
use crate::domain::time::{Millis, Timestamp};
use crate::domain::visit::EventKind;

/// The most page views that are held back. Where more come within one timeout, the oldest are
/// judged without knowing the next of their sessions.
pub const MAX_AHEAD: usize = 1_000_000;

/// A page view whose future is known.
#[derive(Debug)]
pub struct Foreseen {
    /// It.
    pub hit: Box<Hit>,
    /// When its session's next page view or event is; `None` where it is the session's last.
    pub next: Option<Timestamp>,
    /// Whether it is another event of the page in view, not a page view.
    pub is_on_same_page: bool,
}

/// Puts page views in order and looks ahead.
#[derive(Debug)]
pub struct Stream {
    timeout: Millis,
    most: usize,
    waiting: VecDeque<Box<Hit>>,
    /// The moments of each session's waiting page views, in order.
    moments: HashMap<SessionId, VecDeque<Timestamp>, RandomState>,
    newest: Timestamp,
    given: Timestamp,
    /// Page views that were put back in order.
    pub sorted: u64,
    /// Page views that came too late for that; they are judged as if they came just then.
    pub late: u64,
    /// Page views whose next was not known for want of room.
    pub unforeseen: u64,
}

impl Stream {
    /// For a site whose sessions end after such a pause.
    #[must_use]
    pub fn new(timeout: Millis) -> Self {
        Self::with_room(timeout, MAX_AHEAD)
    }

    /// As [`Stream::new`], holding back at most so many.
    #[must_use]
    pub fn with_room(timeout: Millis, most: usize) -> Self {
        Self {
            timeout,
            most,
            waiting: VecDeque::new(),
            moments: HashMap::default(),
            newest: Timestamp::MIN,
            given: Timestamp::MIN,
            sorted: 0,
            late: 0,
            unforeseen: 0,
        }
    }

    /// Takes a page view.
    pub fn push(&mut self, mut hit: Box<Hit>) {
        if hit.at < self.given {
            self.late += 1;
            hit.at = self.given;
        }
        let moments = self.moments.entry(hit.session.clone()).or_default();
        let place = moments.iter().rposition(|at| *at <= hit.at).map_or(0, |at| at + 1);
        moments.insert(place, hit.at);
        if hit.at >= self.newest {
            self.newest = hit.at;
            self.waiting.push_back(hit);
            return;
        }
        self.sorted += 1;
        let place = self.waiting.iter().rposition(|known| known.at <= hit.at);
        self.waiting.insert(place.map_or(0, |at| at + 1), hit);
    }

    /// The next page view whose future is known; at the end of the logs, of those that are left.
    pub fn pop(&mut self, is_at_end: bool) -> Option<Foreseen> {
        let front = self.waiting.front()?;
        let is_known = is_at_end || self.newest - front.at >= self.timeout;
        let is_full = self.waiting.len() > self.most;
        if !is_known && !is_full {
            return None;
        }
        let hit = self.waiting.pop_front()?;
        self.given = hit.at;
        let is_on_same_page = matches!(hit.kind, EventKind::Signal { .. });
        let mut next = None;
        if let Some(moments) = self.moments.get_mut(&hit.session) {
            moments.pop_front();
            next = moments.front().copied();
            if moments.is_empty() {
                self.moments.remove(&hit.session);
            }
        }
        // After the timeout it is another session's.
        let next = next.filter(|next| *next - hit.at < self.timeout);
        if next.is_none() && !is_known {
            self.unforeseen += 1;
        }
        Some(Foreseen { hit, next, is_on_same_page })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::domain::page_url::PageUrl;
    use crate::domain::visit::{Device, DeviceKind};

    fn hit(session: u8, at: i64) -> Box<Hit> {
        Box::new(Hit {
            at: Timestamp(at),
            session: SessionId::from_bits([session; 16]),
            visitor: None,
            kind: EventKind::PageView,
            url: PageUrl::blank(),
            referrer: None,
            place: Arc::default(),
            device: Device { kind: DeviceKind::Desktop, os: None, browser: None, is_bot: false },
            languages: Arc::from([]),
            more: None,
        })
    }

    fn drain(stream: &mut Stream, is_at_end: bool) -> Vec<(i64, Option<i64>)> {
        std::iter::from_fn(|| stream.pop(is_at_end))
            .map(|known| (known.hit.at.0, known.next.map(|at| at.0)))
            .collect()
    }

    #[test]
    fn sorts_and_tells_the_next_of_each_session() {
        let mut stream = Stream::new(Millis(100));
        for (session, at) in [(1, 0), (2, 10), (1, 30), (2, 20), (1, 129), (1, 229)] {
            stream.push(hit(session, at));
        }
        // A pause of exactly the timeout ends a session.
        let first = [(0, Some(30)), (10, Some(20)), (20, None), (30, Some(129)), (129, None)];
        assert_eq!(drain(&mut stream, false), first);
        assert_eq!(drain(&mut stream, true), [(229, None)]);
        assert_eq!((stream.sorted, stream.late, stream.unforeseen), (1, 0, 0));
        stream.push(hit(2, 5));
        assert_eq!(drain(&mut stream, true), [(229, None)], "what comes too late comes now");
        assert_eq!(stream.late, 1);
    }

    #[test]
    fn holds_back_no_more_than_it_may() {
        let mut stream = Stream::with_room(Millis(1_000), 2);
        for at in 0..5 {
            stream.push(hit(1, at));
        }
        stream.push(hit(2, 6));
        assert_eq!(
            drain(&mut stream, false),
            [(0, Some(1)), (1, Some(2)), (2, Some(3)), (3, Some(4))]
        );
        assert_eq!(stream.waiting.len(), 2);
    }
}
