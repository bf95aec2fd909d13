//! A server process, alone or in a group.

use std::fmt;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use super::connection::{Connection, PATIENCE};
use super::error::StartError;
use super::launch::Launch;
use super::login::login;
use super::options::RedisOptions;
use super::process::Process;
use super::reaper::Reaper;
use super::resp::Reply;
use super::temp_dir::Scratch;
use super::url;

/// A process of a [`RedisCluster`](super::RedisCluster) or of [`RedisSentinels`].
///
/// A test can query, freeze, kill and restart it.
///
/// [`RedisSentinels`]: super::RedisSentinels
pub struct RedisNode {
    pub(super) options: RedisOptions,
    port: u16,
    frozen: AtomicBool,
    // Fields are dropped in this order: the server ends before its directory is removed.
    process: Mutex<Option<Process>>,
    reaper: Reaper,
    scratch: Scratch,
}

impl RedisNode {
    pub(super) fn start(options: RedisOptions) -> Result<Self, StartError> {
        let scratch = Scratch::create().map_err(StartError::system("creating a directory"))?;
        #[cfg(feature = "tls")]
        if let Some(tls) = &options.tls {
            tls.write(scratch.path())?;
        }
        let reaper =
            Reaper::start(scratch.path()).map_err(StartError::system("starting the reaper"))?;
        let launch = Launch {
            options: &options,
            dir: scratch.path(),
            reaper: &reaper,
        };
        let (process, port) = match options.port {
            Some(port) => (launch.on(port)?, port),
            None => launch.on_a_free_port()?,
        };
        Ok(Self {
            options,
            port,
            frozen: AtomicBool::new(false),
            process: Mutex::new(Some(process)),
            reaper,
            scratch,
        })
    }

    /// Returns the address of the TCP port.
    ///
    /// It is the same after a restart.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// Returns the TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the URL of the TCP port: `redis://127.0.0.1:…`.
    ///
    /// It includes the password if there is one; with TLS it is `rediss://127.0.0.1:…`.
    pub fn url(&self) -> String {
        url::of_server(&self.options, self.port, None)
    }

    /// Returns the process id. `None` after [`kill`](Self::kill).
    pub fn pid(&self) -> Option<u32> {
        self.process.lock().as_ref().map(Process::id)
    }

    /// Returns the directory of its configuration, log and data.
    pub fn dir(&self) -> &Path {
        self.scratch.path()
    }

    /// Returns whether it is neither killed nor frozen.
    pub fn is_running(&self) -> bool {
        !self.frozen.load(Ordering::SeqCst) && self.pid().is_some()
    }

    /// Freezes the process with SIGSTOP. Returns once it is frozen.
    ///
    /// # Errors
    ///
    /// If the process was killed.
    pub fn freeze(&self) -> io::Result<()> {
        self.with_process(Process::stop)?;
        self.frozen.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Resumes a frozen process with SIGCONT.
    ///
    /// # Errors
    ///
    /// If the process was killed.
    pub fn thaw(&self) -> io::Result<()> {
        self.with_process(Process::resume)?;
        self.frozen.store(false, Ordering::SeqCst);
        Ok(())
    }

    /// Kills the process with SIGKILL. Returns once it has ended.
    pub fn kill(&self) {
        *self.process.lock() = None;
        self.frozen.store(false, Ordering::SeqCst);
    }

    /// Kills the process if it runs, and starts it again.
    ///
    /// It keeps its port, its directory and its configuration, which it may have rewritten.
    ///
    /// The data in memory is lost, unless the settings keep it on disk. If a master restarts before it was
    /// replaced, it is empty, and its replicas become empty too.
    ///
    /// # Errors
    ///
    /// If the process ends, or does not answer within twenty seconds. It is then down.
    pub fn restart(&self) -> Result<(), StartError> {
        self.kill();
        let launch = Launch {
            options: &self.options,
            dir: self.scratch.path(),
            reaper: &self.reaper,
        };
        *self.process.lock() = Some(launch.again_on(self.port)?);
        Ok(())
    }

    /// Runs one command on its own connection.
    ///
    /// An error reply is a [`Reply::Error`]. Redirects are not followed.
    ///
    /// # Errors
    ///
    /// If the process was killed, or is frozen for more than five seconds.
    pub fn command<A: AsRef<[u8]>>(&self, args: &[A]) -> io::Result<Reply> {
        self.connect()?.call(args)
    }

    /// Opens a raw connection with all rights.
    ///
    /// # Errors
    ///
    /// If the process was killed, or does not answer a login within five seconds.
    pub fn connect(&self) -> io::Result<Connection> {
        self.connect_within(PATIENCE)
    }

    /// Connects like [`connect`](Self::connect), with another maximum wait.
    pub(super) fn connect_within(&self, patience: Duration) -> io::Result<Connection> {
        login(&self.options, self.port, patience)
    }

    fn with_process(&self, act: impl FnOnce(&Process) -> io::Result<()>) -> io::Result<()> {
        let killed = || io::Error::new(io::ErrorKind::NotConnected, "the server was killed");
        act(self.process.lock().as_ref().ok_or_else(killed)?)
    }
}

impl fmt::Debug for RedisNode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisNode")
            .field("address", &self.address())
            .field("pid", &self.pid())
            .finish_non_exhaustive()
    }
}
