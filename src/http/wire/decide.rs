//! The body of `POST /v1/decide` → a visit and its page, or everything that is wrong with it.
//!
//! Place, device and identity are not the body's to tell: the caller adds them
//! ([`ParsedDecide::into_visit`]).
//!
//! Must not: look up the site, verify the token, or use `client` without the server key.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use serde::Deserialize;
use utoipa::ToSchema;

use super::fields::{self, Ignored, MAX_NAME_BYTES, Scalar, Text, present};
use super::json::{self, Obj};
use super::page::{CartBody, PageBody, VisitorBody, consent};
use super::problem::{Faults, Problem};
use crate::domain::ids::{PageId, SessionId, SiteKey};
use crate::domain::time::Timestamp;
use crate::domain::visit::{Cart, Consent, Device, Event, EventKind, Page, Place, Profile, Visit};

/// The longest identity token taken, in bytes.
pub const MAX_TOKEN_BYTES: usize = 8_192;
/// How much of a client's user agent or languages is looked at, in characters.
const MAX_HEADER_CHARS: usize = 1_024;

/// What happened on a page, and a question: should a chat be offered now?
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = DecideRequest, example = json!({
    "site": "demo-shop",
    "session_id": "0192f0c1b6d27c1e8a3f5b0d9e7a4c21",
    "visitor_id": "7c1e8a3f5b0d9e7a4c210192f0c1b6d2",
    "event": { "type": "page_view", "id": "c0ffee01" },
    "page": { "url": "https://shop.example/pricing?utm_source=news", "referrer": "https://www.google.com/", "title": "Pricing",
              "view_id": "a1", "time_on_page_ms": 0, "idle_ms": 0, "scroll_percent": 0 },
    "cart": { "value": "129.90", "currency": "EUR", "items": 3 },
    "visitor": { "name": "Aiko", "language": "ja", "time_zone": "Asia/Tokyo", "attributes": { "plan": "pro" } },
    "identity_token": null, "consent": "granted",
}))]
pub struct DecideBody<'a> {
    /// The site's key.
    #[serde(borrow)]
    #[schema(value_type = String, required = true, example = "demo-shop")]
    site: Option<Text<'a>>,
    /// The session, as the page named it. Left out, the answer issues one.
    #[serde(borrow)]
    #[schema(value_type = Option<String>, pattern = "^([A-Za-z0-9_-]{16,64})?$")]
    session_id: Option<Text<'a>>,
    /// The visitor, as the page named it. Left out, nobody is remembered beyond the session.
    #[serde(borrow)]
    #[schema(value_type = Option<String>, pattern = "^([A-Za-z0-9_-]{16,64})?$")]
    visitor_id: Option<Text<'a>>,
    /// What happened; left out, a page view.
    #[serde(borrow)]
    #[schema(value_type = Option<EventBody>)]
    event: Option<Obj<EventBody<'a>>>,
    /// The page in view.
    #[serde(borrow)]
    #[schema(value_type = PageBody, required = true)]
    page: Option<Obj<PageBody<'a>>>,
    /// The shopping cart; left out, the last one counts.
    #[serde(borrow)]
    #[schema(value_type = Option<CartBody>)]
    cart: Option<Obj<CartBody<'a>>>,
    /// What the page says of its visitor.
    #[serde(borrow)]
    #[schema(value_type = Option<VisitorBody>)]
    visitor: Option<Obj<VisitorBody<'a>>>,
    /// A JWT signed with the site's key: who the visitor is to the site.
    #[serde(borrow)]
    #[schema(value_type = Option<String>, max_length = 8192)]
    identity_token: Option<Text<'a>>,
    /// `granted` or `denied`; left out, the last word counts.
    #[serde(borrow)]
    #[schema(value_type = Option<String>, pattern = "^(granted|denied)?$")]
    consent: Option<Text<'a>>,
    /// Whose request it is; only with the site's server key.
    #[serde(borrow)]
    #[schema(value_type = Option<ClientBody>)]
    client: Option<Obj<ClientBody<'a>>>,
}

