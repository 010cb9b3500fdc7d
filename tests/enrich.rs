//! Places and devices as a service with the committed data tells them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::pedantic,
    missing_docs,
    reason = "a test may fail by panicking, and need not be polished"
)]

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use koekake::domain::visit::{BROWSERS, Device, DeviceKind, OPERATING_SYSTEMS};
use koekake::enrich::device::{ClientHints, Devices};
use koekake::enrich::geoip::{GeoIp, Granularity, LookupResult, open_path};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// Country, region code, region name, city, zone.
fn told(geoip: &GeoIp, address: &str) -> Vec<Option<String>> {
    let (place, _) = geoip.lookup(ip(address));
    let text = |value: &Option<std::sync::Arc<str>>| value.as_deref().map(str::to_owned);
    vec![
        text(&place.country),
        text(&place.region_code),
        text(&place.region_name),
        text(&place.city),
        place.time_zone.map(|zone| zone.name().to_owned()),
    ]
}

fn files(folder: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(here(folder)).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(path.to_str().unwrap()));
        } else if path.extension().is_some_and(|extension| extension == "mmdb") {
            found.push(path);
        }
    }
    found.sort();
    found
}

#[test]
fn the_default_database_tells_countries_of_both_families() {
    let opened = open_path(&here("geoip"));
    assert!(opened.errors.is_empty(), "{:?}", opened.errors);
    let geoip = opened.geoip.expect("the committed database");
    for (address, country, continent, in_eu) in [
        ("126.0.0.1", "JP", "AS", false),
        ("91.0.0.1", "DE", "EU", true),
        ("8.8.8.8", "US", "NA", false),
        ("81.2.69.160", "GB", "EU", false),
        ("2001:200::1", "JP", "AS", false),
        ("2a00:1450:4001::1", "DE", "EU", true),
        ("::ffff:8.8.8.8", "US", "NA", false),
    ] {
        let (place, result) = geoip.lookup(ip(address));
        assert_eq!(result, LookupResult::Found, "{address}");
        assert_eq!(place.country.as_deref(), Some(country), "{address}");
        assert_eq!(place.continent.as_deref(), Some(continent), "{address}");
        assert_eq!(place.in_eu, Some(in_eu), "{address}");
    }
    assert_eq!(geoip.lookup(ip("10.0.0.1")).1, LookupResult::NotFound);
    assert_eq!(geoip.knows().granularity(), Granularity::Country);
    assert!(!geoip.knows().time_zone);
    assert_eq!(
        geoip.description(),
        "dbip-country.mmdb: down to the country, IPv4 and IPv6, flat layout, built 2026-06-01"
    );
}

#[test]
fn a_city_database_tells_all_there_is() {
    let geoip = GeoIp::open(&here("tests/data/maxmind/test-data/GeoLite2-City-Test.mmdb")).unwrap();
    let boxford = ["GB", "GB-ENG", "England", "Boxford", "Europe/London"];
    assert_eq!(told(&geoip, "2.125.160.216"), boxford.map(|text| Some(text.to_owned())));
    assert_eq!(told(&geoip, "81.2.69.160").get(3), Some(&Some("London".to_owned())));
    assert_eq!(geoip.knows().granularity(), Granularity::City);
    assert!(geoip.knows().region_code && geoip.knows().time_zone);
    let (sweden, _) = geoip.lookup(ip("89.160.20.128"));
    assert_eq!((sweden.country.as_deref(), sweden.in_eu), (Some("SE"), Some(true)));
}

/// A flat database in which every address is in one country, its tree made of these nodes.
fn flat_database(ip_version: u8, country: &str, nodes: &[[u8; 2]]) -> Vec<u8> {
    let text = |text: &str| [&[0x40 | text.len() as u8], text.as_bytes()].concat();
    let short = |value: u8| vec![0xa1, value];
    let mut bytes: Vec<u8> = nodes.iter().flatten().flat_map(|record| [0, 0, *record]).collect();
    bytes.extend([0; 16]);
    bytes.extend([vec![0xe1], text("country_code"), text(country)].concat());
    bytes.extend(b"\xab\xcd\xefMaxMind.com\xe9");
    for (key, value) in [
        ("binary_format_major_version", short(2)),
        ("binary_format_minor_version", short(0)),
        ("build_epoch", vec![0x01, 0x02, 0x00]),
        ("database_type", text("made by hand")),
        ("description", vec![0xe0]),
        ("ip_version", short(ip_version)),
        ("languages", vec![0x00, 0x04]),
        ("node_count", vec![0xc1, nodes.len() as u8]),
        ("record_size", short(24)),
    ] {
        bytes.extend(text(key));
        bytes.extend(value);
    }
    bytes
}

