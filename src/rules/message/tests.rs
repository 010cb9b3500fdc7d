//! What an author of prompts relies on.

use std::sync::Arc;

use chrono::DateTime;
use chrono_tz::Asia;
use proptest::prelude::*;

use super::*;
use crate::domain::facts::{AgentBoard, Facts};
use crate::domain::history::History;
use crate::domain::ids::SessionId;
use crate::domain::money::{Amount, Currency, Money};
use crate::domain::page_url::PageUrl;
use crate::domain::session::Session;
use crate::domain::time::Timestamp;
use crate::domain::visit::*;
use crate::rules::hours::Hours;

const KNOWN: Known<'_> =
    Known { variables: &["agent", "shop-name"], hours: &["support", "front-desk"] };

fn device() -> Device {
    Device { kind: DeviceKind::Desktop, os: None, browser: None, is_bot: false }
}

/// A visit of a shop on a Friday, as told by `change`.
fn render_with(
    template: &str,
    language: &str,
    at: &str,
    change: impl FnOnce(&mut Session, &mut Visit),
) -> String {
    let template = Template::compile(template, &KNOWN).unwrap();
    let page = Page {
        url: PageUrl::parse("https://shop.example/pricing?plan=pro&empty=&name=%3Cb%3E").unwrap(),
        referrer: None,
        title: Some("Pricing".into()),
        view_id: None,
        time_on_page: None,
        idle: None,
        scroll_percent: None,
    };
    let now: Timestamp = DateTime::parse_from_rfc3339(at).unwrap().to_utc().into();
    let mut visit = Visit {
        site: "demo-shop".into(),
        session: None,
        visitor: None,
        identity: None,
        event: Event { kind: EventKind::PageView, id: None, at: None },
        cart: None,
        profile: Profile::default(),
        consent: None,
        place: Place { city: Some("Tokyo".into()), ..Place::default() }.into(),
        device: device(),
        accept_languages: vec!["en-GB".into()],
    };
    let mut session = Session::begin(Some(&page), Vec::new(), now);
    change(&mut session, &mut visit);
    let facts = Facts {
        now,
        session_id: &SessionId::from_bits([0; 16]),
        visit: &visit,
        page: &page,
        session: &session,
        history: &History { sessions: 2, ..History::default() },
        agents: &AgentBoard::default(),
    };
    let support = Hours::parse("Mo-Fr 09:00-18:00; Dec 26-Jan 10 off", Asia::Tokyo, None, &[]);
    let never = Hours::parse("off", Asia::Tokyo, None, &[]);
    let context = context(
        &facts,
        &Surroundings {
            variables: &[("agent".into(), "Hana".into()), ("shop-name".into(), "Kago".into())],
            hours: &[
                ("support".into(), Arc::new(support.unwrap())),
                ("front-desk".into(), Arc::new(never.unwrap())),
            ],
            currency: Currency::parse("JPY"),
            language,
        },
    );
    template.render(&context)
}

fn render(template: &str) -> String {
    render_with(template, "en", "2026-11-20T10:00:00+09:00", |session, _| {
        let attributes = vec![
            ("plan".into(), AttributeValue::Text("pro".into())),
            ("seats".into(), AttributeValue::Number(3.0)),
            ("rate".into(), AttributeValue::Number(2.5)),
            ("tags".into(), AttributeValue::List(vec!["a".into(), "b".into()])),
            ("points".into(), AttributeValue::Text("12".into())),
            ("vip".into(), AttributeValue::Flag(false)),
        ];
        session.profile.attributes = Attributes(attributes);
    })
}

fn amount(text: &str, currency: Option<&str>) -> String {
    render_with(
        "{{ cart.value }} {{ cart.currency }}",
        "en",
        "2026-11-20T10:00:00Z",
        |session, _| {
            let currency = currency.and_then(Currency::parse);
            let value = Some(Money { amount: Amount::parse(text).unwrap(), currency });
            session.cart = Some(Cart { value, items: Some(3) });
        },
    )
}

fn refused(template: &str) -> (String, String, String) {
    let error = Template::compile(template, &KNOWN).expect_err(template);
    let at = error.at.and_then(|at| template.get(at)).unwrap_or_default();
    (error.message, error.help.unwrap_or_default(), at.to_owned())
}

