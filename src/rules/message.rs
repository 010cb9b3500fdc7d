//! Prompt texts: Jinja's `{{ }}`, `if` and filters over a fixed set of names → plain text.
//!
//! A template is checked whole when rules load, so that rendering cannot fail: a value that is
//! missing or does not suit its filter prints nothing and counts as false. Each `{{ }}` and each
//! condition is an expression of its own (`minijinja`); one that fails leaves the rest standing.
//! Nothing is escaped: the output is text, and must be shown as text.
//!
//! Must not: read files or clocks, or choose a language.

use std::fmt::Write as _;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

use minijinja::value::ValueKind;
use minijinja::{Environment, Expression, UndefinedBehavior, Value};

mod bare;
mod check;
mod compare;
mod context;
mod filters;
mod names;
mod parse;
#[cfg(test)]
mod tests;

pub use bare::Bare;
pub use context::{Surroundings, context};

/// The longest template, in bytes.
pub const MAX_TEMPLATE_BYTES: usize = 2_000;
/// The longest output, in characters; longer ones are cut.
pub const MAX_OUTPUT_CHARS: usize = 2_000;
/// What one expression may cost; nothing that fits into a template comes near it.
const FUEL: u64 = 10_000;

static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Chainable);
    engine.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    engine.set_fuel(Some(FUEL));
    engine.set_debug(false);
    filters::add_to(&mut engine);
    engine
});

/// Why a text is no template, in words for those who wrote it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct TemplateError {
    /// What is wrong, in one line without a full stop.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
    /// Which bytes of the template it is about, where known.
    pub at: Option<Range<usize>>,
}

impl TemplateError {
    /// With its place inside the text and between characters, whatever the tokenizer said.
    fn within(self, text: &str) -> Self {
        let floor = |at: usize| (0..=at).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
        let ceil = |at: usize| {
            (at..text.len()).find(|at| text.is_char_boundary(*at)).unwrap_or(text.len())
        };
        let at = self.at.map(|at| {
            let start = floor(at.start.min(text.len()));
            start..ceil(at.end).max(start)
        });
        Self { at, ..self }
    }
}

/// The names that a site adds to those every template may use.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known<'a> {
    /// The site's `variables`.
    pub variables: &'a [&'a str],
    /// The names of the site's `hours`.
    pub hours: &'a [&'a str],
}

/// A template, checked and compiled.
#[derive(Debug)]
pub struct Template {
    nodes: Vec<Node>,
    uses: Vec<Arc<str>>,
    bare: Vec<Bare>,
}

/// A piece of a template.
enum Node {
    Text(Box<str>),
    Print {
        value: Expression<'static, 'static>,
        /// Whether it is the cart's value as it is, to be written as an amount of its currency.
        is_amount: bool,
    },
    If {
        /// Conditions in order, each with what it guards.
        arms: Vec<(Expression<'static, 'static>, Vec<Node>)>,
        otherwise: Vec<Node>,
    },
}

impl std::fmt::Debug for Node {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{text:?}"),
            Self::Print { .. } => f.write_str("{{ }}"),
            Self::If { arms, otherwise } => {
                let guarded = arms.iter().map(|(_, nodes)| nodes);
                f.debug_list().entries(guarded).entry(otherwise).finish()
            }
        }
    }
}

impl Template {
    /// Reads and checks a template.
    ///
    /// # Errors
    /// Where it is too long, not in Jinja's syntax, uses more than `{{ }}`, `if`, filters and
    /// tests, or a name that is not known.
    pub fn compile(text: &str, known: &Known<'_>) -> Result<Self, TemplateError> {
        if text.len() > MAX_TEMPLATE_BYTES {
            return Err(TemplateError {
                message: format!(
                    "the text is {} bytes long; at most {MAX_TEMPLATE_BYTES} are taken",
                    text.len()
                ),
                help: Some("a prompt is one or two sentences".to_owned()),
                at: None,
            });
        }
        let mut uses = check::Uses::default();
        let (nodes, bare) =
            parse::parse(text, known, &mut uses).map_err(|error| error.within(text))?;
        Ok(Self { nodes, uses: uses.into_iter().collect(), bare })
    }

    /// The names that it prints whether they have a value or not.
    #[must_use]
    pub fn bare(&self) -> &[Bare] {
        &self.bare
    }

    /// The names it reads, dotted and in alphabetical order: `visitor.attributes.plan`.
    #[must_use]
    pub fn uses(&self) -> &[Arc<str>] {
        &self.uses
    }

    /// The text for one visitor; `context` is what [`context()`] gives. Never fails: what cannot be
    /// evaluated prints nothing, and counts as false.
    #[must_use]
    pub fn render(&self, context: &Value) -> String {
        let mut out = String::new();
        render(&self.nodes, context, &mut out);
        if let Some((end, _)) = out.char_indices().nth(MAX_OUTPUT_CHARS) {
            out.truncate(end);
        }
        out
    }
}

fn render(nodes: &[Node], context: &Value, out: &mut String) {
    for node in nodes {
        match node {
            Node::Text(text) => out.push_str(text),
            Node::Print { value, is_amount } => {
                let value = value.eval(context.clone()).unwrap_or_default();
                if *is_amount {
                    out.push_str(&context::amount(context, &value));
                } else {
                    print(&value, out);
                }
            }
            Node::If { arms, otherwise } => {
                let holds = |condition: &Expression<'_, '_>| {
                    condition.eval(context.clone()).is_ok_and(|value| value.is_true())
                };
                let arm = arms.iter().find(|(condition, _)| holds(condition));
                render(arm.map_or(otherwise, |(_, nodes)| nodes), context, out);
            }
        }
    }
}

/// Writes a value the way people read it: whole numbers without `.0`, lists with commas, and
/// nothing for what is missing.
fn print(value: &Value, out: &mut String) {
    let whole = |value: &Value| i64::try_from(value.clone()).ok();
    // Writing to a string cannot fail.
    let _ = match value.kind() {
        ValueKind::Undefined | ValueKind::None => Ok(()),
        ValueKind::Bool => write!(out, "{}", value.is_true()),
        ValueKind::Number => match whole(value) {
            Some(number) => write!(out, "{number}"),
            None => write!(out, "{value}"),
        },
        ValueKind::Seq | ValueKind::Iterable => {
            for (index, item) in value.try_iter().into_iter().flatten().enumerate() {
                out.push_str(if index == 0 { "" } else { ", " });
                print(&item, out);
            }
            Ok(())
        }
        _ => write!(out, "{value}"),
    };
}
