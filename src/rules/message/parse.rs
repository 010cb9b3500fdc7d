//! A template's text → its pieces: plain text, `{{ }}` and `if`.
//!
//! `minijinja` splits the text into tokens and compiles the expressions; the few statements there
//! are get put together here, so that others are refused by name and place.
//!
//! Must not: evaluate anything.

use std::ops::Range;

use minijinja::Expression;
use minijinja::machinery::ast::Expr;
use minijinja::machinery::{Token, parse_expr, tokenize};
use minijinja::syntax::SyntaxConfig;

use super::bare::{self, Bare};
use super::check::{self, Uses, range};
use super::compare::guarded;
use super::{ENGINE, Known, Node, TemplateError};

/// An `if` that is not closed yet.
struct Open {
    at: Range<usize>,
    arms: Vec<(Expression<'static, 'static>, Vec<Node>)>,
    /// The condition of the arm being read; `None` after `else`.
    condition: Option<Expression<'static, 'static>>,
    body: Vec<Node>,
    /// The names that its conditions ask for.
    asked: Uses,
}

struct Parser<'a> {
    text: &'a str,
    known: &'a Known<'a>,
    uses: &'a mut Uses,
    open: Vec<Open>,
    nodes: Vec<Node>,
    bare: Vec<Bare>,
}

pub(super) fn parse(
    text: &str,
    known: &Known<'_>,
    uses: &mut Uses,
) -> Result<(Vec<Node>, Vec<Bare>), TemplateError> {
    let mut parser =
        Parser { text, known, uses, open: Vec::new(), nodes: Vec::new(), bare: Vec::new() };
    let mut end = 0;
    let mut tokens = tokenize(text, false, SyntaxConfig::default());
    while let Some(token) = tokens.next() {
        let (token, span) = token.map_err(|error| syntax(&error, 0, end..text.len()))?;
        end = range(span).end;
        let closing = match token {
            Token::TemplateData(data) => {
                parser.push(Node::Text(data.into()));
                continue;
            }
            Token::VariableStart => "}}",
            _ => "%}",
        };
        let begin = range(span);
        let mut inside = Vec::new();
        loop {
            let Some(token) = tokens.next() else {
                return Err(TemplateError {
                    message: format!("`{}` is not closed", text.get(begin.clone()).unwrap_or("{{")),
                    help: Some(format!("end it with `{closing}`")),
                    at: Some(begin),
                });
            };
            let (token, span) = token.map_err(|error| syntax(&error, 0, end..text.len()))?;
            end = range(span).end;
            match token {
                Token::VariableEnd | Token::BlockEnd => break,
                other => inside.push((other, range(span))),
            }
        }
        if closing == "}}" {
            parser.print(&inside, begin.start..end)?;
        } else {
            parser.statement(&inside, begin.start..end)?;
        }
    }
    match parser.open.pop() {
        None => Ok((parser.nodes, parser.bare)),
        Some(open) => Err(TemplateError {
            message: "`if` is not closed".to_owned(),
            help: Some("end it with `{% endif %}`".to_owned()),
            at: Some(open.at),
        }),
    }
}

