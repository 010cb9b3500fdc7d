//! The databases behind one small face: commit a batch durably, read everything.
//!
//! Must not: measure.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use fjall::{Database, Keyspace, KeyspaceCreateOptions, PersistMode};
use redb::{ReadableDatabase, ReadableTable, TableDefinition};
use rusqlite::Connection;

/// What all of them may keep in memory, in bytes.
const CACHE: usize = 64 << 20;

/// A record under its key.
pub type Record = (Vec<u8>, Vec<u8>);

/// A store of claims.
pub trait Engine: Send {
    /// Returns once all records would survive a power loss.
    fn commit(&mut self, batch: &[Record]);

    /// Reads all records in the order of their keys; how many, and their bytes.
    fn scan(&self) -> (u64, u64);
}

/// Their names, in the order of the table. The first is no database: it shows what the disk does.
pub const ENGINES: [&str; 6] =
    ["write+fdatasync", "sqlite clustered", "sqlite", "sqlite apart", "redb", "fjall"];

/// Opens or creates the one of this name in a folder.
pub fn open(name: &str, folder: &Path) -> Box<dyn Engine> {
    std::fs::create_dir_all(folder).expect("a folder");
    match name {
        "write+fdatasync" => Box::new(Bare::open(folder)),
        "sqlite clustered" => Box::new(Sqlite::open(folder, "WITHOUT ROWID")),
        "sqlite" => Box::new(Sqlite::open(folder, "")),
        "sqlite apart" => Box::new(Apart::open(folder)),
        "redb" => Box::new(Redb::open(folder)),
        "fjall" => Box::new(Fjall::open(folder)),
        other => panic!("unknown engine: {other} (known: {ENGINES:?})"),
    }
}

/// Records one after the other in a file.
struct Bare(File);

impl Bare {
    fn open(folder: &Path) -> Self {
        let options = File::options().create(true).append(true).open(folder.join("records"));
        Self(options.expect("a file"))
    }
}

impl Engine for Bare {
    fn commit(&mut self, batch: &[Record]) {
        let bytes: Vec<u8> =
            batch.iter().flat_map(|(key, value)| [&key[..], value]).flatten().copied().collect();
        self.0.write_all(&bytes).expect("written");
        self.0.sync_data().expect("synced");
    }

    fn scan(&self) -> (u64, u64) {
        (0, self.0.metadata().expect("a file").len())
    }
}

struct Sqlite(Connection);

impl Sqlite {
    fn open(folder: &Path, layout: &str) -> Self {
        let connection = Connection::open(folder.join("koekake.db")).expect("a database");
        connection
            .execute_batch(&format!(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -{};
                 CREATE TABLE IF NOT EXISTS claims (key BLOB PRIMARY KEY, value BLOB NOT NULL) {layout};",
                CACHE / 1024
            ))
            .expect("its settings");
        Self(connection)
    }
}

impl Engine for Sqlite {
    fn commit(&mut self, batch: &[Record]) {
        let transaction = self.0.transaction().expect("a transaction");
        {
            let mut put = transaction
                .prepare_cached("INSERT INTO claims VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value")
                .expect("a statement");
            for (key, value) in batch {
                put.execute((key, value)).expect("written");
            }
        }
        transaction.commit().expect("committed");
    }

    fn scan(&self) -> (u64, u64) {
        let mut all =
            self.0.prepare("SELECT key, value FROM claims ORDER BY key").expect("a statement");
        let mut rows = all.query(()).expect("rows");
        let (mut count, mut bytes) = (0, 0);
        while let Some(row) = rows.next().expect("a row") {
            let key = row.get_ref(0).expect("a key").as_bytes().expect("bytes").len();
            let value = row.get_ref(1).expect("a value").as_bytes().expect("bytes").len();
            count += 1;
            bytes += (key + value) as u64;
        }
        (count, bytes)
    }
}

/// SQLite whose log is copied into the database by a thread of its own, so that commits need not
/// wait for that.
struct Apart {
    writer: Sqlite,
    log: PathBuf,
    /// Dropping it ends the thread.
    _thread: SyncSender<()>,
}

impl Apart {
    /// How often the thread copies what the log holds.
    const PAUSE: Duration = Duration::from_millis(50);
    /// Where the log has grown beyond this many bytes, the writer starts it anew. By then the
    /// thread has copied all but the newest of it.
    const MAX_LOG: u64 = 32 << 20;

    fn open(folder: &Path) -> Self {
        let writer = Sqlite::open(folder, "");
        writer.0.execute_batch("PRAGMA wal_autocheckpoint = 0").expect("a setting");
        let (thread, end) = sync_channel::<()>(0);
        let copier = Sqlite::open(folder, "");
        std::thread::spawn(move || {
            while end.recv_timeout(Self::PAUSE) == Err(RecvTimeoutError::Timeout) {
                copier
                    .0
                    .query_row("PRAGMA wal_checkpoint(PASSIVE)", (), |_| Ok(()))
                    .expect("copied");
            }
        });
        Self { writer, log: folder.join("koekake.db-wal"), _thread: thread }
    }
}

impl Engine for Apart {
    fn commit(&mut self, batch: &[Record]) {
        self.writer.commit(batch);
        if std::fs::metadata(&self.log).is_ok_and(|log| log.len() > Self::MAX_LOG) {
            let restart = "PRAGMA wal_checkpoint(TRUNCATE)";
            self.writer.0.query_row(restart, (), |_| Ok(())).expect("copied");
        }
    }

    fn scan(&self) -> (u64, u64) {
        self.writer.scan()
    }
}

const CLAIMS: TableDefinition<&[u8], &[u8]> = TableDefinition::new("claims");

struct Redb(redb::Database);

impl Redb {
    fn open(folder: &Path) -> Self {
        let database =
            redb::Builder::new().set_cache_size(CACHE).create(folder.join("koekake.redb"));
        Self(database.expect("a database"))
    }
}

impl Engine for Redb {
    fn commit(&mut self, batch: &[Record]) {
        let transaction = self.0.begin_write().expect("a transaction");
        {
            let mut claims = transaction.open_table(CLAIMS).expect("a table");
            for (key, value) in batch {
                claims.insert(&key[..], &value[..]).expect("written");
            }
        }
        transaction.commit().expect("committed");
    }

    fn scan(&self) -> (u64, u64) {
        let transaction = self.0.begin_read().expect("a transaction");
        let claims = transaction.open_table(CLAIMS).expect("a table");
        claims.iter().expect("records").fold((0, 0), |(count, bytes), record| {
            let (key, value) = record.expect("a record");
            (count + 1, bytes + (key.value().len() + value.value().len()) as u64)
        })
    }
}

struct Fjall {
    database: Database,
    claims: Keyspace,
}

impl Fjall {
    fn open(folder: &Path) -> Self {
        let database = Database::builder(folder.join("fjall")).cache_size(CACHE as u64).open();
        let database = database.expect("a database");
        let claims =
            database.keyspace("claims", KeyspaceCreateOptions::default).expect("a keyspace");
        Self { database, claims }
    }
}

impl Engine for Fjall {
    fn commit(&mut self, batch: &[Record]) {
        let mut records = self.database.batch().durability(Some(PersistMode::SyncData));
        for (key, value) in batch {
            records.insert(&self.claims, key.as_slice(), value.as_slice());
        }
        records.commit().expect("committed");
    }

    fn scan(&self) -> (u64, u64) {
        self.claims.iter().fold((0, 0), |(count, bytes), record| {
            let (key, value) = record.into_inner().expect("a record");
            (count + 1, bytes + (key.len() + value.len()) as u64)
        })
    }
}
