//! Rules that change while it runs, in all the ways in which people and programs write files.

use std::fs;
use std::path::Path;
use std::time::Duration;

use koekake::domain::time::Millis;
use koekake::reload::watch::Watch;
use serde_json::{Value, json};

use crate::service::{Service, Setup, call, id, page, reason, rule, rules, shop, until};

/// A file of one rule that says that.
fn saying(text: &str) -> String {
    format!("rules:\n  - {{ id: hello, prompt: {{ message: {text} }} }}\n")
}

/// What a new visitor is told.
fn said(service: &Service) -> String {
    let number = service.metric("koekake_sessions_started_total", &[]);
    let answer = service.ask(&format!("session {number}"), page("/"));
    answer["prompt"]["message"].as_str().unwrap_or_default().to_owned()
}

fn is_live(service: &Service, text: &str) {
    until(text, || said(service) == text);
}

fn results(service: &Service, result: &str) -> f64 {
    service.metric("koekake_rules_reloads_total", &[("site", "shop"), ("result", result)])
}

fn is_refused(service: &Service) {
    until("a refusal", || {
        service.metric("koekake_rules_last_reload_successful", &[("site", "shop")]) == 0.0
    });
}

fn file(service: &Service) -> std::path::PathBuf {
    service.folder.path("rules/shop/rules.yaml")
}

#[test]
fn pain_11_an_edited_rule_takes_effect_without_anybody_asking() {
    let service = shop("", &saying("before")).admin().start();
    assert_eq!(said(&service), "before");
    let version = service.standing("shop")["version"].clone();
    fs::write(file(&service), saying("after")).unwrap();
    is_live(&service, "after");
    let now = service.standing("shop");
    assert_ne!(now["version"], version);
    assert_eq!(service.ask("z", page("/"))["rules_version"], now["version"]);
    assert_eq!(results(&service, "accepted"), 2.0);
}

#[test]
fn editors_save_in_many_ways() {
    let service = shop("", &saying("start")).start();
    let path = file(&service);
    let folder = path.parent().unwrap();
    // Another file is put in its place.
    fs::write(folder.join(".rules.yaml.swp"), saying("renamed")).unwrap();
    fs::rename(folder.join(".rules.yaml.swp"), &path).unwrap();
    is_live(&service, "renamed");
    // The old one is set aside first.
    fs::rename(&path, folder.join("rules.yaml~")).unwrap();
    fs::write(&path, saying("set-aside")).unwrap();
    is_live(&service, "set-aside");
    // It is deleted and written anew.
    fs::remove_file(&path).unwrap();
    fs::write(&path, saying("anew")).unwrap();
    is_live(&service, "anew");
    // It comes from another folder.
    let elsewhere = service.folder.write("elsewhere.yaml", &saying("moved-in"));
    fs::rename(elsewhere, &path).unwrap();
    is_live(&service, "moved-in");
}

#[cfg(unix)]
#[test]
fn a_config_map_is_swapped_as_kubernetes_does_it() {
    use std::os::unix::fs::symlink;
    let site = "name: Shop\norigins: [\"https://shop.example\"]\n";
    let put = |root: &Path, version: &str, text: &str| {
        let folder = root.join(format!("..{version}"));
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("site.yaml"), site).unwrap();
        fs::write(folder.join("rules.yaml"), saying(text)).unwrap();
        symlink(format!("..{version}"), root.join("..data_tmp")).unwrap();
        fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
    };
    let setup = Setup::new().file("rules/README", "mounted below");
    let root = setup.folder().path("rules/shop");
    put(&root, "v1", "one");
    for name in ["site.yaml", "rules.yaml"] {
        symlink(format!("..data/{name}"), root.join(name)).unwrap();
    }
    let service = setup.start();
    assert_eq!(said(&service), "one");
    put(&root, "v2", "two");
    fs::remove_dir_all(root.join("..v1")).unwrap();
    is_live(&service, "two");
    put(&root, "v3", "three");
    is_live(&service, "three");
}

#[cfg(unix)]
#[test]
fn a_folder_that_is_a_link_to_a_release_keeps_its_name() {
    use std::os::unix::fs::symlink;
    let site = "name: Shop\norigins: [\"https://shop.example\"]\n";
    let mut setup = Setup::new().file("rules/README", "linked below");
    for (release, text) in [("v12", "twelve"), ("v13", "thirteen")] {
        setup = setup.file(&format!("releases/{release}/site.yaml"), site);
        setup = setup.file(&format!("releases/{release}/rules.yaml"), &saying(text));
    }
    let link = setup.folder().path("rules/shop");
    symlink(setup.folder().path("releases/v12"), &link).unwrap();
    let service = setup.admin().start();
    assert_eq!(said(&service), "twelve");
    symlink(service.folder.path("releases/v13"), link.with_extension("next")).unwrap();
    fs::rename(link.with_extension("next"), &link).unwrap();
    is_live(&service, "thirteen");
    // A link that leads nowhere is no site that was taken out.
    fs::rename(service.folder.path("releases"), service.folder.path("away")).unwrap();
    service.operate("POST", "/v1/rules/reload");
    assert_eq!(said(&service), "thirteen");
    assert_eq!(service.standing("shop")["rejected"]["current"], true);
}

