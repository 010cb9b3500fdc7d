//! `koekake data`: the data folder looked at, checked, copied, written out, and a visitor erased.
//!
//! All but `erase` only read, also while a service is running. Must not: know the file's inside;
//! that is the store's.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::json;

use super::settings::SettingsArguments;
use super::{EXIT_FINDINGS, EXIT_FINE, OutputFormat};
use crate::app;
use crate::clock::{Clock, SystemClock};
use crate::config::{Config, Setting};
use crate::domain::history::History;
use crate::domain::ids::{PageId, VisitorId, VisitorKey};
use crate::domain::time::Timestamp;
use crate::store::Store;
use crate::store::disk::{Folder, Snapshot, Table};
use crate::store::memory::{export_offer, export_row};

/// What may stand after `koekake data`.
#[derive(Debug, Clone, Args)]
pub struct DataArguments {
    /// The folder [default: the setting `data`]
    #[arg(long, global = true, value_name = "FOLDER")]
    data: Option<String>,
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Clone, Subcommand)]
enum What {
    /// How much is kept, how large it is, and who holds the folder
    Stats {
        /// How it is written
        #[arg(long, value_enum, value_name = "FORMAT", default_value_t)]
        format: OutputFormat,
    },
    /// Whether all that is kept can be read: structure, checksums, every row
    Check,
    /// Everything that is kept, as JSON lines on standard output
    Export,
    /// A copy as of now, also of a running service's folder, checked once it is written
    Backup {
        /// Where to; a file that is not there yet
        file: PathBuf,
    },
    /// Forget a visitor, as `DELETE /v1/sites/{site}/visitors/{id}` does; the service must not run
    Erase {
        /// The site's key
        #[arg(long)]
        site: String,
        /// The visitor's id at the site, as in an identity token; or as `export` names it:
        /// `identity:` and that id, `page:` and the id that the page made
        #[arg(long)]
        visitor: String,
    },
}

/// Does what is asked with the folder of the setting `data`.
pub fn run(arguments: DataArguments, settings: SettingsArguments) -> anyhow::Result<u8> {
    let settings = arguments
        .data
        .iter()
        .fold(settings, |settings, folder| settings.with(Setting::Data, folder.clone()));
    let config = settings.load()?.config;
    let folder =
        config.data.clone().context("the setting `data` is `none`: name the folder with --data")?;
    let done = match arguments.what {
        What::Stats { format } => stats(&folder, format).map(|()| EXIT_FINE),
        What::Check => check(&folder),
        What::Export => export(&folder).map(|()| EXIT_FINE),
        What::Backup { file } => backup(&folder, &file).map(|()| EXIT_FINE),
        What::Erase { site, visitor } => erase(&config, &folder, &site, &visitor),
    };
    match done {
        // Whoever reads has seen enough.
        Err(error) if is_broken_pipe(&error) => Ok(EXIT_FINE),
        done => done,
    }
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    let broken = |e: &std::io::Error| e.kind() == std::io::ErrorKind::BrokenPipe;
    error.downcast_ref::<std::io::Error>().is_some_and(broken)
}

fn time(millis: Option<i64>) -> Option<String> {
    let at = Timestamp(millis?).to_utc()?;
    Some(at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true))
}

fn stats(folder: &Path, format: OutputFormat) -> anyhow::Result<()> {
    let snapshot = Snapshot::open(folder)?;
    let figures = snapshot.figures()?;
    let holder = Folder::holder(folder);
    let written = time(figures.watermark);
    let mut out = std::io::stdout().lock();
    if format == OutputFormat::Json {
        let rows: serde_json::Map<_, _> = figures
            .rows
            .iter()
            .map(|(table, rows)| (table.name().to_owned(), json!(rows)))
            .collect();
        let json = json!({
            "file": snapshot.file(),
            "format": figures.format,
            "file_bytes": figures.file_bytes,
            "log_bytes": figures.log_bytes,
            "rows": rows,
            "offers": figures.offers,
            "written_until": written,
            "in_use": holder.is_some(),
            "process": holder.flatten(),
            "stopped_in_order": figures.was_stopped,
        });
        return Ok(writeln!(out, "{json:#}")?);
    }
    let state = match holder {
        Some(Some(process)) => format!("in use by process {process}"),
        Some(None) => "in use".to_owned(),
        None if figures.was_stopped => "not in use, the last process ended in order".to_owned(),
        None => "not in use, the last process was cut off".to_owned(),
    };
    writeln!(out, "{}: format {}, {state}", snapshot.file().display(), figures.format)?;
    writeln!(
        out,
        "{:>12}  bytes, and {} in the log beside it",
        figures.file_bytes, figures.log_bytes
    )?;
    for (table, rows) in &figures.rows {
        writeln!(out, "{rows:>12}  {}", said(*table))?;
    }
    writeln!(out, "{:>12}  prompts counted for limits", figures.offers)?;
    if let Some(written) = written {
        writeln!(out, "page views are written until {written}")?;
    }
    Ok(())
}

