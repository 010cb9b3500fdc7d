//! Conditions on whole amounts: counts, durations, percentages of a page, money.
//!
//! Whatever the operators, they come down to ranges of whole numbers and to what a missing value
//! does; so a value that grows with time or by a signal tells when it enters and leaves them.

use std::sync::Arc;

use super::{ConditionType, FieldUse, Op, Operand, exists};
use crate::domain::facts::Facts;
use crate::domain::money::{Amount, Currency};
use crate::domain::time::{Millis, Timestamp};
use crate::rules::condition::{Condition, Value};
use crate::rules::context::Context;
use crate::rules::outlook::{Need, Outlook, Source, Way};
use crate::rules::raw::{Node, NodeKind};
use crate::rules::values;
use crate::rules::vocabulary::Shape;

/// A type of amount, with where its value comes from.
pub struct AmountType {
    /// What it counts.
    pub unit: Unit,
    /// How it changes while the visitor stays on the page.
    pub growth: Growth,
    /// Reads it: the parameter, the rule's route and, for money, the currency are given.
    pub read: for<'a> fn(&Facts<'a>, Asked<'_>) -> Option<i64>,
}

/// What a reader of amounts may need to know.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The field's own part: an event's name.
    pub parameter: &'a Arc<str>,
    /// The rule's team.
    pub route: Option<&'a str>,
    /// The currency that the amount must be in.
    pub currency: Option<Currency>,
    /// The currency of amounts that name none.
    pub site_currency: Currency,
}

/// Units of amounts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Whole numbers.
    Count,
    /// Whole percents.
    Percent,
    /// Milliseconds, written `90s`.
    Duration,
    /// Ten-thousandths of a currency's unit.
    Money,
}

/// How a value changes while the visitor stays on the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Growth {
    /// It does not.
    None,
    /// By a millisecond each millisecond.
    WithTime,
    /// By scrolling.
    ByScroll,
    /// While nothing is done.
    WhileIdle,
    /// By one each time the event of the field's parameter happens.
    ByEvent,
}

/// Stands for an amount that the page has not told yet: less than any that it can tell.
const UNTOLD: i64 = -1;

#[derive(Debug)]
struct AmountCondition {
    unit: Unit,
    growth: Growth,
    read: for<'a> fn(&Facts<'a>, Asked<'_>) -> Option<i64>,
    parameter: Arc<str>,
    route: Option<Arc<str>>,
    currency: Option<Currency>,
    site_currency: Currency,
    ranges: Ranges,
    holds_if_missing: bool,
}

/// Disjoint ranges in order, both ends included.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Ranges(Vec<(i64, i64)>);

impl Ranges {
    fn all() -> Self {
        Self(vec![(i64::MIN, i64::MAX)])
    }

    fn of(mut ranges: Vec<(i64, i64)>) -> Self {
        ranges.retain(|(low, high)| low <= high);
        ranges.sort_unstable();
        let mut merged: Vec<(i64, i64)> = Vec::new();
        for (low, high) in ranges {
            match merged.last_mut() {
                Some((_, end)) if low <= end.saturating_add(1) => *end = (*end).max(high),
                _ => merged.push((low, high)),
            }
        }
        Self(merged)
    }

    fn complement(&self) -> Self {
        let mut gaps = Vec::new();
        let mut next = Some(i64::MIN);
        for (low, high) in &self.0 {
            if let Some(start) = next
                && let Some(before) = low.checked_sub(1)
            {
                gaps.push((start, before));
            }
            next = high.checked_add(1);
        }
        if let Some(start) = next {
            gaps.push((start, i64::MAX));
        }
        Self::of(gaps)
    }

    fn and(&self, other: &Self) -> Self {
        let pairs =
            self.0.iter().flat_map(|a| other.0.iter().map(|b| (a.0.max(b.0), a.1.min(b.1))));
        Self::of(pairs.collect())
    }

    fn contain(&self, value: i64) -> bool {
        self.0.iter().any(|(low, high)| (*low..=*high).contains(&value))
    }
}

impl ConditionType for AmountType {
    fn operators(&self) -> &'static [Op] {
        &[
            Op::AtLeast,
            Op::AtMost,
            Op::MoreThan,
            Op::LessThan,
            Op::Between,
            Op::Is,
            Op::IsNot,
            Op::In,
            Op::NotIn,
            Op::Exists,
        ]
    }

    fn values(&self) -> &'static str {
        match self.unit {
            Unit::Count => "a whole number",
            Unit::Percent => "a whole percentage from 0 to 100",
            Unit::Duration => "a duration: 90s, 5m, 24h, 7d",
            Unit::Money => "an amount, with its currency or in the site's: 129.90, 20000 JPY",
        }
    }

    fn shape(&self) -> Shape {
        match self.unit {
            Unit::Count => Shape::Whole,
            Unit::Percent => Shape::WholePercent,
            Unit::Duration => Shape::Duration,
            Unit::Money => Shape::Money,
        }
    }

    fn compile(
        &self,
        field: &FieldUse<'_>,
        operands: &[Operand<'_>],
        cx: &mut Context<'_>,
    ) -> Option<Arc<dyn Condition>> {
        let mut ranges = Ranges::all();
        let mut holds_if_missing = true;
        let mut currency = None;
        let mut is_whole = true;
        for operand in operands {
            match self.operand(operand, &mut currency, cx) {
                Some((range, missing)) => {
                    ranges = ranges.and(&range);
                    holds_if_missing &= missing;
                }
                None => is_whole = false,
            }
        }
        if self.unit == Unit::Money && currency.is_none() {
            currency = Some(cx.site.currency);
        }
        is_whole.then(|| {
            Arc::new(AmountCondition {
                unit: self.unit,
                growth: self.growth,
                read: self.read,
                parameter: field.parameter.clone(),
                route: field.route.cloned(),
                currency,
                site_currency: cx.site.currency,
                ranges,
                holds_if_missing,
            }) as Arc<dyn Condition>
        })
    }
}

