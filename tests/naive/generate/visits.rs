//! Moments of visits: session, history, page, request, agents and the time.
//!
//! Must not: know rules, beyond their ids.

use std::sync::Arc;

use koekake::domain::facts::{AgentBoard, Agents};
use koekake::domain::history::{History, Offer, RuleOffers, SessionMark};
use koekake::domain::ids::{PageId, VisitorId, VisitorKey};
use koekake::domain::money::{Amount, Currency, Money};
use koekake::domain::page_url::PageUrl;
use koekake::domain::session::{Session, Utm, View};
use koekake::domain::time::{Millis, Timestamp};
use koekake::domain::visit::{
    AttributeValue, Attributes, Cart, Consent, Device, DeviceKind, Event, EventKind, Page, Place,
    Profile, Visit,
};
use proptest::collection::vec;
use proptest::option::{of, weighted};
use proptest::prelude::*;
use proptest::sample::select;

use super::SITE;
use super::rules::IDS;

/// All of a case but its rules.
#[derive(Debug)]
pub struct Moment {
    pub session: Session,
    pub mark: SessionMark,
    pub history: History,
    pub visit: Visit,
    pub page: Page,
    pub agents: AgentBoard,
    pub now: Timestamp,
}

/// Moments at which calendars do something: ends of days, holidays, clocks put forward and back.
const MOMENTS: &[&str] = &[
    "2026-11-20T09:00:00+09:00", // Friday
    "2026-11-20T18:00:00+09:00",
    "2026-11-21T17:00:00+09:00", // Saturday
    "2026-11-23T09:00:00+09:00", // Labour Thanksgiving Day, a Monday
    "2026-11-24T00:00:00+09:00",
    "2026-09-22T12:00:00+09:00", // a holiday between two others
    "2027-03-22T10:00:00+09:00", // the substitute of a Sunday
    "2026-10-31T15:00:00Z",
    "2026-12-31T23:59:59Z",
    "2026-12-31T15:00:00Z",
    "2026-10-25T01:00:00Z", // Berlin back
    "2027-03-28T01:00:00Z", // Berlin forward
    "2026-11-01T06:00:00Z", // New York back
    "2027-03-14T07:00:00Z", // New York forward
    "2027-04-03T15:00:00Z", // Lord Howe back, by half an hour
    "2026-11-25T02:00:00Z",
    "2026-11-26T13:00:00Z",
];

const PAGES: &[&str] = &[
    "https://shop.example/",
    "https://shop.example/pricing",
    "https://shop.example/pricing",
    "https://shop.example/pricing?plan=pro&utm_source=news",
    "https://shop.example/pricing/plans",
    "https://shop.example/pricing-old?plan=404",
    "https://shop.example/Pricing",
    "https://shop.example/docs#setup",
    "https://shop.example/docs/start?plan=PRO#Setup",
    "https://shop.example/docs/start",
    "https://shop.example/カート",
    "https://shop.example/%E3%82%AB%E3%83%BC%E3%83%88/x",
    "https://www.shop.example/pricing",
    "https://shop.example.evil/pricing",
    "https://shop.example:8443/pricing",
    "https://shop.example/pricing/",
    "https://shop.example/a%20b",
    "https://shop.example/search?q=%E6%B4%8B%E6%9C%8D&plan=pro",
    "http://localhost:3000/pricing/plans",
    "http://shop.example/docs",
];

const REFERRERS: &[&str] = &[
    "https://www.google.com/",
    "https://www.google.com/search?q=shop",
    "https://shop.example/pricing",
    "https://shop.example/docs/start",
    "https://shop.example.evil/pricing",
];

/// Lengths near those that rules name.
fn length() -> impl Strategy<Value = Millis> + Clone {
    let near = (
        select(&[0, 10, 30, 45, 60, 300, 1_200][..]),
        select(&[0i64, -1, 1, -1_000, 1_000, -7_000][..]),
    );
    prop_oneof![
        3 => near.prop_map(|(seconds, by)| Millis((i64::from(seconds) * 1_000 + by).max(0))),
        1 => (0i64..120_000).prop_map(Millis),
    ]
}

/// How long ago something was that a visitor's history tells.
fn long_ago() -> impl Strategy<Value = Millis> {
    (
        select(&[1i64, 3, 24, 24 * 7, 24 * 30][..]),
        select(&[0i64, -1, 1, -60_000, 1_800_000, -1_800_000][..]),
    )
        .prop_map(|(hours, by)| Millis((hours * 3_600_000 + by).max(0)))
}

