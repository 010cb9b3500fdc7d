//! The folder and its lock: one process at a time writes there.
//!
//! The lock is the system's (`flock` on Linux), so it goes with the process however it ends.
//! Must not: open the database.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use super::DiskError;

/// The database's name in the folder. SQLite keeps `-wal` and `-shm` beside it.
pub const DATABASE: &str = "koekake.db";
/// The lock's. It holds the process's number, for people.
const LOCK: &str = "lock";

/// A data folder that this process holds, until it is dropped.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    _lock: File,
}

impl Folder {
    /// Makes the folder where it is missing, and takes it.
    ///
    /// # Errors
    /// Where it cannot be made or written to, or another process holds it.
    pub fn take(path: &Path) -> Result<Self, DiskError> {
        fs::create_dir_all(path).map_err(|source| DiskError::io(path, source))?;
        let file = path.join(LOCK);
        let failed = |source| DiskError::io(&file, source);
        let mut options = OpenOptions::new();
        // Only who may read the database needs to.
        let mut lock = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&file)
            .map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let holder = holder_in(lock);
                return Err(DiskError::InUse { folder: path.to_owned(), holder });
            }
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        // A full disk does not keep the lock from holding.
        let _ = lock.set_len(0).and_then(|()| lock.rewind());
        let _ = writeln!(lock, "{}", std::process::id());
        Ok(Self { path: path.to_owned(), _lock: lock })
    }

    /// Whether a process holds that folder now, and which, as far as it told.
    #[must_use]
    pub fn holder(path: &Path) -> Option<Option<u32>> {
        let lock = File::open(path.join(LOCK)).ok()?;
        match lock.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(holder_in(lock)),
            _ => None,
        }
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where its database is.
    #[must_use]
    pub fn database(&self) -> PathBuf {
        self.path.join(DATABASE)
    }
}

fn holder_in(lock: File) -> Option<u32> {
    let mut text = String::new();
    lock.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}