impl AmountType {
    fn operand(
        &self,
        operand: &Operand<'_>,
        currency: &mut Option<Currency>,
        cx: &mut Context<'_>,
    ) -> Option<(Ranges, bool)> {
        let span = |low, high| Some((Ranges::of(vec![(low, high)]), false));
        let mut one = |cx: &mut Context<'_>| self.value(operand.value, currency, cx);
        match operand.op {
            Op::AtLeast => one(cx).and_then(|v| span(v, i64::MAX)),
            Op::AtMost => one(cx).and_then(|v| span(i64::MIN, v)),
            Op::MoreThan => one(cx).and_then(|v| span(v.saturating_add(1), i64::MAX)),
            Op::LessThan => one(cx).and_then(|v| span(i64::MIN, v.saturating_sub(1))),
            Op::Is => one(cx).and_then(|v| span(v, v)),
            Op::IsNot => one(cx).map(|v| (Ranges::of(vec![(v, v)]).complement(), true)),
            Op::In | Op::NotIn => {
                let items = self.list(operand.value, currency, cx)?;
                let ranges = Ranges::of(items.into_iter().map(|v| (v, v)).collect());
                Some(if operand.op == Op::In {
                    (ranges, false)
                } else {
                    (ranges.complement(), true)
                })
            }
            Op::Between => {
                let items = match &operand.value.kind {
                    NodeKind::List(items) if items.len() == 2 => {
                        self.list(operand.value, currency, cx)?
                    }
                    _ => {
                        cx.error_help(
                            "wrong-type",
                            operand.value.span,
                            "`between` takes a list of two values",
                            "write it as [10, 20]; both ends are included",
                        );
                        return None;
                    }
                };
                let (low, high) = (items.first().copied()?, items.get(1).copied()?);
                if low > high {
                    cx.error_help(
                        "empty-range",
                        operand.value.span,
                        "`between` has its larger value first, so nothing is between",
                        "write the smaller value first",
                    );
                    return None;
                }
                span(low, high)
            }
            Op::Exists => exists(operand, cx).map(|wanted| {
                if wanted { (Ranges::all(), false) } else { (Ranges(Vec::new()), true) }
            }),
            _ => None,
        }
    }

    fn list(
        &self,
        node: &Node,
        currency: &mut Option<Currency>,
        cx: &mut Context<'_>,
    ) -> Option<Vec<i64>> {
        let NodeKind::List(items) = &node.kind else {
            return self.value(node, currency, cx).map(|value| vec![value]);
        };
        if items.is_empty() {
            cx.error("empty-list", node.span, "an empty list matches nothing");
            return None;
        }
        let items: Vec<_> = items.iter().map(|item| self.value(item, currency, cx)).collect();
        items.into_iter().collect()
    }

    fn value(
        &self,
        node: &Node,
        currency: &mut Option<Currency>,
        cx: &mut Context<'_>,
    ) -> Option<i64> {
        let text = cx.text(node, self.values())?;
        let parsed = match self.unit {
            Unit::Count => values::count(text),
            Unit::Percent => values::whole_percent(text),
            Unit::Duration => values::duration(text).map(|length| length.0),
            Unit::Money => {
                return match values::money(text) {
                    Ok((amount, named)) => Self::priced(node, amount, named, currency, cx),
                    Err(message) => {
                        cx.error("wrong-type", node.span, message);
                        None
                    }
                };
            }
        };
        parsed.map_err(|message| cx.error("wrong-type", node.span, message)).ok()
    }

    fn priced(
        node: &Node,
        amount: Amount,
        named: Option<Currency>,
        currency: &mut Option<Currency>,
        cx: &mut Context<'_>,
    ) -> Option<i64> {
        let named = named.unwrap_or(cx.site.currency);
        if cx.site.currencies.iter().all(|known| *known == Currency::NONE) {
            let code = if named == Currency::NONE { "JPY" } else { named.as_str() };
            cx.error_help(
                "no-currency",
                node.span,
                "the site names no currency, so no amount can be compared",
                format!("add `currency: {code}` to site.yaml"),
            );
            return None;
        }
        if !cx.site.currencies.contains(&named) {
            let known: Vec<_> = cx.site.currencies.iter().map(Currency::as_str).collect();
            let known = known.join(", ");
            cx.error_help(
                "unknown-currency",
                node.span,
                format!("the site does not take {named}"),
                format!("it takes {known}; add {named} to `currencies` in site.yaml if it should"),
            );
            return None;
        }
        if currency.is_some_and(|other| other != named) {
            cx.error_help(
                "mixed-currencies",
                node.span,
                "one condition compares amounts of two currencies",
                "use one condition for each currency, joined by `any`",
            );
            return None;
        }
        *currency = Some(named);
        Some(amount.0)
    }
}

