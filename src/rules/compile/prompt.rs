//! A rule's prompts: texts in several languages, what the visitor can do, where it goes.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::keys::Keys;
use super::site::CompiledSite;
use super::texts::{Texts, link, texts};
use crate::domain::decision::ActionKind;
use crate::rules::context::Context;
use crate::rules::diagnostic::Span;
use crate::rules::message::{Known, Template};
use crate::rules::model::{ActionText, Localized, PromptText, Variant};
use crate::rules::raw::{Entry, Node, NodeKind};
use crate::rules::values;
use crate::rules::vocabulary::{ACTION_NAMES, PROMPT_NAMES, RULE_NAMES, VARIANT_NAMES};

/// The most actions of one prompt: more do not fit a small bubble.
const MAX_ACTIONS: usize = 4;
/// The most settings of a prompt's look.
const MAX_APPEARANCE: usize = 32;

/// What the button that opens the chat says where a rule does not.
const CHAT_LABELS: &[(&str, &str)] = &[
    ("en", "Chat with us"),
    ("ja", "チャットで相談する"),
    ("de", "Chat starten"),
    ("es", "Chatear"),
    ("fr", "Discuter"),
    ("it", "Chatta con noi"),
    ("ko", "채팅 상담"),
    ("pt", "Conversar"),
    ("zh", "在线咨询"),
];

/// `prompt:` or `variants:` of a rule; exactly one of them.
pub(super) fn compile(
    rule: Keys<'_>,
    id_span: Span,
    site: &CompiledSite,
    cx: &mut Context<'_>,
) -> Option<Vec<Variant>> {
    match (rule.get("prompt"), rule.get("variants")) {
        (Some(node), None) => {
            let prompt = prompt(node, site, cx)?;
            Some(vec![Variant { id: "default".into(), weight: 1, prompt }])
        }
        (None, Some(node)) => variants(node, site, cx),
        (Some(_), Some(node)) => {
            cx.error_help(
                "prompt-and-variants",
                node.span,
                "a rule has either `prompt` or `variants`",
                "make the prompt one of the variants",
            );
            None
        }
        (None, None) => {
            // Parts of a prompt that stand in the rule itself, and slips, are reported already.
            let is_left_out = |entry: &Entry| {
                RULE_NAMES.contains(&entry.key.as_str())
                    && !["prompt", "variants"].contains(&entry.key.as_str())
            };
            if rule.0.iter().all(is_left_out) {
                cx.error_help(
                    "no-prompt",
                    id_span,
                    "the rule has no prompt",
                    "add `prompt: { message: \"…\" }`",
                );
            }
            None
        }
    }
}

fn variants(node: &Node, site: &CompiledSite, cx: &mut Context<'_>) -> Option<Vec<Variant>> {
    let NodeKind::List(items) = &node.kind else {
        cx.wrong_type(node, "a list of variants");
        return None;
    };
    let mut variants: Vec<Variant> = Vec::new();
    let mut is_whole = !items.is_empty();
    if items.is_empty() {
        let help = "list at least one, or write a single `prompt:`";
        cx.error_help("empty-list", node.span, "`variants` lists none", help);
    }
    for item in items {
        match variant(item, site, cx) {
            Some(variant) if variants.iter().any(|known| known.id == variant.id) => {
                is_whole = false;
                let message = format!("two variants are called `{}`", variant.id);
                cx.error_help("duplicate-id", item.span, message, "give one of them another id");
            }
            Some(variant) => variants.push(variant),
            None => is_whole = false,
        }
    }
    if is_whole && variants.iter().all(|variant| variant.weight == 0) {
        cx.error_help(
            "no-weight",
            node.span,
            "every variant has the weight 0, so none can be chosen",
            "give at least one of them a weight above 0",
        );
        is_whole = false;
    }
    is_whole.then_some(variants)
}

fn variant(node: &Node, site: &CompiledSite, cx: &mut Context<'_>) -> Option<Variant> {
    let keys = Keys::of(cx, node, "a variant", VARIANT_NAMES)?;
    let id = id(keys, node.span, "variant", cx);
    let weight = keys.read(cx, "weight", "a whole number", |text| {
        let weight = values::count(text)?;
        if weight <= 1_000_000 { Ok(weight) } else { Err("a weight is at most 1000000".to_owned()) }
    });
    let prompt = match keys.get("prompt") {
        Some(node) => prompt(node, site, cx),
        None => {
            if keys.0.iter().all(|entry| ["id", "weight"].contains(&entry.key.as_str())) {
                cx.error_help(
                    "no-prompt",
                    node.span,
                    "the variant has no prompt",
                    "add `prompt: { message: \"…\" }`",
                );
            }
            None
        }
    };
    let weight = if keys.get("weight").is_some() { weight? } else { 1 };
    let prompt = prompt?;
    Some(Variant { id: id?, weight: u32::try_from(weight).ok()?, prompt })
}

