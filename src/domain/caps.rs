//! How often a visitor may be prompted, and who offered what to whom.

use std::sync::Arc;

use super::decision::Answer;
use super::history::SessionMark;
use super::ids::{DecisionId, SessionKey, VisitorKey};
use super::time::{Millis, Timestamp};

/// A site's caps on prompts. Zero means none: no pause, and for `per_session` no prompt at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caps {
    /// The most offers in one session.
    pub per_session: u32,
    /// The pause between an offer and the next in another session of the visitor.
    pub cooldown: Millis,
    /// The pause between two offers in one session.
    pub between: Millis,
    /// The pause after a dismissal, in any session.
    pub after_dismissal: Millis,
    /// The pause after an acceptance, in any session.
    pub after_acceptance: Millis,
}

/// How often one rule may be offered to one visitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Repeat {
    /// As often as the caps allow.
    #[default]
    Always,
    /// At most once in so long.
    Every(Millis),
    /// Once and never again.
    Once,
}

impl Repeat {
    /// When the rule may be offered again after an offer at that moment.
    #[must_use]
    pub fn next_after(self, last: Timestamp) -> Timestamp {
        match self {
            Self::Always => Timestamp::MIN,
            Self::Every(pause) => last + pause,
            Self::Once => Timestamp::MAX,
        }
    }
}

/// At most so many offers in any window of that length, over all visitors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    /// The length of the sliding window.
    pub window: Millis,
    /// The most offers in it.
    pub most: u32,
}

/// An offer that wants to be made: nothing of it may be shown before it is granted.
#[derive(Debug, Clone)]
pub struct Claim {
    /// The session.
    pub session: SessionKey,
    /// That very run of it.
    pub mark: SessionMark,
    /// Every visitor the session bears.
    pub visitors: Vec<VisitorKey>,
    /// The rule.
    pub rule: Arc<str>,
    /// Its variant.
    pub variant: Arc<str>,
    /// Whether it is shown, or silent for a holdout.
    pub is_prompt: bool,
    /// The caps it must respect.
    pub caps: Caps,
    /// The rule's own.
    pub repeat: Repeat,
    /// The rule's limits.
    pub rule_limits: Arc<[Limit]>,
    /// The site's limits, over all its rules.
    pub site_limits: Arc<[Limit]>,
    /// The id of the event it answers, where it has one.
    pub event: Option<Arc<str>>,
    /// The answer to give once it is granted.
    pub answer: Arc<Answer>,
    /// The moment it is made at.
    pub at: Timestamp,
}

/// What became of a claim.
#[derive(Debug, Clone, PartialEq)]
pub enum Claimed {
    /// The offer may be made.
    Granted,
    /// It may not.
    Refused(Refusal),
}

/// Why an offer may not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The session has had its share.
    SessionCap,
    /// The session is held out.
    HeldOut,
    /// A pause of the visitor's is not over.
    Cooldown,
    /// The visitor opted out.
    OptedOut,
    /// That rule was offered to the visitor too recently.
    Repeat,
    /// The rule reached one of its limits.
    RuleLimit,
    /// The site reached one of its limits.
    SiteLimit,
    /// The session ended meanwhile.
    SessionOver,
}

/// What a page or a server reports of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stage {
    /// Half of it was in view for a second.
    Shown,
    /// The visitor took the offer.
    Accepted,
    /// The visitor closed it.
    Dismissed,
    /// A chat began.
    ChatStarted,
    /// A chat ended.
    ChatEnded,
    /// A goal was reached.
    Converted,
}

impl Stage {
    /// Every stage, in the order in which they are reached.
    pub const ALL: [Self; 6] = [
        Self::Shown,
        Self::Accepted,
        Self::Dismissed,
        Self::ChatStarted,
        Self::ChatEnded,
        Self::Converted,
    ];

    /// The word for it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Shown => "shown",
            Self::Accepted => "accepted",
            Self::Dismissed => "dismissed",
            Self::ChatStarted => "chat_started",
            Self::ChatEnded => "chat_ended",
            Self::Converted => "converted",
        }
    }
}

/// An outcome that was counted, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Counted {
    /// The answer it belongs to.
    pub decision: DecisionId,
    /// Its rule.
    pub rule: Arc<str>,
    /// Its variant.
    pub variant: Arc<str>,
    /// Whether it was a prompt, or silent for a holdout (of which only conversions count).
    pub is_prompt: bool,
    /// Whether it was the first of its kind for that answer.
    pub is_first: bool,
    /// Whether it also is the first sign that the prompt was seen.
    pub implies_shown: bool,
}
