//! `site.yaml`: what holds for the whole site.

use std::collections::HashMap;
use std::sync::Arc;

use chrono_tz::Tz;

use super::allow;
use super::keys::Keys;
use super::misplaced;
use super::named::{goals, hours, segments, variables};
use super::predicates::Predicates;
use super::when::{self, Scope};
use crate::domain::caps::{Caps, Limit};
use crate::domain::money::Currency;
use crate::domain::origin::OriginSet;
use crate::domain::time::Millis;
use crate::rules::condition::Expr;
use crate::rules::context::{Context, SiteBasics};
use crate::rules::diagnostic::{Diagnostic, Report, Source, Span, nearest};
use crate::rules::known;
use crate::rules::model::Site;
use crate::rules::raw::{Entry, Node, NodeKind};
use crate::rules::values;
use crate::rules::vocabulary::{CAPS_NAMES, LIMITS_NAMES, SESSION_NAMES, SITE_NAMES};

/// A site's settings, and what its rules need of them.
pub(super) struct CompiledSite {
    pub site: Site,
    pub basics: SiteBasics,
    pub segments: HashMap<Arc<str>, Expr>,
    /// Whether its `variables` could be read; where not, any name may be one of them.
    pub knows_variables: bool,
    /// The same of its `hours`.
    pub knows_hours: bool,
    /// Where the first hours stand that go by the site's zone, if it names none.
    unzoned: Option<Span>,
    has_zone: bool,
}

impl CompiledSite {
    /// Says so where something goes by the site's zone and the site names none.
    pub fn check_zone(&self, source: &Arc<Source>, dates: Option<Dates>, report: &mut Report) {
        if self.has_zone {
            return;
        }
        let (source, span, what) = match (self.unzoned, dates) {
            (Some(span), _) => (source.clone(), span, "opening hours"),
            (None, Some((source, span))) => (source, span, "dates"),
            (None, None) => return,
        };
        let message = format!("the site names no time zone, so these {what} are taken as UTC");
        let finding = Diagnostic::warning("no-time-zone", &source, span, message);
        report.push(finding.help("add `time_zone: Asia/Tokyo` (or another) to site.yaml"));
    }
}

/// Where the first dates of a rule stand.
pub(super) type Dates = (Arc<Source>, Span);

/// A rule is stopped below this share of acceptances, where its site says nothing else.
const DEFAULT_FLOOR: f64 = 0.035;

/// The most caps take for granted where a site says nothing else.
const DEFAULT_CAPS: Caps = Caps {
    per_session: 1,
    cooldown: Millis::hours(24),
    between: Millis::minutes(5),
    after_dismissal: Millis::days(7),
    after_acceptance: Millis::days(30),
};

pub(super) fn compile(
    key: &str,
    source: &Arc<Source>,
    node: Option<&Node>,
    is_certain: bool,
    predicates: &mut Predicates,
    report: &mut Report,
) -> CompiledSite {
    let placeholder = SiteBasics {
        origins: Arc::default(),
        time_zone: Tz::UTC,
        currency: Currency::NONE,
        currencies: Vec::new(),
    };
    let mut cx = Context { source, report, site: &placeholder };
    if node.is_some_and(Node::is_null) {
        cx.error_help(
            "no-site",
            Span::default(),
            "the file says nothing of the site",
            "it needs at least `name`, `origins` and `time_zone`",
        );
    }
    let keys = node
        .filter(|node| !node.is_null())
        .and_then(|node| Keys::of(&mut cx, node, "a site", SITE_NAMES));
    let is_certain = is_certain && keys.is_some();
    let keys = keys.unwrap_or(Keys(&[]));
    if is_certain && keys.entry("origins").is_none() && !is_misspelt(keys, "origins") {
        let span = keys.0.first().map_or(Span::default(), |entry| entry.key_span);
        let finding = Diagnostic::warning(
            "no-origins",
            source,
            span,
            "the site lists no origins, so a page anywhere may ask for its prompts".to_owned(),
        );
        cx.report.push(finding.help("add `origins: [\"https://shop.example\"]`"));
    }
    let is_known = |name: &str| {
        let is_map = |entry: &Entry| matches!(entry.value.kind, NodeKind::Map(_));
        is_certain
            && !is_misspelt(keys, name)
            && keys.0.iter().find(|entry| entry.key == name).is_none_or(is_map)
    };
    let (knows_variables, knows_hours) = (is_known("variables"), is_known("hours"));
    // A mistake is shown once, not wherever something follows from it.
    if !knows_hours {
        cx.report.mute("unknown-hours");
    }
    if !is_known("segments") {
        cx.report.mute("unknown-segment");
    }
    let basics = basics(keys, is_certain, &mut cx);
    let mut cx = Context { source, report: cx.report, site: &basics };
    let errors_before = cx.report.error_count();
    let languages = languages(keys, &mut cx);
    let is_sound = cx.report.error_count() == errors_before;
    if !is_sound || !is_certain || is_misspelt(keys, "languages") {
        cx.report.mute("unknown-language");
        cx.report.mute("no-common-language");
    }
    let segments = segments(keys, predicates, &mut cx);
    let scope = Scope { segments: &segments, route: None };
    let when = keys
        .get("when")
        .and_then(|node| when::compile(node, &scope, predicates, &mut cx))
        .unwrap_or(Expr::ALWAYS);
    let site = Site {
        key: key.into(),
        name: keys
            .read(&mut cx, "name", "the site's name", |text| Ok(text.to_owned()))
            .unwrap_or_else(|| key.to_owned()),
        origins: basics.origins.clone(),
        time_zone: basics.time_zone,
        currency: basics.currency,
        currencies: basics.currencies.clone(),
        languages,
        is_consent_required: consent(keys, &mut cx),
        session_timeout: timeout(keys, &mut cx),
        caps: caps(keys, &mut cx),
        limits: limits(keys.get("limits"), &mut cx),
        when,
        hours: hours(keys, predicates, &mut cx),
        acceptance_floor: keys
            .read(&mut cx, "acceptance_floor", "a percentage like 3.5%", values::percentage)
            .unwrap_or(DEFAULT_FLOOR),
        goals: goals(keys, &mut cx),
        variables: variables(keys, &mut cx),
        allow: allow::compile(keys, &mut cx),
    };
    let has_zone = !is_certain || keys.get("time_zone").is_some() || is_misspelt(keys, "time_zone");
    let unzoned = unzoned(keys);
    CompiledSite { site, basics, segments, knows_variables, knows_hours, unzoned, has_zone }
}

