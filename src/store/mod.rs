//! The `Store` contract: sessions, what visitors were offered, and who may be offered more.
//!
//! Every implementation passes the one suite in `tests/store_suite`, run by
//! `tests/store_contract.rs`. What may differ between implementations (durability, whose clock) is
//! written in `docs/architecture.md`.
//!
//! Must not: judge rules, or know HTTP.

use std::future::Future;
use std::sync::Arc;

use crate::domain::caps::{Claim, Claimed, Counted, Limit, Stage};
use crate::domain::decision::Answer;
use crate::domain::facts::{AgentBoard, Agents};
use crate::domain::history::{History, SessionMark};
use crate::domain::ids::{DecisionId, SessionId, SessionKey, SiteKey, VisitorKey};
use crate::domain::session::Session;
use crate::domain::time::{Millis, Timestamp};
use crate::domain::visit::{Attributes, Consent, Page, Visit};

pub mod disk;
pub mod memory;
mod pending;

pub use pending::{Pending, Waiting};

/// Why a store could not do its work. A caller that gets one offers no prompt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// There is no room, and everything in it still protects somebody from a second prompt.
    #[error("the {0} are full and nothing in them may be forgotten yet")]
    Full(&'static str),
    /// An earlier call with the same event id was cut off before its outcome was known.
    #[error("the first call with this event id was cut off")]
    CutOff,
    /// What must outlive the process cannot be read or written now.
    #[error("{0}")]
    Disk(Arc<str>),
}

/// An event that is to be recorded.
#[derive(Debug, Clone, Copy)]
pub struct Observation<'a> {
    /// The session it belongs to.
    pub key: &'a SessionKey,
    /// Every name the visitor bears in this call.
    pub visitors: &'a [VisitorKey],
    /// What happened, and who says so.
    pub visit: &'a Visit,
    /// On which page.
    pub page: Option<&'a Page>,
    /// After which pause a session is over.
    pub timeout: Millis,
    /// The moment of the call.
    pub now: Timestamp,
}

/// What a judge sees: one session at one moment, its event recorded.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// The session.
    pub session: &'a Session,
    /// Tells this run of the session id from others.
    pub mark: SessionMark,
    /// The session's own history joined with that of every visitor it bears.
    pub history: &'a History,
    /// The moment: the call's, or the session's newest one where that is later.
    pub now: Timestamp,
}

/// What a judge gives back.
#[derive(Debug)]
pub struct Judged<T> {
    /// The judge's word.
    pub value: T,
    /// What repeats of the event get.
    pub reply: Reply,
    /// Rules in shadow mode that would have had their turn.
    pub shadows: Vec<Arc<str>>,
}

/// What repeats of an event get. Without an event id there are no repeats, and this is ignored.
#[derive(Debug, Clone)]
pub enum Reply {
    /// This answer.
    Given(Arc<Answer>),
    /// The answer that a claim or [`Store::settle`] will give; they wait for it.
    Later,
    /// Nothing: the call asked for no answer.
    Unasked,
}

/// What became of an observation.
#[derive(Debug)]
pub enum Observed<T> {
    /// It was recorded and judged.
    Fresh {
        /// The judge's word.
        value: T,
        /// Whether it began a session.
        is_new_session: bool,
        /// Where the judge said [`Reply::Later`] of an event with an id: what repeats wait for.
        /// Keep it until the claim is granted or hand it to [`Store::settle`]; dropped before
        /// either, repeats are cut off.
        pending: Option<Pending>,
        /// Of the shadow rules that the judge named, those the session had not met before.
        shadows: Vec<Arc<str>>,
    },
    /// It was recorded before: nothing was done, and this was the answer.
    Repeat(Arc<Answer>),
    /// It was recorded before, by a call that asked for no answer.
    RepeatUnanswered,
    /// It was not recorded: the visitor denied consent, perhaps while this call was under way, and
    /// this call does not give it.
    Denied,
}

/// What happened to a prompt, as reported.
#[derive(Debug, Clone, Copy)]
pub struct Outcome<'a> {
    /// The session that reports it.
    pub key: &'a SessionKey,
    /// Every name the visitor bears in this call.
    pub visitors: &'a [VisitorKey],
    /// The answer it is about; `None` takes the session's newest prompt, for a conversion its
    /// newest offer, silent ones included.
    pub decision: Option<DecisionId>,
    /// What happened.
    pub stage: Stage,
    /// Makes a conversion count once: an order's id, else the goal's name.
    pub unique: Option<&'a str>,
    /// How old an offer may be for this still to count, that age included.
    pub within: Millis,
    /// When.
    pub now: Timestamp,
}

