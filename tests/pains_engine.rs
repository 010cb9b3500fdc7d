//! What users of such products suffer from, as far as rules and engine can spare them: rule files
//! in, decisions out. A test is named after the pain it is about.
//!
//! Must not: go through the service; what needs sessions, stores or HTTP is tested there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::pedantic,
    missing_docs,
    reason = "a test may fail by panicking, and need not be polished"
)]

use koekake::domain::decision::{Reason, Recheck, Trigger, Wait};
use koekake::domain::history::{Offer, SessionMark};
use koekake::domain::money::{Amount, Currency, Money};
use koekake::domain::page_url::PageUrl;
use koekake::domain::session::View;
use koekake::domain::time::{Millis, Timestamp};
use koekake::domain::visit::{AttributeValue, EventKind};
use koekake::engine::{Unlimited, Verdict, decide};
use koekake::rules::compile::load;
use koekake::rules::diagnostic::Source;
use koekake::rules::model::RuleSet;
use koekake::rules::sample::Sample;

/// A Friday noon in Tokyo.
const NOON: &str = "2026-11-20T12:00:00+09:00";

fn at(text: &str) -> Timestamp {
    chrono::DateTime::parse_from_rfc3339(text).unwrap().to_utc().into()
}

/// A shop in Tokyo with these lines more in its `site.yaml`, and these rules.
fn shop(site: &str, rules: &str) -> RuleSet {
    let site = format!(
        "name: Shop\n\
         origins: [\"https://shop.example\", \"https://*.shop.example\", \"http://localhost:*\"]\n\
         time_zone: Asia/Tokyo\ncurrency: JPY\ncurrencies: [JPY, EUR]\n{site}"
    );
    let file = |name: &str, text: String| Source { name: name.to_owned(), text };
    let files = vec![file("site.yaml", site), file("rules.yaml", format!("rules:\n{rules}"))];
    let loaded = load("shop", files);
    let findings: Vec<_> = loaded.findings.iter().map(ToString::to_string).collect();
    loaded.set.unwrap_or_else(|| panic!("{}", findings.join("\n")))
}

/// A rule that says hello under these conditions.
fn hello(id: &str, priority: i32, when: &str) -> String {
    format!(
        "  - id: {id}\n    priority: {priority}\n    prompt: {{ message: {{ en: Hello }} }}\n    \
         when: {when}\n"
    )
}

/// Somebody new who just came to that page.
fn visitor(url: &str, now: &str) -> Sample {
    let mut visitor = Sample::new("shop", "https://shop.example", at(now));
    visitor.set_url(PageUrl::parse(url).unwrap());
    visitor
}

/// The same visitor who did nothing meanwhile; the page asks again.
fn later(visitor: &Sample, by: Millis) -> Sample {
    let mut visitor = visitor.clone();
    let longer = |length: Option<Millis>| length.map(|length| Millis(length.0 + by.0));
    visitor.now = visitor.now + by;
    visitor.page.time_on_page = longer(visitor.page.time_on_page);
    visitor.page.idle = longer(visitor.page.idle);
    visitor.visit.event.kind = EventKind::Recheck;
    visitor
}

fn ask(shop: &RuleSet, visitor: &Sample) -> Verdict {
    decide(shop, &visitor.facts(), &Unlimited, &[])
}

fn shown<'s>(shop: &'s RuleSet, visitor: &Sample) -> Option<&'s str> {
    ask(shop, visitor).win.map(|win| &*shop.rules[win.rule].id)
}

fn shows(shop: &RuleSet, visitor: &Sample) -> bool {
    ask(shop, visitor).reason == Reason::RuleMatched
}

fn after(length: Millis) -> Option<Recheck> {
    Some(Recheck { after: Some(length), ..Recheck::default() })
}

fn on(trigger: Trigger) -> Option<Recheck> {
    let wait = Wait { on: trigger, not_before: Millis::ZERO };
    Some(Recheck { on: vec![wait], ..Recheck::default() })
}

