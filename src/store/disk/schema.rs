//! Tables, the format's number, and the way from older formats to this one.
//!
//! Must not: change what an older format's step does; add another.

use rusqlite::Connection;

/// The format that this version writes (`PRAGMA user_version`).
pub const FORMAT: i64 = 1;

/// Tells Koekake's files from other programs' (`PRAGMA application_id`): `KOEK`.
pub(super) const APPLICATION: i64 = 0x4b4f_454b;

/// The steps: the first makes an empty file one of format 1, the next will lead from 1 to 2. There
/// are as many as [`FORMAT`] says.
const STEPS: [&str; 1] = ["
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID, STRICT;
    CREATE TABLE claims (
        site TEXT NOT NULL, session TEXT NOT NULL, body TEXT NOT NULL, sum INTEGER NOT NULL,
        PRIMARY KEY (site, session)
    ) STRICT;
    CREATE TABLE visitors (
        site TEXT NOT NULL, visitor TEXT NOT NULL, body TEXT NOT NULL, sum INTEGER NOT NULL,
        PRIMARY KEY (site, visitor)
    ) STRICT;
    CREATE TABLE sessions (
        site TEXT NOT NULL, session TEXT NOT NULL, body BLOB NOT NULL, sum INTEGER NOT NULL,
        PRIMARY KEY (site, session)
    ) STRICT;
    CREATE TABLE offers (
        id INTEGER PRIMARY KEY, site TEXT NOT NULL, rule TEXT, at INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX offers_at ON offers (at);
"];

/// What rows are of. Each has a site, a name within it, and a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Table {
    /// What sessions were offered: JSON.
    Claims,
    /// Visitors: JSON.
    Visitors,
    /// Live sessions: a packed form.
    Sessions,
}

impl Table {
    /// All of them, in the order in which they are read.
    pub const ALL: [Self; 3] = [Self::Sessions, Self::Claims, Self::Visitors];

    /// Its name in the file.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Claims => "claims",
            Self::Visitors => "visitors",
            Self::Sessions => "sessions",
        }
    }

    /// The column with the name.
    const fn column(self) -> &'static str {
        match self {
            Self::Claims | Self::Sessions => "session",
            Self::Visitors => "visitor",
        }
    }

    pub(super) fn upsert(self) -> String {
        let (table, name) = (self.name(), self.column());
        format!(
            "INSERT INTO {table} (site, {name}, body, sum) VALUES (?1, ?2, ?3, ?4) \
             ON CONFLICT DO UPDATE SET body = excluded.body, sum = excluded.sum"
        )
    }

    pub(super) fn delete(self) -> String {
        format!("DELETE FROM {} WHERE site = ?1 AND {} = ?2", self.name(), self.column())
    }

    pub(super) fn select(self) -> String {
        format!("SELECT site, {}, body, sum FROM {}", self.column(), self.name())
    }
}

/// Leads a file of that format to [`FORMAT`], each step whole or not at all.
pub(super) fn migrate(connection: &mut Connection, from: i64) -> rusqlite::Result<()> {
    for (format, step) in (1_i64..).zip(STEPS).filter(|(format, _)| *format > from) {
        let transaction = connection.transaction()?;
        transaction.execute_batch(step)?;
        transaction.pragma_update(None, "user_version", format)?;
        transaction.commit()?;
    }
    Ok(())
}
