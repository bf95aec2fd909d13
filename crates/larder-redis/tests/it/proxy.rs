//! A proxy that loses an answer when it is told to.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Stands between a store and a server until the test ends.
pub(crate) struct Proxy {
    address: SocketAddr,
    lose: Arc<AtomicBool>,
}

impl Proxy {
    pub(crate) fn before(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let proxy = Self {
            address: listener.local_addr().unwrap(),
            lose: Arc::default(),
        };
        let lose = proxy.lose.clone();
        std::thread::spawn(move || {
            while let Ok((client, _)) = listener.accept() {
                let Ok(upstream) = TcpStream::connect(server) else {
                    continue;
                };
                let (there, back) = (client.try_clone().unwrap(), upstream.try_clone().unwrap());
                std::thread::spawn(move || forward(there, upstream, &AtomicBool::new(false)));
                let lose = lose.clone();
                std::thread::spawn(move || forward(back, client, &lose));
            }
        });
        proxy
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Closes the connection on which the next answer comes, in place of passing it on.
    pub(crate) fn lose_the_next_answer(&self) {
        self.lose.store(true, Ordering::SeqCst);
    }
}

fn forward(mut from: TcpStream, mut to: TcpStream, lose: &AtomicBool) {
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = from.read(&mut buffer) {
        if lose.swap(false, Ordering::SeqCst) || to.write_all(&buffer[..read]).is_err() {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}
