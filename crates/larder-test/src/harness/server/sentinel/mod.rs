//! A master with its replicas and sentinels.

mod check_interval;
mod create;
mod options;
mod ready;

use std::fmt;
use std::io;

use super::cluster::takes_writes;
use super::error::StartError;
use super::node::RedisNode;
use super::polling::{GLANCE, until};
use super::url;

pub use options::SentinelOptions;

const SERVERS: usize = 3;
const SENTINELS: usize = 3;
const QUORUM: usize = 2;

/// A real Redis master with two replicas and three sentinels.
///
/// Dropping it ends all of them.
///
/// `start` returns once every sentinel knows the other sentinels, the master and its replicas, and every
/// replica has the data of the master. All methods take `&self`, so all tests of a binary can share it in
/// a `LazyLock`. The servers then end with the process.
///
/// # Examples
///
/// ```no_run
/// use larder_test::server::RedisSentinels;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let servers = RedisSentinels::start()?;
/// println!("a client connects to {}", servers.url());
/// let old = servers.master()?;
/// old.freeze()?;
/// let new = servers.wait_for_failover(old)?;
/// println!("the sentinels send clients to {}", new.address());
/// # Ok(())
/// # }
/// ```
pub struct RedisSentinels {
    name: String,
    sentinels: Vec<RedisNode>,
    servers: Vec<RedisNode>,
}

impl RedisSentinels {
    /// Starts with the default [`SentinelOptions`].
    ///
    /// # Errors
    ///
    /// Those of [`SentinelOptions::start`].
    pub fn start() -> Result<Self, StartError> {
        SentinelOptions::new().start()
    }

    fn start_with(options: SentinelOptions) -> Result<Self, StartError> {
        let of_servers = options.servers.clone().in_company()?;
        let servers = create::servers(&of_servers)?;
        // A sentinel asks the master for its replicas when it starts, and then only every ten seconds.
        until("replicas in sync", || {
            ready::replication(&servers, &servers[0])
        })
        .map_err(StartError::not_ready)?;
        let sentinels = create::sentinels(&options, &of_servers, &servers[0])?;
        let all = Self {
            name: options.name,
            sentinels,
            servers,
        };
        all.wait_until_ready().map_err(StartError::not_ready)?;
        Ok(all)
    }

    /// Returns the URL of the master by its sentinels.
    ///
    /// It is `redis+sentinel://127.0.0.1:…,127.0.0.1:…,127.0.0.1:…/mymaster`, with the password of the
    /// servers if there is one; with TLS `rediss+sentinel://…`.
    pub fn url(&self) -> String {
        self.url_for(None)
    }

    /// Returns the URL of the master by its sentinels, for an ACL user.
    pub fn url_as(&self, user: &str, password: &str) -> String {
        self.url_for(Some((user, password)))
    }

    fn url_for(&self, user: Option<(&str, &str)>) -> String {
        let options = &self.servers[0].options;
        let (scheme, who) = (url::scheme(options), url::credentials(options, user));
        let addresses: Vec<_> = self.sentinels.iter().map(RedisNode::address).collect();
        let hosts = url::hosts(&addresses);
        format!("{scheme}+sentinel://{who}{hosts}/{}", self.name)
    }

    /// Returns the sentinels' name for the master.
    pub fn master_name(&self) -> &str {
        &self.name
    }

    /// Returns the three servers, always in the same order.
    ///
    /// At the start the first one is the master.
    pub fn servers(&self) -> &[RedisNode] {
        &self.servers
    }

    /// Returns the three sentinels.
    pub fn sentinels(&self) -> &[RedisNode] {
        &self.sentinels
    }

