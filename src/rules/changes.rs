//! What differs between two sets of a site's rules.
//!
//! Must not: take a comment, or another layout of the same words, for a change.

use std::collections::HashMap;
use std::hash::Hasher;
use std::sync::Arc;

use twox_hash::XxHash3_64;

use super::model::RuleSet;
use super::raw::{Node, NodeKind};

/// What became of a site's rules from one set to the next.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Rules that were not there.
    pub added: Vec<Arc<str>>,
    /// Rules that are no longer there.
    pub removed: Vec<Arc<str>>,
    /// Rules that say something else than before.
    pub changed: Vec<Arc<str>>,
    /// Whether `site.yaml` says something else than before.
    pub is_site_changed: bool,
}

impl Changes {
    /// What became of `before` in `now`; of nothing, everything is added. In the order in which
    /// the rules are asked.
    #[must_use]
    pub fn between(before: Option<&RuleSet>, now: &RuleSet) -> Self {
        let Some(before) = before else {
            let added = now.rules.iter().map(|rule| rule.id.clone()).collect();
            return Self { added, is_site_changed: true, ..Self::default() };
        };
        let prints = |set: &RuleSet| -> HashMap<Arc<str>, u64> {
            set.rules.iter().map(|rule| (rule.id.clone(), rule.fingerprint)).collect()
        };
        let (old, new) = (prints(before), prints(now));
        let mut changes =
            Self { is_site_changed: before.fingerprint != now.fingerprint, ..Self::default() };
        for rule in &now.rules {
            match old.get(&rule.id) {
                None => changes.added.push(rule.id.clone()),
                Some(print) if *print != rule.fingerprint => changes.changed.push(rule.id.clone()),
                Some(_) => {}
            }
        }
        let is_gone = |id: &&Arc<str>| !new.contains_key(*id);
        changes.removed =
            before.rules.iter().map(|rule| &rule.id).filter(is_gone).cloned().collect();
        changes
    }
}

/// A hash of what a tree says, wherever it stands: XXH3, 64 bits.
pub(super) fn fingerprint(node: &Node) -> u64 {
    let mut hasher = XxHash3_64::default();
    write(node, &mut hasher);
    hasher.finish()
}

fn write(node: &Node, hasher: &mut XxHash3_64) {
    let text = |hasher: &mut XxHash3_64, text: &str| {
        hasher.write_usize(text.len());
        hasher.write(text.as_bytes());
    };
    match &node.kind {
        NodeKind::Scalar { text: value, is_quoted } => {
            hasher.write_u8(u8::from(*is_quoted));
            text(hasher, value);
        }
        NodeKind::List(items) => {
            hasher.write_u8(2);
            hasher.write_usize(items.len());
            for item in items {
                write(item, hasher);
            }
        }
        NodeKind::Map(entries) => {
            hasher.write_u8(3);
            hasher.write_usize(entries.len());
            for entry in entries {
                text(hasher, &entry.key);
                write(&entry.value, hasher);
            }
        }
    }
}
