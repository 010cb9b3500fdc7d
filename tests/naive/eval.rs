//! Rules as typed + facts → which rule decides. Two-valued logic, straight from the contract.
//!
//! Must not: remember, index, or reorder anything for speed.

use koekake::domain::facts::Facts;
use koekake::domain::ids::{VisitorId, VisitorKey};
use koekake::domain::money::{Currency, Money};
use koekake::domain::page_url::PageUrl;
use koekake::domain::time::Millis;
use koekake::domain::visit::AttributeValue;

use super::yaml::Value;
use super::{hours, urls, values};

/// A site's settings and its rule files, as typed.
#[derive(Debug, Clone)]
pub struct Site {
    pub key: String,
    pub settings: Value,
    /// Name and content.
    pub files: Vec<(String, Value)>,
}

/// A place in a session's life that buckets are told by, in [0, 1): site, rule, purpose, key.
pub type Bucket<'a> = &'a dyn Fn(&str, &str, &str, &str) -> f64;

/// What the rules ask of the world beside the facts.
#[derive(Clone, Copy)]
pub struct World<'a> {
    pub bucket: Bucket<'a>,
    /// The key of the session's buckets, see [`bucket_key`].
    pub key: &'a str,
    /// Whether that rule is over a limit or paused by the floor.
    pub is_stopped: &'a dyn Fn(&str) -> bool,
}

/// One rule with its place.
#[derive(Debug, Clone, Copy)]
pub struct Rule<'a> {
    pub id: &'a str,
    pub priority: i64,
    pub file: &'a str,
    pub value: &'a Value,
}

/// Which rule decides, and as what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    pub rule: String,
    pub is_held_out: bool,
    /// The variant's id; `None` for a rule with a single prompt.
    pub variant: Option<String>,
}

impl Site {
    pub fn read(key: &str, settings: &str, files: &[(String, String)]) -> Result<Self, String> {
        Ok(Self {
            key: key.to_owned(),
            settings: super::yaml::read(settings)?,
            files: files
                .iter()
                .map(|(name, text)| Ok((name.clone(), super::yaml::read(text)?)))
                .collect::<Result<_, String>>()?,
        })
    }

    pub fn time_zone(&self) -> chrono_tz::Tz {
        zone(self.settings.get("time_zone"))
    }

    pub fn currency(&self) -> Option<Currency> {
        self.settings.get("currency").and_then(|code| Currency::parse(code.text()))
    }

    pub fn origins(&self) -> Vec<String> {
        texts(self.settings.get("origins"))
    }

    /// Every rule: highest priority first, then by file name, then in the file's order.
    pub fn rules(&self) -> Vec<Rule<'_>> {
        let mut files: Vec<_> = self.files.iter().collect();
        files.sort_by(|(a, _), (b, _)| a.cmp(b));
        let mut rules: Vec<Rule<'_>> = files
            .into_iter()
            .flat_map(|(name, file)| {
                file.get("rules").map(Value::items).unwrap_or_default().iter().map(move |value| {
                    Rule {
                        id: value.get("id").expect("an id").text(),
                        priority: value
                            .get("priority")
                            .map_or(0, |p| p.text().parse().expect("a whole number")),
                        file: name,
                        value,
                    }
                })
            })
            .collect();
        rules.sort_by_key(|rule| std::cmp::Reverse(rule.priority));
        rules
    }
}

fn zone(value: Option<&Value>) -> chrono_tz::Tz {
    value.map_or(chrono_tz::UTC, |name| name.text().parse().expect("a time zone"))
}

fn texts(value: Option<&Value>) -> Vec<String> {
    value.map(|v| v.items().iter().map(|item| item.text().to_owned()).collect()).unwrap_or_default()
}

/// The key fixed at the session's start: its first visitor's id, else its own.
pub fn bucket_key(facts: &Facts<'_>) -> String {
    match facts.session.visitors.first() {
        Some(VisitorKey { id, .. }) if facts.session.is_bucketed_by_visitor => match id {
            VisitorId::Page(id) => id.to_string(),
            VisitorId::Identity(name) => name.to_string(),
        },
        _ => facts.session_id.to_string(),
    }
}

/// The first eligible live rule whose conditions and hours hold.
pub fn decide(site: &Site, facts: &Facts<'_>, world: World<'_>) -> Option<Decision> {
    let rule = site.rules().into_iter().find(|rule| {
        mode(rule) == "live" && is_eligible(site, rule, facts, world) && is_true(site, rule, facts)
    })?;
    Some(decision(site, &rule, world))
}

