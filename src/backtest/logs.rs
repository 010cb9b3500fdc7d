//! Several logs → page views, the earliest of them first, and counts of all that was none.
//!
//! Logs of several servers and rotated ones may come in any order: of each the next page view is
//! read, and the earliest is taken.
//!
//! Must not: hold more than one page view of each log.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use super::hit::{Hit, LeftOut};
use super::input::{InputError, Line, Lines};
use super::sift::{Sieve, Sifted};

/// How many lines that could not be read are shown.
const MAX_SHOWN: usize = 5;
/// How much of such a line is shown, in characters.
const MAX_SHOWN_CHARS: usize = 120;

/// What was in the logs.
#[derive(Debug, Clone, Default)]
pub struct Counts {
    /// Lines, empty ones not counted.
    pub lines: u64,
    /// Page views and other events that were taken.
    pub taken: u64,
    /// Lines that were none, by reason.
    pub left_out: [u64; LeftOut::ALL.len()],
    /// Lines that could not be read.
    pub unread: u64,
    /// The first of these: place, what is wrong, and the line.
    pub shown: Vec<String>,
    /// Whether what was taken were calls of Koekake's own, which tell all that a page tells.
    pub is_own: bool,
    /// Logs that break off or are damaged.
    pub broken: Vec<String>,
}

impl Counts {
    fn unread(&mut self, place: &Lines, wrong: &str, line: &[u8]) {
        self.unread += 1;
        if self.shown.len() < MAX_SHOWN {
            let text = String::from_utf8_lossy(line);
            let text: String = text
                .chars()
                .take(MAX_SHOWN_CHARS)
                .map(|c| if c.is_control() { ' ' } else { c })
                .collect();
            self.shown.push(format!("{}:{}: {wrong}: {text}", place.name, place.number()));
        }
    }
}

/// Logs that are being read.
pub struct Logs {
    all: Vec<(Lines, Option<Box<Hit>>)>,
    sieve: Sieve,
    has_begun: bool,
    /// What was in them so far.
    pub counts: Counts,
    /// How many bytes of the files were read.
    pub bytes: Arc<AtomicU64>,
}

impl Logs {
    /// Opens all of them; `-` is standard input.
    ///
    /// # Errors
    /// Where one cannot be opened.
    pub fn open(paths: &[PathBuf], sieve: Sieve) -> Result<Self, InputError> {
        let bytes = Arc::new(AtomicU64::new(0));
        let open = |path: &PathBuf| Ok((Lines::open(Path::new(path), bytes.clone())?, None));
        let all = paths.iter().map(open).collect::<Result<Vec<_>, InputError>>()?;
        Ok(Self { all, sieve, has_begun: false, counts: Counts::default(), bytes })
    }

    /// The next page view; `None` where all logs are at their end.
    pub fn next_hit(&mut self) -> Option<Box<Hit>> {
        if !self.has_begun {
            self.has_begun = true;
            for (lines, head) in &mut self.all {
                *head = read(lines, &mut self.sieve, &mut self.counts);
            }
        }
        let earliest = self
            .all
            .iter_mut()
            .filter(|(_, head)| head.is_some())
            .min_by_key(|(_, head)| head.as_ref().map(|hit| hit.at))?;
        let (lines, head) = earliest;
        let taken = head.take();
        *head = read(lines, &mut self.sieve, &mut self.counts);
        taken
    }
}

/// The next page view of one log.
fn read(lines: &mut Lines, sieve: &mut Sieve, counts: &mut Counts) -> Option<Box<Hit>> {
    loop {
        let line = match lines.next_line() {
            Ok(Some(line)) => line,
            Ok(None) => return None,
            Err(error) => {
                counts.broken.push(error.to_string());
                return None;
            }
        };
        let (wrong, line): (Cow<'static, str>, Vec<u8>) = match line {
            Line::Whole([]) => continue,
            Line::Whole(line) => match sieve.line(line) {
                Sifted::Hit(hit) => {
                    counts.lines += 1;
                    counts.taken += 1;
                    counts.is_own |= hit.more.is_some();
                    return Some(hit);
                }
                Sifted::LeftOut(why) => {
                    counts.lines += 1;
                    if let Some(count) = counts.left_out.get_mut(why as usize) {
                        *count += 1;
                    }
                    continue;
                }
                Sifted::Unread(wrong) => {
                    let is_shown = counts.shown.len() < MAX_SHOWN;
                    (wrong, if is_shown { line.to_vec() } else { Vec::new() })
                }
            },
            Line::TooLong => ("longer than any that is read".into(), Vec::new()),
        };
        counts.lines += 1;
        counts.unread(lines, &wrong, &line);
    }
}