#[test]
fn a_greeting_uses_the_name_where_there_is_one() {
    let template = "Hi{% if visitor.name %} {{ visitor.name }}{% endif %}, any question?";
    assert_eq!(render(template), "Hi, any question?");
    let named = render_with(template, "en", "2026-11-20T10:00:00Z", |session, _| {
        session.profile.name = Some("<Aiko>".into());
    });
    assert_eq!(named, "Hi <Aiko>, any question?", "plain text is not escaped");
}

#[test]
fn values_read_as_people_write_them() {
    for (template, expected) in [
        ("{{ variables.agent }} at {{ variables['shop-name'] | upper }}", "Hana at KAGO"),
        ("{{ visitor.attributes.plan | title }}", "Pro"),
        ("{{ visitor.attributes.seats }} {{ visitor.attributes.rate }}", "3 2.5"),
        ("{{ visitor.attributes.seats | int * 2 }}", "6"),
        ("{{ visitor.attributes.tags }}/{{ visitor.attributes.tags | join('+') }}", "a, b/a+b"),
        ("{{ visitor.attributes.vip }}", "false"),
        ("{% if visitor.attributes.vip %}y{% else %}n{% endif %}", "n"),
        ("{{ visitor.returning }} {{ visitor.sessions }} {{ visitor.identified }}", "true 2 false"),
        ("{{ visitor.language }} {{ location.city }} {{ page.path }}", "en-GB Tokyo /pricing"),
        ("{{ page.query.plan }} {{ page.query.name }}{{ page.query.empty }}", "pro <b>"),
        ("{% if page.query.plan == 'pro' and visitor.sessions > 1 %}y{% endif %}", "y"),
        ("{% if 1 > 2 %}a{% elif visitor.returning %}b{% else %}c{% endif %}", "b"),
        ("{% if 'x' in ['x', 'y'] -%}  in {%- endif %}", "in"),
        ("{{ 'a' if location.country else 'b' }}", "b"),
        ("{# a note #}{{ visitor.attributes.tags[1] }}", "b"),
        ("{% raw %}{{ }}{% endraw %}", "{{ }}"),
    ] {
        assert_eq!(render(template), expected, "{template}");
    }
}

#[test]
fn what_is_missing_prints_nothing_and_is_false() {
    for template in [
        "{{ visitor.name }}{{ visitor.attributes.nothing }}{{ location.country }}{{ cart.value }}",
        "{% if visitor.attributes.nothing %}no{% endif %}{% if cart.value > 5 %}no{% endif %}",
        "{{ visitor.name | upper }}{{ visitor.name | replace('a', 'b') }}{{ cart.value | round }}",
        "{{ hours['front-desk'].next_open }}{{ hours['front-desk'].next_open | time('%H') }}",
        "{% if hours['front-desk'].next_open %}no{% endif %}",
        "{{ visitor.attributes.plan - 1 }}{% if visitor.attributes.plan > 1 %}{% endif %}",
    ] {
        assert_eq!(render(template), "", "{template}");
    }
    assert_eq!(render("a{{ visitor.attributes.plan | round }}b"), "ab", "the rest stands");
    assert_eq!(render("{{ visitor.name | default('friend') }}"), "friend");
    assert_eq!(render("{{ visitor.name or 'friend' }}"), "friend");
    assert_eq!(render("{{ visitor.name is defined }}"), "false");
}

#[test]
fn comparisons_by_size_are_as_in_conditions() {
    let holds = |condition: &str| render(&format!("{{% if {condition} %}}y{{% endif %}}")) == "y";
    for condition in [
        "cart.value < 50",
        "50 > cart.value",
        "visitor.name < 'b'",
        "(cart.value + 1) * 2 < 50",
        "-cart.value < 50",
        "0 <= cart.value < 50",
        "visitor.attributes.plan > 1",
        "visitor.attributes['nothing'] <= 3 and true",
        "[cart.value < 50][0]",
        "visitor.attributes.points < 9",
        "not visitor.attributes.seats >= 3",
    ] {
        assert!(!holds(condition), "{condition}");
    }
    for condition in [
        "not cart.value < 50",
        "not (cart.value < 50)",
        "(cart.value < 50) or visitor.sessions > 1",
        "cart.value | default(0) < 50",
        "visitor.attributes.seats >= 3",
        "page.query.nothing < 3 or visitor.attributes['seats'] * 1 < 4 and 2 < 3",
        "visitor.attributes.plan > 'a'",
        "1 < visitor.attributes.rate < visitor.attributes.seats <= 3",
        "(visitor.attributes.seats) > (2)",
        "true and (visitor.attributes.rate | round) > 1",
        "visitor.attributes.points > 9",
    ] {
        let condition = condition.replace("['seats'] * 1", "['seats']");
        assert!(holds(&condition), "{condition}");
    }
}

