//! The table of fields: what a rule may ask about, one row each.
//!
//! A new field is a row here; a new type of condition is a file in `kinds/` and a row here.

use std::borrow::Cow;
use std::sync::Arc;

use super::kinds::ConditionType;
use super::kinds::amount::{AmountType, Asked, Growth, Unit};
use super::kinds::attribute::AttributeType;
use super::kinds::flag::FlagType;
use super::kinds::local_time::LocalTimeType;
use super::kinds::text::{Known, Spelling, TextType, Texts};
use super::kinds::url::UrlType;
use super::kinds::visited::VisitedType;
use super::known;
use super::sample::{Given, Sample};
use crate::domain::facts::Facts;
use crate::domain::session::Utm;
use crate::domain::time::Timestamp;
use crate::domain::visit::{Device, DeviceKind, EXIT_INTENT, EventKind, Place};

/// A field of a visit.
pub struct Field {
    /// Its name; with a parameter, what stands before it: `page.query`.
    pub name: &'static str,
    /// What the rest of the name chooses, where the field has a parameter.
    pub parameter: Parameter,
    /// What it is, in a sentence.
    pub about: &'static str,
    /// A condition on it, as a rule file writes it.
    pub example: &'static str,
    /// Its type of condition.
    pub condition: &'static dyn ConditionType,
    /// Sets it in an example's visit: visit, parameter, value.
    pub set: fn(&mut Sample, &str, &Given<'_>) -> Result<(), String>,
}

/// The part of a field's name that a rule chooses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// There is none.
    None,
    /// Any name.
    Any(&'static str),
    /// One of these.
    OneOf(&'static [&'static str]),
}

const UTM: &[&str] = &["source", "medium", "campaign", "term", "content"];

macro_rules! rows {
    ($($name:literal $(/ $parameter:expr)?, $about:literal, $example:literal,
       $condition:expr, $set:expr;)*) => {
        /// Every field.
        pub static FIELDS: &[Field] = &[$(Field {
            name: $name,
            parameter: rows!(@parameter $($parameter)?),
            about: $about,
            example: $example,
            condition: &$condition,
            set: $set,
        },)*];
    };
    (@parameter) => { Parameter::None };
    (@parameter $parameter:expr) => { $parameter };
}

const fn free(read: for<'a> fn(&Facts<'a>, &str) -> Texts<'a>) -> TextType {
    TextType { spelling: Spelling::Free, read }
}

const fn spelled(spelling: Spelling, read: for<'a> fn(&Facts<'a>, &str) -> Texts<'a>) -> TextType {
    TextType { spelling, read }
}

const fn one_of(known: Known, read: for<'a> fn(&Facts<'a>, &str) -> Texts<'a>) -> TextType {
    TextType { spelling: Spelling::Known(known), read }
}

const fn flag(read: for<'a> fn(&Facts<'a>, Option<&str>) -> Option<bool>) -> FlagType {
    FlagType { read, is_exit_intent: false }
}

const fn amount(
    unit: Unit,
    growth: Growth,
    read: for<'a> fn(&Facts<'a>, Asked<'_>) -> Option<i64>,
) -> AmountType {
    AmountType { unit, growth, read }
}

const fn since(read: for<'a> fn(&Facts<'a>) -> Option<Timestamp>) -> SinceType {
    read
}
type SinceType = for<'a> fn(&Facts<'a>) -> Option<Timestamp>;

fn elapsed(facts: &Facts<'_>, read: SinceType) -> Option<i64> {
    read(facts).map(|at| (facts.now - at).0.max(0))
}

fn place<'a>(facts: &Facts<'a>) -> &'a Place {
    &facts.visit.place
}

fn device<'a>(facts: &Facts<'a>) -> &'a Device {
    &facts.visit.device
}

fn utm<'a>(facts: &Facts<'a>, name: &str) -> Option<&'a str> {
    let utm: &Utm = facts.session.utm.as_deref()?;
    match name {
        "source" => utm.source.as_deref(),
        "medium" => utm.medium.as_deref(),
        "campaign" => utm.campaign.as_deref(),
        "term" => utm.term.as_deref(),
        _ => utm.content.as_deref(),
    }
}

