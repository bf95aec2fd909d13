use std::time::Duration;

use larder_store::{Delete, ErrorKind, Put, Store, Ttl};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::timeout;

use super::manifest::{CHUNK, chunk_key, seal};
use super::{BlobError, BlobInfo, Blobs};
use crate::background::Repeats;

/// The number of chunks that are removed at once.
const REMOVED: usize = 64;

/// How long a write that has failed waits for their removal.
const REMOVAL: Duration = Duration::from_secs(5);

static REMOVALS: Repeats = Repeats::new();

/// The chunks of one write.
#[derive(Clone, Copy)]
struct Chunks {
    nonce: [u8; 16],
    /// The number of chunks.
    written: u64,
}

/// Chunks that no manifest names yet. If this is dropped, they are removed in the background.
pub(super) struct Unnamed<'a> {
    blobs: &'a Blobs,
    chunks: Chunks,
    /// Set while a manifest is written, which may then name them.
    pub(super) may_be_named: bool,
}

impl<'a> Unnamed<'a> {
    pub(super) fn new(blobs: &'a Blobs) -> Self {
        let chunks = Chunks {
            nonce: rand::random(),
            written: 0,
        };
        Self {
            blobs,
            chunks,
            may_be_named: false,
        }
    }

    /// Returns what identifies the chunks.
    pub(super) fn nonce(&self) -> [u8; 16] {
        self.chunks.nonce
    }

    /// Writes the chunks, and counts them.
    pub(super) async fn write(
        &mut self,
        source: impl AsyncRead + Send,
    ) -> Result<BlobInfo, BlobError> {
        let blobs = self.blobs;
        // One byte more, so that a source that is too large is noticed.
        let mut source = std::pin::pin!(source.take(blobs.max_size.saturating_add(1)));
        let transfers = Duration::from(blobs.max_transfer) * 2;
        let ttl = Duration::from(blobs.ttl).saturating_add(transfers);
        let ttl = Ttl::covering(ttl);
        let (mut digest, mut size) = (Sha256::new(), 0);
        let mut buffer = vec![0; CHUNK];
        loop {
            let mut filled = 0;
            while filled < CHUNK {
                match source.read(&mut buffer[filled..]).await? {
                    0 => break,
                    read => filled += read,
                }
            }
            if filled == 0 {
                break;
            }
            size += filled as u64;
            if size > blobs.max_size {
                let max = blobs.max_size;
                return Err(BlobError::TooLarge { max });
            }
            digest.update(&buffer[..filled]);
            let Chunks { nonce, written } = self.chunks;
            let sealed = seal(written, &buffer[..filled]);
            // Counted before the write, so that it is removed even if the reply is lost.
            self.chunks.written += 1;
            let put = Put::new(chunk_key(&nonce, written), sealed, ttl);
            // Without a condition it is stored or fails.
            if let Err(error) = blobs.store.put(&put).await {
                if error.kind() != ErrorKind::MayHaveRun {
                    self.chunks.written = written;
                }
                return Err(error.into());
            }
            if filled < CHUNK {
                break;
            }
        }
        let sha256 = digest.finalize().into();
        Ok(BlobInfo { size, sha256 })
    }

    /// Removes them, and leaves to the background what fails.
    pub(super) async fn remove(mut self) {
        let removal = self.chunks.delete(&*self.blobs.store);
        if matches!(timeout(REMOVAL, removal).await, Ok(true)) {
            self.chunks.written = 0;
        }
    }
}

impl Chunks {
    /// Returns whether all were deleted.
    async fn delete(self, store: &dyn Store) -> bool {
        let deletes = (0..self.written).map(|chunk| Delete::new(chunk_key(&self.nonce, chunk)));
        let deletes: Vec<_> = deletes.collect();
        for deletes in deletes.chunks(REMOVED) {
            if store.delete_many(deletes).await.iter().any(Result::is_err) {
                return false;
            }
        }
        true
    }
}

impl Drop for Unnamed<'_> {
    fn drop(&mut self) {
        let chunks = self.chunks;
        if chunks.written == 0 || self.may_be_named {
            return;
        }
        // For as long as a transfer may take. What is then left expires by its TTL.
        let store = self.blobs.store.clone();
        REMOVALS.repeat(self.blobs.max_transfer.into(), move || {
            let store = store.clone();
            async move { chunks.delete(&*store).await }
        });
    }
}
