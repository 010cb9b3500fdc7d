//! Rows of the data folder as JSON, for people and other programs.
//!
//! Must not: change what a row says.

use serde_json::{Value, json};

use super::claims::Record;
use super::packed;
use super::rows::{visitor_name, visitor_named};
use super::visitors::Visitor;
use crate::domain::ids::{PageId, SessionKey};
use crate::domain::page_url::PageUrl;
use crate::domain::session::Session;
use crate::domain::visit::{AttributeValue, Consent};
use crate::store::disk::{OfferRow, Row, Table};

/// A row as one JSON object: `kind`, `site`, its name, and what it says.
///
/// # Errors
/// Where it cannot be read, with why.
pub fn export_row(row: &Row<'_>) -> Result<Value, String> {
    if !row.is_whole {
        return Err("its checksum does not fit".to_owned());
    }
    let site = row.site.into();
    let body = || serde_json::from_slice(row.body).map_err(|error| error.to_string());
    let (kind, name, said): (_, _, Value) = match row.table {
        Table::Claims => {
            let key = SessionKey { site, id: session_id(row)? };
            Record::from_row(&key, row.body).map_err(|error| error.to_string())?;
            ("claims", "session", body()?)
        }
        Table::Visitors => {
            visitor_named(&site, row.name).map_err(|error| error.to_string())?;
            Visitor::from_row(row.body).map_err(|error| error.to_string())?;
            ("visitor", "visitor", body()?)
        }
        Table::Sessions => {
            let key = SessionKey { site, id: session_id(row)? };
            let unpacked = packed::decode(&key, row.body, |_| None);
            let unpacked = unpacked.map_err(|error| error.to_string())?;
            ("session", "session", session_json(&unpacked.session))
        }
    };
    let mut line = json!({ "kind": kind, "site": row.site, name: row.name });
    if let (Value::Object(line), Value::Object(said)) = (&mut line, said) {
        // A row's own `session` is a hash; the name says which it is.
        line.extend(said.into_iter().filter(|(key, _)| key != name));
    }
    Ok(line)
}

/// An offer that is counted for limits.
#[must_use]
pub fn export_offer(offer: &OfferRow) -> Value {
    json!({ "kind": "offer", "site": &*offer.site, "rule": offer.rule.as_deref(), "at": offer.at })
}

fn session_id(row: &Row<'_>) -> Result<PageId, String> {
    PageId::parse(row.name).map_err(|error| error.to_string())
}

/// All that is kept of a session, in the words of rule files where they have one.
fn session_json(session: &Session) -> Value {
    let url = |url: &PageUrl| url.as_str().to_owned();
    let utm = session.utm.as_deref().map(|utm| {
        json!({
            "source": utm.source, "medium": utm.medium, "campaign": utm.campaign,
            "term": utm.term, "content": utm.content,
        })
    });
    let cart = session.cart.map(|cart| {
        json!({
            "value": cart.value.map(|value| value.amount.to_string()),
            "currency": cart.value.and_then(|value| value.currency).map(|it| it.to_string()),
            "items": cart.items,
        })
    });
    let views = session
        .views
        .iter()
        .map(|view| json!({ "view_id": view.id, "url": url(&view.url), "at": view.started_at.0 }));
    let profile = &session.profile;
    let attribute = |(name, value): &(std::sync::Arc<str>, AttributeValue)| {
        let value = match value {
            AttributeValue::Text(text) => json!(text),
            AttributeValue::Number(number) => json!(number),
            AttributeValue::Flag(flag) => json!(flag),
            AttributeValue::List(texts) => json!(texts),
        };
        (name.to_string(), value)
    };
    json!({
        "started_at": session.started_at.0,
        "last_active_at": session.last_active_at.0,
        "page_views": session.page_views,
        "landing_page": session.landing_page.as_ref().map(url),
        "referrer": session.referrer.as_ref().map(url),
        "utm": utm,
        "visited": session.visited.iter().map(url).collect::<Vec<_>>(),
        "views": views.collect::<Vec<_>>(),
        "events": session.events.iter().map(|(name, count)| (name.to_string(), json!(count)))
            .collect::<serde_json::Map<_, _>>(),
        "cart": cart,
        "visitors": session.visitors.iter().map(|it| visitor_name(&it.id)).collect::<Vec<_>>(),
        "name": profile.name,
        "language": profile.language,
        "time_zone": profile.time_zone.map(chrono_tz::Tz::name),
        "attributes": profile.attributes.0.iter().map(attribute)
            .collect::<serde_json::Map<_, _>>(),
        "consent": session.consent.map(|word| match word {
            Consent::Granted => "granted",
            Consent::Denied => "denied",
        }),
        "offers": session.offers,
        "is_held_out": session.is_held_out,
    })
}
