//! `koekake explain`: why a prompt shows or does not, rule by rule, for people who do not program.
//!
//! Must not: judge or word anything; the same explanation comes from the service.

use std::io::{IsTerminal, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail, ensure};
use clap::Args;

use super::settings::SettingsArguments;
use super::{EXIT_FINE, OutputFormat};
use crate::app::open_geoip;
use crate::clock::{Clock, SystemClock};
use crate::config::Config;
use crate::domain::facts::{AgentBoard, Facts};
use crate::domain::history::History;
use crate::domain::ids::SessionId;
use crate::domain::session::Session;
use crate::engine::Unlimited;
use crate::enrich::device::Devices;
use crate::explain::{About, Case, Explanation, explain, render};
use crate::http::explain::client;
use crate::http::wire::decide::parse_decide;
use crate::http::wire::problem::Problem;
use crate::reload::{SiteFolder, read_site, site_folders};
use crate::rules::compile::{self, Loaded, load_bytes};
use crate::rules::model::RuleSet;

/// What may stand after `koekake explain`.
#[derive(Debug, Clone, Args)]
#[command(after_help = AFTER_HELP)]
pub struct ExplainArguments {
    #[command(flatten)]
    asked: Asked,
    #[command(flatten)]
    settings: SettingsArguments,
}

/// What is to be explained, and how.
#[derive(Debug, Clone, Args)]
struct Asked {
    /// The visit, as the `given` of a rule's example would say it: page.url=/pricing
    /// session.duration=61s location.country=JP at=2026-11-20T10:00:00+09:00
    #[arg(value_name = "FIELD=VALUE")]
    given: Vec<String>,
    /// The site; may be left out where there is one only
    #[arg(long, value_name = "KEY")]
    site: Option<String>,
    /// Show this rule only
    #[arg(long, value_name = "ID")]
    rule: Option<String>,
    /// A call instead: the body of a POST /v1/decide, in a file or from standard input (`-`)
    #[arg(long, value_name = "FILE", conflicts_with = "given")]
    call: Option<PathBuf>,
    /// A decision of the running service
    #[arg(long, value_name = "ID", conflicts_with_all = ["given", "call"])]
    decision: Option<String>,
    /// A session of the running service, as it now is
    #[arg(long, value_name = "ID", conflicts_with_all = ["given", "call", "decision"])]
    session: Option<String>,
    /// Ask the service there, with the admin token of the settings
    /// [default for --decision and --session: `http://127.0.0.1:8080`]
    #[arg(long, value_name = "URL")]
    server: Option<String>,
    /// How it is written
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
    format: OutputFormat,
}

const AFTER_HELP: &str = "Examples:\n  \
    koekake explain page.url=/pricing session.duration=12s\n  \
    koekake explain --call body.json --server http://127.0.0.1:8080\n  \
    koekake explain --decision 01a1f7f830007192a1d3ea51693460f0";

const SERVER: &str = "http://127.0.0.1:8080";
/// The longest answer that is read.
const MAX_ANSWER_BYTES: u64 = 64 << 20;

/// Explains.
pub fn run(arguments: ExplainArguments, settings: SettingsArguments) -> anyhow::Result<u8> {
    let config = settings.then(arguments.settings).load()?.config;
    let asked = arguments.asked;
    let explanation = explanation(&asked, &config)?;
    if let Some(rule) = &asked.rule {
        ensure!(
            explanation.rules.iter().any(|known| known.rule == *rule),
            "the site `{}` has no rule `{rule}`",
            explanation.site
        );
    }
    let stdout = std::io::stdout();
    let is_coloured = stdout.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let text = match asked.format {
        OutputFormat::Text => render(&explanation, asked.rule.as_deref(), is_coloured),
        OutputFormat::Json => serde_json::to_string_pretty(&explanation)? + "\n",
    };
    match stdout.lock().write_all(text.as_bytes()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
        other => other.context("cannot write the explanation")?,
    }
    Ok(EXIT_FINE)
}

fn explanation(asked: &Asked, config: &Config) -> anyhow::Result<Explanation> {
    let server = asked.server.as_deref();
    if let Some(id) = &asked.decision {
        return ask(server.unwrap_or(SERVER), &[("decision", id)], config);
    }
    if let Some(id) = &asked.session {
        let site = match &asked.site {
            Some(site) => site.clone(),
            None => the_site(config, None)?.key,
        };
        return ask(server.unwrap_or(SERVER), &[("site", &site), ("session", id)], config);
    }
    match (&asked.call, server) {
        (Some(file), Some(server)) => send(server, &read(file)?, config),
        (Some(file), None) => call(&read(file)?, config),
        (None, Some(_)) => bail!("--server needs --call, --decision or --session"),
        (None, None) => sample(asked, config),
    }
}

fn read(file: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if file == Path::new("-") {
        std::io::stdin().read_to_end(&mut bytes).context("cannot read standard input")?;
    } else {
        bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    }
    Ok(bytes)
}

/// The folder of that site, or of the only one.
fn the_site(config: &Config, key: Option<&str>) -> anyhow::Result<SiteFolder> {
    let rules = &config.rules;
    let mut folders = site_folders(rules)?;
    if let Some(key) = key {
        folders.retain(|folder| folder.file_name().is_some_and(|name| name == key));
    }
    match folders.as_slice() {
        [folder] => Ok(read_site(folder)?),
        [] => match key {
            Some(key) => bail!("{} holds no site `{key}`", rules.display()),
            None => bail!("{} holds no site", rules.display()),
        },
        _ => bail!("{} holds several sites: name one with --site", rules.display()),
    }
}

