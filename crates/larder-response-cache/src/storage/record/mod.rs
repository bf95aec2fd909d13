//! What is stored, as bytes.

mod decode;
mod encode;
mod envelope;

use std::sync::Arc;

use bytes::Bytes;
use larder_store::Key;

use crate::policy::ResponsePolicy;
use crate::storage::StoredResponse;
use crate::storage::VariantIndex;

/// What a key holds.
#[derive(Clone)]
pub(crate) enum Record {
    /// A response.
    Response(Arc<StoredResponse>),
    /// The variants of a URI.
    Variants(Arc<VariantIndex>),
    /// Nothing yet: a response is about to be stored here, unless this goes before.
    Reservation,
}

impl Record {
    /// The bytes of this record under `key`; nothing where they are too many for their lengths.
    pub(crate) fn encode(&self, key: &Key) -> Option<Bytes> {
        encode::encode(self, key)
    }

    /// The record that was written under `key`; nothing where the bytes are anything else.
    ///
    /// A body, and the fields, are slices of `bytes`: nothing is copied.
    pub(crate) fn decode(bytes: &Bytes, key: &Key, policy: &ResponsePolicy) -> Option<Self> {
        decode::decode(bytes, key, policy)
    }

    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Response(entry) => entry.weight(),
            Self::Variants(index) => 512 + 64 * index.variants.len(),
            Self::Reservation => 64,
        }
    }
}

#[cfg(test)]
mod tests;
