//! Whatever happens to the process, nobody who was offered a prompt is offered another, and nothing
//! that was acknowledged is lost: clients ask, services die, and a witness outside compares.
//!
//! `./test --long` and `KOEKAKE_CRASH_ROUNDS=1000 cargo test --test crash -- --nocapture` run
//! longer; `KOEKAKE_CRASH_SEED` repeats the choices of a run.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::pedantic,
    missing_docs,
    reason = "a test may fail by panicking, and need not be polished"
)]

mod client;
mod dice;
mod export;
mod fault;
mod load;
mod node;
mod power;
mod power_shown;
mod shop;
mod verdict;
mod witness;

use std::sync::Arc;
use std::time::Duration;

use dice::Dice;
use export::Remembered;
use fault::{BadDisk, Fault, Kill, PowerLoss, await_calls};
use load::Load;
use node::{Addresses, Folder, Node};
use power::Disk;
use verdict::Verdict;
use witness::Witness;

/// How many clients ask at once.
const CLIENTS: usize = 6;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

/// So many in `./test`; more where more are asked for.
fn rounds(usual: u64) -> u64 {
    let is_long = std::env::var_os("KOEKAKE_LONG").is_some();
    number("KOEKAKE_CRASH_ROUNDS").unwrap_or(if is_long { usual * 5 } else { usual })
}

/// Whatever process this is, unless a seed is given.
fn seed() -> u64 {
    number("KOEKAKE_CRASH_SEED").unwrap_or_else(|| u64::from(std::process::id()))
}

/// Loads services, strikes in each round at a random moment, and has everybody come back at last.
fn run(
    nodes: &mut [Node],
    addresses: &Addresses,
    fault: &mut dyn Fault,
    rounds: u64,
) -> Arc<Witness> {
    let seed = seed();
    println!("seed {seed}, {rounds} rounds");
    let witness = Arc::new(Witness::new());
    let mut dice = Dice::new(seed, 0);
    let mut load = Load::start(addresses, &witness, seed, CLIENTS);
    let mut slowest = Duration::ZERO;
    for _ in 0..rounds {
        witness.next_round();
        await_calls(&witness, 20 + dice.next() % 400);
        fault.strike(nodes, &mut dice, &witness);
        slowest = nodes.iter().map(|node| node.start_up).max().unwrap_or_default().max(slowest);
    }
    load.stop();
    load.everybody_comes_back();
    println!("slowest start: {slowest:?}");
    witness
}

/// Kills it at last, and holds what it remembers against what the witness saw.
fn judge(node: &mut Node, witness: &Witness, spans: &[(Duration, Duration)]) -> Verdict {
    node.kill();
    let calls = witness.calls();
    let mut verdict = Verdict::of(&calls);
    verdict.nothing_while(spans, &calls);
    let (is_good, lines) = node.data_command("export");
    assert!(is_good, "no export; without it: {verdict}");
    verdict.compare(&calls, &Remembered::read(&lines).unwrap());
    println!("{verdict}");
    assert!(verdict.violations.is_empty(), "promises were broken: the report says which");
    let (is_good, report) = node.data_command("check");
    assert!(is_good, "{report}");
    verdict
}

#[test]
fn nobody_is_prompted_twice_and_nothing_is_lost_when_it_is_killed() {
    let folder = Folder::new("crash");
    let addresses = Addresses::new(1);
    let mut nodes = [Node::start(folder.path(), "data", &addresses, 0)];
    let witness = run(&mut nodes, &addresses, &mut Kill, rounds(60));
    judge(&mut nodes[0], &witness, &[]);
}

#[test]
fn nor_when_the_power_fails() {
    let folder = Folder::new("crash-power");
    let addresses = Addresses::new(1);
    let mut node = Node::prepare(folder.path(), "data", &addresses, 0);
    let disk = Disk::new(&node.data(), folder.path());
    disk.mount(&mut node);
    node.restart();
    let mut nodes = [node];
    let mut fault = PowerLoss { disk: &disk, lost: 0 };
    let witness = run(&mut nodes, &addresses, &mut fault, rounds(30));
    println!("{} bytes were written and lost", fault.lost);
    judge(&mut nodes[0], &witness, &[]);
    assert!(fault.lost > 0, "no byte was ever lost: the test shows nothing");
}

#[test]
fn nor_while_nothing_can_be_written() {
    let folder = Folder::new("crash-full");
    let addresses = Addresses::new(1);
    let mut node = Node::prepare(folder.path(), "data", &addresses, 0);
    let disk = Disk::new(&node.data(), folder.path());
    disk.mount(&mut node);
    node.restart();
    let mut nodes = [node];
    let mut fault = BadDisk { disk: &disk, spans: Vec::new() };
    let witness = run(&mut nodes, &addresses, &mut fault, rounds(10));
    let verdict = judge(&mut nodes[0], &witness, &fault.spans);
    assert!(verdict.unavailable > 0, "nobody noticed that nothing can be written");
}

#[test]
fn a_clean_stop_loses_not_even_a_page_view() {
    let folder = Folder::new("crash-stop");
    let addresses = Addresses::new(1);
    let mut node = Node::start(folder.path(), "data", &addresses, 0);
    let witness = Arc::new(Witness::new());
    let mut load = Load::start(&addresses, &witness, seed(), CLIENTS);
    await_calls(&witness, 500);
    load.stop();
    assert!(node.stop().success());
    let verdict = judge(&mut node, &witness, &[]);
    assert_eq!(verdict.forgotten_views, 0);
    node.restart();
    load.everybody_comes_back();
    judge(&mut node, &witness, &[]);
}

/// Whoever keeps nothing must be found out: else the silence of the other tests would say nothing.
#[test]
fn a_service_that_forgets_is_found_guilty() {
    let folder = Folder::new("crash-forgets");
    let addresses = Addresses::new(1);
    let mut nodes = [Node::start(folder.path(), "none", &addresses, 0)];
    let witness = run(&mut nodes, &addresses, &mut Kill, 6);
    let mut verdict = Verdict::of(&witness.calls());
    verdict.compare(&witness.calls(), &Remembered::default());
    println!("{verdict}");
    for promise in [
        "one prompt a session",
        "the cooldown",
        "no prompt after an opt-out",
        "a repeat gets the same prompt",
        "the CRM's word",
        "an acknowledged outcome is kept",
        "an offer is remembered",
        "an opt-out is kept",
        "a rule's limit",
        "a site's limit",
    ] {
        let found = verdict.violations.iter().any(|violation| violation.promise == promise);
        assert!(found, "not found out: {promise}\n{verdict}");
    }
}
