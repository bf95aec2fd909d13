//! Fake nodes, with the answers that a test sets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// Stands for no answer: the node closes the connection.
pub(super) const HANG_UP: &str = "closed";

type Answer = dyn Fn(&[Vec<u8>]) -> String + Send + Sync;

/// A node that answers a handshake like a node of a cluster, and anything else as the test sets.
pub(super) struct Fake {
    port: u16,
    state: Arc<State>,
}

struct State {
    answer: Mutex<Arc<Answer>>,
    slots: Mutex<Vec<Range>>,
    replica: AtomicU16,
    greets_after: AtomicU64,
    gets: AtomicU64,
    reads: AtomicU64,
}

/// The first and the last slot of a range, and the port of the node that serves it.
pub(super) type Range = (u16, u16, u16);

impl Fake {
    /// Starts a node that claims to serve every slot.
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let nothing: Arc<Answer> = Arc::new(|_: &[Vec<u8>]| "$-1\r\n".to_owned());
        let state = Arc::new(State {
            answer: Mutex::new(nothing),
            slots: Mutex::new(vec![(0, 16_383, port)]),
            replica: AtomicU16::default(),
            greets_after: AtomicU64::default(),
            gets: AtomicU64::default(),
            reads: AtomicU64::default(),
        });
        let fake = Self {
            port,
            state: state.clone(),
        };
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let state = state.clone();
                std::thread::spawn(move || serve(stream, &state));
            }
        });
        fake
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn url(&self) -> String {
        format!("redis+cluster://127.0.0.1:{}", self.port)
    }

    /// Sets the answer to `CLUSTER SLOTS` from now on.
    pub(super) fn says(&self, slots: &[Range]) {
        *self.state.slots.lock().unwrap() = slots.to_vec();
    }

    /// Adds the replica at this port to each range of slots.
    pub(super) fn says_replica(&self, port: u16) {
        self.state.replica.store(port, Ordering::SeqCst);
    }

    /// Sets the time that the answer to `HELLO` takes.
    pub(super) fn greets_after(&self, millis: u64) {
        self.state.greets_after.store(millis, Ordering::SeqCst);
    }

    /// Returns the number of GETs so far.
    pub(super) fn gets(&self) -> u64 {
        self.state.gets.load(Ordering::SeqCst)
    }

    /// Returns how often its slots were read so far.
    pub(super) fn reads(&self) -> u64 {
        self.state.reads.load(Ordering::SeqCst)
    }

    /// Sets the answers from now on to all commands except handshakes and `CLUSTER SLOTS`.
    pub(super) fn answers(&self, answer: impl Fn(&[Vec<u8>]) -> String + Send + Sync + 'static) {
        *self.state.answer.lock().unwrap() = Arc::new(answer);
    }
}

fn serve(stream: TcpStream, state: &State) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    while let Some(command) = read(&mut reader) {
        let reply = match &command[0].to_ascii_uppercase()[..] {
            b"HELLO" => {
                let time = state.greets_after.load(Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(time));
                "%2\r\n+version\r\n+7.0.15\r\n+mode\r\n+cluster\r\n".to_owned()
            }
            b"CLIENT" => "-ERR not here\r\n".to_owned(),
            b"CLUSTER" => {
                state.reads.fetch_add(1, Ordering::SeqCst);
                tell(
                    &state.slots.lock().unwrap(),
                    state.replica.load(Ordering::SeqCst),
                )
            }
            // What a store asks when it connects.
            b"EVALSHA" if command[1].iter().all(|byte| *byte == b'0') => "-NOSCRIPT\r\n".to_owned(),
            b"PSUBSCRIBE" if command.len() == 1 => "-ERR wrong number\r\n".to_owned(),
            name => {
                if name == b"GET" {
                    state.gets.fetch_add(1, Ordering::SeqCst);
                }
                let answer = state.answer.lock().unwrap().clone();
                answer(&command)
            }
        };
        if reply == HANG_UP || writer.write_all(reply.as_bytes()).is_err() {
            return;
        }
    }
}

/// Returns the answer to `CLUSTER SLOTS`, with a replica unless its port is 0.
///
/// An empty host stands for the host of the node that answers.
fn tell(slots: &[Range], replica: u16) -> String {
    let node = |port: u16| format!("*3\r\n$0\r\n\r\n:{port}\r\n+id\r\n");
    let replica = (replica != 0).then(|| node(replica));
    let fields = 3 + replica.iter().len();
    let replica = replica.unwrap_or_default();
    let mut text = format!("*{}\r\n", slots.len());
    for (first, last, port) in slots {
        text += &format!(
            "*{fields}\r\n:{first}\r\n:{last}\r\n{}{replica}",
            node(*port)
        );
    }
    text
}

/// Reads the next command of a client.
pub(crate) fn read(reader: &mut BufReader<TcpStream>) -> Option<Vec<Vec<u8>>> {
    let count = length(reader)?;
    let words = (0..count).map(|_| {
        let mut word = vec![0; length(reader)? + 2];
        reader.read_exact(&mut word).ok()?;
        word.truncate(word.len() - 2);
        Some(word)
    });
    words.collect()
}

/// Reads the number after the first byte of a line.
fn length(reader: &mut BufReader<TcpStream>) -> Option<usize> {
    let mut line = String::new();
    reader.read_line(&mut line).ok()?;
    line.trim().get(1..)?.parse().ok()
}
