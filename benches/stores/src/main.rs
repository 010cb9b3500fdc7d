//! Measures embedded databases as the store of claims, beside a bare write and `fdatasync` on the
//! same disk in the same run, and prints one table.
//!
//! Must not: be a part of the service. `docs/storage.md` says what followed from its figures.
//!
//! ```console
//! $ cargo run --release --manifest-path benches/stores/Cargo.toml [-- FOLDER [ROWS]]
//! ```

mod engines;

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use engines::{ENGINES, Engine, Record, open};

const CLIENTS: [usize; 3] = [1, 16, 64];
/// How often each engine gets its turn, so that a disk that is slow for a while is slow for all.
const TURNS: usize = 3;
const TURN: Duration = Duration::from_millis(700);
/// Records that a writer commits at once at most.
const BATCH: usize = 4_096;
const REWRITES: usize = 10;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words[..] {
        ["fill", engine, folder, rows] => fill(engine, Path::new(folder), number(rows)),
        ["reopen", engine, folder, rows] => reopen(engine, Path::new(folder), number(rows)),
        ["rewrite", engine, folder, rows] => rewrite(engine, Path::new(folder), number(rows)),
        [] => report(&std::env::temp_dir(), 1_000_000),
        [folder] => report(Path::new(folder), 1_000_000),
        [folder, rows] => report(Path::new(folder), number(rows)),
        _ => panic!("arguments: [FOLDER [ROWS]]"),
    }
}

fn number(text: &str) -> u64 {
    text.parse().unwrap_or_else(|_| panic!("{text}: a number of rows"))
}

fn report(parent: &Path, rows: u64) {
    let folder = Folder::below(parent);
    println!("commits: a record of 400 bytes under a key of 40, answered once it is durable");
    println!(
        "{:>7}  {:<16} {:>9} {:>7} {:>8} {:>7} {:>8} {:>7}",
        "clients", "store", "commits/s", "ratio", "p50 ms", "ratio", "p99 ms", "ratio"
    );
    for clients in CLIENTS {
        let mut latencies: Vec<Vec<Duration>> = vec![Vec::new(); ENGINES.len()];
        for _ in 0..TURNS {
            for (engine, latencies) in ENGINES.iter().zip(&mut latencies) {
                latencies.extend(commits(open(engine, &folder.of(engine)), clients));
            }
        }
        let mut first: Option<[f64; 3]> = None;
        for (engine, mut latencies) in ENGINES.iter().zip(latencies) {
            latencies.sort_unstable();
            let seconds = TURN.as_secs_f64() * TURNS as f64;
            let row = [latencies.len() as f64 / seconds, at(&latencies, 0.5), at(&latencies, 0.99)];
            let first = first.get_or_insert(row);
            println!(
                "{clients:>7}  {engine:<16} {:>9.0} {:>7.2} {:>8.2} {:>7.2} {:>8.2} {:>7.2}",
                row[0],
                row[0] / first[0],
                row[1],
                row[1] / first[1],
                row[2],
                row[2] / first[2]
            );
        }
    }
    let less = rows / 5;
    println!();
    println!(
        "{rows} rows of 300 bytes, opened after a kill -9; {less} rows, each written {REWRITES} times more"
    );
    println!(
        "{:<16} {:>7} {:>7} {:>8} {:>8} {:>9} | {:>8} {:>9} {:>9} {:>7}",
        "store",
        "fill s",
        "open ms",
        "first ms",
        "scan ms",
        "memory MB",
        "MB after",
        "10 times",
        "MB after",
        "ratio"
    );
    for engine in &ENGINES[1..] {
        let home = folder.of(&format!("{engine} large"));
        let filled = run("fill", engine, &home, rows, true);
        let opened = run("reopen", engine, &home, rows, false);
        let size = megabytes(&home);
        let _ = std::fs::remove_dir_all(&home);
        let home = folder.of(&format!("{engine} rewritten"));
        run("fill", engine, &home, less, true);
        let before = megabytes(&home);
        let rewritten = run("rewrite", engine, &home, less, false);
        let after = megabytes(&home);
        let _ = std::fs::remove_dir_all(&home);
        println!(
            "{engine:<16} {:>7} {:>7} {:>8} {:>8} {:>9} | {size:>8.0} {:>8}s {after:>9.0} {:>7.2}",
            filled[0],
            opened[0],
            opened[1],
            opened[2],
            opened[3],
            rewritten[0],
            after / before
        );
    }
}