/// An IPv6 look-up in an IPv4-only file is an error to its reader; to us it is only not found.
#[test]
fn an_ipv4_only_database_knows_no_ipv6() {
    let geoip = GeoIp::from_bytes("v4.mmdb", flat_database(4, "JP", &[[17, 17]])).unwrap();
    assert_eq!(geoip.lookup(ip("203.0.113.9")).0.country.as_deref(), Some("JP"));
    assert_eq!(geoip.lookup(ip("::ffff:203.0.113.9")).1, LookupResult::Found);
    assert_eq!(geoip.lookup(ip("2001:db8::1")).1, LookupResult::NotFound);
    assert!(geoip.description().contains("IPv4 only"));
}

/// 2^96 paths lead to one node and from there back: no walk may try them all.
#[test]
fn a_tree_that_leads_back_into_itself_is_no_trap() {
    let mut nodes: Vec<[u8; 2]> = (0..100).map(|n| [n + 1, n + 1]).collect();
    nodes.push([0, 0]);
    for ip_version in [4, 6] {
        let trap = GeoIp::from_bytes("trap.mmdb", flat_database(ip_version, "JP", &nodes));
        assert!(trap.unwrap_err().to_string().contains("cycle"));
    }
    let alias_bomb: Vec<[u8; 2]> =
        (0..96).map(|n| [n + 1, n + 1]).chain([[97 + 16, 97 + 16]]).collect();
    let geoip = GeoIp::from_bytes("bomb.mmdb", flat_database(6, "JP", &alias_bomb)).unwrap();
    assert_eq!(geoip.lookup(ip("203.0.113.9")).1, LookupResult::Found);
}

#[test]
fn a_code_that_is_no_country_is_missing() {
    let error = GeoIp::from_bytes("zz.mmdb", flat_database(4, "ZZ", &[[17, 17]])).unwrap_err();
    assert!(error.to_string().contains("tells no places: its records hold no country"), "{error}");
}

#[test]
fn what_tells_no_places_is_refused_with_what_was_found() {
    for (file, found) in [
        ("GeoLite2-ASN-Test", "autonomous_system_number, autonomous_system_organization"),
        ("GeoIP2-Anonymous-IP-Test", "is_anonymous"),
        ("GeoIP2-Domain-Test", "domain"),
        ("GeoIP2-Connection-Type-Test", "connection_type"),
        ("MaxMind-DB-string-value-entries", "no country"),
    ] {
        let path = here(&format!("tests/data/maxmind/test-data/{file}.mmdb"));
        let message = GeoIp::open(&path).unwrap_err().to_string();
        for part in [file, "tells no places", found, "country.iso_code", "country_code"] {
            assert!(message.contains(part), "{message}");
        }
    }
}

/// Every file of the format's own collection, sound and corrupt: a working database or an error,
/// and from a working one an answer to every address.
#[test]
fn no_file_of_the_formats_test_data_does_harm() {
    let mut outcome = Vec::new();
    for path in files("tests/data/maxmind") {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match GeoIp::open(&path) {
            Ok(geoip) => {
                for n in 0..20_000_u32 {
                    let _ = geoip.lookup(n.wrapping_mul(0x9E37_79B9).to_be_bytes().into());
                    let v6 = u128::from(n).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835);
                    let _ = geoip.lookup(v6.to_be_bytes().into());
                }
                outcome.push((name, "works".to_owned()));
            }
            Err(error) => outcome.push((name, error.to_string())),
        }
    }
    let works: Vec<&str> = outcome
        .iter()
        .filter(|(_, outcome)| outcome == "works")
        .map(|(name, _)| name.as_str())
        .collect();
    let of = |edition: &str| format!("{edition}-Test.mmdb");
    let expected = [
        "GeoIP2-City-Shield",
        "GeoIP2-City",
        "GeoIP2-Country-Shield",
        "GeoIP2-Country",
        "GeoIP2-Enterprise-Shield",
        "GeoIP2-Enterprise",
        "GeoIP2-Precision-Enterprise-Shield",
        "GeoIP2-Precision-Enterprise",
        "GeoLite2-City",
        "GeoLite2-Country",
    ]
    .map(of);
    assert_eq!(works, expected);
    assert_eq!(outcome.len(), 61);
}

