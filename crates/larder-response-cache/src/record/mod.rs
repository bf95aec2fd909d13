//! What is stored, as bytes.

mod decode;
mod encode;
mod envelope;

use std::sync::Arc;

use bytes::Bytes;
use larder_store::Key;

use crate::entry::Entry;
use crate::index::Index;
use crate::view::View;

/// What a key holds.
#[derive(Clone)]
pub(crate) enum Record {
    /// A response.
    Entry(Arc<Entry>),
    /// The variants of a URI.
    Index(Arc<Index>),
    /// Nothing yet: a response is about to be stored here, unless this goes before.
    Reserved,
}

impl Record {
    /// The bytes of this record under `key`; nothing where they are too many for their lengths.
    pub(crate) fn encode(&self, key: &Key) -> Option<Bytes> {
        encode::encode(self, key)
    }

    /// The record that was written under `key`; nothing where the bytes are anything else.
    ///
    /// A body, and the fields, are slices of `bytes`: nothing is copied.
    pub(crate) fn decode(bytes: &Bytes, key: &Key, view: &View) -> Option<Self> {
        decode::decode(bytes, key, view)
    }

    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Entry(entry) => entry.weight(),
            Self::Index(index) => 512 + 64 * index.variants.len(),
            Self::Reserved => 64,
        }
    }
}

#[cfg(test)]
mod tests;