/// Whether a key is left out and another one looks like it.
fn is_misspelt(keys: Keys<'_>, name: &str) -> bool {
    let is_like = |key: &str| {
        !SITE_NAMES.contains(&key)
            && (nearest(key, SITE_NAMES.iter().copied()) == Some(name)
                || misplaced::meant(key, &[name]).is_some())
    };
    keys.entry(name).is_none() && keys.0.iter().any(|entry| is_like(&entry.key))
}

/// The first hours that have no zone of their own.
fn unzoned(keys: Keys<'_>) -> Option<Span> {
    let NodeKind::Map(entries) = &keys.get("hours")?.kind else { return None };
    let has_zone = |entry: &Entry| matches!(&entry.value.kind, NodeKind::Map(parts) if Keys(parts).get("time_zone").is_some());
    entries.iter().find(|entry| !has_zone(entry)).map(|entry| entry.key_span)
}

fn basics(keys: Keys<'_>, is_certain: bool, cx: &mut Context<'_>) -> SiteBasics {
    let time_zone = keys.get("time_zone").and_then(|node| zone(node, cx)).unwrap_or(Tz::UTC);
    let errors_before = cx.report.error_count();
    let currency = keys.get("currency").and_then(|node| one_currency(node, cx));
    let mut currencies: Vec<Currency> = currency.into_iter().collect();
    if let Some(node) = keys.get("currencies") {
        let listed = match &node.kind {
            NodeKind::List(items) => items.iter().collect(),
            _ => vec![node],
        };
        for item in listed {
            if let Some(code) = one_currency(item, cx)
                && !currencies.contains(&code)
            {
                currencies.push(code);
            }
        }
    }
    let is_misspelt = is_misspelt(keys, "currency") || is_misspelt(keys, "currencies");
    if cx.report.error_count() > errors_before || !is_certain || is_misspelt {
        cx.report.mute("unknown-currency");
        cx.report.mute("no-currency");
    }
    let currency = currency.or(currencies.first().copied()).unwrap_or(Currency::NONE);
    if currencies.is_empty() {
        currencies.push(currency);
    }
    let mut origins = OriginSet::default();
    if let Some(node) = keys.get("origins") {
        for (text, span) in
            cx.texts(node, "an origin like https://shop.example").unwrap_or_default()
        {
            if let Err(error) = origins.add(text) {
                cx.error("not-an-origin", span, error);
            }
        }
    }
    SiteBasics { origins: origins.into(), time_zone, currency, currencies }
}

