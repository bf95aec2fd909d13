//! HTTP/1.1 as bytes on a socket: everything is sent unchanged, including what a client would correct.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// One answer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Names are in lower case.
    pub(super) fields: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

/// Why there is no complete answer to every request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The connection stayed open, but nothing arrived.
    Hang,
    /// The answer is not HTTP.
    Garbage(String),
}

impl Reply {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(it, _)| it == name);
        found.map(|(_, value)| value.as_str())
    }

    /// Returns the whole answer as text, in lower case.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        for (name, value) in &self.fields {
            text.push_str(&format!("{name}: {value}\n"));
        }
        text.push_str(&String::from_utf8_lossy(&self.body));
        text.to_lowercase()
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("HTTP/1.1 {} Said\r\n", self.status);
        for (name, value) in &self.fields {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// Requests one page, as any client would.
pub(super) fn ask(
    address: SocketAddr,
    host: &str,
    target: &str,
    fields: &str,
    patience: Duration,
) -> Result<Reply, Trouble> {
    let request =
        format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n{fields}Connection: close\r\n\r\n");
    let mut replies = exchange(address, request.as_bytes(), false, patience)?;
    if replies.len() == 1 {
        return Ok(replies.remove(0));
    }
    Err(Trouble::Garbage(format!("{} answers", replies.len())))
}

/// Sends the bytes, and returns every answer until the other side closes.
pub(super) fn exchange(
    address: SocketAddr,
    request: &[u8],
    is_head: bool,
    patience: Duration,
) -> Result<Vec<Reply>, Trouble> {
    let deadline = Instant::now() + patience;
    let mut stream = TcpStream::connect_timeout(&address, patience).unwrap();
    stream.set_write_timeout(Some(patience)).unwrap();
    // A server that refuses a request may close the connection before all of it is sent.
    let _ = stream.write_all(request);
    let mut received = Vec::new();
    let mut buffer = [0; 16 * 1024];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(Trouble::Hang);
        }
        stream.set_read_timeout(Some(left)).unwrap();
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(read) => received.extend_from_slice(&buffer[..read]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => break,
            Err(_) => return Err(Trouble::Hang),
        }
    }
    replies(&received, is_head).ok_or_else(|| {
        let text = String::from_utf8_lossy(&received);
        Trouble::Garbage(text.chars().take(300).collect())
    })
}

/// Reads one answer of a connection that stays open, and returns how long after its first bytes the rest
/// arrived.
pub(crate) fn next_reply(stream: &mut TcpStream) -> (Reply, Duration) {
    let mut received = Vec::new();
    let mut first = None;
    let mut buffer = [0; 64 * 1024];
    loop {
        let read = stream.read(&mut buffer).unwrap();
        assert_ne!(read, 0, "it hangs up");
        let first = *first.get_or_insert_with(Instant::now);
        received.extend_from_slice(&buffer[..read]);
        if let Some(mut whole) = replies(&received, false)
            && let Some(reply) = whole.pop()
        {
            return (reply, first.elapsed());
        }
    }
}

/// Returns the final answers in order; only the first may be to a HEAD.
fn replies(mut bytes: &[u8], is_head: bool) -> Option<Vec<Reply>> {
    let mut replies = Vec::new();
    while !bytes.is_empty() {
        let (mut reply, rest) = head(bytes)?;
        bytes = rest;
        if (100..200).contains(&reply.status) {
            continue;
        }
        let is_bare = (is_head && replies.is_empty()) || matches!(reply.status, 204 | 304);
        if !is_bare {
            let taken = body(&mut reply, bytes)?;
            bytes = bytes.get(taken..)?;
        }
        replies.push(reply);
    }
    Some(replies)
}

/// Splits off the status and the fields, and returns them with the rest.
pub(super) fn head(bytes: &[u8]) -> Option<(Reply, &[u8])> {
    let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")?;
    let text = String::from_utf8_lossy(&bytes[..end]);
    let mut lines = text.split("\r\n");
    let status = lines.next()?.strip_prefix("HTTP/1.")?;
    let status = status.split(' ').nth(1)?.parse().ok()?;
    let fields = lines.map(|line| {
        let (name, value) = line.split_once(':')?;
        Some((name.to_ascii_lowercase(), value.trim().to_owned()))
    });
    let reply = Reply {
        status,
        fields: fields.collect::<Option<_>>()?,
        body: Vec::new(),
    };
    Some((reply, &bytes[end + 4..]))
}

/// Reads the body, and returns how many bytes it took.
fn body(reply: &mut Reply, bytes: &[u8]) -> Option<usize> {
    if reply.field("transfer-encoding") == Some("chunked") {
        return chunks(&mut reply.body, bytes);
    }
    let length = match reply.field("content-length") {
        Some(length) => length.parse().ok()?,
        None => bytes.len(),
    };
    reply.body.extend_from_slice(bytes.get(..length)?);
    Some(length)
}

fn chunks(body: &mut Vec<u8>, bytes: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        let rest = bytes.get(at..)?;
        let line = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = std::str::from_utf8(&rest[..line]).ok()?;
        let size = usize::from_str_radix(size, 16).ok()?;
        let start = line + 2;
        body.extend_from_slice(rest.get(start..start + size)?);
        at += start + size + 2;
        if size == 0 {
            return Some(at);
        }
    }
}
