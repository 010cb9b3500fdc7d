//! That the injected disk bites: of SQLite that syncs it takes nothing, of SQLite that does not it
//! takes what was committed.
//!
//! Must not: start the service.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};

use rusqlite::Connection;

use crate::dice::Dice;
use crate::node::Folder;
use crate::power::{Disk, Loss};

/// How many commits are acknowledged before the power fails.
const COMMITS: u32 = 40;

/// Commits rows until it is killed, and says each number once it is committed. The tests below run
/// it in a process of its own, on the injected disk.
#[test]
#[ignore = "never ends: other tests start it, and kill it"]
fn writer() {
    let path = std::env::var("WRITER_DATABASE").unwrap();
    let synchronous = std::env::var("WRITER_SYNCHRONOUS").unwrap();
    let connection = Connection::open(path).unwrap();
    let settings = format!(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = {synchronous};
         PRAGMA wal_autocheckpoint = 20; CREATE TABLE rows (number INTEGER PRIMARY KEY, text TEXT);"
    );
    connection.execute_batch(&settings).unwrap();
    for number in 1_u32.. {
        let row = (number, "x".repeat(usize::try_from(number % 300 * 10).unwrap()));
        connection.execute("INSERT INTO rows VALUES (?1, ?2)", row).unwrap();
        println!("\ncommitted {number}");
    }
}

/// The rows that are there after the power failed, and the last one that was acknowledged.
fn rows_after(synchronous: &str, loss: Loss, folder: &Path, dice: &mut Dice) -> (u32, u32) {
    let data = folder.join(format!("{synchronous}-{loss:?}"));
    let disk = Disk::new(&data, folder);
    let database = data.join("rows.db");
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["power_shown::writer", "--exact", "--ignored", "--nocapture"])
        .env("WRITER_DATABASE", &database)
        .env("WRITER_SYNCHRONOUS", synchronous)
        .envs(disk.environment())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut committed =
        lines.filter_map(|line| line.strip_prefix("committed ")?.parse::<u32>().ok());
    let wanted = COMMITS + u32::try_from(dice.below(20)).unwrap();
    let reached = committed.by_ref().find(|number| *number >= wanted);
    child.kill().unwrap();
    child.wait().unwrap();
    let acknowledged = committed.last().or(reached).expect("it commits");
    disk.lose_power(loss, dice);
    let Ok(connection) = Connection::open(database) else { return (0, acknowledged) };
    let count = connection.query_row("SELECT count(*) FROM rows", (), |row| row.get::<_, u32>(0));
    if synchronous == "FULL" {
        let check = connection.query_row("PRAGMA integrity_check", (), |row| row.get(0));
        assert_eq!(check, Ok("ok".to_owned()), "{loss:?}");
    }
    (count.unwrap_or(0), acknowledged)
}

#[test]
fn commits_that_were_synced_survive_on_the_injected_disk_and_others_do_not() {
    let folder = Folder::new("crash-disk");
    let mut dice = Dice::new(crate::seed(), 1);
    for loss in [Loss::All, Loss::Sectors, Loss::Tail] {
        let (rows, acknowledged) = rows_after("FULL", loss, folder.path(), &mut dice);
        assert!(rows >= acknowledged, "{loss:?}: {acknowledged} acknowledged, {rows} there");
    }
    let (rows, acknowledged) = rows_after("OFF", Loss::All, folder.path(), &mut dice);
    assert!(rows < acknowledged, "{acknowledged} were acknowledged without a sync, {rows} there");
    // In WAL mode NORMAL syncs at checkpoints alone.
    let (rows, acknowledged) = rows_after("NORMAL", Loss::All, folder.path(), &mut dice);
    assert!(rows < acknowledged, "{acknowledged} were acknowledged without a sync, {rows} there");
}