fn rule_set(folder: SiteFolder) -> anyhow::Result<RuleSet> {
    let key = folder.key;
    let Loaded { set, findings } = load_bytes(&key, folder.files);
    set.ok_or_else(|| {
        let told: Vec<String> = findings.iter().map(ToString::to_string).collect();
        anyhow!("{}\n\nthe rules of `{key}` do not load", told.join("\n\n"))
    })
}

/// A visit made up of field values.
fn sample(asked: &Asked, config: &Config) -> anyhow::Result<Explanation> {
    let folder = the_site(config, asked.site.as_deref())?;
    let mut given = Vec::new();
    for pair in &asked.given {
        let (field, value) = pair
            .split_once('=')
            .ok_or_else(|| anyhow!("`{pair}` must be FIELD=VALUE, such as page.url=/pricing"))?;
        given.push((field.trim(), value.trim()));
    }
    let (key, files) = (folder.key.clone(), folder.files.clone());
    let set = rule_set(folder)?;
    let now = SystemClock.now();
    let sample = compile::sample(&key, files, &given, now).map_err(|findings| {
        let told: Vec<String> = findings.iter().map(ToString::to_string).collect();
        anyhow!("{}", told.join("\n\n"))
    })?;
    let facts = sample.facts();
    let case = Case { about: About::Sample, set: &set, facts: &facts, answer: None };
    Ok(explain(case, &Unlimited, Vec::new()))
}

/// A call by itself: the first of its session, by somebody of whom nothing is known.
fn call(body: &[u8], config: &Config) -> anyhow::Result<Explanation> {
    let mut parsed = parse_decide(body).map_err(|problem| told(&problem))?;
    let set = rule_set(the_site(config, Some(&parsed.site))?)?;
    ensure!(
        parsed.identity_token.is_none(),
        "an identity token is for the running service to verify: use --server"
    );
    let geoip = open_geoip(config)?;
    let devices = Devices::default();
    let client = client(&mut parsed, &devices, |address| {
        geoip.as_ref().map_or_else(Default::default, |geoip| geoip.lookup(address).0)
    });
    let mut notes = client.notes;
    notes.push(
        "Nothing is known of the session and the visitor here; --server asks one that knows."
            .to_owned(),
    );
    let site = set.site.key.clone();
    let (visit, page) =
        parsed.into_visit(site, None, client.place, client.device, client.accept_languages);
    let now = visit.event.at.unwrap_or_else(|| SystemClock.now());
    let session_id = visit.session.clone().unwrap_or_else(|| SessionId::from_bits([0; 16]));
    let mut session = Session::begin(Some(&page), Vec::new(), now);
    session.record(&visit, Some(&page), &[], now);
    let history = History { sessions: 1, ..History::default() };
    let facts = Facts {
        now,
        session_id: &session_id,
        visit: &visit,
        page: &page,
        session: &session,
        history: &history,
        agents: &AgentBoard::default(),
    };
    let case = Case { about: About::Call, set: &set, facts: &facts, answer: None };
    Ok(explain(case, &Unlimited, notes))
}

fn told(problem: &Problem) -> anyhow::Error {
    anyhow!("{}", String::from_utf8_lossy(&problem.to_json()))
}

fn ask(server: &str, query: &[(&str, &str)], config: &Config) -> anyhow::Result<Explanation> {
    let url = route(server)?;
    let request = agent()
        .get(url)
        .query_pairs(query.iter().copied())
        .header("Authorization", bearer(config)?);
    answer(server, request.call())
}

fn send(server: &str, body: &[u8], config: &Config) -> anyhow::Result<Explanation> {
    let url = route(server)?;
    let request = agent()
        .post(url)
        .header("Authorization", bearer(config)?)
        .header("Content-Type", "application/json");
    answer(server, request.send(body))
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(std::time::Duration::from_secs(30)))
        .build()
        .into()
}

fn route(server: &str) -> anyhow::Result<String> {
    ensure!(
        server.starts_with("http://"),
        "--server takes an http:// URL, such as {SERVER}: ask on the machine of the service, or \
         through a tunnel to it"
    );
    Ok(format!("{}/v1/explain", server.trim_end_matches('/')))
}

fn bearer(config: &Config) -> anyhow::Result<String> {
    let token = config.admin_tokens.any().ok_or_else(|| {
        anyhow!(
            "explaining what a service did takes its admin token: set KOEKAKE_ADMIN_TOKEN or \
             --admin-token-file (a service without one prints one at start)"
        )
    })?;
    Ok(format!("Bearer {}", token.expose()))
}

fn answer(
    server: &str,
    response: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
) -> anyhow::Result<Explanation> {
    let mut response = response.with_context(|| format!("cannot ask {server}"))?;
    let status = response.status();
    let body = response
        .body_mut()
        .with_config()
        .limit(MAX_ANSWER_BYTES)
        .read_to_vec()
        .with_context(|| format!("{server} did not answer whole"))?;
    if status.is_success() {
        return serde_json::from_slice(&body)
            .with_context(|| format!("{server} answered what is no explanation"));
    }
    let problem: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    let detail = problem.get("detail").and_then(|detail| detail.as_str());
    let errors = problem.get("errors").filter(|errors| errors.is_array());
    let errors = errors.map(|errors| format!(": {errors}")).unwrap_or_default();
    bail!("{server} answered {status}: {}{errors}", detail.unwrap_or("no reason was given"))
}
