//! A single `redis-server`.

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

/// A real `redis-server` on a loopback port and a Unix socket.
///
/// It ends when the value is dropped. If the test ends in another way, it ends too: see the
/// [module](super).
pub struct RedisServer {
    node: RedisNode,
}

impl RedisOptions {
    /// Starts the server, and returns once it answers.
    ///
    /// # Errors
    ///
    /// If the program is missing, or was built without the TLS that the options require; if the port is
    /// taken, the server refuses a setting, or it does not answer within twenty seconds.
    pub fn start(self) -> Result<RedisServer, StartError> {
        RedisServer::start_with(self)
    }
}

impl RedisServer {
    /// Starts a server with the default [`RedisOptions`].
    ///
    /// # Errors
    ///
    /// Those of [`RedisOptions::start`].
    pub fn start() -> Result<Self, StartError> {
        RedisOptions::new().start()
    }

    pub(super) fn start_with(options: RedisOptions) -> Result<Self, StartError> {
        RedisNode::start(options).map(|node| Self { node })
    }

    /// Returns the URL of the TCP port: `redis://127.0.0.1:…`.
    ///
    /// It includes the password if there is one; with TLS it is `rediss://127.0.0.1:…`.
    pub fn url(&self) -> String {
        self.node.url()
    }

    /// Returns the URL of the TCP port for an ACL user.
    pub fn url_as(&self, user: &str, password: &str) -> String {
        url::of_server(&self.node.options, self.port(), Some((user, password)))
    }

    /// Returns the URL of the Unix socket: `unix:///…`.
    ///
    /// It includes the password as `?pass=` if there is one.
    pub fn unix_url(&self) -> String {
        let socket = self.socket();
        match &self.node.options.password {
            Some(password) => format!("unix://{}?pass={}", socket.display(), escape(password)),
            None => format!("unix://{}", socket.display()),
        }
    }

    /// Returns the TCP port.
    pub fn port(&self) -> u16 {
        self.node.port()
    }

    /// Returns the address of the TCP port.
    pub fn address(&self) -> SocketAddr {
        self.node.address()
    }

    /// Returns the path of the Unix socket.
    pub fn socket(&self) -> PathBuf {
        self.dir().join(config::SOCKET)
    }

    /// Returns the directory of its configuration, log and data.
    pub fn dir(&self) -> &Path {
        self.node.dir()
    }

    /// Returns the process id. `None` after [`kill`](Self::kill).
    pub fn pid(&self) -> Option<u32> {
        self.node.pid()
    }

    /// Freezes the server with SIGSTOP. Returns once it is frozen.
    ///
    /// # Errors
    ///
    /// When the server was killed.
    pub fn stop(&self) -> io::Result<()> {
        self.node.freeze()
    }

    /// Resumes a frozen server with SIGCONT.
    ///
    /// # Errors
    ///
    /// When the server was killed.
    pub fn cont(&self) -> io::Result<()> {
        self.node.thaw()
    }

    /// Kills the server with SIGKILL. Returns once it has ended.
    pub fn kill(&mut self) {
        self.node.kill();
    }

    /// Kills the server if it runs, and starts it again.
    ///
    /// It keeps its port and its directory. The data in memory is lost, unless the settings keep it on disk.
    ///
    /// # Errors
    ///
    /// Those of [`RedisOptions::start`]. The server is then down.
    pub fn restart(&mut self) -> Result<(), StartError> {
        self.node.restart()
    }

    /// Runs one command on its own connection.
    ///
    /// An error reply is a [`Reply::Error`].
    ///
    /// # Errors
    ///
    /// If the server was killed, or is frozen for more than five seconds.
    pub fn command<A: AsRef<[u8]>>(&self, args: &[A]) -> io::Result<Reply> {
        self.node.command(args)
    }

    /// Opens a raw connection with all rights.
    ///
    /// # Errors
    ///
    /// If the server was killed, or does not answer a login within five seconds.
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
