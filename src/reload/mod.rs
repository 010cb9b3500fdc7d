//! Rule folders on disk → the sites' files, as the rules room wants them.
//!
//! Must not: compile rules, or decide what becomes of a site whose files cannot be read.

use std::io;
use std::path::{Path, PathBuf};

use crate::rules::compile::SITE_FILE;
use crate::rules::raw::MAX_BYTES;

/// The most files of one site.
const MAX_FILES: usize = 1_000;

/// One site's folder.
#[derive(Debug)]
pub struct SiteFolder {
    /// The site's key: the folder's name.
    pub key: String,
    /// Its files: their paths as shown, and what is in them.
    pub files: Vec<(String, Vec<u8>)>,
    /// Files that are there and are not read, with why.
    pub skipped: Vec<String>,
}

/// Why a folder cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The system's own word.
    #[error("cannot read {}: {source}", path.display())]
    Io {
        /// Which file or folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// More files than a site may have.
    #[error("{} has more than {MAX_FILES} rule files", .0.display())]
    TooMany(PathBuf),
}

/// The folders of all sites below a rules folder, by name. A folder that is a site itself is the
/// only one.
///
/// # Errors
/// Where the rules folder itself cannot be listed.
pub fn site_folders(rules: &Path) -> Result<Vec<PathBuf>, ReadError> {
    if rules.join(SITE_FILE).is_file() {
        return Ok(vec![rules.to_owned()]);
    }
    let mut folders: Vec<PathBuf> =
        list(rules)?.into_iter().filter(|path| !is_hidden(path) && path.is_dir()).collect();
    folders.sort();
    Ok(folders)
}

/// Reads one site's folder: every `*.yaml` in it, not those in folders below.
///
/// # Errors
/// Where something in it cannot be read.
pub fn read_site(folder: &Path) -> Result<SiteFolder, ReadError> {
    let key = name(&folder.canonicalize().unwrap_or_else(|_| folder.to_owned()));
    let mut site = SiteFolder { key, files: Vec::new(), skipped: Vec::new() };
    let mut paths = list(folder)?;
    paths.sort();
    for path in paths.into_iter().filter(|path| !is_hidden(path) && path.is_file()) {
        match path.extension().and_then(|extension| extension.to_str()) {
            Some("yaml") => {}
            Some("yml") => {
                let shown = path.display();
                site.skipped.push(format!("{shown} is not read: rule files end in .yaml"));
                continue;
            }
            _ => continue,
        }
        if site.files.len() >= MAX_FILES {
            return Err(ReadError::TooMany(folder.to_owned()));
        }
        site.files.push(read_file(&path)?);
    }
    Ok(site)
}

fn read_file(path: &Path) -> Result<(String, Vec<u8>), ReadError> {
    use io::Read;
    let failed = |source| ReadError::Io { path: path.to_owned(), source };
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    // One byte more than is taken shows that there is more.
    file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(failed)?;
    Ok((path.display().to_string(), bytes))
}

fn list(folder: &Path) -> Result<Vec<PathBuf>, ReadError> {
    let failed = |source| ReadError::Io { path: folder.to_owned(), source };
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    entries.map(|entry| entry.map(|entry| entry.path()).map_err(failed)).collect()
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Editors' and Kubernetes' own files.
fn is_hidden(path: &Path) -> bool {
    name(path).starts_with('.')
}
