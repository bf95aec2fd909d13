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
use crate::envelope::{Envelope, Flags, Opened, TagMarks};
use crate::lifetime::{State, Times};
use crate::spans::{self, Spans};
use crate::tags::FarTags;
use crate::values::{Check, Packing, Unpacked};
use crate::write_locks::WriteLocks;

/// The far tier: values as bytes in a store, each in an envelope.
///
/// Every wait here, for a lock or for the store, ends at the store timeout; only
/// [`follow`](Self::follow) waits longer.
pub(crate) struct Far<V> {
    pub(crate) kind: Kind,
    pub(crate) schema: u32,
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
    pub(crate) max_value: usize,
    pub(crate) packing: Packing,
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
        let opened = keys.iter().zip(entries).map(|(key, entry)| {
            let entry = self.heard(entry)?;
            Ok(entry.map_or(Read::Absent, |entry| self.open_bytes(key, &entry, now)))
        });
        self.validate(opened.collect(), now).await
    }

    /// Opens the bytes of an entry. Damaged ones are counted.
    fn open_bytes(&self, key: &Key, entry: &Entry, now: Timestamp) -> Read<V> {
        let unusable = Read::Unusable(entry.version);
        let (envelope, payload) = match Envelope::open(
            &entry.value,
            key,
            self.max_value.saturating_add(self.packing.overhead()),
        ) {
            Opened::Value(envelope, payload) => (envelope, payload),
            // An earlier release wrote it, so this is not damage.
            Opened::Earlier => return unusable,
            Opened::Damaged => {
                count_poisoned(self.kind);
                return unusable;
            }
        };
        let mut times = envelope.times;
        if let Some(idle) = self.idle {
            // The store keeps it for as long as somebody reads it.
            times.prolong(idle, now);
        }
        // Another deployment wrote it, earlier or at the same time, so this is not damage.
        let is_ours = envelope.codec == self.codec.id() && envelope.schema == self.schema;
        if !is_ours || times.state(now) == State::Ended {
            return unusable;
        }
        let described = &entry.value[Envelope::DESCRIPTION..envelope.len()];
        let flags = envelope.flags;
        let value = match self
            .packing
            .unpack(flags, described, payload, key, self.max_value)
        {
            Unpacked::Value(_) if flags.contains(Flags::NOT_FOUND) => None,
            Unpacked::Value(bytes) => match self.codec.decode(&bytes) {
                Some(value) if self.accepts(&value) => Some(Arc::new(value)),
                Some(_) => return unusable,
                None => {
                    count_poisoned(self.kind);
                    return unusable;
                }
            },
            // Another deployment wrote it.
            Unpacked::Foreign => return unusable,
            Unpacked::Damaged => {
                count_poisoned(self.kind);
                return unusable;
            }
        };
        Read::Stored(Stored {
            value,
            times,
            tags: envelope.tags,
            version: entry.version,
        })
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
        let mut envelope = Envelope {
            codec: self.codec.id(),
            flags: Flags::default(),
            schema: self.schema,
            times,
            tags,
        };
        let header = envelope.len();
        let mut sealed = Vec::with_capacity(512);
        sealed.resize(header, 0);
        if let Some(value) = value {
            self.codec.encode(value, &mut sealed)?;
        }
        if sealed.len() - header > self.max_value {
            return Err(self.too_large());
        }
        if let Some(value) = value {
            self.codec.verify(value, &sealed[header..])?;
        }
        envelope.flags = self.packing.compress(&mut sealed, header);
        if value.is_none() {
            envelope.flags = envelope.flags.with(Flags::NOT_FOUND);
        }
        envelope
            .describe(&mut sealed)
            .and_then(|()| {
                let described = Envelope::DESCRIPTION;
                self.packing.seal(&mut sealed, described, header, &key)
            })
            .and_then(|()| Envelope::frame(&mut sealed, &key))
            .ok_or_else(|| self.too_large())?;
        let ttl = Ttl::covering_micros(times.micros_left(now));
        Ok(Put::new(key, Bytes::from(sealed), ttl))
    }

    fn too_large(&self) -> Error {
        let text = format!(
            "the encoded value is larger than {} bytes: raise with_max_value(bytes) of the cache",
            self.max_value
        );
        Error::new("put", ErrorKind::TooLarge, text)
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

    /// Reports the outcome of a claim or a write to the log, and to the breaker if it succeeded.
    ///
    /// Over shards, those of a lost server fail, while its reads are misses. They must not open the
    /// breaker, which stops the reads of all servers.
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
