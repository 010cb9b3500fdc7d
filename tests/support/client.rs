//! A small HTTP/1.1 client that keeps its one connection.
//!
//! Must not: understand more of HTTP than the service needs to answer it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

/// One connection.
pub struct Client {
    stream: BufReader<TcpStream>,
    host: String,
}

/// A status and a body.
#[derive(Debug)]
pub struct Response {
    pub status: u16,
    pub body: String,
}

impl Client {
    pub fn connect(address: &str) -> Self {
        let stream = TcpStream::connect(address).expect("the service listens");
        stream.set_nodelay(true).expect("a socket");
        Self { stream: BufReader::new(stream), host: address.to_owned() }
    }

    pub fn get(&mut self, path: &str) -> Response {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.host);
        self.send(&request)
    }

    /// Sends a JSON body.
    pub fn post(&mut self, path: &str, headers: &[(&str, &str)], body: &str) -> Response {
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nHost: {}\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n",
            self.host,
            body.len()
        );
        for (name, value) in headers {
            request.push_str(&format!("{name}: {value}\r\n"));
        }
        request.push_str("\r\n");
        request.push_str(body);
        self.send(&request)
    }

    fn send(&mut self, request: &str) -> Response {
        self.stream.get_mut().write_all(request.as_bytes()).expect("the connection is kept");
        self.receive()
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("a line");
        line.trim_end().to_owned()
    }

    fn receive(&mut self) -> Response {
        let first = self.line();
        let status = first.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.unwrap_or_else(|| panic!("no status line: {first:?}"));
        let (mut length, mut is_chunked) = (0, false);
        loop {
            let line = self.line().to_ascii_lowercase();
            let Some((name, value)) = line.split_once(':') else { break };
            match (name, value.trim()) {
                ("content-length", value) => length = value.parse().expect("a length"),
                ("transfer-encoding", "chunked") => is_chunked = true,
                _ => {}
            }
        }
        let mut body = Vec::new();
        if is_chunked {
            loop {
                let size = usize::from_str_radix(&self.line(), 16).expect("a chunk's size");
                self.read(&mut body, size);
                self.line();
                if size == 0 {
                    break;
                }
            }
        } else {
            self.read(&mut body, length);
        }
        Response { status, body: String::from_utf8(body).expect("UTF-8") }
    }

    fn read(&mut self, body: &mut Vec<u8>, size: usize) {
        let start = body.len();
        body.resize(start + size, 0);
        self.stream.read_exact(&mut body[start..]).expect("the whole body");
    }
}
