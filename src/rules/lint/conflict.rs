//! Whether conditions can hold together: one field's at a time, by trying the values that they
//! name. What cannot be told that way counts as possible.
//!
//! Must not: know rules.

use std::collections::BTreeMap;

use crate::rules::condition::{Expr, Predicate, Value};

/// Conditions on one field that no value meets: indices of predicates, with the wanted answers.
pub(super) type Conflict = Vec<Test>;

/// A condition with the answer that it must have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Test {
    pub predicate: usize,
    pub wanted: bool,
}

/// How many ways through `any` are tried before it counts as possible.
const MOST_WAYS: usize = 200;
/// How many conditions on one field are compared, and how many values they may name.
const MOST_TESTS: usize = 16;
const MOST_VALUES: usize = 2_000;
/// A code and a name of it are two values of one field, so two that differ can both be there.
const WITH_TWO_VALUES: &str = "location.region";

/// Conditions among all of these that exclude each other. `None` where a visit may meet them all.
pub(super) fn conflict(predicates: &[Predicate], all: &[&Expr]) -> Option<Conflict> {
    Search { predicates, ways: 0 }.search(Vec::new(), all.to_vec())
}

struct Search<'a> {
    predicates: &'a [Predicate],
    ways: usize,
}

impl Search<'_> {
    fn search(&mut self, mut tests: Vec<Test>, mut rest: Vec<&Expr>) -> Option<Conflict> {
        self.ways += 1;
        if self.ways > MOST_WAYS {
            return None;
        }
        let mut choices: Vec<&[Expr]> = Vec::new();
        while let Some(expr) = rest.pop() {
            match expr {
                Expr::Test { predicate, wanted } => {
                    tests.push(Test { predicate: *predicate, wanted: *wanted });
                }
                Expr::All(parts) => rest.extend(parts),
                Expr::Any(parts) => choices.push(parts),
                Expr::Segment { expr, .. } => rest.push(expr),
            }
        }
        if let Some(conflict) = self.among(&tests) {
            return Some(conflict);
        }
        let (first, others) = choices.split_first()?;
        let mut conflict = None;
        for way in *first {
            let joined: Vec<Expr> = others.iter().map(|parts| Expr::Any(parts.to_vec())).collect();
            let mut next: Vec<&Expr> = joined.iter().collect();
            next.push(way);
            let found = self.search(tests.clone(), next)?;
            conflict.get_or_insert(found);
        }
        conflict
    }

    /// The fewest of them, on one field, that exclude each other.
    fn among(&self, tests: &[Test]) -> Option<Conflict> {
        let mut fields: BTreeMap<(&str, String), Vec<Test>> = BTreeMap::new();
        for test in tests {
            let Some(predicate) = self.predicates.get(test.predicate) else { continue };
            let field = match &*predicate.field {
                WITH_TWO_VALUES => continue,
                // A path is a path, whichever of the two asks for it.
                "page.url" => "page.path",
                field => field,
            };
            let on_field = fields.entry((field, predicate.condition.subject())).or_default();
            if on_field.len() < MOST_TESTS && !on_field.contains(test) {
                on_field.push(*test);
            }
        }
        fields.into_values().find_map(|tests| {
            let alone = tests.iter().map(|test| vec![*test]);
            let pairs = tests
                .iter()
                .enumerate()
                .flat_map(|(at, test)| tests.iter().skip(at + 1).map(|other| vec![*test, *other]));
            alone.chain(pairs).chain([tests.clone()]).find(|some| self.exclude_each_other(some))
        })
    }

    fn exclude_each_other(&self, tests: &[Test]) -> bool {
        let conditions: Vec<_> = tests
            .iter()
            .filter_map(|test| Some((&self.predicates.get(test.predicate)?.condition, test.wanted)))
            .collect();
        let candidates: Vec<Value> = conditions
            .iter()
            .flat_map(|(condition, wanted)| condition.candidates(*wanted))
            .collect();
        let could = |value: &Value| {
            conditions
                .iter()
                .all(|(condition, wanted)| condition.answer_to(value).is_none_or(|a| a == *wanted))
        };
        (1..=MOST_VALUES).contains(&candidates.len()) && !candidates.iter().any(could)
    }
}