#[test]
fn pain_04_wildcards_exclusions_and_queries_in_urls() {
    for (condition, url, wanted) in [
        // A page is that page, however people came to it.
        ("page.url: /pricing", "https://shop.example/pricing", true),
        ("page.url: /pricing", "https://shop.example/pricing?utm_source=news#plans", true),
        ("page.url: /pricing", "https://shop.example/pricing/enterprise", false),
        ("page.url: /pricing", "http://localhost:3000/pricing", true),
        ("page.url: /pricing", "https://blog.example/pricing", false),
        // All below a path, and nothing that only looks like it.
        ("page.url: { under: /pricing }", "https://shop.example/pricing", true),
        ("page.url: { under: /pricing }", "https://shop.example/pricing/", true),
        ("page.url: { under: /pricing }", "https://shop.example/pricing/plans?x=1", true),
        ("page.url: { under: /pricing/ }", "https://shop.example/pricing", true),
        ("page.url: { under: /pricing }", "https://shop.example/pricing-old", false),
        // Wildcards.
        ("page.url: { matches: \"/products/*\" }", "https://shop.example/products/7?ref=x", true),
        ("page.url: { matches: \"/products/*\" }", "https://shop.example/products/7/size", true),
        ("page.url: { matches: \"/products/*\" }", "https://shop.example/products", false),
        ("page.url: { matches: \"/products/:id\" }", "https://shop.example/products/7", true),
        ("page.url: { matches: \"/products/:id\" }", "https://shop.example/products/7/a", false),
        ("page.url: { matches: \"https://*.shop.example/*\" }", "https://b.shop.example/x", true),
        (
            "page.url: { matches: \"https://*.shop.example/*\" }",
            "https://b.shop.example.evil/x",
            false,
        ),
        (
            "page.path: { matches: \"/blog/*/comments\" }",
            "https://shop.example/blog/1/comments",
            true,
        ),
        // A query counts where it is named, and a parameter wherever it stands.
        ("page.url: /search?q=tea", "https://shop.example/search?q=tea", true),
        ("page.url: /search?q=tea", "https://shop.example/search?q=teapot", false),
        ("page.query.q: tea", "https://shop.example/search?page=2&q=Tea", true),
        ("page.query.q: { exists: false }", "https://shop.example/search?q=", true),
        ("page.url: { contains: \"plan=pro\" }", "https://shop.example/x?plan=pro", true),
        ("page.url: { not_contains: pricing }", "https://shop.example/?from=pricing", true),
        // One spelling is as good as another.
        ("page.url: /カート", "https://shop.example/%E3%82%AB%E3%83%BC%E3%83%88", true),
        ("page.path: /%e3%82%ab%e3%83%bc%e3%83%88", "https://shop.example/カート", true),
        ("page.url: \"/a b\"", "https://shop.example/a%20b", true),
        ("page.url: /Pricing", "https://shop.example/pricing", false),
        // No other host passes for the shop's.
        ("page.url: { starts_with: https://shop.example }", "https://shop.example/x", true),
        ("page.url: { starts_with: https://shop.example }", "https://shop.example.evil/", false),
        ("page.url: { contains: https://shop.example }", "https://shop.example.evil/", false),
        ("page.url: { under: https://shop.example }", "https://shop.example.evil/", false),
        ("page.url: { regex: \"/pricing$\" }", "https://evil.example/pricing", false),
    ] {
        let shop = shop("", &hello("hello", 0, &format!("[ {{ {condition} }} ]")));
        assert_eq!(shows(&shop, &visitor(url, NOON)), wanted, "{condition} on {url}");
    }

    // Exclusions, by the rule itself and for the whole site.
    let shop = shop(
        "when: [ { not: { page.path: { under: [/careers, /legal] } } } ]",
        &hello(
            "hello",
            0,
            "[ { page.path: { under: / } }, { not: { page.url: { under: /checkout } } } ]",
        ),
    );
    for (path, wanted) in [
        ("/", true),
        ("/pricing?next=/checkout", true),
        ("/checkout", false),
        ("/checkout/payment?step=2", false),
        ("/careers/chef", false),
        ("/legalese", true),
    ] {
        let url = format!("https://shop.example{path}");
        assert_eq!(shows(&shop, &visitor(&url, NOON)), wanted, "{path}");
    }
}

