//! A data folder looked at from outside, also while a service writes there.
//!
//! Must not: change anything in it.

use std::path::{Path, PathBuf};

use rusqlite::Connection;

use super::database::{self, WRONG_SUM, log_of, open_to_read};
use super::{DATABASE, DiskError, OfferRow, Row, Table};

/// How many findings of SQLite's own check are told.
const MAX_FINDINGS: usize = 100;

/// The folder's database, for reading.
#[derive(Debug)]
pub struct Snapshot {
    connection: Connection,
    file: PathBuf,
}

/// How much there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Figures {
    /// The file's format.
    pub format: i64,
    /// The file's size, in bytes.
    pub file_bytes: u64,
    /// The size of the log beside it, in bytes.
    pub log_bytes: u64,
    /// Rows of each table.
    pub rows: Vec<(Table, u64)>,
    /// Offers counted for limits.
    pub offers: u64,
    /// Until when everything was written, in milliseconds since 1970.
    pub watermark: Option<i64>,
    /// Whether the last process ended in order.
    pub was_stopped: bool,
}

impl Snapshot {
    /// Opens the database of that folder.
    ///
    /// # Errors
    /// Where there is none, or it cannot be read by this version.
    pub fn open(folder: &Path) -> Result<Self, DiskError> {
        let file = folder.join(DATABASE);
        if !file.exists() {
            return Err(DiskError::Missing(file));
        }
        Ok(Self { connection: open_to_read(&file)?, file })
    }

    /// Where it is.
    #[must_use]
    pub fn file(&self) -> &Path {
        &self.file
    }

    fn failed(&self, source: rusqlite::Error) -> DiskError {
        DiskError::of(&self.file, source)
    }

    /// How much there is.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn figures(&self) -> Result<Figures, DiskError> {
        let count = |table: &str| -> rusqlite::Result<u64> {
            let count = format!("SELECT count(*) FROM {table}");
            let rows: i64 = self.connection.query_row(&count, [], |row| row.get(0))?;
            Ok(rows.unsigned_abs())
        };
        let meta = |name: &str| -> Option<String> {
            let select = "SELECT value FROM meta WHERE name = ?1";
            self.connection.query_row(select, [name], |row| row.get(0)).ok()
        };
        let size = |file: &Path| std::fs::metadata(file).map_or(0, |file| file.len());
        let rows: rusqlite::Result<Vec<_>> =
            Table::ALL.iter().map(|table| Ok((*table, count(table.name())?))).collect();
        Ok(Figures {
            format: database::format_of(&self.connection, &self.file)?,
            file_bytes: size(&self.file),
            log_bytes: size(&log_of(&self.file)),
            rows: rows.map_err(|source| self.failed(source))?,
            offers: count("offers").map_err(|source| self.failed(source))?,
            watermark: meta("watermark").and_then(|text| text.parse().ok()),
            was_stopped: meta("run").is_some_and(|run| run == "stopped"),
        })
    }

    /// Everything that is wrong with it: its structure as SQLite knows it, every row's checksum,
    /// and what `read` says of every row.
    ///
    /// # Errors
    /// Where it cannot be read at all.
    pub fn check(
        &self,
        mut read: impl FnMut(Row<'_>) -> Result<(), String>,
    ) -> Result<Vec<String>, DiskError> {
        let mut findings = self.structure().map_err(|source| self.failed(source))?;
        for table in Table::ALL {
            let checked = self.rows(table, |row| {
                let found = if row.is_whole { read(row) } else { Err(WRONG_SUM.to_owned()) };
                if let Err(detail) = found {
                    findings.push(format!("{row}: {detail}"));
                }
            });
            if let Err(error) = checked {
                findings.push(format!("{}: {error}", table.name()));
            }
        }
        Ok(findings)
    }

    fn structure(&self) -> rusqlite::Result<Vec<String>> {
        let check = format!("PRAGMA integrity_check({MAX_FINDINGS})");
        let mut statement = self.connection.prepare(&check)?;
        let found = statement.query_map([], |row| row.get::<_, String>(0))?;
        found.filter(|line| !matches!(line, Ok(line) if line == "ok")).collect()
    }

    /// Reads every row of a table.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn rows(&self, table: Table, mut each: impl FnMut(Row<'_>)) -> Result<(), DiskError> {
        database::rows(&self.connection, &self.file, table, |row| {
            each(row);
            Ok(())
        })
    }

    /// Reads every offer that is counted for limits.
    ///
    /// # Errors
    /// Where it cannot be read.
    pub fn offers(&self, each: impl FnMut(OfferRow)) -> Result<(), DiskError> {
        database::offers(&self.connection, each).map_err(|source| self.failed(source))
    }

    /// Writes a copy as of now to a file that is not there yet, without keeping a running service
    /// waiting (`VACUUM INTO`: one moment, packed tight), and checks it.
    ///
    /// # Errors
    /// Where the file is there, cannot be written, or does not hold.
    pub fn backup(&self, to: &Path) -> Result<(), DiskError> {
        let path = to.display().to_string();
        self.connection
            .execute("VACUUM INTO ?1", [&path])
            .map_err(|source| DiskError::of(to, source))?;
        std::fs::File::open(to)
            .and_then(|file| file.sync_all())
            .map_err(|source| DiskError::io(to, source))?;
        let copy = Self { connection: open_to_read(to)?, file: to.to_owned() };
        match copy.check(|_| Ok(()))?.into_iter().next() {
            None => Ok(()),
            Some(detail) => Err(DiskError::Damaged { file: to.to_owned(), detail }),
        }
    }
}
