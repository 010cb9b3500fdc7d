//! That what is packed is read back as it was, that its bytes stay what they are, and that wrong
//! ones are an error.

use std::collections::BTreeMap;
use std::sync::Arc;

use proptest::collection::vec;
use proptest::option::of;
use proptest::prelude::*;

use super::*;
use crate::domain::decision::{
    Action, ActionKind, Answer, Prompt, Reason, Recheck, ShownOffer, Trigger, Wait,
};
use crate::domain::history::{History, Offer, RuleOffers, SessionMark};
use crate::domain::ids::{DecisionId, PageId, VisitorId, VisitorKey};
use crate::domain::money::{Amount, Currency, Money};
use crate::domain::session::{Utm, View};
use crate::domain::visit::{AttributeValue, Attributes, Cart, Consent, Profile};
use crate::store::Pending;
use crate::store::memory::repeats::Known;

const NO_URLS: fn(u32) -> Option<PageUrl> = |_| None;
const NO_NUMBERS: fn(&PageUrl) -> Option<u32> = |_| None;

fn key() -> SessionKey {
    SessionKey { site: "demo-shop".into(), id: PageId::from_bits([7; 16]) }
}

fn packed(of: &Unpacked) -> Vec<u8> {
    encode(&key(), &of.session, of.timeout, of.has_claims, &of.recent, NO_NUMBERS)
}

fn assert_same(read: &Unpacked, written: &Unpacked) {
    assert_eq!(read.session, written.session);
    assert_eq!((read.timeout, read.has_claims), (written.timeout, written.has_claims));
    assert_eq!(format!("{:?}", read.recent), format!("{:?}", written.recent));
}

fn word() -> impl Strategy<Value = Arc<str>> {
    prop_oneof![
        "[a-z_]{1,12}",
        "[0-9a-f]{16}",
        "[0-9a-f]{32}",
        "[0-9A-F]{16}",
        "\\PC{0,40}",
        uuid()
    ]
    .prop_map(Arc::from)
}

fn uuid() -> impl Strategy<Value = String> {
    any::<u128>().prop_map(|bits| uuid::Uuid::from_u128(bits).to_string())
}

fn time() -> impl Strategy<Value = Timestamp> {
    prop_oneof![any::<i64>(), 1_790_000_000_000_i64..1_790_010_000_000].prop_map(Timestamp)
}

fn length() -> impl Strategy<Value = Millis> {
    prop_oneof![any::<i64>(), 0_i64..10_000_000].prop_map(Millis)
}

fn url() -> impl Strategy<Value = PageUrl> {
    let host = prop_oneof![Just("shop.example"), Just("[::1]:8080"), Just("例え.jp")];
    (host, "(/[a-zパ%0-9]{0,5}){0,3}", "(\\?[a-z=&%/?]{0,20})?", "(#[a-z%/?]{0,9})?").prop_map(
        |(host, path, query, fragment)| {
            PageUrl::parse(&format!("https://{host}{path}{query}{fragment}")).unwrap()
        },
    )
}

fn page_id() -> impl Strategy<Value = PageId> {
    prop_oneof![
        any::<[u8; 16]>().prop_map(PageId::from_bits),
        "[A-Za-z0-9_-]{16,64}".prop_map(|text| PageId::parse(&text).unwrap()),
    ]
}

fn visitor() -> impl Strategy<Value = VisitorKey> {
    let id = prop_oneof![page_id().prop_map(VisitorId::Page), word().prop_map(VisitorId::Identity)];
    id.prop_map(|id| VisitorKey { site: key().site, id })
}

fn attributes() -> impl Strategy<Value = Attributes> {
    let value = prop_oneof![
        word().prop_map(AttributeValue::Text),
        (-1e300_f64..1e300).prop_map(AttributeValue::Number),
        any::<bool>().prop_map(AttributeValue::Flag),
        vec(word(), 0..4).prop_map(AttributeValue::List),
    ];
    vec((word(), value), 0..5).prop_map(Attributes)
}

