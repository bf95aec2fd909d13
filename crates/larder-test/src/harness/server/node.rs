//! One server process, by itself or in company.

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
use super::scratch::Scratch;
use super::url;

/// One process of a [`RedisCluster`](super::RedisCluster) or of [`RedisSentinels`], to be asked,
/// frozen, killed and restarted. All of it may be done from several threads.
///
/// [`RedisSentinels`]: super::RedisSentinels
pub struct RedisNode {
    pub(super) options: RedisOptions,
    port: u16,
    frozen: AtomicBool,
    // Fields are dropped in this order: the server ends before its directory goes.
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

    /// The address of the TCP port. It is the same after a restart.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port))
    }

    /// The TCP port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of the TCP port, `redis://127.0.0.1:…`, with the password if there is one; with TLS
    /// `rediss://127.0.0.1:…`.
    pub fn url(&self) -> String {
        url::of_server(&self.options, self.port, None)
    }

    /// The process id; `None` after [`kill`](Self::kill).
    pub fn pid(&self) -> Option<u32> {
        self.process.lock().as_ref().map(Process::id)
    }

    /// The process's directory: its configuration, log and data.
    pub fn dir(&self) -> &Path {
        self.scratch.path()
    }

    /// Whether it is neither killed nor frozen.
    pub fn is_running(&self) -> bool {
        !self.frozen.load(Ordering::SeqCst) && self.pid().is_some()
    }

    /// Freezes the process with SIGSTOP; returns once it is frozen. The kernel still accepts
    /// connections for it and takes what is sent, but nothing is answered.
    ///
    /// # Errors
    ///
    /// When the process was killed.
    pub fn freeze(&self) -> io::Result<()> {
        self.with_process(Process::stop)?;
        self.frozen.store(true, Ordering::SeqCst);
        Ok(())
    }

    /// Lets a frozen process run on, with SIGCONT.
    ///
    /// # Errors
    ///
    /// When the process was killed.
    pub fn thaw(&self) -> io::Result<()> {
        self.with_process(Process::resume)?;
        self.frozen.store(false, Ordering::SeqCst);
        Ok(())
    }

    /// Kills the process with SIGKILL, frozen or not; returns once nothing listens. One that was
    /// killed already stays so.
    pub fn kill(&self) {
        *self.process.lock() = None;
        self.frozen.store(false, Ordering::SeqCst);
    }

    /// Kills the process if it runs, and starts it again on the same port, in the same directory and
    /// with the configuration that it has there, which it may have rewritten.
    ///
    /// What a server had in memory is lost, unless it was started with settings that keep it: a
    /// master that is back before it was replaced is empty, and so become its replicas.
    ///
    /// # Errors
    ///
    /// When the process does not answer within twenty seconds, or ends; it is then down.
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

    /// Runs one command on a connection of its own. An error reply is a [`Reply::Error`]; no
    /// redirect is followed.
    ///
    /// # Errors
    ///
    /// When the process is killed, or frozen for longer than five seconds.
    pub fn command<A: AsRef<[u8]>>(&self, args: &[A]) -> io::Result<Reply> {
        self.connect()?.call(args)
    }

    /// Opens a raw connection that may do everything.
    ///
    /// # Errors
    ///
    /// When the process is killed, or frozen for longer than five seconds.
    pub fn connect(&self) -> io::Result<Connection> {
        self.connect_within(PATIENCE)
    }

    /// As [`connect`](Self::connect), where each wait ends after `patience`.
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