#[test]
fn pain_05_a_page_and_a_time_together() {
    let when = "[ { page.url: { under: /pricing } }, { page.time_on_page: { at_least: 60s } } ]";
    let shop = shop("", &hello("hello", 0, when));
    let comes = visitor("https://shop.example/pricing", NOON);

    let first = ask(&shop, &comes);
    assert_eq!((first.reason, first.recheck), (Reason::NotYet, after(Millis::seconds(60))));
    let early = ask(&shop, &later(&comes, Millis(59_999)));
    assert_eq!((early.reason, early.recheck), (Reason::NotYet, after(Millis(1))));
    assert!(shows(&shop, &later(&comes, Millis::seconds(60))));

    // Time alone never makes up for the page: nothing to wait for there.
    let elsewhere = visitor("https://shop.example/docs", NOON);
    let elsewhere = ask(&shop, &later(&elsewhere, Millis::minutes(5)));
    assert_eq!((elsewhere.reason, elsewhere.recheck), (Reason::NoMatch, None));
}

#[test]
fn pain_07_hours_holidays_split_shifts_midnight_and_dst() {
    const OFFICE: &str = "{ open: \"Mo-Fr 09:00-18:00; Sa 10:00-17:00; PH off\", holidays: JP }";
    const SHIFTS: &str = "{ open: \"Mo-Fr 09:00-12:00,13:00-18:00\" }";
    const BAR: &str = "{ open: \"Mo-Th 18:00-02:00; Fr-Sa 18:00-04:00\" }";
    const BERLIN: &str = "{ open: \"Mo-Su 09:00-18:00\", time_zone: Europe/Berlin }";
    const NEW_YORK: &str = "{ open: \"Mo-Fr 09:00-17:00\", time_zone: America/New_York }";
    const NIGHT: &str = "{ open: \"Mo-Su 02:00-03:00\", time_zone: Europe/Berlin }";
    for (hours, moment, wanted, why) in [
        (OFFICE, "2026-11-20T08:59:59+09:00", false, "a second before opening"),
        (OFFICE, "2026-11-20T09:00:00+09:00", true, "the first moment"),
        (OFFICE, "2026-11-20T18:00:00+09:00", false, "the end is no longer open"),
        (OFFICE, "2026-11-20T03:00:00Z", true, "the clock is the shop's, not the server's"),
        (OFFICE, "2026-11-21T16:30:00+09:00", true, "Saturday keeps its own hours"),
        (OFFICE, "2026-11-21T16:30:00Z", false, "the server's Saturday is the shop's Sunday"),
        (OFFICE, "2026-11-23T10:00:00+09:00", false, "Labour Thanksgiving Day"),
        (OFFICE, "2026-09-22T10:00:00+09:00", false, "a day between two holidays is one too"),
        (OFFICE, "2027-03-22T10:00:00+09:00", false, "the equinox was a Sunday: Monday is off"),
        (OFFICE, "2026-11-24T10:00:00+09:00", true, "the day after a holiday"),
        (SHIFTS, "2026-11-20T11:59:59+09:00", true, "before lunch"),
        (SHIFTS, "2026-11-20T12:30:00+09:00", false, "lunch"),
        (SHIFTS, "2026-11-20T13:00:00+09:00", true, "after lunch"),
        (BAR, "2026-11-20T01:59:59+09:00", true, "Thursday's night, on Friday by the calendar"),
        (BAR, "2026-11-20T02:00:00+09:00", false, "Thursday's night is over"),
        (BAR, "2026-11-21T03:00:00+09:00", true, "Friday's night is longer"),
        (BAR, "2026-11-23T01:00:00+09:00", false, "Sunday has no night"),
        (BERLIN, "2026-03-28T08:00:00Z", true, "nine in winter"),
        (BERLIN, "2026-03-29T07:00:00Z", true, "nine on the day the clocks go forward"),
        (BERLIN, "2026-03-29T06:59:59Z", false, "not an hour earlier"),
        (BERLIN, "2026-10-24T07:00:00Z", true, "nine in summer"),
        (BERLIN, "2026-10-25T07:59:59Z", false, "eight on the day the clocks go back"),
        (BERLIN, "2026-10-25T08:00:00Z", true, "nine on that day"),
        (NEW_YORK, "2026-07-01T13:00:00Z", true, "the offset of July"),
        (NEW_YORK, "2026-12-01T13:00:00Z", false, "is not that of December"),
        (NEW_YORK, "2026-12-01T14:00:00Z", true, "which is an hour more"),
        (NIGHT, "2026-10-25T00:30:00Z", true, "an hour that comes twice is open the first time"),
        (NIGHT, "2026-10-25T01:30:00Z", true, "and the second time"),
        (NIGHT, "2026-03-29T01:00:00Z", false, "an hour that is skipped opens nothing"),
    ] {
        let shop = shop(
            &format!("hours: {{ support: {hours} }}"),
            "  - { id: hello, hours: support, prompt: { message: { en: Hello } } }\n  \
             - { id: sorry, hours: { outside: support }, prompt: { message: { en: Sorry } } }\n",
        );
        let visitor = visitor("https://shop.example/", moment);
        let wanted = if wanted { "hello" } else { "sorry" };
        assert_eq!(shown(&shop, &visitor), Some(wanted), "{hours} at {moment}: {why}");
    }

    // Who comes shortly before is told when to ask again, not all in the same moment.
    let shop = shop(
        &format!("hours: {{ support: {OFFICE} }}"),
        "  - { id: hello, hours: support, prompt: { message: { en: Hello } } }\n",
    );
    let early = visitor("https://shop.example/", "2026-11-20T08:45:00+09:00");
    let verdict = ask(&shop, &early);
    let recheck = verdict.recheck.unwrap();
    assert_eq!((verdict.reason, recheck.after), (Reason::NotYet, Some(Millis::minutes(15))));
    assert!(recheck.spread > Millis::ZERO, "everybody's pages wait for the same moment");
    assert!(shows(&shop, &later(&early, Millis::minutes(15))));
}