fn cart() -> impl Strategy<Value = Cart> {
    let currency = of("[A-Z]{3}").prop_map(|code| code.and_then(|code| Currency::parse(&code)));
    let money = (any::<i64>(), currency)
        .prop_map(|(amount, currency)| Money { amount: Amount(amount), currency });
    (of(money), of(any::<u32>())).prop_map(|(value, items)| Cart { value, items })
}

fn profile() -> impl Strategy<Value = Profile> {
    let zone = of(prop::sample::select(&chrono_tz::TZ_VARIANTS[..]));
    (of(word()), of(word()), zone, attributes()).prop_map(
        |(name, language, time_zone, attributes)| Profile { name, language, time_zone, attributes },
    )
}

fn history() -> impl Strategy<Value = History> {
    let offer = (any::<u64>(), time(), time(), any::<bool>()).prop_map(
        |(id, started_at, at, is_prompt)| {
            let session = SessionMark { id, started_at };
            Offer { session, at, is_prompt }
        },
    );
    let rule = (word(), time()).prop_map(|(rule, last_at)| RuleOffers { rule, last_at });
    let words = (of(time()), of(time()), of(time()), any::<bool>());
    (any::<u32>(), vec(offer, 0..4), vec(rule, 0..4), words, of(attributes())).prop_map(
        |(sessions, offers, rules, words, crm)| {
            let (last_dismissal, last_acceptance, last_chat, is_opted_out) = words;
            History {
                sessions,
                offers,
                rules,
                last_dismissal,
                last_acceptance,
                last_chat,
                is_opted_out,
                crm: crm.map(Arc::new),
            }
        },
    )
}

fn offer() -> impl Strategy<Value = ShownOffer> {
    let action =
        (any::<bool>(), "\\PC{0,20}", of("\\PC{0,20}")).prop_map(|(is_link, label, url)| {
            let kind = if is_link { ActionKind::Link } else { ActionKind::Chat };
            Action { kind, label, url }
        });
    let words = (word(), word(), word(), word(), of(word()));
    let appearance = vec(("[a-z]{1,5}", "\\PC{0,9}"), 0..3);
    (words, of("\\PC{0,30}"), "\\PC{0,90}", vec(action, 0..3), appearance).prop_map(
        |((rule, variant, language, channel, route), title, message, actions, appearance)| {
            let appearance = Arc::new(appearance.into_iter().collect::<BTreeMap<_, _>>());
            let prompt = Prompt { title, message, language, actions, channel, route, appearance };
            ShownOffer { rule, variant, prompt }
        },
    )
}

fn recheck() -> impl Strategy<Value = Recheck> {
    let on = prop_oneof![
        Just(Trigger::ExitIntent),
        any::<u8>().prop_map(Trigger::ScrollPercent),
        length().prop_map(Trigger::Idle),
        word().prop_map(Trigger::Event),
    ];
    let wait = (on, prop_oneof![Just(Millis::ZERO), length()])
        .prop_map(|(on, not_before)| Wait { on, not_before });
    (of(length()), prop_oneof![Just(Millis::ZERO), length()], vec(wait, 0..4))
        .prop_map(|(after, spread, on)| Recheck { after, spread, on })
}

fn answer() -> impl Strategy<Value = Answer> {
    let own = prop_oneof![3 => Just(key().id), 1 => page_id()];
    let version = prop_oneof![3 => Just(Arc::from("608453a7b42bf1de")), 1 => word()];
    let id = any::<u128>().prop_map(DecisionId);
    (prop::sample::select(&Reason::ALL[..]), own, id, version, of(offer()), of(recheck())).prop_map(
        |(reason, session, decision, rules_version, offer, recheck)| {
            let offer = offer.map(Arc::new);
            Answer { reason, session, decision, rules_version, offer, recheck }
        },
    )
}

