//! Conditions on yes and no.

use std::sync::Arc;

use super::{ConditionType, FieldUse, Op, Operand, exists};
use crate::domain::facts::Facts;
use crate::domain::time::Timestamp;
use crate::rules::condition::{Condition, Value};
use crate::rules::context::Context;
use crate::rules::outlook::{Outlook, Way};
use crate::rules::values;
use crate::rules::vocabulary::Shape;

/// A yes or no, with where it comes from.
pub struct FlagType {
    /// Reads it, given the rule's team.
    pub read: for<'a> fn(&Facts<'a>, Option<&str>) -> Option<bool>,
    /// Whether it is the exit-intent signal, true only in the call that reports it.
    pub is_exit_intent: bool,
}

#[derive(Debug)]
#[expect(clippy::struct_excessive_bools, reason = "one for each thing that a value can be")]
struct FlagCondition {
    read: for<'a> fn(&Facts<'a>, Option<&str>) -> Option<bool>,
    is_exit_intent: bool,
    route: Option<Arc<str>>,
    when_true: bool,
    when_false: bool,
    when_missing: bool,
}

impl ConditionType for FlagType {
    fn operators(&self) -> &'static [Op] {
        &[Op::Is, Op::IsNot, Op::Exists]
    }

    fn values(&self) -> &'static str {
        "true or false"
    }

    fn shape(&self) -> Shape {
        Shape::Flag
    }

    fn compile(
        &self,
        field: &FieldUse<'_>,
        operands: &[Operand<'_>],
        cx: &mut Context<'_>,
    ) -> Option<Arc<dyn Condition>> {
        let mut all = FlagCondition {
            read: self.read,
            is_exit_intent: self.is_exit_intent,
            route: field.route.cloned(),
            when_true: true,
            when_false: true,
            when_missing: true,
        };
        let mut is_whole = true;
        for operand in operands {
            let (yes, no, missing) = if operand.op == Op::Exists {
                match exists(operand, cx) {
                    Some(wanted) => (wanted, wanted, !wanted),
                    None => {
                        is_whole = false;
                        continue;
                    }
                }
            } else {
                let value = cx.text(operand.value, self.values()).and_then(|text| {
                    values::boolean(text)
                        .map_err(|message| cx.error("wrong-type", operand.value.span, message))
                        .ok()
                });
                let Some(value) = value else {
                    is_whole = false;
                    continue;
                };
                if operand.op == Op::Is { (value, !value, false) } else { (!value, value, true) }
            };
            all.when_true &= yes;
            all.when_false &= no;
            all.when_missing &= missing;
        }
        is_whole.then(|| Arc::new(all) as Arc<dyn Condition>)
    }
}

impl FlagCondition {
    fn answer(&self, value: Option<bool>) -> bool {
        match value {
            Some(true) => self.when_true,
            Some(false) => self.when_false,
            None => self.when_missing,
        }
    }
}

impl Condition for FlagCondition {
    fn holds(&self, facts: &Facts<'_>) -> bool {
        self.answer((self.read)(facts, self.route.as_deref()))
    }

    fn outlook(&self, facts: &Facts<'_>, wanted: bool, _horizon: Timestamp) -> Outlook {
        if !self.is_exit_intent {
            return Outlook::fixed(self.holds(facts) == wanted);
        }
        match (self.when_true == wanted, self.when_false == wanted) {
            (true, true) => Outlook::always(),
            (false, false) => Outlook::never(),
            (on_signal, _) => {
                Outlook::of(vec![Way { exit_intent: Some(on_signal), ..Way::ALWAYS }])
            }
        }
    }

    fn actual(&self, facts: &Facts<'_>) -> Option<String> {
        (self.read)(facts, self.route.as_deref()).map(|value| value.to_string())
    }

    fn subject(&self) -> String {
        self.route.as_deref().unwrap_or_default().to_owned()
    }

    fn candidates(&self, _wanted: bool) -> Vec<Value> {
        vec![Value::Missing, Value::Flag(true), Value::Flag(false)]
    }

    fn answer_to(&self, value: &Value) -> Option<bool> {
        match value {
            Value::Missing => Some(self.when_missing),
            Value::Flag(value) => Some(self.answer(Some(*value))),
            _ => None,
        }
    }
}
