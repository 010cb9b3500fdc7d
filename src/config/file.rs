//! `koekake.toml` → settings as typed, or everything that is wrong with its shape.
//!
//! Must not: judge values, or repeat lines of the file in messages (they may hold secrets).

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Origin, Problem};
use super::setting::{Setting, did_you_mean};
use super::typed::{Given, SiteSetting, Typed};

struct File<'a> {
    path: Arc<Path>,
    text: &'a str,
    problems: &'a mut Vec<Problem>,
}

/// Reads the text of a settings file; `path` is how people know it.
pub(super) fn parse(path: &Arc<Path>, text: &str, problems: &mut Vec<Problem>) -> Typed {
    let mut file = File { path: path.clone(), text, problems };
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        for error in errors {
            let message = format!("is not TOML here: {}", error.message());
            file.problem(error.span().unwrap_or_default(), message, None);
        }
        return Typed::default();
    }
    file.root(table.get_ref())
}

impl File<'_> {
    fn origin(&self, span: Range<usize>) -> Origin {
        let before = self.text.get(..span.start).unwrap_or(self.text);
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        let line = before.bytes().filter(|b| *b == b'\n').count() + 1;
        let column = before.get(line_start..).map_or(0, |rest| rest.chars().count()) + 1;
        Origin::File { path: self.path.clone(), line, column }
    }

    fn problem(&mut self, span: Range<usize>, message: String, help: Option<String>) {
        let origin = self.origin(span);
        self.problems.push(Problem { origin, message, help });
    }

    fn root(&mut self, table: &DeTable<'_>) -> Typed {
        let mut typed = Typed::default();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            if name == "sites" {
                typed.sites = self.sites(value);
            } else if let Some(setting) = Setting::from_key(name) {
                if let Some(given) = self.given(name, value, ",") {
                    typed.values.insert(setting, given);
                }
            } else {
                let keys: Vec<String> = Setting::ALL.into_iter().map(Setting::key).collect();
                let help = if name == "admin_token" {
                    "put it into a file named by `admin_token_file`, or into KOEKAKE_ADMIN_TOKEN"
                        .to_owned()
                } else {
                    let known = keys.iter().map(String::as_str).chain(["sites"]);
                    advice(name, known, "the settings")
                };
                self.problem(key.span(), format!("unknown setting `{name}`"), Some(help));
            }
        }
        typed
    }

    fn sites(
        &mut self,
        value: &Spanned<DeValue<'_>>,
    ) -> BTreeMap<String, BTreeMap<SiteSetting, Given>> {
        let mut sites = BTreeMap::new();
        let DeValue::Table(table) = value.get_ref() else {
            let message = "`sites` must be tables such as `[sites.demo-shop]`".to_owned();
            self.problem(value.span(), message, None);
            return sites;
        };
        for (site, value) in table {
            let site = site.get_ref().as_ref();
            if let DeValue::Table(settings) = value.get_ref() {
                sites.insert(site.to_owned(), self.site(site, settings));
            } else {
                let message = format!("`sites.{site}` must be a table: `[sites.{site}]`");
                self.problem(value.span(), message, None);
            }
        }
        sites
    }

    fn site(&mut self, site: &str, table: &DeTable<'_>) -> BTreeMap<SiteSetting, Given> {
        let mut settings = BTreeMap::new();
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let Some(setting) = SiteSetting::ALL.into_iter().find(|s| s.key() == name) else {
                let known = SiteSetting::ALL.map(SiteSetting::key);
                let help = advice(name, known, "a site's settings");
                self.problem(key.span(), format!("unknown setting `{name}` of a site"), Some(help));
                continue;
            };
            if let Some(given) = self.given(&format!("sites.{site}.{name}"), value, "\n") {
                settings.insert(setting, given);
            }
        }
        settings
    }

    /// The text of a value; the elements of a list are joined by `separator`.
    fn given(&mut self, key: &str, value: &Spanned<DeValue<'_>>, separator: &str) -> Option<Given> {
        let text = match value.get_ref() {
            DeValue::Array(elements) => {
                let texts: Option<Vec<String>> =
                    elements.iter().map(|element| scalar(element.get_ref())).collect();
                texts.map(|texts| texts.join(separator))
            }
            other => scalar(other),
        };
        if text.is_none() {
            let message = format!("`{key}` must be a text, a number, `true` or `false`, or a list");
            self.problem(value.span(), message, None);
        }
        text.map(|text| Given { text, origin: self.origin(value.span()) })
    }
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(flag) => Some(flag.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

fn advice<'a>(typed: &str, known: impl IntoIterator<Item = &'a str>, what: &str) -> String {
    let known: Vec<&str> = known.into_iter().collect();
    match did_you_mean(typed, known.iter().copied()) {
        Some(meant) => format!("did you mean `{meant}`?"),
        None => format!("{what} are: {}", known.join(", ")),
    }
}