#[test]
fn pain_10_a_higher_rule_that_is_not_yet_true_blocks_no_lower_one() {
    let long = hello("long", 90, "[ { session.duration: { at_least: 5m } } ]");
    let pricing = hello("pricing", 50, "[ { page.path: /pricing } ]");
    let anywhere = hello("anywhere", 10, "[ { page.path: { under: / } } ]");

    // Every rule works, in order of priority and not of the file.
    let all = shop("", &(anywhere.clone() + &pricing + &long));
    let on_pricing = visitor("https://shop.example/pricing", NOON);
    assert_eq!(shown(&all, &on_pricing), Some("pricing"));
    assert_eq!(shown(&all, &visitor("https://shop.example/", NOON)), Some("anywhere"));
    assert_eq!(shown(&all, &later(&on_pricing, Millis::minutes(5))), Some("long"));

    // Where none is true yet, each that could be is waited for.
    let waiting =
        shop("", &(long + &hello("deep", 10, "[ { page.scroll_percent: { at_least: 50 } } ]")));
    let recheck = ask(&waiting, &on_pricing).recheck.unwrap();
    assert_eq!(recheck.after, Some(Millis::minutes(5)));
    assert_eq!(Some(recheck.on), on(Trigger::ScrollPercent(50)).map(|recheck| recheck.on));

    // Rules that may not, for whatever reason, are passed over.
    for line in [
        "mode: off",
        "mode: shadow",
        "rollout: 0%",
        "active: { until: 2026-11-19 }",
        "hours: never",
        "repeat: once",
    ] {
        let site = "hours: { never: { open: \"Mo-Fr 00:00-00:01\" } }";
        let blocked =
            format!("{}    {line}\n", hello("blocked", 90, "[ { page.path: /pricing } ]"));
        let shop = shop(site, &(blocked + &anywhere));
        let mut visitor = on_pricing.clone();
        let mark = SessionMark { id: 7, started_at: at("2026-01-01T00:00:00Z") };
        let offer = Offer { session: mark, at: mark.started_at, is_prompt: true };
        visitor.history.remember(offer, Some(&"blocked".into()));
        assert_eq!(shown(&shop, &visitor), Some("anywhere"), "{line}");
    }
    // So is one whose offer was refused as over a limit in the last moment.
    let refused = decide(&all, &on_pricing.facts(), &Unlimited, &[1]);
    assert_eq!(refused.win.map(|win| &*all.rules[win.rule].id), Some("anywhere"));
}

