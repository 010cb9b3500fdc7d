//! What a rule leaves out: hours, examples, languages, a word for a value that is missing.

use super::subject::{Found, Subject, entries, tag};
use crate::domain::decision::ActionKind;
use crate::rules::condition::{Expr, Value};
use crate::rules::diagnostic::Span;
use crate::rules::kinds::local_time::within;
use crate::rules::model::{Mode, Rule, RuleSet};
use crate::rules::raw::NodeKind;

pub(super) fn any_hour(subject: &Subject<'_>, all: &mut Vec<Found>) {
    let set = subject.set;
    for rule in &set.rules {
        let is_chat = rule.variants.iter().any(|variant| {
            let prompt = &variant.prompt;
            &*prompt.channel == "chat"
                && prompt.actions.iter().any(|action| action.kind == ActionKind::Chat)
        });
        let is_bound = rule.hours.is_some()
            || asks_for_agents(set, &rule.when)
            || asks_for_agents(set, &set.site.when);
        if rule.mode == Mode::Off || !is_chat || is_bound {
            continue;
        }
        let message = "a chat is offered at any hour, whether anybody is there or not";
        let help = match set.site.hours.first() {
            Some((name, _)) => {
                format!("add `hours: {name}`, or the condition `agents.available: true`")
            }
            None => "name opening hours under `hours` in site.yaml and use them here, or add the \
                     condition `agents.available: true`"
                .to_owned(),
        };
        all.push(Found::new(&rule.source, rule.span, message, help));
    }
}

fn asks_for_agents(set: &RuleSet, expr: &Expr) -> bool {
    match expr {
        Expr::Test { predicate, .. } => {
            set.predicates.get(*predicate).is_some_and(|p| p.field.starts_with("agents."))
        }
        Expr::All(parts) | Expr::Any(parts) => parts.iter().any(|part| asks_for_agents(set, part)),
        Expr::Segment { expr, .. } => asks_for_agents(set, expr),
    }
}

pub(super) fn no_example(subject: &Subject<'_>, all: &mut Vec<Found>) {
    let without = subject.set.rules.iter().filter(|rule| rule.examples.is_empty());
    all.extend(without.map(|rule| {
        let message = format!("`{}` has no example, so nothing tests it", rule.id);
        let help = "add a visit that it is for and one that it is not: `examples: [ { given: { … }, \
                    expect: show } ]`";
        Found::new(&rule.source, rule.span, message, help)
    }));
}

pub(super) fn missing_language(subject: &Subject<'_>, all: &mut Vec<Found>) {
    let languages = &subject.set.site.languages;
    for rule in &subject.set.rules {
        for prompt in subject.prompts(rule) {
            let has = &prompt.variant.prompt.languages;
            for missing in languages.iter().filter(|language| !has.contains(language)) {
                // Links that differ by language are texts too; their place is the action's.
                let lacking = prompt.parts().into_iter().find(|(_, entry, _)| {
                    let is_map = matches!(entry.value.kind, NodeKind::Map(_));
                    let has = |key: &str| tag(key).is_some_and(|tag| tag == **missing);
                    is_map && !entries(&entry.value).iter().any(|entry| has(&entry.key))
                });
                let (what, span) = lacking
                    .map_or(("link", rule.span), |(part, entry, _)| (part.name(), entry.key_span));
                let is_first = languages.first() == Some(missing);
                let message = if is_first {
                    format!("the {what} has no `{missing}`, the site's first language")
                } else {
                    format!("the {what} has no `{missing}`, so the prompt is never in `{missing}`")
                };
                let instead = has.first().map_or("", |language| language);
                let help = format!("add one: until then these visitors read `{instead}`");
                all.push(Found::new(&rule.source, span, message, help));
            }
        }
    }
}

pub(super) fn empty_variable(subject: &Subject<'_>, all: &mut Vec<Found>) {
    for rule in &subject.set.rules {
        for prompt in subject.prompts(rule) {
            for text in prompt.texts() {
                for bare in text.template.bare() {
                    if !may_be_missing(&bare.name) || is_there(subject.set, rule, &bare.name) {
                        continue;
                    }
                    let typed = text.node.scalar().unwrap_or_default();
                    let span: Span = within(text.node.span, Some(&bare.at), typed);
                    let name = &bare.name;
                    let message = format!("where `{name}` is missing, the text has a gap here");
                    let help = format!(
                        "write `{{{{ {name} | default(\"…\") }}}}`, or put that part of the text \
                         into {{% if {name} %}}…{{% endif %}}"
                    );
                    all.push(Found::new(&rule.source, span, message, help));
                }
            }
        }
    }
}

fn may_be_missing(name: &str) -> bool {
    let always = [
        "visitor.identified",
        "visitor.returning",
        "visitor.sessions",
        "page.url",
        "page.host",
        "page.path",
    ];
    let own = ["variables.", "hours."];
    !always.contains(&name) && !own.iter().any(|start| name.starts_with(start))
}

/// Whether a rule's conditions make sure of a value.
fn is_there(set: &RuleSet, rule: &Rule, name: &str) -> bool {
    // An amount that can be compared has its currency.
    let field = if name == "cart.currency" { "cart.value" } else { name };
    let asks = |expr: &Expr| asks_for(set, expr, field);
    asks(&set.site.when) || asks(&rule.when)
}

fn asks_for(set: &RuleSet, expr: &Expr, field: &str) -> bool {
    match expr {
        Expr::Test { predicate, wanted } => set.predicates.get(*predicate).is_some_and(|p| {
            *p.field == *field && p.condition.answer_to(&Value::Missing) == Some(!wanted)
        }),
        Expr::All(parts) => parts.iter().any(|part| asks_for(set, part, field)),
        Expr::Any(parts) => {
            !parts.is_empty() && parts.iter().all(|part| asks_for(set, part, field))
        }
        Expr::Segment { expr, .. } => asks_for(set, expr, field),
    }
}