/// Whatever is wrong with a file, it is refused or works: bytes are flipped and cut off at random.
#[test]
fn a_damaged_copy_never_panics_or_hangs() {
    let whole =
        std::fs::read(here("tests/data/maxmind/test-data/GeoLite2-City-Test.mmdb")).unwrap();
    let mut state = 0x2545_F491_4F6C_DD1D_u64;
    let mut random = |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state >> 16).unwrap() % below
    };
    let mut refused = 0;
    for round in 0..300 {
        let mut bytes = whole.clone();
        if round % 5 == 0 {
            bytes.truncate(random(whole.len()));
        }
        for _ in 0..1 + random(40) {
            if !bytes.is_empty() {
                let at = random(bytes.len());
                bytes[at] = u8::try_from(random(256)).unwrap();
            }
        }
        match GeoIp::from_bytes("damaged.mmdb", bytes) {
            Ok(geoip) => {
                for address in ["2.125.160.216", "81.2.69.160", "2001:218::1", "89.160.20.128"] {
                    let _ = geoip.lookup(ip(address));
                }
            }
            Err(_) => refused += 1,
        }
    }
    assert!(refused > 30, "{refused}");
}

#[test]
fn a_folder_gives_the_finest_then_the_newest_for_each_family() {
    let folder = std::env::temp_dir().join(format!("koekake-geoip-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let put = |from: &str, to: &str| std::fs::copy(here(from), folder.join(to)).unwrap();
    let none = open_path(&folder);
    assert!(none.geoip.is_none() && none.errors.is_empty() && none.notes.len() == 1);

    put("geoip/dbip-country.mmdb", "a.mmdb");
    put("tests/data/maxmind/test-data/GeoLite2-City-Test.mmdb", "b.mmdb");
    put("tests/data/maxmind/test-data/GeoLite2-ASN-Test.mmdb", "c.mmdb");
    std::fs::write(folder.join("d.mmdb"), b"half a download").unwrap();
    let opened = open_path(&folder);
    std::fs::remove_dir_all(&folder).unwrap();
    let geoip = opened.geoip.unwrap();
    assert_eq!(geoip.knows().granularity(), Granularity::City);
    assert!(opened.notes[0].starts_with("b.mmdb: down to the city"), "{:?}", opened.notes);
    assert_eq!(opened.notes[1], "a.mmdb is not used: finer or newer ones are");
    let errors: Vec<String> = opened.errors.iter().map(ToString::to_string).collect();
    assert!(errors[0].starts_with("c.mmdb (it calls itself `GeoLite2-ASN`) tells no places"));
    assert!(errors[1].starts_with("d.mmdb is damaged, or no .mmdb file"), "{errors:?}");

    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("4.mmdb"), flat_database(4, "JP", &[[17, 17]])).unwrap();
    std::fs::write(folder.join("6.mmdb"), flat_database(6, "DE", &[[1, 17]])).unwrap();
    let pair = open_path(&folder);
    std::fs::remove_dir_all(&folder).unwrap();
    let pair = pair.geoip.unwrap_or_else(|| panic!("{:?}", pair.errors));
    assert_eq!(pair.lookup(ip("203.0.113.9")).0.country.as_deref(), Some("JP"));
    assert_eq!(pair.lookup(ip("8001:db8::1")).0.country.as_deref(), Some("DE"));

    let missing = open_path(&folder);
    assert!(missing.geoip.is_none() && missing.errors.is_empty() && missing.notes.len() == 1);
}

fn user_agents(file: &str) -> String {
    std::fs::read_to_string(here(&format!("tests/data/user_agents/{file}"))).unwrap()
}

fn device(devices: &Devices, user_agent: &str) -> Device {
    devices.device(Some(user_agent), &ClientHints::default())
}

#[test]
fn recent_visitors_are_people_at_the_right_kind_of_device() {
    let devices = Devices::default();
    let mut visits = 0;
    for line in user_agents("browsers.tsv").lines() {
        let [count, category, user_agent] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        visits += count.parse::<u32>().unwrap();
        let device = device(&devices, user_agent);
        let wanted = match category {
            "mobile" => DeviceKind::Smartphone,
            "tablet" => DeviceKind::Tablet,
            _ => DeviceKind::Desktop,
        };
        assert!(!device.is_bot, "{user_agent}");
        assert_eq!(device.kind, wanted, "{user_agent}");
        assert!(OPERATING_SYSTEMS.contains(&device.os.unwrap()), "{device:?}");
        assert!(BROWSERS.contains(&device.browser.unwrap()), "{device:?}");
    }
    assert_eq!(visits, 10_000);
}

#[test]
fn rarer_browsers_are_people_too_and_told_apart() {
    let devices = Devices::default();
    for line in user_agents("people.tsv").lines() {
        let [kind, os, browser, user_agent] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("{line}")
        };
        let device = device(&devices, user_agent);
        let told = (device.kind.as_str(), device.os, device.browser, device.is_bot);
        assert_eq!(told, (kind, Some(os), Some(browser), false), "{user_agent}");
    }
}

