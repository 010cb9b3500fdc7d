//! What durability costs: how long `show: true` and `show: false` take with a data folder and
//! without one, beside a bare `write` and `fdatasync` on the same disk, in turns in one run.
//!
//! ```console
//! $ cargo bench --bench durability
//! ```
//!
//! Must not: take longer than some seconds, or say that anything is fast enough.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::pedantic,
    missing_docs,
    reason = "a benchmark may fail by panicking, and need not be polished"
)]

#[path = "../tests/crash/client.rs"]
#[allow(dead_code, reason = "the crash test uses more of it")]
mod client;
#[path = "../tests/crash/dice.rs"]
#[allow(dead_code, reason = "the crash test uses more of it")]
mod dice;
#[path = "../tests/crash/node.rs"]
#[allow(dead_code, reason = "the crash test uses more of it")]
mod node;
#[path = "../tests/crash/shop.rs"]
#[allow(dead_code, reason = "the crash test uses more of it")]
mod shop;

use std::fs::File;
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use client::{Client, Request};
use dice::Dice;
use node::{Addresses, Folder, Node};
use serde_json::json;

const TURNS: usize = 8;
/// Calls of one kind in one turn, and by each client where there are several.
const CALLS: usize = 200;
const CLIENTS: u64 = 16;

/// What is measured, in the order of the table.
const ROWS: [(&str, Kind); 5] = [
    ("show: true, one client", Kind::Shown),
    ("show: false, one client", Kind::Silent),
    ("show: true, 16 clients", Kind::ShownToMany),
    ("show: false, 16 clients", Kind::SilentToMany),
    ("show: false, while 16 clients are shown prompts", Kind::SilentMeanwhile),
];

#[derive(Clone, Copy)]
enum Kind {
    Shown,
    Silent,
    ShownToMany,
    SilentToMany,
    SilentMeanwhile,
}

fn main() {
    // Cargo's tests start benchmarks too, without this.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let folder = Folder::new("durability");
    let addresses = Addresses::new(2);
    let _nodes = ["none", "data"]
        .map(|data| Node::start(folder.path(), data, &addresses, usize::from(data == "data")));
    let addresses = [0, 1].map(|number| addresses.get(number).expect("it runs"));
    let mut disk = Vec::new();
    let mut latencies = vec![[Vec::new(), Vec::new()]; ROWS.len()];
    for turn in 0..TURNS {
        disk.extend(synced_writes(folder.path()));
        for ((_, kind), latencies) in ROWS.iter().zip(&mut latencies) {
            for (address, latencies) in addresses.iter().zip(latencies) {
                latencies.extend(calls(address, *kind, u64::try_from(turn).unwrap()));
            }
        }
    }
    println!("ms, and times what the disk takes for the same share of writes");
    println!("{:<58} {:>8} {:>7} {:>8} {:>7}", "", "p50", "", "p99", "");
    let disk = [quantile(&mut disk, 0.5), quantile(&mut disk, 0.99)];
    print_row("write + fdatasync of 440 bytes", disk, disk);
    for ((name, _), latencies) in ROWS.iter().zip(&mut latencies) {
        for (where_, latencies) in ["memory", "data"].iter().zip(latencies) {
            let row = [quantile(latencies, 0.5), quantile(latencies, 0.99)];
            print_row(&format!("{name}, {where_}"), row, disk);
        }
    }
}

fn print_row(name: &str, row: [f64; 2], disk: [f64; 2]) {
    let [half, most] = row;
    println!("{name:<58} {half:>8.3} {:>7.2} {most:>8.3} {:>7.2}", half / disk[0], most / disk[1]);
}

fn quantile(latencies: &mut [Duration], share: f64) -> f64 {
    latencies.sort_unstable();
    let place = (latencies.len() as f64 * share) as usize;
    latencies[place.min(latencies.len() - 1)].as_secs_f64() * 1_000.0
}

fn synced_writes(folder: &std::path::Path) -> Vec<Duration> {
    let mut file =
        File::options().create(true).append(true).open(folder.join("bare")).expect("a file");
    let write = |_| {
        let begun = Instant::now();
        file.write_all(&[b'x'; 440]).expect("written");
        file.sync_data().expect("synced");
        begun.elapsed()
    };
    (0..CALLS).map(write).collect()
}

fn calls(address: &str, kind: Kind, turn: u64) -> Vec<Duration> {
    match kind {
        Kind::Shown => one(address, true, turn),
        Kind::Silent => one(address, false, turn),
        Kind::ShownToMany => many(address, true, turn),
        Kind::SilentToMany => many(address, false, turn),
        Kind::SilentMeanwhile => meanwhile(address, turn),
    }
}

/// One client, who asks again once it is answered.
fn one(address: &str, is_shown: bool, stream: u64) -> Vec<Duration> {
    let mut client = Client::connect(address).expect("the service listens");
    let mut dice = Dice::new(u64::from(std::process::id()), stream + u64::from(is_shown) * 1_000);
    (0..CALLS).map(|_| ask(&mut client, &mut dice, is_shown)).collect()
}

fn many(address: &str, is_shown: bool, turn: u64) -> Vec<Duration> {
    std::thread::scope(|scope| {
        let clients: Vec<_> = (0..CLIENTS)
            .map(|number| scope.spawn(move || one(address, is_shown, 10_000 + turn * 100 + number)))
            .collect();
        clients.into_iter().flat_map(|client| client.join().expect("a client")).collect()
    })
}

/// One client whom nothing is offered, while others are shown prompts.
fn meanwhile(address: &str, turn: u64) -> Vec<Duration> {
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for number in 0..CLIENTS {
            let is_over = &is_over;
            scope.spawn(move || {
                let mut client = Client::connect(address).expect("the service listens");
                let stream = 100_000 + turn * 100 + number;
                let mut dice = Dice::new(u64::from(std::process::id()), stream);
                while !is_over.load(Ordering::Relaxed) {
                    ask(&mut client, &mut dice, true);
                }
            });
        }
        let latencies = one(address, false, 200_000 + turn);
        is_over.store(true, Ordering::Relaxed);
        latencies
    })
}

/// A page view that begins a session.
fn ask(client: &mut Client, dice: &mut Dice, is_shown: bool) -> Duration {
    let page = if is_shown { "offer" } else { "quiet" };
    let body = json!({
        "site": "shop", "session_id": dice.id(), "visitor_id": dice.id(),
        "event": { "id": dice.id() }, "page": { "url": format!("https://shop.example/{page}") },
    });
    let path = "/v1/decide".to_owned();
    let request = Request { method: "POST", path, bearer: None, body: body.to_string() };
    let begun = Instant::now();
    let response = client.call(&request).expect("an answer");
    let latency = begun.elapsed();
    assert_eq!(response.json()["show"], is_shown, "{}", response.body);
    latency
}
