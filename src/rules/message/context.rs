//! What a template can ask about: one moment of one visit, by name.
//!
//! Values are worked out when they are asked for; the next opening time alone may cost more than
//! all of the rest.
//!
//! Must not: decide what a name means in a condition; these are for people to read.

use std::fmt;
use std::sync::Arc;

use chrono::format::{Item, StrftimeItems};
use chrono::{DateTime, Locale};
use chrono_tz::Tz;
use minijinja::Value;
use minijinja::value::{Object, ObjectRepr};

use crate::domain::facts::Facts;
use crate::domain::ids::VisitorId;
use crate::domain::money::{Amount, Currency, Money};
use crate::domain::page_url::PageUrl;
use crate::domain::time::Timestamp;
use crate::domain::visit::{AttributeValue, Attributes, Cart, Place};
use crate::rules::hours::Hours;
use crate::rules::language;

/// From so many days on a weekday alone does not say which one is meant.
const DAYS_NAMED_BY_WEEKDAY: i64 = 7;

/// What a template sees besides the facts.
#[derive(Debug, Clone, Copy)]
pub struct Surroundings<'a> {
    /// The site's `variables`.
    pub variables: &'a [(Arc<str>, Arc<str>)],
    /// The site's `hours`.
    pub hours: &'a [(Arc<str>, Arc<Hours>)],
    /// The site's currency: that of amounts that name none.
    pub currency: Option<Currency>,
    /// The BCP 47 tag of the language the text is in: weekdays are named in it.
    pub language: &'a str,
}

/// The names that templates may use, filled in for one visitor at one moment.
#[must_use]
pub fn context(facts: &Facts<'_>, surroundings: &Surroundings<'_>) -> Value {
    let session = facts.session;
    let is_identity = |id: &VisitorId| matches!(id, VisitorId::Identity(_));
    Value::from_object(Root {
        now: facts.now,
        name: session.profile.name.clone(),
        language: facts.languages().next().map(Arc::from),
        time_zone: facts.time_zone(),
        is_identified: facts.visit.identity.is_some()
            || session.visitors.iter().any(|visitor| is_identity(&visitor.id)),
        is_returning: facts.is_returning(),
        sessions: facts.history.sessions,
        attributes: session.profile.attributes.clone(),
        crm: facts.history.crm.clone(),
        place: facts.visit.place.clone(),
        cart: session.cart.unwrap_or_default(),
        url: facts.page.url.clone(),
        title: facts.page.title.clone(),
        variables: surroundings.variables.to_vec(),
        hours: surroundings.hours.to_vec(),
        currency: surroundings.currency,
        locale: language::locale(surroundings.language),
    })
}

/// The cart's value as people write it: with the decimal places of its currency.
pub(super) fn amount(context: &Value, value: &Value) -> String {
    let money = context.downcast_object_ref::<Root>().and_then(Root::money);
    money.map_or_else(
        || {
            let mut out = String::new();
            super::print(value, &mut out);
            out
        },
        |(amount, currency)| written(amount, currency),
    )
}

/// `129.90`, `20000`; more places only where the amount has them.
fn written(amount: Amount, currency: Option<Currency>) -> String {
    let text = amount.to_string();
    let places = text.split_once('.').map_or(0, |(_, places)| places.len());
    let wanted = match currency.as_ref().map(Currency::as_str) {
        // ISO 4217's currencies without minor units, and those with three places.
        Some(
            "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX"
            | "UYI" | "VND" | "VUV" | "XAF" | "XOF" | "XPF",
        ) => 0,
        Some("BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND") => 3,
        None if places == 0 => 0,
        _ => 2,
    };
    if places >= wanted {
        return text;
    }
    let point = if places == 0 { "." } else { "" };
    format!("{text}{point}{}", "0".repeat(wanted - places))
}

#[derive(Debug)]
struct Root {
    now: Timestamp,
    name: Option<Arc<str>>,
    language: Option<Arc<str>>,
    time_zone: Option<Tz>,
    is_identified: bool,
    is_returning: bool,
    sessions: u32,
    attributes: Attributes,
    crm: Option<Arc<Attributes>>,
    place: Arc<Place>,
    cart: Cart,
    url: PageUrl,
    title: Option<Arc<str>>,
    variables: Vec<(Arc<str>, Arc<str>)>,
    hours: Vec<(Arc<str>, Arc<Hours>)>,
    currency: Option<Currency>,
    locale: Locale,
}

impl Root {
    fn money(&self) -> Option<(Amount, Option<Currency>)> {
        let Money { amount, currency } = self.cart.value?;
        Some((amount, currency.or(self.currency)))
    }

    fn moment(&self, hours: &Hours) -> Option<Value> {
        let at = hours.next_open(self.now)?;
        let now = self.now.to_utc()?.with_timezone(&hours.zone());
        Some(Value::from_object(Moment { at, now, locale: self.locale }))
    }

    fn attribute(&self, name: &str) -> Option<Value> {
        let crm = self.crm.as_deref().and_then(|crm| crm.get(name));
        crm.or_else(|| self.attributes.get(name)).map(|value| match value {
            AttributeValue::Text(text) => Value::from(text.clone()),
            AttributeValue::Number(number) => Value::from(*number),
            AttributeValue::Flag(flag) => Value::from(*flag),
            AttributeValue::List(list) => {
                list.iter().map(|text| Value::from(text.clone())).collect()
            }
        })
    }
}