#[test]
fn bots_are_caught() {
    let devices = Devices::default();
    for (file, at_least) in [("crawlers.txt", 0.99), ("bots.txt", 0.99)] {
        let text = user_agents(file);
        let missed: Vec<&str> =
            text.lines().filter(|line| !device(&devices, line).is_bot).collect();
        let all = text.lines().count();
        let caught = 1.0 - missed.len() as f64 / all as f64;
        assert!(all > 500 && caught >= at_least, "{file}: {caught}, {missed:#?}");
    }
    for nobody in [None, Some(""), Some("-"), Some("Mozilla/5.0"), Some("curl/8.14.1")] {
        assert!(devices.device(nobody, &ClientHints::default()).is_bot, "{nobody:?}");
    }
    let endless = format!("Mozilla/5.0 (X11; Linux) Gecko/1 Firefox/1 {}", "é".repeat(100_000));
    assert!(device(&devices, &endless).is_bot);
}

#[test]
fn client_hints_put_right_what_a_user_agent_hides() {
    let devices = Devices::default();
    let chrome = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/154.0.0.0 Safari/537.36";
    let told = |user_agent: &str, hints: ClientHints<'_>| {
        let device = devices.device(Some(user_agent), &hints);
        (device.kind, device.os.unwrap_or("-"), device.browser.unwrap_or("-"), device.is_bot)
    };
    let vivaldi = "\"Chromium\";v=\"154\", \"Vivaldi\";v=\"7.9\", \"Not.A/Brand\";v=\"8\"";
    assert_eq!(
        told(chrome, ClientHints::from_headers(Some(vivaldi), Some("?0"), Some("\"Windows\""))),
        (DeviceKind::Desktop, "Windows", "Vivaldi", false)
    );
    let headless = "\"HeadlessChrome\";v=\"154\", \"Chromium\";v=\"154\"";
    assert!(told(chrome, ClientHints::from_headers(Some(headless), None, None)).3);

    let mac = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.6 Safari/605.1.15";
    let touching = |points| ClientHints { touch_points: Some(points), ..ClientHints::default() };
    assert_eq!(told(mac, touching(5)), (DeviceKind::Tablet, "iOS", "Safari", false));
    assert_eq!(told(mac, touching(0)), (DeviceKind::Desktop, "macOS", "Safari", false));

    let desktop_page = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/154.0.0.0 Safari/537.36";
    let android = |mobile| ClientHints::from_headers(None, Some(mobile), Some("\"Android\""));
    assert_eq!(told(desktop_page, android("?1")).0, DeviceKind::Smartphone);
    assert_eq!(told(desktop_page, android("?0")).0, DeviceKind::Tablet);
    assert_eq!(told(desktop_page, android("?0")).1, "Android");
}
