//! The real binary on a port of its own, ended when dropped.
//!
//! Must not: know what is asked of it.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A running service.
pub struct Server {
    child: Child,
    /// `127.0.0.1:PORT`
    pub address: String,
}

impl Server {
    /// Starts it with these arguments and waits for the line that says where it listens. Its
    /// settings are those of the arguments alone, from a folder without files.
    pub fn start(arguments: &[&str]) -> Self {
        let folder = std::env::temp_dir().join(format!("koekake-test-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder to run in");
        let mut command = Command::new(env!("CARGO_BIN_EXE_koekake"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("KOEKAKE_")) {
            command.env_remove(name);
        }
        let mut child = command
            .args(["serve", "--listen", "127.0.0.1:0", "--data", "none"])
            .args(arguments)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("the binary starts");
        let mut lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                let (_, rest) = line.split_once("http://")?;
                let end = rest.find(|c: char| c != '.' && c != ':' && !c.is_ascii_digit());
                Some(rest[..end.unwrap_or(rest.len())].trim_end_matches('.').to_owned())
            })
            .expect("a line that says http://ADDRESS");
        // Whatever else it prints must not fill the pipe.
        std::thread::spawn(move || lines.for_each(drop));
        Self { child, address }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
