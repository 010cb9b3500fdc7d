//! A restart with what is broken: the last good rules and places are there again, from their copies.

use std::fs;

use koekake::config::Setting;
use serde_json::{Value, json};

use crate::service::{Setup, page, root, rule, rules, shop, until};

fn saying(text: &str) -> String {
    rules([format!("  - {{ id: hello, prompt: {{ message: {text} }} }}\n")])
}

#[test]
fn the_last_good_rules_survive_a_restart_with_broken_ones() {
    let service = shop("", &saying("first")).keeping().admin().start();
    service.folder.write("rules/shop/rules.yaml", &saying("good"));
    let good = service.operate("POST", "/v1/rules/reload")["sites"][0]["version"].clone();
    service.folder.write("rules/shop/rules.yaml", "rules: [");
    assert_eq!(service.operate("POST", "/v1/rules/reload")["ok"], false);
    let folder = service.stopped();

    let service = Setup::again(folder).keeping().admin().at("2026-11-21T10:00:00+09:00").start();
    assert_eq!(service.ask("a", page("/"))["prompt"]["message"], "good");
    let standing = service.standing("shop");
    assert_eq!((&standing["version"], &standing["from_copy"]), (&good, &json!(true)));
    assert_eq!(standing["since"], "2026-11-20T01:00:00+00:00", "since when, from the run before");
    assert!(standing["files"][0].as_str().unwrap().contains("last-good"), "{standing}");
    assert_eq!(standing["rejected"]["current"], true);
    assert_eq!(standing["rejected"]["at"], "2026-11-21T01:00:00+00:00");
    assert_eq!(service.metric("koekake_rules_loaded", &[("site", "shop")]), 1.0);
    assert_eq!(service.metric("koekake_rules_last_reload_successful", &[("site", "shop")]), 0.0);

    service.folder.write("rules/shop/rules.yaml", &saying("mended"));
    service.operate("POST", "/v1/rules/reload");
    assert_eq!(service.ask("b", page("/"))["prompt"]["message"], "mended");
    assert_eq!(service.standing("shop")["from_copy"], false);
}

#[test]
fn a_rules_folder_that_is_away_at_start_is_stood_in_for() {
    let service =
        shop("", &saying("shop")).site("other", "", &saying("other")).keeping().admin().start();
    until("both copies", || {
        ["shop", "other"].iter().all(|site| {
            service.folder.path(&format!("data/last-good/rules/{site}/current")).exists()
        })
    });
    let mut folder = service.stopped();
    for is_left_empty in [false, true] {
        fs::rename(folder.path("rules"), folder.path("away")).unwrap();
        if is_left_empty {
            fs::create_dir(folder.path("rules")).unwrap();
        }
        let service = Setup::again(folder).keeping().admin().start();
        assert_eq!(service.ask("a", page("/"))["prompt"]["message"], "shop");
        assert_eq!(service.standing("other")["from_copy"], true);
        assert_ne!(service.operate("GET", "/v1/rules")["problem"], Value::Null);
        let _ = fs::remove_dir(service.folder.path("rules"));
        fs::rename(service.folder.path("away"), service.folder.path("rules")).unwrap();
        service.operate("POST", "/v1/rules/reload");
        assert_eq!(service.standing("shop")["from_copy"], false);
        assert_eq!(service.operate("GET", "/v1/rules")["problem"], Value::Null);
        folder = service.stopped();
    }
    // A site that was taken out while it stood still does not come back.
    fs::remove_dir_all(folder.path("rules/other")).unwrap();
    let service = Setup::again(folder).keeping().admin().start();
    assert_eq!(service.standing("other"), Value::Null);
    assert!(!service.folder.path("data/last-good/rules/other").exists());
}

#[test]
fn without_a_data_folder_nothing_is_kept_and_one_that_cannot_be_written_hinders_nobody() {
    let service = shop("", &saying("first")).start();
    let folder = service.stopped();
    assert!(!folder.path("data").exists());
    fs::write(folder.path("rules/shop/rules.yaml"), "rules: [").unwrap();
    assert!(Setup::again(folder).try_start().is_err());

    let service = shop("", &saying("first")).file("data", "a file").keeping().admin().start();
    service.folder.write("rules/shop/rules.yaml", &saying("second"));
    assert_eq!(service.operate("POST", "/v1/rules/reload")["ok"], true);
    assert_eq!(service.ask("a", page("/"))["prompt"]["message"], "second");
}

#[test]
fn a_damaged_copy_is_not_used() {
    let service = shop("", &saying("first")).keeping().admin().start();
    let version = service.standing("shop")["version"].as_str().unwrap().to_owned();
    let folder = service.stopped();
    fs::write(folder.path("rules/shop/rules.yaml"), "rules: [").unwrap();
    let copy = folder.path(&format!("data/last-good/rules/shop/{version}/rules.yaml"));
    fs::write(copy, saying("tampered")).unwrap();
    assert!(Setup::again(folder).keeping().try_start().is_err());
}

#[test]
fn the_place_database_survives_a_restart_with_a_broken_one() {
    let london = rules([rule("hello", "when: [ { location.city: London } ]")]);
    let city =
        fs::read(root().join("tests/data/maxmind/test-data/GeoLite2-City-Test.mmdb")).unwrap();
    let setup = shop("", &london).keeping().toml("trusted_proxies = [\"127.0.0.1\"]");
    let places = setup.folder().path("places");
    fs::create_dir(&places).unwrap();
    fs::write(places.join("city.mmdb"), &city).unwrap();
    let places = places.display().to_string();
    let service = setup.flag(Setting::Geoip, &places).start();
    let forwarded = [("X-Forwarded-For", "81.2.69.160")];
    assert_eq!(service.ask_with("a", page("/"), &forwarded)["reason"], "rule_matched");
    let mut folder = service.stopped();

    for broken in [Some(&city[..city.len() / 2]), None] {
        let file = folder.path("places/city.mmdb");
        match broken {
            Some(half) => fs::write(&file, half).unwrap(),
            None => fs::remove_file(&file).unwrap(),
        }
        let service = Setup::again(folder)
            .keeping()
            .admin()
            .toml("trusted_proxies = [\"127.0.0.1\"]")
            .flag(Setting::Geoip, &places)
            .start();
        assert_eq!(service.ask_with("a", page("/"), &forwarded)["reason"], "rule_matched");
        let told = service.operate("GET", "/v1/rules")["places"].clone();
        assert_eq!(
            (&told["from_copy"], &told["rejected"]["current"]),
            (&json!(true), &json!(true))
        );
        assert_eq!(service.metric("koekake_geoip_last_reload_successful", &[]), 0.0);
        folder = service.stopped();
    }
    let service = Setup::again(folder).admin().flag(Setting::Geoip, &places).try_start();
    assert!(service.is_err(), "without the copy there is nothing to go on with");
}
