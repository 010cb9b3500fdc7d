//! The open database: batches in, rows out.
//!
//! Must not: know what a body says.

use std::hash::Hasher;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

use super::schema::{APPLICATION, FORMAT, Table, migrate};
use super::{DiskError, Folder};

/// How long to wait for somebody who looks at the file with a tool of their own.
const BUSY: Duration = Duration::from_secs(5);
/// From this size on the write-ahead log is emptied by the writer itself, in bytes. Before, the
/// checkpoints beside it do so without keeping anybody waiting.
const LARGE_LOG: u64 = 64 << 20;
/// How many free pages are kept for what comes next, and how many go back at once.
const PAGES_KEPT: i64 = 4_096;
const PAGES_GIVEN_BACK: i64 = 256;

/// A row as read.
#[derive(Debug, Clone, Copy)]
pub struct Row<'a> {
    /// What it is of.
    pub table: Table,
    /// Its site.
    pub site: &'a str,
    /// Its name there.
    pub name: &'a str,
    /// What it says.
    pub body: &'a [u8],
    /// Whether its checksum fits.
    pub is_whole: bool,
}

impl std::fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}", self.table.name(), self.site, self.name)
    }
}

/// What is said of a row whose checksum does not fit.
pub(super) const WRONG_SUM: &str = "its checksum does not fit";

/// A row as it is to be.
#[derive(Debug, Clone)]
pub struct Change {
    /// What it is of.
    pub table: Table,
    /// Its site.
    pub site: std::sync::Arc<str>,
    /// Its name there.
    pub name: String,
    /// What it is to say; `None` where it is to go.
    pub body: Option<Vec<u8>>,
}

/// An offer, counted for limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferRow {
    /// The site.
    pub site: std::sync::Arc<str>,
    /// The rule; `None` where it counts for the site as a whole.
    pub rule: Option<std::sync::Arc<str>>,
    /// When, in milliseconds since 1970.
    pub at: i64,
}

/// What is written at once: all of it or nothing.
#[derive(Debug, Default)]
pub struct Batch {
    /// Rows.
    pub changes: Vec<Change>,
    /// Offers to be added.
    pub offers: Vec<OfferRow>,
    /// Offers before that moment go.
    pub forget_offers_before: Option<i64>,
    /// Until when everything is written, in milliseconds since 1970.
    pub watermark: Option<i64>,
    /// Whether it all is forgotten first: the file is another one than was read.
    pub starts_anew: bool,
}

impl Batch {
    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
            && self.offers.is_empty()
            && self.forget_offers_before.is_none()
            && self.watermark.is_none()
            && !self.starts_anew
    }
}

/// What a file says of the process that wrote it last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// What events' ids are hashed with.
    pub event_key: [u8; 16],
    /// Until when everything was written, in milliseconds since 1970.
    pub watermark: Option<i64>,
    /// Whether it ended by itself, everything written.
    pub was_stopped: bool,
}

/// The database, held for writing.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    file: PathBuf,
    /// Which file and which log are open.
    identity: [Identity; 2],
    /// Goes last: nobody else may open the file before it is closed.
    _folder: Folder,
}

impl Database {
    /// Opens the folder's database, makes it where it is missing, and leads it to the present
    /// format.
    ///
    /// # Errors
    /// Whatever keeps it from being used; nothing was changed then.
    pub fn open(folder: Folder) -> Result<Self, DiskError> {
        let file = folder.database();
        let failed = |source| DiskError::of(&file, source);
        let mut connection = Connection::open(&file).map_err(failed)?;
        connection.busy_timeout(BUSY).map_err(failed)?;
        let format = format_of(&connection, &file)?;
        configure(&connection).map_err(failed)?;
        if format < FORMAT {
            migrate(&mut connection, format).map_err(failed)?;
        }
        sync_folder(folder.path())?;
        let identity = identities(&file);
        Ok(Self { connection, file, identity, _folder: folder })
    }

