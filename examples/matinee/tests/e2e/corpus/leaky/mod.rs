//! A small cache in front of an app, with one flaw at a time. Each of them has caused leaks
//! somewhere.

mod flaw;

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::wire::{self, Reply};

pub(super) use self::flaw::{FLAWS, Flaw};

/// Longer than the app takes, but shorter than a victim waits.
const PATIENCE: Duration = Duration::from_secs(5);

/// The cache, which serves until it is dropped.
pub(super) struct Leaky {
    address: SocketAddr,
    is_over: Arc<AtomicBool>,
    server: Option<JoinHandle<()>>,
}

/// A request as the cache understands it.
pub(super) struct Request {
    method: String,
    target: String,
    version: String,
    /// Names are in lower case.
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Leaky {
    /// Opens it in front of `origin`. Without a flaw it stores nothing.
    pub(super) fn open(origin: SocketAddr, flaw: Option<Flaw>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let is_over = Arc::new(AtomicBool::new(false));
        let is_done = Arc::clone(&is_over);
        let server = thread::spawn(move || {
            let mut kept = HashMap::new();
            for stream in listener.incoming() {
                if is_done.load(Ordering::Relaxed) {
                    break;
                }
                // A client that disconnects gets no further answers.
                let _ = serve(stream.unwrap(), origin, flaw, &mut kept);
            }
        });
        Self {
            address,
            is_over,
            server: Some(server),
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Leaky {
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        // Wakes it up.
        let _ = TcpStream::connect(self.address);
        if let Some(server) = self.server.take() {
            let _ = server.join();
        }
    }
}

/// Answers one request, and ignores further ones on the same connection.
fn serve(
    mut stream: TcpStream,
    origin: SocketAddr,
    flaw: Option<Flaw>,
    kept: &mut HashMap<String, Reply>,
) -> std::io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let Some(request) = read(&mut stream)? else {
        return Ok(());
    };
    if flaw.is_some_and(|flaw| flaw.stalls(&request)) {
        thread::sleep(Duration::from_millis(700));
        return Ok(());
    }
    let key = flaw.and_then(|flaw| flaw.key(&request));
    if let Some(reply) = key.as_ref().and_then(|key| kept.get(key)) {
        return stream.write_all(&reply.to_bytes());
    }
    let mut sent = request.to_origin();
    if let Some(flaw) = flaw {
        flaw.before(&mut sent);
    }
    let is_head = sent.method == "HEAD";
    let Ok(mut replies) = wire::exchange(origin, &sent.to_bytes(), is_head, PATIENCE) else {
        return Ok(());
    };
    if replies.is_empty() {
        return Ok(());
    }
    let mut reply = replies.remove(0);
    if let Some(flaw) = flaw {
        flaw.after(&request, &mut reply);
    }
    let framing = ["transfer-encoding", "content-length", "connection"];
    let length = reply.body.len().to_string();
    let length = reply
        .field("content-length")
        .map_or(length.clone(), |said| {
            let is_bare = is_head || reply.status == 304;
            if is_bare { said.to_owned() } else { length }
        });
    reply
        .fields
        .retain(|(name, _)| !framing.contains(&name.as_str()));
    reply.fields.push(("content-length".to_owned(), length));
    if let (Some(flaw), Some(key)) = (flaw, key)
        && flaw.keeps(&reply)
    {
        kept.insert(key, reply.clone());
    }
    stream.write_all(&reply.to_bytes())
}

fn read(stream: &mut TcpStream) -> std::io::Result<Option<Request>> {
    let mut bytes = Vec::new();
    let mut buffer = [0; 16 * 1024];
    let end = loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        match stream.read(&mut buffer)? {
            0 => return Ok(None),
            read => bytes.extend_from_slice(&buffer[..read]),
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let mut line = lines
        .next()
        .unwrap_or_default()
        .splitn(3, ' ')
        .map(str::to_owned);
    let mut word = || line.next().unwrap_or_default();
    let (method, target, version) = (word(), word(), word());
    let fields = lines.map(|line| line.split_once(':').unwrap_or((line, "")));
    let fields = fields.map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()));
    let mut request = Request {
        method,
        target,
        version,
        fields: fields.collect(),
        body: Vec::new(),
    };
    let length = request
        .field("content-length")
        .and_then(|it| it.parse().ok());
    let length: usize = length.unwrap_or_default();
    let mut body = bytes.split_off(end + 4);
    while body.len() < length {
        match stream.read(&mut buffer)? {
            0 => break,
            read => body.extend_from_slice(&buffer[..read]),
        }
    }
    body.truncate(length);
    request.body = body;
    Ok(Some(request))
}

impl Request {
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let found = self.fields.iter().find(|(it, _)| it == name);
        found.map(|(_, value)| value.as_str())
    }

    fn to_origin(&self) -> Self {
        let ours = ["connection", "transfer-encoding", "expect", "upgrade"];
        let fields = self.fields.iter().cloned();
        let fields = fields.filter(|(name, _)| !ours.contains(&name.as_str()));
        let close = ("connection".to_owned(), "close".to_owned());
        Self {
            method: self.method.clone(),
            target: self.target.clone(),
            version: self.version.clone(),
            fields: fields.chain([close]).collect(),
            body: self.body.clone(),
        }
    }

    fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{} {} {}\r\n", self.method, self.target, self.version);
        for (name, value) in &self.fields {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}
