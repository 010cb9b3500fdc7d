//! What can be wrong with the data folder, in words that say what to do.
//!
//! Must not: decide what becomes of the service.

use std::io;
use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why the data folder cannot be used, now.
#[derive(Debug, thiserror::Error)]
pub enum DiskError {
    /// Another process holds it.
    #[error(
        "{} is in use by another Koekake{}: stop that one, or give this one a folder of its own \
         with --data", folder.display(), holder.map(|id| format!(" (process {id})")).unwrap_or_default()
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// The other process, as far as it told.
        holder: Option<u32>,
    },
    /// There is nothing.
    #[error("{} is not there: nothing was kept in this folder yet, or it is another one: name it with --data", .0.display())]
    Missing(PathBuf),
    /// A newer version wrote it.
    #[error(
        "{} has format {found} and this version knows {known}: a newer Koekake wrote it. Run that \
         version, or give another folder with --data", file.display()
    )]
    Newer {
        /// The file.
        file: PathBuf,
        /// Its format.
        found: i64,
        /// The newest one known here.
        known: i64,
    },
    /// It is some other program's.
    #[error("{} is a database of some other program: give a folder of its own with --data", .0.display())]
    Foreign(PathBuf),
    /// Its content cannot be trusted.
    #[error(
        "{} is damaged ({detail}): put a backup in its place, or move it and its -wal file away to \
         begin anew, which forgets who was prompted; `koekake data check` tells more", file.display()
    )]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong, and where.
        detail: String,
    },
    /// There is no room.
    #[error("no room is left for {}: free some space; it goes on by itself then", .0.display())]
    Full(PathBuf),
    /// It may not be written to.
    #[error(
        "{} cannot be written to: make the folder and its files writable for this user, or give \
         another with --data", .0.display()
    )]
    ReadOnly(PathBuf),
    /// It is not there any longer, or not the one that was opened.
    #[error("{} was moved or replaced while it was in use", .0.display())]
    Gone(PathBuf),
    /// The system's own word.
    #[error("{} cannot be used: {source}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// SQLite's own word.
    #[error("{} cannot be used: {source}", file.display())]
    Sqlite {
        /// The file.
        file: PathBuf,
        /// Why not.
        source: rusqlite::Error,
    },
}

impl DiskError {
    /// What SQLite said of that file, as far as there is something to do about it.
    pub(super) fn of(file: &Path, source: rusqlite::Error) -> Self {
        let file = file.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full(file),
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly(file),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Damaged { file, detail: source.to_string() }
            }
            _ => Self::Sqlite { file, source },
        }
    }

    /// What the system said of that path.
    pub(super) fn io(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::ReadOnly(path)
            }
            io::ErrorKind::StorageFull => Self::Full(path),
            _ => Self::Io { path, source },
        }
    }
}
