//! A prompt, written for one visitor: in the language both have, with the values of this moment.

use std::sync::Arc;

use crate::domain::decision::{Action, Prompt};
use crate::domain::facts::Facts;
use crate::domain::money::Currency;
use crate::rules::language::negotiate;
use crate::rules::message::{self, Surroundings};
use crate::rules::model::{Localized, PromptText, Site};

/// Writes a prompt. The first of its languages serves where the visitor reads none of them.
#[must_use]
pub fn prompt(site: &Site, text: &PromptText, facts: &Facts<'_>) -> Prompt {
    let index = negotiate(facts.languages(), &text.languages).unwrap_or(0);
    let language: Arc<str> = text.languages.get(index).cloned().unwrap_or_else(|| Arc::from("und"));
    let surroundings = Surroundings {
        variables: &site.variables,
        hours: &site.hours,
        currency: (site.currency != Currency::NONE).then_some(site.currency),
        language: &language,
    };
    let context = message::context(facts, &surroundings);
    let write = |texts: &Localized| {
        texts.get(index).map(|template| template.render(&context)).unwrap_or_default()
    };
    Prompt {
        title: text.title.as_ref().map(&write).filter(|title| !title.is_empty()),
        message: write(&text.message),
        actions: text
            .actions
            .iter()
            .map(|action| Action {
                kind: action.kind,
                label: write(&action.label),
                url: action.url.as_ref().map(&write),
            })
            .collect(),
        channel: text.channel.clone(),
        route: text.route.clone(),
        appearance: text.appearance.clone(),
        language,
    }
}