/// What a rule comes to for this visitor.
pub fn decision(site: &Site, rule: &Rule<'_>, world: World<'_>) -> Decision {
    let held = rule.value.get("holdout").is_some_and(|held| {
        (world.bucket)(&site.key, rule.id, "holdout", world.key) < values::share(held.text())
    });
    Decision { rule: rule.id.to_owned(), is_held_out: held, variant: variant(site, rule, world) }
}

/// Which live rules show if asked alone: for counting how often rules are true.
pub fn true_rules<'a>(site: &'a Site, facts: &Facts<'_>) -> Vec<&'a str> {
    site.rules().iter().filter(|rule| is_true(site, rule, facts)).map(|rule| rule.id).collect()
}

pub fn mode<'a>(rule: &Rule<'a>) -> &'a str {
    rule.value.get("mode").map_or("live", Value::text)
}

/// Off, outside its dates or its rollout, repeated too soon, over a limit, paused: skipped.
pub fn is_eligible(site: &Site, rule: &Rule<'_>, facts: &Facts<'_>, world: World<'_>) -> bool {
    mode(rule) != "off"
        && is_active(site, rule, facts)
        && rule.value.get("rollout").is_none_or(|share| {
            (world.bucket)(&site.key, rule.id, "rollout", world.key) < values::share(share.text())
        })
        && may_repeat(rule, facts)
        && !(world.is_stopped)(rule.id)
}

/// What stops a rule first, by its word; a condition goes by its field. Conditions come before
/// hours and what was offered already, so that these are named only where nothing else stood in
/// the way.
pub fn first_stop(
    site: &Site,
    rule: &Rule<'_>,
    facts: &Facts<'_>,
    world: World<'_>,
) -> Option<String> {
    let judge = Judge::new(site, rule, facts);
    let in_rollout = rule.value.get("rollout").is_none_or(|share| {
        (world.bucket)(&site.key, rule.id, "rollout", world.key) < values::share(share.text())
    });
    let word = if mode(rule) == "off" {
        "off"
    } else if !is_active(site, rule, facts) {
        "dates"
    } else if !in_rollout {
        "rollout"
    } else if let Some(field) = judge.first_failure(rule) {
        return Some(field);
    } else if !hours_hold(site, rule, facts) {
        "hours"
    } else if !may_repeat(rule, facts) {
        "repeat"
    } else if (world.is_stopped)(rule.id) {
        "limit"
    } else {
        return None;
    };
    Some(word.to_owned())
}

/// Whether the site's conditions and the rule's own hold, each for itself.
pub fn conditions(site: &Site, rule: &Rule<'_>, facts: &Facts<'_>) -> (bool, bool) {
    let judge = Judge::new(site, rule, facts);
    let holds = |judge: &Judge, when: Option<&Value>| when.is_none_or(|when| judge.all(when));
    (holds(&judge.of_site(), site.settings.get("when")), holds(&judge, rule.value.get("when")))
}

fn is_active(site: &Site, rule: &Rule<'_>, facts: &Facts<'_>) -> bool {
    let Some(active) = rule.value.get("active") else { return true };
    let today = hours::wall_clock(facts.now, site.time_zone()).date();
    let date = |name| {
        active
            .get(name)
            .map(|day| chrono::NaiveDate::parse_from_str(day.text(), "%Y-%m-%d").expect("a date"))
    };
    date("from").is_none_or(|from| from <= today)
        && date("until").is_none_or(|until| today <= until)
}

fn may_repeat(rule: &Rule<'_>, facts: &Facts<'_>) -> bool {
    let (Some(repeat), Some(last)) =
        (rule.value.get("repeat"), facts.history.last_offer_of(rule.id))
    else {
        return true;
    };
    match repeat {
        Value::Map(_) => {
            let pause = values::duration(repeat.get("every").expect("every").text());
            facts.now >= last + pause
        }
        word if word.text() == "once" => false,
        word => {
            assert_eq!(word.text(), "always");
            true
        }
    }
}

