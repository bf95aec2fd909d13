use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use larder_redis::RedisStore;
use larder_store::{Error, ErrorKind, Store};
use larder_test::proxy::{Direction, FaultProxy};
use larder_test::server::RedisServer;
use tokio::task::block_in_place;
use tokio::time::{sleep, timeout};

use super::Report;

/// How many answers there are between two kills, if they come in this time.
const BETWEEN: u64 = 4;
const PATIENCE: Duration = Duration::from_secs(5);

/// A server behind a proxy that kills its connections and cuts its replies.
pub(super) struct Cut {
    _server: RedisServer,
    proxy: FaultProxy,
    /// The store of the tasks, whose replies are cut.
    pub(super) store: Arc<dyn Store>,
    /// The store of the checks, whose replies are not.
    pub(super) whole: Arc<dyn Store>,
    pub(super) progress: Arc<Progress>,
}

/// What the tasks have got so far, and whether they are to end.
#[derive(Default)]
pub struct Progress {
    answered: AtomicU64,
    lost: AtomicU64,
    is_over: AtomicBool,
}

impl Progress {
    pub(super) fn is_over(&self) -> bool {
        self.is_over.load(Ordering::Relaxed)
    }

    pub(super) fn answered(&self) {
        self.answered.fetch_add(1, Ordering::Relaxed);
    }

    /// Notes an error, and waits a little. Returns whether the request may have been carried out.
    pub(super) async fn failed(&self, error: &Error) -> bool {
        let may_have_run = error.kind() == ErrorKind::MayHaveRun;
        if may_have_run {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
        sleep(Duration::from_millis(2)).await;
        may_have_run
    }

    pub(super) fn report(&self, wrong: Vec<String>) -> Report {
        Report {
            answered: self.answered.load(Ordering::Relaxed),
            lost: self.lost.load(Ordering::Relaxed),
            wrong,
        }
    }
}

impl Cut {
    pub(super) async fn start() -> Self {
        let server = RedisServer::start().expect("a redis-server");
        let proxy = FaultProxy::start(server.address()).expect("a proxy");
        let store = RedisStore::builder(&proxy.url()).with_timeout(Duration::from_secs(1));
        let whole = RedisStore::builder(&server.url()).with_timeout(Duration::from_secs(20));
        Self {
            store: Arc::new(store.connect().await.expect("a connection")),
            whole: Arc::new(whole.connect().await.expect("a connection")),
            progress: Arc::default(),
            _server: server,
            proxy,
        }
    }

    /// Kills connections and cuts replies, `kills` in all, and then tells the tasks to end.
    pub(super) async fn kill(&self, kills: u32, seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let answered = || self.progress.answered.load(Ordering::Relaxed);
        for kill in 0..kills {
            let enough = answered() + BETWEEN;
            let busy = async {
                while answered() < enough {
                    sleep(Duration::from_millis(1)).await;
                }
            };
            // If no answer comes any more, a kill changes nothing.
            let _ = timeout(PATIENCE, busy).await;
            sleep(Duration::from_micros(random.u64(..5_000))).await;
            match kill % 3 {
                0 => self.proxy.drop_replies(1),
                1 => {
                    let bytes = random.u64(..64);
                    self.proxy.cut_next_after(Direction::Replies, bytes);
                }
                _ => {
                    block_in_place(|| self.proxy.reset());
                }
            }
        }
        self.proxy.heal().expect("a proxy that listens");
        self.progress.is_over.store(true, Ordering::Relaxed);
    }
}
