//! A proxy that loses answers, holds connections up and slows them down when it is told to.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Stands between a store and a server until the test ends.
pub(crate) struct Proxy {
    address: SocketAddr,
    faults: Arc<Faults>,
}

#[derive(Default)]
struct Faults {
    lose: AtomicBool,
    /// How many connections there were.
    connections: AtomicU64,
    /// How many of them have nothing left to pass on to the server.
    ended: AtomicU64,
    /// The connections up to this one are held up.
    held: AtomicU64,
    delay_ms: AtomicU64,
}

impl Proxy {
    pub(crate) fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self {
            address: listener.local_addr().unwrap(),
            faults: Arc::default(),
        };
        let faults = proxy.faults.clone();
        std::thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let Ok(upstream) = TcpStream::connect(server) else {
                    continue;
                };
                let number = faults.connections.fetch_add(1, Ordering::SeqCst) + 1;
                let (there, back) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
                let known = faults.clone();
                std::thread::spawn(move || {
                    forward(there, upstream, || known.hold(number));
                    known.ended.fetch_add(1, Ordering::SeqCst);
                });
                let known = faults.clone();
                std::thread::spawn(move || forward(back, client, || known.answer(number)));
            }
        });
        proxy
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    pub(crate) fn connections(&self) -> u64 {
        self.faults.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn ended(&self) -> u64 {
        self.faults.ended.load(Ordering::SeqCst)
    }

    /// Closes the connection on which the next answer comes, in place of passing it on.
    pub(crate) fn lose_the_next_answer(&self) {
        self.faults.lose.store(true, Ordering::SeqCst);
    }

    /// Passes nothing on any more over the connections that there are; new ones work.
    pub(crate) fn hold_up(&self) {
        self.faults.held.store(self.connections(), Ordering::SeqCst);
    }

    /// Passes on what was held up.
    pub(crate) fn let_go(&self) {
        self.faults.held.store(0, Ordering::SeqCst);
    }

    /// Lets each answer take longer.
    pub(crate) fn slow_down(&self, by: Duration) {
        let millis = u64::try_from(by.as_millis()).unwrap();
        self.faults.delay_ms.store(millis, Ordering::SeqCst);
    }
}

/// Whether bytes are passed on.
#[derive(PartialEq)]
enum Pass {
    On,
    Not,
}

impl Faults {
    fn hold(&self, number: u64) -> Pass {
        while number <= self.held.load(Ordering::SeqCst) {
            std::thread::sleep(Duration::from_millis(1));
        }
        Pass::On
    }

    fn answer(&self, number: u64) -> Pass {
        std::thread::sleep(Duration::from_millis(self.delay_ms.load(Ordering::SeqCst)));
        match self.lose.swap(false, Ordering::SeqCst) {
            true => Pass::Not,
            false => self.hold(number),
        }
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, pass: impl Fn() -> Pass) {
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if pass() == Pass::Not || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
