use std::borrow::Cow;

#[cfg(feature = "seal")]
use larder_layer::OpenFailure;
use larder_store::Key;

use super::compression;
use crate::envelope::Flags;

/// The compression and the sealing of a cache's encoded values, if any.
#[derive(Clone, Debug, Default)]
pub(crate) struct Packing {
    #[cfg(any(feature = "lz4", feature = "zstd"))]
    pub(crate) compression: Option<super::Compression>,
    #[cfg(feature = "seal")]
    pub(crate) sealing: Option<super::SealingKeys>,
}

/// The result of unpacking stored bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Unpacked<'a> {
    /// An encoded value.
    Value(Cow<'a, [u8]>),
    /// An intact value that was packed in a way unknown to this build, or is longer than this process allows.
    Foreign,
    /// Anything else.
    Damaged,
}

impl Packing {
    /// Returns the maximum number of bytes that packing adds to a value.
    pub(crate) fn overhead(&self) -> usize {
        #[cfg(feature = "seal")]
        if self.sealing.is_some() {
            return super::SealingKeys::OVERHEAD;
        }
        0
    }

    /// Compresses the bytes of `value` behind `from`, and returns the resulting flags.
    pub(crate) fn compress(&self, value: &mut Vec<u8>, from: usize) -> Flags {
        let flags = self.flags();
        #[cfg(any(feature = "lz4", feature = "zstd"))]
        let flags = match self.compression {
            Some(compression) if compression.compress(value, from) => flags.with(Flags::COMPRESSED),
            _ => flags,
        };
        let _ = (value, from);
        flags
    }

    /// Returns the flags that all its values have.
    pub(crate) fn flags(&self) -> Flags {
        #[cfg(feature = "seal")]
        if self.sealing.is_some() {
            return Flags::SEALED;
        }
        Flags::default()
    }

    /// Seals the bytes of `value` behind its header, if the cache does.
    ///
    /// `bound` is the start of the header bytes that the seal protects.
    pub(crate) fn seal(
        &self,
        value: &mut Vec<u8>,
        bound: usize,
        header: usize,
        key: &Key,
    ) -> Option<()> {
        #[cfg(feature = "seal")]
        if let Some(keys) = &self.sealing {
            let context = context(key, value.get(bound..header)?);
            return keys.seal(value, header, &context);
        }
        let _ = (value, bound, header, key);
        Some(())
    }

    /// Returns the encoded value, of at most `max` bytes, that was packed with this header.
    pub(crate) fn unpack<'a>(
        &self,
        flags: Flags,
        bound: &[u8],
        packed: &'a [u8],
        key: &Key,
        max: usize,
    ) -> Unpacked<'a> {
        let is_sealed = flags.contains(Flags::SEALED);
        #[cfg(feature = "seal")]
        let opened = match (&self.sealing, is_sealed) {
            (Some(keys), true) => match keys.open(packed, &context(key, bound)) {
                Ok(opened) => Cow::Owned(opened),
                Err(OpenFailure::Foreign) => return Unpacked::Foreign,
                Err(_) => return Unpacked::Damaged,
            },
            // Anyone could have written it.
            (Some(_), false) => return Unpacked::Damaged,
            (None, true) => return Unpacked::Foreign,
            (None, false) => Cow::Borrowed(packed),
        };
        #[cfg(not(feature = "seal"))]
        let opened = if is_sealed {
            return Unpacked::Foreign;
        } else {
            let _ = (bound, key);
            Cow::Borrowed(packed)
        };
        if flags.contains(Flags::COMPRESSED) {
            return match compression::decompress(&opened, max) {
                Ok(plain) => Unpacked::Value(Cow::Owned(plain)),
                Err(compression::Failure::Foreign) => Unpacked::Foreign,
                Err(compression::Failure::Damaged) => Unpacked::Damaged,
            };
        }
        if opened.len() > max {
            return Unpacked::Foreign;
        }
        Unpacked::Value(opened)
    }
}

/// Returns the data to which a sealed value is bound: its key, and its description in the header.
#[cfg(feature = "seal")]
fn context(key: &Key, header: &[u8]) -> Vec<u8> {
    let key = key.as_bytes();
    let length = u32::try_from(key.len()).unwrap_or(u32::MAX);
    // With the length in front, no other key and header give the same bytes.
    [&length.to_le_bytes()[..], key, header].concat()
}