fn variant(site: &Site, rule: &Rule<'_>, world: World<'_>) -> Option<String> {
    let variants = rule.value.get("variants")?.items();
    let weight = |variant: &Value| {
        variant.get("weight").map_or(1.0, |w| w.text().parse::<f64>().expect("a weight"))
    };
    let total: f64 = variants.iter().map(weight).sum();
    let point = (world.bucket)(&site.key, rule.id, "variant", world.key) * total;
    let mut below = 0.0;
    variants
        .iter()
        .find(|variant| {
            below += weight(variant);
            point < below
        })
        .or(variants.last())
        .map(|variant| variant.get("id").expect("an id").text().to_owned())
}

/// Whether the site's conditions, the rule's own and its hours hold.
pub fn is_true(site: &Site, rule: &Rule<'_>, facts: &Facts<'_>) -> bool {
    conditions(site, rule, facts) == (true, true) && hours_hold(site, rule, facts)
}

fn hours_hold(site: &Site, rule: &Rule<'_>, facts: &Facts<'_>) -> bool {
    match rule.value.get("hours") {
        None => true,
        Some(Value::Map(entries)) => {
            let (outside, name) = entries.first().expect("outside");
            assert_eq!(outside, "outside");
            !is_open(site, name.text(), facts)
        }
        Some(name) => is_open(site, name.text(), facts),
    }
}

fn is_open(site: &Site, name: &str, facts: &Facts<'_>) -> bool {
    let hours = site.settings.get("hours").and_then(|all| all.get(name)).expect("these hours");
    hours::is_open(
        hours.get("open").expect("open").text(),
        hours.get("holidays").map(Value::text),
        &texts(hours.get("closed")),
        hours.get("time_zone").map_or_else(|| site.time_zone(), |name| zone(Some(name))),
        facts.now,
    )
}

/// A field's value in one request.
enum Actual {
    Missing,
    /// Compares without case.
    Text(String),
    /// Several; one that fits suffices.
    Texts(Vec<String>),
    /// Compares letter by letter.
    Exact(String),
    Urls(Vec<PageUrl>),
    Language(String),
    Number(f64),
    Duration(Millis),
    Money(Money),
    Flag(bool),
    Attribute(AttributeValue),
    LocalTime(chrono_tz::Tz),
}

/// Judges the conditions of one rule.
#[derive(Clone, Copy)]
struct Judge<'a, 'f> {
    site: &'a Site,
    facts: &'a Facts<'f>,
    route: Option<&'a str>,
}

impl<'a, 'f> Judge<'a, 'f> {
    fn new(site: &'a Site, rule: &Rule<'a>, facts: &'a Facts<'f>) -> Self {
        let route = rule
            .value
            .get("prompt")
            .or_else(|| rule.value.get("variants")?.items().first()?.get("prompt"))
            .and_then(|prompt| prompt.get("route"))
            .map(Value::text);
        Self { site, facts, route }
    }

    /// What `site.yaml` says is about the whole site: its agents are all of them.
    fn of_site(&self) -> Self {
        Self { route: None, ..*self }
    }

    /// The field of the first condition, as written, that keeps the rule from being true.
    fn first_failure(&self, rule: &Rule<'_>) -> Option<String> {
        let first = |judge: &Self, when: Option<&Value>| {
            when?.items().iter().find_map(|condition| judge.blame(condition, true))
        };
        first(&self.of_site(), self.site.settings.get("when"))
            .or_else(|| first(self, rule.value.get("when")))
    }

    /// The first field that keeps a condition from being as wanted; `None` where it is.
    fn blame(&self, condition: &Value, wanted: bool) -> Option<String> {
        // Where one part decides, that one is to blame; where each of them would have to change,
        // the first.
        let of_site = self.of_site();
        let among = |judge: &Self, parts: &[Value], is_all: bool, wanted: bool| {
            let blames = parts.iter().map(|part| judge.blame(part, wanted));
            let blames: Vec<_> = blames.collect();
            if is_all == wanted || blames.iter().all(Option::is_some) {
                blames.into_iter().flatten().next()
            } else {
                None
            }
        };
        let mut each = condition.entries().iter().map(|(key, value)| match key.as_str() {
            "all" => among(self, value.items(), true, wanted),
            "any" => among(self, value.items(), false, wanted),
            "not" => among(self, value.items(), true, !wanted),
            "segment" => {
                let (names, is_wanted) = match value {
                    Value::Map(entries) => {
                        let (operator, names) = entries.first().expect("an operator");
                        (names, matches!(operator.as_str(), "is" | "in") == wanted)
                    }
                    names => (names, wanted),
                };
                let segments = self.site.settings.get("segments").expect("segments");
                let named = |name: &Value| segments.get(name.text()).expect("this segment");
                let parts: Vec<_> = names.items().iter().map(named).cloned().collect();
                among(&of_site, &parts, false, is_wanted)
            }
            field => (self.field(field, value) != wanted).then(|| field.to_owned()),
        });
        if wanted {
            each.find_map(|blame| blame)
        } else {
            let each: Option<Vec<_>> = each.collect();
            each.and_then(|each| each.into_iter().next())
        }
    }

