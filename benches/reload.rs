//! How long answers take while rules are reloaded, against the same without; and how long it takes
//! from a save to its effect.
//!
//! One running service, sixteen connections, quiet and busy phases in turn so that a machine that
//! is busy otherwise weighs on both alike. `cargo bench --bench reload`. Must not: assert times.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::pedantic,
    missing_docs,
    reason = "a benchmark may fail by panicking"
)]

use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use client::Client;
use server::Server;

#[path = "../tests/support/client.rs"]
#[allow(dead_code, reason = "tests use more of it")]
mod client;
#[path = "../tests/support/server.rs"]
mod server;

const CONNECTIONS: usize = 16;
const ROUNDS: usize = 5;
const RELOADS: usize = 200;
const TOKEN: &str = "bench-0123456789abcdef0123456789abcdef";
const BROWSER: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like \
                       Gecko) Chrome/142.0.0.0 Safari/537.36";

/// The demo shop's rules in a folder of this run's own.
fn folder() -> PathBuf {
    let folder = std::env::temp_dir().join(format!("koekake-bench-{}", std::process::id()));
    let site = folder.join("rules/demo-shop");
    std::fs::create_dir_all(&site).unwrap();
    let demo = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/demo-shop");
    for entry in std::fs::read_dir(demo).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, site.join(path.file_name().unwrap())).unwrap();
    }
    std::fs::write(folder.join("tokens"), format!("full {TOKEN}\n")).unwrap();
    folder
}

/// Asks on every connection until told to stop: how long each answer took.
fn load(address: &str, is_over: &AtomicBool, work: impl FnOnce()) -> Vec<Duration> {
    let all = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for connection in 0..CONNECTIONS {
            let (all, is_over) = (&all, is_over);
            scope.spawn(move || {
                let mut client = Client::connect(address);
                let body = format!(
                    r#"{{"site":"demo-shop","session_id":"bench-session-{connection:08}","page":{{"url":"https://shop.example/pricing","time_on_page_ms":1000}}}}"#
                );
                let mut took = Vec::new();
                while !is_over.load(Ordering::Relaxed) {
                    let began = Instant::now();
                    let answer = client.post("/v1/decide", &[("User-Agent", BROWSER)], &body);
                    took.push(began.elapsed());
                    assert_eq!(answer.status, 200, "{}", answer.body);
                }
                all.lock().unwrap().extend(took);
            });
        }
        work();
        is_over.store(true, Ordering::Relaxed);
    });
    is_over.store(false, Ordering::Relaxed);
    let mut all = all.into_inner().unwrap();
    all.sort();
    all
}

fn percentile(sorted: &[Duration], share: f64) -> Duration {
    sorted[((sorted.len() - 1) as f64 * share) as usize]
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

fn main() {
    let folder = folder();
    let path = |name: &str| folder.join(name).display().to_string();
    let (rules, tokens) = (path("rules"), path("tokens"));
    let server = Server::start(&[
        "--rules",
        &rules,
        "--admin-token-file",
        &tokens,
        "--geoip",
        "none",
        "--rate-limit",
        "off",
        "--log-level",
        "off",
    ]);
    let extra = folder.join("rules/demo-shop/extra.yaml");
    let save = |number: usize, is_good: bool| {
        let message = if is_good { format!("\"number {number}\"") } else { "[".to_owned() };
        let text = format!("rules:\n  - id: extra\n    prompt: {{ message: {message} }}\n");
        std::fs::write(&extra, text).unwrap();
    };
    let is_over = AtomicBool::new(false);
    let token = format!("Bearer {TOKEN}");
    let operator = [("Authorization", token.as_str())];
    let (mut ratios, mut number) = (Vec::new(), 0);
    println!("phase       requests      p50      p99");
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let mut lasted = Duration::ZERO;
        let busy = load(&server.address, &is_over, || {
            let mut client = Client::connect(&server.address);
            for _ in 0..RELOADS / ROUNDS {
                number += 1;
                let is_good = number % 2 == 0;
                save(number, is_good);
                let answer = client.post("/v1/rules/reload", &operator, "");
                assert_eq!(answer.body.contains("\"ok\":true"), is_good, "{}", answer.body);
            }
            lasted = began.elapsed();
        });
        let quiet = load(&server.address, &is_over, || std::thread::sleep(lasted));
        for (phase, took) in [("reloading", &busy), ("quiet", &quiet)] {
            let (p50, p99) = (percentile(took, 0.5), percentile(took, 0.99));
            println!("{phase:<10} {:>9} {p50:>8.0?} {p99:>8.0?}", took.len());
        }
        let (busy, quiet) = (percentile(&busy, 0.99), percentile(&quiet, 0.99));
        ratios.push(busy.as_secs_f64() / quiet.as_secs_f64());
    }
    println!("p99 while reloading / p99 quiet, median of {ROUNDS} rounds: {:.2}", median(ratios));

    let mut client = Client::connect(&server.address);
    let delays: Vec<f64> = (0..9)
        .map(|_| {
            number += 2;
            save(number, true);
            let began = Instant::now();
            let version = |client: &mut Client| {
                let text = client.post("/v1/decide", &[("User-Agent", BROWSER)], ASK).body;
                text.split("rules_version\":\"").nth(1).unwrap()[..16].to_owned()
            };
            let before = version(&mut client);
            while version(&mut client) == before {}
            began.elapsed().as_secs_f64()
        })
        .collect();
    let longest = delays.iter().copied().fold(0.0, f64::max);
    println!("from a save to its effect: median {:.2} s, longest {longest:.2} s", median(delays));
    drop(server);
    std::fs::remove_dir_all(folder).unwrap();
}

const ASK: &str = r#"{"site":"demo-shop","session_id":"bench-session-version","page":{"url":"https://shop.example/"}}"#;
