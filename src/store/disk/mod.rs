//! The data folder: one SQLite file of rows, held by one process at a time.
//!
//! It knows tables, rows and their checksums, and what can be wrong with a file; what stands in
//! the rows is their owner's. SQLite keeps a write-ahead log and syncs it at every commit
//! (`journal_mode = WAL`, `synchronous = FULL`), so what was committed outlives a power cut.
//! `docs/storage.md` says why it is SQLite.
//!
//! Must not: know sessions or caps, start a thread, or read a clock.

mod database;
mod error;
mod folder;
mod inspect;
mod schema;

pub use database::{Batch, Change, Checkpoints, Database, OfferRow, Row, Run};
pub use error::DiskError;
pub use folder::{DATABASE, Folder};
pub use inspect::{Figures, Snapshot};
pub use schema::{FORMAT, Table};
