//! `koekake new`: a commented start for a site or a rule, which passes `check` as it is.
//!
//! Must not: overwrite anything.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};

use super::EXIT_FINE;
use super::settings::SettingsArguments;
use crate::app::sites::load_one;
use crate::clock::{Clock, SystemClock};
use crate::domain::time::Timestamp;
use crate::rules::compile::{SITE_FILE, is_key};
use crate::rules::lint::PlaceKnowledge;
use crate::rules::model::RuleSet;

/// What may stand after `koekake new`.
#[derive(Debug, Clone, Args)]
pub struct NewArguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, Subcommand)]
enum What {
    /// A folder with a site.yaml and a first rule
    Site {
        /// The site's key: a short name
        key: String,
        /// Where sites are; the setting `rules` where it is left out
        #[arg(long, value_name = "FOLDER")]
        r#in: Option<PathBuf>,
    },
    /// A file with one rule
    Rule {
        /// The site's key and the rule's id: demo-shop/gift-advice
        name: String,
        /// Where sites are; the setting `rules` where it is left out
        #[arg(long, value_name = "FOLDER")]
        r#in: Option<PathBuf>,
    },
}

/// Writes the files and says what to do next.
pub fn run(arguments: NewArguments, settings: SettingsArguments) -> anyhow::Result<u8> {
    let folder = |given: Option<PathBuf>| match given {
        Some(folder) => anyhow::Ok(folder),
        None => Ok(settings.load()?.config.rules),
    };
    let next = match arguments.what {
        What::Site { key, r#in } => site(&folder(r#in)?, &key)?,
        What::Rule { name, r#in } => rule(&folder(r#in)?, &name)?,
    };
    // Nothing is left to tell where this cannot be told.
    let _ = writeln!(std::io::stdout(), "{next}");
    Ok(EXIT_FINE)
}

fn site(rules: &Path, key: &str) -> anyhow::Result<String> {
    ensure!(
        is_key(key),
        "`{key}` cannot be a site's key: use up to 64 of a-z, A-Z, 0-9, '-', '_' and '.'"
    );
    let folder = rules.join(key);
    ensure!(!folder.exists(), "{} is there already; nothing was written", folder.display());
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let settings = folder.join(SITE_FILE);
    write_new(&settings, &SITE.replace("{name}", &typed(key)).replace("{key}", key))?;
    let first = folder.join("welcome.yaml");
    write_new(&first, FIRST_RULE)?;
    Ok(format!(
        "Wrote {} and {}.\n\nNext:\n  1. Put your pages into `origins`, and your own time zone, \
         languages and hours into {}.\n  2. Put your own words into {}.\n  3. koekake check {}",
        settings.display(),
        first.display(),
        settings.display(),
        first.display(),
        folder.display(),
    ))
}

fn rule(rules: &Path, name: &str) -> anyhow::Result<String> {
    let Some((key, id)) = name.split_once('/') else {
        bail!("write the site's key and the rule's id: `koekake new rule demo-shop/{name}`");
    };
    ensure!(
        is_key(id),
        "`{id}` cannot be a rule's id: use up to 64 of a-z, A-Z, 0-9, '-', '_' and '.'"
    );
    let folder = rules.join(key);
    ensure!(
        folder.join(SITE_FILE).is_file(),
        "{} has no {SITE_FILE}; `koekake new site {key}` begins one",
        folder.display()
    );
    let path = folder.join(format!("{id}.yaml"));
    ensure!(!path.exists(), "{} is there already; nothing was written", path.display());
    let now = SystemClock.now();
    let (_, set) = load_one(&folder, now, PlaceKnowledge::default());
    let Some(set) = set else {
        bail!("{} does not load; `koekake check` says why", folder.display());
    };
    if let Some(known) = set.rules.iter().find(|rule| *rule.id == *id) {
        bail!("the rule `{id}` is there already, in {}", known.source.name);
    }
    write_new(&path, &rule_text(&set, id, now))?;
    Ok(format!(
        "Wrote {}.\n\nNext:\n  1. Say whom it is for (`when`) and what it says (`message`).\n  \
         2. koekake check {}\n  3. koekake preview {key}/{id}",
        path.display(),
        folder.display(),
    ))
}

/// A rule that suits the site: its languages, its first hours.
fn rule_text(set: &RuleSet, id: &str, now: Timestamp) -> String {
    let site = &set.site;
    let hours = site.hours.iter().find_map(|(name, hours)| Some((name, hours.next_open(now)?)));
    let (bound, condition, at) = match &hours {
        Some((name, opens)) => (
            format!("    hours: {name} # when it may speak; or {{ outside: {name} }}\n"),
            String::new(),
            format!(", at: \"{}\"", opens.format("%Y-%m-%dT%H:%M:%S%:z")),
        ),
        None => (
            String::new(),
            "      - agents.available: true # as long as the site has no opening hours\n"
                .to_owned(),
            ", agents.available: true".to_owned(),
        ),
    };
    let messages: String = site
        .languages
        .iter()
        .map(|language| {
            let base = language.split('-').next().unwrap_or_default();
            let known = MESSAGES.iter().find(|(tag, _)| *tag == base);
            match known {
                Some((_, text)) => format!("        {language}: \"{text}\"\n"),
                None => {
                    let text = MESSAGES.first().map_or("", |(_, text)| text);
                    format!("        {language}: \"{text}\" # to be translated\n")
                }
            }
        })
        .collect();
    RULE.replace("{typed}", &typed(id))
        .replace("{id}", id)
        .replace("{hours}\n", &bound)
        .replace("{condition}\n", &condition)
        .replace("{messages}\n", &messages)
        .replace("{at}", &at)
}

/// A name as a file has it: YAML has a meaning of its own for this one.
fn typed(name: &str) -> String {
    if name.eq_ignore_ascii_case("null") { format!("\"{name}\"") } else { name.to_owned() }
}

fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let file = OpenOptions::new().write(true).create_new(true).open(path);
    match file {
        Ok(mut file) => file
            .write_all(text.as_bytes())
            .with_context(|| format!("cannot write {}", path.display())),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            bail!("{} is there already; nothing was written", path.display())
        }
        Err(error) => Err(error).with_context(|| format!("cannot write {}", path.display())),
    }
}

