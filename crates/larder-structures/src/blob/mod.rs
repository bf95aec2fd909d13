//! Large values in chunks, streamed both ways.

mod error;
mod manifest;
mod reader;
mod writer;

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use larder_store::{
    ErrorKind, ExpireOutcome, Key, KeyId, Kind, Result, Store, Ttl, count_poisoned,
};
use tokio::io::AsyncRead;
use tokio::runtime::Handle;

use crate::records::debug_name;
use crate::update::{Next, Updates};

pub use error::BlobError;
use manifest::{Manifest, chunk_key};
pub use reader::BlobReader;
use writer::Unnamed;

const MANIFESTS: Kind = Kind::pinned("blob");

/// Keeps large values in chunks of 128 KiB, one blob for each id.
///
/// # Rules
/// 1. The chunks of a write are under new keys, and the manifest that names them is written last. So a blob is
///    either the previous or the new one, whole, whatever happens in between.
/// 2. A chunk has a checksum, and the manifest the SHA-256 of the whole. A reader never ends with other bytes
///    than were written.
/// 3. The chunks of a write that fails are removed before it returns, and those of one that is cancelled in the
///    background. What is not removed within five seconds is tried again there, for as long as a transfer may take
///    and the process lives, and for up to 100,000 writes at a time. Every chunk has a TTL from the first write on,
///    that of the blob plus twice the longest transfer: so the chunks of a process that dies expire by themselves.
/// 4. Replacing or removing a blob lets its chunks live for one more transfer, so that readers reach the end.
///
/// One chunk is in memory at a time, and a second one while it is sent. In a cluster the chunks are on all
/// nodes. A blob is at most 64 MiB, unless [`with_max_size`](Self::with_max_size) is set. Clones are cheap and
/// share everything.
///
/// ```
/// # use std::sync::Arc;
/// use larder_store::{Store, Ttl};
/// use larder_structures::blob::{BlobError, Blobs};
///
/// async fn keep(store: Arc<dyn Store>, ticket: &[u8]) -> Result<Vec<u8>, BlobError> {
///     let tickets = Blobs::new(store, "tickets", Ttl::from_secs(30 * 86_400))?;
///     tickets.put(7_u32, ticket).await?;
///     let mut copy = Vec::new();
///     if let Some(mut reader) = tickets.get(7_u32).await? {
///         reader.copy_to(&mut copy).await?;
///     }
///     Ok(copy)
/// }
/// ```
#[derive(Clone)]
pub struct Blobs {
    store: Arc<dyn Store>,
    name: Arc<str>,
    ttl: Ttl,
    max_size: u64,
    /// Replaced chunks live this long.
    max_transfer: Ttl,
}

debug_name!(Blobs, name);

/// The properties of a blob.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlobInfo {
    /// The size in bytes.
    pub size: u64,
    /// Their SHA-256, for an ETag.
    pub sha256: [u8; 32],
}

impl Blobs {
    /// Makes the blobs called `name`, each of which lives for `ttl` after it was written.
    ///
    /// The name is in each key. It is 1 to 32 of `a-z`, `0-9`, `-`, `_` and `.`.
    ///
    /// # Errors
    /// [`ErrorKind::Invalid`] if the name is invalid.
    pub fn new(store: Arc<dyn Store>, name: &str, ttl: Ttl) -> Result<Self> {
        larder_store::check_name("the name of blobs", name)?;
        Ok(Self {
            store,
            name: name.into(),
            ttl,
            max_size: 64 * 1024 * 1024,
            max_transfer: Ttl::from_secs(3_600),
        })
    }

    /// Sets the maximum size in bytes. The default is 64 MiB.
    #[must_use]
    pub fn with_max_size(mut self, bytes: u64) -> Self {
        self.max_size = bytes;
        self
    }

    /// Sets how long a write may take, and a reader of a blob that is replaced: 1 ms to 100 years. The default is
    /// one hour.
    #[must_use]
    pub fn with_max_transfer(mut self, transfer: Duration) -> Self {
        self.max_transfer = Ttl::covering(transfer);
        self
    }

