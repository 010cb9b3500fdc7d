//! Place databases that change while it runs, and damaged ones that do not come into use.

use std::fs;
use std::path::{Path, PathBuf};

use koekake::config::Setting;
use koekake::enrich::geoip::GeoIp;
use serde_json::{Value, json};

use crate::service::{Service, page, root, rule, rules, shop, until};

fn file(name: &str) -> Vec<u8> {
    fs::read(root().join("tests/data/maxmind").join(name)).unwrap()
}

const CITY: &str = "test-data/GeoLite2-City-Test.mmdb";
const COUNTRY: &str = "test-data/GeoLite2-Country-Test.mmdb";

/// A service whose one rule is for London, its database one file of a folder.
fn london() -> Service {
    let only = rules([rule("hello", "when: [ { location.city: London } ]")]);
    let setup = shop("", &only).admin().toml("trusted_proxies = [\"127.0.0.1\"]");
    let places = setup.folder().path("places");
    fs::create_dir(&places).unwrap();
    fs::write(places.join("places.mmdb"), file(CITY)).unwrap();
    setup.flag(Setting::Geoip, &places.display().to_string()).start()
}

fn database(service: &Service) -> PathBuf {
    service.folder.path("places/places.mmdb")
}

fn is_in_london(service: &Service, session: &str) -> bool {
    let forwarded = [("X-Forwarded-For", "81.2.69.160")];
    service.ask_with(session, page("/"), &forwarded)["reason"] == "rule_matched"
}

fn warnings(service: &Service) -> usize {
    service.standing("shop")["findings"].as_array().unwrap().len()
}

#[test]
fn another_database_comes_into_use_and_rules_are_looked_at_again() {
    let service = london();
    assert!(is_in_london(&service, "a"));
    assert_eq!(warnings(&service), 0);
    let next = service.folder.path("next");
    fs::write(&next, file(COUNTRY)).unwrap();
    fs::rename(&next, database(&service)).unwrap();
    until("countries alone", || warnings(&service) == 1);
    assert!(!is_in_london(&service, "b"));
    let finding = &service.standing("shop")["findings"][0];
    assert_eq!(finding["code"], "place-not-known");
    fs::write(database(&service), file(CITY)).unwrap();
    until("cities again", || is_in_london(&service, "c"));
    assert_eq!(warnings(&service), 0);
    let accepted = [("result", "accepted")];
    assert_eq!(service.metric("koekake_geoip_reloads_total", &accepted), 3.0);
}

fn all_below(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all_below(&path, files);
        } else if path.extension().is_none_or(|extension| extension != "md") {
            files.push(path);
        }
    }
}

#[test]
fn of_damaged_and_foreign_databases_none_comes_into_use() {
    let service = london();
    let mut bad = Vec::new();
    all_below(&root().join("tests/data/maxmind/bad-data"), &mut bad);
    assert_eq!(bad.len(), 21);
    all_below(&root().join("tests/data/maxmind/test-data"), &mut bad);
    assert!(bad.len() > 55, "{}", bad.len());
    let mut refused = 0;
    for (number, path) in bad.iter().enumerate() {
        fs::write(database(&service), fs::read(path).unwrap()).unwrap();
        let places = service.operate("POST", "/v1/rules/reload")["places"].clone();
        let name = path.display();
        // Whatever the file is, look-ups go on.
        let is_there = is_in_london(&service, &format!("s{number}"));
        match GeoIp::open(path) {
            Ok(_) => assert_ne!(places["outcome"], "rejected", "{name}: {places}"),
            Err(error) => {
                refused += 1;
                assert_eq!(places["outcome"], "rejected", "{name}: {places}");
                let wanted = error.to_string();
                let own = path.file_name().unwrap().to_str().unwrap();
                let told = places["errors"][0].as_str().unwrap();
                assert_eq!(told.replace("places.mmdb", own), wanted, "{name}");
                assert!(is_there, "{name}: the one before stays");
            }
        }
        // And the good one again.
        fs::write(database(&service), file(CITY)).unwrap();
        let places = service.operate("POST", "/v1/rules/reload")["places"].clone();
        assert_ne!(places["outcome"], "rejected", "{name}: {places}");
        assert!(is_in_london(&service, &format!("t{number}")), "{name}");
    }
    assert!(refused >= 21, "{refused}");
}

#[test]
fn a_folder_without_databases_leaves_the_one_in_use() {
    let service = london();
    fs::remove_file(database(&service)).unwrap();
    let answer = service.operate("POST", "/v1/rules/reload");
    assert_eq!((&answer["ok"], &answer["places"]["outcome"]), (&json!(false), &json!("rejected")));
    assert!(answer["places"]["errors"][0].as_str().unwrap().contains("--geoip none"), "{answer}");
    assert!(is_in_london(&service, "a"));
    fs::write(database(&service), file(CITY)).unwrap();
    let answer = service.operate("POST", "/v1/rules/reload");
    assert_eq!((&answer["ok"], &answer["places"]["outcome"]), (&json!(true), &json!("unchanged")));
    let told = service.operate("GET", "/v1/rules")["places"].clone();
    assert_eq!(told["rejected"]["current"], false);
    assert_ne!(told["database"], Value::Null);
    // Another file that is of no use hinders nobody.
    fs::write(service.folder.path("places/other.mmdb"), "none").unwrap();
    let answer = service.operate("POST", "/v1/rules/reload");
    assert_eq!((&answer["ok"], &answer["places"]["outcome"]), (&json!(true), &json!("unchanged")));
}