    fn all(&self, when: &Value) -> bool {
        when.items().iter().all(|condition| self.holds(condition))
    }

    fn holds(&self, condition: &Value) -> bool {
        condition.entries().iter().all(|(key, value)| match key.as_str() {
            "all" => value.items().iter().all(|c| self.holds(c)),
            "any" => value.items().iter().any(|c| self.holds(c)),
            "not" => !value.items().iter().all(|c| self.holds(c)),
            "segment" => self.segment(value),
            field => self.field(field, value),
        })
    }

    /// `segment: keen`, a list of which one suffices, or the operators on names.
    fn segment(&self, value: &Value) -> bool {
        let is_in = |names: &Value| {
            names.items().iter().any(|name| {
                let segments = self.site.settings.get("segments").expect("segments");
                self.of_site().holds(segments.get(name.text()).expect("this segment"))
            })
        };
        match value {
            Value::Map(entries) => {
                entries.iter().all(|(operator, names)| match operator.as_str() {
                    "is" | "in" => is_in(names),
                    "is_not" | "not_in" => !is_in(names),
                    other => panic!("no operator on segments: {other}"),
                })
            }
            names => is_in(names),
        }
    }

    fn field(&self, field: &str, wanted: &Value) -> bool {
        let actual = self.actual(field);
        match wanted {
            Value::Scalar { .. } => self.operator("is", wanted, &actual),
            Value::List(_) => self.operator("in", wanted, &actual),
            Value::Map(entries) => match wanted.get("count") {
                Some(count) => {
                    let least: usize = count.text().parse().expect("a whole number");
                    self.count(entries, &actual) >= least
                }
                None => entries.iter().all(|(name, value)| self.operator(name, value, &actual)),
            },
        }
    }

    /// How many different pages (query and fragment aside) fit the operators beside `count`.
    fn count(&self, operators: &[(String, Value)], actual: &Actual) -> usize {
        let Actual::Urls(pages) = actual else { return 0 };
        pages
            .iter()
            .filter(|page| {
                let one = Actual::Urls(vec![(*page).clone()]);
                operators
                    .iter()
                    .filter(|(name, _)| name != "count")
                    .all(|(name, value)| self.operator(name, value, &one))
            })
            .map(|page| page.without_query().as_str().to_owned())
            .collect::<std::collections::BTreeSet<_>>()
            .len()
    }

    fn operator(&self, name: &str, wanted: &Value, actual: &Actual) -> bool {
        match name {
            "exists" => {
                let is_missing = match actual {
                    Actual::Missing => true,
                    // An amount in another currency is missing.
                    Actual::Money(Money { currency: Some(currency), .. }) => {
                        Some(*currency) != self.site.currency()
                    }
                    _ => false,
                };
                wanted.is_true() != is_missing
            }
            "is_not" => !self.operator("is", wanted, actual),
            "not_in" => !self.operator("in", wanted, actual),
            "not_contains" => !self.operator("contains", wanted, actual),
            _ if matches!(actual, Actual::Missing) => false,
            "between" => {
                let [low, high] = wanted.items() else { panic!("two ends") };
                self.operator("at_least", low, actual) && self.operator("at_most", high, actual)
            }
            "in_order" => self.in_order(wanted.items(), actual),
            "during" => match actual {
                Actual::LocalTime(zone) => {
                    hours::is_open(wanted.text(), None, &[], *zone, self.facts.now)
                }
                _ => panic!("during is for local_time"),
            },
            "in" => wanted.items().iter().any(|one| self.one("is", one.text(), actual)),
            _ => wanted.items().iter().any(|one| self.one(name, one.text(), actual)),
        }
    }

    /// Those pages were seen one after the other, others between them or not.
    fn in_order(&self, wanted: &[Value], actual: &Actual) -> bool {
        let Actual::Urls(pages) = actual else { return false };
        let mut pages = pages.iter();
        wanted.iter().all(|value| {
            pages.any(|page| urls::compare("is", page, value.text(), &self.site.origins()))
        })
    }

