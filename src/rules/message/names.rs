//! The names that templates may use: what each leads to, and which one was probably meant.
//!
//! Must not: know expressions.

use std::ops::Range;

use super::{Known, TemplateError};

/// How alike two names must be for one to be suggested for the other.
const ALIKE: f64 = 0.7;

/// What each name has in it; [`Part::Any`] takes whatever name the site or its page chose.
const ROOTS: &[(&str, &[Part])] = &[
    (
        "visitor",
        &[
            Part::Value("name"),
            Part::Value("language"),
            Part::Value("time_zone"),
            Part::Value("identified"),
            Part::Value("returning"),
            Part::Number("sessions"),
            Part::Any("attributes"),
        ],
    ),
    (
        "location",
        &[
            Part::Value("continent"),
            Part::Value("country"),
            Part::Value("region"),
            Part::Value("city"),
            Part::Value("in_eu"),
            Part::Value("time_zone"),
        ],
    ),
    ("cart", &[Part::Number("value"), Part::Value("currency"), Part::Number("items")]),
    (
        "page",
        &[
            Part::Value("url"),
            Part::Value("host"),
            Part::Value("path"),
            Part::Value("title"),
            Part::Any("query"),
        ],
    ),
];

#[derive(Debug, Clone, Copy)]
enum Part {
    Value(&'static str),
    Number(&'static str),
    Any(&'static str),
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Value(name) | Self::Number(name) | Self::Any(name) => name,
        }
    }
}

/// What a dotted name leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Value,
    Number,
    Moment,
}

/// A name within a dotted one, and where it stands in the expression.
pub(super) struct Step {
    pub(super) name: String,
    pub(super) at: Range<usize>,
}

/// The names of one site, for an expression that begins at that byte of its template.
#[derive(Debug, Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) offset: usize,
    pub(super) known: &'a Known<'a>,
}

