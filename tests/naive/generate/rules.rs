//! A site's settings and its rule files as YAML text.
//!
//! Must not: know visits.

use std::fmt::Write;

use proptest::prelude::*;
use proptest::sample::select;

use super::conditions::condition;

/// The ids of rules, in the order they are given out.
pub const IDS: &[&str] = &["r0", "r1", "r2", "r3", "r4", "r5"];

const HOURS: &[&str] = &[
    "{ open: \"Mo-Fr 09:00-18:00; Sa 10:00-17:00; PH off\", holidays: JP }",
    "{ open: \"Mo-Fr 09:00-12:00,13:00-18:00\" }",
    "{ open: \"Mo-Su 20:00-02:00\" }",
    "{ open: \"Mo-Th 22:00-06:00; Fr 18:00-24:00\", time_zone: Europe/Berlin }",
    "{ open: \"24/7\" }",
    "{ open: \"Sa,Su 10:00-16:00; PH 10:00-14:00\", holidays: JP, time_zone: Asia/Tokyo }",
    "{ open: \"Mo-Su 01:00-03:00\", time_zone: America/New_York }",
    "{ open: \"Mo-Su 08:00-20:00\", closed: [2026-11-23, 2026-12-31] }",
    "{ open: \"Mo-Fr 08:00-20:00; Dec 24-31 off\" }",
    "{ open: \"Mo-Su 20:00-02:00; PH off\", holidays: JP, closed: [2026-11-22] }",
];

/// What leaves something to wait for: mostly no pause, else one that ends now and then in time.
const PAUSES: &[&str] = &[
    NO_PAUSES,
    NO_PAUSES,
    NO_PAUSES,
    NO_PAUSES,
    "caps: { per_session: 1, cooldown: 24h, after_dismissal: 24h, after_acceptance: 24h }\n",
    "caps: { per_session: 2, cooldown: 3h, between: 5m, after_dismissal: 1h, after_acceptance: 0 }\n",
    "caps: { per_session: 3, cooldown: 1h, between: 60s, after_dismissal: 3h, after_acceptance: 1h }\n",
];

const NO_PAUSES: &str = "caps: { per_session: 1, cooldown: 0s, between: 0s, after_dismissal: 0s, after_acceptance: 0s }\n";