fn now() -> impl Strategy<Value = Timestamp> {
    let by = prop_oneof![
        2 => select(&[0i64, -1, 1, -60_000, 60_000, 1_800_000, -1_800_000][..]),
        3 => -3 * 3_600_000i64..3 * 3_600_000,
        1 => -40 * 3_600_000i64..40 * 3_600_000,
    ];
    (select(MOMENTS), by).prop_map(|(at, by)| {
        let at = chrono::DateTime::parse_from_rfc3339(at).expect("a moment").to_utc();
        Timestamp::from(at) + Millis(by)
    })
}

fn url(pool: &'static [&'static str]) -> impl Strategy<Value = PageUrl> + Clone {
    select(pool).prop_map(|text| PageUrl::parse(text).expect("a URL"))
}

fn name(pool: &'static [&'static str]) -> impl Strategy<Value = Arc<str>> + Clone {
    select(pool).prop_map(Arc::from)
}

fn page() -> impl Strategy<Value = Page> {
    (
        url(PAGES),
        weighted(0.6, url(REFERRERS)),
        weighted(0.8, name(&["Pricing plans", "Docs", "DOCS", "Größe", "Other"])),
        weighted(0.9, Just(Arc::from("v1"))),
        weighted(0.8, length()),
        weighted(0.8, length()),
        weighted(0.8, select(&[0u8, 24, 25, 49, 50, 60, 75, 100][..])),
    )
        .prop_map(|(url, referrer, title, view_id, time_on_page, idle, scroll_percent)| Page {
            url,
            referrer,
            title,
            view_id,
            time_on_page,
            idle,
            scroll_percent,
        })
}

fn place() -> impl Strategy<Value = Place> {
    let known = select(
        &[
            ("AS", "JP", Some(("JP-13", "Tokyo")), Some("Tokyo"), false, Some("Asia/Tokyo")),
            ("AS", "JP", Some(("JP-27", "Osaka")), None, false, Some("Asia/Tokyo")),
            (
                "EU",
                "DE",
                Some(("DE-BE", "Land Berlin")),
                Some("Berlin"),
                true,
                Some("Europe/Berlin"),
            ),
            ("NA", "US", None, None, false, Some("America/New_York")),
            ("NA", "US", Some(("US-NY", "New York")), Some("Albany"), false, None),
            ("EU", "GB", None, None, false, None),
        ][..],
    )
    .prop_map(|(continent, country, region, city, in_eu, zone)| Place {
        continent: Some(continent.into()),
        country: Some(country.into()),
        region_code: region.map(|(code, _)| code.into()),
        region_name: region.map(|(_, name)| name.into()),
        city: city.map(Into::into),
        in_eu: Some(in_eu),
        time_zone: zone.map(|zone| zone.parse().expect("a zone")),
    });
    prop_oneof![1 => Just(Place::default()), 6 => known]
}

fn device() -> impl Strategy<Value = Device> {
    (
        select(&DeviceKind::ALL[..]),
        select(&[DeviceKind::Desktop, DeviceKind::Smartphone][..]),
        any::<bool>(),
        of(select(&["Windows", "macOS", "iOS", "Android", "Linux"][..])),
        of(select(&["Chrome", "Safari", "Firefox", "Edge"][..])),
        prop::bool::weighted(0.05),
    )
        .prop_map(|(any, usual, is_usual, os, browser, is_bot)| Device {
            kind: if is_usual { usual } else { any },
            os,
            browser,
            is_bot,
        })
}

fn cart() -> impl Strategy<Value = Cart> {
    let value = (
        select(
            &["99.99", "100", "129.90", "150", "200", "5000", "19999.9999", "20000", "25000"][..],
        ),
        select(&[None, Some("JPY"), Some("JPY"), Some("EUR"), Some("EUR"), Some("USD")][..]),
    )
        .prop_map(|(amount, currency)| Money {
            amount: Amount::parse(amount).expect("an amount"),
            currency: currency.and_then(Currency::parse),
        });
    (weighted(0.9, value), weighted(0.8, 0u32..5)).prop_map(|(value, items)| Cart { value, items })
}

