//! A raw connection without a client library.

use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::resp::{self, Reply};
#[cfg(feature = "tls")]
use super::tls::{TlsOptions, TlsStream};

/// A connection that speaks RESP2 and retries nothing.
///
/// Every connect, write and read waits for five seconds at most, or for what
/// [`set_patience`](Self::set_patience) says.
#[derive(Debug)]
pub struct Connection {
    stream: BufReader<Stream>,
}

pub(super) const PATIENCE: Duration = Duration::from_secs(5);

impl Connection {
    /// Connects without authenticating.
    ///
    /// # Errors
    ///
    /// When nothing listens at `address`, or nothing answers in time.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        Self::open_within(address, PATIENCE)
    }

    /// Connects like [`open`](Self::open), with another patience.
    pub(super) fn open_within(address: SocketAddr, patience: Duration) -> io::Result<Self> {
        Ok(Self::over(Stream::Tcp(dial(address, patience)?)))
    }

    /// Connects to a server that was started with `tls`.
    #[cfg(feature = "tls")]
    pub(super) fn open_tls(
        address: SocketAddr,
        tls: &TlsOptions,
        patience: Duration,
    ) -> io::Result<Self> {
        let stream = tls.greet(dial(address, patience)?)?;
        Ok(Self::over(Stream::Tls(Box::new(stream))))
    }

    fn over(stream: Stream) -> Self {
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// Sets the maximum wait of a write or a read, which is never zero.
    ///
    /// # Errors
    ///
    /// When `patience` is zero.
    pub fn set_patience(&self, patience: Duration) -> io::Result<()> {
        bound(self.stream.get_ref().socket(), patience)
    }

    /// Sends one command and waits for its reply. An error reply is a [`Reply::Error`].
    ///
    /// # Errors
    ///
    /// When the connection fails, the wait ends first, or the reply is not RESP2.
    pub fn call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> io::Result<Reply> {
        self.send(args)?;
        self.receive()
    }

    /// Sends a command, whose reply [`receive`](Self::receive) returns.
    ///
    /// # Errors
    ///
    /// When the connection fails or the wait ends first.
    pub fn send<A: AsRef<[u8]>>(&mut self, args: &[A]) -> io::Result<()> {
        let stream = self.stream.get_mut();
        stream.write_all(&resp::encode(args))?;
        stream.flush()
    }

    /// Waits for the next reply, or for the next message of a subscription.
    ///
    /// A wait that ends between two replies can be repeated; one that ends within a reply loses it.
    ///
    /// # Errors
    ///
    /// When the connection fails, the wait ends first ([`WouldBlock`](io::ErrorKind::WouldBlock) or
    /// [`TimedOut`](io::ErrorKind::TimedOut), as the platform has it), or the reply is not RESP2.
    pub fn receive(&mut self) -> io::Result<Reply> {
        resp::read(&mut self.stream)
    }
}

/// Returns a socket whose waits all end after `patience`.
fn dial(address: SocketAddr, patience: Duration) -> io::Result<TcpStream> {
    let socket = TcpStream::connect_timeout(&address, patience)?;
    socket.set_nodelay(true)?;
    bound(&socket, patience)?;
    Ok(socket)
}

fn bound(socket: &TcpStream, patience: Duration) -> io::Result<()> {
    socket.set_write_timeout(Some(patience))?;
    socket.set_read_timeout(Some(patience))
}

#[derive(Debug)]
enum Stream {
    Tcp(TcpStream),
    #[cfg(feature = "tls")]
    Tls(Box<TlsStream>),
}

impl Stream {
    fn socket(&self) -> &TcpStream {
        match self {
            Self::Tcp(socket) => socket,
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.get_ref(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.read(buffer),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Tcp(stream) => stream.write(bytes),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Tcp(stream) => stream.flush(),
            #[cfg(feature = "tls")]
            Self::Tls(stream) => stream.flush(),
        }
    }
}
