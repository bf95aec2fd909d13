use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use larder_store::{Store, count_poisoned};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::manifest::{CHUNK, CHUNKS, Manifest, chunk_key, open};
use super::{BlobError, BlobInfo};

/// Reads a blob chunk by chunk, as it was when the reader was made.
///
/// One chunk is in memory at a time. A blob that is replaced or removed meanwhile is still read to its end,
/// if that takes no longer than [`with_max_transfer`](super::Blobs::with_max_transfer) allows.
pub struct BlobReader {
    store: Arc<dyn Store>,
    manifest: Manifest,
    /// The next byte, and the one after the last.
    next: u64,
    end: u64,
    /// None if only a range is read.
    digest: Option<Sha256>,
}

impl BlobReader {
    pub(super) fn new(
        store: Arc<dyn Store>,
        manifest: Manifest,
        range: Option<(u64, u64)>,
    ) -> Self {
        let size = manifest.info.size;
        let (start, end) = range.unwrap_or((0, size));
        Self {
            store,
            manifest,
            next: start.min(size),
            end: end.min(size),
            digest: range.is_none().then(Sha256::new),
        }
    }

    /// Returns the properties of the blob.
    pub fn info(&self) -> BlobInfo {
        self.manifest.info
    }

    /// Returns the next bytes, up to 128 KiB. None at the end. One round trip.
    ///
    /// Each chunk has a checksum, and the last one is returned only if the digest of the whole blob is right.
    ///
    /// # Errors
    /// [`BlobError::Store`], after which you may call it again; [`BlobError::Torn`].
    ///
    /// # Cancellation
    /// Nothing is skipped.
    pub async fn next(&mut self) -> Result<Option<Bytes>, BlobError> {
        if self.next >= self.end {
            return Ok(None);
        }
        let chunk = self.next / CHUNK as u64;
        let key = chunk_key(&self.manifest.nonce, chunk);
        let entry = self.store.get(&key).await?;
        let length = self.manifest.length(chunk);
        let opened = entry.and_then(|entry| open(chunk, length, &entry.value));
        let data = opened.ok_or_else(torn)?;

        let start = chunk * CHUNK as u64;
        let part = (self.next - start) as usize..(self.end - start).min(length as u64) as usize;
        let next = start + part.end as u64;
        if let Some(digest) = &mut self.digest {
            digest.update(&data);
            let is_last = next == self.manifest.info.size;
            if is_last && digest.clone().finalize()[..] != self.manifest.info.sha256 {
                return Err(torn());
            }
        }
        self.next = next;
        Ok(Some(data.slice(part)))
    }

    /// Copies the rest to `target`, and returns how many bytes it copied. It does not flush.
    ///
    /// # Errors
    /// Those of [`next`](Self::next), and [`BlobError::Io`].
    ///
    /// # Cancellation
    /// Part of it may have been written.
    pub async fn copy_to(
        &mut self,
        target: &mut (impl AsyncWrite + Unpin + Send + ?Sized),
    ) -> Result<u64, BlobError> {
        let mut copied = 0;
        while let Some(part) = self.next().await? {
            target.write_all(&part).await?;
            copied += part.len() as u64;
        }
        Ok(copied)
    }
}

fn torn() -> BlobError {
    count_poisoned(CHUNKS);
    BlobError::Torn
}

impl fmt::Debug for BlobReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlobReader")
            .field("size", &self.manifest.info.size)
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}
