mod keys;
mod leases;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use larder_layer::{StoreHealth, StoreTimeout};
use larder_store::lease::Leases;
use larder_store::{
    Entry, Error, ErrorKind, ExpireOutcome, Key, Kind, Put, PutOutcome, Refusal, Result, Store,
    Timestamp, Ttl, Version, count_poisoned,
};
use metrics::Counter;
use tracing::Instrument;

use crate::Codec;
use crate::breaker::Breaker;
use crate::envelope::TagMarks;
use crate::lifetime::{State, Times};
use crate::spans::{self, Spans};
use crate::tags::FarTags;
use crate::values::{Check, Unreadable, ValueFormat};
use crate::write_locks::WriteLocks;

/// The far tier: values as bytes in a store, each in an envelope.
///
/// Every wait here, for a lock or for the store, ends at the store timeout; only
/// [`follow`](Self::follow) waits longer.
pub(crate) struct Far<V> {
    pub(crate) kind: Kind,
    pub(crate) format: ValueFormat,
    /// The schemas of other releases, whose values are invalidated too.
    pub(crate) other_schemas: Box<[u32]>,
    pub(crate) store: Arc<dyn Store>,
    /// None if the store has none: then processes may load the same key at once.
    pub(crate) leases: Option<Arc<dyn Leases>>,
    /// How long an entry lives after it was last read, if that is limited.
    pub(crate) idle: Option<Ttl>,
    /// How long a lease is held without a renewal.
    pub(crate) hold: Ttl,
    pub(crate) codec: Arc<dyn Codec<V>>,
    pub(crate) timeout: StoreTimeout,
    pub(crate) check: Option<Check<V>>,
    /// Counts the values that the check rejected.
    pub(crate) rejected: Counter,
    /// None if the store runs no programs.
    pub(crate) tags: Option<FarTags>,
    pub(crate) locks: WriteLocks,
    pub(crate) breaker: Breaker,
    pub(crate) health: StoreHealth,
    /// Whether a value that the codec refuses was already logged as an error.
    pub(crate) refusal_logged: AtomicBool,
    pub(crate) shows_key_hashes: bool,
}

/// The result of a read of the far store.
pub(crate) enum Read<V> {
    /// There is no entry.
    Absent,
    /// There is an unusable one: damaged, expired, or written by another codec.
    Unusable(Version),
    /// There is one that is fresh, or may be served stale.
    Stored(Stored<V>),
}

/// An entry that was read from the far store.
pub(crate) struct Stored<V> {
    /// None if it records that the source has no value.
    pub(crate) value: Option<Arc<V>>,
    pub(crate) times: Times,
    pub(crate) tags: TagMarks,
    pub(crate) version: Version,
}

impl<V> Clone for Stored<V> {
    fn clone(&self) -> Self {
        Self {
            value: self.value.clone(),
            times: self.times,
            tags: self.tags.clone(),
            version: self.version,
        }
    }
}

