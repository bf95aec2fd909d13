//! A raw connection without a client library.

use std::io::{self, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::resp::{self, Reply};
#[cfg(feature = "tls")]
use super::tls::{TlsOptions, TlsStream};

/// A raw RESP2 connection, which retries nothing.
///
/// Every connect, write and read waits at most five seconds. [`set_patience`](Self::set_patience) changes
/// that for writes and reads.
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
    /// If no server listens at `address`, or it does not accept in time.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        Self::open_within(address, PATIENCE)
    }

    /// Connects like [`open`](Self::open), with another maximum wait.
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

    /// Sets the maximum wait of a write or a read.
    ///
    /// # Errors
    ///
    /// If `patience` is zero.
    pub fn set_patience(&self, patience: Duration) -> io::Result<()> {
        bound(self.stream.get_ref().socket(), patience)
    }

    /// Sends one command and waits for its reply. An error reply is a [`Reply::Error`].
    ///
    /// # Errors
    ///
    /// If the connection fails, the maximum wait is over, or the reply is not RESP2.
    pub fn call<A: AsRef<[u8]>>(&mut self, args: &[A]) -> io::Result<Reply> {
        self.send(args)?;
        self.receive()
    }

    /// Sends a command. Its reply is returned by [`receive`](Self::receive).
    ///
    /// # Errors
    ///
    /// If the connection fails or the maximum wait is over.
    pub fn send<A: AsRef<[u8]>>(&mut self, args: &[A]) -> io::Result<()> {
        let stream = self.stream.get_mut();
        stream.write_all(&resp::encode(args))?;
        stream.flush()
    }

    /// Waits for the next reply, or for the next message of a subscription.
    ///
    /// If the maximum wait is over before a reply has begun, you can call it again. If a part of the reply has
    /// arrived, the reply is lost.
    ///
    /// # Errors
    ///
    /// If the connection fails, the maximum wait is over ([`WouldBlock`](io::ErrorKind::WouldBlock) or
    /// [`TimedOut`](io::ErrorKind::TimedOut), depending on the platform), or the reply is not RESP2.
    pub fn receive(&mut self) -> io::Result<Reply> {
        resp::read(&mut self.stream)
    }
}

/// Returns a connected socket whose reads and writes wait at most `patience`.
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