/// Clients that each write a record, wait until it is durable and write the next, and one writer
/// that commits whatever waits.
fn commits(mut engine: Box<dyn Engine>, clients: usize) -> Vec<Duration> {
    let (send, receive): (SyncSender<(Record, SyncSender<()>)>, Receiver<_>) = sync_channel(BATCH);
    let end = Instant::now() + TURN;
    std::thread::scope(|scope| {
        scope.spawn(move || {
            while let Ok(first) = receive.recv() {
                let rest = receive.try_iter().take(BATCH - 1);
                let (records, waiting): (Vec<_>, Vec<_>) =
                    std::iter::once(first).chain(rest).unzip();
                engine.commit(&records);
                waiting.iter().for_each(|client| client.send(()).expect("the client waits"));
            }
        });
        let clients: Vec<_> = (0..clients)
            .map(|_| {
                let send = send.clone();
                scope.spawn(move || {
                    let (done, wait) = sync_channel(1);
                    let mut latencies = Vec::new();
                    while Instant::now() < end {
                        let begun = Instant::now();
                        let record = (key(random()), vec![b'x'; 400]);
                        send.send((record, done.clone())).expect("the writer lives");
                        wait.recv().expect("the writer lives");
                        latencies.push(begun.elapsed());
                    }
                    latencies
                })
            })
            .collect();
        drop(send);
        clients.into_iter().flat_map(|client| client.join().expect("a client")).collect()
    })
}

/// Writes rows of 300 bytes and stays, to be killed.
fn fill(engine: &str, folder: &Path, rows: u64) {
    let begun = Instant::now();
    let mut engine = open(engine, folder);
    write_all(&mut *engine, rows, 0);
    println!("{:.1}", begun.elapsed().as_secs_f64());
    loop {
        std::thread::park();
    }
}

fn reopen(engine: &str, folder: &Path, rows: u64) {
    let begun = Instant::now();
    let mut engine = open(engine, folder);
    let opened = begun.elapsed();
    engine.commit(&[(key(0), vec![b'y'; 260])]);
    let first = begun.elapsed();
    let begun = Instant::now();
    let (found, _) = engine.scan();
    assert_eq!(found, rows, "rows lost");
    println!(
        "{} {} {} {}",
        opened.as_millis(),
        first.as_millis(),
        begun.elapsed().as_millis(),
        peak_memory()
    );
}

fn rewrite(engine: &str, folder: &Path, rows: u64) {
    let begun = Instant::now();
    let mut engine = open(engine, folder);
    (1..=REWRITES as u64).for_each(|time| write_all(&mut *engine, rows, time));
    println!("{:.1}", begun.elapsed().as_secs_f64());
}

/// Every row once, in no order.
fn write_all(engine: &mut dyn Engine, rows: u64, time: u64) {
    let row = |number: u64| (key(number), vec![b'a' + u8::try_from(time).expect("few times"); 260]);
    // A step without a common divisor meets each row once.
    let step = (rows / 3 * 2 + 1..).find(|step| common_divisor(*step, rows) == 1).expect("a step");
    let mut next = time % rows;
    let mut batch = Vec::with_capacity(BATCH);
    for written in 1..=rows {
        batch.push(row(next));
        next = (next + step) % rows;
        if batch.len() == BATCH || written == rows {
            engine.commit(&batch);
            batch.clear();
        }
    }
}

fn common_divisor(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

/// 40 bytes without an order, as sessions' ids have none.
fn key(number: u64) -> Vec<u8> {
    let stirred =
        (number ^ 0x9e37_79b9_7f4a_7c15).wrapping_mul(0xbf58_476d_1ce4_e5b9).rotate_left(29);
    format!("shop:{:035x}", u128::from(stirred) << 64 | u128::from(number)).into_bytes()
}

fn random() -> u64 {
    use std::hash::{BuildHasher, Hasher};
    std::collections::hash_map::RandomState::new().build_hasher().finish()
}

/// Runs one verb in a process of its own and returns the words it prints.
fn run(verb: &str, engine: &str, folder: &Path, rows: u64, is_killed: bool) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().expect("this program"))
        .args([verb, engine, &folder.display().to_string(), &rows.to_string()])
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let mut line = String::new();
    BufReader::new(child.stdout.take().expect("its output")).read_line(&mut line).expect("a line");
    if is_killed {
        child.kill().expect("it runs");
        child.wait().expect("it ends");
    } else {
        assert!(child.wait().expect("it ends").success(), "{verb} {engine}");
    }
    line.split_whitespace().map(str::to_owned).collect()
}

/// In megabytes, the most this process ever had.
fn peak_memory() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap_or_default();
    line.split_whitespace().nth(1).and_then(|kb| kb.parse::<u64>().ok()).unwrap_or(0) / 1_024
}

fn megabytes(folder: &Path) -> f64 {
    fn bytes(path: &Path) -> u64 {
        let entries = std::fs::read_dir(path).expect("a folder");
        entries
            .map(|entry| entry.expect("an entry"))
            .map(|entry| match entry.metadata().expect("a file") {
                data if data.is_dir() => bytes(&entry.path()),
                data => std::os::unix::fs::MetadataExt::blocks(&data) * 512,
            })
            .sum()
    }
    bytes(folder) as f64 / 1e6
}

fn at(sorted: &[Duration], share: f64) -> f64 {
    let place = (sorted.len() as f64 * share) as usize;
    sorted[place.min(sorted.len() - 1)].as_secs_f64() * 1_000.0
}

/// A folder that goes when this program ends.
struct Folder(PathBuf);

impl Folder {
    fn below(parent: &Path) -> Self {
        Self(parent.join(format!("koekake-stores-{}", std::process::id())))
    }

    fn of(&self, name: &str) -> PathBuf {
        self.0.join(name.replace(' ', "-"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