impl<V: Send + Sync + 'static> Far<V> {
    /// Reads an entry. Damaged bytes are counted.
    pub(crate) async fn read(&self, key: &Key, now: Timestamp) -> Result<Read<V>> {
        let span = self.spans().get([key]);
        let read = self.timeout.get(&*self.store, key);
        let read = self.heard(read.instrument(span.clone()).await)?;
        spans::found(&span, read.as_ref().map(|entry| entry.value.len()));
        match read {
            Some(entry) => self.open(key, &entry, now).await,
            None => Ok(Read::Absent),
        }
    }

    /// Opens the bytes of an entry, and checks its tags. Damaged bytes are counted.
    ///
    /// It takes one round trip if the entry has tags whose generations are not known here.
    ///
    /// # Errors
    /// Those of the store, if the tags must be read there.
    pub(crate) async fn open(&self, key: &Key, entry: &Entry, now: Timestamp) -> Result<Read<V>> {
        let read = self.open_bytes(key, entry, now);
        let Read::Stored(stored) = &read else {
            return Ok(read);
        };
        if stored.tags.as_slice().is_empty() {
            return Ok(read);
        }
        let mut validated = self.validate(vec![Ok(read)], now).await;
        validated.pop().unwrap_or(Ok(Read::Absent))
    }

    /// Reads many entries, in one round trip for each node.
    pub(crate) async fn read_many(&self, keys: &[Key], now: Timestamp) -> Vec<Result<Read<V>>> {
        let read = async { Ok(self.store.get_many(keys).await) };
        let read = self.timeout.run("get_many", read);
        let entries = match read.instrument(self.spans().get(keys)).await {
            Ok(entries) => entries,
            Err(error) => {
                self.failed(&error);
                return keys.iter().map(|_| Err(again(&error))).collect();
            }
        };
        self.heard_of_many(&entries);
        let opened = keys.iter().zip(entries).map(|(key, entry)| {
            Ok(entry?.map_or(Read::Absent, |entry| self.open_bytes(key, &entry, now)))
        });
        self.validate(opened.collect(), now).await
    }

    /// Opens the bytes of an entry. Damaged ones are counted.
    fn open_bytes(&self, key: &Key, entry: &Entry, now: Timestamp) -> Read<V> {
        let opened = self.format.open(&*self.codec, key, &entry.value);
        let envelope = match opened {
            Ok(envelope) => envelope,
            Err(why) => return self.unusable(entry, why),
        };
        let mut times = envelope.times;
        if let Some(idle) = self.idle {
            // The store keeps it for as long as somebody reads it.
            times.prolong(idle, now);
        }
        if times.state(now) == State::Ended {
            return Read::Unusable(entry.version);
        }
        let decoded = self
            .format
            .decode(&*self.codec, key, &entry.value, &envelope);
        let value = match decoded {
            Ok(Some(value)) if !self.accepts(&value) => return Read::Unusable(entry.version),
            Ok(value) => value.map(Arc::new),
            Err(why) => return self.unusable(entry, why),
        };
        Read::Stored(Stored {
            value,
            times,
            tags: envelope.tags,
            version: entry.version,
        })
    }

    /// Counts damaged bytes. What another deployment wrote is not damage.
    fn unusable(&self, entry: &Entry, why: Unreadable) -> Read<V> {
        if why == Unreadable::Damaged {
            count_poisoned(self.kind);
        }
        Read::Unusable(entry.version)
    }

    /// Returns whether the cache's check accepts a value that was read, and counts a rejection.
    fn accepts(&self, value: &V) -> bool {
        let is_accepted = self.check.as_ref().is_none_or(|check| check(value));
        if !is_accepted {
            self.rejected.increment(1);
        }
        is_accepted
    }

    /// Returns the write of a value, or of the fact that the source has none.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the value cannot be written or read back,
    /// [`ErrorKind::TooLarge`] if it is too large.
    pub(crate) fn seal(
        &self,
        key: Key,
        value: Option<&V>,
        now: Timestamp,
        times: Times,
        tags: TagMarks,
    ) -> Result<Put> {
        let sealed = self.format.seal(&*self.codec, &key, value, times, tags)?;
        let ttl = Ttl::covering_micros(times.micros_left(now));
        Ok(Put::new(key, Bytes::from(sealed), ttl))
    }

    /// Writes an entry, and returns whether the condition of the write was met.
    pub(crate) async fn write(&self, put: &Put) -> Result<bool> {
        let span = self.spans().put(put.key(), put.value().len());
        let written = self.timeout.put(&*self.store, put).instrument(span).await;
        self.heard_aside(written).map(PutOutcome::is_stored)
    }

    /// Gives an entry a new TTL.
    pub(crate) async fn expire(&self, key: &Key, ttl: Ttl) -> Result<ExpireOutcome> {
        self.heard_aside(
            self.timeout
                .run("expire", self.store.expire(key, ttl))
                .await,
        )
    }

    fn spans(&self) -> Spans {
        Spans {
            kind: self.kind,
            shows_key_hashes: self.shows_key_hashes,
        }
    }

    /// Reports the outcome of a read to the breaker and the log.
    fn heard<T>(&self, answer: Result<T>) -> Result<T> {
        answer
            .inspect(|_| self.succeeded())
            .inspect_err(|error| self.failed(error))
    }

    /// Does the same for a read of many keys, which counts once: the nodes of some of them may be down.
    fn heard_of_many<T>(&self, answers: &[Result<T>]) {
        let mut errors = answers.iter().filter_map(|answer| answer.as_ref().err());
        let outage = errors.find(|error| is_outage(error));
        match (answers.iter().any(Result::is_ok), outage) {
            (false, Some(error)) => self.failed(error),
            (true, Some(error)) => {
                self.breaker.succeeded();
                self.failed_aside(error);
            }
            (true, None) => self.succeeded(),
            (false, None) => {}
        }
    }

    /// Reports the outcome of a claim or a write to the log, and to the breaker if it succeeded.
    ///
    /// Over shards, those of a lost server fail, while its reads are misses: they say nothing about the reads
    /// of the others, which the breaker would stop.
    fn heard_aside<T>(&self, answer: Result<T>) -> Result<T> {
        answer
            .inspect(|_| self.succeeded())
            .inspect_err(|error| self.failed_aside(error))
    }

    fn succeeded(&self) {
        self.breaker.succeeded();
        self.health.succeeded();
    }

    fn failed(&self, error: &Error) {
        if is_outage(error) {
            self.breaker.failed();
            self.health.failed(error);
        }
    }

    fn failed_aside(&self, error: &Error) {
        if is_outage(error) {
            self.health.failed(error);
        }
    }

    /// Logs a write that failed.
    ///
    /// The first value that the codec refuses is logged as an error, because each process then
    /// loads a value that it could share; everything else is logged at debug level.
    pub(crate) fn log_failed_write(&self, error: &Error) {
        let kind = self.kind.name();
        if is_refused_by_codec(error) && !self.refusal_logged.swap(true, Ordering::Relaxed) {
            tracing::error!(
                kind,
                %error,
                "a value is kept only in this process, because its codec cannot read it back"
            );
        } else {
            tracing::debug!(kind, %error, "the far store did not take a value");
        }
    }
}

/// Returns whether a write failed because the codec cannot read the value back.
pub(crate) fn is_refused_by_codec(error: &Error) -> bool {
    error.kind() == ErrorKind::Invalid && error.operation() == "encode"
}

/// Returns whether an error means that the store is down, and not that it refused one request.
pub(crate) fn is_outage(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::NotSent | ErrorKind::MayHaveRun | ErrorKind::Refused(Refusal::Unavailable)
    )
}

/// Copies the error of an operation on many keys, for one of them.
fn again(error: &Error) -> Error {
    let text = "the store did not answer a whole batch in time";
    Error::new(error.operation(), error.kind(), text)
}