fn one_currency(node: &Node, cx: &mut Context<'_>) -> Option<Currency> {
    let text = cx.text(node, "a currency's three letters like EUR")?;
    let currency = Currency::parse(text).filter(|_| known::is_currency(text));
    if currency.is_none() {
        let message = format!("`{text}` is not a currency");
        let help = match text.trim().to_lowercase().as_str() {
            "yen" | "¥" | "円" => "write JPY",
            "euro" | "euros" | "€" => "write EUR",
            "dollar" | "dollars" | "$" => "write USD",
            "pound" | "pounds" | "£" => "write GBP",
            _ => "write its three letters of ISO 4217, like EUR or JPY",
        };
        cx.error_help("unknown-value", node.span, message, help);
    }
    currency
}

pub(super) fn zone(node: &Node, cx: &mut Context<'_>) -> Option<Tz> {
    let text = cx.text(node, "a time zone like Asia/Tokyo")?;
    if let Ok(zone) = text.parse() {
        return Some(zone);
    }
    let message = format!("`{text}` is not {}", known::TIME_ZONE.what);
    match (known::TIME_ZONE.suggest)(text) {
        Some(help) => cx.error_help("unknown-value", node.span, message, help),
        None => cx.error("unknown-value", node.span, message),
    }
    None
}

fn languages(keys: Keys<'_>, cx: &mut Context<'_>) -> Vec<Arc<str>> {
    let mut languages: Vec<Arc<str>> = Vec::new();
    let texts = keys.get("languages").and_then(|node| cx.texts(node, "a language tag like en"));
    for (text, span) in texts.unwrap_or_default() {
        match known::language(text) {
            Ok(tag) => languages.push(tag.to_string().into()),
            Err(help) => {
                let message = format!("`{text}` is not a language tag");
                cx.error_help("unknown-value", span, message, help);
            }
        }
    }
    if languages.is_empty() {
        languages.push("en".into());
    }
    languages
}

fn consent(keys: Keys<'_>, cx: &mut Context<'_>) -> bool {
    keys.read(cx, "consent", "required or not_required", |text| match text {
        "required" => Ok(true),
        "not_required" => Ok(false),
        "yes" | "true" | "on" => Err(format!("`{text}` says too little: write required")),
        "no" | "false" | "off" => Err(format!("`{text}` says too little: write not_required")),
        _ => Err(format!("expected required or not_required, found `{text}`")),
    })
    .unwrap_or(false)
}

fn timeout(keys: Keys<'_>, cx: &mut Context<'_>) -> Millis {
    let default = Millis::minutes(30);
    let Some(node) = keys.get("session") else { return default };
    let Some(keys) = Keys::of(cx, node, "session", SESSION_NAMES) else { return default };
    keys.read(cx, "timeout", "a duration like 30m", |text| {
        let length = values::duration(text)?;
        if (Millis::minutes(1)..=Millis::hours(24)).contains(&length) {
            Ok(length)
        } else {
            Err(format!("a session's timeout is from 1m to 24h, not {text}"))
        }
    })
    .unwrap_or(default)
}

fn caps(keys: Keys<'_>, cx: &mut Context<'_>) -> Caps {
    let mut caps = DEFAULT_CAPS;
    let Some(node) = keys.get("caps") else { return caps };
    let Some(keys) = Keys::of(cx, node, "caps", CAPS_NAMES) else { return caps };
    if let Some(count) = keys.read(cx, "per_session", "a whole number", values::count) {
        caps.per_session = u32::try_from(count).unwrap_or(u32::MAX);
    }
    let fields: [(&str, &mut Millis); 4] = [
        ("cooldown", &mut caps.cooldown),
        ("between", &mut caps.between),
        ("after_dismissal", &mut caps.after_dismissal),
        ("after_acceptance", &mut caps.after_acceptance),
    ];
    for (key, pause) in fields {
        if let Some(length) = keys.read(cx, key, "a duration like 24h", values::duration) {
            *pause = length;
        }
    }
    caps
}

/// `limits` of a site or a rule.
pub(super) fn limits(node: Option<&Node>, cx: &mut Context<'_>) -> Arc<[Limit]> {
    /// As the names of the keys have them.
    const WINDOWS: [Millis; 3] = [Millis::minutes(1), Millis::hours(1), Millis::days(1)];
    let Some(keys) = node.and_then(|node| Keys::of(cx, node, "limits", LIMITS_NAMES)) else {
        return Arc::from([]);
    };
    let mut limits = Vec::new();
    for (key, window) in LIMITS_NAMES.iter().zip(WINDOWS) {
        if let Some(most) = keys.read(cx, key, "a whole number", |text| {
            let most = values::count(text)?;
            if most <= 1_000_000 { Ok(most) } else { Err("a limit is at most 1000000".to_owned()) }
        }) {
            limits.push(Limit { window, most: u32::try_from(most).unwrap_or(u32::MAX) });
        }
    }
    limits.into()
}