#[test]
fn amounts_have_the_places_of_their_currency() {
    assert_eq!(amount("129.9", Some("EUR")), "129.90 EUR");
    assert_eq!(amount("20000", None), "20000 JPY");
    assert_eq!(amount("20000.00", Some("USD")), "20000.00 USD");
    assert_eq!(amount("1.5", Some("KWD")), "1.500 KWD");
    assert_eq!(amount("0.1234", Some("EUR")), "0.1234 EUR");
    let template = "{% if cart.value >= 129.9 %}y{% endif %}{{ cart.value | int }}";
    let compared = render_with(template, "en", "2026-11-20T10:00:00Z", |session, _| {
        let value = Money { amount: Amount::parse("129.9").unwrap(), currency: None };
        session.cart = Some(Cart { value: Some(value), items: None });
    });
    assert_eq!(compared, "y129");
}

#[test]
fn the_next_opening_is_told_in_the_language_of_the_prompt() {
    let at = |language, now| render_with("{{ hours.support.next_open }}", language, now, |_, _| {});
    assert_eq!(at("en", "2026-11-20T20:00:00+09:00"), "Monday 09:00");
    assert_eq!(at("ja", "2026-11-20T20:00:00+09:00"), "月曜日 09:00");
    assert_eq!(at("de-AT", "2026-11-20T20:00:00+09:00"), "Montag 09:00");
    assert_eq!(at("zh-TW", "2026-11-20T20:00:00+09:00"), "週一 09:00");
    assert_eq!(at("ja", "2026-11-19T20:00:00Z"), "09:00", "already Friday there");
    assert_eq!(at("en", "2026-12-25T20:00:00+09:00"), "Monday 11 January 09:00");
    assert_eq!(at("ja", "2026-12-25T20:00:00+09:00"), "1月11日 月曜日 09:00");
    let own = "{{ hours.support.next_open | time('%-d %b, %H:%M') }}";
    assert_eq!(render_with(own, "en", "2026-11-20T20:00:00+09:00", |_, _| {}), "23 Nov, 09:00");
}

#[test]
fn unknown_names_are_refused_with_a_place_and_a_suggestion() {
    for (template, message, help, at) in [
        ("{{ vistor.name }}", "unknown variable `vistor`", "`visitor`", "vistor"),
        ("{{ agent }}", "unknown variable `agent`", "`variables.agent`", "agent"),
        ("Hi {{ visitor.nmae }}", "unknown part of `visitor`: `nmae`", "`name`", "nmae"),
        ("{{ variables.agnet }}", "unknown name in `variables`: `agnet`", "`agent`", "agnet"),
        (
            "{{ hours.suport.next_open }}",
            "unknown name in `hours`: `suport`",
            "`support`",
            "suport",
        ),
        ("{{ hours.support.next }}", "unknown part of hours: `next`", "next_open", "next"),
        (
            "{{ hours.front-desk.next_open }}",
            "unknown name `front` in `hours`",
            "hours[\"front-desk\"]",
            "front",
        ),
        ("{{ visitor.name | uper }}", "unknown filter `uper`", "`upper`", "uper"),
        ("{{ visitor.name | escape }}", "unknown filter `escape`", "plain text", "escape"),
        (
            "{% if visitor.name is definde %}{% endif %}",
            "unknown test `definde`",
            "`defined`",
            "definde",
        ),
        ("{{ visitor }}", "`visitor` is not a value", "visitor.name", "visitor"),
        (
            "{% if hours.support %}{% endif %}",
            "`hours.support` is not a value",
            "next_open",
            "hours.support",
        ),
        (
            "{{ visitor.name.first }}",
            "`first` is asked of something that has no parts",
            "",
            "first",
        ),
        ("{{ visitor['nmae'] }}", "unknown part of `visitor`: `nmae`", "`name`", "'nmae'"),
        ("あ{% if x %}{% endif %}", "unknown variable `x`", "visitor", "x"),
        (
            "{{ 'a' ~ (visitor.name | default(nick)) }}",
            "unknown variable `nick`",
            "visitor",
            "nick",
        ),
    ] {
        let (said, helped, place) = refused(template);
        assert_eq!(said, message, "{template}");
        assert!(helped.contains(help), "{template}: {helped}");
        assert_eq!(place, at, "{template}");
    }
}