/// The `id` of a rule or a variant: it names metrics' series and is a part of bucket hashes.
pub(super) fn id(keys: Keys<'_>, span: Span, what: &str, cx: &mut Context<'_>) -> Option<Arc<str>> {
    let Some(node) = keys.get("id") else {
        // An `id` without a value, or by another name, is reported already.
        if keys.0.iter().any(|entry| matches!(entry.key.as_str(), "id" | "Id" | "ID" | "name")) {
            return None;
        }
        cx.error_help("no-id", span, format!("a {what} without `id`"), "add `id: a-short-name`");
        return None;
    };
    let text = cx.text(node, "a short name")?;
    let is_fine = (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if !is_fine {
        cx.error_help(
            "bad-name",
            node.span,
            format!("`{text}` cannot be the id of a {what}"),
            slug(text).map_or_else(
                || "use up to 64 of a-z, A-Z, 0-9, '-', '_' and '.'".to_owned(),
                |slug| format!("write it like `{slug}`: letters, digits, '-', '_' and '.'"),
            ),
        );
        return None;
    }
    Some(text.into())
}

/// An id made of a text, if it has letters for one.
fn slug(text: &str) -> Option<String> {
    let words: Vec<_> =
        text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let slug = words.join("-").to_lowercase();
    (text.is_ascii() && (1..=64).contains(&slug.len())).then_some(slug)
}

fn prompt(node: &Node, site: &CompiledSite, cx: &mut Context<'_>) -> Option<PromptText> {
    let keys = Keys::of(cx, node, "a prompt", PROMPT_NAMES)?;
    let is_left_out = keys
        .0
        .iter()
        .all(|entry| PROMPT_NAMES.contains(&entry.key.as_str()) && entry.key != "message");
    if is_left_out {
        cx.error_help(
            "no-message",
            node.span,
            "the prompt has no message",
            "add `message: \"…\"`, or one for each language: { en: \"…\", ja: \"…\" }",
        );
    }
    let message = keys.get("message").and_then(|node| texts(node, site, cx));
    let title = keys.get("title").map(|node| texts(node, site, cx).ok_or(Broken)).transpose();
    let actions = actions(keys, site, cx);
    let channel = keys.read(cx, "channel", "a name", name).unwrap_or_else(|| "chat".into());
    let route = keys.read(cx, "route", "a team's name", name);
    let appearance = appearance(keys, cx);
    let (Some(message), Ok(title), Ok(actions)) = (message, title, actions) else { return None };
    // A prompt speaks one language: those that each of its texts has.
    let each = || {
        std::iter::once(&message)
            .chain(&title)
            .chain(actions.iter().flatten().flat_map(|a| std::iter::once(&a.label).chain(&a.url)))
    };
    let languages: Vec<Arc<str>> = site
        .site
        .languages
        .iter()
        .filter(|language| each().all(|texts| texts.has(language)))
        .cloned()
        .collect();
    if languages.is_empty() {
        cx.error_help(
            "no-common-language",
            node.span,
            "no language has all of the prompt's texts",
            "give message, title and labels in the same languages",
        );
        return None;
    }
    let actions = match actions {
        Some(actions) => actions
            .into_iter()
            .map(|action| ActionText {
                kind: action.kind,
                label: action.label.into_localized(&languages),
                url: action.url.map(|url| url.into_localized(&languages)),
            })
            .collect(),
        None => vec![chat_action(&languages)?],
    };
    Some(PromptText {
        title: title.map(|texts| texts.into_localized(&languages)),
        message: message.into_localized(&languages),
        languages,
        actions,
        channel,
        route,
        appearance,
    })
}

fn name(text: &str) -> Result<Arc<str>, String> {
    let is_fine = (1..=64).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if is_fine {
        Ok(text.into())
    } else {
        Err(format!("expected a name of letters, digits, '-', '_' and '.', found `{text}`"))
    }
}

struct RawAction {
    kind: ActionKind,
    label: Texts,
    url: Option<Texts>,
}

/// Something is wrong, and reported.
struct Broken;

/// The actions; `None` where the rule leaves them out.
fn actions(
    keys: Keys<'_>,
    site: &CompiledSite,
    cx: &mut Context<'_>,
) -> Result<Option<Vec<RawAction>>, Broken> {
    let Some(node) = keys.get("actions") else { return Ok(None) };
    let NodeKind::List(items) = &node.kind else {
        let found = node.what();
        let help = "begin each action with `- `: `- { kind: link, label: \"…\", url: /pricing }`";
        cx.error_help(
            "wrong-type",
            node.span,
            format!("expected a list of actions, found {found}"),
            help,
        );
        return Err(Broken);
    };
    if items.len() > MAX_ACTIONS {
        cx.error_help(
            "too-many",
            items.get(MAX_ACTIONS).map_or(node.span, |item| item.span),
            format!("{} actions; a prompt has at most {MAX_ACTIONS}", items.len()),
            "keep those that matter most: they share a small bubble",
        );
        return Err(Broken);
    }
    let all: Vec<_> = items.iter().map(|item| action(item, site, cx)).collect();
    all.into_iter().collect::<Option<Vec<_>>>().map(Some).ok_or(Broken)
}

fn action(node: &Node, site: &CompiledSite, cx: &mut Context<'_>) -> Option<RawAction> {
    let keys = Keys::of(cx, node, "an action", ACTION_NAMES)?;
    let kind = keys.read(cx, "kind", "chat or link", |text| match text {
        "chat" => Ok(ActionKind::Chat),
        "link" => Ok(ActionKind::Link),
        _ => Err(format!("expected chat or link, found `{text}`")),
    });
    // A key that is misspelt is reported already, and may be the one that is missing.
    let is_left_out = |key: &str| {
        keys.0.iter().all(|entry| entry.key != key && ACTION_NAMES.contains(&entry.key.as_str()))
    };
    if is_left_out("kind") {
        cx.error_help(
            "no-value",
            node.span,
            "an action without `kind`",
            "add `kind: chat` or `kind: link`",
        );
    }
    if is_left_out("label") {
        cx.error_help(
            "no-value",
            node.span,
            "an action without `label`",
            "say what the button reads: `label: \"…\"`",
        );
    }
    let label = keys.get("label").map(|node| texts(node, site, cx));
    let url = match (kind, keys.get("url")) {
        (Some(ActionKind::Chat), Some(node)) => {
            cx.error_help(
                "wrong-type",
                node.span,
                "a chat has no `url`",
                "use `kind: link`, or leave the url out",
            );
            return None;
        }
        (Some(ActionKind::Link), None) if is_left_out("url") => {
            let help = "say where it leads: `url: /pricing`";
            cx.error_help("no-value", node.span, "a link without `url`", help);
            return None;
        }
        (_, Some(node)) => Some(link(node, site, cx)?),
        (_, None) => None,
    };
    let (kind, label) = (kind?, label??);
    Some(RawAction { kind, label, url })
}

fn chat_action(languages: &[Arc<str>]) -> Option<ActionText> {
    let label = |language: &Arc<str>| {
        let base = language.split('-').next().unwrap_or_default();
        let known = CHAT_LABELS.iter().find(|(tag, _)| *tag == base).or(CHAT_LABELS.first());
        let text = known.map_or("Chat", |(_, label)| *label);
        Template::compile(text, &Known { variables: &[], hours: &[] }).ok()
    };
    let labels: Option<Vec<_>> = languages.iter().map(label).collect();
    Some(ActionText { kind: ActionKind::Chat, label: Localized(labels?), url: None })
}

fn appearance(keys: Keys<'_>, cx: &mut Context<'_>) -> Arc<BTreeMap<String, String>> {
    let mut all = BTreeMap::new();
    let Some(node) = keys.get("appearance") else { return Arc::new(all) };
    let NodeKind::Map(entries) = &node.kind else {
        cx.wrong_type(node, "a map of settings");
        return Arc::new(all);
    };
    if entries.len() > MAX_APPEARANCE {
        cx.error("too-many", node.span, format!("more than {MAX_APPEARANCE} settings"));
    }
    for entry in entries.iter().take(MAX_APPEARANCE) {
        if let Some(text) = cx.text(&entry.value, "text") {
            all.insert(entry.key.clone(), text.to_owned());
        }
    }
    Arc::new(all)
}