fn recent() -> impl Strategy<Value = Recent> {
    let known = prop_oneof![
        1 => Just(Known::CutOff),
        1 => Just(Known::Unasked),
        4 => answer().prop_map(|answer| Known::Answered(Arc::new(answer))),
    ];
    vec((any::<u64>(), known), 0..8).prop_map(Recent::of)
}

fn session() -> impl Strategy<Value = Session> {
    let utm = (of(word()), of(word()), of(word()), of(word()), of(word())).prop_map(
        |(source, medium, campaign, term, content)| {
            Box::new(Utm { source, medium, campaign, term, content })
        },
    );
    let view =
        (word(), url(), time()).prop_map(|(id, url, started_at)| View { id, url, started_at });
    let consent = of(prop::sample::select(vec![Consent::Granted, Consent::Denied]));
    let pages = (of(url()), of(url()), vec(url(), 0..9), vec(view, 0..8), of(utm));
    let visitor = (vec(visitor(), 0..4), any::<bool>(), profile(), consent, of(cart()));
    let counts = (any::<u32>(), any::<u32>(), any::<bool>(), vec((word(), any::<u32>()), 0..4));
    (time(), time(), time(), pages, visitor, counts, history(), vec(word(), 0..3)).prop_map(
        |(started_at, last_active_at, clock, pages, visitor, counts, own, shadows)| {
            let (landing_page, referrer, visited, views, utm) = pages;
            let (visitors, is_bucketed_by_visitor, profile, consent, cart) = visitor;
            let (page_views, offers, is_held_out, events) = counts;
            Session {
                started_at,
                last_active_at,
                clock,
                page_views,
                landing_page,
                referrer,
                utm,
                visited,
                events,
                cart,
                visitors,
                is_bucketed_by_visitor,
                profile,
                consent,
                views,
                own,
                offers,
                is_held_out,
                shadows,
            }
        },
    )
}

fn unpacked() -> impl Strategy<Value = Unpacked> {
    (session(), length(), any::<bool>(), recent()).prop_map(
        |(session, timeout, has_claims, recent)| Unpacked { session, timeout, has_claims, recent },
    )
}

/// Addresses under numbers, as a table in memory would have them.
fn numbered(table: &mut Vec<PageUrl>, url: &PageUrl) -> Option<u32> {
    if url.as_str().len().is_multiple_of(3) {
        return None;
    }
    table.push(url.clone());
    u32::try_from(table.len() - 1).ok()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn what_is_packed_is_read_back(written in unpacked()) {
        let bytes = packed(&written);
        assert_same(&decode(&key(), &bytes, NO_URLS).unwrap(), &written);
        let head = Head::of(&bytes).unwrap();
        prop_assert_eq!(head.last_active_at, written.session.last_active_at);
        prop_assert_eq!(head.timeout, written.timeout);
        prop_assert_eq!(head.is_denial(), written.session.consent == Some(Consent::Denied));
        let now = written.session.clock;
        prop_assert_eq!(head.is_expired(now), written.session.is_expired(written.timeout, now));
    }

    #[test]
    fn shared_addresses_are_told_apart_by_number(written in unpacked()) {
        let mut table = Vec::new();
        let Unpacked { session, timeout, has_claims, recent } = &written;
        let number_of = |url: &PageUrl| numbered(&mut table, url);
        let resting = encode(&key(), session, *timeout, *has_claims, recent, number_of);
        let url_of = |number: u32| table.get(number as usize).cloned();
        assert_same(&decode(&key(), &resting, url_of).unwrap(), &written);
        prop_assert_eq!(inline(&resting, url_of).unwrap(), packed(&written));
        let mut seen = Vec::new();
        numbers(&resting, |number| seen.push(number));
        prop_assert!(seen.into_iter().eq(0..u32::try_from(table.len()).unwrap()));
        if !table.is_empty() {
            prop_assert!(decode(&key(), &resting, NO_URLS).is_err());
        }
    }

    #[test]
    fn wrong_bytes_are_an_error_or_another_session(
        written in unpacked(),
        flips in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        end in any::<prop::sample::Index>(),
    ) {
        let bytes = packed(&written);
        let cut = &bytes[..end.index(bytes.len())];
        prop_assert!(decode(&key(), cut, NO_URLS).is_err());
        let longer: Vec<u8> = bytes.iter().copied().chain([0]).collect();
        prop_assert_eq!(
            decode(&key(), &longer, NO_URLS).unwrap_err(),
            PackedError::Trailing(1)
        );
        let mut flipped = bytes;
        for (at, byte) in flips {
            let at = at.index(flipped.len());
            flipped[at] ^= byte;
        }
        numbers(&flipped, |_| ());
        let _ = inline(&flipped, NO_URLS);
        if let Ok(read) = decode(&key(), &flipped, NO_URLS) {
            // Whatever it is, it is a session that can be kept.
            assert_same(&decode(&key(), &packed(&read), NO_URLS).unwrap(), &read);
        }
    }

    #[test]
    fn bytes_of_anything_are_no_danger(bytes in vec(any::<u8>(), 0..300)) {
        let _ = decode(&key(), &bytes, NO_URLS);
        let mut bytes = bytes;
        if let Some(first) = bytes.first_mut() {
            *first = VERSION;
        }
        let _ = decode(&key(), &bytes, NO_URLS);
        let _ = inline(&bytes, NO_URLS);
    }
}