#[test]
fn a_file_cut_short_leaves_the_rules_before_and_the_whole_one_comes_into_use() {
    let service = shop("", &saying("before")).start();
    let whole = saying("after");
    fs::write(file(&service), &whole[..whole.len() - 6]).unwrap();
    is_refused(&service);
    assert_eq!(said(&service), "before");
    fs::write(file(&service), &whole).unwrap();
    is_live(&service, "after");
    assert_eq!(service.metric("koekake_rules_last_reload_successful", &[("site", "shop")]), 1.0);
}

/// Writes twenty rules in parts, each of which leaves a sound file: whether it was ever seen
/// with some of them. `None` where this machine stood still for so long that it proves nothing.
fn is_seen_in_parts(service: &Service) -> Option<bool> {
    use std::io::Write;
    let mut seen = Vec::new();
    let mut file = fs::File::create(file(service)).unwrap();
    let mut written = std::time::Instant::now();
    file.write_all(b"rules:\n").unwrap();
    for number in 0..20 {
        std::thread::sleep(Duration::from_millis(20));
        file.write_all(rule(&format!("r{number}"), "").as_bytes()).unwrap();
        if written.elapsed() > Duration::from_millis(150) {
            return None;
        }
        written = std::time::Instant::now();
        seen.push(service.metric("koekake_rules_loaded", &[("site", "shop")]));
    }
    until("all twenty", || service.metric("koekake_rules_loaded", &[("site", "shop")]) == 20.0);
    Some(seen.iter().any(|loaded| *loaded != 1.0))
}

#[test]
fn a_file_that_is_still_being_written_is_waited_for() {
    for _ in 0..10 {
        let service = shop("", &saying("before")).start();
        if let Some(is_seen) = is_seen_in_parts(&service) {
            assert!(!is_seen, "some of its rules were in use");
            return;
        }
    }
}

#[test]
fn a_file_deleted_and_restored_is_as_before() {
    let service = shop("", &saying("before")).admin().start();
    let before = service.standing("shop");
    let path = service.folder.path("rules/shop/site.yaml");
    let text = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    is_refused(&service);
    assert_eq!(said(&service), "before");
    service.wait(Millis::hours(1));
    fs::write(&path, text).unwrap();
    until("it loads", || service.standing("shop")["rejected"]["current"] == false);
    let after = service.standing("shop");
    assert_eq!((&after["version"], &after["since"]), (&before["version"], &before["since"]));
    let findings = after["rejected"]["findings"].as_array().unwrap();
    assert_eq!(findings[0]["code"], "no-site-file", "what was wrong can still be seen");
}

#[test]
fn ten_files_saved_at_once_come_into_use_at_once() {
    let service = shop("", &saying("before")).start();
    for number in 0..10 {
        let text = rules([rule(&format!("r{number}"), "priority: 1")]);
        service.folder.write(&format!("rules/shop/r{number}.yaml"), &text);
    }
    let loaded = || service.metric("koekake_rules_loaded", &[("site", "shop")]);
    until("eleven rules", || {
        let now = loaded();
        assert!(now == 1.0 || now == 11.0, "{now} rules: some of what was saved");
        now == 11.0
    });
    assert_eq!(results(&service, "accepted"), 2.0);
}

#[test]
fn sites_come_and_go() {
    let service = shop("", &saying("shop")).admin().start();
    let mut body = call("a", page("/"));
    body["site"] = "second".into();
    assert_eq!(service.post(&body, &[]).status, 404);
    let site = "name: Second\norigins: [\"https://second.example\", \"https://shop.example\"]\n";
    service.folder.write("rules/second/site.yaml", site);
    service.folder.write("rules/second/rules.yaml", &saying("second"));
    until("the second site", || service.post(&body, &[]).status == 200);
    let started = || service.metric("koekake_sessions_started_total", &[("site", "second")]);
    until("its series", || started() >= 1.0);

    // Moved away, it is gone; back again, its visitors are known.
    let (here, away) = (service.folder.path("rules/second"), service.folder.path("away"));
    fs::rename(&here, &away).unwrap();
    until("no second site", || service.post(&body, &[]).status == 404);
    assert_eq!(service.standing("second"), Value::Null);
    let text = service.send("GET", "/metrics", &[], b"").text().to_owned();
    assert!(!text.contains("\"second\""), "its series are gone");
    fs::rename(&away, &here).unwrap();
    until("the second site again", || service.post(&body, &[]).status == 200);
    assert_eq!(reason(&service.post(&body, &[]).json()), "already_prompted");
    assert_eq!(said(&service), "shop");
}

