//! A site's rules, compiled: all that the engine needs, nothing as typed.
//!
//! Must not: parse, or judge.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono_tz::Tz;

use super::condition::{Expr, Predicate};
use super::diagnostic::{Source, Span};
use super::holidays::Calendar;
use super::hours::Hours;
use super::message::Template;
use super::sample::Sample;
use crate::domain::caps::{Caps, Limit, Repeat};
use crate::domain::decision::ActionKind;
use crate::domain::ids::SiteKey;
use crate::domain::money::Currency;
use crate::domain::origin::OriginSet;
use crate::domain::time::{Millis, Timestamp};

/// A site's rules as one set: replaced whole, never changed.
#[derive(Debug)]
pub struct RuleSet {
    /// The site's settings.
    pub site: Site,
    /// Its rules, in the order in which they are asked.
    pub rules: Vec<Rule>,
    /// The distinct conditions of all of them.
    pub predicates: Vec<Predicate>,
    /// What only the time or the database of places can judge.
    pub notes: Vec<Note>,
    /// A hash of the files it was read from.
    pub version: Arc<str>,
    /// A hash of what the site's settings say.
    pub fingerprint: u64,
}

/// Something in the files that is right now, or here, and may not be at another time or with
/// another database of places. See [`super::lint`].
#[derive(Debug, Clone)]
pub struct Note {
    /// The file.
    pub source: Arc<Source>,
    /// Where it stands there.
    pub span: Span,
    /// What it is.
    pub about: About,
}

/// What a [`Note`] is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum About {
    /// Opening hours keep to the holidays of that country, in that zone.
    Holidays(Calendar, Tz),
    /// Every date that hours are closed on is before that moment.
    ClosedUntil(Timestamp),
    /// A rule speaks only before that moment.
    ActiveUntil(Timestamp),
    /// A condition or a message uses that field of the place.
    Place(PlaceFact),
}

/// What a database may know of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PlaceFact {
    /// `location.country`, and with it `continent` and `in_eu`.
    Country,
    /// `location.region` by its code: `JP-13`.
    RegionCode,
    /// `location.region` by its English name.
    RegionName,
    /// `location.city`.
    City,
    /// `location.time_zone`.
    TimeZone,
}

/// What holds for the whole site.
#[derive(Debug)]
pub struct Site {
    /// Its key.
    pub key: SiteKey,
    /// What people call it.
    pub name: String,
    /// Where its pages are; none listed: anywhere.
    pub origins: Arc<OriginSet>,
    /// Its zone, for hours and dates.
    pub time_zone: Tz,
    /// The currency of amounts that name none.
    pub currency: Currency,
    /// All currencies it takes, that one first.
    pub currencies: Vec<Currency>,
    /// Languages of its prompts, BCP 47; the first is the fallback.
    pub languages: Vec<Arc<str>>,
    /// Whether nothing is stored or shown before consent.
    pub is_consent_required: bool,
    /// The pause that ends a session.
    pub session_timeout: Millis,
    /// How often a visitor may be prompted.
    pub caps: Caps,
    /// Limits over all rules.
    pub limits: Arc<[Limit]>,
    /// What must hold for every rule.
    pub when: Expr,
    /// Its opening hours, by name.
    pub hours: Vec<(Arc<str>, Arc<Hours>)>,
    /// The acceptance below which a rule is stopped, as a share of 1.
    pub acceptance_floor: f64,
    /// What its prompts are for.
    pub goals: Vec<Goal>,
    /// Texts for templates.
    pub variables: Vec<(Arc<str>, Arc<str>)>,
}

/// Something that a prompt should lead to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goal {
    /// Its name.
    pub name: Arc<str>,
    /// The site's event that reaches it.
    pub event: Arc<str>,
    /// How long after the prompt it still counts.
    pub within: Millis,
}