/// Figures of a store, read when metrics are scraped.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StoreStats {
    /// Live sessions by site.
    pub sessions_active: Vec<(SiteKey, u64)>,
    /// Sessions dropped, by cause, since the start.
    pub sessions_evicted: Vec<(&'static str, u64)>,
    /// Visitors of whom something is remembered.
    pub visitors: u64,
    /// Visitors forgotten since the start.
    pub visitors_evicted: u64,
    /// Sessions whose offers are remembered.
    pub claims: u64,
    /// Of these, those forgotten since the start.
    pub claims_evicted: u64,
}

/// Tells the run of a session id that began at that moment from any other, on every node alike:
/// XXH3 (64 bits, no seed) of the id as it is written.
#[must_use]
pub fn mark_of(id: &SessionId, started_at: Timestamp) -> SessionMark {
    struct Hashing(twox_hash::XxHash3_64);
    impl std::fmt::Write for Hashing {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            std::hash::Hasher::write(&mut self.0, text.as_bytes());
            Ok(())
        }
    }
    let mut hashing = Hashing(twox_hash::XxHash3_64::new());
    // Writing into a hasher cannot fail.
    let _ = std::fmt::Write::write_fmt(&mut hashing, format_args!("{id}"));
    SessionMark { id: std::hash::Hasher::finish(&hashing.0), started_at }
}