impl AmountCondition {
    fn value(&self, facts: &Facts<'_>) -> Option<i64> {
        let asked = Asked {
            parameter: &self.parameter,
            route: self.route.as_deref(),
            currency: self.currency,
            site_currency: self.site_currency,
        };
        (self.read)(facts, asked)
    }
}

impl Condition for AmountCondition {
    fn holds(&self, facts: &Facts<'_>) -> bool {
        self.value(facts).map_or(self.holds_if_missing, |value| self.ranges.contain(value))
    }

    fn outlook(&self, facts: &Facts<'_>, wanted: bool, _horizon: Timestamp) -> Outlook {
        let value = match (self.value(facts), self.growth) {
            (Some(value), _) => value,
            // A page that left these out can still tell them.
            (None, Growth::ByScroll | Growth::WhileIdle) => UNTOLD,
            (None, _) => return Outlook::fixed(self.holds_if_missing == wanted),
        };
        let mut ranges = if wanted { self.ranges.clone() } else { self.ranges.complement() };
        if value == UNTOLD {
            ranges = ranges.and(&Ranges(vec![(0, i64::MAX)]));
            if self.holds_if_missing == wanted {
                ranges.0.insert(0, (UNTOLD, UNTOLD));
            }
        }
        let source = match self.growth {
            Growth::None => return Outlook::fixed(ranges.contain(value)),
            Growth::WithTime => None,
            Growth::ByScroll => Some(Source::Scroll),
            Growth::WhileIdle => Some(Source::Idle),
            Growth::ByEvent => Some(Source::Event(self.parameter.clone())),
        };
        let most_reachable = if self.growth == Growth::ByScroll { 100 } else { i64::MAX };
        // Values only grow while the visitor stays; idle time alone can start again at zero.
        let can_fall = self.growth == Growth::WhileIdle;
        let reachable = ranges
            .0
            .iter()
            .filter(|(low, high)| (can_fall || *high >= value) && *low <= most_reachable);
        Outlook::of(
            reachable
                .map(|(low, high)| match &source {
                    None => {
                        let from = if *low <= value {
                            Timestamp::MIN
                        } else {
                            facts.now + Millis(low.saturating_sub(value))
                        };
                        let until = match high.checked_add(1) {
                            Some(end) => facts.now + Millis(end.saturating_sub(value)),
                            None => Timestamp::MAX,
                        };
                        Way::during(from, until, false)
                    }
                    Some(source) => Way {
                        needs: vec![Need {
                            source: source.clone(),
                            now: value,
                            least: *low,
                            most: *high,
                        }],
                        ..Way::ALWAYS
                    },
                })
                .collect(),
        )
    }

    fn reached(&self, facts: &Facts<'_>) -> Option<f64> {
        let value = self.value(facts)?;
        let (least, _) = self.ranges.0.iter().find(|(_, high)| *high >= value)?;
        #[expect(clippy::cast_precision_loss, reason = "a share, for people to look at")]
        let share = |value: i64, of: i64| value as f64 / of as f64;
        (*least > 0).then(|| share(value.max(0), *least).clamp(0.0, 1.0))
    }

    fn actual(&self, facts: &Facts<'_>) -> Option<String> {
        let value = self.value(facts)?;
        Some(match self.unit {
            Unit::Count => value.to_string(),
            Unit::Percent => format!("{value}%"),
            Unit::Duration => Millis(value).to_string(),
            Unit::Money => {
                let currency = self.currency.map(|c| format!(" {c}")).unwrap_or_default();
                format!("{}{currency}", Amount(value))
            }
        })
    }

    fn subject(&self) -> String {
        let currency = self.currency.map(|currency| currency.to_string()).unwrap_or_default();
        format!("{}{currency}", self.route.as_deref().unwrap_or_default())
    }

    fn candidates(&self, wanted: bool) -> Vec<Value> {
        let possible = match self.unit {
            Unit::Percent => (0, 100),
            Unit::Count | Unit::Duration => (0, i64::MAX),
            Unit::Money => (i64::MIN, i64::MAX),
        };
        let ranges = if wanted { self.ranges.clone() } else { self.ranges.complement() };
        let ranges = ranges.and(&Ranges(vec![possible]));
        let lowest = ranges.0.iter().map(|(low, _)| Value::Number(*low));
        lowest.chain([Value::Missing]).collect()
    }

    fn answer_to(&self, value: &Value) -> Option<bool> {
        match value {
            Value::Missing => Some(self.holds_if_missing),
            Value::Number(number) => Some(self.ranges.contain(*number)),
            _ => None,
        }
    }
}
