//! The first run: nothing configured, the demo shop, and the line that it prints to try.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use koekake::config::Setting;
use koekake::domain::time::Millis;
use serde_json::Value;

use crate::client::Client;
use crate::service::{Service, Setup, moment, root};

/// The line that the binary prints, as its parts.
struct Line {
    address: String,
    user_agent: String,
    body: String,
    /// What the very service that printed it answered.
    answer: Value,
}

fn quoted<'l>(line: &'l str, flag: &str) -> &'l str {
    let (_, rest) = line.split_once(flag).unwrap_or_else(|| panic!("no {flag} in {line}"));
    rest.trim_start().strip_prefix('\'').unwrap().split('\'').next().unwrap()
}

fn printed() -> Line {
    let mut command = Command::new(env!("CARGO_BIN_EXE_koekake"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KOEKAKE_")) {
        command.env_remove(name);
    }
    let mut child = command
        .env("KOEKAKE_LISTEN", "127.0.0.1:0")
        .current_dir(root())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let line = lines
        .find(|line| line.trim_start().starts_with("curl") && line.contains("/v1/decide"))
        .expect("a line to try");
    let (_, rest) = line.split_once("http://").unwrap();
    let (address, _) = rest.split_once('/').unwrap();
    let (user_agent, body) = (quoted(&line, " -A "), quoted(&line, " -d "));
    let mut client = Client::connect(address.parse().unwrap());
    let headers = [("User-Agent", user_agent), ("Accept-Language", "en")];
    let answer = client.send("POST", "/v1/decide", &headers, body.as_bytes()).json();
    child.kill().unwrap();
    child.wait().unwrap();
    Line {
        address: address.to_owned(),
        user_agent: user_agent.to_owned(),
        body: body.to_owned(),
        answer,
    }
}

fn try_it(service: &Service, line: &Line, language: &str) -> Value {
    let headers = [("User-Agent", line.user_agent.as_str()), ("Accept-Language", language)];
    let reply = service.send("POST", "/v1/decide", &headers, line.body.as_bytes());
    assert_eq!(reply.status, 200, "{}", reply.text());
    reply.json()
}

#[test]
fn first_run_the_printed_line_shows_a_prompt_at_any_hour() {
    let line = printed();
    assert!(!line.address.is_empty());
    assert_eq!(line.answer["show"], true, "now: {}", line.answer);

    let rules = root().join("rules").display().to_string();
    let geoip = root().join("geoip").display().to_string();
    let start = "2026-11-20T00:00:00+09:00";
    let service =
        Setup::new().flag(Setting::Rules, &rules).flag(Setting::Geoip, &geoip).at(start).start();
    // Friday to Tuesday: office hours, a weekend, and the public holiday of 23 November.
    let mut chats = 0;
    for hour in 0..5 * 24 {
        service.set(moment(start) + Millis::hours(hour));
        let answer = try_it(&service, &line, "en-US,en;q=0.9");
        let prompt = &answer["prompt"];
        assert_eq!(
            (&answer["show"], &prompt["language"]),
            (&true.into(), &"en".into()),
            "{answer}"
        );
        let message = prompt["message"].as_str().unwrap();
        match prompt["channel"].as_str().unwrap() {
            "chat" => chats += 1,
            "links" => {
                let actions = prompt["actions"].as_array().unwrap();
                assert!(actions.iter().all(|action| action["kind"] == "link"), "{answer}");
                assert!(message.contains("back ") && message.contains(":00"), "{message}");
            }
            other => panic!("{other}"),
        }
        let japanese = try_it(&service, &line, "ja,en-US;q=0.8");
        assert_eq!(japanese["prompt"]["language"], "ja");
        assert_eq!(japanese["rule"], answer["rule"]);
        assert_ne!(japanese["prompt"]["message"].as_str().unwrap(), message);
    }
    // Friday and Tuesday 9–18, Saturday 10–17, Monday is a holiday.
    assert_eq!(chats, 9 + 7 + 9);
}

#[test]
fn first_run_out_of_hours_the_next_opening_is_right() {
    let rules = root().join("rules").display().to_string();
    let service = Setup::new().flag(Setting::Rules, &rules).start();
    let line = Line {
        address: String::new(),
        user_agent: crate::client::BROWSER.to_owned(),
        body: r#"{"site":"demo-shop","page":{"url":"https://shop.example/pricing","time_on_page_ms":45000}}"#
            .to_owned(),
        answer: Value::Null,
    };
    for (at, english, japanese) in [
        ("2026-11-20T08:59:00+09:00", "9:00", "9"),
        ("2026-11-20T18:00:00+09:00", "Saturday", "土曜"),
        ("2026-11-21T17:00:00+09:00", "Tuesday", "火曜"),
        ("2026-11-23T12:00:00+09:00", "9:00", "火曜"),
    ] {
        service.set_time(at);
        for (language, wanted) in [("en", english), ("ja", japanese)] {
            let answer = try_it(&service, &line, language);
            assert_eq!(answer["rule"], "after-hours", "{at}");
            let message = answer["prompt"]["message"].as_str().unwrap();
            assert!(message.contains(wanted), "{at}: {message}");
        }
    }
}