    /// Where it is.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    fn failed(&self, source: rusqlite::Error) -> DiskError {
        DiskError::of(&self.file, source)
    }

    /// What the run before left; `None` where the file is new.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn last_run(&self) -> Result<Option<Run>, DiskError> {
        let Some(key) = self.meta("event_key")? else { return Ok(None) };
        let event_key = u128::from_str_radix(&key, 16)
            .map(u128::to_be_bytes)
            .map_err(|_| self.damaged("the key for events' ids is no number"))?;
        Ok(Some(Run {
            event_key,
            watermark: self.meta("watermark")?.and_then(|text| text.parse().ok()),
            was_stopped: self.meta("run")?.is_some_and(|text| text == "stopped"),
        }))
    }

    /// Notes that a run began that hashes events' ids with this key: until [`Database::stop`] it
    /// counts as one that was cut off.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn begin_run(&mut self, event_key: [u8; 16]) -> Result<(), DiskError> {
        let key = format!("{:032x}", u128::from_be_bytes(event_key));
        self.set_meta(&[("event_key", &key), ("run", "running")])?;
        // The first write makes the log, which stays as long as the file is open.
        self.identity = identities(&self.file);
        Ok(())
    }

    /// Notes that everything is written and nothing more will be.
    ///
    /// # Errors
    /// Where it cannot be written.
    pub fn stop(self) -> Result<(), DiskError> {
        self.set_meta(&[("run", "stopped")])?;
        // The file alone is then the whole database; if it fails, the log beside it is read again.
        let _ = self.checkpoint("TRUNCATE");
        Ok(())
    }

    fn meta(&self, name: &str) -> Result<Option<String>, DiskError> {
        self.connection
            .query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0))
            .optional()
            .map_err(|source| self.failed(source))
    }

    fn set_meta(&self, values: &[(&str, &str)]) -> Result<(), DiskError> {
        let set = |values: &[(&str, &str)]| {
            let transaction = self.connection.unchecked_transaction()?;
            for (name, value) in values {
                set_meta(&transaction, name, value)?;
            }
            transaction.commit()
        };
        set(values).map_err(|source| self.failed(source))
    }

    fn damaged(&self, detail: impl Into<String>) -> DiskError {
        DiskError::Damaged { file: self.file.clone(), detail: detail.into() }
    }

    /// Writes a batch. Once this returns it outlives a power cut.
    ///
    /// # Errors
    /// Whatever kept it from being written; then nothing of it was.
    pub fn write(&mut self, batch: &Batch) -> Result<(), DiskError> {
        if identities(&self.file) != self.identity {
            return Err(DiskError::Gone(self.file.clone()));
        }
        self.try_write(batch).map_err(|source| self.failed(source))
    }

    fn try_write(&mut self, batch: &Batch) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        if batch.starts_anew {
            for table in Table::ALL {
                transaction.execute(&format!("DELETE FROM {}", table.name()), [])?;
            }
            transaction.execute("DELETE FROM offers", [])?;
        }
        for change in &batch.changes {
            let Change { table, site, name, body } = change;
            match body {
                None => transaction.prepare_cached(&table.delete())?.execute((&**site, name))?,
                Some(body) => {
                    let sum = sum_of(*table, site, name, body).cast_signed();
                    let mut upsert = transaction.prepare_cached(&table.upsert())?;
                    match (table, std::str::from_utf8(body)) {
                        (Table::Claims | Table::Visitors, Ok(text)) => {
                            upsert.execute(params![&**site, name, text, sum])?
                        }
                        _ => upsert.execute(params![&**site, name, body, sum])?,
                    }
                }
            };
        }
        if !batch.offers.is_empty() {
            let insert = "INSERT INTO offers (site, rule, at) VALUES (?1, ?2, ?3)";
            let mut insert = transaction.prepare_cached(insert)?;
            for offer in &batch.offers {
                insert.execute((&*offer.site, offer.rule.as_deref(), offer.at))?;
            }
        }
        if let Some(before) = batch.forget_offers_before {
            transaction.prepare_cached("DELETE FROM offers WHERE at < ?1")?.execute([before])?;
        }
        if let Some(watermark) = batch.watermark {
            set_meta(&transaction, "watermark", &watermark.to_string())?;
        }
        transaction.commit()
    }

    /// Reads every row of a table.
    ///
    /// # Errors
    /// Where the file cannot be read, a row's checksum does not fit, or `each` refuses one: its
    /// words then say why.
    pub fn rows(
        &self,
        table: Table,
        mut each: impl FnMut(Row<'_>) -> Result<(), String>,
    ) -> Result<(), DiskError> {
        rows(&self.connection, &self.file, table, |row| {
            let read = if row.is_whole { each(row) } else { Err(WRONG_SUM.to_owned()) };
            read.map_err(|detail| self.damaged(format!("{row}: {detail}")))
        })
    }

    /// Reads every offer, in the order in which they were made.
    ///
    /// # Errors
    /// Where the file cannot be read.
    pub fn offers(&self, each: impl FnMut(OfferRow)) -> Result<(), DiskError> {
        offers(&self.connection, each).map_err(|source| self.failed(source))
    }

    /// Keeps the log beside the file from growing, and gives room that is no longer needed back to
    /// the system. Call it between writes.
    ///
    /// # Errors
    /// Where the file cannot be written.
    pub fn tidy(&self) -> Result<(), DiskError> {
        let log = log_of(&self.file);
        if std::fs::metadata(log).is_ok_and(|log| log.len() > LARGE_LOG) {
            // Who reads the file now may do so for minutes, and no prompt can wait for that.
            let patience = |time| self.connection.busy_timeout(time).map_err(|e| self.failed(e));
            patience(Duration::ZERO)?;
            let emptied = self.checkpoint("TRUNCATE");
            patience(BUSY)?;
            emptied?;
        }
        let free = self
            .connection
            .prepare_cached("PRAGMA freelist_count")
            .and_then(|mut statement| statement.query_row([], |row| row.get::<_, i64>(0)));
        if free.map_err(|source| self.failed(source))? < PAGES_KEPT {
            return Ok(());
        }
        let give_back = format!("PRAGMA incremental_vacuum({PAGES_GIVEN_BACK})");
        // It answers with a row for each page.
        let drained = self.connection.prepare_cached(&give_back).and_then(|mut statement| {
            let mut rows = statement.query([])?;
            while rows.next()?.is_some() {}
            Ok(())
        });
        drained.map_err(|source| self.failed(source))
    }

    fn checkpoint(&self, mode: &str) -> Result<(), DiskError> {
        checkpoint(&self.connection, mode).map_err(|source| self.failed(source))
    }

    /// A second way into the file, for checkpoints beside the writer's commits.
    ///
    /// # Errors
    /// Where it cannot be opened.
    pub fn checkpoints(&self) -> Result<Checkpoints, DiskError> {
        let open = || {
            let connection = Connection::open(&self.file)?;
            connection.busy_timeout(BUSY)?;
            connection.pragma_update(None, "synchronous", "FULL")?;
            Ok(connection)
        };
        let connection = open().map_err(|source| self.failed(source))?;
        Ok(Checkpoints { connection, log: log_of(&self.file) })
    }
}