fn money(facts: &Facts<'_>, asked: Asked<'_>) -> Option<i64> {
    let value = facts.session.cart?.value?;
    let currency = value.currency.unwrap_or(asked.site_currency);
    (Some(currency) == asked.currency).then_some(value.amount.0)
}

fn not_settable(_: &mut Sample, _: &str, _: &Given<'_>) -> Result<(), String> {
    Err("cannot be set; give `at` and visitor.time_zone".to_owned())
}

rows! {
    "page.url", "The address of the page in view.",
        "page.url: { matches: /products/:id }",
        UrlType { read: |f| Some(&f.page.url) },
        |s, _, v| { let url = v.url(&s.page.url)?; s.set_url(url); Ok(()) };
    "page.host", "Its host name.",
        "page.host: shop.example",
        spelled(Spelling::Host, |f, _| Texts::maybe(Some(f.page.url.host()))),
        |s, _, v| s.change_url(|url| { let _ = url.set_host(Some(v.text)); });
    "page.path", "Its path, from the first / on.",
        "page.path: { under: /pricing }",
        spelled(Spelling::Path, |f, _| Texts::maybe(Some(f.page.url.path()))),
        |s, _, v| s.change_url(|url| { url.set_path(v.text); url.set_query(None); });
    "page.fragment", "What stands after its #.",
        "page.fragment: reviews",
        spelled(Spelling::Fragment, |f, _| Texts::maybe(f.page.url.fragment())),
        |s, _, v| s.change_url(|url| url.set_fragment(Some(v.text)));
    "page.title", "Its title.",
        "page.title: { contains: sale }",
        free(|f, _| Texts::maybe(f.page.title.as_deref())),
        |s, _, v| { s.page.title = v.shared(); Ok(()) };
    "page.referrer", "The page that led to it.",
        "page.referrer: { starts_with: https://blog.example/ }",
        UrlType { read: |f| f.page.referrer.as_ref() },
        |s, _, v| { s.page.referrer = Some(v.url(&s.page.url)?); Ok(()) };
    "page.referrer_host", "The host of the page that led to it.",
        "page.referrer_host: { ends_with: .google.com }",
        spelled(Spelling::Host, |f, _| Texts::maybe(f.page.referrer.as_ref().map(super::super::domain::page_url::PageUrl::host))),
        |s, _, v| {
            let whole = format!("https://{}/", v.text);
            let given = Given { text: &whole, items: Vec::new(), site: v.site };
            s.page.referrer = Some(given.url(&s.page.url)?);
            Ok(())
        };
    "page.query" / Parameter::Any("the parameter's name"), "A parameter of its query.",
        "page.query.ref: newsletter",
        free(|f, name| f.page.url.query_value(name).map_or(Texts::Missing, Texts::One)),
        |s, name, v| s.change_url(|url| { url.query_pairs_mut().append_pair(name, v.text); });
    "page.time_on_page", "How long the page has been in view; time in other tabs does not count.",
        "page.time_on_page: { at_least: 30s }",
        amount(Unit::Duration, Growth::WithTime, |f, _| f.time_on_page().map(|t| t.0)),
        |s, _, v| { s.page.time_on_page = Some(v.duration()?); Ok(()) };
    "page.idle", "How long the visitor has done nothing.",
        "page.idle: { at_least: 45s }",
        amount(Unit::Duration, Growth::WhileIdle, |f, _| f.page.idle.map(|t| t.0)),
        |s, _, v| { s.page.idle = Some(v.duration()?); Ok(()) };
    "page.scroll_percent", "The deepest point reached on the page, in percent of its height.",
        "page.scroll_percent: { at_least: 50 }",
        amount(Unit::Percent, Growth::ByScroll, |f, _| f.page.scroll_percent.map(i64::from)),
        |s, _, v| {
            let percent = super::values::whole_percent(v.text)?;
            s.page.scroll_percent = u8::try_from(percent).ok();
            Ok(())
        };
    "session.duration", "How long the session has lasted.",
        "session.duration: { at_least: 60s }",
        amount(Unit::Duration, Growth::WithTime, |f, _| {
            elapsed(f, since(|f| Some(f.session.started_at)))
        }),
        |s, _, v| { s.session.started_at = s.now - v.duration()?; Ok(()) };
    "session.page_views", "How many pages came into view in this session.",
        "session.page_views: { at_least: 3 }",
        amount(Unit::Count, Growth::None, |f, _| Some(i64::from(f.session.page_views))),
        |s, _, v| { s.session.page_views = v.count()?; Ok(()) };
    "session.landing_page", "The page the session began on.",
        "session.landing_page: { under: /campaign }",
        UrlType { read: |f| f.session.landing_page.as_ref() },
        |s, _, v| { s.session.landing_page = Some(v.url(&s.page.url)?); Ok(()) };
    "session.referrer", "The page that led to the session.",
        "session.referrer: { under: https://news.example/tips }",
        UrlType { read: |f| f.session.referrer.as_ref() },
        |s, _, v| { s.session.referrer = Some(v.url(&s.page.url)?); Ok(()) };
    "session.referrer_host", "The host of the page that led to the session.",
        "session.referrer_host: [www.google.com, www.bing.com]",
        spelled(Spelling::Host, |f, _| {
            Texts::maybe(f.session.referrer.as_ref().map(super::super::domain::page_url::PageUrl::host))
        }),
        |s, _, v| {
            let whole = format!("https://{}/", v.text);
            let given = Given { text: &whole, items: Vec::new(), site: v.site };
            s.session.referrer = Some(given.url(&s.page.url)?);
            Ok(())
        };
    "session.visited", "The pages seen in this session (the newest 50); one that fits suffices.",
        "session.visited: { under: /products, count: 3 }",
        VisitedType,
        |s, _, v| s.set_visited(&v.items);
    "session.utm" / Parameter::OneOf(UTM), "A parameter of the newest campaign link.",
        "session.utm.campaign: summer",
        free(|f, name| Texts::maybe(utm(f, name))),
        |s, name, v| { s.set_utm(name, v.shared()); Ok(()) };
    "session.events" / Parameter::Any("the event's name"),
        "How often one of the site's own events happened in this session.",
        "session.events.form_error: { at_least: 2 }",
        amount(Unit::Count, Growth::ByEvent, |f, asked| {
            Some(i64::from(f.session.event_count(asked.parameter)))
        }),
        |s, name, v| { let count = v.count()?; s.set_events(name, count); Ok(()) };
    "visitor.identified", "Whether the site told who the visitor is, by a signed token.",
        "visitor.identified: true",
        flag(|f, _| Some(f.is_identified())),
        |s, _, v| { s.visit.identity = v.flag()?.then(|| "example".into()); Ok(()) };
    "visitor.returning", "Whether the visitor was here before this session.",
        "visitor.returning: true",
        flag(|f, _| Some(f.is_returning())),
        |s, _, v| { s.history.sessions = if v.flag()? { 2 } else { 1 }; Ok(()) };
    "visitor.sessions", "How many sessions the visitor has had, this one included.",
        "visitor.sessions: { at_least: 3 }",
        amount(Unit::Count, Growth::None, |f, _| Some(i64::from(f.history.sessions.max(1)))),
        |s, _, v| { s.history.sessions = v.count()?; Ok(()) };
    "visitor.language", "The language the visitor likes best.",
        "visitor.language: [ja, en]",
        spelled(Spelling::Language, |f, _| {
            f.languages().next().map_or(Texts::Missing, |tag| Texts::One(Cow::Owned(tag.to_owned())))
        }),
        |s, _, v| { s.session.profile.language = v.shared(); Ok(()) };
    "visitor.time_zone", "The visitor's time zone.",
        "visitor.time_zone: { starts_with: Europe/ }",
        one_of(known::TIME_ZONE, |f, _| Texts::maybe(f.session.profile.time_zone.map(chrono_tz::Tz::name))),
        |s, _, v| { s.session.profile.time_zone = Some(v.zone()?); Ok(()) };
    "visitor.local_time", "The time on the visitor's own clock, else the clock of the place.",
        "visitor.local_time: { during: \"Mo-Fr 18:00-22:00\" }",
        LocalTimeType,
        not_settable;
    "visitor.last_prompt", "The time since the visitor last saw a prompt.",
        "visitor.last_prompt: { more_than: 7d }",
        amount(Unit::Duration, Growth::WithTime, |f, _| {
            elapsed(f, since(|f| f.history.last_prompt()))
        }),
        |s, _, v| { let ago = v.duration()?; s.set_last_prompt(ago); Ok(()) };
    "visitor.last_dismissal", "The time since the visitor last closed a prompt.",
        "visitor.last_dismissal: { more_than: 30d }",
        amount(Unit::Duration, Growth::WithTime, |f, _| {
            elapsed(f, since(|f| f.history.last_dismissal))
        }),
        |s, _, v| { s.history.last_dismissal = Some(s.now - v.duration()?); Ok(()) };
    "visitor.last_acceptance", "The time since the visitor last took an offer.",
        "visitor.last_acceptance: { exists: false }",
        amount(Unit::Duration, Growth::WithTime, |f, _| {
            elapsed(f, since(|f| f.history.last_acceptance))
        }),
        |s, _, v| { s.history.last_acceptance = Some(s.now - v.duration()?); Ok(()) };
    "visitor.last_chat", "The time since the visitor last began a chat.",
        "visitor.last_chat: { less_than: 1h }",
        amount(Unit::Duration, Growth::WithTime, |f, _| elapsed(f, since(|f| f.history.last_chat))),
        |s, _, v| { s.history.last_chat = Some(s.now - v.duration()?); Ok(()) };
    "visitor.attributes" / Parameter::Any("the attribute's name"),
        "What the site itself says of the visitor; its CRM's word wins over the page's.",
        "visitor.attributes.plan: pro",
        AttributeType,
        |s, name, v| { s.set_attribute(name, v); Ok(()) };
    "location.continent", "The continent the visitor is on.",
        "location.continent: EU",
        one_of(known::CONTINENT, |f, _| Texts::maybe(place(f).continent.as_deref())),
        |s, _, v| { s.place().continent = v.shared(); Ok(()) };
    "location.country", "The country the visitor is in.",
        "location.country: [JP, TW]",
        one_of(known::COUNTRY, |f, _| Texts::maybe(place(f).country.as_deref())),
        |s, _, v| { s.place().country = v.shared(); Ok(()) };
    "location.region", "The region: its ISO 3166-2 code, or its English name.",
        "location.region: [JP-13, Osaka]",
        free(|f, _| {
            Texts::Either(place(f).region_code.as_deref(), place(f).region_name.as_deref())
        }),
        |s, _, v| {
            if v.text.as_bytes().get(2) == Some(&b'-') {
                s.place().region_code = v.shared();
            } else {
                s.place().region_name = v.shared();
            }
            Ok(())
        };
    "location.city", "The city's English name.",
        "location.city: Kyoto",
        free(|f, _| Texts::maybe(place(f).city.as_deref())),
        |s, _, v| { s.place().city = v.shared(); Ok(()) };
    "location.in_eu", "Whether the country is in the European Union.",
        "location.in_eu: true",
        flag(|f, _| place(f).in_eu),
        |s, _, v| { s.place().in_eu = Some(v.flag()?); Ok(()) };
    "location.time_zone", "The time zone of the place.",
        "location.time_zone: Asia/Tokyo",
        one_of(known::TIME_ZONE, |f, _| Texts::maybe(place(f).time_zone.map(chrono_tz::Tz::name))),
        |s, _, v| { s.place().time_zone = Some(v.zone()?); Ok(()) };
    "device.type", "What kind of device it is.",
        "device.type: [smartphone, tablet]",
        one_of(known::DEVICE_TYPE, |f, _| Texts::maybe(Some(device(f).kind.as_str()))),
        |s, _, v| {
            let kind = DeviceKind::ALL.into_iter().find(|kind| kind.as_str() == v.text);
            s.visit.device.kind = kind.ok_or_else(|| format!("`{}` is no type of device", v.text))?;
            Ok(())
        };
    "device.os", "Its operating system.",
        "device.os: iOS",
        one_of(known::OS, |f, _| Texts::maybe(device(f).os)),
        |s, _, v| { s.visit.device.os = known::os(v.text); Ok(()) };
    "device.browser", "Its browser.",
        "device.browser: Safari",
        one_of(known::BROWSER, |f, _| Texts::maybe(device(f).browser)),
        |s, _, v| { s.visit.device.browser = known::browser(v.text); Ok(()) };
    "cart.value", "What the cart is worth; an amount in another currency is missing.",
        "cart.value: { at_least: 20000 JPY }",
        amount(Unit::Money, Growth::None, money),
        |s, _, v| s.set_cart_value(v);
    "cart.items", "How many things are in the cart.",
        "cart.items: { at_least: 1 }",
        amount(Unit::Count, Growth::None, |f, _| f.session.cart?.items.map(i64::from)),
        |s, _, v| { s.cart().items = Some(v.count()?); Ok(()) };
    "agents.online", "How many agents are there, of the prompt's route if that is told apart.",
        "agents.online: { at_least: 1 }",
        amount(Unit::Count, Growth::None, |f, asked| {
            f.agents.of(asked.route).map(|a| i64::from(a.online))
        }),
        |s, _, v| { s.agents().online = v.count()?; Ok(()) };
    "agents.waiting", "How many visitors wait for an agent.",
        "agents.waiting: { at_most: 3 }",
        amount(Unit::Count, Growth::None, |f, asked| {
            f.agents.of(asked.route)?.waiting.map(i64::from)
        }),
        |s, _, v| { s.agents().waiting = Some(v.count()?); Ok(()) };
    "agents.available", "Whether an agent is there with room for one more than wait already.",
        "agents.available: true",
        flag(|f, route| f.agents.of(route).map(|agents| agents.are_available())),
        |s, _, v| { s.agents().online = u32::from(v.flag()?); Ok(()) };
    "signal.exit_intent", "Whether the visitor is about to leave: true only as it is reported.",
        "signal.exit_intent: true",
        FlagType { is_exit_intent: true, read: |f, _| Some(f.visit.event.kind.is_exit_intent()) },
        |s, _, v| {
            if v.flag()? {
                s.visit.event.kind = EventKind::Signal { name: EXIT_INTENT.into() };
            }
            Ok(())
        };
}

/// The field of that full name, and the part of it that the rule chose.
#[must_use]
pub fn find(name: &str) -> Option<(&'static Field, Arc<str>)> {
    FIELDS.iter().find_map(|field| match field.parameter {
        Parameter::None => (field.name == name).then(|| (field, Arc::from(""))),
        Parameter::Any(_) => {
            let part = name.strip_prefix(field.name)?.strip_prefix('.')?;
            (!part.is_empty() && part.len() <= 64).then(|| (field, Arc::from(part)))
        }
        Parameter::OneOf(known) => {
            let part = name.strip_prefix(field.name)?.strip_prefix('.')?;
            known.contains(&part).then(|| (field, Arc::from(part)))
        }
    })
}

/// Every name that a field can be written by; a free part stands as `<name>`.
pub fn names() -> impl Iterator<Item = String> {
    FIELDS.iter().flat_map(|field| match field.parameter {
        Parameter::None => vec![field.name.to_owned()],
        Parameter::Any(_) => vec![format!("{}.<name>", field.name)],
        Parameter::OneOf(known) => {
            known.iter().map(|part| format!("{}.{part}", field.name)).collect()
        }
    })
}
