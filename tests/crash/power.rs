//! Faults of the disk, by way of `power_loss.c`: what was not synced is lost, wholly or in part;
//! nothing can be written; `fsync` fails.
//!
//! Must not: know what files mean.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::dice::Dice;
use crate::node::Node;

const SECTOR: usize = 512;

/// Kinds of records, as the C file numbers them.
const WRITE: u32 = 1;
const TRUNCATE: u32 = 2;
const SYNCED: u32 = 3;
const NOT_SYNCED: u32 = 4;
const CREATED: u32 = 5;
const REMOVED: u32 = 6;
const RENAMED: u32 = 7;
const FOLDER_SYNCED: u32 = 8;

/// What becomes of changes that were not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// All are lost.
    All,
    /// Each sector of each change may have reached the disk, in any order.
    Sectors,
    /// They reached it in order, up to some byte.
    Tail,
}

impl Loss {
    pub fn any(dice: &mut Dice) -> Self {
        *dice.pick(&[Self::All, Self::Sectors, Self::Tail])
    }
}

/// The files of one folder on a disk of its own kind.
pub struct Disk {
    folder: PathBuf,
    side: PathBuf,
    library: PathBuf,
}

impl Disk {
    /// Below a disk for the files in `folder`; `scratch` is on the same file system.
    pub fn new(folder: &Path, scratch: &Path) -> Self {
        let side = scratch.join("side");
        fs::create_dir_all(folder).unwrap();
        fs::create_dir_all(&side).unwrap();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/crash/power_loss.c");
        let library = scratch.join("power_loss.so");
        let built = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-o"])
            .arg(&library)
            .args([source, "-ldl", "-lpthread"])
            .status()
            .expect("a C compiler");
        assert!(built.success(), "{source} does not compile");
        Self { folder: folder.to_owned(), side, library }
    }

    /// What a process must find in its environment to write to this disk.
    pub fn environment(&self) -> [(&'static str, String); 3] {
        [
            ("LD_PRELOAD", self.library.display().to_string()),
            ("POWER_LOSS_FOLDER", self.folder.display().to_string()),
            ("POWER_LOSS_SIDE", self.side.display().to_string()),
        ]
    }

    pub fn mount(&self, node: &mut Node) {
        self.environment().iter().for_each(|(name, value)| node.set(name, value));
    }

    /// From now on: 0, all is well; 1, no file grows; 2, nothing can be written.
    pub fn set_full(&self, how: u8) {
        self.set(0, how);
    }

    pub fn set_failing_sync(&self, is_failing: bool) {
        self.set(1, is_failing.into());
    }

    fn set(&self, place: u64, value: u8) {
        let control = fs::File::options().write(true).open(self.side.join("control")).unwrap();
        control.write_all_at(&[value], place).unwrap();
    }

    /// After the process died: leaves in the folder what a disk would hold. Tells how many bytes
    /// that were written are not there.
    pub fn lose_power(&self, loss: Loss, dice: &mut Dice) -> u64 {
        let bytes = fs::read(self.side.join("journal")).unwrap_or_default();
        let records = read(&bytes);
        let mut lost = 0;
        let mut of_inode: BTreeMap<u64, Vec<&Record<'_>>> = BTreeMap::new();
        for record in records.iter().filter(|record| record.kind <= NOT_SYNCED) {
            of_inode.entry(record.inode).or_default().push(record);
        }
        for (inode, records) in of_inode {
            let path = self.side.join(format!("inode-{inode}"));
            let mut content = fs::read(&path).unwrap();
            lost += rewrite(&mut content, &records, loss, dice);
            fs::write(&path, content).unwrap();
        }
        self.undo_names(&records, loss, dice);
        for entry in fs::read_dir(&self.folder).unwrap() {
            let path = entry.unwrap().path();
            if path.display().to_string().ends_with("-shm") {
                fs::remove_file(path).unwrap();
            }
        }
        for entry in fs::read_dir(&self.side).unwrap() {
            let path = entry.unwrap().path();
            if !path.ends_with("control") {
                fs::remove_file(path).unwrap();
            }
        }
        lost
    }

    /// Names are given, taken and changed in order; those since the folder was last synced may not
    /// have been yet.
    fn undo_names(&self, records: &[Record<'_>], loss: Loss, dice: &mut Dice) {
        let synced = records.iter().rposition(|record| record.kind == FOLDER_SYNCED);
        let pending: Vec<_> = records
            .iter()
            .skip(synced.map_or(0, |place| place + 1))
            .filter(|record| (CREATED..=RENAMED).contains(&record.kind))
            .collect();
        let kept = if loss == Loss::All { 0 } else { dice.below(pending.len() + 1) };
        let restore = |inode: u64, name: &str| {
            let path = self.folder.join(name);
            let _ = fs::remove_file(&path);
            fs::hard_link(self.side.join(format!("inode-{inode}")), path).unwrap();
        };
        for record in pending[kept..].iter().rev() {
            let name = std::str::from_utf8(record.path).unwrap();
            match record.kind {
                CREATED => {
                    let _ = fs::remove_file(self.folder.join(name));
                }
                REMOVED => restore(record.inode, name),
                _ => {
                    let (old, new) = name.split_once('\n').unwrap();
                    let _ = fs::remove_file(self.folder.join(new));
                    restore(record.inode, old);
                    if record.at != 0 {
                        restore(u64::try_from(record.at).unwrap(), new);
                    }
                }
            }
        }
    }
}

/// One change.
struct Record<'a> {
    kind: u32,
    inode: u64,
    at: usize,
    old_size: usize,
    path: &'a [u8],
    old: &'a [u8],
    new: &'a [u8],
}

/// All whole records. The last one may have been cut off by the kill: then its change was not made.
fn read(mut bytes: &[u8]) -> Vec<Record<'_>> {
    const HEAD: usize = 48;
    let mut records = Vec::new();
    while bytes.len() >= HEAD {
        let short = |at: usize| u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap());
        let long = |at: usize| {
            usize::try_from(u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap())).unwrap()
        };
        let (kind, path_length) = (short(0), usize::try_from(short(4)).unwrap());
        let (at, length, old_size, old_length) = (long(16), long(24), long(32), long(40));
        let new_length = if kind == WRITE { length } else { 0 };
        let end = HEAD + path_length + old_length + new_length;
        if bytes.len() < end {
            break;
        }
        let (path, rest) = bytes[HEAD..end].split_at(path_length);
        let (old, new) = rest.split_at(old_length);
        let inode = u64::try_from(long(8)).unwrap();
        records.push(Record { kind, inode, at, old_size, path, old, new });
        bytes = &bytes[end..];
    }
    records
}