/// Moves what the log holds into the file, without keeping writers waiting.
#[derive(Debug)]
pub struct Checkpoints {
    connection: Connection,
    log: PathBuf,
}

impl Checkpoints {
    /// How large the log is.
    #[must_use]
    pub fn log_bytes(&self) -> u64 {
        std::fs::metadata(&self.log).map_or(0, |log| log.len())
    }

    /// Moves what can be moved now. What fails here fails for the writer too, who reports it.
    pub fn run(&self) {
        let _ = checkpoint(&self.connection, "PASSIVE");
    }
}

fn checkpoint(connection: &Connection, mode: &str) -> rusqlite::Result<()> {
    connection.query_row(&format!("PRAGMA wal_checkpoint({mode})"), [], |_| Ok(()))
}

/// The log beside a database.
pub(super) fn log_of(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

/// The format of a file; 0 where it is empty.
pub(super) fn format_of(connection: &Connection, file: &Path) -> Result<i64, DiskError> {
    let failed = |source| DiskError::of(file, source);
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, i64>(0));
    let application = pragma("application_id").map_err(failed)?;
    let format = pragma("user_version").map_err(failed)?;
    let tables: i64 = connection
        .query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed)?;
    match (application, tables) {
        (APPLICATION, _) if format > FORMAT => {
            Err(DiskError::Newer { file: file.to_owned(), found: format, known: FORMAT })
        }
        (APPLICATION, _) => Ok(format),
        (0, 0) => Ok(0),
        _ => Err(DiskError::Foreign(file.to_owned())),
    }
}

