//! Rule folders on disk → the sites' files, as the rules room wants them; that they changed, that
//! they have settled, and copies of those that were good.
//!
//! Must not: compile rules, or decide what becomes of a site whose files cannot be read.

use std::collections::BTreeMap;
use std::hash::Hasher;
use std::io;
use std::path::{Component, Path, PathBuf};
use std::time::UNIX_EPOCH as EPOCH;

use twox_hash::XxHash3_64;

use crate::rules::compile::SITE_FILE;
use crate::rules::raw::MAX_BYTES;

pub mod last_good;
pub mod settle;
pub mod watch;

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

/// Everything below a rules folder, as it was read once.
#[derive(Debug)]
pub struct Folders {
    /// Why the rules folder itself cannot be listed.
    pub error: Option<ReadError>,
    /// What became of reading each site, by its key.
    pub sites: BTreeMap<String, SiteReading>,
}

/// One site's folder, as it was read once.
#[derive(Debug)]
pub struct SiteReading {
    /// Where.
    pub folder: PathBuf,
    /// Its files, or why they cannot be read.
    pub content: Result<SiteFolder, ReadError>,
    /// A hash of the content, or of the error: XXH3, 64 bits.
    pub fingerprint: u64,
}

/// What tells two readings apart, without the files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prints {
    /// Why the rules folder itself cannot be listed.
    pub error: Option<String>,
    /// Each site's fingerprint.
    pub sites: BTreeMap<String, u64>,
}

impl Folders {
    /// What tells this reading from others.
    #[must_use]
    pub fn prints(&self) -> Prints {
        Prints {
            error: self.error.as_ref().map(ToString::to_string),
            sites: self.sites.iter().map(|(key, site)| (key.clone(), site.fingerprint)).collect(),
        }
    }
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
    let mut site = SiteFolder { key: key(folder), files: Vec::new(), skipped: Vec::new() };
    let mut paths = list(folder)?;
    paths.sort();
    // A link that leads nowhere is a rule file that cannot be read, not one less.
    let is_file = |path: &PathBuf| !is_hidden(path) && (path.is_file() || is_dangling(path));
    for path in paths.into_iter().filter(is_file) {
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

/// Reads all there is below a rules folder.
#[must_use]
pub fn read_all(rules: &Path) -> Folders {
    let (folders, error) = match site_folders(rules) {
        Ok(folders) => (folders, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    // A link that leads nowhere is a site whose files are away, not one that was taken out.
    let dangling = list(rules).unwrap_or_default().into_iter().filter(|path| {
        !is_hidden(path) && is_dangling(path) && path.extension().is_none_or(|e| e != "yaml")
    });
    let is_site_itself = folders.first().is_some_and(|first| first == rules);
    let dangling = dangling.filter(|_| !is_site_itself);
    let sites = folders.iter().cloned().chain(dangling).map(|folder| {
        let content = read_site(&folder);
        let fingerprint = fingerprint(&content);
        (key(&folder), SiteReading { folder, content, fingerprint })
    });
    Folders { sites: sites.collect(), error }
}

fn fingerprint(content: &Result<SiteFolder, ReadError>) -> u64 {
    let mut hasher = XxHash3_64::default();
    let mut part = |bytes: &[u8]| {
        hasher.write_usize(bytes.len());
        hasher.write(bytes);
    };
    match content {
        Ok(site) => {
            for (name, bytes) in &site.files {
                part(name.as_bytes());
                part(bytes);
            }
            site.skipped.iter().for_each(|note| part(note.as_bytes()));
        }
        Err(error) => part(error.to_string().as_bytes()),
    }
    hasher.finish()
}

/// A hash of what can be seen of large files without reading them: their names, sizes, and when
/// they were written. A file itself, or every one directly in a folder with that extension.
#[must_use]
pub fn look(path: &Path, extension: &str) -> u64 {
    let mut hasher = XxHash3_64::default();
    let mut files = if path.is_dir() { list(path).unwrap_or_default() } else { vec![path.into()] };
    files.retain(|file| file == path || file.extension().is_some_and(|is| is == extension));
    files.sort();
    for file in files {
        hasher.write(file.as_os_str().as_encoded_bytes());
        let seen = match std::fs::metadata(&file) {
            Ok(seen) => seen,
            Err(error) => {
                hasher.write(error.kind().to_string().as_bytes());
                continue;
            }
        };
        hasher.write_u64(seen.len());
        let written = seen.modified().ok().and_then(|at| at.duration_since(EPOCH).ok());
        hasher.write_u128(written.unwrap_or_default().as_nanos());
        #[cfg(unix)]
        {
            use std::os::unix::fs::MetadataExt;
            // Another file put in its place with the old one's times.
            hasher.write_u64(seen.ino());
            hasher.write_i64(seen.ctime());
            hasher.write_i64(seen.ctime_nsec());
        }
    }
    hasher.finish()
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

/// A site's key: its folder's own name. Of a link it is the link's, so that what it leads to may
/// be called `v12`.
fn key(folder: &Path) -> String {
    match folder.components().next_back() {
        Some(Component::Normal(_)) => name(folder),
        _ => name(&folder.canonicalize().unwrap_or_else(|_| folder.to_owned())),
    }
}

fn name(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

fn is_dangling(path: &Path) -> bool {
    path.is_symlink() && !path.exists()
}

/// Editors' and Kubernetes' own files.
fn is_hidden(path: &Path) -> bool {
    name(path).starts_with('.')
}