/// What happened on the page.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Event)]
pub struct EventBody<'a> {
    /// `page_view`, `recheck` or `signal`.
    #[serde(rename = "type", borrow)]
    #[schema(value_type = Option<String>, pattern = "^(page_view|recheck|signal)?$")]
    kind: Option<Text<'a>>,
    /// Makes the call idempotent within its session.
    #[serde(borrow)]
    #[schema(value_type = Option<String>, max_length = 64, example = "c0ffee01")]
    id: Option<Text<'a>>,
    /// When it happened: RFC 3339 text or milliseconds since 1970. Counts only where the service
    /// trusts it.
    #[serde(borrow)]
    #[schema(schema_with = moment_schema)]
    at: Option<Scalar<'a>>,
    /// A signal's name: `exit_intent`, or one of the site's own.
    #[serde(borrow)]
    #[schema(value_type = Option<String>, max_length = 64)]
    name: Option<Text<'a>>,
    /// A signal's own properties.
    #[schema(value_type = Option<Object>)]
    #[expect(dead_code, reason = "its shape is checked; nothing reads it yet")]
    properties: Option<Ignored>,
}

/// A visitor whom a server speaks for.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Client)]
pub struct ClientBody<'a> {
    /// The visitor's IP address.
    #[serde(borrow)]
    #[schema(value_type = Option<String>, example = "203.0.113.7")]
    address: Option<Text<'a>>,
    /// The visitor's `User-Agent`.
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    user_agent: Option<Text<'a>>,
    /// The visitor's `Accept-Language`.
    #[serde(borrow)]
    #[schema(value_type = Option<String>)]
    accept_language: Option<Text<'a>>,
}

/// A moment in OpenAPI: RFC 3339 text or milliseconds since 1970.
#[must_use]
pub fn moment_schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
    use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, SchemaFormat, Type};
    OneOfBuilder::new()
        .item(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .format(Some(SchemaFormat::KnownFormat(utoipa::openapi::KnownFormat::DateTime))),
        )
        .item(
            ObjectBuilder::new()
                .schema_type(Type::Integer)
                .minimum(Some(0.0))
                .maximum(Some(253_402_300_799_999.0)),
        )
        .item(ObjectBuilder::new().schema_type(Type::Null))
        .into()
}

/// A decide body that was understood. Borrows from it.
#[derive(Debug)]
pub struct ParsedDecide<'a> {
    /// The site's key, as the caller wrote it; whether it exists is yet to be seen.
    pub site: Cow<'a, str>,
    /// The session, if the page named one.
    pub session: Option<SessionId>,
    /// The visitor, if the page named one.
    pub visitor: Option<PageId>,
    /// What happened; a page view where nothing is said.
    pub event: Event,
    /// The page.
    pub page: Page,
    /// `navigator.maxTouchPoints`, for telling devices apart.
    pub touch_points: Option<u32>,
    /// The cart, if one was told.
    pub cart: Option<Cart>,
    /// What the page says of its visitor.
    pub profile: Profile,
    /// The visitor's word on consent, if it was told.
    pub consent: Option<Consent>,
    /// The identity token, not verified.
    pub identity_token: Option<Cow<'a, str>>,
    /// Whose request it is. Without the site's server key the call is to be refused
    /// ([`Problem::client_needs_server_key`]).
    pub client: Option<ClientOverride<'a>>,
}

/// A visitor whom a server speaks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientOverride<'a> {
    /// The visitor's address.
    pub address: Option<IpAddr>,
    /// The visitor's `User-Agent`.
    pub user_agent: Option<Cow<'a, str>>,
    /// The visitor's `Accept-Language`.
    pub accept_language: Option<Cow<'a, str>>,
}

impl ParsedDecide<'_> {
    /// The visit and its page, with what only the request and the site's key could tell.
    #[must_use]
    pub fn into_visit(
        self,
        site: SiteKey,
        identity: Option<Arc<str>>,
        place: Arc<Place>,
        device: Device,
        accept_languages: Vec<Arc<str>>,
    ) -> (Visit, Page) {
        let visit = Visit {
            site,
            session: self.session,
            visitor: self.visitor,
            identity,
            event: self.event,
            cart: self.cart,
            profile: self.profile,
            consent: self.consent,
            place,
            device,
            accept_languages,
        };
        (visit, self.page)
    }
}

