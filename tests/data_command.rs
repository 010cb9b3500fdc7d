//! `koekake data` as an operator uses it, and a service whose folder cannot be used: the real
//! binary beside running and stopped services.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::pedantic,
    dead_code,
    missing_docs,
    reason = "a test may fail by panicking, and uses a part of the crash tests' harness"
)]

#[path = "crash/client.rs"]
mod client;
#[path = "crash/node.rs"]
mod node;
#[path = "crash/shop.rs"]
mod shop;

use std::fs::Permissions;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use client::{Client, Request, Response};
use node::{Addresses, Folder, Node};
use serde_json::{Value, json};

const SESSION: &str = "session-of-the-data-command";
const VISITOR: &str = "visitor-of-the-data-command";
const CUSTOMER: &str = "customer-7";

/// A service in a folder of its own. The folder goes last.
struct Service {
    node: Node,
    addresses: Addresses,
    folder: Folder,
}

/// What a command said.
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Service {
    fn prepare(name: &str, data: &str) -> Self {
        let (folder, addresses) = (Folder::new(name), Addresses::new(1));
        let node = Node::prepare(folder.path(), data, &addresses, 0);
        Self { node, addresses, folder }
    }

    fn start(name: &str) -> Self {
        let mut service = Self::prepare(name, "data");
        service.node.restart();
        service
    }

    fn call(&self, request: &Request) -> Response {
        let address = self.addresses.get(0).expect("it runs");
        Client::connect(&address).unwrap().call(request).unwrap()
    }

    /// A page view of that session, on a page on which everybody is offered something.
    fn decide(&self, session: &str) -> Value {
        let body = json!({
            "site": "shop", "session_id": session, "visitor_id": VISITOR,
            "identity_token": shop::identity_token(CUSTOMER),
            "event": { "type": "page_view" }, "page": { "url": "https://shop.example/offer" },
        });
        self.call(&request("POST", "/v1/decide", None, &body)).json()
    }

    /// A prompt, what became of it, and CRM attributes.
    fn fill(&self) {
        let answer = self.decide(SESSION);
        assert_eq!(answer["show"], true, "{answer}");
        let event = json!({
            "site": "shop", "session_id": SESSION, "visitor_id": VISITOR,
            "type": "prompt_accepted", "id": "accepted-it", "decision_id": answer["decision_id"],
        });
        let reply = self.call(&request("POST", "/v1/events", None, &event));
        assert_eq!(reply.json()["accepted"], 1, "{}", reply.body);
        let path = format!("/v1/sites/shop/visitors/{CUSTOMER}");
        let crm = json!({ "attributes": { "plan": "pro" } });
        let reply = self.call(&request("PUT", &path, Some(shop::SERVER_KEY), &crm));
        assert!(reply.status < 300, "{}", reply.body);
    }

    /// `koekake data` with these arguments.
    fn data(&self, arguments: &[&str]) -> Said {
        let folder = self.node.data().display().to_string();
        self.data_of(&folder, arguments)
    }

    fn data_of(&self, folder: &str, arguments: &[&str]) -> Said {
        let arguments = [&["data", "--data", folder], arguments].concat();
        let output = self.node.command(&arguments).output().unwrap();
        Said {
            code: output.status.code().expect("it ended by itself"),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap()
    }
}

fn request(
    method: &'static str,
    path: &str,
    bearer: Option<&'static str>,
    body: &Value,
) -> Request {
    Request { method, path: path.to_owned(), bearer, body: body.to_string() }
}

impl Said {
    fn lines(&self) -> Vec<Value> {
        self.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        std::thread::yield_now();
    }
}

fn change(file: &Path, sql: &str) {
    let changed = rusqlite::Connection::open(file).unwrap().execute(sql, []).unwrap();
    assert_eq!(changed, 1);
}

#[test]
fn stats_tell_how_much_is_kept_and_by_whom_it_is_used() {
    let mut service = Service::start("data-stats");
    service.fill();
    let running = service.data(&["stats"]);
    assert_eq!(running.code, 0, "{}", running.err);
    assert!(running.out.contains("koekake.db: format 1, in use by process "), "{}", running.out);
    let json: Value =
        serde_json::from_str(&service.data(&["stats", "--format", "json"]).out).unwrap();
    assert_eq!(json["in_use"], true);
    assert!(running.out.contains(&format!("in use by process {}\n", json["process"])));
    assert_eq!(json["stopped_in_order"], false);

    assert!(service.node.stop().success());
    let said = service.data(&["stats"]).out;
    assert!(said.contains("not in use, the last process ended in order"), "{said}");
    for line in ["  live sessions", "1  sessions whose prompts are remembered", "2  visitors"] {
        assert!(said.contains(line), "{said}");
    }
    let json: Value =
        serde_json::from_str(&service.data(&["stats", "--format", "json"]).out).unwrap();
    assert_eq!(json["format"], 1);
    assert_eq!(json["rows"], json!({ "sessions": 1, "claims": 1, "visitors": 2 }));
    assert_eq!(
        (&json["in_use"], &json["process"], &json["stopped_in_order"], &json["log_bytes"]),
        (&json!(false), &Value::Null, &json!(true), &json!(0))
    );
    assert!(json["file_bytes"].as_u64().unwrap() > 0);
    assert!(json["written_until"].as_str().unwrap().ends_with('Z'));

    service.node.restart();
    service.node.kill();
    let said = service.data(&["stats"]).out;
    assert!(said.contains("not in use, the last process was cut off"), "{said}");
}

#[test]
fn check_names_the_row_that_cannot_be_read() {
    let mut service = Service::start("data-check");
    service.fill();
    let running = service.data(&["check"]);
    assert_eq!(running.code, 0, "{}{}", running.out, running.err);
    assert!(service.node.stop().success());
    let fine = service.data(&["check"]);
    assert_eq!(fine.code, 0, "{}{}", fine.out, fine.err);
    assert!(fine.out.ends_with("koekake.db: 4 rows, all can be read\n"), "{}", fine.out);

    let file = service.node.data().join("koekake.db");
    change(&file, r#"UPDATE claims SET body = replace(body, '"offers":1', '"offers":0')"#);
    let damaged = service.data(&["check"]);
    assert_eq!(damaged.code, 1);
    let place = format!("claims shop/{SESSION}: its checksum does not fit\n");
    assert!(damaged.out.starts_with(&place), "{}", damaged.out);
    assert!(damaged.out.contains("damaged. Put a backup in its place"), "{}", damaged.out);
    let export = service.data(&["export"]);
    assert_eq!(export.code, 2);
    assert!(export.err.contains("`koekake data check` lists all"), "{}", export.err);

    std::fs::write(&file, "no database at all, but some words that stand where one was").unwrap();
    let other = service.data(&["check"]);
    assert_eq!(other.code, 2);
    assert!(other.err.contains("is damaged (file is not a database): put"), "{}", other.err);
}

#[test]
fn without_a_folder_it_says_what_to_do() {
    let service = Service::prepare("data-missing", "data");
    for verb in ["stats", "check", "export"] {
        let said = service.data_of("nowhere", &[verb]);
        assert_eq!((said.code, said.out.as_str()), (2, ""));
        assert_eq!(
            said.err,
            "nowhere/koekake.db is not there: nothing was kept in this folder yet, or it is \
             another one: name it with --data\n"
        );
    }
    let said = service.data_of("none", &["stats"]);
    assert_eq!(said.code, 2);
    assert!(said.err.contains("name the folder with --data"), "{}", said.err);
    let erase = ["erase", "--site", "shop", "--visitor", CUSTOMER];
    assert_eq!(service.data_of("nowhere", &erase).code, 2);
    assert!(!service.folder.path().join("nowhere").exists(), "looking makes nothing");
}

#[test]
fn export_writes_all_there_is_as_json_lines() {
    let mut service = Service::start("data-export");
    service.fill();
    let running = service.data(&["export"]);
    assert!(running.lines().iter().any(|line| line["kind"] == "claims"), "{}", running.out);
    assert!(service.node.stop().success());
    let said = service.data(&["export"]);
    assert_eq!((said.code, said.err.as_str()), (0, ""));
    let lines = said.lines();
    assert!(lines.iter().all(|line| line["site"] == "shop"), "{}", said.out);
    let of = |kind: &str| lines.iter().filter(|line| line["kind"] == kind).collect::<Vec<_>>();

    let [session] = &of("session")[..] else { panic!("{}", said.out) };
    assert_eq!(session["session"], SESSION);
    assert_eq!(session["page_views"], 1);
    assert_eq!(session["landing_page"], "https://shop.example/offer");
    assert_eq!(session["offers"], 1);

    let [claims] = &of("claims")[..] else { panic!("{}", said.out) };
    assert_eq!(claims["session"], SESSION);
    let decision = &claims["decisions"][0];
    assert_eq!((&decision["rule"], &decision["is_prompt"]), (&json!("welcome"), &json!(true)));
    assert!(decision["prompt"]["message"].as_str().unwrap().ends_with("help"), "{decision}");
    assert!(decision["stages"].as_array().unwrap().contains(&json!("accepted")), "{decision}");

    let names: Vec<_> = of("visitor").iter().map(|line| line["visitor"].clone()).collect();
    let customer = format!("identity:{CUSTOMER}");
    assert!(names.contains(&json!(customer)), "{names:?}");
    assert!(names.contains(&json!(format!("page:{VISITOR}"))), "{names:?}");
    let customer = of("visitor").into_iter().find(|line| line["visitor"] == customer).unwrap();
    assert_eq!(customer["crm"], json!({ "plan": "pro" }));
    assert!(customer["last_acceptance"].is_i64(), "{customer}");

    for offer in of("offer") {
        assert!(offer["at"].is_i64() && offer.get("rule").is_some(), "{offer}");
    }
}

#[test]
fn who_stops_reading_an_export_makes_no_error() {
    let mut service = Service::start("data-pipe");
    service.fill();
    assert!(service.node.stop().success());
    let file = rusqlite::Connection::open(service.node.data().join("koekake.db")).unwrap();
    // More than a pipe holds.
    file.execute_batch(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
         INSERT INTO offers (site, rule, at) SELECT 'shop', 'welcome', i FROM n",
    )
    .unwrap();
    drop(file);
    let mut command = service.node.command(&["data", "export"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut first = [0; 16];
    child.stdout.take().unwrap().read_exact(&mut first).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_backup_of_a_running_service_holds_the_prompt_just_given() {
    let service = Service::start("data-backup");
    service.fill();
    let copy = service.folder.path().join("copy").join("koekake.db");
    std::fs::create_dir(copy.parent().unwrap()).unwrap();
    let to = copy.display().to_string();
    let said = service.data(&["backup", &to]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.starts_with(&to) && said.out.ends_with(" bytes, checked\n"), "{}", said.out);
    let again = service.data(&["backup", &to]);
    assert_eq!(again.code, 2);
    assert_eq!(again.err, format!("{to} is there already: name a new file\n"));

    let folder = copy.parent().unwrap().display().to_string();
    let checked = service.data_of(&folder, &["check"]);
    assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);
    // A service that starts with the copy remembers the prompt.
    let mut restored = service;
    restored.node.kill();
    restored.node = Node::start(restored.folder.path(), "copy", &restored.addresses, 0);
    let answer = restored.decide(SESSION);
    assert_eq!(answer["reason"], "already_prompted", "{answer}");
}

#[test]
fn a_visitor_is_erased_while_the_service_does_not_run() {
    let mut service = Service::start("data-erase");
    service.fill();
    let erase = |visitor| ["erase", "--site", "shop", "--visitor", visitor];
    let running = service.data(&erase(CUSTOMER));
    assert_eq!(running.code, 2);
    assert!(running.err.contains(" is in use by another Koekake (process "), "{}", running.err);
    let path = format!("/v1/sites/shop/visitors/{CUSTOMER}");
    let kept = service.call(&request("GET", &path, Some(shop::SERVER_KEY), &Value::Null));
    assert_eq!(kept.status, 200, "{}", kept.body);

    assert!(service.node.stop().success());
    let said = service.data(&erase(CUSTOMER));
    assert_eq!((said.code, said.out.as_str()), (0, "customer-7 of shop is forgotten\n"));
    let visitors = |service: &Service| {
        let lines = service.data(&["export"]).lines();
        lines.iter().filter(|line| line["kind"] == "visitor").count()
    };
    assert_eq!(visitors(&service), 1);
    for unknown in [CUSTOMER, "identity:customer-7", "nobody-of-that-name"] {
        let said = service.data(&erase(unknown));
        assert_eq!(said.code, 1, "{}", said.err);
        assert_eq!(said.out, format!("nothing was kept of {unknown} of shop\n"));
    }
    // As the export names it.
    let named = format!("page:{VISITOR}");
    assert_eq!(service.data(&erase(&named)).code, 0);
    assert_eq!(visitors(&service), 0);
    let wrong = service.data(&erase("page:short"));
    assert_eq!(wrong.code, 2);
    assert!(wrong.err.starts_with("`short`: "), "{}", wrong.err);
    assert_eq!(service.data(&["check"]).code, 0);
}

/// With a folder that cannot be used it answers `unavailable`, says why, and goes on by itself.
fn recovers(service: &Service, why: &str, repair: impl FnOnce()) {
    let answer = service.decide(SESSION);
    assert_eq!(
        (&answer["show"], &answer["reason"]),
        (&json!(false), &json!("unavailable")),
        "{answer}"
    );
    let ready = || service.call(&request("GET", "/readyz", None, &Value::Null));
    let unready = ready();
    assert_eq!(unready.status, 503);
    assert!(unready.body.contains(why), "{}", unready.body);
    until("the log says it", || service.log().contains(why));
    let log = service.log();
    assert!(log.contains("no prompt is offered, as nothing can be known: "), "{log}");
    repair();
    until("it can be used", || ready().status == 200);
    assert_eq!(service.decide(SESSION)["show"], true);
    assert_eq!(service.decide(SESSION)["reason"], "already_prompted");
}

#[test]
fn a_read_only_folder_is_told_and_used_once_it_can_be_written_to() {
    let mut service = Service::prepare("data-read-only", "data");
    service.node.heed_permissions();
    let data = service.node.data();
    std::fs::create_dir(&data).unwrap();
    std::fs::set_permissions(&data, Permissions::from_mode(0o555)).unwrap();
    service.node.restart();
    recovers(&service, "cannot be written to: make the folder and its files writable", || {
        std::fs::set_permissions(&data, Permissions::from_mode(0o777)).unwrap();
    });
}

#[test]
fn a_file_where_the_folder_should_be_is_told_and_the_folder_made_once_it_is_gone() {
    let mut service = Service::prepare("data-below-a-file", "file/data");
    let file = service.folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    service.node.restart();
    recovers(&service, "file/data cannot be used: Not a directory", || {
        std::fs::remove_file(&file).unwrap();
    });
}
