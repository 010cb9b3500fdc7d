//! Where an address is: location databases, opened with suspicion and asked quickly.
//!
//! Must not: keep an address, know rules, or let a damaged file do more than be refused.

use std::fmt;
use std::fs::{self, File};
use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use maxminddb::{MaxMindDbError, Reader};
use twox_hash::XxHash3_64;

use crate::domain::time::Timestamp;
use crate::domain::visit::Place;

use super::cache::Cache;
use super::mmdb::{self, Content, Layout, Sample, Unusable};

/// The largest file that is read, in bytes; it is kept in memory whole.
pub const MAX_FILE_BYTES: u64 = 1 << 30;

/// How many places are kept decoded.
const CACHED_PLACES: usize = 65_536;

/// The most databases of a folder that are looked at.
const MAX_FILES: usize = 32;

/// Why a database cannot be used. The text names the file and says what to do.
#[derive(Debug, thiserror::Error)]
pub enum GeoIpError {
    /// The file or folder cannot be read.
    #[error("{path} cannot be read: {source}", path = .path.display())]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It is larger than [`MAX_FILE_BYTES`].
    #[error("{name} is larger than {} MiB; give a city or country database", MAX_FILE_BYTES >> 20)]
    TooLarge {
        /// The file's name.
        name: String,
    },
    /// It is no database in the `MaxMind` DB format, or not whole.
    #[error("{name} is damaged, or no .mmdb file ({source}); put a fresh copy in its place")]
    Damaged {
        /// The file's name.
        name: String,
        /// What is wrong with it.
        source: Box<MaxMindDbError>,
    },
    /// No record was found in it.
    #[error("{name} holds no records; put a country or city database in its place")]
    Empty {
        /// The file's name.
        name: String,
    },
    /// Its records tell no place.
    #[error(
        "{name} (it calls itself `{database_type}`) tells no places: its records hold {found}. \
         What is needed is a country or city database: GeoLite2 or GeoIP2 (records with \
         `country.iso_code`), or one of npm's @ip-location-db (records with `country_code`)"
    )]
    Foreign {
        /// The file's name.
        name: String,
        /// What its metadata say it is.
        database_type: String,
        /// What its records hold instead.
        found: String,
    },
}

impl GeoIpError {
    /// The name of the file, or of the folder, that it is about.
    #[must_use]
    pub fn name(&self) -> String {
        match self {
            Self::Unreadable { path, .. } => {
                path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
            }
            Self::TooLarge { name }
            | Self::Damaged { name, .. }
            | Self::Empty { name }
            | Self::Foreign { name, .. } => name.clone(),
        }
    }
}

/// How finely places are told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Granularity {
    /// Countries, and with them continents and the European Union.
    Country,
    /// Regions of countries.
    Region,
    /// Cities.
    City,
}

impl fmt::Display for Granularity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Country => "country",
            Self::Region => "region",
            Self::City => "city",
        })
    }
}

/// What a database tells of some address at least, as a sample of it shows. A condition on
/// anything else is never true.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "a set of independent facts, not a state")]
pub struct Knows {
    /// `location.country`, and with it `continent` and `in_eu`.
    pub country: bool,
    /// `location.region` by its code (`JP-13`).
    pub region_code: bool,
    /// `location.region` by its English name.
    pub region_name: bool,
    /// `location.city`.
    pub city: bool,
    /// `location.time_zone`.
    pub time_zone: bool,
}

impl Knows {
    /// The finest of what is told.
    #[must_use]
    pub const fn granularity(&self) -> Granularity {
        if self.city {
            Granularity::City
        } else if self.region_code || self.region_name {
            Granularity::Region
        } else {
            Granularity::Country
        }
    }

    pub(super) fn add(&mut self, place: &Place) {
        self.country |= place.country.is_some();
        self.region_code |= place.region_code.is_some();
        self.region_name |= place.region_name.is_some();
        self.city |= place.city.is_some();
        self.time_zone |= place.time_zone.is_some();
    }