/// `site.yaml`.
pub fn site(is_waiting: bool) -> impl Strategy<Value = String> {
    let zone =
        select(&["Asia/Tokyo", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"][..]);
    let currency = select(&["JPY", "EUR"][..]);
    let hours = prop::collection::vec(select(HOURS), 2);
    let segments = prop::collection::vec(condition(is_waiting, false), 3);
    let when =
        prop::option::weighted(if is_waiting { 0.001 } else { 0.15 }, condition(false, true));
    let consent = prop::option::weighted(0.1, Just("required"));
    let caps = select(
        &[
            "",
            "caps: { per_session: 1, cooldown: 24h, after_dismissal: 7d, after_acceptance: 30d }\n",
            "caps: { per_session: 2, cooldown: 0s, between: 5m }\n",
            "caps: { per_session: 3, cooldown: 1h, between: 0, after_dismissal: 0s }\n",
            "caps: { per_session: 2, after_dismissal: 1h, after_acceptance: 24h }\n",
            "caps: { per_session: 0 }\n",
            NO_PAUSES,
            NO_PAUSES,
            NO_PAUSES,
            NO_PAUSES,
            NO_PAUSES,
            NO_PAUSES,
        ][..],
    );
    let pauses = select(PAUSES);
    let caps = if is_waiting { pauses.boxed() } else { caps.boxed() };
    let origins = select(
        &[
            "origins: [\"https://shop.example\", \"http://localhost:*\"]\n",
            "origins: [\"https://shop.example\", \"http://localhost:*\"]\n",
            "origins: [\"https://*.shop.example\", \"https://shop.example:8443\"]\n",
            "",
        ][..],
    );
    let nesting = prop::bool::weighted(0.2);
    let timeout = select(&["30m", "30m", "8h"][..]);
    let place = (zone, currency, origins);
    (place, hours, segments, nesting, when, consent, caps, timeout).prop_map(
        move |(place, hours, segments, is_nested, when, consent, caps, timeout)| {
            let (zone, currency, origins) = place;
            let consent = if is_waiting { None } else { consent };
            let mut out = format!(
                "name: Shop\n\
                 {origins}\
                 time_zone: {zone}\n\
                 currency: {currency}\n\
                 currencies: [JPY, EUR]\n\
                 languages: [en, ja]\n\
                 session: {{ timeout: {timeout} }}\n\
                 variables: {{ agent: Hana }}\n\
                 goals:\n  order: {{ event: order_completed, within: 7d }}\n\
                 {caps}"
            );
            if let Some(consent) = consent {
                let _ = writeln!(out, "consent: {consent}");
            }
            if let Some(when) = when {
                let _ = writeln!(out, "when: [ {{ {when} }} ]");
            }
            out.push_str("hours:\n");
            for (name, hours) in ["support", "late"].iter().zip(hours) {
                let _ = writeln!(out, "  {name}: {hours}");
            }
            out.push_str("segments:\n");
            for (name, segment) in ["keen", "buyer", "far"].iter().zip(segments) {
                let _ = if is_nested && *name == "keen" {
                    // One that is made of another, which comes later.
                    writeln!(out, "  {name}: {{ any: [{{ segment: far }}, {{ {segment} }}] }}")
                } else {
                    writeln!(out, "  {name}: {{ {segment} }}")
                };
            }
            out
        },
    )
}

/// Rule files: one to six rules in up to three files, some of them in an order that is not theirs.
pub fn files(is_waiting: bool) -> impl Strategy<Value = Vec<(String, String)>> {
    let names = select(&["10.yaml", "a.yaml", "b.yaml"][..]);
    let most = if is_waiting { 3 } else { IDS.len() };
    prop::collection::vec((names, rule(is_waiting)), 1..=most).prop_map(|rules| {
        let mut files: Vec<(String, String)> = Vec::new();
        for (id, (name, rule)) in IDS.iter().zip(rules) {
            let text = format!("  - id: {id}\n{rule}");
            match files.iter_mut().find(|(known, _)| known == name) {
                Some((_, file)) => file.push_str(&text),
                None => files.push((name.to_owned(), format!("rules:\n{text}"))),
            }
        }
        files
    })
}

/// A rule's lines after its id.
fn rule(is_waiting: bool) -> impl Strategy<Value = String> {
    // What stops a rule for good leaves nothing to wait for.
    let share = if is_waiting { 0.4 } else { 1.0 };
    let line = |weight: f64, lines: &'static [&'static str]| {
        prop::option::weighted(weight * share, select(lines)).prop_map(|l| l.unwrap_or_default())
    };
    let settings = (
        line(0.7, &["priority: 10", "priority: 50", "priority: 0", "priority: -5"]),
        line(0.2, &["mode: live", "mode: shadow", "mode: off"]),
        line(
            0.15,
            &[
                "active: { from: 2026-11-01, until: 2026-11-23 }",
                "active: { from: 2026-11-24 }",
                "active: { until: 2026-12-31 }",
                "active: { from: 2027-01-01, until: 2027-12-31 }",
            ],
        ),
        line(0.3, &["hours: support", "hours: late", "hours: { outside: support }"]),
        line(
            0.3,
            &["repeat: once", "repeat: { every: 7d }", "repeat: { every: 1h }", "repeat: always"],
        ),
        line(0.1, &["limits: { per_hour: 200 }", "limits: { per_day: 5 }"]),
        line(0.25, &["rollout: 50%", "rollout: 100%", "rollout: 12.5%", "rollout: 0%"]),
        line(0.25, &["holdout: 50%", "holdout: 10%", "holdout: 0%"]),
    );
    let prompt = select(
        &[
            "prompt: { message: { en: \"Hello\", ja: \"こんにちは\" } }",
            "prompt: { message: { en: \"Hello\" }, route: sales }",
            "variants: [ { id: a, weight: 50, prompt: { message: { en: A } } }, { id: b, weight: 50, prompt: { message: { en: B } } } ]",
            "variants: [ { id: a, weight: 1, prompt: { message: { en: A } } }, { id: b, weight: 3, prompt: { message: { en: B } } }, { id: c, weight: 2, prompt: { message: { en: C } } } ]",
        ][..],
    );
    let when = prop_oneof![
        1 => Just(Vec::new()),
        if is_waiting { 100 } else { 12 } => prop::collection::vec(condition(is_waiting, true), 1..4),
    ];
    (settings, prompt, when).prop_map(|(settings, prompt, when)| {
        let (a, b, c, d, e, f, g, h) = settings;
        let mut out = String::new();
        for line in [a, b, c, d, e, f, g, h, prompt] {
            if !line.is_empty() {
                let _ = writeln!(out, "    {line}");
            }
        }
        if !when.is_empty() {
            out.push_str("    when:\n");
            for condition in when {
                let _ = writeln!(out, "      - {{ {condition} }}");
            }
        }
        out
    })
}
