//! Copies of files that were good, for a start at which those in the folders are not.
//!
//! ```text
//! rules/<site>/current               the name of the copy that counts, and since when
//! rules/<site>/<version>/*.yaml      the files, as they were
//! places/current, places/<hash>/*.mmdb
//! ```
//!
//! A copy is written beside the one before and then named, so that a crash leaves either. Must
//! not: judge what is in the files.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use crate::domain::time::Timestamp;
use crate::rules::compile::is_key;

const CURRENT: &str = "current";

/// Files that were good.
#[derive(Debug)]
pub struct Copy {
    /// What they are called together: a version.
    pub name: String,
    /// When they came into use.
    pub since: Timestamp,
    /// Where they are.
    pub folder: PathBuf,
}

/// The folder of copies.
#[derive(Debug, Clone)]
pub struct LastGood {
    folder: PathBuf,
}

impl LastGood {
    /// The copies below the data folder; nothing is made before the first is kept.
    #[must_use]
    pub fn below(data: &Path) -> Self {
        Self { folder: data.join("last-good") }
    }

    /// Where a site's copies are; `None` for what is no site's key, and so no safe name.
    fn site(&self, key: &str) -> Option<PathBuf> {
        is_key(key).then(|| self.folder.join("rules").join(key))
    }

    fn places(&self) -> PathBuf {
        self.folder.join("places")
    }

    /// The sites that there are copies of.
    #[must_use]
    pub fn sites(&self) -> Vec<String> {
        let Ok(entries) = fs::read_dir(self.folder.join("rules")) else { return Vec::new() };
        let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
        let mut sites: Vec<String> = names.filter(|name| self.site_copy(name).is_some()).collect();
        sites.sort();
        sites
    }

    /// The copy of a site's files, if there is one.
    #[must_use]
    pub fn site_copy(&self, key: &str) -> Option<Copy> {
        current(&self.site(key)?)
    }

    /// The copy of the place database, if there is one.
    #[must_use]
    pub fn places_copy(&self) -> Option<Copy> {
        current(&self.places())
    }

    /// Keeps a site's files in place of those kept before.
    ///
    /// # Errors
    /// Where they cannot be written, or two of them have one name; those before stay.
    pub fn keep_site<'f>(
        &self,
        key: &str,
        version: &str,
        since: Timestamp,
        files: impl IntoIterator<Item = (&'f str, &'f [u8])>,
    ) -> io::Result<()> {
        let folder = self.site(key).ok_or_else(|| io::Error::other("not a site's key"))?;
        keep(&folder, version, since, files)
    }

    /// Keeps the files of the place database in place of those kept before.
    ///
    /// # Errors
    /// Where they cannot be written; those before stay.
    pub fn keep_places<'f>(
        &self,
        fingerprint: u64,
        since: Timestamp,
        files: impl IntoIterator<Item = (&'f str, &'f [u8])>,
    ) -> io::Result<()> {
        keep(&self.places(), &format!("{fingerprint:016x}"), since, files)
    }

    /// Drops the copy of a site that was taken out.
    ///
    /// # Errors
    /// Where it is there and cannot be dropped.
    pub fn drop_site(&self, key: &str) -> io::Result<()> {
        let Some(folder) = self.site(key) else { return Ok(()) };
        match fs::remove_dir_all(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(()),
        }
    }
}

fn current(folder: &Path) -> Option<Copy> {
    let text = fs::read_to_string(folder.join(CURRENT)).ok()?;
    let mut lines = text.lines();
    let name = lines.next().filter(|name| is_key(name))?.to_owned();
    let since = Timestamp(lines.next()?.parse().ok()?);
    let folder = folder.join(&name);
    folder.is_dir().then_some(Copy { name, since, folder })
}

fn keep<'f>(
    folder: &Path,
    name: &str,
    since: Timestamp,
    files: impl IntoIterator<Item = (&'f str, &'f [u8])>,
) -> io::Result<()> {
    let before = current(folder);
    if before.as_ref().is_some_and(|copy| copy.name == name) {
        return Ok(());
    }
    fs::create_dir_all(folder)?;
    let own = folder.join(name);
    // What a crash left half written.
    if own.exists() {
        fs::remove_dir_all(&own)?;
    }
    fs::create_dir(&own)?;
    for (name, content) in files {
        let mut file = File::create_new(own.join(name))?;
        file.write_all(content)?;
        file.sync_all()?;
    }
    sync(&own)?;
    let next = folder.join("next");
    let mut file = File::create(&next)?;
    write!(file, "{name}\n{}\n", since.0)?;
    file.sync_all()?;
    fs::rename(&next, folder.join(CURRENT))?;
    sync(folder)?;
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() && path != own {
            fs::remove_dir_all(path)?;
        }
    }
    Ok(())
}

/// Makes names in a folder as durable as the files, where folders can be opened for it.
fn sync(folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    File::open(folder)?.sync_all()?;
    #[cfg(not(unix))]
    let _ = folder;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("koekake-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        folder
    }

    #[test]
    fn the_newest_copy_counts_and_is_the_only_one() {
        let data = folder("copies");
        let kept = LastGood::below(&data);
        assert!(kept.site_copy("shop").is_none() && kept.sites().is_empty());
        assert!(!data.exists(), "nothing is made before something is kept");
        for (version, at) in [("v1", 1), ("v2", 2), ("v2", 3)] {
            let files = [("site.yaml", version.as_bytes()), (".current", b"".as_slice())];
            kept.keep_site("shop", version, Timestamp(at), files).unwrap();
            let copy = kept.site_copy("shop").unwrap();
            assert_eq!((copy.name.as_str(), copy.since), (version, Timestamp(at.min(2))));
            assert_eq!(fs::read(copy.folder.join("site.yaml")).unwrap(), version.as_bytes());
        }
        assert_eq!(kept.sites(), ["shop"]);
        let folders = fs::read_dir(data.join("last-good/rules/shop")).unwrap().count();
        assert_eq!(folders, 2, "the copy, and which one it is");
        kept.drop_site("shop").unwrap();
        kept.drop_site("shop").unwrap();
        assert!(kept.site_copy("shop").is_none());
        fs::remove_dir_all(data).unwrap();
    }

    #[test]
    fn a_copy_that_was_not_finished_does_not_count() {
        let data = folder("half-copies");
        let kept = LastGood::below(&data);
        kept.keep_site("shop", "v1", Timestamp(1), [("site.yaml", b"1".as_slice())]).unwrap();
        // The power went while the second was written.
        let half = data.join("last-good/rules/shop/v2");
        fs::create_dir(&half).unwrap();
        fs::write(half.join("site.yaml"), "half").unwrap();
        assert_eq!(kept.site_copy("shop").unwrap().name, "v1");
        kept.keep_site("shop", "v2", Timestamp(2), [("site.yaml", b"2".as_slice())]).unwrap();
        let copy = kept.site_copy("shop").unwrap();
        assert_eq!(fs::read(copy.folder.join("site.yaml")).unwrap(), b"2");
        fs::remove_dir_all(data).unwrap();
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        let data = folder("odd-copies");
        let kept = LastGood::below(&data);
        for key in ["..", "../elsewhere", "a/b", "", ".hidden"] {
            assert!(kept.keep_site(key, "v1", Timestamp(1), []).is_err(), "{key}");
            kept.drop_site(key).unwrap();
        }
        kept.keep_site("shop", "v1", Timestamp(1), []).unwrap();
        fs::write(data.join("last-good/rules/shop/current"), "../../..\n1\n").unwrap();
        assert!(kept.site_copy("shop").is_none());
        fs::remove_dir_all(data).unwrap();
    }
}
