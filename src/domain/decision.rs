//! Answers: whether to prompt, with what, why not, and when asking again could change it.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::ids::{DecisionId, SessionId};
use super::time::Millis;

/// Why an answer is what it is. In the order in which they apply.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Reason {
    /// Nobody can know that a prompt is allowed, so none is offered.
    Unavailable,
    /// The visitor asked never to be prompted.
    OptedOut,
    /// The site asks for consent and has none, or the visitor said no.
    NoConsent,
    /// Not known to be a person's browser.
    Bot,
    /// The session had its share of prompts, those of other tools included.
    AlreadyPrompted,
    /// The visitor had a prompt not long ago.
    Cooldown,
    /// A rule won.
    RuleMatched,
    /// A rule won, and this visitor is kept without prompts for comparison.
    Holdout,
    /// No rule yet; the answer says what to wait for.
    NotYet,
    /// No rule, and waiting on this page changes nothing.
    NoMatch,
}

impl Reason {
    /// Every reason, in the order in which they apply.
    pub const ALL: [Self; 10] = [
        Self::Unavailable,
        Self::OptedOut,
        Self::NoConsent,
        Self::Bot,
        Self::AlreadyPrompted,
        Self::Cooldown,
        Self::RuleMatched,
        Self::Holdout,
        Self::NotYet,
        Self::NoMatch,
    ];

    /// The word for it in answers and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unavailable => "unavailable",
            Self::OptedOut => "opted_out",
            Self::NoConsent => "no_consent",
            Self::Bot => "bot",
            Self::AlreadyPrompted => "already_prompted",
            Self::Cooldown => "cooldown",
            Self::RuleMatched => "rule_matched",
            Self::Holdout => "holdout",
            Self::NotYet => "not_yet",
            Self::NoMatch => "no_match",
        }
    }
}

/// The answer to one call.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Why.
    pub reason: Reason,
    /// The session it was given in.
    pub session: SessionId,
    /// Its own id.
    pub decision: DecisionId,
    /// The version of the rules that it came from.
    pub rules_version: Arc<str>,
    /// The offer, where one is made.
    pub offer: Option<Arc<ShownOffer>>,
    /// What to wait for.
    pub recheck: Option<Recheck>,
}

impl Answer {
    /// Whether a prompt is to be shown.
    #[must_use]
    pub fn show(&self) -> bool {
        self.offer.is_some()
    }
}

/// A prompt with where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct ShownOffer {
    /// The rule that won.
    pub rule: Arc<str>,
    /// Which of its prompts.
    pub variant: Arc<str>,
    /// What to show.
    pub prompt: Prompt,
}

/// What to show: plain text in one language.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Prompt {
    /// A heading, if the rule has one.
    pub title: Option<String>,
    /// The message.
    pub message: String,
    /// The BCP 47 tag of the language it is in.
    pub language: Arc<str>,
    /// What the visitor can do.
    pub actions: Vec<Action>,
    /// Where it goes: `chat`, or a name that the site's page knows.
    pub channel: Arc<str>,
    /// Which team answers.
    pub route: Option<Arc<str>>,
    /// The site's own settings of its look.
    pub appearance: Arc<BTreeMap<String, String>>,
}

/// Something a prompt lets the visitor do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// What happens.
    pub kind: ActionKind,
    /// What the button says.
    pub label: String,
    /// Where a link leads.
    pub url: Option<String>,
}

/// What an action does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ActionKind {
    /// Opens the chat.
    Chat,
    /// Follows a link.
    Link,
}

/// When asking again could change the answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Recheck {
    /// After that long, if time alone changes something.
    pub after: Option<Millis>,
    /// Over how long to spread calls at a moment that all visitors share.
    pub spread: Millis,
    /// On any of these.
    pub on: Vec<Wait>,
}

/// A thing on the page to ask again on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Wait {
    /// What must happen.
    pub on: Trigger,
    /// It says nothing before that long; zero where it does at once.
    pub not_before: Millis,
}

/// What can happen on a page.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trigger {
    /// The visitor is about to leave.
    ExitIntent,
    /// So deep a point is reached.
    ScrollPercent(u8),
    /// The visitor did nothing for so long.
    Idle(Millis),
    /// One of the site's own events.
    Event(Arc<str>),
}
