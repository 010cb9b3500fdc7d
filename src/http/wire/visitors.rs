//! `PUT` and `GET /v1/sites/{site}/visitors/{id}`: what the CRM says of a visitor, and what is
//! stored.
//!
//! Must not: look anything up, or write out more than the history it is given.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::attributes::{self, AttributesOut, RawAttributes};
use super::json;
use super::problem::{Faults, Problem};
use crate::domain::history::History;
use crate::domain::time::Timestamp;
use crate::domain::visit::Attributes;

/// What the CRM says of a visitor, in place of what it said before.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = VisitorRequest, example = json!({ "attributes": { "plan": "pro", "seats": 12 } }))]
pub struct VisitorPutBody<'a> {
    /// The attributes.
    #[serde(borrow)]
    #[schema(schema_with = attributes::schema, required = true)]
    attributes: Option<RawAttributes<'a>>,
}

/// What is stored of a visitor.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VisitorAnswer)]
pub struct VisitorAnswerBody<'a> {
    /// The site.
    site: &'a str,
    /// Who the visitor is to the site.
    id: &'a str,
    /// What the CRM says.
    #[schema(schema_with = attributes::schema, required = true)]
    attributes: AttributesOut<'a>,
    /// Sessions begun.
    sessions: u32,
    /// Whether the visitor asked never to be prompted.
    opted_out: bool,
    /// The newest offers.
    offers: Vec<OfferBody>,
    /// The last offer of each rule.
    rules: Vec<RuleBody<'a>>,
    /// When a prompt was last dismissed.
    #[schema(required = true)]
    last_dismissal: Option<String>,
    /// When one was last accepted.
    #[schema(required = true)]
    last_acceptance: Option<String>,
    /// When a chat last began.
    #[schema(required = true)]
    last_chat: Option<String>,
}

/// One offer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VisitorOffer)]
struct OfferBody {
    /// When, in RFC 3339.
    at: Option<String>,
    /// Whether it was shown; false for the silent ones of a holdout.
    shown: bool,
}

/// The last offer of a rule.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = VisitorRule)]
struct RuleBody<'a> {
    /// The rule.
    rule: &'a str,
    /// When, in RFC 3339.
    last_offer: Option<String>,
}

/// Reads what the CRM says.
///
/// # Errors
/// A 400 with everything that is wrong.
pub fn parse_visitor(body: &[u8]) -> Result<Attributes, Problem> {
    let body: VisitorPutBody<'_> = json::object(json::text(body)?).map_err(Faults::into_problem)?;
    let mut faults = Faults::default();
    if body.attributes.is_none() {
        faults.add("/attributes", "is required: an object, `{}` for none");
    }
    let attributes = attributes::parse(body.attributes, "/attributes", &mut faults);
    if faults.is_empty() { Ok(attributes) } else { Err(faults.into_problem()) }
}

/// What is stored of a visitor, as JSON text.
#[must_use]
pub fn visitor_json(site: &str, id: &str, history: &History) -> Vec<u8> {
    let none = Attributes::default();
    let body = VisitorAnswerBody {
        site,
        id,
        attributes: AttributesOut(history.crm.as_deref().unwrap_or(&none)),
        sessions: history.sessions,
        opted_out: history.is_opted_out,
        offers: history
            .offers
            .iter()
            .map(|offer| OfferBody { at: rfc3339(offer.at), shown: offer.is_prompt })
            .collect(),
        rules: history
            .rules
            .iter()
            .map(|offers| RuleBody { rule: &offers.rule, last_offer: rfc3339(offers.last_at) })
            .collect(),
        last_dismissal: history.last_dismissal.and_then(rfc3339),
        last_acceptance: history.last_acceptance.and_then(rfc3339),
        last_chat: history.last_chat.and_then(rfc3339),
    };
    // Nothing in it has no form in JSON.
    serde_json::to_vec(&body).unwrap_or_default()
}

fn rfc3339(at: Timestamp) -> Option<String> {
    Some(at.to_utc()?.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn attributes_come_back() {
        let attributes = parse_visitor(br#"{"attributes":{"plan":"pro"}}"#).unwrap();
        let history = History {
            sessions: 2,
            last_chat: Some(Timestamp(0)),
            crm: Some(Arc::new(attributes)),
            ..History::default()
        };
        let json: serde_json::Value =
            serde_json::from_slice(&visitor_json("demo-shop", "customer-7", &history)).unwrap();
        assert_eq!(json["attributes"], serde_json::json!({ "plan": "pro" }));
        assert_eq!(json["last_chat"], "1970-01-01T00:00:00.000Z");
        assert_eq!(json["last_dismissal"], serde_json::Value::Null);
        assert_eq!(parse_visitor(b"{}").unwrap_err().errors[0].pointer, "/attributes");
    }
}
