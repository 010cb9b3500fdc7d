//! Every field with every operator that it takes, as condition texts, and trees of them.
//!
//! Must not: know visits, beyond drawing values from the pools that they are drawn from.

use std::sync::LazyLock;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::{list, scalar};

/// For each field: its conditions, in YAML's flow style.
pub static LEAVES: LazyLock<Vec<(&'static str, Vec<String>)>> = LazyLock::new(leaves);

const URL_FIELDS: &[&str] =
    &["page.url", "page.referrer", "session.landing_page", "session.referrer", "session.visited"];

fn leaves() -> Vec<(&'static str, Vec<String>)> {
    let mut out = Vec::new();
    for field in URL_FIELDS {
        out.push((*field, urls(field)));
    }
    out.push(("page.path", paths()));
    let mut fragments = text("page.fragment", &["setup", "Setup", "up"], true);
    fragments.push("page.fragment: \"#setup\"".to_owned());
    fragments.push("page.fragment: { starts_with: \"#set\" }".to_owned());
    out.push(("page.fragment", fragments));
    out.push(("page.title", text("page.title", &["pricing plans", "docs", "größe"], true)));
    out.push(("page.query.plan", text("page.query.plan", &["pro", "404", "pr"], true)));
    for (field, values) in [
        ("session.utm.source", &["news", "ads", "new"]),
        ("session.utm.medium", &["email", "cpc", "mail"]),
        ("session.utm.campaign", &["autumn", "winter", "tum"]),
        ("session.utm.term", &["chat", "shop", "cha"]),
        ("session.utm.content", &["a", "b", "top"]),
        ("location.city", &["Tokyo", "Berlin", "oky"]),
    ] {
        out.push((field, text(field, values, true)));
    }
    let hosts = &["shop.example", "www.google.com", "shop.example.evil"];
    for field in ["page.host", "page.referrer_host", "session.referrer_host"] {
        let mut conditions = chosen(field, hosts);
        conditions.push(format!("{field}: {{ matches: \"*.shop.example\" }}"));
        conditions.push(format!("{field}: {{ ends_with: google.com }}"));
        out.push((field, conditions));
    }
    for (field, values) in [
        ("visitor.language", &["en", "ja", "en-GB"]),
        ("visitor.time_zone", &["Asia/Tokyo", "Europe/Berlin", "America/New_York"]),
        ("location.time_zone", &["Asia/Tokyo", "Europe/Berlin", "America/New_York"]),
        ("location.continent", &["AS", "EU", "NA"]),
        ("location.country", &["JP", "DE", "US"]),
        ("location.region", &["JP-13", "Tokyo", "DE-BE"]),
        ("device.type", &["desktop", "smartphone", "tablet"]),
        ("device.os", &["Windows", "iOS", "Android"]),
        ("device.browser", &["Chrome", "Safari", "Firefox"]),
    ] {
        let mut conditions = chosen(field, values);
        let first = scalar(&values[0][..1]);
        conditions.push(format!("{field}: {{ starts_with: {first} }}"));
        conditions.push(format!("{field}: {{ matches: \"*{}\" }}", &values[1][1..]));
        out.push((field, conditions));
    }
    for (field, values) in [
        ("page.scroll_percent", &["25", "50", "75"]),
        ("session.page_views", &["2", "3", "5"]),
        ("session.events.form_error", &["0", "1", "2"]),
        ("session.events.added", &["1", "2", "3"]),
        ("visitor.sessions", &["1", "2", "3"]),
        ("cart.items", &["0", "1", "3"]),
        ("agents.online", &["0", "1", "2"]),
        ("agents.waiting", &["0", "1", "3"]),
    ] {
        out.push((field, numbers(field, values, true)));
    }
    for (field, values) in [
        ("page.time_on_page", &["10s", "30s", "60s"]),
        ("page.idle", &["10s", "30s", "45s"]),
        ("session.duration", &["30s", "60s", "5m"]),
        ("visitor.last_prompt", &["1h", "24h", "7d"]),
        ("visitor.last_dismissal", &["1h", "24h", "7d"]),
        ("visitor.last_acceptance", &["1h", "24h", "7d"]),
        ("visitor.last_chat", &["1h", "24h", "7d"]),
    ] {
        out.push((field, numbers(field, values, false)));
    }
    out.push(("cart.value", money()));
    for field in [
        "visitor.identified",
        "visitor.returning",
        "location.in_eu",
        "agents.available",
        "signal.exit_intent",
    ] {
        out.push((field, flags(field)));
    }
    out.push(("visitor.local_time", local_times()));
    let plan = "visitor.attributes.plan";
    out.push((plan, text(plan, &["pro", "free", "fre"], true)));
    let tags = "visitor.attributes.tags";
    out.push((tags, text(tags, &["new", "vip", "ne"], true)));
    let score = "visitor.attributes.score";
    let mut scores = numbers(score, &["5", "10", "12.5"], true);
    scores.push(format!("{score}: {{ in: [\"5.0\", many] }}"));
    scores.push(format!("{score}: {{ contains: 5 }}"));
    scores.push(format!("{score}: {{ matches: \"1*\" }}"));
    out.push((score, scores));
    let vip = "visitor.attributes.vip";
    out.push((vip, flags(vip)));
    out.push((
        "segment",
        vec![
            "segment: keen".into(),
            "segment: far".into(),
            "segment: [keen, buyer]".into(),
            "segment: { is: buyer }".into(),
            "segment: { is_not: keen }".into(),
            "segment: { in: [far, buyer] }".into(),
            "segment: { not_in: [far, keen] }".into(),
        ],
    ));
    out
}

fn exists(field: &str) -> Vec<String> {
    vec![format!("{field}: {{ exists: true }}"), format!("{field}: {{ exists: false }}")]
}

/// Fields whose values are names: `is` and `in` with their negations.
fn chosen(field: &str, [a, b, c]: &[&str; 3]) -> Vec<String> {
    let mut out = exists(field);
    let (one, two) = (scalar(a), list(&[b, c]));
    out.push(format!("{field}: {one}"));
    out.push(format!("{field}: {two}"));
    out.push(format!("{field}: {{ is: {} }}", scalar(b)));
    out.push(format!("{field}: {{ is_not: {one} }}"));
    out.push(format!("{field}: {{ in: {} }}", list(&[a, c])));
    out.push(format!("{field}: {{ not_in: {two} }}"));
    out
}

/// Text fields: `a` and `b` are whole values, `part` is a piece of one.
fn text(field: &str, values: &[&str; 3], has_patterns: bool) -> Vec<String> {
    let [a, b, part] = values;
    let mut out = chosen(field, values);
    out.push(format!("{field}: {}", scalar(&a.to_uppercase())));
    for operator in ["contains", "not_contains"] {
        out.push(format!("{field}: {{ {operator}: {} }}", scalar(part)));
        out.push(format!("{field}: {{ {operator}: {} }}", list(&[part, b])));
    }
    let first: String = a.chars().take(2).collect();
    let last: String = b.chars().skip(1).collect();
    out.push(format!("{field}: {{ starts_with: {} }}", scalar(&first.to_uppercase())));
    out.push(format!("{field}: {{ starts_with: {} }}", list(&[&first, part])));
    if !last.is_empty() {
        out.push(format!("{field}: {{ ends_with: {} }}", scalar(&last)));
        out.push(format!("{field}: {{ ends_with: {}, is_not: {} }}", scalar(&last), scalar(a)));
    }
    if has_patterns {
        out.push(format!("{field}: {{ matches: {} }}", scalar(&format!("*{part}*"))));
        out.push(format!("{field}: {{ matches: {} }}", list(&[&format!("{first}*"), b])));
        out.push(format!("{field}: {{ regex: {} }}", scalar(&format!("^({a}|{part})"))));
        out.push(format!("{field}: {{ regex: {} }}", scalar(&format!("(?i){last}$"))));
    }
    out
}

fn numbers(field: &str, [low, middle, high]: &[&str; 3], has_is: bool) -> Vec<String> {
    let mut out = exists(field);
    for operator in ["at_least", "at_most", "more_than", "less_than"] {
        for value in [low, middle, high] {
            out.push(format!("{field}: {{ {operator}: {value} }}"));
        }
    }
    out.push(format!("{field}: {{ between: [{low}, {middle}] }}"));
    out.push(format!("{field}: {{ between: [{middle}, {high}] }}"));
    out.push(format!("{field}: {{ more_than: {low}, at_most: {high} }}"));
    if has_is {
        out.push(format!("{field}: {middle}"));
        out.push(format!("{field}: [{low}, {middle}]"));
        out.push(format!("{field}: {{ is: {low} }}"));
        out.push(format!("{field}: {{ is_not: {middle} }}"));
        out.push(format!("{field}: {{ in: [{middle}, {high}] }}"));
        out.push(format!("{field}: {{ not_in: [{low}, {high}] }}"));
    }
    out
}

fn money() -> Vec<String> {
    let field = "cart.value";
    let mut out = exists(field);
    for value in ["20000", "20000 JPY", "129.90 EUR", "100 EUR", "100"] {
        for operator in ["at_least", "at_most", "more_than", "less_than", "is", "is_not"] {
            out.push(format!("{field}: {{ {operator}: {value} }}"));
        }
    }
    out.push(format!("{field}: {{ between: [100 EUR, 200 EUR] }}"));
    out.push(format!("{field}: {{ between: [5000, 20000] }}"));
    out.push(format!("{field}: {{ between: [5000 JPY, 20000 JPY] }}"));
    out
}

fn flags(field: &str) -> Vec<String> {
    vec![
        format!("{field}: true"),
        format!("{field}: true"),
        format!("{field}: false"),
        format!("{field}: {{ is: true }}"),
        format!("{field}: {{ is_not: true }}"),
        format!("{field}: {{ exists: true }}"),
        format!("{field}: {{ exists: false }}"),
    ]
}

fn local_times() -> Vec<String> {
    let field = "visitor.local_time";
    let mut out = exists(field);
    for hours in [
        "Mo-Fr 09:00-18:00",
        "Mo-Fr 18:00-22:00",
        "Mo-Su 22:00-02:00",
        "Sa,Su",
        "01:30-02:30",
        "Mo-Su 00:00-03:00,12:00-24:00",
        "Mo-Th 18:00-02:00; Fr-Sa 18:00-04:00",
        "Fr-Mo 09:00-12:00; We off",
    ] {
        out.push(format!("{field}: {{ during: {} }}", scalar(hours)));
    }
    out
}

fn urls(field: &str) -> Vec<String> {
    let mut out = exists(field);
    let mut push = |operator: &str, values: &[&str]| {
        out.push(match (operator, values) {
            ("", [value]) => format!("{field}: {}", scalar(value)),
            ("", values) => format!("{field}: {}", list(values)),
            (operator, [value]) => format!("{field}: {{ {operator}: {} }}", scalar(value)),
            (operator, values) => format!("{field}: {{ {operator}: {} }}", list(values)),
        });
    };
    push("", &["/pricing"]);
    push("", &["/", "/pricing", "/カート"]);
    push("", &["https://shop.example/pricing"]);
    push("is", &["https://shop.example"]);
    push("is", &["/pricing?plan=pro"]);
    push("is", &["/docs#setup"]);
    push("is", &["/%E3%82%AB%E3%83%BC%E3%83%88"]);
    push("is_not", &["/pricing"]);
    push("in", &["/docs", "https://shop.example/pricing/plans", "https://www.google.com/"]);
    push("not_in", &["/docs", "/pricing"]);
    push("contains", &["ricing"]);
    push("contains", &["/plans", "/カ"]);
    push("contains", &["/pricing"]);
    push("not_contains", &["/pricing"]);
    push("starts_with", &["/pri"]);
    push("starts_with", &["/docs", "/%E3%82%AB"]);
    push("starts_with", &["https://shop.example"]);
    push("starts_with", &["https://shop.example/p"]);
    push("starts_with", &["http://localhost:3000/"]);
    push("starts_with", &["/pricing?plan=p"]);
    push("ends_with", &["/plans"]);
    push("ends_with", &["ing", "ート"]);
    push("under", &["/pricing"]);
    push("under", &["/docs", "/カート"]);
    push("under", &["/"]);
    push("under", &["https://shop.example/docs"]);
    push("matches", &["/pricing"]);
    push("matches", &["/pricing/*"]);
    push("matches", &["/docs/:page", "/カート"]);
    push("matches", &["https://shop.example/*"]);
    push("matches", &["https://*.shop.example/*"]);
    push("matches", &["/pricing?plan=*"]);
    push("matches", &["http{s}?://shop.example/pricing*"]);
    push("is", &["/pricing/"]);
    push("is", &["/docs/start?plan=PRO#Setup"]);
    push("is", &["/docs/start#Setup", "/a b"]);
    push("in", &["/a%20b", "/docs/start?plan=PRO"]);
    push("contains", &["plan=pro"]);
    push("contains", &["?plan=", "#set"]);
    push("contains", &["https://shop.example", "a b"]);
    push("not_contains", &["plan=pro", "/docs"]);
    push("starts_with", &["/docs#s", "/docs/start?plan=P"]);
    push("starts_with", &["https://shop.example/docs/start?plan=P", "/docs/start#S"]);
    push("ends_with", &["=pro", "#setup"]);
    push("ends_with", &["/"]);
    push("under", &["/pricing/"]);
    push("under", &["https://shop.example"]);
    push("matches", &["/*"]);
    push("matches", &["/search?q=*", "/docs#s*"]);
    push("regex", &["/pricing$"]);
    push("regex", &["plan=(pro|PRO)"]);
    push("regex", &["^https://shop\\.example/(pricing|docs)"]);
    push("regex", &["(?i)PRICING|カート"]);
    if field == "session.visited" {
        push("in_order", &["/", "/pricing"]);
        push("in_order", &["/docs", "/pricing", "https://shop.example/カート"]);
        out.push(format!("{field}: {{ under: /docs, count: 2 }}"));
        out.push(format!("{field}: {{ starts_with: /, count: 3 }}"));
        out.push(format!("{field}: {{ contains: ricing, count: 2 }}"));
    } else {
        out.push(format!("{field}: {{ under: /pricing, is_not: /pricing }}"));
    }
    out
}

fn paths() -> Vec<String> {
    let field = "page.path";
    let mut out = exists(field);
    for condition in [
        "/pricing",
        "[/pricing, /docs]",
        "{ is: /カート }",
        "{ is: /Pricing }",
        "{ is_not: /pricing }",
        "{ in: [/, /pricing/plans] }",
        "{ not_in: [/pricing, /docs] }",
        "{ contains: ricing }",
        "{ contains: [plans, カ] }",
        "{ not_contains: pricing }",
        "{ not_contains: [docs, カ] }",
        "{ starts_with: /pri }",
        "{ starts_with: [/docs, /%E3%82%AB] }",
        "{ ends_with: plans }",
        "{ ends_with: [ing, ート] }",
        "{ under: /pricing }",
        "{ under: [/docs, /カート] }",
        "{ under: / }",
        "{ under: /pricing, is_not: /pricing }",
        "{ matches: \"/pricing/*\" }",
        "{ matches: [\"/pricing*\", \"/カ*\"] }",
        "{ is: /pricing/ }",
        "{ is: \"/a b\" }",
        "{ under: /pricing/ }",
        "{ contains: \"a b\" }",
        "{ starts_with: / }",
        "{ ends_with: / }",
        "{ matches: /pricing }",
        "{ regex: \"(?i)PRICING$\" }",
        "{ regex: \"^/pricing(/|$)\" }",
        "{ regex: \"^/(docs|カ)\" }",
    ] {
        out.push(format!("{field}: {condition}"));
    }
    out
}

/// Fields that time or the page itself can change, for `recheck`.
const WAITING: &[&str] = &[
    "page.time_on_page",
    "page.time_on_page",
    "page.idle",
    "page.scroll_percent",
    "session.duration",
    "session.duration",
    "session.events.form_error",
    "session.events.added",
    "signal.exit_intent",
    "signal.exit_intent",
    "visitor.local_time",
    "visitor.last_prompt",
    "visitor.last_dismissal",
    "visitor.last_chat",
    "page.path",
    "segment",
];

/// Conditions that are mostly false at first and come true by themselves.
const COMING: &[&str] = &[
    "page.time_on_page: { at_least: 10s }",
    "page.time_on_page: { at_least: 30s }",
    "page.time_on_page: { more_than: 60s }",
    "page.time_on_page: { between: [30s, 60s] }",
    "session.duration: { at_least: 60s }",
    "session.duration: { at_least: 5m }",
    "session.duration: { more_than: 30s }",
    "session.duration: { between: [60s, 5m] }",
    "visitor.last_chat: { at_least: 1h }",
    "visitor.last_prompt: { more_than: 24h }",
    "page.idle: { at_least: 30s }",
    "page.scroll_percent: { at_least: 50 }",
    "signal.exit_intent: true",
    "session.events.form_error: { at_least: 2 }",
    "page.time_on_page: { at_most: 60s }",
    "session.duration: { less_than: 5m }",
];

/// One condition on one field.
pub fn leaf(is_waiting: bool, has_segments: bool) -> impl Strategy<Value = String> + Clone {
    let any = any_leaf(is_waiting, has_segments);
    let coming = select(COMING).prop_map(str::to_owned);
    prop_oneof![
        1 => any,
        if is_waiting { 3 } else { 0 } => coming,
    ]
}

fn any_leaf(is_waiting: bool, has_segments: bool) -> impl Strategy<Value = String> + Clone {
    (any::<Index>(), any::<Index>()).prop_map(move |(field, condition)| {
        // The first conditions of each field ask whether it is there: nothing to wait for.
        let all = &*LEAVES;
        let usable: Vec<_> = if is_waiting {
            WAITING.iter().filter_map(|name| all.iter().find(|(field, _)| field == name)).collect()
        } else {
            all.iter().collect()
        };
        let usable: Vec<_> =
            usable.into_iter().filter(|(field, _)| has_segments || *field != "segment").collect();
        let (_, conditions) = field.get(&usable);
        let skipped = if is_waiting && conditions.len() > 7 { 2 } else { 0 };
        condition.get(&conditions[skipped..]).clone()
    })
}

/// A condition: a field's, or `all`, `any` and `not` of others. In flow style, without braces.
pub fn condition(is_waiting: bool, has_segments: bool) -> impl Strategy<Value = String> + Clone {
    let leaf = leaf(is_waiting, has_segments);
    // Two keys in one map: both must hold.
    let pair = (leaf.clone(), leaf.clone()).prop_map(|(a, b)| {
        let key = |part: &str| part.split_once(": ").map(|(key, _)| key.to_owned());
        if key(&a) == key(&b) { a } else { format!("{a}, {b}") }
    });
    prop_oneof![9 => leaf, 1 => pair].prop_recursive(2, 6, 3, |inner| {
        let several = |word: &'static str, inner: BoxedStrategy<String>| {
            prop::collection::vec(inner, 2..4).prop_map(move |parts| {
                let parts: Vec<_> = parts.iter().map(|part| format!("{{ {part} }}")).collect();
                format!("{word}: [{}]", parts.join(", "))
            })
        };
        prop_oneof![
            1 => several("all", inner.clone().boxed()),
            3 => several("any", inner.clone().boxed()),
            2 => inner.clone().prop_map(|part| format!("not: {{ {part} }}")),
            1 => (inner.clone(), inner)
                .prop_map(|(a, b)| format!("not: [ {{ {a} }}, {{ {b} }} ]")),
        ]
    })
}
