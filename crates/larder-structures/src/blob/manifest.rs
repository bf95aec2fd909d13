//! The manifest of a blob, and the chunks that it names.

use bytes::{BufMut, Bytes, BytesMut};
use larder_store::{Key, Kind};
use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

use super::BlobInfo;

/// The length of every chunk except the last, in bytes: 128 KiB.
pub(super) const CHUNK: usize = 128 * 1024;

/// Chunks of all blobs.
///
/// A replica may have a manifest before another one has its chunks.
pub(super) const CHUNKS: Kind = Kind::pinned("blob-chunk").with_consistent_reads();

/// The length of a checksum, in bytes: in front of a chunk, and at the end of a manifest.
const CHECKSUM: usize = 8;

const VERSION: u8 = 2;
const LENGTH: usize = 1 + 16 + 8 + 32 + CHECKSUM;

/// Describes a blob. It is written last, so a blob appears as a whole or not at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Manifest {
    /// Identifies the chunks of this write.
    pub(super) nonce: [u8; 16],
    pub(super) info: BlobInfo,
}

impl Manifest {
    pub(super) fn write(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(LENGTH);
        bytes.put_u8(VERSION);
        bytes.put_slice(&self.nonce);
        bytes.put_u64(self.info.size);
        bytes.put_slice(&self.info.sha256);
        bytes.put_u64(xxh3_64(&bytes));
        bytes.freeze()
    }

    /// Reads a manifest. None for bytes that are not one.
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        let bytes: &[u8; LENGTH] = bytes.try_into().ok()?;
        let (fields, checksum) = bytes.split_last_chunk::<CHECKSUM>()?;
        // A changed size would end a read too early, and no chunk could reveal it.
        if u64::from_be_bytes(*checksum) != xxh3_64(fields) {
            return None;
        }
        let (&version, rest) = fields.split_first()?;
        let (nonce, rest) = rest.split_first_chunk()?;
        let (size, sha256) = rest.split_first_chunk()?;
        let manifest = Self {
            nonce: *nonce,
            info: BlobInfo {
                size: u64::from_be_bytes(*size),
                sha256: sha256.try_into().ok()?,
            },
        };
        (version == VERSION).then_some(manifest)
    }

    pub(super) fn chunks(&self) -> u64 {
        self.info.size.div_ceil(CHUNK as u64)
    }

    /// Returns the length of a chunk, in bytes.
    pub(super) fn length(&self, chunk: u64) -> usize {
        let before = chunk * CHUNK as u64;
        self.info.size.saturating_sub(before).min(CHUNK as u64) as usize
    }
}

/// Returns the key of a chunk. Each chunk has a slot of its own in a cluster.
pub(super) fn chunk_key(nonce: &[u8; 16], chunk: u64) -> Key {
    let nonce = u128::from_be_bytes(*nonce);
    Key::new(CHUNKS, (format!("{nonce:032x}"), chunk))
}

/// Puts its checksum in front of a chunk.
pub(super) fn seal(chunk: u64, data: &[u8]) -> Bytes {
    let mut bytes = BytesMut::with_capacity(CHECKSUM + data.len());
    bytes.put_u64(xxh3_64_with_seed(data, chunk));
    bytes.put_slice(data);
    bytes.freeze()
}

/// Checks a chunk, and removes its checksum. None if it is not what was sealed.
pub(super) fn open(chunk: u64, length: usize, bytes: &Bytes) -> Option<Bytes> {
    let (checksum, data) = bytes.split_first_chunk::<CHECKSUM>()?;
    let is_whole =
        data.len() == length && u64::from_be_bytes(*checksum) == xxh3_64_with_seed(data, chunk);
    is_whole.then(|| bytes.slice(CHECKSUM..))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(size: u64) -> Manifest {
        Manifest {
            nonce: [7; 16],
            info: BlobInfo {
                size,
                sha256: [9; 32],
            },
        }
    }

    #[test]
    fn a_manifest_is_read_as_it_was_written_and_nothing_else_is() {
        let written = manifest(300_000).write();
        assert_eq!(Manifest::read(&written), Some(manifest(300_000)));
        for at in 0..written.len() {
            let mut other = written.to_vec();
            other[at] ^= 1;
            assert_eq!(Manifest::read(&other), None, "byte {at} was changed");
        }
        for wrong in [&written[1..], b"", &[written.to_vec(), vec![0]].concat()] {
            assert_eq!(Manifest::read(wrong), None);
        }
    }

    #[test]
    fn the_last_chunk_has_the_rest() {
        let chunk = CHUNK as u64;
        for (size, lengths) in [
            (0, vec![]),
            (1, vec![1]),
            (chunk, vec![CHUNK]),
            (chunk + 1, vec![CHUNK, 1]),
        ] {
            let manifest = manifest(size);
            let all: Vec<_> = (0..manifest.chunks())
                .map(|it| manifest.length(it))
                .collect();
            assert_eq!(all, lengths);
        }
    }

    #[test]
    fn a_chunk_that_was_changed_or_belongs_elsewhere_is_not_opened() {
        let sealed = seal(3, b"data");
        assert_eq!(open(3, 4, &sealed), Some(Bytes::from_static(b"data")));
        assert_eq!(open(4, 4, &sealed), None);
        assert_eq!(open(3, 5, &sealed), None);
        assert_eq!(open(3, 4, &sealed.slice(1..)), None);
    }
}
