//! Write-behind: values that are cached at once, and written to their source a little later.

mod builder;
mod dead_letters;
mod format;
mod journal;
mod pushes;
mod shutdown;
#[cfg(test)]
mod traces;
mod worker;

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use larder_layer::StoreTimeout;
use larder_store::program::Programs;
use larder_store::{Error, ErrorKind, Key, Refusal, Result};
use metrics::{Counter, Gauge};
use parking_lot::Mutex;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use crate::found::Value;
use crate::{Cache, CacheKey, Codec, Found, LoadError, Loaded, WriteError};
use journal::{Pending, Push};
use pushes::Pushes;

pub use builder::WriteBehindBuilder;
pub use dead_letters::{DeadLetter, MAX_DEAD_LETTERS};
pub use journal::{InspectJournal, Journal};
pub use shutdown::Unwritten;

/// How long a worker leaves a write that it cannot read to the release that wrote it: 1 hour. After that the write is a
/// [dead letter](WriteBehind::dead_letters). The hour begins again after an attempt that fails.
pub const LEFT_WRITE_TIMEOUT: Duration = Duration::from_secs(60 * 60);

/// The pause between two tries of a write that waits for room.
const FULL_PAUSE: Duration = Duration::from_millis(20);

/// Writes values to their source later: write-behind.
///
/// 1. [`write`](Self::write) puts a value into a journal in the far store, and then caches it. The write is
///    acknowledged when the journal has it.
/// 2. A worker in every process takes writes from the journal, passes them to the source, and then removes them. A
///    write is carried out at least once: if a worker dies in between, another one takes over when its lease ends.
/// 3. Writes of one key are carried out in order, one at a time. A later write of a key replaces one that still
///    waits, so the source gets the last of them.
/// 4. A write that fails is retried, after a pause that doubles. A write that fails too often, or that crashes
///    every process that tries it, becomes a [dead letter](Self::dead_letters).
/// 5. The journal is bounded. When it is full, a write waits for a while, and is then refused.
///
/// A worker that stalls for longer than its lease and then goes on may write an older value over a newer one. If
/// that matters, let the source refuse a [version](QueuedWrite::version) that is not higher than the last.
///
/// The journal holds writes in the form of the cache's far values: with a checksum, and compressed and
/// [sealed](crate::CacheBuilder::with_sealing) if those are. A worker leaves the writes that it cannot read for the
/// release that wrote them: those of another [schema](crate::CacheBuilder::with_schema) or codec, sealed otherwise,
/// or longer than its maximum. One that is left for [an hour](LEFT_WRITE_TIMEOUT) becomes a dead letter. So before
/// the last process of a release ends, let it write what waits: its [`shutdown`](Self::shutdown) does. A value that
/// is read from the journal has the tags with which it was written, and the TTL of the cache.
///
/// With `memory://` the journal is lost with the process.
///
/// Clones share everything.
pub struct WriteBehind<K, V> {
    shared: Arc<Shared<K, V>>,
}

/// A write to be carried out. `Debug` shows its version and its attempt.
#[non_exhaustive]
pub struct QueuedWrite<K, V> {
    /// The key.
    pub key: K,
    /// The value.
    pub value: V,
    /// A number that rises with each write of the journal, even after the journal was lost: the store's time in
    /// microseconds, or one more than the last.
    pub version: u64,
    /// How many times the write was attempted, including this one.
    pub attempt: u32,
}

type Sink<K, V> = Arc<dyn Fn(QueuedWrite<K, V>) -> BoxFuture<'static, bool> + Send + Sync>;

struct Shared<K, V> {
    cache: Cache<K, V>,
    codec: Arc<dyn Codec<(K, V)>>,
    programs: Arc<dyn Programs>,
    timeout: StoreTimeout,
    journal: Key,
    sink: Sink<K, V>,
    settings: Settings,
    /// Notified when there is work to do.
    work: Arc<Notify>,
    is_closed: AtomicBool,
    pushes: Pushes,
    /// Set when the time of a shutdown is over: no further writes are begun.
    is_stopped: AtomicBool,
    worker: Mutex<Option<JoinHandle<()>>>,
    counts: Counts,
}

#[derive(Clone, Copy)]
struct Settings {
    max_waiting: i64,
    batch: i64,
    write_timeout: Duration,
    full_timeout: Duration,
    poll: Duration,
    first_pause: Duration,
    longest_pause: Duration,
    max_attempts: u32,
    /// How long a take holds, in microseconds.
    hold: i64,
    /// How long the journal is kept after the last change, in microseconds.
    keep: i64,
}

struct Counts {
    queued: Counter,
    written: Counter,
    failed: Counter,
    left: Counter,
    dead: Counter,
    refused: Counter,
    waiting: Gauge,
    oldest: Gauge,
}