impl Parser<'_> {
    fn push(&mut self, node: Node) {
        let body = self.open.last_mut().map(|open| &mut open.body);
        body.unwrap_or(&mut self.nodes).push(node);
    }

    fn print(
        &mut self,
        inside: &[(Token<'_>, Range<usize>)],
        whole: Range<usize>,
    ) -> Result<(), TemplateError> {
        let mut printed = Vec::new();
        let (value, is_amount) =
            self.expression(inside, whole, |parsed, at| bare::printed(parsed, at, &mut printed))?;
        printed.retain(|bare: &Bare| self.open.iter().all(|open| !open.asked.contains(&bare.name)));
        self.bare.append(&mut printed);
        self.push(Node::Print { value, is_amount });
        Ok(())
    }

    fn statement(
        &mut self,
        inside: &[(Token<'_>, Range<usize>)],
        whole: Range<usize>,
    ) -> Result<(), TemplateError> {
        let (word, rest) = match inside.split_first() {
            Some(((Token::Ident(word), _), rest)) => (*word, rest),
            _ => ("", inside),
        };
        match word {
            "if" => {
                let mut asked = Uses::new();
                let (condition, _) = self
                    .expression(rest, whole.clone(), |parsed, _| bare::asked(parsed, &mut asked))?;
                let (arms, body, condition) = (Vec::new(), Vec::new(), Some(condition));
                self.open.push(Open { at: whole, arms, condition, body, asked });
                Ok(())
            }
            "elif" => {
                let mut asked = Uses::new();
                let (condition, _) = self
                    .expression(rest, whole.clone(), |parsed, _| bare::asked(parsed, &mut asked))?;
                if let Some(open) = self.open.last_mut() {
                    open.asked.append(&mut asked);
                }
                self.next_arm(Some(condition)).ok_or_else(|| misplaced(word, whole))
            }
            "else" if rest.is_empty() => self.next_arm(None).ok_or_else(|| misplaced(word, whole)),
            "endif" if rest.is_empty() => {
                let open = self.open.pop().ok_or_else(|| misplaced(word, whole))?;
                let Open { mut arms, condition, body, .. } = open;
                let otherwise = match condition {
                    Some(condition) => {
                        arms.push((condition, body));
                        Vec::new()
                    }
                    None => body,
                };
                self.push(Node::If { arms, otherwise });
                Ok(())
            }
            "else" | "endif" => Err(TemplateError {
                message: format!("`{word}` takes no condition"),
                help: Some("`elif` does".to_owned()),
                at: Some(whole),
            }),
            _ => Err(TemplateError {
                message: if word.is_empty() {
                    "a statement begins with a word".to_owned()
                } else {
                    format!("messages have no `{word}`")
                },
                help: Some("there are `if`, `elif`, `else` and `endif`".to_owned()),
                at: Some(inside.first().map_or(whole, |(_, at)| at.clone())),
            }),
        }
    }

    /// Ends the arm being read and begins the next. `None` where there is none to end.
    fn next_arm(&mut self, condition: Option<Expression<'static, 'static>>) -> Option<()> {
        let open = self.open.last_mut()?;
        let ended = std::mem::replace(&mut open.condition, condition)?;
        open.arms.push((ended, std::mem::take(&mut open.body)));
        Some(())
    }

    /// Compiles what stands between two tokens, and shows it to `look` with where it begins; tells
    /// whether it is the cart's value alone.
    fn expression(
        &mut self,
        tokens: &[(Token<'_>, Range<usize>)],
        whole: Range<usize>,
        look: impl FnOnce(&Expr<'_>, usize),
    ) -> Result<(Expression<'static, 'static>, bool), TemplateError> {
        let (Some((_, first)), Some((_, last))) = (tokens.first(), tokens.last()) else {
            return Err(TemplateError {
                message: "there is nothing to print or to test here".to_owned(),
                help: Some("name a value: `{{ visitor.name }}`".to_owned()),
                at: Some(whole),
            });
        };
        let at = first.start..last.end;
        let source = self.text.get(at.clone()).unwrap_or_default();
        let parsed = parse_expr(source).map_err(|error| syntax(&error, at.start, at.clone()))?;
        let comparisons = check::check(&parsed, at.start, self.known, self.uses)?;
        let is_amount = check::is_amount(&parsed);
        look(&parsed, at.start);
        let source = guarded(source, at.start, tokens, comparisons);
        let compiled = ENGINE.compile_expression_owned(source);
        Ok((compiled.map_err(|error| syntax(&error, at.start, at.clone()))?, is_amount))
    }
}

fn misplaced(word: &str, at: Range<usize>) -> TemplateError {
    TemplateError {
        message: format!("`{word}` without an `if` before it"),
        help: Some("begin with `{% if … %}`".to_owned()),
        at: Some(at),
    }
}

fn syntax(error: &minijinja::Error, offset: usize, around: Range<usize>) -> TemplateError {
    let at = error.range().map_or(around, |at| at.start + offset..at.end + offset);
    TemplateError {
        message: format!("not a template: {}", error.detail().unwrap_or("syntax error")),
        help: Some("write `{{ visitor.name }}` or `{% if visitor.name %}…{% endif %}`".to_owned()),
        at: Some(at),
    }
}
