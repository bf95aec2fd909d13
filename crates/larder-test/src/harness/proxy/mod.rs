//! A TCP proxy that breaks connections as networks do.
//!
//! [`FaultProxy`] stands in front of any address. Without faults it passes everything on. Every fault
//! can be switched on and off while connections are open. Faults can be combined: replies may be slow,
//! in pieces and damaged at the same time.
//!
//! It runs on its own thread in real time, so it works in a plain test, in a test with tokio's clock
//! paused, and next to a blocked runtime. With a paused clock the timeouts of the test do not match the
//! delays of the proxy, so tests that depend on time should use the real clock. Dropping the proxy ends
//! it, with all its connections.
//!
//! # Examples
//!
//! ```
//! use std::io::{Read as _, Write as _};
//! use std::net::{TcpListener, TcpStream};
//! use larder_test::proxy::{Direction, FaultProxy};
//!
//! # fn main() -> std::io::Result<()> {
//! let server = TcpListener::bind("127.0.0.1:0")?;
//! let proxy = FaultProxy::start(server.local_addr()?)?;
//! let mut client = TcpStream::connect(proxy.address())?;
//! let (mut served, _) = server.accept()?;
//!
//! proxy.cut_next_after(Direction::Replies, 3);
//! served.write_all(b"+PONG\r\n")?;
//! let mut reply = Vec::new();
//! client.read_to_end(&mut reply)?;
//! assert_eq!(reply, b"+PO");
//! # Ok(())
//! # }
//! ```

mod bit_flips;
mod connection;
mod counts;
mod faults;
mod listener;
mod pipe;
mod state;
mod switches;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use tokio::sync::{mpsc, watch};

use faults::Faults;
use listener::{Front, Order};
use state::End;
use state::ProxyState;

pub use faults::{Connections, Direction};

/// A TCP proxy in front of one address, whose faults a test switches on and off.
///
/// See the [module](self). Every byte is passed on, and so is the end of the stream, for each direction
/// separately. At most 1,024 connections are open at a time; further ones are reset. Each direction of
/// a connection holds back at most 1 MiB; then its sender has to wait.
pub struct FaultProxy {
    address: SocketAddr,
    faults: watch::Sender<Faults>,
    state: Arc<ProxyState>,
    orders: Option<mpsc::UnboundedSender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl FaultProxy {
    /// Listens on a free loopback port, and forwards to `upstream`.
    ///
    /// The proxy accepts a connection before it connects to `upstream`. If `upstream` refuses, or does not
    /// accept within five seconds, the client's connection is reset.
    ///
    /// # Errors
    ///
    /// If the system refuses a port or a thread.
    pub fn start(upstream: SocketAddr) -> io::Result<Self> {
        Self::over(listener::listen_anywhere()?, upstream)
    }

    /// Starts a proxy like [`start`](Self::start), at a given address.
    ///
    /// # Errors
    ///
    /// If the address is taken or not one of this machine, or the system refuses a thread.
    pub fn start_at(address: SocketAddr, upstream: SocketAddr) -> io::Result<Self> {
        Self::over(TcpListener::bind(address)?, upstream)
    }

    fn over(listener: TcpListener, upstream: SocketAddr) -> io::Result<Self> {
        let faults = watch::Sender::new(Faults::new(upstream));
        let state = Arc::new(ProxyState::default());
        let (orders, received) = mpsc::unbounded_channel();
        let (front, address) = Front::over(listener, faults.subscribe(), state.clone())?;
        let thread = front.spawn(received)?;
        Ok(Self {
            address,
            faults,
            state,
            orders: Some(orders),
            thread: Some(thread),
        })
    }

    /// Returns the address of the proxy.
    ///
    /// It is the same after [`refuse`](Self::refuse) and [`listen`](Self::listen).
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the URL of the proxy: `redis://127.0.0.1:…`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Forwards new connections to another address.
    pub fn set_upstream(&self, upstream: SocketAddr) {
        self.set(|faults| faults.upstream = upstream);
    }

    /// Ends all faults: delivers the bytes that were held back, and listens again.
    ///
    /// # Errors
    ///
    /// Those of [`listen`](Self::listen).
    pub fn heal(&self) -> io::Result<()> {
        self.state.forget_plans();
        self.set(|faults| *faults = Faults::new(faults.upstream));
        self.listen()
    }

    /// Resets all open connections on both sides: each reads `ECONNRESET`.
    ///
    /// Returns how many there were, once they are closed.
    pub fn reset(&self) -> usize {
        self.state.end_all(End::Reset)
    }

    /// Closes all open connections on both sides: each reads the end of the stream.
    ///
    /// Returns how many there were, once both sides have closed them; for a side that does not close, it
    /// waits a second.
    pub fn close(&self) -> usize {
        self.state.end_all(End::Close)
    }

    /// Stops listening. Returns once connections are refused.
    ///
    /// # Errors
    ///
    /// If the thread of the proxy has ended, which cannot normally happen.
    pub fn refuse(&self) -> io::Result<()> {
        self.order(Order::Refuse)
    }

    /// Listens again on the same port. Returns once it does.
    ///
    /// # Errors
    ///
    /// If another process has taken the port in the meantime.
    pub fn listen(&self) -> io::Result<()> {
        self.order(Order::Listen)
    }

    fn set(&self, change: impl FnOnce(&mut Faults)) {
        self.faults.send_modify(change);
    }

    fn order(&self, order: fn(std::sync::mpsc::Sender<io::Result<()>>) -> Order) -> io::Result<()> {
        let ended = || io::Error::other("the proxy's thread has ended");
        let (done, outcome) = std::sync::mpsc::channel();
        let orders = self.orders.as_ref().ok_or_else(ended)?;
        orders.send(order(done)).map_err(|_| ended())?;
        outcome.recv().map_err(|_| ended())?
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        // Without a sender of orders the thread ends, and its connections with it.
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // If it panicked, the message was already printed.
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for FaultProxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultProxy")
            .field("address", &self.address)
            .field("faults", &*self.faults.borrow())
            .field("open", &self.open())
            .finish_non_exhaustive()
    }
}