    /// Returns the master that at least two running sentinels name.
    ///
    /// It may be one that was killed or frozen a moment ago.
    ///
    /// # Errors
    ///
    /// If no two of them agree.
    pub fn master(&self) -> io::Result<&RedisNode> {
        let named: Vec<_> = self
            .sentinels
            .iter()
            .filter_map(|it| self.named_by(it))
            .collect();
        let votes =
            |server: &RedisNode| named.iter().filter(|&&port| port == server.port()).count();
        let master = self.servers.iter().find(|server| votes(server) >= QUORUM);
        master
            .ok_or_else(|| io::Error::other(format!("the sentinels name {named:?} as the master")))
    }

    /// Requests a failover from a sentinel, even if the master works.
    ///
    /// It sends `SENTINEL FAILOVER` and does not wait for the end.
    ///
    /// # Errors
    ///
    /// If no sentinel runs, or it refuses because there is no replica to promote or a failover is in progress.
    pub fn failover(&self) -> io::Result<()> {
        let running = || io::Error::other("no sentinel runs");
        let mut sentinels = self.sentinels.iter();
        let sentinel = sentinels.find(|it| it.is_running()).ok_or_else(running)?;
        let reply = sentinel.command(&["SENTINEL", "FAILOVER", &self.name])?;
        match reply.error() {
            None => Ok(()),
            Some(error) => Err(io::Error::other(format!("the sentinel refused: {error}"))),
        }
    }

    /// Waits until a server other than `old` accepts writes, and returns it.
    ///
    /// An app can recover from then on. The sentinels name the new master up to a second later.
    ///
    /// # Errors
    ///
    /// If it takes more than twenty seconds. The error says what the servers answered.
    pub fn wait_for_writable(&self, old: &RedisNode) -> io::Result<&RedisNode> {
        until("a new master", || {
            let others = self.servers.iter().filter(|it| it.port() != old.port());
            let mut answers = String::new();
            for server in others.filter(|it| it.is_running()) {
                match takes_writes(server, "larder-harness:probe") {
                    Ok(()) => return Ok(server),
                    Err(answer) => answers.push_str(&format!("{}: {answer}; ", server.address())),
                }
            }
            Err(answers)
        })
    }

    /// Waits until a server other than `old` accepts writes and two sentinels name it as the master.
    ///
    /// # Errors
    ///
    /// If one of the two takes more than twenty seconds.
    pub fn wait_for_failover(&self, old: &RedisNode) -> io::Result<&RedisNode> {
        let new = self.wait_for_writable(old)?;
        until("sentinels that name the new master", || {
            match self.master() {
                Ok(named) if named.port() == new.port() => Ok(new),
                other => Err(format!("they name {other:?} instead of {new:?}")),
            }
        })
    }

    /// Waits until all servers and sentinels work together again, such as after a restart.
    ///
    /// Every replica then has the data of the master, and every sentinel knows all servers that
    /// were not killed.
    ///
    /// During the wait the sentinels check the servers ten times a second instead of every ten seconds. So a
    /// former master that comes back becomes a replica within a second.
    ///
    /// # Errors
    ///
    /// If it takes more than twenty seconds. The error says what was missing.
    pub fn wait_until_ready(&self) -> io::Result<()> {
        check_interval::set(&self.sentinels, &check_interval::HURRY);
        let outcome = until("ready sentinels", || {
            let master = self.master().map_err(|error| error.to_string())?;
            ready::replication(&self.servers, master)?;
            ready::knowledge(self, master)
        });
        check_interval::set(&self.sentinels, &check_interval::CALM);
        outcome
    }

    /// Returns the port of the master according to one sentinel.
    fn named_by(&self, sentinel: &RedisNode) -> Option<u16> {
        if !sentinel.is_running() {
            return None;
        }
        let mut connection = sentinel.connect_within(GLANCE).ok()?;
        let command = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", &self.name];
        let reply = connection.call(&command).ok()?;
        reply.array()?.get(1)?.text()?.parse().ok()
    }
}

impl fmt::Debug for RedisSentinels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisSentinels")
            .field("servers", &self.servers)
            .field("sentinels", &self.sentinels)
            .finish_non_exhaustive()
    }
}