#[test]
fn only_text_if_and_filters_are_taken() {
    for (template, message, at) in [
        ("{% for x in [1] %}{% endfor %}", "messages have no `for`", "for"),
        ("{% set x = 1 %}", "messages have no `set`", "set"),
        ("{% include 'x' %}", "messages have no `include`", "include"),
        ("{% macro f() %}{% endmacro %}", "messages have no `macro`", "macro"),
        ("{{ range(5) }}", "messages call no functions", "range(5)"),
        ("{{ visitor.name.upper() }}", "messages call no functions", ".upper()"),
        ("{{ 'x' * 1000000 }}", "`*` is for numbers only", "'x' * 1000000"),
        ("{{ 2 ** 99 }}", "messages have no `**`", "2 ** 99"),
        ("{% if visitor.name %}", "`if` is not closed", "{% if visitor.name %}"),
        ("{% endif %}", "`endif` without an `if` before it", "{% endif %}"),
        (
            "{% if 1 %}{% else %}{% else %}{% endif %}",
            "`else` without an `if` before it",
            "{% else %}",
        ),
        ("Hi {{ visitor.name", "`{{` is not closed", "{{"),
        ("{{ }}", "there is nothing to print or to test here", "{{ }}"),
        ("{{ visitor.name | time('%H') }}", "`time` is for moments", "time('%H')"),
        ("{{ hours.support.next_open | time('%Q') }}", "`time` takes one format", "time('%Q')"),
    ] {
        let (said, _, place) = refused(template);
        assert_eq!((said.as_str(), place.as_str()), (message, at), "{template}");
    }
    assert!(refused("{{ visitor. }}").0.starts_with("not a template: "));
    assert!(refused("{{ 'abc }}").0.starts_with("not a template: "));
}

#[test]
fn templates_and_their_output_are_bounded() {
    assert!(refused(&"a".repeat(MAX_TEMPLATE_BYTES + 1)).0.contains("2001 bytes"));
    let many = "{{ page.url }}".repeat(100);
    assert_eq!(render(&many).chars().count(), MAX_OUTPUT_CHARS);
    let grow = format!("{{{{ 'aaaa' {} }}}}", "| replace('a', 'aaaaaaaaaa')".repeat(30));
    assert_eq!(render(&grow), "");
    let deep = format!("{{{{ {}1{} }}}}", "(".repeat(900), ")".repeat(900));
    assert!(refused(&deep).0.starts_with("not a template: "));
    let nested = "{% if 1 %}".repeat(80) + "x" + &"{% endif %}".repeat(80);
    assert_eq!(render(&nested), "x");
}

#[test]
fn a_template_says_what_it_reads() {
    let text = "{% if visitor.attributes['plan'] %}{{ hours['front-desk'].next_open }}{% endif %}\
                {{ visitor.name | default(variables.agent) }}";
    let template = Template::compile(text, &KNOWN).unwrap();
    assert_eq!(
        template.uses().iter().map(|name| &**name).collect::<Vec<_>>(),
        [
            "hours.front-desk.next_open",
            "variables.agent",
            "visitor.attributes.plan",
            "visitor.name"
        ]
    );
}

proptest! {
    #[test]
    fn no_text_panics(parts in prop::collection::vec(prop::sample::select(vec![
        "{{ ", " }}", "{% if ", " %}", "{% endif %}", "{% else %}", "{% elif ", "visitor", ".name", "[0]",
        "['", "']", " | ", "upper", "replace('a', 'b')", "round", "1", "-", "+", "*", "/ 0", "~", "あ", "{#",
        "#}", "(", ")", "cart.value", "hours.support.next_open", " is ", "defined", " in ", "[::-1]", "sort",
        "visitor.attributes.tags", "join", "time('%A')", "{%- raw %}", "not ", "9999999999999999999999",
    ]), 0..14)) {
        let text = parts.concat();
        match Template::compile(&text, &KNOWN) {
            Ok(_) => prop_assert!(render(&text).len() <= 4 * MAX_OUTPUT_CHARS),
            Err(error) => if let Some(at) = error.at {
                prop_assert!(text.get(at.clone()).is_some(), "{:?} in {:?}", at, text);
            },
        }
    }
}