/// Reads the body of a decide call.
///
/// # Errors
/// A 400 with everything that is wrong, or with the one place whose shape is.
pub fn parse_decide(body: &[u8]) -> Result<ParsedDecide<'_>, Problem> {
    let body: DecideBody<'_> = json::object(json::text(body)?).map_err(Faults::into_problem)?;
    let mut faults = Faults::default();

    let site = site(body.site, &mut faults);
    let session = fields::page_id(body.session_id, || "/session_id".into(), &mut faults);
    let visitor = fields::page_id(body.visitor_id, || "/visitor_id".into(), &mut faults);
    let event = event(body.event, &mut faults);
    let mut page_body = body.page.map(|Obj(page)| page);
    if page_body.is_none() {
        faults.add("/page", "is required, with at least its `url`");
    }
    let touch_points = page_body.as_mut().and_then(|page| {
        fields::count(page.touch_points.take(), || "/page/touch_points".into(), &mut faults)
    });
    let page = page_body.and_then(|page| page.parse("/page", &mut faults));
    let cart = body.cart.map(|Obj(cart)| cart.parse("/cart", &mut faults));
    let profile = body.visitor.map(|Obj(visitor)| visitor.parse("/visitor", &mut faults));
    let consent = consent(body.consent, &mut faults);
    let identity_token = identity_token(body.identity_token, &mut faults);
    let client = body.client.map(|Obj(client)| client.parse(&mut faults));

    match (site, page) {
        (Some(site), Some(page)) if faults.is_empty() => Ok(ParsedDecide {
            site,
            session,
            visitor,
            event,
            page,
            touch_points,
            cart,
            profile: profile.unwrap_or_default(),
            consent,
            identity_token,
            client,
        }),
        _ => Err(faults.into_problem()),
    }
}

/// Checks that a site is named.
pub(super) fn site<'a>(text: Option<Text<'a>>, faults: &mut Faults) -> Option<Cow<'a, str>> {
    let site = present(text);
    if site.is_none() {
        faults.add("/site", "is required: the site's key");
    }
    site
}

/// Checks a token's length; who verifies it needs the site's key.
pub(super) fn identity_token<'a>(
    text: Option<Text<'a>>,
    faults: &mut Faults,
) -> Option<Cow<'a, str>> {
    let token = present(text)?;
    if token.len() > MAX_TOKEN_BYTES {
        faults.add("/identity_token", format!("may be at most {MAX_TOKEN_BYTES} bytes long"));
        return None;
    }
    Some(token)
}

fn event(body: Option<Obj<EventBody<'_>>>, faults: &mut Faults) -> Event {
    let Some(Obj(body)) = body else {
        return Event { kind: EventKind::PageView, id: None, at: None };
    };
    let kind = match present(body.kind).as_deref() {
        None | Some("page_view") => EventKind::PageView,
        Some("recheck") => EventKind::Recheck,
        Some("signal") => {
            let has_name = body.name.as_ref().is_some_and(|Text(name)| !name.is_empty());
            if !has_name {
                faults.add("/event/name", "a signal needs a name, such as `exit_intent`");
            }
            let name = fields::name(body.name, MAX_NAME_BYTES, || "/event/name".into(), faults);
            EventKind::Signal { name: name.unwrap_or_default() }
        }
        Some(other) => {
            faults.add(
                "/event/type",
                format!("must be `page_view`, `recheck` or `signal`, not `{other}`"),
            );
            EventKind::PageView
        }
    };
    let at: Option<Timestamp> = fields::moment(body.at, || "/event/at".into(), faults);
    Event { kind, id: fields::name(body.id, MAX_NAME_BYTES, || "/event/id".into(), faults), at }
}

impl<'a> ClientBody<'a> {
    fn parse(self, faults: &mut Faults) -> ClientOverride<'a> {
        let address = present(self.address).and_then(|text| {
            let address = text.parse().ok();
            if address.is_none() {
                faults.add("/client/address", "must be an IPv4 or IPv6 address");
            }
            address
        });
        ClientOverride {
            address,
            user_agent: header(self.user_agent),
            accept_language: header(self.accept_language),
        }
    }
}

fn header(text: Option<Text<'_>>) -> Option<Cow<'_, str>> {
    Some(match present(text)? {
        Cow::Borrowed(text) => Cow::Borrowed(fields::cut(text, MAX_HEADER_CHARS)),
        Cow::Owned(text) => Cow::Owned(fields::cut(&text, MAX_HEADER_CHARS).to_owned()),
    })
}

#[cfg(test)]
#[path = "decide_tests.rs"]
mod tests;
