//! Those that get and put: stores of larder, and their peers at their best settings.

use std::sync::Arc;

use bb8_redis::RedisConnectionManager;
use bytes::Bytes;
use larder_store::{Key, Kind, Put, Store, Ttl};
use redis::AsyncCommands;
use redis::aio::MultiplexedConnection;
use tokio::runtime::Runtime;

use crate::load::percentiles;

const FILM: Kind = Kind::evictable("film");
const HOUR: Ttl = Ttl::from_secs(3600);

/// The key of a value.
pub(super) fn film(n: usize) -> Key {
    Key::new(FILM, n as u32)
}

/// What a task does.
#[derive(Clone, Copy)]
pub(super) enum Work {
    Get,
    Put,
}

/// Keys and the value that each of them has.
#[derive(Clone)]
pub(super) struct Values {
    names: Arc<Vec<String>>,
    keys: Arc<Vec<Key>>,
    value: Bytes,
    /// The same bytes for each key, in a buffer of its own: a peer that keeps what it is given keeps one for each.
    own: Arc<Vec<Bytes>>,
}

impl Values {
    /// A thousand values of `size` bytes, or as many as are 64 MiB together.
    pub(super) fn new(size: usize) -> Self {
        let many = (64 * 1024 * 1024 / size).min(1_000);
        Self {
            names: Arc::new((0..many).map(|n| format!("raw:{n}")).collect()),
            keys: Arc::new((0..many).map(film).collect()),
            value: Bytes::from(vec![b'x'; size]),
            own: Arc::new((0..many).map(|_| Bytes::from(vec![b'x'; size])).collect()),
        }
    }

    pub(super) fn many(&self) -> usize {
        self.keys.len()
    }

    fn name(&self, n: usize) -> &str {
        &self.names[n % self.names.len()]
    }

    fn key(&self, n: usize) -> &Key {
        &self.keys[n % self.keys.len()]
    }
}

pub(super) trait Contender: Clone + Send + Sync + 'static {
    fn get(&mut self, values: &Values, n: usize) -> impl Future<Output = usize> + Send;
    fn put(&mut self, values: &Values, n: usize) -> impl Future<Output = ()> + Send;
}

impl Contender for Arc<dyn Store> {
    async fn get(&mut self, values: &Values, n: usize) -> usize {
        let entry = Store::get(&**self, values.key(n)).await;
        entry.expect("an answer").expect("a hit").value.len()
    }

    async fn put(&mut self, values: &Values, n: usize) {
        let put = Put::new(values.key(n).clone(), values.value.clone(), HOUR);
        let written = Store::put(&**self, &put).await.expect("an answer");
        assert!(written.is_stored());
    }
}

/// moka without a future to poll, with a fast hasher.
pub(super) type Moka = moka::sync::Cache<String, Bytes, foldhash::fast::RandomState>;

pub(super) fn moka() -> Moka {
    let cache = moka::sync::Cache::builder().max_capacity(100_000);
    cache.build_with_hasher(foldhash::fast::RandomState::default())
}

impl Contender for Moka {
    async fn get(&mut self, values: &Values, n: usize) -> usize {
        moka::sync::Cache::get(self, values.name(n))
            .expect("a hit")
            .len()
    }

    async fn put(&mut self, values: &Values, n: usize) {
        let own = values.own[n % values.own.len()].clone();
        self.insert(values.name(n).to_owned(), own);
    }
}

impl Contender for MultiplexedConnection {
    async fn get(&mut self, values: &Values, n: usize) -> usize {
        let value: Vec<u8> = AsyncCommands::get(self, values.name(n))
            .await
            .expect("a hit");
        value.len()
    }

    async fn put(&mut self, values: &Values, n: usize) {
        let (name, value) = (values.name(n), &values.value[..]);
        let () = self.pset_ex(name, value, 3_600_000).await.expect("written");
    }
}

pub(super) type Pool = bb8::Pool<RedisConnectionManager>;

/// A pool that does not test its connections, which would cost it a round trip each time.
pub(super) async fn pool(url: &str, connections: u32) -> Pool {
    let manager = RedisConnectionManager::new(url).expect("a URL");
    let pool = bb8::Pool::builder()
        .max_size(connections)
        .min_idle(connections);
    let pool = pool.test_on_check_out(false).build(manager).await;
    pool.expect("a pool")
}

impl Contender for Pool {
    async fn get(&mut self, values: &Values, n: usize) -> usize {
        let mut connection = bb8::Pool::get(self).await.expect("a connection");
        Contender::get(&mut *connection, values, n).await
    }

    async fn put(&mut self, values: &Values, n: usize) {
        let mut connection = bb8::Pool::get(self).await.expect("a connection");
        Contender::put(&mut *connection, values, n).await;
    }
}

/// One round: the nanoseconds of an operation over all `tasks`, their median, and their 99th percentile.
///
/// Each of the tasks times `timed` operations, and does `sampled - 1` others after each.
pub(super) fn round(
    runtime: &Runtime,
    contender: &impl Contender,
    values: &Values,
    (work, sampled): (Work, usize),
    (tasks, timed): (usize, usize),
) -> [f64; 3] {
    percentiles(runtime, tasks, sampled, |task| {
        let (mut contender, values) = (contender.clone(), values.clone());
        async move {
            let mut took = Vec::with_capacity(timed);
            let first = task * timed * sampled;
            for n in (first..first + timed * sampled).step_by(sampled) {
                let started = std::time::Instant::now();
                once(&mut contender, &values, work, n).await;
                took.push(started.elapsed());
                for n in n + 1..n + sampled {
                    once(&mut contender, &values, work, n).await;
                }
                if sampled > 1 {
                    // In process nothing waits: the other tasks have their turn all the same.
                    tokio::task::yield_now().await;
                }
            }
            took
        }
    })
}

async fn once(contender: &mut impl Contender, values: &Values, work: Work, n: usize) {
    match work {
        Work::Get => assert_eq!(contender.get(values, n).await, values.value.len()),
        Work::Put => contender.put(values, n).await,
    }
}
