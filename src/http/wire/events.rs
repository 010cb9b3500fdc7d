//! The body of `POST /v1/events` → events, each understood or rejected by itself; and the answer.
//!
//! Must not: look up sites, or act on events.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::openapi::schema::{
    AllOfBuilder, ArrayBuilder, ObjectBuilder, OneOfBuilder, Schema, Type,
};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::decide::{identity_token, moment_schema, site};
use super::event_kinds::{self, EventReport, KINDS};
use super::fields::{self, MAX_NAME_BYTES, Scalar, Text, present};
use super::json;
use super::problem::{Faults, Problem};
use crate::domain::ids::{PageId, SessionId, SiteKey};
use crate::domain::time::Timestamp;
use crate::domain::visit::{Device, Event, EventKind, Page, Place, Profile, Visit};

/// The most events in one body.
pub const MAX_EVENTS: usize = 100;

/// What all events have in common.
#[derive(Debug, Deserialize, ToSchema)]
pub struct EventHead<'a> {
    /// What happened.
    #[serde(rename = "type", borrow)]
    #[schema(value_type = String, required = true)]
    kind: Option<Text<'a>>,
    /// Makes the event idempotent within its session.
    #[serde(borrow)]
    #[schema(value_type = String, required = true, max_length = 64)]
    id: Option<Text<'a>>,
    /// The site's key.
    #[serde(borrow)]
    #[schema(value_type = String, required = true, example = "demo-shop")]
    site: Option<Text<'a>>,
    /// The session it belongs to.
    #[serde(borrow)]
    #[schema(value_type = String, required = true, pattern = "^[A-Za-z0-9_-]{16,64}$")]
    session_id: Option<Text<'a>>,
    /// The visitor, as the page named it.
    #[serde(borrow)]
    #[schema(value_type = Option<String>, pattern = "^([A-Za-z0-9_-]{16,64})?$")]
    visitor_id: Option<Text<'a>>,
    /// A JWT signed with the site's key.
    #[serde(borrow)]
    #[schema(value_type = Option<String>, max_length = 8192)]
    identity_token: Option<Text<'a>>,
    /// When it happened; counts only where the service trusts it.
    #[serde(borrow)]
    #[schema(schema_with = moment_schema)]
    at: Option<Scalar<'a>>,
}

/// An event that was understood.
#[derive(Debug)]
pub struct ParsedEvent<'a> {
    /// Its id.
    pub id: Arc<str>,
    /// The site's key, as the caller wrote it.
    pub site: Cow<'a, str>,
    /// The session.
    pub session: SessionId,
    /// The visitor, if the page named one.
    pub visitor: Option<PageId>,
    /// The identity token, not verified.
    pub identity_token: Option<Cow<'a, str>>,
    /// When, where the caller may say so.
    pub at: Option<Timestamp>,
    /// What it says of the visitor.
    pub profile: Profile,
    /// What happened.
    pub report: EventReport,
}

/// An event that was not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Rejected {
    /// Its place in the body, from 0.
    pub index: usize,
    /// What is wrong with it.
    pub detail: String,
}

/// What became of a body of events.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(example = json!({ "accepted": 2, "rejected": [{ "index": 1, "detail": "/session_id: is required" }] }))]
pub struct EventsAnswer {
    /// How many were taken, repeats included.
    pub accepted: usize,
    /// Those that were not.
    pub rejected: Vec<Rejected>,
}

impl ParsedEvent<'_> {
    /// The visit it makes, and the page it names, for the store to record.
    #[must_use]
    pub fn into_visit(
        self,
        site: SiteKey,
        identity: Option<Arc<str>>,
        place: Arc<Place>,
        device: Device,
        accept_languages: Vec<Arc<str>>,
    ) -> (Visit, Option<Page>) {
        let (kind, page, cart, consent) = match self.report {
            EventReport::PageView { page } => (EventKind::PageView, Some(page), None, None),
            EventReport::Signal { name, page } => (EventKind::Signal { name }, page, None, None),
            EventReport::Cart(cart) => (EventKind::Update, None, Some(cart), None),
            EventReport::Consent(word) => (EventKind::Update, None, None, Some(word)),
            _ => (EventKind::Update, None, None, None),
        };
        let visit = Visit {
            site,
            session: Some(self.session),
            visitor: self.visitor,
            identity,
            event: Event { kind, id: Some(self.id), at: self.at },
            cart,
            profile: self.profile,
            consent,
            place,
            device,
            accept_languages,
        };
        (visit, page)
    }
}

