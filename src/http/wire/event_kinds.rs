//! The kinds of events that `POST /v1/events` takes, each with its own fields.
//!
//! Must not: count anything; `events` reads lists of these, the service acts on them.

use std::sync::Arc;

use serde::Deserialize;
use utoipa::ToSchema;

use super::fields::{self, Ignored, MAX_NAME_BYTES, Number, Scalar, Text, present};
use super::json::{self, Obj};
use super::page::{CartBody, PageBody, VisitorBody, amount_schema, consent};
use super::problem::Faults;
use crate::domain::ids::DecisionId;
use crate::domain::money::Money;
use crate::domain::visit::{Cart, Consent, Page, Profile};

/// The longest order id, in bytes.
pub const MAX_ORDER_BYTES: usize = 128;

/// The names of all kinds.
pub const KINDS: [&str; 13] = [
    "page_view",
    "signal",
    "cart",
    "prompt_shown",
    "prompt_accepted",
    "prompt_dismissed",
    "chat_started",
    "chat_ended",
    "converted",
    "identify",
    "opt_out",
    "opt_in",
    "consent",
];

/// What an event reports.
#[derive(Debug)]
pub enum EventReport {
    /// A page came into view.
    PageView {
        /// The page.
        page: Page,
    },
    /// `exit_intent`, or one of the site's own events.
    Signal {
        /// Its name.
        name: Arc<str>,
        /// The page it happened on, if told.
        page: Option<Page>,
    },
    /// The cart changed.
    Cart(Cart),
    /// Half of a prompt was in view for a second.
    PromptShown(DecisionId),
    /// Another tool showed a popup: it takes the session's cap.
    OtherPromptShown,
    /// The visitor took the offer.
    PromptAccepted(DecisionId),
    /// The visitor closed it.
    PromptDismissed(DecisionId),
    /// A chat began; with the answer that led to it, where that is known.
    ChatStarted(Option<DecisionId>),
    /// A chat ended.
    ChatEnded(Option<DecisionId>),
    /// A goal was reached.
    Converted(Conversion),
    /// Who the visitor is, or more about the visitor.
    Identify,
    /// The visitor wants no prompts.
    OptOut,
    /// The visitor wants them again.
    OptIn,
    /// The visitor's word on being stored and prompted.
    Consent(Consent),
}

impl EventReport {
    /// Whether it may be lost with the last seconds before a crash: what a page view tells. A
    /// signal may be a goal.
    pub const fn may_be_lost(&self) -> bool {
        matches!(self, Self::PageView { .. } | Self::Cart(_) | Self::Identify)
    }
}

/// A goal that was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversion {
    /// The answer that led to it, where that is known.
    pub decision: Option<DecisionId>,
    /// Which goal of the site's.
    pub goal: Option<Arc<str>>,
    /// What it was worth.
    pub value: Option<Money>,
    /// The order's own id: an order counts once.
    pub order_id: Option<Arc<str>>,
}

/// Fields of `page_view`.
#[derive(Debug, Deserialize, ToSchema)]
pub struct PageViewFields<'a> {
    #[serde(borrow)]
    #[schema(value_type = PageBody, required = true)]
    page: Option<Obj<PageBody<'a>>>,
}

/// Fields of `signal`.
#[derive(Debug, Deserialize, ToSchema)]
pub struct SignalFields<'a> {
    /// `exit_intent`, or one of the site's own names.
    #[serde(borrow)]
    #[schema(value_type = String, required = true, max_length = 64)]
    name: Option<Text<'a>>,
    /// The signal's own properties.
    #[schema(value_type = Option<Object>)]
    #[expect(dead_code, reason = "its shape is checked; nothing reads it yet")]
    properties: Option<Ignored>,
    #[serde(borrow)]
    #[schema(value_type = Option<PageBody>)]
    page: Option<Obj<PageBody<'a>>>,
}

