//! The store that the processes share, and what goes wrong on the way to it.

use std::thread::sleep;
use std::time::{Duration, Instant};

use larder_test::proxy::{Connections, Direction, FaultProxy};
use larder_test::server::{ClusterOptions, RedisCluster, RedisServer};

use super::worker::PROCESSES;

/// Servers behind proxies.
#[expect(clippy::large_enum_variant, reason = "a proof has one of them")]
pub enum Shared {
    /// One server. Each process has a proxy of its own.
    One(RedisServer, Vec<FaultProxy>),
    /// A cluster, with a proxy in front of each node.
    Cluster(RedisCluster),
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing.
    None,
    /// Replies are late, connections are killed, and connections are silent for moments.
    Connections,
    /// The connections of one process are killed, and it gets no new ones for a while.
    CutOff,
    /// The connections of one process are silent for a while.
    Silence,
}

impl Shared {
    /// Starts one server.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn one() -> Self {
        let server = RedisServer::start().expect("a redis-server");
        let proxy = |_| FaultProxy::start(server.address()).expect("a proxy");
        let proxies = (0..PROCESSES).map(proxy).collect();
        Self::One(server, proxies)
    }

    /// Starts a cluster.
    ///
    /// # Panics
    /// If it does not start.
    #[must_use]
    pub fn cluster() -> Self {
        let cluster = ClusterOptions::new().with_proxies().start();
        Self::Cluster(cluster.expect("a cluster"))
    }

    /// Returns the URL for a process.
    #[must_use]
    pub fn url_for(&self, process: u32) -> String {
        match self {
            Self::One(_, proxies) => proxies[process as usize].url(),
            Self::Cluster(cluster) => cluster.url(),
        }
    }

    /// Returns its name in a table.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::One(..) => "Redis",
            Self::Cluster(_) => "Redis Cluster",
        }
    }

    /// Removes what an earlier run has left, whose versions would be later than any of the next run.
    ///
    /// # Panics
    /// If a server does not answer.
    pub fn empty(&self) {
        let flush = ["FLUSHALL"];
        match self {
            Self::One(server, _) => drop(server.command(&flush).expect("an empty server")),
            Self::Cluster(cluster) => {
                for master in cluster.masters() {
                    let reply = master.command(&flush).expect("an empty server");
                    assert_eq!(reply.error(), None, "an empty server");
                }
            }
        }
    }

    fn proxies(&self) -> &[FaultProxy] {
        match self {
            Self::One(_, proxies) => proxies,
            Self::Cluster(cluster) => cluster.proxies(),
        }
    }

    /// Makes trouble for `time`, and ends it. Returns how often a connection was there to notice it. Blocks.
    ///
    /// # Panics
    /// If a proxy fails.
    pub fn disturb(&self, trouble: Trouble, time: Duration, seed: u64) -> u64 {
        let mut random = fastrand::Rng::with_seed(seed);
        let until = Instant::now() + time;
        let mut noticed = 0;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            sleep(Duration::from_millis(random.u64(50..300)).min(left));
            let proxy = &self.proxies()[random.usize(..self.proxies().len())];
            noticed += u64::from(trouble != Trouble::None && proxy.open() > 0);
            match trouble {
                Trouble::None => {}
                Trouble::Connections => disturb_connections(proxy, &mut random),
                Trouble::CutOff => {
                    proxy.refuse().expect("a proxy that obeys");
                    proxy.reset();
                    sleep(Duration::from_millis(random.u64(300..1_500)));
                    proxy.listen().expect("a proxy that listens");
                }
                Trouble::Silence => {
                    proxy.black_hole(Connections::OpenAndNew);
                    sleep(Duration::from_millis(random.u64(300..1_500)));
                    proxy.end_black_hole();
                }
            }
        }
        for proxy in self.proxies() {
            proxy.heal().expect("a proxy that listens");
        }
        noticed
    }
}

fn disturb_connections(proxy: &FaultProxy, random: &mut fastrand::Rng) {
    let delay = Duration::from_millis(random.u64(..30));
    match random.u8(..4) {
        0 => proxy.delay(Direction::Requests, delay),
        1 => proxy.delay(Direction::Replies, delay),
        2 => drop(proxy.reset()),
        _ => {
            proxy.black_hole(Connections::OpenAndNew);
            sleep(Duration::from_millis(random.u64(20..300)));
            proxy.end_black_hole();
        }
    }
}