    /// How much it is, for telling databases of one granularity apart.
    fn count(self) -> usize {
        [self.country, self.region_code, self.region_name, self.city, self.time_zone]
            .into_iter()
            .filter(|is_known| *is_known)
            .count()
    }

    const fn or(self, other: Self) -> Self {
        Self {
            country: self.country || other.country,
            region_code: self.region_code || other.region_code,
            region_name: self.region_name || other.region_name,
            city: self.city || other.city,
            time_zone: self.time_zone || other.time_zone,
        }
    }
}

/// What became of a look-up, for the metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LookupResult {
    /// There is a record.
    Found,
    /// There is none: private addresses, unassigned ones, a family the database does not cover.
    NotFound,
    /// The record is damaged; the place is missing.
    Error,
}

impl LookupResult {
    /// Every result.
    pub const ALL: [Self; 3] = [Self::Found, Self::NotFound, Self::Error];

    /// The word for it in metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::NotFound => "not_found",
            Self::Error => "error",
        }
    }
}

/// One file.
struct Database {
    name: String,
    reader: Reader<Content>,
    content: Content,
    /// A hash of the content.
    fingerprint: u64,
    sample: Sample,
    build_time: Timestamp,
    places: Cache<usize, Arc<Place>>,
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("name", &self.name).finish_non_exhaustive()
    }
}

/// Tells places from addresses. Cheap to ask from many threads; swap the whole of it to reload.
#[derive(Debug, Clone)]
pub struct GeoIp {
    ipv4: Option<Arc<Database>>,
    ipv6: Option<Arc<Database>>,
    nowhere: Arc<Place>,
}

/// What a folder came to.
#[derive(Debug, Default)]
pub struct Opened {
    /// The databases; `None` where there are none, so that every place is missing.
    pub geoip: Option<GeoIp>,
    /// What was chosen and why, for the start-up log.
    pub notes: Vec<String>,
    /// Files that cannot be used. They do not keep the others from being used.
    pub errors: Vec<GeoIpError>,
}

impl GeoIp {
    /// Reads one file. Blocks: not for a web worker.
    ///
    /// # Errors
    /// Where it cannot be read, is damaged, or tells no places.
    pub fn open(path: &Path) -> Result<Self, GeoIpError> {
        Database::open(path).map(Self::of)
    }

    /// Takes a file's content.
    ///
    /// # Errors
    /// Where it is damaged or tells no places; `name` says which one it is.
    pub fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Self, GeoIpError> {
        Database::from_bytes(name, bytes).map(Self::of)
    }

    fn of(database: Database) -> Self {
        let database = Arc::new(database);
        Self {
            ipv4: database.sample.has_ipv4.then(|| Arc::clone(&database)),
            ipv6: database.sample.has_ipv6.then_some(database),
            nowhere: Arc::default(),
        }
    }

    /// The place of an address; an empty one where it is not known.
    ///
    /// An IPv4 address in IPv6 spelling is looked up as IPv4. Each record is decoded once and then
    /// shared, as long as it stays in a bounded cache.
    #[must_use]
    pub fn lookup(&self, address: IpAddr) -> (Arc<Place>, LookupResult) {
        let address = address.to_canonical();
        let database = if address.is_ipv4() { &self.ipv4 } else { &self.ipv6 };
        match database.as_ref().map(|database| database.lookup(address)) {
            Some(Ok(Some(place))) => (place, LookupResult::Found),
            Some(Ok(None)) | None => (Arc::clone(&self.nowhere), LookupResult::NotFound),
            Some(Err(_)) => (Arc::clone(&self.nowhere), LookupResult::Error),
        }
    }

    /// What it tells of some address at least.
    #[must_use]
    pub fn knows(&self) -> Knows {
        self.databases().fold(Knows::default(), |all, one| all.or(one.sample.knows))
    }

