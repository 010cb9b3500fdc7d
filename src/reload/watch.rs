//! Tells that something changed in folders, as far as the system says so.
//!
//! It watches folders, never files: an editor's save puts another file in the place of the old
//! one, and a Kubernetes `ConfigMap` only ever changes the link `..data` beside them. Whoever is
//! told reads everything anew. Must not: be relied on. Network disks tell nothing; poll besides.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

/// How changes are noticed.
#[derive(Debug, Clone, Copy)]
pub struct Watch {
    /// Whether the system's word is asked for.
    pub has_events: bool,
    /// How often files are looked at without it.
    pub poll: Duration,
}

impl Default for Watch {
    fn default() -> Self {
        Self { has_events: true, poll: Duration::from_secs(10) }
    }
}

/// Folders that are watched.
pub struct Watched {
    watch: Watch,
    roots: Arc<[PathBuf]>,
    changed: Arc<dyn Fn() + Send + Sync>,
    watcher: Option<RecommendedWatcher>,
    /// Which folders are watched, as they were just before.
    armed: Vec<(PathBuf, Identity)>,
    /// What could not be watched, so that it is said once.
    failed: BTreeSet<PathBuf>,
}

impl Watched {
    /// Calls `changed` whenever something changes in, or becomes of, one of these paths: folders
    /// or files that are there, or come, go, or are replaced. Nothing is told before
    /// [`Watched::arm`].
    #[must_use]
    pub fn new(
        watch: Watch,
        roots: &[PathBuf],
        changed: impl Fn() + Send + Sync + 'static,
    ) -> Self {
        let roots = roots.iter().map(|root| absolute(root)).collect();
        Self {
            watch,
            roots,
            changed: Arc::new(changed),
            watcher: None,
            armed: Vec::new(),
            failed: BTreeSet::new(),
        }
    }

    /// Watches these paths in place of those before, each together with the folder that it is in:
    /// only that one tells of a folder that comes, goes or is replaced. Call it before reading, so
    /// that nothing is missed in between. What cannot be watched for the first time is told, with
    /// why.
    pub fn arm(&mut self, paths: &[PathBuf]) -> Vec<String> {
        if !self.watch.has_events {
            return Vec::new();
        }
        // A watch stays with what a path led to when it was set, and the watcher takes a path out
        // when it hears late that what was there before has gone. So it is a new one every time.
        let (roots, changed) = (self.roots.clone(), self.changed.clone());
        let made = notify::recommended_watcher(move |event: notify::Result<Event>| {
            // An error says that something was missed.
            if event.map_or(true, |event| is_of_interest(&event, &roots)) {
                changed();
            }
        });
        self.arm_with(made, paths)
    }

    fn arm_with(
        &mut self,
        made: notify::Result<RecommendedWatcher>,
        paths: &[PathBuf],
    ) -> Vec<String> {
        let wanted = wanted(paths);
        // Also where the system grants no watcher: to try again without a pause would help nobody.
        self.armed = identities(&wanted);
        let watcher = match made {
            Ok(watcher) => self.watcher.insert(watcher),
            Err(error) => return self.say(Path::new("anything"), &error),
        };
        let mut failed = Vec::new();
        for folder in wanted.into_iter().filter(|path| path.is_dir()) {
            match watcher.watch(&folder, RecursiveMode::NonRecursive) {
                Ok(()) => {}
                // It went in this moment; the folder that it was in tells.
                Err(_) if !folder.is_dir() => {}
                Err(error) => failed.push((folder, error)),
            }
        }
        failed.iter().flat_map(|(folder, error)| self.say(folder, error)).collect()
    }

    /// Whether what was armed is what stands at these paths now. Where it is not, folders came,
    /// went or were replaced meanwhile, and nothing would tell of a change in them.
    #[must_use]
    pub fn is_armed(&self, paths: &[PathBuf]) -> bool {
        !self.watch.has_events || self.armed == identities(&wanted(paths))
    }

    fn say(&mut self, what: &Path, error: &notify::Error) -> Vec<String> {
        let is_new = self.failed.insert(what.to_owned());
        let text = || format!("cannot watch {}: {error}", what.display());
        is_new.then(text).into_iter().collect()
    }
}

/// These paths, and the folders that they are in.
fn wanted(paths: &[PathBuf]) -> BTreeSet<PathBuf> {
    let paths: Vec<PathBuf> = paths.iter().map(|path| absolute(path)).collect();
    let parents = paths.iter().filter_map(|path| path.parent().map(Path::to_owned));
    parents.chain(paths.iter().cloned()).collect()
}

/// Tells a folder from another of its name.
type Identity = Option<(u64, u64)>;

fn identities(paths: &BTreeSet<PathBuf>) -> Vec<(PathBuf, Identity)> {
    paths.iter().map(|path| (path.clone(), identity(path))).collect()
}

#[cfg(unix)]
fn identity(path: &Path) -> Identity {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path) -> Identity {
    std::fs::metadata(path).ok().map(|_| (0, 0))
}

fn absolute(path: &Path) -> PathBuf {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    // `rules/` and `rules/.` are spelled as events spell them.
    path.components().collect()
}

/// Reading is an event too, and would go on for ever; and what else happens in the folder that a
/// root is in is nobody's concern.
fn is_of_interest(event: &Event, roots: &[PathBuf]) -> bool {
    let is_change = match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => true,
        EventKind::Access(_) => false,
        _ => true,
    };
    let is_below = |path: &PathBuf| roots.iter().any(|root| path.starts_with(root));
    event.need_rescan()
        || (is_change && (event.paths.is_empty() || event.paths.iter().any(is_below)))
}

#[cfg(test)]
mod tests {
    use notify::event::{CreateKind, Flag, ModifyKind};

    use super::*;

    #[test]
    fn reading_is_no_change_and_neighbours_do_not_matter() {
        let roots = [absolute(Path::new("/srv/./rules/"))];
        let tells =
            |kind, path: &str| is_of_interest(&Event::new(kind).add_path(path.into()), &roots);
        let changed = EventKind::Modify(ModifyKind::Any);
        assert!(tells(changed, "/srv/rules/shop/site.yaml"));
        assert!(tells(EventKind::Create(CreateKind::Folder), "/srv/rules"));
        assert!(tells(EventKind::Access(AccessKind::Close(AccessMode::Write)), "/srv/rules/a/b"));
        assert!(!tells(EventKind::Access(AccessKind::Open(AccessMode::Read)), "/srv/rules/a/b"));
        assert!(!tells(EventKind::Access(AccessKind::Close(AccessMode::Read)), "/srv/rules/a/b"));
        assert!(!tells(changed, "/srv/log"));
        assert!(is_of_interest(&Event::new(EventKind::Other).set_flag(Flag::Rescan), &roots));
    }

    #[test]
    fn without_a_watcher_it_is_left_to_the_poll() {
        let folder = [std::env::temp_dir()];
        let mut watched = Watched::new(Watch::default(), &folder, || {});
        let refused = || Err(notify::Error::generic("too many open files"));
        assert_eq!(
            watched.arm_with(refused(), &folder),
            ["cannot watch anything: too many open files"]
        );
        assert!(watched.is_armed(&folder), "or it would be armed again and again, for ever");
        assert!(watched.arm_with(refused(), &folder).is_empty(), "it is said once");
    }
}
