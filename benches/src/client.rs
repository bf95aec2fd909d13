//! A client of HTTP/1.1 that costs next to nothing.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection that is kept alive.
pub(crate) struct Client {
    stream: TcpStream,
    /// Fields of every request, each with its end of line.
    fields: String,
    read: Vec<u8>,
}

/// A whole answer.
pub(crate) struct Answer<'a> {
    /// The lines of the head.
    pub(crate) head: String,
    pub(crate) body: &'a [u8],
    pub(crate) took: Duration,
}

impl Client {
    pub(crate) async fn connect(server: SocketAddr) -> Self {
        let stream = TcpStream::connect(server).await.expect("a connection");
        Self {
            stream,
            fields: "host: cinema.example\r\n".to_owned(),
            read: Vec::with_capacity(16 * 1024),
        }
    }

    /// Sends this cookie from now on.
    pub(crate) fn keep_cookie(&mut self, cookie: &str) {
        self.fields += &format!("cookie: {cookie}\r\n");
    }

    /// Asks for a page, and reads it to its end.
    pub(crate) async fn get(&mut self, path: &str) -> Answer<'_> {
        self.ask(&format!("GET {path} HTTP/1.1\r\n{}\r\n", self.fields))
            .await
    }

    /// Sends a form.
    pub(crate) async fn post(&mut self, path: &str, form: &str) -> Answer<'_> {
        let (fields, length) = (&self.fields, form.len());
        let request = format!(
            "POST {path} HTTP/1.1\r\n{fields}content-type: application/x-www-form-urlencoded\r\n\
             content-length: {length}\r\n\r\n{form}"
        );
        self.ask(&request).await
    }

    /// Opens a stream, and reads it to its end.
    pub(crate) async fn follow(mut self, path: &str) {
        let fields = &self.fields;
        let request = format!("GET {path} HTTP/1.1\r\n{fields}connection: close\r\n\r\n");
        self.send(&request).await;
        let mut is_open = false;
        while self.receive().await > 0 {
            // What arrives first is longer than this.
            is_open = is_open || self.read.starts_with(b"HTTP/1.1 200 ");
            assert!(is_open, "{path} is a stream");
            self.read.clear();
        }
    }

    async fn ask(&mut self, request: &str) -> Answer<'_> {
        let started = Instant::now();
        self.send(request).await;
        loop {
            assert_ne!(self.receive().await, 0, "the connection is kept");
            if let Some((head, end)) = self.whole() {
                return Answer {
                    head,
                    body: &self.read[end..],
                    took: started.elapsed(),
                };
            }
        }
    }

    async fn send(&mut self, request: &str) {
        self.read.clear();
        let sent = self.stream.write_all(request.as_bytes()).await;
        sent.expect("the server reads");
    }

    async fn receive(&mut self) -> usize {
        let read = self.stream.read_buf(&mut self.read).await;
        read.expect("the server answers")
    }

    /// Returns the head, and where the body begins. None until as much is here as the head says.
    fn whole(&self) -> Option<(String, usize)> {
        let end = self
            .read
            .windows(4)
            .position(|bytes| bytes == b"\r\n\r\n")?;
        let head = String::from_utf8_lossy(&self.read[..end]).into_owned();
        // Servers of hyper write names in lower case.
        let mut lines = head.lines();
        let length = lines.find_map(|line| line.strip_prefix("content-length:"));
        let length = length.and_then(|length| length.trim().parse::<usize>().ok());
        let length = length.expect("a page that is ready has a length");
        (self.read.len() >= end + 4 + length).then_some((head, end + 4))
    }
}
