//! One location database in the `MaxMind` DB format: its layout, and its records as places.
//!
//! Format: <https://maxmind.github.io/MaxMind-DB/>. Two layouts are read: that of GeoLite2 and
//! `GeoIP2` (Country, City, Enterprise), and the flat one of npm's `@ip-location-db` packages. Which
//! one a file has is seen from its records; what it calls itself does not count.
//!
//! Must not: trust a byte of the file, or walk more of it than [`sample`] bounds.

use std::collections::BTreeSet;
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use maxminddb::{MaxMindDbError, Reader, WithinOptions};
use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::domain::countries;
use crate::domain::visit::Place;

use super::geoip::Knows;

/// How many networks are read from the start of the tree, with or without a record: enough to see
/// the whole of a small database.
const SAMPLED_NETWORKS: usize = 50_000;

/// How many addresses of each family are looked up, spread over all of them.
const SAMPLED_ADDRESSES: u32 = 4_096;

/// How many different records are decoded at most.
const SAMPLED_RECORDS: usize = 8_192;

/// The longest text that is taken from a record, in bytes.
const MAX_TEXT_BYTES: usize = 128;

/// The most keys of a foreign database that are named in a message.
const MAX_NAMED_KEYS: usize = 8;

/// Where a record keeps what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// `country.iso_code`, `city.names.en` and so on.
    Nested,
    /// `country_code`, `city` and so on.
    Flat,
}

/// What a sample of a database showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Sample {
    /// Where its records keep what.
    pub(super) layout: Layout,
    /// What its records tell.
    pub(super) knows: Knows,
    /// Whether it has records for IPv4 addresses.
    pub(super) has_ipv4: bool,
    /// Whether it has records for IPv6 addresses.
    pub(super) has_ipv6: bool,
}

/// Why a database is of no use.
#[derive(Debug)]
pub(super) enum Unusable {
    /// It cannot be read.
    Damaged(MaxMindDbError),
    /// It has no record.
    Empty,
    /// Its records hold something else, under these keys.
    Foreign(Vec<String>),
}