fn configure(connection: &Connection) -> rusqlite::Result<()> {
    // Counts only where the file is still empty.
    connection.pragma_update(None, "auto_vacuum", "INCREMENTAL")?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "application_id", APPLICATION)?;
    // What was erased is overwritten where that costs no extra write.
    connection.pragma_update_and_check(None, "secure_delete", "FAST", |_| Ok(()))?;
    // Checkpoints are made beside the writer.
    connection.pragma_update_and_check(None, "wal_autocheckpoint", 0, |_| Ok(()))?;
    connection.pragma_update(None, "cache_size", -65_536)
}

/// A reader of the file that changes nothing, for those who look at it from outside.
pub(super) fn open_to_read(file: &Path) -> Result<Connection, DiskError> {
    let failed = |source| DiskError::of(file, source);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    format_of(&connection, file)?;
    Ok(connection)
}

pub(super) fn rows(
    connection: &Connection,
    file: &Path,
    table: Table,
    mut each: impl FnMut(Row<'_>) -> Result<(), DiskError>,
) -> Result<(), DiskError> {
    let failed = |source| DiskError::of(file, source);
    let mut statement = connection.prepare(&table.select()).map_err(failed)?;
    let mut found = statement.query([]).map_err(failed)?;
    while let Some(row) = found.next().map_err(failed)? {
        let bytes = |index| match row.get_ref(index) {
            Ok(ValueRef::Text(bytes) | ValueRef::Blob(bytes)) => bytes,
            _ => &[],
        };
        // What is no text has a checksum that does not fit.
        let text = |index| std::str::from_utf8(bytes(index)).unwrap_or("?");
        let (site, name, body) = (text(0), text(1), bytes(2));
        let sum: i64 = row.get(3).map_err(failed)?;
        let is_whole = sum.cast_unsigned() == sum_of(table, site, name, body);
        each(Row { table, site, name, body, is_whole })?;
    }
    Ok(())
}

pub(super) fn offers(
    connection: &Connection,
    mut each: impl FnMut(OfferRow),
) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("SELECT site, rule, at FROM offers ORDER BY id")?;
    let mut found = statement.query([])?;
    while let Some(row) = found.next()? {
        let (site, rule): (String, Option<String>) = (row.get(0)?, row.get(1)?);
        each(OfferRow { site: site.into(), rule: rule.map(Into::into), at: row.get(2)? });
    }
    Ok(())
}

fn set_meta(connection: &Connection, name: &str, value: &str) -> rusqlite::Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO meta (name, value) VALUES (?1, ?2) \
             ON CONFLICT DO UPDATE SET value = excluded.value",
        )?
        .execute((name, value))
        .map(drop)
}

/// XXH3 (64 bits, no seed) of a row, its place included: SQLite checks its pages' structure, not
/// their content.
fn sum_of(table: Table, site: &str, name: &str, body: &[u8]) -> u64 {
    let mut hash = twox_hash::XxHash3_64::new();
    for part in [table.name().as_bytes(), site.as_bytes(), name.as_bytes()] {
        hash.write(part);
        hash.write(&[0]);
    }
    hash.write(body);
    hash.finish()
}

/// Tells a file from another of its name.
type Identity = Option<(u64, u64)>;

/// Which database and which log stand at that path: commits to one that was taken away are lost.
fn identities(file: &Path) -> [Identity; 2] {
    [identity(file), identity(&log_of(file))]
}

#[cfg(unix)]
fn identity(file: &Path) -> Identity {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(file).ok().map(|found| (found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn identity(file: &Path) -> Identity {
    // Elsewhere a file that is open cannot be moved.
    std::fs::metadata(file).ok().map(|_| (0, 0))
}

/// Makes the names of new files outlive a power cut.
fn sync_folder(path: &Path) -> Result<(), DiskError> {
    #[cfg(unix)]
    std::fs::File::open(path)
        .and_then(|folder| folder.sync_all())
        .map_err(|source| DiskError::io(path, source))?;
    Ok(())
}
