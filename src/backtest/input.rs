//! Files and standard input → lines. Packed files are told by their first bytes, not their names.
//!
//! Must not: know what is in a line.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use flate2::bufread::MultiGzDecoder;
use lzma_rust2::XzReader;

/// The longest line that is read, in bytes; what is longer is no page view.
pub const MAX_LINE_BYTES: usize = 64 << 10;
const BUFFER_BYTES: usize = 256 << 10;

/// Why a log cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum InputError {
    /// The file cannot be opened.
    #[error("cannot open {path}: {source}")]
    Open {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
    /// It breaks off, or is damaged.
    #[error("{path} cannot be read beyond line {line}: {source}")]
    Read {
        /// Which.
        path: String,
        /// The last line that could be.
        line: u64,
        /// Why.
        source: io::Error,
    },
}

/// Lines of one log.
pub struct Lines {
    /// Its name, as shown.
    pub name: Arc<str>,
    reader: Box<dyn BufRead + Send>,
    line: Vec<u8>,
    number: u64,
}

/// What stands in the place of a line.
#[derive(Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// A line without its end.
    Whole(&'a [u8]),
    /// One that is longer than any that is read.
    TooLong,
}

/// Counts the bytes as they lie in the file, for whoever shows how far it is.
struct Counted<R> {
    inner: R,
    bytes: Arc<AtomicU64>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.bytes.fetch_add(count as u64, Ordering::Relaxed);
        Ok(count)
    }
}

impl Lines {
    /// Opens a log; `-` is standard input. What is read of it is added to `bytes`.
    ///
    /// # Errors
    /// Where it cannot be opened, or is of a packing that is known and damaged.
    pub fn open(path: &Path, bytes: Arc<AtomicU64>) -> Result<Self, InputError> {
        let name: Arc<str> = path.display().to_string().into();
        let failed = |source| InputError::Open { path: path.display().to_string(), source };
        let raw: Box<dyn Read + Send> = if path == Path::new("-") {
            Box::new(io::stdin())
        } else {
            Box::new(File::open(path).map_err(failed)?)
        };
        let reader = unpacked(Counted { inner: raw, bytes }).map_err(failed)?;
        Ok(Self { name, reader, line: Vec::new(), number: 0 })
    }

    /// The number of the line given last, from 1.
    #[must_use]
    pub const fn number(&self) -> u64 {
        self.number
    }

    /// The next line; `None` at the end.
    ///
    /// # Errors
    /// Where the log breaks off or is damaged.
    pub fn next_line(&mut self) -> Result<Option<Line<'_>>, InputError> {
        self.line.clear();
        let mut is_too_long = false;
        let mut has_any = false;
        loop {
            let chunk = match self.reader.fill_buf() {
                Ok(chunk) => chunk,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(source) => {
                    let path = self.name.to_string();
                    return Err(InputError::Read { path, line: self.number, source });
                }
            };
            if chunk.is_empty() {
                break;
            }
            has_any = true;
            let end = memchr::memchr(b'\n', chunk);
            let part = chunk.get(..end.unwrap_or(chunk.len())).unwrap_or_default();
            is_too_long |= self.line.len() + part.len() > MAX_LINE_BYTES;
            if !is_too_long {
                self.line.extend_from_slice(part);
            }
            let used = end.map_or(chunk.len(), |end| end + 1);
            self.reader.consume(used);
            if end.is_some() {
                break;
            }
        }
        if !has_any {
            return Ok(None);
        }
        self.number += 1;
        if is_too_long {
            return Ok(Some(Line::TooLong));
        }
        if self.line.last() == Some(&b'\r') {
            self.line.pop();
        }
        Ok(Some(Line::Whole(&self.line)))
    }
}

fn unpacked(raw: impl Read + Send + 'static) -> io::Result<Box<dyn BufRead + Send>> {
    let mut plain = BufReader::with_capacity(BUFFER_BYTES, raw);
    let head = plain.fill_buf()?;
    let buffered = |reader: Box<dyn Read + Send>| -> Box<dyn BufRead + Send> {
        Box::new(BufReader::with_capacity(BUFFER_BYTES, reader))
    };
    Ok(match head {
        [0x1F, 0x8B, ..] => buffered(Box::new(MultiGzDecoder::new(plain))),
        [0x28, 0xB5, 0x2F, 0xFD, ..] => {
            buffered(Box::new(zstd::stream::read::Decoder::with_buffer(plain)?))
        }
        [0xFD, b'7', b'z', b'X', b'Z', 0, ..] => buffered(Box::new(XzReader::new(plain, true))),
        _ => Box::new(plain),
    })
}

/// How many bytes these files have together; `None` where one of them has no length.
#[must_use]
pub fn total_bytes(paths: &[PathBuf]) -> Option<u64> {
    paths
        .iter()
        .map(|path| {
            let length = std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file)?.len();
            Some(length)
        })
        .sum()
}