/// Where sessions and histories live. See the module's head for who must keep which promise.
pub trait Store: Send + Sync + 'static {
    /// What is remembered under these names, joined. Records nothing.
    fn history(
        &self,
        visitors: &[VisitorKey],
    ) -> impl Future<Output = Result<History, StoreError>> + Send;

    /// Records an event and lets `judge` look at the session as it then is, in one step.
    ///
    /// An unknown session begins; one whose pause was long enough begins anew in place. Time
    /// within a session never goes back. An event whose id is among the session's last eight is
    /// not recorded again: the answer is the first call's, waited for if that is under way. So it
    /// is with an event that a claim of this session was granted for, however long ago.
    /// A visit that denies consent is the caller's to keep out; one that gives it after a denial
    /// begins a session.
    ///
    /// `judge` may run under a lock: it must be short, and may ask this store for nothing but
    /// [`Store::agents`] and [`Store::is_limit_reached`].
    ///
    /// # Errors
    /// Where there is no room, or the first call of that event id was cut off.
    fn observe<T: Send>(
        &self,
        observation: Observation<'_>,
        judge: impl FnOnce(Seen<'_>) -> Judged<T> + Send,
    ) -> impl Future<Output = Result<Observed<T>, StoreError>> + Send;

    /// Looks again at a session without recording anything; `None` where it is gone or another
    /// run of the id took its place. `visitors` are the names that the call bears.
    ///
    /// # Errors
    /// Where the store cannot be reached.
    fn look<T: Send>(
        &self,
        key: &SessionKey,
        mark: SessionMark,
        visitors: &[VisitorKey],
        judge: impl FnOnce(Seen<'_>) -> T + Send,
    ) -> impl Future<Output = Result<Option<T>, StoreError>> + Send;

    /// Lets `judge` see what [`Store::observe`] would show it of that event, and records nothing.
    /// Event ids are not looked at: a repeat is seen as if it were new.
    ///
    /// # Errors
    /// Where the store cannot be reached.
    fn peek<T: Send>(
        &self,
        observation: Observation<'_>,
        judge: impl FnOnce(Seen<'_>) -> T + Send,
    ) -> impl Future<Output = Result<T, StoreError>> + Send;

    /// Takes an offer if every cap allows it: session, then visitors, then limits; a refusal
    /// leaves no trace. Offers that are not prompts (holdouts) spend no limits. Once granted,
    /// repeats of `claim.event` get `claim.answer`, and the offer outlives the session's own
    /// record. Nothing may be shown before [`Store::durable`] returns, to repeats neither.
    ///
    /// # Errors
    /// Where it cannot be known that the offer is allowed. Errs to silence.
    fn claim(&self, claim: &Claim) -> impl Future<Output = Result<Claimed, StoreError>> + Send;

    /// Waits until all that was recorded before, claims, outcomes, opt-outs and what CRMs say, is
    /// as durable as the store makes it. A prompt must not be shown, and a report not be
    /// acknowledged, before. Page views are not waited for.
    ///
    /// # Errors
    /// Where it cannot be made durable now: it is recorded, and may be lost.
    fn durable(&self) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Gives repeats of an event their answer where no claim was granted.
    fn settle(
        &self,
        key: &SessionKey,
        pending: Pending,
        answer: Arc<Answer>,
    ) -> impl Future<Output = ()> + Send;

    /// Records what became of a prompt: once for each answer and stage, and for conversions once
    /// for each `unique`. `None` where nothing was counted: it was before, or the session never had
    /// that answer, or too long ago, or the answer was a holdout's and this is no conversion.
    /// Dismissals, acceptances and chats also enter the histories of session and visitors. It
    /// neither begins a session nor keeps one alive.
    ///
    /// # Errors
    /// Where there is no room to remember it.
    fn outcome(
        &self,
        outcome: Outcome<'_>,
    ) -> impl Future<Output = Result<Option<Counted>, StoreError>> + Send;

    /// Takes one of the session's offers for a popup of another tool, whatever the cap is, and
    /// records the event like [`Store::observe`]. A repeat of the event id takes none. Tells
    /// whether it began a session.
    ///
    /// # Errors
    /// Where there is no room.
    fn other_prompt(
        &self,
        observation: Observation<'_>,
    ) -> impl Future<Output = Result<bool, StoreError>> + Send;

    /// Remembers whether these visitors, this session and all it bears want no prompts; where the
    /// session is over or has yet to begin, the next one under its id.
    ///
    /// # Errors
    /// Where there is no room to remember it.
    fn opt_out(
        &self,
        key: &SessionKey,
        visitors: &[VisitorKey],
        is_opted_out: bool,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// The last word on consent of a session that is not over. To ask keeps a denial alive, for
    /// nothing else of its visitor's calls does.
    ///
    /// # Errors
    /// Where the store cannot be reached.
    fn consent(
        &self,
        key: &SessionKey,
        timeout: Millis,
        now: Timestamp,
    ) -> impl Future<Output = Result<Option<Consent>, StoreError>> + Send;

    /// Drops what is known of a session but its offers, for its visitor does not want to be
    /// stored. That "no" itself is kept until the time-out, unless consent is given before: then a
    /// session begins that has had these offers. Of events only those are still known that an
    /// offer was made for.
    ///
    /// # Errors
    /// Where there is no room.
    fn deny(
        &self,
        key: &SessionKey,
        timeout: Millis,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Sets what the site's CRM says of a visitor, in place of what it said before; nothing at all
    /// where there are no attributes.
    ///
    /// # Errors
    /// Where there is no room.
    fn set_crm(
        &self,
        visitor: &VisitorKey,
        attributes: Attributes,
        now: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Forgets everything of a visitor. What its running sessions were offered stays theirs until
    /// they end.
    ///
    /// # Errors
    /// Where the store cannot be reached.
    fn erase(&self, visitor: &VisitorKey) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Sets who is on duty: of the whole site (`None`) or of a route, until just before that moment.
    ///
    /// # Errors
    /// Where the site has too many routes.
    fn set_agents(
        &self,
        site: &SiteKey,
        route: Option<&str>,
        agents: Agents,
        until: Timestamp,
    ) -> impl Future<Output = Result<(), StoreError>> + Send;

    /// Who is on duty now; what is past its time is missing.
    fn agents(&self, site: &SiteKey, now: Timestamp) -> Arc<AgentBoard>;

    /// Whether a limit leaves no room for another offer at that moment. Records nothing. A node's
    /// view may lag; the claim decides.
    fn is_limit_reached(
        &self,
        site: &SiteKey,
        rule: Option<&str>,
        limits: &[Limit],
        now: Timestamp,
    ) -> bool;

    /// Drops the next slice of what is over. Call it again and again; each call is short.
    fn sweep(&self, now: Timestamp);

    /// The figures.
    fn stats(&self) -> StoreStats;
}
