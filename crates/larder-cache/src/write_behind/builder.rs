use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use larder_layer::StoreTimeout;
use larder_store::program::Record;
use larder_store::{Error, ErrorKind, Key, Result, Store, StoreExt, Ttl, check_name};
use metrics::{counter, gauge};
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tokio::sync::Notify;

use super::journal::Journal;
use super::pushes::Pushes;
use super::worker::work;
use super::{Counts, LEFT_WRITE_TIMEOUT, QueuedWrite, Settings, Shared, WriteBehind};
use crate::builder::MAX_TIMEOUT;
use crate::metrics::describe_metrics;
use crate::spawn::spawn;
use crate::{Cache, CacheKey, Codec};

/// Builds a [`WriteBehind`]. [`WriteBehind::builder`] makes one.
#[must_use]
pub struct WriteBehindBuilder<K, V> {
    name: Arc<str>,
    cache: Cache<K, V>,
    store: Arc<dyn Store>,
    codec: Arc<dyn Codec<(K, V)>>,
    timeout: Duration,
    keep: Ttl,
    has_worker: bool,
    settings: Settings,
}

impl<K: CacheKey, V: Send + Sync + 'static> WriteBehind<K, V> {
    /// Returns a builder of write-behind for the values of `cache`, with the journal `name` in `store`.
    ///
    /// Keys and values are in MessagePack. Give each journal a name of its own; all processes that use
    /// the name share the journal. The name is in its key and in metrics. It is 1 to 32 of `a-z`, `0-9`, `-`, `_`
    /// and `.`; [`start`](WriteBehindBuilder::start) checks it.
    #[cfg(feature = "msgpack")]
    pub fn builder(
        store: Arc<dyn Store>,
        name: &str,
        cache: Cache<K, V>,
    ) -> WriteBehindBuilder<K, V>
    where
        K: serde::Serialize + serde::de::DeserializeOwned,
        V: serde::Serialize + serde::de::DeserializeOwned,
    {
        Self::builder_with_codec(store, name, cache, crate::MsgPack)
    }

    /// Does the same, with keys and values encoded by another codec.
    pub fn builder_with_codec(
        store: Arc<dyn Store>,
        name: &str,
        cache: Cache<K, V>,
        codec: impl Codec<(K, V)>,
    ) -> WriteBehindBuilder<K, V> {
        WriteBehindBuilder {
            name: name.into(),
            cache,
            store,
            codec: Arc::new(codec),
            timeout: Duration::from_millis(150),
            keep: Ttl::from_secs(90 * 24 * 60 * 60),
            has_worker: true,
            settings: Settings {
                max_waiting: 10_000,
                batch: 16,
                write_timeout: Duration::from_secs(10),
                full_timeout: Duration::from_secs(1),
                poll: Duration::from_secs(1),
                first_pause: Duration::from_millis(500),
                longest_pause: Duration::from_secs(60),
                max_attempts: 10,
                hold: 0,
                keep: 0,
            },
        }
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> WriteBehindBuilder<K, V> {
    /// Sets how many writes may wait, including dead letters. Default: 10,000.
    pub fn with_max_waiting(mut self, writes: u32) -> Self {
        self.settings.max_waiting = writes.into();
        self
    }

    /// Sets how long a write waits for room in a full journal. Default: 1 s.
    pub fn with_full_timeout(mut self, timeout: Duration) -> Self {
        self.settings.full_timeout = timeout;
        self
    }

    /// Sets how many writes a worker carries out at once. Default: 16.
    pub fn with_batch(mut self, writes: u32) -> Self {
        self.settings.batch = writes.into();
        self
    }

    /// Sets how long the source may take for a write. Default: 10 s.
    ///
    /// A worker holds the lease of a write for a little more than twice that time. If the worker dies, another one
    /// carries out the write after that.
    pub fn with_write_timeout(mut self, timeout: Duration) -> Self {
        self.settings.write_timeout = timeout;
        self
    }

    /// Sets the pause after a first failed attempt, and the longest one. Default: 500 ms and 60 s.
    pub fn with_retry(mut self, first: Duration, longest: Duration) -> Self {
        (self.settings.first_pause, self.settings.longest_pause) = (first, longest);
        self
    }

    /// Sets after how many attempts a write becomes a dead letter, from 1. Default: 10.
    ///
    /// Attempts are those that failed, and those whose process ended before it reported a result.
    pub fn with_max_attempts(mut self, attempts: u32) -> Self {
        self.settings.max_attempts = attempts.max(1);
        self
    }

    /// Sets how often a worker looks for the writes of other processes. Default: 1 s.
    pub fn with_poll(mut self, every: Duration) -> Self {
        self.settings.poll = every;
        self
    }

    /// Sets how long a call waits for the store. Default: 150 ms. It is clamped to 1 ms to 1 hour.
    pub fn with_store_timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sets how long the journal is kept after its last change. Default: 90 days.
    ///
    /// It is at least twice as long as the longest time until the next look at a write: that for which it is
    /// [left](super::LEFT_WRITE_TIMEOUT), a pause, the poll interval, or the time after which another worker takes the
    /// write of one that died. So it is two hours or more.
    pub fn with_ttl(mut self, ttl: Ttl) -> Self {
        self.keep = ttl;
        self
    }

    /// Leaves the writes to the workers of other processes.
    pub fn without_worker(mut self) -> Self {
        self.has_worker = false;
        self
    }

    /// Starts the worker. `sink` writes a value to the source.
    ///
    /// `sink` may be called again for a write that it has carried out. A panic is treated as an error.
    /// Writes that an earlier process left are carried out too.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the name is invalid, if the store runs no programs, or if the maximum of waiting
    /// writes, the batch, the write timeout, the poll interval or the first pause is zero.
    ///
    /// # Panics
    /// Outside a tokio runtime with the time driver enabled.
    pub fn start<F, Fut, E>(self, sink: F) -> Result<WriteBehind<K, V>>
    where
        F: Fn(QueuedWrite<K, V>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<(), E>> + Send + 'static,
    {
        check_name("the name of a write-behind journal", &self.name)?;
        let mut settings = self.settings;
        settings.write_timeout = settings.write_timeout.min(MAX_TIMEOUT);
        settings.full_timeout = settings.full_timeout.min(MAX_TIMEOUT);
        settings.longest_pause = settings.longest_pause.min(MAX_TIMEOUT);
        settings.poll = settings.poll.min(MAX_TIMEOUT);
        let may_not_be_zero = [
            ("with_max_waiting", settings.max_waiting == 0),
            ("with_batch", settings.batch == 0),
            ("with_write_timeout", settings.write_timeout.is_zero()),
            ("with_poll", settings.poll.is_zero()),
            ("with_retry", settings.first_pause.is_zero()),
        ];
        if let Some((setting, _)) = may_not_be_zero.iter().find(|(_, is_zero)| *is_zero) {
            let name = &self.name;
            let detail = format!("write-behind '{name}': {setting} must be more than zero");
            return Err(Error::new("build", ErrorKind::Invalid, detail));
        }
        let timeout = StoreTimeout::new(self.timeout, None);
        let hold = settings.write_timeout * 2 + timeout.limit();
        settings.hold = Ttl::covering(hold).as_micros();
        // A write that is left or pauses stays until a worker looks at it again.
        let longest = LEFT_WRITE_TIMEOUT.max(settings.longest_pause);
        let longest = longest.max(settings.poll).max(hold);
        let longest = Ttl::covering(longest.saturating_mul(2)).as_micros();
        settings.keep = self.keep.as_micros().max(longest);
        let programs = self.store.require_programs("write-behind")?;
        let name = self.name;
        describe_metrics();
        let count = |outcome: &'static str| counter!("larder_write_behind_writes_total", "journal" => name.clone(), "outcome" => outcome);
        let notify = Arc::new(Notify::new());
        let shared = Arc::new(Shared {
            cache: self.cache,
            codec: self.codec,
            programs,
            timeout,
            journal: Key::new(Journal::KIND, &*name),
            sink: Arc::new(move |write| {
                let written = sink(write);
                Box::pin(async move { written.await.is_ok() })
            }),
            settings,
            work: notify.clone(),
            is_closed: AtomicBool::new(false),
            pushes: Pushes::default(),
            is_stopped: AtomicBool::new(false),
            worker: Mutex::new(None),
            counts: Counts {
                queued: count("queued"),
                written: count("written"),
                failed: count("failed"),
                left: count("left"),
                dead: count("dead"),
                refused: count("refused"),
                waiting: gauge!("larder_write_behind_waiting", "journal" => name.clone()),
                oldest: gauge!("larder_write_behind_oldest_seconds", "journal" => name.clone()),
            },
        });
        if self.has_worker {
            let weak = Arc::downgrade(&shared);
            let worker = work(move || weak.upgrade(), notify);
            *shared.worker.lock() = Some(spawn(&Handle::current(), worker));
        }
        Ok(WriteBehind { shared })
    }
}

impl<K, V> std::fmt::Debug for WriteBehindBuilder<K, V> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriteBehindBuilder")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}