impl Names<'_> {
    /// An error at that place of the expression.
    pub(super) fn error(
        &self,
        at: Range<usize>,
        message: String,
        help: Option<String>,
    ) -> TemplateError {
        let at = Some(at.start.saturating_add(self.offset)..at.end.saturating_add(self.offset));
        TemplateError { message, help, at }
    }

    /// The dotted name of a value, or why the steps lead to none.
    pub(super) fn resolve(&self, steps: &[Step]) -> Result<String, TemplateError> {
        let names: Vec<&str> = steps.iter().map(|step| step.name.as_str()).collect();
        let dotted = names.join(".");
        if self.kind(steps)?.is_some() {
            return Ok(dotted);
        }
        let known = self.known;
        let example = match names.as_slice() {
            ["hours"] => known.hours.first().map(|name| format!("hours.{name}.next_open")),
            ["hours", name] => Some(format!("hours.{name}.next_open")),
            ["variables"] => known.variables.first().map(|name| format!("variables.{name}")),
            [root] => parts(root).first().map(|part| format!("{root}.{}", part.name())),
            _ => Some(format!("{dotted}.plan")),
        };
        let help = example.map(|example| format!("name one of its parts, as in `{example}`"));
        let start = steps.first().map_or(0, |step| step.at.start);
        let end = steps.last().map_or(0, |step| step.at.end);
        Err(self.error(start..end, format!("`{dotted}` is not a value"), help))
    }

    /// What the steps lead to: `None` where they stop at something that only has parts.
    pub(super) fn kind(&self, steps: &[Step]) -> Result<Option<Kind>, TemplateError> {
        let Some((root, rest)) = steps.split_first() else { return Ok(None) };
        let (kind, rest) = match root.name.as_str() {
            "variables" => self.own("variables", self.known.variables, rest, Kind::Value)?,
            "hours" => match self.own("hours", self.known.hours, rest, Kind::Value)? {
                (Some(_), []) => (None, rest),
                (Some(_), [step, after @ ..]) if step.name == "next_open" => {
                    (Some(Kind::Moment), after)
                }
                (Some(_), [step, ..]) => {
                    return Err(self.unknown("part of hours", step, ["next_open"].into_iter()));
                }
                (None, rest) => (None, rest),
            },
            name if !parts(name).is_empty() => match rest.split_first() {
                None => (None, rest),
                Some((step, after)) => {
                    let part = parts(name).iter().find(|part| part.name() == step.name);
                    match part {
                        Some(Part::Value(_)) => (Some(Kind::Value), after),
                        Some(Part::Number(_)) => (Some(Kind::Number), after),
                        Some(Part::Any(_)) => match after.split_first() {
                            None => (None, after),
                            Some((_, after)) => (Some(Kind::Value), after),
                        },
                        None => {
                            let names = parts(name).iter().map(|part| part.name());
                            return Err(self.unknown(&format!("part of `{name}`"), step, names));
                        }
                    }
                }
            },
            _ => return Err(self.unknown_root(root)),
        };
        match (kind, rest) {
            (Some(_), [step, ..]) => {
                let message = format!("`{}` is asked of something that has no parts", step.name);
                Err(self.error(step.at.clone(), message, None))
            }
            (kind, _) => Ok(kind),
        }
    }

    /// A name that the site chose.
    fn own<'s>(
        &self,
        what: &str,
        names: &[&str],
        steps: &'s [Step],
        kind: Kind,
    ) -> Result<(Option<Kind>, &'s [Step]), TemplateError> {
        match steps.split_first() {
            None => Ok((None, steps)),
            Some((step, rest)) if names.contains(&step.name.as_str()) => Ok((Some(kind), rest)),
            Some((step, _)) => {
                // `hours.front-desk` reads as a subtraction.
                let hyphened = names.iter().find(|name| {
                    name.strip_prefix(step.name.as_str()).is_some_and(|rest| rest.starts_with('-'))
                });
                Err(match hyphened {
                    Some(name) => self.error(
                        step.at.clone(),
                        format!("unknown name `{}` in `{what}`", step.name),
                        Some(format!("write `{what}[\"{name}\"]` for a name with a hyphen")),
                    ),
                    None => self.unknown(&format!("name in `{what}`"), step, names.iter().copied()),
                })
            }
        }
    }

    fn unknown<'n>(
        &self,
        what: &str,
        step: &Step,
        names: impl Iterator<Item = &'n str> + Clone,
    ) -> TemplateError {
        let help = suggestion(&step.name, names.clone()).or_else(|| {
            let names: Vec<&str> = names.collect();
            (!names.is_empty()).then(|| format!("there are {}", names.join(", ")))
        });
        self.error(step.at.clone(), format!("unknown {what}: `{}`", step.name), help)
    }

    fn unknown_root(&self, root: &Step) -> TemplateError {
        let own = self.known.variables.iter().map(|name| ("variables", *name));
        let builtin =
            ROOTS.iter().flat_map(|(of, parts)| parts.iter().map(|part| (*of, part.name())));
        let own = own.chain(builtin).find(|(_, name)| *name == root.name);
        let help = own.map(|(of, name)| format!("did you mean `{of}.{name}`?"));
        let names = ROOTS.iter().map(|(name, _)| *name).chain(["variables", "hours"]);
        let help = help
            .or_else(|| suggestion(&root.name, names.clone()))
            .unwrap_or_else(|| format!("there are {}", names.collect::<Vec<_>>().join(", ")));
        self.error(root.at.clone(), format!("unknown variable `{}`", root.name), Some(help))
    }
}

fn parts(root: &str) -> &'static [Part] {
    ROOTS.iter().find(|(name, _)| *name == root).map_or(&[], |(_, parts)| parts)
}

/// The known name most like that one, if any is.
pub(super) fn suggestion<'n>(name: &str, known: impl Iterator<Item = &'n str>) -> Option<String> {
    let alike = |other: &str| strsim::normalized_damerau_levenshtein(name, other);
    known
        .map(|other| (alike(other), other))
        .filter(|(alike, _)| *alike >= ALIKE)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, other)| format!("did you mean `{other}`?"))
}