/// The part of the names under that path; shares the root.
#[derive(Debug)]
struct Branch {
    root: Arc<Root>,
    path: Path,
}

#[derive(Debug, Clone, Copy)]
enum Path {
    Visitor,
    Attributes,
    Location,
    Cart,
    Page,
    Query,
    Variables,
    Hours,
    /// The hours of that place in the list.
    HoursNamed(usize),
}

impl Object for Root {
    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let path = match key {
            "visitor" => Path::Visitor,
            "location" => Path::Location,
            "cart" => Path::Cart,
            "page" => Path::Page,
            "variables" => Path::Variables,
            "hours" => Path::Hours,
            _ => return None,
        };
        Some(Value::from_object(Branch { root: self.clone(), path }))
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }
}

impl Object for Branch {
    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        let root = &self.root;
        let text = |text: &Option<Arc<str>>| text.clone().map(Value::from);
        let branch = |path| Some(Value::from_object(Self { root: self.root.clone(), path }));
        match (self.path, key) {
            (Path::Visitor, "name") => text(&root.name),
            (Path::Visitor, "language") => text(&root.language),
            (Path::Visitor, "time_zone") => root.time_zone.map(|zone| Value::from(zone.name())),
            (Path::Visitor, "identified") => Some(Value::from(root.is_identified)),
            (Path::Visitor, "returning") => Some(Value::from(root.is_returning)),
            (Path::Visitor, "sessions") => Some(Value::from(root.sessions)),
            (Path::Visitor, "attributes") => branch(Path::Attributes),
            (Path::Attributes, name) => root.attribute(name),
            (Path::Location, "continent") => text(&root.place.continent),
            (Path::Location, "country") => text(&root.place.country),
            (Path::Location, "region") => {
                text(&root.place.region_name).or_else(|| text(&root.place.region_code))
            }
            (Path::Location, "city") => text(&root.place.city),
            (Path::Location, "in_eu") => root.place.in_eu.map(Value::from),
            (Path::Location, "time_zone") => {
                root.place.time_zone.map(|zone| Value::from(zone.name()))
            }
            (Path::Cart, "value") => root.money().map(|(amount, _)| number(amount)),
            (Path::Cart, "currency") => {
                root.money().and_then(|(_, currency)| Some(Value::from(currency?.as_str())))
            }
            (Path::Cart, "items") => root.cart.items.map(Value::from),
            (Path::Page, "url") => Some(Value::from(root.url.as_str())),
            (Path::Page, "host") => Some(Value::from(root.url.host())),
            (Path::Page, "path") => Some(Value::from(root.url.path())),
            (Path::Page, "title") => text(&root.title),
            (Path::Page, "query") => branch(Path::Query),
            (Path::Query, name) => {
                let value = root.url.query_value(name)?;
                (!value.trim().is_empty()).then(|| Value::from(value.into_owned()))
            }
            (Path::Variables, name) => {
                let variable = root.variables.iter().find(|(known, _)| &**known == name);
                variable.map(|(_, value)| Value::from(value.clone()))
            }
            (Path::Hours, name) => {
                let index = root.hours.iter().position(|(known, _)| &**known == name)?;
                branch(Path::HoursNamed(index))
            }
            (Path::HoursNamed(index), "next_open") => {
                root.hours.get(index).and_then(|(_, hours)| root.moment(hours))
            }
            _ => None,
        }
    }

    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }
}

/// An amount to calculate and compare with.
#[expect(clippy::cast_precision_loss, reason = "amounts beyond 2^53 are not worth a prompt")]
fn number(amount: Amount) -> Value {
    if amount.0 % Amount::SCALE == 0 {
        Value::from(amount.0 / Amount::SCALE)
    } else {
        Value::from(amount.0 as f64 / Amount::SCALE as f64)
    }
}

/// A moment in a zone, written in a language.
#[derive(Debug)]
pub(super) struct Moment {
    at: DateTime<Tz>,
    /// Now, in the same zone: today's times need no weekday.
    now: DateTime<Tz>,
    locale: Locale,
}

impl Moment {
    /// By strftime's letters; a format that has none of them right gives nothing.
    pub(super) fn format(&self, format: &str) -> String {
        let items: Vec<Item<'_>> = StrftimeItems::new_with_locale(format, self.locale).collect();
        if items.iter().any(|item| matches!(item, Item::Error)) {
            return String::new();
        }
        self.at.format_localized_with_items(items.iter(), self.locale).to_string()
    }
}

impl Object for Moment {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        ObjectRepr::Plain
    }

    fn render(self: &Arc<Self>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let days = (self.at.date_naive() - self.now.date_naive()).num_days();
        let format = match days {
            0 => "%H:%M",
            1..DAYS_NAMED_BY_WEEKDAY => "%A %H:%M",
            _ => match self.locale.to_string().split('_').next().unwrap_or_default() {
                "ja" | "zh" => "%-m月%-d日 %A %H:%M",
                "ko" => "%-m월 %-d일 %A %H:%M",
                _ => "%A %-d %B %H:%M",
            },
        };
        f.write_str(&self.format(format))
    }
}