    /// One operator against one value; what is there is not missing.
    fn one(&self, name: &str, wanted: &str, actual: &Actual) -> bool {
        match actual {
            Actual::Missing => false,
            Actual::Text(text) => folded(name, text, wanted),
            Actual::Texts(texts) => texts.iter().any(|text| folded(name, text, wanted)),
            Actual::Exact(text) => urls::text(
                name,
                text,
                &if name == "regex" {
                    wanted.to_owned()
                } else {
                    // Nobody means a `#` of the fragment's own.
                    urls::spelled(wanted.strip_prefix('#').unwrap_or(wanted))
                },
            ),
            Actual::Urls(pages) => {
                pages.iter().any(|page| urls::compare(name, page, wanted, &self.site.origins()))
            }
            Actual::Language(tag) => {
                if name != "is" {
                    return folded(name, tag, wanted);
                }
                let (tag, wanted) = (values::fold(&tag.replace('_', "-")), values::fold(wanted));
                tag.strip_prefix(&wanted).is_some_and(|r| r.is_empty() || r.starts_with('-'))
            }
            Actual::Number(number) => {
                compare(name, *number, values::number(wanted).expect("a number"))
            }
            Actual::Duration(length) => compare(name, *length, values::duration(wanted)),
            Actual::Flag(flag) => {
                assert_eq!(name, "is");
                *flag == (wanted == "true")
            }
            Actual::Money(money) => {
                let (amount, currency) = values::money(wanted, self.site.currency());
                money.currency.or(self.site.currency()) == currency
                    && compare(name, money.amount, amount)
            }
            Actual::Attribute(value) => attribute(name, value, wanted),
            Actual::LocalTime(_) => panic!("no operator on local_time: {name}"),
        }
    }