/// Fields of `cart`: a `cart` as in decide, or its fields themselves.
#[derive(Debug, Deserialize, ToSchema)]
pub struct CartFields<'a> {
    #[serde(borrow)]
    #[schema(value_type = Option<CartBody>)]
    cart: Option<Obj<CartBody<'a>>>,
    /// What it is worth.
    #[serde(borrow)]
    #[schema(schema_with = amount_schema)]
    value: Option<Scalar<'a>>,
    /// ISO 4217 code.
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    currency: Option<Text<'a>>,
    /// How many things are in it.
    #[schema(value_type = Option<f64>, minimum = 0)]
    items: Option<Number>,
}

/// Fields of `prompt_shown`: a `decision_id`, or a `source`.
#[derive(Debug, Deserialize, ToSchema)]
pub struct PromptShownFields<'a> {
    /// From the answer that offered it.
    #[serde(borrow)]
    #[schema(value_type = Option<String>, pattern = "^([0-9a-f]{32})?$")]
    decision_id: Option<Text<'a>>,
    /// `other` for another tool's popup, which takes the session's cap.
    #[serde(borrow)]
    #[schema(value_type = Option<String>, pattern = "^(other)?$")]
    source: Option<Text<'a>>,
}

/// Fields of `prompt_accepted` and `prompt_dismissed`.
#[derive(Debug, Deserialize, ToSchema)]
pub struct PromptFields<'a> {
    /// From the answer that offered it.
    #[serde(borrow)]
    #[schema(value_type = String, required = true, pattern = "^[0-9a-f]{32}$")]
    decision_id: Option<Text<'a>>,
}

/// Fields of `chat_started` and `chat_ended`.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ChatFields<'a> {
    /// From the answer that led to the chat, where that is known.
    #[serde(borrow)]
    #[schema(value_type = Option<String>, pattern = "^([0-9a-f]{32})?$")]
    decision_id: Option<Text<'a>>,
}

/// Fields of `converted`.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ConvertedFields<'a> {
    /// From the answer that led to it, where that is known.
    #[serde(borrow)]
    #[schema(value_type = Option<String>, pattern = "^([0-9a-f]{32})?$")]
    decision_id: Option<Text<'a>>,
    /// One of the site's goals.
    #[serde(borrow)]
    #[schema(value_type = Option<String>, max_length = 64, example = "order")]
    goal: Option<Text<'a>>,
    /// What it was worth.
    #[serde(borrow)]
    #[schema(schema_with = amount_schema)]
    value: Option<Scalar<'a>>,
    /// ISO 4217 code; left out, the site's own currency.
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    currency: Option<Text<'a>>,
    /// The order's own id: an order counts once.
    #[serde(borrow)]
    #[schema(value_type = Option<String>, max_length = 128)]
    order_id: Option<Text<'a>>,
}

/// Fields of `identify`.
#[derive(Debug, Deserialize, ToSchema)]
pub struct IdentifyFields<'a> {
    #[serde(borrow)]
    #[schema(value_type = Option<VisitorBody>)]
    visitor: Option<Obj<VisitorBody<'a>>>,
}

/// Fields of `consent`.
#[derive(Debug, Deserialize, ToSchema)]
pub struct ConsentFields<'a> {
    /// `granted` or `denied`.
    #[serde(borrow)]
    #[schema(value_type = String, required = true, pattern = "^(granted|denied)$")]
    consent: Option<Text<'a>>,
}

/// `opt_out` and `opt_in` have no fields of their own.
#[derive(Debug, Deserialize, ToSchema)]
pub struct NoFields {}