#[test]
fn pain_14_a_missing_value_is_the_same_under_every_negative_operator() {
    let fields = [
        ("visitor.attributes.plan", "pro"),
        ("page.referrer", "/pricing"),
        ("page.referrer_host", "www.google.com"),
        ("page.fragment", "setup"),
        ("page.query.ref", "news"),
        ("page.title", "Pricing"),
        ("session.utm.source", "news"),
        ("visitor.language", "ja"),
        ("visitor.time_zone", "Asia/Tokyo"),
        ("location.country", "JP"),
        ("location.region", "JP-13"),
        ("location.city", "Tokyo"),
        ("location.in_eu", "true"),
        ("cart.value", "20000 JPY"),
        ("cart.items", "3"),
        ("agents.online", "2"),
        ("agents.available", "true"),
    ];
    let mut visitor = visitor("https://shop.example/?ref=", NOON);
    // Empty text is as good as none, and so is an amount in another currency.
    visitor.session.profile.attributes.0.push(("plan".into(), AttributeValue::Text("".into())));
    let euros = Money { amount: Amount(990_000), currency: Currency::parse("EUR") };
    visitor.cart().value = Some(euros);

    let mut asked = 0;
    for (field, value) in fields {
        for (condition, wanted) in [
            (format!("{field}: {{ is_not: {value} }}"), true),
            (format!("{field}: {{ not_in: [{value}] }}"), true),
            (format!("{field}: {{ not_contains: {value} }}"), true),
            (format!("not: {{ {field}: {value} }}"), true),
            (format!("not: {{ {field}: {{ in: [{value}] }} }}"), true),
            (format!("not: {{ not: {{ {field}: {{ is_not: {value} }} }} }}"), true),
            (format!("{field}: {{ exists: false }}"), true),
            (format!("not: {{ {field}: {{ exists: true }} }}"), true),
            (format!("{field}: {value}"), false),
            (format!("{field}: [{value}]"), false),
            (format!("{field}: {{ contains: {value} }}"), false),
            (format!("{field}: {{ at_most: {value} }}"), false),
            (format!("{field}: {{ exists: true }}"), false),
            (format!("not: {{ {field}: {{ is_not: {value} }} }}"), false),
        ] {
            let file = |name: &str, text: String| Source { name: name.to_owned(), text };
            let loaded = load(
                "shop",
                vec![
                    file("site.yaml", "name: Shop\ncurrency: JPY".to_owned()),
                    file(
                        "a.yaml",
                        "rules:\n".to_owned() + &hello("a", 0, &format!("[ {{ {condition} }} ]")),
                    ),
                ],
            );
            // Not every operator goes with every field.
            let Some(shop) = loaded.set else { continue };
            asked += 1;
            assert_eq!(shows(&shop, &visitor), wanted, "{condition}");
        }
    }
    assert!(asked > 150, "{asked}");
}

#[test]
fn pain_15_a_cooldown_of_zero_is_no_cooldown() {
    let mut visitor = visitor("https://shop.example/", NOON);
    let mark = SessionMark { id: 7, started_at: visitor.now - Millis::hours(1) };
    let at = visitor.now - Millis::minutes(10);
    visitor.history.offers.push(Offer { session: mark, at, is_prompt: true });
    visitor.history.last_dismissal = Some(at);
    for (caps, wanted) in [
        ("caps: { cooldown: 0, after_dismissal: 0 }", Reason::RuleMatched),
        ("caps: { cooldown: 0s, after_dismissal: 9m }", Reason::RuleMatched),
        ("caps: { cooldown: 0, after_dismissal: 11m }", Reason::Cooldown),
        ("caps: { cooldown: 11m, after_dismissal: 0 }", Reason::Cooldown),
        ("", Reason::Cooldown),
    ] {
        let shop = shop(caps, &hello("hello", 0, "[ { page.path: / } ]"));
        assert_eq!(ask(&shop, &visitor).reason, wanted, "{caps}");
    }
}