#[test]
fn a_disk_that_goes_away_takes_nothing_out_of_use() {
    let service = shop("", &saying("before")).site("other", "", &saying("other")).admin().start();
    let (rules, away) = (service.folder.path("rules"), service.folder.path("away"));
    for is_left_empty in [false, true] {
        fs::rename(&rules, &away).unwrap();
        if is_left_empty {
            fs::create_dir(&rules).unwrap();
        }
        is_refused(&service);
        assert_eq!(said(&service), "before");
        let all = service.operate("GET", "/v1/rules");
        assert!(all["problem"].as_str().unwrap().contains("rules"), "{all}");
        let answer = service.operate("POST", "/v1/rules/reload");
        assert_eq!((&answer["ok"], &answer["changed"]), (&json!(false), &json!(false)), "{answer}");
        let note = &service.standing("other")["rejected"]["notes"][0];
        assert_eq!(*note, all["problem"]);
        if is_left_empty {
            fs::remove_dir(&rules).unwrap();
        }
        fs::rename(&away, &rules).unwrap();
        until("all is well", || service.metric("koekake_rules_last_reload_successful", &[]) == 2.0);
        assert_eq!(service.operate("GET", "/v1/rules")["problem"], Value::Null);
    }
    fs::write(file(&service), saying("after")).unwrap();
    is_live(&service, "after");
}

#[test]
fn a_disk_that_tells_nothing_is_looked_at() {
    let watch = Watch { has_events: false, poll: Duration::from_millis(20) };
    let service = shop("", &saying("before")).watch(watch).start();
    fs::write(file(&service), saying("after")).unwrap();
    is_live(&service, "after");
    fs::write(file(&service), "rules: [").unwrap();
    is_refused(&service);
    fs::write(file(&service), saying("at-last")).unwrap();
    is_live(&service, "at-last");
}

#[test]
fn files_that_are_touched_and_say_the_same_are_no_reload() {
    let watch = Watch { has_events: false, poll: Duration::from_millis(5) };
    let service = shop("", &saying("same")).admin().watch(watch).start();
    fs::write(file(&service), saying("same")).unwrap();
    let answer = service.operate("POST", "/v1/rules/reload");
    assert_eq!((&answer["ok"], &answer["changed"]), (&json!(true), &json!(false)), "{answer}");
    assert_eq!(answer["sites"][0]["outcome"], "unchanged");
    assert_eq!(results(&service, "accepted"), 1.0);
}

#[test]
fn what_is_counted_and_remembered_of_a_rule_that_stays_goes_on() {
    let two = |text: &str| {
        format!(
            "rules:\n  - id: stays\n    priority: 2\n    limits: {{ per_hour: 2 }}\n    when: [ {{ page.path: /stays }} ]\n    \
             variants:\n      - {{ id: a, weight: 1, prompt: {{ message: a {text} }} }}\n      \
             - {{ id: b, weight: 1, prompt: {{ message: b {text} }} }}\n"
        )
    };
    let goes = rule("goes", "when: [ { page.path: /goes } ]");
    let caps = "caps: { cooldown: 24h }";
    let service = shop(caps, &(two("before") + &goes)).admin().start();
    let ask = |session: &str, visitor: &str| {
        let mut more = page("/stays");
        more["visitor_id"] = id(visitor).into();
        service.ask(session, more)
    };
    let first = ask("one", "aiko");
    assert_eq!(service.view("two", "/goes"), "rule_matched");
    let stays = [("site", "shop"), ("rule", "stays"), ("stage", "offered")];
    let goes = [("rule", "goes")];
    assert_eq!(service.metric("koekake_prompts_total", &stays), 1.0);
    assert_eq!(service.metric("koekake_prompts_total", &goes), 1.0);

    fs::write(file(&service), two("after")).unwrap();
    let answer = service.operate("POST", "/v1/rules/reload");
    assert_eq!(
        answer["sites"][0]["rules"],
        json!({
            "added": [], "removed": ["goes"], "changed": ["stays"],
        })
    );
    // The series, the cooldown, the session's cap, the variant and the limit.
    assert_eq!(service.metric("koekake_prompts_total", &stays), 1.0);
    let text = service.send("GET", "/metrics", &[], b"").text().to_owned();
    assert!(!text.contains("\"goes\""), "the series of a rule that went are gone");
    assert_eq!(reason(&ask("one", "aiko")), "already_prompted");
    assert_eq!(reason(&ask("three", "aiko")), "cooldown");
    service.wait(Millis::hours(25));
    let again = ask("four", "aiko");
    assert_eq!(again["variant"], first["variant"]);
    assert!(again["prompt"]["message"].as_str().unwrap().ends_with("after"), "{again}");
    assert_eq!(reason(&ask("five", "b")), "rule_matched");
    fs::write(file(&service), two("at-last")).unwrap();
    service.operate("POST", "/v1/rules/reload");
    assert_eq!(reason(&ask("six", "c")), "no_match", "two in this hour, whatever was reloaded");
    assert_eq!(service.metric("koekake_prompts_total", &stays), 3.0);
}