fn attributes() -> impl Strategy<Value = Attributes> {
    let plan = prop_oneof![
        3 => name(&["pro", "Free", "PRO", "basic", ""]).prop_map(AttributeValue::Text),
        1 => vec(name(&["pro", "free", "basic"]), 0..3).prop_map(AttributeValue::List),
    ];
    let score = prop_oneof![
        2 => select(&[4.0, 5.0, 10.0, 12.5, 13.0][..]).prop_map(AttributeValue::Number),
        2 => name(&["5", "5.0", "10", "12.50", "1e1", "+5", "many"]).prop_map(AttributeValue::Text),
        1 => vec(name(&["5", "10", "many"]), 1..3).prop_map(AttributeValue::List),
    ];
    let vip = prop_oneof![
        3 => any::<bool>().prop_map(AttributeValue::Flag),
        1 => name(&["true", "false"]).prop_map(AttributeValue::Text),
    ];
    let tags = vec(name(&["new", "vip", "old", "Renewed"]), 1..4).prop_map(AttributeValue::List);
    (of(plan), of(score), of(vip), of(tags)).prop_map(|(plan, score, vip, tags)| {
        let named = [("plan", plan), ("score", score), ("vip", vip), ("tags", tags)];
        Attributes(
            named.into_iter().filter_map(|(name, value)| Some((name.into(), value?))).collect(),
        )
    })
}

fn profile() -> impl Strategy<Value = Profile> {
    (
        weighted(0.6, name(&["en", "ja", "en-GB", "EN-us", "en_GB", "de", "enm"])),
        of(select(&["Asia/Tokyo", "Europe/Berlin", "America/New_York"][..])),
        attributes(),
    )
        .prop_map(|(language, zone, attributes)| Profile {
            name: None,
            language,
            time_zone: zone.map(|zone| zone.parse().expect("a zone")),
            attributes,
        })
}

fn agents() -> impl Strategy<Value = AgentBoard> {
    let some = (0u32..3, of(0u32..4), of(0u32..4)).prop_map(|(online, waiting, capacity)| Agents {
        online,
        waiting,
        capacity,
    });
    (weighted(0.8, some.clone()), weighted(0.4, some)).prop_map(|(total, sales)| AgentBoard {
        total,
        routes: sales.into_iter().map(|agents| ("sales".into(), agents)).collect(),
    })
}

fn kind() -> impl Strategy<Value = EventKind> {
    let signal = |name: &str| Just(EventKind::Signal { name: name.into() });
    prop_oneof![
        4 => Just(EventKind::PageView),
        2 => Just(EventKind::Recheck),
        2 => signal("exit_intent"),
        1 => signal("form_error"),
        1 => signal("added"),
    ]
}

fn utm() -> impl Strategy<Value = Utm> {
    (
        of(name(&["news", "ads", "News"])),
        of(name(&["email", "cpc"])),
        of(name(&["autumn", "winter"])),
        of(name(&["chat", "shop"])),
        of(name(&["a", "b", "top"])),
    )
        .prop_map(|(source, medium, campaign, term, content)| Utm {
            source,
            medium,
            campaign,
            term,
            content,
        })
}

/// What a history tells, before it is placed in time.
#[derive(Debug, Clone)]
struct Past {
    sessions: u32,
    offers: Vec<(bool, bool, Millis)>,
    rules: Vec<(usize, Millis)>,
    last: [Option<Millis>; 3],
    is_opted_out: bool,
    crm: Option<Attributes>,
}

fn past() -> impl Strategy<Value = Past> {
    let last = || weighted(0.3, long_ago());
    (
        0u32..4,
        vec((prop::bool::weighted(0.2), prop::bool::weighted(0.8), long_ago()), 0..3),
        vec((0..IDS.len(), long_ago()), 0..3),
        (last(), last(), last()),
        prop::bool::weighted(0.05),
        weighted(0.3, attributes()),
    )
        .prop_map(|(sessions, offers, rules, (a, b, c), is_opted_out, crm)| Past {
            sessions,
            offers,
            rules,
            last: [a, b, c],
            is_opted_out,
            crm,
        })
}

fn bits() -> impl Strategy<Value = PageId> {
    any::<[u8; 16]>().prop_map(PageId::from_bits)
}

