//! What conditions leave behind: the distinct ones of a rule set, each stored once however often
//! written, and notes.

use std::collections::HashMap;
use std::sync::Arc;

use crate::rules::condition::{Condition, Predicate};
use crate::rules::context::Context;
use crate::rules::diagnostic::Span;
use crate::rules::model::{About, Note};

/// The most notes kept of one site.
const MAX_NOTES: usize = 10_000;

/// Predicates and notes as they come.
#[derive(Debug, Default)]
pub(super) struct Predicates {
    all: Vec<Predicate>,
    by_meaning: HashMap<String, usize>,
    notes: Vec<Note>,
}

impl Predicates {
    /// The index of a condition: of the same one, if there is one already.
    pub fn intern(
        &mut self,
        meaning: String,
        field: &Arc<str>,
        wanted: String,
        condition: Arc<dyn Condition>,
    ) -> usize {
        *self.by_meaning.entry(meaning).or_insert_with(|| {
            self.all.push(Predicate { field: field.clone(), wanted, condition });
            self.all.len() - 1
        })
    }

    /// Keeps what only the time or the database of places can judge.
    pub fn note(&mut self, cx: &Context<'_>, span: Span, about: About) {
        if self.notes.len() < MAX_NOTES {
            self.notes.push(Note { source: cx.source.clone(), span, about });
        }
    }

    pub fn into_parts(self) -> (Vec<Predicate>, Vec<Note>) {
        (self.all, self.notes)
    }
}