const MESSAGES: &[(&str, &str)] = &[
    ("en", "Any question? We are happy to help."),
    ("ja", "ご質問はございますか？お気軽にどうぞ。"),
    ("de", "Haben Sie eine Frage?"),
    ("es", "¿Tiene alguna pregunta?"),
    ("fr", "Avez-vous une question ?"),
    ("it", "Ha qualche domanda?"),
    ("ko", "궁금한 점이 있으신가요?"),
    ("pt", "Tem alguma pergunta?"),
    ("zh", "您有什么问题吗？"),
];

const SITE: &str = r#"# What holds for the whole site. The folder's name, {key}, is the site's key.
name: {name}

# The pages that may ask for prompts. Put yours here.
origins: ["https://www.example.com", "http://localhost:*"]

# The zone of opening hours and of dates.
time_zone: Europe/London

# The languages of your prompts; the first one is the fallback.
languages: [en]

# The currency of amounts, if your pages tell what a cart is worth.
# currency: GBP

# `required`: nothing is recorded and nothing offered before the page says that it may be.
consent: required

# How often one visitor may be prompted, whatever the rules say.
caps:
  per_session: 1 # one prompt in a session
  cooldown: 24h # then none in another session for a day
  after_dismissal: 7d # none for a week after one was closed

# Opening hours, by name: rules keep to them with `hours: support`.
hours:
  support: "Mo-Fr 09:00-17:00"

# Conditions that must hold for every rule.
# when:
#   - not: { page.path: { under: [/legal, /careers] } }
"#;

const FIRST_RULE: &str = r#"# Rules: whom to offer a chat, when, and in which words. Higher priorities are asked first.
rules:
  - id: welcome
    description: Offer help to people who have looked around for a while
    priority: 10
    hours: support
    when: # all of these must hold
      - session.page_views: { at_least: 3 }
      - page.time_on_page: { at_least: 30s }
    prompt:
      message:
        en: "Can we help you find something?"
    examples: # the rule's own tests; `koekake check` runs them
      - name: half a minute on the third page
        given: { session.page_views: 3, page.time_on_page: 30s }
        expect: show
      - name: the first page
        given: { page.time_on_page: 30s }
        expect: { stopped_by: session.page_views }
"#;

const RULE: &str = r"rules:
  - id: {typed} # metrics go by it: a new id is a new rule
    description: What the rule is for, in a sentence
    priority: 10 # higher ones are asked first
{hours}
    when: # all of these must hold
      - page.path: { under: /{id} } # that page and all below it
      - page.time_on_page: { at_least: 30s }
{condition}
    repeat: { every: 7d } # once | { every: … } | always
    prompt:
      message:
{messages}
    examples: # the rule's own tests; `koekake check` runs them
      - name: half a minute on the page
        given: { page.path: /{id}, page.time_on_page: 30s{at} }
        expect: show
      - name: another page
        given: { page.path: /, page.time_on_page: 30s{at} }
        expect: { stopped_by: page.path }
";