    fn actual(&self, field: &str) -> Actual {
        let Facts { now, visit, page, session, history, agents, .. } = *self.facts;
        let text = |text: Option<&str>| match text {
            Some(text) if !text.is_empty() => Actual::Text(text.to_owned()),
            _ => Actual::Missing,
        };
        let exact = |text: Option<&str>| match text {
            Some(text) if !text.is_empty() => Actual::Exact(text.to_owned()),
            _ => Actual::Missing,
        };
        let url = |url: Option<&PageUrl>| match url {
            Some(url) => Actual::Urls(vec![url.clone()]),
            None => Actual::Missing,
        };
        let number = |n: Option<u32>| n.map_or(Actual::Missing, |n| Actual::Number(n.into()));
        let length = |l: Option<Millis>| l.map_or(Actual::Missing, Actual::Duration);
        let since = |at: Option<_>| length(at.map(|at| now - at));
        let flag = |f: Option<bool>| f.map_or(Actual::Missing, Actual::Flag);
        let board = || agents.of(self.route);
        let utm = session.utm.as_deref();
        match field {
            "page.url" => url(Some(&page.url)),
            "page.host" => text(Some(page.url.host())),
            "page.path" => exact(Some(page.url.path())),
            "page.fragment" => exact(page.url.fragment()),
            "page.title" => text(page.title.as_deref()),
            "page.referrer" => url(page.referrer.as_ref()),
            "page.referrer_host" => text(page.referrer.as_ref().map(PageUrl::host)),
            "page.time_on_page" => length(self.facts.time_on_page()),
            "page.idle" => length(page.idle),
            "page.scroll_percent" => number(page.scroll_percent.map(u32::from)),
            "session.duration" => length(Some(now - session.started_at)),
            "session.page_views" => number(Some(session.page_views)),
            "session.landing_page" => url(session.landing_page.as_ref()),
            "session.referrer" => url(session.referrer.as_ref()),
            "session.referrer_host" => text(session.referrer.as_ref().map(PageUrl::host)),
            "session.visited" if session.visited.is_empty() => Actual::Missing,
            "session.visited" => Actual::Urls(session.visited.clone()),
            "session.utm.source" => text(utm.and_then(|utm| utm.source.as_deref())),
            "session.utm.medium" => text(utm.and_then(|utm| utm.medium.as_deref())),
            "session.utm.campaign" => text(utm.and_then(|utm| utm.campaign.as_deref())),
            "session.utm.term" => text(utm.and_then(|utm| utm.term.as_deref())),
            "session.utm.content" => text(utm.and_then(|utm| utm.content.as_deref())),
            "visitor.identified" => Actual::Flag(
                visit.identity.is_some()
                    || session.visitors.iter().any(|v| matches!(v.id, VisitorId::Identity(_))),
            ),
            "visitor.returning" => Actual::Flag(self.facts.is_returning()),
            // Whoever asks is in one.
            "visitor.sessions" => number(Some(history.sessions.max(1))),
            "visitor.language" => match self.facts.languages().next() {
                Some(tag) => Actual::Language(tag.to_owned()),
                None => Actual::Missing,
            },
            "visitor.time_zone" => text(session.profile.time_zone.map(chrono_tz::Tz::name)),
            "visitor.local_time" => {
                self.facts.time_zone().map_or(Actual::Missing, Actual::LocalTime)
            }
            "visitor.last_prompt" => since(history.last_prompt()),
            "visitor.last_dismissal" => since(history.last_dismissal),
            "visitor.last_acceptance" => since(history.last_acceptance),
            "visitor.last_chat" => since(history.last_chat),
            "location.continent" => text(visit.place.continent.as_deref()),
            "location.country" => text(visit.place.country.as_deref()),
            "location.region" => {
                let names = [&visit.place.region_code, &visit.place.region_name];
                let names: Vec<_> = names.into_iter().flatten().map(ToString::to_string).collect();
                if names.is_empty() { Actual::Missing } else { Actual::Texts(names) }
            }
            "location.city" => text(visit.place.city.as_deref()),
            "location.in_eu" => flag(visit.place.in_eu),
            "location.time_zone" => text(visit.place.time_zone.map(chrono_tz::Tz::name)),
            "device.type" => text(Some(visit.device.kind.as_str())),
            "device.os" => text(visit.device.os),
            "device.browser" => text(visit.device.browser),
            "cart.value" => {
                session.cart.and_then(|c| c.value).map_or(Actual::Missing, Actual::Money)
            }
            "cart.items" => number(session.cart.and_then(|cart| cart.items)),
            "agents.online" => number(board().map(|agents| agents.online)),
            "agents.waiting" => number(board().and_then(|agents| agents.waiting)),
            "agents.available" => flag(board().map(|agents| agents.are_available())),
            "signal.exit_intent" => Actual::Flag(visit.event.kind.is_exit_intent()),
            other => {
                if let Some(name) = other.strip_prefix("page.query.") {
                    text(page.url.query_value(name).as_deref())
                } else if let Some(name) = other.strip_prefix("session.events.") {
                    number(Some(session.event_count(name)))
                } else if let Some(name) = other.strip_prefix("visitor.attributes.") {
                    match self.facts.attribute(name).cloned() {
                        None => Actual::Missing,
                        Some(AttributeValue::Text(text)) if text.is_empty() => Actual::Missing,
                        Some(AttributeValue::List(items)) if items.is_empty() => Actual::Missing,
                        Some(value) => Actual::Attribute(value),
                    }
                } else {
                    panic!("no field {other}")
                }
            }
        }
    }
}

fn folded(operator: &str, actual: &str, wanted: &str) -> bool {
    if operator == "regex" {
        urls::text(operator, actual, wanted)
    } else {
        urls::text(operator, &values::fold(actual), &values::fold(wanted))
    }
}

fn compare<T: PartialOrd>(operator: &str, actual: T, wanted: T) -> bool {
    match operator {
        "is" => actual == wanted,
        "at_least" => actual >= wanted,
        "at_most" => actual <= wanted,
        "more_than" => actual > wanted,
        "less_than" => actual < wanted,
        other => panic!("no operator on numbers: {other}"),
    }
}

/// Both sides as numbers where both read as such, else as text.
fn attribute(operator: &str, value: &AttributeValue, wanted: &str) -> bool {
    let (text, number) = match value {
        AttributeValue::List(items) => {
            return items
                .iter()
                .any(|item| attribute(operator, &AttributeValue::Text(item.clone()), wanted));
        }
        AttributeValue::Text(text) => (text.to_string(), values::number(text)),
        AttributeValue::Number(number) => (number.to_string(), Some(*number)),
        AttributeValue::Flag(flag) => (flag.to_string(), None),
    };
    match (operator, number, values::number(wanted)) {
        ("is" | "at_least" | "at_most" | "more_than" | "less_than", Some(actual), Some(wanted)) => {
            compare(operator, actual, wanted)
        }
        ("at_least" | "at_most" | "more_than" | "less_than", ..) => false,
        _ => folded(operator, &text, wanted),
    }
}