/// One rule.
#[derive(Debug)]
pub struct Rule {
    /// Its id, unlike any other of the site.
    pub id: Arc<str>,
    /// What it is for.
    pub description: Option<String>,
    /// Higher ones are asked first.
    pub priority: i64,
    /// Whether it is on.
    pub mode: Mode,
    /// The first moment of its dates.
    pub active_from: Timestamp,
    /// The first moment after them.
    pub active_until: Timestamp,
    /// When it may speak.
    pub hours: Option<HoursGate>,
    /// Its conditions.
    pub when: Expr,
    /// How often it may be offered to one visitor.
    pub repeat: Repeat,
    /// How often over all visitors.
    pub limits: Arc<[Limit]>,
    /// The share of visitors it is for, of 1.
    pub rollout: f64,
    /// The share of those kept without it, of 1.
    pub holdout: f64,
    /// Its prompts; at least one.
    pub variants: Vec<Variant>,
    /// Its own tests.
    pub examples: Vec<Example>,
    /// The file it is in.
    pub source: Arc<Source>,
    /// Where its id stands there.
    pub span: Span,
    /// A hash of what it says.
    pub fingerprint: u64,
}

/// Whether a rule is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It prompts.
    Live,
    /// It is judged and counted, and never prompts.
    Shadow,
    /// It is not judged.
    Off,
}

impl Mode {
    /// The word for it in rule files.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Shadow => "shadow",
            Self::Off => "off",
        }
    }
}

/// Opening hours that a rule keeps to, or keeps out of.
#[derive(Debug, Clone)]
pub struct HoursGate {
    /// Their name in the site's settings.
    pub name: Arc<str>,
    /// The hours.
    pub hours: Arc<Hours>,
    /// Whether the rule speaks outside of them.
    pub is_outside: bool,
}

/// One of a rule's prompts.
#[derive(Debug)]
pub struct Variant {
    /// Its id within the rule.
    pub id: Arc<str>,
    /// Its share among the rule's variants.
    pub weight: u32,
    /// What it says.
    pub prompt: PromptText,
}

/// A prompt before it is written for somebody.
#[derive(Debug)]
pub struct PromptText {
    /// Languages that every text of it has, in the site's order.
    pub languages: Vec<Arc<str>>,
    /// A heading.
    pub title: Option<Localized>,
    /// The message.
    pub message: Localized,
    /// What the visitor can do.
    pub actions: Vec<ActionText>,
    /// Where it goes.
    pub channel: Arc<str>,
    /// Which team answers.
    pub route: Option<Arc<str>>,
    /// The site's own settings of its look.
    pub appearance: Arc<BTreeMap<String, String>>,
}

/// An action before it is written for somebody.
#[derive(Debug)]
pub struct ActionText {
    /// What happens.
    pub kind: ActionKind,
    /// What the button says.
    pub label: Localized,
    /// Where a link leads.
    pub url: Option<Localized>,
}

/// A text in each language, in the order of [`PromptText::languages`]; a single one serves all.
#[derive(Debug)]
pub struct Localized(pub Vec<Template>);

impl Localized {
    /// The text in that language.
    #[must_use]
    pub fn get(&self, language: usize) -> Option<&Template> {
        self.0.get(language).or_else(|| self.0.first())
    }
}

/// A rule's own test.
#[derive(Debug)]
pub struct Example {
    /// What it is about.
    pub name: String,
    /// The visit.
    pub given: Box<Sample>,
    /// What should come of it.
    pub expect: Expectation,
    /// Where it stands.
    pub span: Span,
}

/// What an example expects of its rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expectation {
    /// It shows.
    Show,
    /// It does not, and waiting on the page changes nothing.
    NoMatch,
    /// It does not, but could on this page.
    NotYet,
    /// This stops it first.
    StoppedBy(String),
}

/// As a rule file writes it.
impl std::fmt::Display for Expectation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Show => f.write_str("show"),
            Self::NoMatch => f.write_str("no_match"),
            Self::NotYet => f.write_str("not_yet"),
            Self::StoppedBy(by) => write!(f, "stopped_by: {by}"),
        }
    }
}