const fn said(table: Table) -> &'static str {
    match table {
        Table::Sessions => "live sessions",
        Table::Claims => "sessions whose prompts are remembered",
        Table::Visitors => "visitors",
    }
}

fn check(folder: &Path) -> anyhow::Result<u8> {
    let snapshot = Snapshot::open(folder)?;
    let mut rows = 0_u64;
    let findings = snapshot.check(|row| {
        rows += 1;
        export_row(&row).map(drop)
    })?;
    let mut out = std::io::stdout().lock();
    for finding in &findings {
        writeln!(out, "{finding}")?;
    }
    if findings.is_empty() {
        writeln!(out, "{}: {rows} rows, all can be read", snapshot.file().display())?;
        return Ok(EXIT_FINE);
    }
    writeln!(
        out,
        "{}: damaged. Put a backup in its place while no service runs, or move it and its -wal \
         file away to begin anew, which forgets who was prompted",
        snapshot.file().display()
    )?;
    Ok(EXIT_FINDINGS)
}

fn export(folder: &Path) -> anyhow::Result<()> {
    let snapshot = Snapshot::open(folder)?;
    let mut out = BufWriter::new(std::io::stdout().lock());
    let mut failed = None;
    let mut write = |line: serde_json::Value| {
        if failed.is_none() {
            failed = writeln!(out, "{line}").err();
        }
    };
    for table in Table::ALL {
        let mut unreadable = None;
        snapshot.rows(table, |row| match export_row(&row) {
            Ok(line) => write(line),
            Err(why) => unreadable = unreadable.take().or(Some(format!("{row}: {why}"))),
        })?;
        if let Some(why) = unreadable {
            anyhow::bail!("{why}; `koekake data check` lists all that cannot be read");
        }
    }
    snapshot.offers(|offer| write(export_offer(&offer)))?;
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(out.flush()?),
    }
}

fn backup(folder: &Path, to: &Path) -> anyhow::Result<()> {
    anyhow::ensure!(!to.exists(), "{} is there already: name a new file", to.display());
    Snapshot::open(folder)?.backup(to)?;
    let bytes = std::fs::metadata(to)?.len();
    writeln!(std::io::stdout(), "{}: {bytes} bytes, checked", to.display())?;
    Ok(())
}

fn erase(config: &Config, folder: &Path, site: &str, visitor: &str) -> anyhow::Result<u8> {
    Snapshot::open(folder)?;
    let id = match visitor.split_once(':') {
        Some(("page", id)) => {
            VisitorId::Page(PageId::parse(id).with_context(|| format!("`{id}`"))?)
        }
        Some(("identity", id)) => VisitorId::Identity(id.into()),
        _ => VisitorId::Identity(visitor.into()),
    };
    let key = VisitorKey { site: site.into(), id };
    let store = app::store(config, SystemClock.now())?;
    if let Some(fault) = store.fault() {
        anyhow::bail!("{fault}");
    }
    let erased = tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
        let known = store.history(std::slice::from_ref(&key)).await? != History::default();
        store.erase(&key).await?;
        store.durable().await.map(|()| known)
    });
    store.stop();
    let mut out = std::io::stdout().lock();
    if erased? {
        writeln!(out, "{visitor} of {site} is forgotten")?;
        return Ok(EXIT_FINE);
    }
    writeln!(out, "nothing was kept of {visitor} of {site}")?;
    Ok(EXIT_FINDINGS)
}
