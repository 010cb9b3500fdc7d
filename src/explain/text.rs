//! An explanation as text for a terminal.
//!
//! Must not: say anything that is not in the explanation.

use std::fmt::Write;

use super::{About, ExplainedCondition, Explanation, RuleOutcome};

const GREEN: &str = "\u{1b}[32m";
const RED: &str = "\u{1b}[31m";
const BOLD: &str = "\u{1b}[1m";
const DIM: &str = "\u{1b}[2m";
const PLAIN: &str = "\u{1b}[0m";

/// Writes it out; `only` keeps to that one rule.
#[must_use]
pub fn render(explanation: &Explanation, only: Option<&str>, is_coloured: bool) -> String {
    let mut page = Page { out: String::new(), is_coloured };
    page.head(explanation);
    for rule in &explanation.rules {
        if only.is_some_and(|only| only != rule.rule) {
            continue;
        }
        let mark = match rule.outcome {
            RuleOutcome::Shows => page.painted(GREEN, "✓"),
            RuleOutcome::Stopped => page.painted(RED, "✗"),
            _ => page.painted(DIM, "○"),
        };
        let name = page.painted(BOLD, &rule.rule);
        page.line(0, &format!("\n{mark} {name}: {}", rule.summary));
        for condition in &rule.conditions {
            page.condition(condition, 1);
        }
    }
    page.out
}

struct Page {
    out: String,
    is_coloured: bool,
}

impl Page {
    fn painted(&self, colour: &str, text: &str) -> String {
        if self.is_coloured { format!("{colour}{text}{PLAIN}") } else { text.to_owned() }
    }

    fn line(&mut self, depth: usize, text: &str) {
        // Writing into a String cannot fail.
        let _ = writeln!(self.out, "{:width$}{text}", "", width = depth * 4);
    }

    fn head(&mut self, explanation: &Explanation) {
        let of = match explanation.about {
            About::Call => "what the service would answer now",
            About::Decision => "a decision that was made",
            About::Session => "the session as it now is",
            About::Sample => "a visit made up of these values",
        };
        let Explanation { site, at, rules_version, .. } = explanation;
        let head = format!("{site}, {at}, rules {rules_version}: {of}");
        let head = self.painted(DIM, &head);
        self.line(0, &head);
        let summary = self.painted(BOLD, &explanation.summary);
        self.line(0, &format!("{summary} ({})", explanation.reason));
        if let Some(recheck) = &explanation.recheck {
            self.line(0, &format!("Asking again can change that {}.", recheck.words));
        }
        for note in &explanation.notes {
            self.line(0, &format!("Note: {note}"));
        }
    }

    fn condition(&mut self, condition: &ExplainedCondition, depth: usize) {
        let mark =
            if condition.passed { self.painted(GREEN, "✓") } else { self.painted(RED, "✗") };
        let mut text = String::new();
        if condition.is_of_site && depth == 1 {
            text.push_str("every rule: ");
        }
        let is_group = !condition.parts.is_empty();
        match (condition.kind.as_str(), &condition.name) {
            ("condition", Some(name)) => text.push_str(name),
            ("segment", Some(name)) => {
                let _ = write!(text, "segment `{name}`");
            }
            ("all" | "any", _) => {}
            (kind, _) => text.push_str(kind),
        }
        if !text.is_empty() && !text.ends_with(' ') {
            text.push(' ');
        }
        text.push_str(&condition.wanted);
        let is_told = condition.actual.is_some() || condition.kind == "condition";
        if !is_group && is_told {
            let actual = condition.actual.as_deref().unwrap_or("unknown");
            let _ = write!(text, " — {}", shown(actual));
        }
        if let Some(change) = &condition.change {
            let _ = write!(text, "; {change}");
        }
        if condition.stops {
            text.push_str(&self.painted(RED, "  ◄ stops it first"));
        }
        self.line(depth, &format!("{mark} {text}"));
        for part in &condition.parts {
            self.condition(part, depth + 1);
        }
    }
}

/// A value of the visit's on one line, without what a terminal would obey.
fn shown(value: &str) -> String {
    value.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
