//! What `decide` and `events` have in common: page, cart and visitor as they travel.
//!
//! Must not: know which of them it reads for.

use serde::Deserialize;
use utoipa::ToSchema;

use super::attributes::{self, RawAttributes};
use super::fields::{self, MAX_NAME_BYTES, Number, Scalar, Text, present, prose};
use super::problem::Faults;
use crate::domain::page_url::PageUrl;
use crate::domain::visit::{Cart, Consent, Page, Profile};

/// The longest title kept, in characters.
pub const MAX_TITLE_CHARS: usize = 512;
/// The longest visitor's name kept, in characters.
pub const MAX_VISITOR_NAME_CHARS: usize = 128;

/// The page in view and what was seen of it.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = Page)]
pub struct PageBody<'a> {
    /// Its absolute address, http or https, at most 8,192 bytes.
    #[serde(borrow)]
    #[schema(value_type = String, required = true, max_length = 8192, example = "https://shop.example/pricing?utm_source=news")]
    pub url: Option<Text<'a>>,
    /// `document.referrer`. What is not http or https counts as missing.
    #[serde(borrow)]
    #[schema(value_type = Option<String>, example = "https://www.google.com/")]
    pub referrer: Option<Text<'a>>,
    /// `document.title`; the first 512 characters count.
    #[serde(borrow)]
    #[schema(value_type = Option<String>, example = "Pricing")]
    pub title: Option<Text<'a>>,
    /// Names this view of the page; a new one for each page view.
    #[serde(borrow)]
    #[schema(value_type = Option<String>, max_length = 64, example = "a1")]
    pub view_id: Option<Text<'a>>,
    /// For how long the page was visible, in milliseconds.
    #[schema(value_type = Option<f64>, minimum = 0, example = 0)]
    pub time_on_page_ms: Option<Number>,
    /// For how long the visitor did nothing, in milliseconds.
    #[schema(value_type = Option<f64>, minimum = 0, example = 0)]
    pub idle_ms: Option<Number>,
    /// The deepest point reached on this page.
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 100, example = 0)]
    pub scroll_percent: Option<Number>,
    /// `navigator.maxTouchPoints`: tells an iPad from a Mac.
    #[schema(value_type = Option<f64>, minimum = 0)]
    pub touch_points: Option<Number>,
}

/// The shopping cart. What is left out is unknown.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = Cart)]
pub struct CartBody<'a> {
    /// What it is worth: decimal text, or a number.
    #[serde(borrow)]
    #[schema(schema_with = amount_schema)]
    pub value: Option<Scalar<'a>>,
    /// ISO 4217 code; left out, the site's own currency.
    #[serde(borrow)]
    #[schema(value_type = Option<String>, pattern = "^([A-Za-z]{3})?$", example = "EUR")]
    pub currency: Option<Text<'a>>,
    /// How many things are in it.
    #[schema(value_type = Option<f64>, minimum = 0, example = 3)]
    pub items: Option<Number>,
}

/// What the page says of its visitor.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[schema(as = Visitor)]
pub struct VisitorBody<'a> {
    /// A name to greet by; the first 128 characters count.
    #[serde(borrow)]
    #[schema(value_type = Option<String>, example = "Aiko")]
    pub name: Option<Text<'a>>,
    /// A BCP 47 tag; anything else counts as missing.
    #[serde(borrow)]
    #[schema(value_type = Option<String>, example = "ja")]
    pub language: Option<Text<'a>>,
    /// A zone of the IANA database; anything else counts as missing.
    #[serde(borrow)]
    #[schema(value_type = Option<String>, example = "Asia/Tokyo")]
    pub time_zone: Option<Text<'a>>,
    /// The site's own attributes.
    #[serde(borrow)]
    #[schema(schema_with = attributes::schema)]
    pub attributes: Option<RawAttributes<'a>>,
}

/// An amount in OpenAPI: decimal text or a number.
#[must_use]
pub fn amount_schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
    use utoipa::openapi::schema::{ObjectBuilder, OneOfBuilder, Type};
    OneOfBuilder::new()
        .item(
            ObjectBuilder::new()
                .schema_type(Type::String)
                .pattern(Some(r"^([0-9]+(\.[0-9]{1,4})?)?$")),
        )
        .item(ObjectBuilder::new().schema_type(Type::Number).minimum(Some(0.0)))
        .item(ObjectBuilder::new().schema_type(Type::Null))
        .examples([serde_json::json!("129.90")])
        .into()
}

impl PageBody<'_> {
    /// Checks a page; `None` where its URL is wrong.
    pub fn parse(self, base: &str, faults: &mut Faults) -> Option<Page> {
        let at = |field: &'static str| move || format!("{base}/{field}");
        let url = match present(self.url) {
            None => {
                faults.add(at("url")(), "is required");
                None
            }
            Some(text) => PageUrl::parse(&text)
                .map_err(|error| faults.add(at("url")(), error.to_string()))
                .ok(),
        };
        let view_id = fields::name(self.view_id, MAX_NAME_BYTES, at("view_id"), faults);
        let time_on_page = fields::millis(self.time_on_page_ms, at("time_on_page_ms"), faults);
        let idle = fields::millis(self.idle_ms, at("idle_ms"), faults);
        let scroll_percent = fields::percent(self.scroll_percent, at("scroll_percent"), faults);
        Some(Page {
            url: url?,
            // Apps and local files are referrers that no rule could name.
            referrer: present(self.referrer).and_then(|text| PageUrl::parse(&text).ok()),
            title: prose(self.title, MAX_TITLE_CHARS),
            view_id,
            time_on_page,
            idle,
            scroll_percent,
        })
    }
}

impl CartBody<'_> {
    /// Checks a cart.
    pub fn parse(self, base: &str, faults: &mut Faults) -> Cart {
        Cart {
            value: fields::money(self.value, self.currency, base, faults),
            items: fields::count(self.items, || format!("{base}/items"), faults),
        }
    }
}

impl VisitorBody<'_> {
    /// Checks what a page says of its visitor.
    pub fn parse(self, base: &str, faults: &mut Faults) -> Profile {
        Profile {
            name: prose(self.name, MAX_VISITOR_NAME_CHARS),
            language: present(self.language).and_then(|text| fields::language(&text)),
            time_zone: present(self.time_zone).and_then(|text| text.parse().ok()),
            attributes: attributes::parse(self.attributes, &format!("{base}/attributes"), faults),
        }
    }
}

/// Checks what a visitor said to consent.
pub fn consent(text: Option<Text<'_>>, faults: &mut Faults) -> Option<Consent> {
    match present(text)?.as_ref() {
        "granted" => Some(Consent::Granted),
        "denied" => Some(Consent::Denied),
        other => {
            faults.add("/consent", format!("must be `granted`, `denied` or null, not `{other}`"));
            None
        }
    }
}
