//! What lints look at: a rule set with its files as typed, so that findings have their places.
//!
//! Must not: find anything.

use std::cell::OnceCell;
use std::collections::HashMap;
use std::sync::Arc;

use super::Circumstances;
use crate::rules::compile::SITE_FILE;
use crate::rules::diagnostic::{Report, Source, Span};
use crate::rules::kinds::Op;
use crate::rules::message::Template;
use crate::rules::model::{Localized, Rule, RuleSet, Variant};
use crate::rules::raw::{Entry, Node, NodeKind, read};

/// A finding before it has its lint's name and level.
pub(super) struct Found {
    pub source: Arc<Source>,
    pub span: Span,
    pub message: String,
    pub help: String,
}

impl Found {
    pub fn new(
        source: &Arc<Source>,
        span: Span,
        message: impl Into<String>,
        help: impl Into<String>,
    ) -> Self {
        Self { source: source.clone(), span, message: message.into(), help: help.into() }
    }
}

/// A rule set, with its files read again when a lint first wants to see them.
pub(super) struct Subject<'a> {
    pub set: &'a RuleSet,
    pub at: Circumstances,
    files: OnceCell<Vec<(Arc<Source>, Option<Node>)>>,
    /// Each file's rules by where they begin.
    extents: OnceCell<HashMap<&'a str, Vec<&'a Rule>>>,
}

impl<'a> Subject<'a> {
    pub fn new(set: &'a RuleSet, at: Circumstances) -> Self {
        Self { set, at, files: OnceCell::new(), extents: OnceCell::new() }
    }

    /// The rule that holds that place, if one does.
    pub fn rule_at(&self, source: &Source, span: Span) -> Option<&'a Rule> {
        let extents = self.extents.get_or_init(|| {
            let mut all: HashMap<&str, Vec<&Rule>> = HashMap::new();
            for rule in &self.set.rules {
                all.entry(&rule.source.name).or_default().push(rule);
            }
            for rules in all.values_mut() {
                rules.sort_by_key(|rule| rule.extent.start);
            }
            all
        });
        let rules = extents.get(source.name.as_str())?;
        let after = rules.partition_point(|rule| rule.extent.start <= span.start);
        let rule = rules.get(after.checked_sub(1)?)?;
        (span.start < rule.extent.end).then_some(*rule)
    }

    fn files(&self) -> &[(Arc<Source>, Option<Node>)] {
        self.files.get_or_init(|| {
            let sources = self.set.sources.iter();
            // They loaded, so there is nothing to report.
            sources.map(|source| (source.clone(), read(source, &mut Report::default()))).collect()
        })
    }

    /// A rule as it is typed.
    pub fn keys_of(&self, rule: &Rule) -> &[Entry] {
        let file = self.files().iter().find(|(source, _)| source.name == rule.source.name);
        let Some((_, Some(node))) = file else { return &[] };
        let Some(NodeKind::List(items)) = get(entries(node), "rules").map(|node| &node.kind) else {
            return &[];
        };
        let after = items.partition_point(|item| item.span.start <= rule.extent.start);
        after.checked_sub(1).and_then(|at| items.get(at)).map_or(&[], entries)
    }

    /// `site.yaml` as it is typed.
    pub fn site(&self) -> Option<(&Arc<Source>, &[Entry])> {
        let is_site = |source: &Source| source.name.rsplit('/').next() == Some(SITE_FILE);
        let (source, node) = self.files().iter().find(|(source, _)| is_site(source))?;
        Some((source, entries(node.as_ref()?)))
    }

    /// Every condition as it is typed, with its file: those of rules, of the site, of segments.
    pub fn conditions(&self) -> Vec<(&Arc<Source>, &Entry)> {
        let mut all = Vec::new();
        if let Some((source, keys)) = self.site() {
            let mut own = Vec::new();
            if let Some(node) = get(keys, "when") {
                conditions_in(node, &mut own);
            }
            for segment in get(keys, "segments").map_or(&[][..], entries) {
                conditions_in(&segment.value, &mut own);
            }
            all.extend(own.into_iter().map(|entry| (source, entry)));
        }
        for rule in &self.set.rules {
            let mut own = Vec::new();
            if let Some(node) = get(self.keys_of(rule), "when") {
                conditions_in(node, &mut own);
            }
            let source = self.set.sources.iter().find(|source| source.name == rule.source.name);
            all.extend(source.into_iter().flat_map(|s| own.iter().map(move |entry| (s, *entry))));
        }
        all
    }

    /// A rule's prompts as they are typed.
    pub fn prompts<'s>(&'s self, rule: &'s Rule) -> Vec<Prompt<'s>> {
        let keys = self.keys_of(rule);
        let nodes: Vec<&Node> = match get(keys, "variants").map(|node| &node.kind) {
            Some(NodeKind::List(items)) => {
                items.iter().filter_map(|item| get(entries(item), "prompt")).collect()
            }
            _ => get(keys, "prompt").into_iter().collect(),
        };
        let variants = rule.variants.iter().zip(nodes);
        variants.map(|(variant, node)| Prompt { rule, variant, keys: entries(node) }).collect()
    }
}