    /// When its data were built; the older moment where there are two files.
    #[must_use]
    pub fn build_time(&self) -> Timestamp {
        self.databases().map(|database| database.build_time).min().unwrap_or_default()
    }

    /// One line for the start-up log.
    #[must_use]
    pub fn description(&self) -> String {
        let parts: Vec<String> = match (&self.ipv4, &self.ipv6) {
            (Some(ipv4), Some(ipv6)) if Arc::ptr_eq(ipv4, ipv6) => {
                vec![ipv4.describe("IPv4 and IPv6")]
            }
            (ipv4, ipv6) => [(ipv4, "IPv4 only"), (ipv6, "IPv6 only")]
                .into_iter()
                .filter_map(|(database, families)| Some(database.as_ref()?.describe(families)))
                .collect(),
        };
        parts.join("; ")
    }

    /// The files in use: their names, and what is in them.
    #[must_use]
    pub fn files(&self) -> Vec<(&str, Arc<Vec<u8>>)> {
        let mut files: Vec<(&str, Arc<Vec<u8>>)> = Vec::new();
        for database in self.databases() {
            if files.iter().all(|(name, _)| *name != database.name) {
                files.push((&database.name, database.content.0.clone()));
            }
        }
        files
    }

    /// A hash of the files in use: XXH3, 64 bits. Equal ones tell the same places.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        let prints: Vec<u8> =
            self.databases().flat_map(|database| database.fingerprint.to_le_bytes()).collect();
        XxHash3_64::oneshot(&prints)
    }

    fn databases(&self) -> impl Iterator<Item = &Database> {
        [&self.ipv4, &self.ipv6].into_iter().filter_map(|database| database.as_deref())
    }
}

