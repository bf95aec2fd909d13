//! A TCP proxy that does to connections what networks do.
//!
//! [`FaultProxy`] stands in front of any address. It passes everything on until a test says
//! otherwise, and every fault can be switched on and off while connections are open. Faults add up:
//! replies may be slow, in pieces and damaged at the same time.
//!
//! It runs on a thread and a clock of its own, so it works in a plain test, in one whose tokio clock
//! is paused, and next to a runtime that is blocked. No wait of a test can be shorter than its own
//! faults, so tests of time want the real clock. It is gone when it is dropped, with all of its
//! connections.
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

mod connection;
mod damage;
mod faults;
mod front;
mod ledger;
mod pipe;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use connection::End;
use damage::Damage;
use faults::{Cut, Faults, Hold};
use front::{Front, Order};
use ledger::Ledger;

pub use faults::{Connections, Direction};

/// A TCP proxy in front of one address, whose faults a test switches while it runs.
///
/// See the [module](self). Every connection is passed on byte by byte, with the end of each
/// direction for itself. At most 1,024 connections are open at a time, and each direction of one
/// holds at most 1 MiB back; then its sender has to wait.
pub struct FaultProxy {
    address: SocketAddr,
    faults: watch::Sender<Faults>,
    ledger: Arc<Ledger>,
    orders: Option<mpsc::UnboundedSender<Order>>,
    thread: Option<JoinHandle<()>>,
}

impl FaultProxy {
    /// Listens on a free loopback port, and passes on to `upstream`.
    ///
    /// A connection is accepted before the one to `upstream` is there; where that one is refused, the
    /// client's is reset.
    ///
    /// # Errors
    ///
    /// When the system refuses a port or a thread.
    pub fn start(upstream: SocketAddr) -> io::Result<Self> {
        Self::over(front::listen_anywhere()?, upstream)
    }

    /// As [`start`](Self::start), at an address of the test's choice.
    ///
    /// # Errors
    ///
    /// When the address is taken or not of this machine, or the system refuses a thread.
    pub fn start_at(address: SocketAddr, upstream: SocketAddr) -> io::Result<Self> {
        Self::over(TcpListener::bind(address)?, upstream)
    }

    fn over(listener: TcpListener, upstream: SocketAddr) -> io::Result<Self> {
        let faults = watch::Sender::new(Faults::new(upstream));
        let ledger = Arc::new(Ledger::default());
        let (orders, received) = mpsc::unbounded_channel();
        let (front, address) = Front::over(listener, faults.subscribe(), ledger.clone())?;
        let thread = front.spawn(received)?;
        Ok(Self {
            address,
            faults,
            ledger,
            orders: Some(orders),
            thread: Some(thread),
        })
    }

    /// Where the proxy listens. It is the same after [`refuse`](Self::refuse) and
    /// [`listen`](Self::listen).
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address as `redis://127.0.0.1:…`.
    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Passes new connections on to another address.
    pub fn set_upstream(&self, upstream: SocketAddr) {
        self.set(|faults| faults.upstream = upstream);
    }

    /// Ends all faults: what was held back is passed on, and the proxy listens again.
    ///
    /// # Errors
    ///
    /// As [`listen`](Self::listen).
    pub fn heal(&self) -> io::Result<()> {
        self.ledger.forget_plans();
        self.set(|faults| *faults = Faults::new(faults.upstream));
        self.listen()
    }

    /// Passes every byte on so much after it came; zero ends it. What is sent together still arrives
    /// together: this is latency, and no limit to what is under way.
    pub fn delay(&self, direction: Direction, delay: Duration) {
        self.set(|faults| faults.flow_mut(direction).delay = delay);
    }

    /// Passes on no more than so many bytes a second on each connection; `None` ends it.
    pub fn throttle(&self, direction: Direction, bytes_per_second: Option<NonZeroU32>) {
        self.set(|faults| faults.flow_mut(direction).rate = bytes_per_second);
    }

    /// Passes bytes on in pieces of at most this size, each in a write of its own; `None` ends it.
    ///
    /// A reader that is slower than the proxy may still get several at once. With a
    /// [`throttle`](Self::throttle) they come one at a time.
    pub fn slice(&self, direction: Direction, piece: Option<NonZeroUsize>) {
        self.set(|faults| faults.flow_mut(direction).piece = piece);
    }