/// Reads one event or a list of them.
///
/// # Errors
/// A 400 where the body is no JSON, neither an object nor an array, or a too long one.
pub fn parse_events(body: &[u8]) -> Result<Vec<Result<ParsedEvent<'_>, Rejected>>, Problem> {
    let text = json::text(body)?;
    let malformed =
        |error: serde_json::Error| Problem::at("", format!("is not valid JSON: {error}"));
    let items: Vec<&RawValue> = match text.trim_start().as_bytes().first() {
        Some(b'[') => serde_json::from_str(text).map_err(malformed)?,
        Some(b'{') => vec![serde_json::from_str(text).map_err(malformed)?],
        _ => {
            serde_json::from_str::<&RawValue>(text).map_err(malformed)?;
            return Err(Problem::at("", "must be an event or an array of events"));
        }
    };
    if items.len() > MAX_EVENTS {
        return Err(Problem::at(
            "",
            format!("may hold at most {MAX_EVENTS} events, this array has {}", items.len()),
        ));
    }
    Ok(items
        .into_iter()
        .enumerate()
        .map(|(index, item)| {
            parse_event(item.get()).map_err(|faults| Rejected { index, detail: faults.into_line() })
        })
        .collect())
}

fn parse_event(text: &str) -> Result<ParsedEvent<'_>, Faults> {
    let head: EventHead<'_> = json::object(text)?;
    let mut faults = Faults::default();
    let kind = present(head.kind);
    let body = match kind.as_deref() {
        None => {
            faults.add("/type", format!("is required: one of {}", KINDS.join(", ")));
            None
        }
        Some(kind) => match event_kinds::parse(kind, text) {
            Ok(Some(body)) => Some(body),
            Ok(None) => {
                faults.add("/type", unknown_kind(kind));
                None
            }
            Err(found) => {
                faults.append(found);
                None
            }
        },
    };
    if head.id.as_ref().is_none_or(|Text(id)| id.is_empty()) {
        faults.add("/id", "is required: it makes the event count once");
    }
    let id = fields::name(head.id, MAX_NAME_BYTES, || "/id".into(), &mut faults);
    let site = site(head.site, &mut faults);
    if head.session_id.as_ref().is_none_or(|Text(id)| id.is_empty()) {
        faults.add("/session_id", "is required");
    }
    let session = fields::page_id(head.session_id, || "/session_id".into(), &mut faults);
    let visitor = fields::page_id(head.visitor_id, || "/visitor_id".into(), &mut faults);
    let identity_token = identity_token(head.identity_token, &mut faults);
    let at = fields::moment(head.at, || "/at".into(), &mut faults);
    match (id, site, session, body) {
        (Some(id), Some(site), Some(session), Some((report, profile))) if faults.is_empty() => {
            Ok(ParsedEvent { id, site, session, visitor, identity_token, at, profile, report })
        }
        _ => Err(faults),
    }
}

fn unknown_kind(kind: &str) -> String {
    let near = KINDS
        .iter()
        .map(|known| (strsim::damerau_levenshtein(known, fields::cut(kind, 32)), known))
        .min()
        .filter(|(distance, _)| *distance <= 3);
    match near {
        Some((_, known)) => {
            format!("`{}` is not a kind of event; did you mean `{known}`?", fields::cut(kind, 32))
        }
        None => format!(
            "`{}` is not a kind of event; there are {}",
            fields::cut(kind, 32),
            KINDS.join(", ")
        ),
    }
}

/// One event in OpenAPI: the common fields and those of its kind.
#[derive(Debug)]
pub struct EventSchema;

impl PartialSchema for EventSchema {
    fn schema() -> RefOr<Schema> {
        let mut one_of = OneOfBuilder::new();
        for kind in KINDS {
            let fields = match kind {
                "page_view" => "PageViewFields",
                "signal" => "SignalFields",
                "cart" => "CartFields",
                "prompt_shown" => "PromptShownFields",
                "prompt_accepted" | "prompt_dismissed" => "PromptFields",
                "chat_started" | "chat_ended" => "ChatFields",
                "converted" => "ConvertedFields",
                "identify" => "IdentifyFields",
                "consent" => "ConsentFields",
                _ => "NoFields",
            };
            let tag = ObjectBuilder::new()
                .property(
                    "type",
                    ObjectBuilder::new().schema_type(Type::String).enum_values(Some([kind])),
                )
                .required("type");
            one_of = one_of.item(
                AllOfBuilder::new()
                    .title(Some(kind))
                    .item(Ref::from_schema_name("EventHead"))
                    .item(Ref::from_schema_name(fields))
                    .item(tag),
            );
        }
        one_of.into()
    }
}

impl ToSchema for EventSchema {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("ReportedEvent")
    }
}

/// A body of events in OpenAPI: one, or up to a hundred.
#[derive(Debug)]
pub struct EventsSchema;

impl PartialSchema for EventsSchema {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new()
            .item(Ref::from_schema_name("ReportedEvent"))
            .item(
                ArrayBuilder::new()
                    .items(Ref::from_schema_name("ReportedEvent"))
                    .max_items(Some(MAX_EVENTS)),
            )
            .examples([serde_json::json!([{
                "type": "prompt_shown", "id": "e1", "site": "demo-shop",
                "session_id": "0192f0c1b6d27c1e8a3f5b0d9e7a4c21",
                "decision_id": "0192f0c1b6d27c1e8a3f5b0d9e7a4c22",
            }])])
            .into()
    }
}

impl ToSchema for EventsSchema {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("EventsRequest")
    }
}

#[cfg(test)]
#[path = "events_tests.rs"]
mod tests;