/// Reads the fields of one kind. `None`, and nothing noted, for a kind that there is not.
///
/// # Errors
/// Everything wrong with those fields.
pub fn parse(kind: &str, text: &str) -> Result<Option<(EventReport, Profile)>, Faults> {
    let mut faults = Faults::default();
    let mut profile = Profile::default();
    let report = match kind {
        "page_view" => {
            let fields: PageViewFields<'_> = json::object(text)?;
            if fields.page.is_none() {
                faults.add("/page", "is required, with at least its `url`");
            }
            page(fields.page, &mut faults).map(|page| EventReport::PageView { page })
        }
        "signal" => {
            let fields: SignalFields<'_> = json::object(text)?;
            if fields.name.as_ref().is_none_or(|Text(name)| name.is_empty()) {
                faults.add("/name", "a signal needs a name, such as `exit_intent`");
            }
            let page = page(fields.page, &mut faults);
            fields::name(fields.name, MAX_NAME_BYTES, || "/name".into(), &mut faults)
                .map(|name| EventReport::Signal { name, page })
        }
        "cart" => Some(EventReport::Cart(cart(json::object(text)?, &mut faults))),
        "prompt_shown" => prompt_shown(json::object(text)?, &mut faults),
        "prompt_accepted" => {
            decision(json::object(text)?, &mut faults).map(EventReport::PromptAccepted)
        }
        "prompt_dismissed" => {
            decision(json::object(text)?, &mut faults).map(EventReport::PromptDismissed)
        }
        "chat_started" => Some(EventReport::ChatStarted(chat(json::object(text)?, &mut faults))),
        "chat_ended" => Some(EventReport::ChatEnded(chat(json::object(text)?, &mut faults))),
        "converted" => Some(EventReport::Converted(converted(json::object(text)?, &mut faults))),
        "identify" => {
            let fields: IdentifyFields<'_> = json::object(text)?;
            if let Some(Obj(visitor)) = fields.visitor {
                profile = visitor.parse("/visitor", &mut faults);
            }
            Some(EventReport::Identify)
        }
        "opt_out" => Some(EventReport::OptOut),
        "opt_in" => Some(EventReport::OptIn),
        "consent" => {
            let fields: ConsentFields<'_> = json::object(text)?;
            if fields.consent.as_ref().is_none_or(|Text(word)| word.is_empty()) {
                faults.add("/consent", "is required: `granted` or `denied`");
            }
            consent(fields.consent, &mut faults).map(EventReport::Consent)
        }
        _ => return Ok(None),
    };
    match report {
        Some(report) if faults.is_empty() => Ok(Some((report, profile))),
        _ => Err(faults),
    }
}

fn page(body: Option<Obj<PageBody<'_>>>, faults: &mut Faults) -> Option<Page> {
    body.and_then(|Obj(page)| page.parse("/page", faults))
}

fn cart(fields: CartFields<'_>, faults: &mut Faults) -> Cart {
    match fields.cart {
        Some(Obj(cart)) => cart.parse("/cart", faults),
        None => CartBody { value: fields.value, currency: fields.currency, items: fields.items }
            .parse("", faults),
    }
}

fn prompt_shown(fields: PromptShownFields<'_>, faults: &mut Faults) -> Option<EventReport> {
    let source = present(fields.source);
    match (present(fields.decision_id), source.as_deref()) {
        (Some(id), _) => fields::decision_id(Some(Text(id)), || "/decision_id".into(), faults)
            .map(EventReport::PromptShown),
        (None, Some("other")) => Some(EventReport::OtherPromptShown),
        (None, Some(other)) => {
            faults.add("/source", format!("must be `other`, not `{other}`"));
            None
        }
        (None, None) => {
            faults.add(
                "/decision_id",
                "is required, or `source: \"other\"` for another tool's popup",
            );
            None
        }
    }
}

fn decision(fields: PromptFields<'_>, faults: &mut Faults) -> Option<DecisionId> {
    if fields.decision_id.as_ref().is_none_or(|Text(id)| id.is_empty()) {
        faults.add("/decision_id", "is required: from the answer that offered the prompt");
    }
    fields::decision_id(fields.decision_id, || "/decision_id".into(), faults)
}

fn chat(fields: ChatFields<'_>, faults: &mut Faults) -> Option<DecisionId> {
    fields::decision_id(fields.decision_id, || "/decision_id".into(), faults)
}

fn converted(fields: ConvertedFields<'_>, faults: &mut Faults) -> Conversion {
    Conversion {
        decision: fields::decision_id(fields.decision_id, || "/decision_id".into(), faults),
        goal: fields::name(fields.goal, MAX_NAME_BYTES, || "/goal".into(), faults),
        value: fields::money(fields.value, fields.currency, "", faults),
        order_id: fields::name(fields.order_id, MAX_ORDER_BYTES, || "/order_id".into(), faults),
    }
}
