//! One round: processes write, are killed, and a later one carries out what they left.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::thread::sleep;
use std::time::Duration;

use larder_test::server::{Connection, RedisServer, Reply};
use serde::{Deserialize, Serialize};

use super::checker::{Findings, Given, judge};
use super::victim::Victim;
use super::worker::{Acknowledges, JOURNAL, KEYS, Work, finish};

/// The processes of a round.
const PROCESSES: u32 = 2;

/// The servers of some rounds.
#[derive(Debug)]
pub struct Servers {
    /// The one of the journal and the cache.
    pub journal: RedisServer,
    /// The one of the source, to which nothing happens.
    pub source: RedisServer,
}

/// The source that is written to in the end: a list of writes for each key.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Source {
    /// The address of its server.
    pub address: SocketAddr,
}

/// A connection to the source.
#[derive(Clone, Debug)]
pub struct SourceConnection(Arc<Mutex<Connection>>);

impl Source {
    /// Connects to it.
    ///
    /// # Panics
    /// If it does not answer.
    #[must_use]
    pub fn connect(self) -> SourceConnection {
        let connection = Connection::open(self.address).expect("the source");
        SourceConnection(Arc::new(Mutex::new(connection)))
    }
}

impl SourceConnection {
    /// Adds a write. It blocks for as long as a loopback takes.
    ///
    /// # Panics
    /// If the source does not take it.
    pub fn append(&self, key: u32, write: u64) {
        let mut connection = self.0.lock().expect("a source that has not failed");
        let words = ["RPUSH", &key.to_string(), &write.to_string()];
        let reply = connection.call(&words).expect("an answer of the source");
        assert!(reply.int().is_some(), "{reply:?}");
    }
}

/// Plays a round, and returns what became of its writes.
///
/// The first process is killed in mid-queue, and the second soon after it. In every other round the
/// server of the journal is killed with the second, and comes back with what is in its file.
///
/// # Panics
/// If a server fails that is not meant to, or the journal is not emptied.
pub fn play(
    servers: &mut Servers,
    acknowledges: Acknowledges,
    round: u64,
    start: fn(Work) -> Box<dyn Victim>,
) -> Findings {
    let mut random = fastrand::Rng::with_seed(round);
    let source = Source {
        address: servers.source.address(),
    };
    let victims = (0..PROCESSES).map(|process| {
        start(Work {
            process,
            round,
            acknowledges,
            journal: servers.journal.url(),
            source,
        })
    });
    let victims: Vec<_> = victims.collect();
    wait_for_all(&servers.source);
    let mut acknowledged = Vec::new();
    for victim in victims {
        sleep(Duration::from_millis(random.u64(20..200)));
        if round % 2 == 1 && !acknowledged.is_empty() {
            servers.journal.kill();
        }
        acknowledged.extend(victim.kill());
    }
    if round % 2 == 1 {
        servers
            .journal
            .restart()
            .expect("the server, from its file");
    }
    let left = waiting(&servers.journal);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(finish(&servers.journal.url(), source));
    let given = take(&servers.source);
    Findings {
        left,
        ..judge(&acknowledged, &given)
    }
}

/// Waits until the source has keys of more than one process: all are at work.
fn wait_for_all(source: &RedisServer) {
    for _ in 0..3_000 {
        let size = source.command(&["DBSIZE"]).expect("the source").int();
        if size.is_some_and(|size| size > KEYS.into()) {
            return;
        }
        sleep(Duration::from_millis(10));
    }
    panic!("a process does not write");
}

/// Returns how many writes wait in the journal.
fn waiting(journal: &RedisServer) -> u64 {
    let key = format!("write-behind:{{{JOURNAL}}}");
    let length = journal.command(&["HLEN", &key]).expect("the journal");
    length.int().expect("a number").unsigned_abs()
}

/// Takes what the source was given out of it.
fn take(source: &RedisServer) -> Given {
    let numbers = |reply: &Reply| -> Vec<u64> {
        let items = reply.array().expect("a list").iter();
        let number = |item: &Reply| item.text().expect("a text").parse().expect("a number");
        items.map(number).collect()
    };
    let keys = source.command(&["KEYS", "*"]).expect("the source");
    let given = numbers(&keys).into_iter().map(|key| {
        let list = source.command(&["LRANGE", &key.to_string(), "0", "-1"]);
        let key = u32::try_from(key).expect("the number of a key");
        (key, numbers(&list.expect("the source")))
    });
    let given = given.collect();
    source.command(&["FLUSHALL"]).expect("the source");
    given
}
