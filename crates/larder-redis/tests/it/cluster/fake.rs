//! Fake nodes, with the answers that a test sets.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

/// Stands for no answer: the node closes the connection.
pub(super) const HANG_UP: &str = "closed";

type Answer = dyn Fn(&[Vec<u8>]) -> String + Send + Sync;

/// A node that answers a handshake like a node of a cluster, and anything else as the test sets.
pub(super) struct Fake {
    port: u16,
    answer: Arc<Mutex<Arc<Answer>>>,
    gets: Arc<AtomicU64>,
    slots: Arc<Mutex<Vec<Range>>>,
}

/// The first and the last slot of a range, and the port of the node that serves it.
pub(super) type Range = (u16, u16, u16);

impl Fake {
    /// Starts a node that claims to serve every slot.
    pub(super) fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let nothing: Arc<Answer> = Arc::new(|_: &[Vec<u8>]| "$-1\r\n".to_owned());
        let fake = Self {
            port,
            answer: Arc::new(Mutex::new(nothing)),
            gets: Arc::default(),
            slots: Arc::new(Mutex::new(vec![(0, 16_383, port)])),
        };
        let (answer, gets) = (fake.answer.clone(), fake.gets.clone());
        let slots = fake.slots.clone();
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                let (answer, gets, slots) = (answer.clone(), gets.clone(), slots.clone());
                std::thread::spawn(move || serve(stream, &answer, &gets, &slots));
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
        *self.slots.lock().unwrap() = slots.to_vec();
    }

    /// Returns the number of GETs so far.
    pub(super) fn gets(&self) -> u64 {
        self.gets.load(Ordering::SeqCst)
    }

    /// Sets the answers from now on to all commands except handshakes and `CLUSTER SLOTS`.
    pub(super) fn answers(&self, answer: impl Fn(&[Vec<u8>]) -> String + Send + Sync + 'static) {
        *self.answer.lock().unwrap() = Arc::new(answer);
    }
}

fn serve(
    stream: TcpStream,
    answer: &Mutex<Arc<Answer>>,
    gets: &AtomicU64,
    slots: &Mutex<Vec<Range>>,
) {
    let mut writer = stream.try_clone().unwrap();
    let mut reader = BufReader::new(stream);
    while let Some(command) = read(&mut reader) {
        let reply = match &command[0].to_ascii_uppercase()[..] {
            b"HELLO" => "%2\r\n+version\r\n+7.0.15\r\n+mode\r\n+cluster\r\n".to_owned(),
            b"CLIENT" => "-ERR not here\r\n".to_owned(),
            b"CLUSTER" => tell(&slots.lock().unwrap()),
            // What a store asks when it connects.
            b"EVALSHA" if command[1].iter().all(|byte| *byte == b'0') => "-NOSCRIPT\r\n".to_owned(),
            b"PSUBSCRIBE" if command.len() == 1 => "-ERR wrong number\r\n".to_owned(),
            name => {
                if name == b"GET" {
                    gets.fetch_add(1, Ordering::SeqCst);
                }
                let answer = answer.lock().unwrap().clone();
                answer(&command)
            }
        };
        if reply == HANG_UP || writer.write_all(reply.as_bytes()).is_err() {
            return;
        }
    }
}

/// Returns the answer to `CLUSTER SLOTS`. An empty host stands for the host of the node that answers.
fn tell(slots: &[Range]) -> String {
    let mut text = format!("*{}\r\n", slots.len());
    for (first, last, port) in slots {
        text += &format!("*3\r\n:{first}\r\n:{last}\r\n*3\r\n$0\r\n\r\n:{port}\r\n+id\r\n");
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