/// Takes all changes back, then makes those again that the disk has. Tells how many bytes it lacks.
fn rewrite(content: &mut Vec<u8>, records: &[&Record<'_>], loss: Loss, dice: &mut Dice) -> u64 {
    for record in records.iter().rev().filter(|record| record.kind <= TRUNCATE) {
        let end = record.at + record.old.len();
        content.resize(content.len().max(end), 0);
        content[record.at..end].copy_from_slice(record.old);
        content.resize(record.old_size, 0);
    }
    let is_synced = |place: usize| {
        let next = records[place..].iter().find(|record| record.kind >= SYNCED);
        next.is_some_and(|record| record.kind == SYNCED)
    };
    let uncertain = (0..records.len()).filter(|place| !is_synced(*place)).count();
    let mut reached = dice.below(uncertain + 1);
    let mut lost = 0;
    for (place, record) in records.iter().enumerate().filter(|(_, r)| r.kind <= TRUNCATE) {
        let share = match loss {
            _ if is_synced(place) => Share::Whole,
            Loss::All => Share::None,
            Loss::Sectors => Share::Sectors,
            Loss::Tail if reached > 1 => Share::Whole,
            Loss::Tail if reached == 1 => Share::Start(dice.below(record.new.len() + 1)),
            Loss::Tail => Share::None,
        };
        if !is_synced(place) {
            reached = reached.saturating_sub(1);
        }
        lost += share.make(content, record, dice);
    }
    lost
}

/// How much of a change reached the disk.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Share {
    Whole,
    Start(usize),
    Sectors,
    None,
}

impl Share {
    fn make(self, content: &mut Vec<u8>, record: &Record<'_>, dice: &mut Dice) -> u64 {
        if record.kind == TRUNCATE {
            if self == Self::Whole || (self == Self::Sectors && dice.chance(50)) {
                content.resize(record.at, 0);
            }
            return 0;
        }
        let mut lost = 0;
        let mut at = 0;
        while at < record.new.len() {
            // Up to where a sector of the disk ends.
            let sector = SECTOR - (record.at + at) % SECTOR;
            let mut end = (at + sector).min(record.new.len());
            let is_there = match self {
                Self::Whole => true,
                Self::None => false,
                Self::Sectors => dice.chance(50),
                Self::Start(length) => {
                    end = if at < length { end.min(length) } else { end };
                    at < length
                }
            };
            if is_there {
                let last = record.at + end;
                content.resize(content.len().max(last), 0);
                content[record.at + at..last].copy_from_slice(&record.new[at..end]);
            } else {
                lost += u64::try_from(end - at).unwrap();
            }
            at = end;
        }
        lost
    }
}