    /// Writes a blob from `source`, replacing any existing one.
    ///
    /// It takes one round trip for each chunk, two for the manifest, and one for each chunk of the previous
    /// blob, to let them expire.
    ///
    /// # Errors
    /// [`BlobError`] says which blob is then there.
    ///
    /// # Cancellation
    /// The blob is either the previous or the new one, whole. Chunks are removed in the background, unless the
    /// manifest was being written: then they end by their TTL.
    pub async fn put(
        &self,
        id: impl KeyId,
        source: impl AsyncRead + Send,
    ) -> Result<BlobInfo, BlobError> {
        let key = self.key(id);
        let mut unnamed = Unnamed::new(self);
        let write = unnamed.write(source);
        let written = tokio::time::timeout(self.max_transfer.into(), write).await;
        let info = match written.unwrap_or(Err(BlobError::TooSlow)) {
            Ok(info) => info,
            Err(error) => {
                unnamed.remove().await;
                return Err(error);
            }
        };
        let nonce = unnamed.nonce();
        let manifest = Manifest { nonce, info };
        let (bytes, ttl) = (manifest.write(), self.ttl);
        unnamed.may_be_named = true;
        let swap = |before: Option<&Bytes>| Next::put(bytes.clone(), ttl, before.cloned());
        match Updates::new(self.store.clone()).update(&key, swap).await {
            Ok(before) => {
                self.end(before.and_then(|before| Manifest::read(&before)))
                    .await;
                Ok(info)
            }
            Err(error) => {
                let error = BlobError::from(error);
                unnamed.may_be_named = matches!(&error, BlobError::Store(error)
                    if error.kind() == ErrorKind::MayHaveRun);
                if !unnamed.may_be_named {
                    unnamed.remove().await;
                }
                Err(error)
            }
        }
    }

    /// Returns a reader of a blob. None if there is none. One round trip.
    ///
    /// # Errors
    /// [`BlobError::Store`].
    pub async fn get(&self, id: impl KeyId) -> Result<Option<BlobReader>, BlobError> {
        let manifest = self.manifest(&self.key(id)).await?;
        Ok(manifest.map(|manifest| BlobReader::new(self.store.clone(), manifest, None)))
    }

    /// Returns a reader of the bytes from `start` to before `end`. None if there is no blob. One round trip.
    ///
    /// Only the chunks of the range are read, each with its checksum. A range past the end is shortened.
    ///
    /// # Errors
    /// [`BlobError::Store`].
    pub async fn get_range(
        &self,
        id: impl KeyId,
        start: u64,
        end: u64,
    ) -> Result<Option<BlobReader>, BlobError> {
        let manifest = self.manifest(&self.key(id)).await?;
        let range = Some((start, end));
        Ok(manifest.map(|manifest| BlobReader::new(self.store.clone(), manifest, range)))
    }

    /// Returns the size and digest of a blob, without its bytes. None if there is none. One round trip.
    ///
    /// # Errors
    /// [`BlobError::Store`].
    pub async fn info(&self, id: impl KeyId) -> Result<Option<BlobInfo>, BlobError> {
        let manifest = self.manifest(&self.key(id)).await?;
        Ok(manifest.map(|manifest| manifest.info))
    }

    /// Removes a blob, and returns whether there was one.
    ///
    /// It takes two round trips, and one for each chunk to let it expire. If there is no blob, it takes three.
    ///
    /// # Errors
    /// Those of [`put`](Self::put). Repeating the call is safe.
    ///
    /// # Cancellation
    /// The blob is either there, whole, or gone.
    pub async fn remove(&self, id: impl KeyId) -> Result<bool, BlobError> {
        let key = self.key(id);
        let take = |before: Option<&Bytes>| Next::Remove(before.cloned());
        let before = Updates::new(self.store.clone()).update(&key, take).await?;
        let was_there = before.is_some();
        self.end(before.and_then(|before| Manifest::read(&before)))
            .await;
        Ok(was_there)
    }

    fn key(&self, id: impl KeyId) -> Key {
        Key::new(MANIFESTS, (&*self.name, id))
    }

    async fn manifest(&self, key: &Key) -> Result<Option<Manifest>, BlobError> {
        let Some(entry) = self.store.get(key).await? else {
            return Ok(None);
        };
        let manifest = Manifest::read(&entry.value);
        if manifest.is_none() {
            count_poisoned(MANIFESTS);
        }
        Ok(manifest)
    }

    /// Lets the chunks of a removed blob expire after its readers have finished.
    ///
    /// If that fails, they expire by their own TTL.
    async fn end(&self, manifest: Option<Manifest>) {
        let Some(manifest) = manifest else {
            return;
        };
        let ending = end(self.store.clone(), manifest, self.max_transfer);
        // In a task of its own, which continues if its caller is dropped.
        match Handle::try_current() {
            Ok(runtime) => drop(runtime.spawn(ending).await),
            Err(_) => ending.await,
        }
    }
}

async fn end(store: Arc<dyn Store>, manifest: Manifest, left: Ttl) {
    for chunk in 0..manifest.chunks() {
        let key = chunk_key(&manifest.nonce, chunk);
        // Chunks after a missing one are left to their TTL too: a manifest that was changed may name any
        // number.
        match store.expire(&key, left).await {
            Ok(ExpireOutcome::TtlSet) => {}
            Ok(ExpireOutcome::NotFound) | Err(_) => return,
        }
    }
}
