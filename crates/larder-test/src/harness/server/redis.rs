//! One `redis-server`.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use super::config;
use super::connection::Connection;
use super::error::StartError;
use super::node::RedisNode;
use super::options::RedisOptions;
use super::resp::Reply;
use super::url::{self, escape};

/// A real `redis-server` that answers on a loopback port and on a unix socket, until it is dropped.
///
/// See the [module](super) for what becomes of it when the test does not end well.
pub struct RedisServer {
    node: RedisNode,
}

impl RedisServer {
    /// Starts a server with the default [`RedisOptions`].
    ///
    /// # Errors
    ///
    /// As [`RedisOptions::start`].
    pub fn start() -> Result<Self, StartError> {
        RedisOptions::new().start()
    }

    pub(super) fn start_with(options: RedisOptions) -> Result<Self, StartError> {
        RedisNode::start(options).map(|node| Self { node })
    }

    /// The URL of the TCP port, `redis://127.0.0.1:…`, with the password if there is one; with TLS
    /// `rediss://127.0.0.1:…`. It is the same after a restart.
    pub fn url(&self) -> String {
        self.node.url()
    }

    /// The URL of the TCP port for an ACL user.
    pub fn url_as(&self, user: &str, password: &str) -> String {
        url::of_server(&self.node.options, self.port(), Some((user, password)))
    }

    /// The URL of the unix socket, `unix:///…`, with the password as `?pass=` if there is one.
    pub fn unix_url(&self) -> String {
        let socket = self.socket();
        match &self.node.options.password {
            Some(password) => format!("unix://{}?pass={}", socket.display(), escape(password)),
            None => format!("unix://{}", socket.display()),
        }
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.node.port()
    }

    /// The address of the TCP port.
    pub fn address(&self) -> SocketAddr {
        self.node.address()
    }

    /// The path of the unix socket.
    pub fn socket(&self) -> PathBuf {
        self.dir().join(config::SOCKET)
    }

    /// The server's directory: its configuration, log and data. It goes with the server.
    pub fn dir(&self) -> &Path {
        self.node.dir()
    }

    /// The process id; `None` after [`kill`](Self::kill).
    pub fn pid(&self) -> Option<u32> {
        self.node.pid()
    }

    /// Freezes the server with SIGSTOP; returns once it is frozen. The kernel still accepts
    /// connections for it and takes what is sent, but nothing is answered.
    ///
    /// # Errors
    ///
    /// When the server was killed.
    pub fn stop(&self) -> io::Result<()> {
        self.node.freeze()
    }

    /// Lets a frozen server run on, with SIGCONT.
    ///
    /// # Errors
    ///
    /// When the server was killed.
    pub fn cont(&self) -> io::Result<()> {
        self.node.thaw()
    }

    /// Kills the server with SIGKILL, frozen or not; returns once nothing listens. A server that was
    /// killed already stays so.
    pub fn kill(&mut self) {
        self.node.kill();
    }

    /// Kills the server if it runs, and starts it again on the same port and in the same directory.
    /// What it had in memory is lost, unless it was started with settings that keep it.
    ///
    /// # Errors
    ///
    /// As [`RedisOptions::start`]; the server is then down.
    pub fn restart(&mut self) -> Result<(), StartError> {
        self.node.restart()
    }

    /// Runs one command on a connection of its own. An error reply is a [`Reply::Error`].
    ///
    /// # Errors
    ///
    /// When the server is killed, or frozen for longer than five seconds.
    pub fn command<A: AsRef<[u8]>>(&self, args: &[A]) -> io::Result<Reply> {
        self.node.command(args)
    }

    /// Opens a raw connection that may do everything.
    ///
    /// # Errors
    ///
    /// When the server is killed, or frozen for longer than five seconds.
    pub fn connect(&self) -> io::Result<Connection> {
        self.node.connect()
    }
}

impl fmt::Debug for RedisServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisServer")
            .field("address", &self.address())
            .field("pid", &self.pid())
            .finish_non_exhaustive()
    }
}