    /// Passes nothing on over these connections in either direction, and does not end them. What
    /// comes meanwhile is kept, as a network would send it again. New connections are still accepted.
    ///
    /// A connection is open once [`accepted`](Self::accepted) counts it; one that has had a reply is.
    pub fn black_hole(&self, which: Connections) {
        let accepted = self.ledger.accepted();
        self.set(|faults| {
            faults.hold = match which {
                Connections::Open => Hold::UpTo(accepted),
                Connections::OpenAndNew => Hold::All,
            };
        });
    }

    /// Passes on what a [`black_hole`](Self::black_hole) held back, and what comes.
    pub fn end_black_hole(&self) {
        self.set(|faults| faults.hold = Hold::Nothing);
    }

    /// Passes on so many more bytes, counted over all connections, and closes the connection that
    /// brought the last of them. Then it is over. Zero closes the next one that brings any.
    pub fn cut_next_after(&self, direction: Direction, bytes: u64) {
        self.ledger.plan_cut(direction, bytes);
    }

    /// Closes every connection that has passed so many bytes, counted for each from now on, or from
    /// its start if it is new; `None` ends it.
    pub fn cut_every_after(&self, direction: Direction, bytes: impl Into<Option<u64>>) {
        let cut = bytes.into().map(Cut::after);
        self.set(|faults| faults.flow_mut(direction).cut = cut);
    }

    /// Closes the connection on which the next reply comes, in place of passing it on, and does so
    /// `count` times: the server has done what it was asked, and nobody hears of it.
    ///
    /// What is lost is what comes in one piece, which is several replies to a pipeline.
    /// [`replies_dropped`](Self::replies_dropped) counts.
    pub fn drop_replies(&self, count: u64) {
        self.ledger.plan_drops(count);
    }

    /// Flips one bit in one of `one_in` bytes of the replies on average; `None` ends it. Which bytes
    /// depends on `seed`, on the number of the connection and on nothing else: the same bytes are
    /// damaged in every run. [`bytes_corrupted`](Self::bytes_corrupted) counts.
    pub fn corrupt_replies(&self, seed: u64, one_in: Option<NonZeroU32>) {
        let damage = one_in.map(|one_in| Damage::new(seed, one_in));
        self.set(|faults| faults.damage = damage);
    }

    /// Resets all open connections at both ends: each reads `ECONNRESET`. Returns how many there
    /// were, once they are gone.
    pub fn reset(&self) -> usize {
        self.ledger.end_all(End::Reset)
    }

    /// Closes all open connections at both ends: each reads the end of the stream. Returns how many
    /// there were, once they are gone, or have not closed their side for a second.
    pub fn close(&self) -> usize {
        self.ledger.end_all(End::Close)
    }

    /// Stops listening; returns once connections are refused. Those that are open stay.
    ///
    /// # Errors
    ///
    /// When the proxy's thread has ended, which it does not.
    pub fn refuse(&self) -> io::Result<()> {
        self.order(Order::Refuse)
    }

    /// Listens again on the same port; returns once it does. Nothing happens when it listens.
    ///
    /// # Errors
    ///
    /// When somebody else took the port meanwhile.
    pub fn listen(&self) -> io::Result<()> {
        self.order(Order::Listen)
    }

    /// How many connections were accepted so far.
    pub fn accepted(&self) -> u64 {
        self.ledger.accepted()
    }

    /// How many connections are open.
    pub fn open(&self) -> usize {
        self.ledger.open()
    }

    /// How many of the accepted connections have ended, at both ends.
    pub fn ended(&self) -> u64 {
        self.ledger.ended()
    }

    /// How many bytes were passed on.
    pub fn bytes(&self, direction: Direction) -> u64 {
        self.ledger.bytes(direction)
    }

    /// How many times [`drop_replies`](Self::drop_replies) has dropped a reply.
    pub fn replies_dropped(&self) -> u64 {
        self.ledger.drops()
    }

    /// How many bytes [`corrupt_replies`](Self::corrupt_replies) has changed.
    pub fn bytes_corrupted(&self) -> u64 {
        self.ledger.corrupted()
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
        // Without anybody to give orders the thread ends, and its connections with it.
        self.orders = None;
        if let Some(thread) = self.thread.take() {
            // A panic over there was printed there.
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