/// One of a rule's prompts.
#[derive(Clone, Copy)]
pub(super) struct Prompt<'s> {
    pub rule: &'s Rule,
    pub variant: &'s Variant,
    pub keys: &'s [Entry],
}

/// Which part of a prompt a text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Title,
    Message,
    Label,
}

impl Part {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Title => "title",
            Self::Message => "message",
            Self::Label => "label",
        }
    }
}

/// A text of a prompt in one language; one for all languages is in the first of them.
#[derive(Clone, Copy)]
pub(super) struct Text<'s> {
    pub part: Part,
    pub language: &'s str,
    pub node: &'s Node,
    pub template: &'s Template,
}

impl<'s> Prompt<'s> {
    /// Every text that stands in the file, with the key it stands under.
    pub fn parts(&self) -> Vec<(Part, &'s Entry, &'s Localized)> {
        let prompt = &self.variant.prompt;
        let mut all = Vec::new();
        if let (Some(entry), Some(title)) = (entry(self.keys, "title"), &prompt.title) {
            all.push((Part::Title, entry, title));
        }
        if let Some(entry) = entry(self.keys, "message") {
            all.push((Part::Message, entry, &prompt.message));
        }
        if let Some(NodeKind::List(items)) = get(self.keys, "actions").map(|node| &node.kind) {
            for (item, action) in items.iter().zip(&prompt.actions) {
                if let Some(entry) = entry(entries(item), "label") {
                    all.push((Part::Label, entry, &action.label));
                }
            }
        }
        all
    }

    /// Every text of it that somebody may get to read.
    pub fn texts(&self) -> Vec<Text<'s>> {
        let languages = &self.variant.prompt.languages;
        let mut all = Vec::new();
        for (part, entry, localized) in self.parts() {
            if let NodeKind::Map(entries) = &entry.value.kind {
                for (language, entry) in entries.iter().filter_map(|e| Some((tag(&e.key)?, e))) {
                    let at = languages.iter().position(|known| **known == *language);
                    let Some(at) = at else { continue };
                    let found = languages.get(at).zip(localized.0.get(at));
                    all.extend(found.map(|(language, template)| Text {
                        part,
                        language,
                        node: &entry.value,
                        template,
                    }));
                }
            } else if let (Some(language), Some(template)) =
                (languages.first(), localized.0.first())
            {
                all.push(Text { part, language, node: &entry.value, template });
            }
        }
        all
    }
}

/// A language's tag in its usual spelling.
pub(super) fn tag(text: &str) -> Option<String> {
    text.parse::<unic_langid::LanguageIdentifier>().ok().map(|tag| tag.to_string())
}

/// The entries of a map; none of anything else.
pub(super) fn entries(node: &Node) -> &[Entry] {
    match &node.kind {
        NodeKind::Map(entries) => entries,
        _ => &[],
    }
}

pub(super) fn entry<'n>(entries: &'n [Entry], key: &str) -> Option<&'n Entry> {
    entries.iter().find(|entry| entry.key == key)
}

pub(super) fn get<'n>(entries: &'n [Entry], key: &str) -> Option<&'n Node> {
    entry(entries, key).map(|entry| &entry.value)
}

/// The conditions on fields below a node.
pub(super) fn conditions_in<'n>(node: &'n Node, all: &mut Vec<&'n Entry>) {
    match &node.kind {
        NodeKind::Scalar { .. } => {}
        NodeKind::List(items) => items.iter().for_each(|item| conditions_in(item, all)),
        NodeKind::Map(entries) => {
            for entry in entries {
                match entry.key.as_str() {
                    "any" | "all" | "not" => conditions_in(&entry.value, all),
                    "segment" => {}
                    _ => all.push(entry),
                }
            }
        }
    }
}

/// The operators of a condition with what they are given: a bare value means `is`, a list `in`.
pub(super) fn operators(condition: &Entry) -> Vec<(Op, &Node)> {
    match &condition.value.kind {
        NodeKind::Map(entries) => entries
            .iter()
            .filter_map(|entry| {
                let op = Op::ALL.iter().copied().find(|op| op.name() == entry.key)?;
                Some((op, &entry.value))
            })
            .collect(),
        NodeKind::List(_) => vec![(Op::In, &condition.value)],
        NodeKind::Scalar { .. } => vec![(Op::Is, &condition.value)],
    }
}

/// A scalar, or each of a list of them.
pub(super) fn scalars(node: &Node) -> Vec<&Node> {
    match &node.kind {
        NodeKind::List(items) => items.iter().collect(),
        _ => vec![node],
    }
}