/// The methods of a visitor that answers the same for whatever is neither text nor a map.
macro_rules! any_scalar_or_list {
    ($type:ty, $value:expr) => {
        fn visit_bool<E>(self, _: bool) -> Result<$type, E> {
            Ok($value)
        }
        fn visit_i64<E>(self, _: i64) -> Result<$type, E> {
            Ok($value)
        }
        fn visit_u64<E>(self, _: u64) -> Result<$type, E> {
            Ok($value)
        }
        fn visit_u128<E>(self, _: u128) -> Result<$type, E> {
            Ok($value)
        }
        fn visit_f64<E>(self, _: f64) -> Result<$type, E> {
            Ok($value)
        }
        fn visit_bytes<E>(self, _: &[u8]) -> Result<$type, E> {
            Ok($value)
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<$type, A::Error> {
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok($value)
        }
    };
}

/// A file's content, which whoever keeps a copy of the file shares.
#[derive(Debug, Clone)]
pub(super) struct Content(pub Arc<Vec<u8>>);

impl AsRef<[u8]> for Content {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

type Found<'a> = maxminddb::LookupResult<'a, Content>;

/// Looks at a bounded part of a database.
///
/// A look-up ends after at most 128 steps; and since every leaf of the walk is yielded, a tree
/// that leads back into itself ends as well.
pub(super) fn sample(reader: &Reader<Content>) -> Result<Sample, Unusable> {
    let mut survey = Survey::default();
    let every_leaf =
        WithinOptions::default().include_networks_without_data().include_aliased_networks();
    let networks = reader.networks(every_leaf).map_err(Unusable::Damaged)?;
    for network in networks.take(SAMPLED_NETWORKS) {
        let found = network.map_err(Unusable::Damaged)?;
        if found.has_data() {
            let is_ipv4 = found.network().map_err(Unusable::Damaged)?.is_ipv4();
            survey.see(&found, is_ipv4).map_err(Unusable::Damaged)?;
        }
    }
    let has_ipv6_tree = reader.metadata().ip_version == 6;
    for address in spread_addresses().filter(|address| address.is_ipv4() || has_ipv6_tree) {
        let found = reader.lookup(address).map_err(Unusable::Damaged)?;
        if found.has_data() {
            survey.see(&found, address.is_ipv4()).map_err(Unusable::Damaged)?;
        }
    }
    survey.conclude()
}

/// The record of an address as a place.
pub(super) fn decode(found: &Found<'_>, layout: Layout) -> Result<Place, MaxMindDbError> {
    Ok(match layout {
        Layout::Nested => found.decode::<Nested<'_>>()?.map(Place::from),
        Layout::Flat => found.decode::<Flat<'_>>()?.map(Place::from),
    }
    .unwrap_or_default())
}

/// Addresses all over the ones in use, the same at every call.
fn spread_addresses() -> impl Iterator<Item = IpAddr> {
    // Weyl sequences by the golden ratio spread evenly. IPv6 in use begins with 2000 to 2c0f.
    (0..SAMPLED_ADDRESSES).flat_map(|n| {
        let v4 = n.wrapping_mul(0x9E37_79B9);
        let low = u128::from(n).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
        let prefix = 0x2000 + u128::from(n % 0x0c10);
        let v6 = (prefix << 112) | (low >> 16);
        [IpAddr::V4(Ipv4Addr::from_bits(v4)), IpAddr::V6(Ipv6Addr::from_bits(v6))]
    })
}

#[derive(Debug, Default)]
struct Survey {
    seen: BTreeSet<usize>,
    keys: BTreeSet<String>,
    nested: (usize, Knows),
    flat: (usize, Knows),
    has_ipv4: bool,
    has_ipv6: bool,
}

impl Survey {
    fn see(&mut self, found: &Found<'_>, is_ipv4: bool) -> Result<(), MaxMindDbError> {
        self.has_ipv4 |= is_ipv4;
        self.has_ipv6 |= !is_ipv4;
        let Some(offset) = found.offset() else { return Ok(()) };
        if self.seen.len() >= SAMPLED_RECORDS || !self.seen.insert(offset) {
            return Ok(());
        }
        let shape = found.decode::<Shape>()?.unwrap_or_default();
        let Some(layout) = shape.layout else {
            for key in shape.keys {
                if self.keys.len() < MAX_NAMED_KEYS {
                    self.keys.insert(key);
                }
            }
            return Ok(());
        };
        let place = decode(found, layout)?;
        let (count, knows) = match layout {
            Layout::Nested => &mut self.nested,
            Layout::Flat => &mut self.flat,
        };
        *count += 1;
        knows.add(&place);
        Ok(())
    }

    fn conclude(self) -> Result<Sample, Unusable> {
        if self.seen.is_empty() {
            return Err(Unusable::Empty);
        }
        let (layout, knows) = if self.nested.0 >= self.flat.0 {
            (Layout::Nested, self.nested.1)
        } else {
            (Layout::Flat, self.flat.1)
        };
        if !knows.country {
            return Err(Unusable::Foreign(self.keys.into_iter().collect()));
        }
        Ok(Sample { layout, knows, has_ipv4: self.has_ipv4, has_ipv6: self.has_ipv6 })
    }
}

/// What a record looks like from outside. A record that is no map has no keys.
#[derive(Debug, Default)]
struct Shape {
    layout: Option<Layout>,
    keys: Vec<String>,
}

impl<'de> Deserialize<'de> for Shape {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Record;
        impl<'de> Visitor<'de> for Record {
            type Value = Shape;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a record")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
                let mut shape = Shape::default();
                while let Some(key) = map.next_key::<&str>()? {
                    let kind = map.next_value::<Kind>()?;
                    match (key, kind) {
                        ("country" | "registered_country", Kind::Map) => {
                            shape.layout = Some(Layout::Nested);
                        }
                        ("country_code", Kind::Text) if shape.layout.is_none() => {
                            shape.layout = Some(Layout::Flat);
                        }
                        _ => {}
                    }
                    if shape.keys.len() < MAX_NAMED_KEYS {
                        shape.keys.push(key.chars().take(40).collect());
                    }
                }
                Ok(shape)
            }
            any_scalar_or_list!(Shape, Shape::default());
            fn visit_str<E>(self, _: &str) -> Result<Shape, E> {
                Ok(Shape::default())
            }
        }
        deserializer.deserialize_any(Record)
    }
}

/// What kind of thing a value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Map,
    Text,
    Other,
}