impl<K: CacheKey, V: Send + Sync + 'static> WriteBehind<K, V> {
    /// Puts a value into the journal, then caches it. A [`Loaded`] may give it tags, and a TTL in the cache.
    ///
    /// It takes one round trip, and those of [`Cache::write_through`]: of two writes that overlap, neither is
    /// cached, because the older one might be. If the journal is full, it waits for room.
    ///
    /// # Errors
    /// Before anything is done, so that the cached value stays: those of the codec; [`ErrorKind::TooLarge`] if key and
    /// value together exceed [`with_max_value`](crate::CacheBuilder::with_max_value); [`ErrorKind::Invalid`] for too
    /// many tags, or for a [`Loaded`] without a new value.
    ///
    /// Otherwise the write is not acknowledged, and the cached value is removed: [`Refusal::Full`] if there was no room
    /// in time; [`ErrorKind::NotSent`] after a [`shutdown`](Self::shutdown); those of the store. After
    /// [`ErrorKind::MayHaveRun`] the write may be carried out nevertheless.
    ///
    /// Errors of the cache are not returned: they are logged, and this process does not read the older value.
    ///
    /// # Cancellation
    /// A dropped call may or may not have written. The cached value is removed.
    pub async fn write(&self, key: K, value: impl Into<Loaded<V>>) -> Result<()> {
        let shared = &*self.shared;
        let Loaded { value, keep, tags } = value.into();
        let Value::New(value) = value else {
            let text = "a write needs a new value, neither 'not found' nor 'not modified'";
            return Err(error(ErrorKind::Invalid, text));
        };
        let id = shared.id(&key);
        let queued = (key, value);
        let payload = shared.seal(&id, &queued, tags.clone())?;
        let (key, value) = queued;
        let value = Value::New(value);
        let loaded = Loaded { value, keep, tags };
        let push = Push {
            key: id,
            value: payload,
            cap: shared.settings.max_waiting,
            keep: shared.settings.keep,
        };
        let pushed = async {
            shared.push(&push).await?;
            shared.counts.queued.increment(1);
            shared.work.notify_one();
            Ok(loaded)
        };
        match shared.cache.write_through(key, pushed).await {
            Ok(()) => Ok(()),
            Err(WriteError::Source(error)) => Err(error),
            Err(WriteError::Cache(error)) => {
                let journal = shared.journal.as_str();
                tracing::warn!(journal, %error, "a value that was queued is not cached everywhere");
                Ok(())
            }
        }
    }

    /// Returns the cached value of `key`, or the one that waits in the journal, or loads it.
    ///
    /// Use it to read values that you write behind: `load` reads the source, which may be older. It returns what a
    /// loader of [`Cache::find_or_load`] may return, such as an `Option`. A miss takes one more round trip than
    /// there. If the journal cannot be read, the loaded value is not cached.
    ///
    /// # Errors
    /// Those of [`Cache::find_or_load`].
    ///
    /// # Cancellation
    /// As [`Cache::find_or_load`].
    pub async fn find_or_load<F, Fut, L, E>(
        &self,
        key: &K,
        load: F,
    ) -> Result<Found<V>, LoadError<E>>
    where
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<L, E>> + Send + 'static,
        L: Into<Loaded<V>> + 'static,
        E: Send + Sync + 'static,
    {
        let load = || {
            let (shared, id, load) = (self.shared.clone(), self.shared.id(key), load());
            async move {
                match shared.pending(id).await {
                    Ok(Some(loaded)) => Ok(loaded),
                    Ok(None) => load.await.map(Into::into),
                    Err(_) => load.await.map(|loaded| loaded.into().uncached()),
                }
            }
        };
        self.shared.cache.find_or_load(key, load).await
    }
}

impl<K: CacheKey, V: Send + Sync + 'static> Shared<K, V> {
    /// Returns the name of a key in the journal.
    fn id(&self, key: &K) -> Vec<u8> {
        Key::new(self.journal.kind(), key).as_bytes().to_vec()
    }

    async fn run<P: larder_store::program::Program<Record = Journal>>(
        &self,
        program: &P,
    ) -> Result<P::Reply> {
        let run = self.programs.run(&self.journal, program);
        self.timeout.run(P::SCRIPT.name(), run).await
    }

    async fn push(&self, push: &Push) -> Result<i64> {
        let deadline = Instant::now() + self.settings.full_timeout;
        loop {
            let pushing = self.pushes.begin();
            if self.is_closed.load(Ordering::SeqCst) {
                return Err(error(ErrorKind::NotSent, "the journal is shut down"));
            }
            if let Some(version) = self.run(push).await? {
                return Ok(version);
            }
            if Instant::now() >= deadline {
                self.counts.refused.increment(1);
                return Err(error(
                    ErrorKind::Refused(Refusal::Full),
                    "the journal is full: the source is slower than its writers, or dead letters \
                     fill it: raise with_max_waiting, or retry or discard the dead letters",
                ));
            }
            drop(pushing);
            tokio::time::sleep(FULL_PAUSE).await;
        }
    }

    async fn pending(&self, id: Vec<u8>) -> Result<Option<Loaded<V>>> {
        let held = self.run(&Pending(id.clone())).await?;
        let loaded = |held: Vec<u8>| match self.open(&id, &held) {
            Ok(((_, value), marks)) => Ok(Loaded {
                tags: marks.tags().collect(),
                ..Loaded::new(value)
            }),
            // A write of another release is newer than the value in the source, too.
            Err(_) => {
                let text = "the waiting write cannot be read";
                Err(error(ErrorKind::Invalid, text))
            }
        };
        held.map(loaded).transpose()
    }
}

fn error(kind: ErrorKind, text: impl Into<Cow<'static, str>>) -> Error {
    Error::new("write behind", kind, text)
}

impl<K, V> Clone for WriteBehind<K, V> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<K, V> fmt::Debug for WriteBehind<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WriteBehind")
            .field("journal", &self.shared.journal)
            .finish_non_exhaustive()
    }
}

impl<K, V> fmt::Debug for QueuedWrite<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueuedWrite")
            .field("version", &self.version)
            .field("attempt", &self.attempt)
            .finish_non_exhaustive()
    }
}
