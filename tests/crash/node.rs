//! Running services of the real binary: started, killed and started again, each on the port that
//! it is given, while clients look up where it is now.
//!
//! Must not: know what is asked of them, or which fault is meant.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::shop;

/// Where clients find the services, by number; `None` of one that is down.
#[derive(Clone)]
pub struct Addresses(Arc<Vec<Mutex<Option<String>>>>);

impl Addresses {
    /// Of so many services, none of which is up.
    pub fn new(count: usize) -> Self {
        Self(Arc::new((0..count).map(|_| Mutex::default()).collect()))
    }

    pub fn count(&self) -> usize {
        self.0.len()
    }

    pub fn get(&self, number: usize) -> Option<String> {
        self.0[number].lock().unwrap().clone()
    }

    fn set(&self, number: usize, address: Option<String>) {
        *self.0[number].lock().unwrap() = address;
    }
}

/// A folder of one test's own, gone with it unless the test fails.
pub struct Folder(PathBuf);

impl Folder {
    /// With the shops' rules and settings in it.
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("koekake-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        shop::furnish(&path);
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("left for a look: {}", self.0.display());
        } else {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }
}

/// One service.
pub struct Node {
    number: usize,
    addresses: Addresses,
    folder: PathBuf,
    data: String,
    /// More of its environment.
    environment: Vec<(String, String)>,
    /// Where another binary or user is to run than the usual.
    program: Option<(PathBuf, u32)>,
    child: Option<Child>,
    /// How long its last start took until it listened.
    pub start_up: Duration,
}

impl Node {
    /// Starts it. `data` is a folder below `folder`, or `none`.
    pub fn start(folder: &Path, data: &str, addresses: &Addresses, number: usize) -> Self {
        let mut node = Self::prepare(folder, data, addresses, number);
        node.restart();
        node
    }

    /// The same, not yet running.
    pub fn prepare(folder: &Path, data: &str, addresses: &Addresses, number: usize) -> Self {
        Self {
            number,
            addresses: addresses.clone(),
            folder: folder.to_owned(),
            data: data.to_owned(),
            environment: Vec::new(),
            program: None,
            child: None,
            start_up: Duration::ZERO,
        }
    }

    /// Sets a variable from the next start on.
    pub fn set(&mut self, name: &str, value: &str) {
        self.environment.push((name.to_owned(), value.to_owned()));
    }

    /// From the next start on, permissions bind it: they do not bind root, so where this is root it
    /// runs as nobody, from a copy that nobody can reach.
    #[allow(dead_code, reason = "tests/data_command.rs has a folder that is read-only")]
    pub fn heed_permissions(&mut self) {
        const NOBODY: u32 = 65_534;
        if self.folder.metadata().unwrap().uid() != 0 {
            return;
        }
        let copy = self.folder.join("koekake");
        std::fs::copy(env!("CARGO_BIN_EXE_koekake"), &copy).unwrap();
        self.program = Some((copy, NOBODY));
    }

    pub fn data(&self) -> PathBuf {
        self.folder.join(&self.data)
    }

    /// Starts it after its end, and waits until it listens.
    pub fn restart(&mut self) {
        let begun = Instant::now();
        let mut child = self.spawn();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let address = lines.by_ref().map_while(Result::ok).find_map(|line| {
            let (_, rest) = line.split_once("http://")?;
            Some(
                rest.split(|c: char| c != '.' && c != ':' && !c.is_ascii_digit())
                    .next()?
                    .to_owned(),
            )
        });
        let Some(address) = address else {
            let log = std::fs::read_to_string(self.folder.join("log")).unwrap_or_default();
            panic!("it did not start ({:?}):\n{log}", child.wait());
        };
        // Whatever else it prints must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        self.start_up = begun.elapsed();
        self.child = Some(child);
        self.addresses.set(self.number, Some(address));
    }

    /// Starts it after its end, and kills it so long after, wherever it is by then.
    pub fn die_young(&self, after: Duration) {
        let mut child = self.spawn();
        std::thread::sleep(after);
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn spawn(&self) -> Child {
        let log = File::options().create(true).append(true).open(self.folder.join("log")).unwrap();
        self.command(&["serve", "--listen", "127.0.0.1:0", "--data", &self.data])
            .args(["--rules", "rules", "--geoip", "none", "--rate-limit", "off"])
            .args(["--workers", "2", "--log-level", "warn", "--write-behind", "50ms"])
            .envs(self.environment.iter().map(|(name, value)| (name, value)))
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap()
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        child.kill().unwrap();
        child.wait().unwrap();
        self.addresses.set(self.number, None);
    }

    /// Asks it to stop and waits until it has.
    pub fn stop(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        let id = child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        let status = child.wait().unwrap();
        self.addresses.set(self.number, None);
        status
    }

    /// What a command about its data prints, and whether it found nothing wrong.
    pub fn data_command(&self, verb: &str) -> (bool, String) {
        let mut command = self.command(&["data", verb]);
        command.env("KOEKAKE_DATA", &self.data).stderr(Stdio::inherit());
        let output = command.output().unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    }

    /// The binary with the settings of its folder alone.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let usual = || Command::new(env!("CARGO_BIN_EXE_koekake"));
        let mut command = self.program.as_ref().map_or_else(usual, |(program, user)| {
            let mut command = Command::new(program);
            command.uid(*user).gid(*user);
            command
        });
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KOEKAKE_")) {
            command.env_remove(name);
        }
        command.args(arguments).current_dir(&self.folder).stdin(Stdio::null());
        command
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}