/// One moment of one visit.
pub fn moment() -> impl Strategy<Value = Moment> {
    let who = (
        bits(),
        weighted(0.7, bits()),
        weighted(0.3, name(&["customer-1", "customer-2"])),
        weighted(0.1, bits()),
    );
    let told = (
        profile(),
        weighted(0.7, cart()),
        weighted(0.2, select(&[Consent::Granted, Consent::Denied][..])),
    );
    let seen = (
        of(url(PAGES)),
        of(url(REFERRERS)),
        of(utm()),
        vec(url(PAGES), 0..6),
        (0u32..3, 0u32..4),
        1u32..6,
        length(),
    );
    let request = (kind(), place(), device(), vec(name(&["en-GB", "ja", "de", "en"]), 0..3));
    let spent = (
        prop_oneof![4 => Just(0u32), 1 => Just(1u32)],
        prop::bool::weighted(0.03),
        prop::bool::weighted(0.05),
    );
    (now(), page(), who, told, seen, request, past(), agents(), spent).prop_map(
        |(now, page, who, told, seen, request, past, agents, spent)| {
            let (session_id, visitor, identity, former) = who;
            let (profile, cart, consent) = told;
            let (landing_page, referrer, utm, mut visited, counts, page_views, age) = seen;
            let (kind, place, device, accept_languages) = request;
            let (offers, is_held_out, is_elsewhere) = spent;
            let key = |id| VisitorKey { site: SITE.into(), id };
            let visitors: Vec<_> = former
                .map(VisitorId::Page)
                .into_iter()
                .chain(visitor.clone().map(VisitorId::Page))
                .chain(identity.clone().map(VisitorId::Identity))
                .map(key)
                .collect();
            let started_at = now - age;
            let mut session = Session::begin(None, visitors, started_at);
            let (form_errors, added) = counts;
            let happened = matches!(&kind, EventKind::Signal { name } if &**name == "added");
            let failed = matches!(&kind, EventKind::Signal { name } if &**name == "form_error");
            session.events = [
                ("form_error", form_errors + u32::from(failed)),
                ("added", added + u32::from(happened)),
            ]
            .into_iter()
            .filter(|(_, count)| *count > 0)
            .map(|(name, count)| (Arc::from(name), count))
            .collect();
            if kind == EventKind::PageView {
                visited.push(page.url.clone());
            }
            visited.dedup();
            session.visited = visited;
            session.landing_page = landing_page;
            session.referrer = referrer;
            session.utm = utm.filter(|utm| *utm != Utm::default()).map(Box::new);
            session.page_views = page_views;
            session.profile = profile;
            session.cart = cart;
            session.consent = consent;
            session.clock = now;
            session.last_active_at = match kind {
                EventKind::Recheck => now - Millis(age.0.min(600_000) / 2),
                _ => now,
            };
            if let Some(id) = &page.view_id {
                let time_on_page = match kind {
                    EventKind::PageView => Millis::ZERO,
                    _ => Millis(age.0.min(90_000) / 2),
                };
                session.views = vec![View {
                    id: id.clone(),
                    url: if is_elsewhere { PageUrl::blank() } else { page.url.clone() },
                    started_at: now - time_on_page,
                }];
            }
            (session.offers, session.is_held_out) = (offers, is_held_out);
            let mark = SessionMark { id: 1, started_at };
            let other = SessionMark { id: 2, started_at: started_at - Millis::days(40) };
            let mut history = History {
                sessions: past.sessions,
                last_dismissal: past.last[0].map(|ago| now - ago),
                last_acceptance: past.last[1].map(|ago| now - ago),
                last_chat: past.last[2].map(|ago| now - ago),
                is_opted_out: past.is_opted_out,
                crm: past.crm.filter(|_| identity.is_some()).map(Arc::new),
                ..History::default()
            };
            for (is_own, is_prompt, ago) in past.offers {
                let ago = if is_own { Millis(ago.0.min(age.0)) } else { ago };
                let session = if is_own { mark } else { other };
                history.offers.push(Offer { session, at: now - ago, is_prompt });
            }
            history.offers.sort_by_key(|offer| offer.at);
            let is_own = |offer: &&Offer| offer.session == mark;
            session.own.offers = history.offers.iter().filter(is_own).cloned().collect();
            for (rule, ago) in past.rules {
                let id = IDS[rule];
                if history.last_offer_of(id).is_none() {
                    history.rules.push(RuleOffers { rule: id.into(), last_at: now - ago });
                }
            }
            let visit = Visit {
                site: SITE.into(),
                session: Some(session_id),
                visitor,
                identity,
                event: Event { kind, id: None, at: None },
                cart: None,
                profile: Profile::default(),
                consent: None,
                place: Arc::new(place),
                device,
                accept_languages,
            };
            Moment { session, mark, history, visit, page, agents, now }
        },
    )
}