impl<'de> Deserialize<'de> for Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Value;
        impl<'de> Visitor<'de> for Value {
            type Value = Kind;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Kind, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Kind::Map)
            }
            any_scalar_or_list!(Kind, Kind::Other);
            fn visit_str<E>(self, _: &str) -> Result<Kind, E> {
                Ok(Kind::Text)
            }
        }
        deserializer.deserialize_any(Value)
    }
}

/// A record of the nested layout, as far as it is used.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Nested<'a> {
    #[serde(borrow)]
    continent: Continent<'a>,
    #[serde(borrow)]
    country: CountryPart<'a>,
    #[serde(borrow)]
    registered_country: CountryPart<'a>,
    #[serde(borrow, deserialize_with = "first")]
    subdivisions: Subdivision<'a>,
    #[serde(borrow)]
    city: Named<'a>,
    #[serde(borrow)]
    location: Location<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Continent<'a> {
    code: Option<&'a str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct CountryPart<'a> {
    iso_code: Option<&'a str>,
    is_in_european_union: Option<bool>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Subdivision<'a> {
    iso_code: Option<&'a str>,
    #[serde(borrow)]
    names: Names<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Named<'a> {
    #[serde(borrow)]
    names: Names<'a>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Names<'a> {
    en: Option<&'a str>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Location<'a> {
    time_zone: Option<&'a str>,
}

/// A record of the flat layout, as far as it is used.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Flat<'a> {
    country_code: Option<&'a str>,
    state1: Option<&'a str>,
    city: Option<&'a str>,
    timezone: Option<&'a str>,
}

/// The first of a list, the largest of an address's subdivisions; the rest is only skipped.
fn first<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Subdivision<'de>, D::Error> {
    struct First;
    impl<'de> Visitor<'de> for First {
        type Value = Subdivision<'de>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list of subdivisions")
        }
        fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
            let first = list.next_element()?.unwrap_or_default();
            while list.next_element::<IgnoredAny>()?.is_some() {}
            Ok(first)
        }
    }
    deserializer.deserialize_seq(First)
}

impl From<Nested<'_>> for Place {
    fn from(record: Nested<'_>) -> Self {
        // GeoIP2 leaves `country` out for addresses used in many; the one where the network is
        // registered is then the best that is known.
        let country = [&record.country, &record.registered_country]
            .into_iter()
            .find(|country| country.iso_code.is_some_and(countries::is_country));
        let mut place = in_country(country.and_then(|country| country.iso_code));
        let code = record.continent.code;
        if let Some((code, _)) =
            countries::CONTINENTS.iter().find(|(known, _)| Some(*known) == code)
        {
            place.continent = Some(Arc::from(*code));
        }
        if country.is_some_and(|country| country.is_in_european_union == Some(true)) {
            place.in_eu = Some(true);
        }
        place.region_code = match (&place.country, text(record.subdivisions.iso_code)) {
            (Some(country), Some(region)) => Some(format!("{country}-{region}").into()),
            _ => None,
        };
        place.region_name = text(record.subdivisions.names.en);
        place.city = text(record.city.names.en);
        place.time_zone = zone(record.location.time_zone);
        place
    }
}

impl From<Flat<'_>> for Place {
    fn from(record: Flat<'_>) -> Self {
        Self {
            region_name: text(record.state1),
            city: text(record.city),
            time_zone: zone(record.timezone),
            ..in_country(record.country_code)
        }
    }
}

/// What follows from a country's code; nothing from one that is not of ISO 3166-1, such as the
/// `ZZ` and `EU` of some databases.
fn in_country(code: Option<&str>) -> Place {
    let country = code.and_then(countries::find);
    Place {
        continent: country.map(|country| Arc::from(country.continent)),
        country: country.map(|country| Arc::from(country.code)),
        in_eu: country.and_then(|country| countries::in_eu(country.code)),
        ..Place::default()
    }
}

/// A text that says something and is not too long to be a name.
fn text(value: Option<&str>) -> Option<Arc<str>> {
    let value = value?.trim();
    (!value.is_empty() && value.len() <= MAX_TEXT_BYTES).then(|| value.into())
}

fn zone(name: Option<&str>) -> Option<chrono_tz::Tz> {
    name?.parse().ok()
}