impl Database {
    fn open(path: &Path) -> Result<Self, GeoIpError> {
        let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let unreadable = |source| GeoIpError::Unreadable { path: path.to_path_buf(), source };
        let file = File::open(path).map_err(unreadable)?;
        let mut bytes = Vec::new();
        file.take(MAX_FILE_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if u64::try_from(bytes.len()).is_ok_and(|length| length > MAX_FILE_BYTES) {
            return Err(GeoIpError::TooLarge { name });
        }
        Self::from_bytes(&name, bytes)
    }

    fn from_bytes(name: &str, bytes: Vec<u8>) -> Result<Self, GeoIpError> {
        let name = name.to_owned();
        let fingerprint = XxHash3_64::oneshot(&bytes);
        let content = Content(Arc::new(bytes));
        let reader = match Reader::from_source(content.clone()) {
            Ok(reader) => reader,
            Err(source) => return Err(GeoIpError::Damaged { name, source: source.into() }),
        };
        match mmdb::sample(&reader) {
            Ok(sample) => {
                let seconds = i64::try_from(reader.metadata().build_epoch).unwrap_or(i64::MAX);
                let build_time = Timestamp(seconds.saturating_mul(1_000));
                let places = Cache::with_capacity(CACHED_PLACES);
                Ok(Self { name, reader, content, fingerprint, sample, build_time, places })
            }
            Err(Unusable::Damaged(source)) => {
                Err(GeoIpError::Damaged { name, source: source.into() })
            }
            Err(Unusable::Empty) => Err(GeoIpError::Empty { name }),
            Err(Unusable::Foreign(keys)) => {
                let database_type = reader.metadata().database_type.chars().take(64).collect();
                let found = match keys.as_slice() {
                    [] => "no country".to_owned(),
                    keys => keys.join(", "),
                };
                Err(GeoIpError::Foreign { name, database_type, found })
            }
        }
    }

    fn lookup(&self, address: IpAddr) -> Result<Option<Arc<Place>>, MaxMindDbError> {
        if address.is_ipv6() && self.reader.metadata().ip_version == 4 {
            return Ok(None);
        }
        let found = self.reader.lookup(address)?;
        let Some(offset) = found.offset() else { return Ok(None) };
        let decode = || mmdb::decode(&found, self.sample.layout).map(Arc::new);
        self.places.get_or_try_insert(offset, decode).map(Some)
    }

    fn describe(&self, families: &str) -> String {
        let layout = match self.sample.layout {
            Layout::Nested => "GeoLite2 layout",
            Layout::Flat => "flat layout",
        };
        let built = match self.build_time.to_utc() {
            Some(at) => at.format("%Y-%m-%d").to_string(),
            None => "at an unknown time".to_owned(),
        };
        format!(
            "{}: down to the {}, {families}, {layout}, built {built}",
            self.name,
            self.sample.knows.granularity()
        )
    }

    /// Orders databases: finer, then telling more, then newer, then by name.
    fn merit(&self) -> (Granularity, usize, Timestamp, &str) {
        let knows = self.sample.knows;
        (knows.granularity(), knows.count(), self.build_time, &self.name)
    }
}

/// Takes what a file or folder holds. Blocks: not for a web worker.
///
/// Of several databases in a folder the finest is taken, and of equally fine ones the newest, for
/// IPv4 and IPv6 each on its own, since some are sold as two files. A missing or empty folder is
/// no error: every place is then missing.
#[must_use]
pub fn open_path(path: &Path) -> Opened {
    if path.is_dir() {
        return open_folder(path);
    }
    match Database::open(path) {
        Ok(database) => choose(vec![database], Opened::default()),
        Err(GeoIpError::Unreadable { source, .. })
            if source.kind() == std::io::ErrorKind::NotFound =>
        {
            let note = format!("{} is not there: no places are known", path.display());
            Opened { notes: vec![note], ..Opened::default() }
        }
        Err(error) => Opened { errors: vec![error], ..Opened::default() },
    }
}

/// As [`open_path`], of a folder: every `*.mmdb` directly in it.
#[must_use]
pub fn open_folder(folder: &Path) -> Opened {
    let mut opened = Opened::default();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => {
            opened.notes.push(format!("{} is not there: no places are known", folder.display()));
            return opened;
        }
        Err(source) => {
            opened.errors.push(GeoIpError::Unreadable { path: folder.to_path_buf(), source });
            return opened;
        }
    };
    let mut files: Vec<PathBuf> = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.extension().is_some_and(|extension| extension == "mmdb"))
        .collect();
    files.sort();
    if files.len() > MAX_FILES {
        opened.notes.push(format!("only the first {MAX_FILES} of {} files are read", files.len()));
        files.truncate(MAX_FILES);
    }
    if files.is_empty() {
        opened.notes.push(format!("{} holds no .mmdb file: no places are known", folder.display()));
    }
    let mut databases = Vec::new();
    for file in files {
        match Database::open(&file) {
            Ok(database) => databases.push(database),
            Err(error) => opened.errors.push(error),
        }
    }
    choose(databases, opened)
}

fn choose(databases: Vec<Database>, mut opened: Opened) -> Opened {
    let databases: Vec<Arc<Database>> = databases.into_iter().map(Arc::new).collect();
    let best = |is_for: fn(&Sample) -> bool| {
        databases
            .iter()
            .filter(|database| is_for(&database.sample))
            .max_by(|one, other| one.merit().cmp(&other.merit()))
            .cloned()
    };
    let (ipv4, ipv6) = (best(|sample| sample.has_ipv4), best(|sample| sample.has_ipv6));
    if ipv4.is_none() && ipv6.is_none() {
        return opened;
    }
    let geoip = GeoIp { ipv4, ipv6, nowhere: Arc::default() };
    opened.notes.push(geoip.description());
    for database in &databases {
        if !geoip.databases().any(|chosen| std::ptr::eq(chosen, &raw const **database)) {
            opened.notes.push(format!("{} is not used: finer or newer ones are", database.name));
        }
    }
    opened.geoip = Some(geoip);
    opened
}