#[test]
fn a_list_that_says_to_be_endless_fills_nothing() {
    let mut bytes = vec![VERSION, 0, 0, 0, 0];
    bytes.extend([0xff; 9]);
    bytes.push(0x01);
    assert_eq!(decode(&key(), &bytes, NO_URLS).unwrap_err(), PackedError::Cut);
    bytes[14] = 0x03;
    assert_eq!(decode(&key(), &bytes, NO_URLS).unwrap_err(), PackedError::Value("number"));
    assert_eq!(decode(&key(), &[2], NO_URLS).unwrap_err(), PackedError::Version(2));
}

#[test]
fn a_call_under_way_is_packed_as_cut_off() {
    let mark = SessionMark { id: 1, started_at: Timestamp(0) };
    let (_pending, waiting) = Pending::new("e".into(), mark);
    let recent = Recent::of(vec![(5, Known::Pending(Box::new(waiting)))]);
    let session = Session::begin(None, Vec::new(), Timestamp(0));
    let bytes = encode(&key(), &session, Millis(1), false, &recent, NO_NUMBERS);
    let read = decode(&key(), &bytes, NO_URLS).unwrap();
    assert!(matches!(read.recent.all(), [(5, Known::CutOff)]));
}

/// One of everything.
fn full() -> Unpacked {
    let at = |seconds: i64| Timestamp(1_790_000_000_000 + seconds * 1_000);
    let url = |text: &str| PageUrl::parse(text).unwrap();
    let (shop, pricing) = (url("https://shop.example/"), url("https://shop.example/pricing?a=b#c"));
    let attributes = Attributes(vec![
        ("tier".into(), AttributeValue::Text("gold".into())),
        ("age".into(), AttributeValue::Number(-0.5)),
        ("vip".into(), AttributeValue::Flag(true)),
        ("tags".into(), AttributeValue::List(vec!["a".into(), "é".into()])),
    ]);
    let visitor = |id| VisitorKey { site: key().site, id };
    let mark = SessionMark { id: 0x0102_0304_0506_0708, started_at: at(0) };
    let session = Session {
        started_at: at(0),
        last_active_at: at(95),
        clock: at(96),
        page_views: 2,
        landing_page: Some(shop.clone()),
        referrer: Some(url("https://search.example/?q=tea")),
        utm: Some(Box::new(Utm {
            source: Some("newsletter".into()),
            content: Some("top".into()),
            ..Utm::default()
        })),
        visited: vec![shop, pricing.clone()],
        events: vec![("exit_intent".into(), 300)],
        cart: Some(Cart {
            value: Some(Money { amount: Amount(1_299_000), currency: Currency::parse("EUR") }),
            items: Some(3),
        }),
        visitors: vec![
            visitor(VisitorId::Page(PageId::from_bits([9; 16]))),
            visitor(VisitorId::Page(PageId::parse("a-visitor-of-its-own").unwrap())),
            visitor(VisitorId::Identity("customer 7".into())),
        ],
        is_bucketed_by_visitor: true,
        profile: Profile {
            name: Some("Ada".into()),
            language: Some("en-GB".into()),
            time_zone: Some(chrono_tz::Europe::London),
            attributes: attributes.clone(),
        },
        consent: Some(Consent::Granted),
        views: vec![View {
            id: "0123456789abcdef0123456789abcdef".into(),
            url: pricing,
            started_at: at(30),
        }],
        own: History {
            sessions: 1,
            offers: vec![Offer { session: mark, at: at(60), is_prompt: true }],
            rules: vec![RuleOffers { rule: "pricing-help".into(), last_at: at(60) }],
            last_dismissal: Some(at(70)),
            last_acceptance: None,
            last_chat: Some(at(80)),
            is_opted_out: true,
            crm: Some(Arc::new(attributes)),
        },
        offers: 1,
        is_held_out: false,
        shadows: vec!["next-year".into()],
    };
    let silent = Answer {
        reason: Reason::NotYet,
        session: key().id,
        decision: DecisionId(0x01a0_c5ce_2e80_7192_a1d3_ea51_6934_60f0),
        rules_version: "608453a7b42bf1de".into(),
        offer: None,
        recheck: Some(Recheck {
            after: Some(Millis(30_000)),
            spread: Millis(5),
            on: vec![
                Wait { on: Trigger::ExitIntent, not_before: Millis(60_000) },
                Wait { on: Trigger::ScrollPercent(50), not_before: Millis::ZERO },
                Wait { on: Trigger::Idle(Millis(9_000)), not_before: Millis::ZERO },
                Wait { on: Trigger::Event("added_to_cart".into()), not_before: Millis(1) },
            ],
        }),
    };
    let prompt = Prompt {
        title: Some("Stuck?".into()),
        message: "Shall we have a look?".into(),
        language: "en".into(),
        actions: vec![
            Action { kind: ActionKind::Chat, label: "Yes".into(), url: None },
            Action { kind: ActionKind::Link, label: "Help".into(), url: Some("/help".into()) },
        ],
        channel: "chat".into(),
        route: Some("sales".into()),
        appearance: Arc::new(BTreeMap::from([("color".to_owned(), "#fff".to_owned())])),
    };
    let offer = ShownOffer { rule: "pricing-help".into(), variant: "a".into(), prompt };
    let shown = Answer {
        reason: Reason::RuleMatched,
        session: PageId::from_bits([1; 16]),
        rules_version: "next".into(),
        offer: Some(Arc::new(offer)),
        recheck: None,
        ..silent.clone()
    };
    let recent = Recent::of(vec![
        (1, Known::CutOff),
        (2, Known::Unasked),
        (u64::MAX, Known::Answered(Arc::new(silent))),
        (4, Known::Answered(Arc::new(shown))),
    ]);
    Unpacked { session, timeout: Millis::minutes(30), has_claims: true, recent }
}

#[test]
fn the_bytes_of_a_version_never_change() {
    let full = full();
    let hex: String = packed(&full).iter().map(|byte| format!("{byte:02x}")).collect();
    let golden = include_str!("full.hex").split_whitespace().collect::<String>();
    assert_eq!(hex, golden, "a file written before could no longer be read: make a new version");
    let bytes: Vec<u8> = (0..golden.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&golden[at..at + 2], 16).unwrap())
        .collect();
    assert_same(&decode(&key(), &bytes, NO_URLS).unwrap(), &full);
}
