//! A small HTTP/1.1 client that keeps its one connection and shows headers. `tests/support` has
//! one for replays that does not.
//!
//! Must not: judge answers, but for holding each against the service's own document.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use serde_json::Value;

use crate::schema;

/// A person's browser.
pub const BROWSER: &str = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like \
                           Gecko) Chrome/142.0.0.0 Safari/537.36";

/// One connection; another one once the service has announced that it closes the first.
pub struct Client {
    address: SocketAddr,
    stream: BufReader<TcpStream>,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Reply {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Reply {
    /// A header's value.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error} in {:?}", self.text()))
    }

    /// Where a problem says the body is wrong.
    pub fn pointers(&self) -> Vec<String> {
        let problem = self.json();
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        errors.iter().map(|error| error["pointer"].as_str().unwrap().to_owned()).collect()
    }
}

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).expect("the service listens");
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        Self { address, stream: BufReader::new(stream) }
    }

    pub fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> Reply {
        self.send("GET", path, headers, b"")
    }

    /// Sends a request from a browser (unless `headers` names another user agent) and waits for
    /// its answer.
    pub fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Reply {
        let mut request = head(method, path, headers, body.len());
        request.extend_from_slice(body);
        self.write(&request);
        let reply = self.receive(method == "HEAD");
        if reply.header("connection") == Some("close") {
            *self = Self::connect(self.address);
        }
        schema::check(method, path, &reply);
        reply
    }

    pub fn write(&mut self, bytes: &[u8]) {
        // A service that refuses a long body may hang up before all of it was sent.
        let _ = self.stream.get_mut().write_all(bytes);
    }

    /// Reads an answer.
    pub fn receive(&mut self, is_head: bool) -> Reply {
        let first = self.line();
        let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status line: {first:?}"));
        let mut headers = Vec::new();
        loop {
            let line = self.line();
            let Some((name, value)) = line.split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut reply = Reply { status, headers, body: Vec::new() };
        let is_chunked = reply.header("transfer-encoding") == Some("chunked");
        if is_chunked && !is_head {
            loop {
                let size = usize::from_str_radix(&self.line(), 16).expect("a chunk's size");
                self.read(&mut reply.body, size);
                self.line();
                if size == 0 {
                    break;
                }
            }
        } else if let (Some(length), false) = (reply.header("content-length"), is_head) {
            let length = length.parse().expect("a length");
            self.read(&mut reply.body, length);
        }
        reply
    }

    /// Whether the service closed the connection.
    pub fn is_closed(&mut self) -> bool {
        let mut byte = [0];
        matches!(self.stream.read(&mut byte), Ok(0) | Err(_))
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }

    fn read(&mut self, body: &mut Vec<u8>, size: usize) {
        let start = body.len();
        body.resize(start + size, 0);
        self.stream.read_exact(&mut body[start..]).expect("the whole body");
    }
}

/// The head of a request, with a browser's user agent and as JSON unless `headers` say otherwise.
/// An empty value leaves a header out.
pub fn head(method: &str, path: &str, headers: &[(&str, &str)], length: usize) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: koekake\r\n").into_bytes();
    let mut all = vec![("User-Agent", BROWSER)];
    if method == "POST" || method == "PUT" {
        all.push(("Content-Type", "application/json"));
        write!(head, "Content-Length: {length}\r\n").unwrap();
    }
    all.retain(|(name, _)| !headers.iter().any(|(given, _)| given.eq_ignore_ascii_case(name)));
    for (name, value) in all.iter().chain(headers).filter(|(_, value)| !value.is_empty()) {
        write!(head, "{name}: {value}\r\n").unwrap();
    }
    head.extend_from_slice(b"\r\n");
    head
}