/// Once lost: the cart of a page that names no currency was missing for every rule.
#[test]
fn an_amount_without_a_currency_is_in_the_sites() {
    let mut visitor = visitor("https://shop.example/cart", NOON);
    visitor.cart().value = Some(Money { amount: Amount::parse("25000").unwrap(), currency: None });
    for (condition, wanted) in [
        ("cart.value: { at_least: 20000 }", true),
        ("cart.value: { at_least: 20000 JPY }", true),
        ("cart.value: { exists: true }", true),
        ("cart.value: { at_least: 100 EUR }", false),
    ] {
        let shop = shop("", &hello("hello", 0, &format!("[ {{ {condition} }} ]")));
        assert_eq!(shows(&shop, &visitor), wanted, "{condition}");
    }
}

/// Once `no_match`: the pause was hidden behind the old page, and looked like a rule's doing.
#[test]
fn a_recheck_of_an_old_page_still_says_cooldown() {
    let shop = shop("caps: { cooldown: 1h }", &hello("hello", 0, "[ { page.path: /docs } ]"));
    let mut visitor = later(&visitor("https://shop.example/docs", NOON), Millis::seconds(5));
    visitor.page.view_id = Some("v1".into());
    let url = PageUrl::parse("https://shop.example/pricing").unwrap();
    visitor.session.views.push(View { id: "v1".into(), url, started_at: visitor.now });
    assert_eq!(ask(&shop, &visitor).reason, Reason::NoMatch, "the page has gone on");
    let mark = SessionMark { id: 7, started_at: visitor.now - Millis::hours(9) };
    let at = visitor.now - Millis::minutes(10);
    visitor.history.offers.push(Offer { session: mark, at, is_prompt: true });
    let verdict = ask(&shop, &visitor);
    assert_eq!((verdict.reason, verdict.recheck), (Reason::Cooldown, None));
}

/// Once nothing was named: a page that leaves out its scroll depth was taken to have none for good.
#[test]
fn what_a_page_left_out_at_first_is_still_waited_for() {
    let mut visitor = visitor("https://shop.example/", NOON);
    (visitor.page.scroll_percent, visitor.page.idle) = (None, None);
    for (condition, trigger) in [
        ("page.scroll_percent: { at_least: 50 }", Trigger::ScrollPercent(50)),
        ("page.idle: { at_least: 45s }", Trigger::Idle(Millis::seconds(45))),
        ("page.idle: { exists: true }", Trigger::Idle(Millis::ZERO)),
    ] {
        let shop = shop("", &hello("hello", 0, &format!("[ {{ {condition} }} ]")));
        assert_eq!(ask(&shop, &visitor).recheck, on(trigger), "{condition}");
    }
    let both = "[ { page.idle: { at_least: 30s } }, { not: { page.idle: { at_least: 30s } } } ]";
    let never = shop("", &hello("never", 0, both));
    assert_eq!(ask(&never, &visitor).recheck, None, "what contradicts itself is not waited for");
}

/// Once a wait of exactly six hours was left out, though nothing is only beyond them.
#[test]
fn six_hours_are_named_and_no_more() {
    let shop = shop(
        "session: { timeout: 8h }\nhours: { support: { open: \"Mo-Fr 18:00-20:00\" } }",
        "  - { id: hello, hours: support, prompt: { message: { en: Hello } } }\n",
    );
    let noon = visitor("https://shop.example/", NOON);
    let recheck = ask(&shop, &noon).recheck.unwrap();
    assert_eq!(recheck.after, Some(Millis::hours(6)));
    let before = visitor("https://shop.example/", "2026-11-20T11:59:59+09:00");
    assert_eq!(ask(&shop, &before).recheck, None);
}

/// Once only the first subtag fitted where a page wrote `en_GB`.
#[test]
fn a_language_with_an_underscore_is_the_same_language() {
    let mut visitor = visitor("https://shop.example/", NOON);
    visitor.session.profile.language = Some("en_GB".into());
    for (wanted, value) in [(true, "en-GB"), (true, "en"), (false, "en-US"), (false, "zh")] {
        let shop = shop("", &hello("hello", 0, &format!("[ {{ visitor.language: {value} }} ]")));
        assert_eq!(shows(&shop, &visitor), wanted, "{value}");
    }
}
