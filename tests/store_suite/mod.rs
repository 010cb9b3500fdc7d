//! The suite that every store passes: tests over any [`Store`], and the words they are written in.
//!
//! Must not: know how a store keeps what it keeps.

pub mod caps;
pub mod consent;
pub mod model;
pub mod outcomes;
pub mod repeats;
pub mod rooms;
pub mod sessions;
pub mod through;

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use koekake::domain::caps::{Caps, Claim, Claimed, Counted, Limit, Refusal, Repeat, Stage};
use koekake::domain::decision::{Answer, Reason};
use koekake::domain::history::{History, SessionMark};
use koekake::domain::ids::{DecisionId, PageId, SessionKey, VisitorId, VisitorKey};
use koekake::domain::page_url::PageUrl;
use koekake::domain::session::Session;
use koekake::domain::time::{Millis, Timestamp};
use koekake::domain::visit::{
    Consent, Device, DeviceKind, Event, EventKind, Page, Place, Profile, Visit,
};
use koekake::store::{
    Judged, Observation, Observed, Outcome, Pending, Reply, Seen, Store, StoreError,
};

/// How long a session lasts in these tests.
pub const TIMEOUT: i64 = 1_000;
pub const SITE: &str = "demo-shop";

pub fn page_id(text: &str) -> PageId {
    PageId::parse(&format!("{text:-<20}")).unwrap()
}

pub fn session(name: &str) -> SessionKey {
    SessionKey { site: SITE.into(), id: page_id(name) }
}

pub fn visitors(names: &[&str]) -> Vec<VisitorKey> {
    let id = |name: &&str| match name.strip_prefix('@') {
        Some(identity) => VisitorId::Identity(identity.into()),
        None => VisitorId::Page(page_id(name)),
    };
    names.iter().map(|name| VisitorKey { site: SITE.into(), id: id(name) }).collect()
}

pub fn page(path: &str) -> Page {
    Page {
        url: PageUrl::parse(&format!("https://shop.example{path}")).unwrap(),
        referrer: None,
        title: None,
        view_id: None,
        time_on_page: None,
        idle: None,
        scroll_percent: None,
    }
}

pub fn visit(kind: EventKind, event: Option<&str>) -> Visit {
    Visit {
        site: SITE.into(),
        session: None,
        visitor: None,
        identity: None,
        event: Event { kind, id: event.map(Arc::from), at: None },
        cart: None,
        profile: Profile::default(),
        consent: None,
        place: Place::default().into(),
        device: Device { kind: DeviceKind::Desktop, os: None, browser: None, is_bot: false },
        accept_languages: Vec::new(),
    }
}

pub fn answer(decision: u128) -> Arc<Answer> {
    Arc::new(Answer {
        reason: Reason::NoMatch,
        session: page_id("any"),
        decision: DecisionId(decision),
        rules_version: "1".into(),
        offer: None,
        recheck: None,
    })
}

/// A call of a page. Its session's name, when, and what else is not usual.
#[derive(Clone)]
pub struct Call<'a> {
    pub session: &'a str,
    pub visitors: &'a [&'a str],
    pub event: Option<&'a str>,
    pub kind: EventKind,
    pub path: &'a str,
    pub at: i64,
    pub reply: Reply,
    pub consent: Option<Consent>,
    pub shadows: &'a [&'a str],
}

pub fn call(session: &str, at: i64) -> Call<'_> {
    Call {
        session,
        visitors: &[],
        event: None,
        kind: EventKind::PageView,
        path: "/",
        at,
        reply: Reply::Unasked,
        consent: None,
        shadows: &[],
    }
}

impl<'a> Call<'a> {
    pub fn by(self, visitors: &'a [&'a str]) -> Self {
        Self { visitors, ..self }
    }
    pub fn event(self, event: &'a str) -> Self {
        Self { event: Some(event), ..self }
    }
    pub fn kind(self, kind: EventKind) -> Self {
        Self { kind, ..self }
    }
    pub fn on(self, path: &'a str) -> Self {
        Self { path, ..self }
    }
    pub fn answered(self, decision: u128) -> Self {
        Self { reply: Reply::Given(answer(decision)), ..self }
    }
    pub fn later(self) -> Self {
        Self { reply: Reply::Later, ..self }
    }
    pub fn granting(self) -> Self {
        Self { consent: Some(Consent::Granted), ..self }
    }
    pub fn shadowing(self, shadows: &'a [&'a str]) -> Self {
        Self { shadows, ..self }
    }

    fn visit(&self, kind: EventKind) -> Visit {
        Visit { consent: self.consent, ..visit(kind, self.event) }
    }

    /// Makes the call and gives all there is to see.
    pub async fn result(&self, store: &impl Store) -> Result<Observed<Look>, StoreError> {
        let (key, names) = (session(self.session), visitors(self.visitors));
        let (visit, page) = (self.visit(self.kind.clone()), page(self.path));
        let observation = self.observation(&key, &names, &visit, &page);
        store
            .observe(observation, |seen| Judged {
                value: Look::of(seen),
                reply: self.reply.clone(),
                shadows: self.shadows.iter().map(|rule| Arc::from(*rule)).collect(),
            })
            .await
    }

    fn observation<'o>(
        &self,
        key: &'o SessionKey,
        visitors: &'o [VisitorKey],
        visit: &'o Visit,
        page: &'o Page,
    ) -> Observation<'o> {
        let (timeout, now) = (Millis(TIMEOUT), Timestamp(self.at));
        Observation { key, visitors, visit, page: Some(page), timeout, now }
    }

    /// Looks at what the call would be shown, without making it.
    pub fn peek(&self, store: &impl Store) -> Look {
        let (key, names) = (session(self.session), visitors(self.visitors));
        let (visit, page) = (self.visit(self.kind.clone()), page(self.path));
        let observation = self.observation(&key, &names, &visit, &page);
        block(store.peek(observation, Look::of)).unwrap()
    }

    /// Peeks, makes the call, and holds one against the other. Nobody else may call meanwhile.
    pub fn foreseen(&self, store: &impl Store) -> Look {
        let (before, again) = (self.peek(store), self.peek(store));
        let look = self.fresh(store);
        for peeked in [before, again] {
            let told = |look: &Look| {
                let Look { session, mark, history, now, .. } = look;
                format!("{session:#?} {mark:?} {history:#?} {now}")
            };
            assert_eq!(told(&peeked), told(&look), "what it foresaw did not come");
        }
        look
    }

    /// Makes the call, which must be recorded.
    pub fn fresh(&self, store: &impl Store) -> Look {
        match block(self.result(store)).unwrap() {
            Observed::Fresh { value, is_new_session, pending, shadows } => {
                Look { is_new: is_new_session, pending, shadows, ..value }
            }
            repeat => panic!("taken for a repeat: {repeat:?}"),
        }
    }

    /// Makes the call, which must be a repeat with an answer.
    pub fn repeat(&self, store: &impl Store) -> u128 {
        match block(self.result(store)).unwrap() {
            Observed::Repeat(answer) => answer.decision.0,
            other => panic!("not taken for an answered repeat: {other:?}"),
        }
    }

    pub fn other_prompt(&self, store: &impl Store) {
        let (key, names) = (session(self.session), visitors(self.visitors));
        let visit = self.visit(EventKind::Update);
        let observation = Observation {
            key: &key,
            visitors: &names,
            visit: &visit,
            page: None,
            timeout: Millis(TIMEOUT),
            now: Timestamp(self.at),
        };
        block(store.other_prompt(observation)).unwrap();
    }
}

/// What a judge saw.
#[derive(Debug)]
pub struct Look {
    pub is_new: bool,
    pub session: Session,
    pub mark: SessionMark,
    pub history: History,
    pub now: i64,
    pub pending: Option<Pending>,
    pub shadows: Vec<Arc<str>>,
}

impl Look {
    fn of(seen: Seen<'_>) -> Self {
        Self {
            is_new: false,
            session: seen.session.clone(),
            mark: seen.mark,
            history: seen.history.clone(),
            now: seen.now.0,
            pending: None,
            shadows: Vec::new(),
        }
    }
}

/// Caps that allow everything.
pub const OPEN: Caps = Caps {
    per_session: 100,
    cooldown: Millis::ZERO,
    between: Millis::ZERO,
    after_dismissal: Millis::ZERO,
    after_acceptance: Millis::ZERO,
};

/// A claim for a session as it was seen, at that moment. Its decision is numbered by it.
pub fn claim(name: &str, look: &Look, at: i64) -> Claim {
    Claim {
        session: session(name),
        mark: look.mark,
        visitors: look.session.visitors.clone(),
        rule: "pricing-help".into(),
        variant: "a".into(),
        is_prompt: true,
        caps: Caps { per_session: 1, ..OPEN },
        repeat: Repeat::Always,
        rule_limits: [].into(),
        site_limits: [].into(),
        event: None,
        answer: answer(at.cast_unsigned().into()),
        at: Timestamp(at),
    }
}

pub fn granted(store: &impl Store, claim: &Claim) {
    assert_eq!(block(store.claim(claim)), Ok(Claimed::Granted));
}

pub fn refused(store: &impl Store, claim: &Claim, why: Refusal) {
    assert_eq!(block(store.claim(claim)), Ok(Claimed::Refused(why)));
}

/// The visitor does not want to be stored.
pub fn deny(store: &impl Store, name: &str, at: i64) {
    block(store.deny(&session(name), Millis(TIMEOUT), Timestamp(at))).unwrap();
}

pub fn limits(limits: &[(i64, u32)]) -> Arc<[Limit]> {
    limits.iter().map(|(window, most)| Limit { window: Millis(*window), most: *most }).collect()
}

/// Reports a stage of a decision.
pub fn report(
    store: &impl Store,
    name: &str,
    decision: Option<u128>,
    stage: Stage,
    at: i64,
) -> Option<Counted> {
    report_as(store, name, decision, stage, None, at)
}

pub fn report_as(
    store: &impl Store,
    name: &str,
    decision: Option<u128>,
    stage: Stage,
    unique: Option<&str>,
    at: i64,
) -> Option<Counted> {
    let outcome = Outcome {
        key: &session(name),
        visitors: &[],
        decision: decision.map(DecisionId),
        stage,
        unique,
        within: Millis(10_000),
        now: Timestamp(at),
    };
    block(store.outcome(outcome)).unwrap()
}

/// Runs a future to its end on this thread.
pub fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

/// Polls a future once, which must not be enough; then does `meanwhile`, which must be.
pub fn after<T>(future: impl Future<Output = T>, meanwhile: impl FnOnce()) -> T {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    assert!(future.as_mut().poll(&mut context).is_pending(), "it did not wait");
    meanwhile();
    match future.as_mut().poll(&mut context) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("it waits for ever"),
    }
}

/// How much room a store has that is to be tested.
#[derive(Debug, Clone, Copy)]
pub enum Room {
    Ample,
    /// So many sessions, claims and visitors.
    Of {
        sessions: usize,
        claims: usize,
        visitors: usize,
    },
}

/// Makes a test of each function of the suite, for the store that `$make` makes.
#[macro_export]
macro_rules! store_contract {
    ($make:expr; $($room:ident: $($test:ident),+;)+) => {
        $(mod $room { $(
            #[test]
            fn $test() {
                $crate::store_suite::$room::$test($make);
            }
        )+ })+
    };
}
